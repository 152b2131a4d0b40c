//===- DeviceImages.h - Where a program keeps device code ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of the constants of a lowered module that hold the images of its
// kernels.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_CONVERSION_DEVICEIMAGES_H
#define NVFP4_CONVERSION_DEVICEIMAGES_H

#include "llvm/ADT/StringRef.h"

namespace nvfp4 {

/// PTX, with a null byte behind it.
inline constexpr llvm::StringLiteral kPTXGlobalName = "nvfp4.image.ptx";
/// Machine code, if it was asked for and ptxas was there.
inline constexpr llvm::StringLiteral kCubinGlobalName = "nvfp4.image.cubin";

} // namespace nvfp4

#endif // NVFP4_CONVERSION_DEVICEIMAGES_H

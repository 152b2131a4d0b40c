//===- DeviceImages.h - What host code knows of device code -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of the constants of a lowered module that hold the images of its
// kernels, and of attributes of their launches.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_CONVERSION_DEVICEIMAGES_H
#define NVFP4_CONVERSION_DEVICEIMAGES_H

#include "llvm/ADT/StringRef.h"

namespace nvfp4 {

/// Unit attribute of a `gpu.launch_func` whose kernel may start before the one
/// before it ends, because it waits itself.
inline constexpr llvm::StringLiteral kProgrammaticLaunchName =
    "nvfp4.programmatic_launch";
/// Of a `gpu.launch_func` whose operands include tensor maps: an array of
/// dictionaries, one for each. `operand` is the number of the operand, which is
/// the address of a tensor; `dtype`, `swizzle`, `box`, `dims` and `strides` are
/// the fields of `nvfp4_tensor_map`, the last two as maps of the launch's i64
/// operands.
inline constexpr llvm::StringLiteral kTensorMapsName = "nvfp4.tensor_maps";

/// PTX, with a null byte behind it.
inline constexpr llvm::StringLiteral kPTXGlobalName = "nvfp4.image.ptx";
/// Machine code, if it was asked for and ptxas was there.
inline constexpr llvm::StringLiteral kCubinGlobalName = "nvfp4.image.cubin";

} // namespace nvfp4

#endif // NVFP4_CONVERSION_DEVICEIMAGES_H

//===- StridedCopy.h - Gather a strided tensor -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_STRIDEDCOPY_H
#define NVFP4_LIB_RUNTIME_STRIDEDCOPY_H

#include "nvfp4/Runtime/Session.h"

namespace nvfp4 {

/// Whether the elements lie one after the other in row-major order. Strides of
/// extents 0 and 1 do not matter.
bool isContiguous(const TensorView &view);

/// Copies the elements of `view` to `target`, contiguous and row-major. The
/// elements are whole bytes.
void copyStrided(void *target, const TensorView &view);

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_STRIDEDCOPY_H

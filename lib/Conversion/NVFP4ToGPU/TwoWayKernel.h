//===- TwoWayKernel.h - A matrix and its transpose, quantized ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_TWOWAYKERNEL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_TWOWAYKERNEL_H

#include "Kernel.h"

namespace nvfp4 {

/// Quantizations of one source: transposed and, if `direct` is not null, as it
/// is.
struct TwoWayQuantization {
  QuantizeIntoOp direct, turned;
  /// Numbers of the first of their results.
  unsigned directResult, turnedResult;
};

/// What the results of a body are, if they are such quantizations', in any
/// order, in blocks of one row.
std::optional<TwoWayQuantization> getTwoWays(mlir::func::FuncOp body);

mlir::FailureOr<KernelVariant> generateTwoWayKernel(const KernelRequest &,
                                                    const TwoWayQuantization &);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_TWOWAYKERNEL_H

//===- F32Math.h - Frequent functions in f32 --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of activations and of softmax in f32 alone. F64Math is more
// accurate, but consumer GPUs do 64 times fewer operations on f64 than on f32,
// and the vectors of a CPU hold half as many.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_F32MATH_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_F32MATH_H

#include "FloatBuilder.h"

namespace nvfp4 {

/// Builds functions of f32 scalars, or of vectors of them. Infinities, NaN,
/// signed zeros and subnormal results are those of C; results are within 1.5
/// units in the last place, or within 4 by the instruction for powers of two
/// that GPUs have, with half as many instructions.
class F32Math : FloatBuilder {
public:
  F32Math(mlir::ImplicitLocOpBuilder &builder, mlir::Type type, bool isOnGPU)
      : FloatBuilder(builder, type),
        hasExp2(isOnGPU && !mlir::isa<mlir::ShapedType>(type)) {}

  mlir::Value exp(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value erf(mlir::Value x);

private:
  mlir::Value approximateExp2(mlir::Value x);
  mlir::Value expByExp2(mlir::Value x);
  mlir::Value erfByExp2(mlir::Value x);

  bool hasExp2;
};

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_F32MATH_H

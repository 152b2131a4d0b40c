//===- FloatBuilder.h - Words for arithmetic on floats ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary in which F32Math and F64Math write functions down.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_FLOATBUILDER_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_FLOATBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nvfp4 {

/// Builds arithmetic on scalars of one float type, or on vectors of them.
class FloatBuilder {
protected:
  FloatBuilder(mlir::ImplicitLocOpBuilder &builder, mlir::Type type)
      : b(builder), type(type) {}

  using Predicate = mlir::arith::CmpFPredicate;

  mlir::Value constant(double value);
  mlir::Value bitsConstant(int64_t value);
  /// The integer type as wide as the floats.
  mlir::Type getBitsElement();
  mlir::Type withElement(mlir::Type element);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  mlir::Value neg(mlir::Value x);
  mlir::Value abs(mlir::Value x);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value withSign(mlir::Value magnitude, mlir::Value sign);
  mlir::Value compare(Predicate predicate, mlir::Value x, double y);
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);
  mlir::Value toBits(mlir::Value x);
  mlir::Value fromBits(mlir::Value bits);
  /// Limits x to [low, high]; NaN stays NaN.
  mlir::Value clamp(mlir::Value x, double low, double high);
  /// coefficients[0] + coefficients[1] x + …, by fused multiply-adds.
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients);

  mlir::ImplicitLocOpBuilder &b;
  mlir::Type type;
};

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_FLOATBUILDER_H

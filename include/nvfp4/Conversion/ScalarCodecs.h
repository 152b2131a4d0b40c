//===- ScalarCodecs.h - The codecs of Support as arith ops ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits the scalar steps of quantization as `arith` ops, for targets without
// conversion instructions. Each function gives, bit for bit, what the function
// of Support that it names gives; tests compare them on all inputs that matter.
// Decoding needs no arithmetic: tables are filled by Support (`getScaleTable`).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_CONVERSION_SCALARCODECS_H
#define NVFP4_CONVERSION_SCALARCODECS_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/IR/Builders.h"

#include <array>

namespace nvfp4 {

/// `encode` and `decode` of `GlobalScaleFactors`, as f32 values.
struct EmittedFactors {
  mlir::Value encode;
  mlir::Value decode;
};

/// A scale byte (i8) and the f32 factor that elements are multiplied by.
struct EmittedBlockScale {
  mlir::Value byte;
  mlir::Value encode;
};

/// `globalScaleFromAmax`: the global scale of a tensor with largest magnitude
/// `amax` (f32).
mlir::Value emitGlobalScaleFromAmax(mlir::OpBuilder &builder,
                                    mlir::Location loc, mlir::Value amax,
                                    GlobalScaleConvention convention,
                                    int64_t bound);

/// `getGlobalScaleFactors` of a stored global scale `g` (f32).
EmittedFactors emitGlobalScaleFactors(mlir::OpBuilder &builder,
                                      mlir::Location loc, mlir::Value g,
                                      GlobalScaleConvention convention,
                                      int64_t bound);

/// `chooseBlockScale` by the golden rule for a block with largest magnitude
/// `amax` (f32, not NaN). `factors` is null for formats without a global scale.
EmittedBlockScale emitBlockScale(mlir::OpBuilder &builder, mlir::Location loc,
                                 ScaleEncoding encoding, mlir::Value amax,
                                 const EmittedFactors *factors);

/// `encodeE2M1` of an f32: an i32 in 0 … 15.
mlir::Value emitEncodeE2M1(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value value);

/// `encodeE2M1Stochastic` with `random`, an i32 in 0 … 255.
mlir::Value emitEncodeE2M1Stochastic(mlir::OpBuilder &builder,
                                     mlir::Location loc, mlir::Value value,
                                     mlir::Value random);

/// `getPhiloxWords`: four i32 of an i64 seed and an i64 counter.
std::array<mlir::Value, 4> emitPhiloxWords(mlir::OpBuilder &builder,
                                           mlir::Location loc, mlir::Value seed,
                                           mlir::Value counter);

/// `decodedBlockScale` of a decoded scale and a stored global scale.
mlir::Value emitDecodedBlockScale(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::Value scale, mlir::Value g,
                                  GlobalScaleConvention convention,
                                  int64_t bound);

/// `getMatmulAlpha`; an operand without a global scale is a null value.
mlir::Value emitMatmulAlpha(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value lhs, FormatAttr lhsFormat,
                            mlir::Value rhs, FormatAttr rhsFormat);

/// `decodeScale` of all 256 bytes, as a tensor<256xf32> constant.
mlir::Value getScaleTable(mlir::OpBuilder &builder, mlir::Location loc,
                          ScaleEncoding encoding);

/// `decodeE2M1` of all 16 codes, as a tensor<16xf32> constant.
mlir::Value getCodeTable(mlir::OpBuilder &builder, mlir::Location loc);

} // namespace nvfp4

#endif // NVFP4_CONVERSION_SCALARCODECS_H

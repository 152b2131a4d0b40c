//===- F64Math.h - Elementary functions in arith ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds elementary functions of f64 values out of add, multiply, divide, fma,
// compare and bit operations, so that no program needs a mathematics library
// and LLVM can vectorise every loop.
//
// f64 is also how most f32 functions are computed: with the exponent and
// mantissa to spare, short polynomials and simple range reductions are accurate
// to the last bit of f32 or next to it, without the cases that f32 code needs.
// The few that models spend their time in are in F32Math.h.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_F64MATH_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_F64MATH_H

#include "FloatBuilder.h"

namespace nvfp4 {

/// Builds functions of f64 scalars, or of vectors of them, at the insertion
/// point of a builder. Domains, infinities, NaN and signed zeros are those of
/// C.
class F64Math : FloatBuilder {
public:
  /// `type` is f64 or a vector of f64. `isPrecise`: relative errors near 1e-14
  /// instead of near 1e-9, which is what a result rounded to f32 needs.
  F64Math(mlir::ImplicitLocOpBuilder &builder, mlir::Type type, bool isPrecise)
      : FloatBuilder(builder, type), isPrecise(isPrecise) {}

  mlir::Value exp(mlir::Value x);
  mlir::Value exp2(mlir::Value x);
  mlir::Value expm1(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value log2(mlir::Value x);
  mlir::Value log10(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  mlir::Value pow(mlir::Value x, mlir::Value y);
  mlir::Value cbrt(mlir::Value x);
  mlir::Value rsqrt(mlir::Value x);
  /// NaN for |x| > 2^50: no reduction of larger angles.
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  mlir::Value tan(mlir::Value x);
  mlir::Value asin(mlir::Value x);
  mlir::Value acos(mlir::Value x);
  mlir::Value atan(mlir::Value x);
  mlir::Value atan2(mlir::Value y, mlir::Value x);
  mlir::Value sinh(mlir::Value x);
  mlir::Value cosh(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value asinh(mlir::Value x);
  mlir::Value acosh(mlir::Value x);
  mlir::Value atanh(mlir::Value x);
  mlir::Value erf(mlir::Value x);
  mlir::Value erfc(mlir::Value x);
  /// C's fmod. Exact while the quotient is below 2^53.
  mlir::Value fmod(mlir::Value x, mlir::Value y);

private:
  /// Rounds to the nearest integer; `bits` receives an i64 whose low bits are
  /// that integer's. |x| < 2^51.
  mlir::Value roundToInteger(mlir::Value x, mlir::Value &bits);
  /// e^r * 2^n, where `bits` holds n as `roundToInteger` leaves it; |r| <=
  /// 0.35.
  mlir::Value scaledExp(mlir::Value r, mlir::Value bits);
  /// Splits |x| into exponent and log(mantissa), both f64.
  std::pair<mlir::Value, mlir::Value> splitLog(mlir::Value x);
  /// What a logarithm is outside (0, inf).
  mlir::Value fixLog(mlir::Value x, mlir::Value result);
  /// sin and cos of x by quadrant; `shift` 0 for sin, 1 for cos.
  mlir::Value circular(mlir::Value x, int64_t shift);
  /// erfc(|x|) for |x| >= 0.5.
  mlir::Value tail(mlir::Value magnitude);
  /// erf for |x| < 0.5.
  mlir::Value smallErf(mlir::Value x);

  bool isPrecise;
};

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_F64MATH_H

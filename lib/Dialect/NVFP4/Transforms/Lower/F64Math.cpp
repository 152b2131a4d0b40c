//===- F64Math.cpp - Elementary functions in arith ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every function is a range reduction to a small interval, a Taylor series
// there, and the way back. The number of terms follows from the interval; it is
// stated with each series.
//
//===----------------------------------------------------------------------===//

#include "F64Math.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace nvfp4 {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double kPi = 3.14159265358979323846;
static constexpr double kLn2 = 0.69314718055994530942;

/// Adding 1.5 * 2^52 leaves no bits for a fraction; the sum's low bits are the
/// integer.
Value F64Math::roundToInteger(Value x, Value &bits) {
  Value magic = constant(6755399441055744.0);
  Value sum = add(x, magic);
  bits = toBits(sum);
  return sub(sum, magic);
}

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

Value F64Math::scaledExp(Value r, Value bits) {
  // |r| <= ln(2)/2: term n is below 0.347^n / n!, 2e-10 for n = 9 and 3e-18 for
  // n = 14.
  SmallVector<double> coefficients{1.0};
  for (int n = 1; n < (isPrecise ? 14 : 9); ++n)
    coefficients.push_back(coefficients.back() / n);
  Value exponent = arith::ShLIOp::create(
      b, arith::AddIOp::create(b, bits, bitsConstant(1023)), bitsConstant(52));
  return mul(polynomial(r, coefficients), fromBits(exponent));
}

Value F64Math::exp(Value x) {
  // 2^n must be a normal number.
  Value limited = clamp(x, -708.0, 709.0);
  Value bits;
  Value n = roundToInteger(mul(limited, constant(1.0 / kLn2)), bits);
  // ln 2 in two parts; the first has 32 trailing zeros, so n times it is exact.
  Value r = fma(n, constant(-0x1.62e42fee00000p-1), limited);
  r = fma(n, constant(-0x1.a39ef35793c76p-33), r);
  Value result = scaledExp(r, bits);
  result = select(compare(Predicate::OLT, x, -708.0), constant(0.0), result);
  return select(compare(Predicate::OGT, x, 709.0), constant(kInfinity), result);
}

Value F64Math::exp2(Value x) {
  Value limited = clamp(x, -1022.0, 1023.0);
  Value bits;
  Value n = roundToInteger(limited, bits);
  Value result = scaledExp(mul(sub(limited, n), constant(kLn2)), bits);
  result = select(compare(Predicate::OLT, x, -1022.0), constant(0.0), result);
  return select(compare(Predicate::OGT, x, 1023.0), constant(kInfinity),
                result);
}

Value F64Math::expm1(Value x) {
  // |x| <= 0.5: (e^x - 1) / x has the terms x^n / (n+1)!, below 1e-11 for n =
  // 10 and 2e-18 for n = 15.
  SmallVector<double> coefficients{1.0};
  for (int n = 1; n < (isPrecise ? 15 : 10); ++n)
    coefficients.push_back(coefficients.back() / (n + 1));
  Value nearZero = mul(x, polynomial(x, coefficients));
  Value far = sub(exp(x), constant(1.0));
  return select(compare(Predicate::OLT, abs(x), 0.5), nearZero, far);
}

Value F64Math::sinh(Value x) {
  // With m = e^|x| - 1: (m + m / (m + 1)) / 2, without cancellation.
  Value m = expm1(abs(x));
  Value ratio = div(m, add(m, constant(1.0)));
  Value half = mul(add(m, ratio), constant(0.5));
  // inf / inf
  half = select(compare(Predicate::OEQ, m, kInfinity), m, half);
  return withSign(half, x);
}

Value F64Math::cosh(Value x) {
  Value e = exp(abs(x));
  return mul(add(e, div(constant(1.0), e)), constant(0.5));
}

Value F64Math::tanh(Value x) {
  // Beyond 20 the result is 1 in f64 too.
  Value m = expm1(mul(clamp(x, -20.0, 20.0), constant(2.0)));
  return div(m, add(m, constant(2.0)));
}

//===----------------------------------------------------------------------===//
// Logarithms and powers
//===----------------------------------------------------------------------===//

std::pair<Value, Value> F64Math::splitLog(Value x) {
  Value magnitude = abs(x);
  Value bias = bitsConstant(1023);
  if (isPrecise) {
    // Subnormal numbers, which no f32 becomes.
    Value isSmall = compare(Predicate::OLT, magnitude, 0x1p-1022);
    magnitude = select(isSmall, mul(magnitude, constant(0x1p54)), magnitude);
    bias = select(isSmall, bitsConstant(1023 + 54), bias);
  }
  // The exponent grows by one when the mantissa passes sqrt(2), so that the
  // logarithm of the mantissa is between -ln(2)/2 and ln(2)/2.
  constexpr int64_t kOne = 0x3ff0000000000000;
  constexpr int64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  Value bits = toBits(magnitude);
  Value raised = arith::AddIOp::create(b, bits, bitsConstant(kOne - kSqrtHalf));
  Value biased = arith::ShRUIOp::create(b, raised, bitsConstant(52));
  Value exponent = arith::SubIOp::create(b, biased, bias);
  Value shift = arith::ShLIOp::create(
      b, arith::SubIOp::create(b, biased, bitsConstant(1023)),
      bitsConstant(52));
  Value mantissa = fromBits(arith::SubIOp::create(b, bits, shift));
  // i32 to f64 is a vector instruction on x86, i64 to f64 is not.
  Value narrow =
      arith::TruncIOp::create(b, withElement(b.getI32Type()), exponent);
  Value exponentF64 = arith::SIToFPOp::create(b, type, narrow);

  // log m = 2 atanh s, s = (m - 1) / (m + 1), |s| <= 0.172: term n is below
  // s^2n / (2n + 1), 1e-12 for n = 7 and 4e-20 for n = 12.
  Value s = div(sub(mantissa, constant(1.0)), add(mantissa, constant(1.0)));
  SmallVector<double> coefficients;
  for (int n = 0; n < (isPrecise ? 12 : 7); ++n)
    coefficients.push_back(2.0 / (2 * n + 1));
  return {exponentF64, mul(s, polynomial(mul(s, s), coefficients))};
}

Value F64Math::fixLog(Value x, Value result) {
  result = select(compare(Predicate::OEQ, x, kInfinity), constant(kInfinity),
                  result);
  result =
      select(compare(Predicate::OEQ, x, 0.0), constant(-kInfinity), result);
  // Negative, or NaN.
  return select(compare(Predicate::ULT, x, 0.0), constant(kNaN), result);
}

Value F64Math::log(Value x) {
  auto [exponent, logMantissa] = splitLog(x);
  Value low = fma(exponent, constant(0x1.a39ef35793c76p-33), logMantissa);
  return fixLog(x, fma(exponent, constant(0x1.62e42fee00000p-1), low));
}

Value F64Math::log2(Value x) {
  auto [exponent, logMantissa] = splitLog(x);
  return fixLog(x, fma(logMantissa, constant(1.0 / kLn2), exponent));
}

Value F64Math::log10(Value x) {
  return mul(log(x), constant(0.43429448190325182765));
}

Value F64Math::log1p(Value x) {
  // u = 1 + x is rounded; what it lost, divided by u, is the correction.
  Value u = add(x, constant(1.0));
  Value lost = sub(x, sub(u, constant(1.0)));
  Value result = add(log(u), div(lost, u));
  // x = inf or -1 make the correction inf/inf or 0/0, and a tiny x is its own
  // logarithm, sign of zero included.
  result = select(compare(Predicate::OEQ, x, kInfinity), x, result);
  result =
      select(compare(Predicate::OEQ, x, -1.0), constant(-kInfinity), result);
  return select(compare(Predicate::OLT, abs(x), 0x1p-54), x, result);
}

Value F64Math::asinh(Value x) {
  Value m = abs(x);
  Value square = mul(m, m);
  Value root = sqrt(add(square, constant(1.0)));
  Value result = log1p(add(m, div(square, add(root, constant(1.0)))));
  // The square overflows: asinh m = log 2m.
  Value large = add(log(m), constant(kLn2));
  return withSign(select(compare(Predicate::OGT, m, 0x1p500), large, result),
                  x);
}

Value F64Math::acosh(Value x) {
  Value t = sub(x, constant(1.0));
  Value root = sqrt(mul(t, add(t, constant(2.0))));
  Value result = log1p(add(t, root));
  Value large = add(log(x), constant(kLn2));
  result = select(compare(Predicate::OGT, x, 0x1p500), large, result);
  return select(compare(Predicate::OLT, x, 1.0), constant(kNaN), result);
}

Value F64Math::atanh(Value x) {
  Value m = abs(x);
  Value ratio = div(mul(m, constant(2.0)), sub(constant(1.0), m));
  return withSign(mul(log1p(ratio), constant(0.5)), x);
}

Value F64Math::rsqrt(Value x) { return div(constant(1.0), sqrt(x)); }

Value F64Math::cbrt(Value x) {
  Value m = abs(x);
  Value root = exp2(mul(log2(m), constant(1.0 / 3.0)));
  // One Newton step makes up for the logarithm's error times the exponent.
  Value square = mul(root, root);
  Value better = fma(div(sub(m, mul(square, root)), mul(square, constant(3.0))),
                     constant(1.0), root);
  Value isOrdinary =
      arith::AndIOp::create(b, compare(Predicate::OGT, m, 0.0),
                            compare(Predicate::OLT, m, kInfinity));
  return withSign(select(isOrdinary, better, m), x);
}

Value F64Math::pow(Value x, Value y) {
  Value m = abs(x);
  Value magnitude = exp2(mul(y, log2(m)));
  // A negative base needs an integer exponent, and an odd one keeps the sign.
  Value whole = math::TruncOp::create(b, y);
  Value isInteger = arith::CmpFOp::create(b, Predicate::OEQ, whole, y);
  Value half = mul(y, constant(0.5));
  Value isOdd = arith::AndIOp::create(
      b, isInteger,
      arith::CmpFOp::create(b, Predicate::ONE, half,
                            math::TruncOp::create(b, half)));
  Value result = select(isOdd, withSign(magnitude, x), magnitude);
  Value isDefined = arith::OrIOp::create(
      b, isInteger,
      arith::OrIOp::create(b, compare(Predicate::UGE, x, 0.0),
                           compare(Predicate::OEQ, m, kInfinity)));
  result = select(isDefined, result, constant(kNaN));
  // 1^y = x^0 = 1, even for NaN; (-1)^inf = 1.
  Value isMinusOne =
      arith::AndIOp::create(b, compare(Predicate::OEQ, x, -1.0),
                            compare(Predicate::OEQ, abs(y), kInfinity));
  Value isOne = arith::OrIOp::create(b, compare(Predicate::OEQ, x, 1.0),
                                     compare(Predicate::OEQ, y, 0.0));
  return select(arith::OrIOp::create(b, isOne, isMinusOne), constant(1.0),
                result);
}

Value F64Math::fmod(Value x, Value y) {
  Value divisor = abs(y);
  Value m = abs(x);
  Value quotient = math::TruncOp::create(b, div(m, divisor));
  Value r = fma(neg(quotient), divisor, m);
  // The rounded quotient may be off by one.
  r = select(compare(Predicate::OLT, r, 0.0), add(r, divisor), r);
  r = select(arith::CmpFOp::create(b, Predicate::OGE, r, divisor),
             sub(r, divisor), r);
  // x mod inf = x, where the quotient times inf is no number.
  Value keeps =
      arith::AndIOp::create(b, compare(Predicate::OEQ, divisor, kInfinity),
                            compare(Predicate::OLT, m, kInfinity));
  return withSign(select(keeps, m, r), x);
}

//===----------------------------------------------------------------------===//
// Circular functions
//===----------------------------------------------------------------------===//

Value F64Math::circular(Value x, int64_t shift) {
  Value bits;
  Value n = roundToInteger(mul(x, constant(2.0 / kPi)), bits);
  // pi/2 in three parts; with fma the products are exact.
  Value r = fma(n, constant(-0x1.921fb54442d18p+0), x);
  r = fma(n, constant(-0x1.1a62633145c07p-54), r);
  r = fma(n, constant(0x1.f1976b7ed8fbcp-110), r);

  // |r| <= pi/4: term n is below 0.617^n / (2n)!, 1e-11 for n = 6 and 5e-18 for
  // n = 9.
  SmallVector<double> sine{1.0}, cosine{1.0};
  for (int i = 1; i < (isPrecise ? 9 : 7); ++i) {
    cosine.push_back(-cosine.back() / ((2 * i - 1) * (2 * i)));
    sine.push_back(-sine.back() / ((2 * i) * (2 * i + 1)));
  }
  Value square = mul(r, r);
  Value sinR = mul(r, polynomial(square, sine));
  Value cosR = polynomial(square, cosine);

  Value quadrant = arith::AddIOp::create(b, bits, bitsConstant(shift));
  auto bit = [&](int64_t mask) -> Value {
    return arith::CmpIOp::create(
        b, arith::CmpIPredicate::ne,
        arith::AndIOp::create(b, quadrant, bitsConstant(mask)),
        bitsConstant(0));
  };
  Value result = select(bit(1), cosR, sinR);
  result = select(bit(2), neg(result), result);
  return select(compare(Predicate::ULE, abs(x), 0x1p50), result,
                constant(kNaN));
}

Value F64Math::sin(Value x) { return circular(x, 0); }
Value F64Math::cos(Value x) { return circular(x, 1); }
Value F64Math::tan(Value x) { return div(sin(x), cos(x)); }

Value F64Math::atan(Value x) {
  Value m = abs(x);
  // atan m = pi/2 - atan(1/m), and for m > tan(pi/8): pi/4 + atan((m-1)/(m+1)).
  Value isLarge = compare(Predicate::OGT, m, 1.0);
  Value z = select(isLarge, div(constant(1.0), m), m);
  Value isMiddle = compare(Predicate::OGT, z, 0.41421356237309504880);
  Value w =
      select(isMiddle, div(sub(z, constant(1.0)), add(z, constant(1.0))), z);
  // |w| <= 0.4143: term n is below 0.1716^n / (2n + 1), 3e-11 for n = 12 and
  // 2e-18 for n = 21.
  SmallVector<double> coefficients;
  for (int n = 0; n < (isPrecise ? 21 : 12); ++n)
    coefficients.push_back((n % 2 ? -1.0 : 1.0) / (2 * n + 1));
  Value result = mul(w, polynomial(mul(w, w), coefficients));
  result = select(isMiddle, add(result, constant(kPi / 4)), result);
  result = select(isLarge, sub(constant(kPi / 2), result), result);
  return withSign(result, x);
}

Value F64Math::atan2(Value y, Value x) {
  Value base = atan(div(abs(y), abs(x)));
  // 0/0 and inf/inf: the angle of the corner.
  Value zero = arith::CmpFOp::create(b, Predicate::OEQ, y, constant(0.0));
  base = select(arith::AndIOp::create(b, zero, compare(Predicate::OEQ, x, 0.0)),
                constant(0.0), base);
  Value infinite =
      arith::AndIOp::create(b, compare(Predicate::OEQ, abs(x), kInfinity),
                            compare(Predicate::OEQ, abs(y), kInfinity));
  base = select(infinite, constant(kPi / 4), base);
  // Left half plane, -0 included.
  Value isLeft = compare(Predicate::OLT, withSign(constant(1.0), x), 0.0);
  base = select(isLeft, sub(constant(kPi), base), base);
  return withSign(base, y);
}

Value F64Math::asin(Value x) {
  // sqrt((1-x)(1+x)) keeps the digits near 1.
  Value one = constant(1.0);
  Value root = sqrt(mul(sub(one, x), add(one, x)));
  return mul(atan(div(x, add(root, one))), constant(2.0));
}

Value F64Math::acos(Value x) {
  // 2 atan(sqrt((1-x) / (1+x))); x = -1 divides by zero, which is right.
  Value one = constant(1.0);
  return mul(atan(sqrt(div(sub(one, x), add(one, x)))), constant(2.0));
}

//===----------------------------------------------------------------------===//
// The error function
//===----------------------------------------------------------------------===//

/// exp(x^2) erfc(x) (1 + x) for x >= 0.5 as polynomials in
/// (t - 1/7) * 7/6 with t = (x - 3) / (x + 3): Chebyshev interpolants of degree
/// 12 and 20. Relative errors 2e-10 and 6e-15.
static constexpr double kErfcx12[] = {
    0.6849972881253078,     -0.1744265083788825,    0.06781283566116149,
    -0.01253151999093966,   -0.0058962014655627335, 0.0066533668503029764,
    -0.003114557006322426,  0.0007082009748273776,  5.325817589388968e-05,
    -8.206187277546808e-05, 1.1470500567156705e-05, 5.5561558969412335e-06,
    -1.5441229204672989e-06};
static constexpr double kErfcx20[] = {
    0.6849972881253045,     -0.17442650995033743,   0.06781283641304979,
    -0.01253147581649605,   -0.005896222627614044,  0.006653009960068176,
    -0.0031143854635994708, 0.0007094474299589949,  5.2655273498609336e-05,
    -8.42123853858755e-05,  1.252291393495311e-05,  7.40783776195929e-06,
    -2.47254445184808e-06,  -7.083552277652502e-07, 3.789985255155313e-07,
    8.555633983286541e-08,  -6.007030606269836e-08, -1.1779775377362967e-08,
    1.0132290689008576e-08, 1.1322775944357827e-09, -1.2320621560017266e-09};

Value F64Math::tail(Value magnitude) {
  // erfc(30) underflows, and infinity has no quotient.
  Value x = clamp(magnitude, 0.0, 30.0);
  Value t = div(sub(x, constant(3.0)), add(x, constant(3.0)));
  Value u = fma(t, constant(7.0 / 6.0), constant(-1.0 / 6.0));
  Value scaled = polynomial(u, isPrecise ? ArrayRef<double>(kErfcx20)
                                         : ArrayRef<double>(kErfcx12));
  return div(mul(exp(neg(mul(x, x))), scaled), add(x, constant(1.0)));
}

Value F64Math::smallErf(Value x) {
  // |x| < 0.5: term n is below 0.25^n / (n! (2n + 1)), 9e-10 for n = 7 and
  // 1e-16 for n = 11.
  SmallVector<double> coefficients;
  double factor = 2.0 / std::sqrt(kPi);
  for (int n = 0; n < (isPrecise ? 12 : 8); ++n) {
    coefficients.push_back(factor / (2 * n + 1));
    factor = -factor / (n + 1);
  }
  return mul(x, polynomial(mul(x, x), coefficients));
}

Value F64Math::erf(Value x) {
  Value m = abs(x);
  Value far = withSign(sub(constant(1.0), tail(m)), x);
  return select(compare(Predicate::OLT, m, 0.5), smallErf(x), far);
}

Value F64Math::erfc(Value x) {
  Value far = tail(abs(x));
  far = select(compare(Predicate::OLT, x, 0.0), sub(constant(2.0), far), far);
  return select(compare(Predicate::OLT, abs(x), 0.5),
                sub(constant(1.0), smallErf(x)), far);
}

} // namespace nvfp4

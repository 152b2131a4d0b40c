//===- F32Math.cpp - Frequent functions in f32 ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Polynomials are least-maximum fits at 4000 Chebyshev nodes of the interval
// that is named with each, weighted by what an error there costs in the result.
//
//===----------------------------------------------------------------------===//

#include "F32Math.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace nvfp4 {

/// 1.5 * 2^23: a sum with it is an integer, which its low bits are.
static constexpr double kMagic = 12582912.0;

/// Relative error 2^-22.5; subnormal results become 0.
Value F32Math::approximateExp2(Value x) {
  return LLVM::CallIntrinsicOp::create(
             b, type, b.getStringAttr("llvm.nvvm.ex2.approx.ftz"),
             ValueRange{x})
      .getResult(0);
}

/// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2: relative error of e^r 3e-9.
static constexpr double kExp[] = {1.0,
                                  1.0,
                                  0.4999999403953552,
                                  0.1666651964187622,
                                  0.041668396443128586,
                                  0.008368797600269318,
                                  0.0013814427657052875};

/// 2^n 2^r with a power of the unit for r, which goes beyond 1 where n ends.
Value F32Math::expByExp2(Value x) {
  // The low bits of the sum are n and the bias of exponents. NaN becomes a
  // number here, but not in r.
  constexpr double kBiased = kMagic + 127;
  constexpr double kLog2E = 0x1.715476p0, kLog2ERest = 0x1.4ae0cp-26;
  Value sum = fma(x, constant(kLog2E), constant(kBiased));
  sum = arith::MaxNumFOp::create(b, sum, constant(kBiased - 126));
  sum = arith::MinNumFOp::create(b, sum, constant(kBiased + 127));
  Value n = sub(sum, constant(kBiased));
  Value r = fma(x, constant(kLog2E), neg(n));
  r = fma(x, constant(kLog2ERest), r);
  Value power =
      fromBits(arith::ShLIOp::create(b, toBits(sum), bitsConstant(23)));
  return mul(approximateExp2(r), power);
}

Value F32Math::exp(Value x) {
  if (hasExp2)
    return expByExp2(x);
  // Beyond, the result is 0 or infinity, which the two factors below give.
  Value limited = clamp(x, -104.0, 89.0);
  Value sum = fma(limited, constant(1.4426950408889634), constant(kMagic));
  Value n = sub(sum, constant(kMagic));
  // ln 2 in two parts; the first has 9 trailing zeros, so n times it is exact.
  Value r = fma(n, constant(-0x1.62e4p-1), limited);
  r = fma(n, constant(-0x1.7f7d1cp-20), r);

  // 2^n as two factors that are normal numbers: e^x may be subnormal.
  Value exponent =
      arith::SubIOp::create(b, toBits(sum), bitsConstant(0x4B400000));
  Value half = arith::ShRSIOp::create(b, exponent, bitsConstant(1));
  auto power = [&](Value k) {
    return fromBits(arith::ShLIOp::create(
        b, arith::AddIOp::create(b, k, bitsConstant(127)), bitsConstant(23)));
  };
  Value scaled = mul(polynomial(r, kExp), power(half));
  return mul(scaled, power(arith::SubIOp::create(b, exponent, half)));
}

/// (tanh(x) / x - 1) / x^2 in x^2 for |x| <= 0.625: relative error 4e-9.
static constexpr double kTanh[] = {-0.3333328366279602, 0.133314847946167,
                                   -0.0537429042160511, 0.020648550242185593,
                                   -0.005714663304388523};

Value F32Math::tanh(Value x) {
  Value m = abs(x), square = mul(m, m);
  Value small = fma(mul(polynomial(square, kTanh), square), m, m);
  // 1 - 2 / (e^2x + 1); beyond 10 it is 1.
  Value limited = clamp(m, 0.0, 10.0);
  Value divisor = add(exp(add(limited, limited)), constant(1.0));
  Value large = sub(constant(1.0), div(constant(2.0), divisor));
  return withSign(select(compare(Predicate::OLT, m, 0.625), small, large), x);
}

/// erf(x) / x - 1 in x^2 for |x| <= 1: error 1.2e-9.
static constexpr double kErf[] = {0.12837916612625122,  -0.3761262595653534,
                                  0.1128358542919159,   -0.026853814721107483,
                                  0.005188331939280033, -0.0008010226301848888,
                                  7.853961869841442e-05};
/// erfc(2.25 + x) for 1 <= 2.25 + x <= 3.875: error 3e-8, where the result is
/// 1 - erfc. At the upper end that is 1.
static constexpr double kErfc[] = {
    0.0014627178898081183,  -0.007142606656998396, 0.0160701721906662,
    -0.02171996422111988,   0.019082991406321526,  -0.010678733699023724,
    0.00290967826731503,    0.0007120233494788408, -0.0010162186808884144,
    0.00032992757041938603, 3.362127608852461e-05, -4.841466943616979e-05,
    9.12324230739614e-06};

/// erf(x) / x - 1 in x^2 for |x| <= 0.9: error 1.2e-8.
static constexpr double kShortErf[] = {
    0.12837915122509003,  -0.3761252462863922, 0.11282140761613846,
    -0.02677890844643116, 0.00501196226105094, -0.0006090357783250511};
/// log2(erfc(x)) for x >= 0.9, where the result is 1 - erfc: error 2.8e-8.
static constexpr double kLogErfc[] = {
    -0.00262892316095531, -1.6163924932479858,  -0.9384061694145203,
    -0.1317511647939682,  0.022581959143280983, -0.0018198038451373577};

Value F32Math::erfByExp2(Value x) {
  Value m = abs(x);
  Value small = fma(polynomial(mul(m, m), kShortErf), m, m);
  Value large = sub(constant(1.0), approximateExp2(polynomial(m, kLogErfc)));
  return withSign(select(compare(Predicate::OLT, m, 0.9), small, large), x);
}

Value F32Math::erf(Value x) {
  if (hasExp2)
    return erfByExp2(x);
  Value m = abs(x);
  Value small = fma(polynomial(mul(m, m), kErf), m, m);
  constexpr double kEnd = 3.875, kCenter = 2.25;
  Value limited = select(compare(Predicate::OGT, m, kEnd), constant(kEnd), m);
  Value complement = polynomial(sub(limited, constant(kCenter)), kErfc);
  Value large = sub(constant(1.0), complement);
  return withSign(select(compare(Predicate::OLT, m, 1.0), small, large), x);
}

} // namespace nvfp4

//===- ScalarCodecs.cpp - The codecs of Support as arith ops --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounding to nearest even of a small non-negative float to an integer is one
// addition: with 2^23 added, the integer is in the low bits of the sum's
// representation. Narrowing a float is the same on its bits: add half of the
// last place, less one, plus the bit that will be last, and shift.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Conversion/ScalarCodecs.h"

#include "nvfp4/Support/Codecs.h"
#include "nvfp4/Support/Philox.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <cfloat>
#include <cmath>

using namespace mlir;

namespace nvfp4 {
namespace {

/// Short names for the ops that formulas are made of.
struct Emitter {
  ImplicitLocOpBuilder b;
  Emitter(OpBuilder &builder, Location loc) : b(loc, builder) {}

  Value f32(float value) {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  }
  Value i32(uint32_t value) {
    return arith::ConstantOp::create(
        b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value i64(uint64_t value) {
    return arith::ConstantOp::create(
        b, b.getI64IntegerAttr(static_cast<int64_t>(value)));
  }
  Value add(Value x, Value y) {
    if (isa<IntegerType>(x.getType()))
      return arith::AddIOp::create(b, x, y);
    return arith::AddFOp::create(b, x, y);
  }
  Value sub(Value x, Value y) {
    if (isa<IntegerType>(x.getType()))
      return arith::SubIOp::create(b, x, y);
    return arith::SubFOp::create(b, x, y);
  }
  Value mul(Value x, Value y) {
    if (isa<IntegerType>(x.getType()))
      return arith::MulIOp::create(b, x, y);
    return arith::MulFOp::create(b, x, y);
  }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value shr(Value x, unsigned bits) {
    return arith::ShRUIOp::create(b, x, i32(bits));
  }
  Value bitAnd(Value x, uint32_t mask) {
    return arith::AndIOp::create(b, x, i32(mask));
  }
  Value bitOr(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value bits(Value x) { return arith::BitcastOp::create(b, b.getI32Type(), x); }
  Value asFloat(Value x) {
    return arith::BitcastOp::create(b, b.getF32Type(), x);
  }
  /// The smaller one; the other one if one is NaN.
  Value minNum(Value x, Value y) { return arith::MinNumFOp::create(b, x, y); }
  Value minInt(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
  Value cmp(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, predicate, x, y);
  }
  Value cmp(arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  Value toI8(Value x) { return arith::TruncIOp::create(b, b.getI8Type(), x); }

  /// RNE of 0 <= x < 2^22 to an i32.
  Value roundToInt(Value x) {
    constexpr float kMagic = 0x1p23f;
    return sub(bits(add(x, f32(kMagic))), i32(bitsOfFloat(kMagic)));
  }
};

/// A float with 3 mantissa bits: the fields of e4m3 and ue5m3 without sign.
struct MiniFloat {
  /// Exponent of the smallest normal number.
  int minExponent;
  float max;
};
constexpr unsigned kMantissaBits = 3;

MiniFloat getMiniFloat(ScaleEncoding encoding) {
  return {encoding == ScaleEncoding::UE5M3 ? -14 : -6, getMaxScale(encoding)};
}

/// The nearest code of 0 <= x, which may be infinite; saturates.
Value emitEncodeMagnitude(Emitter &e, MiniFloat type, Value x) {
  x = e.minNum(x, e.f32(type.max));
  constexpr unsigned kShift = 23 - kMantissaBits;
  constexpr uint32_t kHalfLess1 = (1u << (kShift - 1)) - 1;
  Value bits = e.bits(x);
  Value isOdd = e.bitAnd(e.shr(bits, kShift), 1);
  Value rounded = e.shr(e.add(e.add(bits, e.i32(kHalfLess1)), isOdd), kShift);
  // The smallest normal number has exponent field 1.
  uint32_t offset =
      ((127 + type.minExponent) << kMantissaBits) - (1u << kMantissaBits);
  Value normal = e.sub(rounded, e.i32(offset));
  // Below, numbers are multiples of the smallest one.
  Value units =
      e.mul(x, e.f32(std::ldexp(1.0f, int(kMantissaBits) - type.minExponent)));
  // The unused arm of the select may be out of range of roundToInt; its bits
  // are then dropped.
  Value subnormal = e.roundToInt(units);
  Value isNormal = e.cmp(arith::CmpFPredicate::OGE, x,
                         e.f32(std::ldexp(1.0f, type.minExponent)));
  return e.select(isNormal, normal, subnormal);
}

/// The value of a code of `emitEncodeMagnitude`, as f32.
Value emitDecodeMagnitude(Emitter &e, MiniFloat type, Value code) {
  uint32_t offset =
      ((127 + type.minExponent) << kMantissaBits) - (1u << kMantissaBits);
  constexpr unsigned kShift = 23 - kMantissaBits;
  Value normal = e.asFloat(
      arith::ShLIOp::create(e.b, e.add(code, e.i32(offset)), e.i32(kShift)));
  Value subnormal =
      e.mul(arith::UIToFPOp::create(e.b, e.b.getF32Type(), code),
            e.f32(std::ldexp(1.0f, type.minExponent - int(kMantissaBits))));
  Value isNormal =
      e.cmp(arith::CmpIPredicate::sge, code, e.i32(1u << kMantissaBits));
  return e.select(isNormal, normal, subnormal);
}

/// fl(1 / (6 * bound)).
float getInverseMaxProduct(int64_t bound) {
  return 1.0f / (kE2M1Max * static_cast<float>(bound));
}

} // namespace

Value emitGlobalScaleFromAmax(OpBuilder &builder, Location loc, Value amax,
                              GlobalScaleConvention convention, int64_t bound) {
  Emitter e(builder, loc);
  switch (convention) {
  case GlobalScaleConvention::Amax:
    return amax;
  case GlobalScaleConvention::Multiply:
    return e.div(amax, e.f32(kE2M1Max * static_cast<float>(bound)));
  case GlobalScaleConvention::Divide:
    return emitGlobalScaleFactors(builder, loc, amax,
                                  GlobalScaleConvention::Amax, bound)
        .encode;
  }
  llvm_unreachable("covered switch");
}

EmittedFactors emitGlobalScaleFactors(OpBuilder &builder, Location loc, Value g,
                                      GlobalScaleConvention convention,
                                      int64_t bound) {
  Emitter e(builder, loc);
  Value raw;
  switch (convention) {
  case GlobalScaleConvention::Amax:
    raw = e.div(e.f32(kE2M1Max * static_cast<float>(bound)), g);
    break;
  case GlobalScaleConvention::Multiply:
    raw = e.div(e.f32(1.0f), g);
    break;
  case GlobalScaleConvention::Divide:
    raw = g;
    break;
  }
  Value encode = e.minNum(raw, e.f32(FLT_MAX));
  // Not positive includes NaN, which no reduction of ours produces.
  Value isPositive = e.cmp(arith::CmpFPredicate::OGT, g, e.f32(0.0f));
  Value isNonZero = e.cmp(arith::CmpFPredicate::ONE, encode, e.f32(0.0f));
  Value isUsable = arith::AndIOp::create(e.b, isPositive, isNonZero);
  Value one = e.f32(1.0f);
  Value safeEncode = e.select(isUsable, encode, one);
  Value decode = convention == GlobalScaleConvention::Multiply
                     ? e.select(isUsable, g, one)
                     : e.div(one, safeEncode);
  return {safeEncode, decode};
}

EmittedBlockScale emitBlockScale(OpBuilder &builder, Location loc,
                                 ScaleEncoding encoding, Value amax,
                                 const EmittedFactors *factors) {
  Emitter e(builder, loc);
  Value sixth = e.f32(1.0f / 6.0f);
  if (encoding == ScaleEncoding::E8M0) {
    // Round up to a power of two on the bits; exponent field 0 is 2^-127.
    Value scale = e.mul(amax, sixth);
    Value bits = e.bits(scale);
    Value floor = e.minInt(e.shr(bits, 23), e.i32(0xFE));
    Value isNormalField = e.cmp(arith::CmpIPredicate::ne, floor, e.i32(0));
    Value power = e.select(
        isNormalField, e.asFloat(arith::ShLIOp::create(e.b, floor, e.i32(23))),
        e.f32(0x1p-127f));
    Value isAbove = e.cmp(arith::CmpFPredicate::OGT, scale, power);
    Value up = arith::ExtUIOp::create(e.b, e.b.getI32Type(), isAbove);
    Value byte = e.minInt(e.add(floor, up), e.i32(0xFE));
    // 1 / 2^(byte - 127): exact, subnormal for the largest byte.
    Value reciprocalField = e.sub(e.i32(254), byte);
    Value reciprocal = e.select(
        e.cmp(arith::CmpIPredicate::eq, byte, e.i32(254)), e.f32(0x1p-127f),
        e.asFloat(arith::ShLIOp::create(e.b, reciprocalField, e.i32(23))));
    return {e.toI8(byte), reciprocal};
  }
  MiniFloat type = getMiniFloat(encoding);
  Value m = e.mul(factors->encode, sixth);
  Value scale = e.minNum(e.mul(amax, m), e.f32(FLT_MAX));
  Value byte = emitEncodeMagnitude(e, type, scale);
  Value decoded = emitDecodeMagnitude(e, type, byte);
  Value encode = e.minNum(e.div(e.f32(1.0f), e.mul(decoded, factors->decode)),
                          e.f32(FLT_MAX));
  return {e.toI8(byte), encode};
}

/// The sign bit of x as bit 3, 0 for NaN, and |x|.
static std::pair<Value, Value> emitSignAndMagnitude(Emitter &e, Value x) {
  Value bits = e.bits(x);
  Value magnitude = e.asFloat(e.bitAnd(bits, 0x7FFFFFFF));
  Value sign = e.bitAnd(e.shr(bits, 28), 0x8);
  Value isNaN = e.cmp(arith::CmpFPredicate::UNO, x, x);
  return {e.select(isNaN, e.i32(0), sign), magnitude};
}

Value emitEncodeE2M1(OpBuilder &builder, Location loc, Value value) {
  Emitter e(builder, loc);
  auto [sign, magnitude] = emitSignAndMagnitude(e, value);
  // 8 is above every threshold; NaN becomes 8, hence 6.
  magnitude = e.minNum(magnitude, e.f32(8.0f));
  Value units = e.roundToInt(e.mul(magnitude, e.f32(2.0f)));
  Value ones = e.add(e.roundToInt(magnitude), e.i32(2));
  Value twos = e.add(e.roundToInt(e.mul(magnitude, e.f32(0.5f))), e.i32(4));
  Value code = e.minInt(e.minInt(units, ones), e.minInt(twos, e.i32(7)));
  return e.bitOr(code, sign);
}

Value emitEncodeE2M1Stochastic(OpBuilder &builder, Location loc, Value value,
                               Value random) {
  Emitter e(builder, loc);
  auto [sign, magnitude] = emitSignAndMagnitude(e, value);
  magnitude = e.minNum(magnitude, e.f32(kE2M1Max));
  // In units of the step (0.5 below 2, 1 below 4, 2 above), and the code at
  // which those units count from 0.
  Value isBelow2 = e.cmp(arith::CmpFPredicate::OLT, magnitude, e.f32(2.0f));
  Value isBelow4 = e.cmp(arith::CmpFPredicate::OLT, magnitude, e.f32(4.0f));
  Value perUnit = e.select(isBelow2, e.f32(2.0f),
                           e.select(isBelow4, e.f32(1.0f), e.f32(0.5f)));
  Value base =
      e.select(isBelow2, e.i32(0), e.select(isBelow4, e.i32(2), e.i32(4)));
  Value units = e.mul(magnitude, perUnit);
  Value below = arith::FPToSIOp::create(e.b, e.b.getI32Type(), units);
  Value fraction =
      e.sub(units, arith::SIToFPOp::create(e.b, e.b.getF32Type(), below));
  Value frac256 = arith::FPToSIOp::create(e.b, e.b.getI32Type(),
                                          e.mul(fraction, e.f32(256.0f)));
  Value carry = e.shr(e.add(frac256, random), 8);
  Value code = e.minInt(e.add(e.add(below, carry), base), e.i32(7));
  return e.bitOr(code, sign);
}

std::array<Value, 4> emitPhiloxWords(OpBuilder &builder, Location loc,
                                     Value seed, Value counter) {
  Emitter e(builder, loc);
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  auto low = [&](Value x) -> Value {
    return arith::TruncIOp::create(e.b, i32, x);
  };
  auto high = [&](Value x) -> Value {
    return arith::TruncIOp::create(e.b, i32,
                                   arith::ShRUIOp::create(e.b, x, e.i64(32)));
  };
  auto multiply = [&](uint32_t multiplier, Value x) -> Value {
    return e.mul(e.i64(multiplier), arith::ExtUIOp::create(e.b, i64, x));
  };
  auto bitXor = [&](Value x, Value y) -> Value {
    return arith::XOrIOp::create(e.b, x, y);
  };
  std::array<Value, 4> words = {low(counter), high(counter), e.i32(0),
                                e.i32(0)};
  Value key0 = low(seed), key1 = high(seed);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    Value product0 = multiply(kPhiloxMultiplier0, words[0]);
    Value product1 = multiply(kPhiloxMultiplier1, words[2]);
    words = {bitXor(bitXor(high(product1), words[1]), key0), low(product1),
             bitXor(bitXor(high(product0), words[3]), key1), low(product0)};
    key0 = e.add(key0, e.i32(kPhiloxWeyl0));
    key1 = e.add(key1, e.i32(kPhiloxWeyl1));
  }
  return words;
}

Value emitDecodedBlockScale(OpBuilder &builder, Location loc, Value scale,
                            Value g, GlobalScaleConvention convention,
                            int64_t bound) {
  Emitter e(builder, loc);
  switch (convention) {
  case GlobalScaleConvention::Amax:
    return e.mul(e.mul(scale, g), e.f32(getInverseMaxProduct(bound)));
  case GlobalScaleConvention::Multiply:
    return e.mul(scale, g);
  case GlobalScaleConvention::Divide:
    return e.div(scale, g);
  }
  llvm_unreachable("covered switch");
}

Value emitMatmulAlpha(OpBuilder &builder, Location loc, Value lhs,
                      FormatAttr lhsFormat, Value rhs, FormatAttr rhsFormat) {
  Emitter e(builder, loc);
  if (lhs && rhs && lhsFormat.getConvention() == GlobalScaleConvention::Amax &&
      rhsFormat.getConvention() == GlobalScaleConvention::Amax) {
    float maxProducts = (kE2M1Max * static_cast<float>(lhsFormat.getBound())) *
                        (kE2M1Max * static_cast<float>(rhsFormat.getBound()));
    return e.mul(e.mul(lhs, rhs), e.f32(1.0f / maxProducts));
  }
  auto multiplier = [&](Value g, FormatAttr format) -> Value {
    return emitDecodedBlockScale(builder, loc, e.f32(1.0f), g,
                                 format.getConvention(), format.getBound());
  };
  if (!lhs)
    return multiplier(rhs, rhsFormat);
  if (!rhs)
    return multiplier(lhs, lhsFormat);
  return e.mul(multiplier(lhs, lhsFormat), multiplier(rhs, rhsFormat));
}

static Value createTable(OpBuilder &builder, Location loc,
                         ArrayRef<float> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    builder.getF32Type());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, values));
}

Value getScaleTable(OpBuilder &builder, Location loc, ScaleEncoding encoding) {
  SmallVector<float> values;
  for (unsigned byte = 0; byte < 256; ++byte)
    values.push_back(decodeScale(encoding, static_cast<uint8_t>(byte)));
  return createTable(builder, loc, values);
}

Value getCodeTable(OpBuilder &builder, Location loc) {
  SmallVector<float> values;
  for (unsigned code = 0; code < 16; ++code)
    values.push_back(decodeE2M1(static_cast<uint8_t>(code)));
  return createTable(builder, loc, values);
}

} // namespace nvfp4

//===- RegisterDecode.cpp - Weights as operands in registers --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pairs of codes are bf16 of 2^-126 times the values, so that multipliers hold
// scales times 2^119 (WeightDecode.cpp). Two e4m3 become two such multipliers
// in five instructions:
//
//   convert to f16, exact       value                 448 is below 2^9
//   times 2^7                   exponent field 13 to 30, or 0 for zero
//   shift right by 3            the fields where bf16 has them
//   or 0x7000                   224 more in the exponent field: 2^112 times the
//                               value, NaN is NaN; but zero is 2^97
//   minus 2^97                  zero. The smallest other is 2^110, whose
//                               neighbours are 2^102 away: nothing else changes
//
//===----------------------------------------------------------------------===//

#include "RegisterDecode.h"

#include "nvfp4/Conversion/RegisterWords.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace nvfp4 {

/// Pairs of f16 and bf16.
static constexpr uint32_t kF16TwoToThe7 = 0x58005800;
static constexpr uint32_t kBF16ExponentBits = 0x70007000;
static constexpr uint32_t kBF16MinusTwoToThe97 = 0xF000F000;
static constexpr uint32_t kBF16TwoToThe126 = 0x7E807E80;

namespace {
class RegisterDecoder {
public:
  RegisterDecoder(ImplicitLocOpBuilder &b, ScaleEncoding encoding)
      : b(b), encoding(encoding) {}

  /// Multipliers of the two scale bytes, in the halves of an i32.
  Value emitMultipliers(Value scales) {
    return encoding == ScaleEncoding::E4M3 ? emitE4M3(scales)
                                           : emitE8M0(scales);
  }
  /// `bits` of the lane `step` of a row's four.
  Value fromLane(Value bits, Value lane, int64_t step);
  /// A half of `multipliers` in both halves.
  Value broadcast(Value multipliers, int64_t half);
  Value multiply(Value codes, Value multiplier);

private:
  Value emitE4M3(Value scales);
  Value emitE8M0(Value scales);

  Value constant(uint32_t bits) {
    return arith::ConstantIntOp::create(b, b.getI32Type(), int32_t(bits));
  }
  /// Through LLVM's bitcast: arith's needs equal shapes.
  Value asType(Value value, Type type) {
    return LLVM::BitcastOp::create(b, type, value);
  }
  VectorType pairOf(Type element) { return VectorType::get(2, element); }
  Value asPair(Value bits) { return asType(bits, pairOf(b.getBF16Type())); }
  Value asBits(Value pair) { return asType(pair, b.getI32Type()); }

  ImplicitLocOpBuilder &b;
  ScaleEncoding encoding;
};
} // namespace

Value RegisterDecoder::emitE4M3(Value scales) {
  Value bytes = asType(arith::TruncIOp::create(b, b.getI16Type(), scales),
                       pairOf(b.getI8Type()));
  Type halfPair = pairOf(b.getF16Type());
  Value value = NVVM::ConvertF8x2ToF16x2Op::create(
      b, halfPair, bytes, /*relu=*/false, b.getType<Float8E4M3FNType>());
  value =
      LLVM::FMulOp::create(b, value, asType(constant(kF16TwoToThe7), halfPair));
  Value bits = arith::ShRUIOp::create(b, asBits(value), constant(3));
  bits = arith::OrIOp::create(b, bits, constant(kBF16ExponentBits));
  return asBits(LLVM::FAddOp::create(b, asPair(bits),
                                     asPair(constant(kBF16MinusTwoToThe97))));
}

/// e8m0 is the exponent field of bf16, but for 0 (2^-127, a subnormal) and 255.
Value RegisterDecoder::emitE8M0(Value scales) {
  Value result;
  for (uint32_t shift : {0, 8}) {
    Value byte = arith::AndIOp::create(
        b, arith::ShRUIOp::create(b, scales, constant(shift)), constant(0xFF));
    Value field = arith::ShLIOp::create(b, byte, constant(7));
    Value bits = arith::MaxUIOp::create(b, field, constant(0x40));
    Value isNaN = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, byte,
                                        constant(kE8M0NaN));
    bits = arith::SelectOp::create(b, isNaN, constant(0x7FFF), bits);
    if (shift != 0)
      bits = arith::ShLIOp::create(b, bits, constant(16));
    result = result ? arith::OrIOp::create(b, result, bits).getResult() : bits;
  }
  return result;
}

Value RegisterDecoder::fromLane(Value bits, Value lane, int64_t step) {
  Value first = arith::AndIOp::create(b, lane, constant(28));
  Value source = arith::OrIOp::create(b, first, constant(step));
  return NVVM::ShflOp::create(b, b.getI32Type(), constant(~uint32_t(0)), bits,
                              source, constant(31), NVVM::ShflKind::idx,
                              /*return_value_and_is_valid=*/UnitAttr());
}

Value RegisterDecoder::broadcast(Value multipliers, int64_t half) {
  // Not a permutation of bytes: ptxas finds the half in the multiplication.
  Value pair = asPair(multipliers);
  Value element = LLVM::ExtractElementOp::create(b, pair, constant(half));
  Value result = LLVM::PoisonOp::create(b, pair.getType());
  for (int64_t i = 0; i < 2; ++i)
    result = LLVM::InsertElementOp::create(b, result, element, constant(i));
  return result;
}

Value RegisterDecoder::multiply(Value codes, Value multiplier) {
  Value pair = asPair(codes);
  // Powers of two beyond bf16's largest go in two steps.
  if (encoding != ScaleEncoding::E4M3)
    pair = LLVM::FMulOp::create(b, pair, asPair(constant(kBF16TwoToThe126)));
  return asBits(LLVM::FMulOp::create(b, pair, multiplier));
}

std::array<DecodedStep, kDecodeSteps>
emitDecodeRegisters(ImplicitLocOpBuilder &b, ScaleEncoding encoding,
                    ArrayRef<Value> words, Value scales, Value lane) {
  RegisterDecoder decoder(b, encoding);
  Value multipliers = decoder.emitMultipliers(scales);
  std::array<std::array<Value, 2>, kDecodeSteps> ofStep;
  for (int64_t step = 0; step < kDecodeSteps; ++step) {
    Value both = decoder.fromLane(multipliers, lane, step);
    for (int64_t row = 0; row < 2; ++row)
      ofStep[step][row] = decoder.broadcast(both, row);
  }
  std::array<DecodedStep, kDecodeSteps> steps;
  for (int64_t word = 0; word < 4; ++word) {
    std::array<Value, 4> pairs = emitRegisterPairs(b, b.getLoc(), words[word]);
    int64_t row = word / 2;
    for (int64_t pair = 0; pair < 4; ++pair) {
      int64_t step = 2 * (word % 2) + pair / 2;
      steps[step][2 * (pair % 2) + row] =
          decoder.multiply(pairs[pair], ofStep[step][row]);
    }
  }
  return steps;
}

} // namespace nvfp4

//===- WeightDecode.cpp - Block-scaled weights as bf16 --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A code `s ee m` becomes bf16 by moving bits: sign to bit 15, exponent and
// mantissa to bits 8 to 6. Both exponents have a bias, 1 and 127, so the result
// is the value times 2^-126; 0.5, whose exponent field is 0, becomes a
// subnormal of the same factor. The multiplication with the scale repairs it.
//
//   nibble in bits 3:0      s e e m
//   times 2^12              s at 15, the rest at 14:12
//   times 2^6               s at 9, the rest at 8:6        <- one
//   multiplication and 0x81C0              s at 15, e e m at 8:6             by
//   2^12 + 2^6
//
// Source: the idea of placing the bits and repairing the exponent by a
// multiplication is that of Marlin's dequantization.
//
//===----------------------------------------------------------------------===//

#include "WeightDecode.h"

#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace nvfp4 {

/// log2 of what placed bits are short of the code's value.
static constexpr int kCodeExponent = 126;
/// log2 of what multipliers of e4m3 scales hold too much: with it 448 is just
/// inside bf16 and the smallest product, 2^-10, far above its subnormals.
static constexpr int kE4M3Exponent = 119;

/// A pair of 2^126.
static constexpr uint32_t kCodeFactorPair = 0x7E807E80;

static float powerOfTwo(int exponent) {
  return llvm::bit_cast<float>(uint32_t(exponent + 127) << 23);
}

float getDecodeFactor(ScaleEncoding encoding) {
  return encoding == ScaleEncoding::E4M3
             ? powerOfTwo(kCodeExponent - kE4M3Exponent)
             : 1.0f;
}

static Value constant(ImplicitLocOpBuilder &b, uint32_t bits) {
  return arith::ConstantIntOp::create(b, b.getI32Type(), int32_t(bits));
}

/// Both halves of `bits` (i32) as one value.
static Value asPair(ImplicitLocOpBuilder &b, Value bits) {
  // Through LLVM's bitcast: arith's needs equal shapes.
  return LLVM::BitcastOp::create(b, VectorType::get(2, b.getBF16Type()), bits);
}

/// The bytes of `low` (0 to 3) and `high` (4 to 7) that the nibbles of
/// `selector` name, from the lowest byte up.
static Value permute(ImplicitLocOpBuilder &b, Value low, Value high,
                     uint32_t selector) {
  return NVVM::PermuteOp::create(b, b.getI32Type(), low, high,
                                 constant(b, selector),
                                 NVVM::PermuteMode::DEFAULT);
}

/// e4m3 by conversion, exact: f16, f32, times 2^119, whose upper half is bf16.
static std::array<Value, 2> emitE4M3Multipliers(ImplicitLocOpBuilder &b,
                                                Value bytes) {
  Value narrow = arith::TruncIOp::create(b, b.getI16Type(), bytes);
  Value pair =
      LLVM::BitcastOp::create(b, VectorType::get(2, b.getI8Type()), narrow);
  auto halfType = VectorType::get(2, b.getF16Type());
  Value halves = NVVM::ConvertF8x2ToF16x2Op::create(
      b, halfType, pair, /*relu=*/false, b.getType<Float8E4M3FNType>());
  Value factor = arith::ConstantOp::create(
      b, b.getF32FloatAttr(powerOfTwo(kE4M3Exponent)));
  std::array<Value, 2> multipliers;
  for (int i = 0; i < 2; ++i) {
    Value half = LLVM::ExtractElementOp::create(b, halves, constant(b, i));
    Value scale = arith::MulFOp::create(
        b, arith::ExtFOp::create(b, b.getF32Type(), half), factor);
    Value bits = arith::BitcastOp::create(b, b.getI32Type(), scale);
    multipliers[i] = asPair(b, permute(b, bits, bits, 0x3232));
  }
  return multipliers;
}

/// e8m0 is the exponent field of bf16, but for 0 (2^-127, a subnormal) and 255.
static std::array<Value, 2> emitE8M0Multipliers(ImplicitLocOpBuilder &b,
                                                Value bytes) {
  std::array<Value, 2> multipliers;
  for (int i = 0; i < 2; ++i) {
    Value byte = arith::AndIOp::create(
        b,
        i ? arith::ShRUIOp::create(b, bytes, constant(b, 8)).getResult()
          : bytes,
        constant(b, 0xFF));
    Value field = arith::ShLIOp::create(b, byte, constant(b, 7));
    Value bits = arith::MaxUIOp::create(b, field, constant(b, 0x40));
    Value isNaN = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, byte,
                                        constant(b, kE8M0NaN));
    bits = arith::SelectOp::create(b, isNaN, constant(b, 0x7FFF), bits);
    multipliers[i] = asPair(b, permute(b, bits, bits, 0x1010));
  }
  return multipliers;
}

std::array<Value, 2> emitScaleMultipliers(ImplicitLocOpBuilder &b,
                                          ScaleEncoding encoding, Value bytes) {
  return encoding == ScaleEncoding::E4M3 ? emitE4M3Multipliers(b, bytes)
                                         : emitE8M0Multipliers(b, bytes);
}

std::array<Value, 4> emitDecodeCodes(ImplicitLocOpBuilder &b,
                                     ScaleEncoding encoding, Value word,
                                     Value multiplier) {
  auto mask = [&](Value value, uint32_t bits) -> Value {
    return arith::AndIOp::create(b, value, constant(b, bits));
  };
  auto multiply = [&](Value lhs, Value rhs) -> Value {
    // One instruction; `arith.mulf` would go through f32.
    return LLVM::FMulOp::create(b, lhs, rhs);
  };
  Value even = mask(word, 0x0F0F0F0F);
  Value odd = mask(arith::ShRUIOp::create(b, word, constant(b, 4)), 0x0F0F0F0F);
  std::array<Value, 4> pairs;
  for (uint32_t i = 0; i < 4; ++i) {
    // Byte i of both, each a half with a high byte of zeros: the sign of a byte
    // below 16, which is what the selector's bit 3 asks for.
    uint32_t zero = 8 | i;
    Value codes =
        permute(b, even, odd, i | (zero << 4) | ((4 + i) << 8) | (zero << 12));
    Value spread = arith::MulIOp::create(b, codes, constant(b, 0x1040));
    Value pair = asPair(b, mask(spread, 0x81C081C0));
    // Powers of two beyond bf16's largest go in two steps.
    if (encoding != ScaleEncoding::E4M3)
      pair = multiply(pair, asPair(b, constant(b, kCodeFactorPair)));
    pairs[i] =
        LLVM::BitcastOp::create(b, b.getI32Type(), multiply(pair, multiplier));
  }
  return pairs;
}

LogicalResult verifyDecodedWeights(ScaledMatmulOp root, BlockLayout layout) {
  BlockTensorType rhs = root.getRhsType();
  if ((root.getLhsType() && !areDecoded(root.getLhsComponents())) || !rhs)
    return root.emitOpError("expected a plain or decoded left operand and a "
                            "block-scaled right one");
  if (rhs.getLayout() != layout || ShapedType::isDynamic(rhs.getShape().back()))
    return root.emitOpError("expected weights in ")
           << stringifyBlockLayout(layout)
           << " layout with a static K, but got " << rhs;
  ScaleEncoding encoding = rhs.getFormat().getScaleEncoding();
  if (encoding != ScaleEncoding::E4M3 && encoding != ScaleEncoding::E8M0)
    return root.emitOpError("expected weights with e4m3 or e8m0 scales, but "
                            "got ")
           << rhs;
  for (Value component : root.getRhsComponents())
    if (!isa<BlockArgument>(component))
      return root.emitOpError("expected components that are arguments of the "
                              "kernel, but got the result of ")
             << component.getDefiningOp()->getName();
  return success();
}

} // namespace nvfp4

//===- CodeEmitter.cpp - Codes of neighbouring elements -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By arithmetic, the code of a magnitude a is the least of 2a, a + 2, a/2 + 4
// and 7, rounded: each step of e2m1 has its line, and the lines of the others
// are above it there. Adding 2^23 rounds to an integer, so a line is one fused
// multiply-add, and integers above 2^23 compare like the floats they are the
// low bits of. Multiplying by an eighth of the factor and saturating at 1 ends
// the last line at 8, which is made 7 in all codes of a word at once; signs are
// put into all of them at once, too.
//
// NaN, and factors too small to divide by 8, take a branch to the codecs.
//
// Source: PTX ISA, `cvt` (the first operand is the upper half).
//
//===----------------------------------------------------------------------===//

#include "CodeEmitter.h"

#include "nvfp4/Conversion/ScalarCodecs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

/// 2^23, as a float and by its bits: above, floats are integers.
static constexpr float kMagic = 0x1p23f;
static constexpr uint32_t kMagicBits = 0x4B000000;
/// Eighths of smaller factors are not normal, hence perhaps not exact.
static constexpr float kMinFactor = 0x1p-120f;
/// A code and the fraction that random bits are added to.
static constexpr int64_t kCodeBits = 4, kFractionBits = 8;

namespace {
/// A line of the code of a magnitude: slope * magnitude + offset.
struct Line {
  float slope, offset;
};
} // namespace
static constexpr Line kLines[] = {{2.0f, 0.0f}, {1.0f, 2.0f}, {0.5f, 4.0f}};

static Value getF32(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

static Value getI32(ImplicitLocOpBuilder &b, uint32_t value) {
  return arith::ConstantOp::create(
      b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
}

static Value emitBits(ImplicitLocOpBuilder &b, Value value) {
  return arith::BitcastOp::create(b, b.getI32Type(), value);
}

std::pair<Value, Value> nvfp4::emitHalves(ImplicitLocOpBuilder &b, Value word) {
  auto asFloat = [&](Value bits) -> Value {
    return arith::BitcastOp::create(b, b.getF32Type(), bits);
  };
  return {asFloat(arith::ShLIOp::create(b, word, getI32(b, 16))),
          asFloat(arith::AndIOp::create(b, word, getI32(b, 0xFFFF0000)))};
}

SmallVector<Value> nvfp4::emitAsF32(ImplicitLocOpBuilder &b, ValueRange run) {
  SmallVector<Value> values(run);
  Type type = values.front().getType();
  if (type.isF32())
    return values;
  if (!type.isBF16() || values.size() % 2 != 0) {
    for (Value &value : values)
      value = arith::ExtFOp::create(b, b.getF32Type(), value);
    return values;
  }
  // Widening the upper one of two bf16 in a register is one instruction, but
  // two by way of a register for it alone.
  for (size_t i = 0; i < values.size(); i += 2) {
    Value pair = LLVM::PoisonOp::create(b, VectorType::get(2, type));
    for (size_t half : {0, 1})
      pair = LLVM::InsertElementOp::create(b, pair, values[i + half],
                                           getI32(b, half));
    Value word = LLVM::BitcastOp::create(b, b.getI32Type(), pair);
    std::tie(values[i], values[i + 1]) = emitHalves(b, word);
  }
  return values;
}

//===----------------------------------------------------------------------===//
// Magnitudes
//===----------------------------------------------------------------------===//

template <typename MaxOp>
static Value emitLargest(ImplicitLocOpBuilder &b, ArrayRef<Value> values) {
  Value largest;
  for (Value value : values) {
    Value magnitude = LLVM::FAbsOp::create(b, value);
    largest =
        largest ? MaxOp::create(b, largest, magnitude).getResult() : magnitude;
  }
  return largest;
}

Value nvfp4::emitAmax(ImplicitLocOpBuilder &b, ArrayRef<Value> values) {
  // The maximum drops a NaN unless both are; the last one is with 0.
  return arith::MaxNumFOp::create(b, emitLargest<arith::MaxNumFOp>(b, values),
                                  getF32(b, 0.0f));
}

/// Of several calls for a run, one is computed.
Value CodeEmitter::emitHasNaN(ArrayRef<Value> run) {
  Value largest = emitLargest<arith::MaximumFOp>(b, run);
  return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, largest, largest);
}

Value CodeEmitter::emitRunAmax(ArrayRef<Value> run, bool isStochastic) {
  if (hasInstruction(isStochastic))
    return emitAmax(b, run);
  Value largest = emitLargest<arith::MaximumFOp>(b, run);
  auto branch = scf::IfOp::create(b, b.getF32Type(), emitHasNaN(run),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitAmax(b, run));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, largest);
  return branch.getResult(0);
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

Value CodeEmitter::emitAsm(StringRef text, Type type, StringRef constraints,
                           ValueRange operands) {
  return LLVM::InlineAsmOp::create(b, type, operands, text, constraints,
                                   /*has_side_effects=*/false,
                                   /*is_align_stack=*/false,
                                   LLVM::tailcallkind::TailCallKind::None,
                                   /*asm_dialect=*/LLVM::AsmDialectAttr(),
                                   /*operand_attrs=*/ArrayAttr())
      .getRes();
}

/// One block of assembly, because LLVM has no packing of bytes.
Value CodeEmitter::emitByInstruction(ArrayRef<Value> run, Value encode) {
  SmallVector<Value> scaled;
  for (Value value : run)
    scaled.push_back(arith::MulFOp::create(b, value, encode));
  bool isWord = static_cast<int64_t>(run.size()) == kCodesPerWord;
  StringRef text = isWord ? "{ .reg .b8 b0, b1, b2, b3; "
                            "cvt.rn.satfinite.e2m1x2.f32 b0, $2, $1; "
                            "cvt.rn.satfinite.e2m1x2.f32 b1, $4, $3; "
                            "cvt.rn.satfinite.e2m1x2.f32 b2, $6, $5; "
                            "cvt.rn.satfinite.e2m1x2.f32 b3, $8, $7; "
                            "mov.b32 $0, {b0, b1, b2, b3}; }"
                          : "{ .reg .b8 b0, b1; "
                            "cvt.rn.satfinite.e2m1x2.f32 b0, $2, $1; "
                            "cvt.rn.satfinite.e2m1x2.f32 b1, $4, $3; "
                            "mov.b16 $0, {b0, b1}; }";
  return emitAsm(text, b.getIntegerType(kCodeBits * run.size()),
                 isWord ? "=r,f,f,f,f,f,f,f,f" : "=h,f,f,f,f", scaled);
}

/// The instruction gives four codes, the last operand's lowest. Operands use
/// these bytes of its random bits, from the first: 3, 1, 2, 0 (PTX ISA 9.0,
/// 9.7.9.21; which half serves which is shown in a figure only).
Value CodeEmitter::emitByRandomInstruction(ArrayRef<Value> run, Value encode,
                                           ArrayRef<Value> random) {
  constexpr int64_t kAtOnce = 4, kPlaces[kAtOnce] = {0, 2, 1, 3};
  Value word;
  for (size_t first = 0; first < run.size(); first += kAtOnce) {
    SmallVector<Value> operands;
    Value bits;
    for (int64_t i = 0; i < kAtOnce; ++i) {
      operands.push_back(arith::MulFOp::create(b, run[first + i], encode));
      Value byte = arith::ShLIOp::create(b, random[first + i],
                                         getI32(b, 8 * kPlaces[i]));
      bits = bits ? arith::OrIOp::create(b, bits, byte).getResult() : byte;
    }
    operands.push_back(bits);
    Value codes = emitAsm("cvt.rs.satfinite.e2m1x4.f32 $0, {$4, $3, $2, $1}, "
                          "$5;",
                          b.getI16Type(), "=h,f,f,f,f,r", operands);
    if (run.size() == kAtOnce)
      return codes;
    codes = arith::ExtUIOp::create(b, b.getI32Type(), codes);
    Value place = getI32(b, kCodeBits * first);
    codes = arith::ShLIOp::create(b, codes, place);
    word = word ? arith::OrIOp::create(b, word, codes).getResult() : codes;
  }
  return word;
}

/// For every f32 and every factor: an i32.
Value CodeEmitter::emitByCodec(ArrayRef<Value> run, Value encode,
                               ArrayRef<Value> random) {
  Value word = getI32(b, 0);
  for (auto [i, value] : llvm::enumerate(run)) {
    Value scaled = arith::MulFOp::create(b, value, encode);
    Value code = random.empty() ? emitEncodeE2M1(b, b.getLoc(), scaled)
                                : emitEncodeE2M1Stochastic(b, b.getLoc(),
                                                           scaled, random[i]);
    code = arith::ShLIOp::create(b, code, getI32(b, kCodeBits * i));
    word = arith::OrIOp::create(b, word, code);
  }
  return word;
}

/// 2^23 and the magnitude's code, up to 8, as an i32.
Value CodeEmitter::emitMagnitude(Value value, Value eighth, Value random) {
  // One instruction takes the magnitude, multiplies and saturates.
  Value magnitude = emitAsm("mul.rn.sat.f32 $0, $1, $2;", b.getF32Type(),
                            "=f,f,f", {LLVM::FAbsOp::create(b, value), eighth});
  float unit = random ? 1 << kFractionBits : 1;
  // Positive floats compare like their bits, of which some chips find the
  // least of three at once.
  Value bits;
  for (const Line &line : kLines) {
    Value slope = getF32(b, 8 * unit * line.slope);
    Value offset = getF32(b, kMagic + unit * line.offset);
    // Random bits are added to what is rounded down.
    Value sum =
        random ? emitAsm("fma.rz.f32 $0, $1, $2, $3;", b.getF32Type(),
                         "=f,f,f,f", {magnitude, slope, offset})
               : LLVM::FMAOp::create(b, magnitude, slope, offset).getResult();
    Value other = emitBits(b, sum);
    bits = bits ? arith::MinSIOp::create(b, bits, other).getResult() : other;
  }
  if (!random)
    return bits;
  bits = arith::AddIOp::create(b, bits, random);
  bits = arith::AndIOp::create(b, bits, getI32(b, 0xF << kFractionBits));
  return arith::ShRUIOp::create(b, bits, getI32(b, kFractionBits));
}

/// The signs of a word's elements, where codes have them.
Value CodeEmitter::emitSigns(ArrayRef<Value> run) {
  // Upper bytes of two registers; two such pairs.
  auto gather = [&](Value lower, Value upper, uint32_t selector) -> Value {
    return NVVM::PermuteOp::create(b, b.getI32Type(), lower, upper,
                                   getI32(b, selector),
                                   NVVM::PermuteMode::DEFAULT);
  };
  auto emitBytes = [&](int64_t first) {
    SmallVector<Value> pairs;
    for (int64_t i = first; i < static_cast<int64_t>(run.size()); i += 4)
      pairs.push_back(
          gather(emitBits(b, run[i]), emitBits(b, run[i + 2]), 0x0073));
    return pairs.size() == 1 ? pairs[0] : gather(pairs[0], pairs[1], 0x5410);
  };
  Value even = arith::ShRUIOp::create(b, emitBytes(0), getI32(b, 4));
  even = arith::AndIOp::create(b, even, getI32(b, 0x08080808));
  Value odd = arith::AndIOp::create(b, emitBytes(1), getI32(b, 0x80808080));
  return arith::OrIOp::create(b, even, odd);
}

/// Elements that are no NaN; `eighth` is exact: an i32.
Value CodeEmitter::emitByArithmetic(ArrayRef<Value> run, Value eighth,
                                    ArrayRef<Value> random) {
  // 2^23 of each element stays in the sum, mostly above its last bit.
  Value word;
  uint32_t excess = 0;
  for (int64_t i = run.size() - 1; i >= 0; --i) {
    Value code =
        emitMagnitude(run[i], eighth, random.empty() ? Value() : random[i]);
    if (word) {
      word = arith::MulIOp::create(b, word, getI32(b, 1 << kCodeBits));
      word = arith::AddIOp::create(b, word, code);
    } else {
      word = code;
    }
    excess = (excess << kCodeBits) + (random.empty() ? kMagicBits : 0);
  }
  if (excess)
    word = arith::SubIOp::create(b, word, getI32(b, excess));
  Value eights = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, word, getI32(b, 3)), getI32(b, 0x11111111));
  word = arith::SubIOp::create(b, word, eights);
  Value signs = emitSigns(run);
  if (static_cast<int64_t>(run.size()) < kCodesPerWord)
    signs = arith::AndIOp::create(b, signs, getI32(b, 0xFFFF));
  return arith::OrIOp::create(b, word, signs);
}

SmallVector<Value> CodeEmitter::emitWords(ArrayRef<Value> run, Value encode,
                                          ArrayRef<Value> random) {
  int64_t count = run.size(), step = std::min(count, kCodesPerWord);
  auto emitEach = [&](auto emit) {
    SmallVector<Value> words;
    for (int64_t i = 0; i < count; i += step)
      words.push_back(emit(run.slice(i, step), random.empty()
                                                   ? ArrayRef<Value>()
                                                   : random.slice(i, step)));
    return words;
  };
  if (hasInstruction(!random.empty()))
    return emitEach([&](ArrayRef<Value> part, ArrayRef<Value> bytes) {
      return bytes.empty() ? emitByInstruction(part, encode)
                           : emitByRandomInstruction(part, encode, bytes);
    });

  Value isSmall = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, encode,
                                        getF32(b, kMinFactor));
  Value isRare = arith::OrIOp::create(b, emitHasNaN(run), isSmall);
  SmallVector<Type> types(count / step, b.getI32Type());
  auto branch = scf::IfOp::create(b, types, isRare, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(
      b, emitEach([&](ArrayRef<Value> part, ArrayRef<Value> bytes) {
        return emitByCodec(part, encode, bytes);
      }));
  b.setInsertionPointToStart(branch.elseBlock());
  Value eighth = arith::MulFOp::create(b, encode, getF32(b, 0.125f));
  scf::YieldOp::create(
      b, emitEach([&](ArrayRef<Value> part, ArrayRef<Value> bytes) {
        return emitByArithmetic(part, eighth, bytes);
      }));
  b.setInsertionPointAfter(branch);
  SmallVector<Value> words(branch.getResults());
  if (step < kCodesPerWord)
    words.front() = arith::TruncIOp::create(
        b, b.getIntegerType(kCodeBits * step), words.front());
  return words;
}

//===- CodeEmitter.cpp - Codes of neighbouring elements -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By arithmetic, the code of a magnitude a is the least of 2a, a + 2, a/2 + 4
// and 7, rounded: each step of e2m1 has its line, and the lines of the others
// are above it there. Adding 2^23 rounds to an integer, so a line is one fused
// multiply-add, and integers above 2^23 compare like the floats they are the
// low bits of. Magnitudes are multiplied by an eighth of the factor and
// saturated at 1, where a is 8.
//
// The last line must only round to 6 up to a = 5, to 7 behind, and never to 8:
// 0.3 a + 5 does, with the float below 0.3, whose product with 5 is below 1.5
// and with the float behind 5 above. Random bits need the line itself, whose 8
// at the end is made 7 in all codes of a word at once. Signs are put into all
// of them at once, too.
//
// NaN, and factors too small to divide by 8, take a branch to the codecs.
//
// Source: PTX ISA, `cvt` (the first operand is the upper half), `prmt` (8 in a
//         selector fills the byte with its sign).
//
//===----------------------------------------------------------------------===//

#include "CodeEmitter.h"

#include "nvfp4/Conversion/ScalarCodecs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/SetVector.h"

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
static constexpr Line kNearestLines[] = {
    {2.0f, 0.0f}, {1.0f, 2.0f}, {0x1.333332p-2f, 5.0f}};

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

static Value emitF32(ImplicitLocOpBuilder &b, Value bits) {
  return arith::BitcastOp::create(b, b.getF32Type(), bits);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Elements Elements::slice(int64_t first, int64_t count) const {
  Elements part;
  llvm::append_range(part.values, ArrayRef(values).slice(first, count));
  if (!halves.empty())
    llvm::append_range(part.halves, ArrayRef(halves).slice(first, count));
  return part;
}

void Elements::appendHalf(ImplicitLocOpBuilder &b, Value word, bool isUpper) {
  Value bits =
      isUpper
          ? arith::AndIOp::create(b, word, getI32(b, 0xFFFF0000)).getResult()
          : arith::ShLIOp::create(b, word, getI32(b, 16)).getResult();
  values.push_back(emitF32(b, bits));
  halves.push_back({word, isUpper});
}

void Elements::appendBoth(ImplicitLocOpBuilder &b, Value word) {
  for (bool isUpper : {false, true})
    appendHalf(b, word, isUpper);
}

Elements nvfp4::getElements(ImplicitLocOpBuilder &b, ValueRange run) {
  Elements elements;
  Type type = run.front().getType();
  if (!type.isBF16() || run.size() % 2 != 0) {
    for (Value value : run)
      elements.values.push_back(
          type.isF32()
              ? value
              : arith::ExtFOp::create(b, b.getF32Type(), value).getResult());
    return elements;
  }
  // Widening the upper one of two bf16 in a register is one instruction, but
  // two by way of a register for it alone.
  for (size_t i = 0; i < run.size(); i += 2) {
    Value pair = LLVM::PoisonOp::create(b, VectorType::get(2, type));
    for (size_t half : {0, 1})
      pair = LLVM::InsertElementOp::create(b, pair, run[i + half],
                                           getI32(b, half));
    elements.appendBoth(b, LLVM::BitcastOp::create(b, b.getI32Type(), pair));
  }
  return elements;
}

//===----------------------------------------------------------------------===//
// Magnitudes
//===----------------------------------------------------------------------===//

template <typename MaxOp>
static Value emitLargestValue(ImplicitLocOpBuilder &b, ArrayRef<Value> values) {
  Value largest;
  for (Value value : values) {
    Value magnitude = LLVM::FAbsOp::create(b, value);
    largest =
        largest ? MaxOp::create(b, largest, magnitude).getResult() : magnitude;
  }
  return largest;
}

/// Of both halves of all words at once, whatever their signs become.
template <typename MaxOp>
static Value emitLargestHalf(ImplicitLocOpBuilder &b, const Elements &elements,
                             StringRef intrinsic) {
  auto pair = VectorType::get(2, b.getBF16Type());
  llvm::SmallSetVector<Value, 16> words;
  bool isUsed[2] = {};
  for (const Elements::Half &half : elements.halves) {
    words.insert(half.word);
    isUsed[half.isUpper] = true;
  }
  Value largest;
  for (Value word : words) {
    Value both = LLVM::BitcastOp::create(b, pair, word);
    largest =
        largest
            ? LLVM::CallIntrinsicOp::create(b, pair, b.getStringAttr(intrinsic),
                                            ValueRange{largest, both})
                  .getResults()
            : both;
  }
  Elements halves;
  Value word = LLVM::BitcastOp::create(b, b.getI32Type(), largest);
  for (bool isUpper : {false, true})
    if (isUsed[isUpper])
      halves.appendHalf(b, word, isUpper);
  return emitLargestValue<MaxOp>(b, halves.values);
}

Value nvfp4::emitLargest(ImplicitLocOpBuilder &b, const Elements &elements) {
  if (elements.halves.empty())
    return emitLargestValue<arith::MaximumFOp>(b, elements.values);
  return emitLargestHalf<arith::MaximumFOp>(
      b, elements, "llvm.nvvm.fmax.nan.xorsign.abs.bf16x2");
}

Value nvfp4::emitAmax(ImplicitLocOpBuilder &b, const Elements &elements) {
  // The maximum drops a NaN unless both are; the last one is with 0.
  Value largest = elements.halves.empty()
                      ? emitLargestValue<arith::MaxNumFOp>(b, elements.values)
                      : emitLargestHalf<arith::MaxNumFOp>(
                            b, elements, "llvm.nvvm.fmax.xorsign.abs.bf16x2");
  return arith::MaxNumFOp::create(b, largest, getF32(b, 0.0f));
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
Value CodeEmitter::emitByInstruction(const Elements &run, Value encode) {
  SmallVector<Value> scaled;
  for (Value value : run.values)
    scaled.push_back(arith::MulFOp::create(b, value, encode));
  bool isWord = run.size() == kCodesPerWord;
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
Value CodeEmitter::emitByRandomInstruction(const Elements &run, Value encode,
                                           ArrayRef<Value> random) {
  constexpr int64_t kAtOnce = 4, kPlaces[kAtOnce] = {0, 2, 1, 3};
  Value word;
  for (int64_t first = 0; first < run.size(); first += kAtOnce) {
    SmallVector<Value> operands;
    Value bits;
    for (int64_t i = 0; i < kAtOnce; ++i) {
      operands.push_back(
          arith::MulFOp::create(b, run.values[first + i], encode));
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
Value CodeEmitter::emitByCodec(const Elements &run, Value encode,
                               ArrayRef<Value> random) {
  Value word = getI32(b, 0);
  for (auto [i, value] : llvm::enumerate(run.values)) {
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
  // One instruction takes the magnitude, multiplies and saturates; LLVM would
  // mask the bits of halves first.
  Value magnitude = emitAsm("{ .reg .f32 a; abs.f32 a, $1; "
                            "mul.rn.sat.f32 $0, a, $2; }",
                            b.getF32Type(), "=f,f,f", {value, eighth});
  float unit = random ? 1 << kFractionBits : 1;
  // Positive floats compare like their bits, of which some chips find the
  // least of three at once.
  Value bits;
  for (const Line &line : random ? kLines : kNearestLines) {
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
Value CodeEmitter::emitSigns(const Elements &run) {
  auto getHalf = [&](int64_t i) -> Elements::Half {
    if (run.halves.empty())
      return {emitBits(b, run.values[i]), /*isUpper=*/true};
    return run.halves[i];
  };
  auto permute = [&](Value lower, Value upper, uint32_t selector) -> Value {
    return NVVM::PermuteOp::create(b, b.getI32Type(), lower, upper,
                                   getI32(b, selector),
                                   NVVM::PermuteMode::DEFAULT);
  };
  // Signs of two words, a byte each: of the lower halves, then of the upper
  // ones. Elements in the other halves share the instruction.
  auto emitPair = [&](int64_t i) {
    return permute(getHalf(i).word, getHalf(i + 2).word, 0xFBD9);
  };
  auto emitBytes = [&](int64_t first) {
    Value lower = emitPair(first);
    Value upper = run.size() < kCodesPerWord ? lower : emitPair(first + 4);
    return permute(lower, upper, getHalf(first).isUpper ? 0x7632 : 0x5410);
  };
  Value even = arith::AndIOp::create(b, emitBytes(0), getI32(b, 0x08080808));
  Value odd = arith::AndIOp::create(b, emitBytes(1), getI32(b, 0x80808080));
  return arith::OrIOp::create(b, even, odd);
}

/// Elements that are no NaN; `eighth` is exact: an i32.
Value CodeEmitter::emitByArithmetic(const Elements &run, Value eighth,
                                    ArrayRef<Value> random) {
  // 2^23 of each element stays in the sum, mostly above its last bit.
  Value word;
  uint32_t excess = 0;
  for (int64_t i = run.size() - 1; i >= 0; --i) {
    Value code = emitMagnitude(run.values[i], eighth,
                               random.empty() ? Value() : random[i]);
    if (word) {
      word = arith::MulIOp::create(b, word, getI32(b, 1 << kCodeBits));
      word = arith::AddIOp::create(b, word, code);
    } else {
      word = code;
    }
    excess = (excess << kCodeBits) + (random.empty() ? kMagicBits : 0);
  }
  Value signs = emitSigns(run);
  if (run.size() < kCodesPerWord)
    signs = arith::AndIOp::create(b, signs, getI32(b, 0xFFFF));
  if (random.empty()) {
    // One sum of three; bits of signs are zero in codes.
    word = arith::AddIOp::create(b, word, signs);
    return arith::SubIOp::create(b, word, getI32(b, excess));
  }
  Value eights = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, word, getI32(b, 3)), getI32(b, 0x11111111));
  word = arith::SubIOp::create(b, word, eights);
  return arith::OrIOp::create(b, word, signs);
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

/// `emit` of as many elements as a word has, and their random bytes.
static SmallVector<Value>
emitEach(const Elements &run, ArrayRef<Value> random,
         function_ref<Value(const Elements &, ArrayRef<Value>)> emit) {
  int64_t step = std::min(run.size(), kCodesPerWord);
  SmallVector<Value> words;
  for (int64_t i = 0; i < run.size(); i += step)
    words.push_back(emit(run.slice(i, step), random.empty()
                                                 ? ArrayRef<Value>()
                                                 : random.slice(i, step)));
  return words;
}

SmallVector<Value> CodeEmitter::emitWordsByCodec(const Elements &run,
                                                 Value encode,
                                                 ArrayRef<Value> random) {
  return emitEach(run, random,
                  [&](const Elements &part, ArrayRef<Value> bytes) {
                    return emitByCodec(part, encode, bytes);
                  });
}

SmallVector<Value> CodeEmitter::emitWordsByArithmetic(const Elements &run,
                                                      Value eighth,
                                                      ArrayRef<Value> random) {
  return emitEach(run, random,
                  [&](const Elements &part, ArrayRef<Value> bytes) {
                    return emitByArithmetic(part, eighth, bytes);
                  });
}

SmallVector<Value> CodeEmitter::emitWords(const Elements &run, Value encode,
                                          ArrayRef<Value> random) {
  if (!isArithmetic(!random.empty()))
    return emitEach(
        run, random, [&](const Elements &part, ArrayRef<Value> bytes) {
          return bytes.empty() ? emitByInstruction(part, encode)
                               : emitByRandomInstruction(part, encode, bytes);
        });

  Value isSmall = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, encode,
                                        getF32(b, kMinFactor));
  Value largest = emitLargest(b, run);
  Value hasNaN =
      arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, largest, largest);
  Value isRare = arith::OrIOp::create(b, hasNaN, isSmall);
  int64_t step = std::min(run.size(), kCodesPerWord);
  SmallVector<Type> types(run.size() / step, b.getI32Type());
  auto branch = scf::IfOp::create(b, types, isRare, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitWordsByCodec(run, encode, random));
  b.setInsertionPointToStart(branch.elseBlock());
  Value eighth = arith::MulFOp::create(b, encode, getF32(b, 0.125f));
  scf::YieldOp::create(b, emitWordsByArithmetic(run, eighth, random));
  b.setInsertionPointAfter(branch);
  SmallVector<Value> words(branch.getResults());
  if (step < kCodesPerWord)
    words.front() = arith::TruncIOp::create(
        b, b.getIntegerType(kCodeBits * step), words.front());
  return words;
}

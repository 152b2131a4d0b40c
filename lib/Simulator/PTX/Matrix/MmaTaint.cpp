//===- MmaTaint.cpp - Undefined bits through a matrix instruction ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which elements of D an undefined bit reaches (rule R11). Lines of A and B
// become sets of positions along K: undefined ones, and zeros. A zero stops
// what is undefined on the other side if that cannot be an infinity or a NaN,
// and so does a ue4m3 scale of zero, which scales a whole block.
//
// Speed does not matter: defined programs do not come here.
//
//===----------------------------------------------------------------------===//

#include "Sparse.h"

#include <bitset>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

/// Positions along K: 256 bits at most.
using Positions = std::bitset<256>;

/// A row of A or a column of B.
struct Line {
  Positions undefined;
  /// Defined zeros.
  Positions zeros;
  /// Blocks of positions under a scale that is zero, or that is a number.
  Positions zeroScale, numberScale;
  /// Of a sparse row: not stored, so that B does not matter.
  Positions absent;
  /// A scale or metadata, which reach the whole line.
  bool hasUndefinedControl = false;
};

constexpr int kMaxRows = 16;

struct Lines {
  Line rows[kMaxRows], cols[kPanelLines];
  bool undefinedC[kMaxRows][kPanelLines] = {};
};

/// One operand of A and B.
struct Operand {
  ElementType type;
  int bits;
  const Fragment &values;
  const Fragment &undefined;
};

} // namespace

/// Bits of a container that matter.
static uint64_t getUsedBits(ElementType type, int bits) {
  if (isFloatOperand(type) && bits != 4) {
    const FloatFormat &format = getFloatFormat(type);
    return (uint64_t(2) << format.signBit) - (uint64_t(1) << format.lowBit);
  }
  return ~uint64_t(0) >> (64 - bits);
}

/// What makes an element zero apart from its sign.
static uint64_t getMagnitudeBits(ElementType type, int bits) {
  const uint64_t used = getUsedBits(type, bits);
  if (type == ElementType::F64 || type <= ElementType::E2M1)
    return used & ~(uint64_t(1) << (63 - __builtin_clzll(used)));
  return used;
}

/// The element at `position` of registers that may be missing.
static uint64_t getElement(const Fragment &fragment, bool isDouble, int lane,
                           int reg, int bit) {
  if (isDouble)
    return fragment.doubles[reg] ? fragment.doubles[reg][lane] : 0;
  return fragment.words[reg] ? fragment.words[reg][lane] >> bit : 0;
}

/// Notes an element in its line.
static void noteElement(const Operand &operand, int lane, int reg, int bit,
                        int position, Line &line) {
  const bool isDouble = operand.type == ElementType::F64;
  const uint64_t undefined =
      getElement(operand.undefined, isDouble, lane, reg, bit);
  if (undefined & getUsedBits(operand.type, operand.bits))
    line.undefined.set(position);
  else if (!(getElement(operand.values, isDouble, lane, reg, bit) &
             getMagnitudeBits(operand.type, operand.bits)))
    line.zeros.set(position);
}

/// Notes what a line's scale register says, from byte `byteId` on.
static void noteScales(const MmaDescriptor &descriptor, uint32_t word,
                       uint32_t undefined, unsigned byteId, Line &line) {
  const bool isE4M3 = descriptor.scaleType == ScaleType::UE4M3;
  const uint32_t used = isE4M3 ? 0x7F : 0xFF;
  const uint32_t nan = used;
  const int block = descriptor.shape.k / descriptor.scaleVec;
  for (int i = 0; i < descriptor.scaleVec; ++i) {
    const int shift = 8 * (int(byteId) + i);
    const uint32_t code = word >> shift & used;
    if (undefined >> shift & used) {
      line.hasUndefinedControl = true;
      continue;
    }
    for (int k = i * block; k < (i + 1) * block; ++k) {
      line.zeroScale.set(k, isE4M3 && code == 0);
      line.numberScale.set(k, code != nan);
    }
  }
}

/// Positions at which something undefined reaches the product of two lines.
static bool isReached(const Operand &a, const Line &row, const Operand &b,
                      const Line &col, bool isXor) {
  if (row.hasUndefinedControl || col.hasUndefinedControl)
    return true;
  Positions fromA = row.undefined, fromB = col.undefined & ~row.absent;
  if (!isXor && !hasSpecials(a.type))
    fromA &= ~col.zeros;
  if (!isXor && !hasSpecials(b.type))
    fromB &= ~row.zeros;
  const Positions harmless =
      (row.zeroScale & col.numberScale) | (col.zeroScale & row.numberScale);
  return ((fromA | fromB) & ~harmless).any();
}

/// Notes what is not stored of a sparse A. Returns where on K the stored
/// granules are.
static SparsePattern noteMetadata(const MmaPlan &plan,
                                  const SparseLayout &layout,
                                  const MmaInputs &inputs,
                                  const uint32_t *undefined, Lines &lines) {
  const MmaDescriptor &descriptor = plan.getDescriptor();
  SparsePattern pattern = {};
  // Metadata that is none is an error when the instruction executes.
  if (!readSparsePattern(descriptor, layout, inputs.metadata,
                         inputs.sparsitySelector, pattern))
    return pattern;
  for (int row = 0; row < descriptor.shape.m; ++row) {
    Line &line = lines.rows[row];
    line.absent.set();
    for (int i = 0; i < 2 * layout.getNumChunks(); ++i) {
      const int first = pattern.places[row][i] * layout.getGranuleBits();
      for (int bit = 0; bit < layout.getGranuleBits();
           bit += plan.getElementBitsA())
        line.absent.reset((first + bit) / plan.getElementBitsA());
      line.hasUndefinedControl |=
          undefined &&
          layout.getCode(undefined, inputs.sparsitySelector, row, i / 2) != 0;
    }
  }
  return pattern;
}

/// Notes the elements of A and B.
static void noteFactors(const MmaPlan &plan, const MmaInputs &inputs,
                        const uint32_t *undefinedMetadata, const Operand &a,
                        const Operand &b, Lines &lines) {
  const MmaDescriptor &descriptor = plan.getDescriptor();
  const MatrixShape stored = plan.getStoredShape();
  const int registerBits = plan.isDouble() ? 64 : 32;
  const bool isSparse = descriptor.sparsity != Sparsity::Dense;
  int granule = 0;
  SparsePattern pattern = {};
  if (isSparse) {
    const SparseLayout layout(descriptor, a.bits);
    granule = layout.getGranuleBits();
    pattern = noteMetadata(plan, layout, inputs, undefinedMetadata, lines);
  }
  const auto expand = [&](int row, int col) {
    const int bit = col * a.bits;
    return (pattern.places[row][bit / granule] * granule + bit % granule) /
           a.bits;
  };
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    for (int reg = 0; reg < plan.getNumRegistersA(); ++reg)
      for (int bit = 0; bit < registerBits; bit += a.bits) {
        const auto [row, col] =
            getPositionA(stored, a.bits, registerBits, lane, reg, bit);
        noteElement(a, lane, reg, bit, isSparse ? expand(row, col) : col,
                    lines.rows[row]);
      }
    for (int reg = 0; reg < plan.getNumRegistersB(); ++reg)
      for (int bit = 0; bit < registerBits; bit += b.bits) {
        const auto [k, col] =
            getPositionB(b.bits, registerBits, lane, reg, bit);
        noteElement(b, lane, reg, bit, k, lines.cols[col]);
      }
  }
}

static void noteAccumulators(const MmaPlan &plan, const Fragment &undefined,
                             Lines &lines) {
  const bool isF16 = plan.getDescriptor().c == ElementType::F16;
  for (int lane = 0; lane < kWarpLanes; ++lane)
    for (int reg = 0; reg < plan.getNumRegistersC(); ++reg)
      for (int bit = 0; bit < (isF16 ? 32 : 1); bit += 16) {
        const auto [row, col] = getPositionC(isF16, lane, reg, bit);
        const uint64_t bits =
            getElement(undefined, plan.isDouble(), lane, reg, bit);
        lines.undefinedC[row][col] = (isF16 ? bits & 0xFFFF : bits) != 0;
      }
}

/// Notes the scales of all lines.
static void noteAllScales(const MmaDescriptor &descriptor,
                          const MmaInputs &inputs,
                          const MmaUndefined &undefined, Lines &lines) {
  const ScaleOperand &a = inputs.scaleA, &b = inputs.scaleB;
  for (int row = 0; row < descriptor.shape.m; ++row) {
    const int lane = getScaleLaneA(row, int(a.threadId));
    noteScales(descriptor, a.words[lane],
               undefined.scaleA ? undefined.scaleA[lane] : 0, a.byteId,
               lines.rows[row]);
  }
  for (int col = 0; col < descriptor.shape.n; ++col) {
    const int lane = getScaleLaneB(col, int(b.threadId));
    noteScales(descriptor, b.words[lane],
               undefined.scaleB ? undefined.scaleB[lane] : 0, b.byteId,
               lines.cols[col]);
  }
}

void MmaPlan::taint(const MmaInputs &inputs, const MmaUndefined &undefined,
                    const MutableFragment &d) const {
  const Operand a = {descriptor.a, elementBitsA, inputs.a, undefined.a};
  const Operand b = {descriptor.b, elementBitsB, inputs.b, undefined.b};
  Lines lines;
  noteFactors(*this, inputs, undefined.metadata, a, b, lines);
  noteAccumulators(*this, undefined.c, lines);
  if (descriptor.scaleVec)
    noteAllScales(descriptor, inputs, undefined, lines);
  const bool isF16 = descriptor.d == ElementType::F16;
  const bool isXor = descriptor.bitOperation == BitOperation::Xor;
  const uint64_t element = isF16 ? 0xFFFF : ~uint64_t(0);
  for (int lane = 0; lane < kWarpLanes; ++lane)
    for (int reg = 0; reg < numD; ++reg) {
      uint64_t bits = 0;
      for (int bit = 0; bit < (isF16 ? 32 : 1); bit += 16) {
        const auto [row, col] = getPositionC(isF16, lane, reg, bit);
        if (lines.undefinedC[row][col] ||
            isReached(a, lines.rows[row], b, lines.cols[col], isXor))
          bits |= element << bit;
      }
      if (isDouble())
        d.doubles[reg][lane] = bits;
      else
        d.words[reg][lane] = uint32_t(bits);
    }
}

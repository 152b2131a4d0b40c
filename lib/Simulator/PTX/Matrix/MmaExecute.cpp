//===- MmaExecute.cpp - From registers to panels and back -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Brings fragments into the form of Cores.h, calls the core that fits, and
// brings the result back. B's columns go in the order of getColumnOfLine, so
// that four lanes of a C register are four neighbours of a row of the product.
//
//===----------------------------------------------------------------------===//

#include "Gather.h"
#include "Sparse.h"

#include <algorithm>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

constexpr int kMaxRows = 16;
/// Words of a line: those of sparse forms, once expanded, are longest.
constexpr int kMaxLineWords = 16;

/// The operands of one instruction as panels.
struct Operands {
  alignas(64) uint32_t a[kMaxRows * kMaxLineWords];
  alignas(64) uint32_t b[kPanelLines * kMaxLineWords];
  alignas(64) uint32_t c[kMaxRows * kPanelLines];
  alignas(64) uint32_t d[kMaxRows * kPanelLines];
  alignas(64) uint32_t scaleA[kMaxRows];
  alignas(64) uint32_t scaleB[kPanelLines];
  /// FloatProduct::present, of sparse forms.
  uint64_t present[kMaxRows];
};

/// What is known about the sums of a generation. Hopper is measured, on an
/// H200, for every type and form (HopperTest.cpp); the others are the published
/// model MMA-Sim, with what Hopper does at the edges. Steps of sparse forms on
/// Ampere and Ada are a guess.
struct TensorCoreFacts {
  int fractionBits;
  int fp8FractionBits;
  int fp8ResultBits;
  int bytesPerStep; ///< Along K.
  bool fp8InPairs;
};
constexpr TensorCoreFacts kTensorCoreFacts[] = {
    /*Ampere*/ {24, 24, 24, 16, false},
    /*Ada*/ {24, 13, 14, 16, false},
    /*Hopper*/ {25, 25, 24, 32, true},
    /*Blackwell*/ {25, 25, 24, 32, false},
};

} // namespace

//===----------------------------------------------------------------------===//
// Block scales
//===----------------------------------------------------------------------===//

/// Scale codes of a line, one per quarter of K, from its register.
static uint32_t selectScales(uint32_t word, int scaleVec, unsigned byteId) {
  if (scaleVec == 4)
    return word;
  word >>= 8 * byteId;
  if (scaleVec == 1)
    return (word & 0xFF) * 0x01010101;
  return (word & 0xFF) * 0x0101 | (word >> 8 & 0xFF) * 0x01010000;
}

static Status checkSelector(const char *operand, const ScaleOperand &scale,
                            int scaleVec, unsigned maxThreadId) {
  const bool isByteLegal = scaleVec == 4 ? scale.byteId == 0
                           : scaleVec == 2
                               ? scale.byteId % 2 == 0 && scale.byteId <= 2
                               : scale.byteId <= 3;
  if (!isByteLegal)
    return Status::error(std::string("mma: expected byte id ") +
                         (scaleVec == 4   ? "0"
                          : scaleVec == 2 ? "0 or 2"
                                          : "0 to 3") +
                         " of scale " + operand +
                         " with scale_vec::" + std::to_string(scaleVec) +
                         "X, but got " + std::to_string(scale.byteId));
  if (scale.threadId > maxThreadId)
    return Status::error(std::string("mma: expected thread id 0 to ") +
                         std::to_string(maxThreadId) + " of scale " + operand +
                         ", but got " + std::to_string(scale.threadId));
  return Status();
}

static Status gatherScales(const MmaInputs &inputs, int scaleVec,
                           Operands &operands) {
  if (Status status = checkSelector("A", inputs.scaleA, scaleVec, 1); !status)
    return status;
  if (Status status = checkSelector("B", inputs.scaleB, scaleVec, 3); !status)
    return status;
  for (int row = 0; row < kMaxRows; ++row)
    operands.scaleA[row] = selectScales(
        inputs.scaleA.words[getScaleLaneA(row, inputs.scaleA.threadId)],
        scaleVec, inputs.scaleA.byteId);
  for (int line = 0; line < kPanelLines; ++line)
    operands.scaleB[line] =
        selectScales(inputs.scaleB.words[getScaleLaneB(getColumnOfLine(line),
                                                       inputs.scaleB.threadId)],
                     scaleVec, inputs.scaleB.byteId);
  return Status();
}

//===----------------------------------------------------------------------===//
// Cores
//===----------------------------------------------------------------------===//

static FusedRule getFusedRule(const MmaDescriptor &descriptor,
                              TensorCore tensorCore) {
  // Only Blackwell has instructions with a kind.
  if (descriptor.kind != MmaKind::Plain)
    tensorCore = TensorCore::Blackwell;
  const TensorCoreFacts &facts = kTensorCoreFacts[int(tensorCore)];
  const int bits = getFloatFormat(descriptor.a).containerBits;
  const int k = descriptor.shape.k;
  // Steps count stored elements.
  const bool isSparse = descriptor.sparsity != Sparsity::Dense;
  const int stepBits = facts.bytesPerStep * 8 * (isSparse ? 2 : 1);
  FusedRule rule = {facts.fractionBits, std::min(k, stepBits / bits)};
  if (bits == 8) {
    rule.fractionBits = facts.fp8FractionBits;
    rule.resultBits = facts.fp8ResultBits;
    if (facts.fp8InPairs) {
      rule.pairWidth = isSparse ? 4 : 2;
      rule.productsPerStep = k / 2;
    }
  }
  return rule;
}

static void multiplyFloats(const MmaDescriptor &descriptor, MmaMode mode,
                           Operands &operands) {
  uint8_t scaleA[kMaxRows], scaleB[kPanelLines];
  const bool hasScales = descriptor.scaleVec != 0;
  const bool isSparse = descriptor.sparsity != Sparsity::Dense;
  if (hasScales) {
    for (int row = 0; row < kMaxRows; ++row)
      scaleA[row] = uint8_t(operands.scaleA[row]);
    for (int line = 0; line < kPanelLines; ++line)
      scaleB[line] = uint8_t(operands.scaleB[line]);
  }
  const FloatProduct product = {descriptor.a,
                                descriptor.b,
                                descriptor.d == ElementType::F16,
                                descriptor.shape.m / kPanelLines,
                                descriptor.shape.k,
                                operands.a,
                                operands.b,
                                hasScales ? scaleA : nullptr,
                                hasScales ? scaleB : nullptr,
                                isSparse ? operands.present : nullptr,
                                operands.c,
                                operands.d};
  if (mode.accumulation == Accumulation::Exact)
    multiplyExact(product);
  else
    multiplyFused(product, getFusedRule(descriptor, mode.tensorCore));
}

static void multiplyNibbles(const MmaDescriptor &descriptor, MmaMode mode,
                            Operands &operands) {
  const BlockScaledProduct product = {descriptor.scaleType,
                                      descriptor.shape.m / kPanelLines,
                                      descriptor.shape.k,
                                      operands.a,
                                      operands.b,
                                      operands.scaleA,
                                      operands.scaleB,
                                      operands.c,
                                      operands.d};
  if (mode.accumulation == Accumulation::Exact)
    multiplyBlockScaledExact(product);
  else
    multiplyBlockScaledFused(product);
}

static void multiply(const MmaDescriptor &descriptor, int elementBits,
                     MmaMode mode, Operands &operands) {
  const int panels = descriptor.shape.m / kPanelLines;
  if (descriptor.a == ElementType::B1)
    return multiplyBits({descriptor.bitOperation == BitOperation::And, panels,
                         descriptor.shape.k, operands.a, operands.b, operands.c,
                         operands.d});
  if (!isFloatOperand(descriptor.a))
    return multiplyIntegers({descriptor.a, descriptor.b, descriptor.satfinite,
                             panels, descriptor.shape.k, operands.a, operands.b,
                             operands.c, operands.d});
  if (elementBits == 4)
    return multiplyNibbles(descriptor, mode, operands);
  multiplyFloats(descriptor, mode, operands);
}

/// f64 has registers, and so panels, of 64-bit words.
static void executeDoubles(const MmaPlan &plan, const MmaInputs &inputs,
                           const MutableFragment &d) {
  constexpr int kMaxK = 16;
  const MatrixShape shape = plan.getDescriptor().shape;
  const int panels = shape.m / kPanelLines;
  uint64_t a[kMaxRows * kMaxK], b[kPanelLines * kMaxK];
  uint64_t c[kMaxRows * kPanelLines];
  gatherA(inputs.a.doubles.data(), plan.getNumRegistersA(), panels, a);
  gatherB(inputs.b.doubles.data(), plan.getNumRegistersB(), b);
  gatherC(inputs.c.doubles.data(), plan.getNumRegistersC(), c);
  multiplyDoubles({panels, shape.k, a, b, c, c});
  scatterD(c, plan.getNumRegistersD(), d.doubles.data());
}

/// Gathers a sparse A, expands it and notes which elements there are.
static Status gatherSparseA(const MmaPlan &plan, const MmaInputs &inputs,
                            Operands &operands) {
  const MmaDescriptor &descriptor = plan.getDescriptor();
  const int bits = plan.getElementBitsA();
  const SparseLayout layout(descriptor, bits);
  SparsePattern pattern;
  if (Status status = readSparsePattern(descriptor, layout, inputs.metadata,
                                        inputs.sparsitySelector, pattern);
      !status)
    return status;
  uint32_t stored[kMaxRows * kMaxLineWords / 2];
  const int panels = descriptor.shape.m / kPanelLines;
  const int words = plan.getStoredShape().k * bits / 32;
  gatherA(inputs.a.words.data(), plan.getNumRegistersA(), panels, stored);
  for (int panel = 0; panel < panels; ++panel)
    expandPanel(layout, pattern, panel * kPanelLines,
                stored + panel * words * kPanelLines,
                operands.a + 2 * panel * words * kPanelLines);
  for (int row = 0; row < descriptor.shape.m; ++row) {
    operands.present[row] = 0;
    for (int i = 0; i < 2 * layout.getNumChunks(); ++i)
      // Of floating-point elements only, which fill a granule or two.
      operands.present[row] |= uint64_t(1)
                               << (pattern.places[row][i] *
                                       layout.getGranuleBits() / bits &
                                   63);
  }
  return Status();
}

Status MmaPlan::execute(const MmaInputs &inputs, MmaMode mode,
                        const MutableFragment &d) const {
  if (isDouble()) {
    executeDoubles(*this, inputs, d);
    return Status();
  }
  Operands operands;
  if (descriptor.scaleVec)
    if (Status status = gatherScales(inputs, descriptor.scaleVec, operands);
        !status)
      return status;
  if (descriptor.sparsity != Sparsity::Dense) {
    if (Status status = gatherSparseA(*this, inputs, operands); !status)
      return status;
  } else {
    gatherA(inputs.a.words.data(), numA, descriptor.shape.m / kPanelLines,
            operands.a);
  }
  gatherB(inputs.b.words.data(), numB, operands.b);
  if (descriptor.c == ElementType::F16)
    gatherHalfC(inputs.c.words.data(), numC, operands.c);
  else
    gatherC(inputs.c.words.data(), numC, operands.c);
  multiply(descriptor, elementBitsA, mode, operands);
  if (descriptor.d == ElementType::F16)
    scatterHalfD(operands.d, numD, d.words.data());
  else
    scatterD(operands.d, numD, d.words.data());
  return Status();
}

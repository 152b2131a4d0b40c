//===- Warpgroup.cpp - Products of a warpgroup ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources: PTX ISA 9.7.15.5.1; the sums are measured on an H200.
//
//===----------------------------------------------------------------------===//

#include "Warpgroup.h"

#include <cstring>

using namespace nvfp4;
using namespace nvfp4::ptx;

//===----------------------------------------------------------------------===//
// Matrices in shared memory
//===----------------------------------------------------------------------===//

/// Descriptors and their addresses count chunks within 256 KiB.
static constexpr uint32_t kAddressMask = 0x3FFFF;
/// Rows of a swizzle's pattern are told apart by the address bits from here.
static constexpr unsigned kPatternRowShift = 7, kChunkShift = 4;

SharedMatrix SharedMatrix::decode(uint64_t descriptor) {
  const auto field = [&](unsigned shift) {
    return uint32_t(descriptor >> shift & 0x3FFF) << kChunkShift;
  };
  // By the two highest bits: none, 128, 64, 32 bytes.
  constexpr uint32_t kSwizzles[] = {0, 3, 2, 1};
  SharedMatrix matrix;
  matrix.start = field(0);
  matrix.leading = field(16);
  matrix.stride = field(32);
  matrix.baseOffset = uint32_t(descriptor >> 49 & 7);
  matrix.swizzle = kSwizzles[descriptor >> 62];
  return matrix;
}

bool SharedMatrix::decodeTcgen05(uint64_t descriptor, SharedMatrix &matrix) {
  matrix = decode(descriptor);
  switch (descriptor >> 61) {
  case 0:
    matrix.swizzle = 0;
    return true;
  case 1:
    matrix.swizzle = 3;
    matrix.isCoarse = true;
    return true;
  case 2:
    matrix.swizzle = 3;
    return true;
  case 4:
    matrix.swizzle = 2;
    return true;
  case 6:
    matrix.swizzle = 1;
    return true;
  default:
    return false;
  }
}

uint32_t SharedMatrix::place(uint32_t linear) const {
  const uint32_t row = (linear >> kPatternRowShift) - baseOffset;
  if (isCoarse)
    return (linear ^ (row & 3) << (kChunkShift + 1)) & kAddressMask;
  const uint32_t mask = (1u << swizzle) - 1;
  return (linear ^ (row & mask) << kChunkShift) & kAddressMask;
}

std::vector<uint32_t> SharedMatrix::listChunks(int lines, bool isTransposed,
                                               int elementBytes) const {
  std::vector<uint32_t> chunks;
  chunks.reserve(size_t(lines) * kLineChunks);
  const uint32_t perRow = 1u << swizzle, pitch = kChunkBytes << swizzle;
  if (!isTransposed) {
    for (uint32_t line = 0; line < uint32_t(lines); ++line)
      for (uint32_t chunk = 0; chunk < kLineChunks; ++chunk)
        chunks.push_back(place(start + line % 8 * pitch + line / 8 * stride +
                               chunk * (swizzle ? kChunkBytes : leading)));
    return chunks;
  }
  // Without a swizzle the two offsets change their roles.
  const uint32_t perChunks = swizzle ? leading : stride;
  const uint32_t perRows = swizzle ? stride : leading;
  const uint32_t rows = kLineChunks * kChunkBytes / elementBytes;
  const uint32_t perLines = kChunkBytes / elementBytes;
  const uint32_t rowsOfGroup = isCoarse ? 4 : 8;
  for (uint32_t k = 0; k < rows; ++k)
    for (uint32_t chunk = 0; chunk < uint32_t(lines) / perLines; ++chunk)
      chunks.push_back(place(
          start + chunk % perRow * kChunkBytes + chunk / perRow * perChunks +
          k % rowsOfGroup * pitch + k / rowsOfGroup * perRows));
  return chunks;
}

void ptx::gatherLines(const uint8_t *bytes, int lines, bool isTransposed,
                      uint32_t *target, int elementBytes) {
  const int lineBytes = kLineChunks * kChunkBytes;
  if (!isTransposed) {
    std::memcpy(target, bytes, size_t(lines) * lineBytes);
    return;
  }
  auto *elements = reinterpret_cast<uint8_t *>(target);
  for (int k = 0; k < lineBytes / elementBytes; ++k)
    for (int line = 0; line < lines; ++line)
      std::memcpy(&elements[line * lineBytes + k * elementBytes],
                  &bytes[(size_t(k) * lines + line) * elementBytes],
                  size_t(elementBytes));
}

void ptx::makeRowPanels(const uint32_t *lines, int panels, uint32_t *target) {
  for (int panel = 0; panel < panels; ++panel)
    for (int word = 0; word < kLineWords; ++word)
      for (int line = 0; line < kPanelLines; ++line)
        *target++ = lines[(panel * kPanelLines + line) * kLineWords + word];
}

void ptx::makeColumnPanels(const uint32_t *lines, int panels,
                           uint32_t *target) {
  for (int panel = 0; panel < panels; ++panel)
    for (int word = 0; word < kLineWords; ++word)
      for (int line = 0; line < kPanelLines; ++line)
        *target++ =
            lines[(panel * kPanelLines + getColumnOfLine(line)) * kLineWords +
                  word];
}

//===----------------------------------------------------------------------===//
// What exists
//===----------------------------------------------------------------------===//

namespace {
using TypeSet = uint32_t;
constexpr TypeSet setOf(ElementType type) { return 1u << int(type); }
constexpr TypeSet kFP8 = setOf(ElementType::E4M3) | setOf(ElementType::E5M2);
constexpr TypeSet kInt8 = setOf(ElementType::S8) | setOf(ElementType::U8);
constexpr TypeSet kF32 = setOf(ElementType::F32);
constexpr TypeSet kHalfOrF32 = setOf(ElementType::F16) | kF32;

/// A and B are of `types`; of the same one unless `isMixed`.
struct Row {
  TypeSet types;
  bool isMixed;
  TypeSet accumulators;
  uint16_t k;
  const char *text;
};
constexpr Row kRows[] = {
    {setOf(ElementType::F16), false, kHalfOrF32, 16, "f16 (k16)"},
    {setOf(ElementType::BF16), false, kF32, 16, "bf16 (k16)"},
    {setOf(ElementType::TF32), false, kF32, 8, "tf32 (k8)"},
    {kFP8, true, kHalfOrF32, 32, "e4m3, e5m2 (k32)"},
    {kInt8, true, setOf(ElementType::S32), 32, "s8, u8 (k32)"},
    {setOf(ElementType::B1), false, setOf(ElementType::S32), 256, "b1 (k256)"},
};
} // namespace

/// Integers have every multiple of 8 up to 24 columns, then of 16.
static bool hasColumns(int n, bool isInteger) {
  return n >= 8 && n <= 256 && n % 8 == 0 &&
         (!isInteger || n <= 24 || n % 16 == 0);
}

Status ptx::checkWarpgroupDescriptor(const WarpgroupDescriptor &descriptor) {
  const bool isInteger = descriptor.d == ElementType::S32;
  for (const Row &row : kRows) {
    if (!(row.types & setOf(descriptor.a)) ||
        !(row.types & setOf(descriptor.b)) ||
        (!row.isMixed && descriptor.a != descriptor.b) ||
        !(row.accumulators & setOf(descriptor.d)))
      continue;
    if (descriptor.shape.m != 64 || descriptor.shape.k != row.k ||
        !hasColumns(descriptor.shape.n, isInteger))
      return Status::error(
          "expected shape m64nNk" + std::to_string(row.k) +
          (isInteger ? " with N of 8, 16, 24 or a multiple of 16 up to 256"
                     : " with N a multiple of 8 up to 256") +
          ", but got m" + std::to_string(descriptor.shape.m) + "n" +
          std::to_string(descriptor.shape.n) + "k" +
          std::to_string(descriptor.shape.k));
    return Status();
  }
  std::string known;
  for (const Row &row : kRows)
    known += (known.empty() ? "" : ", ") + std::string(row.text);
  return Status::error(
      "expected A and B of one of " + known + ", with D of f32, f16 (of f16 " +
      "and fp8) or s32, but got D of " +
      std::string(stringifyElementType(descriptor.d)) + ", A of " +
      std::string(stringifyElementType(descriptor.a)) + " and B of " +
      std::string(stringifyElementType(descriptor.b)));
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// How warpgroup instructions of Hopper add.
static FusedRule getFusedRule(const WarpgroupDescriptor &descriptor) {
  FusedRule rule = {25, descriptor.shape.k};
  if (getFloatFormat(descriptor.a).containerBits == 8) {
    rule.fractionBits = 13;
    rule.resultBits = 14;
  }
  return rule;
}

static void multiplyFloats(const WarpgroupDescriptor &descriptor, MmaMode mode,
                           const WarpgroupPanels &panels) {
  const FloatProduct product = {descriptor.a,
                                descriptor.b,
                                descriptor.isF16(),
                                panels.rowPanels,
                                descriptor.shape.k,
                                panels.a,
                                panels.b,
                                nullptr,
                                nullptr,
                                nullptr,
                                panels.c,
                                panels.d,
                                descriptor.getColPanels()};
  if (mode.accumulation == Accumulation::Exact)
    multiplyExact(product);
  else
    multiplyFused(product, getFusedRule(descriptor));
}

void ptx::multiplyWarpgroup(const WarpgroupDescriptor &descriptor, MmaMode mode,
                            const WarpgroupPanels &panels) {
  if (isFloatOperand(descriptor.a))
    return multiplyFloats(descriptor, mode, panels);
  const int elements = panels.rowPanels * kPanelLines * kPanelLines;
  for (int col = 0; col < descriptor.getColPanels(); ++col) {
    const uint32_t *b = panels.b + col * kLineWords * kPanelLines;
    const uint32_t *c = panels.c + col * elements;
    uint32_t *d = panels.d + col * elements;
    if (descriptor.a == ElementType::B1)
      multiplyBits({/*isAnd=*/true, panels.rowPanels, descriptor.shape.k,
                    panels.a, b, c, d});
    else
      multiplyIntegers({descriptor.a, descriptor.b, descriptor.satfinite,
                        panels.rowPanels, descriptor.shape.k, panels.a, b, c,
                        d});
  }
}

//===----------------------------------------------------------------------===//
// Undefined bits
//===----------------------------------------------------------------------===//

/// Bits of a word of A or B that matter.
static uint32_t getUsedBits(ElementType type) {
  return type == ElementType::TF32 ? 0xFFFFE000 : ~0u;
}

/// The bytes (or, of b1, bits) of a word that are zero for certain.
static uint32_t findZeros(ElementType type, uint32_t word, uint32_t undefined) {
  word |= undefined;
  if (type == ElementType::B1)
    return ~word;
  uint32_t zeros = 0;
  for (unsigned shift = 0; shift < 32; shift += 8)
    if (!(word >> shift & 0xFF))
      zeros |= 0xFFu << shift;
  return zeros;
}

/// Whether undefined bits reach the product of a line of A and one of B.
static bool isReached(const WarpgroupDescriptor &descriptor, const uint32_t *a,
                      const uint32_t *b, const uint32_t *undefinedA,
                      const uint32_t *undefinedB) {
  const bool zeroStops = !isFloatOperand(descriptor.a);
  const uint32_t used = getUsedBits(descriptor.a);
  uint32_t any = 0;
  for (int i = 0; i < kLineWords * kPanelLines; i += kPanelLines) {
    uint32_t fromA = undefinedA[i] & used, fromB = undefinedB[i] & used;
    if (zeroStops) {
      fromA &= ~findZeros(descriptor.b, b[i], undefinedB[i]);
      fromB &= ~findZeros(descriptor.a, a[i], undefinedA[i]);
    }
    any |= fromA | fromB;
  }
  return any != 0;
}

void ptx::taintWarpgroup(const WarpgroupDescriptor &descriptor,
                         const WarpgroupPanels &panels,
                         const WarpgroupUndefined &undefined) {
  const int rows = panels.rowPanels * kPanelLines;
  const int panelWords = kLineWords * kPanelLines;
  for (int col = 0; col < descriptor.shape.n; ++col)
    for (int row = 0; row < rows; ++row) {
      const int a = row / kPanelLines * panelWords + row % kPanelLines;
      const int b = col / kPanelLines * panelWords + col % kPanelLines;
      const int place =
          (col / kPanelLines * rows + row) * kPanelLines + col % kPanelLines;
      const bool isReachedByC = undefined.c && undefined.c[place];
      undefined.d[place] =
          isReachedByC || isReached(descriptor, panels.a + a, panels.b + b,
                                    undefined.a + a, undefined.b + b)
              ? ~0u
              : 0;
    }
}

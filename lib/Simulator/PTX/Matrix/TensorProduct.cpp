//===- TensorProduct.cpp - Products in tensor memory ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorProduct.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace nvfp4;
using namespace nvfp4::ptx;

//===----------------------------------------------------------------------===//
// What exists
//===----------------------------------------------------------------------===//

namespace {
constexpr int kInvalid = -1;

/// A kind of product.
struct KindFacts {
  /// By code in the instruction descriptor; kInvalid: none.
  int types[6];
  int results[3];
  /// Bits that must be zero.
  uint32_t reserved;
  bool hasTransposition, hasNegation;
  const char *text;
};
constexpr int code(ElementType type) { return int(type); }
constexpr int kNone = kInvalid;
constexpr int kF16 = code(ElementType::F16), kBF16 = code(ElementType::BF16),
              kF32 = code(ElementType::F32), kTF32 = code(ElementType::TF32),
              kS32 = code(ElementType::S32), kU8 = code(ElementType::U8),
              kS8 = code(ElementType::S8), kE4M3 = code(ElementType::E4M3),
              kE5M2 = code(ElementType::E5M2), kE2M3 = code(ElementType::E2M3),
              kE3M2 = code(ElementType::E3M2), kE2M1 = code(ElementType::E2M1);
constexpr uint32_t kPlainReserved = 0xE080004F, kIntegerReserved = 0xE0806047;

/// In the order of TensorKind.
constexpr KindFacts kKinds[] = {
    {{kF16, kBF16, kNone, kNone, kNone, kNone},
     {kF16, kF32, kNone},
     kPlainReserved,
     true,
     true,
     "D of f32 or f16, A and B of f16 or bf16"},
    {{kNone, kNone, kTF32, kNone, kNone, kNone},
     {kNone, kF32, kNone},
     kPlainReserved,
     true,
     true,
     "D of f32, A and B of tf32"},
    {{kE4M3, kE5M2, kNone, kE2M3, kE3M2, kE2M1},
     {kF16, kF32, kNone},
     kPlainReserved,
     true,
     true,
     "D of f32 or f16, A and B of e4m3, e5m2, e2m3, e3m2 or e2m1"},
    {{kU8, kS8, kNone, kNone, kNone, kNone},
     {kNone, kNone, kS32},
     kIntegerReserved,
     true,
     false,
     "D of s32, A and B of u8 or s8"},
    {{kE4M3, kE5M2, kNone, kE2M3, kE3M2, kE2M1},
     {kF32, kF32, kF32},
     0x8700004F,
     true,
     true,
     "A and B of e4m3, e5m2, e2m3, e3m2 or e2m1, scales of ue8m0"},
    {{kNone, kE2M1, kNone, kNone, kNone, kNone},
     {kF32, kF32, kF32},
     0x0700104F,
     false,
     true,
     "A and B of e2m1, scales of ue8m0"},
    {{kNone, kE2M1, kNone, kNone, kNone, kNone},
     {kF32, kF32, kF32},
     0x0700104F,
     false,
     true,
     "A and B of e2m1, scales of ue8m0 or, for blocks of 16, ue4m3"},
};

/// The fields of the 32 bits.
struct Fields {
  uint32_t bits;
  uint32_t get(unsigned shift, unsigned width) const {
    return bits >> shift & ((1u << width) - 1);
  }
};
} // namespace

static std::string toHex(uint32_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (; value; value >>= 4)
    text.insert(text.begin(), kDigits[value & 15]);
  return "0x" + (text.empty() ? "0" : text);
}

static Status checkShape(const TensorDescriptor &descriptor) {
  const bool isScaled = isBlockScaled(descriptor.kind);
  const bool isPair = descriptor.ctas == 2;
  const int m = descriptor.m, n = descriptor.n;
  const bool hasRows = m == 128 || (isPair ? m == 256 : m == 64 && !isScaled);
  // Rows of M = 128 in one CTA: CUTLASS wants steps of 16 without scales.
  int step = isPair || (!isScaled && m == 128) ? 16 : 8;
  if (descriptor.kind == TensorKind::I8)
    step = isPair ? 32 : n <= 32 ? 8 : 16;
  if (descriptor.transposesB && getElementBytes(descriptor.b) == 1)
    step = std::max(step, isPair ? 32 : 16);
  if (hasRows && n >= step && n <= 256 && n % step == 0)
    return Status();
  return Status::error(std::string("expected M of ") +
                       (isPair     ? "128 or 256"
                        : isScaled ? "128"
                                   : "64 or 128") +
                       " and N a multiple of " + std::to_string(step) +
                       " up to 256 in an instruction descriptor, but got M = " +
                       std::to_string(m) + ", N = " + std::to_string(n));
}

static bool isNarrow(ElementType type) {
  return type == ElementType::E2M1 || type == ElementType::E2M3 ||
         type == ElementType::E3M2;
}

static Status checkTypes(const TensorDescriptor &descriptor,
                         const KindFacts &facts) {
  const TensorDescriptor &d = descriptor;
  bool isGood = d.d != ElementType::F16 || d.kind != TensorKind::F16 ||
                (d.a == ElementType::F16 && d.b == ElementType::F16);
  if (!isGood)
    return Status::error("expected A and B of f16 for D of f16 in an "
                         "instruction descriptor");
  if (!facts.hasTransposition && (d.transposesA || d.transposesB))
    return Status::error("expected no transposition of packed e2m1 in an "
                         "instruction descriptor");
  if ((d.transposesA && isNarrow(d.a)) || (d.transposesB && isNarrow(d.b)))
    return Status::error("expected no transposition of elements of less than "
                         "8 bits in an instruction descriptor");
  return Status();
}

/// Scale types and ids.
static Status decodeScales(Fields fields, TensorDescriptor &descriptor) {
  descriptor.scaleType =
      fields.get(23, 1) ? ScaleType::UE8M0 : ScaleType::UE4M3;
  descriptor.scaleIdA = fields.get(29, 2);
  descriptor.scaleIdB = fields.get(4, 2);
  if (descriptor.scaleType == ScaleType::UE4M3 && descriptor.scalesPerLine != 4)
    return Status::error("expected scales of ue8m0 for blocks of 32 in an "
                         "instruction descriptor");
  const unsigned ids = descriptor.scaleIdA | descriptor.scaleIdB;
  if (ids % unsigned(descriptor.scalesPerLine) == 0)
    return Status();
  return Status::error(std::string("expected scale ids ") +
                       (descriptor.scalesPerLine == 4 ? "0" : "0 or 2") +
                       " in an instruction descriptor, but got " +
                       std::to_string(descriptor.scaleIdA) + " and " +
                       std::to_string(descriptor.scaleIdB));
}

Status ptx::decodeTensorDescriptor(uint32_t bits,
                                   TensorDescriptor &descriptor) {
  const Fields fields = {bits};
  const KindFacts &facts = kKinds[int(descriptor.kind)];
  const bool isScaled = isBlockScaled(descriptor.kind);
  if (bits & facts.reserved)
    return Status::error("expected zeros in the reserved bits of an "
                         "instruction descriptor, and a dense product, but "
                         "got " +
                         toHex(bits & facts.reserved));
  const bool isPacked = isScaled && descriptor.kind != TensorKind::MXF8F6F4;
  const uint32_t codeA = fields.get(7, 3), codeB = fields.get(10, 3);
  const uint32_t codeD = isScaled ? 0 : fields.get(4, 2);
  const int a = codeA < 6 ? facts.types[codeA] : kNone;
  const int b = codeB < 6 ? facts.types[codeB] : kNone;
  const int d = codeD < 3 ? facts.results[codeD] : kNone;
  if (a == kNone || b == kNone || d == kNone)
    return Status::error(std::string("expected ") + facts.text +
                         " in an instruction descriptor, but got type codes " +
                         std::to_string(codeD) + ", " + std::to_string(codeA) +
                         " and " + std::to_string(codeB));
  if (isPacked && fields.get(31, 1))
    return Status::error("expected K = 64 in an instruction descriptor, the "
                         "one that the simulator knows");
  descriptor.a = ElementType(a), descriptor.b = ElementType(b);
  descriptor.d = ElementType(d);
  descriptor.n = int(fields.get(17, 6)) * 8;
  descriptor.m =
      isScaled ? int(fields.get(27, 2)) * 128 : int(fields.get(24, 5)) * 16;
  descriptor.negatesA = fields.get(13, 1);
  descriptor.negatesB = fields.get(14, 1);
  descriptor.transposesA = fields.get(15, 1);
  descriptor.transposesB = fields.get(16, 1);
  descriptor.saturates = !isScaled && fields.get(3, 1);
  if (Status status = checkShape(descriptor); !status)
    return status;
  if (Status status = checkTypes(descriptor, facts); !status)
    return status;
  if (!isScaled)
    return Status();
  if (descriptor.kind != TensorKind::MXF4NVF4 && !fields.get(23, 1))
    return Status::error("expected scales of ue8m0 in an instruction "
                         "descriptor, but got ue4m3");
  return decodeScales(fields, descriptor);
}

int ptx::getElementBytes(ElementType type) {
  return isFloatOperand(type) ? getFloatFormat(type).containerBits / 8 : 1;
}

//===----------------------------------------------------------------------===//
// Packed elements
//===----------------------------------------------------------------------===//

/// Element i of a chunk, as it lies in its byte.
static uint8_t unpack(ElementType type, const uint8_t *packed, int i) {
  if (type == ElementType::E2M1)
    return uint8_t((packed[i / 2] >> i % 2 * 4 & 15) << 2);
  const int bit = 6 * i;
  const unsigned word = packed[bit / 8] | unsigned(packed[bit / 8 + 1]) << 8;
  return uint8_t(word >> bit % 8 & 63);
}

void ptx::unpackChunk(ElementType type, const uint8_t *packed, uint8_t *bytes) {
  for (int i = 0; i < kChunkBytes; ++i)
    bytes[i] = unpack(type, packed, i);
}

//===----------------------------------------------------------------------===//
// Undefined bits
//===----------------------------------------------------------------------===//

namespace {
/// Lines as panels.
struct Panels {
  std::vector<uint32_t> a, b;
};

/// Which quarters of K of a line are undefined, and which are harmless.
struct Quarters {
  uint8_t undefined = 0, zero = 0;
};
} // namespace

/// A scale of zero makes undefined elements harmless: e2m1 has no NaN.
static std::vector<Quarters> findQuarters(const TensorDescriptor &descriptor,
                                          const TensorLines &lines) {
  std::vector<Quarters> quarters(lines.scales.size());
  const bool isE4M3 = descriptor.scaleType == ScaleType::UE4M3;
  const uint32_t significant = isE4M3 ? 0x7F : 0xFF;
  for (size_t line = 0; line < quarters.size(); ++line) {
    Quarters &result = quarters[line];
    const uint32_t unknown =
        lines.undefinedScales.empty() ? 0 : lines.undefinedScales[line];
    for (int quarter = 0; quarter < 4; ++quarter) {
      const bool isUnknown = unknown >> 8 * quarter & significant;
      const bool isZero =
          isE4M3 && !isUnknown && !(lines.scales[line] >> 8 * quarter & 0x7F);
      result.zero |= uint8_t(isZero << quarter);
      result.undefined |= uint8_t(isUnknown << quarter);
    }
    for (int word = 0; word < kLineWords && !lines.undefined.empty(); ++word)
      if (lines.undefined[line * kLineWords + word])
        result.undefined |= uint8_t(1 << word / 2) & uint8_t(~result.zero);
  }
  return quarters;
}

static void taintScaled(const TensorDescriptor &descriptor,
                        const TensorLines &a, const TensorLines &b,
                        std::vector<uint32_t> &undefined) {
  const auto quartersA = findQuarters(descriptor, a);
  const auto quartersB = findQuarters(descriptor, b);
  for (int column = 0; column < descriptor.n; ++column)
    for (int row = 0; row < descriptor.getRowsPerCta(); ++row) {
      const Quarters &ours = quartersA[size_t(row)];
      const Quarters &theirs = quartersB[size_t(column)];
      const bool isReached =
          (ours.undefined & ~theirs.zero) | (theirs.undefined & ~ours.zero);
      const int first = column / kPanelLines * kPanelLines;
      const int place =
          getSlicePlace(descriptor.n, row, first) + column - first;
      uint32_t &bits = undefined[size_t(place)];
      bits = bits || isReached ? ~0u : 0;
    }
}

static void taintPlain(const TensorDescriptor &descriptor, const TensorLines &a,
                       const TensorLines &b, const Panels &panels,
                       std::vector<uint32_t> &undefined) {
  std::vector<uint32_t> masksA(panels.a.size()), masksB(panels.b.size());
  if (!a.undefined.empty())
    makeRowPanels(a.undefined.data(), descriptor.getRowsPerCta() / kPanelLines,
                  masksA.data());
  if (!b.undefined.empty())
    makeRowPanels(b.undefined.data(), descriptor.n / kPanelLines,
                  masksB.data());
  WarpgroupDescriptor plain;
  plain.shape = {kSliceRows, uint16_t(descriptor.n), 0};
  plain.a = descriptor.a, plain.b = descriptor.b, plain.d = descriptor.d;
  const std::vector<uint32_t> c = undefined;
  for (int row = 0; row < descriptor.getRowsPerCta(); row += kSliceRows) {
    const int place = getSlicePlace(descriptor.n, row, 0);
    const int words = row * kLineWords;
    taintWarpgroup(plain,
                   {kMaxRowPanels, &panels.a[size_t(words)], panels.b.data(),
                    nullptr, nullptr},
                   {&masksA[size_t(words)], masksB.data(), &c[size_t(place)],
                    &undefined[size_t(place)]});
  }
}

static bool isUndefined(const TensorLines &lines) {
  return !lines.undefined.empty() || !lines.undefinedScales.empty();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

static float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// Flips the signs of a line's elements.
static uint32_t getSigns(TensorKind kind, ElementType type) {
  if (kind >= TensorKind::MXF4)
    return 0x88888888;
  const FloatFormat &format = getFloatFormat(type);
  uint32_t signs = 0;
  for (unsigned first = 0; first < 32; first += format.containerBits)
    signs |= 1u << (first + format.signBit);
  return signs;
}

static void negate(TensorKind kind, ElementType type, TensorLines &lines) {
  const uint32_t signs = getSigns(kind, type);
  for (uint32_t &word : lines.values)
    word ^= signs;
}

/// The four codes of a line's quarters of K, from its cell; undefined bits move
/// with them.
static void spreadScales(const TensorDescriptor &descriptor, unsigned id,
                         std::vector<uint32_t> &cells) {
  for (uint32_t &cell : cells) {
    cell >>= 8 * id;
    if (descriptor.scalesPerLine == 1)
      cell = (cell & 0xFF) * 0x01010101;
    else if (descriptor.scalesPerLine == 2)
      cell = (cell & 0xFF) * 0x0101 | (cell >> 8 & 0xFF) * 0x01010000;
  }
}

namespace {
/// What one slice of D is made of.
struct Slice {
  const TensorDescriptor &descriptor;
  Accumulation accumulation;
  const uint32_t *a, *b;
  /// Of the slice, and of all columns; null: none.
  const uint32_t *scalesA, *scalesB;
  const uint32_t *c;
  uint32_t *d;

  int getColPanels() const { return descriptor.n / kPanelLines; }
  void multiplyPacked() const;
  void multiplyFloats() const;
  void multiplyScaledBytes() const;
  void multiplyBytes() const;
};
} // namespace

void Slice::multiplyPacked() const {
  const BlockScaledProduct product = {
      descriptor.scaleType, kMaxRowPanels, 64, a, b, scalesA, scalesB, c, d,
      getColPanels()};
  if (accumulation == Accumulation::Exact)
    multiplyBlockScaledExact(product);
  else
    multiplyBlockScaledFused(product);
}

static void multiply(const FloatProduct &product, Accumulation accumulation) {
  if (accumulation == Accumulation::Exact)
    multiplyExact(product);
  else
    multiplyFused(product, {/*fractionBits=*/25, product.k});
}

void Slice::multiplyFloats() const {
  const int k = kLineWords * 4 / getElementBytes(descriptor.a);
  multiply({descriptor.a, descriptor.b, descriptor.d == ElementType::F16,
            kMaxRowPanels, k, a, b, nullptr, nullptr, nullptr, c, d,
            getColPanels()},
           accumulation);
}

/// Scales come with one panel of B at a time.
void Slice::multiplyScaledBytes() const {
  uint8_t codesA[kSliceRows], codesB[kPanelLines];
  std::copy_n(scalesA, kSliceRows, codesA);
  for (int col = 0; col < getColPanels(); ++col) {
    std::copy_n(scalesB + col * kPanelLines, kPanelLines, codesB);
    const int place = col * kPanelLines * kSliceRows;
    multiply({descriptor.a, descriptor.b, false, kMaxRowPanels, kLineWords * 4,
              a, b + col * kLineWords * kPanelLines, codesA, codesB, nullptr,
              c + place, d + place},
             accumulation);
  }
}

void Slice::multiplyBytes() const {
  for (int col = 0; col < getColPanels(); ++col) {
    const int place = col * kPanelLines * kSliceRows;
    multiplyIntegers({descriptor.a, descriptor.b, descriptor.saturates,
                      kMaxRowPanels, kLineWords * 4, a,
                      b + col * kLineWords * kPanelLines, c + place,
                      d + place});
  }
}

/// C as the cores want it: f32, or s32.
static void prepareC(const TensorDescriptor &descriptor,
                     std::vector<uint32_t> &c) {
  if (descriptor.d == ElementType::F16)
    for (uint32_t &word : c)
      word = bitsOf(decodeElement(getFloatFormat(ElementType::F16), word));
  if (descriptor.shiftOfC)
    for (uint32_t &word : c)
      word = bitsOf(std::ldexp(floatOf(word), -descriptor.shiftOfC));
}

void ptx::multiplyTensor(const TensorDescriptor &descriptor,
                         Accumulation accumulation, TensorLines a,
                         TensorLines b, std::vector<uint32_t> c,
                         std::vector<uint32_t> &d,
                         std::vector<uint32_t> &undefined) {
  if (descriptor.negatesA)
    negate(descriptor.kind, descriptor.a, a);
  if (descriptor.negatesB)
    negate(descriptor.kind, descriptor.b, b);
  for (auto *cells : {&a.scales, &a.undefinedScales})
    spreadScales(descriptor, descriptor.scaleIdA, *cells);
  for (auto *cells : {&b.scales, &b.undefinedScales})
    spreadScales(descriptor, descriptor.scaleIdB, *cells);
  prepareC(descriptor, c);
  Panels panels = {std::vector<uint32_t>(a.values.size()),
                   std::vector<uint32_t>(b.values.size())};
  makeRowPanels(a.values.data(), descriptor.getRowsPerCta() / kPanelLines,
                panels.a.data());
  makeRowPanels(b.values.data(), descriptor.n / kPanelLines, panels.b.data());
  for (int row = 0; row < descriptor.getRowsPerCta(); row += kSliceRows) {
    const int place = getSlicePlace(descriptor.n, row, 0);
    const Slice slice = {descriptor,
                         accumulation,
                         &panels.a[size_t(row) * kLineWords],
                         panels.b.data(),
                         a.scales.empty() ? nullptr : &a.scales[size_t(row)],
                         b.scales.data(),
                         &c[size_t(place)],
                         &d[size_t(place)]};
    if (descriptor.kind >= TensorKind::MXF4)
      slice.multiplyPacked();
    else if (descriptor.kind == TensorKind::MXF8F6F4)
      slice.multiplyScaledBytes();
    else if (descriptor.kind == TensorKind::I8)
      slice.multiplyBytes();
    else
      slice.multiplyFloats();
  }
  if (undefined.empty() && !isUndefined(a) && !isUndefined(b))
    return;
  undefined.resize(d.size());
  if (isBlockScaled(descriptor.kind))
    taintScaled(descriptor, a, b, undefined);
  else
    taintPlain(descriptor, a, b, panels, undefined);
}

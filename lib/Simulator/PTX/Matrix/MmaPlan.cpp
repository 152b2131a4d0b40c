//===- MmaPlan.cpp - Which matrix instructions exist ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row per group of legal instructions. A descriptor is compared with the
// rows one quality at a time, so that an error can name what the last quality
// that fits still allows.
//
// Sources: PTX ISA 9.7.14.2, .3, .5 and .6 (shapes, block scaling, dense and
// sparse forms).
//
//===----------------------------------------------------------------------===//

#include "Mma.h"

#include <algorithm>
#include <vector>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

using TypeSet = uint32_t;

template <typename... Types> constexpr TypeSet setOf(Types... types) {
  return ((1u << int(types)) | ...);
}

constexpr TypeSet kFP8 = setOf(ElementType::E4M3, ElementType::E5M2);
constexpr TypeSet kF8F6F4 =
    setOf(ElementType::E4M3, ElementType::E5M2, ElementType::E3M2,
          ElementType::E2M3, ElementType::E2M1);
constexpr TypeSet kInt8 = setOf(ElementType::S8, ElementType::U8);
constexpr TypeSet kInt4 = setOf(ElementType::S4, ElementType::U4);

/// Which D and C an instruction takes.
enum class Accumulators : uint8_t {
  F64,
  S32,
  F32,
  F16OrF32, ///< Both the same.
};

struct Row {
  MmaKind kind;
  bool isSparse;
  TypeSet types;
  MatrixShape shape;
  Accumulators accumulators;
  ScaleType scaleType = ScaleType::None;
  uint8_t scaleVec = 0;
};

constexpr MmaKind kPlain = MmaKind::Plain;
constexpr ScaleType kUE4M3 = ScaleType::UE4M3, kUE8M0 = ScaleType::UE8M0;

constexpr Row kRows[] = {
    {kPlain, false, setOf(ElementType::F64), {8, 8, 4}, Accumulators::F64},
    {kPlain, false, setOf(ElementType::F64), {16, 8, 4}, Accumulators::F64},
    {kPlain, false, setOf(ElementType::F64), {16, 8, 8}, Accumulators::F64},
    {kPlain, false, setOf(ElementType::F64), {16, 8, 16}, Accumulators::F64},
    {kPlain,
     false,
     setOf(ElementType::F16),
     {16, 8, 8},
     Accumulators::F16OrF32},
    {kPlain,
     false,
     setOf(ElementType::F16),
     {16, 8, 16},
     Accumulators::F16OrF32},
    {kPlain, false, setOf(ElementType::BF16), {16, 8, 8}, Accumulators::F32},
    {kPlain, false, setOf(ElementType::BF16), {16, 8, 16}, Accumulators::F32},
    {kPlain, false, setOf(ElementType::TF32), {16, 8, 4}, Accumulators::F32},
    {kPlain, false, setOf(ElementType::TF32), {16, 8, 8}, Accumulators::F32},
    {kPlain, false, kFP8, {16, 8, 16}, Accumulators::F16OrF32},
    {kPlain, false, kFP8, {16, 8, 32}, Accumulators::F16OrF32},
    {kPlain, false, kInt8, {8, 8, 16}, Accumulators::S32},
    {kPlain, false, kInt8, {16, 8, 16}, Accumulators::S32},
    {kPlain, false, kInt8, {16, 8, 32}, Accumulators::S32},
    {kPlain, false, kInt4, {8, 8, 32}, Accumulators::S32},
    {kPlain, false, kInt4, {16, 8, 32}, Accumulators::S32},
    {kPlain, false, kInt4, {16, 8, 64}, Accumulators::S32},
    {kPlain, false, setOf(ElementType::B1), {8, 8, 128}, Accumulators::S32},
    {kPlain, false, setOf(ElementType::B1), {16, 8, 128}, Accumulators::S32},
    {kPlain, false, setOf(ElementType::B1), {16, 8, 256}, Accumulators::S32},
    {MmaKind::F8F6F4, false, kF8F6F4, {16, 8, 32}, Accumulators::F16OrF32},
    {MmaKind::MXF8F6F4,
     false,
     kF8F6F4,
     {16, 8, 32},
     Accumulators::F32,
     kUE8M0,
     1},
    {MmaKind::MXF4,
     false,
     setOf(ElementType::E2M1),
     {16, 8, 64},
     Accumulators::F32,
     kUE8M0,
     2},
    {MmaKind::MXF4NVF4,
     false,
     setOf(ElementType::E2M1),
     {16, 8, 64},
     Accumulators::F32,
     kUE8M0,
     2},
    {MmaKind::MXF4NVF4,
     false,
     setOf(ElementType::E2M1),
     {16, 8, 64},
     Accumulators::F32,
     kUE4M3,
     4},
    {MmaKind::MXF4NVF4,
     false,
     setOf(ElementType::E2M1),
     {16, 8, 64},
     Accumulators::F32,
     kUE8M0,
     4},
    {kPlain,
     true,
     setOf(ElementType::F16),
     {16, 8, 16},
     Accumulators::F16OrF32},
    {kPlain,
     true,
     setOf(ElementType::F16),
     {16, 8, 32},
     Accumulators::F16OrF32},
    {kPlain, true, setOf(ElementType::BF16), {16, 8, 16}, Accumulators::F32},
    {kPlain, true, setOf(ElementType::BF16), {16, 8, 32}, Accumulators::F32},
    {kPlain, true, setOf(ElementType::TF32), {16, 8, 8}, Accumulators::F32},
    {kPlain, true, setOf(ElementType::TF32), {16, 8, 16}, Accumulators::F32},
    {kPlain, true, kFP8, {16, 8, 64}, Accumulators::F16OrF32},
    {kPlain, true, kInt8, {16, 8, 32}, Accumulators::S32},
    {kPlain, true, kInt8, {16, 8, 64}, Accumulators::S32},
    {kPlain, true, kInt4, {16, 8, 64}, Accumulators::S32},
    {kPlain, true, kInt4, {16, 8, 128}, Accumulators::S32},
    {MmaKind::F8F6F4, true, kF8F6F4, {16, 8, 64}, Accumulators::F16OrF32},
    {MmaKind::MXF8F6F4,
     true,
     kF8F6F4,
     {16, 8, 64},
     Accumulators::F32,
     kUE8M0,
     1},
    {MmaKind::MXF4,
     true,
     setOf(ElementType::E2M1),
     {16, 8, 128},
     Accumulators::F32,
     kUE8M0,
     2},
    {MmaKind::MXF4NVF4,
     true,
     setOf(ElementType::E2M1),
     {16, 8, 128},
     Accumulators::F32,
     kUE8M0,
     2},
    {MmaKind::MXF4NVF4,
     true,
     setOf(ElementType::E2M1),
     {16, 8, 128},
     Accumulators::F32,
     kUE4M3,
     4},
    {MmaKind::MXF4NVF4,
     true,
     setOf(ElementType::E2M1),
     {16, 8, 128},
     Accumulators::F32,
     kUE8M0,
     4},
};

} // namespace

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static std::string stringifyShape(MatrixShape shape) {
  return "m" + std::to_string(shape.m) + "n" + std::to_string(shape.n) + "k" +
         std::to_string(shape.k);
}

static std::string stringifyTypes(TypeSet types) {
  std::string text;
  for (int type = 0; type < kNumElementTypes; ++type)
    if (types >> type & 1) {
      text += text.empty() ? "" : "/";
      text += stringifyElementType(ElementType(type));
    }
  return text;
}

static std::string stringifyKind(MmaKind kind, bool isSparse) {
  constexpr const char *names[] = {"mma without a kind", "kind::f8f6f4",
                                   "kind::mxf8f6f4", "kind::mxf4",
                                   "kind::mxf4nvf4"};
  return (isSparse ? "sparse " : "") + std::string(names[int(kind)]);
}

static std::string stringifyAccumulators(Accumulators accumulators) {
  switch (accumulators) {
  case Accumulators::F64:
    return "f64";
  case Accumulators::S32:
    return "s32";
  case Accumulators::F32:
    return "f32";
  case Accumulators::F16OrF32:
    return "f16 or f32, D and C alike";
  }
}

static std::string stringifyScales(ScaleType type, int scaleVec) {
  if (type == ScaleType::None && scaleVec == 0)
    return "no block scales";
  constexpr const char *names[] = {"no scale type", "ue4m3", "ue8m0"};
  return "scale_vec::" + std::to_string(scaleVec) + "X with " +
         names[int(type)];
}

//===----------------------------------------------------------------------===//
// Qualities that decide whether an instruction exists
//===----------------------------------------------------------------------===//

static bool acceptsAccumulators(Accumulators accumulators,
                                const MmaDescriptor &descriptor) {
  const bool isSame = descriptor.c == descriptor.d;
  const bool isF32 = isSame && descriptor.d == ElementType::F32;
  switch (accumulators) {
  case Accumulators::F64:
    return isSame && descriptor.d == ElementType::F64;
  case Accumulators::S32:
    return isSame && descriptor.d == ElementType::S32;
  case Accumulators::F32:
    return isF32;
  case Accumulators::F16OrF32:
    return isF32 || (isSame && descriptor.d == ElementType::F16);
  }
}

namespace {
/// One quality of an instruction.
struct Quality {
  bool (*fits)(const Row &, const MmaDescriptor &);
  std::string (*ofRow)(const Row &);
  std::string (*ofDescriptor)(const MmaDescriptor &);
};

constexpr Quality kQualities[] = {
    {[](const Row &row, const MmaDescriptor &descriptor) {
       return row.kind == descriptor.kind &&
              row.isSparse == (descriptor.sparsity != Sparsity::Dense);
     },
     [](const Row &row) { return stringifyKind(row.kind, row.isSparse); },
     [](const MmaDescriptor &descriptor) {
       return stringifyKind(descriptor.kind,
                            descriptor.sparsity != Sparsity::Dense);
     }},
    {[](const Row &row, const MmaDescriptor &descriptor) {
       return (row.types >> int(descriptor.a) & 1) &&
              (row.types >> int(descriptor.b) & 1);
     },
     [](const Row &row) { return "A and B of " + stringifyTypes(row.types); },
     [](const MmaDescriptor &descriptor) {
       return "A of " + std::string(stringifyElementType(descriptor.a)) +
              " and B of " + std::string(stringifyElementType(descriptor.b));
     }},
    {[](const Row &row, const MmaDescriptor &descriptor) {
       return row.shape == descriptor.shape;
     },
     [](const Row &row) { return "shape " + stringifyShape(row.shape); },
     [](const MmaDescriptor &descriptor) {
       return stringifyShape(descriptor.shape);
     }},
    {[](const Row &row, const MmaDescriptor &descriptor) {
       return acceptsAccumulators(row.accumulators, descriptor);
     },
     [](const Row &row) {
       return "accumulators of " + stringifyAccumulators(row.accumulators);
     },
     [](const MmaDescriptor &descriptor) {
       return "D of " + std::string(stringifyElementType(descriptor.d)) +
              " and C of " + std::string(stringifyElementType(descriptor.c));
     }},
    {[](const Row &row, const MmaDescriptor &descriptor) {
       return row.scaleType == descriptor.scaleType &&
              row.scaleVec == descriptor.scaleVec;
     },
     [](const Row &row) {
       return stringifyScales(row.scaleType, row.scaleVec);
     },
     [](const MmaDescriptor &descriptor) {
       return stringifyScales(descriptor.scaleType, descriptor.scaleVec);
     }},
};
} // namespace

/// What no row needs to say, because it follows from the types and the shape.
static Status checkModifiers(const MmaDescriptor &descriptor) {
  const bool isInteger =
      descriptor.d == ElementType::S32 && descriptor.a != ElementType::B1;
  if (descriptor.satfinite && !isInteger)
    return Status::error("mma: expected .satfinite with integer elements only, "
                         "but got elements of " +
                         std::string(stringifyElementType(descriptor.a)));
  const bool hasOperation = descriptor.bitOperation != BitOperation::None;
  if (hasOperation != (descriptor.a == ElementType::B1))
    return Status::error(
        std::string("mma: expected .xor.popc or .and.popc exactly with b1 "
                    "elements, but got ") +
        (hasOperation ? "one with " : "neither with ") + "elements of " +
        std::string(stringifyElementType(descriptor.a)));
  if (descriptor.kind != MmaKind::Plain &&
      descriptor.sparsity == Sparsity::Plain)
    return Status::error("mma: expected ::ordered_metadata with a sparse kind, "
                         "but got .sp without it");
  if (descriptor.layoutA != MatrixLayout::Row ||
      descriptor.layoutB != MatrixLayout::Col)
    return Status::error(
        "mma: expected layouts .row.col, but got " +
        std::string(descriptor.layoutA == MatrixLayout::Row ? ".row" : ".col") +
        (descriptor.layoutB == MatrixLayout::Row ? ".row" : ".col"));
  return Status();
}

/// The different texts of `rows` for a quality: "x, y or z".
static std::string listAlternatives(const std::vector<const Row *> &rows,
                                    const Quality &quality) {
  std::vector<std::string> texts;
  for (const Row *row : rows) {
    std::string text = quality.ofRow(*row);
    if (std::find(texts.begin(), texts.end(), text) == texts.end())
      texts.push_back(std::move(text));
  }
  std::string list;
  for (size_t i = 0; i < texts.size(); ++i)
    list += (i == 0 ? "" : i + 1 == texts.size() ? " or " : ", ") + texts[i];
  return list;
}

/// Bits of an element of A or B in its register.
static int getElementBits(ElementType type, MmaKind kind) {
  if (isFloatOperand(type)) {
    const bool isPacked = kind == MmaKind::MXF4 || kind == MmaKind::MXF4NVF4;
    return isPacked ? 4 : getFloatFormat(type).containerBits;
  }
  switch (type) {
  case ElementType::F64:
    return 64;
  case ElementType::S8:
  case ElementType::U8:
    return 8;
  case ElementType::S4:
  case ElementType::U4:
    return 4;
  case ElementType::B1:
    return 1;
  default:
    return 32;
  }
}

Result<MmaPlan> MmaPlan::create(const MmaDescriptor &descriptor) {
  std::vector<const Row *> rows;
  for (const Row &row : kRows)
    rows.push_back(&row);
  for (const Quality &quality : kQualities) {
    std::vector<const Row *> fitting;
    for (const Row *row : rows)
      if (quality.fits(*row, descriptor))
        fitting.push_back(row);
    if (fitting.empty())
      return Status::error("mma: expected " + listAlternatives(rows, quality) +
                           ", but got " + quality.ofDescriptor(descriptor));
    rows = std::move(fitting);
  }
  if (Status status = checkModifiers(descriptor); !status)
    return status;

  MmaPlan plan;
  plan.descriptor = descriptor;
  plan.elementBitsA = getElementBits(descriptor.a, descriptor.kind);
  plan.elementBitsB = getElementBits(descriptor.b, descriptor.kind);
  const int registerBits = plan.isDouble() ? 64 : 32;
  plan.numA = ptx::getNumRegistersA(plan.getStoredShape(), plan.elementBitsA,
                                    registerBits);
  plan.numB =
      ptx::getNumRegistersB(descriptor.shape, plan.elementBitsB, registerBits);
  plan.numC =
      ptx::getNumRegistersC(descriptor.shape, descriptor.c == ElementType::F16);
  plan.numD =
      ptx::getNumRegistersC(descriptor.shape, descriptor.d == ElementType::F16);
  return plan;
}

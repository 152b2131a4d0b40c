//===- Matrix.cpp - mma.sync and mma.sp -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Qualifiers become a descriptor, registers of the warp fragments; which forms
// exist and what they compute is Matrix/Mma.h.
//
// Source: PTX ISA 9.7.14.5 and 9.7.14.6.
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"
#include "MatrixQualifiers.h"

#include <algorithm>
#include <optional>

namespace nvfp4::ptx {

namespace {
/// A register with scales, and its selectors {byte-id, thread-id}.
struct ScaleRefs {
  OperandRef words;
  OperandRef byteId, threadId;
};

struct MmaInstPlan final : Plan {
  MmaPlan plan;
  TensorCore tensorCore = TensorCore::Blackwell;
  std::vector<OperandRef> d, a, b, c;
  ScaleRefs scaleA, scaleB;
  OperandRef metadata;
  unsigned sparsitySelector = 0;

  /// Every register that D depends on bit by bit.
  template <typename F> void forEachInput(F f) const {
    for (const auto *refs : {&a, &b, &c})
      for (const OperandRef &ref : *refs)
        f(ref);
    for (const OperandRef *ref : {&scaleA.words, &scaleB.words, &metadata})
      if (ref->isPresent)
        f(*ref);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

static void bindFragment(const Warp &warp, bool isDouble,
                         const std::vector<OperandRef> &refs,
                         Fragment &fragment) {
  for (size_t i = 0; i < refs.size(); ++i) {
    if (isDouble)
      fragment.doubles[i] = warp.read<uint64_t>(refs[i]);
    else
      fragment.words[i] = warp.read<uint32_t>(refs[i]);
  }
}

/// A selector must be the same in all lanes.
static bool readSelector(Warp &warp, const Inst &inst, uint32_t mask,
                         const OperandRef &ref, const char *what,
                         unsigned &value) {
  const uint16_t *values = warp.read<uint16_t>(ref);
  unsigned first = unsigned(__builtin_ctz(mask));
  value = values[first];
  // A constant.
  if (ref.offset < 0)
    return true;
  if (!warp.requireDefined(ref, mask, inst, what))
    return false;
  uint32_t different = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    different |= uint32_t(values[lane] != value) << lane;
  different &= mask;
  if (!different)
    return true;
  unsigned other = unsigned(__builtin_ctz(different));
  warp.trap(inst, "selector", other,
            std::string("expected the same ") + what +
                " in all lanes, but got " + std::to_string(value) +
                " in lane " + std::to_string(first) + " and " +
                std::to_string(values[other]));
  return false;
}

static bool bindScale(Warp &warp, const Inst &inst, uint32_t mask,
                      const ScaleRefs &refs, ScaleOperand &scale) {
  if (!refs.words.isPresent)
    return true;
  scale.words = warp.read<uint32_t>(refs.words);
  return readSelector(warp, inst, mask, refs.byteId, "byte id of a scale",
                      scale.byteId) &&
         readSelector(warp, inst, mask, refs.threadId, "thread id of a scale",
                      scale.threadId);
}

/// Undefined bits of D, to be written once D is.
static std::vector<RegisterBits> computeUndefined(Warp &warp,
                                                  const MmaInstPlan &plan,
                                                  uint32_t mask,
                                                  const MmaInputs &inputs) {
  MmaUndefined undefined;
  std::vector<RegisterBits> storage;
  storage.reserve(4 * kMaxFragmentRegisters);
  auto read = [&](const OperandRef &ref) -> RegisterBits * {
    if (!ref.isPresent || !warp.getTainted(ref, mask))
      return nullptr;
    storage.emplace_back();
    warp.readUndefined(ref, mask, storage.back().bits);
    return &storage.back();
  };
  auto readWords = [&](const OperandRef &ref) {
    RegisterBits *bits = read(ref);
    return bits ? reinterpret_cast<const uint32_t *>(bits->bits) : nullptr;
  };
  auto readAll = [&](const std::vector<OperandRef> &refs, Fragment &fragment) {
    for (size_t i = 0; i < refs.size(); ++i) {
      if (!plan.plan.isDouble())
        fragment.words[i] = readWords(refs[i]);
      else if (RegisterBits *bits = read(refs[i]))
        fragment.doubles[i] = bits->bits;
    }
  };
  readAll(plan.a, undefined.a);
  readAll(plan.b, undefined.b);
  readAll(plan.c, undefined.c);
  undefined.scaleA = readWords(plan.scaleA.words);
  undefined.scaleB = readWords(plan.scaleB.words);
  undefined.metadata = readWords(plan.metadata);
  std::vector<RegisterBits> results(plan.d.size());
  MutableFragment d;
  for (size_t i = 0; i < results.size(); ++i) {
    d.words[i] = reinterpret_cast<uint32_t *>(results[i].bits);
    d.doubles[i] = results[i].bits;
  }
  plan.plan.taint(inputs, undefined, d);
  return results;
}

static Outcome execMma(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const MmaInstPlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  MmaInputs inputs;
  bool isDouble = plan.plan.isDouble();
  bindFragment(warp, isDouble, plan.a, inputs.a);
  bindFragment(warp, isDouble, plan.b, inputs.b);
  bindFragment(warp, isDouble, plan.c, inputs.c);
  if (!bindScale(warp, inst, mask, plan.scaleA, inputs.scaleA) ||
      !bindScale(warp, inst, mask, plan.scaleB, inputs.scaleB))
    return Outcome::Stop;
  if (plan.metadata.isPresent)
    inputs.metadata = warp.read<uint32_t>(plan.metadata);
  inputs.sparsitySelector = plan.sparsitySelector;
  uint32_t tainted = 0;
  plan.forEachInput(
      [&](const OperandRef &ref) { tainted |= warp.getTainted(ref, mask); });
  std::vector<RegisterBits> undefined;
  if (tainted) [[unlikely]]
    undefined = computeUndefined(warp, plan, mask, inputs);
  MutableFragment d;
  for (size_t i = 0; i < plan.d.size(); ++i) {
    if (isDouble)
      d.doubles[i] = warp.write<uint64_t>(plan.d[i]);
    else
      d.words[i] = warp.write<uint32_t>(plan.d[i]);
  }
  MmaMode mode{warp.getLaunch().options.accumulation, plan.tensorCore};
  if (Status status = plan.plan.execute(inputs, mode, d); !status)
    return warp.trap(inst, "selector", unsigned(__builtin_ctz(mask)),
                     status.getMessage());
  for (size_t i = 0; i < plan.d.size(); ++i) {
    if (tainted)
      warp.writeUndefined(plan.d[i], mask, undefined[i].bits);
    else
      warp.markDefined(plan.d[i], mask);
  }
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// "m16n8k64".
static bool parseShape(std::string_view text, MatrixShape &shape) {
  uint16_t *parts[] = {&shape.m, &shape.n, &shape.k};
  const char letters[] = {'m', 'n', 'k'};
  for (unsigned i = 0; i < 3; ++i) {
    if (text.empty() || text[0] != letters[i])
      return false;
    text.remove_prefix(1);
    *parts[i] = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      *parts[i] = uint16_t(*parts[i] * 10 + (text[0] - '0'));
      text.remove_prefix(1);
    }
  }
  return text.empty();
}

bool takeShape(DecodeContext &context, MatrixShape &shape) {
  if (parseShape(context.takePrefix("m"), shape))
    return true;
  context.error("expected a shape like .m16n8k16");
  return false;
}

static bool parseElementType(std::string_view name, ElementType &type) {
  for (int i = 0; i < kNumElementTypes; ++i) {
    type = ElementType(i);
    if (stringifyElementType(type) == name)
      return true;
  }
  return false;
}

bool takeElementType(DecodeContext &context, ElementType &type) {
  std::string_view name = context.takePrefix("");
  if (parseElementType(name, type))
    return true;
  context.error("expected an element type, but got '." + std::string(name) +
                "'");
  return false;
}

bool takeElementTypes(DecodeContext &context, std::vector<ElementType> &types) {
  for (;;) {
    std::string_view name = context.takePrefix("");
    if (name.empty())
      return true;
    ElementType type;
    if (!parseElementType(name, type)) {
      context.error("expected an element type, but got '." + std::string(name) +
                    "'");
      return false;
    }
    types.push_back(type);
  }
}

static void takeLayouts(DecodeContext &context, MmaDescriptor &descriptor) {
  MatrixLayout *layouts[] = {&descriptor.layoutA, &descriptor.layoutB};
  unsigned count = 0;
  for (unsigned i = 0; i < context.getNumQualifiers() && count < 2; ++i) {
    std::string_view name = context.getQualifier(i);
    if (name != "row" && name != "col")
      continue;
    *layouts[count++] = name == "row" ? MatrixLayout::Row : MatrixLayout::Col;
    context.take(name);
  }
}

static void takeScaling(DecodeContext &context, MmaDescriptor &descriptor) {
  static constexpr Choice<MmaKind> kKinds[] = {
      {"kind::f8f6f4", MmaKind::F8F6F4},
      {"kind::mxf8f6f4", MmaKind::MXF8F6F4},
      {"kind::mxf4", MmaKind::MXF4},
      {"kind::mxf4nvf4", MmaKind::MXF4NVF4},
  };
  static constexpr Choice<uint8_t> kScaleVecs[] = {
      {"scale_vec::1X", 1}, {"scale_vec::2X", 2}, {"scale_vec::4X", 4}};
  descriptor.kind = context.choose(kKinds, MmaKind::Plain);
  if (!context.take("block_scale"))
    return;
  // Where only one granularity exists it need not be written.
  uint8_t otherwise = descriptor.kind == MmaKind::MXF4       ? 2
                      : descriptor.kind == MmaKind::MXF8F6F4 ? 1
                                                             : 0;
  descriptor.scaleVec = context.choose(kScaleVecs, otherwise);
}

/// All qualifiers. False after an error.
static bool takeDescriptor(DecodeContext &context, MmaDescriptor &descriptor) {
  static constexpr Choice<Sparsity> kSparsities[] = {
      {"sp", Sparsity::Plain}, {"sp::ordered_metadata", Sparsity::Ordered}};
  static constexpr Choice<BitOperation> kOperations[] = {
      {"xor", BitOperation::Xor}, {"and", BitOperation::And}};
  static constexpr Choice<ScaleType> kScaleTypes[] = {
      {"ue4m3", ScaleType::UE4M3}, {"ue8m0", ScaleType::UE8M0}};
  context.takeHints({"sync", "aligned"});
  descriptor.sparsity = context.choose(kSparsities, Sparsity::Dense);
  if (!takeShape(context, descriptor.shape))
    return false;
  takeLayouts(context, descriptor);
  takeScaling(context, descriptor);
  descriptor.satfinite = context.take("satfinite");
  descriptor.bitOperation = context.choose(kOperations, BitOperation::None);
  if (descriptor.bitOperation != BitOperation::None)
    context.take("popc");
  descriptor.scaleType = context.choose(kScaleTypes, ScaleType::None);
  std::vector<ElementType> types;
  if (!takeElementTypes(context, types))
    return false;
  if (types.size() != 4) {
    context.error("expected the types of D, A, B and C, but got " +
                  std::to_string(types.size()) + " types");
    return false;
  }
  descriptor.d = types[0], descriptor.a = types[1];
  descriptor.b = types[2], descriptor.c = types[3];
  return true;
}

static bool checkTarget(DecodeContext &context,
                        const MmaDescriptor &descriptor) {
  if (descriptor.kind == MmaKind::Plain)
    return true;
  bool isSparseNibbles = descriptor.sparsity != Sparsity::Dense &&
                         (descriptor.kind == MmaKind::MXF4 ||
                          descriptor.kind == MmaKind::MXF4NVF4);
  return requireFeature(context, isSparseNibbles
                                     ? ChipFeature::SparseBlockScaledMma
                                     : ChipFeature::BlockScaledMma);
}

TensorCore getTensorCore(std::string_view target) {
  unsigned chip = 0;
  for (char c : target)
    if (c >= '0' && c <= '9')
      chip = chip * 10 + unsigned(c - '0');
  return chip >= 100  ? TensorCore::Blackwell
         : chip >= 90 ? TensorCore::Hopper
         : chip >= 89 ? TensorCore::Ada
                      : TensorCore::Ampere;
}

Type getRegisterType(ElementType type) {
  return type == ElementType::F64   ? Type::F64
         : type == ElementType::F32 ? Type::F32
                                    : Type::B32;
}

static bool readScale(DecodeContext &context, unsigned first,
                      ScaleRefs &scale) {
  scale.words = context.readOperand(first, Type::B32);
  std::vector<OperandRef> ids =
      context.readVector(context.getOperand(first + 1), Type::U16);
  if (ids.size() != 2) {
    context.error("expected {byte-id, thread-id} after a scale");
    return false;
  }
  scale.byteId = ids[0], scale.threadId = ids[1];
  return scale.words.isPresent && ids[0].isPresent && ids[1].isPresent;
}

bool expectRegisters(DecodeContext &context, const char *name,
                     const std::vector<OperandRef> &refs, int count) {
  if (refs.size() != size_t(count)) {
    context.error(std::string("expected ") + std::to_string(count) +
                  " registers of " + name + ", but got " +
                  std::to_string(refs.size()));
    return false;
  }
  return std::all_of(refs.begin(), refs.end(),
                     [](const OperandRef &ref) { return ref.isPresent; });
}

static bool readMmaOperands(DecodeContext &context, MmaInstPlan &plan) {
  const MmaDescriptor &descriptor = plan.plan.getDescriptor();
  bool isSparse = descriptor.sparsity != Sparsity::Dense;
  bool hasScales = descriptor.scaleVec != 0;
  if (!context.expectOperands(4 + 2 * isSparse + 4 * hasScales))
    return false;
  plan.d =
      context.writeVector(context.getOperand(0), getRegisterType(descriptor.d));
  plan.a =
      context.readVector(context.getOperand(1), getRegisterType(descriptor.a));
  plan.b =
      context.readVector(context.getOperand(2), getRegisterType(descriptor.b));
  plan.c =
      context.readVector(context.getOperand(3), getRegisterType(descriptor.c));
  if (!expectRegisters(context, "D", plan.d, plan.plan.getNumRegistersD()) ||
      !expectRegisters(context, "A", plan.a, plan.plan.getNumRegistersA()) ||
      !expectRegisters(context, "B", plan.b, plan.plan.getNumRegistersB()) ||
      !expectRegisters(context, "C", plan.c, plan.plan.getNumRegistersC()))
    return false;
  unsigned next = 4;
  if (isSparse) {
    int64_t selector = 0;
    plan.metadata = context.readOperand(next, Type::B32);
    if (!plan.metadata.isPresent ||
        !context.readImmediate(context.getOperand(next + 1), selector))
      return false;
    plan.sparsitySelector = unsigned(selector);
    next += 2;
  }
  return !hasScales || (readScale(context, next, plan.scaleA) &&
                        readScale(context, next + 2, plan.scaleB));
}

static bool decodeMma(DecodeContext &context) {
  MmaDescriptor descriptor{};
  if (!takeDescriptor(context, descriptor) || !checkTarget(context, descriptor))
    return true;
  Result<MmaPlan> found = MmaPlan::create(descriptor);
  if (!found)
    return context.error(found.getStatus().getMessage());
  MmaInstPlan &plan = context.makePlan<MmaInstPlan>();
  plan.plan = *found;
  plan.tensorCore = getTensorCore(context.getModule().target);
  if (!readMmaOperands(context, plan))
    return true;
  context.emitExec(InstClass::Matrix, execMma).plan = &plan;
  return true;
}

OpcodeTable getMatrixOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"mma", decodeMma},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

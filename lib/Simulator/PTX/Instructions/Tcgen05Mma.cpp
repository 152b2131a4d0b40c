//===- Tcgen05Mma.cpp - Products in tensor memory -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tcgen05.mma, of one CTA or of a pair. Each lane that executes one issues an
// operation of its own.
//
// Source: PTX ISA 9.7.16.4 (descriptors), 9.7.16.10 (mma); rules R5, R9, R11.
//
//===----------------------------------------------------------------------===//

#include "Machine/Observe.h"
#include "SharedMatrices.h"
#include "Tcgen05Product.h"

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::PipeOp;

namespace {
enum class Collector : uint8_t { Discard, Fill, Use, LastUse };

struct ProductPlan final : Plan {
  TensorDescriptor form;
  Collector collector = Collector::Discard;
  TensorOperand d, tensorA, scaleA, scaleB;
  /// Matrix descriptors; A's only where A is in shared memory.
  OperandRef a, b;
  OperandRef instruction, accumulates;
  /// Lanes of D that stay as they are.
  std::vector<OperandRef> disabledLanes;

  bool isAInTensorMemory() const { return !a.isPresent; }
};
} // namespace

//===----------------------------------------------------------------------===//
// Issue
//===----------------------------------------------------------------------===//

static bool fail(Warp &warp, const Inst &inst, unsigned lane, const char *rule,
                 const std::string &message) {
  warp.trap(inst, rule, lane, message);
  return false;
}

namespace {
/// Tensor memory that a product uses in each CTA, with how.
struct TensorUse {
  TensorRange range;
  AccessKind kind;
};
} // namespace

/// D or A: all lanes, or 16 of each 32.
static void addLines(const TensorOperation &product, TensorAddress first,
                     uint32_t columns, AccessKind kind,
                     std::vector<TensorUse> &uses) {
  if (!product.descriptor.isHalf()) {
    uses.push_back({{first.lane, kTensorLanes, first.column, columns}, kind});
    return;
  }
  for (uint32_t lane = first.lane; lane < kTensorLanes; lane += kLanes)
    uses.push_back({{lane, kLanes / 2, first.column, columns}, kind});
}

static std::vector<TensorUse> listUses(const TensorOperation &product) {
  const TensorDescriptor &form = product.descriptor;
  std::vector<TensorUse> uses;
  addLines(product, product.d, uint32_t(form.getColumnsOfD()),
           AccessKind::Write, uses);
  if (product.chunksA.empty())
    addLines(product, product.a, kLineColumns, AccessKind::Read, uses);
  if (!isBlockScaled(form.kind))
    return uses;
  const int linesB = form.isSplit() ? form.n / 2 : form.n;
  const auto columnsA = uint32_t(form.getRowsPerCta() + 31) / kLanes;
  const auto columnsB = uint32_t(linesB + 31) / kLanes;
  for (auto [place, columns] : {std::pair(product.scaleA, columnsA),
                                std::pair(product.scaleB, columnsB)})
    uses.push_back(
        {{place.lane, kTensorLanes, place.column, columns}, AccessKind::Read});
  return uses;
}

/// Where 16 of 32 lanes are used they are the same ones of A and D.
static bool checkLanes(Warp &warp, const Inst &inst, unsigned lane,
                       const TensorOperation &product) {
  const uint32_t first = product.d.lane;
  const bool isGood =
      first == 0 || (product.descriptor.isHalf() && first == 16);
  if (!isGood)
    return fail(warp, inst, lane, "R9",
                std::string("expected D to begin in lane 0") +
                    (product.descriptor.isHalf() ? " or 16" : "") +
                    ", but got " + std::to_string(first));
  return !product.chunksA.empty() || product.a.lane == first ||
         fail(warp, inst, lane, "R9",
              "expected A in the lanes of D, from " + std::to_string(first) +
                  ", but got " + std::to_string(product.a.lane));
}

/// `use` and `lastuse` want the A that `fill` has left.
static bool checkCollector(Warp &warp, const Inst &inst, unsigned lane,
                           const ProductPlan &plan, TensorPipe &pipe) {
  const uint64_t a =
      plan.isAInTensorMemory()
          ? warp.readLane(plan.tensorA.base, lane) + plan.tensorA.offset
          : warp.readLane(plan.a, lane);
  const bool isUse =
      plan.collector == Collector::Use || plan.collector == Collector::LastUse;
  if (isUse && pipe.collected != a)
    return fail(warp, inst, lane, "R9",
                "expected .collector::a::fill with the same A before this use "
                "of the collector buffer, but there is none");
  if (plan.collector == Collector::Fill)
    pipe.collected = a;
  else if (plan.collector != Collector::Use)
    pipe.collected.reset();
  return true;
}

/// Reads the operands of one lane. False after a trap.
static bool readProduct(Warp &warp, const Inst &inst, const ProductPlan &plan,
                        unsigned lane, TensorOperation &product) {
  TensorDescriptor &form = product.descriptor;
  form = plan.form;
  if (!findTensorGroup(warp, inst, lane, uint32_t(form.ctas), product.ctas))
    return false;
  if (Status status = decodeTensorDescriptor(
          uint32_t(warp.readLane(plan.instruction, lane)), form);
      !status)
    return fail(warp, inst, lane, "descriptor", status.getMessage());
  product.accumulates = warp.readPredicate(plan.accumulates) >> lane & 1;
  product.d = plan.d.read(warp, lane);
  if (plan.isAInTensorMemory()) {
    if (form.transposesA)
      return fail(warp, inst, lane, "descriptor",
                  "expected no transposition of an A in tensor memory");
    product.a = plan.tensorA.read(warp, lane);
  } else if (!locateMatrix(warp, inst, lane, warp.readLane(plan.a, lane),
                           form.getRowsPerCta(), form.transposesA,
                           getElementBytes(form.a), product.chunksA)) {
    return false;
  }
  if (!locateMatrix(warp, inst, lane, warp.readLane(plan.b, lane),
                    form.getColumnsPerCta(), form.transposesB,
                    getElementBytes(form.b), product.chunksB))
    return false;
  if (isBlockScaled(form.kind)) {
    product.scaleA = plan.scaleA.read(warp, lane);
    product.scaleB = plan.scaleB.read(warp, lane);
  }
  for (size_t i = 0; i < plan.disabledLanes.size(); ++i)
    product.disabledLanes[i] =
        uint32_t(warp.readLane(plan.disabledLanes[i], lane));
  return checkLanes(warp, inst, lane, product);
}

/// Products of one accumulator and shape happen in order.
static PipeOp describeOp(const TensorOperation &product) {
  PipeOp op;
  op.form = uint64_t(product.d.lane) << 48 | uint64_t(product.d.column) << 32 |
            uint64_t(product.descriptor.m) << 16 |
            uint64_t(product.descriptor.n);
  return op;
}

static bool issueProduct(Warp &warp, const Inst &inst, const ProductPlan &plan,
                         unsigned lane) {
  auto product = std::make_shared<TensorOperation>();
  if (!readProduct(warp, inst, plan, lane, *product))
    return false;
  const auto uses = listUses(*product);
  for (Cta *cta : product->ctas)
    for (const TensorUse &use : uses)
      if (!checkTensorRange(warp, inst, lane, *cta, use.range))
        return false;
  TensorPipe &pipe = getPipe(warp, lane);
  if (!checkCollector(warp, inst, lane, plan, pipe))
    return false;
  countBytes(warp, inst, Region::Kind::Shared,
             (product->chunksA.size() + product->chunksB.size()) * kChunkBytes *
                 product->ctas.size());
  if (auto actor = beginInPipe(warp, pipe, describeOp(*product)))
    for (Cta *cta : product->ctas) {
      orderChunks(warp, inst, *cta, product->chunksA, *actor);
      orderChunks(warp, inst, *cta, product->chunksB, *actor);
      for (const TensorUse &use : uses)
        orderTensor(warp, inst, *cta, use.range, lane, use.kind, *actor);
    }
  return issueInPipe(warp, inst, pipe, [product] { product->land(); });
}

static Outcome execMma(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const ProductPlan &>(*inst.plan);
  std::vector<OperandRef> refs = plan.disabledLanes;
  refs.insert(refs.end(),
              {plan.d.base, plan.tensorA.base, plan.a, plan.b, plan.instruction,
               plan.scaleA.base, plan.scaleB.base, plan.accumulates});
  for (const OperandRef &ref : refs)
    if (ref.isPresent &&
        !warp.requireDefined(ref, mask, inst, "operand of tcgen05.mma"))
      return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    isGood = isGood && issueProduct(warp, inst, plan, lane);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

namespace {
/// A kind and the ways to say how many scales a line has.
struct ScaleForm {
  TensorKind kind;
  std::string_view name;
  int scales;
  bool isVector;
};
constexpr ScaleForm kScaleForms[] = {
    {TensorKind::MXF8F6F4, "block32", 1, false},
    {TensorKind::MXF8F6F4, "scale_vec::1X", 1, true},
    {TensorKind::MXF8F6F4, "", 1, false},
    {TensorKind::MXF4, "block32", 2, false},
    {TensorKind::MXF4, "scale_vec::2X", 2, true},
    {TensorKind::MXF4, "", 2, false},
    {TensorKind::MXF4NVF4, "block16", 4, false},
    {TensorKind::MXF4NVF4, "scale_vec::4X", 4, true},
    {TensorKind::MXF4NVF4, "block32", 2, false},
    {TensorKind::MXF4NVF4, "scale_vec::2X", 2, true},
};
} // namespace

/// False after an error.
static bool takeScales(DecodeContext &context, TensorDescriptor &form) {
  if (!context.take("block_scale")) {
    context.error("expected .block_scale");
    return false;
  }
  for (const ScaleForm &row : kScaleForms) {
    if (row.kind != form.kind || (!row.name.empty() && !context.take(row.name)))
      continue;
    form.scalesPerLine = row.scales;
    return !row.isVector ||
           requireFeature(context, ChipFeature::TensorScaleVectors);
  }
  context.error("expected .block16 or .block32 with .kind::mxf4nvf4");
  return false;
}

static bool takeKind(DecodeContext &context, TensorDescriptor &form) {
  static constexpr Choice<int> kKinds[] = {
      {"kind::f16", int(TensorKind::F16)},
      {"kind::tf32", int(TensorKind::TF32)},
      {"kind::f8f6f4", int(TensorKind::F8F6F4)},
      {"kind::i8", int(TensorKind::I8)},
      {"kind::mxf8f6f4", int(TensorKind::MXF8F6F4)},
      {"kind::mxf4", int(TensorKind::MXF4)},
      {"kind::mxf4nvf4", int(TensorKind::MXF4NVF4)},
  };
  const int kind = context.choose(kKinds, -1);
  if (kind < 0) {
    context.error("expected a kind of tcgen05.mma");
    return false;
  }
  form.kind = TensorKind(kind);
  if (form.kind == TensorKind::I8 &&
      !requireFeature(context, ChipFeature::TensorIntegers))
    return false;
  return !isBlockScaled(form.kind) || takeScales(context, form);
}

/// `{m0, m1, …}, ` before the predicate, and a scale of D behind it.
static bool readLaneMask(DecodeContext &context, unsigned i,
                         ProductPlan &plan) {
  plan.disabledLanes = context.readVector(context.getOperand(i), Type::B32);
  if (plan.disabledLanes.size() == size_t(plan.form.ctas) * kLaneMaskWords)
    return true;
  context.error("expected " + std::to_string(plan.form.ctas * kLaneMaskWords) +
                " registers of lanes, but got " +
                std::to_string(plan.disabledLanes.size()));
  return false;
}

static bool readScaleOfD(DecodeContext &context, unsigned i,
                         ProductPlan &plan) {
  int64_t scale = 0;
  if (!requireFeature(context, ChipFeature::TensorScaledInput) ||
      !context.readImmediate(context.getOperand(i), scale))
    return false;
  const bool hasScale =
      plan.form.kind == TensorKind::F16 || plan.form.kind == TensorKind::TF32;
  if (!hasScale || scale < 0 || scale > 15) {
    context.error("expected a scale of D from 0 to 15, with .kind::f16 or "
                  ".kind::tf32");
    return false;
  }
  plan.form.shiftOfC = int(scale);
  return true;
}

/// The operands from the fifth on. False after an error.
static bool readRest(DecodeContext &context, ProductPlan &plan) {
  unsigned next = 4;
  if (isBlockScaled(plan.form.kind)) {
    if (!readTensorOperand(context, 4, plan.scaleA) ||
        !readTensorOperand(context, 5, plan.scaleB))
      return false;
    next = 6;
  } else if (context.getOperand(4).kind == Operand::Kind::Vector &&
             !readLaneMask(context, next++, plan)) {
    return false;
  }
  if (context.getNumOperands() <= next) {
    context.error("expected a predicate that enables the input of D");
    return false;
  }
  plan.accumulates = context.readOperand(next++, Type::Pred);
  return context.getNumOperands() == next || readScaleOfD(context, next, plan);
}

bool decodeTensorProduct(DecodeContext &context) {
  static constexpr Choice<Collector> kCollectors[] = {
      {"collector::a::fill", Collector::Fill},
      {"collector::a::use", Collector::Use},
      {"collector::a::lastuse", Collector::LastUse},
      {"collector::a::discard", Collector::Discard},
  };
  if (context.has("ws") || context.has("sp") || context.has("ashift"))
    return context.error("expected no .ws, .sp and .ashift, which the "
                         "simulator does not know");
  ProductPlan &plan = context.makePlan<ProductPlan>();
  uint32_t size = 0;
  if (!takeGroup(context, size))
    return true;
  plan.form.ctas = int(size);
  if (!takeKind(context, plan.form))
    return true;
  plan.collector = context.choose(kCollectors, Collector::Discard);
  const bool isScaled = isBlockScaled(plan.form.kind);
  if (!context.expectOperands(isScaled ? 7 : 5, 7) ||
      !readTensorOperand(context, 0, plan.d))
    return true;
  if (context.getOperand(1).kind != Operand::Kind::Address)
    plan.a = context.readOperand(1, Type::B64);
  else if (!readTensorOperand(context, 1, plan.tensorA))
    return true;
  plan.b = context.readOperand(2, Type::B64);
  plan.instruction = context.readOperand(3, Type::B32);
  if (readRest(context, plan))
    context.emitExec(InstClass::Matrix, execMma).plan = &plan;
  return true;
}

} // namespace nvfp4::ptx

//===- Tcgen05Transfer.cpp - Between registers and tensor memory ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tcgen05.ld, st and wait. The words move when the instruction executes: what
// is not ordered with them is a finding, so that nothing depends on it.
//
// Source: PTX ISA 9.7.16.2.3 (shapes), 9.7.16.8; which thread has which word of
// the shapes of 16 lanes: CUTLASS, copy_traits_sm100.hpp; rules R9, R11, R14.
//
//===----------------------------------------------------------------------===//

#include "Machine/Observe.h"
#include "Tcgen05.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;
using ordering::AsyncKind;

namespace {
enum class Shape : uint8_t { L32x32, L16x64, L16x128, L16x256, L16x32x2 };

/// A word of a thread: lane and column from the first ones.
struct Place {
  uint32_t lane, column;
};

struct ShapeFacts {
  std::string_view name;
  Shape shape;
  uint32_t lanes;
  /// For each repetition.
  uint32_t registers, columns;
};
constexpr ShapeFacts kShapes[] = {
    {"32x32b", Shape::L32x32, 32, 1, 1},
    {"16x64b", Shape::L16x64, 16, 1, 2},
    {"16x128b", Shape::L16x128, 16, 2, 4},
    {"16x256b", Shape::L16x256, 16, 4, 8},
    {"16x32bx2", Shape::L16x32x2, 16, 1, 1},
};
constexpr uint32_t kMaxRegisters = 128;

enum class Reduction : uint8_t { None, Min, Max };

struct TransferPlan final : Plan {
  const ShapeFacts *facts = nullptr;
  std::vector<OperandRef> registers;
  TensorOperand address;
  bool isLoad = false;
  /// Two neighbouring columns have 16 bits each of a register.
  bool isPacked = false;
  /// Columns from the first half of the threads' words to the second's.
  uint32_t split = 0;
  /// Of the words of a thread.
  Reduction reduction = Reduction::None;
  Type type = Type::F32;
  bool isOfMagnitudes = false, keepsNaN = false;
  OperandRef reduced;

  Place place(uint32_t i, uint32_t thread) const;
  /// Columns of tensor memory that one access reaches.
  uint32_t getColumns() const {
    return uint32_t(registers.size()) / facts->registers * facts->columns *
           (isPacked ? 2 : 1);
  }
};

/// The words of a warp: by register, then by thread.
struct Words {
  uint32_t values[kMaxRegisters][kLanes];
  uint32_t undefined[kMaxRegisters][kLanes];
  bool isUndefined = false;
};
} // namespace

Place TransferPlan::place(uint32_t i, uint32_t thread) const {
  switch (facts->shape) {
  case Shape::L32x32:
    return {thread, i};
  case Shape::L16x64:
    return {thread % 2 * 8 + thread / 4, thread / 2 % 2 + 2 * i};
  case Shape::L16x128:
    return {thread / 4 + i % 2 * 8, thread % 4 + i / 2 * 4};
  case Shape::L16x256:
    return {thread / 4 + i / 2 % 2 * 8, thread % 4 * 2 + i % 2 + i / 4 * 8};
  case Shape::L16x32x2:
    return {thread % 16, i};
  }
  return {0, 0};
}

//===----------------------------------------------------------------------===//
// Moving words
//===----------------------------------------------------------------------===//

namespace {
/// The cells that a transfer reaches: by range, lane and column.
struct Cells {
  Cells(const TransferPlan &plan, const std::vector<TensorRange> &ranges)
      : plan(plan), ranges(ranges), columns(ranges.front().columns),
        values(new uint32_t[getCount()]), undefined(new uint32_t[getCount()]) {}

  void load(const TensorMemory &memory, Words &words);
  void store(TensorMemory &memory, const Words &words);

private:
  size_t getCount() const {
    return ranges.size() * ranges.front().lanes * columns;
  }
  template <typename Visit> void forEachRow(Visit visit) const;
  template <typename Visit> void forEachWord(Visit visit) const;

  const TransferPlan &plan;
  const std::vector<TensorRange> &ranges;
  const uint32_t columns;
  std::unique_ptr<uint32_t[]> values, undefined;
};
} // namespace

/// Calls visit(lane, first column, place of its cell).
template <typename Visit> void Cells::forEachRow(Visit visit) const {
  size_t place = 0;
  for (const TensorRange &range : ranges)
    for (uint32_t i = 0; i < range.lanes; ++i, place += columns)
      visit(range.lane + i, range.column, place);
}

/// Calls visit(register, thread, place of its first cell).
template <typename Visit> void Cells::forEachWord(Visit visit) const {
  const uint32_t width = plan.isPacked ? 2 : 1;
  const uint32_t lanes = ranges.front().lanes;
  for (uint32_t i = 0; i < plan.registers.size(); ++i)
    for (uint32_t thread = 0; thread < kLanes; ++thread) {
      const Place place = plan.place(i, thread);
      const uint32_t range = ranges.size() > 1 ? thread / 16 : 0;
      visit(i, thread,
            size_t(range * lanes + place.lane) * columns +
                place.column * width);
    }
}

void Cells::load(const TensorMemory &memory, Words &words) {
  forEachRow([&](uint32_t lane, uint32_t column, size_t place) {
    memory.read(lane, column, columns, &values[place]);
    words.isUndefined |= memory.isUndefined(lane, column, columns);
  });
  if (words.isUndefined)
    forEachRow([&](uint32_t lane, uint32_t column, size_t place) {
      memory.readUndefined(lane, column, columns, &undefined[place]);
    });
  const auto join = [&](const uint32_t *cells) {
    return plan.isPacked ? (cells[0] & 0xFFFF) | cells[1] << 16 : cells[0];
  };
  forEachWord([&](uint32_t i, uint32_t thread, size_t place) {
    words.values[i][thread] = join(&values[place]);
    if (words.isUndefined)
      words.undefined[i][thread] = join(&undefined[place]);
  });
}

/// Nothing is said of the upper halves of the cells that 16 bits go to.
void Cells::store(TensorMemory &memory, const Words &words) {
  forEachWord([&](uint32_t i, uint32_t thread, size_t place) {
    const uint32_t value = words.values[i][thread];
    const uint32_t bits = words.undefined[i][thread];
    if (!plan.isPacked) {
      values[place] = value, undefined[place] = bits;
      return;
    }
    values[place] = value & 0xFFFF, values[place + 1] = value >> 16;
    undefined[place] = bits | 0xFFFF0000;
    undefined[place + 1] = bits >> 16 | 0xFFFF0000;
  });
  forEachRow([&](uint32_t lane, uint32_t column, size_t place) {
    memory.write(lane, column, columns, &values[place]);
    memory.writeUndefined(lane, column, columns, &undefined[place]);
  });
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// Whether `a` replaces `b`. A NaN loses, or wins.
static bool replaces(const TransferPlan &plan, uint32_t a, uint32_t b) {
  const bool isMax = plan.reduction == Reduction::Max;
  if (plan.type == Type::U32)
    return isMax ? a > b : a < b;
  if (plan.type == Type::S32)
    return isMax ? int32_t(a) > int32_t(b) : int32_t(a) < int32_t(b);
  float x, y;
  std::memcpy(&x, &a, sizeof(x));
  std::memcpy(&y, &b, sizeof(y));
  if (std::isnan(x) || std::isnan(y))
    return std::isnan(plan.keepsNaN ? x : y);
  // -0 is less than +0.
  if (x == y)
    return std::signbit(isMax ? y : x) && !std::signbit(isMax ? x : y);
  return isMax ? x > y : x < y;
}

static void reduce(Warp &warp, const TransferPlan &plan, const Words &words) {
  uint32_t undefined[kLanes] = {};
  for (unsigned thread = 0; thread < kLanes; ++thread) {
    uint32_t result = 0;
    for (size_t i = 0; i < plan.registers.size(); ++i) {
      uint32_t word = words.values[i][thread];
      if (plan.isOfMagnitudes)
        word &= 0x7FFFFFFF;
      if (i == 0 || replaces(plan, word, result))
        result = word;
      if (words.isUndefined && words.undefined[i][thread])
        undefined[thread] = ~0u;
    }
    const bool isNaN =
        plan.type == Type::F32 && (result & 0x7FFFFFFF) > 0x7F800000;
    warp.writeLane(plan.reduced, thread, isNaN ? 0x7FFFFFFF : result);
  }
  warp.writeUndefined(plan.reduced, kAllLanes, undefined);
}

//===----------------------------------------------------------------------===//
// ld, st, wait
//===----------------------------------------------------------------------===//

static bool locate(Warp &warp, const Inst &inst, const TransferPlan &plan,
                   std::vector<TensorRange> &ranges) {
  uint32_t bits = 0;
  if (!readUniform(warp, inst, plan.address.base, "address of tensor memory",
                   bits))
    return false;
  const auto address =
      TensorAddress::decode(bits + uint32_t(plan.address.offset));
  const uint32_t own = warp.getIndex() % 4 * kLanes;
  const bool isHalf = plan.facts->lanes < kLanes;
  if (address.lane != own && !(isHalf && address.lane == own + 16)) {
    warp.trap(inst, "R9", 0,
              "expected lane " + std::to_string(own) +
                  (isHalf ? " or " + std::to_string(own + 16) : "") +
                  ", where the lanes of this warp begin, but got " +
                  std::to_string(address.lane));
    return false;
  }
  ranges = {
      {address.lane, plan.facts->lanes, address.column, plan.getColumns()}};
  if (plan.facts->shape == Shape::L16x32x2) {
    ranges.push_back(ranges.front());
    ranges.back().column += plan.split;
  }
  return std::all_of(ranges.begin(), ranges.end(), [&](auto &range) {
    return checkTensorRange(warp, inst, 0, warp.getCta(), range);
  });
}

static void orderTransfer(Warp &warp, const Inst &inst,
                          const TransferPlan &plan,
                          const std::vector<TensorRange> &ranges) {
  ordering::WarpOrder *order = getOrder(warp);
  if (!order)
    return;
  TensorMemory::Transfers &state =
      getTensorMemory(warp.getCta()).transfers[warp.getIndex()];
  uint32_t &component =
      plan.isLoad ? state.loadComponent : state.storeComponent;
  if (component == ~0u)
    component = getOrder(warp.getCluster())->addComponent(AsyncKind::Tcgen05);
  const uint32_t clock = ++(plan.isLoad ? state.loads : state.stores);
  for (const TensorRange &range : ranges)
    orderTensor(warp, inst, warp.getCta(), range, 0,
                plan.isLoad ? AccessKind::Read : AccessKind::Write,
                AsyncActor(*order, component, clock, false));
}

static Outcome execTransfer(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const TransferPlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  std::vector<TensorRange> ranges;
  if (outcome != Outcome::Next)
    return outcome;
  if (!locate(warp, inst, plan, ranges))
    return Outcome::Stop;
  orderTransfer(warp, inst, plan, ranges);
  countBytes(warp, inst, Region::Kind::Tensor,
             plan.registers.size() * kLanes * kTensorCell);
  TensorMemory &memory = getTensorMemory(warp.getCta());
  Cells cells(plan, ranges);
  Words words;
  if (plan.isLoad)
    cells.load(memory, words);
  for (size_t i = 0; i < plan.registers.size(); ++i) {
    const OperandRef &ref = plan.registers[i];
    if (!plan.isLoad) {
      std::fill_n(words.undefined[i], kLanes, 0u);
      std::copy_n(warp.read<uint32_t>(ref), kLanes, words.values[i]);
      warp.readUndefined(ref, kAllLanes, words.undefined[i]);
      continue;
    }
    std::copy_n(words.values[i], kLanes, warp.write<uint32_t>(ref));
    if (words.isUndefined)
      warp.writeUndefined(ref, kAllLanes, words.undefined[i]);
    else
      warp.markDefined(ref, kAllLanes);
  }
  if (!plan.isLoad)
    cells.store(memory, words);
  if (plan.reduction != Reduction::None)
    reduce(warp, plan, words);
  return Outcome::Next;
}

/// aux: of loads; else of stores.
static Outcome execWait(Warp &warp, const Inst &inst, uint32_t mask) {
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  TensorMemory::Transfers &state =
      getTensorMemory(warp.getCta()).transfers[warp.getIndex()];
  uint32_t component = inst.aux ? state.loadComponent : state.storeComponent;
  if (ordering::WarpOrder *order = getOrder(warp); order && component != ~0u)
    order->observeTransfers(component, inst.aux ? state.loads : state.stores);
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static const ShapeFacts *takeShape(DecodeContext &context) {
  for (const ShapeFacts &facts : kShapes)
    if (context.take(facts.name))
      return &facts;
  context.error("expected shape .32x32b, .16x64b, .16x128b, .16x256b or "
                ".16x32bx2");
  return nullptr;
}

/// Whether the list has as many registers as `.xN` says.
static bool checkRepetition(DecodeContext &context, const TransferPlan &plan,
                            std::string_view repeat) {
  static constexpr std::string_view kRepeats[] = {"1",  "2",  "4",  "8",
                                                  "16", "32", "64", "128"};
  const size_t count = plan.registers.size();
  const auto *known = std::find(std::begin(kRepeats), std::end(kRepeats),
                                repeat.empty() ? repeat : repeat.substr(1));
  if (known == std::end(kRepeats)) {
    context.error("expected .x1, .x2, … or .x128");
    return false;
  }
  const size_t expected =
      (size_t(1) << (known - kRepeats)) * plan.facts->registers;
  if (count == expected && count <= kMaxRegisters)
    return true;
  context.error("expected " +
                std::to_string(std::min<size_t>(expected, kMaxRegisters)) +
                " registers for ." + std::string(plan.facts->name) + "." +
                std::string(repeat) + ", but got " + std::to_string(count));
  return false;
}

/// `.red.min`, `.red.max`, of one type. False after an error.
static bool takeReduction(DecodeContext &context, TransferPlan &plan) {
  if (!context.take("red"))
    return true;
  if (!requireFeature(context, ChipFeature::TensorLoadReduction))
    return false;
  static constexpr Choice<Reduction> kReductions[] = {{"min", Reduction::Min},
                                                      {"max", Reduction::Max}};
  plan.reduction = context.choose(kReductions, Reduction::None);
  plan.isOfMagnitudes = context.take("abs");
  plan.keepsNaN = context.take("NaN");
  plan.type = context.takeType();
  const bool isFloat = plan.type == Type::F32;
  const bool isKnown =
      plan.reduction != Reduction::None &&
      (isFloat || ((plan.type == Type::U32 || plan.type == Type::S32) &&
                   !plan.isOfMagnitudes && !plan.keepsNaN));
  // Which threads see which half of a lane is not said of .16x32bx2.
  if (isKnown && plan.facts->shape == Shape::L32x32)
    return true;
  context.error("expected .red of shape .32x32b with .min or .max of f32, u32 "
                "or s32, the ones that the simulator knows");
  return false;
}

static bool readSplit(DecodeContext &context, unsigned i, TransferPlan &plan) {
  int64_t split = 0;
  if (!context.readImmediate(context.getOperand(i), split))
    return false;
  plan.split = uint32_t(split);
  return true;
}

static bool decodeTransfer(DecodeContext &context, bool isLoad) {
  TransferPlan &plan = context.makePlan<TransferPlan>();
  plan.isLoad = isLoad;
  context.takeHints({"sync", "aligned"});
  plan.facts = takeShape(context);
  if (!plan.facts || !takeReduction(context, plan))
    return true;
  std::string_view repeat = context.takePrefix("x");
  plan.isPacked = context.take(isLoad ? "pack::16b" : "unpack::16b");
  context.take("b32");
  const bool hasSplit = plan.facts->shape == Shape::L16x32x2;
  const bool isReduced = plan.reduction != Reduction::None;
  if (!context.expectOperands(2 + hasSplit + isReduced))
    return true;
  // ld r, [a], split; st [a], split, r.
  const unsigned list = isLoad ? 0 : 1 + hasSplit;
  const unsigned address = isLoad ? 1 + isReduced : 0;
  if (!readTensorOperand(context, address, plan.address) ||
      (hasSplit && !readSplit(context, address + 1, plan)))
    return true;
  const Operand &registers = context.getOperand(list);
  if (registers.kind != Operand::Kind::Vector)
    return context.error("expected a vector of registers");
  plan.registers = isLoad ? context.writeVector(registers, Type::B32)
                          : context.readVector(registers, Type::B32);
  if (isReduced)
    plan.reduced = context.writeOperand(1, Type::B32);
  if (checkRepetition(context, plan, repeat))
    context.emitExec(isLoad ? InstClass::Load : InstClass::Store, execTransfer)
        .plan = &plan;
  return true;
}

bool decodeTensorLoad(DecodeContext &context) {
  return decodeTransfer(context, true);
}

bool decodeTensorStore(DecodeContext &context) {
  return decodeTransfer(context, false);
}

bool decodeTensorWait(DecodeContext &context) {
  context.takeHints({"sync", "aligned"});
  if (context.expectOperands(0))
    context.emitExec(InstClass::Async, execWait).aux = context.has("wait::ld");
  return true;
}

} // namespace nvfp4::ptx

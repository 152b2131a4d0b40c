//===- Tcgen05Copy.cpp - Copies and shifts in tensor memory ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tcgen05.cp and shift. Each lane that executes one issues an operation of its
// own; in a pair, each CTA copies from its own shared memory.
//
// Source: PTX ISA 9.7.16.9; which lanes a copy goes to: CUTLASS,
// copy_traits_sm100.hpp; rules R5, R9, R11.
//
//===----------------------------------------------------------------------===//

#include "Machine/Observe.h"
#include "SharedMatrices.h"
#include "Tcgen05.h"

#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::PipeOp;

constexpr uint32_t kChunkColumns = kChunkBytes / kTensorCell;

namespace {
/// How rows of shared memory go to lanes: row r to lane r mod `run`, and to
/// others, `step` lanes further `copies` times; the next `run` rows begin
/// `stride` lanes further.
struct CopyShape {
  std::string_view name, multicast;
  uint32_t rows, chunksPerRow;
  uint32_t run, stride, copies, step;
};
constexpr CopyShape kCopyShapes[] = {
    {"128x256b", "", 128, 2, 128, 0, 1, 0},
    {"128x128b", "", 128, 1, 128, 0, 1, 0},
    {"4x256b", "", 4, 2, 1, 32, 1, 0},
    {"64x128b", "warpx2::02_13", 64, 1, 64, 0, 2, 64},
    {"64x128b", "warpx2::01_23", 64, 1, 32, 64, 2, 32},
    {"32x128b", "warpx4", 32, 1, 32, 0, 4, 32},
};

struct CopyPlan final : Plan {
  uint32_t groupSize = 1;
  const CopyShape *shape = nullptr;
  /// What is unpacked on the way.
  std::optional<ElementType> packed;
  TensorOperand target;
  OperandRef source;
};

struct ShiftPlan final : Plan {
  uint32_t groupSize = 1;
  TensorOperand target;
};
} // namespace

//===----------------------------------------------------------------------===//
// cp
//===----------------------------------------------------------------------===//

/// Calls visit(lane) for each lane that a row goes to.
template <typename Visit>
static void forEachLaneOf(const CopyShape &shape, uint32_t row, Visit visit) {
  const uint32_t first = row % shape.run + row / shape.run * shape.stride;
  for (uint32_t copy = 0; copy < shape.copies; ++copy)
    visit(first + copy * shape.step);
}

static void landCopy(Cta &cta, const CopyPlan &plan,
                     const std::vector<uint32_t> &chunks,
                     TensorAddress target) {
  TensorMemory &memory = getTensorMemory(cta);
  const CopyShape &shape = *plan.shape;
  for (size_t i = 0; i < chunks.size(); ++i) {
    uint8_t bytes[kChunkBytes], masks[kChunkBytes] = {};
    std::memcpy(bytes, &cta.shared[chunks[i]], kChunkBytes);
    if (cta.getLaunch().options.checkDefinedness)
      cta.sharedUndefined.read(chunks[i], kChunkBytes, masks);
    if (plan.packed) {
      uint8_t packed[kChunkBytes + 1] = {};
      std::memcpy(packed, bytes, kChunkBytes);
      unpackChunk(*plan.packed, packed, bytes);
      std::memcpy(packed, masks, kChunkBytes);
      unpackChunk(*plan.packed, packed, masks);
    }
    uint32_t words[kChunkColumns], undefined[kChunkColumns];
    std::memcpy(words, bytes, kChunkBytes);
    std::memcpy(undefined, masks, kChunkBytes);
    const uint32_t column =
        target.column + uint32_t(i) % shape.chunksPerRow * kChunkColumns;
    forEachLaneOf(shape, uint32_t(i) / shape.chunksPerRow, [&](uint32_t lane) {
      memory.write(target.lane + lane, column, kChunkColumns, words);
      memory.writeUndefined(target.lane + lane, column, kChunkColumns,
                            undefined);
    });
  }
}

/// The lanes that a copy writes.
static std::vector<TensorRange> listRanges(const CopyShape &shape,
                                           TensorAddress target) {
  const uint32_t columns = shape.chunksPerRow * kChunkColumns;
  if (shape.run > 1)
    return {{target.lane, kTensorLanes, target.column, columns}};
  std::vector<TensorRange> ranges;
  for (uint32_t row = 0; row < shape.rows; ++row)
    forEachLaneOf(shape, row, [&](uint32_t lane) {
      ranges.push_back({target.lane + lane, 1, target.column, columns});
    });
  return ranges;
}

static bool issueCopy(Warp &warp, const Inst &inst, const CopyPlan &plan,
                      unsigned lane) {
  std::vector<Cta *> ctas;
  std::vector<uint32_t> chunks;
  if (!findTensorGroup(warp, inst, lane, plan.groupSize, ctas) ||
      !locateRows(warp, inst, lane, warp.readLane(plan.source, lane),
                  plan.shape->rows, plan.shape->chunksPerRow, chunks))
    return false;
  const TensorAddress target = plan.target.read(warp, lane);
  const auto ranges = listRanges(*plan.shape, target);
  for (Cta *cta : ctas)
    for (const TensorRange &range : ranges)
      if (!checkTensorRange(warp, inst, lane, *cta, range))
        return false;
  countBytes(warp, inst, Region::Kind::Shared,
             chunks.size() * kChunkBytes * ctas.size());
  TensorPipe &pipe = getPipe(warp, lane);
  PipeOp op;
  op.kind = plan.shape->run > 1 ? PipeOp::Kind::Copy : PipeOp::Kind::CopyOfRows;
  if (auto actor = beginInPipe(warp, pipe, op))
    for (Cta *cta : ctas) {
      orderChunks(warp, inst, *cta, chunks, *actor);
      for (const TensorRange &range : ranges)
        orderTensor(warp, inst, *cta, range, lane, AccessKind::Write, *actor);
    }
  return issueInPipe(warp, inst, pipe, [ctas, &plan, chunks, target] {
    for (Cta *cta : ctas)
      landCopy(*cta, plan, chunks, target);
  });
}

static Outcome execCopy(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const CopyPlan &>(*inst.plan);
  if (!warp.requireDefined(plan.target.base, mask, inst,
                           "operand of tcgen05.cp") ||
      !warp.requireDefined(plan.source, mask, inst, "operand of tcgen05.cp"))
    return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    isGood = isGood && issueCopy(warp, inst, plan, lane);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

bool decodeTensorCopy(DecodeContext &context) {
  CopyPlan &plan = context.makePlan<CopyPlan>();
  if (!takeGroup(context, plan.groupSize))
    return true;
  for (const CopyShape &shape : kCopyShapes)
    if (context.has(shape.name) &&
        (shape.multicast.empty() || context.has(shape.multicast)))
      plan.shape = &shape;
  if (!plan.shape)
    return context.error("expected .128x256b, .128x128b, .4x256b, "
                         ".64x128b.warpx2::02_13, .64x128b.warpx2::01_23 or "
                         ".32x128b.warpx4");
  context.takeHints({plan.shape->name, plan.shape->multicast});
  if (context.take("b8x16")) {
    if (context.take("b4x16_p64"))
      plan.packed = ElementType::E2M1;
    else if (context.take("b6x16_p32"))
      plan.packed = ElementType::E3M2;
    else
      return context.error("expected .b4x16_p64 or .b6x16_p32 behind .b8x16");
  }
  if (!context.expectOperands(2) || !readTensorOperand(context, 0, plan.target))
    return true;
  plan.source = context.readOperand(1, Type::B64);
  context.emitExec(InstClass::Async, execCopy).plan = &plan;
  return true;
}

//===----------------------------------------------------------------------===//
// shift
//===----------------------------------------------------------------------===//

/// Of a row that is shifted: 32 bytes.
constexpr uint32_t kShiftColumns = 8;

/// Lanes 0 to 30 of the 32 from `first` on go to the next one.
static void landShift(Cta &cta, TensorAddress first) {
  TensorMemory &memory = getTensorMemory(cta);
  for (uint32_t lane = first.lane + kLanes - 1; lane > first.lane; --lane) {
    uint32_t words[kShiftColumns];
    memory.read(lane - 1, first.column, kShiftColumns, words);
    memory.write(lane, first.column, kShiftColumns, words);
    memory.readUndefined(lane - 1, first.column, kShiftColumns, words);
    memory.writeUndefined(lane, first.column, kShiftColumns, words);
  }
}

static bool issueShift(Warp &warp, const Inst &inst, const ShiftPlan &plan,
                       unsigned lane) {
  std::vector<Cta *> ctas;
  if (!findTensorGroup(warp, inst, lane, plan.groupSize, ctas))
    return false;
  const TensorAddress target = plan.target.read(warp, lane);
  if (target.lane % kLanes) {
    warp.trap(inst, "R9", lane,
              "expected a lane that is a multiple of 32, but got " +
                  std::to_string(target.lane));
    return false;
  }
  const TensorRange range = {target.lane, kLanes, target.column, kShiftColumns};
  for (Cta *cta : ctas)
    if (!checkTensorRange(warp, inst, lane, *cta, range))
      return false;
  TensorPipe &pipe = getPipe(warp, lane);
  PipeOp op;
  op.kind = PipeOp::Kind::Shift;
  if (auto actor = beginInPipe(warp, pipe, op))
    for (Cta *cta : ctas)
      orderTensor(warp, inst, *cta, range, lane, AccessKind::Write, *actor);
  return issueInPipe(warp, inst, pipe, [ctas, target] {
    for (Cta *cta : ctas)
      landShift(*cta, target);
  });
}

static Outcome execShift(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const ShiftPlan &>(*inst.plan);
  if (!warp.requireDefined(plan.target.base, mask, inst,
                           "operand of tcgen05.shift"))
    return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    isGood = isGood && issueShift(warp, inst, plan, lane);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

bool decodeTensorShift(DecodeContext &context) {
  ShiftPlan &plan = context.makePlan<ShiftPlan>();
  if (!requireFeature(context, ChipFeature::TensorShift) ||
      !takeGroup(context, plan.groupSize))
    return true;
  if (!context.take("down"))
    return context.error("expected .down");
  if (context.expectOperands(1) && readTensorOperand(context, 0, plan.target))
    context.emitExec(InstClass::Async, execShift).plan = &plan;
  return true;
}

} // namespace nvfp4::ptx

//===- TensorMemory.cpp - Tensor memory and its pipes ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorMemory.h"

#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;

TensorMemory::TensorMemory() : data(kTensorMemoryBytes) {
  undefined.reset(kTensorMemoryBytes, /*isUndefined=*/true);
}

static uint64_t getOffset(uint32_t lane, uint32_t column) {
  return uint64_t(lane) * kTensorLaneBytes + uint64_t(column) * kTensorCell;
}

bool TensorMemory::isAllocated(uint32_t column, uint32_t columns) const {
  auto it = allocations.upper_bound(column);
  if (it == allocations.begin())
    return false;
  --it;
  return column + columns <= it->first + it->second.columns;
}

void TensorMemory::read(uint32_t lane, uint32_t column, uint32_t columns,
                        uint32_t *values) const {
  std::memcpy(values, &data[getOffset(lane, column)], columns * kTensorCell);
}

void TensorMemory::write(uint32_t lane, uint32_t column, uint32_t columns,
                         const uint32_t *values) {
  std::memcpy(&data[getOffset(lane, column)], values, columns * kTensorCell);
}

bool TensorMemory::readUndefined(uint32_t lane, uint32_t column,
                                 uint32_t columns, uint32_t *bits) const {
  return undefined.read(getOffset(lane, column), columns * kTensorCell,
                        reinterpret_cast<uint8_t *>(bits));
}

void TensorMemory::writeUndefined(uint32_t lane, uint32_t column,
                                  uint32_t columns, const uint32_t *bits) {
  undefined.write(getOffset(lane, column), columns * kTensorCell,
                  reinterpret_cast<const uint8_t *>(bits));
}

void TensorMemory::markDefined(uint32_t lane, uint32_t column,
                               uint32_t columns) {
  undefined.markDefined(getOffset(lane, column), columns * kTensorCell);
}

bool TensorMemory::isUndefined(uint32_t lane, uint32_t column,
                               uint32_t columns) const {
  return undefined.any(getOffset(lane, column), columns * kTensorCell);
}

TensorMemory &getTensorMemory(Cta &cta) {
  if (!cta.tensorMemory)
    cta.tensorMemory = std::make_unique<TensorMemory>();
  return *cta.tensorMemory;
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

uint64_t getTensorShadow(const LaunchState &launch) {
  constexpr uint64_t kAlignment = 1 << 16;
  return (launch.sharedBytes + kAlignment - 1) / kAlignment * kAlignment;
}

bool checkTensorRange(Warp &warp, const Inst &inst, unsigned lane, Cta &cta,
                      const TensorRange &range) {
  const TensorMemory &memory = getTensorMemory(cta);
  if (range.lane < kTensorLanes && range.lanes <= kTensorLanes - range.lane &&
      range.column < kTensorColumns &&
      range.columns <= kTensorColumns - range.column &&
      memory.isAllocated(range.column, range.columns))
    return true;
  warp.trap(inst, "R9", lane,
            "expected lanes and columns of tensor memory that are allocated, "
            "but got lanes " +
                std::to_string(range.lane) + " to " +
                std::to_string(range.lane + range.lanes - 1) + ", columns " +
                std::to_string(range.column) + " to " +
                std::to_string(range.column + range.columns - 1));
  return false;
}

static Region makeRegion(Cta &cta) {
  Region region;
  region.kind = Region::Kind::Tensor;
  region.cta = &cta;
  region.base = getTensorShadow(cta.getLaunch());
  return region;
}

/// To the checks a column is 128 consecutive cells: most operations use all
/// lanes of some columns.
static uint64_t getShadowOffset(uint32_t lane, uint32_t column) {
  return (uint64_t(column) * kTensorLanes + lane) * kTensorCell;
}

void orderTensor(Warp &warp, const Inst &inst, Cta &cta,
                 const TensorRange &range, unsigned lane, AccessKind kind,
                 const AsyncActor &actor) {
  Region region = makeRegion(cta);
  const AsyncActor accessor = actor.accessingTensorMemory();
  const bool isWhole = range.lanes == kTensorLanes;
  const uint32_t columns = isWhole ? range.columns : 1;
  for (uint32_t i = 0; i < range.columns; i += columns)
    orderRange(warp, inst, region,
               region.base + getShadowOffset(range.lane, range.column + i),
               uint64_t(columns) * range.lanes * kTensorCell, lane, kind,
               accessor);
}

void orderTensorNow(Warp &warp, const Inst &inst, const TensorRange &range,
                    AccessKind kind) {
  ordering::WarpOrder *order = getOrder(warp);
  if (!order)
    return;
  Region region = makeRegion(warp.getCta());
  // A word at a time is what the history of a warp's access wants.
  for (uint32_t i = 0; i < range.columns; ++i)
    for (uint32_t first = 0; first < range.lanes; first += kLanes) {
      uint64_t offsets[kLanes];
      for (unsigned j = 0; j < kLanes; ++j)
        offsets[j] = region.base +
                     getShadowOffset(range.lane + first + j, range.column + i);
      uint32_t count = std::min(kLanes, range.lanes - first);
      OrderedAccess access;
      access.kind = kind;
      orderAccess(warp, inst, region, offsets, kTensorCell,
                  count == kLanes ? kAllLanes : (1u << count) - 1, access,
                  {[](void *, uint32_t) {}, nullptr});
    }
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

static bool fail(Warp &warp, const Inst &inst, unsigned lane, const char *rule,
                 const std::string &message) {
  warp.trap(inst, rule, lane, message);
  return false;
}

bool findTensorGroup(Warp &warp, const Inst &inst, unsigned lane, uint32_t size,
                     std::vector<Cta *> &ctas) {
  Cta &own = warp.getCta();
  TensorMemory &memory = getTensorMemory(own);
  if (memory.groupSize && memory.groupSize != size)
    return fail(warp, inst, lane, "R9",
                "expected the same .cta_group in all tcgen05 instructions of "
                "a kernel, but got " +
                    std::to_string(size) + " after " +
                    std::to_string(memory.groupSize));
  memory.groupSize = size;
  ctas = {&own};
  if (size == 1)
    return true;
  auto &all = warp.getCluster().getCtas();
  const uint32_t peer = own.getRank() ^ 1;
  if (peer >= all.size())
    return fail(warp, inst, lane, "R9",
                "expected a pair of CTAs for .cta_group::2, but the cluster "
                "has no CTA of rank " +
                    std::to_string(peer));
  if (all[peer]->hasExited())
    return fail(warp, inst, lane, "R13",
                "expected the other CTA of the pair to be there for "
                ".cta_group::2, but it has exited");
  ctas.insert(own.getRank() < peer ? ctas.end() : ctas.begin(),
              all[peer].get());
  return true;
}

//===----------------------------------------------------------------------===//
// Pipes
//===----------------------------------------------------------------------===//

TensorPipe &getPipe(Warp &warp, unsigned lane) {
  TensorPipe &pipe =
      getTensorMemory(warp.getCta()).pipes[{warp.getIndex(), lane}];
  if (ordering::ClusterOrdering *home = getOrder(warp.getCluster());
      home && pipe.component == ~0u)
    pipe.component = home->addComponent(ordering::AsyncKind::Tcgen05);
  return pipe;
}

std::optional<AsyncActor> beginInPipe(Warp &warp, TensorPipe &pipe,
                                      const ordering::PipeOp &op) {
  ordering::WarpOrder *order = getOrder(warp);
  if (!order)
    return std::nullopt;
  order->getHome().addPipeOp(pipe.component, *order, op);
  return AsyncActor(*order, pipe.component, pipe.issued + 1, true);
}

TensorQueue &getTensorQueue(Cta &cta) {
  auto &all = cta.getCluster().getCtas();
  return getTensorMemory(*all[cta.getRank() & ~1u]).queue;
}

void landTensorQueue(TensorQueue &queue, uint64_t number) {
  while (queue.landed < number && !queue.operations.empty()) {
    std::function<void()> operation = std::move(queue.operations.front());
    queue.operations.pop_front();
    ++queue.landed;
    operation();
  }
}

bool issueInPipe(Warp &warp, const Inst &inst, TensorPipe &pipe,
                 std::function<void()> operation) {
  TensorQueue &queue = getTensorQueue(warp.getCta());
  queue.operations.push_back(std::move(operation));
  ++pipe.issued;
  Effect effect;
  effect.line = inst.line;
  effect.land = [&queue, number = ++queue.issued] {
    landTensorQueue(queue, number);
    return true;
  };
  return warp.getCluster().issue(std::move(effect)) != 0;
}

} // namespace nvfp4::ptx

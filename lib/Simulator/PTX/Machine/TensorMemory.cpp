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

uint32_t TensorMemory::readWord(uint32_t lane, uint32_t column) const {
  uint32_t value;
  std::memcpy(&value, &data[getOffset(lane, column)], kTensorCell);
  return value;
}

void TensorMemory::writeWord(uint32_t lane, uint32_t column, uint32_t value) {
  std::memcpy(&data[getOffset(lane, column)], &value, kTensorCell);
}

uint32_t TensorMemory::readUndefined(uint32_t lane, uint32_t column) const {
  uint32_t bits = 0;
  undefined.read(getOffset(lane, column), kTensorCell,
                 reinterpret_cast<uint8_t *>(&bits));
  return bits;
}

void TensorMemory::writeUndefined(uint32_t lane, uint32_t column,
                                  uint32_t bits) {
  undefined.write(getOffset(lane, column), kTensorCell,
                  reinterpret_cast<const uint8_t *>(&bits));
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

bool checkTensorRange(Warp &warp, const Inst &inst, unsigned lane,
                      const TensorRange &range) {
  const TensorMemory &memory = getTensorMemory(warp.getCta());
  if (range.lane + range.lanes <= kTensorLanes &&
      range.column + range.columns <= kTensorColumns &&
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

static Region makeRegion(Warp &warp) {
  Region region;
  region.kind = Region::Kind::Tensor;
  region.cta = &warp.getCta();
  region.base = getTensorShadow(warp.getLaunch());
  return region;
}

void orderTensor(Warp &warp, const Inst &inst, const TensorRange &range,
                 unsigned lane, AccessKind kind, const AsyncActor &actor) {
  Region region = makeRegion(warp);
  for (uint32_t i = 0; i < range.lanes; ++i)
    orderRange(warp, inst, region,
               region.base + getOffset(range.lane + i, range.column),
               uint64_t(range.columns) * kTensorCell, lane, kind, actor);
}

void orderTensorNow(Warp &warp, const Inst &inst, const TensorRange &range,
                    AccessKind kind) {
  ordering::WarpOrder *order = getOrder(warp);
  if (!order)
    return;
  Region region = makeRegion(warp);
  // A word at a time is what the history of a warp's access wants.
  for (uint32_t i = 0; i < range.lanes; ++i)
    for (uint32_t first = 0; first < range.columns; first += kLanes) {
      uint64_t offsets[kLanes];
      for (unsigned j = 0; j < kLanes; ++j)
        offsets[j] =
            region.base + getOffset(range.lane + i, range.column + first + j);
      uint32_t count = std::min(kLanes, range.columns - first);
      OrderedAccess access;
      access.kind = kind;
      orderAccess(warp, inst, region, offsets, kTensorCell,
                  count == kLanes ? kAllLanes : (1u << count) - 1, access,
                  {[](void *, uint32_t) {}, nullptr});
    }
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

void landPipe(TensorPipe &pipe, uint32_t number) {
  while (pipe.landed < number && !pipe.operations.empty()) {
    std::function<void()> operation = std::move(pipe.operations.front());
    pipe.operations.pop_front();
    ++pipe.landed;
    operation();
  }
}

bool issueInPipe(Warp &warp, const Inst &inst, TensorPipe &pipe,
                 std::function<void()> operation) {
  pipe.operations.push_back(std::move(operation));
  uint32_t number = ++pipe.issued;
  Effect effect;
  effect.line = inst.line;
  effect.land = [&pipe, number] {
    landPipe(pipe, number);
    return true;
  };
  return warp.getCluster().issue(std::move(effect)) != 0;
}

} // namespace nvfp4::ptx

//===- TensorCopy.cpp - Bulk copies through tensor maps -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async.bulk.tensor and cp.reduce.async.bulk.tensor, in tile mode.
//
// Source: PTX ISA 9.7.9.27.1; rules R5, R7, R13, R14.
//
//===----------------------------------------------------------------------===//

#include "BulkTransfer.h"
#include "ChipFeatures.h"
#include "Machine/TensorMap.h"
#include "MemoryQualifiers.h"
#include "Reduce.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;

/// Of the shared side.
constexpr uint32_t kBoxAlignment = 128;

namespace {
struct TensorPlan final : Plan {
  uint32_t rank = 0;
  bool isLoad = false, isMulticast = false;
  /// .cta_group::2: the mbarrier may be in the other CTA of a pair.
  bool isPair = false;
  /// Of reductions.
  std::string_view operation;
  AddressSpace sharedSpace = AddressSpace::Shared;
  OperandRef map, shared, barrier, ctaMask;
  uint64_t mapOffset = 0, sharedOffset = 0, barrierOffset = 0;
  std::vector<OperandRef> coordinates;
};

/// A box and where its two sides are.
struct Tile {
  Box box;
  uint64_t fill = 0;
  ReduceFn reduce = nullptr;
  /// Of no kind when no element is in bounds.
  Region global;
  Region shared;
  uint64_t sharedOffset = 0;
  /// Of the tensor map; a parameter has no order.
  Region map;
  uint64_t mapOffset = 0;
  LaunchState *launch = nullptr;

  /// Calls visit(offset in a row, offset in shared memory) for each chunk.
  template <typename Visit> void forEachChunk(size_t row, Visit visit) const;
  void load() const;
  void store() const;
  void reduceRow(const BoxRow &row, const uint8_t *bytes) const;
};

/// One copy of one lane.
struct TensorCopy {
  Warp &warp;
  const Inst &inst;
  const TensorPlan &plan;
  unsigned lane;

  bool run(uint64_t mapAddress, uint64_t sharedAddress,
           uint64_t barrierAddress);

private:
  bool fail(const std::string &rule, const std::string &message) {
    warp.trap(inst, rule, lane, message);
    return false;
  }
  bool readMap(uint64_t address, TiledTensorMap &map, Tile &tile);
  bool checkCoordinates(const TiledTensorMap &map, const Box &box,
                        const int32_t *coordinates);
  bool locateGlobal(Tile &tile);
  bool locateShared(Tile &tile, uint64_t address);
  BulkTransfer makeTransfer(const Tile &tile);
  bool completeOnBarrier(const Tile &tile, uint64_t barrierAddress);
};
} // namespace

//===----------------------------------------------------------------------===//
// Moving bytes
//===----------------------------------------------------------------------===//

template <typename Visit>
void Tile::forEachChunk(size_t row, Visit visit) const {
  uint64_t base = shared.base + sharedOffset + row * box.pitch;
  for (uint32_t at = 0; at < box.getRowBytes(); at += kSwizzleChunk)
    visit(at, box.place(uint32_t(base) + at) - uint32_t(shared.base));
}

void Tile::load() const {
  uint32_t bytes = box.getRowBytes();
  std::vector<uint8_t> values(bytes), masks(bytes);
  bool checks = launch->options.checkDefinedness;
  for (size_t i = 0; i < box.rows.size(); ++i) {
    const BoxRow &row = box.rows[i];
    for (uint32_t at = 0; at < bytes; at += box.elementBytes)
      std::memcpy(&values[at], &fill, box.elementBytes);
    std::fill(masks.begin(), masks.end(), 0);
    if (row.count) {
      uint64_t from = row.address - global.base;
      uint32_t to = row.first * box.elementBytes;
      uint32_t count = row.count * box.elementBytes;
      std::memcpy(&values[to], global.data + from, count);
      if (checks)
        global.undefined->read(from, count, &masks[to]);
    }
    forEachChunk(i, [&](uint32_t at, uint64_t offset) {
      std::memcpy(shared.data + offset, &values[at], kSwizzleChunk);
      if (checks)
        shared.undefined->write(offset, kSwizzleChunk, &masks[at]);
    });
  }
}

/// Adds (or the like) a row's elements, each atomically.
void Tile::reduceRow(const BoxRow &row, const uint8_t *bytes) const {
  uint64_t target = row.address - global.base;
  for (uint32_t i = 0; i < row.count; ++i) {
    uint64_t offset = target + uint64_t(i) * box.elementBytes;
    std::lock_guard<std::mutex> lock(
        launch->getAtomicMutex(global.base + offset));
    reduce(global.data + offset, bytes + size_t(i) * box.elementBytes);
  }
}

void Tile::store() const {
  uint32_t bytes = box.getRowBytes();
  std::vector<uint8_t> values(bytes), masks(bytes);
  bool checks = launch->options.checkDefinedness;
  for (size_t i = 0; i < box.rows.size(); ++i) {
    const BoxRow &row = box.rows[i];
    if (!row.count)
      continue;
    bool isUndefined = false;
    forEachChunk(i, [&](uint32_t at, uint64_t offset) {
      std::memcpy(&values[at], shared.data + offset, kSwizzleChunk);
      if (checks)
        isUndefined |=
            shared.undefined->read(offset, kSwizzleChunk, &masks[at]);
    });
    uint64_t to = row.address - global.base;
    uint32_t from = row.first * box.elementBytes;
    uint32_t count = row.count * box.elementBytes;
    if (reduce) {
      reduceRow(row, &values[from]);
      if (isUndefined)
        global.undefined->markUndefined(to, count);
      continue;
    }
    std::memcpy(global.data + to, &values[from], count);
    if (checks)
      global.undefined->write(to, count, &masks[from]);
  }
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

bool TensorCopy::readMap(uint64_t address, TiledTensorMap &map, Tile &tile) {
  uint64_t addresses[kLanes] = {}, offsets[kLanes];
  addresses[lane] = address;
  Region &region = tile.map;
  if (!warp.gatherRegion(inst, AddressSpace::Generic, addresses,
                         kTensorMapBytes, kTensorMapAlignment, 1u << lane,
                         region, offsets))
    return false;
  if (region.kind != Region::Kind::Param && region.kind != Region::Kind::Global)
    return fail("tensor", "expected a tensor map in global, constant or "
                          "parameter memory");
  uint64_t offset = tile.mapOffset = offsets[lane];
  if (region.undefined && region.undefined->any(offset, kTensorMapBytes))
    return fail("R11", "expected a defined tensor map, but got bytes that "
                       "nobody wrote");
  if (!decodeTensorMap(region.data + offset, map))
    return fail("tensor",
                "expected a tensor map that the host encoded, but got other "
                "bytes");
  if (map.rank != plan.rank)
    return fail("tensor",
                "expected a tensor map of " + std::to_string(plan.rank) +
                    " dimensions, but got one of " + std::to_string(map.rank));
  return true;
}

/// What a chip refuses: an H200 calls it an illegal instruction.
bool TensorCopy::checkCoordinates(const TiledTensorMap &map, const Box &box,
                                  const int32_t *coordinates) {
  int64_t byte = int64_t(coordinates[0]) * box.elementBytes;
  if (byte % kSwizzleChunk)
    return fail("alignment", "expected an innermost coordinate at a multiple "
                             "of 16 bytes, but got " +
                                 std::to_string(byte));
  for (uint32_t i = 0; i < map.rank; ++i)
    if (!plan.isLoad && coordinates[i] < 0)
      return fail("bounds", "expected no negative coordinate to store to, but "
                            "got " +
                                std::to_string(coordinates[i]) +
                                " in dimension " + std::to_string(i));
  return true;
}

bool TensorCopy::locateGlobal(Tile &tile) {
  for (const BoxRow &row : tile.box.rows) {
    if (!row.count)
      continue;
    Region region = warp.findRegion(AddressSpace::Global, row.address);
    uint64_t bytes = uint64_t(row.count) * tile.box.elementBytes;
    bool isSame = tile.global.kind == Region::Kind::None ||
                  tile.global.buffer == region.buffer;
    if (region.kind == Region::Kind::None || !isSame ||
        row.address - region.base + bytes > region.size)
      return fail("bounds", "expected a tensor map whose elements lie within "
                            "one buffer, but they do not");
    tile.global = region;
  }
  return true;
}

bool TensorCopy::locateShared(Tile &tile, uint64_t address) {
  uint64_t addresses[kLanes] = {}, offsets[kLanes];
  addresses[lane] = address;
  if (!warp.gatherRegion(inst, plan.sharedSpace, addresses,
                         uint32_t(tile.box.getSpan()), kBoxAlignment,
                         1u << lane, tile.shared, offsets))
    return false;
  tile.sharedOffset = offsets[lane];
  return true;
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Tells the ordering checks about a copy's two sides.
static void orderTile(Warp &warp, const Inst &inst, unsigned lane,
                      const Tile &tile, bool isLoad, const AsyncActor &reader,
                      const AsyncActor &writer) {
  const Box &box = tile.box;
  if (tile.map.kind == Region::Kind::Global)
    orderRange(warp, inst, tile.map, tile.mapOffset, kTensorMapBytes, lane,
               AccessKind::Read, reader.readingTensorMap());
  const AsyncActor &globalActor = isLoad ? reader : writer;
  const AsyncActor &sharedActor = isLoad ? writer : reader;
  AccessKind globalKind = isLoad        ? AccessKind::Read
                          : tile.reduce ? AccessKind::Reduction
                                        : AccessKind::Write;
  AccessKind sharedKind = isLoad ? AccessKind::Write : AccessKind::Read;
  for (const BoxRow &row : box.rows)
    if (row.count)
      orderRange(warp, inst, tile.global, row.address - tile.global.base,
                 uint64_t(row.count) * box.elementBytes, lane, globalKind,
                 globalActor);
  // Whole rows of the pattern only change places.
  if (box.pitch == box.getRowBytes())
    return orderRange(warp, inst, tile.shared, tile.sharedOffset, box.getSpan(),
                      lane, sharedKind, sharedActor);
  for (size_t row = 0; row < box.rows.size(); ++row)
    tile.forEachChunk(row, [&](uint32_t, uint64_t offset) {
      orderRange(warp, inst, tile.shared, offset, kSwizzleChunk, lane,
                 sharedKind, sharedActor);
    });
}

BulkTransfer TensorCopy::makeTransfer(const Tile &tile) {
  auto shared = std::make_shared<const Tile>(tile);
  bool isLoad = plan.isLoad;
  return {warp,
          inst,
          lane,
          uint32_t(tile.box.getBytes()),
          [this, shared, isLoad](const AsyncActor &reader,
                                 const AsyncActor &writer) {
            orderTile(warp, inst, lane, *shared, isLoad, reader, writer);
          },
          [shared, isLoad] {
            if (isLoad)
              shared->load();
            else
              shared->store();
            return true;
          }};
}

/// The mbarrier is in the destination's CTA, or, for a pair, in the one of the
/// pair whose rank is even or odd as the address says.
bool TensorCopy::completeOnBarrier(const Tile &tile, uint64_t barrierAddress) {
  Cta *cta = tile.shared.cta;
  if (plan.isPair) {
    uint32_t named = uint32_t(barrierAddress) >> kSharedRankShift;
    uint32_t rank = (cta->getRank() & ~1u) | (named & 1);
    auto &all = warp.getCluster().getCtas();
    if (rank >= all.size())
      return fail("R8", "expected an mbarrier in a CTA of the cluster, but "
                        "there is none of rank " +
                            std::to_string(rank));
    cta = all[rank].get();
  }
  return makeTransfer(tile).completeOn(*cta, barrierAddress);
}

/// Bits have no sign.
static ReduceFn selectOperation(std::string_view operation, Type type) {
  bool isBitwise =
      operation == "and" || operation == "or" || operation == "xor";
  if (isBitwise && (type == Type::U32 || type == Type::S32))
    type = Type::B32;
  if (isBitwise && (type == Type::U64 || type == Type::S64))
    type = Type::B64;
  return selectReduction(operation, type);
}

bool TensorCopy::run(uint64_t mapAddress, uint64_t sharedAddress,
                     uint64_t barrierAddress) {
  TiledTensorMap map;
  Tile tile;
  if (!readMap(mapAddress, map, tile))
    return false;
  int32_t coordinates[kMaxTensorRank] = {};
  for (uint32_t i = 0; i < plan.rank; ++i)
    coordinates[i] = int32_t(warp.readLane(plan.coordinates[i], lane));
  if (!countRows(map))
    return fail("bounds", "expected a box that fits shared memory");
  tile.box = makeBox(map, coordinates);
  if (!plan.isLoad)
    tile.box.widenRows();
  tile.fill = getFill(map);
  tile.launch = &warp.getLaunch();
  if (!plan.operation.empty()) {
    tile.reduce = selectOperation(plan.operation, getElementType(map));
    if (!tile.reduce)
      return fail("tensor", "expected elements that ." +
                                std::string(plan.operation) +
                                " reduces, but got others");
  }
  if (!checkCoordinates(map, tile.box, coordinates) || !locateGlobal(tile))
    return false;
  if (!plan.isMulticast)
    return locateShared(tile, sharedAddress) &&
           (plan.isLoad ? completeOnBarrier(tile, barrierAddress)
                        : makeTransfer(tile).completeInGroup());
  uint32_t ctas = 0;
  if (!readMulticast(warp, inst, plan.ctaMask, lane, ctas))
    return false;
  bool isGood = true;
  forEachLane(ctas, [&](unsigned rank) {
    uint64_t moved = (sharedAddress & kSharedOffsetMask) |
                     uint64_t(rank) << kSharedRankShift;
    isGood = isGood && locateShared(tile, moved) &&
             completeOnBarrier(tile, barrierAddress);
  });
  return isGood;
}

static Outcome execTensorCopy(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const TensorPlan &>(*inst.plan);
  uint64_t map[kLanes], shared[kLanes], barrier[kLanes] = {};
  if (!warp.readAddresses(inst, plan.map, plan.mapOffset, mask, map) ||
      !warp.readAddresses(inst, plan.shared, plan.sharedOffset, mask, shared) ||
      (plan.isLoad && !warp.readAddresses(inst, plan.barrier,
                                          plan.barrierOffset, mask, barrier)))
    return Outcome::Stop;
  for (const OperandRef &coordinate : plan.coordinates)
    if (!warp.requireDefined(coordinate, mask, inst, "tensor coordinate"))
      return Outcome::Stop;
  if (plan.isMulticast &&
      !warp.requireDefined(plan.ctaMask, mask, inst, "CTA mask"))
    return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    isGood = isGood && TensorCopy{warp, inst, plan, lane}.run(
                           map[lane], shared[lane], barrier[lane]);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// `[map, {c0, c1}]`.
static bool readMapOperand(DecodeContext &context, unsigned i,
                           TensorPlan &plan) {
  const Operand &operand = context.getOperand(i);
  DecodeContext::Address map;
  if (!context.readAddress(operand, map))
    return false;
  plan.map = map.base, plan.mapOffset = map.offset;
  if (operand.numChildren == 2)
    plan.coordinates =
        context.readVector(context.getChild(operand, 1), Type::S32);
  if (plan.coordinates.size() == plan.rank)
    return true;
  context.error("expected a tensor map and " + std::to_string(plan.rank) +
                " coordinates in brackets");
  return false;
}

static bool readSharedOperand(DecodeContext &context, unsigned i,
                              OperandRef &base, uint64_t &offset) {
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(i), address))
    return false;
  base = address.base, offset = address.offset;
  return true;
}

/// The destination comes first.
static bool readTensorOperands(DecodeContext &context, TensorPlan &plan) {
  bool hasHint = context.take("L2::cache_hint");
  if (!context.expectOperands(2 + plan.isLoad + plan.isMulticast + hasHint) ||
      !readMapOperand(context, plan.isLoad ? 1 : 0, plan) ||
      !readSharedOperand(context, plan.isLoad ? 0 : 1, plan.shared,
                         plan.sharedOffset))
    return false;
  if (plan.isLoad &&
      !readSharedOperand(context, 2, plan.barrier, plan.barrierOffset))
    return false;
  if (plan.isMulticast) {
    plan.ctaMask = context.readOperand(3, Type::U16);
    return plan.ctaMask.isPresent;
  }
  return true;
}

static bool takeOperation(DecodeContext &context, TensorPlan &plan) {
  static constexpr Choice<std::string_view> kOperations[] = {
      {"add", "add"}, {"min", "min"}, {"max", "max"}, {"inc", "inc"},
      {"dec", "dec"}, {"and", "and"}, {"or", "or"},   {"xor", "xor"}};
  plan.operation = context.choose(kOperations, std::string_view());
  if (!plan.operation.empty())
    return true;
  context.error("expected an operation that bulk copies have");
  return false;
}

static bool decodeTensorCopy(DecodeContext &context) {
  static constexpr Choice<uint32_t> kRanks[] = {
      {"1d", 1}, {"2d", 2}, {"3d", 3}, {"4d", 4}, {"5d", 5}};
  if (!context.has("bulk") || !context.has("tensor"))
    return false;
  bool isReduction = context.take("reduce");
  context.takeHints({"async", "bulk", "tensor"});
  TensorPlan &plan = context.makePlan<TensorPlan>();
  plan.rank = context.choose(kRanks, 0u);
  if (!plan.rank)
    return context.error("expected .1d to .5d");
  if (context.take("prefetch")) {
    context.takeHints({"L2", "global", "tile", "L2::cache_hint"});
    return true;
  }
  AddressSpace to = takeSpace(context), from = takeSpace(context);
  context.take("tile");
  plan.isLoad = from == AddressSpace::Global;
  plan.sharedSpace = plan.isLoad ? to : from;
  bool isComplete =
      context.take(plan.isLoad ? "mbarrier::complete_tx::bytes" : "bulk_group");
  bool isShared = plan.sharedSpace == AddressSpace::Shared ||
                  (plan.isLoad && to == AddressSpace::SharedCluster);
  if (!isShared || (!plan.isLoad && to != AddressSpace::Global) ||
      (plan.isLoad && isReduction) || !isComplete)
    return context.error("expected a copy from global to shared memory with "
                         ".mbarrier::complete_tx::bytes, or from shared to "
                         "global memory with .bulk_group");
  plan.isMulticast = plan.isLoad && context.take("multicast::cluster");
  if (plan.isLoad &&
      (context.has("cta_group::1") || context.has("cta_group::2"))) {
    if (!requireFeature(context, ChipFeature::TensorMemory))
      return true;
    plan.isPair = context.take("cta_group::2");
    context.take("cta_group::1");
  }
  if (isReduction && !takeOperation(context, plan))
    return true;
  if (readTensorOperands(context, plan))
    context.emitExec(InstClass::Async, execTensorCopy).plan = &plan;
  return true;
}

OpcodeTable getTensorCopyOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"cp", decodeTensorCopy}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

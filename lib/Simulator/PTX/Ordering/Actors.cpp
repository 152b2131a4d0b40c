//===- Actors.cpp - Warps, asynchronous operations, clusters --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ordering/Actors.h"

#include "Ordering/Shadow.h"

#include <algorithm>
#include <string>
#include <unordered_map>

using namespace nvfp4;
using namespace nvfp4::ptx::ordering;

Scope nvfp4::ptx::ordering::getCommonScope(uint32_t clusterA, uint32_t ctaA,
                                           uint32_t clusterB, uint32_t ctaB) {
  if (clusterA != clusterB)
    return Scope::Gpu;
  return ctaA != ctaB ? Scope::Cluster : Scope::Cta;
}

std::optional<Conflict>
nvfp4::ptx::ordering::checkScope(const Publisher &publisher,
                                 const WarpOrder &warp, uint32_t lane,
                                 Scope scope, uint64_t offset) {
  const Snapshot &now = warp.getNow();
  Scope needed = getCommonScope(publisher.cluster, publisher.cta, now.cluster,
                                warp.getCta());
  if (std::min(scope, publisher.scope) >= needed)
    return std::nullopt;
  Conflict conflict{ConflictKind::ScopeTooNarrow, "R3", offset, lane, {}};
  conflict.other = {publisher.cluster, publisher.component,
                    publisher.lane,    publisher.instruction,
                    /*write=*/true,
                    /*strong=*/true,
                    /*async=*/false};
  conflict.scope = scope;
  conflict.otherScope = publisher.scope;
  return conflict;
}

//===----------------------------------------------------------------------===//
// WarpOrder
//===----------------------------------------------------------------------===//

WarpOrder::WarpOrder(ClusterOrdering &home, uint32_t component, uint32_t cta,
                     uint32_t liveLanes)
    : home(&home), cta(cta), liveLanes(liveLanes), pending(home.getCluster()) {
  now.cluster = home.getCluster();
  now.component = component;
}

void WarpOrder::closeEpoch() {
  if (!epochUsed)
    return;
  epochUsed = false;
  uint32_t &finished = now.own[unsigned(View::Ordinary)];
  if (finished + 1 == kMaxClock) {
    home->setLimit("a warp synchronises more than 2^22 times");
    return;
  }
  ++finished;
}

void WarpOrder::acquireOwn(uint32_t lanes, uint32_t clock) {
  if (clock <= allLanesSeen)
    return;
  if ((lanes & liveLanes) == liveLanes) {
    allLanesSeen = clock;
    return;
  }
  for (uint32_t lane = 0; lane < kNumLanes; ++lane)
    if (lanes >> lane & 1)
      laneSeen[lane] = std::max(laneSeen[lane], clock);
}

void WarpOrder::syncLanes(uint32_t lanes) {
  closeEpoch();
  acquireOwn(lanes, now.own[unsigned(View::Ordinary)]);
}

/// Calls `visit` with the order of `fence.sc` of each scope up to `scope`: a
/// fence of a wide scope is also ordered with the narrow ones around it.
template <typename Visitor>
void WarpOrder::visitSc(Scope scope, Visitor visit) {
  visit(home->getSc(Scope::Cta, cta));
  if (scope >= Scope::Cluster)
    visit(home->getSc(Scope::Cluster, cta));
  if (scope >= Scope::Gpu)
    visit(home->getLaunch().sc);
}

std::optional<Conflict> WarpOrder::fence(FenceKind kind, Scope scope,
                                         uint32_t instruction) {
  std::optional<Conflict> conflict;
  if (hasPending && kind != FenceKind::Release) {
    pending.acquire(*this, kAllLanes);
    conflict = checkScope(pendingPublisher, *this, pendingLane,
                          std::min(scope, pendingScope), 0);
    pending.clear();
    hasPending = false;
  }
  if (kind == FenceKind::Acquire)
    return conflict;
  std::unique_lock<std::mutex> lock(home->getLaunch().scMutex, std::defer_lock);
  if (kind == FenceKind::Sc) {
    if (scope >= Scope::Gpu)
      lock.lock();
    visitSc(scope, [&](SyncClock &sc) { sc.acquire(*this, 0); });
  }
  closeEpoch();
  if (kind == FenceKind::Sc)
    visitSc(scope, [&](SyncClock &sc) { sc.publish(now); });
  fencedScope = hasFenced ? std::max(fencedScope, scope) : scope;
  hasFenced = true;
  fenced = now;
  return conflict;
}

void WarpOrder::fenceProxy(bool shared, bool global, bool tensorMap) {
  const std::pair<bool, View> targets[] = {{shared, View::AsyncShared},
                                           {global, View::AsyncGlobal},
                                           {tensorMap, View::TensorMap}};
  closeEpoch();
  const Knowledge &ordinary = now.views[unsigned(View::Ordinary)];
  for (auto [wanted, view] : targets) {
    if (!wanted)
      continue;
    now.views[unsigned(view)] = ordinary;
    now.own[unsigned(view)] = now.own[unsigned(View::Ordinary)];
  }
}

void WarpOrder::fenceTensorMemory(bool isBefore) {
  Knowledge &view = now.views[unsigned(View::TensorMemory)];
  if (!isBefore) {
    ordering::join(tensorMemory, now.cluster, view, now.cluster);
    return;
  }
  closeEpoch();
  // Relaxed operations may have brought what the ordinary view lacks.
  ordering::join(view, now.cluster, now.views[unsigned(View::Ordinary)],
                 now.cluster);
  now.own[unsigned(View::TensorMemory)] = now.own[unsigned(View::Ordinary)];
}

void WarpOrder::observe(uint32_t component, uint32_t clock) {
  now.views[unsigned(View::Ordinary)].local.raise(component, clock);
}

void WarpOrder::observeTransfers(uint32_t component, uint32_t clock) {
  observe(component, clock);
  tensorMemory.local.raise(component, clock);
}

void WarpOrder::addPending(const SyncClock &clock, const Publisher &publisher,
                           uint32_t lane, Scope scope) {
  pending.join(clock);
  if (hasPending && publisher.scope > pendingPublisher.scope)
    return;
  hasPending = true;
  pendingPublisher = publisher;
  pendingLane = lane;
  pendingScope = scope;
}

//===----------------------------------------------------------------------===//
// AsyncActor
//===----------------------------------------------------------------------===//

AsyncActor::AsyncActor(WarpOrder &issuer, uint32_t component, uint32_t clock,
                       bool asyncProxy)
    : issuer(&issuer), asyncProxy(asyncProxy) {
  if (clock > kMaxClock || component >= kMaxComponents) {
    issuer.getHome().setLimit(
        "a component completes more than 2^22 asynchronous operations");
    clock = std::min(clock, kMaxClock);
    component = std::min(component, kMaxComponents - 1);
  }
  record = Record::access(issuer.getNow().cluster, component, clock)
               .withFlags(/*strong=*/false, asyncProxy);
}

AsyncActor::AsyncActor(WarpOrder &issuer, AsyncOp op, bool asyncProxy)
    : issuer(&issuer), record(Record::tagged(Record::Op, op)
                                  .withFlags(
                                      /*strong=*/false, asyncProxy)),
      asyncProxy(asyncProxy) {}

//===----------------------------------------------------------------------===//
// LaunchOrdering and ClusterOrdering
//===----------------------------------------------------------------------===//

LaunchOrdering::LaunchOrdering(size_t maxSetBytes)
    : sets(maxSetBytes, /*isShared=*/true) {}

namespace {
/// Sets of shared memory are collected, so the bound is for garbage only.
constexpr size_t kMaxClusterSetBytes = size_t(1) << 30;
constexpr size_t kCollectAt = size_t(16) << 20;
constexpr size_t kNumTransitions = 2048;
} // namespace

ClusterOrdering::ClusterOrdering(LaunchOrdering &launch,
                                 const ClusterShape &shape)
    : launch(launch), shape(shape),
      sets(std::make_unique<AccessSets>(kMaxClusterSetBytes,
                                        /*isShared=*/false)),
      transitions(kNumTransitions), collectAt(kCollectAt) {
  for (uint32_t cta = 0; cta < shape.numCtas; ++cta)
    shared.push_back(
        std::make_unique<Shadow>(Shadow::Space::Shared, shape.sharedBytes));
}

ClusterOrdering::~ClusterOrdering() = default;

Status ClusterOrdering::begin(uint32_t newCluster) {
  uint64_t numWarps = uint64_t(shape.numCtas) * shape.warpsPerCta;
  if (newCluster >= kMaxClusters)
    return Status::error("expected at most " + std::to_string(kMaxClusters) +
                         " clusters in a launch with race checks, but got "
                         "cluster " +
                         std::to_string(newCluster));
  if (numWarps > kMaxComponents)
    return Status::error("expected at most " + std::to_string(kMaxComponents) +
                         " warps in a cluster, but got " +
                         std::to_string(numWarps));
  cluster = newCluster;
  limit = nullptr;
  asyncKinds.clear();
  pipes.clear();
  sets->clear();
  ++setsNumbering;
  for (std::unique_ptr<Shadow> &shadow : shared)
    shadow->reset();
  warps.clear();
  for (uint32_t w = 0; w < numWarps; ++w) {
    bool last = w % shape.warpsPerCta == shape.warpsPerCta - 1;
    warps.emplace_back(*this, w, w / shape.warpsPerCta,
                       last ? shape.lastWarpLanes : kAllLanes);
  }
  scPerCta.assign(shape.numCtas, SyncClock(cluster));
  scOfCluster = SyncClock(cluster);
  return {};
}

uint32_t ClusterOrdering::addComponent(AsyncKind kind) {
  uint32_t component = warps.size() + asyncKinds.size();
  if (component >= kMaxComponents) {
    limit = "a cluster has more than 4093 warps, mbarriers and groups";
    return kMaxComponents;
  }
  asyncKinds.push_back(kind);
  return component;
}

bool PipeOp::isBefore(const PipeOp &next) const {
  switch (next.kind) {
  case Kind::Product:
    return kind != Kind::Product || form == next.form;
  case Kind::Shift:
    return kind == Kind::Product;
  case Kind::CopyOfRows:
    return kind == Kind::Shift;
  case Kind::Copy:
    return false;
  }
  return false;
}

void ClusterOrdering::addPipeOp(uint32_t component, WarpOrder &issuer,
                                PipeOp op) {
  op.issuer = issuer.getComponent();
  op.epoch = issuer.useEpoch();
  pipes[component].ops.push_back(op);
}

const PipeOp *ClusterOrdering::findPipeOp(uint32_t component,
                                          uint32_t clock) const {
  auto it = pipes.find(component);
  return it != pipes.end() && clock && clock <= it->second.ops.size()
             ? &it->second.ops[clock - 1]
             : nullptr;
}

void ClusterOrdering::addEarlierPipe(uint32_t component, uint32_t earlier,
                                     uint32_t clock) {
  PipeClocks &clocks = pipes[component].earlier;
  for (auto [other, theirs] : pipes[earlier].earlier)
    clocks[other] = std::max(clocks[other], theirs);
  clocks[earlier] = std::max(clocks[earlier], clock);
}

AsyncOp ClusterOrdering::beginOp(AsyncKind kind) {
  if (std::optional<AsyncOp> op = launch.ops.begin(opRange, cluster, kind))
    return *op;
  limit = "a launch has more than 2^28 asynchronous operations";
  return 0;
}

void ClusterOrdering::completeOp(AsyncOp op, uint32_t component,
                                 uint32_t clock) {
  if (clock > kMaxClock) {
    limit = "an mbarrier completes more than 2^22 phases";
    clock = kMaxClock;
  }
  launch.ops.complete(op, component, clock);
}

ClusterOrdering::Transition &
ClusterOrdering::getTransition(uint64_t from, uint64_t record,
                               uint64_t instructions) {
  uint64_t hash = (from ^ record << 7 ^ record >> 23) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ instructions) * 0xbf58476d1ce4e5b9u;
  return transitions[hash >> 32 & (kNumTransitions - 1)];
}

void ClusterOrdering::collectSets() {
  auto live =
      std::make_unique<AccessSets>(kMaxClusterSetBytes, /*isShared=*/false);
  std::unordered_map<uint64_t, Record> renamed;
  SetMembers members;
  for (std::unique_ptr<Shadow> &shadow : shared)
    shadow->renameSets([&](uint64_t id) {
      auto [it, isNew] = renamed.try_emplace(id);
      if (isNew) {
        AccessSets::View view = sets->get(id);
        members.assign(view.begin(), view.end());
        std::optional<uint64_t> newId = live->intern(members);
        it->second =
            newId ? Record::tagged(Record::Set, *newId) : members.back().record;
      }
      return it->second;
    });
  sets = std::move(live);
  ++setsNumbering;
  collectAt = std::max(kCollectAt, 2 * sets->getBytes());
}

//===- Actors.h - Warps, asynchronous operations, clusters -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who accesses memory, and what each has seen happen. The machine keeps one
// `LaunchOrdering` per launch and one `ClusterOrdering` per cluster in flight,
// used by one host thread at a time and reused for the next cluster.
//
// Components of a cluster: its warps first, then what the machine adds on
// demand: one per mbarrier (clock = phase + 1), per warp that issues `cp.async`
// (clock = number of the operation), two per thread that issues bulk stores
// (sources read, results written).
//
// A lane is not a component: what one lane of a warp acquires, its warp has
// acquired. Lanes are told apart only for the warning on conflicts within a
// warp (R4).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_ACTORS_H
#define NVFP4_SIMULATOR_PTX_ORDERING_ACTORS_H

#include "Ordering/AccessSets.h"
#include "Ordering/AsyncOps.h"
#include "Ordering/Conflict.h"
#include "Ordering/SyncClock.h"
#include "nvfp4/Support/Status.h"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace nvfp4::ptx::ordering {

class ClusterOrdering;
class Shadow;

/// Who published through a variable, for the warning of R3.
struct Publisher {
  uint32_t cluster = 0;
  uint32_t cta = 0;
  uint32_t component = 0;
  uint32_t lane = 0;
  uint32_t instruction = 0;
  Scope scope = Scope::Sys;
};

enum class FenceKind : uint8_t { Acquire, Release, AcquireRelease, Sc };

/// The narrowest scope that contains two CTAs.
Scope getCommonScope(uint32_t clusterA, uint32_t ctaA, uint32_t clusterB,
                     uint32_t ctaB);

class WarpOrder;

/// The warning of R3, when `warp` takes over at scope `scope` what `publisher`
/// published and either scope does not contain the other side.
std::optional<Conflict> checkScope(const Publisher &publisher,
                                   const WarpOrder &warp, uint32_t lane,
                                   Scope scope, uint64_t offset);

/// One warp.
class WarpOrder {
public:
  WarpOrder(ClusterOrdering &home, uint32_t component, uint32_t cta,
            uint32_t liveLanes);

  /// `bar.warp.sync`, and every barrier that lanes of the warp enter together.
  void syncLanes(uint32_t lanes);
  /// `fence`, `membar`. A warning when an acquired release was out of scope.
  std::optional<Conflict> fence(FenceKind kind, Scope scope,
                                uint32_t instruction);
  /// `fence.proxy.async` of the given spaces, `fence.proxy.tensormap`.
  void fenceProxy(bool shared, bool global, bool tensorMap = false);
  /// `tcgen05.fence::before_thread_sync` and `::after_thread_sync`.
  void fenceTensorMemory(bool isBefore);
  /// A wait has shown that an asynchronous component has reached `clock`:
  /// `cp.async.wait_group`, `cp.async.bulk.wait_group`, `wgmma.wait_group`.
  void observe(uint32_t component, uint32_t clock);
  /// `tcgen05.wait`: the warp's own operations need no fence behind it.
  void observeTransfers(uint32_t component, uint32_t clock);
  /// Whether fences order what `component` did up to `clock` before operations
  /// of this warp on tensor memory.
  bool hasFencedTensorMemory(uint32_t component, uint32_t clock) const {
    return component == now.component ||
           tensorMemory.local.get(component) >= clock;
  }
  /// Whether a release would carry anything for tensor memory.
  bool hasTensorMemoryView() const {
    constexpr auto view = unsigned(View::TensorMemory);
    return now.own[view] || !now.views[view].empty();
  }
  /// Lanes that have exited take part in no barrier.
  void setLiveLanes(uint32_t lanes) { liveLanes = lanes; }

  uint32_t getComponent() const { return now.component; }
  uint32_t getCta() const { return cta; }
  ClusterOrdering &getHome() const { return *home; }
  const Snapshot &getNow() const { return now; }
  Snapshot &getNow() { return now; }

  /// Whether what happened in this warp at `clock` happened before what `lane`
  /// does next, whichever lane did it.
  bool ordersLane(uint32_t lane, uint32_t clock) const {
    return clock <= allLanesSeen || clock <= laneSeen[lane];
  }
  bool ordersAllLanes(uint32_t clock) const { return clock <= allLanesSeen; }
  /// `lanes` have acquired everything of this warp up to `clock`.
  void acquireOwn(uint32_t lanes, uint32_t clock);

  /// The epoch that accesses are recorded in.
  uint32_t useEpoch() {
    epochUsed = true;
    return now.own[unsigned(View::Ordinary)] + 1;
  }
  /// Ends the epoch in use, so that what is published next covers it and no
  /// later access. Comes before every release.
  void closeEpoch();

  /// Strong accesses without release or acquire semantics: what a fence before
  /// them publishes, and what a fence after them will acquire.
  const Snapshot *getFenced() const { return hasFenced ? &fenced : nullptr; }
  Scope getFencedScope() const { return fencedScope; }
  void addPending(const SyncClock &clock, const Publisher &publisher,
                  uint32_t lane, Scope scope);

private:
  template <typename Visitor> void visitSc(Scope scope, Visitor visit);

  ClusterOrdering *home;
  uint32_t cta;
  uint32_t liveLanes;
  bool epochUsed = false;
  Snapshot now;
  /// What is before the warp's operations on tensor memory.
  Knowledge tensorMemory;

  uint32_t allLanesSeen = 0;
  std::array<uint32_t, kNumLanes> laneSeen = {};

  bool hasFenced = false;
  Scope fencedScope = Scope::Sys;
  Snapshot fenced;

  bool hasPending = false;
  SyncClock pending;
  Publisher pendingPublisher;
  uint32_t pendingLane = 0;
  Scope pendingScope = Scope::Sys;
};

/// An asynchronous operation as it accesses memory: forked from its issuer at
/// this moment, recorded under the component and clock of its completion. An
/// operation that reads and writes under different completions (a bulk store)
/// is two of these.
class AsyncActor {
public:
  /// The completion is known: `component` reaching `clock`. `asyncProxy` is
  /// false for `cp.async` only (R6).
  AsyncActor(WarpOrder &issuer, uint32_t component, uint32_t clock,
             bool asyncProxy);
  /// The completion of `op` is filled in later.
  AsyncActor(WarpOrder &issuer, AsyncOp op, bool asyncProxy);

  WarpOrder &getIssuer() const { return *issuer; }
  Record getRecord() const { return record; }
  bool isAsyncProxy() const { return asyncProxy; }
  /// The same operation as it reads its tensor map, which has a proxy of its
  /// own.
  AsyncActor readingTensorMap() const {
    AsyncActor reader = *this;
    reader.tensorMap = true;
    return reader;
  }
  bool isReadingTensorMap() const { return tensorMap; }
  /// The same operation as it accesses tensor memory, which has fences of its
  /// own instead of a proxy.
  AsyncActor accessingTensorMemory() const {
    AsyncActor actor = *this;
    actor.tensorMemory = true;
    actor.asyncProxy = false;
    actor.record.bits &= ~(uint64_t(1) << Record::kAsyncShift);
    return actor;
  }
  bool isAccessingTensorMemory() const { return tensorMemory; }

private:
  WarpOrder *issuer;
  Record record;
  bool asyncProxy;
  bool tensorMap = false, tensorMemory = false;
};

/// An operation of `tcgen05` that a thread issues into its pipe.
struct PipeOp {
  enum class Kind : uint8_t { Product, Copy, CopyOfRows, Shift };
  Kind kind = Kind::Product;
  /// Of a product: its accumulator and shape.
  uint64_t form = 0;
  /// The warp that issued it, and its epoch then.
  uint32_t issuer = 0, epoch = 0;

  /// Whether the manual says that `next` happens after it.
  bool isBefore(const PipeOp &next) const;
};

/// What all clusters of a launch share.
class LaunchOrdering {
public:
  explicit LaunchOrdering(size_t maxSetBytes = size_t(256) << 20);

  AsyncOps ops;
  AccessSets sets; ///< Of cells of global memory.
  /// Warn of what only the practice of compilers allows.
  bool isStrict = false;

  /// The order of `fence.sc` at scope gpu and sys.
  std::mutex scMutex;
  SyncClock sc;
};

/// The shape of a cluster.
struct ClusterShape {
  uint32_t numCtas = 1;
  uint32_t warpsPerCta = 1;
  /// Lanes of the last warp of each CTA.
  uint32_t lastWarpLanes = kAllLanes;
  /// Bytes of shared memory per CTA, from address 0 of its window.
  uint64_t sharedBytes = 0;
};

/// One cluster in flight.
class ClusterOrdering {
public:
  ClusterOrdering(LaunchOrdering &launch, const ClusterShape &shape);
  ~ClusterOrdering();
  ClusterOrdering(const ClusterOrdering &) = delete;

  /// Begins cluster `cluster`, forgetting the one before.
  Status begin(uint32_t cluster);

  uint32_t getCluster() const { return cluster; }
  const ClusterShape &getShape() const { return shape; }
  LaunchOrdering &getLaunch() { return launch; }
  uint32_t getNumWarps() const { return warps.size(); }
  WarpOrder &getWarp(uint32_t component) { return warps[component]; }
  /// The shadow of the shared memory of one CTA.
  Shadow &getShared(uint32_t cta) { return *shared[cta]; }

  /// A component for asynchronous completions of one kind. `kMaxComponents`
  /// when there are too many; then `getLimit` says so.
  uint32_t addComponent(AsyncKind kind);
  bool isWarp(uint32_t component) const { return component < warps.size(); }
  AsyncKind getAsyncKind(uint32_t component) const {
    return asyncKinds[component - warps.size()];
  }
  /// An operation whose completion is named later.
  AsyncOp beginOp(AsyncKind kind);
  void completeOp(AsyncOp op, uint32_t component, uint32_t clock);

  /// The next operation of a pipe, which gets clocks from 1 on, by `issuer`.
  void addPipeOp(uint32_t component, WarpOrder &issuer, PipeOp op);
  /// Null: `component` is no pipe.
  const PipeOp *findPipeOp(uint32_t component, uint32_t clock) const;
  /// By component, how far other pipes have come when this one has.
  using PipeClocks = std::map<uint32_t, uint32_t>;
  const PipeClocks &getEarlierPipes(uint32_t component) {
    return pipes[component].earlier;
  }
  void addEarlierPipe(uint32_t component, uint32_t earlier, uint32_t clock);

  /// A synchronisation object of this cluster: a barrier, an mbarrier.
  SyncClock makeSyncClock() const { return SyncClock(cluster); }
  /// The order of `fence.sc` at scope cta and cluster.
  SyncClock &getSc(Scope scope, uint32_t cta) {
    return scope == Scope::Cta ? scPerCta[cta] : scOfCluster;
  }

  /// The limit that was hit, as a message; null while verdicts are exact.
  const char *getLimit() const { return limit; }
  void setLimit(const char *message) { limit = message; }

  /// How a cell went from one history of reads (or strong writes) to the next;
  /// all cells of a tile go the same way.
  static constexpr uint64_t kNoSets = 0, kGlobalSets = 1;
  struct Transition {
    uint64_t from = 0;
    uint64_t record = 0;
    uint64_t instructions = 0;
    uint64_t sets = kNoSets; ///< The numbering that `from` and `to` belong to.
    uint64_t to = 0;
  };
  Transition &getTransition(uint64_t from, uint64_t record,
                            uint64_t instructions);
  /// An empty list whose storage is reused.
  SetMembers &getScratch() {
    scratch.clear();
    return scratch;
  }
  AccessSets &getSets() { return *sets; }
  /// Changes whenever sets of shared memory are numbered anew.
  uint64_t getSetsNumbering() const { return setsNumbering; }
  /// Drops sets that no cell of shared memory names any more.
  void collectSets();
  bool needsCollection() const { return sets->getBytes() > collectAt; }

private:
  LaunchOrdering &launch;
  ClusterShape shape;
  uint32_t cluster = 0;
  const char *limit = nullptr;
  std::deque<WarpOrder> warps;
  std::vector<AsyncKind> asyncKinds;
  struct Pipe {
    std::vector<PipeOp> ops;
    PipeClocks earlier;
  };
  /// By component.
  std::map<uint32_t, Pipe> pipes;
  AsyncOps::Range opRange;
  std::vector<std::unique_ptr<Shadow>> shared;
  std::vector<SyncClock> scPerCta;
  SyncClock scOfCluster;
  std::unique_ptr<AccessSets> sets;
  uint64_t setsNumbering = kGlobalSets + 1;
  std::vector<Transition> transitions;
  SetMembers scratch;
  size_t collectAt;
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_ACTORS_H

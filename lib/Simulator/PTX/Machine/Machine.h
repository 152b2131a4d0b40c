//===- Machine.h - Warps, CTAs and clusters at run time --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state that instructions work on. One host thread runs a cluster at a
// time; clusters share global memory and the LaunchState only.
//
// Lanes of a warp that stand at the same instruction of the same call form a
// path and run in lock step. A branch that lanes disagree about splits a path;
// paths of equal frame and pc merge. The path that is furthest behind runs
// first, so that structured code reconverges where it should, and a path that
// loops while others are ready gives way after a while (independent thread
// scheduling: PTX ISA 3.1).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_MACHINE_H
#define NVFP4_SIMULATOR_PTX_MACHINE_MACHINE_H

#include "Code.h"
#include "Memory.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

namespace nvfp4::ptx {

namespace ordering {
class ClusterOrdering;
class SyncClock;
} // namespace ordering
struct ClusterBarrier;
struct Mbarrier;
struct WarpAsync;
struct TensorMemory;
struct WatchedRegister;
struct Warpgroup;
class Cluster;
class Cta;
struct Worker;
struct LaunchShadows;
struct LaunchState;

//===----------------------------------------------------------------------===//
// Frames and paths
//===----------------------------------------------------------------------===//

/// Registers and local memory of one call, for all lanes that made it together.
struct Frame {
  Frame *parent = nullptr;
  const Code *code = nullptr;
  /// The call in the parent; execution resumes after it.
  uint32_t callPc = 0;
  /// Paths in this frame plus child frames.
  uint32_t numUsers = 0;
  uint8_t *values = nullptr;
  const uint8_t *constants = nullptr;
  /// Undefined bits, laid out as `values`; only the lanes named by `tainted`
  /// are meaningful.
  uint8_t *undefined = nullptr;
  /// By slot: lanes whose value has undefined bits. tainted[0] is always 0.
  uint32_t *tainted = nullptr;
  /// Start of this call's variables in every lane's local memory.
  uint64_t localBase = 0;
  std::unique_ptr<uint8_t[]> storage;
  /// By register: the longest chain of instructions that its value depends on.
  /// Empty without statistics.
  std::vector<uint64_t> chains;
  /// By Code::numWatches (R10).
  std::vector<WatchedRegister> watched;

  Frame();
  ~Frame();
};

struct Path {
  enum class State : uint8_t {
    Ready,
    Converging, ///< waits for other lanes at a warp-wide instruction
    Barrier,    ///< waits for a CTA or cluster barrier; woken by it
    Polling,    ///< found nothing yet; tries again when others had their turn
  };
  uint32_t mask = 0;
  uint32_t pc = 0;
  Frame *frame = nullptr;
  State state = State::Ready;
  /// Lanes that a Converging path waits for, itself among them: a membermask,
  /// or the live lanes.
  uint32_t awaited = 0;
  /// Set by what wakes a Barrier path: the instruction has taken effect, its
  /// second execution only goes on.
  bool isReleased = false;
  uint32_t backEdges = 0;
  /// Barrier results (bar.red).
  uint64_t value = 0;
  /// The object that a Polling path waits for, if it is one.
  const Mbarrier *awaitedObject = nullptr;
};

//===----------------------------------------------------------------------===//
// Memory regions
//===----------------------------------------------------------------------===//

/// A piece of memory that addresses resolve to.
struct Region {
  enum class Kind : uint8_t { None, Global, Shared, Local, Param, Tensor };
  Kind kind = Kind::None;
  /// Address of byte 0, in the address space of the instruction.
  uint64_t base = 0;
  uint64_t size = 0;
  uint8_t *data = nullptr;
  UndefinedBits *undefined = nullptr; ///< null: always defined
  GlobalBuffer *buffer = nullptr;
  Cta *cta = nullptr;
  /// Local memory: bytes between the copies of two lanes, else 0.
  uint64_t laneStride = 0;
};

constexpr unsigned kNumRegionKinds = 6;

/// What a memory instruction names: the space, or that addresses are generic.
enum class AddressSpace : uint8_t {
  Generic,
  Global,
  Constant,
  Shared,
  SharedCluster,
  Local,
  Param,
};

//===----------------------------------------------------------------------===//
// Warp
//===----------------------------------------------------------------------===//

class Warp {
public:
  Warp(Cta &cta, uint32_t index, uint32_t lanes);
  ~Warp();

  enum class RunResult {
    Progress,
    Blocked, ///< did nothing but wait and look in vain
    Exited,
    Stopped,
  };
  /// Runs until every path waits, the warp exits, or about `budget`
  /// instructions are done.
  RunResult run(uint32_t budget);

  Cta &getCta() const { return cta; }
  Cluster &getCluster() const;
  LaunchState &getLaunch() const;
  /// Index in the CTA.
  uint32_t getIndex() const { return index; }
  uint32_t getLiveLanes() const { return liveLanes; }
  bool hasExited() const { return liveLanes == 0; }
  /// The lanes that this warp started with.
  uint32_t getAllLanes() const { return allLanes; }

  /// The longest chain of dependent instructions, and what it was at the last
  /// barrier.
  struct Chains {
    uint64_t top = 0, base = 0;
  };
  Chains &getChains() { return chains; }

  /// The path that executes. Valid in handlers.
  Path &getPath() { return paths[current]; }
  Frame &getFrame() { return *frame; }
  const std::vector<Path> &getPaths() const { return paths; }
  std::vector<Path> &getPaths() { return paths; }

  /// The 32 values of an operand; for a predicate one word.
  template <typename T> const T *read(const OperandRef &ref) const {
    return reinterpret_cast<const T *>(ref.offset < 0
                                           ? frame->constants + ~ref.offset
                                           : frame->values + ref.offset);
  }
  template <typename T> T *write(const OperandRef &ref) {
    return reinterpret_cast<T *>(frame->values + ref.offset);
  }
  /// A predicate operand with its negation applied.
  uint32_t readPredicate(const OperandRef &ref) const {
    uint32_t bits = *read<uint32_t>(ref);
    return ref.isNegated ? ~bits : bits;
  }
  /// An integer operand of 1 to 8 bytes, zero-extended, of all lanes.
  void readUnsigned(const OperandRef &ref, uint64_t values[kLanes]) const;
  uint64_t readLane(const OperandRef &ref, unsigned lane) const;
  void writeLane(const OperandRef &ref, unsigned lane, uint64_t value);

  //--- Undefined bits ---------------------------------------------------===//

  /// Lanes of `mask` in which the operand has undefined bits.
  uint32_t getTainted(const OperandRef &ref, uint32_t mask) const {
    return checksDefinedness ? frame->tainted[ref.slot] & mask : 0;
  }
  /// Marks the lanes of `mask` of a result as fully defined.
  void markDefined(const OperandRef &ref, uint32_t mask) {
    if (checksDefinedness)
      frame->tainted[ref.slot] &= ~mask;
  }
  /// Marks all bits of these lanes of a result as undefined.
  void markUndefined(const OperandRef &ref, uint32_t mask);
  /// Undefined bits of an operand, zero where clean. `bits` has room for 32
  /// values of the operand (one word for a predicate). Returns tainted lanes.
  uint32_t readUndefined(const OperandRef &ref, uint32_t mask,
                         void *bits) const;
  /// Sets the undefined bits of a result in the lanes of `mask`.
  void writeUndefined(const OperandRef &ref, uint32_t mask, const void *bits) {
    writeUndefinedIn(*frame, ref, mask, bits);
  }
  void writeUndefinedIn(Frame &target, const OperandRef &ref, uint32_t mask,
                        const void *bits);
  /// Error R11 if the operand has undefined bits in a lane of `mask`. `what`:
  /// "address", "branch condition". False when there was an error.
  bool requireDefined(const OperandRef &ref, uint32_t mask, const Inst &inst,
                      const char *what);

  //--- Findings ---------------------------------------------------------===//

  /// Reports an error at an instruction and returns Outcome::Stop: what cannot
  /// go on, such as an address outside of every buffer.
  Outcome trap(const Inst &inst, const std::string &rule, uint32_t lane,
               const std::string &message);
  /// Reports something that the program can continue from.
  void report(Finding::Severity severity, const Inst &inst,
              const std::string &rule, uint32_t lane,
              const std::string &message, uint32_t otherLine = 0);
  const Inst &getCurrentInst() const;

  //--- Control flow -----------------------------------------------------===//

  /// Moves the current path to `target`, splitting it where only `taken` lanes
  /// go.
  Outcome branch(const Inst &inst, uint32_t taken, uint32_t mask,
                 uint32_t target);
  /// Splits lanes by `targets` (instruction indices, per lane).
  Outcome branchIndexed(uint32_t mask, const uint32_t targets[kLanes]);
  /// Makes a path of its own out of `lanes`, at the same instruction.
  Outcome split(uint32_t lanes);
  /// Ends these lanes.
  Outcome exitLanes(uint32_t mask);
  /// Enters `callee` with the lanes of `mask`; `made` becomes its frame.
  Outcome call(const Inst &inst, uint32_t mask, const Code &callee,
               Frame *&made);
  Outcome ret(const Inst &inst, uint32_t mask);
  /// For an `.aligned` instruction, which the live lanes of `members` must
  /// execute together: Next once they are here, otherwise Block, or Stop with
  /// error R14.
  Outcome converge(const Inst &inst, uint32_t mask, uint32_t members);
  /// For a `.sync` instruction with a membermask for each lane: calls
  /// `visit(lanes)` for every set of lanes whose masks agree and name just the
  /// live ones of them. Lanes that miss others stay behind as paths of their
  /// own and execute the instruction again with them.
  template <typename Visit>
  Outcome convergeMembers(const Inst &inst, uint32_t mask,
                          const OperandRef &membermask, Visit visit);
  /// Lanes of `mask` with equal membermasks.
  struct MemberGroup {
    uint32_t members = 0;
    uint32_t lanes = 0;
    bool isComplete = false;
  };
  /// Divides `mask` into `groups` and returns their number; 0 after a trap.
  unsigned formGroups(const Inst &inst, uint32_t mask,
                      const OperandRef &membermask, MemberGroup groups[kLanes]);
  /// Leaves the lanes of incomplete groups behind.
  Outcome leaveIncomplete(const MemberGroup *groups, unsigned count);
  /// Where a path stands, and with which lanes.
  std::string describePath(const Path &path) const;
  /// Whether a path waits at an `.aligned` instruction.
  bool isWaitingAligned() const;
  /// Wakes a path that waits at a barrier.
  void release(uint32_t lanes, uint64_t value = 0);

  //--- Memory -----------------------------------------------------------===//

  /// The region that holds `address`; None when there is none.
  Region findRegion(AddressSpace space, uint64_t address);
  /// Addresses of a memory operand: register or variable plus immediate. Error
  /// when they are undefined. False: trap.
  bool readAddresses(const Inst &inst, const OperandRef &base, uint64_t offset,
                     uint32_t mask, uint64_t addresses[kLanes]);
  /// Calls `visit(region, lanes, offsets)` for each region that the lanes of
  /// `mask` access with `bytes` bytes each, after checking bounds and
  /// alignment (to `alignment` bytes). Stops with a trap.
  template <typename Visit>
  Outcome forEachRegion(const Inst &inst, AddressSpace space,
                        const uint64_t addresses[kLanes], uint32_t bytes,
                        uint32_t alignment, uint32_t mask, Visit visit);
  /// The checks of one region in forEachRegion: which lanes of `mask` lie in
  /// the region of the first, and where. 0 after a trap.
  uint32_t gatherRegion(const Inst &inst, AddressSpace space,
                        const uint64_t addresses[kLanes], uint32_t bytes,
                        uint32_t alignment, uint32_t mask, Region &region,
                        uint64_t offsets[kLanes]);
  /// This warp's local memory, at least `bytes` bytes per lane. False: limit.
  bool growLocal(uint64_t bytes);

  /// Special registers that differ by lane or warp.
  uint64_t readSpecial(unsigned special, unsigned lane) const;

  /// Remembers a strong load that may be a poll; true when the same
  /// instruction saw the same value before, so that others should run.
  bool isRepeatedLoad(const Inst &inst, uint64_t address, uint64_t value);

  uint64_t getInstructionCount() const { return numInstructions; }
  /// Asynchronous copies of this warp; made on first use.
  WarpAsync &getAsync();
  bool hasAsync() const { return async != nullptr; }
  /// Lanes that wrote memory, or read shared memory, since they last met the
  /// rest of the warp at a barrier: what another lane releases does not cover
  /// them.
  uint32_t unsyncedWrites = 0, unsyncedReads = 0;
  /// Tells that this warp changed something that others may wait for.
  void noteEffect() { ++numEffects; }

private:
  friend class Cluster;
  template <bool IsObserved> RunResult runPaths(uint32_t budget);
  template <bool IsObserved> Outcome runPath(uint32_t &budget);
  void runAlu(const Inst &inst, uint32_t mask, uint32_t unsure);
  bool selectPath();
  bool isStuck() const;
  void reportStuck();
  void mergePaths();
  void enterPath(size_t index);
  void runTainted(const Inst &inst, uint32_t mask, AluArgs args);
  Frame *makeFrame(const Code &code, Frame *parent, uint32_t callPc);
  void dropFrame(Frame *frame);
  void removePath(size_t index);

  Cta &cta;
  uint32_t index;
  uint32_t allLanes;
  uint32_t liveLanes;
  Chains chains;
  bool checksDefinedness;
  std::vector<Path> paths;
  size_t current = 0;
  Frame *frame = nullptr;
  /// The nearest pc above the current one at which another path waits to
  /// merge.
  uint32_t nextStop = ~0u;
  std::vector<std::unique_ptr<Frame>> frames, freeFrames;

  std::vector<uint8_t> local;
  uint64_t localStride = 0;
  uint64_t localTop = 0;
  UndefinedBits localUndefined;

  uint64_t numInstructions = 0;
  uint64_t numEffects = 0;
  struct LastLoad {
    const Inst *inst = nullptr;
    uint64_t address = 0, value = 0;
  } lastLoad;
  GlobalBuffer *lastBuffer = nullptr;
  std::unique_ptr<WarpAsync> async;
};

//===----------------------------------------------------------------------===//
// CTA
//===----------------------------------------------------------------------===//

/// One of the 16 barriers of a CTA.
struct CtaBarrier {
  /// Threads that are there, and that complete it; 0: nobody is there.
  uint32_t arrived = 0;
  uint32_t expected = 0;
  /// Without a thread count: all threads of the CTA that have not exited.
  bool expectsAll = false;
  /// For barrier.red.
  uint32_t numVoters = 0, numTrue = 0;
  struct Waiter {
    Warp *warp;
    uint32_t lanes;
  };
  std::vector<Waiter> waiters;
  /// By warp: lanes that are there.
  std::vector<uint32_t> lanes;
  std::unique_ptr<ordering::SyncClock> clock;
};

/// What lanes do at a CTA barrier.
struct BarrierArrival {
  uint32_t id = 0;
  /// Threads; 0: all of the CTA.
  uint32_t count = 0;
  bool waits = true;
  bool isAligned = true;
  /// Lanes whose predicate is true, for barrier.red.
  uint32_t votes = 0;
};

class Cta {
public:
  Cta(Cluster &cluster, uint32_t rank, std::array<uint32_t, 3> id);
  ~Cta();

  Cluster &getCluster() const { return cluster; }
  LaunchState &getLaunch() const;
  /// Rank in the cluster.
  uint32_t getRank() const { return rank; }
  const std::array<uint32_t, 3> &getId() const { return id; }
  std::vector<std::unique_ptr<Warp>> &getWarps() { return warps; }
  bool hasExited() const { return numLiveWarps == 0; }

  /// Shared memory: byte i has address kSharedBase + i.
  std::vector<uint8_t> shared;
  UndefinedBits sharedUndefined;
  std::array<CtaBarrier, 16> barriers;
  uint32_t numLiveWarps = 0;
  /// By offset in `shared`.
  std::map<uint64_t, std::unique_ptr<Mbarrier>> mbarriers;
  /// By index of the first warp divided by 4; null: no `wgmma` yet.
  std::vector<std::unique_ptr<Warpgroup>> warpgroups;
  /// Null: no `tcgen05` yet.
  std::unique_ptr<TensorMemory> tensorMemory;
  /// It has seen that no cluster is left to cancel.
  bool hasSeenLastCluster = false;
  /// Lanes of `mask` arrive. Returns Block when they have to wait, Next when
  /// not.
  Outcome arrive(Warp &warp, const Inst &inst, uint32_t mask,
                 const BarrierArrival &arrival);
  /// Called when lanes exit: barriers without a count expect fewer.
  void noteExit(Warp &warp);

private:
  void completeIfFull(CtaBarrier &barrier);
  Cluster &cluster;
  uint32_t rank;
  std::array<uint32_t, 3> id;
  std::vector<std::unique_ptr<Warp>> warps;
};

//===----------------------------------------------------------------------===//
// Cluster
//===----------------------------------------------------------------------===//

/// An asynchronous effect that has been issued and is not visible yet.
struct Effect {
  /// Makes it visible. False: a trap was reported.
  std::function<bool()> land;
  /// Issue order within the cluster.
  uint64_t sequence = 0;
  /// For the trace and for deadlock reports.
  uint32_t line = 0;
};

class Cluster {
public:
  /// Takes what `worker` has to reuse, and gives it back at the end.
  Cluster(LaunchState &launch, Worker &worker, uint64_t linearId,
          std::array<uint32_t, 3> id);
  ~Cluster();

  LaunchState &getLaunch() const { return launch; }
  uint64_t getLinearId() const { return linearId; }
  const std::array<uint32_t, 3> &getId() const { return id; }
  std::vector<std::unique_ptr<Cta>> &getCtas() { return ctas; }

  enum class RunResult {
    Progress, ///< something ran
    Waiting,  ///< all that is alive polls memory that only others can change
    Exited,
    Stopped,
  };
  /// Gives every warp a turn; lands an effect when all of them wait.
  RunResult run();

  /// Issues an effect: at once when asynchrony is early, else kept until
  /// `landUpTo`, progress or chance calls for it. Returns its sequence number,
  /// or 0 after a trap.
  uint64_t issue(Effect effect);
  /// Lands the effect if it is still pending. False: trap.
  bool land(uint64_t sequence);
  bool isPending(uint64_t sequence) const;
  bool hasPending() const { return !effects.empty(); }

  /// Null when ordering is not checked.
  ordering::ClusterOrdering *getOrdering() const { return ordering.get(); }
  ClusterBarrier &getBarrier() { return *barrier; }
  /// Called when lanes exit.
  void noteExit();
  /// Who waits for what, for deadlock reports.
  std::string describeWaiters() const;
  /// Whether a warp waits for lanes at an `.aligned` instruction.
  bool isWaitingAligned() const;

  /// The last access of each warp, or asynchronous component, to the shared
  /// memory of another CTA: by rank of the owner and component.
  struct RemoteAccess {
    uint32_t clock, lane, line;
    /// Who did it.
    const Warp *warp;
  };
  std::map<std::pair<uint32_t, uint32_t>, RemoteAccess> remoteAccesses;

private:
  bool landOne();
  void startOrdering();
  void finishOrdering();

  LaunchState &launch;
  Worker &worker;
  uint64_t linearId;
  std::array<uint32_t, 3> id;
  std::vector<std::unique_ptr<Cta>> ctas;
  std::vector<Effect> effects;
  uint64_t nextSequence = 1;
  /// With Asynchrony::Random.
  std::optional<std::mt19937_64> random;
  std::unique_ptr<ordering::ClusterOrdering> ordering;
  std::unique_ptr<ClusterBarrier> barrier;
};

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

/// Counts of one instruction.
struct InstCounters {
  std::atomic<uint64_t> executions{0}, lanes{0};
  std::atomic<uint64_t> sectors{0}, wavefronts{0}, bankConflicts{0};
  /// Bytes that lanes asked for, by Region::Kind.
  std::array<std::atomic<uint64_t>, kNumRegionKinds> bytes{};
};

/// The registers of one PTX instruction, for chains of dependences.
struct RegisterUses {
  std::vector<uint32_t> sources, results;
  bool isBarrier = false;
};

/// What all clusters of a launch share.
struct LaunchState {
  LaunchState(const Program::Impl &program, const Launch &launch,
              DeviceMemory::Impl &memory, const Options &options);
  ~LaunchState();

  const Program::Impl &program;
  const Launch &launch;
  DeviceMemory::Impl &memory;
  const Options &options;
  const Code *entry = nullptr;
  /// The constants with addresses filled in: by rank in the cluster, then by
  /// Module::functions.
  std::vector<std::vector<uint8_t>> constants;
  /// By Program::Impl::variables: device address, or shared address in rank 0.
  std::vector<uint64_t> variableAddresses;
  std::vector<uint8_t> parameters;
  /// Parameter bytes are never undefined.
  uint32_t sharedBytes = 0;
  uint32_t dynamicSharedOffset = 0;
  std::array<uint32_t, 3> clusterGrid = {1, 1, 1};

  /// The id of the next cluster that has not begun, which then never will, or
  /// is the caller's to begin. Nothing: none is left.
  std::optional<std::array<uint32_t, 3>> takeCluster(uint64_t &index);

  std::atomic<bool> isStopped{false};
  std::atomic<uint64_t> numInstructions{0};
  std::atomic<uint64_t> numLocalBytes{0};
  /// By Module::functions, with Options::collectStatistics.
  std::vector<std::unique_ptr<InstCounters[]>> counters;
  /// By function and by Function::instructions; the longest chain so far.
  std::vector<std::vector<RegisterUses>> registerUses;
  std::atomic<uint64_t> longestChain{0};

  void add(Finding finding);
  /// The same, with the place put into the message.
  void add(Finding::Severity severity, const std::string &rule, uint32_t line,
           const std::array<uint32_t, 3> &cta, uint32_t warp, uint32_t lane,
           const std::string &message, uint32_t otherLine = 0);
  std::vector<Finding> takeFindings();
  /// Serializes atomics on global memory between host threads.
  std::mutex &getAtomicMutex(uint64_t address) {
    return atomicMutexes[(address >> 4) % kNumAtomicMutexes];
  }

  /// Ends the launch with an error that has no place in the program.
  void reportLimit(const std::string &message, const char *rule = "limit");
  /// Null when ordering is not checked.
  std::unique_ptr<LaunchShadows> shadows;

private:
  std::atomic<uint64_t> nextCluster{0};
  std::mutex findingsMutex;
  std::vector<Finding> findings;
  std::map<std::tuple<std::string, uint32_t, uint32_t>, size_t> findingIndex;
  static constexpr unsigned kNumAtomicMutexes = 256;
  std::array<std::mutex, kNumAtomicMutexes> atomicMutexes;
};

//===----------------------------------------------------------------------===//
// Inline members
//===----------------------------------------------------------------------===//

inline LaunchState &Cta::getLaunch() const { return cluster.getLaunch(); }
inline Cluster &Warp::getCluster() const { return cta.getCluster(); }
inline LaunchState &Warp::getLaunch() const { return cta.getLaunch(); }

template <typename Visit>
Outcome Warp::forEachRegion(const Inst &inst, AddressSpace space,
                            const uint64_t addresses[kLanes], uint32_t bytes,
                            uint32_t alignment, uint32_t mask, Visit visit) {
  while (mask) {
    Region region;
    uint64_t offsets[kLanes];
    uint32_t lanes = gatherRegion(inst, space, addresses, bytes, alignment,
                                  mask, region, offsets);
    if (!lanes)
      return Outcome::Stop;
    Outcome outcome = visit(region, lanes, offsets);
    if (outcome != Outcome::Next)
      return outcome;
    mask &= ~lanes;
  }
  return Outcome::Next;
}

/// Rule R13, after all warps of a cluster have exited.
void checkClusterExit(Cluster &cluster);
template <typename Visit>
Outcome Warp::convergeMembers(const Inst &inst, uint32_t mask,
                              const OperandRef &membermask, Visit visit) {
  const uint32_t *masks = read<uint32_t>(membermask);
  uint32_t members = masks[__builtin_ctz(mask)];
  uint32_t different = 0;
  for (unsigned i = 0; i < kLanes; ++i)
    different |= (mask >> i) & 1 ? masks[i] ^ members : 0;
  if (!different && !getTainted(membermask, mask) &&
      (members & liveLanes) == mask) [[likely]] {
    visit(mask);
    return Outcome::Next;
  }
  MemberGroup groups[kLanes];
  unsigned count = formGroups(inst, mask, membermask, groups);
  if (!count)
    return Outcome::Stop;
  for (unsigned i = 0; i < count; ++i)
    if (groups[i].isComplete)
      visit(groups[i].lanes);
  return leaveIncomplete(groups, count);
}

/// Calls f(lane) for each set bit.
template <typename F> inline void forEachLane(uint32_t mask, F f) {
  for (; mask; mask &= mask - 1)
    f(unsigned(__builtin_ctz(mask)));
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_MACHINE_H

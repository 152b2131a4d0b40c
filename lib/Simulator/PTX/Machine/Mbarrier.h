//===- Mbarrier.h - mbarrier objects ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An mbarrier completes a phase when no arrival is pending and its transaction
// count is zero. Its state lives here; the 8 bytes in shared memory only name
// it.
//
// Source: PTX ISA 9.7.13.15; rule R8.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_MBARRIER_H
#define NVFP4_SIMULATOR_PTX_MACHINE_MBARRIER_H

#include "Machine.h"
#include "Ordering.h"

#include <optional>

namespace nvfp4::ptx {

/// Largest magnitude of a transaction count.
constexpr int64_t kMaxTransactions = (1 << 20) - 1;
constexpr uint32_t kMaxArrivals = (1 << 20) - 1;
constexpr uint32_t kMbarrierBytes = 8;

struct Mbarrier {
  Cta *cta = nullptr;
  uint64_t offset = 0;
  /// Arrivals that complete a phase, and those that this one still lacks.
  uint32_t expected = 0;
  uint32_t pending = 0;
  int64_t transactions = 0;
  uint64_t phase = 0;
  /// Asynchronous operations that were issued with this object and have not
  /// taken effect.
  uint32_t numInFlight = 0;

  /// What arrivals publish: in this phase, and in the finished ones.
  std::unique_ptr<ordering::SyncClock> current, completed;
  /// The component of asynchronous completions; clock = phase + 1.
  uint32_t component = 0;
  std::vector<ordering::AsyncOp> landed;
  /// An arrival from another CTA, for the warning of R3.
  std::optional<ordering::Publisher> remote;
  /// The instruction of the init, for messages, and its place in time.
  uint32_t initLine = 0;
  struct InitOrder {
    uint32_t component, clock;
  };
  std::optional<InitOrder> initOrder;

  /// A bulk copy that nobody has waited for yet (R13).
  struct Unobserved {
    uint64_t phase;
    uint32_t line;
  };
  std::vector<Unobserved> unobserved;

  /// State word of an arrival in this phase.
  uint64_t getToken() const { return phase << 20 | pending; }
  bool isComplete(uint64_t awaitedPhase) const { return phase > awaitedPhase; }
};

/// The object at an address. Reports R8 and returns null when there is none.
Mbarrier *findMbarrier(Warp &warp, const Inst &inst, AddressSpace space,
                       uint64_t address, uint32_t lane);
/// The same without a report.
Mbarrier *findMbarrierAt(Cta &cta, uint64_t offset);

/// Whether the issue of an operation that completes on the object comes behind
/// its mbarrier.init, which another CTA may have executed. Reports R4 if not.
bool checkInit(Warp &warp, const Inst &inst, const Mbarrier &barrier,
               uint32_t lane);

/// Arrivals and transactions. False after an R8 error, which is a trap when
/// `warp` is given.
bool arriveOn(Warp &warp, const Inst &inst, Mbarrier &barrier, uint32_t lane,
              uint32_t count);
bool addTransactions(Warp &warp, const Inst &inst, Mbarrier &barrier,
                     uint32_t lane, int64_t count);

/// An asynchronous operation of `bytes` bytes took effect: completes its
/// transactions on the object at `offset`. False after an R8 error.
bool landOnMbarrier(Warp &warp, const Inst &inst, Cta &cta, uint64_t offset,
                    uint32_t lane, uint32_t bytes, ordering::AsyncOp op);

/// Finishes the phase if nothing is missing.
void completePhase(Mbarrier &barrier);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_MBARRIER_H

//===- Checker.h - One access against the history of its cells -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One access is split into runs of consecutive bytes whose lanes follow each
// other, runs into cells. A cell's history is compared with what the actor
// knows, then the access becomes part of it. Neighbouring cells mostly have the
// same history, so the last one found harmless is remembered.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_CHECKER_H
#define NVFP4_SIMULATOR_PTX_ORDERING_CHECKER_H

#include "Ordering/Page.h"

namespace nvfp4::ptx::ordering {

class Checker {
public:
  Checker(Shadow &shadow, WarpOrder &warp, AccessKind kind, MemoryOrder order,
          uint32_t instruction);
  Checker(Shadow &shadow, const AsyncActor &actor, AccessKind kind,
          MemoryOrder order, uint32_t instruction);

  std::optional<Conflict> check(const AccessEvent &event);
  std::optional<Conflict> check(const RangeEvent &event);

private:
  /// Consecutive bytes: byte p belongs to lane + (p >> shift).
  struct Run {
    uint64_t offset;
    uint64_t size;
    uint32_t lane;
    uint32_t shift;
    Layout layout;
    uint32_t lanes;        ///< All of them.
    const uint8_t *values; ///< To be written, or null.
  };
  static constexpr uint32_t kNoShift = 63;

  Run findRun(const AccessEvent &event, uint32_t lanes, uint32_t shift,
              Layout layout) const;
  Shadow::Page &hold(uint64_t number);
  void letGo();
  void checkRun(const Run &run);
  void checkPage(Shadow::Page &page, const Run &run, uint64_t begin,
                 uint64_t end);
  void finishPage(Shadow::Page &page, const Run &run, uint64_t begin,
                  uint64_t end);
  void checkPart(Shadow::Page &page, const Run &run, uint64_t at,
                 uint32_t size);
  template <bool IsWrite>
  void checkChunks(Shadow::Page &page, uint32_t chunk, uint32_t count,
                   const Run &run, uint64_t at);
  void checkChunk(Shadow::Page &page, uint32_t chunk, Record record,
                  const Run &run, uint64_t at);
  void checkWord(Shadow::Page &page, uint32_t word, Record record,
                 const Run &run, uint64_t at);
  void checkByte(Cell &cell, Record record, const Run &run, uint64_t at);
  bool passes(Cell &cell, Record record);
  void checkCell(Cell &cell, Record record, const Run &run, uint64_t at,
                 uint32_t size);
  Record getRecord(const Run &run, uint64_t at) const {
    return self.withLane(run.lane + uint32_t(at >> run.shift), run.layout);
  }

  /// The short way out: nothing yet, or the same lanes earlier.
  bool isHarmless(Record history, Record record) const {
    return history.empty() || (isSync && history.sameLanes(record));
  }
  bool checkHistory(Record history, bool historyWrites, uint32_t instruction,
                    Record record, const Run &run, uint64_t at, uint32_t size,
                    uint64_t &harmless);
  bool isSamePipe(Record member) const;
  bool checkPipe(Record member, bool memberWrites, uint32_t instruction,
                 uint64_t offset, uint32_t lane);
  bool checkTensorFence(Record member, uint32_t component, uint32_t clock,
                        bool memberWrites, uint32_t instruction,
                        uint64_t offset, uint32_t lane);
  bool coversTensorMember(Record member) const;
  bool checkMember(Record member, bool memberWrites, uint32_t instruction,
                   Record record, const Run &run, uint64_t at, uint32_t size);
  bool checkLanes(Record member, bool memberWrites, uint32_t instruction,
                  Record record, uint64_t offset, uint32_t size);
  void report(ConflictKind kind, const char *rule, Record member,
              bool memberWrites, uint32_t instruction, uint64_t offset,
              uint32_t lane, uint32_t otherLane);
  void report(const Conflict &conflict);
  void reportBroadcast(const AccessEvent &event, const Run &run);
  const char *getAsyncRule(Record member) const;

  void recordRead(Cell &cell, Record record);
  Record addTo(Record history, uint32_t historyInstruction, Record record);
  Record retain(Record history, uint32_t historyInstruction);
  Record makeSet(SetMembers &members);
  void limitForeign(SetMembers &members) const;

  bool isOwnWarp(Record record) const {
    return isSync && record.component() == now.component &&
           record.cluster() == now.cluster;
  }
  bool covers(View view, Record record) const;
  bool isImplied(Record record) const {
    return covers(View::Ordinary, record) && (record.strong() || !isStrong);
  }

  void synchronise(Shadow::Page &page, uint64_t offset, uint32_t lanes);

  Shadow &shadow;
  WarpOrder &warp; ///< The actor, or the issuer of the operation.
  ClusterOrdering &home;
  const Snapshot &now;
  AccessSets &sets;
  Record self; ///< Without lanes.
  AccessKind kind;
  MemoryOrder order;
  uint32_t instruction;
  Scope scope = Scope::Sys;
  uint32_t bytesPerLane = 0;
  const uint8_t *memory = nullptr;
  Effect effect;
  bool isWrite;
  bool isStrong;
  bool isSync; ///< The warp itself, not an operation that it has issued.
  bool isAsyncProxy;
  bool isTensorMap = false;
  bool isTensorMemory = false;

  /// The page in use, locked, and the lanes whose effects wait for it.
  Shadow::Page *held = nullptr;
  uint64_t heldNumber = 0;
  uint32_t heldLanes = 0;

  /// Histories, as keys, that cannot be in conflict with this access.
  uint64_t harmlessWrite = 0, harmlessRead = 0;
  /// The last change of a read history.
  uint64_t readFrom = 0;
  uint32_t readFromInstruction = 0;
  Record readTo;
  std::optional<Conflict> worst;
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_CHECKER_H

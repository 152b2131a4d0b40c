//===- Checker.cpp - One access against the history of its cells ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way from an instruction to the cells that it touches. What a cell's
// history means is in History.cpp, release and acquire in Synchronise.cpp.
//
//===----------------------------------------------------------------------===//

#include "Ordering/Checker.h"

#include <algorithm>
#include <cstring>

using namespace nvfp4::ptx::ordering;

/// Lanes from the lowest one of `lanes` up to the first that is missing.
static uint32_t countLanes(uint32_t lanes) {
  return lanes == kAllLanes ? kNumLanes : __builtin_ctz(~lanes);
}

static AccessSets &selectSets(const Shadow &shadow, ClusterOrdering &home) {
  return shadow.getSpace() == Shadow::Space::Shared ? home.getSets()
                                                    : home.getLaunch().sets;
}

Checker::Checker(Shadow &shadow, WarpOrder &warp, AccessKind kind,
                 MemoryOrder order, uint32_t instruction)
    : shadow(shadow), warp(warp), home(warp.getHome()), now(warp.getNow()),
      sets(selectSets(shadow, home)), kind(kind), order(order),
      instruction(instruction), isWrite(kind != AccessKind::Read),
      isStrong(order != MemoryOrder::Weak), isSync(true), isAsyncProxy(false) {
  self = Record::access(now.cluster, now.component, warp.useEpoch())
             .withFlags(isStrong, /*async=*/false);
}

Checker::Checker(Shadow &shadow, const AsyncActor &actor, AccessKind kind,
                 MemoryOrder order, uint32_t instruction)
    : shadow(shadow), warp(actor.getIssuer()), home(warp.getHome()),
      now(warp.getNow()), sets(selectSets(shadow, home)), kind(kind),
      order(order), instruction(instruction), isWrite(kind != AccessKind::Read),
      isStrong(order != MemoryOrder::Weak), isSync(false),
      isAsyncProxy(actor.isAsyncProxy()),
      isTensorMap(actor.isReadingTensorMap()),
      isTensorMemory(actor.isAccessingTensorMemory()) {
  self = actor.getRecord().withFlags(isStrong, isAsyncProxy);
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

std::optional<Conflict> Checker::check(const RangeEvent &event) {
  if (event.size)
    checkRun({event.offset, event.size, event.lane, kNoShift, Layout::OneLane,
              1u << event.lane, nullptr});
  letGo();
  return worst;
}

/// Whether all 32 lanes follow each other.
static bool isCoalesced(const AccessEvent &event) {
  if (event.lanes != kAllLanes)
    return false;
  uint64_t difference = 0;
  for (uint32_t lane = 0; lane < kNumLanes; ++lane)
    difference |= event.offsets[lane] ^
                  (event.offsets[0] + uint64_t(lane) * event.bytesPerLane);
  return difference == 0;
}

std::optional<Conflict> Checker::check(const AccessEvent &event) {
  scope = event.scope;
  bytesPerLane = event.bytesPerLane;
  effect = event.effect;
  if (event.values)
    memory = event.memory;
  bool isPower = bytesPerLane && !(bytesPerLane & (bytesPerLane - 1));
  uint32_t shift = isPower ? __builtin_ctz(bytesPerLane) : kNoShift;
  Layout layout = Layout(std::min(shift, uint32_t(Layout::OneLane)));
  if (isPower && isCoalesced(event)) {
    checkRun({event.offsets[0], uint64_t(kNumLanes) << shift, 0, shift, layout,
              kAllLanes, memory ? event.values : nullptr});
    letGo();
    return worst;
  }
  for (uint32_t lanes = event.lanes; lanes;) {
    Run run = findRun(event, lanes, shift, layout);
    if (run.layout == Layout::Several && isWrite && !isStrong && isSync)
      reportBroadcast(event, run);
    checkRun(run);
    lanes &= ~run.lanes;
  }
  letGo();
  return worst;
}

/// The longest run that begins with the first of `lanes`.
Checker::Run Checker::findRun(const AccessEvent &event, uint32_t lanes,
                              uint32_t shift, Layout layout) const {
  const uint64_t *offsets = event.offsets;
  uint32_t lane = __builtin_ctz(lanes);
  uint32_t last = lane + countLanes(lanes >> lane);
  uint64_t offset = offsets[lane], size = bytesPerLane;
  const uint8_t *values =
      memory ? event.values + size_t(lane) * bytesPerLane : nullptr;
  uint32_t next = lane + 1;
  if (next < last && offsets[next] == offset) {
    layout = Layout::Several;
    shift = kNoShift;
    while (next < last && offsets[next] == offset)
      ++next;
  } else if (shift != kNoShift) {
    for (; next < last && offsets[next] == offset + size; ++next)
      size += bytesPerLane;
  }
  uint32_t taken = kAllLanes >> (kNumLanes - (next - lane)) << lane;
  return {offset, size, lane, shift, layout, taken, values};
}

//===----------------------------------------------------------------------===//
// Pages
//===----------------------------------------------------------------------===//

/// Takes the page and keeps it until another is needed.
inline Shadow::Page &Checker::hold(uint64_t number) {
  if (held && heldNumber == number)
    return *held;
  letGo();
  held = &shadow.getPage(number);
  heldNumber = number;
  if (shadow.space == Shadow::Space::Global)
    held->lock();
  if (held->generation != shadow.generation)
    held->forget(shadow.generation);
  return *held;
}

/// Lets the effects on the page happen and gives it back.
void Checker::letGo() {
  if (!held)
    return;
  if (effect.perform)
    effect.perform(effect.context, heldLanes);
  heldLanes = 0;
  if (shadow.space == Shadow::Space::Global)
    held->unlock();
  held = nullptr;
}

void Checker::checkRun(const Run &run) {
  if (run.offset >= shadow.size)
    return;
  uint64_t size = std::min(run.size, shadow.size - run.offset);
  for (uint64_t at = 0; at < size;) {
    uint64_t offset = run.offset + at;
    uint64_t end = std::min(size, at + kPageBytes - offset % kPageBytes);
    checkPage(hold(offset / kPageBytes), run, at, end);
    at = end;
  }
}

void Checker::checkPage(Shadow::Page &page, const Run &run, uint64_t begin,
                        uint64_t end) {
  for (uint64_t at = begin; at < end;) {
    uint32_t within = (run.offset + at) % kPageBytes;
    uint32_t size =
        std::min<uint64_t>(kChunkBytes - within % kChunkBytes, end - at);
    if (size < kChunkBytes) {
      checkPart(page, run, at, size);
      at += size;
      continue;
    }
    uint32_t count = (end - at) / kChunkBytes;
    if (isWrite)
      checkChunks<true>(page, within / kChunkBytes, count, run, at);
    else
      checkChunks<false>(page, within / kChunkBytes, count, run, at);
    at += uint64_t(count) * kChunkBytes;
  }
  if (isStrong || page.variables || effect.perform)
    finishPage(page, run, begin, end);
}

/// What follows the check, still under the lock: the order that the access
/// makes. Its effect comes when the page is given back.
void Checker::finishPage(Shadow::Page &page, const Run &run, uint64_t begin,
                         uint64_t end) {
  uint64_t offset = run.offset + begin;
  uint32_t lanes = run.lanes, first = run.lane, last = run.lane;
  bool perLane = run.shift != kNoShift;
  if (perLane) {
    first += begin >> run.shift;
    last += (end - 1) >> run.shift;
    lanes &= kAllLanes << first & kAllLanes >> (kNumLanes - 1 - last);
  }
  heldLanes |= lanes;
  // Most atomics publish nothing and have nothing to take over.
  bool isOrder =
      isSync && isStrong &&
      (page.variables ||
       (isWrite && (order >= MemoryOrder::Release || warp.getFenced() ||
                    warp.hasTensorMemoryView())));
  if (isOrder && perLane) {
    for (uint32_t lane = first; lane <= last; ++lane)
      synchronise(page, offset + (uint64_t(lane - first) << run.shift),
                  1u << lane);
  } else if (isOrder) {
    synchronise(page, offset, lanes);
  } else if (isWrite && !isStrong && page.variables) {
    uint32_t within = offset % kPageBytes;
    page.variables->erase(
        page.variables->lower_bound(within),
        page.variables->lower_bound(within + uint32_t(end - begin)));
  }
}

//===----------------------------------------------------------------------===//
// Cells
//===----------------------------------------------------------------------===//

/// Part of a chunk: whole words where possible, single bytes elsewhere.
void Checker::checkPart(Shadow::Page &page, const Run &run, uint64_t at,
                        uint32_t size) {
  uint32_t within = (run.offset + at) % kPageBytes;
  page.breakChunk(within / kChunkBytes, shadow.bytes);
  for (uint32_t done = 0; done < size;) {
    uint32_t here = within + done;
    Record record = getRecord(run, at + done);
    if (here % kWordBytes == 0 && size - done >= kWordBytes) {
      checkWord(page, here / kWordBytes, record.part(0, kWordBytes), run,
                at + done);
      done += kWordBytes;
      continue;
    }
    page.breakWord(here / kWordBytes, shadow.bytes);
    checkByte(page.singles[here], record.part(0, 1), run, at + done);
    ++done;
  }
}

/// Whole chunks. Almost all time goes by here, on chunks whose history is
/// harmless; everything else is left to `checkChunk`.
template <bool IsWrite>
void Checker::checkChunks(Shadow::Page &page, uint32_t chunk, uint32_t count,
                          const Run &run, uint64_t at) {
  const Record base = self.withLane(run.lane, run.layout);
  const bool simple = !isStrong && isSync;
  for (uint32_t end = chunk + count; chunk < end;) {
    // The general way changes these, so they are read again after it.
    const uint64_t writeKey = harmlessWrite, readKey = harmlessRead;
    const uint64_t fromKey = readFrom;
    const uint32_t fromInstruction = readFromInstruction;
    const Record to = readTo;
    for (; chunk < end; ++chunk, at += kChunkBytes) {
      Cell &cell = page.chunks[chunk];
      Record record{base.bits +
                    (uint64_t(at >> run.shift) << Record::kLaneShift)};
      if (cell.write.key() != writeKey && !cell.write.empty() &&
          !(simple && cell.write.sameLanes(record)))
        break;
      bool sameReader = simple && cell.read.sameLanes(record);
      if (IsWrite) {
        if (isStrong ||
            (cell.read.key() != readKey && !cell.read.empty() && !sameReader))
          break;
        cell = {record, {}, instruction, 0};
        continue;
      }
      if (cell.read.key() == fromKey && cell.readInstruction == fromInstruction)
        cell.read = to.is(Record::Set) ? to : record;
      else if (sameReader)
        cell.read = record;
      else if (!(cell.read == record))
        break;
      cell.readInstruction = instruction;
    }
    if (chunk < end) {
      checkChunk(page, chunk, getRecord(run, at), run, at);
      ++chunk;
      at += kChunkBytes;
    }
  }
}

void Checker::checkChunk(Shadow::Page &page, uint32_t chunk, Record record,
                         const Run &run, uint64_t at) {
  Cell &cell = page.chunks[chunk];
  if (!cell.write.is(Record::Expanded)) [[likely]] {
    checkCell(cell, record, run, at, kChunkBytes);
    return;
  }
  bool wasClean = !worst;
  for (uint32_t i = 0; i < kChunkBytes; i += kWordBytes)
    checkWord(page, chunk * 4 + i / kWordBytes, record.part(i, kWordBytes), run,
              at + i);
  // All parts have the same history now, unless something was kept.
  if (isWrite && !isStrong && wasClean && !worst)
    cell = {record, {}, instruction, 0};
}

void Checker::checkWord(Shadow::Page &page, uint32_t word, Record record,
                        const Run &run, uint64_t at) {
  Cell &cell = page.words[word];
  if (passes(cell, record))
    return;
  if (!cell.write.is(Record::Expanded)) {
    checkCell(cell, record, run, at, kWordBytes);
    return;
  }
  bool wasClean = !worst;
  for (uint32_t i = 0; i < kWordBytes; ++i)
    checkByte(page.singles[word * 4 + i], record.part(i, 1), run, at + i);
  if (isWrite && !isStrong && wasClean && !worst)
    cell = {record, {}, instruction, 0};
}

void Checker::checkByte(Cell &cell, Record record, const Run &run,
                        uint64_t at) {
  if (!passes(cell, record))
    checkCell(cell, record, run, at, 1);
}

/// The short way through a cell whose history is harmless; see `checkChunks`.
inline bool Checker::passes(Cell &cell, Record record) {
  if (cell.write.key() != harmlessWrite && !isHarmless(cell.write, record))
    return false;
  if (isWrite) {
    if (isStrong ||
        (cell.read.key() != harmlessRead && !isHarmless(cell.read, record)))
      return false;
    cell = {record, {}, instruction, 0};
    return true;
  }
  if (cell.read.key() == readFrom &&
      cell.readInstruction == readFromInstruction)
    cell.read = readTo.is(Record::Set) ? readTo : record;
  else if (!(isSync && !isStrong && cell.read.sameLanes(record)))
    return cell.read == record;
  else
    cell.read = record;
  cell.readInstruction = instruction;
  return true;
}

/// The general way.
void Checker::checkCell(Cell &cell, Record record, const Run &run, uint64_t at,
                        uint32_t size) {
  bool clean =
      cell.write.key() == harmlessWrite || isHarmless(cell.write, record) ||
      checkHistory(cell.write, /*historyWrites=*/true, cell.writeInstruction,
                   record, run, at, size, harmlessWrite);
  if (!isWrite) {
    if (!(cell.read == record))
      recordRead(cell, record);
    return;
  }
  clean &=
      cell.read.key() == harmlessRead || isHarmless(cell.read, record) ||
      checkHistory(cell.read, /*historyWrites=*/false, cell.readInstruction,
                   record, run, at, size, harmlessRead);
  if (clean && !isStrong) {
    cell = {record, {}, instruction, 0};
    return;
  }
  cell.read = retain(cell.read, cell.readInstruction);
  cell.write = addTo(cell.write, cell.writeInstruction, record);
  cell.writeInstruction = instruction;
}

//===----------------------------------------------------------------------===//
// Shadow
//===----------------------------------------------------------------------===//

template <typename Actor, typename Event>
static std::optional<Conflict> checkEvent(Shadow &shadow, Actor &actor,
                                          ClusterOrdering &home,
                                          const Event &event) {
  if (home.needsCollection())
    home.collectSets();
  return Checker(shadow, actor, event.kind, event.order, event.instruction)
      .check(event);
}

std::optional<Conflict> Shadow::access(WarpOrder &warp,
                                       const AccessEvent &event) {
  return checkEvent(*this, warp, warp.getHome(), event);
}

std::optional<Conflict> Shadow::access(const AsyncActor &actor,
                                       const AccessEvent &event) {
  return checkEvent(*this, actor, actor.getIssuer().getHome(), event);
}

std::optional<Conflict> Shadow::access(WarpOrder &warp,
                                       const RangeEvent &event) {
  return checkEvent(*this, warp, warp.getHome(), event);
}

std::optional<Conflict> Shadow::access(const AsyncActor &actor,
                                       const RangeEvent &event) {
  return checkEvent(*this, actor, actor.getIssuer().getHome(), event);
}

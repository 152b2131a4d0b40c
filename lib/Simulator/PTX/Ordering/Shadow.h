//===- Shadow.h - The history of every byte, and its judge -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shadow memory of one space instance: the shared memory of one CTA, or one
// global buffer. The machine reports each access as it is made; the answer is
// the worst conflict with what came before (rules R3 to R7), if any.
//
// A page covers 4 KB and is made when first touched. Its cells cover 16 bytes
// each; an access that covers part of a cell breaks it into four cells of 4
// bytes, and those into single bytes, so that neighbours never race. A page of
// global memory is locked during an access: of two unordered accesses, one sees
// the other.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_SHADOW_H
#define NVFP4_SIMULATOR_PTX_ORDERING_SHADOW_H

#include "Ordering/Actors.h"
#include "Ordering/Conflict.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace nvfp4::ptx::ordering {

/// What the machine does to memory while the page is locked, for the lanes
/// given, once for each lane of the access that is within the space. Needed for
/// strong accesses to global memory, so that a value and the clock published
/// with it belong together, and for stores that may be compared.
struct Effect {
  void (*perform)(void *context, uint32_t lanes) = nullptr;
  void *context = nullptr;
};

/// One instruction of one warp.
struct AccessEvent {
  const uint64_t *offsets = nullptr; ///< Per lane, aligned to the width.
  uint32_t lanes = 0;
  uint32_t bytesPerLane = 0; ///< A power of two is fast.
  AccessKind kind = AccessKind::Read;
  MemoryOrder order = MemoryOrder::Weak;
  Scope scope = Scope::Sys;
  uint32_t instruction = 0;
  /// The contents of the space before the access and the bytes to be written,
  /// `bytesPerLane` for each of 32 lanes. Both or none; they tell whether
  /// unordered writes are equal.
  const uint8_t *memory = nullptr;
  const uint8_t *values = nullptr;
  Effect effect;
};

/// Consecutive bytes, accessed by one lane or operation.
struct RangeEvent {
  uint64_t offset = 0;
  uint64_t size = 0;
  AccessKind kind = AccessKind::Read;
  MemoryOrder order = MemoryOrder::Weak;
  uint32_t lane = 0;
  uint32_t instruction = 0;
};

/// The history of one cell.
struct Cell {
  Record write;
  Record read;
  uint32_t writeInstruction = 0;
  uint32_t readInstruction = 0;

  /// Hands the history over to four cells of `size` bytes.
  void split(Cell *parts, uint32_t size) {
    for (uint32_t i = 0; i < 4; ++i)
      parts[i] = {write.part(i * size, size), read.part(i * size, size),
                  writeInstruction, readInstruction};
    *this = {Record::tagged(Record::Expanded, 0), {}, 0, 0};
  }
};

/// A variable that strong accesses synchronise through.
struct SyncVariable {
  SyncClock clock;
  Publisher last;
  Publisher narrowest;
};

class Shadow {
public:
  enum class Space : uint8_t { Shared, Global };

  Shadow(Space space, uint64_t size);
  ~Shadow();
  Shadow(const Shadow &) = delete;

  /// Records an access and returns the worst conflict. Errors come before
  /// warnings; among equals the first found.
  std::optional<Conflict> access(WarpOrder &warp, const AccessEvent &event);
  std::optional<Conflict> access(const AsyncActor &actor,
                                 const AccessEvent &event);
  std::optional<Conflict> access(WarpOrder &warp, const RangeEvent &event);
  std::optional<Conflict> access(const AsyncActor &actor,
                                 const RangeEvent &event);

  /// Forgets every access. Not while another thread uses the shadow.
  void reset();

  Space getSpace() const { return space; }
  uint64_t getSize() const { return size; }
  /// Bytes of storage in use.
  uint64_t getBytes() const { return bytes.load(std::memory_order_relaxed); }

private:
  friend class Checker;
  friend class ClusterOrdering;
  struct Page;

  Page &getPage(uint64_t number);
  Page &makePage(uint64_t number);
  /// Replaces each set by `rename(id)`.
  void renameSets(const std::function<Record(uint64_t)> &rename);

  Space space;
  uint64_t size;
  uint32_t generation = 1;
  std::atomic<uint64_t> bytes{0};
  std::unique_ptr<std::atomic<Page *>[]> pages;
  uint64_t numPages;
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_SHADOW_H

//===- Clocks.h - Vector clocks that share their storage -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A vector clock says, per component, up to which of its epochs everything is
// known to have happened. Within a cluster it is a dense array; what is known
// of other clusters, through global memory, is a sparse two-level table of
// their dense arrays. Both are copied on write: after a barrier all warps hold
// the same array.
//
// Storage may be shared between host threads. It is immutable while shared, so
// only the reference counts are atomic.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_CLOCKS_H
#define NVFP4_SIMULATOR_PTX_ORDERING_CLOCKS_H

#include "Ordering/Records.h"

#include <array>
#include <atomic>
#include <utility>
#include <vector>

namespace nvfp4::ptx::ordering {

/// A counted reference. `T` has `references`, starting at 1, and `destroy`.
template <typename T> class CowPtr {
public:
  CowPtr() = default;
  explicit CowPtr(T *fresh) : object(fresh) {}
  CowPtr(const CowPtr &other) : object(other.object) {
    if (object)
      object->references.fetch_add(1, std::memory_order_relaxed);
  }
  CowPtr(CowPtr &&other) noexcept
      : object(std::exchange(other.object, nullptr)) {}
  CowPtr &operator=(CowPtr other) noexcept {
    std::swap(object, other.object);
    return *this;
  }
  ~CowPtr() {
    if (object &&
        object->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
      T::destroy(object);
  }

  /// Whether the object may be changed in place.
  bool unique() const {
    return object->references.load(std::memory_order_acquire) == 1;
  }
  T *get() const { return object; }
  T *operator->() const { return object; }
  T &operator*() const { return *object; }
  explicit operator bool() const { return object != nullptr; }
  bool operator==(const CowPtr &other) const { return object == other.object; }

private:
  T *object = nullptr;
};

/// One epoch per component of one cluster; absent components are at 0.
class Clock {
public:
  uint32_t get(uint32_t component) const {
    return data && component < data->size ? data->values()[component] : 0;
  }
  /// Raises one component to at least `clock`.
  void raise(uint32_t component, uint32_t clock);
  /// Raises every component to at least its value in `other`.
  void join(const Clock &other);
  bool sameStorage(const Clock &other) const { return data == other.data; }
  bool empty() const { return !data; }

private:
  struct Data {
    std::atomic<uint32_t> references{1};
    uint32_t size;
    explicit Data(uint32_t size) : size(size) {}
    uint32_t *values() { return reinterpret_cast<uint32_t *>(this + 1); }
    static Data *create(uint32_t size);
    static void destroy(Data *data);
  };

  void own(uint32_t size);

  CowPtr<Data> data;
};

/// What is known of other clusters.
class ForeignClocks {
public:
  /// The clock of `cluster`, or an empty one.
  const Clock &get(uint32_t cluster) const;
  void join(uint32_t cluster, const Clock &clock);
  void join(const ForeignClocks &other);
  bool empty() const { return !index; }

private:
  static constexpr uint32_t kBlockClusters = 64;
  struct Block {
    std::atomic<uint32_t> references{1};
    std::array<Clock, kBlockClusters> clocks;
    static void destroy(Block *block) { delete block; }
  };
  struct Index {
    std::atomic<uint32_t> references{1};
    std::vector<CowPtr<Block>> blocks;
    static void destroy(Index *index) { delete index; }
  };

  CowPtr<Block> &ownIndexSlot(uint32_t block);
  static Block &ownBlock(CowPtr<Block> &block);

  CowPtr<Index> index;
};

/// One view of the past.
struct Knowledge {
  Clock local;
  ForeignClocks foreign;

  bool empty() const { return local.empty() && foreign.empty(); }
};
using Views = std::array<Knowledge, kNumViews>;

/// Joins what `from` knows into `into`. A home is the cluster whose components
/// `local` counts, or `kNoCluster`: then everything is in `foreign`.
void join(Knowledge &into, uint32_t intoHome, const Knowledge &from,
          uint32_t fromHome);

/// What a warp knows at one point of its program: its views, and how far it has
/// come itself, per view.
struct Snapshot {
  Views views;
  uint32_t cluster = 0;
  uint32_t component = 0;
  /// For `Ordinary` the last finished epoch; for a proxy the last own epoch
  /// that a fence has made visible to it.
  std::array<uint32_t, kNumViews> own = {};

  /// Whether `component` of `cluster` at `clock` is in the past in `view`.
  bool covers(View view, uint32_t cluster, uint32_t component,
              uint32_t clock) const {
    const Knowledge &knowledge = views[unsigned(view)];
    if (cluster != this->cluster)
      return knowledge.foreign.get(cluster).get(component) >= clock;
    // The epoch in use is not finished, but in the past all the same.
    if (component == this->component &&
        (view == View::Ordinary || own[unsigned(view)] >= clock))
      return true;
    return knowledge.local.get(component) >= clock;
  }
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_CLOCKS_H

//===- Records.h - Who touched a byte last, in 64 bits ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary of the happens-before engine: components (warps and
// asynchronous completions), epochs, records, scopes. A record names one access
// by the component that made it and the value of that component's clock:
//
//   bits   0-2    3-7    8        9       10-21       22-41     42-63
//          layout lane   strong   async   component   cluster   clock
//
// A cell of shadow memory (16, 4 or 1 bytes) holds one record per direction.
// `layout` and `lane` say which lane of the warp touched which byte of the
// cell, so that one coalesced access is one record per 16 bytes. Three
// component numbers are taken for other states: see `Record::Tag`.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_RECORDS_H
#define NVFP4_SIMULATOR_PTX_ORDERING_RECORDS_H

#include <cstdint>

namespace nvfp4::ptx::ordering {

constexpr uint32_t kNumLanes = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;
constexpr uint32_t kUnknownLane = 0xffffffffu;

/// Clocks, clusters and components that fit a record. Beyond them is a reported
/// limit, never a wrong verdict.
constexpr uint32_t kMaxClock = (1u << 22) - 1;
constexpr uint32_t kMaxClusters = 1u << 20;
constexpr uint32_t kMaxComponents = 4093;
/// The home of a synchronisation object that all clusters share.
constexpr uint32_t kNoCluster = 0xffffffffu;

/// Scopes of the PTX memory model, from narrow to wide.
enum class Scope : uint8_t { Cta, Cluster, Gpu, Sys };

/// `Atomic` reads and writes; `Reduction` (`red`) does too, but never acquires.
enum class AccessKind : uint8_t { Read, Write, Atomic, Reduction };

/// Everything but `Weak` is strong. `volatile` is `Relaxed` at scope `Sys`.
enum class MemoryOrder : uint8_t {
  Weak,
  Relaxed,
  Acquire,
  Release,
  AcquireRelease
};

/// What a clock says is visible: to ordinary accesses, and, after the proxy
/// fence, to the asynchronous proxy in each space, to tensor-map reads (R5),
/// and to operations on tensor memory (R9).
enum class View : uint8_t {
  Ordinary,
  AsyncShared,
  AsyncGlobal,
  TensorMap,
  TensorMemory
};
constexpr unsigned kNumViews = 5;

/// What an asynchronous component completes; names the rule that it breaks.
enum class AsyncKind : uint8_t { CpAsync, Bulk, Wgmma, Tcgen05 };

/// How the lanes of a warp are laid over a cell.
enum class Layout : uint8_t {
  Bytes1,  ///< Byte b belongs to lane + b.
  Bytes2,  ///< Byte b belongs to lane + b / 2.
  Bytes4,  ///< Byte b belongs to lane + b / 4.
  Bytes8,  ///< Byte b belongs to lane + b / 8.
  OneLane, ///< All bytes belong to one lane.
  Several  ///< Several lanes touched the same bytes, or it is not known which.
};

/// One access, or the state of a cell that one record cannot describe.
struct Record {
  /// Component numbers with another meaning; the bits from 22 up hold an id.
  enum Tag : uint32_t {
    Expanded = 4093, ///< The cell is kept as four smaller ones.
    Set = 4094,      ///< Several unordered accesses; the id is an AccessSets'.
    Op = 4095        ///< An asynchronous operation; the id is an AsyncOps'.
  };

  uint64_t bits = 0; ///< 0: not touched since the launch.

  static constexpr unsigned kLaneShift = 3, kStrongShift = 8, kAsyncShift = 9,
                            kComponentShift = 10, kIdShift = 22,
                            kClockShift = 42;
  /// Shifts out what differs among the cells of one access.
  static constexpr unsigned kKeyShift = 8;

  static Record access(uint32_t cluster, uint32_t component, uint32_t clock) {
    return {uint64_t(clock) << kClockShift | uint64_t(cluster) << kIdShift |
            uint64_t(component) << kComponentShift | uint64_t(Layout::OneLane)};
  }
  static Record tagged(Tag tag, uint64_t id) {
    return {id << kIdShift | uint64_t(tag) << kComponentShift |
            uint64_t(Layout::Several)};
  }
  Record withFlags(bool strong, bool async) const {
    return {bits | uint64_t(strong) << kStrongShift |
            uint64_t(async) << kAsyncShift};
  }
  Record withLane(uint32_t lane, Layout layout) const {
    return {(bits & ~uint64_t(0xff)) | lane << kLaneShift | uint64_t(layout)};
  }

  uint32_t clock() const { return bits >> kClockShift; }
  uint32_t cluster() const { return bits >> kIdShift & (kMaxClusters - 1); }
  uint32_t component() const { return bits >> kComponentShift & 0xfff; }
  uint32_t lane() const { return bits >> kLaneShift & 31; }
  Layout layout() const { return Layout(bits & 7); }
  bool strong() const { return bits >> kStrongShift & 1; }
  bool async() const { return bits >> kAsyncShift & 1; }
  uint64_t id() const { return bits >> kIdShift; }
  uint64_t key() const { return bits >> kKeyShift; }
  bool is(Tag tag) const { return component() == tag; }
  bool empty() const { return bits == 0; }

  /// The record of the part of the cell that begins at byte `byte` and has
  /// `size` bytes.
  Record part(uint32_t byte, uint32_t size) const {
    uint32_t shift = bits & 7;
    if (empty() || shift >= uint32_t(Layout::OneLane))
      return *this;
    Record moved{bits + (uint64_t(byte >> shift) << kLaneShift)};
    if ((1u << shift) < size)
      return moved;
    return moved.withLane(moved.lane(), Layout::OneLane);
  }

  /// The lane of byte `byte` of the cell; `kUnknownLane` when there are
  /// several.
  uint32_t laneOf(uint32_t byte) const {
    if (layout() == Layout::Several)
      return kUnknownLane;
    return layout() == Layout::OneLane ? lane() : lane() + (byte >> (bits & 7));
  }

  /// Whether both are accesses of the same lanes, whatever their clocks.
  bool sameLanes(Record other) const {
    constexpr uint64_t ignored =
        ~((uint64_t(1) << kClockShift) - 1) | uint64_t(1) << kStrongShift;
    return ((bits ^ other.bits) & ~ignored) == 0 && layout() != Layout::Several;
  }

  bool operator==(const Record &other) const { return bits == other.bits; }
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_RECORDS_H

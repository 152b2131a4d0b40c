//===- Memory.h - The address spaces of the machine ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Global buffers, the windows through which generic addresses reach shared,
// local and parameter memory, and the bit-wise record of what is undefined.
//
// Source: PTX ISA 5.1 (state spaces), 5.1.5 and 9.7.9.20 (generic addresses).
// The places of the windows are ours.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_MEMORY_H
#define NVFP4_SIMULATOR_PTX_MACHINE_MEMORY_H

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace nvfp4::ptx {

/// Generic addresses of the windows. Each is 4 GiB: offsets in them are the
/// 32-bit addresses of `.shared`, `.local` and `.param` instructions.
constexpr uint64_t kSharedWindow = uint64_t(1) << 40;
constexpr uint64_t kLocalWindow = uint64_t(2) << 40;
constexpr uint64_t kParamWindow = uint64_t(3) << 40;
constexpr uint64_t kWindowBytes = uint64_t(1) << 32;
/// Global buffers start here.
constexpr uint64_t kGlobalBase = uint64_t(0x70) << 40;

/// A shared address: the CTA's rank in its cluster in bits 31:24, the offset
/// below. Offsets start at kSharedBase, so that address 0 is none.
constexpr unsigned kSharedRankShift = 24;
constexpr uint32_t kSharedOffsetMask = (1u << kSharedRankShift) - 1;
constexpr uint32_t kSharedBase = 1024;

/// Undefined bits of a piece of memory: one mask byte per byte, in pages that
/// exist only where something is or was undefined.
class UndefinedBits {
public:
  UndefinedBits() = default;
  ~UndefinedBits() { clear(); }
  UndefinedBits(const UndefinedBits &) = delete;
  UndefinedBits &operator=(const UndefinedBits &) = delete;

  /// All `bytes` bytes defined, or all undefined. The other members may be
  /// called from several threads, this one not.
  void reset(uint64_t bytes, bool isUndefined);
  /// Whether nothing ever was undefined.
  bool isClean() const { return !isDirty.load(std::memory_order_relaxed); }
  /// Copies the masks of [offset, offset + bytes) to `mask`; returns whether
  /// any bit is set.
  bool read(uint64_t offset, uint64_t bytes, uint8_t *mask) const;
  bool any(uint64_t offset, uint64_t bytes) const;
  void write(uint64_t offset, uint64_t bytes, const uint8_t *mask);
  void markDefined(uint64_t offset, uint64_t bytes);
  void markUndefined(uint64_t offset, uint64_t bytes);
  /// First byte of [begin, end) with an undefined bit, or -1.
  int64_t findFirst(uint64_t begin, uint64_t end) const;

private:
  static constexpr unsigned kPageShift = 12;
  static constexpr uint64_t kPageBytes = uint64_t(1) << kPageShift;
  uint8_t *findPage(uint64_t page) const {
    return pages[page].load(std::memory_order_acquire);
  }
  uint8_t *makePage(uint64_t page);
  void clear();
  /// Calls visit(page, first byte in page, count) for each page of a range.
  template <typename Visit>
  static void forEachPage(uint64_t offset, uint64_t bytes, Visit visit);

  uint64_t size = 0;
  std::atomic<bool> isDirty{false};
  /// A null page is defined.
  std::unique_ptr<std::atomic<uint8_t *>[]> pages;
  std::mutex mutex;
};

/// One buffer of global memory.
struct GlobalBuffer {
  uint64_t address = 0;
  uint64_t size = 0;
  uint8_t *data = nullptr;
  std::string name;
  UndefinedBits undefined;
  /// Dense index, by which a launch keeps its own tables.
  uint32_t index = 0;
  bool isConstant = false;
};

struct DeviceMemory::Impl {
  /// By address.
  std::map<uint64_t, std::unique_ptr<GlobalBuffer>> buffers;
  uint64_t nextAddress = kGlobalBase;
  uint32_t nextIndex = 0;
  /// Module variables of each program that ran.
  struct ModuleData {
    struct Free {
      void operator()(uint8_t *memory) const { std::free(memory); }
    };
    /// By Program::Impl::variables; null and 0 where not in global memory.
    std::vector<std::unique_ptr<uint8_t, Free>> storage;
    std::vector<uint64_t> addresses;
  };
  std::map<std::weak_ptr<const int>, ModuleData,
           std::owner_less<std::weak_ptr<const int>>>
      modules;

  GlobalBuffer *findBuffer(uint64_t address) const;
  /// The last buffer that starts at or below `address`; null: none.
  GlobalBuffer *findBelow(uint64_t address) const;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_MEMORY_H

//===- Simulator.h - Runs PTX on the CPU -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Load PTX once, launch it often:
//
//   Result<std::shared_ptr<const Program>> program =
//       Program::load(text, "kernel.ptx");
//   DeviceMemory memory;
//   uint64_t a = memory.map(data, bytes, "a");
//   Launch launch;
//   launch.entry = "scale";
//   launch.grid = {4, 1, 1};
//   launch.block = {128, 1, 1};
//   launch.addArgument(a);
//   launch.addArgument(int32_t(512));
//   Report report = (*program)->run(launch, memory, Options());
//
// Buffers belong to the caller. Nothing here is global: programs are immutable
// and may be launched from several threads, each with memory of its own.
//
// What counts as wrong: docs/Simulator.md.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_SIMULATOR_H
#define NVFP4_SIMULATOR_PTX_SIMULATOR_H

#include "nvfp4/Support/Status.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nvfp4::ptx {

/// When asynchronous effects (cp.async, bulk copies) become visible.
enum class Asynchrony {
  Late,   ///< as late as the memory model permits; sources are read then too
  Early,  ///< when the instruction is issued
  Random, ///< at random times in between, from Options::seed
};

/// How a matrix instruction adds.
enum class Accumulation {
  Exact,    ///< the exact sum, rounded once to nearest even
  Hardware, ///< the model of the program's chip (docs/Simulator.md)
};

struct Options {
  Asynchrony asynchrony = Asynchrony::Late;
  uint64_t seed = 0;
  Accumulation accumulation = Accumulation::Hardware;
  /// Races, proxies, completion of asynchronous work (rules R1 to R10).
  bool checkOrdering = true;
  /// Undefined bits (rule R11).
  bool checkDefinedness = true;
  /// Warnings become errors.
  bool isStrict = false;
  /// Counts of Statistics, bank conflicts included. Costs time.
  bool collectStatistics = false;
  /// Warp instructions of the whole launch, and bytes that the simulator may
  /// allocate, before the launch ends with an error.
  uint64_t maxInstructions = uint64_t(1) << 40;
  uint64_t maxMemory = uint64_t(8) << 30;
  /// Host threads; 0 means all. Clusters run in parallel.
  unsigned numThreads = 0;
  /// Prints every instruction of this CTA and warp to `traceFile`.
  struct Trace {
    std::array<uint32_t, 3> cta = {0, 0, 0};
    uint32_t warp = 0;
    /// A FILE* that stays open; null: no trace.
    void *file = nullptr;
  } trace;
};

/// One thing found wrong, or worth a warning. Equal findings (same rule and
/// lines) are counted, not repeated.
struct Finding {
  enum class Severity { Warning, Error };
  Severity severity = Severity::Error;
  /// "R4"; or "trap", "bounds", "alignment", "deadlock" and the like where no
  /// rule of docs/Simulator.md has a number.
  std::string rule;
  /// The whole message: what, where (file, line, CTA, warp, lane, address) and
  /// the other access.
  std::string message;
  uint32_t line = 0;
  std::array<uint32_t, 3> cta = {0, 0, 0};
  uint32_t warp = 0, lane = 0;
  /// Line of the other access; 0 when there is none.
  uint32_t otherLine = 0;
  uint64_t count = 1;
};

/// Counts of one launch. All are of warp instructions unless they say bytes.
struct Statistics {
  uint64_t warpInstructions = 0, threadInstructions = 0;
  /// By class: "integer", "float", "memory", "matrix", "control", ….
  std::map<std::string, uint64_t> instructionsByClass;
  /// Bytes that threads asked for, by "global load", "shared store", ….
  std::map<std::string, uint64_t> bytesBySpace;
  uint64_t matrixInstructions = 0;
  /// Longest chain of dependent instructions of a warp between two barriers.
  uint64_t longestDependency = 0;
  struct Line {
    uint32_t line = 0;
    std::string opcode;
    uint64_t executions = 0, lanes = 0;
    /// 32-byte sectors of global memory.
    uint64_t sectors = 0;
    /// Wavefronts of shared memory, and those beyond the fewest possible.
    uint64_t wavefronts = 0, bankConflicts = 0;
  };
  /// In the order of the program; only lines that ran.
  std::vector<Line> lines;
};

struct Report {
  /// Errors first, in the order they were found.
  std::vector<Finding> findings;
  Statistics statistics;

  bool hasErrors() const;
  /// All findings, one per line, with a last line that counts them.
  std::string toString() const;
};

/// The global memory of a simulated device: buffers at device addresses that
/// do not touch each other, so that an overrun is found. Not thread-safe.
class DeviceMemory {
public:
  DeviceMemory();
  ~DeviceMemory();
  DeviceMemory(DeviceMemory &&) noexcept;
  DeviceMemory &operator=(DeviceMemory &&) noexcept;

  enum class Contents { Defined, Undefined };

  /// Makes `data` (`bytes` bytes, owned by the caller, alive until unmapped)
  /// visible to kernels. Returns its device address, a multiple of 512.
  uint64_t map(void *data, uint64_t bytes, std::string name,
               Contents contents = Contents::Defined);
  /// Removes the buffer at `address`. False when there is none.
  bool unmap(uint64_t address);
  /// Host memory behind `[address, address + bytes)`, or null when that is not
  /// within one buffer.
  void *find(uint64_t address, uint64_t bytes) const;
  /// Tells that the host wrote these bytes: they are defined from now on.
  void markDefined(uint64_t address, uint64_t bytes);
  /// Offset of the first byte in the buffer at `address` that has an undefined
  /// bit, or -1: what an output must not have (rule R11).
  int64_t findUndefined(uint64_t address) const;
  /// The same within `[address, address + bytes)`, counted from `address`.
  int64_t findUndefined(uint64_t address, uint64_t bytes) const;
  /// Makes the bytes at `target` as defined as those at `source`: for a host
  /// that has copied them.
  void copyDefinedness(uint64_t target, uint64_t source, uint64_t bytes);

  struct Impl;
  Impl &getImpl() const { return *impl; }

private:
  std::unique_ptr<Impl> impl;
};

/// What to launch.
struct Launch {
  std::string entry;
  std::array<uint32_t, 3> grid = {1, 1, 1};
  std::array<uint32_t, 3> block = {1, 1, 1};
  std::array<uint32_t, 3> cluster = {1, 1, 1};
  uint32_t dynamicSharedBytes = 0;
  /// One per kernel parameter, as its bytes in memory.
  std::vector<std::vector<uint8_t>> arguments;

  /// Appends an argument of a plain type; pointers are device addresses.
  template <typename T> void addArgument(T value) {
    std::vector<uint8_t> bytes(sizeof(T));
    std::memcpy(bytes.data(), &value, sizeof(T));
    arguments.push_back(std::move(bytes));
  }
};

/// Decoded PTX. Immutable.
class Program {
public:
  /// Parses and decodes. Errors: syntax; every instruction that the simulator
  /// does not know, all at once, with file and line.
  static Result<std::shared_ptr<const Program>> load(std::string text,
                                                     std::string fileName);
  ~Program();

  struct Parameter {
    std::string name;
    uint64_t bytes = 0;
    uint32_t alignment = 1;
  };
  struct Entry {
    std::string name;
    std::vector<Parameter> parameters;
  };
  const std::vector<Entry> &getEntries() const;
  /// "sm_90a".
  std::string_view getTarget() const;

  /// Sets the initial bytes of a module variable for later launches through
  /// its device address; 0 when `name` is none. Module variables of `.global`
  /// and `.const` space live in `memory` from the first launch on.
  uint64_t getVariableAddress(std::string_view name,
                              DeviceMemory &memory) const;

  /// Runs a kernel to its end, or to an error. A launch that does not fit the
  /// entry (arguments, block size, cluster, shared memory) is an error finding
  /// before anything runs.
  Report run(const Launch &launch, DeviceMemory &memory,
             const Options &options) const;

  struct Impl;
  const Impl &getImpl() const { return *impl; }
  explicit Program(std::unique_ptr<Impl> impl);

private:
  std::unique_ptr<Impl> impl;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_SIMULATOR_H

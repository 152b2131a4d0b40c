//===- Run.cpp - From a launch to clusters on host threads ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each host thread takes clusters in order. It starts another one only when all
// that it holds wait for memory that only others can change; so a grid that
// synchronizes through global memory runs, whatever its size.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "ModuleData.h"
#include "Observe.h"
#include "Ordering.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <thread>

namespace nvfp4::ptx {

/// Rounds in which nobody did anything, after which nobody ever will.
constexpr unsigned kIdleRounds = 4096;
/// More host threads than any machine has cores only cost memory.
constexpr uint64_t kMaxHostThreads = 1024;

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

LaunchState::LaunchState(const Program::Impl &program, const Launch &launch,
                         DeviceMemory::Impl &memory, const Options &options)
    : program(program), launch(launch), memory(memory), options(options) {}
LaunchState::~LaunchState() = default;

void LaunchState::add(Finding finding) {
  std::lock_guard<std::mutex> lock(findingsMutex);
  if (options.isStrict)
    finding.severity = Finding::Severity::Error;
  auto key = std::make_tuple(finding.rule, finding.line, finding.otherLine);
  auto [it, isNew] = findingIndex.emplace(key, findings.size());
  if (!isNew) {
    // Of equal findings the worst is shown: an error must not hide behind a
    // warning that came first.
    Finding &known = findings[it->second];
    if (finding.severity == Finding::Severity::Error &&
        known.severity != Finding::Severity::Error) {
      finding.count += known.count;
      known = std::move(finding);
    } else {
      ++known.count;
    }
    return;
  }
  constexpr size_t kMaxFindings = 100;
  if (findings.size() < kMaxFindings) {
    findings.push_back(std::move(finding));
    return;
  }
  // Other CTAs may find the same before they stop.
  findingIndex.erase(it);
  isStopped = true;
}

void LaunchState::add(Finding::Severity severity, const std::string &rule,
                      uint32_t line, const std::array<uint32_t, 3> &cta,
                      uint32_t warp, uint32_t lane, const std::string &message,
                      uint32_t otherLine) {
  Finding finding;
  finding.severity = severity;
  finding.rule = rule;
  finding.line = line;
  finding.otherLine = otherLine;
  finding.cta = cta;
  finding.warp = warp;
  finding.lane = lane;
  finding.message =
      program.module->fileName + ":" + std::to_string(line) + ": " + message +
      " (" + rule + "; CTA " + std::to_string(cta[0]) + "," +
      std::to_string(cta[1]) + "," + std::to_string(cta[2]) + ", warp " +
      std::to_string(warp) + ", lane " + std::to_string(lane) + ")";
  add(std::move(finding));
}

std::vector<Finding> LaunchState::takeFindings() {
  std::vector<Finding> sorted;
  for (Finding::Severity severity :
       {Finding::Severity::Error, Finding::Severity::Warning})
    for (Finding &finding : findings)
      if (finding.severity == severity)
        sorted.push_back(std::move(finding));
  return sorted;
}

bool Report::hasErrors() const {
  return std::any_of(findings.begin(), findings.end(), [](auto &finding) {
    return finding.severity == Finding::Severity::Error;
  });
}

std::string Report::toString() const {
  std::string text;
  size_t errors = 0;
  for (const Finding &finding : findings) {
    bool isError = finding.severity == Finding::Severity::Error;
    errors += isError;
    text += isError ? "error: " : "warning: ";
    text += finding.message;
    if (finding.count > 1)
      text += " [" + std::to_string(finding.count) + " times]";
    text += "\n";
  }
  if (!findings.empty())
    text += std::to_string(errors) + " errors, " +
            std::to_string(findings.size() - errors) + " warnings\n";
  return text;
}

//===----------------------------------------------------------------------===//
// Checks before anything runs
//===----------------------------------------------------------------------===//

namespace {
constexpr uint32_t kMaxThreadsPerCta = 1024;
constexpr uint32_t kMaxClusterCtas = 16;
/// Dynamic shared memory starts at a multiple of this (PTX leaves it open;
/// TMA swizzles need 1024).
constexpr uint32_t kDynamicSharedAlignment = 1024;
/// The largest shared memory of a CTA on any chip is 227 KiB; a simulator may
/// be generous, but an address has 24 bits of offset.
constexpr uint32_t kMaxSharedBytes = 228 * 1024;

struct Setup {
  LaunchState &state;
  std::string error;

  bool fail(std::string message) {
    error = std::move(message);
    return false;
  }
  bool findEntry();
  bool checkShape();
  bool checkParameters();
  bool placeVariables();
  void fillConstants();
};
} // namespace

static std::string toString(const std::array<uint32_t, 3> &shape) {
  return std::to_string(shape[0]) + "x" + std::to_string(shape[1]) + "x" +
         std::to_string(shape[2]);
}

bool Setup::findEntry() {
  const Program::Impl &program = state.program;
  std::string known;
  for (size_t i = 0; i < program.entries.size(); ++i) {
    if (program.entries[i].name == state.launch.entry)
      state.entry = program.codes[program.entryFunctions[i]].get();
    known += (i ? ", '" : "'") + program.entries[i].name + "'";
  }
  return state.entry || fail("expected an entry of " +
                             program.module->fileName + ", which has " + known +
                             ", but got '" + state.launch.entry + "'");
}

bool Setup::checkShape() {
  const Launch &launch = state.launch;
  const Function &function = *state.entry->function;
  auto product = [](const std::array<uint32_t, 3> &shape) {
    return uint64_t(shape[0]) * shape[1] * shape[2];
  };
  for (unsigned i = 0; i < 3; ++i)
    if (!launch.grid[i] || !launch.block[i] || !launch.cluster[i])
      return fail("expected grid, block and cluster dimensions of at least 1, "
                  "but got grid " +
                  toString(launch.grid) + ", block " + toString(launch.block) +
                  ", cluster " + toString(launch.cluster));
  if (launch.block[0] > 1024 || launch.block[1] > 1024 ||
      launch.block[2] > 64 || product(launch.block) > kMaxThreadsPerCta)
    return fail("expected a block of at most 1024 threads, but got " +
                toString(launch.block));
  if (launch.grid[0] > 0x7FFFFFFF || launch.grid[1] > 65535 ||
      launch.grid[2] > 65535)
    return fail("expected a grid of at most 2147483647x65535x65535, but got " +
                toString(launch.grid));
  std::array<uint32_t, 3> required;
  std::copy(function.requiredThreads, function.requiredThreads + 3,
            required.begin());
  if (required[0] && required != launch.block)
    return fail("expected the block of .reqntid, " + toString(required) +
                ", but got " + toString(launch.block));
  uint64_t most = uint64_t(function.maxThreads[0]) * function.maxThreads[1] *
                  function.maxThreads[2];
  if (most && product(launch.block) > most)
    return fail("expected at most the " + std::to_string(most) +
                " threads of .maxntid, but got a block of " +
                toString(launch.block));
  std::copy(function.requiredCluster, function.requiredCluster + 3,
            required.begin());
  if (required[0] && required != launch.cluster)
    return fail("expected the cluster of .reqnctapercluster, " +
                toString(required) + ", but got " + toString(launch.cluster));
  if (product(launch.cluster) > kMaxClusterCtas)
    return fail("expected a cluster of at most 16 CTAs, but got " +
                toString(launch.cluster));
  for (unsigned i = 0; i < 3; ++i) {
    if (launch.grid[i] % launch.cluster[i])
      return fail("expected a grid that is a multiple of the cluster " +
                  toString(launch.cluster) + ", but got " +
                  toString(launch.grid));
    state.clusterGrid[i] = launch.grid[i] / launch.cluster[i];
  }
  return true;
}

bool Setup::checkParameters() {
  const Code &entry = *state.entry;
  const Function &function = *entry.function;
  const auto &arguments = state.launch.arguments;
  if (arguments.size() != function.parameters.size())
    return fail("expected " + std::to_string(function.parameters.size()) +
                " arguments for '" + std::string(function.name) +
                "', but got " + std::to_string(arguments.size()));
  state.parameters.resize(entry.parameterBytes);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Variable &parameter = function.parameters[i];
    if (arguments[i].size() != parameter.size)
      return fail("expected " + std::to_string(parameter.size) +
                  " bytes for parameter " + std::to_string(i) + " ('" +
                  std::string(parameter.name) + "') of '" +
                  std::string(function.name) + "', but got " +
                  std::to_string(arguments[i].size()));
    std::memcpy(state.parameters.data() + entry.parameterOffsets[i],
                arguments[i].data(), parameter.size);
  }
  return true;
}

bool Setup::placeVariables() {
  const Program::Impl &program = state.program;
  const Launch &launch = state.launch;
  uint64_t staticEnd = program.staticSharedEnds[state.entry->index];
  uint64_t dynamic = (staticEnd + kDynamicSharedAlignment - 1) &
                     ~uint64_t(kDynamicSharedAlignment - 1);
  state.dynamicSharedOffset = uint32_t(dynamic);
  uint64_t bytes = launch.dynamicSharedBytes
                       ? dynamic + launch.dynamicSharedBytes - kSharedBase
                       : staticEnd - kSharedBase;
  uint64_t used = staticEnd - kSharedBase + launch.dynamicSharedBytes;
  if (used > kMaxSharedBytes)
    return fail("expected at most " + std::to_string(kMaxSharedBytes) +
                " bytes of shared memory, but got " +
                std::to_string(staticEnd - kSharedBase) + " static and " +
                std::to_string(launch.dynamicSharedBytes) + " dynamic");
  state.sharedBytes = uint32_t(bytes);
  return true;
}

/// The constants of one function as a CTA of a rank sees them.
static std::vector<uint8_t> relocate(const LaunchState &state, const Code &code,
                                     uint64_t rank) {
  std::vector<uint8_t> constants = code.constants;
  for (const Relocation &relocation : code.relocations) {
    uint64_t value = uint64_t(relocation.addend);
    if (relocation.variable)
      value += state.variableAddresses[*relocation.variable];
    if (relocation.isShared)
      value += rank << kSharedRankShift;
    for (unsigned lane = 0; lane < kLanes; ++lane)
      std::memcpy(constants.data() + relocation.offset +
                      lane * relocation.bytes,
                  &value, relocation.bytes);
  }
  return constants;
}

void Setup::fillConstants() {
  const Program::Impl &program = state.program;
  const auto &cluster = state.launch.cluster;
  for (uint64_t rank = 0; rank < cluster[0] * cluster[1] * cluster[2]; ++rank)
    for (const auto &code : program.codes)
      state.constants.push_back(code ? relocate(state, *code, rank)
                                     : std::vector<uint8_t>());
}

//===----------------------------------------------------------------------===//
// Host threads
//===----------------------------------------------------------------------===//

namespace {
/// Clusters in the order of their ids, and how many threads are at work.
struct WorkQueue {
  LaunchState &state;
  uint64_t count = 0;
  /// What a resident cluster needs, about.
  uint64_t clusterBytes = 0;
  std::atomic<unsigned> numBusy{0};

  std::unique_ptr<Cluster> take(Worker &worker) {
    uint64_t index = 0;
    const auto id = state.takeCluster(index);
    return id ? std::make_unique<Cluster>(state, worker, index, *id) : nullptr;
  }
};
} // namespace

std::optional<std::array<uint32_t, 3>>
LaunchState::takeCluster(uint64_t &index) {
  const auto &grid = clusterGrid;
  index = nextCluster.fetch_add(1);
  if (index >= uint64_t(grid[0]) * grid[1] * grid[2])
    return std::nullopt;
  return std::array<uint32_t, 3>{uint32_t(index % grid[0]),
                                 uint32_t(index / grid[0] % grid[1]),
                                 uint32_t(index / grid[0] / grid[1])};
}

void LaunchState::reportLimit(const std::string &message, const char *rule) {
  Finding finding;
  finding.rule = rule;
  finding.message = program.module->fileName + ": " + message;
  add(std::move(finding));
  isStopped = true;
}

/// A launch at its limit; lanes that run on forever may be what an `.aligned`
/// instruction of their warp waits for.
static void
reportTooLong(LaunchState &state,
              const std::vector<std::unique_ptr<Cluster>> &resident) {
  for (const auto &cluster : resident)
    if (cluster->isWaitingAligned())
      return state.reportLimit(
          "expected all live lanes of a warp at its .aligned instruction, but "
          "they are apart when the launch reaches its limit of instructions: " +
              cluster->describeWaiters(),
          "R14");
  state.reportLimit("expected a launch of at most " +
                    std::to_string(state.options.maxInstructions) +
                    " warp instructions, but it went on");
}

static void runClusters(WorkQueue &queue) {
  LaunchState &state = queue.state;
  Worker worker;
  std::vector<std::unique_ptr<Cluster>> resident;
  bool isBusy = true;
  unsigned idleRounds = 0;
  bool hasMore = true;
  while (!state.isStopped) {
    bool hasProgress = false;
    for (size_t i = 0; i < resident.size() && !state.isStopped; ++i) {
      Cluster::RunResult result = resident[i]->run();
      hasProgress |= result == Cluster::RunResult::Progress ||
                     result == Cluster::RunResult::Exited;
      if (result == Cluster::RunResult::Exited)
        resident.erase(resident.begin() + ptrdiff_t(i--));
    }
    if (state.numInstructions > state.options.maxInstructions)
      return reportTooLong(state, resident);
    if (!hasProgress && hasMore) {
      if (resident.size() * queue.clusterBytes > state.options.maxMemory)
        return state.reportLimit(
            "expected a launch that needs at most " +
            std::to_string(state.options.maxMemory) + " bytes, but " +
            std::to_string(resident.size()) + " clusters wait for each other");
      if (std::unique_ptr<Cluster> cluster = queue.take(worker)) {
        resident.push_back(std::move(cluster));
        hasProgress = true;
      } else {
        hasMore = false;
      }
    }
    if (resident.empty() && !hasMore)
      break;
    if (hasProgress != isBusy) {
      queue.numBusy.fetch_add(hasProgress ? 1 : -1);
      isBusy = hasProgress;
    }
    idleRounds = hasProgress || queue.numBusy ? 0 : idleRounds + 1;
    if (!hasProgress && queue.numBusy)
      std::this_thread::yield();
    if (idleRounds > kIdleRounds)
      return state.reportLimit("deadlock: expected some thread to go on, but "
                               "all wait: " +
                                   resident.front()->describeWaiters(),
                               resident.front()->isWaitingAligned() ? "R14"
                                                                    : "R12");
  }
  if (isBusy)
    queue.numBusy.fetch_sub(1);
}

Report Program::run(const Launch &launch, DeviceMemory &memory,
                    const Options &options) const {
  LaunchState state(*impl, launch, memory.getImpl(), options);
  Setup setup{state, {}};
  Report report;
  auto refuse = [&](const std::string &message) {
    Finding finding;
    finding.rule = "launch";
    finding.message = impl->module->fileName + ": " + message;
    report.findings.push_back(std::move(finding));
    return report;
  };
  if (!setup.findEntry() || !setup.checkShape() || !setup.checkParameters() ||
      !setup.placeVariables())
    return refuse(setup.error);
  const auto &data = getModuleData(*impl, memory);
  for (size_t i = 0; i < impl->variables.size(); ++i) {
    const Variable &variable = *impl->variables[i];
    state.variableAddresses.push_back(
        variable.space != Space::Shared ? data.addresses[i]
        : variable.isExtern             ? state.dynamicSharedOffset
                                        : impl->variableOffsets[i]);
  }
  setup.fillConstants();
  if (options.collectStatistics)
    prepareStatistics(state);
  if (options.checkOrdering) {
    state.shadows = std::make_unique<LaunchShadows>(memory.getImpl());
    state.shadows->launch.isStrict = options.isStrict;
  }

  WorkQueue queue{state};
  queue.count = uint64_t(state.clusterGrid[0]) * state.clusterGrid[1] *
                state.clusterGrid[2];
  const auto &shape = launch.cluster;
  uint64_t warps =
      (uint64_t(launch.block[0]) * launch.block[1] * launch.block[2] + kLanes -
       1) /
      kLanes;
  queue.clusterBytes =
      uint64_t(shape[0]) * shape[1] * shape[2] *
      (2 * state.sharedBytes + warps * 2 * uint64_t(state.entry->frameBytes));
  uint64_t threads = options.numThreads
                         ? options.numThreads
                         : std::max(1u, std::thread::hardware_concurrency());
  threads = std::min({threads, queue.count, kMaxHostThreads});
  queue.numBusy = 1;
  std::vector<std::thread> pool;
  pool.reserve(threads);
  for (uint64_t i = 1; i < threads; ++i) {
    ++queue.numBusy;
    try {
      pool.emplace_back([&] { runClusters(queue); });
    } catch (const std::system_error &) {
      // The system has no more threads to give: fewer do the work.
      --queue.numBusy;
      break;
    }
  }
  runClusters(queue);
  for (std::thread &thread : pool)
    thread.join();
  report.findings = state.takeFindings();
  if (options.collectStatistics)
    report.statistics = gatherStatistics(state);
  return report;
}

uint64_t Program::getVariableAddress(std::string_view name,
                                     DeviceMemory &memory) const {
  for (size_t i = 0; i < impl->variables.size(); ++i)
    if (impl->variables[i]->name == name)
      return getModuleData(*impl, memory).addresses[i];
  return 0;
}

} // namespace nvfp4::ptx

//===- Observe.cpp - Statistics and traces --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared memory has 32 banks of 4 bytes; a wavefront serves each bank once.
// Accesses wider than 4 bytes are served in halves or quarters of a warp, so
// the fewest wavefronts of a full warp are bytes / 4.
//
//===----------------------------------------------------------------------===//

#include "Observe.h"

#include <algorithm>
#include <cstdio>

namespace nvfp4::ptx {

const char *getInstClassName(InstClass instClass) {
  static constexpr const char *kNames[kNumInstClasses] = {
      "integer", "float",     "half",    "double", "convert", "special",
      "move",    "predicate", "control", "load",   "store",   "atomic",
      "barrier", "async",     "warp",    "matrix", "fence"};
  return kNames[unsigned(instClass)];
}

static InstCounters &getCounters(const LaunchState &launch, const Code &code,
                                 const Inst &inst) {
  return launch.counters[code.index][&inst - code.insts.data()];
}

static void trace(Warp &warp, const Inst &inst, uint32_t mask) {
  const Code &code = *warp.getFrame().code;
  const Function &function = *code.function;
  const Instruction &source = function.instructions[inst.source];
  const Module &module = *warp.getLaunch().program.module;
  std::string text(source.opcode);
  for (unsigned i = 0; i < source.numQualifiers; ++i)
    text += "." + std::string(module.qualifiers[source.firstQualifier + i]);
  auto show = [&](const char *name, const OperandRef &ref) {
    if (!ref.isPresent)
      return;
    unsigned lane = mask ? unsigned(__builtin_ctz(mask)) : 0;
    char value[32];
    std::snprintf(value, sizeof(value), " %s=%llx", name,
                  (unsigned long long)warp.readLane(ref, lane));
    text += value;
  };
  show("a", inst.a), show("b", inst.b), show("c", inst.c);
  std::fprintf(static_cast<FILE *>(warp.getLaunch().options.trace.file),
               "line %u  mask %08x  %s\n", inst.line, mask, text.c_str());
}

void observe(Warp &warp, const Inst &inst, uint32_t mask) {
  LaunchState &launch = warp.getLaunch();
  if (launch.options.collectStatistics) {
    InstCounters &counters = getCounters(launch, *warp.getFrame().code, inst);
    counters.executions.fetch_add(1, std::memory_order_relaxed);
    counters.lanes.fetch_add(unsigned(__builtin_popcount(mask)),
                             std::memory_order_relaxed);
  }
  const Options::Trace &wanted = launch.options.trace;
  if (wanted.file && wanted.warp == warp.getIndex() &&
      wanted.cta == warp.getCta().getId())
    trace(warp, inst, mask);
}

void unobserve(Warp &warp, const Inst &inst, uint32_t mask) {
  if (!warp.getLaunch().options.collectStatistics)
    return;
  InstCounters &counters =
      getCounters(warp.getLaunch(), *warp.getFrame().code, inst);
  counters.executions.fetch_sub(1, std::memory_order_relaxed);
  counters.lanes.fetch_sub(unsigned(__builtin_popcount(mask)),
                           std::memory_order_relaxed);
}

/// Wavefronts of one group of lanes: the most different words of a bank.
static unsigned countWavefronts(const uint64_t *words, size_t count) {
  std::array<std::vector<uint64_t>, 32> banks;
  size_t most = 0;
  for (size_t i = 0; i < count; ++i) {
    std::vector<uint64_t> &bank = banks[words[i] % 32];
    if (std::find(bank.begin(), bank.end(), words[i]) == bank.end())
      bank.push_back(words[i]);
    most = std::max(most, bank.size());
  }
  return unsigned(most);
}

void countAccess(Warp &warp, const Inst &inst, Region::Kind kind,
                 const uint64_t offsets[kLanes], uint32_t bytes,
                 uint32_t mask) {
  InstCounters &counters =
      getCounters(warp.getLaunch(), *warp.getFrame().code, inst);
  if (kind == Region::Kind::Global) {
    std::vector<uint64_t> sectors;
    forEachLane(mask, [&](unsigned lane) {
      for (uint64_t s = offsets[lane] / 32;
           s <= (offsets[lane] + bytes - 1) / 32; ++s)
        sectors.push_back(s);
    });
    std::sort(sectors.begin(), sectors.end());
    auto end = std::unique(sectors.begin(), sectors.end());
    counters.sectors.fetch_add(uint64_t(end - sectors.begin()),
                               std::memory_order_relaxed);
    return;
  }
  if (kind != Region::Kind::Shared)
    return;
  unsigned wordsPerLane = std::max(1u, bytes / 4);
  unsigned lanesPerGroup = kLanes / std::min(wordsPerLane, kLanes);
  uint64_t total = 0, least = 0;
  for (unsigned first = 0; first < kLanes; first += lanesPerGroup) {
    std::vector<uint64_t> words;
    for (unsigned lane = first; lane < first + lanesPerGroup; ++lane)
      if ((mask >> lane) & 1)
        for (unsigned w = 0; w < wordsPerLane; ++w)
          words.push_back(offsets[lane] / 4 + w);
    if (words.empty())
      continue;
    total += countWavefronts(words.data(), words.size());
    ++least;
  }
  counters.wavefronts.fetch_add(total, std::memory_order_relaxed);
  counters.bankConflicts.fetch_add(total - least, std::memory_order_relaxed);
}

Statistics gatherStatistics(const LaunchState &launch) {
  Statistics statistics;
  for (const auto &code : launch.program.codes) {
    if (!code)
      continue;
    for (size_t i = 0; i < code->insts.size(); ++i) {
      const Inst &inst = code->insts[i];
      const InstCounters &counters = launch.counters[code->index][i];
      uint64_t executions = counters.executions;
      if (!executions)
        continue;
      statistics.warpInstructions += executions;
      statistics.threadInstructions += counters.lanes;
      statistics.instructionsByClass[getInstClassName(inst.instClass)] +=
          executions;
      if (inst.instClass == InstClass::Matrix)
        statistics.matrixInstructions += executions;
      Statistics::Line line;
      line.line = inst.line;
      line.opcode = code->function->instructions[inst.source].opcode;
      line.executions = executions;
      line.lanes = counters.lanes;
      line.sectors = counters.sectors;
      line.wavefronts = counters.wavefronts;
      line.bankConflicts = counters.bankConflicts;
      statistics.lines.push_back(line);
    }
  }
  return statistics;
}

} // namespace nvfp4::ptx

//===- Observe.cpp - Statistics and traces --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared memory has 32 banks of 4 bytes; a wavefront serves each bank once.
// Accesses wider than 4 bytes are served in halves or quarters of a warp, so
// the fewest wavefronts of a full warp are bytes / 4.
//
// Chains of dependences run through registers, for a warp as a whole: lanes
// that diverged are not told apart.
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

//===----------------------------------------------------------------------===//
// Chains of dependent instructions
//===----------------------------------------------------------------------===//

static void collectRegisters(const Function &function, const Operand &operand,
                             std::vector<uint32_t> &registers) {
  if (operand.kind == Operand::Kind::Register)
    registers.push_back(operand.index);
  for (uint32_t i = 0; i < operand.numChildren; ++i)
    collectRegisters(function, function.operands[operand.firstChild + i],
                     registers);
}

/// The first operand is the result, unless it is an address or a barrier's
/// number.
RegisterUses findRegisterUses(const Module &module, const Function &function,
                              const Instruction &instruction) {
  RegisterUses uses;
  bool isReduction = false;
  for (unsigned i = 0; i < instruction.numQualifiers; ++i)
    isReduction |= module.qualifiers[instruction.firstQualifier + i] == "red";
  uses.isBarrier =
      instruction.opcode == "bar" || instruction.opcode == "barrier";
  for (uint32_t i = 0; i < instruction.numOperands; ++i) {
    const Operand &operand = function.operands[instruction.firstOperand + i];
    bool isResult = i == 0 && operand.kind != Operand::Kind::Address &&
                    (!uses.isBarrier || isReduction);
    collectRegisters(function, operand, isResult ? uses.results : uses.sources);
  }
  if (instruction.hasGuard)
    uses.sources.push_back(instruction.guard);
  return uses;
}

/// Extends the chains that end in the registers of an instruction. What came
/// before a barrier is no part of a chain.
static void followChains(Warp &warp, const Inst &inst) {
  LaunchState &launch = warp.getLaunch();
  Frame &frame = warp.getFrame();
  const RegisterUses &uses =
      launch.registerUses[frame.code->index][inst.source];
  Warp::Chains &chains = warp.getChains();
  frame.chains.resize(frame.code->function->registers.size());
  uint64_t longest = chains.base;
  for (uint32_t source : uses.sources)
    longest = std::max(longest, frame.chains[source]);
  ++longest;
  for (uint32_t result : uses.results)
    frame.chains[result] = longest;
  chains.top = std::max(chains.top, longest);
  uint64_t length = chains.top - chains.base;
  uint64_t known = launch.longestChain.load(std::memory_order_relaxed);
  while (length > known &&
         !launch.longestChain.compare_exchange_weak(known, length))
    ;
  if (uses.isBarrier)
    chains.base = chains.top;
}

void prepareStatistics(LaunchState &launch) {
  const Module &module = *launch.program.module;
  launch.counters.resize(launch.program.codes.size());
  launch.registerUses.resize(launch.program.codes.size());
  for (size_t i = 0; i < launch.program.codes.size(); ++i) {
    if (!launch.program.codes[i])
      continue;
    const Code &code = *launch.program.codes[i];
    launch.counters[i] = std::make_unique<InstCounters[]>(code.insts.size());
    for (const Instruction &instruction : code.function->instructions)
      launch.registerUses[i].push_back(
          findRegisterUses(module, *code.function, instruction));
  }
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

/// The text of an instruction up to its semicolon.
static std::string_view getText(const Module &module,
                                const Instruction &instruction) {
  size_t start = size_t(instruction.opcode.data() - module.text.data());
  return std::string_view(module.text)
      .substr(start, module.text.find(';', start) - start);
}

/// Prints an instruction and the sources of its first active lane.
static void trace(Warp &warp, const Inst &inst, uint32_t mask) {
  const Code &code = *warp.getFrame().code;
  const Inst *next = &inst + 1;
  // What was decoded as several counts as the last of them.
  if (next != code.insts.data() + code.insts.size() &&
      next->source == inst.source && next->line == inst.line)
    return;
  std::string text(getText(*warp.getLaunch().program.module,
                           code.function->instructions[inst.source]));
  unsigned lane = mask ? unsigned(__builtin_ctz(mask)) : 0;
  for (const OperandRef *ref : {&inst.a, &inst.b, &inst.c}) {
    if (!ref->isPresent)
      continue;
    char value[32];
    std::snprintf(value, sizeof(value), "%s0x%llx",
                  ref == &inst.a ? "  // " : ", ",
                  (unsigned long long)warp.readLane(*ref, lane));
    text += value;
  }
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
    if (mask)
      followChains(warp, inst);
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

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

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
  counters.bytes[unsigned(kind)].fetch_add(
      uint64_t(bytes) * unsigned(__builtin_popcount(mask)),
      std::memory_order_relaxed);
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

void countBytes(Warp &warp, const Inst &inst, Region::Kind kind,
                uint64_t bytes) {
  if (warp.getLaunch().options.collectStatistics)
    getCounters(warp.getLaunch(), *warp.getFrame().code, inst)
        .bytes[unsigned(kind)]
        .fetch_add(bytes, std::memory_order_relaxed);
}

/// "global load": what the bytes of an instruction count as.
static std::string getBytesName(Region::Kind kind, InstClass instClass) {
  static constexpr const char *kKinds[kNumRegionKinds] = {
      "none", "global", "shared", "local", "parameter", "tensor"};
  const char *what = "access";
  if (instClass == InstClass::Load)
    what = "load";
  else if (instClass == InstClass::Store)
    what = "store";
  else if (instClass == InstClass::Atomic)
    what = "atomic";
  else if (instClass == InstClass::Async)
    what = "copy";
  return std::string(kKinds[unsigned(kind)]) + " " + what;
}

static void addMemory(Statistics &statistics, Statistics::Line &line,
                      const Inst &inst, const InstCounters &counters) {
  for (unsigned kind = 0; kind < kNumRegionKinds; ++kind)
    if (uint64_t bytes = counters.bytes[kind])
      statistics
          .bytesBySpace[getBytesName(Region::Kind(kind), inst.instClass)] +=
          bytes;
  line.sectors += counters.sectors;
  line.wavefronts += counters.wavefronts;
  line.bankConflicts += counters.bankConflicts;
}

Statistics gatherStatistics(const LaunchState &launch) {
  Statistics statistics;
  statistics.longestDependency = launch.longestChain;
  for (const auto &code : launch.program.codes) {
    if (!code)
      continue;
    const Inst *previous = nullptr;
    for (size_t i = 0; i < code->insts.size(); ++i) {
      const Inst &inst = code->insts[i];
      const InstCounters &counters = launch.counters[code->index][i];
      uint64_t executions = counters.executions;
      if (!executions)
        continue;
      // Some PTX instructions are decoded as several: they count once.
      bool isRest = previous && previous->source == inst.source;
      previous = &inst;
      if (isRest) {
        addMemory(statistics, statistics.lines.back(), inst, counters);
        continue;
      }
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
      addMemory(statistics, line, inst, counters);
      statistics.lines.push_back(std::move(line));
    }
  }
  return statistics;
}

} // namespace nvfp4::ptx

//===- Simulator.cpp - Run PTX from C -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments are checked, exceptions end here.
//
//===----------------------------------------------------------------------===//

#include "nvfp4-c/Simulator.h"
#include "Handles.h"
#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Simulator/PTX/LaunchFile.h"
#include "nvfp4/Simulator/PTX/ReportJson.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

using namespace nvfp4;
using nvfp4::capi::guard;

struct nvfp4_sim_program {
  std::shared_ptr<const ptx::Program> program;
  std::string target;
};

struct nvfp4_sim_memory {
  ptx::DeviceMemory memory;
};

struct nvfp4_sim_report {
  ptx::Report report;
  std::string text, findingsJson, statisticsJson;
  size_t numErrors = 0;
};

static Status nullArgument(const char *function) {
  return Status::error(std::string(function) +
                       ": expected pointers that exist, but got null");
}

/// The kernel with this index, or null.
static const ptx::Program::Entry *findEntry(const nvfp4_sim_program *program,
                                            size_t entry) {
  if (!program || entry >= program->program->getEntries().size())
    return nullptr;
  return &program->program->getEntries()[entry];
}

/// Copies a struct of the caller, which may be older and shorter; fields that
/// it lacks stay 0.
template <typename T>
static Status copyStruct(const T *given, size_t minBytes, const char *what,
                         T &copy) {
  if (given->struct_size < minBytes || given->struct_size > sizeof(T))
    return Status::error(std::string(what) + ": expected a struct_size of " +
                         std::to_string(sizeof(T)) + ", but got " +
                         std::to_string(given->struct_size));
  std::memcpy(&copy, given, given->struct_size);
  return Status();
}

static Status loadProgram(std::string text, const std::string &fileName,
                          nvfp4_sim_program **program) {
  auto loaded = ptx::Program::load(std::move(text), fileName);
  if (!loaded)
    return loaded.getStatus();
  std::string target((*loaded)->getTarget());
  *program = new nvfp4_sim_program{std::move(*loaded), std::move(target)};
  return Status();
}

static Status checkBuffer(const ptx::DeviceMemory &memory, uint64_t address,
                          uint64_t bytes) {
  if (memory.find(address, bytes))
    return Status();
  return Status::error("expected " + std::to_string(bytes) +
                       " bytes within one buffer, but got address " +
                       std::to_string(address));
}

extern "C" {

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

nvfp4_status nvfp4_sim_program_load(const char *text, size_t bytes,
                                    const char *file_name,
                                    nvfp4_sim_program **program) {
  return guard([&]() -> Status {
    if (!text || !program)
      return nullArgument("nvfp4_sim_program_load");
    *program = nullptr;
    return loadProgram(std::string(text, bytes),
                       file_name ? file_name : "<ptx>", program);
  });
}

nvfp4_status nvfp4_sim_program_load_file(const char *path,
                                         nvfp4_sim_program **program) {
  return guard([&]() -> Status {
    if (!path || !program)
      return nullArgument("nvfp4_sim_program_load_file");
    *program = nullptr;
    Result<std::string> text = ptx::readPTX(path);
    if (!text)
      return text.getStatus();
    return loadProgram(std::move(*text), path, program);
  });
}

void nvfp4_sim_program_free(nvfp4_sim_program *program) { delete program; }

const char *nvfp4_sim_program_target(const nvfp4_sim_program *program) {
  return program ? program->target.c_str() : nullptr;
}

size_t nvfp4_sim_program_num_entries(const nvfp4_sim_program *program) {
  return program ? program->program->getEntries().size() : 0;
}

const char *nvfp4_sim_program_entry_name(const nvfp4_sim_program *program,
                                         size_t entry) {
  const ptx::Program::Entry *found = findEntry(program, entry);
  return found ? found->name.c_str() : nullptr;
}

size_t nvfp4_sim_program_num_parameters(const nvfp4_sim_program *program,
                                        size_t entry) {
  const ptx::Program::Entry *found = findEntry(program, entry);
  return found ? found->parameters.size() : 0;
}

nvfp4_status nvfp4_sim_program_parameter(const nvfp4_sim_program *program,
                                         size_t entry, size_t index,
                                         nvfp4_sim_parameter *parameter) {
  return guard([&]() -> Status {
    const ptx::Program::Entry *found = findEntry(program, entry);
    if (!found || !parameter)
      return capi::nullArgument("nvfp4_sim_program_parameter");
    if (index >= found->parameters.size())
      return capi::outOfRange("parameter", index, found->parameters.size());
    const ptx::Program::Parameter &row = found->parameters[index];
    *parameter = {row.name.c_str(), row.bytes, row.alignment, 0};
    return Status();
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

nvfp4_status nvfp4_sim_memory_create(nvfp4_sim_memory **memory) {
  return guard([&]() -> Status {
    if (!memory)
      return nullArgument("nvfp4_sim_memory_create");
    *memory = nullptr;
    *memory = new nvfp4_sim_memory();
    return Status();
  });
}

void nvfp4_sim_memory_free(nvfp4_sim_memory *memory) { delete memory; }

nvfp4_status nvfp4_sim_memory_map(nvfp4_sim_memory *memory, void *data,
                                  uint64_t bytes, const char *name,
                                  uint32_t flags, uint64_t *address) {
  return guard([&]() -> Status {
    if (!memory || (!data && bytes != 0) || !address)
      return nullArgument("nvfp4_sim_memory_map");
    if ((flags & ~NVFP4_SIM_UNDEFINED) != 0)
      return Status::error("nvfp4_sim_memory_map: expected flags 0 or 1, but "
                           "got " +
                           std::to_string(flags));
    if (bytes > uint64_t(INT64_MAX))
      return Status::error("nvfp4_sim_memory_map: expected less than 2^63 "
                           "bytes, but got " +
                           std::to_string(bytes));
    *address = memory->memory.map(data, bytes, name ? name : "",
                                  flags & NVFP4_SIM_UNDEFINED
                                      ? ptx::DeviceMemory::Contents::Undefined
                                      : ptx::DeviceMemory::Contents::Defined);
    return Status();
  });
}

nvfp4_status nvfp4_sim_memory_unmap(nvfp4_sim_memory *memory,
                                    uint64_t address) {
  return guard([&]() -> Status {
    if (!memory)
      return nullArgument("nvfp4_sim_memory_unmap");
    if (!memory->memory.unmap(address))
      return Status::error("expected the address of a buffer, but got " +
                           std::to_string(address));
    return Status();
  });
}

nvfp4_status nvfp4_sim_memory_mark_defined(nvfp4_sim_memory *memory,
                                           uint64_t address, uint64_t bytes) {
  return guard([&]() -> Status {
    if (!memory)
      return nullArgument("nvfp4_sim_memory_mark_defined");
    if (Status status = checkBuffer(memory->memory, address, bytes); !status)
      return status;
    memory->memory.markDefined(address, bytes);
    return Status();
  });
}

nvfp4_status nvfp4_sim_memory_find_undefined(const nvfp4_sim_memory *memory,
                                             uint64_t address,
                                             int64_t *offset) {
  return guard([&]() -> Status {
    if (!memory || !offset)
      return nullArgument("nvfp4_sim_memory_find_undefined");
    if (Status status = checkBuffer(memory->memory, address, 0); !status)
      return status;
    *offset = memory->memory.findUndefined(address);
    return Status();
  });
}

nvfp4_status nvfp4_sim_variable_address(const nvfp4_sim_program *program,
                                        nvfp4_sim_memory *memory,
                                        const char *name, uint64_t *address) {
  return guard([&]() -> Status {
    if (!program || !memory || !name || !address)
      return nullArgument("nvfp4_sim_variable_address");
    *address = program->program->getVariableAddress(name, memory->memory);
    if (*address == 0)
      return Status::error("expected a variable of the module, but got " +
                           quote(name));
    return Status();
  });
}

} // extern "C"

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

/// What a caller has at least: the structs as they were at first.
static constexpr size_t kLaunchBytes1 =
    offsetof(nvfp4_sim_launch, num_arguments) + sizeof(size_t);
static constexpr size_t kOptionsBytes1 =
    offsetof(nvfp4_sim_options, max_memory) + sizeof(uint64_t);

static Result<ptx::Launch> readLaunch(const nvfp4_sim_program *program,
                                      const nvfp4_sim_launch *given) {
  nvfp4_sim_launch copy = {};
  if (Status status =
          copyStruct(given, kLaunchBytes1, "nvfp4_sim_launch", copy);
      !status)
    return status;
  ptx::Launch launch;
  const auto &entries = program->program->getEntries();
  if (copy.entry)
    launch.entry = copy.entry;
  else if (entries.size() == 1)
    launch.entry = entries.front().name;
  else
    return Status::error("nvfp4_sim_launch: expected the name of an entry of a "
                         "program with " +
                         std::to_string(entries.size()) + ", but got null");
  for (size_t i = 0; i < 3; ++i) {
    // A grid without blocks is a mistake, not a default.
    uint32_t min = i == 0 ? 0 : 1;
    launch.grid[i] = std::max(copy.grid[i], min);
    launch.block[i] = std::max(copy.block[i], min);
    launch.cluster[i] = std::max(copy.cluster[i], 1u);
  }
  launch.dynamicSharedBytes = copy.dynamic_shared_bytes;
  if (!copy.arguments && copy.num_arguments != 0)
    return nullArgument("nvfp4_sim_launch");
  for (size_t i = 0; i < copy.num_arguments; ++i) {
    const nvfp4_sim_argument &argument = copy.arguments[i];
    if (!argument.data && argument.bytes != 0)
      return nullArgument("nvfp4_sim_argument");
    const uint8_t *data = static_cast<const uint8_t *>(argument.data);
    launch.arguments.emplace_back(data, data + argument.bytes);
  }
  return launch;
}

static Result<ptx::Options> readOptions(const nvfp4_sim_options *given) {
  ptx::Options options;
  if (!given)
    return options;
  nvfp4_sim_options copy = {};
  if (Status status =
          copyStruct(given, kOptionsBytes1, "nvfp4_sim_options", copy);
      !status)
    return status;
  if (copy.asynchrony > NVFP4_SIM_RANDOM || copy.accumulation > NVFP4_SIM_EXACT)
    return Status::error("nvfp4_sim_options: expected asynchrony 0 to 2 and "
                         "accumulation 0 or 1, but got " +
                         std::to_string(copy.asynchrony) + " and " +
                         std::to_string(copy.accumulation));
  constexpr ptx::Asynchrony kAsynchronies[] = {
      ptx::Asynchrony::Late, ptx::Asynchrony::Early, ptx::Asynchrony::Random};
  options.asynchrony = kAsynchronies[copy.asynchrony];
  options.seed = copy.seed;
  options.accumulation = copy.accumulation == NVFP4_SIM_EXACT
                             ? ptx::Accumulation::Exact
                             : ptx::Accumulation::Hardware;
  options.checkOrdering = copy.skip_ordering == 0;
  options.checkDefinedness = copy.skip_definedness == 0;
  options.isStrict = copy.strict != 0;
  options.collectStatistics = copy.statistics != 0;
  options.numThreads = copy.num_threads;
  if (copy.max_instructions != 0)
    options.maxInstructions = copy.max_instructions;
  if (copy.max_memory != 0)
    options.maxMemory = copy.max_memory;
  return options;
}

static bool isError(const ptx::Finding &finding) {
  return finding.severity == ptx::Finding::Severity::Error;
}

extern "C" {

nvfp4_status nvfp4_sim_run(const nvfp4_sim_program *program,
                           const nvfp4_sim_launch *launch,
                           nvfp4_sim_memory *memory,
                           const nvfp4_sim_options *options,
                           nvfp4_sim_report **report) {
  return guard([&]() -> Status {
    if (!program || !launch || !memory || !report)
      return nullArgument("nvfp4_sim_run");
    *report = nullptr;
    Result<ptx::Launch> checkedLaunch = readLaunch(program, launch);
    if (!checkedLaunch)
      return checkedLaunch.getStatus();
    Result<ptx::Options> checkedOptions = readOptions(options);
    if (!checkedOptions)
      return checkedOptions.getStatus();
    auto made = std::make_unique<nvfp4_sim_report>();
    made->report =
        program->program->run(*checkedLaunch, memory->memory, *checkedOptions);
    const std::vector<ptx::Finding> &findings = made->report.findings;
    made->numErrors = static_cast<size_t>(
        std::count_if(findings.begin(), findings.end(), isError));
    made->text = made->report.toString();
    made->findingsJson = ptx::formatFindingsAsJson(made->report);
    made->statisticsJson = ptx::formatStatisticsAsJson(made->report.statistics);
    *report = made.release();
    return Status();
  });
}

void nvfp4_sim_report_free(nvfp4_sim_report *report) { delete report; }

//===----------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------===//

size_t nvfp4_sim_report_num_findings(const nvfp4_sim_report *report) {
  return report ? report->report.findings.size() : 0;
}

size_t nvfp4_sim_report_num_errors(const nvfp4_sim_report *report) {
  return report ? report->numErrors : 0;
}

nvfp4_status nvfp4_sim_report_finding(const nvfp4_sim_report *report,
                                      size_t index,
                                      nvfp4_sim_finding *finding) {
  return guard([&]() -> Status {
    if (!report || !finding)
      return nullArgument("nvfp4_sim_report_finding");
    const std::vector<ptx::Finding> &findings = report->report.findings;
    if (index >= findings.size())
      return capi::outOfRange("finding", index, findings.size());
    const ptx::Finding &row = findings[index];
    *finding = {};
    finding->severity = isError(row) ? NVFP4_SIM_ERROR : NVFP4_SIM_WARNING;
    finding->line = row.line;
    finding->other_line = row.otherLine;
    std::copy(row.cta.begin(), row.cta.end(), finding->cta);
    finding->warp = row.warp;
    finding->lane = row.lane;
    finding->count = row.count;
    finding->rule = row.rule.c_str();
    finding->message = row.message.c_str();
    return Status();
  });
}

const char *nvfp4_sim_report_text(const nvfp4_sim_report *report) {
  return report ? report->text.c_str() : nullptr;
}

const char *nvfp4_sim_report_findings_json(const nvfp4_sim_report *report) {
  return report ? report->findingsJson.c_str() : nullptr;
}

const char *nvfp4_sim_report_statistics_json(const nvfp4_sim_report *report) {
  return report ? report->statisticsJson.c_str() : nullptr;
}

} // extern "C"

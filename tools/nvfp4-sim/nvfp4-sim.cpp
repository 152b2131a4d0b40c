//===- nvfp4-sim.cpp - Run a PTX kernel from a launch file ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Findings go to standard error, statistics to standard output. Exit status: 0
// done, 1 the simulator found errors in the program, 2 an error of the command
// line or of a file.
//
//===----------------------------------------------------------------------===//

#include "../nvfp4-run/TextTable.h"
#include "PrintStatistics.h"
#include "nvfp4/Runtime/FileIO.h"
#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Simulator/PTX/LaunchFile.h"
#include "nvfp4/Simulator/PTX/OptionText.h"
#include "nvfp4/Simulator/PTX/ReportJson.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>

using namespace nvfp4;
using namespace nvfp4::ptx;
using nvfp4::run::TextTable;

namespace {

enum ExitStatus { Done = 0, FoundErrors = 1, Error = 2 };

struct ToolOptions {
  std::string launch, output, report;
  std::string async = "late", accumulate = "hardware", stats, trace;
  bool noOrdering = false, noDefinedness = false, list = false;
  ptx::Options engine;
};

} // namespace

//===----------------------------------------------------------------------===//
// Options with a grammar
//===----------------------------------------------------------------------===//

/// Parses a decimal number at the start of `text` and removes it.
template <typename T>
static bool consumeNumber(std::string_view &text, T &out) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc())
    return false;
  text.remove_prefix(end - text.data());
  return true;
}

static bool consume(std::string_view &text, char c) {
  if (text.empty() || text.front() != c)
    return false;
  text.remove_prefix(1);
  return true;
}

/// X[:Y[:Z]][,WARP].
static Status parseTrace(const std::string &text, ptx::Options &options) {
  std::string_view rest = text;
  ptx::Options::Trace &trace = options.trace;
  bool isValid = consumeNumber(rest, trace.cta[0]);
  for (size_t i = 1; i < 3 && isValid && consume(rest, ':'); ++i)
    isValid = consumeNumber(rest, trace.cta[i]);
  if (isValid && consume(rest, ','))
    isValid = consumeNumber(rest, trace.warp);
  if (!isValid || !rest.empty())
    return Status::error("--trace: expected X[:Y[:Z]][,WARP], such as 0 or "
                         "1:0:0,3, but got " +
                         quote(text));
  trace.file = stderr;
  return Status();
}

static Status finishOptions(ToolOptions &options) {
  if (Status status = parseAsynchrony(options.async, options.engine); !status)
    return status;
  if (Status status = parseAccumulation(options.accumulate, options.engine);
      !status)
    return status;
  if (!options.trace.empty())
    if (Status status = parseTrace(options.trace, options.engine); !status)
      return status;
  options.engine.checkOrdering = !options.noOrdering;
  options.engine.checkDefinedness = !options.noDefinedness;
  options.engine.collectStatistics = !options.stats.empty();
  return Status();
}

//===----------------------------------------------------------------------===//
// --list
//===----------------------------------------------------------------------===//

/// Whether a file holds JSON rather than PTX: no PTX starts with a brace.
static bool isLaunchText(const std::string &text) {
  size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{';
}

static Result<ExitStatus> listEntries(const std::string &path) {
  std::string ptxPath = path;
  Result<std::string> text = readPTX(path);
  if (text && isLaunchText(*text)) {
    Result<LaunchFile> file = LaunchFile::parse(*text, path);
    if (!file)
      return file.getStatus();
    ptxPath = file->ptxPath;
    text = readPTX(ptxPath);
  }
  if (!text)
    return text.getStatus();
  auto program = Program::load(std::move(*text), ptxPath);
  if (!program)
    return program.getStatus();
  std::printf("%s, %s\n", ptxPath.c_str(),
              std::string((*program)->getTarget()).c_str());
  for (const Program::Entry &entry : (*program)->getEntries()) {
    std::printf("\nentry %s\n", entry.name.c_str());
    TextTable table({"", "bytes", "alignment", "parameter"});
    for (size_t i = 0; i < entry.parameters.size(); ++i) {
      const Program::Parameter &parameter = entry.parameters[i];
      table.add({std::to_string(i), std::to_string(parameter.bytes),
                 std::to_string(parameter.alignment), parameter.name});
    }
    table.print(stdout, 2);
  }
  return Done;
}

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

/// Without --output and --stats: what came out.
static void printOutputs(const LaunchFile &file) {
  TextTable table({"output", "dtype", "shape"});
  for (size_t output : file.outputs) {
    const LaunchBuffer &buffer = file.buffers[output];
    table.add({buffer.name, std::string(getDTypeName(buffer.dtype)),
               formatShape(buffer.shape)});
  }
  if (table.getNumRows() != 0)
    table.print(stdout, 0);
}

static Status writeReport(const ToolOptions &options, const Report &report) {
  if (options.report.empty())
    return Status();
  std::string json = formatFindingsAsJson(report);
  return writeFile(options.report, json.data(), json.size()).getStatus();
}

static Result<ExitStatus> launch(const ToolOptions &options) {
  Result<LaunchFile> file = LaunchFile::read(options.launch);
  if (!file)
    return file.getStatus();
  if (!options.output.empty() && file->outputs.empty())
    return Status::error(quote(options.launch) +
                         ": expected names in 'outputs', because of --output, "
                         "but got none");
  Result<std::string> text = readPTX(file->ptxPath);
  if (!text)
    return text.getStatus();
  auto program = Program::load(*text, file->ptxPath);
  if (!program)
    return program.getStatus();
  Result<LaunchBuffers> buffers =
      LaunchBuffers::create(std::move(*file), options.engine.maxMemory);
  if (!buffers)
    return buffers.getStatus();
  DeviceMemory memory;
  Result<Launch> launch = buffers->bind(**program, memory);
  if (!launch)
    return launch.getStatus();

  Report report = (*program)->run(*launch, memory, options.engine);
  if (options.engine.checkDefinedness && !report.hasErrors())
    buffers->checkOutputs(memory, report);
  if (!report.findings.empty())
    std::fputs(report.toString().c_str(), stderr);
  if (options.stats == "json")
    std::fputs(formatStatisticsAsJson(report.statistics).c_str(), stdout);
  else if (!options.stats.empty())
    sim::printStatistics(report.statistics, *text);
  if (Status status = writeReport(options, report); !status)
    return status;
  if (report.hasErrors())
    return FoundErrors;
  if (!options.output.empty()) {
    if (Status status = buffers->writeOutputs(options.output); !status)
      return status;
  } else if (options.stats.empty()) {
    printOutputs(buffers->getFile());
  }
  return Done;
}

//===----------------------------------------------------------------------===//
// The command line
//===----------------------------------------------------------------------===//

static void declareOptions(CLI::App &app, ToolOptions &options) {
  app.add_option("launch", options.launch,
                 "The launch file, JSON; with --list also a PTX file")
      ->required();
  app.add_option("--output", options.output,
                 "Safetensors file for the outputs; written only when the "
                 "simulator finds no error");
  app.add_option("--report", options.report,
                 "JSON file for what the simulator finds");
  app.add_option("--async", options.async,
                 "When asynchronous effects happen: late, early or "
                 "random:SEED")
      ->capture_default_str();
  app.add_option("--accumulate", options.accumulate,
                 "How matrix instructions add: exact, or as the model of the "
                 "hardware does")
      ->capture_default_str()
      ->check(CLI::IsMember({"exact", "hardware"}));
  app.add_flag("--strict", options.engine.isStrict, "Warnings become errors");
  app.add_flag("--stats{table}", options.stats,
               "Print instructions, bytes, sectors and bank conflicts; "
               "--stats=json as JSON")
      ->check(CLI::IsMember({"table", "json"}));
  app.add_option("--trace", options.trace,
                 "Print every instruction of one warp to standard error: "
                 "X[:Y[:Z]][,WARP], the block and its warp");
  app.add_flag("--no-check-ordering", options.noOrdering,
               "Look for no races and no missing waits (R1 to R10)");
  app.add_flag("--no-check-definedness", options.noDefinedness,
               "Look for no use of undefined data (R11)");
  app.add_option("--threads", options.engine.numThreads,
                 "Threads of the CPU; 0 means all")
      ->capture_default_str();
  app.add_option("--max-instructions", options.engine.maxInstructions,
                 "Warp instructions before the launch ends with an error")
      ->capture_default_str();
  app.add_option("--max-memory", options.engine.maxMemory,
                 "Bytes that buffers, and the simulator itself, may take; "
                 "suffixes such as MB and GB are allowed")
      ->capture_default_str()
      ->transform(CLI::AsSizeValue(false));
  app.add_flag("--list", options.list,
               "Print the kernels of the PTX with their parameters, and run "
               "nothing");
}

int main(int argc, char **argv) {
  try {
    CLI::App app("Runs a PTX kernel on the CPU and says what is wrong with it",
                 "nvfp4-sim");
    ToolOptions options;
    declareOptions(app, options);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
      return app.exit(error) == 0 ? Done : Error;
    }
    Result<ExitStatus> status = Done;
    if (Status valid = finishOptions(options); !valid)
      status = valid;
    else
      status = options.list ? listEntries(options.launch) : launch(options);
    if (status && std::fflush(stdout) != 0)
      status = systemError("standard output", "cannot write");
    if (status)
      return *status;
    std::fprintf(stderr, "nvfp4-sim: error: %s\n", status.getMessage().c_str());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "nvfp4-sim: error: %s\n", error.what());
  }
  return Error;
}

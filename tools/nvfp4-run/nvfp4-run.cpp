//===- nvfp4-run.cpp - Run a package on safetensors files -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exit status: 0 done, 1 a compared tensor is over the tolerance, 2 an error.
//
//===----------------------------------------------------------------------===//

#include "Compare.h"
#include "Inspect.h"
#include "TextTable.h"
#include "nvfp4/Runtime/CudaDevice.h"
#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Runtime/Session.h"
#include "nvfp4/Runtime/SimDevice.h"
#include "nvfp4/Simulator/PTX/OptionText.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>

using namespace nvfp4;
using namespace nvfp4::run;

namespace {

enum ExitStatus { Done = 0, OverTolerance = 1, Error = 2 };

struct Options {
  std::string package, input, output, entry, compare;
  std::string device = "cpu";
  unsigned threads = 0;
  double tolerance = 1e-3;
  unsigned repeat = 1;
  bool profile = false, inspect = false, skipChecksums = false;
  std::string async = "late", accumulate = "hardware";
};

/// Wall times of the steps, for --profile.
class Profile {
public:
  /// Runs a step and keeps its time.
  template <typename Step> auto measure(const std::string &name, Step step) {
    auto start = std::chrono::steady_clock::now();
    auto result = step();
    std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - start;
    steps.emplace_back(name, time.count());
    return result;
  }

  void print() const {
    double total = 0;
    for (const auto &[name, milliseconds] : steps)
      total += milliseconds;
    TextTable table({"step", "ms", "share"});
    for (const auto &[name, milliseconds] : steps) {
      char time[32], share[32];
      std::snprintf(time, sizeof(time), "%.3f", milliseconds);
      std::snprintf(share, sizeof(share), "%.1f %%",
                    100 * milliseconds / std::max(total, 1e-9));
      table.add({name, time, share});
    }
    table.print(stdout, 0);
  }

private:
  std::vector<std::pair<std::string, double>> steps;
};

} // namespace

/// The names of a file's tensors and of the entry's inputs must be the same.
static Status checkInputNames(const ManifestEntry &entry,
                              const std::vector<std::string> &given,
                              const std::string &path) {
  std::vector<std::string> expected, extra;
  expected.reserve(entry.inputs.size());
  for (const ManifestTensor &input : entry.inputs)
    expected.push_back(input.name);
  for (const std::string &name : given)
    if (std::find(expected.begin(), expected.end(), name) == expected.end())
      extra.push_back(name);
  for (const ManifestTensor &input : entry.inputs)
    if (std::find(given.begin(), given.end(), input.name) == given.end()) {
      // What is near and not used otherwise is probably what was meant.
      std::string nearest = findNearest(input.name, extra);
      return Status::error(
          quote(path) + ": expected a tensor " + quote(input.name) + ", " +
          std::string(getDTypeName(input.dtype)) + " " +
          describeShape(entry, input.shape) + ", but got none of that name" +
          (nearest.empty() ? "" : "; is " + quote(nearest) + " misspelled?"));
    }
  if (extra.empty())
    return Status();
  std::string list;
  for (const std::string &name : expected)
    list += (list.empty() ? "" : ", ") + quote(name);
  return Status::error(
      quote(path) + ": expected only the inputs of entry " + quote(entry.name) +
      ", that is " + (list.empty() ? "none" : list) + ", but got " +
      quote(extra.front()) + suggestNearest(extra.front(), expected));
}

/// Reads the entry's inputs, in its order.
static Result<std::vector<HostTensor>> readInputs(const ManifestEntry &entry,
                                                  const std::string &path) {
  std::vector<HostTensor> inputs;
  if (path.empty()) {
    if (entry.inputs.empty())
      return inputs;
    const ManifestTensor &first = entry.inputs.front();
    return Status::error("expected --input FILE with the tensor " +
                         quote(first.name) + ", " +
                         std::string(getDTypeName(first.dtype)) + " " +
                         describeShape(entry, first.shape) +
                         (entry.inputs.size() > 1 ? ", and others" : "") +
                         ", but got no --input");
  }
  Result<Checkpoint> file = Checkpoint::open(path);
  if (!file)
    return file.getStatus();
  if (Status status = checkInputNames(entry, file->getNames(), path); !status)
    return status;
  for (const ManifestTensor &input : entry.inputs) {
    Checkpoint::Entry tensor = file->find(input.name);
    Result<HostTensor> read =
        HostTensor::allocate(tensor.info->dtype, tensor.info->shape);
    if (!read)
      return Status::error("input " + quote(input.name) + ": " +
                           read.getMessage());
    if (Status status =
            Checkpoint::read(tensor, read->data(), 0, read->getBytes());
        !status)
      return status;
    inputs.push_back(std::move(*read));
  }
  return inputs;
}

static Status writeResults(const ManifestEntry &entry,
                           const std::vector<HostTensor> &results,
                           const std::string &path) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < results.size(); ++i)
    specs.push_back(
        {entry.results[i].name, results[i].getDType(), results[i].getShape()});
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, specs);
  if (!writer)
    return writer.getStatus();
  for (size_t i = 0; i < results.size(); ++i)
    if (Status status = writer->append(specs[i].name, results[i].data(),
                                       results[i].getBytes());
        !status)
      return status;
  return writer->commit().getStatus();
}

/// Without --output and --compare: what came out.
static void printResults(const ManifestEntry &entry,
                         const std::vector<HostTensor> &results) {
  TextTable table({"result", "dtype", "shape"});
  for (size_t i = 0; i < results.size(); ++i)
    table.add({entry.results[i].name,
               std::string(getDTypeName(results[i].getDType())),
               formatShape(results[i].getShape())});
  table.print(stdout, 0);
}

/// How the device `sim` simulates.
static Result<ptx::Options> readSimulation(const Options &options) {
  ptx::Options simulation;
  if (Status status = ptx::parseAsynchrony(options.async, simulation); !status)
    return status;
  if (Status status = ptx::parseAccumulation(options.accumulate, simulation);
      !status)
    return status;
  return simulation;
}

/// Runs `count` times. The first run loads what is loaded late; a graph, where
/// the device has them, does the others, which are waited for once.
static Result<std::vector<HostTensor>>
runRepeatedly(const Session &session, size_t entry,
              const std::vector<TensorView> &inputs, unsigned count,
              Profile &profile) {
  auto execution =
      profile.measure("bind", [&] { return session.bind(entry, inputs); });
  if (!execution)
    return execution.getStatus();
  Execution &run = **execution;
  auto runOnce = [&](const std::function<Status()> &enqueue) {
    Status status = enqueue();
    return status ? run.wait() : status;
  };
  auto enqueue = [&] { return run.enqueue(); };
  Status status = profile.measure("run 1", [&] { return runOnce(enqueue); });
  if (!session.getDevice().hasGraphs()) {
    for (unsigned i = 2; status && i <= count; ++i)
      status = profile.measure("run " + std::to_string(i),
                               [&] { return runOnce(enqueue); });
  } else if (status) {
    auto graph = profile.measure("record graph", [&] { return run.record(); });
    if (!graph)
      return graph.getStatus();
    std::string name = "runs 2 to " + std::to_string(count);
    status = profile.measure(name, [&] {
      return runOnce([&] {
        Status status;
        for (unsigned i = 2; status && i <= count; ++i)
          status = (*graph)->launch(nullptr);
        return status;
      });
    });
  }
  if (!status)
    return status;
  return profile.measure("read results", [&] { return run.takeResults(); });
}

static Result<ExitStatus> runPackage(const Options &options) {
  Result<ptx::Options> simulation = readSimulation(options);
  if (!simulation)
    return simulation.getStatus();
  Profile profile;
  SessionOptions sessionOptions;
  sessionOptions.device = options.device;
  sessionOptions.deviceOptions.numThreads = options.threads;
  sessionOptions.packageOptions.verifyChecksums = !options.skipChecksums;
  DeviceRegistry devices = DeviceRegistry::createDefault();
  addCudaDevice(devices);
  addSimDevice(devices, *simulation);
  auto session = profile.measure("open package", [&] {
    return Session::open(options.package, devices, sessionOptions);
  });
  if (!session)
    return session.getStatus();
  const Manifest &manifest = (*session)->getManifest();
  Result<size_t> index =
      manifest.findEntry(options.entry, quote(options.package));
  if (!index)
    return index.getStatus();
  const ManifestEntry &entry = manifest.entries[*index];

  auto inputs = profile.measure(
      "read inputs", [&] { return readInputs(entry, options.input); });
  if (!inputs)
    return inputs.getStatus();
  std::vector<TensorView> views;
  for (const HostTensor &input : *inputs)
    views.push_back(input.getView());

  Result<std::vector<HostTensor>> ran =
      options.repeat > 1
          ? runRepeatedly(**session, *index, views, options.repeat, profile)
          : profile.measure("run",
                            [&] { return (*session)->run(*index, views); });
  if (!ran)
    return ran.getStatus();
  std::vector<HostTensor> results = std::move(*ran);

  if (!options.output.empty()) {
    Status status = profile.measure("write results", [&] {
      return writeResults(entry, results, options.output);
    });
    if (!status)
      return status;
  }
  bool isWithin = true;
  if (!options.compare.empty()) {
    Result<bool> compared =
        compareResults(entry, results, options.compare, options.tolerance);
    if (!compared)
      return compared.getStatus();
    isWithin = *compared;
  }
  if (options.output.empty() && options.compare.empty())
    printResults(entry, results);
  if (options.profile)
    profile.print();
  return isWithin ? Done : OverTolerance;
}

static Result<ExitStatus> runTool(const Options &options) {
  if (!options.inspect)
    return runPackage(options);
  // Reads the manifest only: looking at a package runs none of its code.
  Result<Manifest> manifest = readManifest(options.package);
  if (!manifest)
    return manifest.getStatus();
  printManifest(options.package, *manifest);
  return Done;
}

static void declareOptions(CLI::App &app, Options &options) {
  app.add_option("package", options.package,
                 "The package, a folder that nvfp4-compile wrote. Its native "
                 "code is run.")
      ->required();
  app.add_option("--input", options.input,
                 "Safetensors file with the inputs of the entry, by name");
  app.add_option("--output", options.output,
                 "Safetensors file for the results");
  app.add_option("--entry", options.entry,
                 "Entry to run; needed if the package has several");
  app.add_option("--device", options.device,
                 "Device to run on: cpu, cuda, cuda:N or sim")
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "Threads of the CPU; 0 means all")
      ->capture_default_str();
  app.add_option("--async", options.async,
                 "On the device sim, when asynchronous effects happen: late, "
                 "early or random:SEED")
      ->capture_default_str();
  app.add_option("--accumulate", options.accumulate,
                 "On the device sim, how matrix instructions add: exact, or as "
                 "the model of the hardware does")
      ->capture_default_str();
  app.add_option(
      "--compare", options.compare,
      "Safetensors file whose tensors the results are compared with");
  app.add_option("--tolerance", options.tolerance,
                 "Largest |got - expected| / max(1, |expected|) of floating-"
                 "point elements; others must be equal, NaN never is")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--repeat", options.repeat,
                 "How often to run, for --profile; on the device cuda, as one "
                 "graph after the first time")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--profile", options.profile,
               "Print the wall time of each step");
  app.add_flag("--inspect", options.inspect,
               "Print what the package says of itself, and run nothing");
  app.add_flag("--skip-checksums", options.skipChecksums,
               "Trust the files of the package; sizes are still compared");
}

int main(int argc, char **argv) {
  try {
    CLI::App app("Runs a package: safetensors in, safetensors out",
                 "nvfp4-run");
    Options options;
    declareOptions(app, options);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
      return app.exit(error) == 0 ? Done : Error;
    }
    Result<ExitStatus> status = runTool(options);
    if (status && std::fflush(stdout) != 0)
      status = systemError("standard output", "cannot write");
    if (status)
      return *status;
    std::fprintf(stderr, "nvfp4-run: error: %s\n", status.getMessage().c_str());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "nvfp4-run: error: %s\n", error.what());
  }
  return Error;
}

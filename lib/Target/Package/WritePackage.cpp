//===- WritePackage.cpp - From plans and a program to a package -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights file has no room for padding, so a tensor starts at a multiple of
// 64 bytes only if all before it are multiples of 64 bytes long. Tensors are
// therefore written in two groups: first the plans whose codes and scales (or
// whose bytes) are such multiples, then all others, and last the global scales
// of the first group, which are a few bytes each and kept until then.
//
// One thread per package drives the packing, so that whoever makes the program
// meanwhile need not know. Notes wait for that caller, and the progress bar for
// its `finish`: an error of the program would otherwise end in a half-drawn
// bar.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/WritePackage.h"

#include "ProgressBar.h"

#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Runtime/PackageWriter.h"
#include "nvfp4/Runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <system_error>
#include <thread>

using namespace nvfp4;

namespace {

/// The weights file under construction.
class WeightsFile {
public:
  WeightsFile(const PackageContents &contents, const WeightSource &weights,
              const WritePackageOptions &options)
      : contents(contents), weights(weights), options(options) {
    for (const PackingPlan &plan : contents.plans)
      for (const TensorSpec &component : plan.components)
        planOfName.emplace(component.name, &plan);
  }

  /// Finds the plan of every weight argument, checks all sources, and decides
  /// on the order.
  Status prepare();
  Result<FileDigest> write(const std::string &path);

  /// Makes `write` fail soon. From any thread.
  void cancel() { isCancelled = true; }
  /// Lets the progress bar be seen. From any thread.
  void showProgress() { isShown = true; }

  std::vector<PackingStats> &getStats() { return stats; }
  const std::vector<std::string> &getNotes() const { return notes; }

private:
  Status addArgument(const ManifestArgument &argument);
  Status checkAll() const;
  Status pack(SafetensorsWriter &writer, const Packer &packer,
              const PackingPlan &plan, PackingStats &stats);
  void noteFindings(const PackingStats &stats);

  const PackageContents &contents;
  const WeightSource &weights;
  const WritePackageOptions &options;
  /// In the order of the entries' arguments, then in that of the file.
  std::vector<PackingPlan> plans;
  std::map<std::string, const PackingPlan *> planOfName;
  std::map<std::string, TensorSpec> componentOfName;
  /// Components that come after everything else, with their bytes.
  std::vector<TensorSpec> deferred;
  std::map<std::string, std::string> deferredBytes;
  std::vector<PackingStats> stats;
  std::vector<std::string> notes;
  std::atomic<bool> isCancelled{false}, isShown{false};
};

} // namespace

static std::string describe(DType dtype, const std::vector<int64_t> &shape) {
  return std::string(getDTypeName(dtype)) + " " + formatShape(shape);
}

Status WeightsFile::addArgument(const ManifestArgument &argument) {
  if (!componentOfName.count(argument.weightName)) {
    auto known = planOfName.find(argument.weightName);
    PackingPlan plan = known != planOfName.end()
                           ? *known->second
                           : PackingPlan::raw(argument.weightName,
                                              argument.dtype, argument.shape);
    for (const TensorSpec &component : plan.components)
      if (!componentOfName.emplace(component.name, component).second)
        return Status::error("weights: expected one tensor " +
                             quote(component.name) + ", but got two");
    plans.push_back(std::move(plan));
  }
  const TensorSpec &component = componentOfName.at(argument.weightName);
  if (component.dtype == argument.dtype && component.shape == argument.shape)
    return {};
  return Status::error("weights: expected " + quote(argument.weightName) +
                       " to be " + describe(argument.dtype, argument.shape) +
                       ", as the program reads it, but its plan makes " +
                       describe(component.dtype, component.shape));
}

Status WeightsFile::checkAll() const {
  PackerOptions packerOptions;
  Packer packer(weights, packerOptions);
  Status first;
  size_t more = 0;
  for (const PackingPlan &plan : plans) {
    Status status = packer.check(plan);
    if (!status && first)
      first = status;
    else if (!status)
      ++more;
  }
  if (!first && more > 0)
    return Status::error(first.getMessage() + " (and " + std::to_string(more) +
                         " more such errors)");
  return first;
}

static bool isAligned(const TensorSpec &spec) {
  return getTensorBytes(spec.dtype, spec.shape).value_or(1) % 64 == 0;
}

Status WeightsFile::prepare() {
  for (const ManifestEntry &entry : contents.entries)
    for (const ManifestArgument &argument : entry.arguments)
      if (!argument.isInput())
        if (Status status = addArgument(argument); !status)
          return status;
  if (Status status = checkAll(); !status)
    return status;

  // All components but a global scale decide.
  auto isFirst = [](const PackingPlan &plan) {
    size_t count = plan.quantize ? 2 : 1;
    return std::all_of(plan.components.begin(), plan.components.begin() + count,
                       isAligned);
  };
  std::vector<PackingPlan> first, second;
  for (PackingPlan &plan : plans) {
    if (!isFirst(plan)) {
      second.push_back(std::move(plan));
      continue;
    }
    if (plan.components.size() == 3 && !isAligned(plan.components[2]))
      deferred.push_back(plan.components[2]);
    first.push_back(std::move(plan));
  }
  plans = std::move(first);
  plans.insert(plans.end(), std::make_move_iterator(second.begin()),
               std::make_move_iterator(second.end()));
  for (const TensorSpec &component : deferred)
    deferredBytes[component.name];
  return {};
}

/// Says what is no error but may be a mistake.
void WeightsFile::noteFindings(const PackingStats &stats) {
  if (stats.isWidened)
    notes.push_back("weight " + quote(stats.sources[0]) +
                    ": stored in a narrower float than the graph declares; "
                    "widened, which is exact");
  if (stats.numNaN > 0 || stats.numInf > 0)
    notes.push_back("weight " + quote(stats.name) + ": holds " +
                    std::to_string(stats.numNaN) + " NaN and " +
                    std::to_string(stats.numInf) + " infinite of " +
                    std::to_string(stats.elements) + " values");
}

Status WeightsFile::pack(SafetensorsWriter &writer, const Packer &packer,
                         const PackingPlan &plan, PackingStats &stats) {
  auto sink = [&](const TensorSpec &component, const void *data,
                  uint64_t bytes) {
    if (isCancelled)
      return Status::error("weights: packing was stopped");
    auto it = deferredBytes.find(component.name);
    if (it == deferredBytes.end())
      return writer.append(component.name, data, bytes);
    it->second.append(static_cast<const char *>(data), bytes);
    return Status();
  };
  Result<PackingStats> result = packer.pack(plan, sink);
  if (!result)
    return result.getStatus();
  stats = std::move(*result);
  noteFindings(stats);
  return {};
}

Result<FileDigest> WeightsFile::write(const std::string &path) {
  std::vector<TensorSpec> specs;
  uint64_t total = 0;
  for (const PackingPlan &plan : plans) {
    total += plan.getBytesBefore();
    for (const TensorSpec &component : plan.components)
      if (!deferredBytes.count(component.name))
        specs.push_back(component);
  }
  specs.insert(specs.end(), deferred.begin(), deferred.end());
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, specs);
  if (!writer)
    return writer.getStatus();

  ProgressBar bar(options.showProgress, total);
  ThreadPool pool(options.numThreads);
  PackerOptions packerOptions;
  packerOptions.pool = &pool;
  packerOptions.panelElements = options.panelElements;
  packerOptions.progress = [&](const PackingPlan &plan, uint64_t bytes) {
    bar.advance(bytes, plan.name, /*draw=*/isShown);
  };
  Packer packer(weights, packerOptions);
  for (const PackingPlan &plan : plans) {
    stats.emplace_back();
    if (Status status = pack(*writer, packer, plan, stats.back()); !status)
      return status;
  }
  for (const TensorSpec &component : deferred) {
    const std::string &bytes = deferredBytes[component.name];
    if (Status status =
            writer->append(component.name, bytes.data(), bytes.size());
        !status)
      return status;
  }
  return writer->commit();
}

//===----------------------------------------------------------------------===//
// The package around the weights
//===----------------------------------------------------------------------===//

/// Stays where it is: the thread refers to it.
struct PackageJob::State {
  State(PackageContents contents, const WeightSource &weights,
        const WritePackageOptions &options)
      : contents(std::move(contents)), options(options),
        file(this->contents, weights, this->options) {}
  ~State() {
    file.cancel();
    if (thread.joinable())
      thread.join();
  }

  void writeWeights() { digest = file.write(package->getWeightsPath()); }

  PackageContents contents;
  WritePackageOptions options;
  WeightsFile file;
  std::optional<PackageWriter> package;
  Result<FileDigest> digest = Status::error("weights: not written");
  std::thread thread;
};

PackageJob::PackageJob(std::unique_ptr<State> state)
    : state(std::move(state)) {}
PackageJob::PackageJob(PackageJob &&) noexcept = default;
PackageJob &PackageJob::operator=(PackageJob &&) noexcept = default;
PackageJob::~PackageJob() = default;

PackageContents &PackageJob::getContents() { return state->contents; }

Result<PackageJob> PackageJob::start(const std::string &path,
                                     PackageContents contents,
                                     const WeightSource &weights,
                                     const WritePackageOptions &options) {
  auto state = std::make_unique<State>(std::move(contents), weights, options);
  // Bad weights are found before anything is written.
  if (Status status = state->file.prepare(); !status)
    return status;
  Result<PackageWriter> package = PackageWriter::create(path);
  if (!package)
    return package.getStatus();
  state->package = std::move(*package);
  try {
    state->thread = std::thread([&job = *state] { job.writeWeights(); });
  } catch (const std::system_error &) {
    // No thread to be had: the weights are written here.
    state->writeWeights();
  }
  return PackageJob(std::move(state));
}

Result<std::vector<PackingStats>> PackageJob::finish() {
  state->file.showProgress();
  if (state->thread.joinable())
    state->thread.join();
  if (state->options.note)
    for (const std::string &note : state->file.getNotes())
      state->options.note(note);
  if (!state->digest)
    return state->digest.getStatus();

  const PackageContents &contents = state->contents;
  PackageWriter &package = *state->package;
  package.setWeightsDigest(*state->digest);
  if (Status status = package.writeProgram(contents.program.data(),
                                           contents.program.size());
      !status)
    return status;
  Manifest manifest;
  manifest.producer = contents.producer;
  manifest.target = contents.target;
  manifest.entries = contents.entries;
  if (contents.makeReport)
    manifest.report = contents.makeReport(state->file.getStats());
  if (Status status = package.commit(std::move(manifest)); !status)
    return status;
  return std::move(state->file.getStats());
}

Result<std::vector<PackingStats>>
nvfp4::writePackage(const std::string &path, const PackageContents &contents,
                    const WeightSource &weights,
                    const WritePackageOptions &options) {
  Result<PackageJob> job = PackageJob::start(path, contents, weights, options);
  if (!job)
    return job.getStatus();
  return job->finish();
}

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
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/WritePackage.h"

#include "ProgressBar.h"

#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Runtime/PackageWriter.h"
#include "nvfp4/Runtime/ThreadPool.h"

#include <algorithm>
#include <map>

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
  Result<FileDigest> write(const std::string &path,
                           std::vector<PackingStats> &stats);

private:
  Status addArgument(const ManifestArgument &argument);
  Status checkAll() const;
  Status pack(SafetensorsWriter &writer, const Packer &packer,
              const PackingPlan &plan, PackingStats &stats);
  void noteFindings(const PackingStats &stats) const;

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
void WeightsFile::noteFindings(const PackingStats &stats) const {
  if (!options.note)
    return;
  if (stats.isWidened)
    options.note("weight " + quote(stats.sources[0]) +
                 ": stored in a narrower float than the graph declares; "
                 "widened, which is exact");
  if (stats.numNaN > 0 || stats.numInf > 0)
    options.note("weight " + quote(stats.name) + ": holds " +
                 std::to_string(stats.numNaN) + " NaN and " +
                 std::to_string(stats.numInf) + " infinite of " +
                 std::to_string(stats.elements) + " values");
}

Status WeightsFile::pack(SafetensorsWriter &writer, const Packer &packer,
                         const PackingPlan &plan, PackingStats &stats) {
  auto sink = [&](const TensorSpec &component, const void *data,
                  uint64_t bytes) {
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

Result<FileDigest> WeightsFile::write(const std::string &path,
                                      std::vector<PackingStats> &stats) {
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
    bar.advance(bytes, plan.name);
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

Result<std::vector<PackingStats>>
nvfp4::writePackage(const std::string &path, const PackageContents &contents,
                    const WeightSource &weights,
                    const WritePackageOptions &options) {
  WeightsFile file(contents, weights, options);
  if (Status status = file.prepare(); !status)
    return status;
  Result<PackageWriter> package = PackageWriter::create(path);
  if (!package)
    return package.getStatus();
  std::vector<PackingStats> stats;
  Result<FileDigest> digest = file.write(package->getWeightsPath(), stats);
  if (!digest)
    return digest.getStatus();
  package->setWeightsDigest(*digest);
  if (Status status = package->writeProgram(contents.program.data(),
                                            contents.program.size());
      !status)
    return status;

  Manifest manifest;
  manifest.producer = contents.producer;
  manifest.target = contents.target;
  manifest.entries = contents.entries;
  if (contents.makeReport)
    manifest.report = contents.makeReport(stats);
  if (Status status = package->commit(std::move(manifest)); !status)
    return status;
  return stats;
}

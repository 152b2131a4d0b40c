//===- Runtime.cpp - Run packages from C ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments are checked, exceptions end here.
//
//===----------------------------------------------------------------------===//

#include "Handles.h"
#include "nvfp4/Runtime/CudaDevice.h"
#include "nvfp4/Runtime/SimDevice.h"

#include <cstring>
#include <string_view>

using namespace nvfp4;
using nvfp4::capi::guard;

static_assert(NVFP4_BOOL == static_cast<int>(DType::BOOL) &&
                  NVFP4_F32 == static_cast<int>(DType::F32) &&
                  NVFP4_F4 == static_cast<int>(DType::F4) &&
                  NVFP4_C64 == static_cast<int>(DType::C64),
              "the dtypes of the C API are those of DType.h");

std::string &capi::getLastError() {
  static thread_local std::string message;
  return message;
}

extern "C" {

uint32_t nvfp4_runtime_api_version(void) { return NVFP4_RUNTIME_API_VERSION; }

const char *nvfp4_last_error(void) { return capi::getLastError().c_str(); }

const char *nvfp4_dtype_name(nvfp4_dtype dtype) {
  if (dtype < 0 || dtype >= static_cast<int32_t>(kNumDTypes))
    return nullptr;
  // The names are string literals, so they end in a null byte.
  return getDTypeName(static_cast<DType>(dtype)).data();
}

//===----------------------------------------------------------------------===//
// Packages
//===----------------------------------------------------------------------===//

nvfp4_status nvfp4_package_open(const char *path,
                                const nvfp4_open_options *options,
                                nvfp4_package **package) {
  return guard([&]() -> Status {
    if (!path || !package)
      return capi::nullArgument("nvfp4_package_open");
    *package = nullptr;
    nvfp4_open_options given = {};
    if (options) {
      // A caller compiled against a later header may know more fields; what it
      // sets there cannot be honoured.
      if (options->struct_size < offsetof(nvfp4_open_options, reserved) ||
          options->struct_size > sizeof(given))
        return Status::error("nvfp4_package_open: expected options of " +
                             std::to_string(sizeof(given)) +
                             " bytes, but got struct_size " +
                             std::to_string(options->struct_size));
      std::memcpy(&given, options, options->struct_size);
    }
    SessionOptions session;
    if (given.device)
      session.device = given.device;
    session.deviceOptions.numThreads = given.num_threads;
    session.packageOptions.verifyChecksums = given.skip_checksums == 0;
    DeviceRegistry devices = DeviceRegistry::createDefault();
    addCudaDevice(devices);
    addSimDevice(devices);
    Result<std::unique_ptr<Session>> opened =
        Session::open(path, devices, session);
    if (!opened)
      return opened.getStatus();
    *package = new nvfp4_package{std::move(*opened)};
    return Status();
  });
}

void nvfp4_package_close(nvfp4_package *package) { delete package; }

const char *nvfp4_package_report(const nvfp4_package *package) {
  return package ? package->session->getManifest().report.c_str() : nullptr;
}

const char *nvfp4_package_producer(const nvfp4_package *package) {
  return package ? package->session->getManifest().producer.c_str() : nullptr;
}

size_t nvfp4_package_num_entries(const nvfp4_package *package) {
  return package ? package->session->getManifest().entries.size() : 0;
}

const char *nvfp4_package_entry_name(const nvfp4_package *package,
                                     size_t entry) {
  const ManifestEntry *found = capi::findEntry(package, entry);
  return found ? found->name.c_str() : nullptr;
}

nvfp4_status nvfp4_package_find_entry(const nvfp4_package *package,
                                      const char *name, size_t *entry) {
  return guard([&]() -> Status {
    if (!package || !name || !entry)
      return capi::nullArgument("nvfp4_package_find_entry");
    Result<size_t> found =
        package->session->getManifest().findEntry(name, "package");
    if (!found)
      return found.getStatus();
    *entry = *found;
    return Status();
  });
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

size_t nvfp4_entry_num_dimensions(const nvfp4_package *package, size_t entry) {
  const ManifestEntry *found = capi::findEntry(package, entry);
  return found ? found->dimensions.size() : 0;
}

size_t nvfp4_entry_num_inputs(const nvfp4_package *package, size_t entry) {
  const ManifestEntry *found = capi::findEntry(package, entry);
  return found ? found->inputs.size() : 0;
}

size_t nvfp4_entry_num_results(const nvfp4_package *package, size_t entry) {
  const ManifestEntry *found = capi::findEntry(package, entry);
  return found ? found->results.size() : 0;
}

nvfp4_status nvfp4_entry_dimension(const nvfp4_package *package, size_t entry,
                                   size_t index, nvfp4_dimension_info *info) {
  return guard([&]() -> Status {
    const ManifestEntry *found = capi::findEntry(package, entry);
    if (!found || !info)
      return capi::nullArgument("nvfp4_entry_dimension");
    if (index >= found->dimensions.size())
      return capi::outOfRange("dimension", index, found->dimensions.size());
    const ManifestDimension &dimension = found->dimensions[index];
    *info = {dimension.name.c_str(), dimension.min, dimension.max.value_or(-1)};
    return Status();
  });
}

} // extern "C"

/// Finds an input or a result.
static Result<const ManifestTensor *>
findTensor(const nvfp4_package *package, size_t entry, size_t index,
           const char *kind, std::vector<ManifestTensor> ManifestEntry::*list) {
  const ManifestEntry *found = capi::findEntry(package, entry);
  if (!found)
    return capi::nullArgument(kind);
  const std::vector<ManifestTensor> &tensors = found->*list;
  if (index >= tensors.size())
    return capi::outOfRange(kind, index, tensors.size());
  return &tensors[index];
}

static nvfp4_status describeTensor(
    const nvfp4_package *package, size_t entry, size_t index, const char *kind,
    std::vector<ManifestTensor> ManifestEntry::*list, nvfp4_tensor_info *info) {
  return guard([&]() -> Status {
    Result<const ManifestTensor *> found =
        findTensor(package, entry, index, kind, list);
    if (!found)
      return found.getStatus();
    if (!info)
      return capi::nullArgument(kind);
    const ManifestTensor &tensor = **found;
    *info = {tensor.name.c_str(), static_cast<nvfp4_dtype>(tensor.dtype),
             static_cast<int32_t>(tensor.shape.size())};
    return Status();
  });
}

static nvfp4_status
describeExtent(const nvfp4_package *package, size_t entry, size_t index,
               size_t axis, const char *kind,
               std::vector<ManifestTensor> ManifestEntry::*list,
               nvfp4_extent_info *info) {
  return guard([&]() -> Status {
    Result<const ManifestTensor *> found =
        findTensor(package, entry, index, kind, list);
    if (!found)
      return found.getStatus();
    if (!info)
      return capi::nullArgument(kind);
    const std::vector<ManifestExtent> &shape = (*found)->shape;
    if (axis >= shape.size())
      return capi::outOfRange("axis", axis, shape.size());
    const ManifestExtent &extent = shape[axis];
    *info = {extent.isConstant() ? extent.getValue() : -1,
             extent.isNamed() ? extent.getName().c_str() : nullptr};
    return Status();
  });
}

extern "C" {

nvfp4_status nvfp4_entry_input(const nvfp4_package *package, size_t entry,
                               size_t index, nvfp4_tensor_info *info) {
  return describeTensor(package, entry, index, "input", &ManifestEntry::inputs,
                        info);
}

nvfp4_status nvfp4_entry_result(const nvfp4_package *package, size_t entry,
                                size_t index, nvfp4_tensor_info *info) {
  return describeTensor(package, entry, index, "result",
                        &ManifestEntry::results, info);
}

nvfp4_status nvfp4_entry_input_extent(const nvfp4_package *package,
                                      size_t entry, size_t index, size_t axis,
                                      nvfp4_extent_info *info) {
  return describeExtent(package, entry, index, axis, "input",
                        &ManifestEntry::inputs, info);
}

nvfp4_status nvfp4_entry_result_extent(const nvfp4_package *package,
                                       size_t entry, size_t index, size_t axis,
                                       nvfp4_extent_info *info) {
  return describeExtent(package, entry, index, axis, "result",
                        &ManifestEntry::results, info);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

nvfp4_status nvfp4_run(const nvfp4_package *package, size_t entry,
                       const nvfp4_tensor *inputs, size_t numInputs,
                       nvfp4_results **results) {
  return guard([&]() -> Status {
    if (!package || !results || (!inputs && numInputs != 0))
      return capi::nullArgument("nvfp4_run");
    *results = nullptr;
    std::vector<TensorView> views;
    for (size_t i = 0; i < numInputs; ++i) {
      const nvfp4_tensor &input = inputs[i];
      std::string place = "nvfp4_run: input " + std::to_string(i);
      if (!nvfp4_dtype_name(input.dtype))
        return Status::error(place + ": expected a dtype, but got " +
                             std::to_string(input.dtype));
      if (input.rank < 0 || (input.rank != 0 && !input.shape))
        return Status::error(place +
                             ": expected a rank of at least 0 and that "
                             "many extents, but got rank " +
                             std::to_string(input.rank) +
                             (input.shape ? "" : " without extents"));
      TensorView view;
      view.data = input.data;
      view.dtype = static_cast<DType>(input.dtype);
      view.shape.assign(input.shape, input.shape + input.rank);
      if (input.strides)
        view.strides.assign(input.strides, input.strides + input.rank);
      views.push_back(std::move(view));
    }
    return capi::runViews(package, entry, views, results);
  });
}

size_t nvfp4_results_count(const nvfp4_results *results) {
  return results ? results->tensors.size() : 0;
}

nvfp4_status nvfp4_results_get(const nvfp4_results *results, size_t index,
                               nvfp4_tensor *tensor) {
  return guard([&]() -> Status {
    if (!results || !tensor)
      return capi::nullArgument("nvfp4_results_get");
    Result<size_t> found = capi::findResult(results, index);
    if (!found)
      return found.getStatus();
    const HostTensor &result = results->tensors[index];
    *tensor = {result.data(), static_cast<nvfp4_dtype>(result.getDType()),
               static_cast<int32_t>(result.getShape().size()),
               result.getShape().data(), nullptr};
    return Status();
  });
}

void nvfp4_results_free(nvfp4_results *results) { delete results; }

//===----------------------------------------------------------------------===//
// Executions
//===----------------------------------------------------------------------===//

nvfp4_status nvfp4_execution_enqueue(nvfp4_execution *execution, void *stream) {
  return guard([&]() -> Status {
    if (!execution)
      return capi::nullArgument("nvfp4_execution_enqueue");
    return execution->execution->enqueue(stream);
  });
}

nvfp4_status nvfp4_execution_wait(nvfp4_execution *execution, void *stream) {
  return guard([&]() -> Status {
    if (!execution)
      return capi::nullArgument("nvfp4_execution_wait");
    return execution->execution->wait(stream);
  });
}

nvfp4_status nvfp4_execution_record(nvfp4_execution *execution) {
  return guard([&]() -> Status {
    if (!execution)
      return capi::nullArgument("nvfp4_execution_record");
    execution->graph.reset();
    Result<std::unique_ptr<DeviceGraph>> graph = execution->execution->record();
    if (!graph)
      return graph.getStatus();
    execution->graph = std::move(*graph);
    return Status();
  });
}

nvfp4_status nvfp4_execution_replay(nvfp4_execution *execution, void *stream) {
  return guard([&]() -> Status {
    if (!execution)
      return capi::nullArgument("nvfp4_execution_replay");
    if (!execution->graph)
      return Status::error("nvfp4_execution_replay: expected a recorded "
                           "execution, but got one without a graph");
    return execution->graph->launch(stream);
  });
}

size_t nvfp4_execution_num_results(const nvfp4_execution *execution) {
  return execution ? execution->execution->getResults().size() : 0;
}

void nvfp4_execution_free(nvfp4_execution *execution) { delete execution; }

} // extern "C"

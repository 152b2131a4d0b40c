//===- DLPack.cpp - Exchange tensors with frameworks ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: dlpack.h, versions 0.6 to 1.1. The codes above 5 are numbers here, as
// Debian's header does not name them yet.
//
//===----------------------------------------------------------------------===//

#include "nvfp4-c/DLPack.h"
#include "Handles.h"

#include <optional>

using namespace nvfp4;
using nvfp4::capi::guard;

namespace {
struct DLPackRow {
  uint8_t code, bits;
  DType dtype;
};
} // namespace

static constexpr uint8_t kBool = 6;
static constexpr uint8_t kFloat8E4M3FN = 10;
static constexpr uint8_t kFloat8E5M2 = 12;
static constexpr uint8_t kFloat8E8M0FNU = 14;
static constexpr uint8_t kFloat6E2M3FN = 15;
static constexpr uint8_t kFloat6E3M2FN = 16;
static constexpr uint8_t kFloat4E2M1FN = 17;

static constexpr DLPackRow kRows[] = {
    {kBool, 8, DType::BOOL},
    {kDLUInt, 8, DType::U8},
    {kDLInt, 8, DType::I8},
    {kDLUInt, 16, DType::U16},
    {kDLInt, 16, DType::I16},
    {kDLUInt, 32, DType::U32},
    {kDLInt, 32, DType::I32},
    {kDLUInt, 64, DType::U64},
    {kDLInt, 64, DType::I64},
    {kDLFloat, 16, DType::F16},
    {kDLBfloat, 16, DType::BF16},
    {kDLFloat, 32, DType::F32},
    {kDLFloat, 64, DType::F64},
    {kFloat8E4M3FN, 8, DType::F8_E4M3},
    {kFloat8E5M2, 8, DType::F8_E5M2},
    {kFloat8E8M0FNU, 8, DType::F8_E8M0},
    {kFloat6E2M3FN, 6, DType::F6_E2M3},
    {kFloat6E3M2FN, 6, DType::F6_E3M2},
    {kFloat4E2M1FN, 4, DType::F4},
    {kDLComplex, 64, DType::C64},
};
static_assert(sizeof(kRows) / sizeof(kRows[0]) == kNumDTypes);

/// The memory of a tensor; nothing for memory that no device here has.
static std::optional<MemorySpace> getSpace(const DLDevice &device) {
  switch (device.device_type) {
  case kDLCPU:
  case kDLCUDAHost: // Pinned memory is the host's, too.
  case kDLROCMHost:
    return MemorySpace{};
  case kDLCUDA:
    return MemorySpace{MemorySpace::Kind::Cuda, device.device_id};
  default:
    return std::nullopt;
  }
}

/// `place` names the tensor in errors.
static Result<TensorView> makeView(const DLTensor *tensor,
                                   const std::string &place) {
  if (!tensor)
    return Status::error(place + ": expected a tensor, but got null");
  std::optional<MemorySpace> space = getSpace(tensor->device);
  if (!space)
    return Status::error(
        place +
        ": expected memory of the host or of a GPU of CUDA, but got DLPack "
        "device type " +
        std::to_string(static_cast<int>(tensor->device.device_type)));
  if (tensor->ndim < 0 || (tensor->ndim != 0 && !tensor->shape))
    return Status::error(place +
                         ": expected a rank of at least 0 and that many "
                         "extents, but got rank " +
                         std::to_string(tensor->ndim) +
                         (tensor->shape ? "" : " without extents"));
  TensorView view;
  const DLPackRow *found = nullptr;
  for (const DLPackRow &row : kRows)
    if (row.code == tensor->dtype.code && row.bits == tensor->dtype.bits &&
        tensor->dtype.lanes == 1)
      found = &row;
  if (!found)
    return Status::error(place +
                         ": expected a dtype that safetensors files "
                         "hold, but got DLPack code " +
                         std::to_string(tensor->dtype.code) + " with " +
                         std::to_string(tensor->dtype.bits) + " bits and " +
                         std::to_string(tensor->dtype.lanes) + " lanes");
  view.dtype = found->dtype;
  view.space = *space;
  if (tensor->data)
    view.data = static_cast<const char *>(tensor->data) + tensor->byte_offset;
  view.shape.assign(tensor->shape, tensor->shape + tensor->ndim);
  if (tensor->strides)
    view.strides.assign(tensor->strides, tensor->strides + tensor->ndim);
  return view;
}

static Result<std::vector<TensorView>> makeViews(const DLTensor *const *tensors,
                                                 size_t count,
                                                 const std::string &place) {
  std::vector<TensorView> views;
  for (size_t i = 0; i < count; ++i) {
    Result<TensorView> view = makeView(tensors[i], place + std::to_string(i));
    if (!view)
      return view.getStatus();
    views.push_back(std::move(*view));
  }
  return views;
}

/// A tensor that the caller wants a result in. A later check is of dtype and
/// extents.
static Result<ResultTensor> makeResult(const TensorView &view, size_t index) {
  int64_t stride = 1;
  for (size_t i = view.shape.size(); i-- > 0; stride *= view.shape[i])
    if (!view.strides.empty() && view.shape[i] != 1 &&
        view.strides[i] != stride)
      return Status::error("nvfp4_execution_create: result " +
                           std::to_string(index) +
                           ": expected a contiguous tensor, but got strides " +
                           formatShape(view.strides));
  return ResultTensor{const_cast<void *>(view.data), view.dtype, view.shape,
                      view.space};
}

namespace {
/// A tensor for a framework, with what keeps its memory.
template <typename Owner> struct TakenTensor {
  Owner owner;
  std::vector<int64_t> shape, strides;
  DLManagedTensor managed;

  TakenTensor(Owner given, void *data, DType dtype,
              const std::vector<int64_t> &extents, DLDevice device)
      : owner(std::move(given)), shape(extents), strides(extents.size()) {
    // Not every consumer accepts null for contiguous.
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0; stride *= shape[i])
      strides[i] = stride;
    const DLPackRow *row = kRows;
    while (row->dtype != dtype)
      ++row;
    DLTensor &view = managed.dl_tensor;
    view.data = data;
    view.byte_offset = 0;
    view.device = device;
    view.ndim = static_cast<int>(shape.size());
    view.dtype = {row->code, row->bits, 1};
    view.shape = shape.data();
    view.strides = strides.data();
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor *managed) {
      if (managed)
        delete static_cast<TakenTensor *>(managed->manager_ctx);
    };
  }
};
} // namespace

extern "C" {

nvfp4_status nvfp4_run_dlpack(const nvfp4_package *package, size_t entry,
                              const DLTensor *const *inputs, size_t numInputs,
                              nvfp4_results **results) {
  return guard([&]() -> Status {
    if (!package || !results || (!inputs && numInputs != 0))
      return capi::nullArgument("nvfp4_run_dlpack");
    *results = nullptr;
    Result<std::vector<TensorView>> views =
        makeViews(inputs, numInputs, "nvfp4_run_dlpack: input ");
    if (!views)
      return views.getStatus();
    return capi::runViews(package, entry, *views, results);
  });
}

nvfp4_status nvfp4_results_take_dlpack(nvfp4_results *results, size_t index,
                                       DLManagedTensor **tensor) {
  return guard([&]() -> Status {
    if (!results || !tensor)
      return capi::nullArgument("nvfp4_results_take_dlpack");
    *tensor = nullptr;
    Result<size_t> found = capi::findResult(results, index);
    if (!found)
      return found.getStatus();
    HostTensor owner = std::move(results->tensors[index]);
    void *data = owner.data();
    DType dtype = owner.getDType();
    std::vector<int64_t> shape = owner.getShape();
    *tensor = &(new TakenTensor<HostTensor>(std::move(owner), data, dtype,
                                            shape, {kDLCPU, 0}))
                   ->managed;
    return Status();
  });
}

nvfp4_status nvfp4_execution_create(const nvfp4_package *package, size_t entry,
                                    const DLTensor *const *inputs,
                                    size_t numInputs,
                                    const DLTensor *const *results,
                                    size_t numResults,
                                    nvfp4_execution **execution) {
  return guard([&]() -> Status {
    if (!package || !execution || (!inputs && numInputs != 0) ||
        (!results && numResults != 0))
      return capi::nullArgument("nvfp4_execution_create");
    *execution = nullptr;
    Result<std::vector<TensorView>> views =
        makeViews(inputs, numInputs, "nvfp4_execution_create: input ");
    if (!views)
      return views.getStatus();
    Result<std::vector<TensorView>> targets =
        makeViews(results, numResults, "nvfp4_execution_create: result ");
    if (!targets)
      return targets.getStatus();
    std::vector<ResultTensor> given;
    for (size_t i = 0; i < targets->size(); ++i) {
      Result<ResultTensor> result = makeResult((*targets)[i], i);
      if (!result)
        return result.getStatus();
      given.push_back(std::move(*result));
    }
    auto bound = package->session->bind(entry, *views, given);
    if (!bound)
      return bound.getStatus();
    *execution = new nvfp4_execution{std::move(*bound), nullptr};
    return Status();
  });
}

nvfp4_status nvfp4_execution_result(const nvfp4_execution *execution,
                                    size_t index, DLManagedTensor **tensor) {
  return guard([&]() -> Status {
    if (!execution || !tensor)
      return capi::nullArgument("nvfp4_execution_result");
    *tensor = nullptr;
    const std::vector<ResultTensor> &results =
        execution->execution->getResults();
    if (index >= results.size())
      return capi::outOfRange("result", index, results.size());
    const ResultTensor &result = results[index];
    if (result.space.kind == MemorySpace::Kind::Private)
      return Status::error("nvfp4_execution_result: expected memory of the "
                           "host or of a GPU, but got that of a device that "
                           "DLPack does not know");
    bool isHost = result.space.kind == MemorySpace::Kind::Host;
    DLDevice device = {isHost ? kDLCPU : kDLCUDA, result.space.ordinal};
    *tensor = &(new TakenTensor<std::shared_ptr<Execution>>(
                    execution->execution, result.data, result.dtype,
                    result.shape, device))
                   ->managed;
    return Status();
  });
}

} // extern "C"

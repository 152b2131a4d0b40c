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

static Result<TensorView> makeView(const DLTensor *tensor, size_t index) {
  std::string place = "nvfp4_run_dlpack: input " + std::to_string(index);
  if (!tensor)
    return Status::error(place + ": expected a tensor, but got null");
  // Pinned memory is the host's too.
  if (tensor->device.device_type != kDLCPU &&
      tensor->device.device_type != kDLCUDAHost &&
      tensor->device.device_type != kDLROCMHost)
    return Status::error(
        place + ": expected memory of the host, but got DLPack device type " +
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
  if (tensor->data)
    view.data = static_cast<const char *>(tensor->data) + tensor->byte_offset;
  view.shape.assign(tensor->shape, tensor->shape + tensor->ndim);
  if (tensor->strides)
    view.strides.assign(tensor->strides, tensor->strides + tensor->ndim);
  return view;
}

namespace {
/// A result that a framework owns now.
struct TakenTensor {
  HostTensor tensor;
  std::vector<int64_t> shape, strides;
  DLManagedTensor managed = {};

  static void destroy(DLManagedTensor *managed) {
    if (managed)
      delete static_cast<TakenTensor *>(managed->manager_ctx);
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
    std::vector<TensorView> views;
    for (size_t i = 0; i < numInputs; ++i) {
      Result<TensorView> view = makeView(inputs[i], i);
      if (!view)
        return view.getStatus();
      views.push_back(std::move(*view));
    }
    return capi::runViews(package, entry, views, results);
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
    auto taken = std::make_unique<TakenTensor>();
    taken->shape = results->tensors[index].getShape();
    // Not every consumer accepts null for contiguous.
    taken->strides.resize(taken->shape.size());
    int64_t stride = 1;
    for (size_t i = taken->shape.size(); i-- > 0;) {
      taken->strides[i] = stride;
      stride *= taken->shape[i];
    }
    taken->tensor = std::move(results->tensors[index]);
    DLTensor &view = taken->managed.dl_tensor;
    const DLPackRow *row = kRows;
    while (row->dtype != taken->tensor.getDType())
      ++row;
    view.data = taken->tensor.data();
    view.device = {kDLCPU, 0};
    view.ndim = static_cast<int>(taken->shape.size());
    view.dtype = {row->code, row->bits, 1};
    view.shape = taken->shape.data();
    view.strides = taken->strides.data();
    taken->managed.manager_ctx = taken.get();
    taken->managed.deleter = TakenTensor::destroy;
    *tensor = &taken.release()->managed;
    return Status();
  });
}

} // extern "C"

//===- WeightSource.cpp - Where the bytes of weights come from ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/WeightSource.h"

#include "nvfp4/Runtime/Messages.h"

#include <cstring>

using namespace nvfp4;

WeightSource::~WeightSource() = default;

Result<WeightTensor> CheckpointSource::get(const std::string &name) const {
  Result<Checkpoint::Entry> entry = checkpoint.get(name);
  if (!entry)
    return entry.getStatus();
  WeightTensor tensor;
  tensor.name = name;
  tensor.place = entry->file->getPath();
  tensor.dtype = entry->info->dtype;
  tensor.shape = entry->info->shape;
  tensor.bytes = entry->info->bytes;
  tensor.read = [entry = *entry](void *buffer, uint64_t offset,
                                 uint64_t bytes) {
    return Checkpoint::read(entry, buffer, offset, bytes);
  };
  return tensor;
}

void MemorySource::add(const std::string &name, DType dtype,
                       const std::vector<int64_t> &shape, const void *data,
                       const std::string &place) {
  WeightTensor tensor;
  tensor.name = name;
  tensor.place = place;
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.bytes = getTensorBytes(dtype, shape).value_or(0);
  tensor.read = [data, size = tensor.bytes, name](void *buffer, uint64_t offset,
                                                  uint64_t bytes) {
    if (offset > size || bytes > size - offset)
      return Status::error("constant " + quote(name) +
                           ": expected a read inside " + std::to_string(size) +
                           " bytes, but got bytes " + std::to_string(offset) +
                           " to " + std::to_string(offset + bytes));
    std::memcpy(buffer, static_cast<const char *>(data) + offset, bytes);
    return Status();
  };
  tensors[name] = std::move(tensor);
}

Result<WeightTensor> MemorySource::get(const std::string &name) const {
  auto it = tensors.find(name);
  if (it != tensors.end())
    return it->second;
  if (next)
    return next->get(name);
  return Status::error("expected weights with the tensor " + quote(name) +
                       ", but got no weights");
}

//===- WeightSource.h - Where the bytes of weights come from ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The seam between packing, which knows names, shapes and bytes, and what holds
// them: a checkpoint, constants of the graph, or both. A foreign quantized
// checkpoint is one more subclass.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_WEIGHTSOURCE_H
#define NVFP4_TARGET_PACKAGE_WEIGHTSOURCE_H

#include "nvfp4/Runtime/DType.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Support/Status.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace nvfp4 {

/// A tensor of a source: contiguous, row-major.
struct WeightTensor {
  std::string name;
  /// The file or graph that holds it, for messages.
  std::string place;
  DType dtype = DType::U8;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
  /// Reads `bytes` bytes from byte `offset` of the tensor.
  std::function<Status(void *buffer, uint64_t offset, uint64_t bytes)> read;
};

/// Weights by name.
class WeightSource {
public:
  virtual ~WeightSource();
  /// The tensor with this name, or an error that names it and, where there is
  /// one, the nearest name. The tensor is valid as long as the source.
  virtual Result<WeightTensor> get(const std::string &name) const = 0;
};

/// The tensors of safetensors files. The checkpoint outlives it.
class CheckpointSource final : public WeightSource {
public:
  explicit CheckpointSource(const Checkpoint &checkpoint)
      : checkpoint(checkpoint) {}
  Result<WeightTensor> get(const std::string &name) const override;

private:
  const Checkpoint &checkpoint;
};

/// Tensors in memory, such as constants of the graph, and behind them, for
/// names that are not there, another source or none.
class MemorySource final : public WeightSource {
public:
  /// `next` outlives this; it may be null.
  explicit MemorySource(const WeightSource *next = nullptr) : next(next) {}
  /// Adds a tensor whose `data` outlives the source. `place` says where it is
  /// from, for messages.
  void add(const std::string &name, DType dtype,
           const std::vector<int64_t> &shape, const void *data,
           const std::string &place);
  Result<WeightTensor> get(const std::string &name) const override;

private:
  const WeightSource *next;
  std::map<std::string, WeightTensor> tensors;
};

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_WEIGHTSOURCE_H

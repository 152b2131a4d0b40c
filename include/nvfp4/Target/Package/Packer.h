//===- Packer.h - The interpreter of packing plans --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes packed tensors of weights, panel by panel: a strided read of the
// source, then the quantizer of Support. Memory is bounded by one source
// tensor, some panels (lib/Target/Package/PanelPipeline.h), and the scales of
// one packed tensor.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_PACKER_H
#define NVFP4_TARGET_PACKAGE_PACKER_H

#include "nvfp4/Target/Package/PackingPlan.h"
#include "nvfp4/Target/Package/WeightSource.h"

#include <functional>
#include <string>
#include <vector>

namespace nvfp4 {

class ThreadPool;

/// What became of one packed tensor.
struct PackingStats {
  /// The packed tensor and the weights that it is made of.
  std::string name;
  std::vector<std::string> sources;
  /// "nvfp4", "mxfp4", … or the dtype.
  std::string format;
  uint64_t elements = 0;
  /// Of the elements as they are in the weights file, and of all components.
  uint64_t bytesBefore = 0;
  uint64_t bytesAfter = 0;
  /// Largest finite or infinite magnitude; floats only.
  float amax = 0.0f;
  int64_t numNaN = 0;
  int64_t numInf = 0;
  /// 10 log10(sum x^2 / sum (x - dequantized x)^2) in dB; infinite if nothing
  /// was lost. Quantized tensors only.
  double sqnr = 0.0;
  bool isQuantized = false;
  /// The weights have a narrower float than the graph declares.
  bool isWidened = false;
};

/// Receives the bytes of components, each in one or many pieces. Pieces of
/// different components do not alternate: codes, then scales, then the global
/// scale. Called on any thread of the pool, by one at a time.
using PackingSink = std::function<Status(const TensorSpec &component,
                                         const void *data, uint64_t bytes)>;
/// Called for each panel with its bytes before packing, as the sink is.
using PackingProgress =
    std::function<void(const PackingPlan &plan, uint64_t bytes)>;

struct PackerOptions {
  /// Elements of a panel, rounded to rows as needed. What is made does not
  /// depend on it.
  int64_t panelElements = int64_t(1) << 18;
  PackingProgress progress;
  /// Threads that share the work, or null. Outlives the packer.
  ThreadPool *pool = nullptr;
};

/// Carries out plans against one source of weights, which outlives it.
class Packer {
public:
  explicit Packer(const WeightSource &weights, PackerOptions options = {});

  /// Checks names, dtypes and shapes of everything a plan reads, without
  /// reading it. See `checkSource` for the errors.
  Status check(const PackingPlan &plan) const;

  /// Makes one packed tensor. Errors: those of `check`; a read that fails; NaN
  /// or infinity in a tensor that is quantized, with their numbers (after an
  /// error the sink may have seen some of the tensor); the sink's.
  Result<PackingStats> pack(const PackingPlan &plan,
                            const PackingSink &sink) const;

private:
  const WeightSource &weights;
  PackerOptions options;
};

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_PACKER_H

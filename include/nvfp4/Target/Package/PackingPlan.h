//===- PackingPlan.h - How a packed tensor is made of weights ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A packing function as data: which source tensors, which strided read of them,
// which casts, and optionally which quantization. Plans are extracted from IR
// (ExtractPlan.h) and carried out by the interpreter (Packer.h), which knows no
// IR.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_PACKINGPLAN_H
#define NVFP4_TARGET_PACKAGE_PACKINGPLAN_H

#include "nvfp4/Runtime/DType.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Support/Formats.h"
#include "nvfp4/Support/ScaleLayout.h"
#include "nvfp4/Target/Package/StridedView.h"

#include <optional>
#include <string>
#include <vector>

namespace nvfp4 {

/// A weight as the graph declares it.
struct PackingSource {
  std::string name;
  DType dtype = DType::F32;
  Extents shape;

  bool operator==(const PackingSource &other) const {
    return name == other.name && dtype == other.dtype && shape == other.shape;
  }
};

/// Elements of weights in a new order and with casts. All sources that the view
/// reads have one dtype.
struct PackingRead {
  StridedView view;
  /// The graph's dtype of the sources.
  DType sourceDType = DType::F32;
  /// Dtypes through which each element goes, in order: F32, BF16 or F16. A
  /// narrower one rounds to nearest even.
  std::vector<DType> casts;

  DType getDType() const { return casts.empty() ? sourceDType : casts.back(); }
  /// Appends a cast; one that undoes an exact widening removes it instead.
  void addCast(DType dtype);
  /// Text that is equal for equal reads of canonical views.
  std::string getKey() const;
};

/// The last steps of a quantized tensor.
struct PackingQuantize {
  BlockFormat format = getNVFP4Format();
  GlobalScaleGranularity granularity = GlobalScaleGranularity::Tensor;
  GlobalScaleConvention convention = GlobalScaleConvention::Amax;
  BlockLayout layout = BlockLayout::Linear;
  /// What the global scale is the maximum of, where that is not what is
  /// quantized.
  std::optional<PackingRead> scaleRead;
};

/// How one packed tensor is made.
struct PackingPlan {
  /// The packed tensor's name in the package.
  std::string name;
  std::vector<PackingSource> sources;
  PackingRead read;
  std::optional<PackingQuantize> quantize;
  /// The tensors that it becomes: itself, or `<name>.codes`, `<name>.scales`
  /// and, if there is one, `<name>.global_scale`.
  std::vector<TensorSpec> components;

  /// A weight that is carried as it is.
  static PackingPlan raw(const std::string &name, DType dtype,
                         const Extents &shape);

  /// Text that is equal for plans that make equal tensors of equal sources,
  /// whatever their names.
  std::string getKey() const;
  /// Elements that are read, not counting the pass for the global scale.
  int64_t getNumElements() const { return read.view.getNumElements(); }
  /// Bytes of the elements before packing, in the graph's dtype.
  uint64_t getBytesBefore() const;
  /// Bytes of all components.
  uint64_t getBytesAfter() const;
  /// Bytes of all sources.
  uint64_t getSourceBytes() const;
};

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_PACKINGPLAN_H

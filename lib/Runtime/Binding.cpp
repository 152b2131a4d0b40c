//===- Binding.cpp - Inputs against the manifest --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program indexes its inputs by the dimensions alone, so an input that is
// smaller than they say would be read out of bounds. Nothing runs before all of
// them fit.
//
//===----------------------------------------------------------------------===//

#include "Binding.h"
#include "nvfp4/Runtime/Messages.h"

using namespace nvfp4;

namespace {

/// A dimension's value, and the input that gave it.
struct BoundDimension {
  int64_t value = -1;
  std::string input;
};

using BoundDimensions = std::map<std::string, BoundDimension>;

} // namespace

/// "[batch=8, 32]": the shape with what is known of the names.
static std::string formatBound(const std::vector<ManifestExtent> &shape,
                               const BoundDimensions &bound) {
  std::string text = "[";
  for (const ManifestExtent &extent : shape) {
    if (text.size() > 1)
      text += ", ";
    if (extent.isConstant()) {
      text += std::to_string(extent.getValue());
    } else if (extent.isNamed()) {
      text += extent.getName();
      auto it = bound.find(extent.getName());
      if (it != bound.end())
        text += "=" + std::to_string(it->second.value);
    } else {
      text += "?";
    }
  }
  return text + "]";
}

/// Checks what does not depend on other inputs.
static Status checkAlone(const ManifestTensor &expected, const TensorView &got,
                         const std::string &place) {
  if (got.dtype != expected.dtype)
    return Status::error(place + ": expected dtype " +
                         std::string(getDTypeName(expected.dtype)) +
                         ", but got " + std::string(getDTypeName(got.dtype)));
  if (got.shape.size() != expected.shape.size())
    return Status::error(place + ": expected shape " +
                         formatShape(expected.shape) + ", but got " +
                         formatShape(got.shape));
  std::optional<uint64_t> bytes = getTensorBytes(got.dtype, got.shape);
  if (!bytes)
    return Status::error(place +
                         ": expected a shape of a possible size, but "
                         "got " +
                         formatShape(got.shape));
  if (!got.data && *bytes != 0)
    return Status::error(place + ": expected data, but got a null pointer");
  if (!got.strides.empty() && got.strides.size() != got.shape.size())
    return Status::error(
        place + ": expected " + std::to_string(got.shape.size()) +
        " strides, but got " + std::to_string(got.strides.size()));
  return Status();
}

/// Binds the names in one input's shape, or compares with what is bound.
static Status bindShape(const ManifestTensor &expected, const TensorView &got,
                        const std::string &place, BoundDimensions &bound) {
  auto mismatch = [&](const std::string &note) {
    return Status::error(place + ": expected shape " +
                         formatBound(expected.shape, bound) + ", but got " +
                         formatShape(got.shape) + note);
  };
  // Constants first, so that a wrong shape binds nothing.
  for (size_t i = 0; i < got.shape.size(); ++i)
    if (expected.shape[i].isConstant() &&
        expected.shape[i].getValue() != got.shape[i])
      return mismatch("");
  for (size_t i = 0; i < got.shape.size(); ++i) {
    if (!expected.shape[i].isNamed())
      continue;
    const std::string &name = expected.shape[i].getName();
    auto [it, isNew] =
        bound.try_emplace(name, BoundDimension{got.shape[i], expected.name});
    if (!isNew && it->second.value != got.shape[i])
      return mismatch(" (" + quote(name) + " comes from input " +
                      quote(it->second.input) + ")");
  }
  return Status();
}

Result<std::vector<int64_t>>
nvfp4::bindDimensions(const ManifestEntry &entry,
                      const std::vector<TensorView> &inputs) {
  if (inputs.size() != entry.inputs.size())
    return Status::error("entry " + quote(entry.name) + ": expected " +
                         std::to_string(entry.inputs.size()) +
                         " inputs, but got " + std::to_string(inputs.size()));
  BoundDimensions bound;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::string place = "input " + quote(entry.inputs[i].name);
    Status status = checkAlone(entry.inputs[i], inputs[i], place);
    if (status)
      status = bindShape(entry.inputs[i], inputs[i], place, bound);
    if (!status)
      return status;
  }
  std::vector<int64_t> dims;
  for (const ManifestDimension &dimension : entry.dimensions) {
    const BoundDimension &value = bound[dimension.name];
    std::string place = "input " + quote(value.input) + ": dimension " +
                        quote(dimension.name) + ": expected ";
    if (value.value < dimension.min)
      return Status::error(place + "at least " + std::to_string(dimension.min) +
                           ", but got " + std::to_string(value.value));
    if (dimension.max && value.value > *dimension.max)
      return Status::error(place + "at most " + std::to_string(*dimension.max) +
                           ", but got " + std::to_string(value.value));
    dims.push_back(value.value);
  }
  return dims;
}

Result<std::vector<std::vector<int64_t>>>
nvfp4::bindResultShapes(const ManifestEntry &entry,
                        const std::vector<int64_t> &dims,
                        const std::vector<int64_t> &extents) {
  BoundDimensions bound;
  for (size_t i = 0; i < dims.size(); ++i)
    bound[entry.dimensions[i].name].value = dims[i];
  std::vector<std::vector<int64_t>> shapes;
  size_t next = 0;
  for (const ManifestTensor &result : entry.results) {
    std::vector<int64_t> shape(extents.begin() + next,
                               extents.begin() + next + result.shape.size());
    next += shape.size();
    bool isRight = getTensorBytes(result.dtype, shape).has_value();
    for (size_t i = 0; i < shape.size(); ++i) {
      const ManifestExtent &expected = result.shape[i];
      if (expected.isConstant())
        isRight &= shape[i] == expected.getValue();
      else if (expected.isNamed())
        isRight &= shape[i] == bound[expected.getName()].value;
    }
    if (!isRight)
      return Status::error(
          "entry " + quote(entry.name) + ": result " + quote(result.name) +
          ": expected the program to plan shape " +
          formatBound(result.shape, bound) + ", but got " + formatShape(shape));
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

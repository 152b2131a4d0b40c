//===- Manifest.cpp - Checks on a manifest --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes a manifest consistent, whether it was parsed or is to be written.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Runtime/Messages.h"

#include <set>

using namespace nvfp4;

std::string nvfp4::formatShape(const std::vector<ManifestExtent> &shape) {
  std::string text = "[";
  for (const ManifestExtent &extent : shape) {
    if (text.size() > 1)
      text += ", ";
    text += extent.isConstant() ? std::to_string(extent.getValue())
            : extent.isNamed()  ? extent.getName()
                                : "?";
  }
  return text + "]";
}

/// Names are not empty and differ from each other.
template <typename Range>
static Status checkNames(const Range &range, const std::string &what,
                         const std::string &place) {
  std::set<std::string> names;
  for (const auto &element : range) {
    if (element.name.empty())
      return Status::error(place + ": expected every " + what +
                           " to have a name, but got an empty one");
    if (!names.insert(element.name).second)
      return Status::error(place + ": expected " + what +
                           " names that differ, but got " +
                           quote(element.name) + " twice");
  }
  return Status();
}

static Status checkTensor(const ManifestTensor &tensor, bool isInput,
                          const std::set<std::string> &dimensions,
                          const std::string &place) {
  for (const ManifestExtent &extent : tensor.shape) {
    if (extent.isUnknown() && isInput)
      return Status::error(place + ": expected an extent that is a number or "
                                   "a dimension, but got null");
    if (extent.isNamed() && !dimensions.count(extent.getName()))
      return Status::error(place +
                           ": expected a dimension of the entry, but "
                           "got " +
                           quote(extent.getName()));
  }
  return Status();
}

static Status checkArguments(const ManifestEntry &entry,
                             const std::string &place) {
  std::vector<unsigned> uses(entry.inputs.size());
  for (const ManifestArgument &argument : entry.arguments) {
    if (argument.isInput()) {
      if (*argument.inputIndex >= entry.inputs.size())
        return Status::error(place + ": expected an argument that is one of " +
                             std::to_string(entry.inputs.size()) +
                             " inputs, but got input " +
                             std::to_string(*argument.inputIndex));
      ++uses[*argument.inputIndex];
    } else if (argument.weightName.empty()) {
      return Status::error(place + ": expected a weight to have a name, but "
                                   "got an empty one");
    }
  }
  for (size_t i = 0; i < uses.size(); ++i)
    if (uses[i] != 1)
      return Status::error(
          place + ": expected input " + quote(entry.inputs[i].name) +
          " to be one argument, but got " + std::to_string(uses[i]));
  return Status();
}

static Status checkDimensions(const ManifestEntry &entry,
                              const std::string &place) {
  std::set<std::string> bound;
  for (const ManifestTensor &input : entry.inputs)
    for (const ManifestExtent &extent : input.shape)
      if (extent.isNamed())
        bound.insert(extent.getName());
  for (const ManifestDimension &dimension : entry.dimensions) {
    std::string dimensionPlace = place + ": dimension " + quote(dimension.name);
    if (dimension.min < 0)
      return Status::error(dimensionPlace +
                           ": expected a min of at least 0, "
                           "but got " +
                           std::to_string(dimension.min));
    if (dimension.max && *dimension.max < dimension.min)
      return Status::error(dimensionPlace + ": expected a max of at least " +
                           std::to_string(dimension.min) + ", but got " +
                           std::to_string(*dimension.max));
    // Else nothing at run time says how large it is.
    if (!bound.count(dimension.name))
      return Status::error(dimensionPlace + ": expected in the shape of an "
                                            "input, but got none that has it");
  }
  return Status();
}

static Status checkEntry(const ManifestEntry &entry, const std::string &place) {
  Status status = checkNames(entry.dimensions, "dimension", place);
  if (status)
    status = checkNames(entry.inputs, "input", place);
  if (status)
    status = checkNames(entry.results, "result", place);
  std::set<std::string> dimensions;
  for (const ManifestDimension &dimension : entry.dimensions)
    dimensions.insert(dimension.name);
  for (const ManifestTensor &input : entry.inputs)
    if (status)
      status = checkTensor(input, /*isInput=*/true, dimensions,
                           place + ": input " + quote(input.name));
  for (const ManifestTensor &result : entry.results)
    if (status)
      status = checkTensor(result, /*isInput=*/false, dimensions,
                           place + ": result " + quote(result.name));
  if (status)
    status = checkDimensions(entry, place);
  if (status)
    status = checkArguments(entry, place);
  return status;
}

Status Manifest::validate(const std::string &place) const {
  if (entries.empty())
    return Status::error(place + ": expected at least one entry, but got none");
  if (Status status = checkNames(entries, "entry", place); !status)
    return status;
  for (const ManifestEntry &entry : entries)
    if (Status status =
            checkEntry(entry, place + ": entry " + quote(entry.name));
        !status)
      return status;
  return Status();
}

Result<size_t> Manifest::findEntry(std::string_view name,
                                   const std::string &place) const {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const ManifestEntry &entry : entries)
    names.push_back(entry.name);
  if (name.empty() && entries.size() == 1)
    return size_t(0);
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name)
      return i;
    list += (i ? ", " : "") + quote(names[i]);
  }
  return Status::error(place + ": expected one of the entries " + list +
                       ", but got " + (name.empty() ? "no name" : quote(name)));
}

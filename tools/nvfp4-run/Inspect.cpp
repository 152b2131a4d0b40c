//===- Inspect.cpp - Print what a package is ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Inspect.h"
#include "TextTable.h"

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace nvfp4;
using namespace nvfp4::run;
using Json = nlohmann::ordered_json;

static std::string describeDimension(const ManifestDimension &dimension) {
  std::string min = std::to_string(dimension.min);
  if (!dimension.max)
    return dimension.name + " >= " + min;
  return min + " <= " + dimension.name +
         " <= " + std::to_string(*dimension.max);
}

std::string run::describeShape(const ManifestEntry &entry,
                               const std::vector<ManifestExtent> &shape) {
  std::string text = formatShape(shape);
  std::vector<std::string> seen;
  for (const ManifestExtent &extent : shape)
    for (const ManifestDimension &dimension : entry.dimensions)
      if (extent.isNamed() && extent.getName() == dimension.name &&
          std::find(seen.begin(), seen.end(), dimension.name) == seen.end()) {
        text +=
            (seen.empty() ? " where " : ", ") + describeDimension(dimension);
        seen.push_back(dimension.name);
      }
  return text;
}

static void printEntry(const ManifestEntry &entry) {
  std::printf("\nentry %s\n", entry.name.c_str());
  TextTable table({"", "name", "dtype", "shape"});
  for (const ManifestTensor &input : entry.inputs)
    table.add({"input", input.name, std::string(getDTypeName(input.dtype)),
               describeShape(entry, input.shape)});
  for (const ManifestTensor &result : entry.results)
    table.add({"result", result.name, std::string(getDTypeName(result.dtype)),
               formatShape(result.shape)});
  table.print(stdout, 2);
  uint64_t numWeights = 0, weightBytes = 0;
  for (const ManifestArgument &argument : entry.arguments) {
    if (argument.isInput())
      continue;
    ++numWeights;
    weightBytes += getTensorBytes(argument.dtype, argument.shape).value_or(0);
  }
  std::printf("  %llu weights, %llu bytes\n",
              static_cast<unsigned long long>(numWeights),
              static_cast<unsigned long long>(weightBytes));
}

/// A table with a column per key, in the order in which the keys appear.
static void printReport(const std::string &report) {
  // The manifest's parser has checked that this is an array of objects.
  Json rows = Json::parse(report, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> keys;
  for (const Json &row : rows)
    for (const auto &[key, value] : row.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        keys.push_back(key);
  std::printf("\nreport: %zu rows\n", rows.size());
  if (keys.empty())
    return;
  TextTable table(keys);
  for (const Json &row : rows) {
    std::vector<std::string> cells;
    for (const std::string &key : keys) {
      if (!row.contains(key) || row[key].is_null())
        cells.emplace_back("-");
      else if (row[key].is_string())
        cells.push_back(row[key].get<std::string>());
      else
        cells.push_back(row[key].dump());
    }
    table.add(std::move(cells));
  }
  table.print(stdout, 2);
}

void run::printManifest(const std::string &path, const Manifest &manifest) {
  const ManifestTarget &target = manifest.target;
  std::string features;
  for (const std::string &feature : target.features)
    features += " +" + feature;
  std::printf(
      "package   %s\nproducer  %s\ntarget    %s on device %s, %s, %s%s\n",
      path.c_str(), manifest.producer.c_str(), target.name.c_str(),
      target.device.c_str(), target.triple.c_str(), target.cpu.c_str(),
      features.c_str());
  for (const auto &[name, digest] : manifest.files)
    std::printf("file      %s, %llu bytes\n", name.c_str(),
                static_cast<unsigned long long>(digest.bytes));
  for (const ManifestEntry &entry : manifest.entries)
    printEntry(entry);
  printReport(manifest.report);
}

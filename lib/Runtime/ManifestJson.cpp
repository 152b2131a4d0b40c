//===- ManifestJson.cpp - manifest.json to struct and back ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: any text. Leaves: a manifest that passed `validate`, or an error
// that gives the path of the offending value, as in
// `entries[0].inputs[1].dtype`.
//
//===----------------------------------------------------------------------===//

#include "JsonNode.h"
#include "nvfp4/Runtime/Manifest.h"

using namespace nvfp4;
using Json = nlohmann::ordered_json;
using Node = JsonNode;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static std::vector<std::string> readStrings(const Node &node) {
  std::vector<std::string> strings;
  for (const Node &element : node.getElements())
    strings.push_back(element.getString());
  return strings;
}

static ManifestTarget readTarget(const Node &node) {
  node.checkKeys({"name", "device", "triple", "cpu", "features"});
  ManifestTarget target;
  target.name = node.get("name").getString();
  target.device = node.get("device").getString();
  target.triple = node.get("triple").getString();
  target.cpu = node.get("cpu").getString();
  target.features = readStrings(node.get("features"));
  return target;
}

static ManifestDimension readDimension(const Node &node) {
  node.checkKeys({"name", "min", "max"});
  ManifestDimension dimension;
  dimension.name = node.get("name").getString();
  dimension.min = node.get("min").getInteger();
  Node max = node.get("max");
  if (!max.value.is_null())
    dimension.max = max.getInteger();
  return dimension;
}

static ManifestTensor readTensor(const Node &node) {
  node.checkKeys({"name", "dtype", "shape"});
  ManifestTensor tensor;
  tensor.name = node.get("name").getString();
  tensor.dtype = node.get("dtype").getDType();
  for (const Node &extent : node.get("shape").getElements()) {
    if (extent.value.is_null())
      tensor.shape.push_back(ManifestExtent::unknown());
    else if (extent.value.is_string() && !extent.getString().empty())
      tensor.shape.push_back(ManifestExtent::named(extent.getString()));
    else if (extent.value.is_number_integer())
      tensor.shape.push_back(ManifestExtent::constant(extent.getSize()));
    else
      extent.fail("an integer, the name of a dimension, or null");
  }
  return tensor;
}

static ManifestArgument readArgument(const Node &node) {
  node.checkKeys({"input", "weight", "dtype", "shape"});
  if (node.has("input")) {
    node.checkKeys({"input"});
    return ManifestArgument::input(
        static_cast<size_t>(node.get("input").getSize()));
  }
  std::vector<int64_t> shape;
  for (const Node &extent : node.get("shape").getElements())
    shape.push_back(extent.getSize());
  return ManifestArgument::weight(node.get("weight").getString(),
                                  node.get("dtype").getDType(),
                                  std::move(shape));
}

static ManifestEntry readEntry(const Node &node) {
  node.checkKeys(
      {"name", "dimensions", "inputs", "results", "arguments", "checks"});
  ManifestEntry entry;
  entry.name = node.get("name").getString();
  for (const Node &element : node.get("dimensions").getElements())
    entry.dimensions.push_back(readDimension(element));
  for (const Node &element : node.get("inputs").getElements())
    entry.inputs.push_back(readTensor(element));
  for (const Node &element : node.get("results").getElements())
    entry.results.push_back(readTensor(element));
  for (const Node &element : node.get("arguments").getElements())
    entry.arguments.push_back(readArgument(element));
  entry.checks = readStrings(node.get("checks"));
  return entry;
}

static std::map<std::string, FileDigest> readFiles(const Node &node) {
  node.checkKeys({kWeightsFileName, kProgramFileName});
  std::map<std::string, FileDigest> files;
  for (const char *name : {kWeightsFileName, kProgramFileName}) {
    Node file = node.get(name).checkKeys({"bytes", "xxh3_128"});
    FileDigest digest;
    digest.bytes = static_cast<uint64_t>(file.get("bytes").getSize());
    Node hash = file.get("xxh3_128");
    digest.xxh3 = hash.getString();
    if (digest.xxh3.size() != 32 ||
        digest.xxh3.find_first_not_of("0123456789abcdef") != std::string::npos)
      hash.fail("32 lower-case hexadecimal digits");
    files[name] = digest;
  }
  return files;
}

/// An array of objects, whatever they contain.
static std::string readReport(const Node &node) {
  for (const Node &row : node.getElements())
    if (!row.value.is_object())
      row.fail("an object");
  return node.value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

static Manifest readManifest(const Node &node) {
  // Format and version first: a later version may have other keys.
  if (!node.has("format") || node.get("format").value != "nvfp4pkg")
    node.fail("an object with \"format\": \"nvfp4pkg\"");
  Node version = node.get("version");
  if (version.getInteger() != kPackageVersion)
    version.fail("package version " + std::to_string(kPackageVersion) +
                 ", the one that this runtime reads");
  node.checkKeys({"format", "version", "producer", "target", "entries",
                  "report", "files"});
  Manifest manifest;
  manifest.producer = node.get("producer").getString();
  manifest.target = readTarget(node.get("target"));
  for (const Node &element : node.get("entries").getElements())
    manifest.entries.push_back(readEntry(element));
  manifest.report = readReport(node.get("report"));
  manifest.files = readFiles(node.get("files"));
  return manifest;
}

Result<Manifest> Manifest::parse(std::string_view text,
                                 const std::string &place) {
  Result<Json> json = parseJson<Json>(text, place);
  if (!json)
    return json.getStatus();
  try {
    Manifest manifest = readManifest(Node(*json, ""));
    if (Status status = manifest.validate(place); !status)
      return status;
    return manifest;
  } catch (const FormError &error) {
    return error.toStatus(place);
  }
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static Json writeTensor(const ManifestTensor &tensor) {
  Json shape = Json::array();
  for (const ManifestExtent &extent : tensor.shape) {
    if (extent.isConstant())
      shape.push_back(extent.getValue());
    else if (extent.isNamed())
      shape.push_back(extent.getName());
    else
      shape.push_back(nullptr);
  }
  return Json{{"name", tensor.name},
              {"dtype", getDTypeName(tensor.dtype)},
              {"shape", shape}};
}

static Json writeArgument(const ManifestArgument &argument) {
  if (argument.isInput())
    return Json{{"input", *argument.inputIndex}};
  return Json{{"weight", argument.weightName},
              {"dtype", getDTypeName(argument.dtype)},
              {"shape", argument.shape}};
}

static Json writeEntry(const ManifestEntry &entry) {
  Json dimensions = Json::array(), inputs = Json::array(),
       results = Json::array(), arguments = Json::array();
  for (const ManifestDimension &dimension : entry.dimensions)
    dimensions.push_back(
        {{"name", dimension.name},
         {"min", dimension.min},
         {"max", dimension.max ? Json(*dimension.max) : Json(nullptr)}});
  for (const ManifestTensor &input : entry.inputs)
    inputs.push_back(writeTensor(input));
  for (const ManifestTensor &result : entry.results)
    results.push_back(writeTensor(result));
  for (const ManifestArgument &argument : entry.arguments)
    arguments.push_back(writeArgument(argument));
  return Json{{"name", entry.name},     {"dimensions", dimensions},
              {"inputs", inputs},       {"results", results},
              {"arguments", arguments}, {"checks", entry.checks}};
}

Result<std::string> Manifest::toJson(const std::string &place) const {
  if (Status status = validate(place); !status)
    return status;
  Result<Json> parsedReport = parseJson<Json>(report, place + ": report");
  if (!parsedReport)
    return parsedReport.getStatus();
  try {
    readReport(Node(*parsedReport, "report"));
    Json entryArray = Json::array(), fileTable = Json::object();
    for (const ManifestEntry &entry : entries)
      entryArray.push_back(writeEntry(entry));
    for (const auto &[name, digest] : files)
      fileTable[name] = {{"bytes", digest.bytes}, {"xxh3_128", digest.xxh3}};
    Json json = {{"format", "nvfp4pkg"},
                 {"version", kPackageVersion},
                 {"producer", producer},
                 {"target",
                  {{"name", target.name},
                   {"device", target.device},
                   {"triple", target.triple},
                   {"cpu", target.cpu},
                   {"features", target.features}}},
                 {"entries", entryArray},
                 {"report", *parsedReport},
                 {"files", fileTable}};
    return json.dump(2) + "\n";
  } catch (const FormError &error) {
    return Status::error(place + ": " + error.message);
  } catch (const nlohmann::json::exception &error) {
    return Status::error(place + ": expected strings in UTF-8, but got " +
                         error.what());
  }
}

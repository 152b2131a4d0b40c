//===- LaunchFile.cpp - Launch files from JSON ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: any text. Leaves: a launch whose every number is in the range that
// PTX gives it and whose names are resolved, or an error with the path of the
// offending value. What the PTX and the inputs file must agree with is checked
// when they are read.
//
// Source: PTX ISA, kernel launch limits; docs/Simulator.md.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/LaunchFile.h"
#include "Arguments.h"
#include "nvfp4/Runtime/FileIO.h"

#include <filesystem>
#include <map>

using namespace nvfp4;
using namespace nvfp4::ptx;
namespace fs = std::filesystem;

/// A launch file is written by hand or by a script for one kernel.
static constexpr uint64_t kMaxLaunchFileBytes = 16 << 20;
static constexpr uint64_t kMaxPTXBytes = 256 << 20;

// PTX ISA: largest grid, block and cluster, per dimension and in all.
static constexpr std::array<uint32_t, 3> kMaxGrid = {0x7fffffff, 65535, 65535};
static constexpr std::array<uint32_t, 3> kMaxBlock = {1024, 1024, 64};
static constexpr std::array<uint32_t, 3> kMaxCluster = {16, 16, 16};
static constexpr uint64_t kMaxBlockThreads = 1024;
static constexpr uint64_t kMaxClusterBlocks = 16;

/// A string that a file name or an entry can be.
static std::string readName(const JsonNode &node) {
  std::string name = node.getString();
  if (name.empty() || name.find('\0') != std::string::npos)
    node.fail("a string that is not empty and has no null byte");
  return name;
}

static std::string resolvePath(const JsonNode &node,
                               const std::string &launchPath) {
  return (fs::path(launchPath).parent_path() / readName(node)).string();
}

static std::array<uint32_t, 3> readExtents(const JsonNode &node,
                                           const std::array<uint32_t, 3> &max) {
  std::vector<JsonNode> elements = node.getElements();
  if (elements.size() != 3)
    node.fail("an array of three integers");
  std::array<uint32_t, 3> extents;
  for (size_t i = 0; i < 3; ++i) {
    extents[i] = static_cast<uint32_t>(elements[i].getUnsigned(max[i]));
    if (extents[i] == 0)
      elements[i].fail("an integer from 1 to " + std::to_string(max[i]));
  }
  return extents;
}

static uint64_t multiply(const std::array<uint32_t, 3> &extents) {
  return uint64_t(extents[0]) * extents[1] * extents[2];
}

static void readShape(const JsonNode &root, LaunchFile &file) {
  file.grid = readExtents(root.get("grid"), kMaxGrid);
  file.block = readExtents(root.get("block"), kMaxBlock);
  if (multiply(file.block) > kMaxBlockThreads)
    root.get("block").fail("at most " + std::to_string(kMaxBlockThreads) +
                           " threads in a block");
  if (root.has("cluster")) {
    JsonNode node = root.get("cluster");
    file.cluster = readExtents(node, kMaxCluster);
    if (multiply(file.cluster) > kMaxClusterBlocks)
      node.fail("at most " + std::to_string(kMaxClusterBlocks) +
                " blocks in a cluster");
    for (size_t i = 0; i < 3; ++i)
      if (file.grid[i] % file.cluster[i] != 0)
        node.getElements()[i].fail("a divisor of grid[" + std::to_string(i) +
                                   "], that is " +
                                   std::to_string(file.grid[i]));
  }
  if (root.has("dynamic_shared_bytes"))
    file.dynamicSharedBytes = static_cast<uint32_t>(
        root.get("dynamic_shared_bytes").getUnsigned(UINT32_MAX));
}

static void readOutputs(const JsonNode &node, LaunchFile &file) {
  std::map<std::string, size_t> indices;
  std::vector<std::string> names;
  for (size_t i = 0; i < file.buffers.size(); ++i)
    if (!file.buffers[i].name.empty()) {
      names.push_back(file.buffers[i].name);
      indices.emplace(file.buffers[i].name, i);
    }
  std::vector<bool> isOutput(file.buffers.size());
  for (const JsonNode &element : node.getElements()) {
    std::string name = readName(element);
    auto it = indices.find(name);
    if (it == indices.end())
      throw FormError{element.path +
                      ": expected the name of a tensor that 'args' uses, but "
                      "got " +
                      quote(name) + suggestNearest(name, names)};
    if (isOutput[it->second])
      throw FormError{element.path + ": expected every output once, but got " +
                      quote(name) + " twice"};
    isOutput[it->second] = true;
    file.outputs.push_back(it->second);
  }
}

static LaunchFile readLaunchFile(const JsonNode &root,
                                 const std::string &path) {
  root.checkKeys({"ptx", "entry", "grid", "block", "cluster",
                  "dynamic_shared_bytes", "inputs", "args", "outputs"});
  LaunchFile file;
  file.path = path;
  file.ptxPath = resolvePath(root.get("ptx"), path);
  if (root.has("entry"))
    file.entry = readName(root.get("entry"));
  if (root.has("inputs"))
    file.inputsPath = resolvePath(root.get("inputs"), path);
  readShape(root, file);
  if (root.has("args"))
    readArguments(root.get("args"), file);
  if (root.has("outputs"))
    readOutputs(root.get("outputs"), file);
  return file;
}

Result<LaunchFile> LaunchFile::parse(std::string_view text,
                                     const std::string &path) {
  std::string place = quote(path);
  Result<JsonNode::Json> json = parseJson<JsonNode::Json>(text, place);
  if (!json)
    return json.getStatus();
  try {
    return readLaunchFile(JsonNode(*json, ""), path);
  } catch (const FormError &error) {
    return error.toStatus(place);
  }
}

Result<LaunchFile> LaunchFile::read(const std::string &path) {
  Result<std::string> text = readTextFile(path, kMaxLaunchFileBytes);
  if (!text)
    return text.getStatus();
  return parse(*text, path);
}

Result<std::string> nvfp4::ptx::readPTX(const std::string &path) {
  return readTextFile(path, kMaxPTXBytes);
}

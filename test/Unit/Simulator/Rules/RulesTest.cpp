//===- RulesTest.cpp - Programs that break one rule, or just do not -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs every file of test/Simulator/Rules late, early and at random. Comments
// at the top of a file say how:
//
//   // launch: grid=2 block=64 cluster=1 words=64
//   // expect: pass | warning RULE | error RULE
//
// The argument is a buffer of `words` 32-bit words 0, 1, 2, … or `zeros`. An
// undefined byte in it at the end is an error R11. `strict=1` makes warnings
// errors. With `columns`, a tensor map of these words with rows of that many is
// the second argument; its box has `boxcolumns` and `boxrows`, its swizzle is
// number `swizzle`.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Simulator.h"
#include "nvfp4/Simulator/PTX/TensorMap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {
struct RuleProgram {
  std::string text;
  std::map<std::string, uint32_t> launch;
  std::string verdict, rule;
};

RuleProgram read(const std::filesystem::path &path) {
  RuleProgram program;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    program.text += line + "\n";
    std::istringstream words(line);
    std::string slashes, key, word;
    words >> slashes >> key;
    if (slashes != "//")
      continue;
    if (key == "expect:")
      words >> program.verdict >> program.rule;
    while (key == "launch:" && words >> word) {
      size_t equals = word.find('=');
      program.launch[word.substr(0, equals)] =
          uint32_t(std::stoul(word.substr(equals + 1)));
    }
  }
  return program;
}

std::vector<std::string> listPrograms() {
  std::vector<std::string> names;
  for (auto &entry : std::filesystem::directory_iterator(NVFP4_RULES_DIR))
    if (entry.path().extension() == ".ptx")
      names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

class RulesTest : public testing::TestWithParam<std::string> {
protected:
  Report run(const RuleProgram &rule, const Options &options) {
    auto program = Program::load(rule.text, GetParam() + ".ptx");
    if (!program.ok()) {
      ADD_FAILURE() << program.getMessage();
      return Report();
    }
    auto get = [&](const char *name, uint32_t otherwise) {
      auto it = rule.launch.find(name);
      return it == rule.launch.end() ? otherwise : it->second;
    };
    std::vector<uint32_t> words(get("words", get("zeros", 0)));
    if (rule.launch.count("words"))
      std::iota(words.begin(), words.end(), 0u);
    DeviceMemory memory;
    uint64_t address = memory.map(words.data(), words.size() * 4, "words");
    Launch launch;
    launch.entry = "k";
    launch.grid[0] = get("grid", 1);
    launch.block[0] = get("block", 32);
    launch.cluster[0] = get("cluster", 1);
    launch.addArgument(address);
    if (uint32_t columns = get("columns", 0)) {
      TiledTensorMap map;
      map.dtype = 2;
      map.address = address;
      map.rank = 2;
      map.dims[0] = columns;
      map.dims[1] = words.size() / columns;
      map.strides[1] = columns * 4;
      map.box[0] = get("boxcolumns", columns);
      map.box[1] = get("boxrows", 1);
      map.elementStrides[0] = map.elementStrides[1] = 1;
      map.swizzle = get("swizzle", 0);
      uint8_t bytes[kTensorMapBytes];
      Status status = encodeTensorMap(map, bytes);
      EXPECT_TRUE(status.ok()) << status.getMessage();
      launch.arguments.emplace_back(bytes, bytes + kTensorMapBytes);
    }
    Report report = (*program)->run(launch, memory, options);
    if (memory.findUndefined(address) >= 0 && !report.hasErrors()) {
      Finding finding;
      finding.rule = "R11";
      finding.message = "undefined output";
      report.findings.push_back(finding);
    }
    return report;
  }
};

} // namespace

TEST_P(RulesTest, HasTheSameVerdictInEveryOrder) {
  RuleProgram rule =
      read(std::filesystem::path(NVFP4_RULES_DIR) / (GetParam() + ".ptx"));
  ASSERT_FALSE(rule.verdict.empty());
  for (Asynchrony asynchrony :
       {Asynchrony::Late, Asynchrony::Early, Asynchrony::Random}) {
    for (uint64_t seed : {1, 2, 3}) {
      if (seed > 1 && asynchrony != Asynchrony::Random)
        continue;
      Options options;
      options.asynchrony = asynchrony;
      options.seed = seed;
      options.maxInstructions = 1 << 20;
      options.isStrict = rule.launch.count("strict");
      Report report = run(rule, options);
      SCOPED_TRACE("asynchrony " + std::to_string(unsigned(asynchrony)) + "\n" +
                   report.toString());
      if (rule.verdict == "pass") {
        EXPECT_TRUE(report.findings.empty());
        continue;
      }
      EXPECT_EQ(report.hasErrors(), rule.verdict == "error");
      EXPECT_TRUE(std::any_of(
          report.findings.begin(), report.findings.end(), [&](auto &finding) {
            return rule.rule.empty() || finding.rule == rule.rule;
          }));
    }
  }
}

TEST_P(RulesTest, RunsWithoutChecks) {
  RuleProgram rule =
      read(std::filesystem::path(NVFP4_RULES_DIR) / (GetParam() + ".ptx"));
  if (rule.verdict != "pass")
    return;
  Options options;
  options.checkOrdering = options.checkDefinedness = false;
  EXPECT_FALSE(run(rule, options).hasErrors());
}

TEST_P(RulesTest, StrictTurnsWarningsIntoErrors) {
  RuleProgram rule =
      read(std::filesystem::path(NVFP4_RULES_DIR) / (GetParam() + ".ptx"));
  if (rule.verdict != "warning")
    return;
  Options options;
  options.isStrict = true;
  EXPECT_TRUE(run(rule, options).hasErrors());
}

INSTANTIATE_TEST_SUITE_P(Programs, RulesTest, testing::ValuesIn(listPrograms()),
                         [](auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

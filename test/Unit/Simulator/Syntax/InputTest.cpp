//===- InputTest.cpp - Whole files of PTX ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that nvcc and LLVM made parse without an error, have as many
// instructions of each kind as their text has words, and lose none of them when
// a statement is broken.
//
//===----------------------------------------------------------------------===//

#include "Printing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

std::string readInput(const std::string &name) {
  std::ifstream file(std::string(NVFP4_INPUTS) + "/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::unique_ptr<Module> parseInput(const std::string &name) {
  std::string text = readInput(name);
  EXPECT_FALSE(text.empty()) << name;
  Result<std::unique_ptr<Module>> module = parseModule(text, name);
  EXPECT_TRUE(module.ok()) << module.getMessage();
  return module ? std::move(*module) : std::make_unique<Module>();
}

const Function &findFunction(const Module &module, std::string_view name) {
  static const Function none;
  for (const Function &function : module.functions)
    if (function.name == name)
      return function;
  ADD_FAILURE() << "no function " << name;
  return none;
}

/// How often each word stands where an instruction can: behind a blank, a
/// brace or a semicolon, and before a dot, a blank or a semicolon. Comments do
/// not count.
std::map<std::string, size_t> countWords(const std::string &text) {
  std::map<std::string, size_t> counts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = " " + line.substr(0, line.find("//")) + " ";
    for (size_t start = 1; start < line.size(); ++start) {
      size_t end = start;
      while (std::isalpha(static_cast<unsigned char>(line[end])))
        ++end;
      bool isWord = end > start && std::strchr(" \t;{", line[start - 1]) &&
                    std::strchr(" \t;.", line[end]);
      if (isWord)
        ++counts[line.substr(start, end - start)];
      start = end;
    }
  }
  return counts;
}

TEST(Input, InstructionCounts) {
  for (const char *name : {"kernels.ptx", "calls.ptx"}) {
    std::unique_ptr<Module> module = parseInput(name);
    std::map<std::string, size_t> parsed;
    for (const Function &function : module->functions)
      for (const Instruction &instruction : function.instructions)
        ++parsed[std::string(instruction.opcode)];
    std::map<std::string, size_t> words = countWords(readInput(name));
    EXPECT_GE(parsed.size(), 10u) << name;
    for (auto [opcode, count] : parsed)
      if (opcode.find_first_of("0123456789") == std::string::npos)
        EXPECT_EQ(count, words[opcode]) << name << ": " << opcode;
  }
}

TEST(Input, Nvcc) {
  std::unique_ptr<Module> module = parseInput("kernels.ptx");
  EXPECT_EQ(module->target, "sm_90a");
  const Function &saxpy = findFunction(*module, "saxpy");
  EXPECT_TRUE(saxpy.isEntry);
  EXPECT_EQ(saxpy.maxThreads[0], 256u);
  EXPECT_EQ(saxpy.parameters.size(), 4u);
  EXPECT_EQ(findFunction(*module, "structs").parameters.at(0).size, 24u);
  EXPECT_EQ(findFunction(*module, "pipeline").requiredCluster[0], 2u);
  EXPECT_TRUE(findFunction(*module, "vprintf").isDeclaration);
  EXPECT_FALSE(findFunction(*module, "_Z3addff").isDeclaration);
}

TEST(Input, LLVM) {
  std::unique_ptr<Module> module = parseInput("calls.ptx");
  const Function &kernel = findFunction(*module, "kernel");
  EXPECT_TRUE(kernel.hasExplicitCluster);
  EXPECT_EQ(kernel.prototypes.size(), 1u);
  EXPECT_EQ(kernel.targetLists.at(0).labels.size(), 5u);
  EXPECT_TRUE(findFunction(*module, "stop").isNoReturn);
  std::string printed = printInstructions(*module, kernel);
  EXPECT_NE(printed.find("call.uni {local retval0}, @double, {local param0};"),
            std::string::npos)
      << "the alias 'twice' stands for 'double'";
}

/// A semicolon that is lost costs the statement around it, not the rest of the
/// file.
TEST(Input, LostSemicolons) {
  std::string text = readInput("calls.ptx");
  for (size_t at = text.find(';'); at != std::string::npos;
       at = text.find(';', at + 1)) {
    std::string broken = text;
    broken[at] = ' ';
    Result<std::unique_ptr<Module>> module = parseModule(broken, "t");
    ASSERT_FALSE(module.ok()) << broken.substr(at > 40 ? at - 40 : 0, 80);
    const std::string &message = module.getMessage();
    EXPECT_LE(std::count(message.begin(), message.end(), '\n'), 2) << message;
  }
}

/// A file that ends anywhere is parsed or refused.
TEST(Input, Truncation) {
  std::string text = readInput("calls.ptx");
  for (size_t size = 0; size < text.size(); size += 7) {
    Result<std::unique_ptr<Module>> module =
        parseModule(text.substr(0, size), "t");
    EXPECT_TRUE(module.ok() || !module.getMessage().empty());
  }
}

} // namespace

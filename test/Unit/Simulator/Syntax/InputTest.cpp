//===- InputTest.cpp - Whole files of PTX ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files made by compilers parse without an error, and what is counted in them
// by other means is found.
//
//===----------------------------------------------------------------------===//

#include "Printing.h"

#include <gtest/gtest.h>

#include <fstream>
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

const Function *findFunction(const Module &module, std::string_view name) {
  for (const Function &function : module.functions)
    if (function.name == name)
      return &function;
  return nullptr;
}

TEST(Input, Kernels) {
  std::unique_ptr<Module> module = parseInput("kernels.ptx");
  EXPECT_EQ(module->target, "sm_90a");
  const Function *saxpy = findFunction(*module, "saxpy");
  ASSERT_TRUE(saxpy);
  EXPECT_TRUE(saxpy->isEntry);
  EXPECT_EQ(saxpy->maxThreads[0], 256u);
  EXPECT_EQ(saxpy->parameters.size(), 4u);
}

} // namespace

//===- DeclarationTest.cpp - What PTX declares ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Module headers, variables and their initial bytes, functions and their
// attributes.
//
//===----------------------------------------------------------------------===//

#include "Printing.h"

#include <gtest/gtest.h>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

std::unique_ptr<Module> parse(const std::string &text) {
  Result<std::unique_ptr<Module>> module = parseModule(
      ".version 9.4\n.target sm_120a, debug, texmode_independent\n" + text,
      "t");
  EXPECT_TRUE(module.ok()) << module.getMessage();
  return module ? std::move(*module) : std::make_unique<Module>();
}

/// "offset:size=value", with "+" for a symbol's address.
std::string printInitializers(const Module &module, const Variable &variable) {
  std::string text;
  for (const Initializer &initializer : variable.initializers) {
    text += text.empty() ? "" : " ";
    text += std::to_string(initializer.offset) + ":" +
            std::to_string(initializer.size) + "=";
    if (initializer.mask)
      text += "mask" + std::to_string(initializer.mask) + " ";
    if (initializer.isGeneric)
      text += "generic ";
    if (initializer.variable)
      text +=
          std::string(module.variables.at(*initializer.variable).name) + "+";
    if (initializer.function)
      text +=
          std::string(module.functions.at(*initializer.function).name) + "+";
    text += std::to_string(initializer.value);
  }
  return text;
}

TEST(Declaration, Header) {
  std::unique_ptr<Module> module =
      parse(".address_size 32\n.file 1 \"a.cu\", 12, 34\n"
            ".section .debug_str { L: .b8 1, 2 .b64 .debug_info+4 { } }\n"
            ".pragma \"a\", \"b\";\n/* \n */ // x");
  EXPECT_EQ(module->versionMajor, 9u);
  EXPECT_EQ(module->versionMinor, 4u);
  EXPECT_EQ(module->target, "sm_120a");
  ASSERT_EQ(module->targetOptions.size(), 2u);
  EXPECT_EQ(module->targetOptions[1], "texmode_independent");
  EXPECT_EQ(module->addressSize, 32u);
  EXPECT_EQ(parse("")->addressSize, 64u);
}

TEST(Declaration, Types) {
  for (unsigned i = 1; i <= unsigned(Type::F64); ++i) {
    std::string name(getTypeName(Type(i)));
    EXPECT_EQ(parseType(name), Type(i)) << name;
    // The digits of a name are bits, of each of two values behind an 'x'.
    size_t digits = name.find_first_of("0123456789");
    unsigned bits = digits == std::string::npos ? 8 : std::stoul(&name[digits]);
    bits *= name.find("x2") != std::string::npos ? 2 : 1;
    EXPECT_EQ(getByteSize(Type(i)), bits / 8) << name;
  }
  EXPECT_EQ(parseType("b33"), Type::None);
  EXPECT_EQ(getByteSize(Type::None), 0u);
}

struct VariableRow {
  const char *text;
  Space space;
  Type type;
  unsigned vectorSize;
  uint64_t size;
  unsigned alignment;
};

TEST(Declaration, Variables) {
  constexpr VariableRow kRows[] = {
      {".global .b32 x;", Space::Global, Type::B32, 1, 4, 4},
      {".visible .const .align 16 .f64 x[3];", Space::Constant, Type::F64, 1,
       24, 16},
      {".shared .align 8 .b8 x[4][8][2];", Space::Shared, Type::B8, 1, 64, 8},
      {".extern .shared .align 1024 .b8 x[];", Space::Shared, Type::B8, 1, 0,
       1024},
      {".weak .global .v4 .f32 x[2];", Space::Global, Type::F32, 4, 32, 16},
      {".common .global .v2 .u16 x;", Space::Global, Type::U16, 2, 4, 4},
      {".global .attribute(.unified(0x1, 0x2)) .align 2 .b8 x[1099511627776];",
       Space::Global, Type::B8, 1, uint64_t(1) << 40, 2},
      {".global .attribute(.managed) .u64 x;", Space::Global, Type::U64, 1, 8,
       8},
      {".global .texref x;", Space::Global, Type::B64, 1, 8, 8},
      {".global .b128 x[2*2+1];", Space::Global, Type::B128, 1, 80, 16},
      {".global .u8 x[] = {1, 2, 3};", Space::Global, Type::U8, 1, 3, 1},
      {".global .u16 x[][2] = {{1, 2}, {3}};", Space::Global, Type::U16, 1, 8,
       2},
  };
  for (const VariableRow &row : kRows) {
    std::unique_ptr<Module> module = parse(row.text);
    ASSERT_EQ(module->variables.size(), 1u) << row.text;
    const Variable &variable = module->variables[0];
    EXPECT_EQ(variable.name, "x");
    EXPECT_EQ(variable.space, row.space) << row.text;
    EXPECT_EQ(variable.type, row.type) << row.text;
    EXPECT_EQ(variable.vectorSize, row.vectorSize) << row.text;
    EXPECT_EQ(variable.size, row.size) << row.text;
    EXPECT_EQ(variable.alignment, row.alignment) << row.text;
    EXPECT_EQ(variable.isArray,
              std::string(row.text).find('[') != std::string::npos);
    EXPECT_EQ(variable.isExtern, std::string(row.text).find(".extern") == 0);
  }
}

TEST(Declaration, SeveralNames) {
  std::unique_ptr<Module> module = parse(".shared .b64 a, b[2], c<3>;");
  ASSERT_EQ(module->variables.size(), 5u);
  EXPECT_EQ(module->variables[1].size, 16u);
  EXPECT_EQ(module->variables[4].name, "c2");
}

TEST(Declaration, ExternAndDefinition) {
  for (const char *text :
       {".extern .global .u32 x[]; .global .u32 x[2] = {1, 2};",
        ".global .u32 x[2] = {1, 2}; .extern .global .u32 x[];"}) {
    std::unique_ptr<Module> module = parse(text);
    ASSERT_EQ(module->variables.size(), 1u);
    EXPECT_FALSE(module->variables[0].isExtern);
    EXPECT_EQ(module->variables[0].size, 8u);
    EXPECT_EQ(module->variables[0].initializers.size(), 1u);
  }
}

TEST(Declaration, Initializers) {
  struct Row {
    const char *text;
    const char *printed;
  };
  constexpr Row kRows[] = {
      {".u32 x = 7", "0:4=7"},
      {".s16 x = -1", "0:2=65535"},
      {".b8 x = 300", "0:1=44"},
      {".u64 x = 1 << 40", "0:8=1099511627776"},
      {".f32 x = 0f3F800000", "0:4=1065353216"},
      {".f32 x = 1.5", "0:4=1069547520"},
      {".f32 x = 0d3FF8000000000000", "0:4=1069547520"},
      {".f64 x = 0f3FC00000", "0:8=4609434218613702656"},
      {".f64 x = -1.5", "0:8=13832806255468478464"},
      {".b32 x = 0f3F800000", "0:4=1065353216"},
      {".b64 x = 1.5", "0:8=4609434218613702656"},
      {".b128 x = 5", "0:8=5"},
      {".u32 x[4] = {1, 2}", "0:8=8589934593"},
      {".u32 x[4] = {}", ""},
      {".u8 x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}", "0:8=578437695752307201 8:1=9"},
      {".u64 x[2] = {1, 2}", "0:8=1 8:8=2"},
      {".u8 x[2][3] = {{1, 2}, {3,}}", "0:2=513 3:1=3"},
      {".v2 .u16 x[2] = {{1, 2}, {3}}", "0:6=12885032961"},
      {".u64 x = a", "0:8=a+0"},
      {".u32 x = a+8", "0:4=a+8"},
      {".u64 x = generic(a)+8-4", "0:8=generic a+4"},
      {".u64 x[2] = {generic(a+4), x+8}", "0:8=generic a+4 8:8=x+8"},
      {".u64 x[2] = {f, generic(f)}", "0:8=f+0 8:8=generic f+0"},
      {".u8 x[3] = {0xFF(a), 0xff00(generic(a)+4), 0xFF00(0x1234)}",
       "0:1=mask255 a+0 1:1=mask65280 generic a+4 2:1=18"},
  };
  for (const Row &row : kRows) {
    std::unique_ptr<Module> module = parse(
        ".global .b8 a[9]; .func f; .global " + std::string(row.text) + ";");
    ASSERT_EQ(module->variables.size(), 2u) << row.text;
    EXPECT_EQ(printInitializers(*module, module->variables[1]), row.printed)
        << row.text;
  }
}

TEST(Declaration, Entry) {
  std::unique_ptr<Module> module =
      parse(".visible .entry k(\n.param .u64 .ptr .global .align 16 a,\n"
            ".param .align 8 .b8 b[24], .param .f32 c)\n"
            ".maxntid 128, 2 .reqntid 4 .minnctapersm 2 .maxnreg 64\n"
            ".explicitcluster .reqnctapercluster 2, 1, 1 .maxclusterrank 8\n"
            ".blocksareclusters .pragma \"x\";\n{ ld.param.b32 _, [b+4]; }");
  ASSERT_EQ(module->functions.size(), 1u);
  const Function &function = module->functions[0];
  EXPECT_TRUE(function.isEntry);
  EXPECT_FALSE(function.isDeclaration);
  EXPECT_FALSE(function.isNoReturn);
  ASSERT_EQ(function.parameters.size(), 3u);
  EXPECT_EQ(function.parameters[0].alignment, 8u);
  EXPECT_EQ(function.parameters[1].size, 24u);
  EXPECT_EQ(function.parameters[1].alignment, 8u);
  EXPECT_EQ(function.parameters[1].space, Space::Param);
  EXPECT_EQ(function.parameters[2].type, Type::F32);
  EXPECT_EQ(function.maxThreads[0], 128u);
  EXPECT_EQ(function.maxThreads[1], 2u);
  EXPECT_EQ(function.maxThreads[2], 1u);
  EXPECT_EQ(function.requiredThreads[0], 4u);
  EXPECT_EQ(function.requiredThreads[1], 1u);
  EXPECT_EQ(function.requiredCluster[0], 2u);
  EXPECT_TRUE(function.hasExplicitCluster);
}

TEST(Declaration, FunctionParameters) {
  std::unique_ptr<Module> module =
      parse(".func (.reg .b32 r, .param .b64 s) f(.reg .f64 a, .param .b8 b[]) "
            ".noreturn\n{ st.param.b64 [s], a; mov.b32 r, 1; }");
  const Function &function = module->functions.at(0);
  EXPECT_FALSE(function.isEntry);
  EXPECT_TRUE(function.isNoReturn);
  EXPECT_EQ(function.resultRegisters, (std::vector<uint32_t>{0, ~0u}));
  EXPECT_EQ(function.parameterRegisters, (std::vector<uint32_t>{1, ~0u}));
  EXPECT_EQ(function.registers.at(1).type, Type::F64);
  EXPECT_EQ(printInstructions(*module, function),
            "st.param.b64 [result s], a; mov.b32 r, 1;");
}

TEST(Declaration, ForwardDeclaration) {
  std::unique_ptr<Module> module = parse(
      ".func (.param .b32 _) f(.param .b32 _, .param .b32 _);\n.func g;\n"
      ".extern .func h;\n"
      ".func (.param .b32 r) f(.param .b32 a, .param .b32 b) { call g; }\n"
      ".func g { ret; }\n.func g;");
  ASSERT_EQ(module->functions.size(), 3u);
  EXPECT_FALSE(module->functions[0].isDeclaration);
  EXPECT_EQ(module->functions[0].parameters[1].name, "b");
  EXPECT_FALSE(module->functions[1].isDeclaration);
  EXPECT_TRUE(module->functions[2].isDeclaration);
}

TEST(Declaration, Alias) {
  std::unique_ptr<Module> module =
      parse(".func a;\n.func b { ret; }\n.global .u64 p = a;\n"
            ".entry k { call a; }\n.alias a, b;");
  EXPECT_EQ(printInstructions(*module, module->functions.at(2)),
            "call {}, @b, {};");
  EXPECT_EQ(printInitializers(*module, module->variables.at(0)), "0:8=b+0");
}

TEST(Declaration, Body) {
  std::unique_ptr<Module> module =
      parse(".entry k { .reg .b32 %r<3>, x; .reg .v2 .f32 v<2>; .reg .pred p;\n"
            ".local .align 16 .b8 __local_depot0[64]; .shared .b64 bar;\n"
            "{ .param .align 8 .b8 q[16]; .global .u32 t[2] = {1, 2}; }\n"
            "A: ret; B: }");
  const Function &function = module->functions.at(0);
  ASSERT_EQ(function.registers.size(), 3u + 1 + 4 + 1);
  EXPECT_EQ(function.registers[7].type, Type::F32);
  EXPECT_EQ(function.registers[8].type, Type::Pred);
  ASSERT_EQ(function.variables.size(), 4u);
  EXPECT_EQ(function.variables[0].space, Space::Local);
  EXPECT_EQ(function.variables[0].size, 64u);
  EXPECT_EQ(function.variables[3].initializers.size(), 1u);
  ASSERT_EQ(function.labels.size(), 2u);
  EXPECT_EQ(function.labels[0].instruction, 0u);
  EXPECT_EQ(function.labels[1].instruction, 1u);
  EXPECT_EQ(function.labels[1].location.line, 6u);
  EXPECT_EQ(function.labels[1].location.column, 9u);
}

TEST(Declaration, PrototypesAndTargets) {
  std::unique_ptr<Module> module = parse(
      ".func f; .entry k { P: .callprototype (.param .b64 _) _ (.reg .b32 _, "
      ".param .align 4 .b8 _[12]) .noreturn;\n"
      "T: .calltargets f, g; S: .branchtargets A, B; A: ret; B: }\n"
      ".func g { ret; }");
  const Function &function = module->functions.at(1);
  EXPECT_FALSE(function.isNoReturn);
  ASSERT_EQ(function.prototypes.size(), 1u);
  EXPECT_EQ(function.prototypes[0].results.at(0).size, 8u);
  EXPECT_EQ(function.prototypes[0].parameters.at(0).space, Space::Register);
  EXPECT_EQ(function.prototypes[0].parameters.at(1).size, 12u);
  ASSERT_EQ(function.targetLists.size(), 2u);
  EXPECT_EQ(function.targetLists[0].functions, (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(function.targetLists[1].labels, (std::vector<uint32_t>{0, 1}));
}

} // namespace

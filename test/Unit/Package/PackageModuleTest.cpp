//===- PackageModuleTest.cpp - Plans, entries and constants of modules ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/PackageModule.h"
#include "PackingTestSupport.h"
#include "nvfp4/Target/Package/ExtractPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;
using namespace nvfp4;

namespace {

class PackageModule : public testing::Test {
protected:
  PackageModule()
      : handler(&context, [this](Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
          return success();
        }) {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, tensor::TensorDialect,
                        NVFP4Dialect>();
  }

  OwningOpRef<ModuleOp> parse(const char *text) {
    auto module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << errors;
    return module;
  }

  MLIRContext context;
  std::string errors;
  ScopedDiagnosticHandler handler;
};

/// Batched weights that are transposed, with one global scale per expert.
const char *const kExperts = R"mlir(
func.func private @pack.experts(%w: tensor<3x32x40xbf16> {nvfp4.weight = "experts"})
    -> !nvfp4.tensor<3x40x32, nvfp4<global = slice>, layout = tiled>
    attributes {nvfp4.pack = "experts"} {
  %e = tensor.empty() : tensor<3x40x32xbf16>
  %t = linalg.transpose ins(%w : tensor<3x32x40xbf16>) outs(%e : tensor<3x40x32xbf16>) permutation = [0, 2, 1]
  %g = nvfp4.global_scale %t per_slice : tensor<3x40x32xbf16> -> tensor<3xf32>
  %q = nvfp4.quantize %t global_scale %g : tensor<3x40x32xbf16>, tensor<3xf32>
      -> !nvfp4.tensor<3x40x32, nvfp4<global = slice>>
  %r = nvfp4.relayout %q : !nvfp4.tensor<3x40x32, nvfp4<global = slice>>
      -> !nvfp4.tensor<3x40x32, nvfp4<global = slice>, layout = tiled>
  return %r : !nvfp4.tensor<3x40x32, nvfp4<global = slice>, layout = tiled>
})mlir";

TEST_F(PackageModule, ComponentsHaveTheBytesOfTheType) {
  auto module = parse(kExperts);
  auto plans = extractPlans(*module);
  ASSERT_TRUE(succeeded(plans)) << errors;
  ASSERT_EQ(plans->size(), 1u);
  const PackingPlan &plan = plans->front();
  EXPECT_EQ(plan.name, "experts");
  ASSERT_EQ(plan.components.size(), 3u);
  EXPECT_EQ(plan.components[0].name, "experts.codes");
  EXPECT_EQ(plan.components[1].dtype, DType::F8_E4M3);
  EXPECT_EQ(plan.components[2].shape, Extents{3});
  EXPECT_FALSE(plan.quantize->scaleRead.has_value());

  test::Weights weights;
  weights.addRandom("experts", DType::BF16, {3, 32, 40});
  test::Packed packed;
  auto stats = test::packInto(packed, plan, weights.getSource());
  ASSERT_TRUE(stats.ok()) << stats.getMessage();
  for (const TensorSpec &component : plan.components)
    EXPECT_EQ(packed[component.name].size(),
              *getTensorBytes(component.dtype, component.shape))
        << component.name;
}

TEST_F(PackageModule, OpsOutsideTheGrammarAreErrors) {
  auto module = parse(R"mlir(
func.func private @pack.w(%w: tensor<32x64xf32> {nvfp4.weight = "w"})
    -> tensor<32x64xf32> attributes {nvfp4.pack = "w"} {
  %0 = arith.addf %w, %w : tensor<32x64xf32>
  return %0 : tensor<32x64xf32>
})mlir");
  EXPECT_TRUE(failed(extractPlans(*module)));
  EXPECT_EQ(errors, "expected a packing function of views, casts, quantize and "
                    "relayout of weights\n");
}

TEST_F(PackageModule, Entries) {
  auto module = parse(R"mlir(
func.func @main() attributes {
    nvfp4.checks = ["token id out of range"],
    nvfp4.entry = {
      dimensions = [{name = "batch", min = 1, max = -1}, {name = "n", min = 0, max = 8}],
      arguments = [{kind = "input", name = "ids", dtype = "I64", shape = ["batch", 32]},
                   {kind = "weight", name = "w.codes", dtype = "U8", shape = [64, 32]},
                   {kind = "input", name = "mask", dtype = "BOOL", shape = ["n"]}],
      results = [{name = "y", dtype = "F32", shape = ["batch", -1]},
                 {name = "q.codes", dtype = "U8", shape = ["?", 16]}]}} {
  return
})mlir");
  auto entries = readEntries(*module);
  ASSERT_TRUE(succeeded(entries)) << errors;
  ASSERT_EQ(entries->size(), 1u);
  const ManifestEntry &entry = entries->front();
  EXPECT_EQ(entry.name, "main");
  ASSERT_EQ(entry.dimensions.size(), 2u);
  EXPECT_FALSE(entry.dimensions[0].max.has_value());
  EXPECT_EQ(entry.dimensions[1].max, 8);
  ASSERT_EQ(entry.arguments.size(), 3u);
  EXPECT_EQ(entry.arguments[1].weightName, "w.codes");
  EXPECT_EQ(entry.arguments[2].inputIndex, 1u);
  EXPECT_EQ(formatShape(entry.inputs[0].shape), "[batch, 32]");
  EXPECT_EQ(formatShape(entry.results[0].shape), "[batch, ?]");
  EXPECT_TRUE(entry.results[1].shape[0].isUnknown());
  EXPECT_EQ(entry.checks, std::vector<std::string>{"token id out of range"});
}

TEST_F(PackageModule, MalformedEntriesAreErrors) {
  auto module = parse(R"mlir(
func.func @main() attributes {nvfp4.entry = {arguments = [{kind = "input"}],
    dimensions = [], results = []}} {
  return
})mlir");
  EXPECT_TRUE(failed(readEntries(*module)));
  EXPECT_EQ(errors, "expected 'nvfp4.entry' as nvfp4-record-entry writes it, "
                    "but got {kind = \"input\"}\n");
}

TEST_F(PackageModule, Constants) {
  auto module = parse(R"mlir(
module attributes {nvfp4.constants = {
    a = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>,
    b = dense<7> : tensor<3xi16>,
    c = dense<[true, false, true]> : tensor<3xi1>,
    d = dense_resource<d> : tensor<2xf32>}} {}
{-# dialect_resources: {builtin: {d: "0x040000000000803F00000040"}} #-})mlir");
  test::Weights behind;
  behind.addRandom("e", DType::F32, {1});
  auto source = makeWeightSource(*module, &behind.getSource());
  ASSERT_TRUE(succeeded(source)) << errors;
  auto read = [&](const std::string &name) {
    auto tensor = (*source)->get(name);
    EXPECT_TRUE(tensor.ok()) << tensor.getMessage();
    std::string bytes(tensor->bytes, '\0');
    EXPECT_TRUE(tensor->read(bytes.data(), 0, bytes.size()).ok());
    return bytes;
  };
  const float kA[] = {1, 2, 3, 4}, kD[] = {1, 2};
  EXPECT_EQ(read("a"), std::string(reinterpret_cast<const char *>(kA), 16));
  EXPECT_EQ(read("b"), std::string("\7\0\7\0\7\0", 6));
  EXPECT_EQ(read("c"), std::string("\1\0\1", 3));
  EXPECT_EQ(read("d"), std::string(reinterpret_cast<const char *>(kD), 8));
  EXPECT_EQ(read("e").size(), 4u);
  EXPECT_EQ((*source)->get("f").getMessage(),
            "expected weights with the tensor 'f', but got no weights");
}

TEST_F(PackageModule, ConstantsOfOtherTypesAreErrors) {
  auto module = parse(R"mlir(
module attributes {nvfp4.constants = {a = dense<[1, 2]> : tensor<2xindex>}} {})mlir");
  EXPECT_TRUE(failed(makeWeightSource(*module, nullptr)));
  EXPECT_EQ(errors, "expected constant 'a' to be dense, of elements that a "
                    "safetensors file can hold, but got tensor<2xindex>\n");
}

} // namespace

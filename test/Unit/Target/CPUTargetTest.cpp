//===- CPUTargetTest.cpp - Functions compiled, loaded and run -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompiledProgram.h"

#include <gtest/gtest.h>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

constexpr char kBias[] = R"mlir(
#all = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>
func.func @main(%x: tensor<?x3xf32> {nvfp4.name = "x", nvfp4.shape = ["batch", 3]},
                %b: tensor<3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %c0 = arith.constant 0 : index
  %c5 = arith.constant 5 : index
  %rows = tensor.dim %x, %c0 : tensor<?x3xf32>
  %fits = arith.cmpi ult, %rows, %c5 : index
  cf.assert %fits, "batch must be less than 5"
  %e = tensor.empty(%rows) : tensor<?x3xf32>
  %y = linalg.generic {indexing_maps = [#all, #last, #all],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<?x3xf32>, tensor<3xf32>)
      outs(%e : tensor<?x3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %a = arith.addf %i, %j : f32
    linalg.yield %a : f32
  } -> tensor<?x3xf32>
  return %y, %y : tensor<?x3xf32>, tensor<?x3xf32>
}
)mlir";

TEST(CPUTargetTest, RunsAnElementwiseFunctionForEveryBatch) {
  CompiledProgram program(kBias);
  ASSERT_TRUE(program.isLoaded());
  EXPECT_EQ(program.getDescriptor().abi_version, NVFP4_PROGRAM_ABI_VERSION);
  EXPECT_EQ(program.getDescriptor().num_entries, 1u);
  EXPECT_STREQ(program.getDescriptor().entries[0].name, "main");
  EXPECT_EQ(program.getProgram().cpu, "x86-64-v3");

  std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<float> b = {100, 200, 300};
  for (int64_t batch : {0, 1, 2, 4}) {
    RunResult result =
        program.run(0, {batch}, {x.data(), b.data()}, {2, 2}, {4, 4});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.check, 0);
    EXPECT_EQ(result.extents, (std::vector<int64_t>{batch, 3, batch, 3}));
    std::vector<float> expected;
    for (int64_t i = 0; i < 3 * batch; ++i)
      expected.push_back(x[i] + b[i % 3]);
    EXPECT_EQ(result.get<float>(0), expected);
    EXPECT_EQ(result.get<float>(1), expected);
  }
}

TEST(CPUTargetTest, ReturnsAnErrorWhenAnAssertFails) {
  CompiledProgram program(kBias);
  ASSERT_TRUE(program.isLoaded());
  std::vector<float> x(15), b(3);
  RunResult result = program.run(0, {5}, {x.data(), b.data()}, {2, 2}, {4, 4});
  EXPECT_NE(result.status, 0);
  EXPECT_EQ(result.message, "entry 'main': batch must be less than 5");
}

} // namespace

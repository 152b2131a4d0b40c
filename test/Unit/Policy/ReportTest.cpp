//===- ReportTest.cpp - The precision report ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/PrecisionReport.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <limits>

using namespace mlir;
using namespace nvfp4;

namespace {

constexpr const char *kModule = R"mlir(
func.func @main(%x: tensor<8x32xf32>, %d: tensor<8x32xf32>,
    %w0: tensor<32x32xf32> {nvfp4.weight = "layers.0.fc.weight"},
    %w1: tensor<32x32xf32> {nvfp4.weight = "layers.1.fc.weight"},
    %h: tensor<32x32xf32> {nvfp4.weight = "head.weight"}) {
  %0 = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4>, nvfp4.rule = "r"}
         ins(%x, %w0 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %1 = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4>, nvfp4.rule = "r"}
         ins(%0, %w1 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %2 = linalg.matmul {nvfp4.precision = #nvfp4.precision<bf16>, nvfp4.rule = "r"}
         ins(%1, %h : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return
}
)mlir";

class ReportTest : public testing::Test {
protected:
  ReportTest() {
    context
        .loadDialect<NVFP4Dialect, func::FuncDialect, linalg::LinalgDialect>();
    module = parseSourceString<ModuleOp>(kModule, &context);
  }
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(ReportTest, SumsAndErrors) {
  PrecisionReport report = PrecisionReport::build(*module);
  ASSERT_EQ(report.entries.size(), 3u);
  // 32 * 32 / 2 codes, 64 scales, one global scale.
  EXPECT_EQ(report.entries[0].bytesAfter, 512 + 64 + 4);
  EXPECT_EQ(report.getBytesBefore(), 3 * 4096);
  EXPECT_EQ(report.getBytesAfter(), 2 * 580 + 2048);
  EXPECT_EQ(report.getNumFallbacks(), 0u);

  report.setQuantizationError("layers.0.fc.weight", 20.25);
  report.setQuantizationError("layers.1.fc.weight", 19.75);
  // BF16 is no quantization with an error to report.
  report.setQuantizationError("head.weight", 50);
  EXPECT_EQ(report.entries[0].sqnr, 20.25);
  EXPECT_FALSE(report.entries[2].sqnr);

  std::string table;
  llvm::raw_string_ostream os(table);
  report.print(os);
  EXPECT_NE(table.find("layers.{0,1}.fc  linear  8 x 32 x 32  8.2 KB -> 1.2 KB"
                       "  19.8 dB\n"),
            std::string::npos)
      << table;
}

TEST_F(ReportTest, JSONHasExactlyTheKeys) {
  PrecisionReport report = PrecisionReport::build(*module);
  report.setQuantizationError("layers.0.fc.weight", 20.25);
  llvm::json::Value json = report.toJSON();
  const llvm::json::Object &entry = *(*json.getAsArray())[0].getAsObject();
  EXPECT_EQ(entry.size(), 11u);
  for (llvm::StringRef key :
       {"site", "class", "weight", "shape", "requested", "realised", "rule",
        "reason", "bytes_before", "bytes_after", "sqnr_db"})
    EXPECT_TRUE(entry.get(key)) << key.str();
  EXPECT_EQ(entry.getNumber("sqnr_db"), 20.25);
  EXPECT_EQ(entry.getInteger("bytes_before"), 4096);
  EXPECT_EQ(*entry.get("reason"), llvm::json::Value(nullptr));
}

TEST_F(ReportTest, WhatLostNothingIsExact) {
  PrecisionReport report = PrecisionReport::build(*module);
  for (llvm::StringRef weight : {"layers.0.fc.weight", "layers.1.fc.weight"})
    report.setQuantizationError(weight,
                                std::numeric_limits<double>::infinity());
  llvm::json::Value json = report.toJSON();
  const llvm::json::Object &entry = *(*json.getAsArray())[0].getAsObject();
  EXPECT_EQ(*entry.get("sqnr_db"), llvm::json::Value(nullptr));
  std::string table;
  llvm::raw_string_ostream os(table);
  report.print(os);
  EXPECT_NE(table.find("  exact\n"), std::string::npos) << table;
}

TEST_F(ReportTest, NothingDecidedCountsAsKept) {
  module->walk([](linalg::LinalgOp op) {
    op->setDiscardableAttrs(DictionaryAttr::get(op.getContext()));
  });
  PrecisionReport report = PrecisionReport::build(*module);
  ASSERT_EQ(report.entries.size(), 3u);
  EXPECT_EQ(report.entries[0].realised, "keep");
  EXPECT_EQ(report.entries[0].bytesAfter, 4096);
}

} // namespace

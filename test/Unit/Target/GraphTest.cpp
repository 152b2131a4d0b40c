//===- GraphTest.cpp - Small graphs against references in f64 -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompiledProgram.h"

#include "llvm/ADT/bit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

std::vector<float> getRandom(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(generator);
  return values;
}

void expectNear(const std::vector<float> &actual,
                const std::vector<double> &expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance) << "at " << i;
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// out[i][j] = sum of lhs(i, k) * rhs(k, j) in f64.
template <typename Lhs, typename Rhs>
std::vector<double> multiply(int64_t m, int64_t n, int64_t k, Lhs lhs,
                             Rhs rhs) {
  std::vector<double> out(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l)
        out[i * n + j] += double(lhs(i, l)) * double(rhs(l, j));
  return out;
}

constexpr char kMatmul[] = R"mlir(
func.func @main(%a: tensor<?x37xf32> {nvfp4.shape = ["m", 37]},
                %b: tensor<37x?xf32> {nvfp4.shape = [37, "n"]})
    -> (tensor<?x?xf32> {nvfp4.shape = ["m", "n"]}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x37xf32>
  %n = tensor.dim %b, %c1 : tensor<37x?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %r = linalg.matmul ins(%a, %b : tensor<?x37xf32>, tensor<37x?xf32>)
      outs(%f : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}
)mlir";

TEST(ContractionTest, MatmulOfEveryRemainder) {
  CompiledProgram program(kMatmul);
  ASSERT_TRUE(program.isLoaded());
  for (int64_t m : {0, 1, 2, 3, 4, 5, 9}) {
    for (int64_t n : {0, 1, 7, 15, 16, 17, 33}) {
      std::vector<float> a = getRandom(m * 37, m + 1);
      std::vector<float> b = getRandom(37 * n, n + 100);
      RunResult result = program.run(0, {m, n}, {a.data(), b.data()}, {2}, {4});
      EXPECT_EQ(result.extents, (std::vector<int64_t>{m, n}));
      expectNear(result.get<float>(0),
                 multiply(
                     m, n, 37, [&](auto i, auto k) { return a[i * 37 + k]; },
                     [&](auto k, auto j) { return b[k * n + j]; }),
                 1e-5);
    }
  }
}

TEST(ContractionTest, ARowDoesNotDependOnTheOthers) {
  CompiledProgram program(kMatmul);
  ASSERT_TRUE(program.isLoaded());
  constexpr int64_t kN = 21;
  std::vector<float> a = getRandom(11 * 37, 1), b = getRandom(37 * kN, 2);
  std::vector<float> all =
      program.run(0, {11, kN}, {a.data(), b.data()}, {2}, {4}).get<float>(0);
  for (int64_t i = 0; i < 11; ++i) {
    std::vector<float> alone =
        program.run(0, {1, kN}, {a.data() + i * 37, b.data()}, {2}, {4})
            .get<float>(0);
    EXPECT_EQ(alone, std::vector<float>(all.begin() + i * kN,
                                        all.begin() + (i + 1) * kN));
  }
}

TEST(ContractionTest, TransposedOperandsAndTwoBatchDimensions) {
  // Attention scores: q[b,h,m,k] k[b,h,n,k] -> [b,h,m,n], with q and k as views
  // of [b,m,h,k].
  CompiledProgram program(R"mlir(
#in = affine_map<(b, h, m, n, k) -> (b, m, h, k)>
#key = affine_map<(b, h, m, n, k) -> (b, n, h, k)>
#out = affine_map<(b, h, m, n, k) -> (b, h, m, n)>
func.func @main(%q: tensor<?x5x3x8xf32> {nvfp4.shape = ["b", 5, 3, 8]},
                %k: tensor<?x6x3x8xf32> {nvfp4.shape = ["b", 6, 3, 8]})
    -> (tensor<?x3x5x6xf32> {nvfp4.shape = ["b", 3, 5, 6]}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x5x3x8xf32>
  %e = tensor.empty(%b) : tensor<?x3x5x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3x5x6xf32>) -> tensor<?x3x5x6xf32>
  %r = linalg.generic {indexing_maps = [#in, #key, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<?x5x3x8xf32>, tensor<?x6x3x8xf32>)
      outs(%f : tensor<?x3x5x6xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x3x5x6xf32>
  return %r : tensor<?x3x5x6xf32>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  for (int64_t batch : {0, 1, 3}) {
    std::vector<float> q = getRandom(batch * 5 * 3 * 8, 1);
    std::vector<float> k = getRandom(batch * 6 * 3 * 8, 2);
    std::vector<float> out =
        program.run(0, {batch}, {q.data(), k.data()}, {4}, {4}).get<float>(0);
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < 3; ++h)
        expectNear(std::vector<float>(out.begin() + (b * 3 + h) * 30,
                                      out.begin() + (b * 3 + h + 1) * 30),
                   multiply(
                       5, 6, 8,
                       [&](auto i, auto l) {
                         return q[((b * 5 + i) * 3 + h) * 8 + l];
                       },
                       [&](auto l, auto j) {
                         return k[((b * 6 + j) * 3 + h) * 8 + l];
                       }),
                   1e-5);
  }
}

TEST(ContractionTest, TransposedResultMatrixVectorAndTwoReductions) {
  CompiledProgram program(R"mlir(
#a = affine_map<(m, n, k, l) -> (k, m, l)>
#b = affine_map<(m, n, k, l) -> (n, l, k)>
#t = affine_map<(m, n, k, l) -> (n, m)>
#v0 = affine_map<(m, k) -> (m, k)>
#v1 = affine_map<(m, k) -> (k)>
#v2 = affine_map<(m, k) -> (m)>
func.func @main(%a: tensor<3x6x4xf32>, %b: tensor<18x4x3xf32>, %c: tensor<5x7xf32>,
                %d: tensor<7xf32>) -> (tensor<18x6xf32>, tensor<5xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<18x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<18x6xf32>) -> tensor<18x6xf32>
  %r = linalg.generic {indexing_maps = [#a, #b, #t],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%a, %b : tensor<3x6x4xf32>, tensor<18x4x3xf32>) outs(%f : tensor<18x6xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %y, %x : f32
    %s = arith.addf %p, %o : f32
    linalg.yield %s : f32
  } -> tensor<18x6xf32>
  %e1 = tensor.empty() : tensor<5xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<5xf32>) -> tensor<5xf32>
  %v = linalg.matvec ins(%c, %d : tensor<5x7xf32>, tensor<7xf32>) outs(%f1 : tensor<5xf32>) -> tensor<5xf32>
  return %r, %v : tensor<18x6xf32>, tensor<5xf32>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  std::vector<float> a = getRandom(3 * 6 * 4, 1), b = getRandom(18 * 4 * 3, 2);
  std::vector<float> c = getRandom(5 * 7, 3), d = getRandom(7, 4);
  RunResult result = program.run(
      0, {}, {a.data(), b.data(), c.data(), d.data()}, {2, 1}, {4, 4});
  expectNear(
      result.get<float>(0),
      multiply(
          18, 6, 12,
          [&](auto n, auto kl) { return b[(n * 4 + kl % 4) * 3 + kl / 4]; },
          [&](auto kl, auto m) { return a[(kl / 4 * 6 + m) * 4 + kl % 4]; }),
      1e-5);
  expectNear(result.get<float>(1),
             multiply(
                 5, 1, 7, [&](auto i, auto k) { return c[i * 7 + k]; },
                 [&](auto k, auto) { return d[k]; }),
             1e-5);
}

uint16_t toBF16(float x) { return llvm::bit_cast<uint32_t>(x) >> 16; }
float fromBF16(uint16_t x) { return llvm::bit_cast<float>(uint32_t(x) << 16); }

TEST(ContractionTest, NarrowOperandsAccumulateInF32) {
  CompiledProgram program(R"mlir(
func.func @main(%a: tensor<5x40xbf16>, %b: tensor<40x19xbf16>)
    -> (tensor<5x19xf32>, tensor<5x19xbf16>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x19xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x19xf32>) -> tensor<5x19xf32>
  %r = linalg.matmul ins(%a, %b : tensor<5x40xbf16>, tensor<40x19xbf16>)
      outs(%f : tensor<5x19xf32>) -> tensor<5x19xf32>
  %zero16 = arith.constant 0.0 : bf16
  %e16 = tensor.empty() : tensor<5x19xbf16>
  %f16 = linalg.fill ins(%zero16 : bf16) outs(%e16 : tensor<5x19xbf16>) -> tensor<5x19xbf16>
  %r16 = linalg.matmul ins(%a, %b : tensor<5x40xbf16>, tensor<40x19xbf16>)
      outs(%f16 : tensor<5x19xbf16>) -> tensor<5x19xbf16>
  return %r, %r16 : tensor<5x19xf32>, tensor<5x19xbf16>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  std::vector<uint16_t> a, b;
  for (float x : getRandom(5 * 40, 1))
    a.push_back(toBF16(x));
  for (float x : getRandom(40 * 19, 2))
    b.push_back(toBF16(x));
  RunResult result = program.run(0, {}, {a.data(), b.data()}, {2, 2}, {4, 2});
  std::vector<double> expected = multiply(
      5, 19, 40, [&](auto i, auto k) { return fromBF16(a[i * 40 + k]); },
      [&](auto k, auto j) { return fromBF16(b[k * 19 + j]); });
  expectNear(result.get<float>(0), expected, 1e-5);
  // One rounding at the end: half a unit in the last of 8 bits.
  std::vector<uint16_t> narrow = result.get<uint16_t>(1);
  for (size_t i = 0; i < narrow.size(); ++i)
    EXPECT_NEAR(fromBF16(narrow[i]), expected[i],
                std::abs(expected[i]) / 256 + 1e-5);
}

//===----------------------------------------------------------------------===//
// What is around them
//===----------------------------------------------------------------------===//

TEST(GraphTest, SoftmaxAndLayerNorm) {
  CompiledProgram program(R"mlir(
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#last = affine_map<(i, j) -> (j)>
func.func @main(%x: tensor<?x33xf32> {nvfp4.shape = ["batch", 33]}, %g: tensor<33xf32>)
    -> (tensor<?x33xf32>, tensor<?x33xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %count = arith.constant 33.0 : f32
  %eps = arith.constant 1.0e-5 : f32
  %b = tensor.dim %x, %c0 : tensor<?x33xf32>
  %e = tensor.empty(%b) : tensor<?x33xf32>
  %er = tensor.empty(%b) : tensor<?xf32>
  %m0 = linalg.fill ins(%low : f32) outs(%er : tensor<?xf32>) -> tensor<?xf32>
  %s0 = linalg.fill ins(%zero : f32) outs(%er : tensor<?xf32>) -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x33xf32>) outs(%m0 : tensor<?xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = arith.maximumf %i, %o : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  %exp = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<?x33xf32>, tensor<?xf32>) outs(%e : tensor<?x33xf32>) {
  ^bb0(%i: f32, %m: f32, %o: f32):
    %d = arith.subf %i, %m : f32
    %v = math.exp %d : f32
    linalg.yield %v : f32
  } -> tensor<?x33xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%exp : tensor<?x33xf32>) outs(%s0 : tensor<?xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = arith.addf %i, %o : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  %softmax = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%exp, %sum : tensor<?x33xf32>, tensor<?xf32>) outs(%e : tensor<?x33xf32>) {
  ^bb0(%i: f32, %s: f32, %o: f32):
    %v = arith.divf %i, %s : f32
    linalg.yield %v : f32
  } -> tensor<?x33xf32>

  %total = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x33xf32>) outs(%s0 : tensor<?xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = arith.addf %i, %o : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  %centered = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %total : tensor<?x33xf32>, tensor<?xf32>) outs(%e : tensor<?x33xf32>) {
  ^bb0(%i: f32, %t: f32, %o: f32):
    %mean = arith.divf %t, %count : f32
    %v = arith.subf %i, %mean : f32
    linalg.yield %v : f32
  } -> tensor<?x33xf32>
  %squares = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%centered : tensor<?x33xf32>) outs(%s0 : tensor<?xf32>) {
  ^bb0(%i: f32, %o: f32):
    %p = arith.mulf %i, %i : f32
    %v = arith.addf %p, %o : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  %norm = linalg.generic {indexing_maps = [#all, #row, #last, #all], iterator_types = ["parallel", "parallel"]}
      ins(%centered, %squares, %g : tensor<?x33xf32>, tensor<?xf32>, tensor<33xf32>) outs(%e : tensor<?x33xf32>) {
  ^bb0(%i: f32, %s: f32, %gain: f32, %o: f32):
    %var = arith.divf %s, %count : f32
    %shifted = arith.addf %var, %eps : f32
    %r = math.rsqrt %shifted : f32
    %n = arith.mulf %i, %r : f32
    %v = arith.mulf %n, %gain : f32
    linalg.yield %v : f32
  } -> tensor<?x33xf32>
  return %softmax, %norm : tensor<?x33xf32>, tensor<?x33xf32>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  constexpr int64_t kN = 33;
  for (int64_t batch : {0, 1, 4}) {
    std::vector<float> x = getRandom(batch * kN, 1), g = getRandom(kN, 2);
    RunResult result =
        program.run(0, {batch}, {x.data(), g.data()}, {2, 2}, {4, 4});
    std::vector<double> softmax, norm;
    for (int64_t i = 0; i < batch; ++i) {
      double sum = 0, mean = 0, variance = 0;
      for (int64_t j = 0; j < kN; ++j) {
        sum += std::exp(double(x[i * kN + j]));
        mean += x[i * kN + j] / double(kN);
      }
      for (int64_t j = 0; j < kN; ++j)
        variance += std::pow(x[i * kN + j] - mean, 2) / kN;
      for (int64_t j = 0; j < kN; ++j) {
        softmax.push_back(std::exp(double(x[i * kN + j])) / sum);
        norm.push_back((x[i * kN + j] - mean) / std::sqrt(variance + 1e-5) *
                       g[j]);
      }
    }
    expectNear(result.get<float>(0), softmax, 1e-6);
    expectNear(result.get<float>(1), norm, 1e-5);
  }
}

TEST(GraphTest, AGatherRecordsItsFirstViolation) {
  CompiledProgram program(R"mlir(
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#one = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>
func.func @main(%table: tensor<4x3xf32>, %ids: tensor<?xi64> {nvfp4.shape = ["n"]})
    -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0 : i64
  %four = arith.constant 4 : i64
  %fine = arith.constant 0 : i32
  %low = arith.constant 2 : i32
  %high = arith.constant 1 : i32
  %n = tensor.dim %ids, %c0 : tensor<?xi64>
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %r = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?xi64>) outs(%e : tensor<?x3xf32>) {
  ^bb0(%i: i64, %o: f32):
    %column = linalg.index 1 : index
    %raw = arith.index_cast %i : i64 to index
    %least = arith.maxsi %raw, %c0 : index
    %row = arith.minsi %least, %c3 : index
    %v = tensor.extract %table[%row, %column] : tensor<4x3xf32>
    linalg.yield %v : f32
  } -> tensor<?x3xf32>
  %es = tensor.empty() : tensor<i32>
  %s0 = linalg.fill ins(%fine : i32) outs(%es : tensor<i32>) -> tensor<i32>
  %status = linalg.generic {indexing_maps = [#one, #none], iterator_types = ["reduction"]}
      ins(%ids : tensor<?xi64>) outs(%s0 : tensor<i32>) {
  ^bb0(%i: i64, %o: i32):
    %isLow = arith.cmpi slt, %i, %zero : i64
    %isHigh = arith.cmpi sge, %i, %four : i64
    %first = arith.select %isHigh, %high, %fine : i32
    %this = arith.select %isLow, %low, %first : i32
    %isNew = arith.cmpi eq, %o, %fine : i32
    %v = arith.select %isNew, %this, %o : i32
    linalg.yield %v : i32
  } -> tensor<i32>
  nvfp4.record_error %s0 messages ["never"] : tensor<i32>
  nvfp4.record_error %status messages ["too large", "negative"] : tensor<i32>
  nvfp4.record_error %status messages ["too late", "too late"] : tensor<i32>
  return %r : tensor<?x3xf32>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  ASSERT_EQ(program.getProgram().entries.size(), 1u);
  mlir::ArrayAttr checks = program.getProgram().entries[0].checks;
  ASSERT_EQ(checks.size(), 5u);
  EXPECT_EQ(mlir::cast<mlir::StringAttr>(checks[2]).getValue(), "negative");

  std::vector<float> table = getRandom(12, 1);
  auto check = [&](std::vector<int64_t> ids) {
    RunResult result = program.run(0, {int64_t(ids.size())},
                                   {table.data(), ids.data()}, {2}, {4});
    EXPECT_EQ(result.status, 0);
    std::vector<float> out = result.get<float>(0);
    for (size_t i = 0; i < ids.size(); ++i)
      for (int64_t j = 0; j < 3; ++j)
        EXPECT_EQ(out[i * 3 + j],
                  table[std::clamp<int64_t>(ids[i], 0, 3) * 3 + j]);
    return result.check;
  };
  EXPECT_EQ(check({}), 0);
  EXPECT_EQ(check({3, 0, 2, 1}), 0);
  EXPECT_EQ(check({3, 4}), 2);
  EXPECT_EQ(check({-1, 3, 4, 0}), 3);
}

TEST(GraphTest, ResultsThatAreArgumentsConstantsAndViews) {
  CompiledProgram program(R"mlir(
func.func @main(%x: tensor<?x6xf32> {nvfp4.shape = ["batch", 6]})
    -> (tensor<?x6xf32>, tensor<2xf32>, tensor<?x2x3xf32>, tensor<?xf32>, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x6xf32>
  %k = arith.constant dense<[1.5, -2.5]> : tensor<2xf32>
  %e = tensor.expand_shape %x [[0], [1, 2]] output_shape [%b, 2, 3]
      : tensor<?x6xf32> into tensor<?x2x3xf32>
  %c = tensor.collapse_shape %x [[0, 1]] : tensor<?x6xf32> into tensor<?xf32>
  %s = tensor.extract_slice %x[0, 1] [%b, 2] [1, 3] : tensor<?x6xf32> to tensor<?x2xf32>
  return %x, %k, %e, %c, %s
      : tensor<?x6xf32>, tensor<2xf32>, tensor<?x2x3xf32>, tensor<?xf32>, tensor<?x2xf32>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  for (int64_t batch : {0, 1, 3}) {
    std::vector<float> x = getRandom(batch * 6, 1);
    RunResult result =
        program.run(0, {batch}, {x.data()}, {2, 1, 3, 1, 2}, {4, 4, 4, 4, 4});
    EXPECT_EQ(result.extents, (std::vector<int64_t>{batch, 6, 2, batch, 2, 3,
                                                    batch * 6, batch, 2}));
    EXPECT_EQ(result.get<float>(0), x);
    EXPECT_EQ(result.get<float>(1), (std::vector<float>{1.5, -2.5}));
    EXPECT_EQ(result.get<float>(2), x);
    EXPECT_EQ(result.get<float>(3), x);
    std::vector<float> slice;
    for (int64_t i = 0; i < batch; ++i)
      slice.insert(slice.end(), {x[i * 6 + 1], x[i * 6 + 4]});
    EXPECT_EQ(result.get<float>(4), slice);
  }
}

TEST(GraphTest, LoopsCarryTensorsInPlace) {
  // x^(2^n) by repeated squaring, and a conditional at the end.
  CompiledProgram program(R"mlir(
#id = affine_map<(i) -> (i)>
func.func @main(%x: tensor<?xf32> {nvfp4.shape = ["n"]}, %times: tensor<i64>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %t = tensor.extract %times[] : tensor<i64>
  %count = arith.index_cast %t : i64 to index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %r = scf.for %i = %c0 to %count step %c1 iter_args(%y = %x) -> tensor<?xf32> {
    %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%y : tensor<?xf32>) outs(%e : tensor<?xf32>) {
    ^bb0(%v: f32, %o: f32):
      %s = arith.mulf %v, %v : f32
      linalg.yield %s : f32
    } -> tensor<?xf32>
    scf.yield %z : tensor<?xf32>
  }
  %many = arith.cmpi ugt, %count, %c2 : index
  %out = scf.if %many -> tensor<?xf32> {
    %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%r : tensor<?xf32>) outs(%e : tensor<?xf32>) {
    ^bb0(%v: f32, %o: f32):
      %s = arith.negf %v : f32
      linalg.yield %s : f32
    } -> tensor<?xf32>
    scf.yield %z : tensor<?xf32>
  } else {
    scf.yield %r : tensor<?xf32>
  }
  return %out : tensor<?xf32>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  std::vector<float> x = {1, -2, 0.5f};
  for (int64_t times : {0, 1, 2, 3}) {
    std::vector<float> expected = x;
    for (float &value : expected) {
      for (int64_t i = 0; i < times; ++i)
        value *= value;
      if (times > 2)
        value = -value;
    }
    EXPECT_EQ(program.run(0, {3}, {x.data(), &times}, {1}, {4}).get<float>(0),
              expected);
  }
}

TEST(GraphTest, BuffersOfDisjointLifetimeShareMemory) {
  // A chain of products. The last one starts from zeros in the caller's buffer.
  std::string text = "#t = affine_map<(i, j) -> (j, i)>\n"
                     "#i = affine_map<(i, j) -> (i, j)>\n"
                     "func.func @main(%x0: tensor<16x16xf32>) -> "
                     "tensor<16x16xf32> {\n"
                     "  %e = tensor.empty() : tensor<16x16xf32>\n"
                     "  %z = arith.constant 0.0 : f32\n";
  for (int i = 0; i < 10; ++i) {
    std::string n = std::to_string(i), next = std::to_string(i + 1);
    text += "  %f" + n +
            " = linalg.fill ins(%z : f32) outs(%e : "
            "tensor<16x16xf32>) -> tensor<16x16xf32>\n"
            "  %x" +
            next + " = linalg.matmul ins(%x" + n + ", %x" + n +
            " : tensor<16x16xf32>, tensor<16x16xf32>) outs(%f" + n +
            " : tensor<16x16xf32>) -> tensor<16x16xf32>\n";
  }
  text += "  return %x10 : tensor<16x16xf32>\n}\n";
  CompiledProgram program(text);
  ASSERT_TRUE(program.isLoaded());
  std::vector<float> x(256);
  for (int i = 0; i < 16; ++i)
    x[i * 16 + (i + 1) % 16] =
        1; // a rotation: its 1024th power is the identity
  RunResult result = program.run(0, {}, {x.data()}, {2}, {4});
  std::vector<float> expected(256);
  for (int i = 0; i < 16; ++i)
    expected[i * 16 + i] = 1;
  EXPECT_EQ(result.get<float>(0), expected);
  // Two of the chain, the zeros that the others start from, a panel, a row, the
  // header.
  EXPECT_LE(result.workspaceBytes, 4 * 1024 + 64 + 64);
}

TEST(GraphTest, SeveralEntriesInOneProgram) {
  CompiledProgram program(R"mlir(
#id = affine_map<(i) -> (i)>
func.func @twice(%x: tensor<?xf32> {nvfp4.shape = ["n"]}) -> tensor<?xf32> {
  %y = arith.addf %x, %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
func.func @negated(%x: tensor<2x?xf16> {nvfp4.shape = [2, "m"]}) -> tensor<2x?xf16> {
  %y = arith.negf %x : tensor<2x?xf16>
  return %y : tensor<2x?xf16>
}
)mlir");
  ASSERT_TRUE(program.isLoaded());
  ASSERT_EQ(program.getDescriptor().num_entries, 2u);
  EXPECT_STREQ(program.getDescriptor().entries[0].name, "twice");
  EXPECT_STREQ(program.getDescriptor().entries[1].name, "negated");
  std::vector<float> x = {1, 2, 3};
  EXPECT_EQ(program.run(0, {3}, {x.data()}, {1}, {4}).get<float>(0),
            (std::vector<float>{2, 4, 6}));
  std::vector<uint16_t> h = {0x3c00, 0xbc00}; // 1, -1
  EXPECT_EQ(program.run(1, {1}, {h.data()}, {2}, {2}).get<uint16_t>(0),
            (std::vector<uint16_t>{0xbc00, 0x3c00}));
}

} // namespace

//===- WmmaTest.cpp - wmma.load, wmma.mma, wmma.store ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fragments are opaque, so only whole products are compared: matrices of small
// integers in shared memory, loaded in every layout.
//
//===----------------------------------------------------------------------===//

#include "WarpKernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace nvfp4::ptx;

namespace {

constexpr unsigned kTileBytes = 1024;

struct WmmaCase {
  unsigned m, n, k;
  const char *factor, *sum;
  unsigned numA, numB, numC;
  bool isColumnA, isColumnB, isColumnC;
  const char *suffix = "";
};

} // namespace

/// Puts a small number of an element type at index `index` of `bytes`.
static void put(std::vector<uint8_t> &bytes, const std::string &type,
                unsigned index, int value) {
  auto store = [&](auto bits) {
    std::memcpy(&bytes[index * sizeof(bits)], &bits, sizeof(bits));
  };
  float single = float(value);
  uint32_t word;
  std::memcpy(&word, &single, 4);
  if (type == "f64")
    store(double(value));
  else if (type == "f32" || type == "tf32")
    store(single);
  else if (type == "bf16")
    store(uint16_t(word >> 16));
  else if (type == "f16")
    // Rebias the exponent; zero stays zero.
    store(uint16_t(value ? (word >> 16 & 0x8000) |
                               ((word >> 13 & 0x3FFFF) - (112 << 10))
                         : 0));
  else if (type == "s32")
    store(int32_t(value));
  else if (type == "s8" || type == "u8")
    store(int8_t(value));
  else if (type == "s4")
    bytes[index / 2] |= uint8_t((value & 15) << (index % 2 * 4));
  else
    bytes[index / 8] |= uint8_t((value & 1) << (index % 8));
}

static std::string list(const char *prefix, unsigned first, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? ", " : "") + std::string(prefix) + std::to_string(first + i);
  return text + "}";
}

static std::string getShape(const WmmaCase &test) {
  return "m" + std::to_string(test.m) + "n" + std::to_string(test.n) + "k" +
         std::to_string(test.k);
}

/// A at 0, B at 1 KiB, C at 2 KiB, D at 3 KiB of the tile.
static std::string makeBody(const WmmaCase &test) {
  std::string shape = getShape(test), factor = test.factor, sum = test.sum;
  std::string space = ".sync.aligned.", text = "mov.b32 %r0, tile;\n"
                                               "mul.lo.u32 %r1, %lane, 96;\n"
                                               "add.u32 %r1, %r1, %r0;\n";
  for (unsigned i = 0; i < 24; ++i)
    text += "st.shared.b32 [%r1+" + std::to_string(4 * i) + "], %in" +
            std::to_string(i) + ";\n";
  text += "bar.warp.sync -1;\n";
  auto name = [](bool isColumn) { return isColumn ? "col." : "row."; };
  auto getPrefix = [](const std::string &type) {
    return type == "f64" ? "%d" : type == "f32" ? "%f" : "%r";
  };
  std::string a = list(getPrefix(factor), 4, test.numA);
  std::string b = list(getPrefix(factor), 14, test.numB);
  std::string c = list(getPrefix(sum), 24, test.numC);
  // A has an explicit stride, the others the natural one.
  std::string strideA = std::to_string(test.isColumnA ? test.m : test.k);
  text += "wmma.load.a" + space + name(test.isColumnA) + shape + ".shared." +
          factor + " " + a + ", [%r0], " + strideA + ";\n";
  text += "wmma.load.b" + space + name(test.isColumnB) + shape + ".shared." +
          factor + " " + b + ", [%r0+1024];\n";
  text += "wmma.load.c" + space + name(test.isColumnC) + shape + ".shared." +
          sum + " " + c + ", [%r0+2048];\n";
  std::string types = factor == "f16"
                          ? sum + "." + sum
                          : sum + "." + factor + "." + factor + "." + sum;
  std::string operation = factor == "b1" ? "wmma.mma.xor.popc" : "wmma.mma";
  text += operation + space + name(test.isColumnA) + name(test.isColumnB) +
          shape + "." + types + test.suffix + " " + c + ", " + a + ", " + b +
          ", " + c + ";\n";
  text += "wmma.store.d" + space + name(test.isColumnC) + shape + ".shared." +
          sum + " [%r0+3072], " + c + ";\n";
  text += "bar.warp.sync -1;\nshl.b32 %r2, %lane, 5;\n"
          "add.u32 %r2, %r2, %r0;\n";
  std::string sums = test.sum;
  unsigned bytes = test.m * test.n *
                   (sums == "f64"   ? 8
                    : sums == "f16" ? 2
                                    : 4);
  for (unsigned i = 0; i < 8; ++i)
    text += "mov.b32 %out" + std::to_string(i) + ", 0;\n";
  text += "setp.lt.u32 %p1, %lane, " + std::to_string(bytes / 32) + ";\n";
  for (unsigned i = 0; i < 8; ++i)
    text += "@%p1 ld.shared.b32 %out" + std::to_string(i) + ", [%r2+" +
            std::to_string(3072 + 4 * i) + "];\n";
  return text;
}

static void runCase(const WmmaCase &test) {
  SCOPED_TRACE(getShape(test) + " " + test.factor + " " + test.sum);
  std::mt19937 random(11);
  bool isBits = test.factor == std::string("b1");
  auto pick = [&](int least, int most) {
    return int(random() % unsigned(most - least + 1)) + least;
  };
  auto makeMatrix = [&](unsigned count, int least, int most) {
    std::vector<int> matrix(count);
    for (int &value : matrix)
      value = pick(least, most);
    return matrix;
  };
  std::vector<int> a =
      makeMatrix(test.m * test.k, isBits ? 0 : -4, isBits ? 1 : 4);
  std::vector<int> b =
      makeMatrix(test.k * test.n, isBits ? 0 : -4, isBits ? 1 : 4);
  std::vector<int> c = makeMatrix(test.m * test.n, -9, 9);
  std::vector<uint8_t> memory(4 * kTileBytes), expected(kTileBytes);
  auto place = [&](const std::vector<int> &matrix, unsigned rows,
                   unsigned columns, bool isColumn, const char *type,
                   std::vector<uint8_t> &bytes) {
    for (unsigned row = 0; row < rows; ++row)
      for (unsigned column = 0; column < columns; ++column)
        put(bytes, type,
            isColumn ? column * rows + row : row * columns + column,
            matrix[row * columns + column]);
  };
  auto placeAt = [&](unsigned offset, auto... arguments) {
    std::vector<uint8_t> bytes(kTileBytes);
    place(arguments..., bytes);
    std::copy(bytes.begin(), bytes.end(), memory.begin() + offset);
  };
  placeAt(0, a, test.m, test.k, test.isColumnA, test.factor);
  placeAt(1024, b, test.k, test.n, test.isColumnB, test.factor);
  placeAt(2048, c, test.m, test.n, test.isColumnC, test.sum);
  for (unsigned row = 0; row < test.m; ++row)
    for (unsigned column = 0; column < test.n; ++column)
      for (unsigned i = 0; i < test.k; ++i) {
        int x = a[row * test.k + i], y = b[i * test.n + column];
        c[row * test.n + column] += isBits ? x != y : x * y;
      }
  place(c, test.m, test.n, test.isColumnC, test.sum, expected);
  WarpKernel kernel;
  kernel.numOutputs = 8;
  kernel.inputs = makeInputs(
      [&](unsigned lane, unsigned word) {
        uint32_t value;
        std::memcpy(&value, &memory[96 * lane + 4 * word], 4);
        return value;
      },
      24);
  kernel.body = makeBody(test);
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned word = 0; word < 8; ++word) {
      uint32_t value;
      std::memcpy(&value, &expected[32 * lane + 4 * word], 4);
      ASSERT_EQ(outcome.outputs[lane][word], value) << lane << " " << word;
    }
}

TEST(Wmma, ProductsInEveryLayout) {
  static constexpr WmmaCase kShapes[] = {
      {16, 16, 16, "f16", "f32", 8, 8, 8, false, false, false},
      {32, 8, 16, "f16", "f16", 8, 8, 4, false, false, false},
      {8, 32, 16, "f16", "f16", 8, 8, 4, false, false, false},
      {8, 32, 16, "f16", "f32", 8, 8, 8, false, false, false},
      {16, 16, 16, "bf16", "f32", 4, 4, 8, false, false, false},
      {32, 8, 16, "bf16", "f32", 8, 2, 8, false, false, false},
      {8, 32, 16, "bf16", "f32", 2, 8, 8, false, false, false},
      {16, 16, 8, "tf32", "f32", 4, 4, 8, false, false, false},
      {16, 16, 16, "s8", "s32", 2, 2, 8, false, false, false},
      {32, 8, 16, "s8", "s32", 4, 1, 8, false, false, false},
      {8, 32, 16, "s8", "s32", 1, 4, 8, false, false, false, ".satfinite"},
      {8, 8, 4, "f64", "f64", 1, 1, 2, false, false, false, ".rn"},
  };
  for (WmmaCase test : kShapes)
    for (unsigned layouts = 0; layouts < 8; ++layouts) {
      test.isColumnA = layouts & 1, test.isColumnB = layouts & 2;
      test.isColumnC = layouts & 4;
      runCase(test);
    }
}

TEST(Wmma, ElementsBelowAByte) {
  runCase({8, 8, 32, "s4", "s32", 1, 1, 2, false, true, false});
  runCase({8, 8, 128, "b1", "s32", 1, 1, 2, false, true, true});
  WarpKernel kernel;
  kernel.body = "wmma.load.a.sync.aligned.col.m8n8k32.shared.s4 {%r0}, [tile];";
  EXPECT_NE(kernel.run().loadError.find("expected .row for A"),
            std::string::npos);
}

TEST(Wmma, UnknownFormsAreRefused) {
  WarpKernel kernel;
  for (const char *text :
       {"wmma.load.a.sync.aligned.row.m16n16k16.f16 {%r0,%r1,%r2,%r3}, [%w0];",
        "wmma.load.a.sync.aligned.row.m16n8k16.bf16 {%r0,%r1,%r2,%r3}, [%w0];",
        "wmma.load.a.sync.aligned.row.m16n16k8.bf16 {%r0,%r1,%r2,%r3}, [%w0];",
        "wmma.load.e.sync.aligned.row.m16n16k16.bf16 {%r0,%r1,%r2,%r3}, "
        "[%w0];"}) {
    kernel.body = text;
    EXPECT_NE(kernel.run().loadError.find("expected"), std::string::npos)
        << text;
  }
}

/// An element of A that nobody wrote reaches one row of D.
TEST(Wmma, UndefinedElementsReachTheirRow) {
  WmmaCase test = {16, 16, 16, "bf16", "f32", 4, 4, 8, false, false, false};
  WarpKernel kernel;
  kernel.numOutputs = 8;
  kernel.inputs =
      makeInputs([](unsigned, unsigned) { return 0x3F803F80u; }, 24);
  kernel.body = makeBody(test);
  // Row 3 of A is bytes 96 to 127, which lane 1 writes; two are left out.
  size_t at = kernel.body.find("st.shared.b32 [%r1+8]");
  kernel.body.insert(at, "setp.ne.u32 %p2, %lane, 1;\n@%p2 ");
  kernel.body.insert(kernel.body.find("bar.warp.sync"),
                     "st.shared.b16 [%r1+8], 0x3f80;\n");
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  // A row of D is 64 bytes: lanes 6 and 7.
  for (unsigned word = 0; word < 8; ++word)
    EXPECT_EQ(outcome.getUndefinedLanes(word), 0xC0u);
}

TEST(Wmma, MatricesMustBeTheSameInAllLanes) {
  WarpKernel kernel;
  kernel.inputs = makeInputs([](unsigned, unsigned) { return 0; }, 64);
  kernel.body = "wmma.load.a.sync.aligned.row.m16n16k16.global.bf16 "
                "{%r0,%r1,%r2,%r3}, [%inAddress];\nmov.b32 %out0, 0;";
  EXPECT_EQ(kernel.run().getRule(), "uniform");
}

//===- MatrixLoadTest.cpp - ldmatrix, stmatrix, movmatrix -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpKernel.h"

#include <gtest/gtest.h>

using namespace nvfp4::ptx;

/// Fills the first 1024 bytes of the tile: byte i holds hash(i).
static uint32_t hash(uint32_t i) { return (i * 37 + i / 16 * 11 + 5) & 0xFF; }

static std::string fillTile() {
  std::string text = "shl.b32 %r1, %lane, 5;\n"
                     "mov.b32 %r2, tile;\n"
                     "add.u32 %r1, %r1, %r2;\n";
  for (unsigned i = 0; i < 8; ++i)
    text += "st.shared.b32 [%r1+" + std::to_string(4 * i) + "], %in" +
            std::to_string(i) + ";\n";
  return text + "bar.warp.sync -1;\n";
}
/// Row `lane` starts at 32 * (lane xor 5).
static const char *const kRowAddress = "xor.b32 %r3, %lane, 5;\n"
                                       "shl.b32 %r3, %r3, 5;\n"
                                       "add.u32 %r3, %r3, %r2;\n";
static uint32_t getRowStart(unsigned row) { return 32 * (row ^ 5); }

static std::vector<std::vector<uint32_t>> makeTile() {
  return makeInputs(
      [](unsigned lane, unsigned word) {
        uint32_t value = 0;
        for (unsigned i = 0; i < 4; ++i)
          value |= hash(32 * lane + 4 * word + i) << (8 * i);
        return value;
      },
      8);
}

static std::string listOutputs(unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? ", %out" : "%out") + std::to_string(i);
  return text + "}";
}

/// The byte of row `row` of the tile's rows.
static uint32_t getByte(unsigned row, unsigned i) {
  return hash(getRowStart(row) + i);
}

namespace {
struct LoadCase {
  const char *qualifiers;
  unsigned numRegisters;
  /// Byte `i` of register `reg` in `lane`.
  uint32_t (*getByte)(unsigned lane, unsigned reg, unsigned i);
};
} // namespace

static uint32_t loadPlain(unsigned lane, unsigned reg, unsigned i) {
  return getByte(8 * reg + lane / 4, lane % 4 * 4 + i);
}
static uint32_t loadTransposed(unsigned lane, unsigned reg, unsigned i) {
  return getByte(8 * reg + lane % 4 * 2 + i / 2, lane / 4 * 2 + i % 2);
}
static uint32_t loadNibbles(unsigned lane, unsigned reg, unsigned i) {
  unsigned element = lane % 4 * 4 + i;
  return getByte(8 * reg + lane / 4, element / 2) >> (element % 2 * 4) & 15;
}
static uint32_t loadBytesTransposed(unsigned lane, unsigned reg, unsigned i) {
  return getByte(16 * (reg / 2) + lane % 4 * 4 + i, lane / 4 + reg % 2 * 8);
}

static const LoadCase kLoads[] = {
    {"m8n8.x1.shared.b16", 1, loadPlain},
    {"m8n8.x2.shared::cta.b16", 2, loadPlain},
    {"m8n8.x4.shared.b16", 4, loadPlain},
    {"m8n8.x1.trans.shared.b16", 1, loadTransposed},
    {"m8n8.x2.trans.shared.b16", 2, loadTransposed},
    {"m8n8.x4.trans.shared.b16", 4, loadTransposed},
    {"m8n16.x1.shared.b8x16.b4x16_p64", 1, loadNibbles},
    {"m8n16.x4.shared.b8x16.b4x16_p64", 4, loadNibbles},
    {"m16n16.x1.trans.shared.b8", 2, loadBytesTransposed},
    {"m16n16.x2.trans.shared.b8", 4, loadBytesTransposed},
};

TEST(LoadMatrix, Forms) {
  for (const LoadCase &test : kLoads) {
    WarpKernel kernel;
    kernel.inputs = makeTile();
    kernel.numOutputs = test.numRegisters;
    kernel.body = fillTile() + kRowAddress + "ldmatrix.sync.aligned." +
                  test.qualifiers + " " + listOutputs(test.numRegisters) +
                  ", [%r3];\n";
    auto outcome = kernel.run();
    ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned reg = 0; reg < test.numRegisters; ++reg)
        for (unsigned i = 0; i < 4; ++i)
          ASSERT_EQ(outcome.outputs[lane][reg] >> (8 * i) & 0xFF,
                    test.getByte(lane, reg, i))
              << test.qualifiers << " lane " << lane << " reg " << reg;
  }
}

TEST(LoadMatrix, GenericAddressWithOffset) {
  WarpKernel kernel;
  kernel.inputs = makeTile();
  kernel.body = fillTile() + kRowAddress +
                "cvt.u64.u32 %w1, %r3;\n"
                "cvta.shared.u64 %w1, %w1;\n"
                "ldmatrix.sync.aligned.m8n8.x1.b16 {%out0}, [%w1+16];\n";
  auto outcome = kernel.run();
  if (outcome.loadError.find("cvt.u64") != std::string::npos)
    GTEST_SKIP() << "no cvt yet";
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(outcome.outputs[lane][0] & 0xFF,
              getByte(lane / 4, 16 + lane % 4 * 4));
}

/// Addresses of lanes that supply no row are not looked at.
TEST(LoadMatrix, OtherLanesSupplyNothing) {
  WarpKernel kernel;
  kernel.inputs = makeTile();
  kernel.body = fillTile() + kRowAddress +
                "setp.ge.u32 %p1, %lane, 8;\n"
                "@%p1 mov.b32 %r3, 3;\n"
                "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%out0}, [%r3];\n";
  EXPECT_EQ(kernel.run().report.toString(), "");
}

TEST(LoadMatrix, AddressesAreChecked) {
  WarpKernel kernel;
  kernel.inputs = makeTile();
  std::string load =
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%out0, %r4, %r5, %r6}, [";
  kernel.body = fillTile() + kRowAddress + load + "%r3+8];";
  EXPECT_EQ(kernel.run().getRule(), "alignment");
  kernel.body = fillTile() + kRowAddress + load + "%r3+65536];";
  EXPECT_EQ(kernel.run().getRule(), "bounds");
  kernel.body = fillTile() + load + "%r7];";
  EXPECT_EQ(kernel.run().getRule(), "R11");
  kernel.body =
      fillTile() + "ldmatrix.sync.aligned.m8n8.x1.b16 {%out0}, [%inAddress];";
  EXPECT_EQ(kernel.run().getRule(), "bounds");
}

/// A byte that nobody wrote reaches the register byte that holds it.
TEST(LoadMatrix, UndefinedBytesMove) {
  WarpKernel kernel;
  // Row 3 from its byte 5 on is not written.
  kernel.body = "mov.b32 %r2, tile;\n"
                "shl.b32 %r1, %lane, 4;\n"
                "add.u32 %r1, %r1, %r2;\n"
                "mov.b32 %r3, 7;\n"
                "setp.ne.u32 %p1, %lane, 3;\n"
                "st.shared.b32 [%r1], %r3;\n"
                "st.shared.b8 [%r1+4], %r3;\n"
                "@%p1 st.shared.b8 [%r1+5], %r3;\n"
                "@%p1 st.shared.b16 [%r1+6], %h1;\n"
                "@%p1 st.shared.b64 [%r1+8], %w1;\n"
                "bar.warp.sync -1;\n"
                "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%out0}, [%r1];\n"
                "ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%out1}, "
                "[%r1];\n";
  kernel.body = "mov.b16 %h1, 1;\nmov.b64 %w1, 1;\n" + kernel.body;
  kernel.numOutputs = 2;
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  // Row 3: lanes 12 to 15; its elements 2 to 7 after transposing: lanes 4c + 1,
  // high halves.
  EXPECT_EQ(outcome.getUndefinedLanes(0), 0xE000u);
  EXPECT_EQ(outcome.undefined[13][0], 0xFFFFFF00u);
  uint32_t transposed = 0;
  for (unsigned column = 2; column < 8; ++column)
    transposed |= 1u << (4 * column + 1);
  EXPECT_EQ(outcome.getUndefinedLanes(1), transposed);
  EXPECT_EQ(outcome.undefined[9][1], 0xFF000000u);
  EXPECT_EQ(outcome.undefined[13][1], 0xFFFF0000u);
}

TEST(LoadMatrix, RacesAreFound) {
  WarpKernel kernel;
  kernel.inputs = makeTile();
  std::string text = fillTile();
  text.erase(text.find("bar.warp.sync"));
  kernel.body = text + kRowAddress +
                "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%out0}, [%r3];\n";
  EXPECT_EQ(kernel.run().getRule(), "R4");
}

/// What stmatrix stores ldmatrix loads.
TEST(StoreMatrix, RoundTrips) {
  struct Case {
    const char *store, *load;
    unsigned count;
  };
  for (Case test :
       {Case{"m8n8.x1.shared.b16", "m8n8.x1.shared.b16", 1},
        {"m8n8.x2.shared.b16", "m8n8.x2.shared.b16", 2},
        {"m8n8.x4.shared.b16", "m8n8.x4.shared.b16", 4},
        {"m8n8.x1.trans.shared.b16", "m8n8.x1.trans.shared.b16", 1},
        {"m8n8.x4.trans.shared.b16", "m8n8.x4.trans.shared.b16", 4}}) {
    WarpKernel kernel;
    kernel.inputs = makeTile();
    kernel.numOutputs = test.count;
    std::string list = listOutputs(test.count), in = list;
    for (size_t at; (at = in.find("out")) != std::string::npos;)
      in.replace(at, 3, "in");
    kernel.body = std::string("mov.b32 %r2, tile;\n") + kRowAddress +
                  "stmatrix.sync.aligned." + test.store + " [%r3], " + in +
                  ";\nbar.warp.sync -1;\nldmatrix.sync.aligned." + test.load +
                  " " + list + ", [%r3];\n";
    auto outcome = kernel.run();
    ASSERT_EQ(outcome.loadError + outcome.report.toString(), "") << test.store;
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned reg = 0; reg < test.count; ++reg)
        EXPECT_EQ(outcome.outputs[lane][reg], kernel.inputs[lane][reg])
            << test.store;
  }
}

/// The 8-bit form: a 16x8 matrix in the layout of an accumulator, by columns.
TEST(StoreMatrix, BytesTransposed) {
  WarpKernel kernel;
  kernel.inputs = makeTile();
  kernel.numOutputs = 4;
  kernel.body = std::string("mov.b32 %r2, tile;\nshl.b32 %r3, %lane, 4;\n"
                            "add.u32 %r3, %r3, %r2;\n"
                            "stmatrix.sync.aligned.m16n8.x4.trans.shared.b8 "
                            "[%r3], {%in0, %in1, %in2, %in3};\n"
                            "bar.warp.sync -1;\n"
                            "ld.shared.v4.b32 {%out0, %out1, %out2, %out3}, "
                            "[%r3];\n");
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  for (unsigned row = 0; row < 32; ++row)
    for (unsigned i = 0; i < 16; ++i) {
      // Column `row mod 8`, element i of matrix row / 8.
      unsigned lane = i % 8 * 4 + row % 8 / 2;
      unsigned byte = i / 8 * 2 + row % 2;
      EXPECT_EQ(outcome.outputs[row][i / 4] >> (i % 4 * 8) & 0xFF,
                kernel.inputs[lane][row / 8] >> (8 * byte) & 0xFF);
    }
}

TEST(StoreMatrix, UndefinedBitsMove) {
  WarpKernel kernel;
  kernel.inputs = makeTile();
  // Lane 6 holds row 1, elements 4 and 5: half of the first is undefined.
  kernel.body = "mov.b32 %r2, tile;\nshl.b32 %r3, %lane, 4;\n"
                "add.u32 %r3, %r3, %r2;\n"
                "setp.eq.u32 %p1, %lane, 6;\n"
                "and.b32 %r4, %r5, 0xff;\n"
                "selp.b32 %r4, %r4, %in0, %p1;\n"
                "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r3], {%r4};\n"
                "bar.warp.sync -1;\n"
                "mov.b32 %out0, 0;\n"
                "setp.lt.u32 %p2, %lane, 8;\n"
                "@%p2 ld.shared.b32 %out0, [%r3+8];\n";
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  EXPECT_EQ(outcome.getUndefinedLanes(0), 2u);
  EXPECT_EQ(outcome.undefined[1][0], 0xFFu);
}

TEST(MoveMatrix, Transposes) {
  WarpKernel kernel;
  kernel.inputs = makeTile();
  kernel.body = "mov.b32 %out0, %in0;\n"
                "movmatrix.sync.aligned.m8n8.trans.b16 %out0, %out0;\n";
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  auto get = [&](const std::vector<uint32_t> &words, unsigned row,
                 unsigned column) {
    return words[4 * row + column / 2] >> (column % 2 * 16) & 0xFFFF;
  };
  std::vector<uint32_t> in;
  for (const auto &row : kernel.inputs)
    in.push_back(row[0]);
  for (unsigned row = 0; row < 8; ++row)
    for (unsigned column = 0; column < 8; ++column)
      EXPECT_EQ(get(outcome.getColumn(0), row, column), get(in, column, row));
}

/// Eight rows of one matrix in the same banks take eight wavefronts.
TEST(LoadMatrix, BankConflictsAreCounted) {
  for (unsigned pitch : {16, 128}) {
    WarpKernel kernel;
    kernel.inputs = makeInputs([](unsigned, unsigned) { return 0; });
    kernel.options.collectStatistics = true;
    kernel.body = "mov.b32 %r2, tile;\n"
                  "mul.lo.u32 %r3, %lane, " +
                  std::to_string(pitch) +
                  ";\nadd.u32 %r3, %r3, %r2;\n"
                  "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, "
                  "%r7}, [%r3];\nmov.b32 %out0, 0;\n";
    auto outcome = kernel.run();
    ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
    bool isFound = false;
    for (const Statistics::Line &line : outcome.report.statistics.lines) {
      if (line.opcode != "ldmatrix")
        continue;
      isFound = true;
      EXPECT_EQ(line.wavefronts, pitch == 16 ? 4u : 32u);
      EXPECT_EQ(line.bankConflicts, pitch == 16 ? 0u : 28u);
    }
    EXPECT_TRUE(isFound);
  }
}

TEST(Hints, AreAccepted) {
  WarpKernel kernel;
  kernel.inputs = makeInputs([](unsigned, unsigned) { return 4; });
  kernel.body = "setmaxnreg.inc.sync.aligned.u32 240;\n"
                "nanosleep.u32 20;\nnanosleep.u32 %in0;\n"
                "griddepcontrol.wait;\ngriddepcontrol.launch_dependents;\n"
                "createpolicy.fractional.L2::evict_last.b64 %w1, 0.5;\n"
                "ld.global.L2::cache_hint.b32 %out0, [%inAddress], %w1;\n";
  auto outcome = kernel.run();
  EXPECT_EQ(outcome.loadError + outcome.report.toString(), "");
  EXPECT_EQ(outcome.outputs[3][0], 4u);
  kernel.body = "setmaxnreg.inc.sync.aligned.u32 20;";
  EXPECT_NE(kernel.run().loadError.find("multiple of 8"), std::string::npos);
}

/// What is discarded is undefined until it is written again.
TEST(Hints, DiscardLeavesMemoryUndefined) {
  WarpKernel kernel;
  kernel.inputs = makeInputs([](unsigned, unsigned) { return 4; });
  kernel.body = "bar.warp.sync -1;\n"
                "setp.eq.u32 %p1, %lane, 0;\n"
                "@%p1 discard.global.L2 [%inAddress], 128;\n"
                "bar.warp.sync -1;\n"
                "setp.eq.u32 %p1, %lane, 5;\n"
                "@%p1 st.global.b32 [%inAddress], 9;\n"
                "ld.global.b32 %out0, [%inAddress];\n";
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  EXPECT_EQ(outcome.getUndefinedLanes(0), ~(1u << 5));
  EXPECT_EQ(outcome.outputs[5][0], 9u);
}

//===- MmaTest.cpp - Matrix instructions against the reference ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every dense instruction and mode, on random and on hostile operands, bit for
// bit.
//
//===----------------------------------------------------------------------===//

#include "MmaReference.h"

#include "nvfp4/Support/Codecs.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nvfp4;
using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;
using Type = ElementType;

namespace {

/// How operands are drawn.
enum class Draw {
  Bits,      ///< All bit patterns.
  Normal,    ///< Like activations: normally distributed.
  Wide,      ///< Exponents from the whole range, no infinity or NaN.
  Spread,    ///< Like probabilities: 2^-40 to 1.
  Sparse,    ///< Wide, half of them zeros.
  Cancelling ///< Neighbours along K that cancel, and a small C.
};
constexpr Draw kDraws[] = {Draw::Bits,   Draw::Normal, Draw::Wide,
                           Draw::Spread, Draw::Sparse, Draw::Cancelling};

struct Generator {
  std::mt19937_64 random;
  Draw draw;
  unsigned numSelectors = 1;

  /// One element in a container of `bits`.
  uint64_t makeElement(Type type, int bits) {
    if (draw == Draw::Sparse && random() % 2)
      return 0;
    const uint64_t raw = random();
    float normal = std::normal_distribution<float>()(random);
    if (draw == Draw::Spread)
      normal = std::ldexp(normal, -int(raw % 41));
    const bool isNormal = draw == Draw::Normal || draw == Draw::Spread ||
                          draw == Draw::Cancelling;
    switch (type) {
    case Type::F64: {
      if (draw == Draw::Bits)
        return raw;
      double value = isNormal
                         ? double(normal)
                         : std::ldexp(double(normal), int(raw % 200) - 100);
      uint64_t pattern;
      std::memcpy(&pattern, &value, 8);
      return pattern;
    }
    case Type::F32:
    case Type::TF32:
      if (isNormal)
        return bitsOfFloat(normal);
      return draw == Draw::Bits || (raw >> 23 & 0xFF) != 0xFF
                 ? uint32_t(raw)
                 : uint32_t(raw) & 0xBFFFFFFF;
    case Type::BF16:
      if (isNormal)
        return encodeBF16(normal);
      return draw == Draw::Bits || (raw >> 7 & 0xFF) != 0xFF ? raw & 0xFFFF
                                                             : raw & 0xBFFF;
    case Type::F16:
      if (isNormal)
        return encodeF16(normal);
      return draw == Draw::Bits || (raw >> 10 & 0x1F) != 0x1F ? raw & 0xFFFF
                                                              : raw & 0xBFFF;
    case Type::E4M3:
    case Type::E5M2:
      return draw == Draw::Bits ? raw & 0xFF : raw & 0xBB;
    default:
      return raw & ((uint64_t(1) << bits) - 1);
    }
  }

  uint32_t makeWord(Type type, int bits) {
    uint64_t word = 0;
    for (int i = 0; i < 32; i += bits) {
      uint64_t element = makeElement(type, bits);
      // The opposite of its neighbour, where there is a sign bit on top.
      if (draw == Draw::Cancelling && i % (2 * bits) && random() % 8)
        element = (word >> (i - bits) & ((uint64_t(1) << bits) - 1)) ^
                  uint64_t(1) << (bits - 1);
      word |= element << i;
    }
    return uint32_t(word);
  }

  uint32_t makeScales(ScaleType type) {
    uint32_t word = uint32_t(random());
    if (draw == Draw::Bits)
      return word;
    if (type == ScaleType::UE4M3)
      return draw == Draw::Normal ? 0x38383838 + (word & 0x07070707)
                                  : word & 0x7B7B7B7B;
    return draw == Draw::Wide ? word & 0xFEFEFEFE
                              : 0x7C7C7C7C + (word & 0x07070707);
  }

  uint32_t makeMetadata(const MmaDescriptor &descriptor) {
    constexpr uint32_t ordered[] = {0x4, 0x8, 0xC, 0x9, 0xD, 0xE};
    uint32_t word = 0;
    for (int i = 0; i < 32; i += 4) {
      uint32_t code = ordered[random() % 6];
      if (descriptor.a == Type::TF32)
        code = random() % 2 ? 0x4 : 0xE;
      else if (descriptor.sparsity == Sparsity::Plain && random() % 2)
        code = (code & 3) << 2 | code >> 2;
      word |= code << i;
    }
    return word;
  }

  void fill(const MmaDescriptor &descriptor, Warp &warp) {
    const bool isF64 = descriptor.a == Type::F64;
    const int bitsA = getBits(descriptor, descriptor.a);
    const int bitsB = getBits(descriptor, descriptor.b);
    // The product of a row is shared, so that cancelling pairs do cancel.
    for (int reg = 0; reg < 8; ++reg)
      for (int lane = 0; lane < 32; ++lane) {
        if (isF64) {
          warp.a64[reg][lane] = makeElement(Type::F64, 64);
          warp.b64[reg][lane] = makeElement(Type::F64, 64);
          warp.c64[reg][lane] = makeElement(Type::F64, 64);
          continue;
        }
        warp.a[reg][lane] = makeWord(descriptor.a, bitsA);
        warp.b[reg][lane] = makeWord(descriptor.b, bitsB);
        if (draw == Draw::Cancelling) {
          const uint64_t element = makeElement(descriptor.b, bitsB);
          uint64_t word = 0;
          for (int i = 0; i < 32; i += bitsB)
            word |= element << i;
          warp.b[reg][lane] = uint32_t(word);
        }
        warp.c[reg][lane] = descriptor.c == Type::F16 ? makeWord(Type::F16, 16)
                            : descriptor.c == Type::S32
                                ? uint32_t(random())
                                : uint32_t(makeElement(Type::F32, 32));
      }
    for (int lane = 0; lane < 32; ++lane) {
      warp.scaleA[lane] = makeScales(descriptor.scaleType);
      warp.scaleB[lane] = makeScales(descriptor.scaleType);
      warp.metadata[lane] = makeMetadata(descriptor);
    }
    warp.sparsitySelector = unsigned(random() % numSelectors);
    warp.threadIdA = unsigned(random() % 2);
    warp.threadIdB = unsigned(random() % 4);
    const int step = descriptor.scaleVec == 1 ? 1 : 2;
    const int numIds = descriptor.scaleVec == 4   ? 1
                       : descriptor.scaleVec == 2 ? 2
                                                  : 4;
    warp.byteIdA = unsigned(random() % numIds * step);
    warp.byteIdB = unsigned(random() % numIds * step);
  }
};

/// Compares `rounds` executions per way to draw operands.
void compare(const MmaDescriptor &descriptor, MmaMode mode, int rounds = 8,
             unsigned numSelectors = 1) {
  Result<MmaPlan> plan = MmaPlan::create(descriptor);
  ASSERT_TRUE(plan.ok()) << plan.getMessage();
  for (Draw draw : kDraws) {
    Generator generator = {std::mt19937_64(7), draw, numSelectors};
    for (int round = 0; round < rounds; ++round) {
      Warp warp;
      generator.fill(descriptor, warp);
      const auto expected = computeReference(descriptor, warp, mode);
      Status status = plan->execute(warp.getInputs(), mode, warp.getOutputs());
      ASSERT_TRUE(status.ok()) << status.getMessage();
      const auto got = readD(descriptor, warp);
      for (size_t i = 0; i < got.size(); ++i) {
        if (descriptor.d == Type::F64) {
          double a, b;
          std::memcpy(&a, &got[i], 8);
          std::memcpy(&b, &expected[i], 8);
          if (std::isnan(a) && std::isnan(b))
            continue;
        }
        ASSERT_EQ(got[i], expected[i])
            << std::hex << "got " << got[i] << ", expected " << expected[i]
            << std::dec << " at row " << i / 8 << ", column " << i % 8
            << ", draw " << int(draw) << ", round " << round << " of "
            << stringifyElementType(descriptor.a) << " "
            << stringifyElementType(descriptor.b) << " k" << descriptor.shape.k
            << " d " << stringifyElementType(descriptor.d);
      }
    }
  }
}

constexpr MmaMode kExact = {Accumulation::Exact, TensorCore::Blackwell};

void compareAllModes(const MmaDescriptor &descriptor) {
  compare(descriptor, kExact);
  for (TensorCore core : {TensorCore::Ampere, TensorCore::Ada,
                          TensorCore::Hopper, TensorCore::Blackwell})
    compare(descriptor, {Accumulation::Hardware, core});
}

MmaDescriptor make(MatrixShape shape, Type a, Type b, Type accumulator) {
  return {shape, a, b, accumulator, accumulator};
}

MmaDescriptor makeScaled(MmaKind kind, uint16_t k, Type a, Type b,
                         ScaleType scaleType, uint8_t scaleVec) {
  MmaDescriptor descriptor = make({16, 8, k}, a, b, Type::F32);
  descriptor.kind = kind;
  descriptor.scaleType = scaleType;
  descriptor.scaleVec = scaleVec;
  return descriptor;
}

//===----------------------------------------------------------------------===//
// Floating point
//===----------------------------------------------------------------------===//

TEST(Mma, F16) {
  for (uint16_t k : {8, 16})
    for (Type accumulator : {Type::F32, Type::F16})
      compareAllModes(make({16, 8, k}, Type::F16, Type::F16, accumulator));
}

TEST(Mma, BF16) {
  for (uint16_t k : {8, 16})
    compareAllModes(make({16, 8, k}, Type::BF16, Type::BF16, Type::F32));
}

TEST(Mma, TF32) {
  for (uint16_t k : {4, 8})
    compareAllModes(make({16, 8, k}, Type::TF32, Type::TF32, Type::F32));
}

TEST(Mma, FP8) {
  for (uint16_t k : {16, 32})
    for (Type a : {Type::E4M3, Type::E5M2})
      for (Type b : {Type::E4M3, Type::E5M2})
        for (Type accumulator : {Type::F32, Type::F16})
          compareAllModes(make({16, 8, k}, a, b, accumulator));
}

TEST(Mma, F8F6F4) {
  for (Type a : {Type::E4M3, Type::E5M2, Type::E3M2, Type::E2M3, Type::E2M1})
    for (Type b : {Type::E4M3, Type::E5M2, Type::E3M2, Type::E2M3, Type::E2M1})
      for (Type accumulator : {Type::F32, Type::F16}) {
        MmaDescriptor descriptor = make({16, 8, 32}, a, b, accumulator);
        descriptor.kind = MmaKind::F8F6F4;
        compare(descriptor, kExact, 4);
        compare(descriptor, {Accumulation::Hardware, TensorCore::Blackwell},
                10);
      }
}

TEST(Mma, MXF8F6F4) {
  for (Type a : {Type::E4M3, Type::E5M2, Type::E3M2, Type::E2M3, Type::E2M1})
    for (Type b :
         {Type::E4M3, Type::E5M2, Type::E3M2, Type::E2M3, Type::E2M1}) {
      MmaDescriptor descriptor =
          makeScaled(MmaKind::MXF8F6F4, 32, a, b, ScaleType::UE8M0, 1);
      compare(descriptor, kExact, 4);
      compare(descriptor, {Accumulation::Hardware, TensorCore::Blackwell}, 4);
    }
}

TEST(Mma, PackedE2M1) {
  const struct {
    MmaKind kind;
    ScaleType scaleType;
    uint8_t scaleVec;
  } cases[] = {{MmaKind::MXF4, ScaleType::UE8M0, 2},
               {MmaKind::MXF4NVF4, ScaleType::UE8M0, 2},
               {MmaKind::MXF4NVF4, ScaleType::UE8M0, 4},
               {MmaKind::MXF4NVF4, ScaleType::UE4M3, 4}};
  for (const auto &test : cases) {
    MmaDescriptor descriptor = makeScaled(test.kind, 64, Type::E2M1, Type::E2M1,
                                          test.scaleType, test.scaleVec);
    compare(descriptor, kExact, 30);
    compare(descriptor, {Accumulation::Hardware, TensorCore::Blackwell}, 30);
  }
}

TEST(Mma, F64) {
  compare(make({8, 8, 4}, Type::F64, Type::F64, Type::F64), kExact);
  for (uint16_t k : {4, 8, 16})
    compare(make({16, 8, k}, Type::F64, Type::F64, Type::F64), kExact);
}

//===----------------------------------------------------------------------===//
// Integers and bits
//===----------------------------------------------------------------------===//

TEST(Mma, Integers) {
  const struct {
    Type types[2];
    MatrixShape shapes[3];
  } cases[] = {{{Type::S8, Type::U8}, {{8, 8, 16}, {16, 8, 16}, {16, 8, 32}}},
               {{Type::S4, Type::U4}, {{8, 8, 32}, {16, 8, 32}, {16, 8, 64}}}};
  for (const auto &test : cases)
    for (MatrixShape shape : test.shapes)
      for (Type a : test.types)
        for (Type b : test.types)
          for (bool saturate : {false, true}) {
            MmaDescriptor descriptor = make(shape, a, b, Type::S32);
            descriptor.satfinite = saturate;
            compare(descriptor, kExact, 6);
          }
}

TEST(Mma, IntegersClampOnce) {
  MmaDescriptor descriptor = make({16, 8, 32}, Type::U8, Type::U8, Type::S32);
  descriptor.satfinite = true;
  Warp warp;
  for (int reg = 0; reg < 4; ++reg)
    for (int lane = 0; lane < 32; ++lane) {
      warp.a[reg][lane] = warp.b[reg][lane] = 0xFFFFFFFF;
      warp.c[reg][lane] = INT32_MAX - 5;
    }
  auto plan = MmaPlan::create(descriptor);
  ASSERT_TRUE(plan->execute(warp.getInputs(), kExact, warp.getOutputs()).ok());
  EXPECT_EQ(warp.d[3][17], uint32_t(INT32_MAX));
  descriptor.satfinite = false;
  plan = MmaPlan::create(descriptor);
  ASSERT_TRUE(plan->execute(warp.getInputs(), kExact, warp.getOutputs()).ok());
  EXPECT_EQ(warp.d[3][17], uint32_t(INT32_MAX) - 5 + 32 * 255 * 255);
}

TEST(Mma, Bits) {
  for (MatrixShape shape : {MatrixShape{8, 8, 128}, {16, 8, 128}, {16, 8, 256}})
    for (BitOperation operation : {BitOperation::Xor, BitOperation::And}) {
      MmaDescriptor descriptor = make(shape, Type::B1, Type::B1, Type::S32);
      descriptor.bitOperation = operation;
      compare(descriptor, kExact, 4);
    }
}

//===----------------------------------------------------------------------===//
// Sparse forms
//===----------------------------------------------------------------------===//

void compareSparse(MmaDescriptor descriptor, unsigned numSelectors) {
  for (Sparsity sparsity : {Sparsity::Ordered, Sparsity::Plain}) {
    if (descriptor.kind != MmaKind::Plain && sparsity == Sparsity::Plain)
      continue;
    descriptor.sparsity = sparsity;
    compare(descriptor, kExact, 4, numSelectors);
    if (descriptor.d == Type::S32)
      continue;
    for (TensorCore core :
         {TensorCore::Ampere, TensorCore::Hopper, TensorCore::Blackwell})
      compare(descriptor, {Accumulation::Hardware, core}, 4, numSelectors);
  }
}

TEST(SparseMma, FloatingPoint) {
  for (Type accumulator : {Type::F32, Type::F16}) {
    compareSparse(make({16, 8, 16}, Type::F16, Type::F16, accumulator), 4);
    compareSparse(make({16, 8, 32}, Type::F16, Type::F16, accumulator), 2);
    compareSparse(make({16, 8, 64}, Type::E5M2, Type::E4M3, accumulator), 1);
  }
  compareSparse(make({16, 8, 16}, Type::BF16, Type::BF16, Type::F32), 4);
  compareSparse(make({16, 8, 32}, Type::BF16, Type::BF16, Type::F32), 2);
  compareSparse(make({16, 8, 8}, Type::TF32, Type::TF32, Type::F32), 4);
  compareSparse(make({16, 8, 16}, Type::TF32, Type::TF32, Type::F32), 2);
}

TEST(SparseMma, Integers) {
  compareSparse(make({16, 8, 32}, Type::S8, Type::U8, Type::S32), 2);
  compareSparse(make({16, 8, 64}, Type::U8, Type::S8, Type::S32), 1);
  compareSparse(make({16, 8, 64}, Type::S4, Type::U4, Type::S32), 2);
  compareSparse(make({16, 8, 128}, Type::U4, Type::S4, Type::S32), 1);
}

TEST(SparseMma, Kinds) {
  MmaDescriptor bytes = make({16, 8, 64}, Type::E3M2, Type::E2M1, Type::F16);
  bytes.kind = MmaKind::F8F6F4;
  compareSparse(bytes, 1);
  compareSparse(makeScaled(MmaKind::MXF8F6F4, 64, Type::E4M3, Type::E2M3,
                           ScaleType::UE8M0, 1),
                1);
  compareSparse(makeScaled(MmaKind::MXF4, 128, Type::E2M1, Type::E2M1,
                           ScaleType::UE8M0, 2),
                1);
  compareSparse(makeScaled(MmaKind::MXF4NVF4, 128, Type::E2M1, Type::E2M1,
                           ScaleType::UE4M3, 4),
                1);
}

TEST(SparseMma, RefusesWhatIsNoMetadata) {
  MmaDescriptor descriptor = make({16, 8, 32}, Type::F16, Type::F16, Type::F32);
  descriptor.sparsity = Sparsity::Ordered;
  Warp warp;
  for (uint32_t &word : warp.metadata)
    word = 0x44444444;
  auto plan = MmaPlan::create(descriptor);
  const auto execute = [&] {
    return plan->execute(warp.getInputs(), kExact, warp.getOutputs())
        .getMessage();
  };
  EXPECT_EQ(execute(), "");
  warp.metadata[1] = 0x44444144; // lane 1: row 0, second half of K
  EXPECT_EQ(execute(), "mma.sp: expected metadata of two ascending places for "
                       "row 0, chunk 6, but got places 1 and 0");
  descriptor.sparsity = Sparsity::Plain;
  plan = MmaPlan::create(descriptor);
  EXPECT_EQ(execute(), "");
  warp.metadata[1] = 0x44444544;
  EXPECT_EQ(execute(), "mma.sp: expected metadata of two different places for "
                       "row 0, chunk 6, but got places 1 and 1");
  warp.sparsitySelector = 2;
  EXPECT_EQ(execute(),
            "mma.sp: expected a sparsity selector below 2, but got 2");
}

/// One of each core; the others take the instruction set in use.
TEST(Mma, EveryInstructionSet) {
  forEachInstructionSet([] {
    compare(make({16, 8, 16}, Type::BF16, Type::BF16, Type::F32), kExact, 3);
    compare(make({16, 8, 16}, Type::F16, Type::F16, Type::F16), kExact, 3);
    compare(make({16, 8, 32}, Type::U8, Type::S8, Type::S32), kExact, 3);
    compare(make({16, 8, 8}, Type::F64, Type::F64, Type::F64), kExact, 3);
    const MmaDescriptor nvfp4 = makeScaled(MmaKind::MXF4NVF4, 64, Type::E2M1,
                                           Type::E2M1, ScaleType::UE4M3, 4);
    compare(nvfp4, kExact, 3);
    compare(nvfp4, {Accumulation::Hardware, TensorCore::Blackwell}, 3);
  });
}

//===----------------------------------------------------------------------===//
// Single facts
//===----------------------------------------------------------------------===//

TEST(Mma, ResultsMayOverwriteOperands) {
  const MmaDescriptor descriptor =
      make({16, 8, 16}, Type::BF16, Type::BF16, Type::F32);
  Generator generator = {std::mt19937_64(3), Draw::Normal};
  Warp warp;
  generator.fill(descriptor, warp);
  const auto expected = computeReference(descriptor, warp, kExact);
  MutableFragment outputs;
  for (int i = 0; i < 4; ++i)
    outputs.words[i] = warp.a[i];
  auto plan = MmaPlan::create(descriptor);
  ASSERT_TRUE(plan->execute(warp.getInputs(), kExact, outputs).ok());
  std::memcpy(warp.d, warp.a, sizeof(warp.d));
  EXPECT_EQ(readD(descriptor, warp), expected);
}

/// A large scale on zeros costs C its low bits: section 6 of the facts.
TEST(Mma, BlackwellCutsAccumulatorsUnderLargeScales) {
  const MmaDescriptor descriptor = makeScaled(MmaKind::MXF4NVF4, 64, Type::E2M1,
                                              Type::E2M1, ScaleType::UE4M3, 4);
  Warp warp;
  for (int lane = 0; lane < 32; ++lane) {
    warp.scaleA[lane] = warp.scaleB[lane] = 0x7E; // 448, of the first block
    for (int reg = 0; reg < 4; ++reg)
      warp.c[reg][lane] = bitsOfFloat(0x1.FFFFFEp0f);
  }
  auto plan = MmaPlan::create(descriptor);
  MmaMode mode = {Accumulation::Hardware, TensorCore::Blackwell};
  ASSERT_TRUE(plan->execute(warp.getInputs(), mode, warp.getOutputs()).ok());
  // E = 16, so multiples of 2^-19 remain.
  EXPECT_EQ(warp.d[0][0], bitsOfFloat(2.0f - 0x1p-19f));
  ASSERT_TRUE(plan->execute(warp.getInputs(), kExact, warp.getOutputs()).ok());
  EXPECT_EQ(warp.d[0][0], bitsOfFloat(0x1.FFFFFEp0f));
}

TEST(Mma, SelectorsOutOfRangeAreRefused) {
  const MmaDescriptor nvfp4 = makeScaled(MmaKind::MXF4NVF4, 64, Type::E2M1,
                                         Type::E2M1, ScaleType::UE4M3, 4);
  auto plan = MmaPlan::create(nvfp4);
  Warp warp;
  warp.d[0][0] = 42;
  warp.byteIdA = 1;
  Status status = plan->execute(warp.getInputs(), kExact, warp.getOutputs());
  EXPECT_EQ(status.getMessage(), "mma: expected byte id 0 of scale A with "
                                 "scale_vec::4X, but got 1");
  EXPECT_EQ(warp.d[0][0], 42u);
  warp.byteIdA = 0;
  warp.threadIdA = 2;
  EXPECT_EQ(
      plan->execute(warp.getInputs(), kExact, warp.getOutputs()).getMessage(),
      "mma: expected thread id 0 to 1 of scale A, but got 2");
  warp.threadIdA = 1;
  warp.threadIdB = 3;
  EXPECT_TRUE(plan->execute(warp.getInputs(), kExact, warp.getOutputs()).ok());
  warp.threadIdB = 4;
  EXPECT_FALSE(plan->execute(warp.getInputs(), kExact, warp.getOutputs()).ok());
  plan = MmaPlan::create(makeScaled(MmaKind::MXF4, 64, Type::E2M1, Type::E2M1,
                                    ScaleType::UE8M0, 2));
  warp.threadIdB = 0;
  for (unsigned byteId = 0; byteId < 5; ++byteId) {
    warp.byteIdB = byteId;
    EXPECT_EQ(plan->execute(warp.getInputs(), kExact, warp.getOutputs()).ok(),
              byteId == 0 || byteId == 2);
  }
}

} // namespace

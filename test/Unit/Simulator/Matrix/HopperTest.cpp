//===- HopperTest.cpp - Matrix instructions against an H200 ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Results of an H200 (driver 580, CUDA 13.0), as one hash per instruction over
// 24 executions on the operands of `makeWarp`: all bit patterns, NaN and
// infinity included, exponents near those of 1, and the same with zeros. The
// hash is FNV-1a over the words of D, row by row.
//
//===----------------------------------------------------------------------===//

#include "MmaReference.h"

#include <gtest/gtest.h>

using namespace nvfp4;
using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;
using Type = ElementType;

namespace {

constexpr int kExecutions = 24;

struct Recorded {
  MatrixShape shape;
  Type a, b, accumulator;
  Sparsity sparsity;
  unsigned numSelectors;
  uint64_t hash;
};

constexpr Sparsity kDense = Sparsity::Dense, kOrdered = Sparsity::Ordered;

constexpr Recorded kRecorded[] = {
#include "HopperResults.inc"
};

/// Sign, exponent and mantissa bits of the types that are not integers.
struct Fields {
  int exponentBits, mantissaBits, lowBit;
};

Fields getFields(Type type) {
  switch (type) {
  case Type::F64:
    return {11, 52, 0};
  case Type::F32:
  case Type::TF32:
    return {8, 23, 0};
  case Type::BF16:
    return {8, 7, 0};
  case Type::F16:
    return {5, 10, 0};
  case Type::E4M3:
    return {4, 3, 0};
  case Type::E5M2:
    return {5, 2, 0};
  default:
    return {0, 0, 0};
  }
}

uint64_t makeElement(Type type, int execution, std::mt19937_64 &random) {
  const uint64_t bits = random(), other = random();
  const Fields fields = getFields(type);
  if (execution % 3 == 0 || fields.exponentBits == 0)
    return bits;
  if (execution % 3 == 2 && other % 3 == 0)
    return 0;
  const int exponent =
      (1 << (fields.exponentBits - 1)) - 9 + int(other >> 8 & 15);
  const uint64_t fraction = bits & ((uint64_t(1) << fields.mantissaBits) - 1);
  return (bits >> 63) << (fields.exponentBits + fields.mantissaBits) |
         uint64_t(exponent < 0 ? 0 : exponent) << fields.mantissaBits |
         fraction;
}

uint32_t makeWord(Type type, int bits, int execution, std::mt19937_64 &random) {
  uint64_t word = 0;
  for (int i = 0; i < 32; i += bits)
    word |= (makeElement(type, execution, random) & ((uint64_t(1) << bits) - 1))
            << i;
  return uint32_t(word);
}

void makeWarp(const MmaDescriptor &descriptor, unsigned numSelectors,
              int execution, std::mt19937_64 &random, Warp &warp) {
  constexpr uint32_t ordered[] = {0x4, 0x8, 0xC, 0x9, 0xD, 0xE};
  const int bitsA = getBits(descriptor, descriptor.a);
  const int bitsB = getBits(descriptor, descriptor.b);
  const int bitsC = descriptor.c == Type::F16 ? 16 : 32;
  for (int reg = 0; reg < 8; ++reg)
    for (int lane = 0; lane < 32; ++lane) {
      if (descriptor.a == Type::F64) {
        warp.a64[reg][lane] = makeElement(Type::F64, execution, random);
        warp.b64[reg][lane] = makeElement(Type::F64, execution, random);
        warp.c64[reg][lane] = makeElement(Type::F64, execution, random);
        continue;
      }
      warp.a[reg][lane] = makeWord(descriptor.a, bitsA, execution, random);
      warp.b[reg][lane] = makeWord(descriptor.b, bitsB, execution, random);
      warp.c[reg][lane] = makeWord(descriptor.c, bitsC, execution, random);
    }
  for (uint32_t &word : warp.metadata)
    for (int i = 0; i < 32; i += 4)
      word |= (descriptor.a == Type::TF32 ? (random() % 2 ? 0x4u : 0xEu)
                                          : ordered[random() % 6])
              << i;
  warp.sparsitySelector = unsigned(random() % numSelectors);
}

void compareWithTheChip() {
  const MmaMode mode = {Accumulation::Hardware, TensorCore::Hopper};
  for (const Recorded &recorded : kRecorded) {
    MmaDescriptor descriptor = {recorded.shape, recorded.a, recorded.b,
                                recorded.accumulator, recorded.accumulator};
    descriptor.sparsity = recorded.sparsity;
    descriptor.satfinite = recorded.accumulator == Type::S32;
    auto plan = MmaPlan::create(descriptor);
    ASSERT_TRUE(plan.ok()) << plan.getMessage();
    std::mt19937_64 random(2026);
    uint64_t hash = 0xCBF29CE484222325;
    for (int execution = 0; execution < kExecutions; ++execution) {
      Warp warp;
      makeWarp(descriptor, recorded.numSelectors, execution, random, warp);
      Status status = plan->execute(warp.getInputs(), mode, warp.getOutputs());
      ASSERT_TRUE(status.ok()) << status.getMessage();
      for (uint64_t word : readD(descriptor, warp))
        hash = (hash ^ word) * 0x100000001B3;
    }
    EXPECT_EQ(hash, recorded.hash)
        << std::hex << "0x" << hash << " of "
        << stringifyElementType(recorded.a) << " " << std::dec << "m"
        << recorded.shape.m << "k" << recorded.shape.k << " "
        << stringifyElementType(recorded.accumulator)
        << (recorded.sparsity == kDense ? "" : ", sparse");
  }
}

TEST(Hopper, AgreesWithTheChip) { forEachInstructionSet(compareWithTheChip); }

} // namespace

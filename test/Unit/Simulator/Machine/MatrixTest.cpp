//===- MatrixTest.cpp - mma.sync from PTX text to registers ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrices of small integers, for which every rule of accumulation gives the
// same sums, are put into fragments by the manual's formulas and multiplied in
// plain loops. The arithmetic itself is tested with the matrix library.
//
//===----------------------------------------------------------------------===//

#include "WarpKernel.h"

#include "nvfp4/Support/Codecs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace nvfp4::ptx;

namespace {

/// An element type: bits in a register, and the bits of a small number.
struct Element {
  unsigned bits;
  uint64_t (*encode)(double value);
};

template <typename To, typename From> To castBits(From from) {
  To to;
  static_assert(sizeof(to) == sizeof(from));
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

uint64_t encodeF32(double v) { return castBits<uint32_t>(float(v)); }
uint64_t encodeF64(double v) { return castBits<uint64_t>(v); }
uint64_t encodeBF16(double v) { return encodeF32(v) >> 16; }
/// A small floating-point type; `v` is one of its normal numbers, or zero.
uint64_t encodeSmall(double v, unsigned exponentBits, unsigned mantissaBits) {
  uint64_t sign = uint64_t(std::signbit(v)) << (exponentBits + mantissaBits);
  if (v == 0)
    return sign;
  int exponent;
  double mantissa = 2 * std::frexp(std::fabs(v), &exponent);
  int bias = (1 << (exponentBits - 1)) - 1;
  return sign | uint64_t(exponent - 1 + bias) << mantissaBits |
         uint64_t(std::ldexp(mantissa - 1, int(mantissaBits)));
}
uint64_t encodeF16(double v) { return encodeSmall(v, 5, 10); }
uint64_t encodeE4M3(double v) { return encodeSmall(v, 4, 3); }
uint64_t encodeE5M2(double v) { return encodeSmall(v, 5, 2); }
uint64_t encodeE3M2(double v) { return encodeSmall(v, 3, 2); }
uint64_t encodeE2M3(double v) { return encodeSmall(v, 2, 3); }
uint64_t encodeE2M1(double v) { return encodeSmall(v, 2, 1); }
uint64_t encodeE2M1InByte(double v) { return encodeSmall(v, 2, 1) << 2; }
uint64_t encodeS8(double v) { return uint8_t(int8_t(v)); }
uint64_t encodeS4(double v) { return uint8_t(int8_t(v)) & 15; }
uint64_t encodeBit(double v) { return v != 0; }
uint64_t encodeS32(double v) { return uint32_t(int32_t(v)); }

constexpr Element kF64{64, encodeF64}, kF32{32, encodeF32},
    kTF32{32, encodeF32}, kBF16{16, encodeBF16}, kF16{16, encodeF16},
    kE4M3{8, encodeE4M3}, kE5M2{8, encodeE5M2}, kE3M2{8, encodeE3M2},
    kE2M3{8, encodeE2M3}, kE2M1InByte{8, encodeE2M1InByte},
    kE2M1{4, encodeE2M1}, kS8{8, encodeS8}, kS4{4, encodeS4}, kB1{1, encodeBit},
    kS32{32, encodeS32};

struct MmaCase {
  const char *qualifiers;
  unsigned m, n, k;
  Element a, b, c, d;
  /// What A and B hold.
  std::vector<double> values;
  /// Elements of K that a scale covers; 0: no scales. ue8m0 codes 127 and 128
  /// are 1 and 2, ue4m3 codes 0x38 and 0x40 too.
  unsigned block = 0;
  uint8_t scaleCodes[2] = {127, 128};
  bool isXor = false;
  /// Sparse: of so many elements of A along K the first half is there.
  unsigned chunk = 0;

  bool hasElement(unsigned at) const {
    return !chunk || at % chunk < chunk / 2;
  }
  /// The place of an element of A in what the registers hold.
  unsigned compress(unsigned at) const {
    return chunk ? at / chunk * (chunk / 2) + at % chunk : at;
  }
  unsigned getStoredK() const { return chunk ? k / 2 : k; }
};

/// Fragments of one operand: words of a lane.
struct FragmentWords {
  unsigned numRegisters;
  unsigned bits;
  std::vector<std::vector<uint64_t>> words; ///< [lane][register]

  FragmentWords(unsigned elements, unsigned elementBits)
      : bits(elementBits == 64 ? 64 : 32) {
    numRegisters = elements * elementBits / (32 * bits);
    words.assign(32, std::vector<uint64_t>(numRegisters));
  }
  void put(unsigned lane, unsigned element, unsigned elementBits,
           uint64_t code) {
    unsigned bit = element * elementBits;
    words[lane][bit / bits] |= code << (bit % bits);
  }
};

} // namespace

/// Where A[row][k] is, by the manual: groups of four lanes hold rows row mod 8;
/// each register holds 32 bits along K, registers alternate between the rows
/// and the rows + 8.
static void putA(FragmentWords &fragment, const MmaCase &test, unsigned row,
                 unsigned k, uint64_t code) {
  unsigned perRegister = fragment.bits / test.a.bits;
  unsigned t = k / perRegister % 4, half = k / (4 * perRegister);
  unsigned reg = half * (test.m / 8) + row / 8;
  fragment.put(row % 8 * 4 + t, reg * perRegister + k % perRegister,
               test.a.bits, code);
}
static void putB(FragmentWords &fragment, const MmaCase &test, unsigned k,
                 unsigned col, uint64_t code) {
  unsigned perRegister = fragment.bits / test.b.bits;
  unsigned t = k / perRegister % 4, reg = k / (4 * perRegister);
  fragment.put(col * 4 + t, reg * perRegister + k % perRegister, test.b.bits,
               code);
}
static void putC(FragmentWords &fragment, const Element &element, unsigned row,
                 unsigned col, uint64_t code) {
  fragment.put(row % 8 * 4 + col / 2, row / 8 * 2 + col % 2, element.bits,
               code);
}

namespace {
struct Matrices {
  std::vector<double> a, b, c, d;
  std::vector<uint8_t> scaleA, scaleB; ///< exponents, [line][block]
};
} // namespace

static Matrices makeMatrices(const MmaCase &test, std::mt19937 &random) {
  Matrices x;
  auto pick = [&] { return test.values[random() % test.values.size()]; };
  for (unsigned i = 0; i < test.m * test.k; ++i)
    x.a.push_back(test.hasElement(i % test.k) ? pick() : 0);
  for (unsigned i = 0; i < test.n * test.k; ++i)
    x.b.push_back(pick());
  for (unsigned i = 0; i < test.m * test.n; ++i)
    x.c.push_back(double(random() % 17) - 8);
  unsigned blocks = test.block ? test.k / test.block : 1;
  for (unsigned i = 0; i < test.m * blocks; ++i)
    x.scaleA.push_back(test.block ? random() % 2 : 0);
  for (unsigned i = 0; i < test.n * blocks; ++i)
    x.scaleB.push_back(test.block ? random() % 2 : 0);
  for (unsigned row = 0; row < test.m; ++row)
    for (unsigned col = 0; col < test.n; ++col) {
      double sum = x.c[row * test.n + col];
      for (unsigned k = 0; k < test.k; ++k) {
        unsigned at = test.block ? k / test.block : 0;
        double a = x.a[row * test.k + k], b = x.b[col * test.k + k];
        double product = test.isXor ? double(a != b) : a * b;
        sum += std::ldexp(product, x.scaleA[row * blocks + at] +
                                       x.scaleB[col * blocks + at]);
      }
      x.d.push_back(sum);
    }
  return x;
}

/// Scale registers with garbage wherever no lane is asked.
static uint32_t packScale(const MmaCase &test, const uint8_t *exponents,
                          unsigned byteId) {
  uint32_t word = 0xFFFFFFFF;
  for (unsigned i = 0; i < test.k / test.block; ++i) {
    unsigned shift = 8 * (byteId + i);
    word = (word & ~(0xFFu << shift)) | uint32_t(test.scaleCodes[exponents[i]])
                                            << shift;
  }
  return word;
}

static std::string nameRegisters(const std::string &prefix, unsigned first,
                                 unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? ", " : "") + prefix + std::to_string(first + i);
  return text + "}";
}

static void runCase(const MmaCase &test, Options options = Options(),
                    unsigned byteA = 0, unsigned threadA = 0,
                    unsigned byteB = 0, unsigned threadB = 0) {
  SCOPED_TRACE(test.qualifiers);
  std::mt19937 random(7);
  Matrices x = makeMatrices(test, random);
  FragmentWords a(test.m * test.getStoredK(), test.a.bits),
      b(test.n * test.k, test.b.bits), c(test.m * test.n, test.c.bits),
      d(test.m * test.n, test.d.bits);
  for (unsigned row = 0; row < test.m; ++row)
    for (unsigned k = 0; k < test.k; ++k)
      if (test.hasElement(k))
        putA(a, test, row, test.compress(k),
             test.a.encode(x.a[row * test.k + k]));
  for (unsigned col = 0; col < test.n; ++col)
    for (unsigned k = 0; k < test.k; ++k)
      putB(b, test, k, col, test.b.encode(x.b[col * test.k + k]));
  for (unsigned row = 0; row < test.m; ++row)
    for (unsigned col = 0; col < test.n; ++col) {
      putC(c, test.c, row, col, test.c.encode(x.c[row * test.n + col]));
      putC(d, test.d, row, col, test.d.encode(x.d[row * test.n + col]));
    }
  WarpKernel kernel;
  kernel.options = options;
  bool isWide = a.bits == 64;
  std::string names[4];
  unsigned next = 0, nextWide = 0;
  kernel.inputs.resize(32);
  const FragmentWords *operands[] = {&a, &b, &c};
  for (unsigned i = 0; i < 3; ++i) {
    unsigned count = operands[i]->numRegisters;
    names[i] =
        nameRegisters(isWide ? "%d" : "%in", isWide ? nextWide : next, count);
    for (unsigned reg = 0; reg < count; ++reg) {
      if (isWide)
        kernel.body += "mov.b64 %d" + std::to_string(nextWide++) + ", {%in" +
                       std::to_string(next) + ", %in" +
                       std::to_string(next + 1) + "};\n";
      next += isWide ? 2 : 1;
      for (unsigned lane = 0; lane < 32; ++lane) {
        kernel.inputs[lane].push_back(uint32_t(operands[i]->words[lane][reg]));
        if (isWide)
          kernel.inputs[lane].push_back(
              uint32_t(operands[i]->words[lane][reg] >> 32));
      }
    }
  }
  names[3] = nameRegisters(isWide ? "%d" : "%out", isWide ? nextWide : 0,
                           d.numRegisters);
  std::string scales;
  if (test.block) {
    unsigned blocks = test.k / test.block;
    for (unsigned lane = 0; lane < 32; ++lane) {
      // Row m is with lane 4 * (m mod 8) + 2 * thread id + m div 8.
      uint32_t wordA = 0xFFFFFFFF, wordB = 0xFFFFFFFF;
      if (lane % 4 / 2 == threadA)
        wordA = packScale(test, &x.scaleA[(lane / 4 + lane % 2 * 8) * blocks],
                          byteA);
      if (lane % 4 == threadB)
        wordB = packScale(test, &x.scaleB[lane / 4 * blocks], byteB);
      kernel.inputs[lane].push_back(wordA);
      kernel.inputs[lane].push_back(wordB);
    }
    kernel.body += "mov.b16 %h1, " + std::to_string(byteA) + ";\n";
    scales = ", %in" + std::to_string(next) + ", {%h1, " +
             std::to_string(threadA) + "}, %in" + std::to_string(next + 1) +
             ", {" + std::to_string(byteB) + ", " + std::to_string(threadB) +
             "}";
  }
  // Indices 0 and 1 in every chunk, whichever lane supplies them.
  std::string opcode = test.chunk ? "mma.sp::ordered_metadata" : "mma";
  if (test.chunk) {
    kernel.body += "mov.b32 %r63, 0x44444444;\n";
    scales = ", %r63, 0x0" + scales;
  }
  kernel.body += opcode + ".sync.aligned." + test.qualifiers + " " + names[3] +
                 ", " + names[0] + ", " + names[1] + ", " + names[2] + scales +
                 ";\n";
  kernel.numOutputs = d.numRegisters * (isWide ? 2 : 1);
  for (unsigned reg = 0; reg < d.numRegisters && isWide; ++reg)
    kernel.body += "mov.b64 {%out" + std::to_string(2 * reg) + ", %out" +
                   std::to_string(2 * reg + 1) + "}, %d" +
                   std::to_string(nextWide + reg) + ";\n";
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned reg = 0; reg < d.numRegisters; ++reg) {
      uint64_t got = isWide ? outcome.outputs[lane][2 * reg] |
                                  uint64_t(outcome.outputs[lane][2 * reg + 1])
                                      << 32
                            : outcome.outputs[lane][reg];
      ASSERT_EQ(got, d.words[lane][reg]) << "lane " << lane << " reg " << reg;
    }
}

static const std::vector<double> kSmall = {-4, -3, -2, -1, 0, 1, 2, 3, 4};
static const std::vector<double> kBits = {0, 1};
static const std::vector<double> kNatural = {0, 1, 2, 3, 7};
/// Normal numbers of the narrowest types.
static const std::vector<double> kNarrow = {-3, -2, -1, 0, 1, 1.5, 2, 3};

static const MmaCase kCases[] = {
    {"m16n8k8.row.col.f32.f16.f16.f32", 16, 8, 8, kF16, kF16, kF32, kF32,
     kSmall},
    {"m16n8k16.row.col.f32.f16.f16.f32", 16, 8, 16, kF16, kF16, kF32, kF32,
     kSmall},
    {"m16n8k16.row.col.f16.f16.f16.f16", 16, 8, 16, kF16, kF16, kF16, kF16,
     kSmall},
    {"m16n8k16.row.col.f32.bf16.bf16.f32", 16, 8, 16, kBF16, kBF16, kF32, kF32,
     kSmall},
    {"m16n8k4.row.col.f32.tf32.tf32.f32", 16, 8, 4, kTF32, kTF32, kF32, kF32,
     kSmall},
    {"m16n8k8.row.col.f32.tf32.tf32.f32", 16, 8, 8, kTF32, kTF32, kF32, kF32,
     kSmall},
    {"m16n8k32.row.col.f32.e4m3.e5m2.f32", 16, 8, 32, kE4M3, kE5M2, kF32, kF32,
     kSmall},
    {"m16n8k16.row.col.f16.e5m2.e4m3.f16", 16, 8, 16, kE5M2, kE4M3, kF16, kF16,
     kSmall},
    {"m16n8k32.row.col.s32.s8.u8.s32", 16, 8, 32, kS8, kS8, kS32, kS32,
     kNatural},
    {"m8n8k16.row.col.satfinite.s32.s8.s8.s32", 8, 8, 16, kS8, kS8, kS32, kS32,
     kSmall},
    {"m16n8k64.row.col.s32.s4.s4.s32", 16, 8, 64, kS4, kS4, kS32, kS32, kSmall},
    {"m16n8k256.row.col.s32.b1.b1.s32.and.popc", 16, 8, 256, kB1, kB1, kS32,
     kS32, kBits},
    {"m8n8k128.row.col.s32.b1.b1.s32.xor.popc",
     8,
     8,
     128,
     kB1,
     kB1,
     kS32,
     kS32,
     kBits,
     0,
     {},
     true},
    {"m8n8k4.row.col.f64.f64.f64.f64", 8, 8, 4, kF64, kF64, kF64, kF64, kSmall},
    {"m16n8k16.row.col.f64.f64.f64.f64", 16, 8, 16, kF64, kF64, kF64, kF64,
     kSmall},
    {"m16n8k32.row.col.kind::f8f6f4.f32.e3m2.e2m3.f32", 16, 8, 32, kE3M2, kE2M3,
     kF32, kF32, kNarrow},
};

TEST(Mma, EveryKindOfElement) {
  for (const MmaCase &test : kCases) {
    runCase(test);
    Options options;
    options.accumulation = Accumulation::Exact;
    options.checkDefinedness = options.checkOrdering = false;
    runCase(test, options);
  }
}

TEST(Mma, BlockScales) {
  const MmaCase nvfp4 = {"m16n8k64.row.col.kind::mxf4nvf4.block_scale."
                         "scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3",
                         16,
                         8,
                         64,
                         kE2M1,
                         kE2M1,
                         kF32,
                         kF32,
                         kNarrow,
                         16,
                         {0x38, 0x40}};
  const MmaCase mxfp4 = {"m16n8k64.row.col.kind::mxf4.block_scale."
                         "f32.e2m1.e2m1.f32.ue8m0",
                         16,
                         8,
                         64,
                         kE2M1,
                         kE2M1,
                         kF32,
                         kF32,
                         kNarrow,
                         32};
  const MmaCase mxfp8 = {"m16n8k32.row.col.kind::mxf8f6f4.block_scale."
                         "scale_vec::1X.f32.e4m3.e2m1.f32.ue8m0",
                         16,
                         8,
                         32,
                         kE4M3,
                         kE2M1InByte,
                         kF32,
                         kF32,
                         kNarrow,
                         32};
  for (unsigned threadA = 0; threadA < 2; ++threadA)
    for (unsigned threadB = 0; threadB < 4; ++threadB) {
      runCase(nvfp4, Options(), 0, threadA, 0, threadB);
      runCase(mxfp4, Options(), 2 * threadA, threadA, 2 * (threadB % 2),
              threadB);
      runCase(mxfp8, Options(), 3 - threadB, threadA, threadB, threadB);
    }
}

TEST(Mma, SparseFactors) {
  runCase({"m16n8k32.row.col.f32.bf16.bf16.f32",
           16,
           8,
           32,
           kBF16,
           kBF16,
           kF32,
           kF32,
           kSmall,
           0,
           {},
           false,
           4});
  runCase({"m16n8k16.row.col.f16.f16.f16.f16",
           16,
           8,
           16,
           kF16,
           kF16,
           kF16,
           kF16,
           kSmall,
           0,
           {},
           false,
           4});
  runCase({"m16n8k64.row.col.s32.s8.s8.s32",
           16,
           8,
           64,
           kS8,
           kS8,
           kS32,
           kS32,
           kSmall,
           0,
           {},
           false,
           4});
  runCase({"m16n8k128.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X."
           "f32.e2m1.e2m1.f32.ue4m3",
           16,
           8,
           128,
           kE2M1,
           kE2M1,
           kF32,
           kF32,
           kNarrow,
           32,
           {0x38, 0x40},
           false,
           8});
}

//===----------------------------------------------------------------------===//
// Errors and undefined bits
//===----------------------------------------------------------------------===//

static const char *const kNVFP4Text =
    "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale."
    "scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3 {%f0,%f1,%f2,%f3}, "
    "{%in0,%in1,%in2,%in3}, {%in4,%in5}, {%f4,%f5,%f6,%f7}, %in6, ";

static WarpKernel makeNVFP4Kernel(const std::string &selectors) {
  WarpKernel kernel;
  kernel.inputs = makeInputs([](unsigned, unsigned) { return 0; }, 8);
  for (int i = 4; i < 8; ++i)
    kernel.body += "mov.f32 %f" + std::to_string(i) + ", 0f00000000;\n";
  kernel.body += kNVFP4Text + selectors + ";\n";
  for (int i = 0; i < 4; ++i)
    kernel.body +=
        "mov.b32 %out" + std::to_string(i) + ", %f" + std::to_string(i) + ";\n";
  kernel.numOutputs = 4;
  return kernel;
}

TEST(Mma, SelectorsAreChecked) {
  EXPECT_EQ(makeNVFP4Kernel("{0, 1}, %in7, {0, 3}").run().getRule(), "");
  for (const char *bad : {"{1, 0}, %in7, {0, 0}", "{0, 2}, %in7, {0, 0}",
                          "{0, 0}, %in7, {2, 0}", "{0, 0}, %in7, {0, 4}"}) {
    auto outcome = makeNVFP4Kernel(bad).run();
    EXPECT_EQ(outcome.getRule(), "selector") << bad << outcome.loadError;
  }
  WarpKernel kernel = makeNVFP4Kernel("{0, %h1}, %in7, {0, 0}");
  std::string body = kernel.body;
  kernel.body = "mov.b32 {%h1, %h2}, %lane;\nand.b16 %h1, %h1, 1;\n" + body;
  EXPECT_EQ(kernel.run().getRule(), "selector");
  kernel.body = body;
  EXPECT_EQ(kernel.run().getRule(), "R11");
}

TEST(Mma, TargetsAreChecked) {
  WarpKernel kernel = makeNVFP4Kernel("{0, 0}, %in7, {0, 0}");
  for (const char *target : {"sm_120a", "sm_120f", "sm_121a", "sm_121f"}) {
    kernel.target = target;
    EXPECT_EQ(kernel.run().loadError, "") << target;
  }
  for (const char *target : {"sm_90a", "sm_100a", "sm_120"}) {
    kernel.target = target;
    std::string error = kernel.run().loadError;
    EXPECT_NE(error.find("expected one of the targets sm_120a"),
              std::string::npos)
        << error;
    EXPECT_NE(error.find(std::string("but got ") + target), std::string::npos)
        << error;
  }
}

TEST(Mma, UnknownFormsAreRefused) {
  WarpKernel kernel;
  for (const char *text :
       {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.f16.f32 {%f0,%f1,%f2,%f3}, "
        "{%r0,%r1,%r2,%r3}, {%r4,%r5}, {%f0,%f1,%f2,%f3};",
        "mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32 "
        "{%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, {%f0,%f1,%f2,%f3};",
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%f0,%f1,%f2,%f3}, {%r0,%r1}, {%r4,%r5}, {%f0,%f1,%f2,%f3};",
        "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale."
        "scale_vec::2X.f32.e2m1.e2m1.f32.ue4m3 {%f0,%f1,%f2,%f3}, "
        "{%r0,%r1,%r2,%r3}, {%r4,%r5}, {%f0,%f1,%f2,%f3}, %r6, {0,0}, %r7, "
        "{0,0};"}) {
    kernel.body = text;
    EXPECT_NE(kernel.run().loadError.find("expected"), std::string::npos)
        << text;
  }
}

/// An undefined element of A reaches one row of D; a zero scale stops it.
TEST(Mma, UndefinedElementsReachTheirRow) {
  for (bool hasZeroScale : {false, true}) {
    WarpKernel kernel = makeNVFP4Kernel("{0, 0}, %in7, {0, 0}");
    kernel.inputs = makeInputs(
        [&](unsigned lane, unsigned word) {
          // Ones everywhere; scales of one, or zero for row 1 of A.
          if (word == 6 && hasZeroScale && lane == 4)
            return 0u;
          return word >= 6 ? 0x38383838u : 0x22222222u;
        },
        8);
    // Row 1, columns 0 to 7 of A are with lane 4.
    kernel.body = "setp.eq.u32 %p1, %lane, 4;\n"
                  "and.b32 %r1, %r0, 0xf0;\n"
                  "or.b32 %r2, %r1, %in0;\n"
                  "selp.b32 %in0, %r2, %in0, %p1;\n" +
                  kernel.body;
    auto outcome = kernel.run();
    ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
    uint32_t lanes = hasZeroScale ? 0 : 0xF0;
    EXPECT_EQ(outcome.getUndefinedLanes(0), lanes);
    EXPECT_EQ(outcome.getUndefinedLanes(1), lanes);
    EXPECT_EQ(outcome.getUndefinedLanes(2), 0u);
    EXPECT_EQ(outcome.outputs[0][0], 0x42800000u); // 64
  }
}

/// Lanes whose scales nobody asks for may hold anything.
TEST(Mma, UnusedScaleRegistersMayBeUndefined) {
  WarpKernel kernel = makeNVFP4Kernel("{0, 0}, %r3, {0, 1}");
  kernel.body = "and.b32 %r1, %lane, 3;\n"
                "setp.eq.u32 %p1, %r1, 1;\n"
                "selp.b32 %r3, %in7, %r2, %p1;\n" +
                kernel.body;
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError + outcome.report.toString(), "");
  EXPECT_EQ(outcome.getUndefinedLanes(0), 0u);
}

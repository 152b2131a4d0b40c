//===- IntegerTest.cpp - Integer instructions, bit by bit -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// References are loops over single bits or 128-bit arithmetic.
//
//===----------------------------------------------------------------------===//

#include "Integer.h"

#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace nvfp4::ptx;

namespace {

using Big = __int128;

/// Edges and random values of all magnitudes.
template <typename T> std::vector<T> samples(unsigned seed, int random = 60) {
  std::vector<T> result;
  for (uint64_t value : {0ull,
                         1ull,
                         2ull,
                         3ull,
                         7ull,
                         31ull,
                         32ull,
                         33ull,
                         63ull,
                         64ull,
                         127ull,
                         128ull,
                         255ull,
                         256ull,
                         0x7FFFull,
                         0x8000ull,
                         0xFFFFull,
                         0x7FFFFFull,
                         0x800000ull,
                         0xFFFFFFull,
                         0x7FFFFFFFull,
                         0x80000000ull,
                         0xFFFFFFFFull,
                         0x7FFFFFFFFFFFFFFFull,
                         0x8000000000000000ull,
                         ~0ull}) {
    result.push_back(T(value));
    result.push_back(T(~value));
  }
  std::mt19937_64 engine(seed);
  for (int i = 0; i < random; ++i)
    result.push_back(T(engine() >> engine() % 64));
  return result;
}

template <typename T> Big bigOf(T value) { return Big(value); }

template <typename T> class IntegerOf : public ::testing::Test {};
using AllTypes =
    ::testing::Types<uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t>;
TYPED_TEST_SUITE(IntegerOf, AllTypes);

} // namespace

TYPED_TEST(IntegerOf, Arithmetic) {
  using T = TypeParam;
  std::vector<T> values = samples<T>(1);
  for (T a : values)
    for (T b : values) {
      T c = T(a * 3 + b);
      Big x = bigOf(a), y = bigOf(b), z = bigOf(c);
      ASSERT_EQ(addInt(a, b), T(x + y));
      ASSERT_EQ(subInt(a, b), T(x - y));
      ASSERT_EQ(mulLo(a, b),
                T((unsigned __int128)(x) * (unsigned __int128)(y)));
      ASSERT_EQ(madLo(a, b, c), T(mulLo(a, b) + z));
      ASSERT_EQ(sadInt(a, b, c), T(z + (x < y ? y - x : x - y)));
      ASSERT_EQ(minInt(a, b), x < y ? a : b);
      ASSERT_EQ(maxInt(a, b), x < y ? b : a);
      if (sizeof(T) < 8) {
        ASSERT_EQ(mulHi(a, b), T((x * y) >> (sizeof(T) * 8)));
        ASSERT_EQ(madHi(a, b, c), T(((x * y) >> (sizeof(T) * 8)) + z));
      }
      Quotient<T> result = divide(a, b);
      if (b == 0) {
        ASSERT_EQ(result.quotient, T(~T(0)));
        ASSERT_EQ(result.remainder, T(~T(0)));
      } else {
        ASSERT_EQ(result.quotient, T(x / y));
        ASSERT_EQ(result.remainder, T(x % y));
      }
      ASSERT_EQ(negInt(a), T(-x));
      ASSERT_EQ(absInt(a), T(x < 0 ? -x : x));
    }
}

TYPED_TEST(IntegerOf, ShiftsAndComparisons) {
  using T = TypeParam;
  using U = std::make_unsigned_t<T>;
  constexpr unsigned kBits = sizeof(T) * 8;
  for (T a : samples<T>(2))
    for (uint32_t amount : samples<uint32_t>(3, 10)) {
      T left = 0, right = a < 0 ? T(-1) : T(0);
      for (unsigned bit = 0; bit < kBits; ++bit) {
        if (bit >= amount && (U(a) >> (bit - amount) & 1))
          left = T(U(left) | U(1) << bit);
        if (amount < kBits - bit) {
          U one = U(U(1) << bit);
          right = T(U(a) >> (bit + amount) & 1 ? U(right) | one
                                               : U(right) & U(~one));
        }
      }
      ASSERT_EQ(shlInt(U(a), amount), U(left)) << amount;
      ASSERT_EQ(shrInt(a, amount), right) << amount;
      T b = T(amount);
      ASSERT_EQ(compareInt<Compare::LT>(a, b), bigOf(a) < bigOf(b));
      ASSERT_EQ(compareInt<Compare::GE>(a, b), bigOf(a) >= bigOf(b));
      ASSERT_EQ(compareInt<Compare::EQ>(a, b), bigOf(a) == bigOf(b));
    }
}

TEST(Integer, MulHiOf64Bits) {
  for (int64_t a : samples<int64_t>(4))
    for (int64_t b : samples<int64_t>(5)) {
      // Schoolbook, by halves.
      uint64_t x = uint64_t(a), y = uint64_t(b);
      uint64_t low = (x & 0xFFFFFFFF) * (y & 0xFFFFFFFF);
      uint64_t mid1 = (x >> 32) * (y & 0xFFFFFFFF) + (low >> 32);
      uint64_t mid2 = (x & 0xFFFFFFFF) * (y >> 32) + (mid1 & 0xFFFFFFFF);
      uint64_t high = (x >> 32) * (y >> 32) + (mid1 >> 32) + (mid2 >> 32);
      ASSERT_EQ(mulHi(x, y), high);
      uint64_t correction = (a < 0 ? y : 0) + (b < 0 ? x : 0);
      ASSERT_EQ(mulHi(a, b), int64_t(high - correction));
    }
}

TEST(Integer, Wide) {
  EXPECT_EQ(mulWide(uint16_t(0xFFFF), uint16_t(0xFFFF)), 0xFFFE0001u);
  EXPECT_EQ(mulWide(int16_t(-32768), int16_t(-32768)), 0x40000000);
  EXPECT_EQ(mulWide(~0u, ~0u), 0xFFFFFFFE00000001ull);
  EXPECT_EQ(madWide(int32_t(-1), int32_t(5), int64_t(3)), -2);
}

TEST(Integer, Saturation) {
  auto clamp = [](Big value) {
    return int32_t(value > INT32_MAX   ? Big(INT32_MAX)
                   : value < INT32_MIN ? Big(INT32_MIN)
                                       : value);
  };
  for (int32_t a : samples<int32_t>(6))
    for (int32_t b : samples<int32_t>(7)) {
      int32_t c = int32_t(uint32_t(a) * 5 + uint32_t(b));
      ASSERT_EQ(addSat(a, b), clamp(Big(a) + b));
      ASSERT_EQ(subSat(a, b), clamp(Big(a) - b));
      ASSERT_EQ(madHiSat(a, b, c), clamp((Big(a) * b >> 32) + c));
      ASSERT_EQ(minInt<true>(a, b), std::max(0, std::min(a, b)));
      ASSERT_EQ(maxInt<true>(a, b), std::max(0, std::max(a, b)));
      auto low24 = [](int32_t v) {
        int32_t low = v & 0xFFFFFF;
        return Big(low >= 0x800000 ? low - 0x1000000 : low);
      };
      Big product = low24(a) * low24(b);
      ASSERT_EQ(mul24Lo(a, b), int32_t(product));
      ASSERT_EQ(mul24Hi(a, b), int32_t(product >> 16));
      ASSERT_EQ(mad24HiSat(a, b, c), clamp(int32_t(product >> 16) + Big(c)));
      uint64_t plain = uint64_t(a & 0xFFFFFF) * uint64_t(b & 0xFFFFFF);
      ASSERT_EQ(mul24Lo(uint32_t(a), uint32_t(b)), uint32_t(plain));
      ASSERT_EQ(mul24Hi(uint32_t(a), uint32_t(b)), uint32_t(plain >> 16));
      ASSERT_EQ(mad24Lo(a, b, c), int32_t(product + c));
    }
}

namespace {

template <typename U> void checkCarries() {
  constexpr unsigned kBits = sizeof(U) * 8;
  for (U a : samples<U>(8))
    for (U b : samples<U>(9))
      for (U in : {U(0), U(1)}) {
        U out = 7;
        unsigned __int128 sum = (unsigned __int128)(a) + b + in;
        ASSERT_EQ(addCarry(a, b, in, out), U(sum));
        ASSERT_EQ(out, U(sum >> kBits));
        Big difference = Big(a) - Big(b) - in;
        ASSERT_EQ(subBorrow(a, b, in, out), U(difference));
        ASSERT_EQ(out, difference < 0 ? 1u : 0u);
      }
}

} // namespace

TEST(Integer, Carries) {
  checkCarries<uint32_t>();
  checkCarries<uint64_t>();
}

namespace {

template <typename T> void checkCounting() {
  using U = std::make_unsigned_t<T>;
  constexpr int kBits = sizeof(T) * 8;
  for (T a : samples<T>(10)) {
    uint32_t ones = 0, zeros = kBits, position = ~0u;
    U reversed = 0;
    for (int bit = 0; bit < kBits; ++bit) {
      bool one = U(a) >> bit & 1;
      ones += one;
      if (one) {
        zeros = uint32_t(kBits - 1 - bit);
        reversed |= U(1) << (kBits - 1 - bit);
      }
      if (one != (a < 0))
        position = uint32_t(bit);
    }
    ASSERT_EQ(popc(U(a)), ones);
    ASSERT_EQ(clz(U(a)), zeros);
    ASSERT_EQ(brev(U(a)), reversed);
    ASSERT_EQ(bfind(a), position);
    ASSERT_EQ(bfind<true>(a), position == ~0u ? ~0u : kBits - 1 - position);
  }
}

} // namespace

TEST(Integer, Counting) {
  checkCounting<uint32_t>();
  checkCounting<int32_t>();
  checkCounting<uint64_t>();
  checkCounting<int64_t>();
}

TEST(Integer, FindNthSet) {
  std::mt19937_64 engine(11);
  for (int i = 0; i < 20000; ++i) {
    uint32_t mask = uint32_t(engine() & engine()), base = engine() % 32;
    int32_t offset = int32_t(engine() % 41) - 20;
    // Positions of set bits, counted from the base.
    std::vector<uint32_t> up, down;
    for (uint32_t bit = 0; bit < 32; ++bit)
      if (mask >> bit & 1) {
        if (bit >= base)
          up.push_back(bit);
        if (bit <= base)
          down.insert(down.begin(), bit);
      }
    uint32_t expected = ~0u;
    if (offset == 0)
      expected = mask >> base & 1 ? base : ~0u;
    else if (offset > 0 && size_t(offset) <= up.size())
      expected = up[size_t(offset - 1)];
    else if (offset < 0 && size_t(-offset) <= down.size())
      expected = down[size_t(-offset - 1)];
    ASSERT_EQ(fns(mask, base, offset), expected);
  }
  EXPECT_EQ(fns(~0u, 32, 1), ~0u);
  EXPECT_EQ(fns(~0u, 31, INT32_MIN), ~0u);
}

namespace {

template <typename T> void checkBitFields() {
  using U = std::make_unsigned_t<T>;
  constexpr uint32_t kBits = sizeof(T) * 8;
  std::mt19937_64 engine(12);
  for (int i = 0; i < 30000; ++i) {
    T a = T(engine()), b = T(engine());
    uint32_t position = uint32_t(engine() % 80),
             length = uint32_t(engine() % 80);
    if (i % 16 == 0)
      position += 0x100, length += 0xFFFFFF00;
    uint32_t pos = position & 0xFF, len = length & 0xFF;
    U extracted = 0, inserted = U(b);
    uint32_t last = std::min(pos + len - 1, kBits - 1);
    bool fill = std::is_signed_v<T> && len != 0 && (U(a) >> last & 1);
    for (uint32_t bit = 0; bit < kBits; ++bit) {
      bool one =
          bit < len && pos + bit < kBits ? U(a) >> (pos + bit) & 1 : fill;
      extracted |= U(one) << bit;
      if (bit < len && pos + bit < kBits) {
        U where = U(1) << (pos + bit);
        inserted = U(a) >> bit & 1 ? inserted | where : inserted & ~where;
      }
    }
    ASSERT_EQ(bfe(a, position, length), T(extracted)) << pos << " " << len;
    ASSERT_EQ(bfi(U(a), U(b), position, length), inserted) << pos << " " << len;
  }
}

} // namespace

TEST(Integer, BitFields) {
  checkBitFields<uint32_t>();
  checkBitFields<int32_t>();
  checkBitFields<uint64_t>();
  checkBitFields<int64_t>();
}

TEST(Integer, ExtendAndMask) {
  for (uint32_t a : samples<uint32_t>(13))
    for (uint32_t n = 0; n < 70; ++n) {
      uint32_t count = n & 31, ones = 0;
      for (uint32_t bit = 0; bit < count; ++bit)
        ones |= 1u << bit;
      uint32_t zeroExtended = a & ones;
      bool negative = count != 0 && (a >> (count - 1) & 1);
      uint32_t signExtended = negative ? a | ~ones : zeroExtended;
      ASSERT_EQ((szext<false, uint32_t>(a, n)), zeroExtended);
      ASSERT_EQ((szext<false, int32_t>(int32_t(a), n)), int32_t(signExtended));
      ASSERT_EQ((szext<true, uint32_t>(a, n)), n >= 32 ? a : zeroExtended);
      ASSERT_EQ((szext<true, int32_t>(int32_t(a), n)),
                int32_t(n >= 32 ? a : signExtended));
    }
  for (uint32_t start = 0; start < 70; ++start)
    for (uint32_t width = 0; width < 70; ++width) {
      uint32_t wrapped = 0, clamped = 0;
      for (uint32_t bit = 0; bit < 32; ++bit) {
        uint32_t from = start & 31, to = from + (width & 31);
        wrapped |= uint32_t(bit >= from && bit < to) << bit;
        clamped |= uint32_t(bit >= start && bit < start + width) << bit;
      }
      ASSERT_EQ(bmsk<false>(start, width), wrapped) << start << " " << width;
      ASSERT_EQ(bmsk<true>(start, width), clamped) << start << " " << width;
    }
}

TEST(Integer, FunnelShift) {
  std::mt19937_64 engine(14);
  for (int i = 0; i < 20000; ++i) {
    uint32_t a = uint32_t(engine()), b = uint32_t(engine());
    uint32_t c = i & 1 ? uint32_t(engine()) : uint32_t(engine() % 70);
    for (bool clamp : {false, true}) {
      uint32_t n = clamp ? std::min(c, 32u) : c % 32;
      uint32_t left = n == 0 ? b : n == 32 ? a : b << n | a >> (32 - n);
      uint32_t right = n == 0 ? a : n == 32 ? b : b << (32 - n) | a >> n;
      ASSERT_EQ(clamp ? shfLeft<true>(a, b, c) : shfLeft<false>(a, b, c), left);
      ASSERT_EQ(clamp ? shfRight<true>(a, b, c) : shfRight<false>(a, b, c),
                right);
    }
  }
}

TEST(Integer, Permute) {
  constexpr uint32_t a = 0x83025180, b = 0xC7F64504;
  auto byteAt = [&](uint32_t index) {
    return (index < 4 ? a >> (8 * index) : b >> (8 * (index - 4))) & 0xFF;
  };
  for (uint32_t c = 0; c < 0x10000; ++c) {
    uint32_t expected = 0;
    for (unsigned i = 0; i < 4; ++i) {
      uint32_t selector = c >> (4 * i) & 15, byte = byteAt(selector & 7);
      if (selector & 8)
        byte = byte >= 0x80 ? 0xFF : 0;
      expected |= byte << (8 * i);
    }
    ASSERT_EQ(prmt(a, b, c), expected);
  }
  // Bytes 3, 2, 1, 0 of the result, per mode and c.
  struct Row {
    uint32_t (*permute)(uint32_t, uint32_t, uint32_t);
    unsigned bytes[4][4];
  };
  const Row rows[] = {
      {prmt<PermuteMode::F4E>,
       {{3, 2, 1, 0}, {4, 3, 2, 1}, {5, 4, 3, 2}, {6, 5, 4, 3}}},
      {prmt<PermuteMode::B4E>,
       {{5, 6, 7, 0}, {6, 7, 0, 1}, {7, 0, 1, 2}, {0, 1, 2, 3}}},
      {prmt<PermuteMode::RC8>,
       {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}}},
      {prmt<PermuteMode::ECL>,
       {{3, 2, 1, 0}, {3, 2, 1, 1}, {3, 2, 2, 2}, {3, 3, 3, 3}}},
      {prmt<PermuteMode::ECR>,
       {{0, 0, 0, 0}, {1, 1, 1, 0}, {2, 2, 1, 0}, {3, 2, 1, 0}}},
      {prmt<PermuteMode::RC16>,
       {{1, 0, 1, 0}, {3, 2, 3, 2}, {1, 0, 1, 0}, {3, 2, 3, 2}}},
  };
  for (const Row &row : rows)
    for (uint32_t c = 0; c < 8; ++c) {
      uint32_t expected = 0;
      for (unsigned byte : row.bytes[c & 3])
        expected = expected << 8 | byteAt(byte);
      EXPECT_EQ(row.permute(a, b, c), expected) << c;
    }
}

TEST(Integer, LogicOfThree) {
  std::mt19937_64 engine(15);
  for (uint32_t table = 0; table < 256; ++table) {
    uint32_t a = uint32_t(engine()), b = uint32_t(engine());
    uint32_t c = uint32_t(engine()), expected = 0;
    for (unsigned bit = 0; bit < 32; ++bit) {
      unsigned index = (a >> bit & 1) * 4 + (b >> bit & 1) * 2 + (c >> bit & 1);
      expected |= (table >> index & 1) << bit;
    }
    ASSERT_EQ(lop3(a, b, c, table), expected);
  }
  // The manual's way to compute a table: apply the function to these.
  EXPECT_EQ(lop3(12, 10, 9, (0xF0 & 0xCC) ^ 0xAA), (12u & 10u) ^ 9u);
}

TEST(Integer, DotProducts) {
  std::mt19937_64 engine(16);
  for (int i = 0; i < 20000; ++i) {
    uint32_t a = uint32_t(engine()), b = uint32_t(engine());
    uint32_t c = uint32_t(engine());
    int64_t uu = c, us = c, su = c, ss = c, low = c, high = c;
    for (unsigned k = 0; k < 4; ++k) {
      int ua = a >> (8 * k) & 0xFF, ub = b >> (8 * k) & 0xFF;
      int sa = ua < 128 ? ua : ua - 256, sb = ub < 128 ? ub : ub - 256;
      uu += ua * ub, us += ua * sb, su += sa * ub, ss += sa * sb;
      int half = a >> (16 * (k % 2)) & 0xFFFF;
      (k < 2 ? low : high) += int64_t(half < 32768 ? half : half - 65536) * ub;
    }
    ASSERT_EQ(dp4a(a, b, c), uint32_t(uu));
    ASSERT_EQ(dp4a(a, int32_t(b), c), uint32_t(us));
    ASSERT_EQ(dp4a(int32_t(a), b, c), uint32_t(su));
    ASSERT_EQ(dp4a(int32_t(a), int32_t(b), c), uint32_t(ss));
    ASSERT_EQ((dp2a<false>(int32_t(a), b, c)), uint32_t(low));
    ASSERT_EQ((dp2a<true>(int32_t(a), b, c)), uint32_t(high));
  }
}

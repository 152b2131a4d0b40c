//===- IntegerTest.cpp - Integer, logic and shift instructions ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every spelling against a formula on integers of 128 bits, or on single bits.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"

#include <gtest/gtest.h>

#include <random>

using namespace nvfp4::ptx;

namespace {

using Big = __int128;

struct IntegerType {
  const char *name;
  unsigned bits;
  bool isSigned;

  char getSize() const { return bits == 16 ? 'h' : bits == 32 ? 'w' : 'd'; }
  uint64_t getMask() const { return ~uint64_t(0) >> (64 - bits); }
  /// The number that a bit pattern stands for.
  Big toNumber(uint64_t pattern) const {
    Big number = Big(pattern & getMask());
    bool isNegative = isSigned && (pattern >> (bits - 1) & 1);
    return isNegative ? number - (Big(1) << bits) : number;
  }
  uint64_t toPattern(Big number) const { return uint64_t(number) & getMask(); }
  Big getMax() const { return (Big(1) << (bits - isSigned)) - 1; }
  Big getMin() const { return isSigned ? -getMax() - 1 : 0; }
};

constexpr IntegerType kTypes[] = {
    {"u16", 16, false}, {"s16", 16, true},  {"u32", 32, false},
    {"s32", 32, true},  {"u64", 64, false}, {"s64", 64, true},
};
constexpr IntegerType kS32 = {"s32", 32, true}, kU32 = {"u32", 32, false};

std::vector<OperandRow> makeIntegers(unsigned count) {
  static std::mt19937_64 random(1);
  std::vector<uint64_t> edges = {0, 1, 2, 7, 31, 32, 33, 63, 64, 255};
  for (unsigned bits : {15, 16, 31, 32, 63})
    for (uint64_t edge : {uint64_t(1) << bits, (uint64_t(1) << bits) - 1})
      edges.insert(edges.end(), {edge, ~edge});
  // Small numbers as often as large ones.
  auto draw = [] { return random() >> (random() % 64); };
  std::vector<OperandRow> rows = makeRows(std::min(count, 3u), edges, draw);
  for (OperandRow &row : rows)
    while (row.size() < count)
      row.push_back(random() % 3 ? draw() : edges[random() % edges.size()]);
  return rows;
}

/// The result as a number, from the operands as numbers; it wraps.
using Formula = std::function<Big(const std::vector<Big> &)>;

void check(const std::string &spelling, const std::string &sizes,
           const IntegerType &type, const IntegerType &resultType,
           const Formula &formula) {
  checkAll(spelling, sizes, makeIntegers(unsigned(sizes.size()) - 1),
           [&](const OperandRow &row, uint64_t result) {
             std::vector<Big> numbers;
             for (uint64_t operand : row)
               numbers.push_back(type.toNumber(operand));
             return result == resultType.toPattern(formula(numbers));
           });
}
void check(const std::string &opcode, unsigned numSources,
           const IntegerType &type, const Formula &formula) {
  check(opcode + "." + type.name, std::string(numSources + 1, type.getSize()),
        type, type, formula);
}

Big clamp(Big value, const IntegerType &type) {
  return std::min(std::max(value, type.getMin()), type.getMax());
}

/// Bits of a pattern.
using BitFormula = std::function<uint64_t(const OperandRow &)>;
void checkBits(const std::string &spelling, const std::string &sizes,
               const BitFormula &formula) {
  auto getMask = [](char size) {
    return ~uint64_t(0) >> (size == 'd' ? 0 : size == 'w' ? 32 : 48);
  };
  checkAll(spelling, sizes,
           makeIntegers(std::max(1u, unsigned(sizes.size()) - 1)),
           [&](const OperandRow &row, uint64_t result) {
             OperandRow cut = row;
             for (size_t i = 0; i + 1 < sizes.size(); ++i)
               cut[i] &= getMask(sizes[i + 1]);
             return result == (formula(cut) & getMask(sizes[0]));
           });
}

using N = const std::vector<Big> &;

} // namespace

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

TEST(IntegerInstructions, AddSubtractMultiply) {
  for (const IntegerType &type : kTypes) {
    check("add", 2, type, [](N n) { return n[0] + n[1]; });
    check("sub", 2, type, [](N n) { return n[0] - n[1]; });
    check("mul.lo", 2, type, [](N n) { return n[0] * n[1]; });
    check("mad.lo", 3, type, [](N n) { return n[0] * n[1] + n[2]; });
    check("min", 2, type, [](N n) { return std::min(n[0], n[1]); });
    check("max", 2, type, [](N n) { return std::max(n[0], n[1]); });
    check("sad", 3, type,
          [](N n) { return n[2] + (n[0] < n[1] ? n[1] - n[0] : n[0] - n[1]); });
    if (type.isSigned) {
      check("neg", 1, type, [](N n) { return -n[0]; });
      check("abs", 1, type, [](N n) { return n[0] < 0 ? -n[0] : n[0]; });
    }
  }
}

/// The upper half of a product of 64 bits, by halves of 32.
static uint64_t multiplyHigh(uint64_t a, uint64_t b) {
  uint64_t a0 = uint32_t(a), a1 = a >> 32, b0 = uint32_t(b), b1 = b >> 32;
  uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
  return a1 * b1 + (middle >> 32) + ((a0 * b1 + uint32_t(middle)) >> 32);
}

TEST(IntegerInstructions, MultiplyHighAndWide) {
  for (const IntegerType &type : kTypes) {
    unsigned bits = type.bits;
    bool isSigned = type.isSigned;
    auto high = [=](N n) -> Big {
      if (bits < 64)
        return (n[0] * n[1]) >> bits;
      uint64_t a = uint64_t(n[0]), b = uint64_t(n[1]);
      uint64_t result = multiplyHigh(a, b);
      if (isSigned)
        result -= (n[0] < 0 ? b : 0) + (n[1] < 0 ? a : 0);
      return Big(result);
    };
    check("mul.hi", 2, type, high);
    check("mad.hi", 3, type, [&](N n) { return high(n) + n[2]; });
    if (bits == 64)
      continue;
    IntegerType wide = {"", 2 * bits, isSigned};
    std::string source(1, type.getSize()), result(1, wide.getSize());
    check(std::string("mul.wide.") + type.name, result + source + source, type,
          wide, [](N n) { return n[0] * n[1]; });
    checkAll(std::string("mad.wide.") + type.name,
             result + source + source + result, makeIntegers(3),
             [&](const OperandRow &row, uint64_t got) {
               Big sum = type.toNumber(row[0]) * type.toNumber(row[1]) +
                         wide.toNumber(row[2]);
               return got == wide.toPattern(sum);
             });
  }
}

TEST(IntegerInstructions, Saturation) {
  check("add.sat", 2, kS32, [](N n) { return clamp(n[0] + n[1], kS32); });
  check("sub.sat", 2, kS32, [](N n) { return clamp(n[0] - n[1], kS32); });
  check("mad.hi.sat", 3, kS32,
        [](N n) { return clamp(((n[0] * n[1]) >> 32) + n[2], kS32); });
  check("min.relu", 2, kS32,
        [](N n) { return std::max(Big(0), std::min(n[0], n[1])); });
  check("max.relu", 2, kS32,
        [](N n) { return std::max(Big(0), std::max(n[0], n[1])); });
}

TEST(IntegerInstructions, Multiply24) {
  for (const IntegerType &type : {kU32, kS32}) {
    IntegerType low24 = {"", 24, type.isSigned};
    auto product = [=](N n) {
      return low24.toNumber(uint64_t(n[0])) * low24.toNumber(uint64_t(n[1]));
    };
    check("mul24.lo", 2, type, product);
    check("mul24.hi", 2, type, [&](N n) { return product(n) >> 16; });
    check("mad24.lo", 3, type, [&](N n) { return product(n) + n[2]; });
    check("mad24.hi", 3, type, [&](N n) { return (product(n) >> 16) + n[2]; });
  }
  check("mad24.hi.sat", 3, kS32, [](N n) {
    IntegerType low24 = {"", 24, true};
    Big product =
        low24.toNumber(uint64_t(n[0])) * low24.toNumber(uint64_t(n[1]));
    return clamp(kS32.toNumber(uint64_t(product >> 16)) + n[2], kS32);
  });
}

TEST(IntegerInstructions, Division) {
  for (const IntegerType &type : kTypes) {
    check("div", 2, type,
          [](N n) { return n[1] == 0 ? Big(-1) : n[0] / n[1]; });
    check("rem", 2, type,
          [](N n) { return n[1] == 0 ? Big(-1) : n[0] % n[1]; });
  }
}

TEST(IntegerInstructions, PackedHalves) {
  auto packed = [](const char *opcode, IntegerType half, const Formula &f) {
    std::string spelling = std::string(opcode) + "." + half.name + "x2";
    checkBits(spelling, "www", [&](const OperandRow &row) {
      auto compute = [&](unsigned shift) {
        return half.toPattern(f(
            {half.toNumber(row[0] >> shift), half.toNumber(row[1] >> shift)}));
      };
      return compute(16) << 16 | compute(0);
    });
  };
  for (const IntegerType &half : {kTypes[0], kTypes[1]}) {
    packed("add", half, [](N n) { return n[0] + n[1]; });
    packed("min", half, [](N n) { return std::min(n[0], n[1]); });
    packed("max", half, [](N n) { return std::max(n[0], n[1]); });
  }
  packed("min.relu", kTypes[1],
         [](N n) { return std::max(Big(0), std::min(n[0], n[1])); });
  packed("max.relu", kTypes[1],
         [](N n) { return std::max(Big(0), std::max(n[0], n[1])); });
}

//===----------------------------------------------------------------------===//
// Extended precision: numbers of two words
//===----------------------------------------------------------------------===//

TEST(IntegerInstructions, CarryChains) {
  struct ChainRow {
    const char *type;
    char size;
    unsigned bits;
  };
  for (ChainRow row : {ChainRow{"u32", 'w', 32}, ChainRow{"s32", 'w', 32},
                       ChainRow{"u64", 'd', 64}, ChainRow{"s64", 'd', 64}}) {
    std::string type = row.type, s = row.size == 'w' ? "%sw" : "%sd";
    std::string sizes(5, row.size);
    uint64_t mask = ~uint64_t(0) >> (64 - row.bits);
    // Words 0 and 1 of a, then of b; the result is the upper word.
    checkBits("add.cc." + type + " " + s + "0, $1, $3; addc." + type +
                  " $0, $2, $4;",
              sizes, [=](const OperandRow &n) {
                uint64_t carry = (n[0] + n[2]) & mask;
                return n[1] + n[3] + (carry < n[0]);
              });
    checkBits(
        "sub.cc." + type + " " + s + "0, $1, $3; subc." + type + " $0, $2, $4;",
        sizes, [](const OperandRow &n) { return n[1] - n[3] - (n[0] < n[2]); });
    // The flag after a chain of three.
    checkBits("add.cc." + type + " " + s + "0, $1, $3; addc.cc." + type + " " +
                  s + "1, $2, $4; addc." + type + " $0, 0, 0;",
              sizes, [=](const OperandRow &n) {
                Big a = (Big(n[1]) << 32 << (row.bits - 32));
                if (row.bits == 64) {
                  // 128-bit sums overflow Big: by words.
                  unsigned low = (n[0] + n[2]) < n[0];
                  uint64_t high = n[1] + n[3];
                  return uint64_t((high < n[1]) | ((high + low) < high));
                }
                Big sum = a + Big(n[0]) + (Big(n[3]) << 32) + Big(n[2]);
                return uint64_t(sum >> 64);
              });
    checkBits("mad.lo.cc." + type + " " + s + "0, $1, $2, $3; madc.hi." + type +
                  " $0, $1, $2, $4;",
              sizes, [=](const OperandRow &n) {
                bool isSigned = type[0] == 's';
                IntegerType t = {"", row.bits, isSigned};
                Big product = t.toNumber(n[0]) * t.toNumber(n[1]);
                uint64_t low = uint64_t(product) & mask, high;
                if (row.bits == 32)
                  high = uint64_t(product >> 32);
                else
                  high = multiplyHigh(n[0], n[1]) -
                         (isSigned && int64_t(n[0]) < 0 ? n[1] : 0) -
                         (isSigned && int64_t(n[1]) < 0 ? n[0] : 0);
                return high + n[3] + (((low + n[2]) & mask) < low);
              });
  }
}

//===----------------------------------------------------------------------===//
// Bits
//===----------------------------------------------------------------------===//

static unsigned countBits(uint64_t value) {
  unsigned count = 0;
  for (unsigned i = 0; i < 64; ++i)
    count += value >> i & 1;
  return count;
}
/// Of the most significant one; -1 if there is none.
static int findTop(uint64_t value) {
  for (int i = 63; i >= 0; --i)
    if (value >> i & 1)
      return i;
  return -1;
}

TEST(IntegerInstructions, CountBits) {
  for (unsigned bits : {32u, 64u}) {
    std::string width = std::to_string(bits), size = bits == 32 ? "w" : "d";
    checkBits("popc.b" + width, "w" + size,
              [](const OperandRow &n) { return countBits(n[0]); });
    checkBits("clz.b" + width, "w" + size, [=](const OperandRow &n) {
      return uint64_t(int(bits) - 1 - findTop(n[0]));
    });
    checkBits("brev.b" + width, size + size, [=](const OperandRow &n) {
      uint64_t result = 0;
      for (unsigned i = 0; i < bits; ++i)
        result |= (n[0] >> i & 1) << (bits - 1 - i);
      return result;
    });
    for (bool isSigned : {false, true}) {
      std::string type = (isSigned ? "s" : "u") + width;
      auto find = [=](uint64_t value) {
        bool isNegative = isSigned && (value >> (bits - 1) & 1);
        uint64_t mask = ~uint64_t(0) >> (64 - bits);
        return findTop(isNegative ? ~value & mask : value);
      };
      checkBits("bfind." + type, "w" + size, [=](const OperandRow &n) {
        return uint64_t(int64_t(find(n[0])));
      });
      checkBits("bfind.shiftamt." + type, "w" + size, [=](const OperandRow &n) {
        int top = find(n[0]);
        return uint64_t(int64_t(top < 0 ? -1 : int(bits) - 1 - top));
      });
    }
  }
  checkBits("fns.b32", "wwww", [](const OperandRow &n) -> uint64_t {
    if (n[1] > 31)
      return ~uint64_t(0);
    int32_t offset = int32_t(n[2]);
    int step = offset < 0 ? -1 : 1;
    int64_t left = offset < 0 ? -int64_t(offset) : offset;
    if (offset == 0)
      return n[0] >> n[1] & 1 ? n[1] : ~uint64_t(0);
    for (int i = int(n[1]); i >= 0 && i < 32; i += step)
      if ((n[0] >> i & 1) && --left == 0)
        return uint64_t(i);
    return ~uint64_t(0);
  });
}

TEST(IntegerInstructions, BitFields) {
  for (unsigned bits : {32u, 64u}) {
    std::string width = std::to_string(bits), size = bits == 32 ? "w" : "d";
    for (bool isSigned : {false, true})
      checkBits((isSigned ? "bfe.s" : "bfe.u") + width, size + size + "ww",
                [=](const OperandRow &n) {
                  unsigned position = n[1] & 255, length = n[2] & 255;
                  unsigned last =
                      std::min(position + length - 1, bits - 1); // length > 0
                  bool sign = isSigned && length && (n[0] >> last & 1);
                  uint64_t result = 0;
                  for (unsigned i = 0; i < bits; ++i) {
                    bool isIn = i < length && position + i < bits;
                    bool bit = isIn ? n[0] >> (position + i) & 1 : sign;
                    result |= uint64_t(bit) << i;
                  }
                  return result;
                });
    checkBits("bfi.b" + width, size + size + size + "ww",
              [=](const OperandRow &n) {
                unsigned position = n[2] & 255, length = n[3] & 255;
                uint64_t result = n[1];
                for (unsigned i = 0; i < length && position + i < bits; ++i) {
                  result &= ~(uint64_t(1) << (position + i));
                  result |= (n[0] >> i & 1) << (position + i);
                }
                return result;
              });
  }
}

TEST(IntegerInstructions, ExtendAndMask) {
  for (bool isClamped : {false, true}) {
    std::string mode = isClamped ? ".clamp" : ".wrap";
    for (bool isSigned : {false, true})
      checkBits("szext" + mode + (isSigned ? ".s32" : ".u32"), "www",
                [=](const OperandRow &n) -> uint64_t {
                  if (isClamped && n[1] >= 32)
                    return n[0];
                  unsigned count = n[1] % 32;
                  if (count == 0)
                    return 0;
                  uint64_t low = n[0] & ((uint64_t(1) << count) - 1);
                  bool sign = isSigned && (low >> (count - 1) & 1);
                  return sign ? low - (uint64_t(1) << count) : low;
                });
    checkBits("bmsk" + mode + ".b32", "www", [=](const OperandRow &n) {
      uint64_t start = isClamped ? n[0] : n[0] % 32;
      uint64_t width = isClamped ? std::min<uint64_t>(n[1], 32) : n[1] % 32;
      if (start >= 32)
        return uint64_t(0);
      return ((uint64_t(1) << width) - 1) << start;
    });
  }
}

TEST(IntegerInstructions, DotProducts) {
  for (bool isSignedA : {false, true})
    for (bool isSignedB : {false, true}) {
      std::string types = std::string(isSignedA ? ".s32" : ".u32") +
                          (isSignedB ? ".s32" : ".u32");
      IntegerType byteA = {"", 8, isSignedA}, byteB = {"", 8, isSignedB};
      IntegerType halfA = {"", 16, isSignedA};
      checkBits("dp4a" + types, "wwww", [=](const OperandRow &n) {
        Big sum = Big(n[2]);
        for (unsigned i = 0; i < 4; ++i)
          sum +=
              byteA.toNumber(n[0] >> (8 * i)) * byteB.toNumber(n[1] >> (8 * i));
        return uint64_t(sum);
      });
      for (unsigned high : {0u, 1u})
        checkBits((high ? "dp2a.hi" : "dp2a.lo") + types, "wwww",
                  [=](const OperandRow &n) {
                    Big sum = Big(n[2]);
                    for (unsigned i = 0; i < 2; ++i)
                      sum += halfA.toNumber(n[0] >> (16 * i)) *
                             byteB.toNumber(n[1] >> (8 * i + 16 * high));
                    return uint64_t(sum);
                  });
    }
}

//===----------------------------------------------------------------------===//
// Logic and shifts
//===----------------------------------------------------------------------===//

TEST(LogicInstructions, BitByBit) {
  for (std::string type : {"b16", "b32", "b64"}) {
    std::string size = type == "b16" ? "h" : type == "b32" ? "w" : "d";
    std::string two = size + size, three = two + size;
    checkBits("and." + type, three,
              [](const OperandRow &n) { return n[0] & n[1]; });
    checkBits("or." + type, three,
              [](const OperandRow &n) { return n[0] | n[1]; });
    checkBits("xor." + type, three,
              [](const OperandRow &n) { return n[0] ^ n[1]; });
    checkBits("not." + type, two, [](const OperandRow &n) { return ~n[0]; });
    checkBits("cnot." + type, two,
              [](const OperandRow &n) { return uint64_t(n[0] == 0); });
  }
}

TEST(LogicInstructions, Shifts) {
  for (unsigned bits : {16u, 32u, 64u}) {
    std::string width = std::to_string(bits);
    std::string size = bits == 16 ? "h" : bits == 32 ? "w" : "d";
    checkBits("shl.b" + width, size + size + "w",
              [](const OperandRow &n) { return n[1] > 63 ? 0 : n[0] << n[1]; });
    for (std::string kind : {"b", "u", "s"})
      checkBits("shr." + kind + width, size + size + "w",
                [=](const OperandRow &n) {
                  IntegerType type = {"", bits, kind == "s"};
                  unsigned amount = unsigned(std::min<uint64_t>(n[1], 100));
                  return uint64_t(type.toNumber(n[0]) >> amount);
                });
  }
  for (bool isClamped : {false, true}) {
    std::string mode = isClamped ? ".clamp.b32" : ".wrap.b32";
    auto amount = [=](uint64_t c) {
      return isClamped ? std::min<uint64_t>(c, 32) : c % 32;
    };
    checkBits("shf.l" + mode, "wwww", [=](const OperandRow &n) {
      return uint64_t((Big(n[1] << 32 | n[0]) << amount(n[2])) >> 32);
    });
    checkBits("shf.r" + mode, "wwww", [=](const OperandRow &n) {
      return (n[1] << 32 | n[0]) >> amount(n[2]);
    });
  }
}

TEST(LogicInstructions, Lop3OfEveryTable) {
  for (unsigned table = 0; table < 256; table += 5) {
    std::string immediate = std::to_string(table);
    auto compute = [=](const OperandRow &n) {
      uint64_t result = 0;
      for (unsigned i = 0; i < 32; ++i) {
        uint64_t index =
            (n[0] >> i & 1) << 2 | (n[1] >> i & 1) << 1 | (n[2] >> i & 1);
        result |= uint64_t(table >> index & 1) << i;
      }
      return result;
    };
    checkBits("lop3.b32 $0, $1, $2, $3, " + immediate + ";", "wwww", compute);
    if (table % 25)
      continue;
    // p = (d != 0) op q, with q = (b is odd).
    for (bool isOr : {false, true})
      checkBits("and.b32 %sw0, $2, 1; setp.ne.u32 %sp0, %sw0, 0; lop3." +
                    std::string(isOr ? "or" : "and") +
                    ".b32 _|%sp1, $1, $2, $3, " + immediate +
                    ", !%sp0; selp.u32 $0, 3, 4, %sp1;",
                "wwww", [=](const OperandRow &n) -> uint64_t {
                  bool nonzero = compute(n) != 0, q = n[1] % 2 == 0;
                  return (isOr ? nonzero || q : nonzero && q) ? 3 : 4;
                });
  }
}

TEST(LogicInstructions, Permutation) {
  auto byteOf = [](const OperandRow &n, uint64_t index) {
    return ((n[1] << 32 | n[0]) >> (8 * (index & 7))) & 0xFF;
  };
  auto join = [](auto byte) {
    uint64_t result = 0;
    for (unsigned i = 0; i < 4; ++i)
      result |= byte(i) << (8 * i);
    return result;
  };
  checkBits("prmt.b32", "wwww", [=](const OperandRow &n) {
    return join([&](unsigned i) -> uint64_t {
      uint64_t selector = n[2] >> (4 * i) & 15, byte = byteOf(n, selector);
      return selector & 8 ? (byte & 0x80 ? 0xFF : 0) : byte;
    });
  });
  struct ModeRow {
    const char *name;
    /// The byte that byte i of the result is, for c[1:0].
    unsigned (*choose)(unsigned i, unsigned c);
  };
  constexpr ModeRow kModes[] = {
      {"f4e", [](unsigned i, unsigned c) { return i + c; }},
      {"b4e", [](unsigned i, unsigned c) { return c - i; }},
      {"rc8", [](unsigned, unsigned c) { return c; }},
      {"ecl", [](unsigned i, unsigned c) { return std::max(i, c); }},
      {"ecr", [](unsigned i, unsigned c) { return std::min(i, c); }},
      {"rc16", [](unsigned i, unsigned c) { return i % 2 + 2 * (c % 2); }},
  };
  for (const ModeRow &mode : kModes)
    checkBits(std::string("prmt.b32.") + mode.name, "wwww",
              [=](const OperandRow &n) {
                return join([&](unsigned i) {
                  return byteOf(n, mode.choose(i, unsigned(n[2] & 3)));
                });
              });
}

TEST(LogicInstructions, Selection) {
  for (std::string type : {"b16", "u16", "s16", "b32", "u32", "s32", "f32",
                           "b64", "u64", "s64", "f64"}) {
    std::string width = type.substr(1);
    std::string size = width == "16" ? "h" : width == "32" ? "w" : "d";
    checkBits("setp.eq.u32 %sp0, $3, 31; selp." + type + " $0, $1, $2, %sp0;",
              size + size + size + "w",
              [](const OperandRow &n) { return n[2] == 31 ? n[0] : n[1]; });
    checkBits("slct." + type + ".s32", size + size + size + "w",
              [](const OperandRow &n) { return n[2] >> 31 ? n[1] : n[0]; });
    for (bool isFlushed : {false, true})
      checkBits("slct" + std::string(isFlushed ? ".ftz." : ".") + type + ".f32",
                size + size + size + "w", [=](const OperandRow &n) {
                  uint64_t magnitude = n[2] & 0x7FFFFFFF;
                  if (isFlushed && magnitude < 0x00800000)
                    magnitude = 0;
                  bool isNaN = magnitude > 0x7F800000;
                  bool isBelow = n[2] >> 31 && magnitude != 0;
                  return isNaN || isBelow ? n[1] : n[0];
                });
  }
}

TEST(LogicInstructions, Predicates) {
  // p = a is odd, q = b is odd.
  std::string setup = "and.b32 %sw0, $1, 1; setp.eq.u32 %sp0, %sw0, 1; "
                      "and.b32 %sw0, $2, 1; setp.eq.u32 %sp1, %sw0, 1; ";
  auto test = [&](const std::string &text, auto formula) {
    checkBits(setup + text + " selp.u32 $0, 1, 0, %sp2;", "www",
              [=](const OperandRow &n) {
                return uint64_t(formula(n[0] % 2 == 1, n[1] % 2 == 1));
              });
  };
  test("and.pred %sp2, %sp0, %sp1;", [](bool p, bool q) { return p && q; });
  test("or.pred %sp2, %sp0, %sp1;", [](bool p, bool q) { return p || q; });
  test("xor.pred %sp2, %sp0, %sp1;", [](bool p, bool q) { return p != q; });
  test("not.pred %sp2, %sp0;", [](bool p, bool) { return !p; });
  test("mov.pred %sp2, %sp1;", [](bool, bool q) { return q; });
  test("and.pred %sp2, %sp0, !%sp1;", [](bool p, bool q) { return p && !q; });
}

TEST(IntegerInstructions, UnknownSpellingsDoNotLoad) {
  for (const char *spelling :
       {"add.sat.u32", "add.f32x4", "mul.s32", "mul.wide.s64", "mad.lo.sat.s32",
        "add.cc.u16", "min.relu.u32", "shl.u32", "and.s32", "add.rn.s32",
        "sub.u16x2", "bfe.b32", "szext.u32", "lop3.b32", "mad.hi.sat.u32"})
    EXPECT_FALSE(canLoad(spelling, "wwww")) << spelling;
}

//===- Reduce.cpp - The operations of atom and red ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reduce.h"

#include "Float16.h"
#include "Float32.h"
#include "Float64.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

/// memory = f(memory, operand) for values of type T.
template <typename T, typename F>
static void update(uint8_t *memory, const uint8_t *operand, F f) {
  T old, value;
  std::memcpy(&old, memory, sizeof(T));
  std::memcpy(&value, operand, sizeof(T));
  T updated = f(old, value);
  std::memcpy(memory, &updated, sizeof(T));
}

namespace {
struct ReductionRow {
  std::string_view operation;
  Type type;
  ReduceFn fn;
};

struct Wide {
  uint64_t low, high;
};

/// The forms of one integer type.
template <typename T> struct Integers {
  static void add(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return T(std::make_unsigned_t<T>(a) + b); });
  }
  static void min(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return std::min(a, b); });
  }
  static void max(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return std::max(a, b); });
  }
  static void bitAnd(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return T(a & b); });
  }
  static void bitOr(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return T(a | b); });
  }
  static void bitXor(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return T(a ^ b); });
  }
  static void exchange(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T, T b) { return b; });
  }
  /// PTX: old >= operand ? 0 : old + 1.
  static void increment(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return a >= b ? T(0) : T(a + 1); });
  }
  /// PTX: old == 0 or old > operand ? operand : old - 1.
  static void decrement(uint8_t *m, const uint8_t *o) {
    update<T>(m, o, [](T a, T b) { return a == 0 || a > b ? b : T(a - 1); });
  }
};

/// Both halves of a packed value.
template <void (*kHalf)(uint8_t *, const uint8_t *)>
void packed(uint8_t *memory, const uint8_t *operand) {
  kHalf(memory, operand);
  kHalf(memory + 2, operand + 2);
}
} // namespace

static void addFloat(uint8_t *memory, const uint8_t *operand) {
  update<float>(memory, operand, [](float a, float b) {
    return addF32<Rounding::RN, false, false>(a, b);
  });
}
static void addDouble(uint8_t *memory, const uint8_t *operand) {
  update<double>(memory, operand,
                 [](double a, double b) { return addF64<Rounding::RN>(a, b); });
}
static void addHalf(uint8_t *memory, const uint8_t *operand) {
  update<uint16_t>(memory, operand,
                   [](uint16_t a, uint16_t b) { return addF16(a, b); });
}
static void minHalf(uint8_t *memory, const uint8_t *operand) {
  update<uint16_t>(memory, operand,
                   [](uint16_t a, uint16_t b) { return minF16(a, b); });
}
static void maxHalf(uint8_t *memory, const uint8_t *operand) {
  update<uint16_t>(memory, operand,
                   [](uint16_t a, uint16_t b) { return maxF16(a, b); });
}
static void addBrain(uint8_t *memory, const uint8_t *operand) {
  update<uint16_t>(memory, operand,
                   [](uint16_t a, uint16_t b) { return addBF16(a, b); });
}
static void minBrain(uint8_t *memory, const uint8_t *operand) {
  update<uint16_t>(memory, operand,
                   [](uint16_t a, uint16_t b) { return minBF16(a, b); });
}
static void maxBrain(uint8_t *memory, const uint8_t *operand) {
  update<uint16_t>(memory, operand,
                   [](uint16_t a, uint16_t b) { return maxBF16(a, b); });
}
static void exchangeWide(uint8_t *memory, const uint8_t *operand) {
  update<Wide>(memory, operand, [](Wide, Wide b) { return b; });
}

static constexpr ReductionRow kReductions[] = {
    {"add", Type::U32, Integers<uint32_t>::add},
    {"add", Type::S32, Integers<int32_t>::add},
    {"add", Type::U64, Integers<uint64_t>::add},
    {"add", Type::S64, Integers<int64_t>::add},
    {"add", Type::F32, addFloat},
    {"add", Type::F64, addDouble},
    {"add", Type::F16, addHalf},
    {"add", Type::F16x2, packed<addHalf>},
    {"add", Type::BF16, addBrain},
    {"add", Type::BF16x2, packed<addBrain>},
    {"min", Type::U32, Integers<uint32_t>::min},
    {"min", Type::S32, Integers<int32_t>::min},
    {"min", Type::U64, Integers<uint64_t>::min},
    {"min", Type::S64, Integers<int64_t>::min},
    {"min", Type::F16, minHalf},
    {"min", Type::F16x2, packed<minHalf>},
    {"min", Type::BF16, minBrain},
    {"min", Type::BF16x2, packed<minBrain>},
    {"max", Type::U32, Integers<uint32_t>::max},
    {"max", Type::S32, Integers<int32_t>::max},
    {"max", Type::U64, Integers<uint64_t>::max},
    {"max", Type::S64, Integers<int64_t>::max},
    {"max", Type::F16, maxHalf},
    {"max", Type::F16x2, packed<maxHalf>},
    {"max", Type::BF16, maxBrain},
    {"max", Type::BF16x2, packed<maxBrain>},
    {"inc", Type::U32, Integers<uint32_t>::increment},
    {"dec", Type::U32, Integers<uint32_t>::decrement},
    {"and", Type::B32, Integers<uint32_t>::bitAnd},
    {"and", Type::B64, Integers<uint64_t>::bitAnd},
    {"or", Type::B32, Integers<uint32_t>::bitOr},
    {"or", Type::B64, Integers<uint64_t>::bitOr},
    {"xor", Type::B32, Integers<uint32_t>::bitXor},
    {"xor", Type::B64, Integers<uint64_t>::bitXor},
    {"exch", Type::B16, Integers<uint16_t>::exchange},
    {"exch", Type::B32, Integers<uint32_t>::exchange},
    {"exch", Type::U32, Integers<uint32_t>::exchange},
    {"exch", Type::F32, Integers<uint32_t>::exchange},
    {"exch", Type::B64, Integers<uint64_t>::exchange},
    {"exch", Type::U64, Integers<uint64_t>::exchange},
    {"exch", Type::B128, exchangeWide},
};

ReduceFn selectReduction(std::string_view operation, Type type) {
  for (const ReductionRow &row : kReductions)
    if (row.operation == operation && row.type == type)
      return row.fn;
  return nullptr;
}

} // namespace nvfp4::ptx

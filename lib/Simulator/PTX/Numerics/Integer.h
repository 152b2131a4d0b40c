//===- Integer.h - Integer and bit instructions, one lane -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The integer, logic, shift and bit-field instructions of PTX, as templates
// over the C++ type of the instruction (uint16_t for .u16 and .b16, and so on).
// Everything wraps unless it says otherwise; nothing is undefined.
//
// What the manual leaves open (division by zero) is what an H200 does.
//
// Source: PTX ISA, sections on integer, extended-precision, comparison, logic,
// shift and data-movement instructions.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_NUMERICS_INTEGER_H
#define NVFP4_SIMULATOR_PTX_NUMERICS_INTEGER_H

#include "Rounding.h"

#include <cstddef>
#include <type_traits>

namespace nvfp4::ptx {

namespace detail {

template <std::size_t Bytes, bool Signed> struct IntegerOf;
template <> struct IntegerOf<1, false> {
  using Type = uint8_t;
};
template <> struct IntegerOf<1, true> {
  using Type = int8_t;
};
template <> struct IntegerOf<2, false> {
  using Type = uint16_t;
};
template <> struct IntegerOf<2, true> {
  using Type = int16_t;
};
template <> struct IntegerOf<4, false> {
  using Type = uint32_t;
};
template <> struct IntegerOf<4, true> {
  using Type = int32_t;
};
template <> struct IntegerOf<8, false> {
  using Type = uint64_t;
};
template <> struct IntegerOf<8, true> {
  using Type = int64_t;
};
template <> struct IntegerOf<16, false> {
  using Type = unsigned __int128;
};
template <> struct IntegerOf<16, true> {
  using Type = __int128;
};

} // namespace detail

/// The integer of twice the width and the same signedness.
template <typename T>
using Wide =
    typename detail::IntegerOf<sizeof(T) * 2, std::is_signed_v<T>>::Type;

template <typename T> inline constexpr unsigned kBitsOf = sizeof(T) * 8;

//===----------------------------------------------------------------------===//
// add, sub, mul, mad, sad
//===----------------------------------------------------------------------===//

namespace detail {

/// Unsigned and at least 32 bits wide, so that nothing promotes to int.
template <typename T>
using Modular = std::conditional_t<(sizeof(T) > 4), uint64_t, uint32_t>;

/// `.sat` of the 32-bit forms.
NVFP4_PTX_INLINE int32_t saturate32(int64_t value) {
  value = value > INT32_MAX ? INT32_MAX : value;
  return int32_t(value < INT32_MIN ? INT32_MIN : value);
}

} // namespace detail

template <typename T> NVFP4_PTX_INLINE T addInt(T a, T b) {
  using U = detail::Modular<T>;
  return T(U(a) + U(b));
}
template <typename T> NVFP4_PTX_INLINE T subInt(T a, T b) {
  using U = detail::Modular<T>;
  return T(U(a) - U(b));
}
/// `add.sat.s32`, `sub.sat.s32`.
NVFP4_PTX_INLINE int32_t addSat(int32_t a, int32_t b) {
  return detail::saturate32(int64_t(a) + b);
}
NVFP4_PTX_INLINE int32_t subSat(int32_t a, int32_t b) {
  return detail::saturate32(int64_t(a) - b);
}

template <typename T> NVFP4_PTX_INLINE T mulLo(T a, T b) {
  using U = detail::Modular<T>;
  return T(U(a) * U(b));
}
template <typename T> NVFP4_PTX_INLINE Wide<T> mulWide(T a, T b) {
  return Wide<T>(Wide<T>(a) * Wide<T>(b));
}
template <typename T> NVFP4_PTX_INLINE T mulHi(T a, T b) {
  return T((Wide<T>(a) * Wide<T>(b)) >> kBitsOf<T>);
}

template <typename T> NVFP4_PTX_INLINE T madLo(T a, T b, T c) {
  return addInt(mulLo(a, b), c);
}
template <typename T> NVFP4_PTX_INLINE T madHi(T a, T b, T c) {
  return addInt(mulHi(a, b), c);
}
/// `mad.hi.sat.s32`.
NVFP4_PTX_INLINE int32_t madHiSat(int32_t a, int32_t b, int32_t c) {
  return addSat(mulHi(a, b), c);
}
template <typename T> NVFP4_PTX_INLINE Wide<T> madWide(T a, T b, Wide<T> c) {
  return addInt<Wide<T>>(mulWide(a, b), c);
}

namespace detail {

/// The low 24 bits of an operand of mul24, sign-extended for s32.
template <typename T> NVFP4_PTX_INLINE int64_t low24(T value) {
  return T(uint32_t(value) << 8) >> 8;
}

} // namespace detail

/// `mul24` of u32 and s32: bits 31:0 or 47:16 of the 48-bit product.
template <typename T> NVFP4_PTX_INLINE T mul24Lo(T a, T b) {
  return T(detail::low24(a) * detail::low24(b));
}
template <typename T> NVFP4_PTX_INLINE T mul24Hi(T a, T b) {
  return T((detail::low24(a) * detail::low24(b)) >> 16);
}
template <typename T> NVFP4_PTX_INLINE T mad24Lo(T a, T b, T c) {
  return addInt(mul24Lo(a, b), c);
}
template <typename T> NVFP4_PTX_INLINE T mad24Hi(T a, T b, T c) {
  return addInt(mul24Hi(a, b), c);
}
/// `mad24.hi.sat.s32`.
NVFP4_PTX_INLINE int32_t mad24HiSat(int32_t a, int32_t b, int32_t c) {
  return addSat(mul24Hi(a, b), c);
}

template <typename T> NVFP4_PTX_INLINE T sadInt(T a, T b, T c) {
  return addInt(c, a < b ? subInt(b, a) : subInt(a, b));
}

//===----------------------------------------------------------------------===//
// Extended precision: u32 and u64 carry CC.CF, 0 or 1, along
//===----------------------------------------------------------------------===//

/// `add.cc`: carryIn 0. `addc`: the flag. `carryOut` is the new flag.
template <typename U>
NVFP4_PTX_INLINE U addCarry(U a, U b, U carryIn, U &carryOut) {
  U partial = U(a + b);
  U sum = U(partial + carryIn);
  carryOut = U((partial < a) | (sum < partial));
  return sum;
}

/// `sub.cc`: borrowIn 0. `subc`: the flag, which is 1 if a borrow is due.
template <typename U>
NVFP4_PTX_INLINE U subBorrow(U a, U b, U borrowIn, U &borrowOut) {
  U partial = U(a - b);
  U difference = U(partial - borrowIn);
  borrowOut = U((a < b) | (partial < borrowIn));
  return difference;
}

// mad.cc and madc are addCarry(mulLo(a, b), c, …) or with mulHi.

//===----------------------------------------------------------------------===//
// div, rem, abs, neg, min, max
//===----------------------------------------------------------------------===//

template <typename T> struct Quotient {
  T quotient;
  T remainder;
};

/// Truncates. INT_MIN / -1 wraps to INT_MIN with remainder 0. By zero, quotient
/// and remainder are all ones, whatever the sign of `a`.
template <typename T> NVFP4_PTX_INLINE Quotient<T> divide(T a, T b) {
  if (b == T(0))
    return {T(~T(0)), T(~T(0))};
  if (std::is_signed_v<T> && b == T(~T(0)))
    return {subInt(T(0), a), T(0)};
  return {T(a / b), T(a % b)};
}

template <typename T> NVFP4_PTX_INLINE T negInt(T a) { return subInt(T(0), a); }
/// |INT_MIN| is INT_MIN.
template <typename T> NVFP4_PTX_INLINE T absInt(T a) {
  return a < T(0) ? negInt(a) : a;
}

/// `Relu` (signed types): negative results become 0.
template <bool Relu = false, typename T> NVFP4_PTX_INLINE T minInt(T a, T b) {
  T result = a < b ? a : b;
  return Relu && result < T(0) ? T(0) : result;
}
template <bool Relu = false, typename T> NVFP4_PTX_INLINE T maxInt(T a, T b) {
  T result = a > b ? a : b;
  return Relu && result < T(0) ? T(0) : result;
}

//===----------------------------------------------------------------------===//
// Counting and searching bits
//===----------------------------------------------------------------------===//

/// u32 and u64.
template <typename U> NVFP4_PTX_INLINE uint32_t popc(U a) {
  return uint32_t(__builtin_popcountll(uint64_t(a)));
}
template <typename U> NVFP4_PTX_INLINE uint32_t clz(U a) {
  static_assert(std::is_unsigned_v<U>, "count the bits of unsigned values");
  uint32_t zeros = a == 0 ? 64 : uint32_t(__builtin_clzll(uint64_t(a) | !a));
  return zeros - (64 - kBitsOf<U>);
}

/// The position of the most significant one, of the most significant bit that
/// differs from the sign for signed types; 0xFFFFFFFF if there is none.
/// `ShiftAmount`: how far left to shift to bring it to the top.
template <bool ShiftAmount = false, typename T>
NVFP4_PTX_INLINE uint32_t bfind(T a) {
  using U = std::make_unsigned_t<T>;
  U bits = a < T(0) ? U(~U(a)) : U(a);
  uint32_t position = kBitsOf<T> - 1 - clz(bits);
  if (ShiftAmount && position != ~0u)
    return kBitsOf<T> - 1 - position;
  return position;
}

template <typename U> NVFP4_PTX_INLINE U brev(U a) {
  if constexpr (sizeof(U) == 8)
    return __builtin_bitreverse64(a);
  return __builtin_bitreverse32(uint32_t(a));
}

/// The `offset`-th set bit of `mask` counting from `base` (included) upwards,
/// or downwards if negative; offset 0 asks whether `base` itself is set.
/// 0xFFFFFFFF if there is none.
inline uint32_t fns(uint32_t mask, uint32_t base, int32_t offset) {
  constexpr uint32_t kNone = 0xFFFFFFFF;
  if (base > 31)
    return kNone;
  if (offset == 0)
    return mask >> base & 1 ? base : kNone;
  int step = offset > 0 ? 1 : -1;
  int64_t left = offset > 0 ? int64_t(offset) : -int64_t(offset);
  for (int position = int(base); position >= 0 && position < 32;
       position += step)
    if ((mask >> position & 1) && --left == 0)
      return uint32_t(position);
  return kNone;
}

//===----------------------------------------------------------------------===//
// Bit fields. Positions and lengths are the low 8 bits of an operand, as the
// manual has it. (A 64-bit field on an H200 takes more bits of the position.)
//===----------------------------------------------------------------------===//

namespace detail {

/// `length` ones, 0 to 64 and more.
NVFP4_PTX_INLINE uint64_t lowOnes(uint32_t length) {
  return length >= 64 ? ~uint64_t(0) : (uint64_t(1) << length) - 1;
}

} // namespace detail

/// The field of `length` bits at `position`, extended to the type. Bits above
/// the type read as its sign (signed types, unless `length` is 0) or 0.
template <typename T>
NVFP4_PTX_INLINE T bfe(T a, uint32_t position, uint32_t length) {
  using U = std::make_unsigned_t<T>;
  constexpr uint32_t kTop = kBitsOf<T> - 1;
  position &= 0xFF;
  length &= 0xFF;
  uint32_t last = position + length - 1; // wraps for length 0, masked below
  last = last > kTop ? kTop : last;
  bool sign =
      std::is_signed_v<T> && length != 0 && (uint64_t(U(a)) >> last & 1);
  uint64_t field = position > kTop ? 0 : uint64_t(U(a)) >> position;
  // How many bits of the field exist.
  uint32_t left = position > kTop ? 0 : kTop + 1 - position;
  uint64_t ones = detail::lowOnes(length < left ? length : left);
  return T(U((field & ones) | (sign ? ~ones : 0)));
}

/// `b` with the low `length` bits of `a` at `position`.
template <typename U>
NVFP4_PTX_INLINE U bfi(U a, U b, uint32_t position, uint32_t length) {
  position &= 0xFF;
  length &= 0xFF;
  if (position >= kBitsOf<U>)
    return b;
  U mask = U(detail::lowOnes(length) << position);
  return U((b & ~mask) | (U(uint64_t(a) << position) & mask));
}

/// `szext`: the low `n` bits of `a`, extended. n = 0 gives 0; n >= 32 counts
/// modulo 32, or with Clamp gives `a`.
template <bool Clamp, typename T> NVFP4_PTX_INLINE T szext(T a, uint32_t n) {
  static_assert(sizeof(T) == 4, "szext is for u32 and s32");
  uint32_t count = n & 31;
  uint32_t shift = 32 - count;
  T extended = T(uint32_t(a) << (shift & 31)) >> (shift & 31);
  extended = count == 0 ? T(0) : extended;
  return Clamp && n >= 32 ? a : extended;
}

/// `bmsk`: `width` ones from bit `start` on.
template <bool Clamp>
NVFP4_PTX_INLINE uint32_t bmsk(uint32_t start, uint32_t width) {
  if (Clamp && start >= 32)
    return 0;
  uint32_t ones = Clamp && width >= 32 ? ~0u : (1u << (width & 31)) - 1;
  return ones << (start & 31);
}

//===----------------------------------------------------------------------===//
// Shifts
//===----------------------------------------------------------------------===//

/// Amounts of the width and more shift everything out.
template <typename U> NVFP4_PTX_INLINE U shlInt(U a, uint32_t amount) {
  uint64_t shifted = uint64_t(a) << (amount & 63);
  return amount >= kBitsOf<U> ? U(0) : U(shifted);
}
/// Signed types shift in copies of the sign.
template <typename T> NVFP4_PTX_INLINE T shrInt(T a, uint32_t amount) {
  constexpr uint32_t kTop = kBitsOf<T> - 1;
  if constexpr (std::is_signed_v<T>)
    return T(a >> (amount > kTop ? kTop : amount));
  else
    return amount > kTop ? T(0) : T(a >> (amount & kTop));
}

/// `shf.l`, `shf.r`: 32 bits of b:a (b the upper word) shifted by c, which is
/// clamped to 32 or taken modulo 32.
template <bool Clamp>
NVFP4_PTX_INLINE uint32_t shfLeft(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t amount = Clamp ? (c > 32 ? 32 : c) : c & 31;
  uint64_t pair = uint64_t(b) << 32 | a;
  return uint32_t((pair << amount) >> 32);
}
template <bool Clamp>
NVFP4_PTX_INLINE uint32_t shfRight(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t amount = Clamp ? (c > 32 ? 32 : c) : c & 31;
  uint64_t pair = uint64_t(b) << 32 | a;
  return uint32_t(pair >> amount);
}

//===----------------------------------------------------------------------===//
// prmt, lop3, dp4a, dp2a
//===----------------------------------------------------------------------===//

enum class PermuteMode : uint8_t { Index, F4E, B4E, RC8, ECL, ECR, RC16 };

/// The four selectors that a mode other than Index stands for, per value of
/// c[1:0], lowest byte first in the lowest nibble.
inline constexpr uint16_t kPermuteSelectors[7][4] = {
    {0, 0, 0, 0},                     // Index: c itself
    {0x3210, 0x4321, 0x5432, 0x6543}, // f4e: b:a shifted right by bytes
    {0x5670, 0x6701, 0x7012, 0x0123}, // b4e: backwards from a byte of a
    {0x0000, 0x1111, 0x2222, 0x3333}, // rc8: one byte everywhere
    {0x3210, 0x3211, 0x3222, 0x3333}, // ecl: clamp to the left
    {0x0000, 0x1110, 0x2210, 0x3210}, // ecr: clamp to the right
    {0x1010, 0x3232, 0x1010, 0x3232}, // rc16: one half everywhere
};

/// Bits 2:0 of a selector choose a byte of b:a; bit 3 (Index only) replicates
/// that byte's sign instead.
template <PermuteMode M = PermuteMode::Index>
NVFP4_PTX_INLINE uint32_t prmt(uint32_t a, uint32_t b, uint32_t c) {
  uint64_t pair = uint64_t(b) << 32 | a;
  uint32_t selectors =
      M == PermuteMode::Index ? c : kPermuteSelectors[unsigned(M)][c & 3];
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t selector = selectors >> (4 * i) & 15;
    uint32_t byte = uint32_t(pair >> ((selector & 7) * 8)) & 0xFF;
    uint32_t signs = byte & 0x80 ? 0xFFu : 0u;
    result |= (selector & 8 ? signs : byte) << (8 * i);
  }
  return result;
}

/// Bit i of `table` is the result for (a, b, c) = the bits of i, a the highest.
NVFP4_PTX_INLINE uint32_t lop3(uint32_t a, uint32_t b, uint32_t c,
                               uint32_t table) {
  auto entry = [table](unsigned i) { return 0u - (table >> i & 1); };
  auto choose = [](uint32_t bit, uint32_t one, uint32_t zero) {
    return zero ^ (bit & (one ^ zero));
  };
  uint32_t c00 = choose(c, entry(1), entry(0));
  uint32_t c01 = choose(c, entry(3), entry(2));
  uint32_t c10 = choose(c, entry(5), entry(4));
  uint32_t c11 = choose(c, entry(7), entry(6));
  return choose(a, choose(b, c11, c10), choose(b, c01, c00));
}

/// `dp4a`: c + the dot product of four bytes. The types of a and b choose the
/// extension of their bytes; the sum wraps.
template <typename A, typename B>
NVFP4_PTX_INLINE uint32_t dp4a(A a, B b, uint32_t c) {
  using ByteA = std::conditional_t<std::is_signed_v<A>, int8_t, uint8_t>;
  using ByteB = std::conditional_t<std::is_signed_v<B>, int8_t, uint8_t>;
  for (unsigned i = 0; i < 4; ++i)
    c += uint32_t(int32_t(ByteA(uint32_t(a) >> (8 * i))) *
                  int32_t(ByteB(uint32_t(b) >> (8 * i))));
  return c;
}

/// `dp2a`: the two halves of a times two bytes of b, the upper two if `Hi`.
template <bool Hi, typename A, typename B>
NVFP4_PTX_INLINE uint32_t dp2a(A a, B b, uint32_t c) {
  using HalfA = std::conditional_t<std::is_signed_v<A>, int16_t, uint16_t>;
  using ByteB = std::conditional_t<std::is_signed_v<B>, int8_t, uint8_t>;
  for (unsigned i = 0; i < 2; ++i)
    c += uint32_t(int32_t(HalfA(uint32_t(a) >> (16 * i))) *
                  int32_t(ByteB(uint32_t(b) >> (8 * i + (Hi ? 16 : 0)))));
  return c;
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

/// eq, ne, lt, le, gt, ge; lo, ls, hi, hs are lt, le, gt, ge of unsigned types.
template <Compare C, typename T> NVFP4_PTX_INLINE bool compareInt(T a, T b) {
  static_assert(C <= Compare::GE, "integers are always ordered");
  if constexpr (C == Compare::EQ)
    return a == b;
  if constexpr (C == Compare::NE)
    return a != b;
  if constexpr (C == Compare::LT)
    return a < b;
  if constexpr (C == Compare::LE)
    return a <= b;
  if constexpr (C == Compare::GT)
    return a > b;
  if constexpr (C == Compare::GE)
    return a >= b;
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_NUMERICS_INTEGER_H

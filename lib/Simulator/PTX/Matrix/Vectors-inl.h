//===- Vectors-inl.h - Eight lines at a time --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the cores share, compiled once per instruction set: vectors of eight,
// one lane per line of a panel, decoding, and the two ways of rounding a
// double to the accumulator's type.
//
// The compiler's vector extension rather than Highway's types: eight doubles
// are one, two or four registers, and the code is the same.
//
//===----------------------------------------------------------------------===//

// Toggled: Highway includes this file once per instruction set.
#if defined(NVFP4_SIMULATOR_PTX_MATRIX_VECTORS_INL_H) ==                       \
    defined(HWY_TARGET_TOGGLE)
#ifdef NVFP4_SIMULATOR_PTX_MATRIX_VECTORS_INL_H
#undef NVFP4_SIMULATOR_PTX_MATRIX_VECTORS_INL_H
#else
#define NVFP4_SIMULATOR_PTX_MATRIX_VECTORS_INL_H
#endif

#include "Cores.h"

#include <hwy/highway.h>

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

template <typename T, int kLanes>
using Vec [[gnu::vector_size(sizeof(T) * kLanes)]] = T;

using V8d = Vec<double, 8>;
using V8f = Vec<float, 8>;
using V8l = Vec<int64_t, 8>;
using V8i = Vec<int32_t, 8>;
using V8u = Vec<uint32_t, 8>;
using V8s = Vec<int16_t, 8>;
using V16i = Vec<int32_t, 16>;
using V16s = Vec<int16_t, 16>;

template <class V, typename T> HWY_INLINE V loadVector(const T *address) {
  V vector;
  std::memcpy(&vector, address, sizeof(vector));
  return vector;
}
template <class V, typename T>
HWY_INLINE void storeVector(V vector, T *target) {
  std::memcpy(target, &vector, sizeof(vector));
}
template <class To, class From> HWY_INLINE To castBits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}
template <class V, class Mask> HWY_INLINE V select(Mask mask, V yes, V no) {
  return castBits<V>((mask & castBits<Mask>(yes)) |
                     (~mask & castBits<Mask>(no)));
}
template <class Mask> HWY_INLINE bool isAnySet(Mask mask) {
  return __builtin_reduce_or(mask) != 0;
}

/// Sums of neighbouring products.
HWY_INLINE V8i multiplyPairs(V16s a, V16s b) {
  V16i products =
      __builtin_convertvector(a, V16i) * __builtin_convertvector(b, V16i);
  return __builtin_shufflevector(products, products, 0, 2, 4, 6, 8, 10, 12,
                                 14) +
         __builtin_shufflevector(products, products, 1, 3, 5, 7, 9, 11, 13, 15);
}

/// 2^exponent for the exponents of normal doubles.
HWY_INLINE V8d exp2(V8l exponent) {
  return castBits<V8d>((exponent + 1023) << 52);
}

//===----------------------------------------------------------------------===//
// Rounding
//===----------------------------------------------------------------------===//

/// Replaces `a` by a + b and returns what that lacks, which is exact; NaN where
/// the sum is not finite.
HWY_INLINE V8d addWithError(V8d &a, V8d b) {
  // Knuth's two-sum.
  V8d sum = a + b;
  V8d bb = sum - a;
  V8d error = (a - (sum - bb)) + (b - bb);
  a = sum;
  return error;
}

/// a + b rounded to odd: to the neighbour whose last bit is one, unless exact.
HWY_INLINE V8d addToOdd(V8d a, V8d b) {
  V8d error = addWithError(a, b);
  V8l isInexact = (error < 0) | (error > 0);
  V8l isTooLarge = isInexact & ((error < 0) ^ (a < 0));
  // Masks are -1.
  return castBits<V8d>((castBits<V8l>(a) + isTooLarge) | (isInexact & 1));
}

/// f32 bits of finite doubles, toward zero; what is too large is the largest.
HWY_INLINE V8u roundTowardZero(V8d value) {
  V8f nearest = __builtin_convertvector(value, V8f);
  V8d excess =
      __builtin_elementwise_abs(__builtin_convertvector(nearest, V8d)) -
      __builtin_elementwise_abs(value);
  return castBits<V8u>(nearest) + __builtin_convertvector(V8l(excess > 0), V8u);
}

/// f32 bits of the finite sums of tensor cores: toward zero, but from 2^128 on
/// infinite, and a zero is +0.
HWY_INLINE V8u roundFusedSum(V8d value) {
  V8u bits = roundTowardZero(value);
  V8u sign = bits & 0x80000000;
  V8u isTooLarge = __builtin_convertvector(
      V8l(__builtin_elementwise_abs(value) >= 0x1p128), V8u);
  bits = select(isTooLarge, sign | 0x7F800000, bits);
  return select(V8u(bits == sign), V8u{}, bits);
}

/// f32 bits of finite doubles, rounded to odd.
HWY_INLINE V8u roundFloatToOdd(V8d value) {
  V8u cut = roundTowardZero(value);
  V8l isInexact = __builtin_convertvector(castBits<V8f>(cut), V8d) != value;
  return cut | (__builtin_convertvector(isInexact, V8u) & 1);
}

/// f16 bits of f32 bits to nearest even; NaN canonical.
HWY_INLINE V8u roundToF16(V8u bits) {
  V8u magnitude = bits & 0x7FFFFFFF;
  V8u sign = bits >> 16 & 0x8000;
  V8u normal = (magnitude + 0xFFF + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
  // Adding 0.5, whose ulp is the smallest f16, rounds; the rest is the code.
  V8u small = castBits<V8u>(castBits<V8f>(magnitude) + 0.5f) - 0x3F000000;
  V8u result = select(V8u(magnitude < 0x38800000), small, normal);
  result = select(V8u(magnitude >= 0x47800000), V8u{} + 0x7C00, result);
  return select(V8u(magnitude > 0x7F800000), V8u{} + kCanonicalNaN16,
                result | sign);
}

/// The accumulator's bits of `value`, which is exact or rounded to odd, to
/// nearest even.
HWY_INLINE V8u roundToNearest(V8d value, bool toF16) {
  V8u nearest = castBits<V8u>(__builtin_convertvector(value, V8f));
  V8u isNaN = __builtin_convertvector(V8l(value != value), V8u);
  if (toF16) {
    // Infinities and NaNs have no odd neighbour.
    V8u isFinite = V8u((nearest & 0x7FFFFFFF) < 0x7F800000);
    return roundToF16(select(isFinite, roundFloatToOdd(value), nearest));
  }
  return select(isNaN, V8u{} + kCanonicalNaN32, nearest);
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

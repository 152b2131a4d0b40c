//===- Float64.h - f64 arithmetic, bit for bit ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// add, sub, mul, fma, div, rcp, sqrt, min, max, abs, neg, copysign and testp of
// `.f64`. Rounding to nearest is the host's; the directed modes are integer
// arithmetic (Float64.cpp), exact and slower. Comparisons: compareFloat.
//
// NaN: the manual promises the payloads of f64 and leaves the rest open. An
// H200 hands on an operand with its sign, made quiet: b if it is a NaN, else c,
// else a (div: a first). An invalid operation gives 0xFFF8000000000000. abs and
// neg leave the sign of a NaN alone.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT64_H
#define NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT64_H

#include "Float32.h"

namespace nvfp4::ptx {

inline constexpr uint64_t kInvalidNaNF64 = 0xFFF8000000000000;
inline constexpr uint64_t kQuietF64 = 0x0008000000000000;
inline constexpr uint64_t kSignF64 = 0x8000000000000000;

namespace detail {

/// Gives a NaN result its bits. Hosts differ in them.
NVFP4_PTX_INLINE double finishF64(double result, double a, double b) {
  uint64_t nan = a != a ? toBits(a) | kQuietF64 : kInvalidNaNF64;
  nan = b != b ? toBits(b) | kQuietF64 : nan;
  return result != result ? toF64(nan) : result;
}
NVFP4_PTX_INLINE double finishF64(double result, double a, double b, double c) {
  uint64_t nan = a != a ? toBits(a) | kQuietF64 : kInvalidNaNF64;
  nan = c != c ? toBits(c) | kQuietF64 : nan;
  nan = b != b ? toBits(b) | kQuietF64 : nan;
  return result != result ? toF64(nan) : result;
}

// Correctly rounded in any mode. NaN as finishF64 has it.
double fmaF64(double a, double b, double c, Rounding rounding);
double mulF64(double a, double b, Rounding rounding);
double divF64(double a, double b, Rounding rounding);
double sqrtF64(double a, Rounding rounding);

} // namespace detail

template <Rounding R = Rounding::RN>
NVFP4_PTX_INLINE double addF64(double a, double b) {
  if constexpr (R == Rounding::RN)
    return detail::finishF64(a + b, a, b);
  return detail::fmaF64(a, 1.0, b, R);
}

template <Rounding R = Rounding::RN>
NVFP4_PTX_INLINE double subF64(double a, double b) {
  if constexpr (R == Rounding::RN)
    return detail::finishF64(a - b, a, b);
  // A NaN keeps its sign.
  return detail::fmaF64(a, 1.0, b != b ? b : -b, R);
}

template <Rounding R = Rounding::RN>
NVFP4_PTX_INLINE double mulF64(double a, double b) {
  if constexpr (R == Rounding::RN)
    return detail::finishF64(a * b, a, b);
  return detail::mulF64(a, b, R);
}

/// To nearest this is a fused multiply-add of the host, where the code around
/// the call is compiled for one, and a call of the C library elsewhere.
template <Rounding R = Rounding::RN>
NVFP4_PTX_INLINE double fmaF64(double a, double b, double c) {
  if constexpr (R == Rounding::RN)
    return detail::finishF64(__builtin_elementwise_fma(a, b, c), a, b, c);
  return detail::fmaF64(a, b, c, R);
}

template <Rounding R = Rounding::RN>
NVFP4_PTX_INLINE double divF64(double a, double b) {
  if constexpr (R == Rounding::RN)
    return detail::finishF64(a / b, b, a);
  return detail::divF64(a, b, R);
}

template <Rounding R = Rounding::RN> NVFP4_PTX_INLINE double rcpF64(double a) {
  return divF64<R>(1.0, a);
}

template <Rounding R = Rounding::RN> NVFP4_PTX_INLINE double sqrtF64(double a) {
  if constexpr (R == Rounding::RN)
    return detail::finishF64(detail::rootOf(a), a, a);
  return detail::sqrtF64(a, R);
}

namespace detail {

NVFP4_PTX_INLINE int64_t orderF64(uint64_t bits) {
  int64_t key = int64_t(bits);
  return key ^ ((key >> 63) & 0x7FFFFFFFFFFFFFFF);
}

/// -0 is below +0. One NaN: the other operand. Two: b, quiet.
template <bool Max> NVFP4_PTX_INLINE double selectF64(double a, double b) {
  int64_t keyA = orderF64(toBits(a)), keyB = orderF64(toBits(b));
  bool takeA = Max ? keyA > keyB : keyA < keyB;
  double result = takeA ? a : b;
  result = a != a ? b : result;
  result = b != b ? a : result;
  return finishF64(result, a, b);
}

} // namespace detail

NVFP4_PTX_INLINE double minF64(double a, double b) {
  return detail::selectF64<false>(a, b);
}
NVFP4_PTX_INLINE double maxF64(double a, double b) {
  return detail::selectF64<true>(a, b);
}

NVFP4_PTX_INLINE double absF64(double a) {
  return detail::finishF64(a == a ? magnitudeOf(a) : a, a, a);
}
NVFP4_PTX_INLINE double negF64(double a) {
  return detail::finishF64(a == a ? toF64(toBits(a) ^ kSignF64) : a, a, a);
}
NVFP4_PTX_INLINE double copysignF64(double sign, double magnitude) {
  return toF64((toBits(sign) & kSignF64) | (toBits(magnitude) & ~kSignF64));
}

template <FloatClass C> NVFP4_PTX_INLINE bool testF64(double a) {
  constexpr uint64_t kInfinity = 0x7FF0000000000000;
  constexpr uint64_t kMinNormal = 0x0010000000000000;
  uint64_t magnitude = toBits(a) & ~kSignF64;
  if constexpr (C == FloatClass::Finite)
    return magnitude < kInfinity;
  if constexpr (C == FloatClass::Infinite)
    return magnitude == kInfinity;
  if constexpr (C == FloatClass::Number)
    return magnitude <= kInfinity;
  if constexpr (C == FloatClass::NotANumber)
    return magnitude > kInfinity;
  if constexpr (C == FloatClass::Normal)
    return ((magnitude >= kMinNormal) & (magnitude < kInfinity)) |
           (magnitude == 0);
  if constexpr (C == FloatClass::Subnormal)
    return magnitude - 1 < kMinNormal - 1;
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT64_H

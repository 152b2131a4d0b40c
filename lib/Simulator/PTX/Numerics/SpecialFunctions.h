//===- SpecialFunctions.h - The approximate instructions --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// div, rcp, sqrt, rsqrt, sin, cos, lg2, ex2 and tanh with `.approx` (and
// div.full) of f32, and what f16, bf16 and f64 have of them.
//
// The manual bounds their errors and fixes their results at the edges; what the
// hardware computes in between is not published. We return the best value: the
// function in f64, rounded to nearest. So programs whose outcome depends on
// more than the bounds promise differ from hardware in the last bits.
//
// `.ftz` flushes subnormal inputs and results of f32. f16 functions keep
// subnormals; ex2 of bf16 flushes them (it only exists with `.ftz`).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_NUMERICS_SPECIALFUNCTIONS_H
#define NVFP4_SIMULATOR_PTX_NUMERICS_SPECIALFUNCTIONS_H

#include "Float16.h"
#include "Float64.h"

namespace nvfp4::ptx {

/// A quotient, except that 2^126 < |b| < 2^128 gives 0, or NaN for infinite a:
/// it is a * (1/b) with a reciprocal that was flushed.
template <bool Ftz = false>
NVFP4_PTX_INLINE float divApproxF32(float a, float b) {
  a = inputF32<Ftz>(a);
  b = inputF32<Ftz>(b);
  float magnitude = magnitudeOf(b), infinity = toF32(0x7F800000u);
  bool large = (magnitude > 0x1p126f) & (magnitude < infinity);
  float zero = toF32((toBits(a) ^ toBits(b)) & kSignF32);
  // inf * 0
  float flushed = magnitudeOf(a) < infinity ? zero : toF32(kCanonicalNaNF32);
  return large ? flushed : divF32<Rounding::RN, Ftz>(a, b);
}

/// `div.full`: 2 ulp over the full range, so the exact quotient will do.
template <bool Ftz = false>
NVFP4_PTX_INLINE float divFullF32(float a, float b) {
  return divF32<Rounding::RN, Ftz>(a, b);
}
template <bool Ftz = false> NVFP4_PTX_INLINE float rcpApproxF32(float a) {
  return rcpF32<Rounding::RN, Ftz>(a);
}
template <bool Ftz = false> NVFP4_PTX_INLINE float sqrtApproxF32(float a) {
  return sqrtF32<Rounding::RN, Ftz>(a);
}
/// +-0 (flushed or not) gives +-inf.
template <bool Ftz = false> NVFP4_PTX_INLINE float rsqrtApproxF32(float a) {
  double x = double(inputF32<Ftz>(a));
  return canonicalizeF32(float(1.0 / detail::rootOf(x)));
}

namespace detail {

// One rounding of the f64 function of the C library, canonical NaN.
float sinF32(float a);
float cosF32(float a);
float lg2F32(float a);
double ex2F64(float a);
double tanhF64(float a);

} // namespace detail

/// Infinite arguments give NaN, +-0 gives +-0 and 1.
template <bool Ftz = false> inline float sinApproxF32(float a) {
  float result = detail::sinF32(inputF32<Ftz>(a));
  return Ftz ? flushF32(result) : result;
}
template <bool Ftz = false> inline float cosApproxF32(float a) {
  float result = detail::cosF32(inputF32<Ftz>(a));
  return Ftz ? flushF32(result) : result;
}
/// +-0 gives -inf, negative values NaN.
template <bool Ftz = false> inline float lg2ApproxF32(float a) {
  return detail::lg2F32(inputF32<Ftz>(a));
}
template <bool Ftz = false> inline float ex2ApproxF32(float a) {
  double power = detail::ex2F64(inputF32<Ftz>(a));
  return canonicalizeF32(detail::narrowF64<Rounding::RN, Ftz>(power));
}
inline float tanhApproxF32(float a) {
  return canonicalizeF32(float(detail::tanhF64(a)));
}

inline uint16_t ex2ApproxF16(uint16_t a) {
  return narrowF16(narrowToOdd(detail::ex2F64(widenF16(a))));
}
inline uint16_t ex2ApproxBF16(uint16_t a) {
  float power = narrowToOdd(detail::ex2F64(flushF32(widenBF16(a))));
  return narrowBF16(magnitudeOf(power) < (1 - 0x1p-9f) * 0x1p-126f ? 0.0f
                                                                   : power);
}
inline uint16_t tanhApproxF16(uint16_t a) {
  return narrowF16(narrowToOdd(detail::tanhF64(widenF16(a))));
}
inline uint16_t tanhApproxBF16(uint16_t a) {
  return narrowBF16(narrowToOdd(detail::tanhF64(widenBF16(a))));
}

/// The reciprocal of the upper 32 bits of `a` (20 bits of mantissa) rounded to
/// as many; subnormal inputs and results are zeros.
double rcpApproxFtzF64(double a);
/// The same for 1 / sqrt(a).
double rsqrtApproxFtzF64(double a);
/// With all bits, subnormals included; within 2^-52 of the exact value.
double rsqrtApproxF64(double a);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_NUMERICS_SPECIALFUNCTIONS_H

//===- SpecialFunctions.cpp - The approximate instructions ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that need the C library, and the f64 approximations that work
// on the upper half of their operand.
//
//===----------------------------------------------------------------------===//

#include "SpecialFunctions.h"

#include <cmath>

using namespace nvfp4::ptx;

float detail::sinF32(float a) {
  return canonicalizeF32(float(std::sin(double(a))));
}

float detail::cosF32(float a) {
  return canonicalizeF32(float(std::cos(double(a))));
}

float detail::lg2F32(float a) {
  return canonicalizeF32(float(std::log2(double(a))));
}

double detail::ex2F64(float a) { return std::exp2(double(a)); }

double detail::tanhF64(float a) { return std::tanh(double(a)); }

/// The lower 32 bits of what is computed on the upper ones are zero.
static constexpr uint64_t kUpperHalf = 0xFFFFFFFF00000000;
/// A NaN, or an invalid operation.
static constexpr uint64_t kUpperNaN = 0x7FFFFFFF00000000;

static double flushF64(double value) {
  uint64_t bits = toBits(value);
  return toF64((bits & 0x7FF0000000000000) == 0 ? bits & kSignF64 : bits);
}

/// Nearest, to 20 bits of mantissa.
static double roundToUpperHalf(double value) {
  if (value != value)
    return toF64(kUpperNaN);
  return flushF64(toF64((toBits(value) + 0x80000000) & kUpperHalf));
}

double nvfp4::ptx::rcpApproxFtzF64(double a) {
  double upper = flushF64(toF64(toBits(a) & kUpperHalf));
  return roundToUpperHalf(1.0 / upper);
}

double nvfp4::ptx::rsqrtApproxFtzF64(double a) {
  double upper = flushF64(toF64(toBits(a) & kUpperHalf));
  return roundToUpperHalf(1.0 / detail::rootOf(upper));
}

double nvfp4::ptx::rsqrtApproxF64(double a) {
  return detail::finishF64(1.0 / detail::rootOf(a), a, a);
}

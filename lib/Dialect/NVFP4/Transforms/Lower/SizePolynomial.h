//===- SizePolynomial.h - Buffer sizes as polynomials ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The size of a buffer is a polynomial with integer coefficients in the
// dimensions of the entry, e.g. 49152 batch. Two sizes that no compiler can
// compare as numbers are often ordered as polynomials.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_SIZEPOLYNOMIAL_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_SIZEPOLYNOMIAL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nvfp4 {

/// A polynomial over symbols 0, 1, …
class SizePolynomial {
public:
  /// A product of symbols, sorted; a power repeats its symbol. Empty: 1.
  using Monomial = std::vector<unsigned>;

  /// Zero.
  SizePolynomial() = default;
  static SizePolynomial constant(int64_t value);
  static SizePolynomial symbol(unsigned id);

  SizePolynomial operator+(const SizePolynomial &other) const;
  SizePolynomial operator-(const SizePolynomial &other) const;
  SizePolynomial operator*(const SizePolynomial &other) const;
  bool operator==(const SizePolynomial &other) const {
    return terms == other.terms;
  }

  /// The value, if no symbol occurs.
  std::optional<int64_t> getConstant() const;

  /// The polynomial divided by `divisor` > 0, if that is exact for every value
  /// of the symbols.
  std::optional<SizePolynomial> divideExactly(int64_t divisor) const;

  /// Whether the polynomial is at most `other` wherever each symbol is at
  /// least `minimum(symbol)`; no value of `minimum` means that the symbol may
  /// be anything. Sufficient, not necessary: compares coefficients after
  /// moving each symbol's minimum to zero.
  bool
  isAtMost(const SizePolynomial &other,
           llvm::function_ref<std::optional<int64_t>(unsigned)> minimum) const;

  /// As text, e.g. `49152*batch + 64`.
  std::string str(llvm::function_ref<std::string(unsigned)> name) const;

private:
  void add(const Monomial &monomial, int64_t coefficient);

  /// Coefficients, none of them zero.
  std::map<Monomial, int64_t> terms;
};

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_SIZEPOLYNOMIAL_H

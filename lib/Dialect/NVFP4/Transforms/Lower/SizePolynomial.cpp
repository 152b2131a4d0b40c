//===- SizePolynomial.cpp - Buffer sizes as polynomials -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SizePolynomial.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"

#include <algorithm>

namespace nvfp4 {

void SizePolynomial::add(const Monomial &monomial, int64_t coefficient) {
  auto it = terms.try_emplace(monomial, 0).first;
  it->second += coefficient;
  if (it->second == 0)
    terms.erase(it);
}

SizePolynomial SizePolynomial::constant(int64_t value) {
  SizePolynomial result;
  result.add({}, value);
  return result;
}

SizePolynomial SizePolynomial::symbol(unsigned id) {
  SizePolynomial result;
  result.add({id}, 1);
  return result;
}

SizePolynomial SizePolynomial::operator+(const SizePolynomial &other) const {
  SizePolynomial result = *this;
  for (const auto &[monomial, coefficient] : other.terms)
    result.add(monomial, coefficient);
  return result;
}

SizePolynomial SizePolynomial::operator-(const SizePolynomial &other) const {
  return *this + other * constant(-1);
}

SizePolynomial SizePolynomial::operator*(const SizePolynomial &other) const {
  SizePolynomial result;
  for (const auto &[lhs, lhsCoefficient] : terms) {
    for (const auto &[rhs, rhsCoefficient] : other.terms) {
      Monomial product;
      std::merge(lhs.begin(), lhs.end(), rhs.begin(), rhs.end(),
                 std::back_inserter(product));
      result.add(product, lhsCoefficient * rhsCoefficient);
    }
  }
  return result;
}

std::optional<int64_t> SizePolynomial::getConstant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

std::optional<SizePolynomial>
SizePolynomial::divideExactly(int64_t divisor) const {
  SizePolynomial result;
  for (const auto &[monomial, coefficient] : terms) {
    if (coefficient % divisor != 0)
      return std::nullopt;
    result.add(monomial, coefficient / divisor);
  }
  return result;
}

bool SizePolynomial::isAtMost(
    const SizePolynomial &other,
    llvm::function_ref<std::optional<int64_t>(unsigned)> minimum) const {
  SizePolynomial shifted;
  for (const auto &[monomial, coefficient] : (other - *this).terms) {
    SizePolynomial product = constant(coefficient);
    for (unsigned id : monomial) {
      std::optional<int64_t> least = minimum(id);
      if (!least)
        return false;
      product = product * (symbol(id) + constant(*least));
    }
    shifted = shifted + product;
  }
  return llvm::all_of(shifted.terms,
                      [](const auto &term) { return term.second >= 0; });
}

std::string
SizePolynomial::str(llvm::function_ref<std::string(unsigned)> name) const {
  if (terms.empty())
    return "0";
  std::string text;
  for (const auto &[monomial, coefficient] : llvm::reverse(terms)) {
    if (!text.empty())
      text += " + ";
    text += std::to_string(coefficient);
    for (unsigned id : monomial)
      text += "*" + name(id);
  }
  return text;
}

} // namespace nvfp4

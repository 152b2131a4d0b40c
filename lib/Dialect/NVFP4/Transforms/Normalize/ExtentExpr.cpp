//===- ExtentExpr.cpp - Integer polynomials over extents ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExtentExpr.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace nvfp4;

/// Real shape arithmetic has a handful of terms; what grows beyond this is
/// treated as unknown instead of costing more than linear time.
static constexpr size_t kMaxTerms = 64;
static constexpr size_t kMaxDegree = 16;

ExtentExpr::ExtentExpr(int64_t constant) {
  if (constant != 0)
    terms.emplace(Monomial(), constant);
}

ExtentExpr ExtentExpr::getSymbol(SymbolId id) {
  ExtentExpr result;
  result.terms.emplace(Monomial{id}, 1);
  return result;
}

bool ExtentExpr::addTerm(const Monomial &monomial, int64_t coefficient) {
  auto [it, isNew] = terms.emplace(monomial, coefficient);
  if (!isNew && llvm::AddOverflow(it->second, coefficient, it->second))
    return false;
  if (it->second == 0)
    terms.erase(it);
  return terms.size() <= kMaxTerms && monomial.size() <= kMaxDegree;
}

std::optional<int64_t> ExtentExpr::getConstant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

std::optional<SymbolId> ExtentExpr::getSingleSymbol() const {
  if (terms.size() != 1 || terms.begin()->second != 1 ||
      terms.begin()->first.size() != 1)
    return std::nullopt;
  return terms.begin()->first.front();
}

llvm::SmallVector<SymbolId> ExtentExpr::getSymbols() const {
  llvm::SmallVector<SymbolId> symbols;
  for (const auto &[monomial, coefficient] : terms)
    symbols.append(monomial.begin(), monomial.end());
  llvm::sort(symbols);
  symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
  return symbols;
}

std::optional<ExtentExpr>
ExtentExpr::substitute(SymbolId id, const ExtentExpr &value) const {
  ExtentExpr result;
  for (const auto &[monomial, coefficient] : terms) {
    ExtentExpr term(coefficient);
    for (SymbolId symbol : monomial) {
      std::optional<ExtentExpr> product =
          multiply(term, symbol == id ? value : getSymbol(symbol));
      if (!product)
        return std::nullopt;
      term = std::move(*product);
    }
    std::optional<ExtentExpr> sum = add(result, term);
    if (!sum)
      return std::nullopt;
    result = std::move(*sum);
  }
  return result;
}

std::string
ExtentExpr::toString(llvm::function_ref<std::string(SymbolId)> nameOf) const {
  if (terms.empty())
    return "0";
  std::string text;
  // The constant term sorts first but reads better last.
  auto print = [&](const Monomial &monomial, int64_t coefficient) {
    bool isNegative = coefficient < 0;
    if (!text.empty())
      text += isNegative ? " - " : " + ";
    else if (isNegative)
      text += "-";
    // Unsigned negation: INT64_MIN has no positive counterpart.
    uint64_t magnitude =
        isNegative ? 0 - static_cast<uint64_t>(coefficient) : coefficient;
    std::string factors;
    if (magnitude != 1 || monomial.empty())
      factors = std::to_string(magnitude);
    for (SymbolId symbol : monomial)
      factors += (factors.empty() ? "" : " * ") + nameOf(symbol);
    text += factors;
  };
  for (const auto &[monomial, coefficient] : terms)
    if (!monomial.empty())
      print(monomial, coefficient);
  if (terms.begin()->first.empty())
    print(terms.begin()->first, terms.begin()->second);
  return text;
}

std::optional<ExtentExpr> nvfp4::add(const ExtentExpr &lhs,
                                     const ExtentExpr &rhs) {
  ExtentExpr result = lhs;
  for (const auto &[monomial, coefficient] : rhs.terms)
    if (!result.addTerm(monomial, coefficient))
      return std::nullopt;
  return result;
}

std::optional<ExtentExpr> nvfp4::multiply(const ExtentExpr &lhs,
                                          const ExtentExpr &rhs) {
  ExtentExpr result;
  for (const auto &[lhsMonomial, lhsCoefficient] : lhs.terms) {
    for (const auto &[rhsMonomial, rhsCoefficient] : rhs.terms) {
      int64_t coefficient;
      if (llvm::MulOverflow(lhsCoefficient, rhsCoefficient, coefficient))
        return std::nullopt;
      Monomial monomial;
      std::merge(lhsMonomial.begin(), lhsMonomial.end(), rhsMonomial.begin(),
                 rhsMonomial.end(), std::back_inserter(monomial));
      if (!result.addTerm(monomial, coefficient))
        return std::nullopt;
    }
  }
  return result;
}

std::optional<ExtentExpr> nvfp4::subtract(const ExtentExpr &lhs,
                                          const ExtentExpr &rhs) {
  std::optional<ExtentExpr> negated = multiply(rhs, ExtentExpr(-1));
  return negated ? add(lhs, *negated) : std::nullopt;
}

std::optional<ExtentExpr> nvfp4::divideExactly(const ExtentExpr &lhs,
                                               const ExtentExpr &rhs) {
  if (rhs.isZero())
    return std::nullopt;
  // Long division by the last term. The order of the map is no monomial order,
  // so this may miss a quotient, but what it finds leaves no remainder.
  const auto &[leadMonomial, leadCoefficient] = *rhs.getTerms().rbegin();
  ExtentExpr remainder = lhs, quotient;
  for (size_t step = 0; !remainder.isZero(); ++step) {
    const auto &[monomial, coefficient] = *remainder.getTerms().rbegin();
    bool isMinusOverflow = coefficient == INT64_MIN && leadCoefficient == -1;
    if (step == kMaxTerms || isMinusOverflow ||
        coefficient % leadCoefficient != 0 ||
        !std::includes(monomial.begin(), monomial.end(), leadMonomial.begin(),
                       leadMonomial.end()))
      return std::nullopt;
    ExtentExpr term(coefficient / leadCoefficient);
    Monomial rest;
    std::set_difference(monomial.begin(), monomial.end(), leadMonomial.begin(),
                        leadMonomial.end(), std::back_inserter(rest));
    for (SymbolId symbol : rest) {
      std::optional<ExtentExpr> next =
          multiply(term, ExtentExpr::getSymbol(symbol));
      if (!next)
        return std::nullopt;
      term = std::move(*next);
    }
    std::optional<ExtentExpr> product = multiply(term, rhs);
    std::optional<ExtentExpr> nextQuotient = add(quotient, term);
    if (!product || !nextQuotient)
      return std::nullopt;
    std::optional<ExtentExpr> nextRemainder = subtract(remainder, *product);
    if (!nextRemainder)
      return std::nullopt;
    remainder = std::move(*nextRemainder);
    quotient = std::move(*nextQuotient);
  }
  return quotient;
}

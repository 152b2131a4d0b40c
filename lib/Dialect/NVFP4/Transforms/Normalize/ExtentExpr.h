//===- ExtentExpr.h - Integer polynomials over extents ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shape arithmetic of a model graph is sums, products and exact quotients of
// the extents of its arguments: `batch * 32`, `(batch * 12288) / (batch *
// 1024)`. As polynomials with integer coefficients these have one normal form,
// so two extents are equal exactly when their polynomials are.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_NORMALIZE_EXTENTEXPR_H
#define NVFP4_LIB_NORMALIZE_EXTENTEXPR_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace nvfp4 {

/// Index of a symbol in the table of an ExtentAnalysis. A symbol's bounds only
/// name symbols with a smaller index.
using SymbolId = unsigned;

/// A product of symbols, sorted, a power as repetition. Empty for 1.
using Monomial = llvm::SmallVector<SymbolId, 2>;

/// A polynomial with 64-bit integer coefficients. Arithmetic that would
/// overflow a coefficient, or grow beyond a fixed number of terms, gives
/// nothing.
class ExtentExpr {
public:
  using Terms = std::map<Monomial, int64_t>;

  ExtentExpr() = default;
  /*implicit*/ ExtentExpr(int64_t constant);
  static ExtentExpr getSymbol(SymbolId id);

  const Terms &getTerms() const { return terms; }
  bool isZero() const { return terms.empty(); }
  std::optional<int64_t> getConstant() const;
  /// The symbol, if this is one symbol with coefficient 1 and nothing else.
  std::optional<SymbolId> getSingleSymbol() const;
  /// Every symbol once, in ascending order.
  llvm::SmallVector<SymbolId> getSymbols() const;

  /// Replaces `id` by `value` in every term.
  std::optional<ExtentExpr> substitute(SymbolId id,
                                       const ExtentExpr &value) const;

  bool operator==(const ExtentExpr &other) const {
    return terms == other.terms;
  }
  bool operator!=(const ExtentExpr &other) const {
    return terms != other.terms;
  }
  bool operator<(const ExtentExpr &other) const { return terms < other.terms; }

  /// Prints `32 * batch + 1`, taking names from `nameOf`.
  std::string toString(llvm::function_ref<std::string(SymbolId)> nameOf) const;

  friend std::optional<ExtentExpr> add(const ExtentExpr &lhs,
                                       const ExtentExpr &rhs);
  friend std::optional<ExtentExpr> multiply(const ExtentExpr &lhs,
                                            const ExtentExpr &rhs);

private:
  /// Returns false on overflow.
  bool addTerm(const Monomial &monomial, int64_t coefficient);

  Terms terms;
};

std::optional<ExtentExpr> add(const ExtentExpr &lhs, const ExtentExpr &rhs);
std::optional<ExtentExpr> subtract(const ExtentExpr &lhs,
                                   const ExtentExpr &rhs);
std::optional<ExtentExpr> multiply(const ExtentExpr &lhs,
                                   const ExtentExpr &rhs);
/// The quotient, if there is a polynomial q with q * rhs == lhs and rhs is not
/// the constant 0.
std::optional<ExtentExpr> divideExactly(const ExtentExpr &lhs,
                                        const ExtentExpr &rhs);

} // namespace nvfp4

#endif // NVFP4_LIB_NORMALIZE_EXTENTEXPR_H

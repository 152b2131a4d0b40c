//===- DimensionSlice.h - Arithmetic on dimensions -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the workspace planner needs to know of a size: which ops compute it from
// the dimensions of the entry (to repeat them elsewhere), and which polynomial
// in these dimensions it is (to compare it).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_DIMENSIONSLICE_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_DIMENSIONSLICE_H

#include "SizePolynomial.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

namespace nvfp4 {

/// The index arithmetic of one entry function in destination style.
class DimensionAnalysis {
public:
  /// `interface` describes the first arguments of `func`.
  DimensionAnalysis(mlir::func::FuncOp func, const EntryInterface &interface)
      : func(func), interface(interface) {}

  /// Either a dimension of the entry, or an index value that stands for the
  /// extent. Both empty: the extent depends on more than dimensions.
  struct Source {
    std::optional<unsigned> dimension;
    std::optional<int64_t> constant;
    mlir::Value value;
    /// More than one factor: the extent is their product.
    std::vector<Source> factors;
  };

  /// Follows the extent `dim` of `memref` through views to where it comes from.
  mlir::FailureOr<Source> getExtent(mlir::Value memref, int64_t dim);

  /// The value as a polynomial. Fails, and sets `culprit`, when it depends on
  /// anything but dimensions. What is no polynomial (a rounded division, a
  /// minimum, …) becomes a symbol of its own, equal for equal expressions.
  mlir::FailureOr<SizePolynomial> getPolynomial(mlir::Value value);

  /// The bytes of a buffer of `type` with these dynamic sizes.
  mlir::FailureOr<SizePolynomial> getBytes(mlir::MemRefType type,
                                           mlir::ValueRange sizes);

  /// The least value of a symbol; none for symbols that are no dimension.
  std::optional<int64_t> getMinimum(unsigned symbol) const;
  /// A symbol as text.
  std::string getName(unsigned symbol) const;

  /// The op on which the last failure depends; may be null.
  mlir::Operation *getCulprit() const { return culprit; }

private:
  mlir::FailureOr<Source> getCommonExtent(mlir::scf::IfOp branch,
                                          unsigned result, int64_t dim);
  mlir::FailureOr<SizePolynomial> getPolynomial(const Source &source);
  mlir::FailureOr<SizePolynomial> computePolynomial(mlir::Value value);
  mlir::FailureOr<SizePolynomial> getOpaque(mlir::Operation *op,
                                            unsigned result);

  mlir::func::FuncOp func;
  const EntryInterface &interface;
  llvm::DenseMap<mlir::Value, SizePolynomial> known;
  /// Values whose polynomial is being computed.
  llvm::DenseSet<mlir::Value> active;
  /// Symbols past the dimensions, by their expression.
  llvm::StringMap<unsigned> opaque;
  mlir::Operation *culprit = nullptr;
};

/// Repeats arithmetic on dimensions at an insertion point, once per value.
/// Only for values of which `DimensionAnalysis` has a polynomial.
class DimensionCloner {
public:
  /// `dimensions` are the values of the entry's dimensions at the insertion
  /// point of `builder`.
  DimensionCloner(DimensionAnalysis &analysis, mlir::OpBuilder &builder,
                  mlir::ValueRange dimensions)
      : analysis(analysis), builder(builder), dimensions(dimensions) {}

  mlir::Value clone(mlir::Value value);
  /// The bytes of a buffer of `type` with these dynamic sizes.
  mlir::Value cloneBytes(mlir::Location loc, mlir::MemRefType type,
                         mlir::ValueRange sizes);

private:
  mlir::Value clone(const DimensionAnalysis::Source &source,
                    mlir::Location loc);

  DimensionAnalysis &analysis;
  mlir::OpBuilder &builder;
  llvm::SmallVector<mlir::Value> dimensions;
  mlir::IRMapping mapping;
};

/// Bytes of one element of a buffer. Types smaller than a byte take one.
int64_t getElementBytes(mlir::Type type);

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_DIMENSIONSLICE_H

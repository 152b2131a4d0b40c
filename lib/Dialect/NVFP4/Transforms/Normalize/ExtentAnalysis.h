//===- ExtentAnalysis.h - What integers mean in terms of extents -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gives every integer of an entry function, at function level and in the bodies
// of linalg ops, a polynomial over the extents of the entry's arguments, the
// loop indices around it, and symbols for what is unknown. Equalities and
// bounds between such polynomials are what proves asserts and bounds.
//
// Assumes that shape arithmetic does not wrap: the number of elements of every
// tensor, and what is computed from extents alone, fits 63 bits. Arithmetic on
// tensor contents gets no such credit.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_NORMALIZE_EXTENTANALYSIS_H
#define NVFP4_LIB_NORMALIZE_EXTENTANALYSIS_H

#include "ExtentExpr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace nvfp4 {

struct ExtentSymbol {
  enum class Kind {
    Position,  // where in a tensor: the parameter of an element's polynomial
    Dimension, // a named dimension of the entry's arguments
    Loop,      // an index of the loops of one linalg op
    Derived,   // min, max, or a quotient with remainder of two polynomials
    Unknown    // anything else
  };
  enum class Opcode { FloorDivide, CeilDivide, Remainder, Minimum, Maximum };

  Kind kind;
  /// For messages.
  std::string name;
  /// Inclusive bounds over symbols with smaller ids.
  std::optional<ExtentExpr> lowest, highest;
  /// The same in every iteration of every loop.
  bool isUniform = true;
  /// An extent or an index below one, so arithmetic on it does not wrap.
  bool isExtent = true;
  /// Dimension: the first argument that has it.
  mlir::BlockArgument argument = {};
  /// Dimension: which dimension of the argument. Loop, Position: which one.
  int64_t number = 0;
  /// Loop: whose.
  mlir::Operation *loopOp = nullptr;
  /// Derived: from what. A divisor is at least 1.
  Opcode opcode = Opcode::Minimum;
  ExtentExpr lhs = {}, rhs = {};
};

/// The elements of an integer tensor: exactly, as a polynomial over Position
/// symbols, or between bounds that hold for all of them.
struct ElementInfo {
  std::optional<ExtentExpr> exact, lowest, highest;
};

class ExtentAnalysis {
public:
  /// Reads `nvfp4.shape` and `nvfp4.dimensions` of `func`, which are well
  /// formed; what they do not name gets a name of its own.
  explicit ExtentAnalysis(mlir::func::FuncOp func);

  mlir::func::FuncOp getFunction() const { return func; }
  const ExtentSymbol &getSymbol(SymbolId id) const { return symbols[id]; }

  /// The named dimension, if an argument has it.
  std::optional<ExtentExpr> getDimension(llvm::StringRef name) const;

  /// The value of an integer or index; a symbol of its own if nothing is known.
  ExtentExpr getExpr(mlir::Value value);
  /// The value of an i1, if it is always the same.
  std::optional<bool> getBool(mlir::Value condition);
  /// The extent of dimension `dim` of a ranked tensor or memref.
  ExtentExpr getExtent(mlir::Value shaped, int64_t dim);
  /// The trip count of a loop of a linalg op.
  ExtentExpr getLoopExtent(mlir::linalg::LinalgOp op, unsigned loop);
  ExtentExpr getLoopIndex(mlir::linalg::LinalgOp op, unsigned loop);
  /// What is left of `value` after division by a positive `divisor`.
  ExtentExpr getRemainder(const ExtentExpr &value, int64_t divisor);
  /// A new symbol from 0 to `extent` - 1: what a clamped index becomes.
  ExtentExpr addIndexBelow(const ExtentExpr &extent);
  /// `expr` of a map of `op` as a polynomial over its loop indices.
  std::optional<ExtentExpr> getIndex(mlir::linalg::LinalgOp op,
                                     mlir::AffineExpr expr);

  bool isNonNegative(const ExtentExpr &expr);
  bool isLessOrEqual(const ExtentExpr &lhs, const ExtentExpr &rhs);
  bool isLess(const ExtentExpr &lhs, const ExtentExpr &rhs);
  /// True or false if the comparison always has that outcome.
  std::optional<bool> compare(mlir::arith::CmpIPredicate predicate,
                              const ExtentExpr &lhs, const ExtentExpr &rhs);

  /// True if only constants and named dimensions appear, also below Derived.
  bool isShapeExpr(const ExtentExpr &expr) const;
  /// Computes a shape expression as an index at the start of the function.
  /// Values are shared between calls.
  mlir::Value materialize(const ExtentExpr &expr);
  /// A builder behind everything that materialize() has built so far.
  mlir::OpBuilder getBuilderAtStart();
  /// An extent as an attribute if constant, else by materialize().
  mlir::OpFoldResult materializeExtent(const ExtentExpr &expr);

  std::string toString(const ExtentExpr &expr) const;

private:
  using Opcode = ExtentSymbol::Opcode;

  /// Enough for every rank that occurs; tensors beyond it have unknown
  /// elements, since there are no Position symbols for them.
  static constexpr int64_t kMaxRank = 8;

  SymbolId addSymbol(ExtentSymbol symbol);
  ExtentExpr addUnknown(bool isUniform, std::optional<ExtentExpr> lowest = {},
                        std::optional<ExtentExpr> highest = {},
                        bool isExtent = false);
  ExtentExpr getUnknown(mlir::Value value);
  bool doesNotWrap(const ExtentExpr &expr) const;
  bool isUniform(const ExtentExpr &expr) const;
  bool isFunctionLevel(mlir::Value value);
  bool isNonNegativeSymbol(SymbolId id);

  void readEntryDimensions();
  ExtentExpr addDerived(Opcode opcode, const ExtentExpr &lhs,
                        const ExtentExpr &rhs, std::optional<ExtentExpr> lowest,
                        std::optional<ExtentExpr> highest);
  mlir::Value materializeDerived(const ExtentSymbol &symbol);
  ExtentExpr computeExpr(mlir::Value value);
  ExtentExpr computeArgument(mlir::BlockArgument argument);
  ExtentExpr computeArithmetic(mlir::Operation *op);
  std::optional<ExtentExpr> computeCast(mlir::Operation *op);
  ExtentExpr computeSelect(mlir::arith::SelectOp op);
  ExtentExpr computeAffine(mlir::Value value, mlir::AffineMap map,
                           mlir::ValueRange operands, bool isMinimum);
  ExtentExpr computeBinary(Opcode opcode, const ExtentExpr &lhs,
                           const ExtentExpr &rhs);
  /// Bounds of a value that is either `lhs` or `rhs`.
  std::pair<std::optional<ExtentExpr>, std::optional<ExtentExpr>>
  getCommonBounds(const ExtentExpr &lhs, const ExtentExpr &rhs);
  std::optional<ExtentExpr> evaluate(mlir::AffineExpr expr,
                                     llvm::ArrayRef<ExtentExpr> dims,
                                     llvm::ArrayRef<ExtentExpr> symbols);
  ExtentExpr computeExtent(mlir::Value shaped, int64_t dim);
  /// A size that an op takes as an attribute or operand.
  ExtentExpr getSize(mlir::OpFoldResult size);
  /// Nothing if `op` is no view with a polynomial extent.
  std::optional<ExtentExpr> computeViewExtent(mlir::Operation *op, int64_t dim);
  std::optional<ExtentExpr> computeCreatedExtent(mlir::Operation *op,
                                                 int64_t dim);
  ExtentExpr readElement(mlir::Value tensor,
                         llvm::ArrayRef<std::optional<ExtentExpr>> positions);
  const ElementInfo &getElement(mlir::Value tensor);
  ElementInfo computeElement(mlir::Value tensor);
  ElementInfo computeLinalgElement(mlir::linalg::LinalgOp op, unsigned result);
  /// Per dimension of a view's source, where the element at the Position
  /// symbols of its result comes from; nothing where that is no polynomial.
  using Positions = llvm::SmallVector<std::optional<ExtentExpr>>;
  Positions getExpandedPositions(mlir::tensor::ExpandShapeOp op);
  Positions getCollapsedPositions(mlir::tensor::CollapseShapeOp op);
  Positions getSlicedPositions(mlir::tensor::ExtractSliceOp op);
  ElementInfo computeViewElement(mlir::Operation *op);

  mlir::func::FuncOp func;
  std::vector<ExtentSymbol> symbols;
  llvm::StringMap<SymbolId> dimensionIds;
  llvm::DenseMap<mlir::Value, ExtentExpr> exprs;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, ExtentExpr> extents;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, SymbolId> loopIds;
  llvm::DenseMap<mlir::Value, ElementInfo> elements;
  std::map<std::tuple<Opcode, ExtentExpr, ExtentExpr>, ExtentExpr> binaries;
  std::map<ExtentExpr, mlir::Value> materialized;
  mlir::Operation *lastMaterialized = nullptr;

  mlir::Value
  insertAtStart(llvm::function_ref<mlir::Value(mlir::OpBuilder &)> create);
};

} // namespace nvfp4

#endif // NVFP4_LIB_NORMALIZE_EXTENTANALYSIS_H

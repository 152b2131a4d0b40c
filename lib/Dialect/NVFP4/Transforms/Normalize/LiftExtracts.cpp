//===- LiftExtracts.cpp - Reads at loop indices become operands -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// torch-mlir broadcasts and indexes with tensor.extract in linalg bodies, where
// nothing sees which loops read what. A read whose indices are loop indices or
// constants is an operand with an indexing map: most such ops are then plain
// copies, which fold away.
//
// Expects: unified dimensions.
// Leaves:  every remaining tensor.extract in a linalg.generic has an index that
//          depends on data, or reaches only a part of its tensor.
//
//===----------------------------------------------------------------------===//

#include "EntryAttributes.h"
#include "ExtentAnalysis.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_LIFTEXTRACTSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;

namespace {
/// A read as an operand: which part of which tensor, in terms of loops.
struct LiftedRead {
  tensor::ExtractOp op;
  /// Per dimension of the tensor: a loop, or nothing for a constant.
  SmallVector<std::optional<unsigned>> loops;
  /// The constant where there is no loop.
  SmallVector<int64_t> constants;
};

class ExtractLifter {
public:
  explicit ExtractLifter(ExtentAnalysis &analysis) : analysis(analysis) {}

  /// Returns the replacement, or null if there is nothing to lift.
  linalg::GenericOp lift(linalg::GenericOp op);
  unsigned getNumLifted() const { return numLifted; }

private:
  std::optional<LiftedRead> analyze(linalg::GenericOp op,
                                    tensor::ExtractOp extract);
  Value dropUnitDimensions(OpBuilder &builder, Location loc, Value tensor,
                           ArrayRef<bool> isDropped);
  std::pair<Value, AffineMap> createOperand(linalg::GenericOp op,
                                            LiftedRead read);

  ExtentAnalysis &analysis;
  unsigned numLifted = 0;
};
} // namespace

std::optional<LiftedRead> ExtractLifter::analyze(linalg::GenericOp op,
                                                 tensor::ExtractOp extract) {
  Value tensor = extract.getTensor();
  // What the body itself computes is no operand.
  if (op.getRegion().isAncestor(tensor.getParentRegion()))
    return std::nullopt;
  LiftedRead read;
  read.op = extract;
  for (auto [dim, index] : llvm::enumerate(extract.getIndices())) {
    ExtentExpr expr = analysis.getExpr(index);
    ExtentExpr extent = analysis.getExtent(tensor, dim);
    std::optional<int64_t> constant = expr.getConstant();
    // A loop of extent 1 at the same place is as good as index 0, and makes a
    // copy of the whole tensor recognizable.
    if (constant == 0 && dim < op.getNumLoops() && extent == ExtentExpr(1) &&
        analysis.getLoopExtent(op, dim) == extent) {
      read.loops.push_back(dim);
      read.constants.push_back(0);
      continue;
    }
    if (constant && *constant >= 0 && analysis.isLess(expr, extent)) {
      read.loops.push_back(std::nullopt);
      read.constants.push_back(*constant);
      continue;
    }
    std::optional<SymbolId> id = expr.getSingleSymbol();
    if (!id)
      return std::nullopt;
    const ExtentSymbol &symbol = analysis.getSymbol(*id);
    // An operand's extent defines the loop's, so it must be the same.
    if (symbol.kind != ExtentSymbol::Kind::Loop || symbol.loopOp != op ||
        analysis.getLoopExtent(op, symbol.number) != extent)
      return std::nullopt;
    read.loops.push_back(symbol.number);
    read.constants.push_back(0);
  }
  // Each loop at most once, or the operand would be a diagonal.
  for (auto [dim, loop] : llvm::enumerate(read.loops))
    if (loop && llvm::is_contained(ArrayRef(read.loops).take_front(dim), loop))
      return std::nullopt;
  return read;
}

/// Drops the dimensions of extent 1 that `isDropped` marks.
Value ExtractLifter::dropUnitDimensions(OpBuilder &builder, Location loc,
                                        Value tensor,
                                        ArrayRef<bool> isDropped) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (auto [dim, dropped] : llvm::enumerate(isDropped)) {
    if (!dropped) {
      groups.push_back(leading);
      groups.back().push_back(dim);
      leading.clear();
    } else if (groups.empty()) {
      leading.push_back(dim);
    } else {
      groups.back().push_back(dim);
    }
  }
  // Often an expand_shape made them; then its source is what is left. Upstream
  // folds that pair only if the other extents are static.
  if (auto expand = tensor.getDefiningOp<tensor::ExpandShapeOp>()) {
    Value source = expand.getSrc();
    int64_t sourceDim = 0, rank = expand.getSrcType().getRank();
    bool isSource = true;
    for (auto [dim, dropped] : llvm::enumerate(isDropped))
      if (!dropped)
        isSource &=
            sourceDim < rank && analysis.getExtent(tensor, dim) ==
                                    analysis.getExtent(source, sourceDim++);
    if (isSource && sourceDim == rank)
      return source;
  }
  return tensor::CollapseShapeOp::create(builder, loc, tensor, groups);
}

std::pair<Value, AffineMap> ExtractLifter::createOperand(linalg::GenericOp op,
                                                         LiftedRead read) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value tensor = read.op.getTensor();
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<AffineExpr> results;
  SmallVector<OpFoldResult> offsets, sizes;
  SmallVector<int64_t> shape;
  SmallVector<bool> isDropped; // of the dimensions that the slice keeps
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    offsets.push_back(builder.getIndexAttr(read.constants[dim]));
    bool isUnit = type.getDimSize(dim) == 1;
    if (!read.loops[dim] && !isUnit) {
      sizes.push_back(builder.getIndexAttr(1));
      continue;
    }
    ExtentExpr extent = analysis.getExtent(tensor, dim);
    sizes.push_back(analysis.isShapeExpr(extent)
                        ? analysis.materializeExtent(extent)
                        : tensor::getMixedSize(builder, loc, tensor, dim));
    shape.push_back(type.getDimSize(dim));
    isDropped.push_back(!read.loops[dim]);
    if (read.loops[dim])
      results.push_back(builder.getAffineDimExpr(*read.loops[dim]));
  }
  if (static_cast<int64_t>(shape.size()) != type.getRank()) {
    SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
    tensor = tensor::ExtractSliceOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()),
        tensor, offsets, sizes, strides);
  }
  if (llvm::is_contained(isDropped, true))
    tensor = dropUnitDimensions(builder, loc, tensor, isDropped);
  return {tensor,
          AffineMap::get(op.getNumLoops(), 0, results, builder.getContext())};
}

linalg::GenericOp ExtractLifter::lift(linalg::GenericOp op) {
  SmallVector<LiftedRead> reads;
  for (auto extract : op.getBody()->getOps<tensor::ExtractOp>())
    if (std::optional<LiftedRead> read = analyze(op, extract))
      reads.push_back(*read);
  if (reads.empty())
    return {};
  SmallVector<Value> inputs(op.getInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned position = inputs.size();
  Block *body = op.getBody();
  for (LiftedRead &read : reads) {
    auto [operand, map] = createOperand(op, read);
    inputs.push_back(operand);
    maps.insert(maps.begin() + position, map);
    BlockArgument argument =
        body->insertArgument(position, read.op.getType(), read.op.getLoc());
    read.op.replaceAllUsesWith(argument);
    read.op->erase();
    ++position;
  }
  numLifted += reads.size();
  OpBuilder builder(op);
  auto replacement = linalg::GenericOp::create(
      builder, op.getLoc(), op.getResultTypes(), inputs, op.getOutputs(), maps,
      op.getIteratorTypesArray());
  replacement->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  replacement.getRegion().takeBody(op.getRegion());
  op.replaceAllUsesWith(replacement);
  return replacement;
}

namespace {
struct LiftExtractsPass final
    : nvfp4::impl::LiftExtractsPassBase<LiftExtractsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>()) {
      if (!isEntry(func))
        continue;
      ExtentAnalysis analysis(func);
      ExtractLifter lifter(analysis);
      SmallVector<linalg::GenericOp> ops, replaced;
      func.walk([&](linalg::GenericOp op) { ops.push_back(op); });
      for (linalg::GenericOp op : ops)
        if (lifter.lift(op))
          replaced.push_back(op);
      // The analysis knows ops by address: none may be reused before its end.
      for (linalg::GenericOp op : replaced)
        op.erase();
      numLifted += lifter.getNumLifted();
      if (failed(eraseUnused(func)))
        return signalPassFailure();
    }
  }

private:
  LogicalResult eraseUnused(func::FuncOp func);
};
} // namespace

/// Erases index tensors that nothing reads any more, and the positions that
/// torch-mlir computes beside every maximum.
LogicalResult LiftExtractsPass::eraseUnused(func::FuncOp func) {
  // Indices that bodies no longer compute, so that their operands are unused.
  IRRewriter rewriter(&getContext());
  (void)runRegionDCE(rewriter, func->getRegions());
  SmallVector<Operation *> ops;
  func.walk([&](linalg::GenericOp op) { ops.push_back(op); });
  RewritePatternSet patterns(&getContext());
  linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
  // Only these ops: a driver for all ops would fold all of them too.
  GreedyRewriteConfig config;
  config.setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
  return applyOpPatternsGreedily(ops, std::move(patterns), config);
}

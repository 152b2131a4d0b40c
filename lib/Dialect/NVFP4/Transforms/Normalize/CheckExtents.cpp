//===- CheckExtents.cpp - No read or write beyond a tensor ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The semantics of linalg, tensor and nvfp4 ops leaves undefined what happens
// when operands with dynamic extents do not fit each other; compiled code reads
// out of bounds. Each such requirement is proved from named dimensions or
// checked on the host before the run.
//
// Expects: unified dimensions, no tensor.reshape.
// Leaves:  every extent that a linalg, tensor or nvfp4 op relies on is proved
//          or checked by a cf.assert at the start of the function.
//
//===----------------------------------------------------------------------===//

#include "EntryAttributes.h"
#include "ExtentAnalysis.h"
#include "ExtentChecks.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/IR/Utils.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_CHECKEXTENTSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;
using Predicate = arith::CmpIPredicate;

namespace {
/// Requirements of the ops of one function.
class OpChecker {
public:
  OpChecker(ExtentAnalysis &analysis, ExtentChecks &checks)
      : analysis(analysis), checks(checks) {}

  LogicalResult check(Operation *op);

private:
  LogicalResult checkLinalg(linalg::LinalgOp op);
  LogicalResult checkElementwise(Operation *op);
  LogicalResult checkIndex(linalg::LinalgOp op, OpOperand &operand, int64_t dim,
                           AffineExpr expr);
  LogicalResult checkSlice(OffsetSizeAndStrideOpInterface op, Value whole);
  LogicalResult checkInsertSlice(tensor::InsertSliceOp op);
  LogicalResult checkCast(tensor::CastOp op);
  LogicalResult checkExpandShape(tensor::ExpandShapeOp op);
  LogicalResult checkConcat(tensor::ConcatOp op);
  LogicalResult checkPad(tensor::PadOp op);
  LogicalResult checkInsert(tensor::InsertOp op);
  LogicalResult checkReturn(func::ReturnOp op);
  LogicalResult checkQuantize(QuantizeOp op);
  LogicalResult checkMatmul(MatmulOp op);
  LogicalResult checkTranspose(TransposeOp op);
  LogicalResult checkBlocks(Operation *op, Value tensor, BlockTensorType type);
  LogicalResult checkComponents(Operation *op, Value tensor,
                                ValueRange components);
  LogicalResult checkMultiple(Operation *op, Value tensor, int64_t dim,
                              int64_t divisor);
  LogicalResult checkEqual(Operation *op, Value lhs, int64_t lhsDim, Value rhs,
                           int64_t rhsDim);
  LogicalResult checkSameShape(Operation *op, Value lhs, Value rhs);

  ExtentExpr getExpr(OpFoldResult value);
  /// "dimension 0 of 'mask' (rows)".
  std::string describe(Value tensor, int64_t dim);

  ExtentAnalysis &analysis;
  ExtentChecks &checks;
};
} // namespace

ExtentExpr OpChecker::getExpr(OpFoldResult value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return ExtentExpr(*constant);
  return analysis.getExpr(cast<Value>(value));
}

std::string OpChecker::describe(Value tensor, int64_t dim) {
  std::string text = "dimension " + std::to_string(dim) + " of ";
  // A user knows arguments, not intermediate values.
  func::FuncOp func = analysis.getFunction();
  auto argument = dyn_cast<BlockArgument>(tensor);
  if (argument && argument.getOwner()->getParentOp() == func)
    text += describeArgument(func, argument.getArgNumber());
  else if (Operation *op = tensor.getDefiningOp())
    text += "a result of " + op->getName().getStringRef().str();
  else
    text += "an intermediate tensor";
  return text + " (" + analysis.toString(analysis.getExtent(tensor, dim)) + ")";
}

LogicalResult OpChecker::checkLinalg(linalg::LinalgOp op) {
  // As in getLoopExtent, the first operand dimension that is a loop defines it.
  SmallVector<std::pair<OpOperand *, int64_t>> definers(op.getNumLoops(),
                                                        {nullptr, 0});
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (!loop) {
        if (failed(checkIndex(op, operand, dim, expr)))
          return failure();
        continue;
      }
      auto &[definer, definerDim] = definers[loop.getPosition()];
      if (!definer) {
        definer = &operand;
        definerDim = dim;
        continue;
      }
      ExtentExpr expected = analysis.getExtent(definer->get(), definerDim);
      ExtentExpr actual = analysis.getExtent(operand.get(), dim);
      // Text costs more than the comparison, and is rarely needed.
      if (expected != actual &&
          failed(checks.require(op, Predicate::eq, actual, expected,
                                describe(operand.get(), dim) + " to equal " +
                                    describe(definer->get(), definerDim))))
        return failure();
    }
  }
  for (auto [loop, definer] : llvm::enumerate(definers))
    if (!definer.first)
      return op.emitOpError("expected an operand whose extent defines loop ")
             << loop;
  return success();
}

/// Windows of convolutions, broadcasts along a dimension of extent 1.
LogicalResult OpChecker::checkIndex(linalg::LinalgOp op, OpOperand &operand,
                                    int64_t dim, AffineExpr expr) {
  ExtentExpr extent = analysis.getExtent(operand.get(), dim);
  std::optional<ExtentExpr> index = analysis.getIndex(op, expr);
  if (!index)
    return op.emitOpError("expected indexing maps without division, but got ")
           << AffineMapAttr::get(op.getMatchingIndexingMap(&operand));
  if (analysis.isNonNegative(*index) && analysis.isLess(*index, extent))
    return success();
  // The largest index, where every loop is at its end.
  std::optional<ExtentExpr> last = index;
  for (SymbolId id : index->getSymbols()) {
    const ExtentSymbol &symbol = analysis.getSymbol(id);
    if (symbol.kind != ExtentSymbol::Kind::Loop)
      continue;
    ExtentExpr largest = symbol.highest ? *symbol.highest : ExtentExpr(0);
    last =
        last && symbol.highest ? last->substitute(id, largest) : std::nullopt;
  }
  if (!last || !analysis.isNonNegative(*index))
    return op.emitOpError("expected an indexing map that grows with every "
                          "loop, but got ")
           << AffineMapAttr::get(op.getMatchingIndexingMap(&operand));
  return checks.require(op, Predicate::slt, *last, extent,
                        describe(operand.get(), dim) + " to be more than " +
                            analysis.toString(*last));
}

LogicalResult OpChecker::checkSlice(OffsetSizeAndStrideOpInterface op,
                                    Value whole) {
  for (auto [dim, mixedOffset, mixedSize, mixedStride] : llvm::enumerate(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    ExtentExpr offset = getExpr(mixedOffset), size = getExpr(mixedSize);
    ExtentExpr stride = getExpr(mixedStride);
    ExtentExpr extent = analysis.getExtent(whole, dim);
    // offset + (size - 1) * stride + 1 <= extent. With size 0 and a stride
    // above 1 this asks for less than nothing, which never fails.
    std::optional<ExtentExpr> end = subtract(size, ExtentExpr(1));
    end = end ? multiply(*end, stride) : std::nullopt;
    end = end ? add(*end, offset) : std::nullopt;
    end = end ? add(*end, ExtentExpr(1)) : std::nullopt;
    if (!end)
      return op.emitOpError("expected fewer terms in its bounds");
    std::string where = "a slice of " + describe(whole, dim);
    if (failed(checks.require(op, Predicate::sge, offset, ExtentExpr(0),
                              where + " to begin at 0 or later")) ||
        failed(checks.require(op, Predicate::sge, size, ExtentExpr(0),
                              where + " to have 0 or more elements")) ||
        failed(checks.require(op, Predicate::sgt, stride, ExtentExpr(0),
                              where + " to have a stride above 0")) ||
        failed(checks.require(op, Predicate::sle, *end, extent,
                              where + " to end within it, at most at " +
                                  analysis.toString(*end))))
      return failure();
  }
  return success();
}

LogicalResult OpChecker::checkInsertSlice(tensor::InsertSliceOp op) {
  if (failed(checkSlice(op, op.getDest())))
    return failure();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t sourceDim = 0;
  for (auto [dim, size] : llvm::enumerate(op.getMixedSizes())) {
    if (dropped.test(dim))
      continue;
    ExtentExpr extent = analysis.getExtent(op.getSource(), sourceDim);
    if (failed(checks.require(op, Predicate::eq, extent, getExpr(size),
                              describe(op.getSource(), sourceDim) +
                                  " to equal the size of the slice, " +
                                  analysis.toString(getExpr(size)))))
      return failure();
    ++sourceDim;
  }
  return success();
}

LogicalResult OpChecker::checkCast(tensor::CastOp op) {
  auto source = dyn_cast<RankedTensorType>(op.getSource().getType());
  auto result = dyn_cast<RankedTensorType>(op.getType());
  if (!source || !result)
    return success();
  for (int64_t dim = 0; dim < source.getRank(); ++dim)
    if (source.isDynamicDim(dim) && !result.isDynamicDim(dim) &&
        failed(checks.require(op, Predicate::eq,
                              analysis.getExtent(op.getSource(), dim),
                              ExtentExpr(result.getDimSize(dim)),
                              describe(op.getSource(), dim) + " to equal " +
                                  std::to_string(result.getDimSize(dim)))))
      return failure();
  return success();
}

LogicalResult OpChecker::checkExpandShape(tensor::ExpandShapeOp op) {
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  for (auto [dim, group] : llvm::enumerate(groups)) {
    std::optional<ExtentExpr> product = ExtentExpr(1);
    for (int64_t resultDim : group)
      product = product ? multiply(*product, getExpr(sizes[resultDim]))
                        : std::nullopt;
    if (!product)
      return op.emitOpError("expected fewer terms in its extents");
    ExtentExpr extent = analysis.getExtent(op.getSrc(), dim);
    if (extent != *product &&
        failed(checks.require(op, Predicate::eq, extent, *product,
                              describe(op.getSrc(), dim) + " to equal " +
                                  analysis.toString(*product))))
      return failure();
  }
  return success();
}

LogicalResult OpChecker::checkConcat(tensor::ConcatOp op) {
  Value first = op.getInputs().front();
  for (Value input : op.getInputs().drop_front())
    for (int64_t dim = 0; dim < op.getRank(); ++dim)
      if (dim != static_cast<int64_t>(op.getDim()) &&
          failed(checks.require(
              op, Predicate::eq, analysis.getExtent(input, dim),
              analysis.getExtent(first, dim),
              describe(input, dim) + " to equal " + describe(first, dim))))
        return failure();
  return success();
}

LogicalResult OpChecker::checkPad(tensor::PadOp op) {
  for (auto [dim, low, high] :
       llvm::enumerate(op.getMixedLowPad(), op.getMixedHighPad()))
    for (const ExtentExpr &padding : {getExpr(low), getExpr(high)})
      if (failed(checks.require(op, Predicate::sge, padding, ExtentExpr(0),
                                "padding of " + describe(op.getSource(), dim) +
                                    " not to be negative")))
        return failure();
  return success();
}

LogicalResult OpChecker::checkInsert(tensor::InsertOp op) {
  for (auto [dim, value] : llvm::enumerate(op.getIndices())) {
    ExtentExpr index = analysis.getExpr(value);
    if (failed(checks.require(op, Predicate::sge, index, ExtentExpr(0),
                              "an index not to be negative")) ||
        failed(checks.require(op, Predicate::slt, index,
                              analysis.getExtent(op.getDest(), dim),
                              "an index below " + describe(op.getDest(), dim))))
      return failure();
  }
  return success();
}

/// A result has the extents that its names promise.
LogicalResult OpChecker::checkReturn(func::ReturnOp op) {
  func::FuncOp func = analysis.getFunction();
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    auto shape = func.getResultAttrOfType<ArrayAttr>(number, kShapeAttrName);
    if (!shape)
      continue;
    for (auto [dim, element] : llvm::enumerate(shape)) {
      auto name = dyn_cast<StringAttr>(element);
      std::optional<ExtentExpr> expected =
          name ? analysis.getDimension(name) : std::nullopt;
      if (expected && failed(checks.require(
                          op, Predicate::eq,
                          analysis.getExtent(operand.get(), dim), *expected,
                          describe(operand.get(), dim) + ", result " +
                              std::to_string(number) +
                              " of the entry, to equal " + name.str())))
        return failure();
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Ops of nvfp4: what their verifiers leave to run time
//===----------------------------------------------------------------------===//

LogicalResult OpChecker::checkEqual(Operation *op, Value lhs, int64_t lhsDim,
                                    Value rhs, int64_t rhsDim) {
  ExtentExpr actual = analysis.getExtent(lhs, lhsDim);
  ExtentExpr expected = analysis.getExtent(rhs, rhsDim);
  if (actual == expected)
    return success();
  return checks.require(op, Predicate::eq, actual, expected,
                        describe(lhs, lhsDim) + " to equal " +
                            describe(rhs, rhsDim));
}

LogicalResult OpChecker::checkSameShape(Operation *op, Value lhs, Value rhs) {
  for (int64_t dim = 0; dim < cast<ShapedType>(lhs.getType()).getRank(); ++dim)
    if (failed(checkEqual(op, lhs, dim, rhs, dim)))
      return failure();
  return success();
}

LogicalResult OpChecker::checkMultiple(Operation *op, Value tensor, int64_t dim,
                                       int64_t divisor) {
  ExtentExpr remainder =
      analysis.getRemainder(analysis.getExtent(tensor, dim), divisor);
  return checks.require(op, Predicate::eq, remainder, ExtentExpr(0),
                        describe(tensor, dim) + " to be a multiple of " +
                            std::to_string(divisor));
}

/// `tensor` consists of whole blocks, but for the last one of a row.
LogicalResult OpChecker::checkBlocks(Operation *op, Value tensor,
                                     BlockTensorType type) {
  int64_t rank = type.getRank();
  if (failed(checkMultiple(op, tensor, rank - 1, kColumnMultiple)))
    return failure();
  return checkMultiple(op, tensor, rank - 2, type.getFormat().getBlockRows());
}

LogicalResult OpChecker::checkQuantize(QuantizeOp op) {
  if (Value globalScale = op.getGlobalScale())
    for (int64_t dim = 0;
         dim < cast<ShapedType>(globalScale.getType()).getRank(); ++dim)
      if (failed(checkEqual(op, globalScale, dim, op.getSource(), dim)))
        return failure();
  if (failed(checkSameShape(op, op.getSource(), op.getResult())))
    return failure();
  // The user knows the source, not the result.
  return checkBlocks(op, op.getSource(), op.getResult().getType());
}

LogicalResult OpChecker::checkMatmul(MatmulOp op) {
  int64_t rank = cast<ShapedType>(op.getLhs().getType()).getRank();
  int64_t rhsRank = cast<ShapedType>(op.getRhs().getType()).getRank();
  if (failed(checkEqual(op, op.getRhs(), rhsRank - 1, op.getLhs(), rank - 1)) ||
      failed(
          checkEqual(op, op.getResult(), rank - 1, op.getRhs(), rhsRank - 2)))
    return failure();
  for (int64_t dim = 0; dim < rank - 1; ++dim)
    if (failed(checkEqual(op, op.getResult(), dim, op.getLhs(), dim)) ||
        (dim < rhsRank - 2 &&
         failed(checkEqual(op, op.getRhs(), dim, op.getLhs(), dim))))
      return failure();
  return success();
}

LogicalResult OpChecker::checkTranspose(TransposeOp op) {
  int64_t rank = op.getSource().getType().getRank();
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t sourceDim = dim < rank - 2 ? dim : 2 * rank - 3 - dim;
    if (failed(checkEqual(op, op.getResult(), dim, op.getSource(), sourceDim)))
      return failure();
  }
  // The transpose's rows of blocks are the source's columns.
  return checkBlocks(op, op.getResult(), op.getResult().getType());
}

/// `components` have the extents that those of `tensor` have.
LogicalResult OpChecker::checkComponents(Operation *op, Value tensor,
                                         ValueRange components) {
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  // What this builds to say it is dead afterwards.
  ReifiedRankedShapedTypeDims shapes = getComponentExtents(
      builder, op->getLoc(), cast<BlockTensorType>(tensor.getType()),
      getMixedExtents(builder, op->getLoc(), tensor));
  for (auto [component, shape] : llvm::zip_equal(components, shapes))
    for (auto [dim, size] : llvm::enumerate(shape)) {
      ExtentExpr actual = analysis.getExtent(component, dim);
      ExtentExpr expected = getExpr(size);
      if (actual != expected &&
          failed(checks.require(op, Predicate::eq, actual, expected,
                                describe(component, dim) + " to equal " +
                                    analysis.toString(expected))))
        return failure();
    }
  return success();
}

LogicalResult OpChecker::checkElementwise(Operation *op) {
  Value first;
  for (Value operand : op->getOperands()) {
    if (!isa<RankedTensorType>(operand.getType()))
      continue;
    if (first && failed(checkSameShape(op, operand, first)))
      return failure();
    if (!first)
      first = operand;
  }
  return success();
}

LogicalResult OpChecker::check(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return checkLinalg(linalgOp);
  if (OpTrait::hasElementwiseMappableTraits(op))
    return checkElementwise(op);
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](tensor::ExtractSliceOp slice) {
        return checkSlice(slice, slice.getSource());
      })
      .Case(
          [&](tensor::InsertSliceOp slice) { return checkInsertSlice(slice); })
      .Case([&](tensor::CastOp castOp) { return checkCast(castOp); })
      .Case([&](tensor::ExpandShapeOp expand) {
        return checkExpandShape(expand);
      })
      .Case([&](tensor::ConcatOp concat) { return checkConcat(concat); })
      .Case([&](tensor::PadOp pad) { return checkPad(pad); })
      .Case([&](func::ReturnOp returnOp) { return checkReturn(returnOp); })
      .Case([&](GlobalScaleOp scale) {
        Value result = scale.getResult();
        for (int64_t dim = 0; dim < scale.getResult().getType().getRank();
             ++dim)
          if (failed(checkEqual(scale, result, dim, scale.getSource(), dim)))
            return LogicalResult(failure());
        return LogicalResult(success());
      })
      .Case([&](QuantizeOp quantize) { return checkQuantize(quantize); })
      .Case([&](DequantizeOp dequantize) {
        return checkSameShape(op, dequantize.getSource(),
                              dequantize.getResult());
      })
      .Case([&](MatmulOp matmul) { return checkMatmul(matmul); })
      .Case([&](HadamardOp hadamard) {
        return checkMultiple(op, hadamard.getSource(),
                             hadamard.getSource().getType().getRank() - 1, 16);
      })
      .Case([&](TransposeOp transpose) { return checkTranspose(transpose); })
      .Case([&](nvfp4::CastOp castOp) {
        return checkSameShape(op, castOp.getSource(), castOp.getResult());
      })
      .Case([&](AssembleOp assemble) {
        if (failed(checkComponents(op, assemble.getResult(),
                                   assemble->getOperands())))
          return LogicalResult(failure());
        return checkBlocks(op, assemble.getResult(),
                           assemble.getResult().getType());
      })
      .Case([&](DisassembleOp disassemble) {
        return checkComponents(op, disassemble.getSource(),
                               disassemble->getResults());
      })
      // Indices in memory that no check covers.
      .Case([&](tensor::InsertOp insert) { return checkInsert(insert); })
      .Case<tensor::GatherOp, tensor::ScatterOp>([&](Operation *) {
        return LogicalResult(
            op->emitOpError("expected gathers and scatters as linalg ops, "
                            "whose indices are checked"));
      })
      .Default([](Operation *) { return success(); });
}

namespace {
struct CheckExtentsPass final
    : nvfp4::impl::CheckExtentsPassBase<CheckExtentsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>()) {
      if (!isEntry(func))
        continue;
      ExtentAnalysis analysis(func);
      ExtentChecks checks(analysis);
      OpChecker checker(analysis, checks);
      SmallVector<Operation *> ops;
      func.walk([&](Operation *op) { ops.push_back(op); });
      for (Operation *op : ops)
        if (failed(checker.check(op)))
          return signalPassFailure();
      numChecks += checks.getNumChecks();
    }
  }
};
} // namespace

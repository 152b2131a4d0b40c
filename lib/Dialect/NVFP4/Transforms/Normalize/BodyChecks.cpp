//===- BodyChecks.cpp - Checks on data leave loop bodies ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BodyChecks.h"
#include "EntryAttributes.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

/// The entry argument that `tensor` is a view of, or null.
static BlockArgument getViewedArgument(Value tensor, func::FuncOp func) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (isa<tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
            tensor::ExtractSliceOp>(op))
      tensor = op->getOperand(0);
    else if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
      tensor = transpose.getInput();
    else
      return {};
  }
  auto argument = cast<BlockArgument>(tensor);
  return argument.getOwner()->getParentOp() == func ? argument
                                                    : BlockArgument();
}

std::string BlockGuard::describe(Value tensor) {
  func::FuncOp func = analysis.getFunction();
  if (BlockArgument argument = getViewedArgument(tensor, func))
    return describeArgument(func, argument.getArgNumber());
  return "an intermediate tensor";
}

/// "an element of 'input_ids'", or nothing if `value` is not just that.
static std::string describeElement(Value value, func::FuncOp func) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::IndexCastOp, arith::ExtSIOp, arith::ExtUIOp>(op))
      break;
    value = op->getOperand(0);
  }
  Value tensor;
  if (auto extract = value.getDefiningOp<tensor::ExtractOp>()) {
    tensor = extract.getTensor();
  } else if (auto argument = dyn_cast<BlockArgument>(value)) {
    Operation *parent = argument.getOwner()->getParentOp();
    if (isa<linalg::GenericOp>(parent))
      tensor = parent->getOperand(argument.getArgNumber());
  }
  if (!tensor || !isa<RankedTensorType>(tensor.getType()))
    return "";
  BlockArgument argument = getViewedArgument(tensor, func);
  if (!argument)
    return "";
  return "an element of " + describeArgument(func, argument.getArgNumber());
}

std::string nvfp4::describeAssert(ExtentAnalysis &analysis, cf::AssertOp op) {
  std::string message = op.getMsg().str();
  auto compare = op.getArg().getDefiningOp<arith::CmpIOp>();
  // A message of ours says it all.
  if (op.getMsg().starts_with("expected ") || !compare ||
      !compare.getLhs().getType().isIntOrIndex() ||
      compare.getLhs().getType().isInteger(1))
    return message;
  // In the order of arith.cmpi's predicates.
  static constexpr const char *kSigns[] = {"==", "!=", "<",  "<=", ">",
                                           ">=", "<",  "<=", ">",  ">="};
  auto describeSide = [&](Value side) -> std::string {
    ExtentExpr expr = analysis.getExpr(side);
    return analysis.isShapeExpr(expr)
               ? analysis.toString(expr)
               : describeElement(side, analysis.getFunction());
  };
  std::string lhs = describeSide(compare.getLhs());
  std::string rhs = describeSide(compare.getRhs());
  if (lhs.empty() || rhs.empty())
    return message;
  return "expected " + lhs + " " +
         kSigns[static_cast<unsigned>(compare.getPredicate())] + " " + rhs +
         " (" + message + ")";
}

//===----------------------------------------------------------------------===//
// Guarding reads and divisions
//===----------------------------------------------------------------------===//

Value BlockGuard::getExtentValue(OpBuilder &builder, Value tensor,
                                 int64_t dim) {
  ExtentExpr extent = analysis.getExtent(tensor, dim);
  if (std::optional<int64_t> constant = extent.getConstant())
    return arith::ConstantIndexOp::create(builder, tensor.getLoc(), *constant);
  if (analysis.isShapeExpr(extent))
    return analysis.materialize(extent);
  return tensor::DimOp::create(builder, tensor.getLoc(), tensor, dim);
}

LogicalResult BlockGuard::guardExtract(tensor::ExtractOp op,
                                       linalg::LinalgOp loops) {
  Value tensor = op.getTensor();
  Location loc = op.getLoc();
  for (int64_t dim = 0, rank = op.getIndices().size(); dim < rank; ++dim) {
    Value index = op.getIndices()[dim];
    ExtentExpr expr = analysis.getExpr(index);
    ExtentExpr extent = analysis.getExtent(tensor, dim);
    bool isNonNegative = analysis.isNonNegative(expr);
    bool isBelow = analysis.isLess(expr, extent);
    if (isNonNegative && isBelow)
      continue;
    // No index fits an empty tensor. Where a loop is no longer than the tensor,
    // it does not run either.
    bool isNeverEmpty = false;
    for (unsigned loop = 0; loops && loop < loops.getNumLoops(); ++loop)
      isNeverEmpty |=
          analysis.isLessOrEqual(analysis.getLoopExtent(loops, loop), extent);
    std::string name = describe(tensor);
    if (!isNeverEmpty &&
        failed(bounds.require(op, arith::CmpIPredicate::sgt, extent,
                              ExtentExpr(0),
                              "dimension " + Twine(dim) + " of " + name + " (" +
                                  analysis.toString(extent) +
                                  ") to be at least 1, since it is indexed")))
      return failure();

    OpBuilder builder(op);
    Value size = getExtentValue(builder, tensor, dim);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    // Unsigned: a negative index is a very large one.
    Value isFine = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ult, index, size);
    std::string origin = describeElement(index, analysis.getFunction());
    checks.push_back({isFine, "index out of range in a gather of " + name +
                                  ": expected 0 <= index < " +
                                  analysis.toString(extent) +
                                  (origin.empty() ? "" : " for " + origin)});
    Value clamped = index;
    if (!isNonNegative)
      clamped = arith::MaxSIOp::create(builder, loc, clamped, zero);
    if (!isBelow) {
      Value last = arith::SubIOp::create(builder, loc, size, one);
      clamped = arith::MinSIOp::create(builder, loc, clamped, last);
    }
    op.getIndicesMutable()[dim].set(clamped);
    if (std::optional<SymbolId> id = expr.getSingleSymbol())
      inRange.emplace_back(*id, analysis.addIndexBelow(extent));
  }
  return success();
}

LogicalResult BlockGuard::guardDivision(Operation *op) {
  Value lhs = op->getOperand(0), rhs = op->getOperand(1);
  Type type = rhs.getType();
  ExtentExpr divisor = analysis.getExpr(rhs);
  if (analysis.isLess(ExtentExpr(0), divisor))
    return success();
  bool isSigned = isa<arith::DivSIOp, arith::RemSIOp, arith::FloorDivSIOp,
                      arith::CeilDivSIOp>(op);
  OpBuilder builder(op);
  Location loc = op->getLoc();
  auto constant = [&](const APInt &value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getIntegerAttr(type, value));
  };
  auto compare = [&](arith::CmpIPredicate predicate, Value left,
                     Value right) -> Value {
    return arith::CmpIOp::create(builder, loc, predicate, left, right);
  };
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  Value isFine =
      compare(arith::CmpIPredicate::ne, rhs, constant(APInt::getZero(width)));
  // The quotient of the smallest number by -1 does not exist either.
  bool overflows =
      isSigned && analysis.compare(arith::CmpIPredicate::ne, divisor,
                                   ExtentExpr(-1)) != true;
  if (overflows) {
    Value isQuotient = arith::OrIOp::create(
        builder, loc,
        compare(arith::CmpIPredicate::ne, rhs,
                constant(APInt::getAllOnes(width))),
        compare(arith::CmpIPredicate::ne, lhs,
                constant(APInt::getSignedMinValue(width))));
    isFine = arith::AndIOp::create(builder, loc, isFine, isQuotient);
  }
  Value safe = arith::SelectOp::create(builder, loc, isFine, rhs,
                                       constant(APInt(width, 1)));
  op->setOperand(1, safe);
  checks.push_back({isFine, "integer division without a quotient: expected a "
                            "divisor other than 0"});
  return success();
}

LogicalResult BlockGuard::guard(Block &block, linalg::LinalgOp loops) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      if (failed(guardExtract(extract, loops)))
        return failure();
    } else if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
                   arith::RemUIOp, arith::FloorDivSIOp, arith::CeilDivSIOp,
                   arith::CeilDivUIOp>(op)) {
      if (op.getResult(0).getType().isIntOrIndex() &&
          failed(guardDivision(&op)))
        return failure();
    }
  }
  return success();
}

bool BlockGuard::isImplied(Value condition) {
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare || !compare.getLhs().getType().isIntOrIndex() ||
      compare.getLhs().getType().isInteger(1))
    return false;
  auto assumeInRange = [&](Value value) {
    std::optional<ExtentExpr> expr = analysis.getExpr(value);
    for (auto &[id, index] : inRange)
      if (expr)
        expr = expr->substitute(id, index);
    return expr;
  };
  std::optional<ExtentExpr> lhs = assumeInRange(compare.getLhs());
  std::optional<ExtentExpr> rhs = assumeInRange(compare.getRhs());
  return lhs && rhs &&
         analysis.compare(compare.getPredicate(), *lhs, *rhs) == true;
}

void BlockGuard::addAssert(cf::AssertOp op) {
  checks.push_back({op.getArg(), describeAssert(analysis, op)});
}

//===----------------------------------------------------------------------===//
// Recording
//===----------------------------------------------------------------------===//

/// The number of the violated check with the largest one, or `status` if that
/// is larger: an order-independent reduction, so every run records the same.
static Value createStatus(OpBuilder &builder, Location loc, Value status,
                          ArrayRef<Value> conditions) {
  Type i32 = builder.getI32Type();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getIntegerAttr(i32, value));
  };
  Value fine = constant(0);
  for (auto [number, isFine] : llvm::enumerate(conditions)) {
    Value violated = arith::SelectOp::create(builder, loc, isFine, fine,
                                             constant(number + 1));
    status = arith::MaxSIOp::create(builder, loc, status, violated);
  }
  return status;
}

static void createRecord(OpBuilder &builder, Location loc, Value status,
                         ArrayRef<DataCheck> checks) {
  SmallVector<StringRef> messages;
  for (const DataCheck &check : checks)
    messages.push_back(check.message);
  RecordErrorOp::create(builder, loc, status,
                        builder.getStrArrayAttr(messages));
}

static Value createZeroStatus(OpBuilder &builder, Location loc) {
  auto type = RankedTensorType::get({}, builder.getI32Type());
  Value empty = tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{},
                                        builder.getI32Type());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
  return linalg::FillOp::create(builder, loc, TypeRange(type), zero, empty)
      .getResult(0);
}

/// Ops of `block` that the conditions depend on, in order.
static FailureOr<SmallVector<Operation *>>
collectSlice(Block &block, ArrayRef<DataCheck> checks) {
  llvm::SetVector<Operation *> slice;
  SmallVector<Value> worklist;
  for (const DataCheck &check : checks)
    worklist.push_back(check.isFine);
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != &block || !slice.insert(op))
      continue;
    if (op->getNumRegions() != 0 || !isMemoryEffectFree(op))
      return LogicalResult(
          op->emitOpError("expected a check on data to depend on plain scalar "
                          "arithmetic"));
    llvm::append_range(worklist, op->getOperands());
  }
  SmallVector<Operation *> ordered = slice.takeVector();
  llvm::sort(ordered,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return ordered;
}

namespace {
/// The operands and loops that a slice of a body needs.
struct SliceInputs {
  SmallVector<OpOperand *> operands;
  llvm::SmallSetVector<unsigned, 4> loops;
  /// Loops that no operand of the slice defines the extent of.
  SmallVector<unsigned> undefinedLoops;
};
} // namespace

static FailureOr<SliceInputs> collectInputs(linalg::GenericOp op,
                                            ArrayRef<Operation *> slice,
                                            ArrayRef<DataCheck> checks) {
  SliceInputs inputs;
  llvm::SmallSetVector<unsigned, 4> arguments;
  auto visit = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == op.getBody())
      arguments.insert(argument.getArgNumber());
  };
  for (const DataCheck &check : checks)
    visit(check.isFine);
  for (Operation *sliceOp : slice) {
    llvm::for_each(sliceOp->getOperands(), visit);
    if (auto index = dyn_cast<linalg::IndexOp>(sliceOp))
      inputs.loops.insert(index.getDim());
  }
  llvm::SmallSet<unsigned, 4> defined;
  for (unsigned number : arguments) {
    OpOperand &operand = op->getOpOperand(number);
    if (op.isDpsInit(&operand) && op.getNumReductionLoops() != 0)
      return LogicalResult(
          op.emitOpError("expected a check on data not to depend on the value "
                         "that is being reduced"));
    inputs.operands.push_back(&operand);
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
      expr.walk([&](AffineExpr part) {
        if (auto loop = dyn_cast<AffineDimExpr>(part))
          inputs.loops.insert(loop.getPosition());
      });
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        defined.insert(loop.getPosition());
    }
  }
  for (unsigned loop : inputs.loops)
    if (!defined.contains(loop))
      inputs.undefinedLoops.push_back(loop);
  return inputs;
}

/// A tensor that nothing reads, whose extents are those of `loops`.
static Value createLoopShape(OpBuilder &builder, ExtentAnalysis &analysis,
                             linalg::GenericOp op, ArrayRef<unsigned> loops) {
  SmallVector<OpFoldResult> sizes;
  for (unsigned loop : loops) {
    ExtentExpr extent = analysis.getLoopExtent(op, loop);
    if (analysis.isShapeExpr(extent)) {
      sizes.push_back(analysis.materializeExtent(extent));
      continue;
    }
    // An op has an operand for each of its loops.
    Value operand;
    unsigned dim = 0;
    LogicalResult found =
        op.mapIterationSpaceDimToOperandDim(loop, operand, dim);
    (void)found;
    sizes.push_back(tensor::getMixedSize(builder, op.getLoc(), operand, dim));
  }
  return tensor::EmptyOp::create(builder, op.getLoc(), sizes,
                                 builder.getI1Type());
}

LogicalResult nvfp4::recordBodyChecks(ExtentAnalysis &analysis,
                                      linalg::GenericOp op,
                                      ArrayRef<DataCheck> checks) {
  FailureOr<SmallVector<Operation *>> slice =
      collectSlice(*op.getBody(), checks);
  if (failed(slice))
    return failure();
  FailureOr<SliceInputs> inputs = collectInputs(op, *slice, checks);
  if (failed(inputs))
    return failure();

  // Only these loops run, numbered anew in their old order.
  OpBuilder builder(op);
  Location loc = op.getLoc();
  SmallVector<unsigned> loops(inputs->loops.begin(), inputs->loops.end());
  llvm::sort(loops);
  MLIRContext *context = op.getContext();
  SmallVector<AffineExpr> renumbered(op.getNumLoops(),
                                     builder.getAffineConstantExpr(0));
  for (auto [number, loop] : llvm::enumerate(loops))
    renumbered[loop] = builder.getAffineDimExpr(number);
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (OpOperand *operand : inputs->operands) {
    operands.push_back(operand->get());
    maps.push_back(op.getMatchingIndexingMap(operand).replaceDimsAndSymbols(
        renumbered, {}, loops.size(), 0));
  }
  if (!inputs->undefinedLoops.empty()) {
    operands.push_back(
        createLoopShape(builder, analysis, op, inputs->undefinedLoops));
    SmallVector<AffineExpr> results;
    for (unsigned loop : inputs->undefinedLoops)
      results.push_back(renumbered[loop]);
    maps.push_back(AffineMap::get(loops.size(), 0, results, context));
  }
  maps.push_back(AffineMap::get(loops.size(), 0, {}, context));
  SmallVector<utils::IteratorType> iterators(loops.size(),
                                             utils::IteratorType::reduction);
  Value init = createZeroStatus(builder, loc);
  auto reduction = linalg::GenericOp::create(
      builder, loc, init.getType(), operands, init, maps, iterators,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        IRMapping mapping;
        for (auto [number, operand] : llvm::enumerate(inputs->operands))
          mapping.map(op.getBody()->getArgument(operand->getOperandNumber()),
                      arguments[number]);
        for (Operation *sliceOp : *slice) {
          Operation *clone = nested.clone(*sliceOp, mapping);
          if (auto index = dyn_cast<linalg::IndexOp>(clone))
            index.setDim(llvm::find(loops, index.getDim()) - loops.begin());
        }
        SmallVector<Value> conditions;
        for (const DataCheck &check : checks)
          conditions.push_back(mapping.lookupOrDefault(check.isFine));
        Value status = createStatus(nested, loc, arguments.back(), conditions);
        linalg::YieldOp::create(nested, loc, status);
      });
  createRecord(builder, loc, reduction.getResult(0), checks);
  return success();
}

LogicalResult nvfp4::recordFunctionChecks(Operation *anchor,
                                          ArrayRef<DataCheck> checks) {
  FailureOr<SmallVector<Operation *>> slice =
      collectSlice(*anchor->getBlock(), checks);
  if (failed(slice))
    return failure();
  // What does not depend on tensor contents is computed outside. Everything
  // else is computed again inside, so that the host reads no tensor.
  llvm::SmallPtrSet<Operation *, 8> dependsOnData;
  for (Operation *op : *slice) {
    bool depends = isa<tensor::ExtractOp>(op);
    for (Value operand : op->getOperands())
      depends |= operand.getDefiningOp() &&
                 dependsOnData.contains(operand.getDefiningOp());
    if (depends &&
        (isa<tensor::ExtractOp>(op) ||
         isa<arith::ArithDialect, math::MathDialect>(op->getDialect())))
      dependsOnData.insert(op);
  }
  OpBuilder builder(anchor);
  Location loc = anchor->getLoc();
  Value init = createZeroStatus(builder, loc);
  AffineMap map = AffineMap::get(0, 0, {}, anchor->getContext());
  auto status = linalg::GenericOp::create(
      builder, loc, init.getType(), ValueRange(), init,
      ArrayRef<AffineMap>{map}, ArrayRef<utils::IteratorType>{},
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        IRMapping mapping;
        for (Operation *op : *slice)
          if (dependsOnData.contains(op))
            nested.clone(*op, mapping);
        SmallVector<Value> conditions;
        for (const DataCheck &check : checks)
          conditions.push_back(mapping.lookupOrDefault(check.isFine));
        linalg::YieldOp::create(
            nested, loc,
            createStatus(nested, loc, arguments.back(), conditions));
      });
  createRecord(builder, loc, status.getResult(0), checks);
  return success();
}

//===- EvaluateLinalg.cpp - Elements of linalg ops ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Clones the body of a linalg op for the points of its iteration space that
// give the elements in question. Reductions become loops of one thread that
// start at the init, in the order of the iterators: the sums of the reference.
//
// Expects: indexing maps whose results are loops (of the inits) or any affine
//          expressions (of the inputs), bodies on scalars.
//
//===----------------------------------------------------------------------===//

#include "ElementEvaluatorImpl.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nvfp4;

using Implementation = ElementEvaluator::Implementation;

/// Steps of the innermost sum whose operands are loaded at once.
static constexpr int64_t kUnroll = 4;

//===----------------------------------------------------------------------===//
// Points
//===----------------------------------------------------------------------===//

/// The loops that give a run of a result. Loops of reductions stay null.
FailureOr<Implementation::Points> Implementation::getPoints(linalg::LinalgOp op,
                                                            unsigned result,
                                                            Values index,
                                                            int64_t count) {
  AffineMap map = op.getIndexingMapMatchingResult(op->getResult(result));
  Points points;
  points.loops.resize(op.getNumLoops());
  points.count = count;
  for (auto [expr, position] : llvm::zip_equal(map.getResults(), index)) {
    if (isa<AffineConstantExpr>(expr))
      continue;
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || points.loops[dim.getPosition()])
      return op->emitError("expected the indexing map of an init in a kernel "
                           "to be a projected permutation, but got ")
             << AffineMapAttr::get(map);
    points.loops[dim.getPosition()] = position;
    points.vectorLoop = dim.getPosition();
  }
  for (auto [loop, type] : llvm::enumerate(op.getIteratorTypesArray()))
    if (type == utils::IteratorType::parallel && !points.loops[loop])
      points.loops[loop] = self.constant(0); // one point: each is written once
  return points;
}

FailureOr<Value> Implementation::getLoopExtent(linalg::LinalgOp op,
                                               unsigned loop) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<ShapedType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (auto dimExpr = dyn_cast<AffineDimExpr>(expr))
        if (dimExpr.getPosition() == loop)
          return evaluateExtent(operand.get(), dim);
  }
  return op->emitError("expected an operand that has the extent of loop ")
         << loop;
}

FailureOr<ElementEvaluator::Run>
ElementEvaluator::getLoopExtents(linalg::LinalgOp op) {
  Run extents;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    FailureOr<Value> extent = implementation->getLoopExtent(op, loop);
    if (failed(extent))
      return failure();
    extents.push_back(*extent);
  }
  return extents;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// Elements of an operand: `points.count` of them, or one if all points share
/// it.
FailureOr<ElementEvaluator::Run>
Implementation::evaluateOperand(linalg::LinalgOp op, OpOperand &operand,
                                const Points &points) {
  if (!isa<ShapedType>(operand.get().getType())) {
    FailureOr<Value> scalar = evaluateScalar(operand.get());
    return failed(scalar) ? FailureOr<Run>() : FailureOr<Run>(Run{*scalar});
  }
  AffineMap map = op.getMatchingIndexingMap(&operand);
  AffineExpr vectorDim = getAffineDimExpr(points.vectorLoop, op->getContext());
  bool isUniform = points.count == 1 || !map.isFunctionOfDim(points.vectorLoop);
  // Whether the points lie next to each other in the operand.
  bool isRun = !isUniform;
  for (unsigned i = 0; i < map.getNumResults(); ++i) {
    AffineExpr rest = map.getResult(i);
    if (i + 1 == map.getNumResults())
      rest = simplifyAffineExpr(rest - vectorDim, map.getNumDims(), 0);
    isRun &= !rest.isFunctionOfDim(points.vectorLoop);
  }

  auto getElements = [&](Values loops, int64_t count) {
    Run index;
    for (AffineExpr expr : map.getResults())
      index.push_back(evaluateAffine(expr, loops, {}));
    return evaluate(operand.get(), index, count);
  };
  if (isUniform || isRun)
    return getElements(points.loops, isRun ? points.count : 1);
  Run elements;
  for (int64_t i = 0; i < points.count; ++i) {
    Run loops = points.loops;
    loops[points.vectorLoop] =
        self.add(loops[points.vectorLoop], self.constant(i));
    FailureOr<Run> element = getElements(loops, 1);
    if (failed(element))
      return failure();
    elements.push_back(element->front());
  }
  return elements;
}

/// Fills in the arguments of the body that stand for inputs.
LogicalResult Implementation::evaluateInputs(linalg::LinalgOp op,
                                             const Points &points,
                                             Lanes &lanes) {
  Block *body = op.getBlock();
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = body->getArgument(input->getOperandNumber());
    if (argument.use_empty())
      continue;
    FailureOr<Run> run = evaluateOperand(op, *input, points);
    if (failed(run))
      return failure();
    lanes[argument] = *run;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

FailureOr<ElementEvaluator::Run>
Implementation::evaluateLinalg(linalg::LinalgOp op, unsigned result,
                               Values index, int64_t count) {
  // Where the last dimension is no loop, it has one element.
  FailureOr<Points> points = getPoints(op, result, index, count);
  if (failed(points))
    return failure();
  auto select = [&](const Run &all) {
    return Run(ArrayRef(all).slice(result * count, count));
  };
  Key key{reinterpret_cast<uintptr_t>(op.getOperation()), points->vectorLoop,
          uintptr_t(count)};
  append(key, points->loops);
  if (const Run *known = lookup(key))
    return select(*known);

  FailureOr<Run> run;
  if (op.getNumReductionLoops() != 0) {
    run = evaluateReduction(op, *points);
  } else {
    Lanes lanes;
    if (failed(evaluateInputs(op, *points, lanes)))
      return failure();
    Block *body = op.getBlock();
    for (OpOperand &init : op.getDpsInitsMutable()) {
      // The block of linalg.map has no arguments for inits.
      if (init.getOperandNumber() >= body->getNumArguments())
        continue;
      BlockArgument argument = body->getArgument(init.getOperandNumber());
      if (argument.use_empty())
        continue;
      FailureOr<Run> elements = evaluateOperand(op, init, *points);
      if (failed(elements))
        return failure();
      lanes[argument] = *elements;
    }
    run = evaluateBody(op, *points, lanes);
  }
  if (failed(run))
    return failure();
  return select(remember(key, *run));
}

/// One loop per reduction around the body, which carries the sums of all
/// results.
FailureOr<ElementEvaluator::Run>
Implementation::evaluateReduction(linalg::LinalgOp op, const Points &points) {
  Run sums;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    FailureOr<Run> run = evaluateOperand(op, init, points);
    if (failed(run))
      return failure();
    for (int64_t i = 0; i < points.count; ++i)
      sums.push_back((*run)[run->size() == 1 ? 0 : i]);
  }
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  unsigned innermost = reductions.back();

  OpBuilder::InsertionGuard guard(builder);
  Points inner = points;
  scf::ForOp outermost;
  SmallVector<std::unique_ptr<Scope>> open;
  int64_t unroll = 1;
  for (unsigned loop : reductions) {
    FailureOr<Value> extent = getLoopExtent(op, loop);
    if (failed(extent))
      return failure();
    if (loop == innermost && points.count == 1 && isMultiple(*extent, kUnroll))
      unroll = kUnroll;
    auto nest =
        scf::ForOp::create(builder, self.constant(0), *extent,
                           self.constant(loop == innermost ? unroll : 1), sums);
    if (outermost)
      scf::YieldOp::create(builder, nest.getResults());
    else
      outermost = nest;
    builder.setInsertionPointToStart(nest.getBody());
    open.push_back(std::make_unique<Scope>(self));
    inner.loops[loop] = nest.getInductionVar();
    sums.assign(nest.getRegionIterArgs().begin(),
                nest.getRegionIterArgs().end());
  }
  self.assumeMultiple(inner.loops[innermost], unroll);
  LogicalResult evaluated = evaluateStep(op, inner, innermost, unroll, sums);
  if (succeeded(evaluated))
    scf::YieldOp::create(builder, sums);
  while (!open.empty())
    open.pop_back();
  if (failed(evaluated))
    return failure();
  return Run(outermost.getResults());
}

/// Adds the products of `unroll` steps along the innermost reduction, one after
/// the other.
LogicalResult Implementation::evaluateStep(linalg::LinalgOp op,
                                           const Points &points,
                                           unsigned innermost, int64_t unroll,
                                           Run &sums) {
  Points all = points;
  if (unroll > 1) {
    all.vectorLoop = innermost;
    all.count = unroll;
  }
  Lanes inputs;
  if (failed(evaluateInputs(op, all, inputs)))
    return failure();
  Block *body = op.getBlock();
  for (int64_t step = 0; step < unroll; ++step) {
    Points one = points;
    one.loops[innermost] = self.add(one.loops[innermost], self.constant(step));
    Lanes lanes = inputs;
    if (unroll > 1)
      for (auto &[value, run] : lanes)
        run = Run{run[run.size() == 1 ? 0 : step]};
    for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable()))
      lanes[body->getArgument(init.getOperandNumber())] =
          Run(ArrayRef(sums).slice(i * points.count, points.count));
    FailureOr<Run> run = evaluateBody(op, one, lanes);
    if (failed(run))
      return failure();
    sums = *run;
  }
  return success();
}

FailureOr<ElementEvaluator::Run>
ElementEvaluator::accumulate(linalg::LinalgOp op, ValueRange loops,
                             unsigned vectorLoop, int64_t count,
                             ValueRange sums) {
  Implementation::Points points;
  points.loops = Run(loops);
  Run result(sums);
  if (failed(
          implementation->evaluateStep(op, points, vectorLoop, count, result)))
    return failure();
  return result;
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

FailureOr<Value> Implementation::getLane(Value value, int64_t lane,
                                         const Lanes &lanes) {
  auto it = lanes.find(value);
  if (it == lanes.end())
    return evaluateScalar(value);
  return it->second[it->second.size() == 1 ? 0 : lane];
}

FailureOr<ElementEvaluator::Run>
Implementation::evaluateBody(linalg::LinalgOp op, const Points &points,
                             Lanes &lanes) {
  Block *body = op.getBlock();
  for (Operation &inner : body->without_terminator())
    if (failed(evaluateBodyOp(inner, points, lanes)))
      return failure();
  Run yields;
  for (Value yielded : body->getTerminator()->getOperands())
    for (int64_t lane = 0; lane < points.count; ++lane) {
      FailureOr<Value> value = getLane(yielded, lane, lanes);
      if (failed(value))
        return failure();
      yields.push_back(*value);
    }
  return yields;
}

LogicalResult Implementation::evaluateBodyOp(Operation &op,
                                             const Points &points,
                                             Lanes &lanes) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    Run &run = lanes[index];
    Value loop = points.loops[index.getDim()];
    int64_t count = index.getDim() == points.vectorLoop ? points.count : 1;
    for (int64_t i = 0; i < count; ++i)
      run.push_back(self.add(loop, self.constant(i)));
    return success();
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op))
    return evaluateGather(extract, points, lanes);
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    FailureOr<Value> extent = evaluateScalar(dim);
    if (failed(extent))
      return failure();
    lanes[dim] = {*extent};
    return success();
  }
  return cloneLanes(op, points, lanes);
}

/// A load at an index that is data. Neighbours along the last dimension of the
/// table are one run.
LogicalResult Implementation::evaluateGather(tensor::ExtractOp op,
                                             const Points &points,
                                             Lanes &lanes) {
  bool isRun = points.count > 1 && !op.getIndices().empty();
  bool isUniform = true;
  for (auto [i, index] : llvm::enumerate(op.getIndices())) {
    auto it = lanes.find(index);
    bool varies = it != lanes.end() && it->second.size() > 1;
    isUniform &= !varies;
    auto loop = index.getDefiningOp<linalg::IndexOp>();
    if (i + 1 == op.getIndices().size())
      isRun &= loop && loop.getDim() == points.vectorLoop;
    else
      isRun &= !varies;
  }
  Run elements;
  int64_t steps = isUniform || isRun ? 1 : points.count;
  for (int64_t lane = 0; lane < steps; ++lane) {
    Run index;
    for (Value value : op.getIndices()) {
      FailureOr<Value> position = getLane(value, lane, lanes);
      if (failed(position))
        return failure();
      index.push_back(*position);
    }
    FailureOr<Run> run =
        evaluate(op.getTensor(), index, isRun ? points.count : 1);
    if (failed(run))
      return failure();
    llvm::append_range(elements, *run);
  }
  lanes[op] = elements;
  return success();
}

/// Quotients of f32 by one divisor: its reciprocal, and a step that rounds them
/// correctly while what is left of the dividend is exact. Where quotient or
/// dividend is below 2^-100 they may be off by one unit.
ElementEvaluator::Run Implementation::divideByOne(const Run &dividends,
                                                  Value divisor) {
  auto constant = [&](float value) -> Value {
    return arith::ConstantOp::create(builder, builder.getF32FloatAttr(value));
  };
  auto mul = [&](Value lhs, Value rhs) -> Value {
    return arith::MulFOp::create(builder, lhs, rhs);
  };
  auto fma = [&](Value x, Value y, Value z) -> Value {
    return math::FmaOp::create(builder, x, y, z);
  };
  // Keeps the reciprocal normal.
  Value magnitude = math::AbsFOp::create(builder, divisor);
  auto select = [&](arith::CmpFPredicate predicate, float bound, float scale,
                    Value other) -> Value {
    Value isBeyond =
        arith::CmpFOp::create(builder, predicate, magnitude, constant(bound));
    return arith::SelectOp::create(builder, isBeyond, constant(scale), other);
  };
  Value scale =
      select(arith::CmpFPredicate::OLT, 0x1p-64f, 0x1p64f, constant(1.0f));
  scale = select(arith::CmpFPredicate::OGT, 0x1p64f, 0x1p-64f, scale);
  Value scaled = mul(divisor, scale);
  Value reciprocal = arith::DivFOp::create(builder, constant(1.0f), scaled);
  Run quotients;
  for (Value dividend : dividends) {
    Value x = mul(dividend, scale);
    Value quotient = mul(x, reciprocal);
    Value rest = fma(arith::NegFOp::create(builder, quotient), scaled, x);
    Value corrected = fma(rest, reciprocal, quotient);
    // Of infinities there is no rest, and adding nothing would make -0 +0.
    Value hasRest = arith::CmpFOp::create(builder, arith::CmpFPredicate::ONE,
                                          rest, constant(0.0f));
    quotients.push_back(
        arith::SelectOp::create(builder, hasRest, corrected, quotient));
  }
  return quotients;
}

/// Clones an op on scalars once for all points, or once per point where its
/// operands differ.
LogicalResult Implementation::cloneLanes(Operation &op, const Points &points,
                                         Lanes &lanes) {
  SmallVector<Value> used(op.getOperands());
  op.walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (nested != &op &&
          !op.isProperAncestor(operand.getParentBlock()->getParentOp()) &&
          operand.getParentBlock()->getParentOp() != &op)
        used.push_back(operand);
  });
  if (llvm::any_of(
          used, [](Value value) { return isa<TensorType>(value.getType()); }))
    return op.emitError("expected operations on scalars in the body of a "
                        "linalg op in a kernel");
  if (auto divide = dyn_cast<arith::DivFOp>(op);
      divide && divide.getType().isF32()) {
    auto dividends = lanes.find(divide.getLhs());
    FailureOr<Value> divisor = getLane(divide.getRhs(), 0, lanes);
    if (failed(divisor))
      return failure();
    auto divisors = lanes.find(divide.getRhs());
    if (dividends != lanes.end() && dividends->second.size() > 1 &&
        (divisors == lanes.end() || divisors->second.size() == 1) &&
        !matchPattern(*divisor, m_Constant())) {
      lanes[divide] = divideByOne(Run(dividends->second), *divisor);
      return success();
    }
  }
  int64_t count = 1;
  for (Value value : used)
    if (auto it = lanes.find(value); it != lanes.end())
      count = std::max<int64_t>(count, it->second.size());
  SmallVector<Run> results(op.getNumResults());
  for (int64_t lane = 0; lane < count; ++lane) {
    IRMapping mapping;
    for (Value value : used) {
      FailureOr<Value> mapped = getLane(value, lane, lanes);
      if (failed(mapped))
        return failure();
      mapping.map(value, *mapped);
    }
    if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
      AffineMap map = apply.getAffineMap();
      SmallVector<Value> operands =
          llvm::map_to_vector(apply.getOperands(), [&](Value value) {
            return mapping.lookup(value);
          });
      results[0].push_back(evaluateAffine(
          map.getResult(0), ArrayRef(operands).take_front(map.getNumDims()),
          ArrayRef(operands).drop_front(map.getNumDims())));
      continue;
    }
    Operation *clone = builder.clone(op, mapping);
    for (auto [run, result] : llvm::zip_equal(results, clone->getResults()))
      run.push_back(result);
  }
  for (auto [result, run] : llvm::zip_equal(op.getResults(), results))
    lanes[result] = std::move(run);
  return success();
}

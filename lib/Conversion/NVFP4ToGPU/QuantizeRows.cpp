//===- QuantizeRows.cpp - Rows that are quantized -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizeRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

Value nvfp4::getQuantizedRows(Operation *op) {
  if (auto scale = dyn_cast<GlobalScaleIntoOp>(op))
    if (scale.getFormat().getGranularity() == GlobalScaleGranularity::Row)
      return scale.getInputs()[0];
  if (auto quantize = dyn_cast<QuantizeIntoOp>(op))
    if (quantize.getBlockType().getFormat().getBlockRows() == 1)
      return quantize.getSource();
  return {};
}

bool nvfp4::isBlockwise(func::FuncOp body) {
  if (!getOnlyQuantization(body))
    return false;
  for (Operation &other : body.front()) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(other);
    if (isa<GlobalScaleIntoOp>(other) ||
        (linalgOp && linalgOp.getNumReductionLoops() > 0))
      return false;
  }
  return true;
}

/// A run of a float tensor.
static FailureOr<Elements> getRunElements(ImplicitLocOpBuilder &b,
                                          ElementEvaluator &evaluator,
                                          Value tensor, ValueRange index,
                                          int64_t count) {
  FailureOr<Run> run = evaluator.getRun(tensor, index, count);
  if (failed(run))
    return failure();
  return getElements(b, *run);
}

FailureOr<Value> nvfp4::emitGlobalScaleOfRow(ElementEvaluator &evaluator,
                                             RowEmitter &rows,
                                             GlobalScaleIntoOp op) {
  ImplicitLocOpBuilder &b = rows.getBuilder();
  Value source = op.getInputs()[0];
  FailureOr<Run> extents = evaluator.getExtents(source);
  if (failed(extents))
    return failure();
  Value columns = extents->pop_back_val();
  Run index = evaluator.delinearize(rows.getRow(), *extents);
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0.0f));
  // A run that does not exist is one that does: it changes no maximum.
  FailureOr<Run> amax = rows.forEachRun(
      columns, columns, zero,
      [&](const RowEmitter::Columns &run,
          ValueRange carried) -> FailureOr<Run> {
        Run place(index);
        place.push_back(run.clamped);
        FailureOr<Elements> values = getRunElements(
            b, evaluator, source, place, rows.getSharing().runLength);
        if (failed(values))
          return failure();
        return Run{
            arith::MaxNumFOp::create(b, carried.front(), emitAmax(b, *values))};
      });
  if (failed(amax))
    return failure();
  Value largest =
      rows.combineThreads(amax->front(), [&](Value lhs, Value rhs) -> Value {
        return arith::MaxNumFOp::create(b, lhs, rhs);
      });
  FormatAttr format = op.getFormat();
  return emitGlobalScaleFromAmax(b, b.getLoc(), largest, format.getConvention(),
                                 format.getBound());
}

LogicalResult nvfp4::emitQuantizedRow(KernelBuilder &kernel,
                                      ElementEvaluator &evaluator,
                                      RowEmitter &rows, QuantizeIntoOp op,
                                      const QuantizeTargets &targets) {
  ImplicitLocOpBuilder &b = rows.getBuilder();
  QuantizeEmitter quantize(kernel, evaluator, op, targets);
  Run extents(quantize.getLeadExtents());
  extents.push_back(quantize.getRows());
  Run index = evaluator.delinearize(rows.getRow(), extents);
  FailureOr<EmittedFactors> factors = quantize.getFactors(index);
  if (failed(factors))
    return failure();

  const RowSharing &sharing = rows.getSharing();
  Value covered = quantize.getCoveredColumns();
  auto encode = [&](const RowEmitter::Columns &run,
                    ValueRange) -> FailureOr<Run> {
    Run place(index);
    place.push_back(run.clamped);
    FailureOr<Elements> values =
        getRunElements(b, evaluator, op.getSource(), place, sharing.runLength);
    if (failed(values))
      return failure();
    QuantizeEmitter::Presence presence;
    presence.column = run.isPresent;
    Value isCovered = run.isPresent;
    if (run.isPresent && covered != quantize.getColumns())
      isCovered = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                        run.position, covered);
    presence.covered = rows.conjoin(rows.isRowPresent(), isCovered);
    place.back() = run.position;
    evaluator.assumeMultiple(run.position, sharing.runLength);
    if (failed(quantize.emitRow(place, presence, *values, *factors)))
      return failure();
    return Run();
  };
  if (failed(rows.forEachRun(quantize.getColumns(), covered, {}, encode)))
    return failure();
  quantize.emitRowPadding(index, rows.isRowPresent(), rows.getLane(),
                          sharing.threadsPerRow);
  return success();
}

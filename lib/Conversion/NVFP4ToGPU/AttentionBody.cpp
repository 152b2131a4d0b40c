//===- AttentionBody.cpp - What kernels of attention share ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: a body with one attention (Attention.h), and element-wise ops,
//          permutations and reshapes after it.
//
//===----------------------------------------------------------------------===//

#include "AttentionBody.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

static unsigned getReductionLoop(linalg::LinalgOp op) {
  SmallVector<unsigned> loops;
  op.getReductionDims(loops);
  return loops.front();
}

static unsigned getLastLoop(linalg::LinalgOp op) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  return map.getDimPosition(map.getNumResults() - 1);
}

LogicalResult AttentionBody::findAttentionOfBody() {
  std::optional<std::string> reason = "it has no op";
  for (Operation &op : llvm::reverse(body.front()))
    if (reason)
      reason = findAttention(&op, attention);
  if (reason)
    return body.emitError("expected an attention in a kernel of the schedule "
                          "'attention', but ")
           << *reason;
  scores = attention.scores;
  values = attention.values;
  queries = getQueries(scores);
  keys = scores.getDpsInputOperand(1 - queries->getOperandNumber());
  extents = getExtents(attention);
  scoresKey = getLastLoop(scores);
  scoresDepth = getReductionLoop(scores);
  valuesKey = getReductionLoop(values);
  valuesColumn = getLastLoop(values);
  FailureOr<ResultMaps> found = ResultMaps::get(body, values->getResult(0));
  if (failed(found))
    return failure();
  maps = std::move(*found);
  if (!maps.quantizations.empty())
    return maps.quantizations.front().op.emitError(
        "expected an attention whose results are not quantized in its kernel");
  return success();
}

Run AttentionBody::getLoops(linalg::LinalgOp product, ValueRange place) {
  Run loops(product.getNumLoops(), evaluator.constant(0));
  AffineMap map = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  for (auto [dim, at] : llvm::enumerate(place))
    loops[map.getDimPosition(dim)] = at;
  return loops;
}

Run AttentionBody::getIndex(linalg::LinalgOp op, OpOperand *operand,
                            ValueRange loops) {
  Run index;
  for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    index.push_back(dim ? loops[dim.getPosition()] : evaluator.constant(0));
  }
  return index;
}

LogicalResult AttentionBody::storeResults(ValueRange at, const Run &elements) {
  evaluator.bind(values->getResult(0),
                 [elements](OpBuilder &, ValueRange,
                            int64_t) -> FailureOr<Run> { return elements; });
  for (const ResultMap &result : maps.results) {
    FailureOr<Run> index = maps.emitIndex(evaluator, result.index, at);
    if (failed(index))
      return failure();
    FailureOr<Run> stored =
        evaluator.getRun(result.value, *index, elements.size());
    if (failed(stored))
      return failure();
    evaluator.storeRun(result.init, *index, *stored);
  }
  evaluator.unbind(values->getResult(0));
  return success();
}

//===- AttentionTiles.cpp - A CTA computes rows of attention --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For many rows per head. Scores stay in registers:
//
//   queries of the CTA's rows, into registers
//   for each tile of keys, with its values (a ring of two stages):
//     scores = queries * keys^T        16 rows per warp
//     logits                           what the body makes of scores
//     softmax so far                   AttentionTilesSoftmax.cpp
//     result += exponentials * values
//   result / sum of exponentials
//
// The element evaluator computes logits, so that scales, masks and roundings
// are the body's. Where the body lets rows see no later keys, tiles that no row
// sees are left out, and the comparison is made only in tiles that some rows
// see in part.
//
// Expects: a body with one attention that has a softmax (Attention.h), and
//          element-wise ops, permutations and reshapes after it.
// Leaves:  one function. Exponentials are rounded to the values' type before
//          they are divided by their sum, results after.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"

#include "Matmul/FloatMatmul.h"
#include "Matmul/WgmmaAtom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

static WarpMmaKind getMmaKind(Type element) {
  return element.isBF16() ? WarpMmaKind::BF16 : WarpMmaKind::F16;
}

LogicalResult TiledAttention::verifyTile() {
  int64_t warps = attr.getWarps()[0];
  if (tileRows != kWarpRows * warps || !AttentionMemory::isWholeUnits(tileKeys))
    return body.emitError("expected a tile of 16 rows for each of ")
           << warps << " warps and of 16 to 256 keys, but got " << tileRows
           << " x " << tileKeys;
  if (!AttentionMemory::isWholeUnits(extents.depth) ||
      !AttentionMemory::isWholeUnits(extents.columns))
    return body.emitError("expected heads of 16 to 256 elements in steps of "
                          "16, but got ")
           << extents.depth << " and " << extents.columns;
  for (linalg::LinalgOp product : {scores, values}) {
    Type lhs = getElementTypeOrSelf(product.getDpsInputs()[0]);
    Type rhs = getElementTypeOrSelf(product.getDpsInputs()[1]);
    if (lhs != rhs || !(lhs.isBF16() || lhs.isF16()))
      return product.emitError("expected a product of two operands of bf16 or "
                               "of f16, but got ")
             << lhs << " and " << rhs;
  }
  return success();
}

void TiledAttention::createAtoms() {
  int64_t warps = attr.getWarps()[0];
  OctetMap rowOctets{tileRows, warps, false}, keyOctets{tileKeys, 1, false},
      columnOctets{extents.columns, 1, false};
  if (!hasWarpgroups) {
    scoresAtoms.push_back(
        createWarpMma(getMmaKind(scoresElement), rowOctets, keyOctets));
    valuesAtom =
        createWarpMma(getMmaKind(valuesElement), rowOctets, columnOctets);
    return;
  }
  WgmmaForm form;
  form.rowsInRegisters = true;
  form.isBF16 = scoresElement.isBF16();
  form.columns = tileKeys;
  constexpr int64_t kPanel = AttentionMemory::kPanelElements;
  for (int64_t first = 0; first < extents.depth; first += kPanel) {
    form.steps = std::min(kPanel, extents.depth - first) / 16;
    scoresAtoms.push_back(createWgmma(form, rowOctets, keyOctets));
  }
  form.isBF16 = valuesElement.isBF16();
  form.columns = extents.columns;
  form.steps = tileKeys / 16;
  form.cols = {/*isKContiguous=*/false, valueTile->getPanelBytes()};
  valuesAtom = createWgmma(form, rowOctets, columnOctets);
}

LogicalResult TiledAttention::plan() {
  if (failed(findAttentionOfBody()))
    return failure();
  if (std::optional<std::string> reason = findSoftmax(attention, softmax))
    return body.emitError("expected an attention with softmax in a kernel of "
                          "the schedule 'attention' with warps, but ")
           << *reason;
  tileRows = attr.getTile()[0];
  tileKeys = attr.getTile()[1];
  scoresElement = getElementTypeOrSelf(queries->get().getType());
  valuesElement =
      getElementTypeOrSelf(values.getDpsInputOperand(0)->get().getType());
  if (failed(verifyTile()))
    return failure();
  memory = {tileRows, tileKeys, extents.depth, extents.columns};
  int64_t warps = attr.getWarps()[0], threads = attr.getThreads();
  config = {tileRows, tileKeys, extents.depth, warps, 1,
            1,        threads,  kStages,       false, 0};
  FloatContext context{kernel, evaluator};
  queryTile.emplace(context, queries->get(), tileRows, extents.depth, threads);
  keyTile.emplace(context, keys->get(), tileKeys, extents.depth, threads);
  valueTile.emplace(context, values.getDpsInputOperand(1)->get(), tileKeys,
                    extents.columns, threads);
  hasWarpgroups = kernel.getChip().mmaUnit == MmaUnit::WarpgroupAsync &&
                  threads % kWarpgroupThreads == 0 &&
                  extents.depth <= kMaxResident && keyTile->hasFullLines() &&
                  valueTile->hasFullLines();
  createAtoms();
  return success();
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// Blocks have heads one after the other, and the last rows of all heads first:
/// they may see the most keys.
LogicalResult TiledAttention::emitPlaces() {
  FailureOr<Run> ofScores = evaluator.getExtents(scores->getResult(0));
  FailureOr<Run> ofValues = evaluator.getExtents(values->getResult(0));
  FailureOr<Run> ofLogits = evaluator.getExtents(softmax.logits);
  if (failed(ofScores) || failed(ofValues) || failed(ofLogits))
    return failure();
  scoresExtents = *ofScores;
  valuesExtents = *ofValues;
  logitsExtents = *ofLogits;
  numKeys = scoresExtents.back();
  numRows = scoresExtents[scoresExtents.size() - 2];
  Value heads = evaluator.constant(1);
  for (Value extent : ArrayRef(scoresExtents).drop_back(2))
    heads = evaluator.mul(heads, extent);
  Value block = a.toIndex(kernel.getBlockId(0));
  head = evaluator.rem(block, heads);
  Value numRowTiles =
      evaluator.div(evaluator.add(numRows, evaluator.constant(tileRows - 1)),
                    evaluator.constant(tileRows));
  Value tile =
      evaluator.sub(numRowTiles, evaluator.add(evaluator.div(block, heads),
                                               evaluator.constant(1)));
  firstRow = evaluator.mul(tile, evaluator.constant(tileRows));
  cta.emplace(b, config, kernel.getThreadId());

  Value inTile =
      a.toIndex(a.add(a.mul(cta->warpRow, kWarpRows), cta->laneGroup));
  for (int64_t half = 0; half < kHalves; ++half) {
    Value row = evaluator.add(evaluator.add(firstRow, inTile),
                              evaluator.constant(8 * half));
    rowExists.push_back(a.less(row, numRows));
    rows.push_back(
        evaluator.min(row, evaluator.sub(numRows, evaluator.constant(1))));
    Value number = evaluator.add(evaluator.mul(head, numRows), rows.back());
    logitsIndex.push_back(
        evaluator.delinearize(number, ArrayRef(logitsExtents).drop_back()));
  }
  return success();
}

/// A row sees keys up to its own number and the mask's distance.
void TiledAttention::emitRanges() {
  Value keysSeen = numKeys, keysOfAll = numKeys;
  if (softmax.mask) {
    auto limit = [&](Value row) -> Value {
      Value count = a.add(row, softmax.distance + 1);
      count = arith::MaxSIOp::create(b, count, a.index(0));
      return arith::MinSIOp::create(b, count, numKeys);
    };
    Value lastRow = a.sub(a.min(a.add(firstRow, tileRows), numRows), 1);
    keysSeen = limit(lastRow);
    keysOfAll = limit(firstRow);
  }
  numTiles = a.toI32(a.ceilDiv(keysSeen, tileKeys));
  numWhole = a.toI32(a.div(keysOfAll, tileKeys));
}

LogicalResult TiledAttention::beginTiles() {
  auto place = [&](ArrayRef<Value> all) {
    return evaluator.delinearize(head, all.drop_back(2));
  };
  Run scoresLoops = getLoops(scores, place(scoresExtents));
  Run valuesLoops = getLoops(values, place(valuesExtents));
  auto begin = [&](HeadTile &tile, linalg::LinalgOp op, OpOperand *operand,
                   const Run &loops, unsigned loop, Value count) {
    AffineExpr dim = getAffineDimExpr(loop, op.getContext());
    tile.beginLoads(cta->lane);
    return tile.begin(
        cta->thread, getIndex(op, operand, loops),
        *op.getMatchingIndexingMap(operand).getResultPosition(dim), count);
  };
  AffineMap map = scores.getMatchingIndexingMap(scores.getDpsInitOperand(0));
  unsigned row = map.getDimPosition(map.getNumResults() - 2);
  return success(
      succeeded(
          begin(*queryTile, scores, queries, scoresLoops, row, numRows)) &&
      succeeded(
          begin(*keyTile, scores, keys, scoresLoops, scoresKey, numKeys)) &&
      succeeded(begin(*valueTile, values, values.getDpsInputOperand(1),
                      valuesLoops, valuesKey, numKeys)));
}

//===----------------------------------------------------------------------===//
// Tiles of keys
//===----------------------------------------------------------------------===//

SmallVector<Value> TiledAttention::State::flatten() const {
  SmallVector<Value> all(ring);
  for (ArrayRef<Value> part :
       {ArrayRef(largest), ArrayRef(sum), ArrayRef(result)})
    llvm::append_range(all, part);
  return all;
}

TiledAttention::State TiledAttention::State::unflatten(ValueRange flat) const {
  State state;
  for (auto [part, like] : {std::pair(&state.ring, ring.size()),
                            std::pair(&state.largest, largest.size()),
                            std::pair(&state.sum, sum.size()),
                            std::pair(&state.result, result.size())}) {
    *part = SmallVector<Value>(flat.take_front(like));
    flat = flat.drop_front(like);
  }
  return state;
}

LogicalResult TiledAttention::fill(Value image, Value tile) {
  ElementEvaluator::Scope scope(evaluator);
  Value first = a.mul(a.toIndex(tile), tileKeys);
  return success(succeeded(keyTile->copy(image, first)) &&
                 succeeded(valueTile->copy(
                     a.offset(image, memory.getValuesOffset()), first)));
}

LogicalResult TiledAttention::loadQueries() {
  if (extents.depth > kMaxResident)
    return success();
  Value warpRow = a.mul(cta->warpRow, kWarpRows);
  for (int64_t step = 0; step < extents.depth / 16; ++step)
    queryRegisters.push_back(
        queryTile->loadRows(kernel.getSharedMemory(), warpRow, step));
  return success();
}

SmallVector<Value> TiledAttention::emitScores(Value image) {
  if (hasWarpgroups)
    return emitWarpgroupScores(image);
  MmaAtom &atom = *scoresAtoms.front();
  SmallVector<Value> sums = atom.begin(*cta);
  for (int64_t step = 0; step < extents.depth / 16; ++step) {
    SmallVector<Value> part;
    if (queryRegisters.empty())
      part = queryTile->loadRows(kernel.getSharedMemory(),
                                 a.mul(cta->warpRow, kWarpRows), step);
    else
      part = queryRegisters[step];
    sums = atom.issue(b, sums, part, keyTile->loadColumns(image, step),
                      /*step=*/0);
  }
  return sums;
}

SmallVector<Value> TiledAttention::emitWarpgroupScores(Value image) {
  SmallVector<Value> sums = scoresAtoms.front()->begin(*cta);
  constexpr int64_t kSteps = AttentionMemory::kPanelElements / 16;
  for (auto [number, atom] : llvm::enumerate(scoresAtoms)) {
    SmallVector<Value> part;
    for (size_t step = number * kSteps;
         step < std::min((number + 1) * kSteps, queryRegisters.size()); ++step)
      llvm::append_range(part, queryRegisters[step]);
    Value panel = a.offset(image, number * keyTile->getPanelBytes());
    sums = atom->issue(b, sums, part,
                       emitWgmmaDescriptor(b, panel, WgmmaImage()), /*step=*/0);
  }
  return scoresAtoms.back()->wait(b, sums, /*pending=*/0);
}

void TiledAttention::addValues(Value image, ValueRange weights, State &state) {
  if (hasWarpgroups) {
    WgmmaImage lines{/*isKContiguous=*/false, valueTile->getPanelBytes()};
    state.result = valuesAtom->issue(b, state.result, weights,
                                     emitWgmmaDescriptor(b, image, lines),
                                     /*step=*/0);
    state.result = valuesAtom->wait(b, state.result, /*pending=*/0);
    return;
  }
  for (int64_t step = 0; step < tileKeys / 16; ++step)
    state.result =
        valuesAtom->issue(b, state.result, weights.slice(4 * step, 4),
                          valueTile->loadTransposed(image, step), /*step=*/0);
}

LogicalResult TiledAttention::emitTile(State &state, Value tile, bool isEdge) {
  Value image = ring->getImage(state.ring);
  SmallVector<Value> sums = emitScores(image);
  FailureOr<SmallVector<Value>> weights =
      emitWeights(state, sums, tile, isEdge);
  if (failed(weights))
    return failure();
  addValues(a.offset(image, memory.getValuesOffset()), *weights, state);
  state.ring = ring->advance(state.ring);
  LogicalResult filled = success();
  ring->refill(state.ring, tile,
               [&](Value to, Value next) { filled = fill(to, next); });
  return filled;
}

FailureOr<TiledAttention::State>
TiledAttention::emitLoop(Value from, Value to, State state, bool isEdge) {
  std::optional<int64_t> first = getConstantIntValue(from),
                         end = getConstantIntValue(to);
  if (first && end && *first >= *end)
    return state;
  auto loop = scf::ForOp::create(b, from, to, a.i32(1), state.flatten());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  if (softmax.mask && !isEdge)
    evaluator.bind(softmax.mask,
                   [this](OpBuilder &, ValueRange, int64_t count) {
                     return FailureOr<Run>(
                         Run(count, arith::ConstantIntOp::create(
                                        b, !softmax.isMaskedIf, /*width=*/1)));
                   });
  State inner = state.unflatten(loop.getRegionIterArgs());
  LogicalResult emitted = emitTile(inner, loop.getInductionVar(), isEdge);
  if (softmax.mask)
    evaluator.unbind(softmax.mask);
  if (failed(emitted))
    return failure();
  scf::YieldOp::create(b, inner.flatten());
  return state.unflatten(loop.getResults());
}

LogicalResult TiledAttention::emit() {
  if (failed(emitPlaces()))
    return failure();
  emitRanges();
  if (failed(beginTiles()))
    return failure();
  evaluator.bind(scores->getResult(0),
                 [this](OpBuilder &, ValueRange index, int64_t count) {
                   return getKnownScores(index, count);
                 });
  // Queries are there with the first tile.
  Value shared = kernel.getSharedMemory();
  if (failed(queryTile->copy(shared, firstRow)))
    return failure();
  ring.emplace(b, a.offset(shared, memory.getStagesOffset()), kStages,
               memory.getStageBytes(), numTiles,
               /*isOpen=*/false, hasWarpgroups);
  LogicalResult filled = success();
  State state;
  state.ring = ring->start([&](Value image, Value tile) {
    if (failed(fill(image, tile)))
      filled = failure();
  });
  if (failed(filled) || failed(loadQueries()))
    return failure();
  state.largest.assign(kHalves,
                       getF32(-std::numeric_limits<float>::infinity()));
  state.sum.assign(kHalves, getF32(0));
  state.result = valuesAtom->begin(*cta);
  FailureOr<State> whole = emitLoop(a.i32(0), numWhole, state, false);
  if (failed(whole))
    return failure();
  FailureOr<State> all = emitLoop(numWhole, numTiles, *whole, true);
  return failed(all) ? failure() : emitResult(*all);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

LogicalResult TiledAttention::emitResult(const State &state) {
  auto add = [&](Value lhs, Value rhs) -> Value {
    return arith::AddFOp::create(b, lhs, rhs);
  };
  int64_t count = maps.keepsRuns(2) ? 2 : 1;
  for (int64_t half = 0; half < kHalves; ++half) {
    Value sum = combineLanes(state.sum[half], add);
    Value factor = arith::DivFOp::create(b, getF32(1), sum);
    auto branch = scf::IfOp::create(b, rowExists[half]);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    ElementEvaluator::Scope scope(evaluator);
    Value number = evaluator.add(evaluator.mul(head, numRows), rows[half]);
    Run at = evaluator.delinearize(number, ArrayRef(valuesExtents).drop_back());
    at.push_back(Value());
    Value first =
        evaluator.mul(a.toIndex(cta->laneInGroup), evaluator.constant(2));
    Value isEmpty = a.equal(numKeys, 0);
    for (int64_t octet = 0; octet < extents.columns / 8; ++octet)
      for (int64_t i = 0; i < 2; i += count) {
        at.back() = evaluator.add(first, evaluator.constant(8 * octet + i));
        Run elements;
        for (int64_t j = i; j < i + count; ++j) {
          Value quotient = arith::MulFOp::create(
              b, state.result[4 * octet + 2 * half + j], factor);
          // Without keys, products are sums of nothing.
          elements.push_back(a.select(isEmpty, getF32(0), quotient));
        }
        if (failed(storeResults(at, elements)))
          return failure();
      }
  }
  return success();
}

FailureOr<AffineMap> TiledAttention::getGrid() {
  Value result = scores->getResult(0);
  unsigned rank = scoresExtents.size();
  AffineExpr one = b.getAffineConstantExpr(1), blocks = one;
  for (unsigned dim = 0; dim + 1 < rank; ++dim) {
    FailureOr<AffineExpr> extent = getExtentExpr(kernel, result, dim);
    if (failed(extent))
      return failure();
    blocks = blocks * (dim + 2 == rank ? extent->ceilDiv(tileRows) : *extent);
  }
  return kernel.getGrid(blocks, one, one);
}

FailureOr<KernelVariant> TiledAttention::run() {
  FailureOr<AffineMap> grid = failure();
  if (succeeded(plan()) && succeeded(emit()))
    grid = getGrid();
  if (failed(grid)) {
    kernel.getFunction().erase();
    return failure();
  }
  // Otherwise ptxas spills some bytes for a third block on a multiprocessor.
  kernel.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                                b.getI32IntegerAttr(1));
  return KernelVariant{kernel.getFunction(), *grid,
                       /*serves=*/IntegerSet(), attr.getThreads(),
                       memory.getBytes()};
}

FailureOr<KernelVariant>
nvfp4::generateTiledAttention(const KernelRequest &request) {
  return TiledAttention(request).run();
}

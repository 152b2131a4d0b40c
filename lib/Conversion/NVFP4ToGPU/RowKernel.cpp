//===- RowKernel.cpp - A warp or a CTA computes a row ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Follows the body from top to bottom. A reduction of rows becomes a sum of
// each thread over its columns and a combination of the threads' sums; its
// result is bound to that scalar, and everything else is left to the element
// evaluator. In the end all results that have a value per column are stored in
// one pass, and those with a value per row by the first thread of the row.
//
// Expects: reductions of all columns of rows, of which the first decides what
//          rows and columns are; results of rows, or of a value per row, in any
//          shape that splits into rows and columns.
// Leaves:  one function; shared memory if a row takes more than a warp.
//
//===----------------------------------------------------------------------===//

#include "RowKernel.h"
#include "QuantizeRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

static constexpr int64_t kWarp = 32;
/// The widest load.
static constexpr int64_t kLoadBytes = 16;
/// What a thread keeps in registers of each value of a row.
static constexpr int64_t kMaxHeld = 32;
/// Rows up to this length are a warp's: no barriers, and still 16 columns per
/// thread at most.
static constexpr int64_t kMaxWarpColumns = 512;

//===----------------------------------------------------------------------===//
// Rows and columns
//===----------------------------------------------------------------------===//

namespace {
/// A number of elements, known up to dynamic factors.
struct Count {
  unsigned numDynamic = 0;
  int64_t factor = 1;

  static Count of(ArrayRef<int64_t> shape) {
    Count count;
    for (int64_t extent : shape)
      if (ShapedType::isDynamic(extent))
        ++count.numDynamic;
      else
        count.factor *= extent;
    return count;
  }
  bool isOne() const { return numDynamic == 0 && factor == 1; }
  bool operator==(const Count &other) const {
    return numDynamic == other.numDynamic && factor == other.factor;
  }
  /// Whether both may be the same number: `?` may be a collapsed `?x4`.
  bool mayEqual(const Count &other) const {
    return (numDynamic > 0 && other.numDynamic > 0) || *this == other;
  }
};

/// Rows and columns of a body.
struct Shape {
  Count rows, columns;
  /// The innermost dimension of the columns, if it is static.
  std::optional<int64_t> innermost;
};
} // namespace

static SmallVector<int64_t> getExtents(linalg::LinalgOp op,
                                       utils::IteratorType type) {
  SmallVector<int64_t> extents;
  for (auto [extent, iterator] :
       llvm::zip_equal(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (iterator == type)
      extents.push_back(extent);
  return extents;
}

static std::optional<Shape> getReducedShape(Operation *op) {
  if (Value source = getQuantizedRows(op)) {
    ArrayRef<int64_t> extents = cast<ShapedType>(source.getType()).getShape();
    Shape shape{Count::of(extents.drop_back()), Count::of(extents.take_back()),
                std::nullopt};
    if (!ShapedType::isDynamic(extents.back()))
      shape.innermost = extents.back();
    return shape;
  }
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumReductionLoops() == 0)
    return std::nullopt;
  SmallVector<int64_t> columns =
      getExtents(linalgOp, utils::IteratorType::reduction);
  Shape shape{Count::of(getExtents(linalgOp, utils::IteratorType::parallel)),
              Count::of(columns), std::nullopt};
  if (!ShapedType::isDynamic(columns.back()))
    shape.innermost = columns.back();
  return shape;
}

/// How many leading dimensions of a result are rows, and whether the others are
/// the columns; else they are one element. Nothing if no split fits. One that
/// fits for sure wins over one that may: `?x4` of rows `?x4` is no `?` of rows
/// of 4 columns.
static std::optional<std::pair<unsigned, bool>>
splitRows(ArrayRef<int64_t> type, const Shape &shape) {
  for (bool isSure : {true, false})
    for (bool asColumns : {true, false})
      for (unsigned dims = 0; dims <= type.size(); ++dims) {
        Count rows = Count::of(type.take_front(dims));
        Count rest = Count::of(type.drop_front(dims));
        if ((isSure ? rows == shape.rows : rows.mayEqual(shape.rows)) &&
            (asColumns ? rest == shape.columns : rest.isOne()))
          return std::pair(dims, asColumns);
      }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Combining
//===----------------------------------------------------------------------===//

/// Whether a value of the body depends on a sum.
static bool dependsOnSums(linalg::LinalgOp op, Value value) {
  SmallVector<Value> worklist{value};
  while (!worklist.empty()) {
    value = worklist.pop_back_val();
    if (llvm::is_contained(op.getRegionOutputArgs(), value))
      return true;
    if (Operation *source = value.getDefiningOp())
      if (source->getBlock() == op.getBlock())
        llvm::append_range(worklist, source->getOperands());
  }
  return false;
}

Operation *nvfp4::getCombiner(linalg::LinalgOp op, unsigned number) {
  Value sum = op.getRegionOutputArgs()[number];
  Operation *combiner = nullptr;
  Value value = op.getBlock()->getTerminator()->getOperand(number);
  while (value != sum) {
    Operation *source = value.getDefiningOp();
    if (!source || source->getBlock() != op.getBlock() ||
        source->getNumOperands() != 2 || !arith::getNeutralElement(source) ||
        (combiner && combiner->getName() != source->getName()))
      return nullptr;
    bool isFirst = dependsOnSums(op, source->getOperand(0));
    if (dependsOnSums(op, source->getOperand(isFirst ? 1 : 0)))
      return nullptr;
    combiner = source;
    value = source->getOperand(isFirst ? 0 : 1);
  }
  return combiner;
}

/// Whether all results that anyone reads can be combined.
static bool isCombinable(linalg::LinalgOp op) {
  return llvm::all_of(op->getResults(), [&](OpResult result) {
    return result.use_empty() || getCombiner(op, result.getResultNumber());
  });
}

//===----------------------------------------------------------------------===//
// The generator
//===----------------------------------------------------------------------===//

namespace {
class RowGenerator {
public:
  explicit RowGenerator(const KernelRequest &request)
      : body(request.body), threads(request.attr.getThreads()), kernel(request),
        evaluator(kernel), builder(kernel.getBuilder()) {}

  FailureOr<KernelVariant> run();

private:
  /// A result of the kernel: rows of the columns, or a value per row.
  struct Output {
    BlockArgument init;
    Value value;
    unsigned numRowDims;
    bool hasColumns;
  };

  /// Results that hold encoded rows.
  struct Quantization {
    QuantizeIntoOp op;
    QuantizeTargets targets;
  };

  LogicalResult plan();
  LogicalResult planOutputs();
  LogicalResult planQuantizations();
  LogicalResult planSharing();
  LogicalResult emitRows(RowEmitter &rows);
  bool isRowReduction(Operation &op);
  LogicalResult emitReduction(RowEmitter &rows, linalg::LinalgOp op);
  LogicalResult bindScalar(RowEmitter &rows, OpResult result, Value scalar);
  FailureOr<Run> getSums(RowEmitter &rows, linalg::LinalgOp op, Run loops,
                         ValueRange extents);
  LogicalResult emitOutputs(RowEmitter &rows);
  FailureOr<Value> getColumnCount(const Output &output);
  LogicalResult emitOutput(RowEmitter &rows, const Output &output,
                           const RowEmitter::Columns *columns);

  func::FuncOp body;
  int64_t threads;
  KernelBuilder kernel;
  ElementEvaluator evaluator;
  ImplicitLocOpBuilder &builder;
  Shape shape;
  SmallVector<Output> outputs;
  SmallVector<Quantization> quantizations;
  RowSharing sharing;
};
} // namespace

/// Reductions of other shapes are left to the evaluator, one thread each.
bool RowGenerator::isRowReduction(Operation &op) {
  std::optional<Shape> reduced = getReducedShape(&op);
  return reduced && isa<linalg::LinalgOp>(op) &&
         reduced->rows.mayEqual(shape.rows) &&
         reduced->columns == shape.columns &&
         isCombinable(cast<linalg::LinalgOp>(op));
}

LogicalResult RowGenerator::plan() {
  std::optional<Shape> found;
  for (Operation &op : body.front())
    if (!found)
      found = getReducedShape(&op);
  if (!found)
    return body.emitError("expected a reduction of rows in a kernel of the "
                          "schedule 'row', but got none");
  shape = *found;
  if (failed(planQuantizations()) || failed(planOutputs()))
    return failure();
  return planSharing();
}

LogicalResult RowGenerator::planQuantizations() {
  for (auto op : body.front().getOps<QuantizeIntoOp>()) {
    std::optional<Shape> rows = getReducedShape(op);
    if (!rows || !rows->rows.mayEqual(shape.rows) ||
        !(rows->columns == shape.columns))
      return op.emitError("expected blocks along the rows of the kernel's "
                          "reduction, but got ")
             << op.getAs();
    FailureOr<QuantizeTargets> targets = getQuantizeTargets(body, op);
    if (failed(targets))
      return failure();
    quantizations.push_back({op, *targets});
  }
  return success();
}

LogicalResult RowGenerator::planOutputs() {
  Operation *end = body.front().getTerminator();
  for (auto [init, value] :
       llvm::zip_equal(body.getArguments().take_back(end->getNumOperands()),
                       end->getOperands())) {
    bool isQuantized =
        llvm::any_of(quantizations, [&](const Quantization &quantization) {
          return quantization.targets.contains(init);
        });
    if (isQuantized)
      continue;
    ArrayRef<int64_t> extents = cast<ShapedType>(init.getType()).getShape();
    std::optional<std::pair<unsigned, bool>> split = splitRows(extents, shape);
    if (!split)
      return body.emitError("expected results that split into the rows and "
                            "columns of the kernel's reduction, but got ")
             << init.getType();
    outputs.push_back({init, value, split->first, split->second});
  }
  return success();
}

LogicalResult RowGenerator::planSharing() {
  // A run is one load of what is widest.
  int64_t bytes = 1;
  std::optional<int64_t> innermost = shape.innermost;
  for (BlockArgument argument : body.getArguments()) {
    auto type = cast<ShapedType>(argument.getType());
    Type element = type.getElementType();
    if (type.getRank() > 0 && element.isIntOrFloat() && innermost &&
        type.getShape().back() == *innermost)
      bytes = std::max<int64_t>(
          bytes, llvm::divideCeil(element.getIntOrFloatBitWidth(), 8));
  }
  int64_t load = std::clamp<int64_t>(kLoadBytes / bytes, 1, 8);
  // Threads that have whole groups of a transform compute it once.
  bool isTransformed = !body.getOps<HadamardIntoOp>().empty();
  int64_t length =
      quantizations.empty() && !isTransformed ? load : kMaxQuantizedRun;
  auto fit = [&](int64_t extent) {
    while (ShapedType::isDynamic(extent) ? length > 1 : extent % length != 0)
      length /= 2;
  };
  for (Operation &op : body.front())
    if (isRowReduction(op) || isa<GlobalScaleIntoOp>(op))
      fit(getReducedShape(&op)->innermost.value_or(ShapedType::kDynamic));
  for (const Output &output : outputs)
    if (output.hasColumns && !shape.columns.isOne())
      fit(cast<ShapedType>(output.init.getType()).getShape().back());
    else if (output.hasColumns)
      length = 1;
  bool isStatic = shape.columns.numDynamic == 0;
  bool isWarp = !shape.rows.isOne() &&
                (!isStatic || shape.columns.factor <= kMaxWarpColumns);
  sharing.threadsPerRow = isWarp ? kWarp : threads;
  // Whole blocks spare threads the exchange, if none of them is idle.
  if (!isTransformed &&
      (!isStatic ||
       shape.columns.factor % (sharing.threadsPerRow * kMaxQuantizedRun) != 0))
    length = std::min(length, load);
  // Columns of blocks are multiples of 16, even if they are dynamic.
  if (!quantizations.empty() &&
      ShapedType::isDynamic(innermost.value_or(ShapedType::kDynamic)))
    length = kMinQuantizedRun;
  if (!quantizations.empty() && length < kMinQuantizedRun)
    return body.emitError("expected rows that threads can share in runs of ")
           << kMinQuantizedRun << " columns, but got runs of " << length;

  // Short rows share a warp, unless lanes must cover padding of blocks.
  if (isWarp && isStatic && quantizations.empty())
    sharing.threadsPerRow = std::min<int64_t>(
        kWarp, llvm::bit_ceil(uint64_t(llvm::divideCeil(
                   std::max<int64_t>(shape.columns.factor, 1), length))));
  sharing.rowsPerBlock = threads / sharing.threadsPerRow;
  sharing.runLength = length;
  sharing.isUnrolled =
      isStatic &&
      llvm::divideCeil(shape.columns.factor, sharing.threadsPerRow * length) *
              length <=
          kMaxHeld;
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// What each thread adds up over its columns, result by result.
FailureOr<Run> RowGenerator::getSums(RowEmitter &rows, linalg::LinalgOp op,
                                     Run loops, ValueRange extents) {
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  Run columnExtents;
  Value columns = evaluator.constant(1);
  for (unsigned loop : reductions) {
    columnExtents.push_back(extents[loop]);
    columns = evaluator.mul(columns, extents[loop]);
  }
  Run neutral;
  for (OpResult result : op->getResults()) {
    Operation *combiner = getCombiner(op, result.getResultNumber());
    Type type = getElementTypeOrSelf(result.getType());
    TypedAttr value = combiner ? *arith::getNeutralElement(combiner)
                               : cast<TypedAttr>(builder.getZeroAttr(type));
    neutral.push_back(arith::ConstantOp::create(builder, value));
  }
  return rows.forEachRun(
      columns, columns, neutral,
      [&](const RowEmitter::Columns &run, ValueRange sums) -> FailureOr<Run> {
        Run index = evaluator.delinearize(run.clamped, columnExtents);
        for (auto [loop, position] : llvm::zip_equal(reductions, index))
          loops[loop] = position;
        FailureOr<Run> next = evaluator.accumulate(op, loops, reductions.back(),
                                                   sharing.runLength, sums);
        if (failed(next) || !run.isPresent)
          return next;
        for (auto [value, sum] : llvm::zip_equal(*next, sums))
          value = arith::SelectOp::create(builder, run.isPresent, value, sum);
        return next;
      });
}

/// All threads of the row know the scalar, and nobody asks for another row's.
LogicalResult RowGenerator::bindScalar(RowEmitter &rows, OpResult result,
                                       Value scalar) {
  FailureOr<Run> extents = evaluator.getExtents(result);
  if (failed(extents))
    return failure();
  evaluator.bind(
      result,
      [this, result, scalar, extents = *extents, row = rows.getRow()](
          OpBuilder &, ValueRange index, int64_t count) -> FailureOr<Run> {
        if (evaluator.linearize(index, extents) == row)
          return Run(count, scalar);
        return result.getOwner()->emitError(
            "expected all uses of a reduction in a kernel of the schedule "
            "'row' to be in the same row");
      });
  return success();
}

LogicalResult RowGenerator::emitReduction(RowEmitter &rows,
                                          linalg::LinalgOp op) {
  FailureOr<Run> extents = evaluator.getLoopExtents(op);
  if (failed(extents))
    return failure();
  // The row in the order of the result.
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  Run loops(op.getNumLoops(), evaluator.constant(0)), rowExtents;
  SmallVector<unsigned> parallel;
  for (AffineExpr expr : map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      parallel.push_back(dim.getPosition());
      rowExtents.push_back((*extents)[dim.getPosition()]);
    }
  for (auto [loop, position] : llvm::zip_equal(
           parallel, evaluator.delinearize(rows.getRow(), rowExtents)))
    loops[loop] = position;

  FailureOr<Run> sums = getSums(rows, op, loops, *extents);
  if (failed(sums))
    return failure();
  for (OpResult result : op->getResults()) {
    unsigned number = result.getResultNumber();
    Operation *combiner = getCombiner(op, number);
    if (!combiner || result.use_empty())
      continue;
    auto combine = [&](Value lhs, Value rhs) -> Value {
      IRMapping mapping;
      mapping.map(combiner->getOperands(), ValueRange{lhs, rhs});
      return builder.clone(*combiner, mapping)->getResult(0);
    };
    Value total = rows.combineThreads((*sums)[number], combine);
    Value init = op.getDpsInitOperand(number)->get();
    Run index;
    for (AffineExpr expr :
         op.getIndexingMapMatchingResult(result).getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      index.push_back(dim ? loops[dim.getPosition()] : evaluator.constant(0));
    }
    FailureOr<Run> start = evaluator.getRun(init, index, 1);
    if (failed(start) ||
        failed(bindScalar(rows, result, combine(start->front(), total))))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

FailureOr<Value> RowGenerator::getColumnCount(const Output &output) {
  FailureOr<Run> extents = evaluator.getExtents(output.init);
  if (failed(extents))
    return failure();
  Value columns = evaluator.constant(1);
  for (Value extent : ArrayRef(*extents).drop_front(output.numRowDims))
    columns = evaluator.mul(columns, extent);
  return columns;
}

/// Stores a run of a result, or its one value per row.
LogicalResult RowGenerator::emitOutput(RowEmitter &rows, const Output &output,
                                       const RowEmitter::Columns *columns) {
  FailureOr<Run> extents = evaluator.getExtents(output.init);
  if (failed(extents))
    return failure();
  ArrayRef<Value> all(*extents);
  Run index =
      evaluator.delinearize(rows.getRow(), all.take_front(output.numRowDims));
  llvm::append_range(
      index,
      evaluator.delinearize(columns ? columns->clamped : evaluator.constant(0),
                            all.drop_front(output.numRowDims)));
  FailureOr<Run> run =
      evaluator.getRun(output.value, index, columns ? sharing.runLength : 1);
  if (failed(run))
    return failure();
  Value isPresent = columns ? columns->isPresent : Value();
  if (!columns)
    isPresent = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq,
                                      rows.getLane(), evaluator.constant(0));
  isPresent = rows.conjoin(rows.isRowPresent(), isPresent);
  OpBuilder::InsertionGuard guard(builder);
  ElementEvaluator::Scope scope(evaluator);
  if (isPresent) {
    auto branch = scf::IfOp::create(builder, isPresent);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  evaluator.storeRun(output.init, index, *run);
  return success();
}

LogicalResult RowGenerator::emitOutputs(RowEmitter &rows) {
  const Output *first = nullptr;
  for (const Output &output : outputs)
    if (output.hasColumns)
      first = first ? first : &output;
    else if (failed(emitOutput(rows, output, nullptr)))
      return failure();
  if (!first)
    return success();
  FailureOr<Value> columns = getColumnCount(*first);
  if (failed(columns))
    return failure();
  return rows.forEachRun(
      *columns, *columns, {},
      [&](const RowEmitter::Columns &run, ValueRange) -> FailureOr<Run> {
        for (const Output &output : outputs)
          if (output.hasColumns && failed(emitOutput(rows, output, &run)))
            return failure();
        return Run();
      });
}

LogicalResult RowGenerator::emitRows(RowEmitter &rows) {
  for (Operation &op : body.front()) {
    if (isRowReduction(op) &&
        failed(emitReduction(rows, cast<linalg::LinalgOp>(op))))
      return failure();
    auto scale = dyn_cast<GlobalScaleIntoOp>(op);
    if (!scale || !getQuantizedRows(scale))
      continue;
    FailureOr<Value> scalar = emitGlobalScaleOfRow(evaluator, rows, scale);
    if (failed(scalar) ||
        failed(bindScalar(rows, scale->getResult(0), *scalar)))
      return failure();
  }
  for (const Quantization &quantization : quantizations)
    if (failed(emitQuantizedRow(kernel, evaluator, rows, quantization.op,
                                quantization.targets)))
      return failure();
  return emitOutputs(rows);
}

FailureOr<KernelVariant> RowGenerator::run() {
  auto emit = [&]() -> FailureOr<KernelVariant> {
    if (failed(plan()))
      return failure();
    // Codes and values have one dimension behind those of the rows.
    BlockArgument init = outputs.empty()
                             ? quantizations.front().targets.getShaped()
                             : outputs.front().init;
    unsigned numRowDims = outputs.empty()
                              ? cast<ShapedType>(init.getType()).getRank() - 1
                              : outputs.front().numRowDims;
    Value count = evaluator.constant(1);
    AffineExpr one = builder.getAffineConstantExpr(1), grid = one;
    for (unsigned dim = 0; dim < numRowDims; ++dim) {
      FailureOr<Value> extent = evaluator.getExtent(init, dim);
      if (failed(extent))
        return failure();
      count = evaluator.mul(count, *extent);
      grid = grid * kernel.getExtentExpr(init, dim);
    }
    RowEmitter rows(kernel, evaluator, sharing, count, count);
    if (failed(emitRows(rows)))
      return failure();
    return KernelVariant{
        kernel.getFunction(),
        kernel.getGrid(grid.ceilDiv(sharing.rowsPerBlock), one, one),
        /*serves=*/IntegerSet(), threads, rows.getSharedBytes()};
  };
  FailureOr<KernelVariant> variant = emit();
  if (failed(variant))
    kernel.getFunction().erase();
  return variant;
}

FailureOr<KernelVariant>
nvfp4::generateRowKernel(const KernelRequest &request) {
  if (isBlockwise(request.body))
    return generateBlockKernel(request);
  return RowGenerator(request).run();
}

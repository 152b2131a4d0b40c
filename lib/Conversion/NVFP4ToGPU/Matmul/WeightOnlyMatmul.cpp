//===- WeightOnlyMatmul.cpp - Plain activations, block-scaled weights -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations become bf16 on their way into shared memory, rounded to nearest
// even: that is what a weight-only product means on a GPU (docs/Targets.md).
// Weights are exact in bf16, sums are f32.
//
// Expects: a body with one `nvfp4.scaled_matmul` whose right operand is tiled
//          and consists of arguments; K is static.
//
//===----------------------------------------------------------------------===//

#include "DecodeOperandPath.h"
#include "FloatMatmul.h"
#include "GlobalScales.h"
#include "WeightDecode.h"

#include "nvfp4/Support/ScaleLayout.h"

using namespace mlir;

namespace nvfp4 {

namespace {
/// Several instructions per step: handles hold one after the other's operands.
class RepeatedMma final : public MmaAtom {
public:
  RepeatedMma(std::unique_ptr<MmaAtom> inner, int64_t times)
      : inner(std::move(inner)), times(times) {}

  SmallVector<Value> begin(const CtaContext &cta) override {
    return inner->begin(cta);
  }
  SmallVector<Value> issue(ImplicitLocOpBuilder &b, ValueRange accumulators,
                           ValueRange rows, ValueRange columns,
                           int64_t step) override {
    SmallVector<Value> sums(accumulators);
    size_t numRows = rows.size() / times, numColumns = columns.size() / times;
    for (int64_t i = 0; i < times; ++i)
      sums = inner->issue(b, sums, rows.slice(i * numRows, numRows),
                          columns.slice(i * numColumns, numColumns), step);
    return sums;
  }
  void drain(const CtaContext &cta, ValueRange accumulators,
             function_ref<void(const AccumulatorChunk &)> visit) override {
    inner->drain(cta, accumulators, visit);
  }

private:
  std::unique_ptr<MmaAtom> inner;
  int64_t times;
};
} // namespace

static LogicalResult verifyRoot(ScaledMatmulOp root) {
  BlockTensorType rhs = root.getRhsType();
  if (root.getLhsType() || !rhs)
    return root.emitOpError("expected a plain left operand and a block-scaled "
                            "right one");
  if (rhs.getLayout() != BlockLayout::Tiled ||
      ShapedType::isDynamic(rhs.getShape().back()))
    return root.emitOpError("expected weights in tiled layout with a static K, "
                            "but got ")
           << rhs;
  ScaleEncoding encoding = rhs.getFormat().getScaleEncoding();
  if (encoding != ScaleEncoding::E4M3 && encoding != ScaleEncoding::E8M0)
    return root.emitOpError("expected weights with e4m3 or e8m0 scales, but "
                            "got ")
           << rhs;
  for (Value component : root.getRhsComponents())
    if (!isa<BlockArgument>(component))
      return root.emitOpError("expected components that are arguments of the "
                              "kernel, but got the result of ")
             << component.getDefiningOp()->getName();
  return success();
}

/// [batch …, M, K].
static FloatOperand getActivations(ScaledMatmulOp root) {
  FloatOperand operand;
  operand.tensor = root.getLhsComponents().front();
  unsigned rank = cast<ShapedType>(operand.tensor.getType()).getRank();
  for (unsigned dim = 0; dim + 2 < rank; ++dim)
    operand.dims.push_back({FloatOperand::Role::Batch, dim});
  operand.dims.push_back({FloatOperand::Role::Row});
  operand.dims.push_back({FloatOperand::Role::K});
  return operand;
}

static FailureOr<MatmulExtents>
getExtents(FloatContext context, ScaledMatmulOp root, const FloatOperand &lhs) {
  MatmulExtents extents;
  unsigned rank = lhs.dims.size();
  for (unsigned dim = 0; dim + 1 < rank; ++dim) {
    FailureOr<AffineExpr> expr = getExtentExpr(context.kernel, lhs.tensor, dim);
    FailureOr<Value> value = context.evaluator.getExtent(lhs.tensor, dim);
    if (failed(expr) || failed(value))
      return failure();
    if (dim + 2 == rank) {
      extents.mExpr = *expr;
      extents.m = *value;
      continue;
    }
    extents.batchExprs.push_back(*expr);
    extents.batch.push_back(*value);
  }
  auto codes = cast<BlockArgument>(root.getRhsComponents().front());
  unsigned dimN = root.getRhsType().getRank() - 2;
  extents.nExpr = context.kernel.getExtentExpr(codes, dimN);
  extents.n = context.kernel.getExtent(codes, dimN);
  extents.k = context.evaluator.constant(root.getRhsType().getShape().back());
  return extents;
}

static FailureOr<MatmulParts> getParts(FloatContext context,
                                       ScaledMatmulOp root,
                                       const MatmulConfig &config) {
  FloatOperand lhs = getActivations(root);
  FailureOr<MatmulExtents> extents = getExtents(context, root, lhs);
  if (failed(extents))
    return failure();
  MatmulParts parts;
  parts.extents = *extents;
  parts.stepK = getStepK(FragmentOrder::Blocks);
  UnitSide lhsSide = config.swapped ? UnitSide::Columns : UnitSide::Rows;
  UnitSide rhsSide = config.swapped ? UnitSide::Rows : UnitSide::Columns;
  ImplicitLocOpBuilder &b = context.kernel.getBuilder();
  parts.lhs = createFloatPath(context, lhsSide, config, lhs, b.getBF16Type(),
                              FragmentOrder::Blocks, parts.extents.batch);
  BlockTensorType rhs = root.getRhsType();
  ValueRange components = root.getRhsComponents();
  auto getPointer = [&](Value component) {
    return context.kernel.getPointer(cast<BlockArgument>(component));
  };
  parts.rhs = createDecodePath(rhsSide, config, rhs, getPointer(components[0]),
                               getPointer(components[1]));
  parts.rhsIsBatched = rhs.getRank() > 2;
  parts.atom = std::make_unique<RepeatedMma>(
      createWarpMma(WarpMmaKind::BF16, getOctetsOfPlain(UnitSide::Rows, config),
                    getOctetsOfPlain(UnitSide::Columns, config)),
      getNumMmas(FragmentOrder::Blocks));
  parts.finish =
      createGlobalScales(context.kernel, root,
                         getDecodeFactor(rhs.getFormat().getScaleEncoding()));
  return parts;
}

FailureOr<KernelVariant> generateWeightOnlyMatmul(const KernelRequest &request,
                                                  ScaledMatmulOp root) {
  if (failed(verifyRoot(root)))
    return failure();
  int64_t step = getStepK(FragmentOrder::Blocks);
  FailureOr<MatmulConfig> config = MatmulConfig::get(root, request.attr, step);
  if (failed(config))
    return failure();
  int64_t blockCols = root.getRhsType().getFormat().getFormat().blockCols;
  int64_t wholeScales =
      std::max(step, kScaleTileCols * blockCols) * config->warpsK;
  if (config->tileK % wholeScales != 0)
    return root.emitOpError("expected a tile whose K is a multiple of ")
           << wholeScales << ", but got " << config->tileK;
  FailureOr<Epilogue> epilogue =
      Epilogue::get(request.body, root.getResult(0), *config);
  if (failed(epilogue))
    return failure();

  KernelBuilder kernel(request);
  ElementEvaluator evaluator(kernel);
  FailureOr<MatmulParts> parts = getParts({kernel, evaluator}, root, *config);
  FailureOr<KernelVariant> variant;
  if (succeeded(parts))
    variant = composeMatmul(kernel, *config, *epilogue, *parts);
  if (failed(variant))
    kernel.getFunction().erase();
  return variant;
}

} // namespace nvfp4

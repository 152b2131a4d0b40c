//===- WeightOnlyMatmul.cpp - Plain activations, block-scaled weights -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations are decoded already (nvfp4-decode-activations), or they become
// bf16 on their way into shared memory, rounded to nearest even: that is what a
// weight-only product means on a GPU (docs/Targets.md). Weights are exact in
// bf16, sums are f32.
//
// Expects: a body with one `nvfp4.scaled_matmul` whose right operand is tiled,
//          or in the layout of registers for warpgroups, and consists of
//          arguments; K is static.
//
//===----------------------------------------------------------------------===//

#include "DecodeOperandPath.h"
#include "FloatMatmul.h"
#include "GlobalScales.h"
#include "RegisterOperandPath.h"
#include "StageFiller.h"
#include "StoringDecodePath.h"
#include "WeightDecode.h"
#include "WgmmaAtom.h"

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
  ArrayRef<int64_t> weights = root.getRhsType().getShape();
  unsigned dimN = weights.size() - 2;
  if (ShapedType::isDynamic(weights[dimN])) {
    auto codes = cast<BlockArgument>(root.getRhsComponents().front());
    extents.nExpr = context.kernel.getExtentExpr(codes, dimN);
    extents.n = context.kernel.getExtent(codes, dimN);
  } else {
    extents.nExpr = getAffineConstantExpr(weights[dimN], root.getContext());
    extents.n = context.evaluator.constant(weights[dimN]);
  }
  extents.k = context.evaluator.constant(root.getRhsType().getShape().back());
  return extents;
}

/// Weights decoded to registers of a unit of warps, or of warpgroups, or to
/// shared memory.
static void createPaths(FloatContext context, ScaledMatmulOp root,
                        const MatmulConfig &config, const FloatOperand &lhs,
                        MatmulParts &parts) {
  UnitSide lhsSide = config.swapped ? UnitSide::Columns : UnitSide::Rows;
  UnitSide rhsSide = config.swapped ? UnitSide::Rows : UnitSide::Columns;
  FragmentOrder order =
      config.hasCopiers() ? FragmentOrder::Shared : FragmentOrder::Blocks;
  parts.stepK = getStepK(order);
  parts.lhs = createFloatPath(context, lhsSide, config, lhs,
                              context.kernel.getBuilder().getBF16Type(), order,
                              parts.extents.batch);
  BlockTensorType rhs = root.getRhsType();
  ValueRange components = root.getRhsComponents();
  auto getPointer = [&](Value component) {
    return context.kernel.getPointer(cast<BlockArgument>(component));
  };
  Value codes = getPointer(components[0]), scales = getPointer(components[1]);
  if (config.hasIssuer()) {
    parts.rhs = createStoringDecodePath(rhsSide, config, rhs, codes, scales);
    TensorForm form;
    form.kind = TensorMmaKind::BF16;
    form.columns = config.getExtent(UnitSide::Columns);
    form.cols.lines = getColumnsOffset(config, parts);
    parts.tensorAtom = std::make_unique<TensorMemoryAtom>(form);
    return;
  }
  OctetMap rows = getOctetsOfPlain(UnitSide::Rows, config);
  OctetMap columns = getOctetsOfPlain(UnitSide::Columns, config);
  if (config.hasCopiers()) {
    parts.rhs = createRegisterPath(config, rhs, codes, scales);
    WgmmaForm form;
    form.columns = columns.extent;
    form.steps = config.tileK / kWgmmaK;
    form.rowsInRegisters = true;
    parts.atom = createDecodingMma(createWgmma(form, rows, columns),
                                   rhs.getFormat().getScaleEncoding());
    return;
  }
  parts.rhs = createDecodePath(rhsSide, config, rhs, codes, scales);
  parts.atom = std::make_unique<RepeatedMma>(
      createWarpMma(WarpMmaKind::BF16, rows, columns),
      getNumMmas(FragmentOrder::Blocks));
}

static FailureOr<MatmulParts> getParts(FloatContext context,
                                       ScaledMatmulOp root,
                                       const MatmulConfig &config) {
  FloatOperand lhs = getRowsOfK(root.getLhsComponents().front());
  FailureOr<MatmulExtents> extents = getExtents(context, root, lhs);
  if (failed(extents))
    return failure();
  MatmulParts parts;
  parts.extents = *extents;
  createPaths(context, root, config, lhs, parts);
  BlockTensorType rhs = root.getRhsType();
  parts.rhsIsBatched = rhs.getRank() > 2;
  parts.finish =
      createGlobalScales(context.kernel, root,
                         getDecodeFactor(rhs.getFormat().getScaleEncoding()));
  return parts;
}

/// What only the schedule of warps, of warpgroups, or of tensor memory asks of
/// a tile.
static LogicalResult verifyTile(ScaledMatmulOp root,
                                const MatmulConfig &config) {
  if (config.hasIssuer()) {
    if (config.tileN % kStoredRows != 0)
      return root.emitOpError("expected a tile whose N is a multiple of ")
             << kStoredRows << " where weights are decoded for tensor memory, "
             << "but got " << config.tileN;
    if (config.isPair())
      return root.emitOpError("expected single CTAs where weights are decoded "
                              "for tensor memory, but got pairs");
    return success();
  }
  if (config.hasCopiers()) {
    if (!config.swapped)
      return root.emitOpError("expected swapped sides where warpgroups decode "
                              "weights, but got rows of activations");
    return success();
  }
  int64_t blockCols = root.getRhsType().getFormat().getFormat().blockCols;
  int64_t wholeScales =
      std::max(getStepK(FragmentOrder::Blocks), kScaleTileCols * blockCols) *
      config.warpsK;
  if (config.tileK % wholeScales != 0)
    return root.emitOpError("expected a tile whose K is a multiple of ")
           << wholeScales << ", but got " << config.tileK;
  return success();
}

/// K of an instruction, or of the instructions that a warp's step has.
static int64_t getUnitDepth(const KernelRequest &request) {
  ArrayRef<int64_t> warps = request.attr.getWarps();
  bool hasCopiers =
      request.attr.getThreads() != 32 * warps[0] * warps[1] * warps[2];
  return getStepK(request.chip.mmaUnit == MmaUnit::TensorMemory && hasCopiers
                      ? FragmentOrder::Natural
                      : FragmentOrder::Blocks);
}

FailureOr<KernelVariant> generateWeightOnlyMatmul(const KernelRequest &request,
                                                  ScaledMatmulOp root) {
  FailureOr<MatmulConfig> config =
      MatmulConfig::get(root, request.attr, getUnitDepth(request));
  if (failed(config))
    return failure();
  bool isInRegisters = config->hasCopiers() && !config->hasIssuer();
  if (failed(verifyDecodedWeights(root, isInRegisters ? BlockLayout::Registers
                                                      : BlockLayout::Tiled)) ||
      failed(verifyTile(root, *config)))
    return failure();
  return composeFloatMatmul(
      request, *config, root.getResult(0),
      [&](FloatContext context) { return getParts(context, root, *config); });
}

} // namespace nvfp4

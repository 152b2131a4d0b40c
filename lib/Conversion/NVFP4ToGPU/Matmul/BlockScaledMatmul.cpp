//===- BlockScaledMatmul.cpp - Two block-scaled operands ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chooses the parts of a matmul kernel whose unit multiplies block-scaled
// operands.
//
// Expects: a body with one `nvfp4.scaled_matmul` of operands in tiled layout,
//          whose components are arguments; K is static.
//
//===----------------------------------------------------------------------===//

#include "MatmulKernel.h"

#include "Arithmetic.h"
#include "GlobalScales.h"
#include "ScaledMapPath.h"
#include "StageFiller.h"

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// Choosing
//===----------------------------------------------------------------------===//

/// The instruction that multiplies operands of a format.
static FailureOr<WarpMmaKind> getKind(ScaledMatmulOp root) {
  BlockFormat lhs = root.getLhsType().getFormat().getFormat();
  BlockFormat rhs = root.getRhsType().getFormat().getFormat();
  if (lhs.scaleEncoding == rhs.scaleEncoding &&
      lhs.blockCols == rhs.blockCols) {
    if (lhs.scaleEncoding == ScaleEncoding::E4M3 && lhs.blockCols == 16)
      return WarpMmaKind::NVFP4;
    if (lhs.scaleEncoding == ScaleEncoding::E8M0 && lhs.blockCols == 32)
      return WarpMmaKind::MXFP4;
  }
  root.emitOpError("expected operands with e4m3 scales of 16 elements or e8m0 "
                   "scales of 32, but got ")
      << root.getLhsType() << " and " << root.getRhsType();
  return failure();
}

static LogicalResult verifyOperand(ScaledMatmulOp root, BlockTensorType type,
                                   ValueRange components) {
  if (!type)
    return root.emitOpError("expected two block-scaled operands");
  if (type.getLayout() != BlockLayout::Tiled)
    return root.emitOpError("expected operands in tiled layout, but got ")
           << type;
  if (ShapedType::isDynamic(type.getShape().back()))
    return root.emitOpError("expected a static K, but got ") << type;
  for (Value component : components)
    if (!isa<BlockArgument>(component))
      return root.emitOpError("expected components that are arguments of the "
                              "kernel, but got the result of ")
             << component.getDefiningOp()->getName();
  return success();
}

static MatmulExtents getExtents(KernelBuilder &kernel, ScaledMatmulOp root) {
  auto lhs = cast<BlockArgument>(root.getLhsComponents()[0]);
  auto rhs = cast<BlockArgument>(root.getRhsComponents()[0]);
  unsigned lhsRank = root.getLhsType().getRank();
  unsigned rhsRank = root.getRhsType().getRank();
  MatmulExtents extents;
  extents.mExpr = kernel.getExtentExpr(lhs, lhsRank - 2);
  extents.nExpr = kernel.getExtentExpr(rhs, rhsRank - 2);
  extents.m = kernel.getExtent(lhs, lhsRank - 2);
  extents.n = kernel.getExtent(rhs, rhsRank - 2);
  for (unsigned dim = 0; dim < lhsRank - 2; ++dim) {
    extents.batchExprs.push_back(kernel.getExtentExpr(lhs, dim));
    extents.batch.push_back(kernel.getExtent(lhs, dim));
  }
  extents.k = Arithmetic(kernel.getBuilder())
                  .index(root.getLhsType().getShape().back());
  return extents;
}

/// Scales are copied in tiles of four blocks, and a register of them serves
/// `steps` steps of one warp. CTAs that share K have a part each.
static LogicalResult verifyTileOfK(ScaledMatmulOp root,
                                   const MatmulConfig &config, int64_t step,
                                   int64_t blockCols) {
  int64_t tiles = ceilDiv(root.getLhsType().getShape().back(), config.tileK);
  if (config.sharesK() && tiles < config.clusters)
    return root.emitOpError("expected a tile of K for each of ")
           << config.clusters << " CTAs that share K, but got " << tiles;
  int64_t expected = std::max(step, 4 * blockCols) * config.warpsK;
  if (config.tileK % expected == 0)
    return success();
  return root.emitOpError("expected a tile whose K is a multiple of ")
         << expected << ", but got " << config.tileK;
}

/// Codes and scales by `cp.async`, multiplied by warps.
static FailureOr<KernelVariant> composeInWarps(KernelBuilder &kernel,
                                               ScaledMatmulOp root,
                                               const MatmulConfig &config,
                                               WarpMmaKind kind,
                                               Epilogue &epilogue) {
  UnitSide lhsSide = config.swapped ? UnitSide::Columns : UnitSide::Rows;
  UnitSide rhsSide = config.swapped ? UnitSide::Rows : UnitSide::Columns;
  auto makePath = [&](UnitSide side, BlockTensorType type,
                      ValueRange components) {
    return createBlockScaledPath(
        side, config, type,
        kernel.getPointer(cast<BlockArgument>(components[0])),
        kernel.getPointer(cast<BlockArgument>(components[1])));
  };
  MatmulParts parts;
  parts.extents = getExtents(kernel, root);
  parts.stepK = getStepK(kind);
  parts.lhs = makePath(lhsSide, root.getLhsType(), root.getLhsComponents());
  parts.rhs = makePath(rhsSide, root.getRhsType(), root.getRhsComponents());
  parts.rhsIsBatched = root.getRhsType().getRank() > 2;
  parts.atom = createWarpMma(kind, getOctetsOfScaled(UnitSide::Rows, config),
                             getOctetsOfScaled(UnitSide::Columns, config));
  parts.finish = createGlobalScales(kernel, root);
  return composeMatmul(kernel, config, epilogue, parts);
}

/// Codes and scales by tensor maps, sums in tensor memory.
static FailureOr<KernelVariant>
composeInTensorMemory(KernelBuilder &kernel, const KernelRequest &request,
                      ScaledMatmulOp root, const MatmulConfig &config,
                      WarpMmaKind kind, Epilogue &epilogue) {
  ElementEvaluator evaluator(kernel);
  FloatContext context{kernel, evaluator};
  MatmulParts parts;
  parts.extents = getExtents(kernel, root);
  parts.stepK = getStepK(kind);
  auto makePath = [&](bool isRows, BlockTensorType type,
                      ValueRange components) {
    return createScaledMapPath(context, root,
                               isRows ? UnitSide::Rows : UnitSide::Columns,
                               config, type, components, parts.extents.batch);
  };
  auto lhs =
      makePath(!config.swapped, root.getLhsType(), root.getLhsComponents());
  auto rhs =
      makePath(config.swapped, root.getRhsType(), root.getRhsComponents());
  if (failed(lhs) || failed(rhs))
    return failure();
  parts.lhs = std::move(*lhs);
  parts.rhs = std::move(*rhs);
  parts.rhsIsBatched = root.getRhsType().getRank() > 2;
  parts.finish = createGlobalScales(kernel, root);
  TensorForm form;
  form.kind =
      kind == WarpMmaKind::NVFP4 ? TensorMmaKind::NVFP4 : TensorMmaKind::MXFP4;
  form.columns = config.getExtent(UnitSide::Columns);
  form.isPair = config.isPair();
  form.rows = getScaledImage(UnitSide::Rows, config, /*offset=*/0);
  form.cols = getScaledImage(UnitSide::Columns, config,
                             getColumnsOffset(config, parts));
  parts.tensorAtom = std::make_unique<TensorMemoryAtom>(form);
  return composeTensorMatmul(kernel, request.chip, config, epilogue, parts,
                             evaluator);
}

FailureOr<KernelVariant>
nvfp4::generateBlockScaledMatmul(const KernelRequest &request,
                                 ScaledMatmulOp root) {
  BlockTensorType lhs = root.getLhsType(), rhs = root.getRhsType();
  if (failed(verifyOperand(root, lhs, root.getLhsComponents())) ||
      failed(verifyOperand(root, rhs, root.getRhsComponents())))
    return failure();
  FailureOr<WarpMmaKind> kind = getKind(root);
  if (failed(kind))
    return failure();
  int64_t step = getStepK(*kind);
  FailureOr<MatmulConfig> config = MatmulConfig::get(root, request.attr, step);
  if (failed(config) ||
      failed(verifyTileOfK(root, *config, step,
                           lhs.getFormat().getFormat().blockCols)))
    return failure();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(request.body, root.getResult(0), *config);
  if (failed(epilogue))
    return failure();

  KernelBuilder kernel(request);
  FailureOr<KernelVariant> variant =
      config->hasIssuer()
          ? composeInTensorMemory(kernel, request, root, *config, *kind,
                                  *epilogue)
          : composeInWarps(kernel, root, *config, *kind, *epilogue);
  if (failed(variant))
    kernel.getFunction().erase();
  return variant;
}

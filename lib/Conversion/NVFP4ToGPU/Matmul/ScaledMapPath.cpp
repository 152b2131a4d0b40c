//===- ScaledMapPath.cpp - Block-scaled operands by tensor maps -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: CUDA driver API, cuTensorMapEncodeTiled (limits of maps).
//
//===----------------------------------------------------------------------===//

#include "ScaledMapPath.h"

#include "Arithmetic.h"
#include "HopperPTX.h"
#include "TensorMapPath.h"

#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Support/ScaleLayout.h"

using namespace mlir;

namespace nvfp4 {

/// Bytes of an element of the map of scales: a box has at most 256 elements,
/// and four tiles are 2048 bytes.
static constexpr int64_t kScaleWordBytes = 8;

/// Panels of scales that a CTA copies, for itself or for both of a pair.
static int64_t getCopiedPanels(UnitSide side, const MatmulConfig &config) {
  int64_t panels = ceilDiv(config.getExtent(side), kScaleTileRows);
  bool isSplit = config.getCopied(side) != config.getExtent(side) &&
                 panels % config.clusters == 0;
  return isSplit ? panels / config.clusters : panels;
}

namespace {
class ScaledMapPath final : public OperandPath {
public:
  ScaledMapPath(FloatContext context, UnitSide side, const MatmulConfig &config,
                int64_t scaleTiles, ValueRange batch, Value codeMap,
                Value scaleMap)
      : context(context), side(side), config(config), scaleTiles(scaleTiles),
        batch(batch), codeMap(codeMap), scaleMap(scaleMap) {}

  int64_t getImageBytes() const override {
    return getLineBytes() + getNumPanels() * scaleTiles * kScaleTileBytes;
  }
  int64_t getBulkBytes() const override { return getImageBytes(); }
  bool copiesByThreads() const override { return false; }
  bool stagesRegisters() const override { return false; }
  void beginCopies(const CtaContext &cta, const OperandTile &tile) override;
  void copyBulk(ImplicitLocOpBuilder &b, Value image, Value tile,
                Value barrier) override;

private:
  int64_t getLineBytes() const {
    return config.getCopied(side) * kTensorLineBytes;
  }
  int64_t getNumPanels() const {
    return ceilDiv(config.getExtent(side), kScaleTileRows);
  }
  /// Of panels that both of a pair need, each may copy half for both.
  bool sharesPanels() const {
    return getCopiedPanels(side, config) != getNumPanels();
  }

  FloatContext context;
  UnitSide side;
  const MatmulConfig &config;
  /// Along K, of a stage.
  int64_t scaleTiles;
  SmallVector<Value> batch;
  Value codeMap, scaleMap;
  /// i32: the first row and panel of scales of what is copied, where the
  /// panel's scales lie behind the tile's first ones, and its matrix, innermost
  /// dimension first.
  Value row, panel, panelOffset;
  SmallVector<Value> matrix;
};
} // namespace

void ScaledMapPath::beginCopies(const CtaContext &cta,
                                const OperandTile &tile) {
  Arithmetic a(cta.b);
  row = a.toI32(emitFirstCopied(context.kernel, config, side, tile.row));
  panel = a.div(a.toI32(tile.row), kScaleTileRows);
  panelOffset = a.i32(0);
  if (sharesPanels()) {
    Value rank = emitClusterRank(context.kernel, config);
    Value first = a.mul(rank, getCopiedPanels(side, config));
    panel = a.add(panel, first);
    panelOffset = a.mul(first, scaleTiles * kScaleTileBytes);
  }
  matrix.clear();
  if (!tile.slice)
    return;
  for (Value index :
       llvm::reverse(context.evaluator.delinearize(tile.slice, batch)))
    matrix.push_back(a.toI32(index));
}

void ScaledMapPath::copyBulk(ImplicitLocOpBuilder &b, Value image, Value tile,
                             Value barrier) {
  Arithmetic a(b);
  HopperPTX ptx(b);
  SmallVector<Value> place = {a.mul(tile, kTensorLineBytes), row};
  llvm::append_range(place, matrix);
  using Receiver = HopperPTX::Receiver;
  Receiver one = config.isPair() ? Receiver::OneOfPair : Receiver::Alone;
  ptx.copyTensor(image, codeMap, place, barrier, one);
  place[0] = a.mul(tile, scaleTiles * kScaleTileBytes / kScaleWordBytes);
  place[1] = panel;
  ptx.copyTensor(a.offset(a.offset(image, getLineBytes()), panelOffset),
                 scaleMap, place, barrier,
                 sharesPanels() ? Receiver::BothOfPair : one);
}

/// The map of a component: rows of `pitch` bytes, in elements of `wordBytes`,
/// of which there are `rows` in each matrix of the batch, whose extents are
/// `batch`. Nothing where a stride is no affine expression.
static std::optional<TensorMapFields>
getFields(BlockArgument buffer, int64_t pitch, int64_t wordBytes,
          AffineExpr rows, ArrayRef<AffineExpr> batch) {
  MLIRContext *context = buffer.getContext();
  TensorMapFields fields;
  fields.buffer = buffer;
  fields.dims = {getAffineConstantExpr(pitch / wordBytes, context), rows};
  AffineExpr stride = getAffineConstantExpr(pitch, context);
  fields.strides = {getAffineConstantExpr(wordBytes, context), stride};
  for (AffineExpr extent : llvm::reverse(batch)) {
    AffineExpr inner = fields.dims.back();
    if (!stride.isSymbolicOrConstant() && !inner.isSymbolicOrConstant())
      return std::nullopt;
    stride = stride * inner;
    fields.dims.push_back(extent);
    fields.strides.push_back(stride);
  }
  return fields;
}

FailureOr<std::unique_ptr<OperandPath>>
createScaledMapPath(FloatContext context, ScaledMatmulOp root, UnitSide side,
                    const MatmulConfig &config, BlockTensorType type,
                    ValueRange components, ValueRange batch) {
  KernelBuilder &kernel = context.kernel;
  BlockFormat format = type.getFormat().getFormat();
  StorageLayout layout = getStorageLayout(format, BlockLayout::Tiled,
                                          /*rows=*/1, type.getShape().back());
  unsigned batchRank = type.getRank() - 2;
  auto codes = cast<BlockArgument>(components[0]);
  auto scales = cast<BlockArgument>(components[1]);
  AffineExpr rows = kernel.getExtentExpr(codes, batchRank);
  SmallVector<AffineExpr> extents;
  for (unsigned dim = 0; dim < batchRank; ++dim)
    extents.push_back(kernel.getExtentExpr(codes, dim));
  int64_t panelBytes =
      layout.paddedScaleCols / kScaleTileCols * kScaleTileBytes;
  std::optional<TensorMapFields> codeFields =
      getFields(codes, layout.codePitch, /*wordBytes=*/1, rows, extents);
  std::optional<TensorMapFields> scaleFields =
      getFields(scales, panelBytes, kScaleWordBytes,
                rows.ceilDiv(kScaleTileRows), extents);
  if (batchRank + 2 > NVFP4_TENSOR_MAP_MAX_RANK || !codeFields || !scaleFields)
    return root.emitOpError("expected up to three batch dimensions whose "
                            "strides are multiples of one extent, but got ")
           << type;
  int64_t scaleTiles = config.tileK / (kScaleTileCols * format.blockCols);
  codeFields->dtype = NVFP4_TENSOR_MAP_U8;
  codeFields->swizzle = NVFP4_TENSOR_MAP_SWIZZLE_128B;
  codeFields->box = {kTensorLineBytes, config.getCopied(side)};
  scaleFields->dtype = NVFP4_TENSOR_MAP_U64;
  scaleFields->swizzle = NVFP4_TENSOR_MAP_SWIZZLE_NONE;
  scaleFields->box = {scaleTiles * kScaleTileBytes / kScaleWordBytes,
                      getCopiedPanels(side, config)};
  for (TensorMapFields *fields : {&*codeFields, &*scaleFields})
    fields->box.append(batchRank, 1);
  return std::unique_ptr<OperandPath>(std::make_unique<ScaledMapPath>(
      context, side, config, scaleTiles, batch,
      addTensorMap(kernel, *codeFields), addTensorMap(kernel, *scaleFields)));
}

TensorImage getScaledImage(UnitSide side, const MatmulConfig &config,
                           int64_t offset) {
  return {offset, offset + config.getCopied(side) * kTensorLineBytes};
}

} // namespace nvfp4

//===- NVFP4Folds.cpp - Folds that the arithmetic proves ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants fold through the codecs of Support, so that folding and running
// give the same bytes. There is no fold of quantize(dequantize(x)):
// requantizing chooses new scales (docs/Format.md).
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "nvfp4/Support/Codecs.h"
#include "nvfp4/Support/Quantize.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;

namespace nvfp4 {

/// Constants with more elements stay ops: folding them would move their bytes
/// into attributes.
static constexpr int64_t kMaxFoldedElements = 4096;

static bool isFoldable(ShapedType type) {
  return type.hasStaticShape() && type.getNumElements() <= kMaxFoldedElements &&
         type.getNumElements() > 0;
}

static SmallVector<uint8_t> getBytes(DenseElementsAttr attr) {
  SmallVector<uint8_t> bytes;
  for (APInt value : attr.getValues<APInt>())
    bytes.push_back(static_cast<uint8_t>(value.getZExtValue()));
  return bytes;
}

static DenseElementsAttr getBytesAttr(RankedTensorType type,
                                      ArrayRef<uint8_t> bytes) {
  SmallVector<char> raw(bytes.begin(), bytes.end());
  return DenseElementsAttr::getFromRawBuffer(type, raw);
}

/// The elements of a float constant as f32, which holds every bf16 and f16.
static SmallVector<float> getFloats(DenseElementsAttr attr) {
  SmallVector<float> values;
  for (APFloat value : attr.getValues<APFloat>()) {
    bool losesInfo = false;
    value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    values.push_back(value.convertToFloat());
  }
  return values;
}

static DenseElementsAttr getFloatsAttr(RankedTensorType type,
                                       ArrayRef<float> values) {
  const llvm::fltSemantics &semantics =
      cast<mlir::FloatType>(type.getElementType()).getFloatSemantics();
  SmallVector<APFloat> converted;
  for (float value : values) {
    APFloat element(value);
    bool losesInfo = false;
    element.convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
    converted.push_back(element);
  }
  return DenseElementsAttr::get(type, converted);
}

/// Rows, columns and slices of a static shape; blocks never cross slices.
struct Slices {
  int64_t count, rows, columns;
  explicit Slices(ArrayRef<int64_t> shape)
      : count(ShapedType::getNumElements(shape.drop_back(2))),
        rows(shape[shape.size() - 2]), columns(shape.back()) {}
};

/// The index of the global scale of row `row` in slice `slice`.
static int64_t getGlobalScaleIndex(GlobalScaleGranularity granularity,
                                   const Slices &slices, int64_t slice,
                                   int64_t row) {
  switch (granularity) {
  case GlobalScaleGranularity::None:
  case GlobalScaleGranularity::Tensor:
    return 0;
  case GlobalScaleGranularity::Slice:
    return slice;
  case GlobalScaleGranularity::Row:
    return slice * slices.rows + row;
  }
  llvm_unreachable("covered switch");
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

/// Quantizes one slice with the quantizer of Support.
static void quantizeSlice(FormatAttr attr, const Slices &slices,
                          const StorageLayout &storage, const float *values,
                          const float *globals, uint8_t *codes,
                          uint8_t *scales) {
  QuantizeOptions options = getDefaultOptions(attr.getFormat());
  options.convention = attr.getConvention();
  if (attr.getGranularity() == GlobalScaleGranularity::Row)
    options.granularity = GlobalScaleGranularity::Row;
  MatrixRef source{values, FloatType::F32, slices.rows, slices.columns,
                   slices.columns};
  int64_t linearRows = ceilDiv(slices.rows, attr.getBlockRows());
  SmallVector<uint8_t> linear(linearRows * storage.scaleCols);
  quantize(options, source, globals,
           {codes, storage.codePitch, linear.data(), storage.scaleCols});
  packScales(storage, linear.data(), storage.scaleCols, scales);
}

OpFoldResult QuantizeOp::fold(FoldAdaptor adaptor) {
  auto source = dyn_cast_or_null<DenseElementsAttr>(adaptor.getSource());
  BlockTensorType type = getResult().getType();
  FormatAttr attr = type.getFormat();
  auto global = dyn_cast_or_null<DenseElementsAttr>(adaptor.getGlobalScale());
  if (!source || !isFoldable(type) || getState() ||
      attr.hasGlobalScale() != static_cast<bool>(global))
    return {};
  Slices slices(type.getShape());
  StorageLayout storage = getStorageLayout(attr.getFormat(), type.getLayout(),
                                           slices.rows, slices.columns);
  SmallVector<float> values = getFloats(source);
  SmallVector<float> globals;
  if (global)
    globals = getFloats(global);
  SmallVector<uint8_t> codes(slices.count * storage.codeBytes);
  SmallVector<uint8_t> scales(slices.count * storage.scaleBytes);
  for (int64_t slice = 0; slice < slices.count; ++slice)
    quantizeSlice(attr, slices, storage,
                  values.data() + slice * slices.rows * slices.columns,
                  globals.data() + getGlobalScaleIndex(attr.getGranularity(),
                                                       slices, slice, 0),
                  codes.data() + slice * storage.codeBytes,
                  scales.data() + slice * storage.scaleBytes);
  return BlocksAttr::get(getContext(), getBytesAttr(type.getCodesType(), codes),
                         getBytesAttr(type.getScalesType(), scales), global);
}

OpFoldResult DequantizeOp::fold(FoldAdaptor adaptor) {
  auto blocks = dyn_cast_or_null<BlocksAttr>(adaptor.getSource());
  BlockTensorType type = getSource().getType();
  if (!blocks || !isFoldable(type))
    return {};
  FormatAttr attr = type.getFormat();
  BlockFormat format = attr.getFormat();
  Slices slices(type.getShape());
  StorageLayout storage =
      getStorageLayout(format, type.getLayout(), slices.rows, slices.columns);
  SmallVector<uint8_t> codes = getBytes(blocks.getCodes());
  SmallVector<uint8_t> scales = getBytes(blocks.getScales());
  SmallVector<float> globals;
  if (blocks.getGlobalScale())
    globals = getFloats(blocks.getGlobalScale());

  SmallVector<float> values;
  for (int64_t slice = 0; slice < slices.count; ++slice)
    for (int64_t row = 0; row < slices.rows; ++row)
      for (int64_t column = 0; column < slices.columns; ++column) {
        uint8_t byte = codes[slice * storage.codeBytes +
                             storage.getCodeOffset(row, column)];
        uint8_t code = column % 2 ? byte >> 4 : byte & 0xF;
        uint8_t scale = scales[slice * storage.scaleBytes +
                               storage.getScaleOffsetOfElement(row, column)];
        float global = globals.empty()
                           ? 0.0f
                           : globals[getGlobalScaleIndex(attr.getGranularity(),
                                                         slices, slice, row)];
        values.push_back(
            decodeE2M1(code) *
            decodedBlockScale(format, scale, global, attr.getConvention()));
      }
  return getFloatsAttr(getResult().getType(), values);
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  // transpose(transpose(x)) -> x: each moves codes and scales, exactly.
  auto inner = getSource().getDefiningOp<TransposeOp>();
  if (inner && inner.getSource().getType() == getType())
    return inner.getSource();
  return {};
}

OpFoldResult RelayoutOp::fold(FoldAdaptor) {
  if (getSource().getType() == getType())
    return getSource();
  // relayout(relayout(x)) -> relayout(x): padding carries no value.
  if (auto inner = getSource().getDefiningOp<RelayoutOp>()) {
    getSourceMutable().assign(inner.getSource());
    return getResult();
  }
  return {};
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  if (getSource().getType() == getType())
    return getSource();
  // cast(cast(x)) -> x where the first type comes back.
  auto inner = getSource().getDefiningOp<CastOp>();
  if (inner && inner.getSource().getType() == getType())
    return inner.getSource();
  return {};
}

OpFoldResult DimOp::fold(FoldAdaptor) {
  BlockTensorType type = getSource().getType();
  if (!type.isDynamicDim(getPosition()))
    return IntegerAttr::get(IndexType::get(getContext()),
                            type.getDimSize(getPosition()));
  return {};
}

OpFoldResult AssembleOp::fold(FoldAdaptor) {
  // assemble(disassemble(x)) -> x where no global scale changed its meaning.
  auto inner = getCodes().getDefiningOp<DisassembleOp>();
  if (!inner || inner.getCodes() != getCodes() ||
      inner.getScales() != getScales() ||
      inner.getGlobalScale() != getGlobalScale() ||
      inner.getSource().getType() != getType() ||
      inner.getResultConvention() != getType().getFormat().getConvention())
    return {};
  return inner.getSource();
}

LogicalResult DisassembleOp::fold(FoldAdaptor,
                                  SmallVectorImpl<OpFoldResult> &results) {
  // disassemble(assemble(c, s, g)) -> c, s, g where g keeps its meaning.
  auto inner = getSource().getDefiningOp<AssembleOp>();
  if (!inner || getResultConvention() !=
                    getSource().getType().getFormat().getConvention())
    return failure();
  if (inner->getOperandTypes() != getResultTypes())
    return failure();
  llvm::append_range(results, inner->getOperands());
  return success();
}

} // namespace nvfp4

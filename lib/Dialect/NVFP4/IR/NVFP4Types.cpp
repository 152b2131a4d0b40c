//===- NVFP4Types.cpp - The block-scaled tensor type ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/Utils.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#define GET_TYPEDEF_CLASSES
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Types.cpp.inc"

namespace nvfp4 {

void NVFP4Dialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Types.cpp.inc"
      >();
}

LogicalResult
BlockTensorType::verify(function_ref<InFlightDiagnostic()> emitError,
                        ArrayRef<int64_t> shape, FormatAttr format,
                        BlockLayout layout) {
  if (shape.size() < 2)
    return emitError() << "expected a rank of 2 or more, but got rank "
                       << shape.size();
  for (int64_t extent : shape)
    if (ShapedType::isStatic(extent) && extent < 0)
      return emitError() << "expected extents of 0 or more, but got " << extent;
  int64_t columns = shape.back();
  if (ShapedType::isStatic(columns) && columns % kColumnMultiple != 0)
    return emitError() << "expected a last dimension that is a multiple of "
                       << kColumnMultiple << ", but got " << columns;
  if (ShapedType::isDynamic(columns) && layout == BlockLayout::Tiled)
    return emitError() << "expected a static last dimension in the tiled "
                          "layout, whose padding depends on it";
  int64_t rows = shape[shape.size() - 2];
  if (layout == BlockLayout::Registers &&
      (ShapedType::isDynamic(rows) || ShapedType::isDynamic(columns)))
    return emitError() << "expected two static last dimensions in the "
                          "registers layout, whose padding depends on them";
  if (ShapedType::isStatic(rows) && rows % format.getBlockRows() != 0)
    return emitError() << "expected rows that are a multiple of the block's "
                       << format.getBlockRows() << ", but got " << rows;
  if (format.getBlockRows() > 1 &&
      format.getGranularity() == GlobalScaleGranularity::Row)
    return emitError() << "expected one global scale per tensor or slice where "
                          "a block spans rows, but got one per row";
  return success();
}

ShapedType BlockTensorType::cloneWith(std::optional<ArrayRef<int64_t>> shape,
                                      Type elementType) const {
  ArrayRef<int64_t> newShape = shape.value_or(getShape());
  if (elementType == getElementType())
    return BlockTensorType::get(newShape, getFormat(), getLayout());
  return RankedTensorType::get(newShape, elementType);
}

Type BlockTensorType::getElementType() const {
  return Float4E2M1FNType::get(getContext());
}

/// Applies `f` to a static extent; a dynamic one stays dynamic.
template <typename F> static int64_t mapExtent(int64_t extent, F f) {
  return ShapedType::isDynamic(extent) ? extent : f(extent);
}

/// A component in tiles of which a slice is one run of bytes.
static RankedTensorType getRunType(BlockTensorType type, int64_t bytes) {
  SmallVector<int64_t> shape(type.getShape().drop_back(1));
  shape.back() = bytes;
  return RankedTensorType::get(shape, IntegerType::get(type.getContext(), 8));
}

/// Of a slice in the registers layout.
static StorageLayout getRegistersLayout(BlockTensorType type) {
  return getStorageLayout(type.getFormat().getFormat(), BlockLayout::Registers,
                          type.getShape().drop_back(1).back(),
                          type.getShape().back());
}

RankedTensorType BlockTensorType::getCodesType() const {
  if (getLayout() == BlockLayout::Registers)
    return getRunType(*this, getRegistersLayout(*this).codeBytes);
  SmallVector<int64_t> shape(getShape());
  shape.back() = mapExtent(shape.back(), [&](int64_t columns) {
    int64_t padded = getLayout() == BlockLayout::Tiled
                         ? roundUpTo(columns, kTiledCodeCols)
                         : columns;
    return ceilDiv(padded, 2);
  });
  return RankedTensorType::get(shape, IntegerType::get(getContext(), 8));
}

RankedTensorType BlockTensorType::getScalesType() const {
  if (getLayout() == BlockLayout::Registers)
    return getRunType(*this, getRegistersLayout(*this).scaleBytes);
  SmallVector<int64_t> shape(getShape());
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  columns = mapExtent(columns, [&](int64_t extent) {
    return ceilDiv(extent, getFormat().getBlockColumns());
  });
  auto i8 = IntegerType::get(getContext(), 8);
  if (getLayout() == BlockLayout::Linear) {
    shape[shape.size() - 2] = mapExtent(rows, [&](int64_t extent) {
      return ceilDiv(extent, getFormat().getBlockRows());
    });
    shape.back() = columns;
    return RankedTensorType::get(shape, i8);
  }
  return getRunType(*this, ShapedType::isDynamic(rows) ||
                                   ShapedType::isDynamic(columns)
                               ? ShapedType::kDynamic
                               : roundUpTo(rows, kScaleTileRows) *
                                     roundUpTo(columns, kScaleTileCols));
}

SmallVector<int64_t>
BlockTensorType::getGlobalScaleShape(ArrayRef<int64_t> shape,
                                     GlobalScaleGranularity granularity) {
  switch (granularity) {
  case GlobalScaleGranularity::None:
  case GlobalScaleGranularity::Tensor:
    return {};
  case GlobalScaleGranularity::Slice:
    return SmallVector<int64_t>(shape.drop_back(2));
  case GlobalScaleGranularity::Row:
    return SmallVector<int64_t>(shape.drop_back(1));
  }
  llvm_unreachable("covered switch");
}

RankedTensorType BlockTensorType::getGlobalScaleType() const {
  if (!getFormat().hasGlobalScale())
    return {};
  return RankedTensorType::get(
      getGlobalScaleShape(getShape(), getFormat().getGranularity()),
      Float32Type::get(getContext()));
}

SmallVector<Type> BlockTensorType::getComponentTypes() const {
  SmallVector<Type> types = {getCodesType(), getScalesType()};
  if (RankedTensorType globalScale = getGlobalScaleType())
    types.push_back(globalScale);
  return types;
}

/// `<` dimension-list format (`,` `layout` `=` (`linear` | `tiled` |
/// `registers`))? `>`
Type BlockTensorType::parse(AsmParser &parser) {
  SMLoc loc = parser.getCurrentLocation();
  SmallVector<int64_t> shape;
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/true,
                                /*withTrailingX=*/false) ||
      parser.parseComma())
    return {};
  FailureOr<FormatAttr> format = FormatAttr::parseBody(parser);
  if (failed(format))
    return {};
  auto layout = BlockLayout::Linear;
  if (succeeded(parser.parseOptionalComma())) {
    StringRef value;
    if (parser.parseKeyword("layout") || parser.parseEqual())
      return {};
    SMLoc valueLoc = parser.getCurrentLocation();
    if (parser.parseKeyword(&value))
      return {};
    auto parsed = parseBlockLayout({value.data(), value.size()});
    if (!parsed) {
      parser.emitError(valueLoc)
          << "expected linear, tiled or registers, but got '" << value << "'";
      return {};
    }
    layout = *parsed;
  }
  if (parser.parseGreater())
    return {};
  return Base::getChecked([&] { return parser.emitError(loc); },
                          parser.getContext(), ArrayRef<int64_t>(shape),
                          *format, layout);
}

void BlockTensorType::print(AsmPrinter &printer) const {
  printer << "<";
  printer.printDimensionList(getShape());
  printer << ", ";
  getFormat().printBody(printer);
  if (getLayout() != BlockLayout::Linear) {
    std::string_view layout = stringifyBlockLayout(getLayout());
    printer << ", layout = " << StringRef(layout.data(), layout.size());
  }
  printer << ">";
}

} // namespace nvfp4

//===- TensorMapPath.cpp - Operands by tensor maps ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: CUDA driver API, cuTensorMapEncodeTiled (limits of maps).
//
//===----------------------------------------------------------------------===//

#include "TensorMapPath.h"

#include "Arithmetic.h"
#include "FloatMatmul.h"
#include "HopperPTX.h"
#include "WgmmaAtom.h"

#include "nvfp4/Conversion/DeviceImages.h"
#include "nvfp4/Runtime/ProgramABI.h"

using namespace mlir;

namespace nvfp4 {

static constexpr int64_t kElementBytes = 2;
/// Pitches of a map are multiples of it.
static constexpr int64_t kPitchBytes = 16;

namespace {
class TensorMapPath final : public OperandPath {
public:
  TensorMapPath(FloatContext context, UnitSide side, const MatmulConfig &config,
                const FloatOperand &operand, ValueRange batch, Value map)
      : context(context), side(side), config(config), operand(operand),
        batch(batch), map(map) {}

  int64_t getImageBytes() const override {
    return config.getCopied(side) * kWgmmaLineBytes;
  }
  int64_t getBulkBytes() const override { return getImageBytes(); }
  bool copiesByThreads() const override { return false; }
  bool stagesRegisters() const override { return false; }
  void beginCopies(const CtaContext &cta, const OperandTile &tile) override;
  void beginLoads(const CtaContext &cta, const OperandTile &tile) override {
    offset = emitSharedOffset(cta, side, operand, config);
  }
  void copyBulk(ImplicitLocOpBuilder &b, Value image, Value tile,
                Value barrier) override;
  SmallVector<Value> stage(ImplicitLocOpBuilder &b, Value image,
                           int64_t step) override {
    return {emitWgmmaDescriptor(b, Arithmetic(b).offset(image, offset),
                                getSharedImage(operand, config))};
  }

private:
  FloatContext context;
  UnitSide side;
  const MatmulConfig &config;
  FloatOperand operand;
  SmallVector<Value> batch;
  Value map;
  /// i32: the tile's coordinates, outermost first; its row; where a warpgroup's
  /// part begins.
  SmallVector<Value> coordinates;
  Value row, offset;
};
} // namespace

void TensorMapPath::beginCopies(const CtaContext &cta,
                                const OperandTile &tile) {
  Arithmetic a(cta.b);
  SmallVector<Value> matrix;
  if (tile.slice)
    matrix = context.evaluator.delinearize(tile.slice, batch);
  row = a.toI32(emitFirstCopied(context.kernel, config, side, tile.row));
  coordinates.clear();
  for (const FloatOperand::Dim &dim : operand.dims)
    coordinates.push_back(dim.role == FloatOperand::Role::Batch
                              ? a.toI32(matrix[dim.batch])
                              : row);
}

/// A box has 64 neighbours, the lines, along the last dimension: of K all rows
/// of the tile at once, of rows all of its K.
void TensorMapPath::copyBulk(ImplicitLocOpBuilder &b, Value image, Value tile,
                             Value barrier) {
  Arithmetic a(b);
  HopperPTX ptx(b);
  SmallVector<Value> place = coordinates;
  place[operand.getDim(FloatOperand::Role::K)] = a.mul(tile, config.tileK);
  int64_t lineRows = kWgmmaLineBytes / kElementBytes;
  int64_t boxes =
      operand.isKContiguous() ? 1 : config.getCopied(side) / lineRows;
  auto receiver = config.isPair() ? HopperPTX::Receiver::OneOfPair
                                  : HopperPTX::Receiver::Alone;
  for (int64_t i = 0; i < boxes; ++i) {
    place[operand.getDim(FloatOperand::Role::Row)] = a.add(row, i * lineRows);
    ptx.copyTensor(a.offset(image, i * config.tileK * kWgmmaLineBytes), map,
                   llvm::to_vector(llvm::reverse(place)), barrier, receiver);
  }
}

/// The map of an operand, or nothing where no map can have it.
static std::optional<TensorMapFields>
getMapFields(FloatContext context, UnitSide side, const MatmulConfig &config,
             const FloatOperand &operand, BlockArgument buffer) {
  auto type = cast<ShapedType>(operand.tensor.getType());
  int64_t rank = type.getRank(), last = type.getShape().back();
  if (rank > NVFP4_TENSOR_MAP_MAX_RANK || ShapedType::isDynamic(last) ||
      last * kElementBytes % kPitchBytes != 0)
    return std::nullopt;
  TensorMapFields fields;
  fields.buffer = buffer;
  AffineExpr stride = getAffineConstantExpr(kElementBytes, buffer.getContext());
  for (int64_t dim = rank - 1; dim >= 0; --dim) {
    FailureOr<AffineExpr> extent =
        getExtentExpr(context.kernel, operand.tensor, dim);
    bool isAffine = succeeded(extent) && (stride.isSymbolicOrConstant() ||
                                          extent->isSymbolicOrConstant());
    if (failed(extent) || (dim > 0 && !isAffine))
      return std::nullopt;
    fields.dims.push_back(*extent);
    fields.strides.push_back(stride);
    if (dim > 0)
      stride = stride * *extent;
    FloatOperand::Role role = operand.dims[dim].role;
    if (role == FloatOperand::Role::Batch)
      fields.box.push_back(1);
    else if (dim == rank - 1)
      fields.box.push_back(kWgmmaLineBytes / kElementBytes);
    else
      fields.box.push_back(role == FloatOperand::Role::K
                               ? config.tileK
                               : config.getCopied(side));
  }
  fields.dtype = type.getElementType().isBF16() ? NVFP4_TENSOR_MAP_BF16
                                                : NVFP4_TENSOR_MAP_F16;
  fields.swizzle = NVFP4_TENSOR_MAP_SWIZZLE_128B;
  return fields;
}

Value addTensorMap(gpu::GPUFuncOp function, DictionaryAttr description) {
  Builder builder(function.getContext());
  SmallVector<Attribute> maps;
  if (auto known = function->getAttrOfType<ArrayAttr>(kTensorMapsName))
    llvm::append_range(maps, known);
  unsigned first = function.getNumArguments() - maps.size();
  if (auto *equal = llvm::find(maps, description); equal != maps.end())
    return function.getArgument(first + (equal - maps.begin()));
  maps.push_back(description);
  function->setAttr(kTensorMapsName, builder.getArrayAttr(maps));
  unsigned number = function.getNumArguments();
  [[maybe_unused]] LogicalResult isInserted = function.insertArgument(
      number, LLVM::LLVMPointerType::get(builder.getContext()),
      DictionaryAttr(), function.getLoc());
  return function.getArgument(number);
}

Value addTensorMap(KernelBuilder &kernel, const TensorMapFields &fields) {
  Builder builder(fields.buffer.getContext());
  auto getMap = [&](ArrayRef<AffineExpr> exprs) -> Attribute {
    return AffineMapAttr::get(
        AffineMap::get(kernel.getNumExtents(), 0, exprs, builder.getContext()));
  };
  auto integer = [&](int64_t value) -> Attribute {
    return builder.getI64IntegerAttr(value);
  };
  NamedAttrList attrs;
  attrs.set("operand", integer(fields.buffer.getArgNumber()));
  attrs.set("dtype", integer(fields.dtype));
  attrs.set("swizzle", integer(fields.swizzle));
  attrs.set("box", builder.getDenseI64ArrayAttr(fields.box));
  attrs.set("dims", getMap(fields.dims));
  attrs.set("strides", getMap(fields.strides));
  return addTensorMap(kernel.getFunction(),
                      attrs.getDictionary(builder.getContext()));
}

std::unique_ptr<OperandPath>
createTensorMapPath(FloatContext context, UnitSide side,
                    const MatmulConfig &config, const FloatOperand &operand,
                    BlockArgument buffer, ValueRange batch) {
  std::optional<TensorMapFields> fields =
      getMapFields(context, side, config, operand, buffer);
  if (!fields)
    return nullptr;
  Value map = addTensorMap(context.kernel, *fields);
  return std::make_unique<TensorMapPath>(context, side, config, operand, batch,
                                         map);
}

} // namespace nvfp4

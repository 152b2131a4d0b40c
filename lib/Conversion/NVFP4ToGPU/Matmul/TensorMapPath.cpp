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
/// CU_TENSOR_MAP_SWIZZLE_128B.
static constexpr int64_t kSwizzle128 = 3;

namespace {
class TensorMapPath final : public OperandPath {
public:
  TensorMapPath(FloatContext context, UnitSide side, const MatmulConfig &config,
                const FloatOperand &operand, ValueRange batch, Value map)
      : context(context), side(side), config(config), operand(operand),
        batch(batch), map(map) {}

  int64_t getImageBytes() const override {
    return config.getExtent(side) * kWgmmaLineBytes;
  }
  int64_t getBulkBytes() const override { return getImageBytes(); }
  bool copiesByThreads() const override { return false; }
  bool stagesRegisters() const override { return false; }
  void begin(const CtaContext &cta, const OperandTile &tile) override {
    beginCopies(cta, tile);
    beginLoads(cta, tile);
  }
  void beginCopies(const CtaContext &cta, const OperandTile &tile) override;
  void beginLoads(const CtaContext &cta, const OperandTile &tile) override {
    offset = emitSharedOffset(cta, side, operand, config);
  }
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile) override {}
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
  row = a.toI32(tile.row);
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
      operand.isKContiguous() ? 1 : config.getExtent(side) / lineRows;
  for (int64_t i = 0; i < boxes; ++i) {
    place[operand.getDim(FloatOperand::Role::Row)] = a.add(row, i * lineRows);
    ptx.copyTensor(a.offset(image, i * config.tileK * kWgmmaLineBytes), map,
                   llvm::to_vector(llvm::reverse(place)), barrier);
  }
}

/// What the host needs to know, or null where no map can have it.
static DictionaryAttr describeMap(FloatContext context, UnitSide side,
                                  const MatmulConfig &config,
                                  const FloatOperand &operand,
                                  BlockArgument buffer) {
  auto type = cast<ShapedType>(operand.tensor.getType());
  int64_t rank = type.getRank(), last = type.getShape().back();
  if (rank > NVFP4_TENSOR_MAP_MAX_RANK || ShapedType::isDynamic(last) ||
      last * kElementBytes % kPitchBytes != 0)
    return {};
  KernelBuilder &kernel = context.kernel;
  Builder builder(buffer.getContext());
  SmallVector<AffineExpr> dims, strides;
  SmallVector<int64_t> box;
  AffineExpr stride = builder.getAffineConstantExpr(kElementBytes);
  for (int64_t dim = rank - 1; dim >= 0; --dim) {
    FailureOr<AffineExpr> extent = getExtentExpr(kernel, operand.tensor, dim);
    bool isAffine = succeeded(extent) && (stride.isSymbolicOrConstant() ||
                                          extent->isSymbolicOrConstant());
    if (failed(extent) || (dim > 0 && !isAffine))
      return {};
    dims.push_back(*extent);
    strides.push_back(stride);
    if (dim > 0)
      stride = stride * *extent;
    FloatOperand::Role role = operand.dims[dim].role;
    if (role == FloatOperand::Role::Batch)
      box.push_back(1);
    else if (dim == rank - 1)
      box.push_back(kWgmmaLineBytes / kElementBytes);
    else
      box.push_back(role == FloatOperand::Role::K ? config.tileK
                                                  : config.getExtent(side));
  }
  unsigned numExtents = kernel.getNumExtents();
  auto getMap = [&](ArrayRef<AffineExpr> exprs) -> Attribute {
    return AffineMapAttr::get(
        AffineMap::get(numExtents, 0, exprs, builder.getContext()));
  };
  auto integer = [&](int64_t value) -> Attribute {
    return builder.getI64IntegerAttr(value);
  };
  int64_t dtype = type.getElementType().isBF16() ? NVFP4_TENSOR_MAP_BF16
                                                 : NVFP4_TENSOR_MAP_F16;
  NamedAttrList attrs;
  attrs.set("operand", integer(buffer.getArgNumber()));
  attrs.set("dtype", integer(dtype));
  attrs.set("swizzle", integer(kSwizzle128));
  attrs.set("box", builder.getDenseI64ArrayAttr(box));
  attrs.set("dims", getMap(dims));
  attrs.set("strides", getMap(strides));
  return attrs.getDictionary(builder.getContext());
}

/// A parameter more, and its description.
static Value addTensorMap(KernelBuilder &kernel, DictionaryAttr description) {
  gpu::GPUFuncOp function = kernel.getFunction();
  Builder builder(function.getContext());
  SmallVector<Attribute> maps;
  if (auto known = function->getAttrOfType<ArrayAttr>(kTensorMapsName))
    llvm::append_range(maps, known);
  maps.push_back(description);
  function->setAttr(kTensorMapsName, builder.getArrayAttr(maps));
  unsigned number = function.getNumArguments();
  [[maybe_unused]] LogicalResult isInserted = function.insertArgument(
      number, LLVM::LLVMPointerType::get(builder.getContext()),
      DictionaryAttr(), function.getLoc());
  return function.getArgument(number);
}

std::unique_ptr<OperandPath>
createTensorMapPath(FloatContext context, UnitSide side,
                    const MatmulConfig &config, const FloatOperand &operand,
                    BlockArgument buffer, ValueRange batch) {
  if (buffer.getOwner()->getParentOp()->hasAttr(kSharesParametersName))
    return nullptr;
  DictionaryAttr description =
      describeMap(context, side, config, operand, buffer);
  if (!description)
    return nullptr;
  Value map = addTensorMap(context.kernel, description);
  return std::make_unique<TensorMapPath>(context, side, config, operand, batch,
                                         map);
}

} // namespace nvfp4

//===- GlobalScales.cpp - From sums of scaled products to results ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A global scale is loaded where it begins to be known: before the loop over
// rows, at a row, or at a column.
//
//===----------------------------------------------------------------------===//

#include "GlobalScales.h"

#include "Arithmetic.h"

#include "nvfp4/Conversion/ScalarCodecs.h"

using namespace mlir;
using namespace nvfp4;

namespace {
/// The global scales of both operands: alpha times the sum, and the conversion
/// to the product's type.
class GlobalScales final : public ProductFinish {
public:
  GlobalScales(KernelBuilder &kernel, ScaledMatmulOp root, float sumFactor)
      : kernel(kernel), root(root), sumFactor(sumFactor),
        elementType(getElementTypeOrSelf(root.getResult(0))) {}

  void begin(ImplicitLocOpBuilder &b, const MatmulTile &tile) override;
  void beginRow(ImplicitLocOpBuilder &b, Value m) override;
  Value finish(ImplicitLocOpBuilder &b, Value sum, Value n) override;

private:
  /// A scale of the slice at hand, at a row if there is one per row.
  Value load(ImplicitLocOpBuilder &b, BlockTensorType type,
             ValueRange components, Value row);
  /// The factor of the sums; null where no operand has a global scale.
  Value emitAlpha(ImplicitLocOpBuilder &b, Value rhsScale);
  static bool isPerRow(BlockTensorType type) {
    return type && type.getFormat().hasGlobalScale() &&
           type.getFormat().getGranularity() == GlobalScaleGranularity::Row;
  }

  KernelBuilder &kernel;
  ScaledMatmulOp root;
  float sumFactor;
  Type elementType;
  Value slice;
  /// Null where there is none, or none yet.
  Value lhs, rhs, alpha;
};
} // namespace

Value GlobalScales::load(ImplicitLocOpBuilder &b, BlockTensorType type,
                         ValueRange components, Value row) {
  if (!type || !type.getFormat().hasGlobalScale())
    return Value();
  Arithmetic a(b);
  auto argument = cast<BlockArgument>(components.back());
  // One of the tensor, of each slice, or of each row of each slice.
  int64_t rank = cast<ShapedType>(argument.getType()).getRank();
  Value position = rank > (row ? 1 : 0) ? slice : a.index(0);
  if (row) {
    Value rows = kernel.getExtent(argument, rank - 1);
    position = a.add(a.mul(position, rows), row);
  }
  Value address =
      a.offset(kernel.getPointer(argument), a.toI64(a.mul(position, 4)));
  auto load = LLVM::LoadOp::create(b, b.getF32Type(), address,
                                   /*alignment=*/4);
  load.setInvariant(true);
  return load;
}

void GlobalScales::begin(ImplicitLocOpBuilder &b, const MatmulTile &tile) {
  slice = tile.slice;
  if (!isPerRow(root.getLhsType()))
    lhs = load(b, root.getLhsType(), root.getLhsComponents(), Value());
  if (!isPerRow(root.getRhsType()))
    rhs = load(b, root.getRhsType(), root.getRhsComponents(), Value());
}

Value GlobalScales::emitAlpha(ImplicitLocOpBuilder &b, Value rhsScale) {
  auto getFormat = [](BlockTensorType type) {
    return type ? type.getFormat() : FormatAttr();
  };
  if (!lhs && !rhsScale)
    return Value();
  return emitMatmulAlpha(b, b.getLoc(), lhs, getFormat(root.getLhsType()),
                         rhsScale, getFormat(root.getRhsType()));
}

void GlobalScales::beginRow(ImplicitLocOpBuilder &b, Value m) {
  if (isPerRow(root.getLhsType()))
    lhs = load(b, root.getLhsType(), root.getLhsComponents(), m);
  if (!isPerRow(root.getRhsType()))
    alpha = emitAlpha(b, rhs);
}

Value GlobalScales::finish(ImplicitLocOpBuilder &b, Value sum, Value n) {
  if (sumFactor != 1.0f)
    sum = arith::MulFOp::create(
        b, sum, arith::ConstantOp::create(b, b.getF32FloatAttr(sumFactor)));
  Value factor = alpha;
  if (isPerRow(root.getRhsType()))
    factor =
        emitAlpha(b, load(b, root.getRhsType(), root.getRhsComponents(), n));
  if (factor)
    sum = arith::MulFOp::create(b, sum, factor);
  if (elementType.isF32())
    return sum;
  return arith::TruncFOp::create(b, elementType, sum);
}

std::unique_ptr<ProductFinish> nvfp4::createGlobalScales(KernelBuilder &kernel,
                                                         ScaledMatmulOp root,
                                                         float sumFactor) {
  return std::make_unique<GlobalScales>(kernel, root, sumFactor);
}

//===- Decoding.cpp - Operands that are decoded before a product ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace nvfp4 {

bool areDecoded(ValueRange components) {
  return isa<FloatType>(getElementTypeOrSelf(components.front().getType()));
}

BlockTensorType getUnscaledType(BlockTensorType type) {
  FormatAttr format = type.getFormat();
  if (format.hasGlobalScale())
    format = FormatAttr::get(
        type.getContext(), format.getName(), format.getBlockRows(),
        format.getBlockColumns(), GlobalScaleGranularity::Tensor,
        GlobalScaleConvention::Multiply, format.getBound());
  return BlockTensorType::get(type.getShape(), format, type.getLayout());
}

QuantizeIntoOp getDecodedQuantization(DequantizeIntoOp op) {
  ValueRange inputs = op.getInputs();
  auto quantize = inputs[0].getDefiningOp<QuantizeIntoOp>();
  if (!quantize || !quantize.hasPureTensorSemantics() ||
      inputs.take_front(2) != ValueRange(quantize->getResults()) ||
      !getElementTypeOrSelf(op.getInits()[0]).isBF16() ||
      op.getBlockType() != getUnscaledType(quantize.getBlockType()))
    return {};
  FormatAttr format = op.getBlockType().getFormat();
  if (format.getScaleEncoding() == ScaleEncoding::UE5M3)
    return {};
  if (format.hasGlobalScale() && !matchPattern(inputs.back(), m_OneFloat()))
    return {};
  return quantize;
}

} // namespace nvfp4

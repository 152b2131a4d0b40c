//===- DecodeActivations.cpp - Operands for units that multiply bf16 ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations are quantized on every chip, so that a model computes the same
// product everywhere. Where the unit multiplies no block-scaled operands, their
// values go to memory instead of codes and scales: code times block scale is
// exact in bf16 (docs/Format.md, sections 1 and 3). The global scale stays
// beside them, because with it they would have to be rounded.
//
// Expects: kernel-level ops on tensors; operands that are to be decoded are
//          linear (nvfp4-assign-layouts), and their K is static.
// Leaves:  no linear codes as operands of scaled matmuls.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"
#include "nvfp4/Dialect/NVFP4/IR/Utils.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nvfp4 {
#define GEN_PASS_DEF_DECODEACTIVATIONSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

bool isToBeDecoded(BlockTensorType type, ValueRange components) {
  return type && type.getLayout() == BlockLayout::Linear &&
         !areDecoded(components);
}

Value skipCast(Value value) {
  auto cast = value.getDefiningOp<tensor::CastOp>();
  return cast ? cast.getSource() : value;
}

/// The quantization whose codes and scales an operand consists of, where types
/// may know more or fewer extents.
QuantizeIntoOp getQuantization(ValueRange components) {
  Value codes = skipCast(components[0]), scales = skipCast(components[1]);
  auto op = codes.getDefiningOp<QuantizeIntoOp>();
  bool isBoth = op && codes == op->getResult(0) && scales == op->getResult(1);
  return isBoth ? op : QuantizeIntoOp();
}

struct DecodeActivationsPass final
    : impl::DecodeActivationsPassBase<DecodeActivationsPass> {
  using Base::Base;

  void runOnOperation() override {
    known.clear();
    SmallVector<ScaledMatmulOp> matmuls;
    getOperation()->walk([&](ScaledMatmulOp op) { matmuls.push_back(op); });
    for (ScaledMatmulOp op : matmuls)
      decodeOperands(op);
  }

private:
  void decodeOperands(ScaledMatmulOp op);
  Value decode(ScaledMatmulOp op, BlockTensorType type, ValueRange components);
  Value createDecoded(ImplicitLocOpBuilder &b, BlockTensorType type,
                      Value codes, Value scales,
                      ArrayRef<OpFoldResult> extents);

  /// Decoded values by their codes.
  llvm::DenseMap<Value, Value> known;
};

} // namespace

Value DecodeActivationsPass::createDecoded(ImplicitLocOpBuilder &b,
                                           BlockTensorType type, Value codes,
                                           Value scales,
                                           ArrayRef<OpFoldResult> extents) {
  ++numDecoded;
  SmallVector<Value> inputs = {codes, scales};
  if (type.getFormat().hasGlobalScale()) {
    auto scalar = RankedTensorType::get({}, b.getF32Type());
    auto one = DenseElementsAttr::get(scalar, llvm::APFloat(1.0f));
    inputs.push_back(arith::ConstantOp::create(b, one));
  }
  Value init = tensor::EmptyOp::create(b, extents, b.getBF16Type());
  return DequantizeIntoOp::create(b, init.getType(), inputs, init,
                                  getUnscaledType(type))
      .getResult(0);
}

/// Behind the quantization, or before the first product that reads the codes.
Value DecodeActivationsPass::decode(ScaledMatmulOp op, BlockTensorType type,
                                    ValueRange components) {
  Value codes = components[0], scales = components[1];
  QuantizeIntoOp quantize = getQuantization(components);
  if (quantize) {
    codes = quantize->getResult(0);
    scales = quantize->getResult(1);
  }
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value &values = known[codes];
  if (!values && quantize) {
    b.setInsertionPointAfter(quantize);
    values =
        createDecoded(b, quantize.getBlockType(), codes, scales,
                      getMixedExtents(b, b.getLoc(), quantize.getSource()));
  } else if (!values) {
    SmallVector<OpFoldResult> extents = getMixedExtents(b, b.getLoc(), codes);
    extents.back() = b.getIndexAttr(type.getShape().back());
    values = createDecoded(b, type, codes, scales, extents);
  }
  auto expected = RankedTensorType::get(type.getShape(), b.getBF16Type());
  if (values.getType() == expected)
    return values;
  b.setInsertionPoint(op);
  return tensor::CastOp::create(b, expected, values);
}

void DecodeActivationsPass::decodeOperands(ScaledMatmulOp op) {
  SmallVector<Value> inputs;
  auto append = [&](BlockTensorType type, ValueRange components) {
    if (!isToBeDecoded(type, components))
      return llvm::append_range(inputs, components);
    inputs.push_back(decode(op, type, components));
    llvm::append_range(inputs, components.drop_front(2));
  };
  append(op.getLhsType(), op.getLhsComponents());
  append(op.getRhsType(), op.getRhsComponents());
  op.getInputsMutable().assign(inputs);
}

} // namespace nvfp4

//===- FloatBuilder.cpp - Words for arithmetic on floats ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FloatBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace nvfp4 {

Type FloatBuilder::withElement(Type element) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return shaped.clone(element);
  return element;
}

Type FloatBuilder::getBitsElement() {
  return b.getIntegerType(getElementTypeOrSelf(type).getIntOrFloatBitWidth());
}

Value FloatBuilder::constant(double value) {
  TypedAttr attr = b.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attr = DenseElementsAttr::get(shaped, attr);
  return arith::ConstantOp::create(b, attr);
}

Value FloatBuilder::bitsConstant(int64_t value) {
  TypedAttr attr = b.getIntegerAttr(getBitsElement(), value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attr = DenseElementsAttr::get(shaped.clone(getBitsElement()), attr);
  return arith::ConstantOp::create(b, attr);
}

Value FloatBuilder::add(Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}
Value FloatBuilder::sub(Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}
Value FloatBuilder::mul(Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}
Value FloatBuilder::div(Value x, Value y) {
  return arith::DivFOp::create(b, x, y);
}
Value FloatBuilder::fma(Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}
Value FloatBuilder::neg(Value x) { return arith::NegFOp::create(b, x); }
Value FloatBuilder::abs(Value x) { return math::AbsFOp::create(b, x); }
Value FloatBuilder::sqrt(Value x) { return math::SqrtOp::create(b, x); }
Value FloatBuilder::withSign(Value magnitude, Value sign) {
  return math::CopySignOp::create(b, magnitude, sign);
}
Value FloatBuilder::compare(Predicate predicate, Value x, double y) {
  return arith::CmpFOp::create(b, predicate, x, constant(y));
}
Value FloatBuilder::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}
Value FloatBuilder::toBits(Value x) {
  return arith::BitcastOp::create(b, withElement(getBitsElement()), x);
}
Value FloatBuilder::fromBits(Value bits) {
  return arith::BitcastOp::create(b, type, bits);
}

Value FloatBuilder::clamp(Value x, double low, double high) {
  Value atLeast = select(compare(Predicate::OLT, x, low), constant(low), x);
  return select(compare(Predicate::OGT, atLeast, high), constant(high),
                atLeast);
}

Value FloatBuilder::polynomial(Value x, ArrayRef<double> coefficients) {
  Value result = constant(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    result = fma(result, x, constant(coefficient));
  return result;
}

} // namespace nvfp4

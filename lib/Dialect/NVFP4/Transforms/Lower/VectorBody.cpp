//===- VectorBody.cpp - Bodies of linalg ops for several elements ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every op of a body that depends on the innermost dimension gets a vector
// type; everything else stays a scalar and is broadcast where a vector meets
// it.
//
//===----------------------------------------------------------------------===//

#include "VectorBody.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Which bodies
//===----------------------------------------------------------------------===//

/// Two registers of AVX, one of AVX-512, four of NEON, of f32.
static constexpr int64_t kLanes = 16;

/// Whether elements lie in memory as they lie in a vector. An i1 takes a byte
/// in memory and a bit in a vector.
static bool hasVectors(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return llvm::is_contained({8u, 16u, 32u, 64u}, integer.getWidth());
  return type.isF32() || type.isF64() || type.isF16() || type.isBF16() ||
         type.isIndex();
}

/// Whether an operand is the same all along `dim`, or consists of neighbours.
static bool isUniformOrContiguous(linalg::LinalgOp op, OpOperand &operand,
                                  unsigned dim) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!type || !map.isFunctionOfDim(dim))
    return true;
  if (!hasVectors(type.getElementType()) || !type.isLastDimUnitStride())
    return false;
  unsigned last = map.getNumResults() - 1;
  for (unsigned i = 0; i < last; ++i)
    if (map.getResult(i).isFunctionOfDim(dim))
      return false;
  return map.getResult(last) == getAffineDimExpr(dim, op->getContext());
}

/// Whether a gather reads neighbours: its last index, and no other, counts
/// along `dim`.
static bool readsNeighbours(memref::LoadOp load, unsigned dim,
                            const SmallPtrSetImpl<Value> &varying) {
  if (!hasVectors(load.getType()) ||
      !load.getMemRefType().isLastDimUnitStride() ||
      varying.contains(load.getMemRef()))
    return false;
  auto index = load.getIndices().back().getDefiningOp<linalg::IndexOp>();
  if (!index || index.getDim() != dim)
    return false;
  return llvm::none_of(load.getIndices().drop_back(),
                       [&](Value value) { return varying.contains(value); });
}

/// Whether a body op has a form on vectors that processors have too.
static bool hasVectorForm(Operation &inner, unsigned dim,
                          const SmallPtrSetImpl<Value> &varying) {
  if (inner.getNumRegions() != 0)
    return false;
  if (llvm::none_of(inner.getOperands(),
                    [&](Value value) { return varying.contains(value); }))
    return true;
  if (auto load = dyn_cast<memref::LoadOp>(inner))
    return readsNeighbours(load, dim, varying);
  return OpTrait::hasElementwiseMappableTraits(&inner) &&
         !isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
              arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>(
             inner);
}

static bool isWideType(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isF64() || element.isInteger(64);
}

/// Whether an op works on 64-bit elements, or becomes arithmetic on them
/// (F64Math).
static bool isWide(Operation &inner) {
  if (llvm::any_of(inner.getOperandTypes(), isWideType) ||
      llvm::any_of(inner.getResultTypes(), isWideType))
    return true;
  return isa<math::MathDialect>(inner.getDialect()) &&
         !isa<math::ExpOp, math::TanhOp, math::ErfOp, math::RsqrtOp,
              math::SqrtOp, math::AbsFOp, math::FmaOp, math::FloorOp,
              math::CeilOp, math::RoundEvenOp, math::CopySignOp>(inner);
}

static SmallPtrSet<Value, 16> findVaryingValues(linalg::LinalgOp op,
                                                unsigned dim) {
  SmallPtrSet<Value, 16> varying;
  for (OpOperand &operand : op->getOpOperands())
    if (op.getMatchingIndexingMap(&operand).isFunctionOfDim(dim))
      varying.insert(op.getMatchingBlockArgument(&operand));
  op.getBlock()->walk([&](Operation *inner) {
    auto index = dyn_cast<linalg::IndexOp>(inner);
    bool varies = index ? index.getDim() == dim
                        : llvm::any_of(inner->getOperands(), [&](Value value) {
                            return varying.contains(value);
                          });
    if (varies)
      varying.insert_range(inner->getResults());
  });
  return varying;
}

/// The op that adds an element to the result, if elements may be added in
/// another order: every lane adds its own.
static Operation *matchCombiner(linalg::LinalgOp op,
                                const SmallPtrSetImpl<Value> &varying) {
  if (op.getNumDpsInits() != 1)
    return nullptr;
  BlockArgument result = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  Operation *combiner = yielded.getDefiningOp();
  if (!combiner || !yielded.hasOneUse() || !result.hasOneUse() ||
      *result.getUsers().begin() != combiner)
    return nullptr;
  Type type = yielded.getType();
  if (!hasVectors(type) || type.isF16() || type.isBF16() || type.isIndex())
    return nullptr;
  // A float product of many elements may overflow in one order only.
  if (!isa<arith::AddFOp, arith::MaximumFOp, arith::MinimumFOp,
           arith::MaxNumFOp, arith::MinNumFOp, arith::AddIOp, arith::MaxSIOp,
           arith::MinSIOp, arith::MaxUIOp, arith::MinUIOp, arith::AndIOp,
           arith::OrIOp, arith::XOrIOp>(combiner) ||
      !arith::getNeutralElement(combiner))
    return nullptr;
  Value other = combiner->getOperand(combiner->getOperand(0) == result);
  return varying.contains(other) ? combiner : nullptr;
}

/// One element at a time, for a reason.
static VectorPlan planElements(const llvm::Twine &reason) {
  return {1, nullptr, reason.str()};
}

VectorPlan planVectors(linalg::LinalgOp op) {
  if (op.getNumLoops() == 0)
    return planElements("it is one element");
  unsigned dim = op.getNumLoops() - 1;
  SmallPtrSet<Value, 16> varying = findVaryingValues(op, dim);
  bool isWideBody = false;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isUniformOrContiguous(op, operand, dim))
      return planElements("operand " + llvm::Twine(operand.getOperandNumber()) +
                          " is not contiguous along the innermost dimension");
    isWideBody |= op.getMatchingIndexingMap(&operand).isFunctionOfDim(dim) &&
                  isWideType(operand.get().getType());
  }
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (!hasVectorForm(inner, dim, varying))
      return planElements("'" + inner.getName().getStringRef() +
                          "' has no form on vectors");
    isWideBody |=
        llvm::any_of(inner.getResults(),
                     [&](Value value) { return varying.contains(value); }) &&
        isWide(inner);
  }
  bool isReduction =
      op.getIteratorTypesArray()[dim] == utils::IteratorType::reduction;
  Operation *combiner = isReduction ? matchCombiner(op, varying) : nullptr;
  if (isReduction && !combiner)
    return planElements("the reduction keeps its order");
  int64_t lanes = isWideBody ? kLanes / 2 : kLanes;
  int64_t extent = op.getStaticLoopRanges()[dim];
  while (ShapedType::isStatic(extent) && lanes > extent)
    lanes /= 2;
  if (lanes < kLeastLanes)
    return planElements("the innermost extent is " + llvm::Twine(extent));
  return {lanes, combiner, ""};
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

bool VectorBody::varies(OpOperand &operand) {
  return op.getMatchingIndexingMap(&operand).isFunctionOfDim(getInnermost());
}

SmallVector<Value> VectorBody::getIndices(OpOperand &operand) {
  return *affine::expandAffineMap(b, b.getLoc(),
                                  op.getMatchingIndexingMap(&operand), ivs);
}

Value VectorBody::emitLoad(OpOperand &operand, int64_t lanes) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type)
    return operand.get();
  SmallVector<Value> indices = getIndices(operand);
  if (lanes == 1 || !varies(operand))
    return memref::LoadOp::create(b, operand.get(), indices);
  return vector::LoadOp::create(
      b, VectorType::get(lanes, type.getElementType()), operand.get(), indices);
}

void VectorBody::emitStore(Value value, OpOperand &operand, int64_t lanes) {
  SmallVector<Value> indices = getIndices(operand);
  if (lanes == 1)
    memref::StoreOp::create(b, value, operand.get(), indices);
  else
    vector::StoreOp::create(b, widen(value, lanes), operand.get(), indices);
}

Value VectorBody::loadResult() {
  return emitLoad(*op.getDpsInitOperand(0), /*lanes=*/1);
}

void VectorBody::storeResult(Value value) {
  emitStore(value, *op.getDpsInitOperand(0), /*lanes=*/1);
}

Value VectorBody::widen(Value value, int64_t lanes) {
  if (isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(b, VectorType::get(lanes, value.getType()),
                                     value);
}

Value VectorBody::emitIndex(unsigned dim, int64_t lanes) {
  if (lanes == 1 || dim != getInnermost())
    return ivs[dim];
  auto type = VectorType::get(lanes, b.getIndexType());
  SmallVector<APInt> steps;
  for (int64_t lane = 0; lane < lanes; ++lane)
    steps.emplace_back(64, lane);
  Value offsets =
      arith::ConstantOp::create(b, DenseIntElementsAttr::get(type, steps));
  return arith::AddIOp::create(b, widen(ivs[dim], lanes), offsets);
}

void VectorBody::emitOp(Operation *inner, int64_t lanes, IRMapping &values) {
  if (auto index = dyn_cast<linalg::IndexOp>(inner))
    return values.map(index.getResult(), emitIndex(index.getDim(), lanes));
  auto isVector = [&](Value operand) {
    return isa<VectorType>(values.lookupOrDefault(operand).getType());
  };
  if (llvm::none_of(inner->getOperands(), isVector)) {
    Operation *clone = b.clone(*inner, values);
    clone->walk([&](linalg::IndexOp index) {
      index.replaceAllUsesWith(ivs[index.getDim()]);
      index.erase();
    });
    return;
  }
  if (auto load = dyn_cast<memref::LoadOp>(inner)) {
    SmallVector<Value> indices;
    for (Value index : load.getIndices().drop_back())
      indices.push_back(values.lookupOrDefault(index));
    indices.push_back(ivs[getInnermost()]);
    return values.map(load.getResult(),
                      vector::LoadOp::create(
                          b, VectorType::get(lanes, load.getType()),
                          values.lookupOrDefault(load.getMemRef()), indices)
                          .getResult());
  }
  // Remap by hand: broadcasts are of this use alone.
  Operation *clone = inner->clone();
  for (OpOperand &operand : clone->getOpOperands()) {
    Value value = values.lookupOrDefault(operand.get());
    bool isCondition =
        isa<arith::SelectOp>(inner) && operand.getOperandNumber() == 0;
    operand.set(isCondition ? value : widen(value, lanes));
  }
  for (OpResult result : clone->getResults())
    result.setType(VectorType::get(lanes, result.getType()));
  b.insert(clone);
  values.map(inner->getResults(), clone->getResults());
}

void VectorBody::emitUniform() {
  SmallPtrSet<Value, 16> varying = findVaryingValues(op, getInnermost());
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    bool isResult = op.isDpsInit(&operand);
    if (!varies(operand) && !isResult && !argument.use_empty())
      uniform.map(argument, emitLoad(operand, /*lanes=*/1));
  }
  for (Operation &inner : op.getBlock()->without_terminator()) {
    bool isUniform =
        inner.getNumRegions() == 0 &&
        llvm::none_of(inner.getResults(),
                      [&](Value value) { return varying.contains(value); }) &&
        llvm::all_of(inner.getOperands(), [&](Value value) {
          return value.getParentBlock() != op.getBlock() ||
                 uniform.contains(value);
        });
    if (isUniform)
      emitOp(&inner, /*lanes=*/1, uniform);
  }
}

/// The loads and ops that `values` lacks.
void VectorBody::emitBody(int64_t lanes, IRMapping &values) {
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (!values.contains(argument) && !argument.use_empty())
      values.map(argument, emitLoad(operand, lanes));
  }
  for (Operation &inner : op.getBlock()->without_terminator())
    if (inner.getNumResults() == 0 || !values.contains(inner.getResult(0)))
      emitOp(&inner, lanes, values);
}

void VectorBody::emitElements(int64_t lanes) {
  IRMapping values = uniform;
  emitBody(lanes, values);
  Operation *yield = op.getBlock()->getTerminator();
  for (auto [i, value] : llvm::enumerate(yield->getOperands()))
    emitStore(values.lookupOrDefault(value), *op.getDpsInitOperand(i), lanes);
}

Value VectorBody::emitReduction(int64_t lanes, Value accumulator) {
  IRMapping values = uniform;
  values.map(op.getMatchingBlockArgument(op.getDpsInitOperand(0)), accumulator);
  emitBody(lanes, values);
  return values.lookup(op.getBlock()->getTerminator()->getOperand(0));
}

} // namespace nvfp4

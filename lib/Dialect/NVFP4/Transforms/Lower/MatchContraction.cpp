//===- MatchContraction.cpp - Which linalg ops are products ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchContraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace nvfp4;

/// The block argument that a value is, perhaps widened.
static BlockArgument skipExtension(Value value) {
  while (auto ext = value.getDefiningOp<arith::ExtFOp>())
    value = ext.getIn();
  return dyn_cast<BlockArgument>(value);
}

/// The numbers of the two factors among the block arguments, if the body is
/// out + lhs * rhs in floating point.
static std::optional<std::pair<unsigned, unsigned>> matchBody(Block &body) {
  Value yielded = body.getTerminator()->getOperand(0);
  if (auto trunc = yielded.getDefiningOp<arith::TruncFOp>())
    yielded = trunc.getIn();
  auto sum = yielded.getDefiningOp<arith::AddFOp>();
  if (!sum)
    return std::nullopt;
  Value product = sum.getRhs(), carried = sum.getLhs();
  if (!product.getDefiningOp<arith::MulFOp>())
    std::swap(product, carried);
  auto mul = product.getDefiningOp<arith::MulFOp>();
  if (!mul || skipExtension(carried) != body.getArgument(2))
    return std::nullopt;
  BlockArgument lhs = skipExtension(mul.getLhs());
  BlockArgument rhs = skipExtension(mul.getRhs());
  if (!lhs || !rhs || lhs.getOwner() != &body || rhs.getOwner() != &body ||
      lhs.getArgNumber() + rhs.getArgNumber() != 1)
    return std::nullopt;
  return std::pair(lhs.getArgNumber(), rhs.getArgNumber());
}

/// Whether a kernel that accumulates in f32 computes at least as precisely as
/// the op says.
static bool hasKernelTypes(linalg::LinalgOp op) {
  return llvm::all_of(op->getOperandTypes(), [](Type type) {
    Type element = getElementTypeOrSelf(type);
    return isa<MemRefType>(type) &&
           (element.isF32() || element.isF16() || element.isBF16());
  });
}

FailureOr<Contraction> nvfp4::matchContraction(linalg::LinalgOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInputs() != 2 ||
      op.getNumDpsInits() != 1 || !hasKernelTypes(op))
    return failure();
  std::optional<std::pair<unsigned, unsigned>> factors =
      matchBody(*op.getBlock());
  if (!factors)
    return failure();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!llvm::all_of(maps,
                    [](AffineMap map) { return map.isProjectedPermutation(); }))
    return failure();

  Contraction c;
  c.lhs = op->getOperand(factors->first);
  c.rhs = op->getOperand(factors->second);
  c.out = op->getOperand(2);
  c.lhsMap = maps[factors->first];
  c.rhsMap = maps[factors->second];
  c.outMap = maps[2];
  for (unsigned i = 0; i < op.getNumLoops(); ++i) {
    bool inLhs = c.lhsMap.isFunctionOfDim(i);
    bool inRhs = c.rhsMap.isFunctionOfDim(i);
    bool inOut = c.outMap.isFunctionOfDim(i);
    if (inLhs && inRhs)
      (inOut ? c.batch : c.k).push_back(i);
    else if (inLhs && inOut)
      c.m.push_back(i);
    else if (inRhs && inOut)
      c.n.push_back(i);
    else
      return failure();
  }
  if (c.k.empty())
    return failure();
  // A matrix times a vector is a vector times a matrix.
  if (c.n.empty()) {
    std::swap(c.lhs, c.rhs);
    std::swap(c.lhsMap, c.rhsMap);
    std::swap(c.m, c.n);
  }
  if (c.n.empty())
    return failure();
  return c;
}

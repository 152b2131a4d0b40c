//===- SelectKernels.cpp - Choose how each product is computed ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes `nvfp4.kernel` on matrix products and changes nothing else.
//
// Expects: tiled operands of block-scaled matmuls.
// Leaves:  `nvfp4.kernel` on every `nvfp4.matmul`, on contractions of bf16 or
//          f16 operands, and on the second product of an attention.
// Source:  shapes of mma.sync: PTX ISA, matrix instructions for mma.
//
//===----------------------------------------------------------------------===//

#include "KernelChoice.h"
#include "RoundActivations.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

namespace nvfp4 {
#define GEN_PASS_DEF_SELECTKERNELSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

/// K of mma.sync: .kind::mxf4nvf4 (weights alone are decoded in steps of as
/// many), and .bf16.
constexpr int64_t kBlockScaledDepth = 64;
constexpr int64_t kHalfDepth = 16;

remark::RemarkOpts getRemarkOpts() {
  return remark::RemarkOpts::name("SelectKernels").category("nvfp4");
}

//===----------------------------------------------------------------------===//
// What a product is
//===----------------------------------------------------------------------===//

/// A static number that divides the rows of `value`: torch-mlir flattens
/// [batch, sequence, features], where often only the batch is dynamic.
int64_t getRowMultiple(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
      RankedTensorType source = collapse.getSrcType();
      auto groups = collapse.getReassociationIndices();
      int64_t multiple = 1;
      for (int64_t dim : groups[groups.size() - 2])
        if (!source.isDynamicDim(dim))
          multiple *= source.getDimSize(dim);
      return std::max<int64_t>(multiple, 1);
    }
    bool keepsRows =
        isa<QuantizeOp, RelayoutOp, CastOp, tensor::CastOp>(op) ||
        (op->hasTrait<OpTrait::Elementwise>() && op->getNumOperands() == 1);
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      keepsRows = generic.getNumDpsInputs() == 1 &&
                  llvm::all_of(generic.getIndexingMapsArray(),
                               [](AffineMap map) { return map.isIdentity(); });
    if (!keepsRows)
      return 1;
    value = op->getOperand(0);
  }
  return 1;
}

std::string describe(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// The loop along a dimension of a map, -1 if there is none.
int64_t getLoop(AffineMap map, unsigned dim) {
  auto loop = dyn_cast<AffineDimExpr>(map.getResult(dim));
  return loop ? loop.getPosition() : -1;
}

/// The last two dimensions of a result are its rows and columns; each operand
/// has one of them, and K.
std::optional<std::string> whyNotRowsAndColumns(linalg::LinalgOp op,
                                                int64_t k) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  unsigned rank = map.getNumResults();
  if (rank < 2 || !map.isProjectedPermutation())
    return "expected a result of rows and columns";
  int64_t rows = getLoop(map, rank - 2), columns = getLoop(map, rank - 1);
  unsigned numRows = 0;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap source = op.getMatchingIndexingMap(operand);
    SmallVector<int64_t> loops;
    for (unsigned dim = 0; dim < source.getNumResults(); ++dim)
      loops.push_back(getLoop(source, dim));
    bool hasRows = llvm::is_contained(loops, rows);
    bool hasColumns = llvm::is_contained(loops, columns);
    int64_t side = hasRows ? rows : columns;
    if (hasRows == hasColumns || !llvm::is_contained(loops, k) ||
        llvm::is_contained(loops, -1))
      return "expected operands with rows or columns of the result, and K";
    if (loops.back() != side && loops.back() != k)
      return "expected rows or K as the last dimension of an operand";
    numRows += hasRows;
  }
  if (numRows != 1)
    return "expected one operand with the rows of the result, one with its "
           "columns";
  return std::nullopt;
}

/// Why the matrix unit does not compute a contraction; nothing if it does.
std::optional<std::string> whyNotOnUnit(const ContractionInfo &info) {
  Type a = getElementTypeOrSelf(info.getA().getType());
  Type b = getElementTypeOrSelf(info.getB().getType());
  if (a != b || !(a.isBF16() || a.isF16()))
    return "expected two operands of bf16 or of f16, but got " + describe(a) +
           " and " + describe(b);
  Type sum = getElementTypeOrSelf(info.getInit().getType());
  if (!sum.isF32())
    return "expected sums of f32, but got " + describe(sum);
  if (!info.other.empty() || info.k.size() != 1)
    return "expected sums along one K only";
  return whyNotRowsAndColumns(info.op, info.k.front());
}

/// Whether an operand comes to the unit as bf16 values.
bool isDecoded(Type type) {
  auto block = dyn_cast<BlockTensorType>(type);
  return block && block.getLayout() == BlockLayout::Linear;
}

ProductOperand describeOperand(Type type) {
  auto block = dyn_cast<BlockTensorType>(type);
  if (block && isDecoded(type))
    return {16, 0};
  if (block)
    return {4, block.getFormat().getBlockColumns()};
  return {getElementTypeOrSelf(type).getIntOrFloatBitWidth(), 0};
}

/// Whether a packing function makes a value: the entry's argument is the
/// package's.
bool isPackedArgument(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function =
      argument
          ? dyn_cast_or_null<func::FuncOp>(argument.getOwner()->getParentOp())
          : func::FuncOp();
  return function && argument.getOwner()->isEntryBlock() &&
         function.getArgAttr(argument.getArgNumber(), kPackedAttrName);
}

Product describeMatmul(MatmulOp op) {
  auto lhs = cast<ShapedType>(op.getLhs().getType());
  auto rhs = cast<ShapedType>(op.getRhs().getType());
  Product product;
  product.rows = lhs.getDimSize(lhs.getRank() - 2);
  product.columns = rhs.getDimSize(rhs.getRank() - 2);
  product.depth = rhs.getDimSize(rhs.getRank() - 1);
  product.rowMultiple = getRowMultiple(op.getLhs());
  product.lhs = describeOperand(lhs);
  product.rhs = describeOperand(rhs);
  auto weights = dyn_cast<BlockTensorType>(rhs);
  product.isInRegisters =
      weights && weights.getLayout() == BlockLayout::Registers;
  product.isPacked = isPackedArgument(op.getRhs());
  product.isBatched = lhs.getRank() > 2;
  // Plain activations become bf16 on their way to shared memory.
  product.lhs.bits = std::min<int64_t>(product.lhs.bits, 16);
  int64_t blockColumns =
      std::max(product.lhs.blockColumns, product.rhs.blockColumns);
  product.stepDepth =
      blockColumns ? std::max(kBlockScaledDepth, kScaleTileCols * blockColumns)
                   : kHalfDepth;
  return product;
}

Product describeContraction(const ContractionInfo &info) {
  linalg::LinalgOp op = info.op;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  unsigned rank = map.getNumResults();
  Product product;
  product.rows = info.extents[map.getDimPosition(rank - 2)];
  product.columns = info.extents[map.getDimPosition(rank - 1)];
  product.depth = info.getK();
  bool isPlain = rank == 2 && info.aIndex == 0;
  product.rowMultiple = isPlain ? getRowMultiple(info.getA()) : 1;
  product.lhs = describeOperand(info.getA().getType());
  product.rhs = describeOperand(info.getB().getType());
  product.stepDepth = kHalfDepth;
  return product;
}

//===----------------------------------------------------------------------===//
// What a chip can
//===----------------------------------------------------------------------===//

/// Reports an operand that the chip's unit does not read in its layout.
LogicalResult verifyOperand(MatmulOp op, BlockTensorType type, bool isRhs,
                            const ChipModel &chip) {
  bool isPlainUnit = !chip.hasBlockScaledMma;
  bool readsRegisters = isRhs && chip.mmaUnit == MmaUnit::WarpgroupAsync;
  switch (type.getLayout()) {
  case BlockLayout::Linear:
    if (!isPlainUnit || (isRhs && !isDecoded(op.getLhs().getType())))
      return op.emitOpError("expected tiled operands, but got ") << type;
    break;
  case BlockLayout::Tiled:
    if (isPlainUnit && !isRhs)
      return op.emitOpError("expected a linear left operand, which is decoded "
                            "for ")
             << chip.name << ", but got " << type;
    break;
  case BlockLayout::Registers:
    if (!readsRegisters)
      return op.emitOpError("expected tiled operands, but got ") << type;
    break;
  }
  ScaleEncoding encoding = type.getFormat().getScaleEncoding();
  if (encoding != ScaleEncoding::E4M3 && encoding != ScaleEncoding::E8M0)
    return op.emitOpError("expected scales of e4m3 or e8m0, which the matrix "
                          "unit reads, but got ")
           << type;
  return success();
}

/// Reports a matmul that the chip's unit, or the generator of its kernels, does
/// not take.
LogicalResult verifyMatmul(MatmulOp op, const ChipModel &chip) {
  if (!isa<BlockTensorType>(op.getRhs().getType()))
    return op.emitOpError("expected a block-scaled right operand, but got ")
           << op.getRhs().getType();
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<BlockTensorType>(operand.get().getType());
    if (type &&
        failed(verifyOperand(op, type, operand.getOperandNumber() == 1, chip)))
      return failure();
  }
  return success();
}

/// Reports kernels that a user wrote and the product cannot have. A stream
/// reads weights before the kernel in front of it has ended; what it needs
/// besides is known where it is generated.
LogicalResult verifyWritten(Operation *op, const Product &product,
                            const ChipModel &chip) {
  Attribute attr = op->getAttr(kKernelAttrName);
  auto kernels = dyn_cast<ArrayAttr>(attr);
  auto isStream = [](KernelAttr kernel) {
    return kernel.getSchedule() == KernelSchedule::Stream;
  };
  bool canStream =
      product.isInRegisters && product.isPacked && !product.isBatched;
  bool isWellFormed =
      kernels && !kernels.empty() &&
      llvm::all_of(kernels, [&](Attribute element) {
        auto kernel = dyn_cast<KernelAttr>(element);
        return kernel && (kernel.getSchedule() == KernelSchedule::Matmul ||
                          (canStream && isStream(kernel)));
      });
  if (!isWellFormed)
    return op->emitOpError("expected an array of #nvfp4.kernel<matmul, …> ")
           << (canStream ? "or <stream, …> " : "") << "as " << kKernelAttrName
           << ", but got " << attr;
  for (auto kernel : kernels.getAsRange<KernelAttr>()) {
    if (isStream(kernel))
      continue;
    int64_t bytes = getSharedBytes(product, kernel);
    if (bytes > chip.sharedBytes)
      return op->emitOpError("expected stages of at most ")
             << chip.sharedBytes << " bytes of shared memory on " << chip.name
             << ", but got " << bytes << " bytes for " << kernel;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

class SelectKernelsPass final
    : public impl::SelectKernelsPassBase<SelectKernelsPass> {
public:
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult select(Operation *op, const Product &product);
  LogicalResult visit(Operation *op);
  void selectAttention(Operation *op);

  const ChipModel *model = nullptr;
};

} // namespace

LogicalResult SelectKernelsPass::select(Operation *op, const Product &product) {
  ++numProducts;
  if (op->hasAttr(kKernelAttrName))
    return verifyWritten(op, product, *model);
  std::string missed;
  SmallVector<Attribute> kernels =
      chooseKernels(op->getContext(), product, *model, missed);
  if (kernels.empty())
    return op->emitOpError("expected a tile that fits ")
           << model->sharedBytes << " bytes of shared memory, but got none";
  auto attr = ArrayAttr::get(op->getContext(), kernels);
  op->setAttr(kKernelAttrName, attr);
  std::string text;
  llvm::raw_string_ostream(text) << attr;
  remark::passed(op->getLoc(), getRemarkOpts()) << text;
  if (!missed.empty())
    remark::missed(op->getLoc(), getRemarkOpts()) << missed;
  return success();
}

/// Leaves an op that ends no attention alone.
void SelectKernelsPass::selectAttention(Operation *op) {
  Attention attention;
  if (op->hasAttr(kKernelAttrName))
    return;
  std::optional<std::string> reason = findAttention(op, attention);
  if (!attention.scores)
    return;
  KernelAttr kernel;
  if (!reason)
    reason = chooseAttention(attention, *model, kernel);
  if (reason) {
    remark::missed(op->getLoc(), getRemarkOpts())
        << "no kernel for an attention: " + *reason;
    return;
  }
  op->setAttr(kKernelAttrName,
              ArrayAttr::get(op->getContext(), Attribute(kernel)));
  remark::passed(op->getLoc(), getRemarkOpts())
      << (kernel.getWarps().empty()
              ? "an attention of few rows is one kernel"
              : "an attention of many rows is one kernel");
}

LogicalResult SelectKernelsPass::visit(Operation *op) {
  if (auto matmul = dyn_cast<MatmulOp>(op)) {
    if (failed(verifyMatmul(matmul, *model)))
      return failure();
    remarkRounding(matmul, "SelectKernels");
    return select(op, describeMatmul(matmul));
  }
  std::optional<ContractionInfo> info = analyzeContraction(op);
  if (!info)
    return success();
  selectAttention(op);
  if (isAttention(op))
    return success();
  std::optional<std::string> reason = whyNotOnUnit(*info);
  if (!reason)
    return select(op, describeContraction(*info));
  if (op->hasAttr(kKernelAttrName))
    return op->emitOpError("expected no ")
           << kKernelAttrName << " on a contraction that the matrix unit does "
           << "not compute: " << *reason;
  ++numFallbacks;
  remark::missed(op->getLoc(), getRemarkOpts())
      << "a thread computes each sum: " + *reason;
  return success();
}

void SelectKernelsPass::runOnOperation() {
  model = findChip(chip);
  if (!model) {
    getOperation()->emitError(describeUnknownChip(chip));
    return signalPassFailure();
  }
  WalkResult result =
      getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
        if (isa<func::FuncOp>(op) && op->hasAttr(kPackAttrName))
          return WalkResult::skip();
        return failed(visit(op)) ? WalkResult::interrupt()
                                 : WalkResult::advance();
      });
  if (result.wasInterrupted())
    signalPassFailure();
}

} // namespace nvfp4

//===- ElementKernel.cpp - A thread computes a run of results -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Results of equal shape share an iteration space; spaces follow one another in
// the grid. In a space, thread t computes the elements t * length and behind,
// in row-major order, of all its results. A run is what one store instruction
// moves, if the last extent is a multiple of it.
//
// Expects: a body that the element evaluator understands.
// Leaves:  one function without shared memory.
//
//===----------------------------------------------------------------------===//

#include "ElementEvaluator.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace nvfp4;

/// The widest store.
static constexpr int64_t kStoreBytes = 16;

namespace {
/// Results that a thread computes together.
struct Space {
  SmallVector<unsigned> results;
  int64_t length;
};
} // namespace

static bool haveEqualShapes(Value lhs, Value rhs) {
  auto lhsType = cast<ShapedType>(lhs.getType());
  if (lhsType.getShape() != cast<ShapedType>(rhs.getType()).getShape())
    return false;
  return llvm::all_of(llvm::seq<unsigned>(lhsType.getRank()), [&](unsigned d) {
    return !lhsType.isDynamicDim(d) ||
           getExtentOrigin(lhs, d) == getExtentOrigin(rhs, d);
  });
}

/// Elements of the run of one thread.
static int64_t getRunLength(ShapedType type) {
  if (type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
    return 1;
  Type element = type.getElementType();
  int64_t bytes = element.isIndex()
                      ? 8
                      : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  int64_t length = std::max<int64_t>(kStoreBytes / bytes, 1);
  while (type.getShape().back() % length)
    length /= 2;
  return length;
}

static SmallVector<Space> getSpaces(ValueRange results) {
  SmallVector<Space> spaces;
  for (unsigned number = 0; number < results.size(); ++number) {
    Value result = results[number];
    int64_t length = getRunLength(cast<ShapedType>(result.getType()));
    auto *space = llvm::find_if(spaces, [&](const Space &space) {
      return haveEqualShapes(results[space.results.front()], result);
    });
    if (space == spaces.end()) {
      spaces.push_back({{number}, length});
      continue;
    }
    space->results.push_back(number);
    space->length = std::min(space->length, length);
  }
  return spaces;
}

static ArrayRef<BlockArgument> getInits(func::FuncOp body) {
  return body.getArguments().take_back(body.getNumResults());
}

/// Computes one run of every result of the space, which has `count` elements;
/// `thread` counts in it.
static LogicalResult emitSpace(KernelBuilder &kernel,
                               ElementEvaluator &evaluator, func::FuncOp body,
                               const Space &space, Value thread, Value count) {
  ImplicitLocOpBuilder &builder = kernel.getBuilder();
  ValueRange results = body.front().getTerminator()->getOperands();
  ArrayRef<BlockArgument> inits = getInits(body);
  FailureOr<ElementEvaluator::Run> extents =
      evaluator.getExtents(inits[space.results.front()]);
  if (failed(extents))
    return failure();
  Value position = evaluator.mul(thread, evaluator.constant(space.length));

  OpBuilder::InsertionGuard guard(builder);
  Value isInside = arith::CmpIOp::create(builder, arith::CmpIPredicate::ult,
                                         position, count);
  auto branch = scf::IfOp::create(builder, isInside);
  builder.setInsertionPointToStart(branch.thenBlock());
  ElementEvaluator::Scope scope(evaluator);
  ElementEvaluator::Run index = evaluator.delinearize(position, *extents);
  SmallVector<ElementEvaluator::Run> runs;
  for (unsigned result : space.results) {
    FailureOr<ElementEvaluator::Run> run =
        evaluator.getRun(results[result], index, space.length);
    if (failed(run))
      return failure();
    runs.push_back(*run);
  }
  for (auto [result, run] : llvm::zip_equal(space.results, runs))
    evaluator.storeRun(inits[result], index, run);
  return success();
}

/// A block belongs to the first of the spaces if its number is below how many
/// blocks that takes, else to one behind.
static LogicalResult emitSpaces(const KernelRequest &request,
                                KernelBuilder &kernel,
                                ElementEvaluator &evaluator,
                                ArrayRef<Space> spaces, Value block,
                                AffineExpr &grid) {
  ImplicitLocOpBuilder &builder = kernel.getBuilder();
  const Space &space = spaces.front();
  int64_t threads = request.attr.getThreads();
  BlockArgument init = getInits(request.body)[space.results.front()];
  AffineExpr size = builder.getAffineConstantExpr(1);
  Value count = evaluator.constant(1);
  for (int64_t dim = 0; dim < cast<ShapedType>(init.getType()).getRank();
       ++dim) {
    size = size * kernel.getExtentExpr(init, dim);
    count = evaluator.mul(count, *evaluator.getExtent(init, dim));
  }
  int64_t perBlock = threads * space.length;
  grid = grid + size.ceilDiv(perBlock);

  auto emitHere = [&]() {
    ElementEvaluator::Scope scope(evaluator);
    Value thread = arith::IndexCastUIOp::create(builder, builder.getIndexType(),
                                                kernel.getThreadId());
    Value position = evaluator.add(
        evaluator.mul(block, evaluator.constant(threads)), thread);
    return emitSpace(kernel, evaluator, request.body, space, position, count);
  };
  if (spaces.size() == 1)
    return emitHere();
  Value blocks =
      evaluator.div(evaluator.add(count, evaluator.constant(perBlock - 1)),
                    evaluator.constant(perBlock));
  Value isHere =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::ult, block, blocks);
  auto branch = scf::IfOp::create(builder, isHere, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  if (failed(emitHere()))
    return failure();
  builder.setInsertionPointToStart(branch.elseBlock());
  ElementEvaluator::Scope scope(evaluator);
  return emitSpaces(request, kernel, evaluator, spaces.drop_front(),
                    evaluator.sub(block, blocks), grid);
}

FailureOr<KernelVariant>
nvfp4::generateElementKernel(const KernelRequest &request) {
  func::FuncOp body = request.body;
  KernelBuilder kernel(request);
  ImplicitLocOpBuilder &builder = kernel.getBuilder();
  ElementEvaluator evaluator(kernel);
  SmallVector<Space> spaces =
      getSpaces(body.front().getTerminator()->getOperands());
  Value block = arith::IndexCastUIOp::create(builder, builder.getIndexType(),
                                             kernel.getBlockId(0));
  AffineExpr one = builder.getAffineConstantExpr(1);
  AffineExpr grid = builder.getAffineConstantExpr(0);
  if (failed(emitSpaces(request, kernel, evaluator, spaces, block, grid))) {
    kernel.getFunction().erase();
    return failure();
  }
  return KernelVariant{kernel.getFunction(), kernel.getGrid(grid, one, one),
                       /*serves=*/IntegerSet(), request.attr.getThreads(),
                       /*dynamicSharedBytes=*/0};
}

//===- MatmulKernel.cpp - A kernel from its five parts --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop along K keeps the staged handles of one step ahead of the unit, also
// across stages, so that the unit never waits for shared memory:
//
//   state = ring.start, handles = stage(first image, 0)
//   for each tile:
//     for each step:
//       next handles: of this stage's next step, or, after ring.advance, of the
//       next stage's first (of nothing, after the last: never used)
//       after the last step's loads: refill the stage that is free now
//       multiply handles; handles = next
//
//===----------------------------------------------------------------------===//

#include "MatmulKernel.h"
#include "SiblingProducts.h"
#include "StageFiller.h"

#include "Arithmetic.h"

#include "nvfp4/Conversion/ScalarCodecs.h"
#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"
#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// The loop along K
//===----------------------------------------------------------------------===//

namespace {
class MainLoop {
public:
  MainLoop(const CtaContext &cta, StageRing &ring, OperandPath &rows,
           OperandPath &columns, int64_t columnsOffset, MmaAtom &atom,
           Value numTiles, int64_t steps)
      : cta(cta), b(cta.b), ring(ring), rows(rows), columns(columns),
        columnsOffset(columnsOffset), atom(atom), numTiles(numTiles),
        steps(steps) {}

  /// Accumulators after all tiles.
  SmallVector<Value> emit();

private:
  void fill(Value image, Value tile) {
    rows.copy(b, image, tile);
    columns.copy(b, Arithmetic(b).offset(image, columnsOffset), tile);
  }
  /// Handles of the rows and of the columns.
  struct Handles {
    SmallVector<Value> rows, columns;
  };
  Handles stage(ValueRange state, int64_t step) {
    Value image = ring.getImage(state);
    return {rows.stage(b, image, step),
            columns.stage(b, Arithmetic(b).offset(image, columnsOffset), step)};
  }

  const CtaContext &cta;
  ImplicitLocOpBuilder &b;
  StageRing &ring;
  OperandPath &rows, &columns;
  int64_t columnsOffset;
  MmaAtom &atom;
  /// i32.
  Value numTiles;
  int64_t steps;
};
} // namespace

SmallVector<Value> MainLoop::emit() {
  auto fillStage = [&](Value image, Value tile) { fill(image, tile); };
  SmallVector<Value> state = ring.start(fillStage);
  SmallVector<Value> accumulators = atom.begin(cta);
  Handles handles = stage(state, 0);

  // Carried: accumulators, the ring's state, handles.
  SmallVector<Value> carried(accumulators);
  llvm::append_range(carried, state);
  llvm::append_range(carried, handles.rows);
  llvm::append_range(carried, handles.columns);
  Arithmetic a(b);
  auto loop = scf::ForOp::create(b, a.i32(0), numTiles, a.i32(1), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ValueRange rest = loop.getRegionIterArgs();
  auto take = [&](SmallVector<Value> &values) {
    size_t count = values.size();
    values.assign(rest.begin(), rest.begin() + count);
    rest = rest.drop_front(count);
  };
  take(accumulators);
  take(state);
  take(handles.rows);
  take(handles.columns);

  for (int64_t step = 0; step < steps; ++step) {
    bool isLast = step + 1 == steps;
    if (isLast)
      state = ring.advance(state);
    Handles next = stage(state, isLast ? 0 : step + 1);
    if (isLast)
      ring.refill(state, loop.getInductionVar(), fillStage);
    accumulators =
        atom.issue(b, accumulators, handles.rows, handles.columns, step);
    handles = std::move(next);
  }

  carried = accumulators;
  llvm::append_range(carried, state);
  llvm::append_range(carried, handles.rows);
  llvm::append_range(carried, handles.columns);
  scf::YieldOp::create(b, carried);
  return SmallVector<Value>(loop.getResults().take_front(accumulators.size()));
}

//===----------------------------------------------------------------------===//
// Composition
//===----------------------------------------------------------------------===//

IntegerSet nvfp4::getServedSet(KernelBuilder &kernel,
                               const MatmulConfig &config,
                               const MatmulExtents &extents) {
  if (config.maxRows == 0)
    return IntegerSet();
  return IntegerSet::get(kernel.getNumExtents(), /*symbolCount=*/0,
                         {config.maxRows - extents.mExpr}, {false});
}

/// What an instruction gives, where it stands: LLVM knows nothing about it.
static Value emitRead(ImplicitLocOpBuilder &b, StringRef instruction) {
  return LLVM::InlineAsmOp::create(b, b.getI32Type(), ValueRange(), instruction,
                                   "=r", /*has_side_effects=*/true,
                                   /*is_align_stack=*/false,
                                   LLVM::TailCallKind::None,
                                   LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

FailureOr<KernelVariant> nvfp4::composeMatmul(KernelBuilder &kernel,
                                              const MatmulConfig &config,
                                              Epilogue &epilogue,
                                              MatmulParts &parts) {
  ImplicitLocOpBuilder &b = kernel.getBuilder();
  OperandPath &rows = config.swapped ? *parts.rhs : *parts.lhs;
  OperandPath &columns = config.swapped ? *parts.lhs : *parts.rhs;
  int64_t stageBytes = getStageBytes(config, parts);
  int64_t sharedBytes =
      std::max(config.stages * stageBytes, epilogue.getStagingBytes());
  const MatmulExtents &extents = parts.extents;
  TileScheduler scheduler(config, extents);
  CtaContext cta(b, config, kernel.getThreadId());
  MatmulTile tile = scheduler.emitTile(kernel, kernel.getBlockId(0));
  parts.lhs->begin(cta, {tile.m, extents.m, tile.slice});
  parts.rhs->begin(
      cta, {tile.n, extents.n, parts.rhsIsBatched ? tile.slice : Value()});

  Value shared = kernel.getSharedMemory();
  Arithmetic a(b);
  Value numTiles = a.toI32(a.ceilDiv(extents.k, config.tileK));
  StageRing ring(b, shared, config.stages, stageBytes, numTiles,
                 rows.copiesAnyTile() && columns.copiesAnyTile());
  int64_t steps = config.tileK / parts.stepK / config.warpsK;
  SmallVector<Value> accumulators =
      MainLoop(cta, ring, rows, columns, getColumnsOffset(config, parts),
               *parts.atom, numTiles, steps)
          .emit();
  ring.finish();
  // Where the tile is and who the thread is are computed again: the loop has no
  // registers to keep them in.
  CtaContext sameCta(b, config, emitRead(b, "mov.u32 $0, %tid.x;"));
  MatmulTile sameTile =
      scheduler.emitTile(kernel, emitRead(b, "mov.u32 $0, %ctaid.x;"));
  if (failed(epilogue.emit(
          {kernel, sameCta, extents, sameTile, *parts.finish, shared},
          *parts.atom, accumulators)))
    return failure();
  // Of a kernel of few registers ptxas wants more blocks on a multiprocessor
  // than have something to do, and spills for them.
  if (config.swapped)
    kernel.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                                  b.getI32IntegerAttr(1));
  return KernelVariant{kernel.getFunction(), scheduler.getGrid(kernel),
                       getServedSet(kernel, config, extents), config.threads,
                       sharedBytes};
}

/// The op of the body that the unit computes: a scaled matmul, or else a
/// contraction of operands that units take as they are.
static SmallVector<Operation *> getRoots(func::FuncOp body) {
  SmallVector<Operation *> scaled, plain;
  for (Operation &op : body.front()) {
    if (isa<ScaledMatmulOp>(op))
      scaled.push_back(&op);
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (linalgOp && op.getNumResults() == 1 &&
        linalg::isaContractionOpInterface(linalgOp) &&
        !getElementTypeOrSelf(op.getOperand(0)).isF32())
      plain.push_back(&op);
  }
  return scaled.empty() ? plain : scaled;
}

/// The unit that the roles of a kernel's warps are made for.
static LogicalResult verifyUnit(Operation *root, const KernelRequest &request) {
  struct Roles {
    MmaUnit unit;
    int64_t others;
    StringLiteral what;
  };
  constexpr Roles kRoles[] = {
      {MmaUnit::WarpSync, 0, "warps"},
      {MmaUnit::WarpgroupAsync, MatmulConfig::kCopiers, "warpgroups"},
      {MmaUnit::TensorMemory, MatmulConfig::kCopiers + MatmulConfig::kIssuers,
       "tensor memory"}};
  ArrayRef<int64_t> warps = request.attr.getWarps();
  int64_t others =
      request.attr.getThreads() - 32 * warps[0] * warps[1] * warps[2];
  const ChipModel &chip = request.chip;
  auto scaled = dyn_cast<ScaledMatmulOp>(root);
  // Streams have roles of their own.
  if (request.attr.getSchedule() == KernelSchedule::Stream)
    return success();
  bool isBlockScaled = scaled && scaled.getLhsType() && scaled.getRhsType() &&
                       !areDecoded(scaled.getLhsComponents());
  for (const Roles &roles : kRoles) {
    if (roles.others != others)
      continue;
    // All chips multiply 16-bit operands in warps.
    bool isThere = roles.unit == chip.mmaUnit ||
                   (roles.unit == MmaUnit::WarpSync && !isBlockScaled);
    if (!isThere)
      return root->emitOpError("expected a chip that multiplies ")
             << (isBlockScaled ? "block-scaled operands " : "") << "in "
             << roles.what << ", but got " << chip.name << " for "
             << request.attr;
  }
  if (isBlockScaled && !chip.hasBlockScaledMma)
    return root->emitOpError("expected a chip that multiplies block-scaled "
                             "operands, but got ")
           << chip.name;
  return success();
}

FailureOr<KernelVariant>
nvfp4::generateMatmulKernel(const KernelRequest &request) {
  func::FuncOp body = request.body;
  SmallVector<Operation *> roots = getRoots(body);
  if (roots.empty()) {
    body.emitError("expected a body with a '")
        << ScaledMatmulOp::getOperationName()
        << "' or a contraction of bf16 or f16, but got none";
    return failure();
  }
  if (roots.size() > 1)
    return generateSiblingProducts(request, roots, generateMatmulKernel);
  Operation *root = roots.front();
  if (failed(verifyUnit(root, request)))
    return failure();
  auto scaled = dyn_cast<ScaledMatmulOp>(root);
  if (scaled && request.attr.getSchedule() == KernelSchedule::Stream)
    return generateStreamMatmul(request, scaled);
  if (!scaled)
    return generateFloatMatmul(request, cast<linalg::LinalgOp>(root));
  BlockTensorType lhs = scaled.getLhsType(), rhs = scaled.getRhsType();
  bool isDecoded = lhs && areDecoded(scaled.getLhsComponents());
  if (isDecoded && rhs && areDecoded(scaled.getRhsComponents()))
    return generateDecodedMatmul(request, scaled);
  if (isDecoded || !lhs || !rhs)
    return generateWeightOnlyMatmul(request, scaled);
  return generateBlockScaledMatmul(request, scaled);
}

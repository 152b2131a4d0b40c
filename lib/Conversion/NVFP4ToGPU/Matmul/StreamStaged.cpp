//===- StreamStaged.cpp - Activations that come with the weights ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stage has 128 of K, or more: images of 64 columns of all activations, and
// the weights of some tiles of the result, one for each group of four warps, a
// warpgroup. So activations are read once per round, and the more tiles a round
// has, the less they are read.
//
// A warpgroup decodes half a tile while the unit multiplies the half before. It
// knows that a stage has been read when the unit has taken the first half of
// the next one.
//
// Activations that a tensor map describes come by bulk copies. All others are
// evaluated by the warps that finish, each of which writes every so many
// stages.
//
//===----------------------------------------------------------------------===//

#include "FloatMatmul.h"
#include "LineImage.h"
#include "RegisterDecode.h"
#include "StreamKernel.h"
#include "WgmmaAtom.h"

#include "nvfp4/Support/RegisterLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace nvfp4 {

/// K of an image, and images of a tile of K.
static constexpr int64_t kImageDepth = kWgmmaLineBytes / 2;
static constexpr int64_t kImages = kRegisterTileCols / kImageDepth;

static std::unique_ptr<MmaAtom> createUnit(const StreamConfig &config) {
  WgmmaForm form;
  form.columns = config.tileM;
  form.steps = kDecodeSteps;
  form.rowsInRegisters = true;
  return createWgmma(form,
                     {kRegisterTileRows * config.groupsN,
                      kWarpsPerGroup * config.groupsN, false},
                     {config.tileM, 1, false});
}

/// What the path of activations takes for a kernel: images of 64 of K, and, if
/// threads fill them, one warp that does.
static MatmulConfig getFillConfig(const StreamConfig &config) {
  return {config.tileM,     kRegisterTileRows, kImageDepth,
          /*warpsM=*/1,
          /*warpsN=*/1,
          /*warpsK=*/1,
          /*threads=*/32,   config.stages,
          /*swapped=*/true, config.maxRows};
}

namespace {
class StagedStream final : public StreamKernel {
public:
  StagedStream(KernelBuilder &kernel, const StreamConfig &config,
               Epilogue &epilogue, ScaledMatmulOp root)
      : StreamKernel(kernel, config, epilogue, root, createUnit(config)),
        fill(getFillConfig(config)) {}

private:
  LogicalResult begin() override;
  int64_t getFullArrivals() const override {
    return path->copiesByThreads() ? 2 : 1;
  }
  int64_t getBulkBytes() const override {
    return path->copiesByThreads() ? 0 : getNumImages() * path->getBulkBytes();
  }
  void emitBulkActivations(Value stage, Value unitOfK) override;
  LogicalResult emitStages(Value round, Value own) override;
  void emitRound(Value round) override;

  int64_t getNumImages() const { return kImages * config.stageTiles; }
  Value getImage(Value stage, int64_t image) {
    return a.offset(getStage(stage), image * config.getImageBytes());
  }
  void forEachImage(Value stage, Value unitOfK,
                    function_ref<void(Value image, Value tile)> body);
  SmallVector<Value> multiplyTiles(const CtaContext &cta, Value group,
                                   Value round);
  SmallVector<Value> multiplyStage(Value group, Value stage,
                                   SmallVector<Value> sums, Value before);
  void skipTiles(Value warpK, Value round);
  void release(Value stage, Value isAny);

  MatmulConfig fill;
  std::unique_ptr<OperandPath> path;
};
} // namespace

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

LogicalResult StagedStream::begin() {
  FloatOperand operand;
  operand.tensor = root.getLhsComponents().front();
  operand.dims = {{FloatOperand::Role::Row}, {FloatOperand::Role::K}};
  path = createFloatPath({kernel, evaluator}, UnitSide::Columns, fill, operand,
                         b.getBF16Type(), FragmentOrder::Shared, ValueRange());
  // Where all of it is done by the lanes of one warp.
  path->beginCopies(CtaContext(b, fill, lane),
                    {a.index(0), extents.m, Value()});
  return success();
}

void StagedStream::forEachImage(
    Value stage, Value unitOfK,
    function_ref<void(Value image, Value tile)> body) {
  Value first =
      a.mul(a.add(firstTile, a.mul(unitOfK, config.stageTiles)), kImages);
  for (int64_t i = 0; i < getNumImages(); ++i)
    body(getImage(stage, i), a.add(first, i));
}

void StagedStream::emitBulkActivations(Value stage, Value unitOfK) {
  if (path->copiesByThreads())
    return;
  Value full = getFull(stage);
  forEachImage(stage, unitOfK, [&](Value image, Value tile) {
    path->copyBulk(b, image, tile, full);
  });
}

LogicalResult StagedStream::emitStages(Value round, Value own) {
  if (!path->copiesByThreads())
    return success();
  auto loop =
      scf::ForOp::create(b, a.div(own, 32), numUnits, a.i32(config.finishers));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  Value number = a.add(a.mul(round, numUnits), loop.getInductionVar());
  auto [stage, parity] = getUse(number, config.stages);
  ptx.waitForParity(getEmpty(stage), a.bitXor(parity, 1));
  forEachImage(stage, loop.getInductionVar(),
               [&](Value image, Value tile) { path->copy(b, image, tile); });
  NVVM::CpAsyncCommitGroupOp::create(b);
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
  ptx.fenceAsyncProxy();
  ptx.syncWarp();
  ptx.arriveIf(getFull(stage), a.equal(lane, 0));
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void StagedStream::emitRound(Value round) {
  CtaContext cta(b, unit, thread);
  // Equal in all lanes, which the unit asks for and ptxas must know.
  Value uniform = ptx.getUniform(warp);
  cta.warpRow = a.rem(uniform, kWarpsPerGroup * config.groupsN);
  cta.warpK = a.div(uniform, kWarpsPerGroup * config.groupsN);
  Value group = a.div(cta.warpRow, kWarpsPerGroup);
  auto branch = scf::IfOp::create(b, a.less(group, getTilesOfRound(round)),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  skipTiles(cta.warpK, round);
  joinCluster(round);
  b.setInsertionPointToStart(branch.thenBlock());
  SmallVector<Value> sums = multiplyTiles(cta, group, round);
  waitForReceivers(round);
  sendSums(cta, sums, round, group);
}

void StagedStream::release(Value stage, Value isAny) {
  // All lanes have read their part.
  ptx.syncWarp();
  Value isFirst = a.equal(lane, 0);
  ptx.arriveIf(getEmpty(stage),
               a.select(isAny, isFirst, a.constant(b.getI1Type(), 0)));
}

/// Stages without a tile for this group are others' only.
void StagedStream::skipTiles(Value warpK, Value round) {
  auto loop = scf::ForOp::create(b, getFirstUnit(round, warpK), numUnits,
                                 a.i32(config.groups));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value number = a.add(a.mul(round, numUnits), loop.getInductionVar());
  auto [stage, parity] = getUse(number, config.stages);
  ptx.waitForParity(getFull(stage), parity);
  release(stage, a.constant(b.getI1Type(), 1));
}

SmallVector<Value> StagedStream::multiplyTiles(const CtaContext &cta,
                                               Value group, Value round) {
  SmallVector<Value> carried = atom->begin(cta);
  size_t count = carried.size();
  // The stage before; there is none first.
  carried.push_back(a.i32(config.stages));
  auto loop = scf::ForOp::create(b, getFirstUnit(round, cta.warpK), numUnits,
                                 a.i32(config.groups), carried);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value number = a.add(a.mul(round, numUnits), loop.getInductionVar());
    auto [stage, parity] = getUse(number, config.stages);
    ptx.waitForParity(getFull(stage), parity);
    SmallVector<Value> sums(loop.getRegionIterArgs().take_front(count));
    sums = multiplyStage(group, stage, std::move(sums),
                         loop.getRegionIterArgs().back());
    sums.push_back(stage);
    scf::YieldOp::create(b, sums);
  }
  SmallVector<Value> sums =
      atom->wait(b, loop.getResults().take_front(count), 0);
  Value last = loop.getResults().back();
  release(last, a.less(last, config.stages));
  return sums;
}

SmallVector<Value> StagedStream::multiplyStage(Value group, Value stage,
                                               SmallVector<Value> sums,
                                               Value before) {
  ScaleEncoding encoding = root.getRhsType().getFormat().getScaleEncoding();
  Value first = a.mul(group, config.stageTiles);
  for (int64_t tile = 0; tile < config.stageTiles; ++tile) {
    Weights weights = loadWeights(getStage(stage), a.add(first, tile));
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<Value> registers;
      for (const DecodedStep &step : emitDecodeRegisters(
               b, encoding, weights.codes[half], weights.scales[half], lane))
        llvm::append_range(registers, step);
      Value image = getImage(stage, kImages * tile + half);
      Value columns = emitWgmmaDescriptor(b, image, WgmmaImage());
      sums = atom->issue(b, sums, registers, columns, /*step=*/0);
      sums = atom->wait(b, sums, 1);
      if (tile == 0 && half == 0)
        release(before, a.less(before, config.stages));
    }
  }
  return sums;
}

std::unique_ptr<StreamKernel> createStagedStream(KernelBuilder &kernel,
                                                 const StreamConfig &config,
                                                 Epilogue &epilogue,
                                                 ScaledMatmulOp root) {
  return std::make_unique<StagedStream>(kernel, config, epilogue, root);
}

} // namespace nvfp4

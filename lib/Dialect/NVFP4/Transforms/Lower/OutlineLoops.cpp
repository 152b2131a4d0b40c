//===- OutlineLoops.cpp - One function per distinct loop nest -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Moves every loop nest of an entry function into a private function of its
// own and calls it there. Nests that are equal, as those of the blocks of a
// transformer are, become one function, so compile time grows with the number
// of different layers. Buffers are arguments then, and an argument that
// overlaps nothing else that the loop touches says so (`llvm.noalias`), without
// which LLVM does not vectorise. The function of a loop over rows takes the
// range of rows as well.
//
// Expects: planned entry functions with structured loops on memrefs.
// Leaves:  no loop in an entry function.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace nvfp4 {
#define GEN_PASS_DEF_OUTLINELOOPSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

/// The buffer that a memref is a part of: an argument, a slot of the workspace,
/// a constant. Null if it may be one of several.
static Value getBuffer(Value memref) {
  while (Operation *op = memref.getDefiningOp()) {
    // Slots of a workspace do not overlap while both are in use.
    if (isa<memref::ViewOp, memref::GetGlobalOp>(op))
      return memref;
    auto view = dyn_cast<ViewLikeOpInterface>(op);
    if (!view)
      return Value();
    memref = view.getViewSource();
  }
  return memref;
}

/// Whether the iterations of a loop may be split among threads.
static bool isOverRows(Operation *loop) {
  return isa<scf::ParallelOp>(loop) && loop->hasAttr(kGrainAttrName);
}

/// Writes the part of a loop over rows from `begin` to `end`.
static void cloneRows(OpBuilder &builder, scf::ParallelOp loop, Value begin,
                      Value end, IRMapping &mapping) {
  Value one = arith::ConstantIndexOp::create(builder, loop.getLoc(), 1);
  auto rows = scf::ForOp::create(builder, loop.getLoc(), begin, end, one);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(rows.getBody());
  mapping.map(loop.getInductionVars().front(), rows.getInductionVar());
  for (Operation &op : loop.getBody()->without_terminator())
    builder.clone(op, mapping);
}

namespace {
/// What two nests have in common if and only if one function serves both, as
/// bytes: a nest is written as a list of ops, and a value as its number. Far
/// cheaper than text, and needs no function.
class NestKey {
public:
  void add(uint64_t number) {
    bytes.append(reinterpret_cast<const char *>(&number), sizeof(number));
  }
  /// Types, attributes and names of ops are unique in their context.
  void add(const void *unique) { add(reinterpret_cast<uintptr_t>(unique)); }

  void addDefinition(Value value) {
    add(value.getType().getAsOpaquePointer());
    numbers.try_emplace(value, numbers.size());
  }
  void addOp(Operation *op, bool hasOperands = true);

  StringRef getBytes() const { return bytes; }

private:
  void addRegion(Region &region);

  std::string bytes;
  llvm::DenseMap<Value, uint64_t> numbers;
  llvm::DenseMap<Block *, uint64_t> blocks;
};
} // namespace

void NestKey::addRegion(Region &region) {
  add(std::distance(region.begin(), region.end()));
  for (Block &block : region)
    blocks.try_emplace(&block, blocks.size());
  for (Block &block : region) {
    add(block.getNumArguments());
    for (BlockArgument argument : block.getArguments())
      addDefinition(argument);
    add(std::distance(block.begin(), block.end()));
    for (Operation &op : block)
      addOp(&op);
  }
}

void NestKey::addOp(Operation *op, bool hasOperands) {
  add(op->getName().getAsOpaquePointer());
  add(op->getAttrDictionary().getAsOpaquePointer());
  if (hasOperands) {
    add(op->getNumOperands());
    for (Value operand : op->getOperands())
      add(numbers.at(operand));
  }
  add(op->getNumResults());
  for (Value result : op->getResults())
    addDefinition(result);
  for (Block *successor : op->getSuccessors())
    add(blocks.at(successor));
  for (Region &region : op->getRegions())
    addRegion(region);
}

namespace {
/// Outlines the loops of one module.
class LoopOutliner {
public:
  explicit LoopOutliner(ModuleOp module) : module(module), symbols(module) {}

  void run(func::FuncOp entry);

  unsigned numLoops = 0, numFunctions = 0;

private:
  void outline(Operation *loop);
  SmallVector<Value> getCaptures(Operation *loop,
                                 SmallVectorImpl<Operation *> &constants);
  func::FuncOp createFunction(Operation *loop, ArrayRef<Value> captures,
                              const llvm::BitVector &disjoint,
                              ArrayRef<Operation *> constants);

  ModuleOp module;
  SymbolTable symbols;
  /// Functions by what `NestKey` says of their nest.
  llvm::StringMap<func::FuncOp> known;
};
} // namespace

/// The values from outside that a loop nest uses, in order of first use;
/// constants apart, which move along.
SmallVector<Value>
LoopOutliner::getCaptures(Operation *loop,
                          SmallVectorImpl<Operation *> &constants) {
  llvm::SetVector<Value> captures;
  loop->walk([&](Operation *op) {
    // The bounds of a loop over rows are arguments of their own.
    if (op == loop && isOverRows(op))
      return;
    for (Value operand : op->getOperands()) {
      Region *region = operand.getParentRegion();
      if (loop->isAncestor(region->getParentOp()))
        continue;
      Operation *def = operand.getDefiningOp();
      bool moves = def && (def->hasTrait<OpTrait::ConstantLike>() ||
                           isa<memref::GetGlobalOp>(def));
      if (!moves)
        captures.insert(operand);
      else if (!llvm::is_contained(constants, def))
        constants.push_back(def);
    }
  });
  return captures.takeVector();
}

/// Which captures are buffers that overlap no other capture.
static llvm::BitVector getDisjoint(ArrayRef<Value> captures) {
  llvm::BitVector disjoint(captures.size());
  llvm::SmallDenseMap<Value, unsigned> uses;
  SmallVector<Value> buffers(captures.size());
  for (auto [value, buffer] : llvm::zip_equal(captures, buffers)) {
    if (!isa<MemRefType>(value.getType()))
      continue;
    buffer = getBuffer(value);
    if (!buffer)
      return disjoint;
    ++uses[buffer];
  }
  for (auto [i, buffer] : llvm::enumerate(buffers))
    if (buffer && uses.lookup(buffer) == 1)
      disjoint.set(i);
  return disjoint;
}

func::FuncOp LoopOutliner::createFunction(Operation *loop,
                                          ArrayRef<Value> captures,
                                          const llvm::BitVector &disjoint,
                                          ArrayRef<Operation *> constants) {
  OpBuilder builder(module.getContext());
  SmallVector<Type> inputs;
  if (isOverRows(loop))
    inputs.assign(2, builder.getIndexType());
  llvm::append_range(inputs, ValueRange(captures).getTypes());
  auto function = func::FuncOp::create(
      loop->getLoc(), "loop", builder.getFunctionType(inputs, TypeRange()));
  function.setPrivate();
  // Inlining would undo what this pass is for.
  function.setNoInline(true);
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  IRMapping mapping;
  mapping.map(captures, body->getArguments().take_back(captures.size()));
  for (Operation *constant : constants)
    builder.clone(*constant, mapping);
  if (isOverRows(loop)) {
    cloneRows(builder, cast<scf::ParallelOp>(loop), body->getArgument(0),
              body->getArgument(1), mapping);
    function->setAttr(kGrainAttrName, loop->getAttr(kGrainAttrName));
  } else {
    builder.clone(*loop, mapping);
  }
  func::ReturnOp::create(builder, loop->getLoc());
  unsigned first = function.getNumArguments() - captures.size();
  for (unsigned i : disjoint.set_bits())
    function.setArgAttr(first + i, LLVM::LLVMDialect::getNoAliasAttrName(),
                        builder.getUnitAttr());
  return function;
}

void LoopOutliner::outline(Operation *loop) {
  SmallVector<Operation *> constants;
  SmallVector<Value> captures = getCaptures(loop, constants);
  llvm::BitVector disjoint = getDisjoint(captures);

  NestKey key;
  for (auto [i, capture] : llvm::enumerate(captures)) {
    key.addDefinition(capture);
    key.add(disjoint.test(i));
  }
  for (Operation *constant : constants)
    key.addOp(constant);
  key.addOp(loop, /*hasOperands=*/!isOverRows(loop));
  func::FuncOp &same = known[key.getBytes()];
  if (!same) {
    same = createFunction(loop, captures, disjoint, constants);
    symbols.insert(same);
    ++numFunctions;
  }
  ++numLoops;
  OpBuilder builder(loop);
  SmallVector<Value> operands;
  if (isOverRows(loop)) {
    auto rows = cast<scf::ParallelOp>(loop);
    operands = {rows.getLowerBound().front(), rows.getUpperBound().front()};
  }
  llvm::append_range(operands, captures);
  func::CallOp::create(builder, loop->getLoc(), same, operands);
  loop->erase();
}

void LoopOutliner::run(func::FuncOp entry) {
  SmallVector<Operation *> loops;
  for (Operation &op : entry.getBody().front())
    if (isa<scf::ForOp, scf::WhileOp, scf::ParallelOp>(op) &&
        op.getNumResults() == 0)
      loops.push_back(&op);
  for (Operation *loop : loops)
    outline(loop);
}

namespace {
class OutlineLoopsPass final
    : public nvfp4::impl::OutlineLoopsPassBase<OutlineLoopsPass> {
  void runOnOperation() override {
    LoopOutliner outliner(getOperation());
    for (auto func : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (isEntryFunction(func))
        outliner.run(func);
    numLoops += outliner.numLoops;
    numFunctions += outliner.numFunctions;
  }
};
} // namespace

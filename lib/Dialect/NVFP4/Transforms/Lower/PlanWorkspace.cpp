//===- PlanWorkspace.cpp - All buffers live in one workspace --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every buffer of an entry function becomes a view into one workspace that the
// caller provides:
//
//   | header, 64 bytes | slot 0 | slot 1 | …        offsets: multiples of 64
//
// A slot holds several buffers, one after the other in time. Two buffers share
// one only if their lifetimes are disjoint and their sizes are equal or ordered
// for every value of the dimensions. Offsets are host arithmetic in the
// dimensions, repeated in `@<entry>.plan` for the caller.
//
// A lifetime is a range of positions: an op at function level counts as one
// position together with everything nested in it. So a buffer that a loop body
// allocates lives as long as the loop.
//
// Expects: bufferized entry functions in destination style, one block,
//          structured control flow, identity layouts.
// Leaves:  no allocation; a last argument, the workspace; `@<entry>.plan`;
//          `nvfp4.checks`.
//
//===----------------------------------------------------------------------===//

#include "DimensionSlice.h"
#include "RecordErrorKernel.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Runtime/ProgramABI.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace nvfp4 {
#define GEN_PASS_DEF_PLANWORKSPACEPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

namespace {
/// One allocation.
struct Buffer {
  Operation *op;
  MemRefType type;
  SmallVector<Value> sizes;
  SizePolynomial bytes;
  /// First and last position that touches it; empty if `last < first`.
  int64_t first = 0, last = -1;
  unsigned slot = 0;
};

/// A part of the workspace. `largest` is the buffer that sets its size.
struct Slot {
  unsigned largest;
  int64_t freeAfter;
};

/// Plans one entry function.
class WorkspacePlanner {
public:
  WorkspacePlanner(func::FuncOp func, EntryInterface interface, bool isDevice)
      : func(func), interface(std::move(interface)),
        analysis(func, this->interface), isDevice(isDevice) {}

  LogicalResult run();

  size_t getNumBuffers() const { return buffers.size(); }
  size_t getNumSlots() const { return slots.size(); }

private:
  LogicalResult checkSignature();
  LogicalResult collectBuffers();
  LogicalResult addBuffer(Operation *op, ValueRange sizes);
  LogicalResult checkExtents();
  LogicalResult computeLifetimes();
  void assignSlots();
  std::optional<unsigned> findSlot(const Buffer &buffer);

  Value emitSlotEnd(DimensionCloner &cloner, OpBuilder &builder, Value begin,
                    const Slot &slot);
  void emitPlan();
  void emitViews();
  void lowerRecordErrors(OpBuilder &builder, Value workspace);
  void lowerRecordError(RecordErrorOp op, Value word, int64_t base);
  void dropExtents();
  void remark();

  bool isAtMost(const SizePolynomial &lhs, const SizePolynomial &rhs) {
    return lhs.isAtMost(
        rhs, [&](unsigned symbol) { return analysis.getMinimum(symbol); });
  }
  InFlightDiagnostic emitSizeError(Operation *op, const Twine &what);

  func::FuncOp func;
  EntryInterface interface;
  DimensionAnalysis analysis;
  /// Whether buffers are in the memory of a device.
  bool isDevice;
  SmallVector<Buffer> buffers;
  SmallVector<Slot> slots;
};
} // namespace

//===----------------------------------------------------------------------===//
// What is there
//===----------------------------------------------------------------------===//

InFlightDiagnostic WorkspacePlanner::emitSizeError(Operation *op,
                                                   const Twine &what) {
  InFlightDiagnostic diag = op->emitError("expected ")
                            << what << " to depend on dimensions only";
  Operation *culprit = analysis.getCulprit();
  if (!culprit || culprit == op)
    return diag;
  diag << ", but got '" << culprit->getName() << "'";
  diag.attachNote(culprit->getLoc()) << "the size depends on this";
  return diag;
}

LogicalResult WorkspacePlanner::checkSignature() {
  if (!func.getBody().hasOneBlock())
    return func.emitError("expected an entry function of one block, but got ")
           << func.getBody().getBlocks().size();
  size_t numResults = 0;
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto type = dyn_cast<MemRefType>(func.getArgumentTypes()[i]);
    if (!type || !type.getLayout().isIdentity())
      return func.emitError("expected a memref of identity layout as argument ")
             << i << ", but got " << func.getArgumentTypes()[i];
    numResults += func.getArgAttr(i, kResultAttrName) != nullptr;
    if (i < interface.arguments.size() &&
        int64_t(interface.arguments[i].shape.size()) != type.getRank())
      return func.emitError("expected argument ")
             << i << " of the rank in '" << kEntryAttrName << "', which is "
             << interface.arguments[i].shape.size() << ", but got " << type;
  }
  if (func.getNumArguments() != interface.arguments.size() + numResults)
    return func.emitError("expected ")
           << interface.arguments.size() << " arguments as in '"
           << kEntryAttrName << "' and " << numResults << " results, but got "
           << func.getNumArguments() << " arguments";
  return success();
}

LogicalResult WorkspacePlanner::addBuffer(Operation *op, ValueRange sizes) {
  auto type = cast<MemRefType>(op->getResult(0).getType());
  if (!type.getLayout().isIdentity() || type.getMemorySpace())
    return op->emitError("expected a buffer of identity layout in the default "
                         "memory space, but got ")
           << type;
  FailureOr<SizePolynomial> bytes = analysis.getBytes(type, sizes);
  if (failed(bytes))
    return emitSizeError(op, "the size of a buffer");
  buffers.push_back({op, type, llvm::to_vector(sizes), *bytes});
  return success();
}

LogicalResult WorkspacePlanner::collectBuffers() {
  WalkResult walk = func.walk([&](Operation *op) -> WalkResult {
    if (auto alloc = dyn_cast<memref::AllocOp>(op))
      return addBuffer(op, alloc.getDynamicSizes());
    if (auto alloca = dyn_cast<memref::AllocaOp>(op))
      return addBuffer(op, alloca.getDynamicSizes());
    if (isa<memref::DeallocOp>(op))
      op->erase();
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

LogicalResult WorkspacePlanner::checkExtents() {
  Operation *returnOp = &func.getBody().front().back();
  for (Value extent : returnOp->getOperands())
    if (failed(analysis.getPolynomial(extent)))
      return emitSizeError(returnOp, "the extents of a result");
  return success();
}

//===----------------------------------------------------------------------===//
// Who lives when, and where
//===----------------------------------------------------------------------===//

/// Whether `value` lives from one iteration of a loop around `op` to the next,
/// or past the loop.
static bool leavesIteration(Operation *op, Value value) {
  for (auto loop = op->getParentOfType<LoopLikeOpInterface>(); loop;
       loop = loop->getParentOfType<LoopLikeOpInterface>()) {
    Operation *owner = value.getDefiningOp();
    if (owner == loop || llvm::is_contained(loop.getRegionIterArgs(), value))
      return true;
  }
  return false;
}

LogicalResult WorkspacePlanner::computeLifetimes() {
  DenseMap<Operation *, int64_t> positions;
  for (auto [i, op] : llvm::enumerate(func.getBody().front()))
    positions[&op] = i;

  BufferViewFlowAnalysis aliases(func);
  for (Buffer &buffer : buffers) {
    buffer.first = positions.size();
    for (Value alias : aliases.resolve(buffer.op->getResult(0))) {
      if (leavesIteration(buffer.op, alias))
        return buffer.op->emitError("expected a loop that carries buffers in "
                                    "place, but this buffer leaves the "
                                    "iteration that allocates it");
      for (Operation *user : alias.getUsers()) {
        Operation *top = func.getBody().front().findAncestorOpInBlock(*user);
        int64_t position = positions.lookup(top);
        buffer.first = std::min(buffer.first, position);
        buffer.last = std::max(buffer.last, position);
      }
    }
  }
  return success();
}

/// The best free slot for `buffer`: the smallest that is large enough, else the
/// first that the buffer may enlarge.
std::optional<unsigned> WorkspacePlanner::findSlot(const Buffer &buffer) {
  std::optional<unsigned> best, smaller;
  for (auto [i, slot] : llvm::enumerate(slots)) {
    if (slot.freeAfter >= buffer.first)
      continue;
    const SizePolynomial &bytes = buffers[slot.largest].bytes;
    if (bytes == buffer.bytes)
      return i;
    if (isAtMost(buffer.bytes, bytes)) {
      if (!best || isAtMost(bytes, buffers[slots[*best].largest].bytes))
        best = i;
    } else if (isAtMost(bytes, buffer.bytes)) {
      if (!smaller || isAtMost(buffers[slots[*smaller].largest].bytes, bytes))
        smaller = i;
    }
  }
  return best ? best : smaller;
}

void WorkspacePlanner::assignSlots() {
  SmallVector<unsigned> order =
      llvm::to_vector(llvm::seq<unsigned>(0, buffers.size()));
  llvm::sort(order, [&](unsigned lhs, unsigned rhs) {
    return std::pair(buffers[lhs].first, lhs) <
           std::pair(buffers[rhs].first, rhs);
  });
  for (unsigned id : order) {
    Buffer &buffer = buffers[id];
    std::optional<unsigned> found = findSlot(buffer);
    if (!found) {
      found = slots.size();
      slots.push_back({id, -1});
    }
    Slot &slot = slots[*found];
    buffer.slot = *found;
    slot.freeAfter = std::max(slot.freeAfter, buffer.last);
    if (isAtMost(buffers[slot.largest].bytes, buffer.bytes))
      slot.largest = id;
  }
}

//===----------------------------------------------------------------------===//
// What is written
//===----------------------------------------------------------------------===//

/// The offset past a slot that begins at `begin`, rounded up to the alignment.
Value WorkspacePlanner::emitSlotEnd(DimensionCloner &cloner, OpBuilder &builder,
                                    Value begin, const Slot &slot) {
  const Buffer &buffer = buffers[slot.largest];
  Location loc = buffer.op->getLoc();
  Value bytes = cloner.cloneBytes(loc, buffer.type, buffer.sizes);
  if (!buffer.bytes.divideExactly(NVFP4_BUFFER_ALIGNMENT)) {
    Value mask = arith::ConstantIndexOp::create(builder, loc,
                                                NVFP4_BUFFER_ALIGNMENT - 1);
    Value inverse =
        arith::ConstantIndexOp::create(builder, loc, -NVFP4_BUFFER_ALIGNMENT);
    bytes = builder.createOrFold<arith::AddIOp>(loc, bytes, mask);
    bytes = builder.createOrFold<arith::AndIOp>(loc, bytes, inverse);
  }
  return builder.createOrFold<arith::AddIOp>(loc, begin, bytes);
}

/// Writes `@<entry>.plan(dims…) -> (all extents of all results…, bytes)`.
void WorkspacePlanner::emitPlan() {
  OpBuilder builder(func);
  Location loc = func.getLoc();
  Type index = builder.getIndexType();
  SmallVector<Type> inputs(interface.dimensions.size(), index);
  SmallVector<Type> outputs;
  for (unsigned i = interface.arguments.size(); i < func.getNumArguments(); ++i)
    outputs.append(cast<MemRefType>(func.getArgumentTypes()[i]).getRank(),
                   index);
  outputs.push_back(index);

  auto plan =
      func::FuncOp::create(builder, loc, (func.getName() + ".plan").str(),
                           builder.getFunctionType(inputs, outputs));
  plan.setPrivate();
  Block *body = plan.addEntryBlock();
  builder.setInsertionPointToStart(body);
  DimensionCloner cloner(analysis, builder, body->getArguments());

  SmallVector<Value> values;
  Operation *returnOp = &func.getBody().front().back();
  auto dynamicExtent = returnOp->operand_begin();
  for (unsigned i = interface.arguments.size(); i < func.getNumArguments(); ++i)
    for (int64_t size : cast<MemRefType>(func.getArgumentTypes()[i]).getShape())
      values.push_back(
          ShapedType::isDynamic(size)
              ? cloner.clone(*dynamicExtent++)
              : arith::ConstantIndexOp::create(builder, loc, size));
  Value end = arith::ConstantIndexOp::create(builder, loc,
                                             NVFP4_WORKSPACE_HEADER_BYTES);
  for (const Slot &slot : slots)
    end = emitSlotEnd(cloner, builder, end, slot);
  values.push_back(end);
  func::ReturnOp::create(builder, loc, values);
}

/// Replaces the allocations by views, which all precede the first op.
void WorkspacePlanner::emitViews() {
  MLIRContext *context = func.getContext();
  auto workspaceType =
      MemRefType::get({ShapedType::kDynamic}, IntegerType::get(context, 8));
  unsigned position = func.getNumArguments();
  (void)func.insertArgument(position, workspaceType, {}, func.getLoc());
  Value workspace = func.getArgument(position);

  OpBuilder builder = OpBuilder::atBlockBegin(&func.getBody().front());
  SmallVector<Value> dims(interface.dimensions.size());
  for (auto [i, argument] : llvm::enumerate(interface.arguments))
    for (auto [j, extent] : llvm::enumerate(argument.shape))
      if (extent.dimension && !dims[*extent.dimension])
        dims[*extent.dimension] = memref::DimOp::create(builder, func.getLoc(),
                                                        func.getArgument(i), j);

  DimensionCloner cloner(analysis, builder, dims);
  SmallVector<Value> offsets;
  Value end = arith::ConstantIndexOp::create(builder, func.getLoc(),
                                             NVFP4_WORKSPACE_HEADER_BYTES);
  for (const Slot &slot : slots) {
    offsets.push_back(end);
    end = emitSlotEnd(cloner, builder, end, slot);
  }
  for (Buffer &buffer : buffers) {
    SmallVector<Value> sizes;
    for (Value size : buffer.sizes)
      sizes.push_back(cloner.clone(size));
    Value view =
        memref::ViewOp::create(builder, buffer.op->getLoc(), buffer.type,
                               workspace, offsets[buffer.slot], sizes);
    buffer.op->getResult(0).replaceAllUsesWith(view);
  }
  // The extents of the destinations are not known to the caller of this
  // function before it has computed them itself.
  SmallVector<memref::DimOp> dimOps;
  for (unsigned i = interface.arguments.size(); i < position; ++i)
    for (Operation *user : func.getArgument(i).getUsers())
      if (auto dim = dyn_cast<memref::DimOp>(user);
          dim && dim.getConstantIndex())
        dimOps.push_back(dim);
  for (memref::DimOp dim : dimOps)
    if (succeeded(analysis.getPolynomial(dim.getResult())))
      dim.replaceAllUsesWith(cloner.clone(dim.getResult()));
  for (memref::DimOp dim : dimOps)
    if (dim->use_empty())
      dim->erase();
  for (Buffer &buffer : buffers)
    buffer.op->erase();

  lowerRecordErrors(builder, workspace);
}

/// Turns `nvfp4.record_error` into a store to the error word, or a kernel that
/// stores, unless an earlier check has written it.
void WorkspacePlanner::lowerRecordErrors(OpBuilder &builder, Value workspace) {
  SmallVector<RecordErrorOp> ops;
  func.walk([&](RecordErrorOp op) { ops.push_back(op); });
  SmallVector<Attribute> messages;
  if (!ops.empty()) {
    Location loc = func.getLoc();
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value word = memref::ViewOp::create(
        builder, loc, MemRefType::get({}, builder.getI32Type()), workspace,
        zero, ValueRange());
    for (RecordErrorOp op : ops) {
      if (isDevice)
        dispatchRecordError(op, word, messages.size());
      else
        lowerRecordError(op, word, messages.size());
      llvm::append_range(messages, op.getMessages());
      op.erase();
    }
  }
  func->setAttr(kChecksAttrName, builder.getArrayAttr(messages));
}

void WorkspacePlanner::lowerRecordError(RecordErrorOp op, Value word,
                                        int64_t base) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value status = memref::LoadOp::create(builder, loc, op.getStatus());
  Value old = memref::LoadOp::create(builder, loc, word);
  Value next = emitNextErrorWord(builder, loc, status, old, base);
  memref::StoreOp::create(builder, loc, next, word);
}

/// The function returns nothing: `@<entry>.plan` has the extents.
void WorkspacePlanner::dropExtents() {
  Builder builder(func.getContext());
  func.getBody().front().back().setOperands(ValueRange());
  func.setFunctionType(
      builder.getFunctionType(func.getArgumentTypes(), TypeRange()));
}

void WorkspacePlanner::remark() {
  SizePolynomial all, planned;
  for (const Buffer &buffer : buffers)
    all = all + buffer.bytes;
  for (const Slot &slot : slots)
    planned = planned + buffers[slot.largest].bytes;
  auto nameOf = [&](unsigned symbol) { return analysis.getName(symbol); };
  remark::passed(func.getLoc(), remark::RemarkOpts::name("PlanWorkspace")
                                    .category("nvfp4")
                                    .function(func.getName()))
      << std::to_string(buffers.size()) + " buffers share " +
             std::to_string(slots.size()) + " slots: " + planned.str(nameOf) +
             " bytes, saved " + (all - planned).str(nameOf);
}

LogicalResult WorkspacePlanner::run() {
  if (failed(checkSignature()) || failed(collectBuffers()) ||
      failed(checkExtents()) || failed(computeLifetimes()))
    return failure();
  assignSlots();
  remark();
  emitPlan();
  emitViews();
  dropExtents();
  return success();
}

namespace {
class PlanWorkspacePass final
    : public nvfp4::impl::PlanWorkspacePassBase<PlanWorkspacePass> {
  using PlanWorkspacePassBase::PlanWorkspacePassBase;

  void runOnOperation() override {
    for (auto func : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (!isEntryFunction(func))
        continue;
      FailureOr<EntryInterface> interface = EntryInterface::read(func);
      if (failed(interface))
        return signalPassFailure();
      WorkspacePlanner planner(func, std::move(*interface), device);
      if (failed(planner.run()))
        return signalPassFailure();
      numBuffers += planner.getNumBuffers();
      numSlots += planner.getNumSlots();
    }
  }
};
} // namespace

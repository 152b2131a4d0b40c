//===- ParallelizeLoops.cpp - Loops over rows on several threads ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns calls of loops over rows into calls of the context's `parallel_for`.
// Operands travel in a struct on the caller's stack, one for all calls, because
// `parallel_for` returns when the loop is done:
//
//   {rows per piece, end of rows, operands that the loop uses…}
//
// Expects: the LLVM dialect; loops over rows are functions with `nvfp4.grain`,
//          called with row 0 and the number of rows by functions whose first
//          argument is the context.
// Leaves:  no `nvfp4.grain`.
//
//===----------------------------------------------------------------------===//

#include "ContextCalls.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

namespace nvfp4 {
#define GEN_PASS_DEF_PARALLELIZELOOPSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

/// Operands of a loop before those that every call has its own of.
static constexpr unsigned kNumBounds = 2;

namespace {
/// A loop over rows, and what `parallel_for` calls.
struct RowLoop {
  LLVM::LLVMFuncOp function, body;
  int64_t grain;
  LLVM::LLVMStructType state;
  /// The arguments that the function uses, which are the fields of the state
  /// behind the bounds.
  SmallVector<unsigned> used;
};

/// Splits the calls of one module.
class LoopSplitter {
public:
  explicit LoopSplitter(ModuleOp module)
      : module(module), symbols(module), context(module.getContext()),
        i64(IntegerType::get(context, 64)),
        pointer(LLVM::LLVMPointerType::get(context)) {}

  unsigned run();

private:
  RowLoop createLoop(LLVM::LLVMFuncOp function);
  void emitBody(RowLoop &loop);
  void split(LLVM::CallOp call, const RowLoop &loop, Value state);
  Value createState(LLVM::LLVMFuncOp caller);
  /// Null if the callee is no loop over rows.
  const RowLoop *lookup(LLVM::CallOp call) const;
  Value constant(ImplicitLocOpBuilder &b, int64_t value) {
    return LLVM::ConstantOp::create(b, i64, b.getI64IntegerAttr(value));
  }
  Value getField(ImplicitLocOpBuilder &b, const RowLoop &loop, Value state,
                 unsigned field) {
    return LLVM::GEPOp::create(
        b, pointer, loop.state, state,
        ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(field)});
  }

  ModuleOp module;
  SymbolTable symbols;
  MLIRContext *context;
  Type i64;
  LLVM::LLVMPointerType pointer;
  llvm::MapVector<StringAttr, RowLoop> loops;
};
} // namespace

RowLoop LoopSplitter::createLoop(LLVM::LLVMFuncOp function) {
  RowLoop loop;
  loop.function = function;
  loop.grain = function->getAttrOfType<IntegerAttr>(kGrainAttrName).getInt();
  function->removeAttr(kGrainAttrName);
  SmallVector<Type> fields(kNumBounds, i64);
  for (BlockArgument argument :
       function.getArguments().drop_front(kNumBounds)) {
    if (argument.use_empty())
      continue;
    loop.used.push_back(argument.getArgNumber());
    fields.push_back(argument.getType());
  }
  loop.state = LLVM::LLVMStructType::getLiteral(context, fields);
  emitBody(loop);
  return loop;
}

/// void body(state, begin, end): the rows of pieces `begin` to `end`.
void LoopSplitter::emitBody(RowLoop &loop) {
  ImplicitLocOpBuilder b(loop.function.getLoc(), context);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                          {pointer, i64, i64});
  b.setInsertionPointAfter(loop.function);
  loop.body =
      LLVM::LLVMFuncOp::create(b, (loop.function.getSymName() + ".body").str(),
                               type, LLVM::Linkage::Internal);
  symbols.insert(loop.body);
  Block *block = loop.body.addEntryBlock(b);
  b.setInsertionPointToStart(block);
  Value state = block->getArgument(0);
  auto load = [&](unsigned field) -> Value {
    return LLVM::LoadOp::create(b, loop.state.getBody()[field],
                                getField(b, loop, state, field));
  };
  Value perPiece = load(0), rows = load(1);
  SmallVector<Value> operands;
  for (unsigned bound : {1, 2}) {
    Value row = LLVM::MulOp::create(b, block->getArgument(bound), perPiece);
    operands.push_back(LLVM::SMinOp::create(b, row, rows));
  }
  for (Type argument : loop.function.getArgumentTypes().drop_front(kNumBounds))
    operands.push_back(LLVM::PoisonOp::create(b, argument));
  for (auto [i, argument] : llvm::enumerate(loop.used))
    operands[argument] = load(kNumBounds + i);
  LLVM::CallOp::create(b, loop.function, operands);
  LLVM::ReturnOp::create(b, ValueRange());
}

void LoopSplitter::split(LLVM::CallOp call, const RowLoop &loop, Value state) {
  ImplicitLocOpBuilder b(call.getLoc(), call);
  Value rows = call.getArgOperands()[1];
  // Pieces of equal size, none smaller than the grain unless there is but one.
  Value pieces =
      loop.grain == 1
          ? rows
          : LLVM::UDivOp::create(b, rows, constant(b, loop.grain)).getResult();
  Value one = constant(b, 1);
  pieces = LLVM::SMaxOp::create(b, pieces, one);
  Value perPiece = LLVM::UDivOp::create(
      b, LLVM::AddOp::create(b, rows, LLVM::SubOp::create(b, pieces, one)),
      pieces);
  LLVM::StoreOp::create(b, perPiece, getField(b, loop, state, 0));
  LLVM::StoreOp::create(b, rows, getField(b, loop, state, 1));
  for (auto [i, argument] : llvm::enumerate(loop.used))
    LLVM::StoreOp::create(b, call.getArgOperands()[argument],
                          getField(b, loop, state, kNumBounds + i));
  Value body = LLVM::AddressOfOp::create(b, loop.body);
  auto caller = call->getParentOfType<LLVM::LLVMFuncOp>();
  emitParallelFor(b, call.getLoc(), caller.getArgument(0), pieces, body, state);
  call.erase();
}

const RowLoop *LoopSplitter::lookup(LLVM::CallOp call) const {
  FlatSymbolRefAttr callee = call.getCalleeAttr();
  const auto *loop = callee ? loops.find(callee.getAttr()) : loops.end();
  return loop == loops.end() ? nullptr : &loop->second;
}

/// Memory for the largest state that `caller` passes.
Value LoopSplitter::createState(LLVM::LLVMFuncOp caller) {
  ImplicitLocOpBuilder b(caller.getLoc(), context);
  b.setInsertionPointToStart(&caller.getBody().front());
  size_t fields = 0;
  caller.walk([&](LLVM::CallOp call) {
    if (const RowLoop *loop = lookup(call))
      fields = std::max(fields, loop->state.getBody().size());
  });
  // No field is larger than 8 bytes.
  return LLVM::AllocaOp::create(b, pointer, i64, constant(b, fields));
}

unsigned LoopSplitter::run() {
  for (auto function : llvm::to_vector(module.getOps<LLVM::LLVMFuncOp>()))
    if (function->hasAttr(kGrainAttrName))
      loops.insert({function.getSymNameAttr(), createLoop(function)});
  SmallVector<LLVM::CallOp> calls;
  module.walk([&](LLVM::CallOp call) {
    const RowLoop *loop = lookup(call);
    if (loop && call->getParentOp() != loop->body)
      calls.push_back(call);
  });
  llvm::DenseMap<Operation *, Value> states;
  for (LLVM::CallOp call : calls) {
    auto caller = call->getParentOfType<LLVM::LLVMFuncOp>();
    Value &state = states[caller];
    if (!state)
      state = createState(caller);
    split(call, *lookup(call), state);
  }
  return calls.size();
}

namespace {
struct ParallelizeLoopsPass final
    : nvfp4::impl::ParallelizeLoopsPassBase<ParallelizeLoopsPass> {
  void runOnOperation() override {
    numCalls += LoopSplitter(getOperation()).run();
  }
};
} // namespace

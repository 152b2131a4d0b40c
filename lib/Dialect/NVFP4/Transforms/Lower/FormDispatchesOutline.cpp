//===- FormDispatchesOutline.cpp - From a group to a kernel ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The function of a kernel repeats the ops of its group and what they read that
// is no buffer: views, moves of elements, empty tensors, fills, constants, and
// arithmetic on extents, which starts at the extents of its arguments. What
// other groups or the host need of it are its results.
//
// Functions that are equal but for their names are one.
//
//===----------------------------------------------------------------------===//

#include "FormDispatches.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// One function
//===----------------------------------------------------------------------===//

/// Operands, and what regions use from outside.
static SmallVector<Value> getUses(Operation *op) {
  llvm::SetVector<Value> uses;
  uses.insert_range(op->getOperands());
  getUsedValuesDefinedAbove(op->getRegions(), uses);
  return uses.takeVector();
}

namespace {
/// Makes the function of one group.
class KernelFunction {
public:
  KernelFunction(DispatchPlan &plan, const Group &group,
                 ExtentResolver &extents)
      : plan(plan), group(group), extents(extents),
        builder(group.ops.front()->getContext()) {}

  FailureOr<func::FuncOp> build();

  ArrayRef<Value> getInputs() const { return inputs.getArrayRef(); }
  ArrayRef<Value> getResults() const { return results; }

private:
  bool isInside(Operation *op);
  bool isNeededOutside(Value value);
  Value getReturnedView(Value value);
  void collect();
  void collectInputs(Operation *op);
  void collectInputs(Value tensor);
  void collectExtents(Value scalar);
  void addExtents(bool quotients);
  void addExtents();
  Value getExtent(OpBuilder &builder, Location loc, Value scalar);
  func::FuncOp createFunction(Location loc);
  void writeToInits(ValueRange returned);
  LogicalResult clone(Operation *op);
  FailureOr<Value> getTensor(Value tensor);
  FailureOr<Value> getScalar(Value scalar, Operation *user);

  DispatchPlan &plan;
  const Group &group;
  ExtentResolver &extents;
  OpBuilder builder;
  Block *body = nullptr;
  llvm::SetVector<Value> inputs;
  SmallVector<Value> results;
  /// What the kernel repeats, in and outside of the group.
  llvm::SetVector<Operation *> repeated;
  IRMapping mapping;
  /// Of extents on the host: the argument and dimension that has it, and by
  /// what to divide that.
  struct Extent {
    unsigned argument, dim;
    int64_t divisor;
  };
  llvm::MapVector<Value, Extent> extentsOfArguments;
};
} // namespace

/// Whether the kernel repeats the op rather than reads its result.
bool KernelFunction::isInside(Operation *op) {
  if (!op || op->getBlock() != group.ops.front()->getBlock())
    return false;
  if (Group *other = plan.getGroup(op))
    // A move that is its own kernel, but after this one.
    return other == &group || other->order > group.order;
  switch (getRole(op)) {
  case Role::Free:
  case Role::Mover:
    return true;
  case Role::View:
    return isInside(op->getOperand(0).getDefiningOp());
  default:
    return false;
  }
}

/// Whether the host or another group reads a value, be it through views.
bool KernelFunction::isNeededOutside(Value value) {
  Block *block = group.ops.front()->getBlock();
  llvm::SmallPtrSet<Operation *, 8> seen;
  SmallVector<Value> worklist = {value};
  while (!worklist.empty()) {
    for (Operation *user : worklist.pop_back_val().getUsers()) {
      Operation *op = block->findAncestorOpInBlock(*user);
      Group *other = plan.getGroup(op);
      if (other == &group || !seen.insert(op).second)
        continue;
      Role role = getRole(op);
      if (other || (role != Role::View && role != Role::Mover))
        return true;
      worklist.push_back(op->getResult(0));
    }
  }
  return false;
}

/// A result of the entry is written in its own shape, not through views: the
/// caller's buffer is the destination. The value itself if it is none.
Value KernelFunction::getReturnedView(Value value) {
  // The thread that has the value of a row knows the row's number only.
  auto alignment = group.alignments.find(value);
  if (alignment != group.alignments.end() &&
      alignment->second == Alignment::PerRow)
    return value;
  Value view = value;
  while (view.hasOneUse()) {
    Operation *user = *view.user_begin();
    if (isa<func::ReturnOp>(user))
      return view;
    if (plan.getGroup(user) || getRole(user) != Role::View)
      break;
    view = user->getResult(0);
  }
  return value;
}

void KernelFunction::collectInputs(Operation *op) {
  if (repeated.insert(op))
    for (Value operand : getTensorOperands(op))
      collectInputs(operand);
}

void KernelFunction::collectInputs(Value tensor) {
  Operation *op = tensor.getDefiningOp();
  if (!isInside(op))
    inputs.insert(tensor);
  else if (plan.getGroup(op) != &group)
    collectInputs(op);
}

/// Remembers which extents inputs have, or which ones a constant factor
/// separates from those. Those of results follow from them.
void KernelFunction::addExtents(bool quotients) {
  for (auto [position, tensor] : llvm::enumerate(inputs)) {
    auto type = cast<RankedTensorType>(tensor.getType());
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim))
        continue;
      Value extent = extents.get(tensor, dim);
      auto product = extent.getDefiningOp<arith::MulIOp>();
      std::optional<int64_t> factor =
          product ? getConstantIntValue(product.getRhs()) : std::nullopt;
      Extent place{unsigned(position), unsigned(dim), 1};
      if (!quotients) {
        extentsOfArguments.insert({extent, place});
      } else if (factor && *factor > 0) {
        place.divisor = *factor;
        extentsOfArguments.insert({product.getLhs(), place});
      }
    }
  }
}

void KernelFunction::addExtents() {
  extentsOfArguments.clear();
  for (bool quotients : {false, true})
    addExtents(quotients);
}

/// An argument of the entry whose extent no argument of the kernel has is an
/// input for its shape alone.
void KernelFunction::collectExtents(Value scalar) {
  Operation *op = scalar.getDefiningOp();
  if (!op || isa<RankedTensorType>(scalar.getType()) ||
      extentsOfArguments.contains(scalar))
    return;
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    if (inputs.insert(dim.getSource()))
      addExtents();
    return;
  }
  for (Value operand : op->getOperands())
    collectExtents(operand);
}

/// An extent as the kernel finds it; null if its arguments do not have it.
Value KernelFunction::getExtent(OpBuilder &builder, Location loc,
                                Value scalar) {
  auto it = extentsOfArguments.find(scalar);
  if (it == extentsOfArguments.end())
    return Value();
  Extent extent = it->second;
  Value value = tensor::DimOp::create(
      builder, loc, body->getArgument(extent.argument), extent.dim);
  if (extent.divisor == 1)
    return value;
  Value divisor = arith::ConstantIndexOp::create(builder, loc, extent.divisor);
  return arith::DivUIOp::create(builder, loc, value, divisor);
}

FailureOr<Value> KernelFunction::getScalar(Value scalar, Operation *user) {
  if (Value known = mapping.lookupOrNull(scalar))
    return known;
  if (Value extent = getExtent(builder, user->getLoc(), scalar)) {
    mapping.map(scalar, extent);
    return extent;
  }
  Operation *op = scalar.getDefiningOp();
  if (!op || op->getNumRegions() != 0 || !isMemoryEffectFree(op))
    return user->emitError("expected scalars that depend on dimensions only");
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType())
            ? failed(getTensor(operand))
            : failed(getScalar(operand, user)))
      return failure();
  return builder.clone(*op, mapping)
      ->getResult(cast<OpResult>(scalar).getResultNumber());
}

FailureOr<Value> KernelFunction::getTensor(Value tensor) {
  if (Value known = mapping.lookupOrNull(tensor))
    return known;
  if (failed(clone(tensor.getDefiningOp())))
    return failure();
  return mapping.lookup(tensor);
}

/// Repeats an op whose operands may have to be repeated first.
LogicalResult KernelFunction::clone(Operation *op) {
  for (Value use : getUses(op))
    if (isa<RankedTensorType>(use.getType()) ? failed(getTensor(use))
                                             : failed(getScalar(use, op)))
      return failure();
  Operation *copy = builder.clone(*op, mapping);
  for (StringRef name : {kSiteAttrName, kKernelAttrName})
    copy->removeAttr(name);
  return success();
}

/// Results, what is repeated, and inputs.
void KernelFunction::collect() {
  for (Operation *op : group.ops)
    for (Value result : op->getResults())
      if (isNeededOutside(result))
        results.push_back(getReturnedView(result));
  for (Operation *op : group.ops)
    collectInputs(op);
  for (Value result : results)
    collectInputs(result);
  addExtents();
  for (Operation *op : repeated)
    for (Value use : getUses(op))
      collectExtents(use);
}

func::FuncOp KernelFunction::createFunction(Location loc) {
  SmallVector<Type> argumentTypes, resultTypes;
  for (Value input : inputs)
    argumentTypes.push_back(input.getType());
  for (Value result : results)
    resultTypes.push_back(result.getType());
  llvm::append_range(argumentTypes, resultTypes);
  auto function = func::FuncOp::create(
      loc, "kernel", builder.getFunctionType(argumentTypes, resultTypes));
  body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  for (auto [input, argument] :
       llvm::zip(inputs.getArrayRef(), body->getArguments()))
    mapping.map(input, argument);
  return function;
}

/// Results are written to the arguments behind the inputs.
void KernelFunction::writeToInits(ValueRange returned) {
  for (auto [i, value] : llvm::enumerate(returned)) {
    auto dps = value.getDefiningOp<DestinationStyleOpInterface>();
    if (!dps)
      continue;
    OpOperand *init = dps.getTiedOpOperand(cast<OpResult>(value));
    if (init->get().getDefiningOp<tensor::EmptyOp>())
      init->set(body->getArgument(inputs.size() + i));
  }
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*body)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

FailureOr<func::FuncOp> KernelFunction::build() {
  collect();
  Location loc = group.ops.front()->getLoc();
  OwningOpRef<func::FuncOp> function = createFunction(loc);
  for (Operation *op : group.ops)
    for (Value result : op->getResults())
      if (failed(getTensor(result)))
        return failure();
  SmallVector<Value> returned;
  for (Value result : results) {
    FailureOr<Value> value = getTensor(result);
    if (failed(value))
      return failure();
    returned.push_back(*value);
  }
  func::ReturnOp::create(builder, loc, returned);
  writeToInits(returned);
  return function.release();
}

//===----------------------------------------------------------------------===//
// All functions
//===----------------------------------------------------------------------===//

static void printExtents(llvm::raw_ostream &os, ArrayRef<int64_t> extents) {
  llvm::interleave(
      extents, os,
      [&](int64_t extent) {
        if (ShapedType::isDynamic(extent))
          os << 'd';
        else
          os << extent;
      },
      "x");
}

/// What a kernel is called: what it is made of, and how large that is.
static std::string getName(const Group &group, ArrayRef<Value> results) {
  std::string name;
  llvm::raw_string_ostream os(name);
  os << stringifyKernelSchedule(group.schedule) << "_";
  auto shapeOf = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getShape();
  };
  switch (group.schedule) {
  case KernelSchedule::Stream:
  case KernelSchedule::Matmul: {
    Operation *root = group.roots.front();
    SmallVector<int64_t> extents;
    if (group.roots.size() > 1)
      extents.push_back(group.roots.size());
    if (auto matmul = dyn_cast<ScaledMatmulOp>(root))
      llvm::append_range(extents, matmul.getRhsType()
                                      ? matmul.getRhsType().getShape()
                                      : shapeOf(matmul.getInputs().back()));
    else
      llvm::append_range(extents, shapeOf(root->getResult(0)));
    printExtents(os, extents);
    break;
  }
  case KernelSchedule::Row:
    if (group.sealed)
      os << "all";
    else
      printExtents(
          os,
          getConstantIntValue(group.columns).value_or(ShapedType::kDynamic));
    break;
  case KernelSchedule::Attention:
    printExtents(os, shapeOf(group.roots.front()->getResult(0)));
    break;
  case KernelSchedule::Block:
  case KernelSchedule::Element:
    if (results.empty() || shapeOf(results.front()).empty())
      os << "0d";
    else
      printExtents(os, shapeOf(results.front()));
    break;
  }
  return name;
}

/// Threads of a CTA. One row alone leaves the chip idle: it is shared by as
/// many threads as it has runs of eight columns.
static int64_t getThreads(const Group &group) {
  constexpr int64_t kThreads = 128, kMaxThreads = 1024, kRun = 8;
  std::optional<int64_t> columns =
      group.columns ? getConstantIntValue(group.columns) : std::nullopt;
  bool isOneRow = llvm::any_of(group.alignments, [](auto &entry) {
    auto type = dyn_cast<RankedTensorType>(entry.first.getType());
    return entry.second == Alignment::PerRow && type && type.hasStaticShape() &&
           type.getNumElements() == 1;
  });
  if (group.schedule != KernelSchedule::Row || !columns || !isOneRow)
    return kThreads;
  return std::clamp<int64_t>(llvm::bit_floor(uint64_t(*columns / kRun)),
                             kThreads, kMaxThreads);
}

/// How a kernel is generated if nobody has chosen.
static ArrayAttr getKernels(const Group &group) {
  if (group.kernels)
    return group.kernels;
  MLIRContext *context = group.ops.front()->getContext();
  SmallVector<int64_t> tile, warps;
  int64_t stages = 1;
  if (group.schedule == KernelSchedule::Matmul) {
    tile = {64, 64, 64};
    warps = {2, 2, 1};
    stages = 3;
  }
  Attribute kernel =
      KernelAttr::get(context, group.schedule, getThreads(group), tile, warps,
                      stages, /*swapped=*/false, /*maxRows=*/0, /*clusters=*/1);
  return ArrayAttr::get(context, kernel);
}

KernelOutliner::KernelOutliner(ModuleOp module) : module(module) {}

/// The function itself, or one that is equal to it.
func::FuncOp KernelOutliner::insert(func::FuncOp kernel) {
  std::string name = kernel.getName().str();
  kernel.setName("kernel");
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel.print(stream, OpPrintingFlags().useLocalScope());
  func::FuncOp &same = known[text];
  if (same) {
    kernel.erase();
    return same;
  }
  if (!kernels) {
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    kernels = ModuleOp::create(builder, module.getLoc(), kKernelsName);
  }
  unsigned number = names[name]++;
  kernel.setName(number == 0 ? name : name + "_" + std::to_string(number));
  kernels.push_back(kernel);
  ++numKernels;
  return same = kernel;
}

FailureOr<DispatchOp> KernelOutliner::dispatch(OpBuilder &builder,
                                               DispatchPlan &plan,
                                               const Group &group,
                                               ExtentResolver &extents) {
  KernelFunction function(plan, group, extents);
  FailureOr<func::FuncOp> built = function.build();
  if (failed(built))
    return failure();
  built->setName(getName(group, function.getResults()));
  (*built)->setAttr(kKernelAttrName, getKernels(group));
  func::FuncOp kernel = insert(*built);

  Location loc = group.ops.front()->getLoc();
  SmallVector<Value> inits;
  SmallVector<Type> types;
  for (Value result : function.getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    types.push_back(type);
    inits.push_back(tensor::EmptyOp::create(builder, loc, type,
                                            extents.getDynamic(result)));
  }
  auto nested = FlatSymbolRefAttr::get(kernel.getNameAttr());
  auto symbol = SymbolRefAttr::get(builder.getContext(), kKernelsName, nested);
  auto dispatch = DispatchOp::create(builder, loc, types, symbol,
                                     function.getInputs(), inits);
  for (Operation *root : group.ops)
    if (Attribute site = root->getAttr(kSiteAttrName))
      if (!dispatch->hasAttr(kSiteAttrName))
        dispatch->setAttr(kSiteAttrName, site);
  for (auto [result, value] :
       llvm::zip_equal(function.getResults(), dispatch.getResults()))
    replacements.emplace_back(result, value);
  ++numDispatches;
  return dispatch;
}

LogicalResult KernelOutliner::outline(func::FuncOp func, DispatchPlan &plan,
                                      ExtentResolver &extents) {
  Block &block = func.getBody().front();
  // Host code behind the last kernel that it depends on, as early as possible.
  std::vector<SmallVector<Operation *>> stages(plan.getGroups().size() + 1);
  SmallVector<Operation *> moved;
  OpBuilder builder(block.getTerminator());
  std::vector<DispatchOp> dispatches;
  for (const std::unique_ptr<Group> &group : plan.getGroups()) {
    FailureOr<DispatchOp> made = dispatch(builder, plan, *group, extents);
    if (failed(made))
      return failure();
    dispatches.push_back(*made);
  }
  llvm::SmallPtrSet<Operation *, 16> isDispatch(dispatches.begin(),
                                                dispatches.end());
  for (Operation &op : block.without_terminator()) {
    Role role = getRole(&op);
    if (isDispatch.contains(&op))
      continue;
    if (plan.getGroup(&op) || role == Role::Mover)
      moved.push_back(&op);
    else
      stages[plan.getOrder(&op) + 1].push_back(&op);
  }
  for (auto [result, value] : replacements)
    result.replaceAllUsesWith(value);
  replacements.clear();
  for (auto [stage, ops] : llvm::enumerate(stages)) {
    if (stage > 0) {
      DispatchOp dispatch = dispatches[stage - 1];
      for (Value init : dispatch.getInits())
        init.getDefiningOp()->moveBefore(block.getTerminator());
      dispatch->moveBefore(block.getTerminator());
    }
    for (Operation *op : ops)
      op->moveBefore(block.getTerminator());
  }
  for (Operation *op : llvm::reverse(moved)) {
    op->dropAllUses();
    op->erase();
  }
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
  return success();
}

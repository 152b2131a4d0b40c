//===- HoistPacking.cpp - Move what prepares a weight out of the entry ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes one packing function of each value that depends on weights alone, by
// the grammar of WeightAnalysis, and an entry argument of its result.
//
// Expects: explicit quantization, static shapes of weights.
// Leaves:  packing functions, and entries that read their results.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "SinkWeightCasts.h"

#include "nvfp4/Target/Package/ExtractPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace nvfp4 {
#define GEN_PASS_DEF_HOISTPACKINGPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

static remark::RemarkOpts getRemarkOpts() {
  return remark::RemarkOpts::name("HoistPacking").category("nvfp4");
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// What a plain packed tensor is, next to its source's name.
static std::string describeView(const PackingPlan &plan) {
  std::string text;
  int64_t sourceElements = getNumElements(plan.sources[0].shape);
  if (plan.sources.size() > 1)
    text = ".concat";
  else if (plan.read.view.isWholeSource(sourceElements))
    text = "";
  else if (plan.read.view.isPermutation(sourceElements))
    text = ".transposed";
  else if (plan.getNumElements() < sourceElements)
    text = ".slice";
  else
    text = ".view";
  if (!plan.read.casts.empty())
    text += "." + StringRef(getDTypeName(plan.read.getDType()).data(),
                            getDTypeName(plan.read.getDType()).size())
                      .lower();
  return text;
}

namespace {

/// Gives packed tensors names that no other tensor of the package has.
class PackedNames {
public:
  /// Takes the name of a tensor that is carried as it is.
  void reserve(StringRef name) { taken.insert(name); }

  /// The readable name for what a plan makes: the weight's own if it is free
  /// and the tensor is quantized, else with what tells it from others.
  std::string choose(const PackingPlan &plan, Type type) {
    std::string base = plan.sources[0].name;
    SmallVector<std::string> candidates = {base + describeView(plan)};
    if (plan.quantize) {
      std::string format = "." + std::string(plan.quantize->format.name);
      candidates = {base, base + format, base + format + describeView(plan)};
    }
    for (const std::string &candidate : candidates)
      if (take(candidate, type))
        return candidate;
    for (int64_t number = 2;; ++number) {
      std::string candidate = candidates.back() + "." + std::to_string(number);
      if (take(candidate, type))
        return candidate;
    }
  }

private:
  bool take(const std::string &name, Type type) {
    if (taken.contains(name))
      return false;
    std::vector<TensorSpec> components = getComponents(type, name);
    for (const TensorSpec &component : components)
      if (taken.contains(component.name))
        return false;
    taken.insert(name);
    for (const TensorSpec &component : components)
      taken.insert(component.name);
    return true;
  }

  llvm::StringSet<> taken;
};

//===----------------------------------------------------------------------===//
// One entry
//===----------------------------------------------------------------------===//

/// Decides which values of one entry function are packed.
class EntryAnalysis {
public:
  explicit EntryAnalysis(func::FuncOp entry) : entry(entry) {}

  /// Finds `getPacked` and emits remarks on what stays.
  void run();
  func::FuncOp getEntry() const { return entry; }
  WeightAnalysis &getWeights() { return weights; }
  /// Values that become results of packing functions, in program order.
  ArrayRef<Value> getPacked() const { return packed; }
  /// Names of the weights that ops of the entry read as they are.
  const llvm::StringSet<> &getRawWeights() const { return rawWeights; }
  int64_t getNumStayed() const { return numStayed; }

private:
  void requireOperands(Operation *op);
  bool isWorthPacking(Value value);
  void explainStaying();

  func::FuncOp entry;
  WeightAnalysis weights;
  llvm::SetVector<Value> required;
  llvm::StringSet<> rawWeights;
  llvm::DenseSet<Operation *> staying;
  SmallVector<Value> packed;
  int64_t numStayed = 0;
};

} // namespace

/// Operands of an op, those of nested ops that come from outside included.
static llvm::SetVector<Value> getAllOperands(Operation *op) {
  llvm::SetVector<Value> operands(op->operand_begin(), op->operand_end());
  if (op->getNumRegions() > 0)
    getUsedValuesDefinedAbove(op->getRegions(), operands);
  return operands;
}

void EntryAnalysis::run() {
  // Ops that are no part of a chain stay, and require their operands.
  SmallVector<Operation *> ops;
  for (Block &block : entry.getBody())
    for (Operation &op : block)
      ops.push_back(&op);
  for (Operation *op : ops) {
    bool isPart = op->getNumResults() == 1 && weights.get(op->getResult(0));
    if (!isPart)
      requireOperands(op);
  }
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (required.contains(result))
        packed.push_back(result);
  explainStaying();
}

/// Of each operand that is made of weights: pack it, or let its op stay.
void EntryAnalysis::requireOperands(Operation *op) {
  for (Value operand : getAllOperands(op)) {
    if (!weights.get(operand) || required.contains(operand))
      continue;
    Operation *def = operand.getDefiningOp();
    if (!def) {
      unsigned number = cast<BlockArgument>(operand).getArgNumber();
      rawWeights.insert(
          entry.getArgAttrOfType<StringAttr>(number, kWeightAttrName));
      continue;
    }
    if (staying.contains(def))
      continue;
    if (isWorthPacking(operand)) {
      required.insert(operand);
      continue;
    }
    staying.insert(def);
    requireOperands(def);
  }
}

bool EntryAnalysis::isWorthPacking(Value value) {
  const WeightValue &known = *weights.get(value);
  if (known.kind == WeightValue::Kind::GlobalScale)
    return false;
  PackingPlan plan = weights.makePlan(value, "");
  if (plan.sources.empty())
    return false; // no elements
  // A reshape moves no byte: the weight itself serves everyone.
  if (known.kind == WeightValue::Kind::Plain && plan.read.casts.empty() &&
      plan.sources.size() == 1 &&
      plan.read.view.isWholeSource(getNumElements(plan.sources[0].shape)))
    return false;
  if (plan.getBytesAfter() <= plan.getSourceBytes())
    return true;
  std::string reason = ("not packed: its " + Twine(plan.getBytesAfter()) +
                        " bytes would be more than the " +
                        Twine(plan.getSourceBytes()) + " bytes of its sources")
                           .str();
  remark::missed(value.getLoc(), getRemarkOpts()) << reason;
  return false;
}

/// Emits a missed remark for each op that only computes on weights, but is no
/// part of the grammar.
void EntryAnalysis::explainStaying() {
  llvm::DenseSet<Value> onlyWeights;
  for (auto [index, argument] : llvm::enumerate(entry.getArguments()))
    if (entry.getArgAttr(index, kWeightAttrName))
      onlyWeights.insert(argument);
  for (Block &block : entry.getBody())
    for (Operation &op : block) {
      if (op.hasTrait<OpTrait::IsTerminator>() || !isMemoryEffectFree(&op))
        continue;
      bool hasWeight = false, hasOther = false;
      for (Value operand : getAllOperands(&op)) {
        Operation *def = operand.getDefiningOp();
        if (onlyWeights.contains(operand))
          hasWeight = true;
        else if (!def || !(def->hasTrait<OpTrait::ConstantLike>() ||
                           isa<tensor::EmptyOp>(def)))
          hasOther = true;
      }
      if (!hasWeight || hasOther)
        continue;
      // A dynamic result depends on the input's extents, as a bias that is
      // broadcast to the batch does; that is no work to be saved.
      auto isStatic = [](Type type) {
        auto shaped = dyn_cast<ShapedType>(type);
        return shaped && shaped.hasStaticShape();
      };
      if (op.getNumResults() == 0 ||
          !llvm::all_of(op.getResultTypes(), isStatic))
        continue;
      onlyWeights.insert(op.result_begin(), op.result_end());
      if (op.getNumResults() == 1 && weights.get(op.getResult(0)))
        continue;
      ++numStayed;
      std::string reason = op.getNumResults() == 1
                               ? weights.getReason(op.getResult(0)).str()
                               : "";
      if (reason.empty())
        reason = ("'" + op.getName().getStringRef() +
                  "' is no view, cast or quantize")
                     .str();
      reason = "computed from weights in every run: " + reason;
      remark::missed(op.getLoc(), getRemarkOpts()) << reason;
    }
}

//===----------------------------------------------------------------------===//
// Packing functions
//===----------------------------------------------------------------------===//

/// "pack." and the packed tensor's name, in letters that a symbol is printed
/// with unquoted.
static std::string getSymbolName(StringRef packedName) {
  std::string symbol = "pack.";
  for (char c : packedName)
    symbol += llvm::isAlnum(c) || c == '_' || c == '.' || c == '$' ? c : '_';
  return symbol;
}

/// The ops between weight arguments and `value`, in an order of definition.
/// Destinations are left out: their contents are not read.
static void collectChain(Value value, WeightAnalysis &weights,
                         llvm::SetVector<Operation *> &chain,
                         llvm::SetVector<Value> &arguments) {
  Operation *op = value.getDefiningOp();
  if (!op) {
    arguments.insert(value);
    return;
  }
  if (chain.contains(op))
    return;
  auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
  for (OpOperand &operand : op->getOpOperands())
    if (!destinations || !destinations.isDpsInit(&operand))
      collectChain(operand.get(), weights, chain, arguments);
  chain.insert(op);
}

/// Makes `@pack.…`, which computes `value` from weights, at the end of the
/// module.
static func::FuncOp makePackFunction(EntryAnalysis &analysis, Value value,
                                     StringRef name, SymbolTable &symbols) {
  llvm::SetVector<Operation *> chain;
  llvm::SetVector<Value> arguments;
  collectChain(value, analysis.getWeights(), chain, arguments);
  SmallVector<Value> sorted(arguments.begin(), arguments.end());
  llvm::sort(sorted, [](Value a, Value b) {
    return cast<BlockArgument>(a).getArgNumber() <
           cast<BlockArgument>(b).getArgNumber();
  });

  MLIRContext *context = value.getContext();
  OpBuilder builder(context);
  auto type =
      builder.getFunctionType(TypeRange(ValueRange(sorted)), value.getType());
  auto function =
      func::FuncOp::create(value.getLoc(), getSymbolName(name), type);
  function.setPrivate();
  function->setAttr(kPackAttrName, builder.getStringAttr(name));
  Block *body = function.addEntryBlock();
  IRMapping mapping;
  for (auto [index, argument] : llvm::enumerate(sorted)) {
    unsigned number = cast<BlockArgument>(argument).getArgNumber();
    function.setArgAttr(
        index, kWeightAttrName,
        analysis.getEntry().getArgAttr(number, kWeightAttrName));
    body->getArgument(index).setLoc(argument.getLoc());
    mapping.map(argument, body->getArgument(index));
  }
  builder.setInsertionPointToEnd(body);
  for (Operation *op : chain) {
    if (auto destinations = dyn_cast<DestinationStyleOpInterface>(op))
      for (Value init : destinations.getDpsInits()) {
        auto initType = cast<RankedTensorType>(init.getType());
        mapping.map(init, tensor::EmptyOp::create(
                              builder, op->getLoc(), initType.getShape(),
                              initType.getElementType(), initType.getEncoding())
                              .getResult());
      }
    builder.clone(*op, mapping);
  }
  func::ReturnOp::create(builder, value.getLoc(), mapping.lookup(value));
  symbols.insert(function);
  return function;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Arguments for one weight with one type become one.
static void mergeWeightArguments(func::FuncOp entry) {
  llvm::DenseMap<std::pair<Attribute, Type>, Value> first;
  for (auto [index, argument] : llvm::enumerate(entry.getArguments()))
    if (Attribute name = entry.getArgAttr(index, kWeightAttrName)) {
      auto [it, isNew] =
          first.try_emplace({name, argument.getType()}, argument);
      if (!isNew)
        argument.replaceAllUsesWith(it->second);
    }
}

static void eraseUnusedWeights(func::FuncOp entry) {
  llvm::BitVector unused(entry.getNumArguments());
  for (auto [index, argument] : llvm::enumerate(entry.getArguments()))
    if (entry.getArgAttr(index, kWeightAttrName) && argument.use_empty())
      unused.set(index);
  LogicalResult erased = entry.eraseArguments(unused);
  assert(succeeded(erased) && "arguments of a function can be erased");
  (void)erased;
}

/// Erases ops without uses, users before what they use.
static void eraseDeadOps(func::FuncOp entry) {
  for (Block &block : llvm::reverse(entry.getBody()))
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
}

namespace {

class HoistPacking final
    : public nvfp4::impl::HoistPackingPassBase<HoistPacking> {
public:
  using HoistPackingPassBase::HoistPackingPassBase;
  void runOnOperation() override;

private:
  void hoist(EntryAnalysis &analysis, PackedNames &names, SymbolTable &symbols);

  /// By the key of the plan.
  llvm::StringMap<func::FuncOp> packFunctions;
};

} // namespace

void HoistPacking::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  packFunctions.clear();
  // Names depend on all entries: a weight that one of them reads as it is has
  // its name in the package.
  std::vector<std::unique_ptr<EntryAnalysis>> analyses;
  PackedNames names;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (auto name = function->getAttrOfType<StringAttr>(kPackAttrName))
      names.reserve(name);
    if (!function.isPublic() || function.isExternal())
      continue;
    mergeWeightArguments(function);
    sinkWeightCasts(function);
    eraseDeadOps(function);
    analyses.push_back(std::make_unique<EntryAnalysis>(function));
    analyses.back()->run();
    numStayed += analyses.back()->getNumStayed();
    for (const auto &name : analyses.back()->getRawWeights())
      names.reserve(name.getKey());
  }
  for (auto &analysis : analyses)
    hoist(*analysis, names, symbols);
}

void HoistPacking::hoist(EntryAnalysis &analysis, PackedNames &names,
                         SymbolTable &symbols) {
  func::FuncOp entry = analysis.getEntry();
  // All functions first: chains overlap.
  SmallVector<func::FuncOp> functions;
  for (Value value : analysis.getPacked()) {
    PackingPlan plan = analysis.getWeights().makePlan(value, "");
    func::FuncOp &function = packFunctions[plan.getKey()];
    if (!function) {
      std::string name = names.choose(plan, value.getType());
      function = makePackFunction(analysis, value, name, symbols);
      ++numPacked;
      remark::passed(value.getLoc(), getRemarkOpts())
          << "packed as '" + name + "'";
    }
    functions.push_back(function);
  }
  llvm::DenseMap<Operation *, Value> arguments;
  for (auto [packedValue, function] :
       llvm::zip_equal(analysis.getPacked(), functions)) {
    Value value = packedValue;
    Value &argument = arguments[function];
    if (!argument) {
      unsigned index = entry.getNumArguments();
      NamedAttribute packed(StringAttr::get(&getContext(), kPackedAttrName),
                            FlatSymbolRefAttr::get(function));
      LogicalResult inserted = entry.insertArgument(
          index, value.getType(), DictionaryAttr::get(&getContext(), packed),
          value.getLoc());
      assert(succeeded(inserted) && "a function takes more arguments");
      (void)inserted;
      argument = entry.getArgument(index);
    }
    value.replaceAllUsesWith(argument);
  }
  eraseDeadOps(entry);
  eraseUnusedWeights(entry);
}

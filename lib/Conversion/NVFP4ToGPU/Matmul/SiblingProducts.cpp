//===- SiblingProducts.cpp - Products that share a launch -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splits a body into one part per product and lets the generator make a kernel
// of each. Parts that differ in their arguments alone are one kernel that picks
// its pointers by the block's y; different ones stand in branches that a whole
// block takes.
//
// Expects: results that each depend on one product; kernels whose blocks lie
//          along x.
// Leaves:  one function.
//
//===----------------------------------------------------------------------===//

#include "SiblingProducts.h"

#include "TensorMapPath.h"

#include "nvfp4/Conversion/DeviceImages.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace nvfp4 {
namespace {

/// What one product gives, as a function of its own while kernels are made.
struct Part {
  OwningOpRef<func::FuncOp> body;
  /// Of each argument: its position in the whole body.
  SmallVector<unsigned> arguments;
};

/// Parts that are equal but for arguments.
struct PartClass {
  SmallVector<Part *> parts;
  KernelVariant variant;
};

class SiblingProducts {
public:
  SiblingProducts(const KernelRequest &request, ArrayRef<Operation *> products)
      : request(request), body(request.body), products(products) {}
  ~SiblingProducts() {
    for (PartClass &partClass : classes)
      if (partClass.variant.function)
        partClass.variant.function->destroy();
  }

  LogicalResult split();
  LogicalResult generate(
      function_ref<FailureOr<KernelVariant>(const KernelRequest &)> generator);
  KernelVariant merge();

private:
  Part makePart(ArrayRef<unsigned> results);
  SmallVector<unsigned> getParameters(const Part &part);
  SmallVector<AffineExpr> getExtents(const Part &part);
  SmallVector<Value> getArguments(gpu::GPUFuncOp whole, const Part &part,
                                  gpu::GPUFuncOp function);
  void emitClass(KernelBuilder &kernel, PartClass &partClass, unsigned first);

  const KernelRequest &request;
  func::FuncOp body;
  ArrayRef<Operation *> products;
  std::vector<Part> parts;
  SmallVector<PartClass, 0> classes;
};

} // namespace

/// Moves an op to the end of its block, behind whatever it uses there.
static void moveToEnd(Operation *op,
                      llvm::SmallPtrSetImpl<Operation *> &moved) {
  if (!moved.insert(op).second)
    return;
  Block *block = op->getBlock();
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (Operation *used = operand.getDefiningOp())
        if (used->getBlock() == block)
          moveToEnd(used, moved);
  });
  op->moveBefore(block, block->end());
}

/// A function that computes some results of the whole body, and nothing else.
/// Inits of other results, whose extents may be read, become inputs.
Part SiblingProducts::makePart(ArrayRef<unsigned> results) {
  Block &whole = body.front();
  unsigned numInputs = body.getNumArguments() - body.getNumResults();
  Part part;
  for (unsigned i = 0; i < body.getNumArguments(); ++i)
    if (i < numInputs || !llvm::is_contained(results, i - numInputs))
      part.arguments.push_back(i);
  unsigned firstInit = part.arguments.size();
  for (unsigned result : results)
    part.arguments.push_back(numInputs + result);

  SmallVector<Type> inputTypes, resultTypes;
  for (unsigned argument : part.arguments)
    inputTypes.push_back(body.getArgumentTypes()[argument]);
  for (unsigned result : results)
    resultTypes.push_back(body.getResultTypes()[result]);
  OpBuilder builder(body.getContext());
  part.body =
      func::FuncOp::create(builder, body.getLoc(), body.getName(),
                           builder.getFunctionType(inputTypes, resultTypes));
  (*part.body)
      ->setAttr(kSharesParametersName,
                builder.getI64IntegerAttr(products.size()));
  Block *block = part.body->addEntryBlock();
  builder.setInsertionPointToStart(block);

  IRMapping mapping;
  for (auto [i, argument] : llvm::enumerate(part.arguments))
    mapping.map(whole.getArgument(argument), block->getArgument(i));
  for (Operation &op : whole.without_terminator())
    builder.clone(op, mapping)->removeAttr(kSiteAttrName);
  SmallVector<Value> values;
  for (unsigned result : results)
    values.push_back(mapping.lookup(whole.getTerminator()->getOperand(result)));
  func::ReturnOp::create(builder, body.getLoc(), values);
  SmallVector<Operation *> ops;
  for (Operation &op : block->without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      op->erase();
  // What siblings share stood before the first of them: in the order of uses,
  // equal parts look alike.
  llvm::SmallPtrSet<Operation *, 16> moved;
  moveToEnd(block->getTerminator(), moved);

  llvm::BitVector unused(part.arguments.size());
  for (unsigned i = 0; i < firstInit; ++i)
    if (block->getArgument(i).use_empty())
      unused.set(i);
  (void)part.body->eraseArguments(unused);
  for (unsigned i = firstInit; i-- > 0;)
    if (unused.test(i))
      part.arguments.erase(part.arguments.begin() + i);
  return part;
}

LogicalResult SiblingProducts::split() {
  for (Operation *product : products.drop_front())
    if (product->getOperand(0) != products[0]->getOperand(0) ||
        product->getResultTypes() != products[0]->getResultTypes())
      return product->emitOpError("expected the left operand and the type of "
                                  "the first product of the kernel");

  llvm::MapVector<Operation *, SmallVector<unsigned>> results;
  BackwardSliceOptions options;
  options.inclusive = true;
  for (OpOperand &operand : body.front().getTerminator()->getOpOperands()) {
    SetVector<Operation *> slice;
    if (failed(getBackwardSlice(operand.get(), &slice, options)))
      return operand.getOwner()->emitOpError("expected values of the body");
    SmallVector<Operation *> used = llvm::filter_to_vector(
        products, [&](Operation *product) { return slice.contains(product); });
    if (used.size() != 1)
      return operand.getOwner()->emitOpError(
                 "expected results that depend on one product each, but got "
                 "one that depends on ")
             << used.size();
    results[used.front()].push_back(operand.getOperandNumber());
  }
  for (auto &[product, numbers] : results)
    parts.push_back(makePart(numbers));
  return success();
}

LogicalResult SiblingProducts::generate(
    function_ref<FailureOr<KernelVariant>(const KernelRequest &)> generator) {
  for (Part &part : parts) {
    auto *equal = llvm::find_if(classes, [&](PartClass &other) {
      func::FuncOp first = *other.parts.front()->body;
      return first.getFunctionType() == part.body->getFunctionType() &&
             OperationEquivalence::isRegionEquivalentTo(
                 &first.getBody(), &part.body->getBody(),
                 OperationEquivalence::IgnoreLocations);
    });
    if (equal != classes.end())
      equal->parts.push_back(&part);
    else
      classes.push_back({{&part}, KernelVariant()});
  }
  for (PartClass &partClass : classes) {
    FailureOr<KernelVariant> variant =
        generator({*partClass.parts.front()->body, request.attr,
                   request.name + "_part", request.module, request.chip});
    if (failed(variant))
      return failure();
    partClass.variant = *variant;
    // Out of the way of the next one.
    variant->function->remove();
    AffineMap grid = variant->grid;
    auto isOne = [&](unsigned axis) {
      auto constant = dyn_cast<AffineConstantExpr>(grid.getResult(axis));
      return constant && constant.getValue() == 1;
    };
    if (!isOne(1) || !isOne(2) || !variant->function.getBody().hasOneBlock())
      return body.emitError("expected kernels with blocks along x for products "
                            "that share a launch");
  }
  return success();
}

/// The parameters of the whole kernel that serve as those of a part's.
SmallVector<unsigned> SiblingProducts::getParameters(const Part &part) {
  SmallVector<unsigned> firstExtents;
  unsigned next = body.getNumArguments();
  for (Type type : body.getArgumentTypes()) {
    firstExtents.push_back(next);
    next += cast<ShapedType>(type).getNumDynamicDims();
  }
  SmallVector<unsigned> parameters(part.arguments);
  for (unsigned argument : part.arguments) {
    auto type = cast<ShapedType>(body.getArgumentTypes()[argument]);
    for (size_t i = 0; i < type.getNumDynamicDims(); ++i)
      parameters.push_back(firstExtents[argument] + i);
  }
  return parameters;
}

/// The extents of a part's maps and sets, as those of the whole kernel, which
/// count from the first one.
SmallVector<AffineExpr> SiblingProducts::getExtents(const Part &part) {
  SmallVector<AffineExpr> dims;
  for (unsigned parameter : getParameters(part))
    if (parameter >= body.getNumArguments())
      dims.push_back(getAffineDimExpr(parameter - body.getNumArguments(),
                                      body.getContext()));
  return dims;
}

/// What stands for the parameters of a part's kernel, `function`. Tensor maps
/// are described again, for the whole kernel's operands.
SmallVector<Value> SiblingProducts::getArguments(gpu::GPUFuncOp whole,
                                                 const Part &part,
                                                 gpu::GPUFuncOp function) {
  SmallVector<Value> arguments;
  for (unsigned parameter : getParameters(part))
    arguments.push_back(whole.getArgument(parameter));
  auto maps = function->getAttrOfType<ArrayAttr>(kTensorMapsName);
  if (!maps)
    return arguments;
  Builder builder(body.getContext());
  SmallVector<AffineExpr> dims = getExtents(part);
  unsigned numExtents = 0;
  for (Type type : body.getArgumentTypes())
    numExtents += cast<ShapedType>(type).getNumDynamicDims();
  for (auto map : maps.getAsRange<DictionaryAttr>()) {
    NamedAttrList fields(map);
    int64_t operand = map.getAs<IntegerAttr>("operand").getInt();
    fields.set("operand", builder.getI64IntegerAttr(part.arguments[operand]));
    for (StringRef name : {"dims", "strides"}) {
      AffineMap exprs = map.getAs<AffineMapAttr>(name).getValue();
      fields.set(name, AffineMapAttr::get(exprs.replaceDimsAndSymbols(
                           dims, {}, numExtents, /*numResultSyms=*/0)));
    }
    arguments.push_back(
        addTensorMap(whole, fields.getDictionary(builder.getContext())));
  }
  return arguments;
}

/// Clones the kernel of a class for the blocks from y = `first` on.
void SiblingProducts::emitClass(KernelBuilder &kernel, PartClass &partClass,
                                unsigned first) {
  ImplicitLocOpBuilder &builder = kernel.getBuilder();
  Value y = kernel.getBlockId(1);
  auto compare = [&](arith::CmpIPredicate predicate, unsigned number) -> Value {
    Value constant = arith::ConstantIntOp::create(builder, number, 32);
    return arith::CmpIOp::create(builder, predicate, y, constant);
  };
  OpBuilder::InsertionGuard guard(builder);
  if (classes.size() > 1) {
    Value isHere = compare(arith::CmpIPredicate::eq, first);
    for (unsigned i = 1; i < partClass.parts.size(); ++i)
      isHere = arith::OrIOp::create(
          builder, isHere, compare(arith::CmpIPredicate::eq, first + i));
    auto branch = scf::IfOp::create(builder, isHere, /*withElseRegion=*/false);
    builder.setInsertionPointToStart(branch.thenBlock());
  }

  gpu::GPUFuncOp whole = kernel.getFunction();
  gpu::GPUFuncOp function = partClass.variant.function;
  SmallVector<SmallVector<Value>> arguments =
      llvm::map_to_vector(partClass.parts, [&](Part *part) {
        return getArguments(whole, *part, function);
      });
  IRMapping mapping;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    Value value = arguments.back()[i];
    for (unsigned j = arguments.size() - 1; j-- > 0;) {
      Value other = arguments[j][i];
      if (other != value)
        value = arith::SelectOp::create(
            builder, compare(arith::CmpIPredicate::eq, first + j), other,
            value);
    }
    mapping.map(function.getArgument(i), value);
  }
  for (Operation &op : function.getBody().front().without_terminator())
    builder.clone(op, mapping);
  function->destroy();
  partClass.variant.function = nullptr;
}

KernelVariant SiblingProducts::merge() {
  KernelBuilder kernel(request);
  MLIRContext *context = body.getContext();
  const PartClass &model = classes.front();
  SmallVector<AffineExpr> dims = getExtents(*model.parts.front());

  KernelVariant variant = model.variant;
  variant.function = kernel.getFunction();
  StringRef blocks = NVVM::NVVMDialect::getMinctasmAttrName();
  if (Attribute least = model.variant.function->getAttr(blocks))
    variant.function->setAttr(blocks, least);
  variant.grid =
      kernel.getGrid(model.variant.grid.getResult(0).replaceDims(dims),
                     getAffineConstantExpr(parts.size(), context),
                     getAffineConstantExpr(1, context));
  if (variant.serves)
    variant.serves = variant.serves.replaceDimsAndSymbols(
        dims, {}, kernel.getNumExtents(), /*numResultSyms=*/0);
  unsigned first = 0;
  for (PartClass &partClass : classes) {
    variant.dynamicSharedBytes = std::max(variant.dynamicSharedBytes,
                                          partClass.variant.dynamicSharedBytes);
    emitClass(kernel, partClass, first);
    first += partClass.parts.size();
  }
  return variant;
}

FailureOr<KernelVariant> generateSiblingProducts(
    const KernelRequest &request, ArrayRef<Operation *> products,
    function_ref<FailureOr<KernelVariant>(const KernelRequest &)> generate) {
  SiblingProducts siblings(request, products);
  if (failed(siblings.split()) || failed(siblings.generate(generate)))
    return failure();
  return siblings.merge();
}

} // namespace nvfp4

//===- ConvertKernels.cpp - From dispatches to launches -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls the generator of each kernel's schedule, and writes on the host which
// variant runs, with how many blocks. The pass chooses nothing: the attributes
// say how a kernel is generated, and its variants say what they serve.
//
// Expects: dispatches on memrefs of identity layout; `module @kernels`.
// Leaves:  `gpu.module @device` and `gpu.launch_func`; neither of the above.
//
//===----------------------------------------------------------------------===//

#include "GridWait.h"
#include "Kernel.h"

#include "nvfp4/Conversion/DeviceImages.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/SymbolTable.h"

namespace nvfp4 {
#define GEN_PASS_DEF_CONVERTNVFP4KERNELSTOGPUPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

static constexpr StringLiteral kKernelsName = "kernels";
static constexpr StringLiteral kDeviceName = "device";
/// Address space of NVPTX.
static constexpr unsigned kGlobalSpace = 1;

using Generator = FailureOr<KernelVariant> (*)(const KernelRequest &);

/// Who makes kernels of a schedule.
static Generator getGenerator(KernelSchedule schedule) {
  switch (schedule) {
  case KernelSchedule::Element:
    return generateElementKernel;
  case KernelSchedule::Row:
    return generateRowKernel;
  case KernelSchedule::Block:
    return generateBlockKernel;
  case KernelSchedule::Matmul:
  case KernelSchedule::Stream:
    return generateMatmulKernel;
  case KernelSchedule::Attention:
    return generateAttentionKernel;
  }
  llvm_unreachable("all schedules are above");
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// A name that PTX takes: letters, digits, underscores.
static std::string legalizeName(StringRef name) {
  std::string result = name.str();
  for (char &c : result)
    if (!llvm::isAlnum(c))
      c = '_';
  if (!llvm::isAlpha(result.front()))
    result.insert(0, "k");
  return result;
}

/// Whether a set holds everywhere or nowhere; nothing if that depends.
static std::optional<bool> evaluate(IntegerSet set) {
  if (!set)
    return true;
  bool isKnown = true;
  for (auto [expr, isEq] :
       llvm::zip_equal(set.getConstraints(), set.getEqFlags())) {
    auto constant = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(expr, set.getNumDims(), set.getNumSymbols()));
    if (!constant)
      isKnown = false;
    else if (isEq ? constant.getValue() != 0 : constant.getValue() < 0)
      return false;
  }
  return isKnown ? std::optional(true) : std::nullopt;
}

namespace {
/// The variants of the kernels of one module.
class KernelTable {
public:
  KernelTable(gpu::GPUModuleOp module, const ChipModel &chip)
      : module(module), chip(chip) {}

  /// Generates the variants of `body`, in the order in which they are tried;
  /// the last one serves everything.
  LogicalResult add(func::FuncOp body);
  ArrayRef<KernelVariant> lookup(StringRef name) const {
    return variants.find(name)->second;
  }
  unsigned getNumKernels() const { return numKernels; }

private:
  FailureOr<KernelVariant> generate(func::FuncOp body, KernelAttr attr,
                                    unsigned index);

  gpu::GPUModuleOp module;
  const ChipModel &chip;
  llvm::StringMap<SmallVector<KernelVariant, 1>> variants;
  unsigned numKernels = 0;
};
} // namespace

FailureOr<KernelVariant>
KernelTable::generate(func::FuncOp body, KernelAttr attr, unsigned index) {
  Generator generator = getGenerator(attr.getSchedule());
  if (!generator)
    return body.emitError("expected a schedule with a generator, but got ")
           << attr;
  std::string name = legalizeName(body.getName());
  if (index != 0)
    name += "_" + std::to_string(index);
  while (module.lookupSymbol(name))
    name += "_";
  FailureOr<KernelVariant> variant =
      generator(KernelRequest{body, attr, name, module, chip});
  if (failed(variant))
    return failure();
  if (variant->dynamicSharedBytes > chip.sharedBytes)
    return body.emitError("expected at most ")
           << chip.sharedBytes << " bytes of shared memory, which is what "
           << chip.name << " has, but " << attr << " takes "
           << variant->dynamicSharedBytes;
  return variant;
}

LogicalResult KernelTable::add(func::FuncOp body) {
  auto attrs = body->getAttrOfType<ArrayAttr>(kKernelAttrName);
  if (!attrs || attrs.empty() ||
      !llvm::all_of(attrs, llvm::IsaPred<KernelAttr>))
    return body.emitError("expected an array of kernel attributes in '")
           << kKernelAttrName << "', but got "
           << body->getAttr(kKernelAttrName);
  SmallVector<KernelVariant, 1> &list = variants[body.getName()];
  for (auto [i, attr] : llvm::enumerate(attrs.getAsRange<KernelAttr>())) {
    FailureOr<KernelVariant> variant = generate(body, attr, i);
    if (failed(variant))
      return failure();
    std::optional<bool> serves = evaluate(variant->serves);
    if (serves == false) {
      variant->function.erase();
      continue;
    }
    ++numKernels;
    list.push_back(*variant);
    if (serves)
      return success();
  }
  return body.emitError("expected the last kernel to serve all extents, but "
                        "got ")
         << attrs;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

namespace {
/// Replaces one dispatch.
class DispatchLowering {
public:
  DispatchLowering(DispatchOp op, func::FuncOp body)
      : op(op), body(body), builder(op.getLoc(), op) {}

  LogicalResult run(ArrayRef<KernelVariant> variants);

private:
  LogicalResult collectArguments();
  void emitVariants(ArrayRef<KernelVariant> variants);
  void emitGuardedLaunch(const KernelVariant &variant);
  void emitLaunch(const KernelVariant &variant, gpu::KernelDim3 grid);
  Value emitServes(IntegerSet set);
  ArrayAttr addTensorMaps(gpu::GPUFuncOp function,
                          SmallVector<Value> &operands);
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, value);
  }

  DispatchOp op;
  func::FuncOp body;
  ImplicitLocOpBuilder builder;
  /// Dynamic extents, in the order of maps and sets.
  SmallVector<Value> extents;
  /// What the kernel gets; the addresses of its buffers, i64.
  SmallVector<Value> arguments, addresses;
};
} // namespace

/// Pointers, then dynamic extents: Kernel.h.
LogicalResult DispatchLowering::collectArguments() {
  SmallVector<Value> operands(op.getInputs());
  llvm::append_range(operands, op.getInits());
  Type i64 = builder.getI64Type();
  auto pointer = LLVM::LLVMPointerType::get(op.getContext(), kGlobalSpace);
  for (auto [operand, type] :
       llvm::zip_equal(operands, body.getArgumentTypes())) {
    auto buffer = dyn_cast<MemRefType>(operand.getType());
    if (!buffer || !buffer.getLayout().isIdentity())
      return op.emitOpError("expected memrefs of identity layout, but got ")
             << operand.getType();
    Value address =
        memref::ExtractAlignedPointerAsIndexOp::create(builder, operand);
    address = arith::IndexCastOp::create(builder, i64, address);
    addresses.push_back(address);
    arguments.push_back(LLVM::IntToPtrOp::create(builder, pointer, address));
    auto shaped = cast<ShapedType>(type);
    for (int64_t dim = 0; dim < shaped.getRank(); ++dim)
      if (shaped.isDynamicDim(dim))
        extents.push_back(memref::DimOp::create(builder, operand, dim));
  }
  for (Value extent : extents)
    arguments.push_back(arith::IndexCastOp::create(builder, i64, extent));
  return success();
}

Value DispatchLowering::emitServes(IntegerSet set) {
  Value all;
  for (auto [expr, isEq] :
       llvm::zip_equal(set.getConstraints(), set.getEqFlags())) {
    Value value = affine::expandAffineExpr(builder, builder.getLoc(), expr,
                                           extents, /*symbolValues=*/{});
    Value holds = arith::CmpIOp::create(
        builder, isEq ? arith::CmpIPredicate::eq : arith::CmpIPredicate::sge,
        value, constant(0));
    all = all ? arith::AndIOp::create(builder, all, holds).getResult() : holds;
  }
  return all;
}

/// Operands for the tensor maps of a kernel: addresses of buffers. Returns what
/// the launch says of them, null if there are none.
ArrayAttr DispatchLowering::addTensorMaps(gpu::GPUFuncOp function,
                                          SmallVector<Value> &operands) {
  auto maps = function->getAttrOfType<ArrayAttr>(kTensorMapsName);
  if (!maps)
    return {};
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  SmallVector<Attribute> numbered;
  for (auto map : maps.getAsRange<DictionaryAttr>()) {
    NamedAttrList fields(map);
    int64_t buffer = map.getAs<IntegerAttr>("operand").getInt();
    fields.set("operand", builder.getI64IntegerAttr(operands.size()));
    numbered.push_back(fields.getDictionary(builder.getContext()));
    operands.push_back(
        LLVM::IntToPtrOp::create(builder, pointer, addresses[buffer]));
  }
  return builder.getArrayAttr(numbered);
}

void DispatchLowering::emitLaunch(const KernelVariant &variant,
                                  gpu::KernelDim3 grid) {
  Value one = constant(1);
  gpu::KernelDim3 block{constant(variant.threads), one, one};
  Value shared;
  if (variant.dynamicSharedBytes != 0)
    shared = arith::ConstantIntOp::create(builder, variant.dynamicSharedBytes,
                                          /*width=*/32);
  std::optional<gpu::KernelDim3> cluster;
  if (variant.clusters != 1)
    cluster = gpu::KernelDim3{constant(variant.clusters), one, one};
  SmallVector<Value> operands(arguments);
  ArrayAttr maps = addTensorMaps(variant.function, operands);
  auto launch = gpu::LaunchFuncOp::create(
      builder, variant.function, grid, block, shared, operands,
      /*asyncTokenType=*/Type(), /*asyncDependencies=*/{}, cluster);
  if (maps)
    launch->setAttr(kTensorMapsName, maps);
  if (waitsForGrid(variant.function))
    launch->setAttr(kProgrammaticLaunchName, builder.getUnitAttr());
}

/// A grid without blocks is no launch: drivers refuse it.
void DispatchLowering::emitGuardedLaunch(const KernelVariant &variant) {
  SmallVector<Value> grid;
  Value isEmpty;
  for (AffineExpr expr : variant.grid.getResults()) {
    grid.push_back(affine::expandAffineExpr(builder, builder.getLoc(), expr,
                                            extents, /*symbolValues=*/{}));
    auto known = dyn_cast<AffineConstantExpr>(expr);
    if (known && known.getValue() != 0)
      continue;
    Value isZero = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq,
                                         grid.back(), constant(0));
    isEmpty = isEmpty
                  ? arith::OrIOp::create(builder, isEmpty, isZero).getResult()
                  : isZero;
  }
  OpBuilder::InsertionGuard guard(builder);
  if (isEmpty) {
    Value isTrue = arith::ConstantIntOp::create(builder, 1, /*width=*/1);
    Value runs = arith::XOrIOp::create(builder, isEmpty, isTrue);
    auto branch = scf::IfOp::create(builder, runs, /*withElseRegion=*/false);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  emitLaunch(variant, {grid[0], grid[1], grid[2]});
}

void DispatchLowering::emitVariants(ArrayRef<KernelVariant> variants) {
  OpBuilder::InsertionGuard guard(builder);
  for (const KernelVariant &variant : variants.drop_back()) {
    auto branch = scf::IfOp::create(builder, emitServes(variant.serves),
                                    /*withElseRegion=*/true);
    builder.setInsertionPointToStart(branch.thenBlock());
    emitGuardedLaunch(variant);
    builder.setInsertionPointToStart(branch.elseBlock());
  }
  emitGuardedLaunch(variants.back());
}

LogicalResult DispatchLowering::run(ArrayRef<KernelVariant> variants) {
  if (failed(collectArguments()))
    return failure();
  emitVariants(variants);
  op.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
class ConvertNVFP4KernelsToGPUPass final
    : public nvfp4::impl::ConvertNVFP4KernelsToGPUPassBase<
          ConvertNVFP4KernelsToGPUPass> {
  using ConvertNVFP4KernelsToGPUPassBase::ConvertNVFP4KernelsToGPUPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    const ChipModel *model = findChip(chip);
    if (!model) {
      module.emitError(describeUnknownChip(chip));
      return signalPassFailure();
    }
    auto kernels = module.lookupSymbol<ModuleOp>(kKernelsName);
    if (!kernels)
      return;
    if (Operation *other = module.lookupSymbol(kDeviceName)) {
      other->emitError("expected no symbol '") << kDeviceName << "' yet";
      return signalPassFailure();
    }
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto device =
        gpu::GPUModuleOp::create(builder, module.getLoc(), kDeviceName);
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    builder.getUnitAttr());
    if (failed(convert(kernels, device, *model)))
      return signalPassFailure();
    kernels.erase();
  }

  LogicalResult convert(ModuleOp kernels, gpu::GPUModuleOp device,
                        const ChipModel &model) {
    KernelTable table(device, model);
    // All errors at once: one per kernel.
    bool isGenerated = true;
    for (auto body : kernels.getOps<func::FuncOp>())
      isGenerated &= succeeded(table.add(body));
    if (!isGenerated)
      return failure();
    numKernels += table.getNumKernels();

    SmallVector<DispatchOp> dispatches;
    getOperation().walk([&](DispatchOp op) { dispatches.push_back(op); });
    for (DispatchOp op : dispatches) {
      auto body = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          op, op.getKernel());
      if (!body || body->getParentOp() != kernels)
        return op.emitOpError("expected a function of '@")
               << kKernelsName << "', but got " << op.getKernel();
      if (failed(DispatchLowering(op, body).run(table.lookup(body.getName()))))
        return failure();
      ++numLaunches;
    }
    return success();
  }
};
} // namespace

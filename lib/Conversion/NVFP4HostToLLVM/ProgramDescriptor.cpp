//===- ProgramDescriptor.cpp - The symbol that program.so exports ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layouts below repeat the structs of ProgramABI.h field by field; the
// assertions tie the two together.
//
//===----------------------------------------------------------------------===//

#include "ProgramDescriptor.h"
#include "ContextCalls.h"

#include "nvfp4/Runtime/ProgramABI.h"

#include <cstddef>
#include <limits>

using namespace mlir;

namespace nvfp4 {

// nvfp4_entry: {ptr, i32, i32, i32, i32, ptr, ptr}
static_assert(offsetof(nvfp4_entry, num_dims) == sizeof(void *));
static_assert(offsetof(nvfp4_entry, num_args) == sizeof(void *) + 4);
static_assert(offsetof(nvfp4_entry, num_results) == sizeof(void *) + 8);
static_assert(offsetof(nvfp4_entry, plan) == sizeof(void *) + 16);
static_assert(offsetof(nvfp4_entry, run) == 2 * sizeof(void *) + 16);
// nvfp4_image: {i32, i32, ptr, ptr, i64}
static_assert(offsetof(nvfp4_image, chip) == 8);
static_assert(offsetof(nvfp4_image, data) == 8 + sizeof(void *));
static_assert(offsetof(nvfp4_image, bytes) == 8 + 2 * sizeof(void *));
// nvfp4_kernel: {ptr, i32, i32, ptr, i32, i32, i32, i32}
static_assert(offsetof(nvfp4_kernel, num_args) == sizeof(void *));
static_assert(offsetof(nvfp4_kernel, arg_bytes) == sizeof(void *) + 8);
static_assert(offsetof(nvfp4_kernel, cluster) == 2 * sizeof(void *) + 8);
static_assert(offsetof(nvfp4_kernel, flags) == 2 * sizeof(void *) + 20);
// nvfp4_program_descriptor: {i32, i32, i32, i32, ptr, i32, i32, ptr, ptr}
static_assert(offsetof(nvfp4_program_descriptor, num_entries) == 8);
static_assert(offsetof(nvfp4_program_descriptor, entries) == 16);
static_assert(offsetof(nvfp4_program_descriptor, num_images) ==
              NVFP4_PROGRAM_DESCRIPTOR_BYTES_1);
static_assert(offsetof(nvfp4_program_descriptor, num_kernels) ==
              NVFP4_PROGRAM_DESCRIPTOR_BYTES_1 + 4);
static_assert(offsetof(nvfp4_program_descriptor, images) ==
              NVFP4_PROGRAM_DESCRIPTOR_BYTES_1 + 8);
static_assert(offsetof(nvfp4_program_descriptor, kernels) ==
              NVFP4_PROGRAM_DESCRIPTOR_BYTES_1 + 8 + sizeof(void *));

std::string getBodyName(StringRef entry) { return (entry + ".body").str(); }
std::string getPlanName(StringRef entry) { return (entry + ".plan").str(); }

Value StringTable::getAddress(OpBuilder &builder, Location loc,
                              StringRef text) {
  LLVM::GlobalOp &global = globals[text];
  if (!global) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    std::string terminated = text.str();
    terminated.push_back('\0');
    auto type =
        LLVM::LLVMArrayType::get(builder.getI8Type(), terminated.size());
    global = LLVM::GlobalOp::create(
        builder, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal,
        ("nvfp4.string." + Twine(globals.size() - 1)).str(),
        builder.getStringAttr(terminated));
  }
  return LLVM::AddressOfOp::create(builder, loc, global);
}

ProgramDescriptorBuilder::ProgramDescriptorBuilder(ModuleOp module,
                                                   StringTable &strings,
                                                   const DeviceCode *device,
                                                   bool usesKernels)
    : module(module), strings(strings), device(device),
      usesKernels(usesKernels), builder(module.getContext()),
      loc(module.getLoc()), i32(builder.getI32Type()),
      i64(builder.getI64Type()),
      pointer(LLVM::LLVMPointerType::get(module.getContext())) {}

Value ProgramDescriptorBuilder::constant(Type type, int64_t value) {
  return LLVM::ConstantOp::create(builder, loc, type,
                                  builder.getIntegerAttr(type, value));
}

/// Creates an internal function of `numPointers` pointers that returns an i32
/// and moves the insertion point into it.
LLVM::LLVMFuncOp
ProgramDescriptorBuilder::createFunction(StringRef name, unsigned numPointers) {
  builder.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> inputs(numPointers, pointer);
  auto function = LLVM::LLVMFuncOp::create(
      builder, loc, name, LLVM::LLVMFunctionType::get(i32, inputs),
      LLVM::Linkage::Internal);
  builder.setInsertionPointToStart(function.addEntryBlock(builder));
  return function;
}

Value ProgramDescriptorBuilder::loadElement(Value array, Type type,
                                            unsigned index) {
  Value address = LLVM::GEPOp::create(builder, loc, pointer, type, array,
                                      ArrayRef<LLVM::GEPArg>{int32_t(index)});
  return LLVM::LoadOp::create(builder, loc, type, address);
}

SmallVector<Value> ProgramDescriptorBuilder::loadDimensions(Value dims,
                                                            unsigned count) {
  SmallVector<Value> values;
  for (unsigned i = 0; i < count; ++i)
    values.push_back(loadElement(dims, i64, i));
  return values;
}

/// Calls the planner's function; returns its results one by one.
SmallVector<Value> ProgramDescriptorBuilder::callPlan(LLVM::LLVMFuncOp plan,
                                                      ValueRange dims) {
  Value result = LLVM::CallOp::create(builder, loc, plan, dims).getResult();
  auto structType = dyn_cast<LLVM::LLVMStructType>(result.getType());
  if (!structType)
    return {result};
  SmallVector<Value> values;
  for (int64_t i = 0, e = structType.getBody().size(); i < e; ++i)
    values.push_back(LLVM::ExtractValueOp::create(builder, loc, result, i));
  return values;
}

/// Appends what a converted function takes for one memref of identity layout.
void ProgramDescriptorBuilder::appendDescriptor(
    Value address, ValueRange sizes, SmallVectorImpl<Value> &operands) {
  operands.append({address, address, constant(i64, 0)});
  llvm::append_range(operands, sizes);
  SmallVector<Value> strides(sizes.size());
  Value stride = constant(i64, 1);
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    if (i != 0)
      stride = LLVM::MulOp::create(builder, loc, stride, sizes[i]);
  }
  llvm::append_range(operands, strides);
}

/// plan(dims, result_extents, workspace_bytes)
void ProgramDescriptorBuilder::emitPlan(LLVM::LLVMFuncOp function,
                                        LLVM::LLVMFuncOp plan,
                                        const EntryInterface &interface) {
  SmallVector<Value> values =
      callPlan(plan, loadDimensions(function.getArgument(0),
                                    interface.dimensions.size()));
  Value bytes = values.pop_back_val();
  for (auto [i, extent] : llvm::enumerate(values)) {
    Value address =
        LLVM::GEPOp::create(builder, loc, pointer, i64, function.getArgument(1),
                            ArrayRef<LLVM::GEPArg>{int32_t(i)});
    LLVM::StoreOp::create(builder, loc, extent, address);
  }
  LLVM::StoreOp::create(builder, loc, bytes, function.getArgument(2));
  LLVM::ReturnOp::create(builder, loc, constant(i32, 0));
}

void ProgramDescriptorBuilder::emitClearErrorWord(Value context,
                                                  Value workspace) {
  Value zero = constant(i32, 0);
  if (!device) {
    LLVM::StoreOp::create(builder, loc, zero, workspace);
    return;
  }
  Value one = constant(i64, 1);
  Value value = LLVM::AllocaOp::create(builder, loc, pointer, i32, one);
  LLVM::StoreOp::create(builder, loc, zero, value);
  Value status =
      emitFill(builder, loc, context, workspace, value, sizeof(int32_t), one);
  Value isGood =
      LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq, status, zero);
  Block *head = builder.getInsertionBlock();
  Block *bad = builder.createBlock(head->getParent());
  LLVM::ReturnOp::create(builder, loc, status);
  Block *rest = builder.createBlock(head->getParent());
  builder.setInsertionPointToEnd(head);
  LLVM::CondBrOp::create(builder, loc, isGood, rest, bad);
  builder.setInsertionPointToStart(rest);
}

/// run(context, dims, args, results, workspace)
void ProgramDescriptorBuilder::emitRun(LLVM::LLVMFuncOp function,
                                       LLVM::LLVMFuncOp body,
                                       LLVM::LLVMFuncOp plan,
                                       const EntryInterface &interface,
                                       ArrayRef<MemRefType> buffers) {
  Value workspace = function.getArgument(4);
  emitClearErrorWord(function.getArgument(0), workspace);
  SmallVector<Value> dims =
      loadDimensions(function.getArgument(1), interface.dimensions.size());

  SmallVector<Value> operands{function.getArgument(0)};
  size_t numArguments = interface.arguments.size();
  for (auto [i, argument] : llvm::enumerate(interface.arguments)) {
    Value address = loadElement(function.getArgument(2), pointer, i);
    SmallVector<Value> sizes;
    for (auto [j, extent] : llvm::enumerate(argument.shape))
      sizes.push_back(buffers[i].isDynamicDim(j)
                          ? dims[*extent.dimension]
                          : constant(i64, buffers[i].getDimSize(j)));
    appendDescriptor(address, sizes, operands);
  }

  SmallVector<Value> extents = callPlan(plan, dims);
  ArrayRef<Value> nextExtent = extents;
  size_t numResults = interface.results.size();
  for (size_t i = 0; i < numResults; ++i) {
    Value address = loadElement(function.getArgument(3), pointer, i);
    size_t rank = buffers[numArguments + i].getRank();
    appendDescriptor(address, nextExtent.take_front(rank), operands);
    nextExtent = nextExtent.drop_front(rank);
  }
  // Nothing reads the extent of the workspace.
  appendDescriptor(workspace,
                   {constant(i64, std::numeric_limits<int64_t>::max())},
                   operands);
  Value status = LLVM::CallOp::create(builder, loc, body, operands).getResult();
  LLVM::ReturnOp::create(builder, loc, status);
}

LogicalResult
ProgramDescriptorBuilder::addEntry(StringRef name,
                                   const EntryInterface &interface,
                                   ArrayRef<MemRefType> buffers) {
  auto body = module.lookupSymbol<LLVM::LLVMFuncOp>(getBodyName(name));
  auto plan = module.lookupSymbol<LLVM::LLVMFuncOp>(getPlanName(name));
  if (!body || !plan)
    return module.emitError("expected a function '@")
           << (body ? getPlanName(name) : getBodyName(name)) << "' for entry '@"
           << name << "', but got none";
  for (auto [i, argument] : llvm::enumerate(interface.arguments))
    for (auto [j, extent] : llvm::enumerate(argument.shape))
      if (buffers[i].isDynamicDim(j) && !extent.dimension)
        return body.emitError("expected a name for dynamic dimension ")
               << j << " of argument '" << argument.name << "' of entry '@"
               << name << "'";

  LLVM::LLVMFuncOp planABI = createFunction((name + ".plan_abi").str(), 3);
  emitPlan(planABI, plan, interface);
  LLVM::LLVMFuncOp runABI = createFunction((name + ".run_abi").str(), 5);
  emitRun(runABI, body, plan, interface, buffers);
  entries.push_back({name.str(), uint32_t(interface.dimensions.size()),
                     uint32_t(interface.arguments.size()),
                     uint32_t(interface.results.size()), planABI, runABI});
  return success();
}

/// Writes a constant global whose initializer is what `value` builds.
void ProgramDescriptorBuilder::createConstant(StringRef name, Type type,
                                              LLVM::Linkage linkage,
                                              function_ref<Value()> value) {
  builder.setInsertionPointToEnd(module.getBody());
  auto global = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                       linkage, name, Attribute());
  builder.createBlock(&global.getInitializerRegion());
  LLVM::ReturnOp::create(builder, loc, value());
}

Value ProgramDescriptorBuilder::buildStruct(Type type, ArrayRef<Value> fields) {
  Value result = LLVM::UndefOp::create(builder, loc, type);
  for (auto [i, field] : llvm::enumerate(fields))
    result = LLVM::InsertValueOp::create(builder, loc, result, field, i);
  return result;
}

/// Writes an internal constant array of `count` elements, each of which
/// `element` builds; its address is what `getTable` gives.
void ProgramDescriptorBuilder::createTable(
    StringRef name, Type type, size_t count,
    function_ref<Value(size_t)> element) {
  auto tableType = LLVM::LLVMArrayType::get(type, count);
  createConstant(name, tableType, LLVM::Linkage::Internal, [&] {
    Value array = LLVM::UndefOp::create(builder, loc, tableType);
    for (size_t i = 0; i < count; ++i)
      array = LLVM::InsertValueOp::create(builder, loc, array, element(i), i);
    return array;
  });
}

Value ProgramDescriptorBuilder::addressOf(StringRef global) {
  return LLVM::AddressOfOp::create(builder, loc, pointer, global);
}

static constexpr StringLiteral kEntriesName = "nvfp4.entries";
static constexpr StringLiteral kImagesName = "nvfp4.images";
static constexpr StringLiteral kKernelTableName = "nvfp4.kernels";

void ProgramDescriptorBuilder::createEntries() {
  auto type = LLVM::LLVMStructType::getLiteral(
      module.getContext(), {pointer, i32, i32, i32, i32, pointer, pointer});
  createTable(kEntriesName, type, entries.size(), [&](size_t i) {
    Entry &entry = entries[i];
    return buildStruct(type, {strings.getAddress(builder, loc, entry.name),
                              constant(i32, entry.numDims),
                              constant(i32, entry.numArgs),
                              constant(i32, entry.numResults), constant(i32, 0),
                              addressOf(entry.plan.getSymName()),
                              addressOf(entry.run.getSymName())});
  });
}

void ProgramDescriptorBuilder::createImages() {
  for (const ProgramImage &image : device->images) {
    builder.setInsertionPointToEnd(module.getBody());
    LLVM::GlobalOp::create(
        builder, loc,
        LLVM::LLVMArrayType::get(builder.getI8Type(), image.data.size()),
        /*isConstant=*/true, LLVM::Linkage::Internal, image.symbol,
        builder.getStringAttr(image.data), /*alignment=*/16);
  }
  auto type = LLVM::LLVMStructType::getLiteral(
      module.getContext(), {i32, i32, pointer, pointer, i64});
  createTable(kImagesName, type, device->images.size(), [&](size_t i) {
    const ProgramImage &image = device->images[i];
    return buildStruct(type, {constant(i32, image.kind), constant(i32, 0),
                              strings.getAddress(builder, loc, image.chip),
                              addressOf(image.symbol),
                              constant(i64, image.data.size())});
  });
}

void ProgramDescriptorBuilder::createKernels() {
  ArrayRef<ProgramKernel> kernels = device->kernels.getKernels();
  auto getSizesName = [&](size_t i) {
    return (kKernelTableName + "." + Twine(i)).str();
  };
  for (auto [i, kernel] : llvm::enumerate(kernels))
    createTable(getSizesName(i), i32, kernel.argumentBytes.size(),
                [&, sizes = kernel.argumentBytes](size_t j) {
                  return constant(i32, sizes[j]);
                });
  auto type = LLVM::LLVMStructType::getLiteral(
      module.getContext(), {pointer, i32, i32, pointer, i32, i32, i32, i32});
  createTable(kKernelTableName, type, kernels.size(), [&](size_t i) {
    const ProgramKernel &kernel = kernels[i];
    return buildStruct(
        type, {strings.getAddress(builder, loc, kernel.name),
               constant(i32, kernel.argumentBytes.size()), constant(i32, 0),
               addressOf(getSizesName(i)), constant(i32, kernel.cluster[0]),
               constant(i32, kernel.cluster[1]),
               constant(i32, kernel.cluster[2]), constant(i32, kernel.flags)});
  });
}

/// The oldest that has all that the program asks for.
uint32_t ProgramDescriptorBuilder::getVersion() const {
  if (!device)
    return usesKernels ? NVFP4_PROGRAM_ABI_VERSION_KERNELS
                       : NVFP4_PROGRAM_ABI_VERSION;
  bool hasTensorMaps = llvm::any_of(
      device->kernels.getKernels(), [](const ProgramKernel &kernel) {
        return llvm::is_contained(kernel.argumentBytes, NVFP4_TENSOR_MAP_BYTES);
      });
  return hasTensorMaps ? NVFP4_PROGRAM_ABI_VERSION_TENSOR_MAPS
                       : NVFP4_PROGRAM_ABI_VERSION_DEVICE;
}

void ProgramDescriptorBuilder::finish() {
  createEntries();
  SmallVector<Type> types{i32, i32, i32, i32, pointer};
  if (device) {
    createImages();
    createKernels();
    types.append({i32, i32, pointer, pointer});
  }
  auto type = LLVM::LLVMStructType::getLiteral(module.getContext(), types);
  createConstant(NVFP4_PROGRAM_SYMBOL, type, LLVM::Linkage::External, [&] {
    SmallVector<Value> fields{
        constant(i32, getVersion()),
        constant(i32, device ? sizeof(nvfp4_program_descriptor)
                             : NVFP4_PROGRAM_DESCRIPTOR_BYTES_1),
        constant(i32, entries.size()), constant(i32, 0),
        addressOf(kEntriesName)};
    if (device)
      fields.append({constant(i32, device->images.size()),
                     constant(i32, device->kernels.getKernels().size()),
                     addressOf(kImagesName), addressOf(kKernelTableName)});
    return buildStruct(type, fields);
  });
}

} // namespace nvfp4

//===- ContextCalls.cpp - Calls of the runtime ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContextCalls.h"

#include "nvfp4/Runtime/ProgramABI.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <cstddef>

using namespace mlir;

namespace nvfp4 {

// nvfp4_context: {i32, i32, ptr…}
static_assert(offsetof(nvfp4_context, user) == 8);
static_assert(offsetof(nvfp4_context, fail) == 8 + sizeof(void *));
static_assert(offsetof(nvfp4_context, parallel_for) == 8 + 2 * sizeof(void *));
static_assert(offsetof(nvfp4_context, launch) == 8 + 3 * sizeof(void *));
static_assert(offsetof(nvfp4_context, copy) == 8 + 4 * sizeof(void *));
static_assert(offsetof(nvfp4_context, fill) == 8 + 5 * sizeof(void *));
static_assert(offsetof(nvfp4_context, tensor_map) == 8 + 6 * sizeof(void *));
static_assert(offsetof(nvfp4_context, gemm_f32) == 8 + 7 * sizeof(void *));
static_assert(offsetof(nvfp4_context, scaled_product) ==
              8 + 8 * sizeof(void *));
static_assert(offsetof(nvfp4_context, quantize) == 8 + 9 * sizeof(void *));
static_assert(offsetof(nvfp4_context, dequantize) == 8 + 10 * sizeof(void *));

/// Fields by position.
enum class Field : int32_t {
  User = 2,
  Fail = 3,
  ParallelFor = 4,
  Launch = 5,
  Copy = 6,
  Fill = 7,
  TensorMap = 8,
  GemmF32 = 9,
  ScaledProduct = 10,
  Quantize = 11,
  Dequantize = 12
};

static Value loadField(OpBuilder &builder, Location loc, Value context,
                       Field field) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i32 = builder.getI32Type();
  SmallVector<Type> fields(static_cast<size_t>(Field::Dequantize) + 1, pointer);
  fields[0] = fields[1] = i32;
  auto type = LLVM::LLVMStructType::getLiteral(builder.getContext(), fields);
  Value address =
      LLVM::GEPOp::create(builder, loc, pointer, type, context,
                          ArrayRef<LLVM::GEPArg>{0, static_cast<int>(field)});
  return LLVM::LoadOp::create(builder, loc, pointer, address);
}

/// field(user, operands…)
static Value emitCall(OpBuilder &builder, Location loc, Value context,
                      Field field, ValueRange operands) {
  Value user = loadField(builder, loc, context, Field::User);
  Value function = loadField(builder, loc, context, field);
  SmallVector<Value> all{function, user};
  llvm::append_range(all, operands);
  auto type = LLVM::LLVMFunctionType::get(
      builder.getI32Type(),
      llvm::to_vector(ValueRange(all).drop_front().getTypes()));
  return LLVM::CallOp::create(builder, loc, type, all).getResult();
}

Value emitFail(OpBuilder &builder, Location loc, Value context, Value message) {
  return emitCall(builder, loc, context, Field::Fail, message);
}

void emitParallelFor(OpBuilder &builder, Location loc, Value context,
                     Value count, Value body, Value state) {
  Value user = loadField(builder, loc, context, Field::User);
  Value function = loadField(builder, loc, context, Field::ParallelFor);
  SmallVector<Value> all{function, user, count, body, state};
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(builder.getContext()),
      llvm::to_vector(ValueRange(all).drop_front().getTypes()));
  LLVM::CallOp::create(builder, loc, type, all);
}

Value emitLaunch(OpBuilder &builder, Location loc, Value context,
                 const LaunchOperands &operands) {
  return emitCall(builder, loc, context, Field::Launch,
                  {operands.kernel, operands.grid, operands.block,
                   operands.sharedBytes, operands.arguments});
}

Value emitCopy(OpBuilder &builder, Location loc, Value context, Value target,
               Value source, Value bytes) {
  return emitCall(builder, loc, context, Field::Copy, {target, source, bytes});
}

Value emitFill(OpBuilder &builder, Location loc, Value context, Value target,
               Value value, unsigned valueBytes, Value count) {
  Value bytes = LLVM::ConstantOp::create(builder, loc, builder.getI32Type(),
                                         builder.getI32IntegerAttr(valueBytes));
  return emitCall(builder, loc, context, Field::Fill,
                  {target, value, bytes, count});
}

Value emitKernelCall(OpBuilder &builder, Location loc, Value context,
                     RuntimeKernel kernel, Value operands) {
  auto getField = [&] {
    switch (kernel) {
    case RuntimeKernel::GemmF32:
      return Field::GemmF32;
    case RuntimeKernel::ScaledProduct:
      return Field::ScaledProduct;
    case RuntimeKernel::Quantize:
      return Field::Quantize;
    case RuntimeKernel::Dequantize:
      return Field::Dequantize;
    }
    llvm_unreachable("covered switch");
  };
  return emitCall(builder, loc, context, getField(), operands);
}

Value emitTensorMap(OpBuilder &builder, Location loc, Value context, Value map,
                    Value target) {
  return emitCall(builder, loc, context, Field::TensorMap, {map, target});
}

} // namespace nvfp4

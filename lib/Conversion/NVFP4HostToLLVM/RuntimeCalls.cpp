//===- RuntimeCalls.cpp - Kernels of the runtime --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each call gets one struct of ProgramABI.h, on the stack of the entry: the
// function has read it when it returns, so all calls share the memory.
//
// Expects: kernel-level ops on buffers at the level of an entry function that
//          has a context and a status.
// Leaves:  blocks and calls.
//
//===----------------------------------------------------------------------===//

#include "RuntimeCalls.h"

#include "ContextCalls.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/GemmDims.h"
#include "nvfp4/Runtime/ProgramABI.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cstddef>

using namespace mlir;

namespace nvfp4 {
namespace {
/// A buffer by its parts; numbers are i64.
struct BufferParts {
  MemRefType type;
  Value address;
  SmallVector<Value> sizes, strides;
};

/// Which dimensions of buffers [lead…, rows, columns] are a batch: those before
/// the rows, or none if these and the rows are one dimension.
struct Batch {
  int64_t numDims;
  bool isMerged;
};

class RuntimeCallLowering {
public:
  explicit RuntimeCallLowering(func::FuncOp func)
      : func(func), builder(func.getLoc(), func.getContext()),
        pointer(LLVM::LLVMPointerType::get(func.getContext())),
        i32(builder.getI32Type()), i64(builder.getI64Type()) {}

  LogicalResult run(ArrayRef<Operation *> ops);

private:
  LogicalResult lower(GemmOp op);
  LogicalResult lower(ScaledMatmulOp op);
  LogicalResult lower(GlobalScaleIntoOp op);
  LogicalResult lower(QuantizeIntoOp op);
  LogicalResult lower(DequantizeIntoOp op);
  void finish(Operation *op, RuntimeKernel kernel);

  BufferParts getParts(Value buffer);
  void store(size_t offset, Value value);
  void store(size_t offset, int64_t value) {
    store(offset, constant(i64, value));
  }
  void store32(size_t offset, uint32_t value) {
    store(offset, constant(i32, value));
  }
  void storeMatrix(size_t offset, const BufferParts &parts, AffineMap map,
                   ArrayRef<unsigned> rows, ArrayRef<unsigned> columns,
                   ArrayRef<unsigned> batch);
  void storeMatrix(size_t offset, const BufferParts &parts, Batch batch);
  void storeStrides(size_t offset, const BufferParts &parts, int64_t numDims);
  LogicalResult storeBlocks(Operation *op, size_t offset, BlockTensorType type,
                            ValueRange components, Batch batch);
  void storeFormat(size_t offset, FormatAttr format);
  void storeConversion(uint32_t flags, Value matrix, Batch batch);
  void storeRows(size_t rowsOffset, size_t batchOffset,
                 const BufferParts &parts, Batch batch);
  Value getStride(const BufferParts &parts, AffineMap map,
                  ArrayRef<unsigned> dims);
  Value multiply(ArrayRef<Value> factors);
  Value constant(Type type, int64_t value) {
    return arith::ConstantOp::create(builder,
                                     builder.getIntegerAttr(type, value));
  }
  Value toI64(Value index) {
    return arith::IndexCastOp::create(builder, i64, index);
  }

  func::FuncOp func;
  ImplicitLocOpBuilder builder;
  Type pointer, i32, i64;
  /// Memory for the struct of a call.
  Value area;
  /// Returns its argument, a status.
  Block *badStatus = nullptr;
  /// Quantizations whose global scales the same call computes.
  SmallPtrSet<Operation *, 8> findingScales;
};
} // namespace

/// The number of an element type in ProgramABI.h; 0 if it has none.
static uint32_t getElementNumber(Type type) {
  return llvm::TypeSwitch<Type, uint32_t>(type)
      .Case<Float32Type>([](auto) { return NVFP4_ELEMENT_F32; })
      .Case<BFloat16Type>([](auto) { return NVFP4_ELEMENT_BF16; })
      .Case<Float16Type>([](auto) { return NVFP4_ELEMENT_F16; })
      .Default([](Type) { return 0; });
}

static uint32_t getEncodingNumber(ScaleEncoding encoding) {
  switch (encoding) {
  case ScaleEncoding::E4M3:
    return NVFP4_SCALES_E4M3;
  case ScaleEncoding::E8M0:
    return NVFP4_SCALES_E8M0;
  case ScaleEncoding::UE5M3:
    return NVFP4_SCALES_UE5M3;
  }
  llvm_unreachable("covered switch");
}

static uint32_t getConventionNumber(FormatAttr format) {
  if (!format.hasGlobalScale())
    return NVFP4_GLOBAL_SCALE_NONE;
  switch (format.getConvention()) {
  case GlobalScaleConvention::Amax:
    return NVFP4_GLOBAL_SCALE_AMAX;
  case GlobalScaleConvention::Multiply:
    return NVFP4_GLOBAL_SCALE_MULTIPLY;
  case GlobalScaleConvention::Divide:
    return NVFP4_GLOBAL_SCALE_DIVIDE;
  }
  llvm_unreachable("covered switch");
}

//===----------------------------------------------------------------------===//
// Fields of structs
//===----------------------------------------------------------------------===//

BufferParts RuntimeCallLowering::getParts(Value buffer) {
  BufferParts parts;
  parts.type = cast<MemRefType>(buffer.getType());
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, buffer);
  for (Value size : metadata.getSizes())
    parts.sizes.push_back(toI64(size));
  for (Value stride : metadata.getStrides())
    parts.strides.push_back(toI64(stride));
  Value base =
      toI64(memref::ExtractAlignedPointerAsIndexOp::create(builder, buffer));
  Value bytes =
      constant(i64, llvm::divideCeil(parts.type.getElementTypeBitWidth(), 8));
  Value offset = multiply({toI64(metadata.getOffset()), bytes});
  Value address = arith::AddIOp::create(builder, base, offset);
  parts.address = LLVM::IntToPtrOp::create(builder, pointer, address);
  return parts;
}

void RuntimeCallLowering::store(size_t offset, Value value) {
  Value address =
      LLVM::GEPOp::create(builder, pointer, builder.getI8Type(), area,
                          ArrayRef<LLVM::GEPArg>{int32_t(offset)});
  LLVM::StoreOp::create(builder, value, address);
}

Value RuntimeCallLowering::multiply(ArrayRef<Value> factors) {
  if (factors.empty())
    return constant(i64, 1);
  Value product = factors.front();
  for (Value factor : factors.drop_front())
    product = arith::MulIOp::create(builder, product, factor);
  return product;
}

/// The stride of dimensions that are one; 0 if the operand lacks them.
Value RuntimeCallLowering::getStride(const BufferParts &parts, AffineMap map,
                                     ArrayRef<unsigned> dims) {
  if (!dims.empty())
    if (std::optional<unsigned> position = map.getResultPosition(
            getAffineDimExpr(dims.back(), map.getContext())))
      return parts.strides[*position];
  return constant(i64, 0);
}

void RuntimeCallLowering::storeMatrix(size_t offset, const BufferParts &parts,
                                      AffineMap map, ArrayRef<unsigned> rows,
                                      ArrayRef<unsigned> columns,
                                      ArrayRef<unsigned> batch) {
  store(offset + offsetof(nvfp4_matrix, data), parts.address);
  store(offset + offsetof(nvfp4_matrix, row_stride),
        getStride(parts, map, rows));
  store(offset + offsetof(nvfp4_matrix, column_stride),
        getStride(parts, map, columns));
  for (size_t i = 0; i < NVFP4_MAX_BATCH_DIMS; ++i)
    store(offset + offsetof(nvfp4_matrix, batch_strides) + i * sizeof(int64_t),
          i < batch.size() ? getStride(parts, map, batch[i])
                           : constant(i64, 0));
  store32(offset + offsetof(nvfp4_matrix, element),
          getElementNumber(parts.type.getElementType()));
  store32(offset + offsetof(nvfp4_matrix, reserved), 0);
}

/// A buffer [lead…, rows, columns]; without lead the batch repeats it.
void RuntimeCallLowering::storeMatrix(size_t offset, const BufferParts &parts,
                                      Batch batch) {
  unsigned rank = parts.type.getRank();
  SmallVector<unsigned> dims;
  if (rank > 2 && !batch.isMerged)
    dims = llvm::to_vector(llvm::seq<unsigned>(0, rank - 2));
  storeMatrix(offset, parts, builder.getMultiDimIdentityMap(rank), rank - 2,
              rank - 1, dims);
}

/// The strides of the first dimensions as those of a batch.
void RuntimeCallLowering::storeStrides(size_t offset, const BufferParts &parts,
                                       int64_t numDims) {
  for (int64_t i = 0; i < NVFP4_MAX_BATCH_DIMS; ++i)
    store(offset + i * sizeof(int64_t),
          i < numDims ? parts.strides[i] : constant(i64, 0));
}

void RuntimeCallLowering::storeFormat(size_t offset, FormatAttr format) {
  store32(offset + offsetof(nvfp4_blocks, block_rows), format.getBlockRows());
  store32(offset + offsetof(nvfp4_blocks, block_columns),
          format.getBlockColumns());
  store32(offset + offsetof(nvfp4_blocks, scale_encoding),
          getEncodingNumber(format.getScaleEncoding()));
  store32(offset + offsetof(nvfp4_blocks, global_scale),
          getConventionNumber(format));
  store(offset + offsetof(nvfp4_blocks, scale_bound),
        arith::ConstantOp::create(
            builder, builder.getF32FloatAttr(float(format.getBound()))));
  store32(offset + offsetof(nvfp4_blocks, reserved), 0);
}

/// Codes, scales and the global scale, if there is one, of type `type`.
LogicalResult RuntimeCallLowering::storeBlocks(Operation *op, size_t offset,
                                               BlockTensorType type,
                                               ValueRange components,
                                               Batch batch) {
  FormatAttr format = type.getFormat();
  for (Value component : components.take_front(2))
    if (!cast<MemRefType>(component.getType()).isLastDimUnitStride())
      return op->emitOpError("expected codes and scales side by side in each "
                             "row, but got ")
             << component.getType();
  int64_t rank = type.getRank();
  int64_t numDims = rank > 2 && !batch.isMerged ? rank - 2 : 0;
  BufferParts codes = getParts(components[0]);
  BufferParts scales = getParts(components[1]);
  store(offset + offsetof(nvfp4_blocks, codes), codes.address);
  store(offset + offsetof(nvfp4_blocks, code_row_stride),
        codes.strides[rank - 2]);
  storeStrides(offset + offsetof(nvfp4_blocks, code_batch_strides), codes,
               numDims);
  store(offset + offsetof(nvfp4_blocks, scales), scales.address);
  store(offset + offsetof(nvfp4_blocks, scale_row_stride),
        scales.strides[rank - 2]);
  storeStrides(offset + offsetof(nvfp4_blocks, scale_batch_strides), scales,
               numDims);

  BufferParts global;
  bool isPerRow = format.getGranularity() == GlobalScaleGranularity::Row;
  if (components.size() > 2)
    global = getParts(components[2]);
  store(offset + offsetof(nvfp4_blocks, global_scales),
        global.address ? global.address
                       : LLVM::ZeroOp::create(builder, pointer).getResult());
  store(offset + offsetof(nvfp4_blocks, global_scale_row_stride),
        isPerRow ? global.strides.back() : constant(i64, 0));
  storeStrides(offset + offsetof(nvfp4_blocks, global_scale_batch_strides),
               global,
               std::min<int64_t>(numDims, global.strides.size() - isPerRow));
  storeFormat(offset, format);
  return success();
}

/// Rows and batch of a struct from those of `parts`, [lead…, rows, columns].
void RuntimeCallLowering::storeRows(size_t rowsOffset, size_t batchOffset,
                                    const BufferParts &parts, Batch batch) {
  ArrayRef<Value> sizes = parts.sizes;
  ArrayRef<Value> lead = sizes.drop_back(2);
  store(rowsOffset,
        batch.isMerged ? multiply(sizes.drop_back(1)) : sizes[lead.size()]);
  for (size_t i = 0; i < NVFP4_MAX_BATCH_DIMS; ++i)
    store(batchOffset + i * sizeof(int64_t),
          i < lead.size() && !batch.isMerged ? lead[i] : constant(i64, 1));
}

/// Whether the rows of all matrices of a batch are one dimension of `value`.
static bool hasMergedRows(Value value) {
  auto type = cast<MemRefType>(value.getType());
  return type.getLayout().isIdentity();
}

/// The same for something in blocks: rows share no scale with others.
static bool hasMergedRows(BlockTensorType type, ValueRange components) {
  FormatAttr format = type.getFormat();
  return format.getBlockRows() == 1 &&
         format.getGranularity() != GlobalScaleGranularity::Slice &&
         llvm::all_of(components,
                      [](Value value) { return hasMergedRows(value); });
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

LogicalResult RuntimeCallLowering::lower(GemmOp op) {
  SmallVector<AffineMap> maps =
      llvm::to_vector(op.getIndexingMaps().getAsValueRange<AffineMapAttr>());
  SmallVector<MemRefType> types;
  for (Type type : op->getOperandTypes())
    types.push_back(cast<MemRefType>(type));
  FailureOr<GemmDims> dims = getGemmDims(maps, types);
  if (failed(dims))
    return op.emitOpError("expected rows, columns and depth that each lie in "
                          "memory like one dimension, and a batch of at most ")
           << NVFP4_MAX_BATCH_DIMS << " others, but got other strides";

  SmallVector<BufferParts> parts;
  for (Value operand : op->getOperands())
    parts.push_back(getParts(operand));
  auto getExtent = [&](ArrayRef<unsigned> list) {
    SmallVector<Value> factors;
    for (unsigned dim : list)
      for (auto [map, buffer] : llvm::zip_equal(maps, parts))
        if (std::optional<unsigned> position = map.getResultPosition(
                getAffineDimExpr(dim, map.getContext()))) {
          factors.push_back(buffer.sizes[*position]);
          break;
        }
    return multiply(factors);
  };

  store32(offsetof(nvfp4_gemm, struct_size), sizeof(nvfp4_gemm));
  store32(offsetof(nvfp4_gemm, flags),
          op.getAccumulate() ? NVFP4_GEMM_ACCUMULATE : 0);
  store(offsetof(nvfp4_gemm, rows), getExtent(dims->rows));
  store(offsetof(nvfp4_gemm, columns), getExtent(dims->columns));
  store(offsetof(nvfp4_gemm, depth), getExtent(dims->depth));
  ArrayRef<unsigned> batch = dims->batch;
  for (size_t i = 0; i < NVFP4_MAX_BATCH_DIMS; ++i)
    store(offsetof(nvfp4_gemm, batch) + i * sizeof(int64_t),
          i < batch.size() ? getExtent(batch[i]) : constant(i64, 1));
  storeMatrix(offsetof(nvfp4_gemm, a), parts[0], maps[0], dims->rows,
              dims->depth, batch);
  storeMatrix(offsetof(nvfp4_gemm, b), parts[1], maps[1], dims->depth,
              dims->columns, batch);
  storeMatrix(offsetof(nvfp4_gemm, c), parts[2], maps[2], dims->rows,
              dims->columns, batch);
  finish(op, RuntimeKernel::GemmF32);
  return success();
}

LogicalResult RuntimeCallLowering::lower(ScaledMatmulOp op) {
  BlockTensorType lhs = op.getLhsType(), rhs = op.getRhsType();
  ValueRange lhsValues = op.getLhsComponents();
  ValueRange rhsValues = op.getRhsComponents();
  auto getRank = [](BlockTensorType type, ValueRange values) {
    return type ? type.getRank()
                : cast<MemRefType>(values[0].getType()).getRank();
  };
  // One rhs for all rows of a batch is one product.
  bool isMerged =
      getRank(rhs, rhsValues) == 2 && hasMergedRows(op.getInit()) &&
      (lhs ? hasMergedRows(lhs, lhsValues) : hasMergedRows(lhsValues[0]));
  Batch batch{getRank(lhs, lhsValues) - 2, isMerged};
  Batch rhsBatch{getRank(rhs, rhsValues) - 2, false};

  BufferParts result = getParts(op.getInit());
  store32(offsetof(nvfp4_scaled_product, struct_size),
          sizeof(nvfp4_scaled_product));
  store32(offsetof(nvfp4_scaled_product, flags),
          (lhs ? NVFP4_SCALED_LHS_BLOCKS : 0) |
              (rhs ? NVFP4_SCALED_RHS_BLOCKS : 0));
  storeRows(offsetof(nvfp4_scaled_product, rows),
            offsetof(nvfp4_scaled_product, batch), result, batch);
  store(offsetof(nvfp4_scaled_product, columns), result.sizes.back());
  storeMatrix(offsetof(nvfp4_scaled_product, result), result, batch);
  // The depth is that of a plain operand, or two codes per byte.
  ValueRange deep = lhs ? rhsValues : lhsValues;
  Value depth = getParts(deep[0]).sizes.back();
  if (lhs && rhs)
    depth = multiply({depth, constant(i64, 2)});
  store(offsetof(nvfp4_scaled_product, depth), depth);
  auto storeOperand = [&](BlockTensorType type, ValueRange values, Batch batch,
                          size_t matrix, size_t blocks) -> LogicalResult {
    if (type)
      return storeBlocks(op, blocks, type, values, batch);
    storeMatrix(matrix, getParts(values[0]), batch);
    return success();
  };
  if (failed(storeOperand(lhs, lhsValues, batch,
                          offsetof(nvfp4_scaled_product, lhs),
                          offsetof(nvfp4_scaled_product, lhs_blocks))) ||
      failed(storeOperand(rhs, rhsValues, rhsBatch,
                          offsetof(nvfp4_scaled_product, rhs),
                          offsetof(nvfp4_scaled_product, rhs_blocks))))
    return failure();
  finish(op, RuntimeKernel::ScaledProduct);
  return success();
}

/// All of a conversion but its blocks.
void RuntimeCallLowering::storeConversion(uint32_t flags, Value matrix,
                                          Batch batch) {
  BufferParts parts = getParts(matrix);
  store32(offsetof(nvfp4_conversion, struct_size), sizeof(nvfp4_conversion));
  store32(offsetof(nvfp4_conversion, flags), flags);
  storeRows(offsetof(nvfp4_conversion, rows), offsetof(nvfp4_conversion, batch),
            parts, batch);
  store(offsetof(nvfp4_conversion, columns), parts.sizes.back());
  storeMatrix(offsetof(nvfp4_conversion, matrix), parts, batch);
}

/// The quantization that follows and that is alone with these global scales in
/// between, if there is one: one call reads the source for both.
static QuantizeIntoOp findQuantize(GlobalScaleIntoOp op) {
  Operation *next = op->getNextNode();
  while (next && isMemoryEffectFree(next))
    next = next->getNextNode();
  auto quantize = dyn_cast_or_null<QuantizeIntoOp>(next);
  if (quantize && quantize.getSource() == op.getInputs()[0] &&
      quantize.getGlobalScale() == op.getInits()[0] &&
      quantize.getBlockType().getFormat() == op.getFormat())
    return quantize;
  return QuantizeIntoOp();
}

LogicalResult RuntimeCallLowering::lower(GlobalScaleIntoOp op) {
  if (QuantizeIntoOp quantize = findQuantize(op)) {
    findingScales.insert(quantize);
    op.erase();
    return success();
  }
  Value source = op.getInputs()[0], target = op.getInits()[0];
  FormatAttr format = op.getFormat();
  bool isPerRow = format.getGranularity() == GlobalScaleGranularity::Row;
  Batch batch{cast<MemRefType>(source.getType()).getRank() - 2,
              isPerRow && hasMergedRows(source) && hasMergedRows(target)};
  storeConversion(NVFP4_CONVERT_FIND_GLOBAL_SCALES |
                      NVFP4_CONVERT_GLOBAL_SCALES_ONLY,
                  source, batch);
  BufferParts scales = getParts(target);
  const size_t blocks = offsetof(nvfp4_conversion, blocks);
  Value null = LLVM::ZeroOp::create(builder, pointer);
  store(blocks + offsetof(nvfp4_blocks, codes), null);
  store(blocks + offsetof(nvfp4_blocks, scales), null);
  store(blocks + offsetof(nvfp4_blocks, global_scales), scales.address);
  for (size_t offset : {offsetof(nvfp4_blocks, code_row_stride),
                        offsetof(nvfp4_blocks, scale_row_stride)})
    store(blocks + offset, 0);
  store(blocks + offsetof(nvfp4_blocks, global_scale_row_stride),
        isPerRow ? scales.strides.back() : constant(i64, 0));
  storeStrides(blocks + offsetof(nvfp4_blocks, code_batch_strides), scales, 0);
  storeStrides(blocks + offsetof(nvfp4_blocks, scale_batch_strides), scales, 0);
  storeStrides(
      blocks + offsetof(nvfp4_blocks, global_scale_batch_strides), scales,
      batch.isMerged
          ? 0
          : std::min<int64_t>(batch.numDims, scales.strides.size() - isPerRow));
  storeFormat(blocks, format);
  finish(op, RuntimeKernel::Quantize);
  return success();
}

LogicalResult RuntimeCallLowering::lower(QuantizeIntoOp op) {
  BlockTensorType type = op.getBlockType();
  SmallVector<Value> components(op.getInits());
  if (Value globalScale = op.getGlobalScale())
    components.push_back(globalScale);
  Batch batch{type.getRank() - 2,
              hasMergedRows(op.getSource()) && hasMergedRows(type, components)};
  storeConversion(findingScales.contains(op) ? NVFP4_CONVERT_FIND_GLOBAL_SCALES
                                             : 0,
                  op.getSource(), batch);
  if (failed(storeBlocks(op, offsetof(nvfp4_conversion, blocks), type,
                         components, batch)))
    return failure();
  finish(op, RuntimeKernel::Quantize);
  return success();
}

LogicalResult RuntimeCallLowering::lower(DequantizeIntoOp op) {
  BlockTensorType type = op.getBlockType();
  Value target = op.getInits()[0];
  Batch batch{type.getRank() - 2,
              hasMergedRows(target) && hasMergedRows(type, op.getInputs())};
  storeConversion(0, target, batch);
  if (failed(storeBlocks(op, offsetof(nvfp4_conversion, blocks), type,
                         op.getInputs(), batch)))
    return failure();
  finish(op, RuntimeKernel::Dequantize);
  return success();
}

/// Replaces an op by a call: returns from the function on a bad status.
void RuntimeCallLowering::finish(Operation *op, RuntimeKernel kernel) {
  Value status =
      emitKernelCall(builder, op->getLoc(), func.getArgument(0), kernel, area);
  Value isGood = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq,
                                       status, constant(i32, 0));
  Block *head = op->getBlock();
  Block *rest = head->splitBlock(op->getNextNode());
  builder.setInsertionPointToEnd(head);
  cf::CondBranchOp::create(builder, isGood, rest, ValueRange(), badStatus,
                           ValueRange{status});
  op->erase();
}

LogicalResult RuntimeCallLowering::run(ArrayRef<Operation *> ops) {
  constexpr size_t kLargest =
      std::max({sizeof(nvfp4_gemm), sizeof(nvfp4_scaled_product),
                sizeof(nvfp4_conversion)});
  builder.setInsertionPointToStart(&func.getBody().front());
  area = LLVM::AllocaOp::create(builder, pointer, builder.getI8Type(),
                                constant(i64, kLargest), alignof(nvfp4_gemm));
  badStatus = builder.createBlock(&func.getBody(), func.getBody().end(), i32,
                                  func.getLoc());
  func::ReturnOp::create(builder, badStatus->getArgument(0));
  for (Operation *op : ops) {
    builder.setLoc(op->getLoc());
    builder.setInsertionPoint(op);
    LogicalResult result =
        llvm::TypeSwitch<Operation *, LogicalResult>(op)
            .Case<GemmOp, ScaledMatmulOp, GlobalScaleIntoOp, QuantizeIntoOp,
                  DequantizeIntoOp>([&](auto op) { return lower(op); });
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult lowerRuntimeCalls(func::FuncOp func, bool &usesKernels) {
  SmallVector<Operation *> ops;
  for (Operation &op : func.getBody().front())
    if (isa<GemmOp, ScaledMatmulOp, GlobalScaleIntoOp, QuantizeIntoOp,
            DequantizeIntoOp>(op))
      ops.push_back(&op);
  if (ops.empty())
    return success();
  usesKernels = true;
  return RuntimeCallLowering(func).run(ops);
}

} // namespace nvfp4

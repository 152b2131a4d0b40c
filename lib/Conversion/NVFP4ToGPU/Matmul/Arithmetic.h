//===- Arithmetic.h - Integer arithmetic in kernels -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short names for unsigned arithmetic on i32, i64 and index values, and for
// addresses. A constant takes the type of the other operand.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_ARITHMETIC_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_ARITHMETIC_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nvfp4 {

struct Arithmetic {
  explicit Arithmetic(mlir::ImplicitLocOpBuilder &builder) : b(builder) {}

  mlir::Value constant(mlir::Type type, int64_t value) {
    return mlir::arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
  }
  mlir::Value i32(int64_t value) { return constant(b.getI32Type(), value); }
  mlir::Value index(int64_t value) { return constant(b.getIndexType(), value); }
  mlir::Value like(mlir::Value x, int64_t value) {
    return constant(x.getType(), value);
  }

  mlir::Value add(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::AddIOp>(x, y);
  }
  mlir::Value sub(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::SubIOp>(x, y);
  }
  mlir::Value mul(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::MulIOp>(x, y);
  }
  mlir::Value div(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::DivUIOp>(x, y);
  }
  mlir::Value rem(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::RemUIOp>(x, y);
  }
  mlir::Value bitXor(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::XOrIOp>(x, y);
  }
  mlir::Value min(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::MinUIOp>(x, y);
  }
  mlir::Value max(mlir::Value x, int64_t y) {
    return b.createOrFold<mlir::arith::MaxUIOp>(x, like(x, y));
  }
  mlir::Value add(mlir::Value x, int64_t y) { return add(x, like(x, y)); }
  mlir::Value sub(mlir::Value x, int64_t y) { return sub(x, like(x, y)); }
  mlir::Value mul(mlir::Value x, int64_t y) { return mul(x, like(x, y)); }
  mlir::Value div(mlir::Value x, int64_t y) { return div(x, like(x, y)); }
  mlir::Value rem(mlir::Value x, int64_t y) { return rem(x, like(x, y)); }
  mlir::Value bitXor(mlir::Value x, int64_t y) { return bitXor(x, like(x, y)); }
  mlir::Value min(mlir::Value x, int64_t y) { return min(x, like(x, y)); }
  /// Rounded up.
  mlir::Value ceilDiv(mlir::Value x, int64_t y) {
    return div(add(x, y - 1), y);
  }

  mlir::Value less(mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::ult,
                                               x, y);
  }
  mlir::Value less(mlir::Value x, int64_t y) { return less(x, like(x, y)); }
  mlir::Value equal(mlir::Value x, int64_t y) {
    return b.createOrFold<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::eq,
                                               x, like(x, y));
  }
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::SelectOp>(condition, x, y);
  }

  /// Zero-extended or truncated.
  mlir::Value toI64(mlir::Value x) { return cast(x, b.getI64Type()); }
  mlir::Value toIndex(mlir::Value x) { return cast(x, b.getIndexType()); }
  mlir::Value toI32(mlir::Value x) { return cast(x, b.getI32Type()); }

  /// `pointer` plus bytes (i32 or i64).
  mlir::Value offset(mlir::Value pointer, mlir::Value bytes) {
    return mlir::LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(),
                                     pointer, mlir::ValueRange{bytes});
  }
  mlir::Value offset(mlir::Value pointer, int64_t bytes) {
    if (bytes == 0)
      return pointer;
    return mlir::LLVM::GEPOp::create(
        b, pointer.getType(), b.getI8Type(), pointer,
        llvm::ArrayRef<mlir::LLVM::GEPArg>{static_cast<int32_t>(bytes)});
  }

  mlir::ImplicitLocOpBuilder &b;

private:
  mlir::Value cast(mlir::Value x, mlir::Type type) {
    if (x.getType() == type)
      return x;
    if (x.getType().isIndex() || type.isIndex())
      return b.createOrFold<mlir::arith::IndexCastUIOp>(type, x);
    if (x.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
      return b.createOrFold<mlir::arith::ExtUIOp>(type, x);
    return b.createOrFold<mlir::arith::TruncIOp>(type, x);
  }
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_ARITHMETIC_H

//===- Kernel.h - A kernel under construction -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The border between what a kernel computes (its *body*: a function on tensors
// that `nvfp4.dispatch` names) and the `gpu.func` that computes it. A generator
// takes a request, writes one function with a KernelBuilder, and returns what
// the host must know to launch it.
//
// Memory is `!llvm.ptr`: a kernel's parameters are one pointer to global memory
// per argument of the body (contiguous, row-major, at least 64-byte aligned, a
// byte per i1), then one i64 per dynamic extent of the arguments, in order.
// Arithmetic is arith, control flow scf, and instructions of the chip are nvvm.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_KERNEL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_KERNEL_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Target/Chips.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/IntegerSet.h"

namespace nvfp4 {

/// What to generate.
struct KernelRequest {
  /// The definition, on tensors. Its operations must not change.
  mlir::func::FuncOp body;
  KernelAttr attr;
  /// Symbol of the function to make.
  std::string name;
  /// Where to make it.
  mlir::gpu::GPUModuleOp module;
  const ChipModel &chip;
};

/// One way to run a kernel, as the host sees it. Maps and sets are over the
/// dynamic extents of the body's arguments, argument by argument.
struct KernelVariant {
  mlir::gpu::GPUFuncOp function;
  /// Blocks in x, y and z. y and z must stay below 65536.
  mlir::AffineMap grid;
  /// Where the variant is correct and meant to run; null: everywhere.
  mlir::IntegerSet serves;
  int64_t threads;
  int64_t dynamicSharedBytes;
  /// Neighbouring blocks along x that form a cluster.
  int64_t clusters = 1;
};

/// Makes the `gpu.func` of a request and gives access to its parameters. The
/// builder stands at the end of the entry block, before the `gpu.return`.
class KernelBuilder {
public:
  explicit KernelBuilder(const KernelRequest &request);

  mlir::ImplicitLocOpBuilder &getBuilder() { return builder; }
  mlir::gpu::GPUFuncOp getFunction() { return function; }
  const ChipModel &getChip() const { return chip; }

  /// `!llvm.ptr<1>` to the first element of an argument of the body.
  mlir::Value getPointer(mlir::BlockArgument argument);
  /// Extent `dim` of an argument of the body, an index.
  mlir::Value getExtent(mlir::BlockArgument argument, unsigned dim);
  /// The same for the host: a constant or a dimension of maps and sets.
  mlir::AffineExpr getExtentExpr(mlir::BlockArgument argument, unsigned dim);
  /// Number of dynamic extents: dimensions of maps and sets.
  unsigned getNumExtents() const { return numExtents; }
  /// The variant's grid from one expression per axis.
  mlir::AffineMap getGrid(mlir::AffineExpr x, mlir::AffineExpr y,
                          mlir::AffineExpr z);

  /// `!llvm.ptr<3>`: dynamic shared memory, aligned to 1024 bytes.
  mlir::Value getSharedMemory();
  /// i32: threads of a block in one dimension; blocks in axis 0, 1 or 2.
  mlir::Value getThreadId();
  mlir::Value getBlockId(unsigned axis);

private:
  mlir::func::FuncOp body;
  mlir::gpu::GPUModuleOp module;
  const ChipModel &chip;
  mlir::gpu::GPUFuncOp function;
  mlir::ImplicitLocOpBuilder builder;
  /// Of each argument: its first dynamic extent among all.
  llvm::SmallVector<unsigned> firstExtents;
  unsigned numExtents = 0;
};

/// The generators. Each reports an error at the op of the body that it cannot
/// generate, saying what was expected, and leaves no function behind.
mlir::FailureOr<KernelVariant> generateElementKernel(const KernelRequest &);
mlir::FailureOr<KernelVariant> generateRowKernel(const KernelRequest &);
mlir::FailureOr<KernelVariant> generateBlockKernel(const KernelRequest &);
mlir::FailureOr<KernelVariant> generateMatmulKernel(const KernelRequest &);
mlir::FailureOr<KernelVariant> generateAttentionKernel(const KernelRequest &);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_KERNEL_H

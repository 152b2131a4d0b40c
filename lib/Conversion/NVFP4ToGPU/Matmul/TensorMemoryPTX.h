//===- TensorMemoryPTX.h - Instructions of tensor memory --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inline assembly of chips whose matrix unit keeps its sums in tensor memory,
// in one place: MLIR 22 verifies its operations for one of these chips only.
// Addresses of tensor memory are i32: the lane in the upper half, the column in
// the lower one. Pointers are `!llvm.ptr<3>`.
//
// Who may call what: allocations are a whole warp's; loads are a warp's, of the
// 32 lanes that are its own; products, copies and commits are one thread's,
// always the same one.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMEMORYPTX_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMEMORYPTX_H

#include "HopperPTX.h"

namespace nvfp4 {

/// Columns of tensor memory, of which allocations are powers of two from 32,
/// and lanes of it that a warp can load.
constexpr int64_t kTensorColumns = 512;
constexpr int64_t kTensorLanesPerWarp = 32;
/// The lane in an address.
constexpr int64_t kTensorLaneUnit = int64_t(1) << 16;

struct TensorMemoryPTX {
  /// With `isPair`, of two CTAs of a cluster: both allocate and free, the first
  /// one copies and multiplies for both.
  explicit TensorMemoryPTX(mlir::ImplicitLocOpBuilder &builder,
                           bool isPair = false)
      : b(builder), ptx(builder), isPair(isPair) {}

  /// All columns; the address is stored at `slot`. No other CTA of the
  /// multiprocessor gets any until they are free.
  void allocateAll(mlir::Value slot);
  void freeAll(mlir::Value address);

  /// Between what this thread did with tensor memory and a barrier of threads,
  /// and between such a barrier and what it does.
  void fenceBefore();
  void fenceAfter();
  /// `barrier` gets an arrival when the thread's products and copies so far are
  /// complete; in a pair, that of both CTAs.
  void commit(mlir::Value barrier);
  /// f32 of `columns` columns (a power of two from 16) of the thread's lane.
  /// They have been read, too: the columns may be written.
  llvm::SmallVector<mlir::Value> load(mlir::Value address, int64_t columns);

  /// A word of shared memory that nobody can compute in another way.
  void storeOpaque(mlir::Value pointer, mlir::Value value);
  mlir::Value loadOpaque(mlir::Value pointer);

private:
  std::string getGroup() const;

  mlir::ImplicitLocOpBuilder &b;
  HopperPTX ptx;
  bool isPair;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMEMORYPTX_H

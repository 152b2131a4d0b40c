//===- HopperPTX.h - Instructions that LLVM has no op for -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inline assembly of chips with asynchronous warpgroups, in one place: barriers
// in shared memory, bulk copies that complete on them, fences between ways of
// reaching memory, and registers that warps hand to each other. Pointers are
// `!llvm.ptr<3>` (shared) and `!llvm.ptr<1>` (global), integers i32.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_HOPPERPTX_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_HOPPERPTX_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nvfp4 {

struct HopperPTX {
  explicit HopperPTX(mlir::ImplicitLocOpBuilder &builder) : b(builder) {}

  /// Any instructions. They stay where they are, and accesses to memory do not
  /// pass them if `ordersMemory`.
  mlir::Value emit(mlir::Type result, mlir::ValueRange operands,
                   mlir::StringRef text, mlir::StringRef constraints,
                   bool ordersMemory = true);

  /// i32: the address that instructions take.
  mlir::Value getAddress(mlir::Value shared);

  /// Of a barrier of 8 bytes: `count` arrivals complete a phase.
  void initBarrier(mlir::Value barrier, int64_t count);
  /// Makes initialized barriers known to bulk copies.
  void fenceBarrierInit();
  /// Blocks until the phase of that parity (i32) is complete.
  void waitForParity(mlir::Value barrier, mlir::Value parity);
  /// Where `condition` (i1) holds.
  void arriveIf(mlir::Value barrier, mlir::Value condition);
  /// One arrival, and so many bytes of bulk copies to come.
  void arriveAndExpect(mlir::Value barrier, mlir::Value bytes);
  void arriveAndExpectIf(mlir::Value condition, mlir::Value barrier,
                         mlir::Value bytes);

  /// Stores to shared memory before, matrix units and bulk copies after.
  void fenceAsyncProxy();
  /// The first of a warpgroup's instructions that say how many registers each
  /// of its threads has from here on: a multiple of 8.
  void takeRegisters(int64_t count);
  void giveRegisters(int64_t count);
  /// A barrier of `threads` threads, number `id`.
  void syncThreads(int64_t id, int64_t threads);
  void syncWarp();

  /// `bytes` (i32, a multiple of 16) from global to shared memory; they
  /// complete on `barrier`.
  void copyBulk(mlir::Value target, mlir::Value source, mlir::Value bytes,
                mlir::Value barrier);
  /// The same of bytes that nobody reads again soon.
  void copyBulkOnce(mlir::Value target, mlir::Value source, mlir::Value bytes,
                    mlir::Value barrier);
  /// A box of a tensor map (a generic or parameter pointer) at `coordinates`
  /// (i32, the innermost first). In a pair of CTAs, one or both of which get it
  /// at `target`, it completes on that barrier of the first one.
  enum class Receiver { Alone, OneOfPair, BothOfPair };
  void copyTensor(mlir::Value target, mlir::Value map,
                  mlir::ValueRange coordinates, mlir::Value barrier,
                  Receiver receiver = Receiver::Alone);

  /// i32: `value`, which all threads of a whole warp have, as one of which
  /// ptxas knows that: branches on it leave warps whole.
  mlir::Value getUniform(mlir::Value value);

  /// i1: holds in one thread of a whole warp, the same one always. In a branch
  /// on it ptxas knows that: it keeps operands in registers of the warp, and
  /// needs no loop over threads for bulk copies.
  mlir::Value electThread();

  /// Tells the cluster that this thread is there, and blocks until all threads
  /// of it have said so. Whole warps. Publishes nothing but initialized
  /// barriers after their fence: a release waits for all accesses before, for
  /// microseconds where another kernel still runs.
  void beginClusterSync();
  void endClusterSync();
  /// i32: where a CTA of the cluster has what this one has at a shared pointer.
  mlir::Value mapToRank(mlir::Value shared, mlir::Value rank);
  /// Stores a word to such a place if `condition` (i1) holds; its bytes
  /// complete on `barrier`, of the same CTA.
  void storeAsyncIf(mlir::Value condition, mlir::Value target,
                    mlir::Value value, mlir::Value barrier);
  /// An arrival at a barrier at such a place.
  void arriveRemote(mlir::Value barrier);
  void arriveRemoteIf(mlir::Value condition, mlir::Value barrier);
  /// waitForParity, for what other CTAs of the cluster did.
  void waitForCluster(mlir::Value barrier, mlir::Value parity);

private:
  mlir::ImplicitLocOpBuilder &b;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_HOPPERPTX_H

//===- WgmmaAtom.h - The matrix unit of a warpgroup -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `wgmma`: 64 rows of a warpgroup times up to 256 columns, which lie in shared
// memory; the rows lie there, too, or in registers. It runs while its threads
// go on, so there is a wait: until then accumulators and registers of operands
// are the unit's.
//
// A step is a whole tile of K, one assembly statement: fence, instructions,
// commit. What stands between them could touch an accumulator, and then ptxas
// would serialise the instructions.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_WGMMAATOM_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_WGMMAATOM_H

#include "MmaAtom.h"

namespace nvfp4 {

/// K of an instruction, rows of an instruction, and threads that issue it.
constexpr int64_t kWgmmaK = 16;
constexpr int64_t kWgmmaRows = 64;
constexpr int64_t kWarpgroupThreads = 128;
/// Bytes of a line of operands in shared memory: the swizzle's.
constexpr int64_t kWgmmaLineBytes = 128;

/// How an operand lies in shared memory, in lines of 128 bytes that are
/// permuted as `LineImage` says.
struct WgmmaImage {
  /// Whether a line holds neighbours along K: 64 elements of a row. Otherwise
  /// it holds 64 rows of one K, and panels of 64 rows follow each other.
  bool isKContiguous = true;
  /// Bytes from panel to panel.
  int64_t panelBytes = 0;
};

/// i64: the descriptor of an image (!llvm.ptr<3>).
mlir::Value emitWgmmaDescriptor(mlir::ImplicitLocOpBuilder &b,
                                mlir::Value pointer, const WgmmaImage &image);

struct WgmmaForm {
  /// bf16, or else f16.
  bool isBF16 = true;
  /// Columns of an instruction: a multiple of 8 up to 256.
  int64_t columns;
  /// Instructions in a step.
  int64_t steps;
  /// Whether rows come as four registers (i32) per instruction; otherwise as a
  /// descriptor. Columns are a descriptor always.
  bool rowsInRegisters = false;
  WgmmaImage rows, cols;
};

std::unique_ptr<MmaAtom> createWgmma(const WgmmaForm &form, OctetMap rows,
                                     OctetMap columns);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_WGMMAATOM_H

//===- EntryInterface.h - What an entry function promises ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The border of an entry function, as the attribute `nvfp4.entry` records it:
// named dimensions, and names, dtypes and shapes of arguments and results. It
// outlives the signature, which bufferization and the host ABI change.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_ENTRYINTERFACE_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_ENTRYINTERFACE_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>

namespace nvfp4 {

/// A named dimension of an entry, with the values that it may take.
struct EntryDimension {
  std::string name;
  int64_t min = 0;
  /// -1: no limit.
  int64_t max = -1;
};

/// One extent of an argument or result: a number, or the position of its name
/// in `EntryInterface::dimensions`, or neither (results only: an expression
/// that `plan` computes).
struct EntryExtent {
  std::optional<int64_t> size;
  std::optional<unsigned> dimension;
};

/// One tensor at the border.
struct EntryTensor {
  /// `input` or `weight`; empty for a result.
  std::string kind;
  std::string name;
  /// Spelled as safetensors does: F32, BF16, I64, BOOL, …
  std::string dtype;
  llvm::SmallVector<EntryExtent> shape;
};

/// The border of an entry function.
struct EntryInterface {
  llvm::SmallVector<EntryDimension> dimensions;
  llvm::SmallVector<EntryTensor> arguments;
  llvm::SmallVector<EntryTensor> results;

  /// Reads `nvfp4.entry`. Reports an error at the function when the attribute
  /// is missing or malformed.
  static mlir::FailureOr<EntryInterface> read(mlir::func::FuncOp func);
};

/// On a loop over rows, or the function that it becomes: how many rows are
/// worth a thread. The function's first two arguments are the rows to compute.
inline constexpr llvm::StringLiteral kGrainAttrName = "nvfp4.grain";

/// Whether `func` is an entry: public, with a body.
bool isEntryFunction(mlir::func::FuncOp func);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_ENTRYINTERFACE_H

//===- EntryAttributes.h - Names and bounds of an entry's dimensions -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_NORMALIZE_ENTRYATTRIBUTES_H
#define NVFP4_LIB_NORMALIZE_ENTRYATTRIBUTES_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace nvfp4 {

/// Inclusive; a maximum of -1 is none.
struct DimensionBounds {
  int64_t minimum = 0;
  int64_t maximum = -1;
};

/// True for the functions that callers of a package see.
bool isEntry(mlir::func::FuncOp func);

/// A ranked or a block-scaled tensor, whose dimensions may have names; null for
/// any other type.
mlir::ShapedType getTensorType(mlir::Type type);

/// Reports every malformed nvfp4.shape and nvfp4.dimensions of an entry.
mlir::LogicalResult verifyEntryAttributes(mlir::func::FuncOp func);

/// The name of dynamic dimension `dim` of an argument: from nvfp4.shape, else
/// `<name of the argument>.dim<d>`, where an argument without nvfp4.name is
/// called `arg<i>`. Expects attributes that verify.
std::string getDimensionName(mlir::func::FuncOp func, unsigned argument,
                             int64_t dim);
/// True if nvfp4.shape names the dimension.
bool isNamedDimension(mlir::func::FuncOp func, unsigned argument, int64_t dim);

/// The entry of `dimensions` (may be null) for `name`, or the default.
DimensionBounds getDimensionBounds(mlir::DictionaryAttr dimensions,
                                   llvm::StringRef name);

/// What a user calls an argument: "'input_ids'", or "argument 3".
std::string describeArgument(mlir::func::FuncOp func, unsigned argument);

} // namespace nvfp4

#endif // NVFP4_LIB_NORMALIZE_ENTRYATTRIBUTES_H

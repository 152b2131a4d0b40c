//===- PackageModule.h - What a module says of its package ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads from IR what `writePackage`, which knows none, needs: plans after the
// Kernels stage, entries after expansion, constants at any time.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_PACKAGEMODULE_H
#define NVFP4_TARGET_PACKAGE_PACKAGEMODULE_H

#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Target/Package/PackingPlan.h"
#include "nvfp4/Target/Package/WeightSource.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>
#include <vector>

namespace nvfp4 {

/// The plans of all packing functions, in their order. Needs tensor-level IR.
/// Reports an error at what is not in the grammar.
mlir::FailureOr<std::vector<PackingPlan>> extractPlans(mlir::ModuleOp module);

/// The entry `name` with the attributes `nvfp4.entry` and, if there are any,
/// `nvfp4.checks`, the messages of the error word. Needs expanded tensors.
/// Reports an error at `op` if the attributes are not as `nvfp4-record-entry`
/// and `nvfp4-expand-tensors` write them.
mlir::FailureOr<ManifestEntry> readEntry(mlir::Operation *op,
                                         llvm::StringRef name,
                                         mlir::DictionaryAttr interface,
                                         mlir::ArrayAttr checks);

/// The entries of the module: its top-level ops with `nvfp4.entry`, in their
/// order, whatever dialect they belong to. See `readEntry`.
mlir::FailureOr<std::vector<ManifestEntry>> readEntries(mlir::ModuleOp module);

/// Weights of a module: its `nvfp4.constants`, and for all other names `next`,
/// which may be null. Both outlive the result. Reports an error at a constant
/// that no tensor file can hold.
mlir::FailureOr<std::unique_ptr<WeightSource>>
makeWeightSource(mlir::ModuleOp module, const WeightSource *next);

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_PACKAGEMODULE_H

//===- ExtractPlan.h - From values that depend on weights to plans -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognises the grammar of packing functions: weight arguments, then views,
// casts, and optionally quantize and relayout. What composes here can be
// packed; `nvfp4-hoist-packing` asks this analysis and nothing else, so the
// pass and the interpreter cannot disagree.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_EXTRACTPLAN_H
#define NVFP4_TARGET_PACKAGE_EXTRACTPLAN_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Target/Package/PackingPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nvfp4 {

/// The dtype under which elements of this type are stored, or nothing. A
/// signless integer is the signed one, i1 is BOOL.
std::optional<DType> getDTypeOf(mlir::Type elementType);

/// A value that depends on weights only, through the grammar.
struct WeightValue {
  enum class Kind {
    Plain,       ///< an ordinary tensor
    GlobalScale, ///< the global scale of what `read` reads
    Quantized,   ///< what `read` reads, quantized
  };
  Kind kind = Kind::Plain;
  /// Sources are numbered as in the analysis.
  PackingRead read;
  /// Of a global scale or a quantized value.
  FormatAttr format;
  BlockLayout layout = BlockLayout::Linear;
  std::optional<PackingRead> scaleRead;
};

/// Finds what values are made of. Arguments of functions count as weights if
/// they carry `nvfp4.weight`. Answers are kept: the IR above a value that was
/// asked about must not change.
class WeightAnalysis {
public:
  /// What `value` is made of, or null if it depends on anything but weights or
  /// leaves the grammar.
  const WeightValue *get(mlir::Value value);
  /// Why a value whose operands are weights is none itself; empty if there is
  /// no such reason.
  llvm::StringRef getReason(mlir::Value value);

  /// The plan that makes `value`, which `get` knows, as the packed tensor
  /// `name`. A plain value or a quantized one, of static shape.
  PackingPlan makePlan(mlir::Value value, const std::string &name);

private:
  struct Answer {
    std::unique_ptr<WeightValue> value;
    std::string reason;
  };
  Answer compute(mlir::Value value);
  Answer computeArgument(mlir::BlockArgument argument);

  llvm::DenseMap<mlir::Value, Answer> answers;
  std::vector<PackingSource> sources;
  llvm::StringMap<int64_t> sourceIndex;
};

/// The components of a packed tensor of a type of static shape: itself, or
/// `<name>.codes`, `<name>.scales` and `<name>.global_scale`.
std::vector<TensorSpec> getComponents(mlir::Type type, const std::string &name);

/// The plan of a packing function. Reports an error at the function or at the
/// op that is not in the grammar.
mlir::FailureOr<PackingPlan> extractPlan(mlir::func::FuncOp packFunction);

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_EXTRACTPLAN_H

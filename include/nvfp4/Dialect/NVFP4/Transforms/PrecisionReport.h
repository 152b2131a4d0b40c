//===- PrecisionReport.h - What became of each layer, and why ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One entry per contraction, convolution and embedding, read from the
// attributes that `nvfp4-assign-precision` wrote (or a user). The package keeps
// it as JSON, the terminal shows it as a table.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_PRECISIONREPORT_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_PRECISIONREPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace nvfp4 {

/// One site.
struct PrecisionReportEntry {
  /// The name as on the op, with the use index of a weight used repeatedly.
  std::string site;
  /// A word of `stringifySiteClass`.
  std::string siteClass;
  /// Name in the weights file; empty if no operand is a weight.
  std::string weight;
  /// Contraction: (matrices,) M, N, K. Convolution: of the result, then of the
  /// filter. Embedding: of the table. Numbers, products of named dimensions
  /// such as `batch*32`, or `?`.
  std::vector<std::string> shape;
  /// Text within `#nvfp4.precision<…>`.
  std::string requested, realised;
  /// Label of the rule that decided; `user` if the op came with its precision.
  std::string rule;
  /// Why `realised` is not `requested`; empty if it is.
  std::string reason;
  /// Bytes of the weight in the weights file and in the package, without
  /// padding; none if there is no weight or an extent of it is dynamic.
  std::optional<int64_t> bytesBefore, bytesAfter;
  /// Whether the site reads all of the weight, not a slice.
  bool readsWholeWeight = true;
  /// Signal to quantization noise of the weight in dB, infinite if nothing was
  /// lost; known once it is packed.
  std::optional<double> sqnr;
  /// Position in a stack of blocks, for the table: names without and with the
  /// index cut out.
  std::optional<int64_t> blockIndex;
  std::string siteBeforeIndex, siteAfterIndex;
};

class PrecisionReport {
public:
  /// Reads the attributes; a site without them counts as kept.
  static PrecisionReport build(mlir::ModuleOp module);

  std::vector<PrecisionReportEntry> entries;

  /// Records the error of a weight on every block-scaled entry that has it.
  void setQuantizationError(llvm::StringRef weight, double sqnr);

  /// Sites whose realised precision is not the requested one.
  unsigned getNumFallbacks() const;
  /// Sums over distinct stored weights: one that two sites use in the same
  /// precision counts once.
  int64_t getBytesBefore() const;
  int64_t getBytesAfter() const;

  /// An array with one object per entry, with the keys site, class, weight,
  /// shape, requested, realised, rule, reason, bytes_before, bytes_after,
  /// sqnr_db. What is not known is null, and so is the ratio of a weight that
  /// lost nothing. In `shape` a number stands for itself.
  llvm::json::Value toJSON() const;

  /// Prints a table of at most 100 columns: a section per precision and rule,
  /// equal layers of a stack in one row.
  void print(llvm::raw_ostream &os) const;
};

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_PRECISIONREPORT_H

//===- VectorBody.h - Bodies of linalg ops for several elements -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the body of a linalg op on buffers for one element, or for a vector of
// elements that are neighbours along the innermost dimension.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_VECTORBODY_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_VECTORBODY_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <string>

namespace nvfp4 {

/// Shorter vectors are not worth it.
inline constexpr int64_t kLeastLanes = 4;

/// How the innermost dimension of an op is computed.
struct VectorPlan {
  /// Elements of a vector; 1: one at a time. Depends on the op alone, not on
  /// the processor: results of reductions depend on it.
  int64_t lanes = 1;
  /// The op of the body that adds an element to a reduction; null if the
  /// dimension is parallel, or if lanes is 1.
  mlir::Operation *combiner = nullptr;
  /// Why there is one lane.
  std::string reason;
};

VectorPlan planVectors(mlir::linalg::LinalgOp op);

/// Writes a body once or several times. Values that do not depend on the
/// innermost dimension may be written first, in front of its loop.
class VectorBody {
public:
  /// `ivs` are the current indices; that of the innermost dimension is set
  /// before each use.
  VectorBody(mlir::ImplicitLocOpBuilder &builder, mlir::linalg::LinalgOp op,
             llvm::SmallVectorImpl<mlir::Value> &ivs)
      : b(builder), op(op), ivs(ivs) {}

  /// Writes what is the same for all of the innermost dimension.
  void emitUniform();
  /// Writes the rest for `lanes` elements, and stores the results.
  void emitElements(int64_t lanes);
  /// Writes the rest for `lanes` elements of a reduction: the values of what
  /// is yielded, with `accumulator` in the place of the result so far.
  mlir::Value emitReduction(int64_t lanes, mlir::Value accumulator);

  /// Reads and writes the element of the only result, which is a reduction's.
  mlir::Value loadResult();
  void storeResult(mlir::Value value);

private:
  unsigned getInnermost() { return op.getNumLoops() - 1; }
  bool varies(mlir::OpOperand &operand);
  mlir::Value emitLoad(mlir::OpOperand &operand, int64_t lanes);
  void emitStore(mlir::Value value, mlir::OpOperand &operand, int64_t lanes);
  void emitBody(int64_t lanes, mlir::IRMapping &values);
  void emitOp(mlir::Operation *inner, int64_t lanes, mlir::IRMapping &values);
  mlir::Value emitIndex(unsigned dim, int64_t lanes);
  mlir::Value widen(mlir::Value value, int64_t lanes);
  llvm::SmallVector<mlir::Value> getIndices(mlir::OpOperand &operand);

  mlir::ImplicitLocOpBuilder &b;
  mlir::linalg::LinalgOp op;
  llvm::SmallVectorImpl<mlir::Value> &ivs;
  /// What `emitUniform` has written.
  mlir::IRMapping uniform;
};

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_VECTORBODY_H

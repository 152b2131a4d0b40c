//===- ElementEvaluator.h - Elements of a body's tensors --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits the scalars of any tensor value of a kernel's body, at an index of the
// kernel: pulls them through linalg ops, views and constants down to loads from
// the arguments. Nothing of the body is materialized, so that whatever a
// schedule asks for is fused.
//
// A schedule that holds elements itself (a row in registers, the result of a
// reduction across threads, an accumulator of the MMA unit) binds them to the
// tensor value, and pulling ends there.
//
// Operations are those of the body, one by one and in its order, sums start at
// the init and follow the loops: values are those of the reference lowering.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_ELEMENTEVALUATOR_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_ELEMENTEVALUATOR_H

#include "Kernel.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <functional>
#include <memory>

namespace nvfp4 {

/// The earliest value of the body, and its dimension, that has the same extent
/// as `dim` of `tensor`, as far as linalg ops and simple views tell.
std::pair<mlir::Value, unsigned> getExtentOrigin(mlir::Value tensor,
                                                 unsigned dim);

class ElementEvaluator {
public:
  /// The scalars of `count` elements: at `index`, and behind it along the last
  /// dimension. `index` has one value of index type per dimension.
  using Run = llvm::SmallVector<mlir::Value>;
  using Producer = std::function<mlir::FailureOr<Run>(
      mlir::OpBuilder &, mlir::ValueRange index, int64_t count)>;

  explicit ElementEvaluator(KernelBuilder &kernel);
  ~ElementEvaluator();

  //===--------------------------------------------------------------------===//
  // Asking: code goes to where the kernel's builder stands
  //===--------------------------------------------------------------------===//

  /// A run of a tensor value of the body. All `count` elements must exist.
  /// Reports an error at the op of the body that it cannot evaluate.
  mlir::FailureOr<Run> getRun(mlir::Value tensor, mlir::ValueRange index,
                              int64_t count);

  /// A value of the body that is no tensor: constants, dimensions, arithmetic
  /// on them, tensor.extract.
  mlir::FailureOr<mlir::Value> getScalar(mlir::Value scalar);

  /// The extent of a tensor value of the body, an index.
  mlir::FailureOr<mlir::Value> getExtent(mlir::Value tensor, unsigned dim);
  mlir::FailureOr<Run> getExtents(mlir::Value tensor);

  /// The extent of every loop of a linalg op.
  mlir::FailureOr<Run> getLoopExtents(mlir::linalg::LinalgOp op);

  /// Adds to `sums`, one per result of a reduction, the terms of `count` points
  /// of its iteration space, one after the other: from `loops` on, along
  /// `vectorLoop`.
  mlir::FailureOr<Run> accumulate(mlir::linalg::LinalgOp op,
                                  mlir::ValueRange loops, unsigned vectorLoop,
                                  int64_t count, mlir::ValueRange sums);

  /// Stores a run to an argument; i1 is a byte.
  void storeRun(mlir::BlockArgument argument, mlir::ValueRange index,
                mlir::ValueRange run);

  //===--------------------------------------------------------------------===//
  // Telling
  //===--------------------------------------------------------------------===//

  /// From here on, and until unbound, elements of `tensor` are what `producer`
  /// says. Results that are already in the cache of an open scope stay.
  void bind(mlir::Value tensor, Producer producer);
  void unbind(mlir::Value tensor);

  /// Promises that an index is a multiple of `divisor`: runs that start there
  /// become vector loads and stores.
  void assumeMultiple(mlir::Value index, int64_t divisor);
  /// The largest known divisor of an index, at least 1; 0 for the constant 0.
  int64_t getKnownDivisor(mlir::Value index);

  /// What is evaluated while a scope lives is reused until it ends. Open one
  /// for every region (of scf.for, scf.if, …) that code is evaluated into,
  /// because values of one region are not visible in another.
  class Scope {
  public:
    explicit Scope(ElementEvaluator &evaluator);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    ElementEvaluator &evaluator;
  };

  //===--------------------------------------------------------------------===//
  // Arithmetic on indices: folded, and each result once per scope
  //===--------------------------------------------------------------------===//

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  /// Unsigned.
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  mlir::Value rem(mlir::Value lhs, mlir::Value rhs);
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  /// Row-major position of an index, and back.
  mlir::Value linearize(mlir::ValueRange index, mlir::ValueRange extents);
  Run delinearize(mlir::Value position, mlir::ValueRange extents);

  /// ElementEvaluatorImpl.h.
  struct Implementation;

private:
  std::unique_ptr<Implementation> implementation;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_ELEMENTEVALUATOR_H

//===- ElementEvaluatorImpl.h - Inside the element evaluator ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of the evaluator share: ElementEvaluator.cpp (arithmetic on
// indices, arguments, scalars), EvaluateLinalg.cpp (linalg ops) and
// EvaluateViews.cpp (everything else that makes tensors).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_ELEMENTEVALUATORIMPL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_ELEMENTEVALUATORIMPL_H

#include "ElementEvaluator.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <map>
#include <vector>

namespace nvfp4 {

struct ElementEvaluator::Implementation {
  Implementation(ElementEvaluator &self, KernelBuilder &kernel)
      : self(self), kernel(kernel), builder(kernel.getBuilder()), scopes(1) {}

  using Values = llvm::ArrayRef<mlir::Value>;

  //===--------------------------------------------------------------------===//
  // What has been evaluated
  //===--------------------------------------------------------------------===//

  /// Says what a cached value is: an op or a value of the body or a tag,
  /// followed by values of the kernel and numbers.
  using Key = std::vector<uintptr_t>;
  enum Tag : uintptr_t {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Min,
    Constant,
    Cast,
    Linear,
    Extent
  };

  static void append(Key &key, Values values);
  const Run *lookup(const Key &key) const;
  const Run &remember(const Key &key, Run run);
  /// The same, visible in all scopes: for what stands in the entry block.
  const Run &rememberForever(const Key &key, Run run);

  //===--------------------------------------------------------------------===//
  // Indices and memory
  //===--------------------------------------------------------------------===//

  template <typename OpTy>
  mlir::Value binary(Tag tag, mlir::Value lhs, mlir::Value rhs);
  mlir::Value evaluateAffine(mlir::AffineExpr expr, Values dims,
                             Values symbols);
  /// `index`, `distance` further along the last dimension.
  Run advance(mlir::ValueRange index, int64_t distance);
  bool isMultiple(mlir::Value index, int64_t divisor);

  mlir::Value getAddress(mlir::BlockArgument argument, mlir::Value position);
  /// Of `count` elements from `position`: how many one instruction moves.
  int64_t getVectorLength(mlir::Value position, int64_t count, unsigned bytes);
  mlir::FailureOr<Run> load(mlir::BlockArgument argument, mlir::Value position,
                            int64_t count);

  //===--------------------------------------------------------------------===//
  // Tensors and scalars
  //===--------------------------------------------------------------------===//

  mlir::FailureOr<Run> evaluate(mlir::Value tensor, Values index,
                                int64_t count);
  /// Element by element, where the run is none of the operand.
  mlir::FailureOr<Run> evaluateApart(mlir::Value tensor, Values index,
                                     int64_t count);
  mlir::FailureOr<Run>
  evaluateConditionally(mlir::Value condition, mlir::Type type, int64_t count,
                        llvm::function_ref<mlir::FailureOr<Run>()> thenRun,
                        llvm::function_ref<mlir::FailureOr<Run>()> elseRun);
  mlir::FailureOr<mlir::Value> evaluateScalar(mlir::Value scalar);
  mlir::FailureOr<mlir::Value> evaluateExtent(mlir::Value tensor, unsigned dim);
  mlir::FailureOr<mlir::Value> getIndex(mlir::OpFoldResult value);
  mlir::FailureOr<Run> getIndices(llvm::ArrayRef<mlir::OpFoldResult> values);

  //===--------------------------------------------------------------------===//
  // EvaluateLinalg.cpp
  //===--------------------------------------------------------------------===//

  /// A part of an iteration space: one point, or `count` along `vectorLoop`.
  struct Points {
    Run loops;
    unsigned vectorLoop = 0;
    int64_t count = 1;
  };
  /// Values of the body of a linalg op: one per point, or one for all.
  using Lanes = llvm::DenseMap<mlir::Value, Run>;

  mlir::FailureOr<Run> evaluateLinalg(mlir::linalg::LinalgOp op,
                                      unsigned result, Values index,
                                      int64_t count);
  mlir::FailureOr<Points> getPoints(mlir::linalg::LinalgOp op, unsigned result,
                                    Values index, int64_t count);
  mlir::FailureOr<mlir::Value> getLoopExtent(mlir::linalg::LinalgOp op,
                                             unsigned loop);
  mlir::FailureOr<Run> evaluateOperand(mlir::linalg::LinalgOp op,
                                       mlir::OpOperand &operand,
                                       const Points &points);
  mlir::LogicalResult evaluateInputs(mlir::linalg::LinalgOp op,
                                     const Points &points, Lanes &lanes);
  mlir::FailureOr<Run> evaluateReduction(mlir::linalg::LinalgOp op,
                                         const Points &points);
  mlir::LogicalResult evaluateStep(mlir::linalg::LinalgOp op,
                                   const Points &points, unsigned innermost,
                                   int64_t unroll, Run &sums);
  /// What the body yields, result by result, `count` values each.
  mlir::FailureOr<Run> evaluateBody(mlir::linalg::LinalgOp op,
                                    const Points &points, Lanes &lanes);
  mlir::LogicalResult evaluateBodyOp(mlir::Operation &op, const Points &points,
                                     Lanes &lanes);
  mlir::LogicalResult evaluateGather(mlir::tensor::ExtractOp op,
                                     const Points &points, Lanes &lanes);
  Run divideByOne(const Run &dividends, mlir::Value divisor);
  mlir::LogicalResult cloneLanes(mlir::Operation &op, const Points &points,
                                 Lanes &lanes);
  mlir::FailureOr<mlir::Value> getLane(mlir::Value value, int64_t lane,
                                       const Lanes &lanes);

  //===--------------------------------------------------------------------===//
  // EvaluateViews.cpp
  //===--------------------------------------------------------------------===//

  mlir::FailureOr<Run> evaluateOp(mlir::Operation *op, mlir::Value tensor,
                                  Values index, int64_t count);
  mlir::FailureOr<Run>
  evaluateReshape(mlir::Value source, mlir::Value result,
                  llvm::ArrayRef<mlir::ReassociationIndices> groups,
                  bool isExpansion, Values index, int64_t count);
  mlir::FailureOr<Run> evaluateExtractSlice(mlir::tensor::ExtractSliceOp op,
                                            Values index, int64_t count);
  mlir::FailureOr<Run> evaluateInsertSlice(mlir::tensor::InsertSliceOp op,
                                           Values index, int64_t count);
  mlir::FailureOr<Run> evaluatePad(mlir::tensor::PadOp op, Values index,
                                   int64_t count);
  mlir::FailureOr<Run> evaluateConcat(mlir::tensor::ConcatOp op, Values index,
                                      int64_t count);
  mlir::FailureOr<Run> evaluateConstant(mlir::Operation *op, Values index,
                                        int64_t count);
  mlir::FailureOr<Run> evaluateElementwise(mlir::Operation *op,
                                           mlir::Value tensor, Values index,
                                           int64_t count);
  mlir::FailureOr<mlir::Value>
  evaluateExtentOfOp(mlir::Operation *op, mlir::Value tensor, unsigned dim);

  ElementEvaluator &self;
  KernelBuilder &kernel;
  mlir::ImplicitLocOpBuilder &builder;
  llvm::DenseMap<mlir::Value, Producer> bound;
  llvm::DenseMap<mlir::Value, int64_t> multiples;
  std::vector<std::map<Key, Run>> scopes;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_ELEMENTEVALUATORIMPL_H

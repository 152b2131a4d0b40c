//===- TensorMemoryAtom.h - The matrix unit of tensor memory ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `tcgen05.mma`: 128 rows times up to 256 columns. Both operands lie in shared
// memory, in lines of 128 bytes; sums and scales in tensor memory, where one
// thread has scales copied and products added. Sums stand in lane = row, column
// = column.
//
// A stage holds four steps of K. Scales of a stage are copied step by step,
// each before its product, to columns of their own: copies run under the
// products before. The next stage's are copied to the same columns, because
// copies and products of a thread happen in order.
//
//   columns     hold
//   0 ...       sums of even tiles
//   second ...  sums of odd tiles
//   ... 512     scales: of A, then of B, for each tile of scales in a stage
//
// A pair of CTAs multiplies 256 rows: each has 128 of them and their sums, half
// of the lines of the columns, and the scales of all columns. One thread of the
// first CTA has scales copied and products added for both.
//
// Where both sums and the scales do not fit, the sums overlap: the second ones
// end where scales begin.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMEMORYATOM_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMEMORYATOM_H

#include "MmaAtom.h"

#include "nvfp4/Support/MatrixDescriptors.h"

namespace nvfp4 {

enum class TensorMmaKind {
  NVFP4, ///< k64, e2m1, an e4m3 scale per 16.
  MXFP4, ///< k64, e2m1, an e8m0 scale per 32.
  BF16,  ///< k16.
  F16,   ///< k16.
};

/// Steps in a stage.
constexpr int64_t kTensorSteps = 4;
/// Bytes of a line of an operand: all steps of a stage.
constexpr int64_t kTensorLineBytes = 128;

/// Where an operand's lines and scales, if it has any, lie in a stage, in
/// bytes.
struct TensorImage {
  int64_t lines = 0, scales = 0;
  /// Whether a line holds neighbours along K, those of all steps. Otherwise it
  /// holds 64 rows of one K, and panels of 64 rows follow each other.
  bool isKContiguous = true;
  int64_t panelBytes = 0;
};

struct TensorForm {
  TensorMmaKind kind;
  /// Columns of an instruction.
  int64_t columns;
  TensorImage rows, cols;
  /// Two CTAs; `rows` and `cols` are where each of them has its part.
  bool isPair = false;

  /// K of an instruction.
  int64_t getStepK() const;
  /// Of scales in a stage: tiles along K (512 bytes for 128 rows each), and
  /// columns of tensor memory.
  int64_t getScaleTiles() const;
  int64_t getScaleColumns() const;
  /// The column of the second sums; those of the first that it overlaps.
  int64_t getSecondColumn() const;
  int64_t getOverlap() const { return columns - getSecondColumn(); }
};

class TensorMemoryAtom final : public AccumulatorSource {
public:
  explicit TensorMemoryAtom(const TensorForm &form) : form(form) {}

  const TensorForm &getForm() const { return form; }
  /// Bytes of shared memory that `begin` needs.
  int64_t getTableBytes() const { return 8 * form.getScaleTiles(); }
  /// By the thread that multiplies, before its loops: addresses in tensor
  /// memory (i32) of all scales, from that of the first column. They go through
  /// `table`, so that ptxas keeps them in registers.
  llvm::SmallVector<mlir::Value> begin(mlir::ImplicitLocOpBuilder &b,
                                       mlir::Value base, mlir::Value table);
  /// Of these, where a tile of columns that begins at `column` (i32) reads
  /// them: the copied scales begin with those of whole tiles of 128 columns.
  llvm::SmallVector<mlir::Value> getScalesOf(mlir::ImplicitLocOpBuilder &b,
                                             mlir::ValueRange scales,
                                             mlir::Value column);
  /// Adds the first `steps` products of a stage to the sums at `sums` (i32), or
  /// begins them if `accumulates` (i1) is false. `image` (i32) is where the
  /// stage is in shared memory, in 16 bytes; `scales` is what `getScalesOf`
  /// returned.
  void issue(mlir::ImplicitLocOpBuilder &b, mlir::Value image, mlir::Value sums,
             mlir::Value accumulates, mlir::ValueRange scales, int64_t steps);

  /// `accumulators` is the address of the warp's lanes (i32).
  void drainColumns(
      const CtaContext &cta, mlir::ValueRange accumulators, mlir::Value first,
      int64_t count,
      llvm::function_ref<void(const AccumulatorChunk &)> visit) override;

private:
  TensorForm form;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMEMORYATOM_H

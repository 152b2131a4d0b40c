//===- FloatOperandPath.h - Operands of 16-bit units ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plain operand of a unit that multiplies bf16 or f16: any dimensions, K or
// the rows contiguous, any pitch. Where the body's value lies in memory as it
// is and neighbours share an aligned word, copies are asynchronous, of 16, 8 or
// 4 bytes; everything else (another element type, arithmetic, odd pitches) is
// evaluated, rounded to nearest even, and stored to the image.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_FLOATOPERANDPATH_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_FLOATOPERANDPATH_H

#include "../ElementEvaluator.h"
#include "LineImage.h"
#include "OperandPath.h"
#include "WgmmaAtom.h"

namespace nvfp4 {

/// A tensor of the body as rows times K of matrices in a batch.
struct FloatOperand {
  enum class Role { Batch, Row, K };
  struct Dim {
    Role role;
    /// Which of the product's batch dimensions.
    unsigned batch = 0;
  };

  mlir::Value tensor;
  /// One Row, one K; the last dimension is one of these.
  llvm::SmallVector<Dim> dims;

  unsigned getDim(Role role) const;
  bool isKContiguous() const { return dims.back().role == Role::K; }
};

/// Which elements along K a lane holds for an instruction.
enum class FragmentOrder {
  /// Those of the manual: a step is one instruction, k16, by `ldmatrix`.
  Natural,
  /// A step is 64 elements and four instructions. Lane t of four has elements
  /// 16t to 16t + 15, four for each instruction in turn: sums do not depend on
  /// the order of K, as long as both operands share it. A lane then decodes
  /// whole blocks. K contiguous.
  Blocks,
  /// The unit reads shared memory itself: handles are descriptors of `wgmma`. A
  /// step is a tile, and four instructions.
  Shared,
};

/// K of a step, and instructions in it.
constexpr int64_t getStepK(FragmentOrder order) {
  return order == FragmentOrder::Natural ? 16 : 64;
}
constexpr int64_t getNumMmas(FragmentOrder order) {
  return getStepK(order) / 16;
}

/// What paths need of the kernel; both outlive the path.
struct FloatContext {
  KernelBuilder &kernel;
  ElementEvaluator &evaluator;
};

/// `element` (bf16 or f16) is what the unit multiplies; `batch` are the extents
/// of the product's batch dimensions.
std::unique_ptr<OperandPath>
createFloatPath(FloatContext context, UnitSide side, const MatmulConfig &config,
                FloatOperand operand, mlir::Type element, FragmentOrder order,
                mlir::ValueRange batch);

/// `values` as a vector of `element`, rounded to nearest even.
mlir::Value convertRun(mlir::ImplicitLocOpBuilder &b,
                       llvm::ArrayRef<mlir::Value> values, mlir::Type element);

/// Of operands in `Shared` order: how they lie in an image, and where a
/// warpgroup's part of it begins (i32).
WgmmaImage getSharedImage(const FloatOperand &operand,
                          const MatmulConfig &config);
mlir::Value emitSharedOffset(const CtaContext &cta, UnitSide side,
                             const FloatOperand &operand,
                             const MatmulConfig &config);

/// The registers of a step in `Blocks` order, from the eight that each lane has
/// of its 16 elements, octet by octet.
llvm::SmallVector<mlir::Value>
arrangeBlocks(UnitSide side,
              llvm::ArrayRef<llvm::SmallVector<mlir::Value>> lanes);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_FLOATOPERANDPATH_H

//===- MatmulKernel.h - A kernel from its five parts ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   TileScheduler   which tile a CTA computes
//   StageRing       tiles of operands in flight
//   OperandPath     global memory -> image in shared memory -> staged handle
//   MmaAtom         staged handles -> accumulators
//   Epilogue        accumulators -> results
//
// What a matmul is (its format, its unit) chooses paths and atom; the rest, and
// the order of everything, is here once.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MATMULKERNEL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MATMULKERNEL_H

#include "../ElementEvaluator.h"
#include "Epilogue.h"
#include "MmaAtom.h"
#include "OperandPath.h"
#include "StageRing.h"
#include "TensorMemoryAtom.h"
#include "TileScheduler.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nvfp4 {

/// What one kind of matmul gives to the kernel.
struct MatmulParts {
  MatmulExtents extents;
  /// K of an instruction.
  int64_t stepK;
  /// Of A and B, and whether B has the batch dimensions.
  std::unique_ptr<OperandPath> lhs, rhs;
  bool rhsIsBatched = false;
  /// One of both.
  std::unique_ptr<MmaAtom> atom;
  std::unique_ptr<TensorMemoryAtom> tensorAtom;
  std::unique_ptr<ProductFinish> finish;
};

/// Writes the kernel of `parts`.
mlir::FailureOr<KernelVariant> composeMatmul(KernelBuilder &kernel,
                                             const MatmulConfig &config,
                                             Epilogue &epilogue,
                                             MatmulParts &parts);

/// The same for a config with copying warps (WarpgroupMatmul.cpp). `evaluator`
/// is that of the paths.
mlir::FailureOr<KernelVariant>
composeWarpgroupMatmul(KernelBuilder &kernel, const ChipModel &chip,
                       const MatmulConfig &config, Epilogue &epilogue,
                       MatmulParts &parts, ElementEvaluator &evaluator);

/// The same for a config with a warp that multiplies in tensor memory
/// (TensorMatmul.cpp).
mlir::FailureOr<KernelVariant>
composeTensorMatmul(KernelBuilder &kernel, const ChipModel &chip,
                    const MatmulConfig &config, Epilogue &epilogue,
                    MatmulParts &parts, ElementEvaluator &evaluator);

/// Rows that a kernel with `max_rows` serves; null: any.
mlir::IntegerSet getServedSet(KernelBuilder &kernel, const MatmulConfig &config,
                              const MatmulExtents &extents);

/// The kernels of a matmul with two block-scaled operands, of one with plain
/// activations and block-scaled weights, of one with two decoded operands, and
/// of a contraction of bf16 or f16.
mlir::FailureOr<KernelVariant> generateBlockScaledMatmul(const KernelRequest &,
                                                         ScaledMatmulOp root);
mlir::FailureOr<KernelVariant> generateWeightOnlyMatmul(const KernelRequest &,
                                                        ScaledMatmulOp root);
mlir::FailureOr<KernelVariant> generateDecodedMatmul(const KernelRequest &,
                                                     ScaledMatmulOp root);
/// Of few rows, with weights in the registers layout (StreamMatmul.cpp).
mlir::FailureOr<KernelVariant> generateStreamMatmul(const KernelRequest &,
                                                    ScaledMatmulOp root);
mlir::FailureOr<KernelVariant> generateFloatMatmul(const KernelRequest &,
                                                   mlir::linalg::LinalgOp root);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MATMULKERNEL_H

//===- ScaledMapPath.h - Block-scaled operands by tensor maps ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block-scaled operand in tiled layout for a unit that reads shared memory
// itself. A stage has 128 bytes of codes of each row, in lines that are
// permuted as the unit expects it, and then the tiles of their scales as they
// are in memory: 512 bytes for 128 rows and four blocks, along K, then the next
// 128 rows.
//
// Both come by tensor maps, so that what lies beyond K or beyond the last rows
// arrives as zeros: a zero scale makes any code harmless.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_SCALEDMAPPATH_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_SCALEDMAPPATH_H

#include "FloatOperandPath.h"
#include "TensorMemoryAtom.h"

namespace nvfp4 {

/// `components` are the codes and scales of an operand of that type, arguments
/// of `root`'s body; `batch` are the extents of the product's batch dimensions.
/// Reports strides that are no affine expressions of the arguments' extents.
mlir::FailureOr<std::unique_ptr<OperandPath>>
createScaledMapPath(FloatContext context, ScaledMatmulOp root, UnitSide side,
                    const MatmulConfig &config, BlockTensorType type,
                    mlir::ValueRange components, mlir::ValueRange batch);

/// Where lines and scales of such an operand are, in an image that begins at
/// byte `offset` of a stage.
TensorImage getScaledImage(UnitSide side, const MatmulConfig &config,
                           int64_t offset);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_SCALEDMAPPATH_H

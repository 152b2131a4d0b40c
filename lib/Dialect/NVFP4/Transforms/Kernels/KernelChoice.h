//===- KernelChoice.h - Tiles, warps and stages of a product ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic behind nvfp4-select-kernels: from the extents of a product,
// the widths of its operands and the facts of a chip to kernel attributes.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_KERNELS_KERNELCHOICE_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_KERNELS_KERNELCHOICE_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"
#include "nvfp4/Target/Chips.h"

namespace nvfp4 {

/// Rows up to which the kernel for few rows runs: one tile of the matrix
/// unit's M side, which then holds columns of the result.
inline constexpr int64_t kSmallRows = 16;

/// One operand of a product, as it comes into shared memory.
struct ProductOperand {
  /// Bits of an element: 4 for codes.
  int64_t bits = 16;
  /// Elements along K that share a scale; 0 without scales.
  int64_t blockColumns = 0;
};

/// D[M, N] = A[M, K] * B[N, K]; extents are -1 (`ShapedType::kDynamic`) where
/// unknown.
struct Product {
  int64_t rows, columns, depth;
  /// The rows are a multiple of it.
  int64_t rowMultiple = 1;
  ProductOperand lhs, rhs;
  /// Elements along K of which a warp takes whole multiples: an instruction's,
  /// or what four neighbouring scales of a row cover.
  int64_t stepDepth = 16;
  /// Whether weights are in the registers layout, whether they are the
  /// package's, which no kernel writes, and whether there are batch dimensions.
  bool isInRegisters = false, isPacked = false, isBatched = false;

  bool isScaled() const { return lhs.blockColumns && rhs.blockColumns; }
  /// Whether weights alone are block-scaled.
  bool decodesWeights() const { return !lhs.blockColumns && rhs.blockColumns; }
};

/// Bytes of shared memory that all stages of a kernel hold: tiles of both
/// operands, their scales in whole scale tiles.
int64_t getSharedBytes(const Product &product, KernelAttr kernel);

/// The kernels of a product, in the order in which they are tried. Empty if no
/// tile fits the chip. `missed` tells of kernels that would be better and
/// cannot be, or stays empty.
llvm::SmallVector<mlir::Attribute> chooseKernels(mlir::MLIRContext *context,
                                                 const Product &product,
                                                 const ChipModel &chip,
                                                 std::string &missed);

/// The kernels of a product with weights in the registers layout (
/// StreamChoice.cpp), likewise.
llvm::SmallVector<mlir::Attribute> chooseStreams(mlir::MLIRContext *context,
                                                 const Product &product,
                                                 const ChipModel &chip,
                                                 std::string &missed);

/// Kernels of warpgroups, one of which copies, for more than `least` rows: for
/// more and more, and the last one for any number. Where the rows are known
/// there is one. Empty if none fits the chip.
llvm::SmallVector<mlir::Attribute> chooseWarpgroups(mlir::MLIRContext *context,
                                                    const Product &product,
                                                    int64_t least,
                                                    const ChipModel &chip);

/// Kernels of a warp that multiplies in tensor memory, one warpgroup that
/// copies and one that gives out results (TensorMemoryChoice.cpp): for more and
/// more rows, and the last one for any number. Empty if none fits the chip.
llvm::SmallVector<mlir::Attribute>
chooseTensorMemory(mlir::MLIRContext *context, const Product &product,
                   const ChipModel &chip);

/// A tile of the result: of one CTA, how many CTAs multiply together, and how
/// long a multiplication takes in it, compared with the largest: the fewer
/// results, the more operands for each.
struct ResultTile {
  int64_t m, n, clusters;
  double cost;
};

/// Rows for which a tile of dynamically many is chosen.
inline constexpr int64_t kManyRows = 4096;

/// How often each multiprocessor of a chip computes a tile.
int64_t getRounds(const ResultTile &tile, int64_t rows, int64_t columns,
                  const ChipModel &chip);
/// The tile with which a chip is done first.
const ResultTile &chooseTile(llvm::ArrayRef<ResultTile> tiles, int64_t rows,
                             int64_t columns, const ChipModel &chip);

/// Kernels for up to each of `bounds` rows, as `choose` makes them, the last
/// one for any number; equal neighbours are one. Empty if `choose` has none for
/// one of them.
llvm::SmallVector<mlir::Attribute>
chooseForBounds(llvm::ArrayRef<int64_t> bounds,
                llvm::function_ref<KernelAttr(int64_t rows)> choose);

/// The kernel of an attention (AttentionChoice.cpp), or why it has none: a
/// clause without a period.
std::optional<std::string> chooseAttention(const Attention &attention,
                                           const ChipModel &chip,
                                           KernelAttr &kernel);

/// Bytes of a stage that holds tiles of these extents.
int64_t getStageBytes(const Product &product, int64_t m, int64_t n, int64_t k);
/// Of these, what each of so many CTAs that multiply together leaves to the
/// others: lines of the columns.
int64_t getSavedBytes(const Product &product, int64_t n, int64_t k,
                      int64_t clusters);

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_KERNELS_KERNELCHOICE_H

//===- BlockViews.h - Tensors seen as blocks --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tensor [.., M, K] in blocks of R x C elements is seen with one dimension
// per level, so that every step of quantization is a `linalg.generic` with
// plain projections:
//
//   lead ..   batch dimensions
//   mb, r     M = mb * R + r; only mb if R = 1
//   kb, s     K = kb * C + s * 16 + j * 2 + h; s counts runs of 16
//   j, h      byte within 16 codes, nibble within the byte
//
//===----------------------------------------------------------------------===//

#ifndef LIB_CONVERSION_NVFP4TOLINALG_BLOCKVIEWS_H
#define LIB_CONVERSION_NVFP4TOLINALG_BLOCKVIEWS_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace nvfp4 {

/// Builds views and loops over the blocks of one tensor.
class BlockViews {
public:
  /// `extents` are those of the block-scaled tensor of type `type`.
  BlockViews(mlir::OpBuilder &builder, mlir::Location loc, BlockTensorType type,
             llvm::ArrayRef<mlir::OpFoldResult> extents);

  /// [lead, mb, r, kb, s, j, h] of elements [lead, M, K]; a half-filled last
  /// block is padded with zeros.
  mlir::Value viewElements(mlir::Value source);
  /// [lead, mb, r, kb, s, j] of packed codes [lead, M, K/2].
  mlir::Value viewBytes(mlir::Value codes);
  /// The inverses; padding is dropped.
  mlir::Value unviewElements(mlir::Value view);
  mlir::Value unviewBytes(mlir::Value view);
  /// Elements with h = 0 or h = 1 of a view of elements.
  mlir::Value getHalf(mlir::Value elementsView, int64_t half);

  /// Maps from the loops of a view of bytes or elements (`numInner` innermost
  /// dimensions after kb: 2 or 3).
  mlir::AffineMap getIdentity(int64_t numInner) const;
  /// Onto [lead, mb, kb].
  mlir::AffineMap getBlockMap(int64_t numInner) const;
  /// Onto the global scales, from the loops [lead, mb, kb] alone.
  mlir::AffineMap getGlobalScaleMap() const;

  /// Extents of [lead, mb, kb].
  llvm::SmallVector<mlir::OpFoldResult> getBlockExtents() const;
  int64_t getNumBlockLoops() const { return numLead + 2; }
  /// Number of loops of a view with `numInner` innermost dimensions.
  int64_t getNumLoops(int64_t numInner) const {
    return numLead + 2 + hasRows + numInner;
  }
  /// Iterators of a reduction of elements to blocks.
  llvm::SmallVector<mlir::utils::IteratorType> getBlockReduction() const;

private:
  /// Extents of a view whose innermost dimensions are `inner`.
  llvm::SmallVector<mlir::OpFoldResult>
  getViewExtents(llvm::ArrayRef<int64_t> inner) const;
  /// Groups of view dimensions that form M and K.
  llvm::SmallVector<mlir::ReassociationIndices>
  getReassociation(int64_t numInner) const;
  mlir::Value view(mlir::Value source, llvm::ArrayRef<int64_t> inner,
                   int64_t perByte);
  mlir::Value unview(mlir::Value view, int64_t numInner, int64_t perByte);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  BlockTensorType type;
  llvm::SmallVector<mlir::OpFoldResult> extents;
  mlir::OpFoldResult rowBlocks, columnBlocks;
  int64_t numLead;
  bool hasRows;
  /// Whether the last block is, or may be, half-filled.
  bool isPadded;
};

/// The first `numResults` of `numDims` dimensions.
mlir::AffineMap getLeadingMap(mlir::OpBuilder &builder, int64_t numDims,
                              int64_t numResults);

/// A generic with one or more inits whose loops are all parallel.
llvm::SmallVector<mlir::Value>
createParallelGeneric(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::ValueRange inputs, mlir::ValueRange inits,
                      llvm::ArrayRef<mlir::AffineMap> maps,
                      llvm::function_ref<llvm::SmallVector<mlir::Value>(
                          mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>
                          body);

/// `tensor.empty` of `extents` and `elementType`.
mlir::Value createEmpty(mlir::OpBuilder &builder, mlir::Location loc,
                        llvm::ArrayRef<mlir::OpFoldResult> extents,
                        mlir::Type elementType);

/// Casts to `type` where static extents differ.
mlir::Value castTo(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value value, mlir::Type type);

/// A float as f32, an f32 as another float.
mlir::Value convertFloat(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value value, mlir::Type type);

/// A tensor of `extents` whose elements are all `value`.
mlir::Value createFilled(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::ArrayRef<mlir::OpFoldResult> extents,
                         mlir::TypedAttr value);

/// A float tensor as another float type.
mlir::Value convertElements(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value source, mlir::Type elementType);

/// Extents of the block-scaled tensor whose float form is `value`.
llvm::SmallVector<mlir::OpFoldResult> getExtentsOf(mlir::OpBuilder &builder,
                                                   mlir::Location loc,
                                                   BlockTensorType type,
                                                   mlir::Value value);

/// Extents of the block-scaled tensor whose codes are `codes`.
llvm::SmallVector<mlir::OpFoldResult>
getExtentsOfCodes(mlir::OpBuilder &builder, mlir::Location loc,
                  BlockTensorType type, mlir::Value codes);

/// What every pattern starts with: tensors, not memrefs.
llvm::LogicalResult requireTensors(mlir::Operation *op,
                                   mlir::PatternRewriter &rewriter);

/// Patterns of the ops that move or mix elements: relayout, transpose,
/// hadamard.
void populateRearrangementPatterns(mlir::RewritePatternSet &patterns);

/// The linear codes and scales of a tensor in another layout. Linear [..,Mb,Kb]
/// scales of a tiled tensor whose blocks span rows take the first row's.
std::pair<mlir::Value, mlir::Value>
createLinearComponents(mlir::OpBuilder &builder, mlir::Location loc,
                       BlockTensorType type,
                       llvm::ArrayRef<mlir::OpFoldResult> extents,
                       mlir::Value codes, mlir::Value scales);

/// The inverse of `createLinearComponents`; padding becomes zero.
std::pair<mlir::Value, mlir::Value>
createComponentsInLayout(mlir::OpBuilder &builder, mlir::Location loc,
                         BlockTensorType type,
                         llvm::ArrayRef<mlir::OpFoldResult> extents,
                         mlir::Value codes, mlir::Value scales);

} // namespace nvfp4

#endif // LIB_CONVERSION_NVFP4TOLINALG_BLOCKVIEWS_H

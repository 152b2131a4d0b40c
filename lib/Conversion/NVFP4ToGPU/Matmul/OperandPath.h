//===- OperandPath.h - From global memory to the unit -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way of one operand: a tile along K is copied to an image in a stage, and
// each step of K is handed to the unit as a *staged handle*, values that only
// the path and the atom understand: registers, a descriptor, an address. What
// is decoded on the way is the path's own business.
//
// For warp-level units a step is 32 bytes of each row, whatever the element:
// 64 codes, 16 bf16. `RowImage` is the part that all of them share.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_OPERANDPATH_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_OPERANDPATH_H

#include "MatmulConfig.h"

namespace nvfp4 {

/// Which rows of which matrix a CTA needs, as indices.
struct OperandTile {
  /// First row, and the number of rows of a matrix.
  mlir::Value row, rows;
  /// Of the matrix in its batch; null if there is one matrix only.
  mlir::Value slice;
};

class OperandPath {
public:
  virtual ~OperandPath() = default;

  /// Bytes of a stage; a multiple of 128.
  virtual int64_t getImageBytes() const = 0;
  /// Emits what does not change along K, before the loop.
  virtual void begin(const CtaContext &cta, const OperandTile &tile) = 0;
  /// Begins the asynchronous copies of K tile `tile` (i32) to `image`
  /// (!llvm.ptr<3>, aligned to 1024 bytes). What lies beyond K becomes zero.
  virtual void copy(mlir::ImplicitLocOpBuilder &b, mlir::Value image,
                    mlir::Value tile) = 0;
  /// The staged handle of the warp's K step `step`: for warp-level units four
  /// registers (i32) per 16 rows or two per 8 columns, then what else there is.
  virtual llvm::SmallVector<mlir::Value>
  stage(mlir::ImplicitLocOpBuilder &b, mlir::Value image, int64_t step) = 0;
};

/// A tile of rows in shared memory, `rowBytes` (32, 64, 128, …) of each. Chunks
/// of 16 bytes are permuted so that neither 8 neighbouring rows of one chunk
/// nor all chunks of a row meet in a bank: chunk c of row r is stored at
///
///   rowBytes >= 128   c ^ (r mod 8)
///   rowBytes  = 64    c ^ (r / 2 mod 4)
///   rowBytes  = 32    c ^ (r / 4 mod 2)
///
/// which for 64 and 128 are the swizzles of the tensor memory accelerator.
class RowImage {
public:
  /// `pitch` is from row to row in global memory, `bytes` of which are there
  /// (both multiples of 16).
  RowImage(UnitSide side, OctetMap octets, int64_t rowBytes, int64_t pitch,
           int64_t bytes)
      : side(side), octets(octets), rowBytes(rowBytes), pitch(pitch),
        bytes(bytes) {}

  int64_t getBytes() const { return octets.extent * rowBytes; }
  /// `pointer` is the matrix's first byte. Rows beyond the last are copies of
  /// it.
  void begin(const CtaContext &cta, const OperandTile &tile,
             mlir::Value pointer);
  void copy(mlir::ImplicitLocOpBuilder &b, mlir::Value image, mlir::Value tile);
  /// All of the warp's registers of a step, by `ldmatrix`.
  llvm::SmallVector<mlir::Value> load(mlir::ImplicitLocOpBuilder &b,
                                      mlir::Value image, int64_t step);

private:
  UnitSide side;
  OctetMap octets;
  int64_t rowBytes, pitch, bytes;
  int64_t threads = 0;
  /// Of copies: i64 offsets of the thread's rows, its chunk's byte in the row
  /// (i32), the image offset of the first, and whether it copies at all (i1 or
  /// null).
  mlir::Value pointer, copyChunk, copyOffset, copies;
  llvm::SmallVector<mlir::Value> copyRows;
  /// Of loads: the lane's offset at step 0.
  mlir::Value loadOffset;
};

/// Codes and scales of a block-scaled operand in tiled layout.
std::unique_ptr<OperandPath> createBlockScaledPath(UnitSide side,
                                                   const MatmulConfig &config,
                                                   BlockTensorType type,
                                                   mlir::Value codes,
                                                   mlir::Value scales);

/// Rows of a plain buffer, `elementBytes` each element, K contiguous and a
/// multiple of 16 bytes.
std::unique_ptr<OperandPath> createPlainPath(UnitSide side,
                                             const MatmulConfig &config,
                                             int64_t k, int64_t elementBytes,
                                             mlir::Value pointer);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_OPERANDPATH_H

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
  /// Emits what does not change along K, before the loop: for threads that
  /// copy and stage. Where those are different threads, each half by itself;
  /// paths of kernels without copying warpgroups have no halves.
  virtual void begin(const CtaContext &cta, const OperandTile &tile) {
    beginCopies(cta, tile);
    beginLoads(cta, tile);
  }
  virtual void beginCopies(const CtaContext &cta, const OperandTile &tile) {}
  virtual void beginLoads(const CtaContext &cta, const OperandTile &tile) {}
  /// Begins the asynchronous copies of K tile `tile` (i32) to `image`
  /// (!llvm.ptr<3>, aligned to 1024 bytes). What lies beyond K becomes zero;
  /// tiles that lie beyond it altogether only if `copiesAnyTile`.
  virtual void copy(mlir::ImplicitLocOpBuilder &b, mlir::Value image,
                    mlir::Value tile) {}
  virtual bool copiesAnyTile() const { return false; }
  /// What a thread makes of its own copies of a tile when they are complete,
  /// before the stage is full: of kernels with copying warpgroups.
  virtual bool completesCopies() const { return false; }
  virtual void complete(mlir::ImplicitLocOpBuilder &b, mlir::Value image,
                        mlir::Value tile) {}
  /// Whether handles are values that were loaded, not addresses of them.
  virtual bool stagesRegisters() const { return true; }
  /// Whether `copy` copies anything.
  virtual bool copiesByThreads() const { return true; }
  /// What comes by bulk copies: bytes of a tile, and its copies to `image`,
  /// begun by one thread, which complete on `barrier`. `copy` begins all
  /// others.
  virtual int64_t getBulkBytes() const { return 0; }
  virtual void copyBulk(mlir::ImplicitLocOpBuilder &b, mlir::Value image,
                        mlir::Value tile, mlir::Value barrier) {}
  /// The staged handle of the warp's K step `step`: for warp-level units four
  /// registers (i32) per 16 rows or two per 8 columns, then what else there is;
  /// nothing for units that are told where a stage is.
  virtual llvm::SmallVector<mlir::Value>
  stage(mlir::ImplicitLocOpBuilder &b, mlir::Value image, int64_t step) {
    return {};
  }
  /// Of tile `tile` (i32), where a step is a tile.
  virtual llvm::SmallVector<mlir::Value>
  stageTile(mlir::ImplicitLocOpBuilder &b, mlir::Value image,
            mlir::Value tile) {
    return stage(b, image, /*step=*/0);
  }
};

/// A tile of rows in shared memory, `rowBytes` (32, 64, 128, …) of each. Chunks
/// of 16 bytes are permuted so that neither 8 neighbouring rows of one chunk
/// nor chunks of a row meet in a bank: chunk c of row r is stored at
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
  /// A chunk that a thread copies: i64 offset of its row in the matrix, i32
  /// offset in the image, and whether there is one (null: always).
  struct Copy {
    mlir::Value from, to, condition;
  };
  llvm::SmallVector<Copy> copies;
  /// From one chunk of a thread to the next, in the image and in the matrix, if
  /// that is constant: then the first chunk stands for all.
  int64_t passBytes = 0, passPitch = 0;
  /// i64: the chunk in a row of the tile, in bytes.
  mlir::Value pointer, copyChunk;
  /// Of loads: the lane's i32 offset at step 0.
  mlir::Value loadOffset;
};

/// Octets of a block-scaled operand and of a plain one. Both sides' paths and
/// the atom must agree on them.
OctetMap getOctetsOfScaled(UnitSide side, const MatmulConfig &config);
OctetMap getOctetsOfPlain(UnitSide side, const MatmulConfig &config);

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

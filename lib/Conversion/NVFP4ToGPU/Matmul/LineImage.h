//===- LineImage.h - Lines of bytes in shared memory ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An image of lines of equal length, a power of two of at least 16 bytes, and
// its distribution over the threads that fill it.
//
// Loads read a *piece* (16 or 32 bytes) of several neighbouring lines at once.
// Pieces are permuted within a line so that those fall on different banks: with
// p = line / (128 / lineBytes), or the line if lines are longer, piece i of a
// line is stored at i ^ (p mod pieces in 128 bytes or in the line).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_LINEIMAGE_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_LINEIMAGE_H

#include "MatmulConfig.h"

namespace nvfp4 {

struct LineImage {
  int64_t lines;
  int64_t lineBytes;
  int64_t pieceBytes = 16;

  int64_t getBytes() const { return lines * lineBytes; }
  /// What the offsets in a line (i32) are to be xored with. `line` is an i32.
  mlir::Value emitSwizzle(mlir::ImplicitLocOpBuilder &b,
                          mlir::Value line) const;
};

/// One unit of an image: `unitBytes` that a thread copies.
struct ImageUnit {
  /// i32: line, byte in the line, and offset in the image.
  mlir::Value line, byte, offset;
  /// Whether the unit exists (i1); null: always.
  mlir::Value exists;
};

/// The units of a thread.
llvm::SmallVector<ImageUnit>
getUnits(const CtaContext &cta, const LineImage &image, int64_t unitBytes);

/// Unit number `unit` (i32).
ImageUnit getUnit(mlir::ImplicitLocOpBuilder &b, const LineImage &image,
                  int64_t unitBytes, mlir::Value unit);

/// Begins an asynchronous copy of `bytes`. Where `isInside` (i1, or null:
/// always) is false nothing is read, and zeros are written.
void emitAsyncCopy(mlir::ImplicitLocOpBuilder &b, const ImageUnit &unit,
                   mlir::Value image, mlir::Value source, int64_t bytes,
                   mlir::Value isInside);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_LINEIMAGE_H

//===- LineImage.cpp - Lines of bytes in shared memory --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LineImage.h"

#include "Arithmetic.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

/// Bytes of shared memory in one wavefront.
static constexpr int64_t kBankBytes = 128;

Value LineImage::emitSwizzle(ImplicitLocOpBuilder &b, Value line) const {
  Arithmetic a(b);
  int64_t pieces = std::min(lineBytes, kBankBytes) / pieceBytes;
  if (pieces <= 1)
    return a.i32(0);
  int64_t linesPerPhase = std::max<int64_t>(1, kBankBytes / lineBytes);
  return a.mul(a.rem(a.div(line, linesPerPhase), pieces), pieceBytes);
}

ImageUnit nvfp4::getUnit(ImplicitLocOpBuilder &b, const LineImage &image,
                         int64_t unitBytes, Value unit) {
  Arithmetic a(b);
  int64_t unitsPerLine = image.lineBytes / unitBytes;
  ImageUnit result;
  result.line = a.div(unit, unitsPerLine);
  result.byte = a.mul(a.rem(unit, unitsPerLine), unitBytes);
  result.offset =
      a.add(a.mul(result.line, image.lineBytes),
            a.bitXor(result.byte, image.emitSwizzle(b, result.line)));
  return result;
}

SmallVector<ImageUnit> nvfp4::getUnits(const CtaContext &cta,
                                       const LineImage &image,
                                       int64_t unitBytes) {
  Arithmetic a(cta.b);
  int64_t total = image.getBytes() / unitBytes;
  int64_t threads = cta.config.getFillers();
  // Where a pass of all threads is whole periods of the permutation, a thread's
  // units are at one place in lines that are constants apart.
  int64_t passBytes = threads * unitBytes;
  int64_t period = std::max(image.lineBytes, kBankBytes) *
                   std::max<int64_t>(1, kBankBytes / image.pieceBytes);
  bool isRegular = passBytes % period == 0;
  SmallVector<ImageUnit> units;
  for (int64_t first = 0; first < total; first += threads) {
    Value number = a.add(cta.thread, first);
    ImageUnit unit;
    if (isRegular && first > 0) {
      int64_t bytes = first * unitBytes;
      unit = units.front();
      unit.line = a.add(unit.line, bytes / image.lineBytes);
      unit.offset = a.add(unit.offset, bytes);
    } else {
      unit = getUnit(cta.b, image, unitBytes, number);
    }
    unit.exists = first + threads > total ? a.less(number, total) : Value();
    units.push_back(unit);
  }
  return units;
}

void nvfp4::emitAsyncCopy(ImplicitLocOpBuilder &b, const ImageUnit &unit,
                          Value image, Value source, int64_t bytes,
                          Value isInside) {
  Arithmetic a(b);
  OpBuilder::InsertionGuard guard(b);
  if (unit.exists) {
    auto branch = scf::IfOp::create(b, unit.exists, /*withElseRegion=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
  }
  Value size;
  if (isInside)
    size = a.select(isInside, a.i32(bytes), a.i32(0));
  // Only copies of 16 bytes can pass L1 by.
  auto cache = bytes == 16 ? NVVM::LoadCacheModifierKind::CG
                           : NVVM::LoadCacheModifierKind::CA;
  NVVM::CpAsyncOp::create(b, a.offset(image, unit.offset), source, bytes, cache,
                          size);
}

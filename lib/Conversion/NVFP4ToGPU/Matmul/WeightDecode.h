//===- WeightDecode.h - Block-scaled weights as bf16 ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits the decoding of packed codes in registers, for matrix units that
// multiply bf16. Code times block scale is exact in bf16: e2m1 has 2
// significant bits, e4m3 has 4, and their exponents are far inside (docs/
// Format.md, sections 1 and 3). e8m0 is a power of two of bf16's own range;
// what leaves that range becomes infinite, as it does in f32.
//
// Integer instructions and bf16x2 multiplications alone, about 2.4 for each
// weight, so that every chip can do it.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_WEIGHTDECODE_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_WEIGHTDECODE_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Support/Codecs.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <array>

namespace nvfp4 {

/// Decoded weights are the weights divided by this power of two, which sums of
/// products are to be multiplied by: so no step leaves the range of bf16.
float getDecodeFactor(ScaleEncoding encoding);

/// Two scale bytes (the low 16 bits of `bytes`, an i32) as multipliers for
/// `emitDecodeCodes`: a pair of equal bf16 (vector<2xbf16>) for each byte. NaN
/// bytes give NaN.
std::array<mlir::Value, 2> emitScaleMultipliers(mlir::ImplicitLocOpBuilder &,
                                                ScaleEncoding encoding,
                                                mlir::Value bytes);

/// The eight codes of `word` (i32, the first in the low nibble) times
/// their scale: four i32, each a pair of bf16, the first in the low half.
std::array<mlir::Value, 4> emitDecodeCodes(mlir::ImplicitLocOpBuilder &,
                                           ScaleEncoding encoding,
                                           mlir::Value word,
                                           mlir::Value multiplier);

/// Reports a product whose weights a kernel cannot decode: the left operand
/// must be plain or decoded, the right one in `layout` with a static K and e4m3
/// or e8m0 scales, and its components arguments of the kernel.
mlir::LogicalResult verifyDecodedWeights(ScaledMatmulOp root,
                                         BlockLayout layout);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_WEIGHTDECODE_H

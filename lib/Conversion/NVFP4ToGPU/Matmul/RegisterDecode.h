//===- RegisterDecode.h - Weights as operands in registers ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits the decoding of weights in the registers layout (Support/
// RegisterLayout.h): a thread's 16 bytes of codes and its two block scales
// become the A operand of four matrix instructions of 16 columns each, m64nNk16
// of a warpgroup or m16n8k16 of its warps.
//
// A thread decodes the scales of one block of 64 columns, and the four threads
// of a row pass them round: step s needs those of thread s. Of e4m3 weights
// that is 57 instructions for 32 weights, exact for all codes and scales but
// the sign of a scale, which block scales do not have; NaN stays NaN.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_REGISTERDECODE_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_REGISTERDECODE_H

#include "nvfp4/Support/Codecs.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <array>

namespace nvfp4 {

/// Steps of 16 columns in 16 bytes of a thread, and registers of each: rows g
/// and g + 8 of columns 2q and 2q + 1, then both rows of columns 2q + 8 and 2q
/// + 9.
constexpr int64_t kDecodeSteps = 4;
using DecodedStep = std::array<mlir::Value, 4>;

/// `words` are four i32, `scales` (i32) has the scale bytes of rows g and g + 8
/// in its low 16 bits, `lane` is the i32 lane in the warp, all of which take
/// part. Registers are i32, the weights divided by `getDecodeFactor`
/// (WeightDecode.h).
std::array<DecodedStep, kDecodeSteps>
emitDecodeRegisters(mlir::ImplicitLocOpBuilder &b, ScaleEncoding encoding,
                    llvm::ArrayRef<mlir::Value> words, mlir::Value scales,
                    mlir::Value lane);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_REGISTERDECODE_H

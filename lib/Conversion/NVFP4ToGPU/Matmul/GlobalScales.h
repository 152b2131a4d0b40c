//===- GlobalScales.h - From sums of scaled products to results -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_GLOBALSCALES_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_GLOBALSCALES_H

#include "Epilogue.h"

namespace nvfp4 {

/// The global scales of the operands that have one: alpha times the sum, and
/// the conversion to the product's type. The sums are multiplied by
/// `sumFactor`, a power of two, before.
std::unique_ptr<ProductFinish> createGlobalScales(KernelBuilder &kernel,
                                                  ScaledMatmulOp root,
                                                  float sumFactor = 1.0f);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_GLOBALSCALES_H

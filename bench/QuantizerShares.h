//===- QuantizerShares.h - The quantizer against memory ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_BENCH_QUANTIZERSHARES_H
#define NVFP4_BENCH_QUANTIZERSHARES_H

namespace nvfp4 {

/// Prints the shares of the streaming bandwidth that the quantizer reaches.
void printQuantizerShares();

} // namespace nvfp4

#endif // NVFP4_BENCH_QUANTIZERSHARES_H

//===- Compare.h - Results against expected tensors ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TOOLS_RUN_COMPARE_H
#define NVFP4_TOOLS_RUN_COMPARE_H

#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Runtime/Session.h"
#include "nvfp4/Support/Status.h"

#include <string>
#include <vector>

namespace nvfp4::run {

/// How two tensors differ.
struct Difference {
  /// Largest |got - expected|; NaN if either side has one.
  double maxAbsolute = 0;
  /// Largest |got - expected| / |expected| where `expected` is not 0.
  double maxRelative = 0;
  /// Of the two as vectors; 1 for two zero vectors.
  double cosine = 1;
  /// Elements beyond the tolerance. NaN always is, also on both sides; equal
  /// infinities are not.
  uint64_t numOver = 0;
};

/// Compares element by element. Floating-point elements may differ by
/// tolerance * max(1, |expected|), also between different such dtypes; others
/// are equal or over. The shapes are the same.
Difference compareTensors(const TensorView &got, const TensorView &expected,
                          double tolerance);

/// Compares the results of an entry with a safetensors file, prints one line
/// per tensor of that file, and returns whether all are within the tolerance.
///
/// Errors: a tensor that is no result, that has another shape, or a dtype that
/// cannot be compared; a file without tensors.
Result<bool> compareResults(const ManifestEntry &entry,
                            const std::vector<HostTensor> &results,
                            const std::string &path, double tolerance);

} // namespace nvfp4::run

#endif // NVFP4_TOOLS_RUN_COMPARE_H

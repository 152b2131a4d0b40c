//===- Inspect.h - Print what a package is ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TOOLS_RUN_INSPECT_H
#define NVFP4_TOOLS_RUN_INSPECT_H

#include "nvfp4/Runtime/Manifest.h"

#include <string>

namespace nvfp4::run {

/// "[batch, 32]" with the bounds of the names: "[batch >= 1, 32]".
std::string describeShape(const ManifestEntry &entry,
                          const std::vector<ManifestExtent> &shape);

/// Prints target, files, entries and the precision report.
void printManifest(const std::string &path, const Manifest &manifest);

} // namespace nvfp4::run

#endif // NVFP4_TOOLS_RUN_INSPECT_H

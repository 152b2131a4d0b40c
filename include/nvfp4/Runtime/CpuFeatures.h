//===- CpuFeatures.h - What this CPU can run -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decides whether a package's native code may be loaded, before it is: on a CPU
// that lacks a feature it would die on an illegal instruction.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_CPUFEATURES_H
#define NVFP4_RUNTIME_CPUFEATURES_H

#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Support/Status.h"

#include <set>
#include <string>
#include <string_view>

namespace nvfp4 {

/// A CPU as the operating system lets programs use it.
struct CpuFeatures {
  /// The architecture of a triple: "x86_64" or "aarch64".
  std::string architecture;
  /// LLVM's names of the features that are usable.
  std::set<std::string> features;

  /// The CPU that runs this program.
  static CpuFeatures detect();
};

/// Whether the runtime can tell if a CPU has this feature of LLVM's. Compilers
/// list no others in a manifest: tuning flags, and what only an operating
/// system uses, are features too in LLVM.
bool isCheckedCpuFeature(std::string_view architecture,
                         std::string_view feature);

/// Checks that `cpu` can run code for `target`: the architecture of the triple,
/// the features of the level `target.cpu` (x86-64, -v2, -v3, -v4, generic), and
/// every one of `target.features`. A CPU model in place of a level needs its
/// features listed. `place` names the package in errors.
Status checkCpu(const ManifestTarget &target, const CpuFeatures &cpu,
                const std::string &place);

} // namespace nvfp4

#endif // NVFP4_RUNTIME_CPUFEATURES_H

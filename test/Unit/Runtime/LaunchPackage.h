//===- LaunchPackage.h - A package around Programs/Launch.c ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_RUNTIME_LAUNCHPACKAGE_H
#define NVFP4_TEST_UNIT_RUNTIME_LAUNCHPACKAGE_H

#include "ScalePackage.h"

namespace nvfp4::test {

/// The manifest of Launch.c for a device. Use it with `writeScalePackage`,
/// whose weight has the right name.
inline Manifest makeLaunchManifest(const std::string &device) {
  Manifest manifest = makeScaleManifest();
  manifest.target.name = "sm_120a";
  manifest.target.device = device;
  ManifestExtent count = ManifestExtent::named("n");
  ManifestEntry entry;
  entry.name = "main";
  entry.dimensions = {{"n", 1, 1 << 20}};
  entry.inputs = {{"x", DType::F32, {count}}};
  entry.results = {{"y", DType::F32, {ManifestExtent::unknown()}}};
  entry.arguments = {ManifestArgument::input(0),
                     ManifestArgument::weight("factor", DType::F32, {})};
  manifest.entries = {entry};
  return manifest;
}

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_RUNTIME_LAUNCHPACKAGE_H

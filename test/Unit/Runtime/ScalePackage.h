//===- ScalePackage.h - A package around Programs/Scale.c ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_RUNTIME_SCALEPACKAGE_H
#define NVFP4_TEST_UNIT_RUNTIME_SCALEPACKAGE_H

#include "nvfp4/Runtime/PackageWriter.h"
#include "nvfp4/Runtime/Safetensors.h"

namespace nvfp4::test {

inline Manifest makeScaleManifest() {
  Manifest manifest;
  manifest.producer = "test";
#if defined(__x86_64__)
  manifest.target.triple = "x86_64-unknown-linux-gnu";
  manifest.target.cpu = "x86-64";
#else
  manifest.target.triple = "aarch64-unknown-linux-gnu";
  manifest.target.cpu = "generic";
#endif
  ManifestExtent batch = ManifestExtent::named("batch");
  ManifestExtent four = ManifestExtent::constant(4);
  ManifestEntry entry;
  entry.name = "main";
  entry.dimensions = {{"batch", 0, 1 << 20}};
  entry.inputs = {{"x", DType::F32, {batch, four}},
                  {"mask", DType::U8, {batch}}};
  entry.results = {{"y", DType::F32, {batch, four}}};
  entry.arguments = {ManifestArgument::weight("factor", DType::F32, {}),
                     ManifestArgument::input(0), ManifestArgument::input(1)};
  entry.checks = {"expected elements of at most 1000, but got a larger one"};
  manifest.entries = {entry};
  manifest.report = R"([{"site":"scale","precision":"f32","bytes":4}])";
  return manifest;
}

/// Writes a package that multiplies by 2, with the program at `program`. The
/// weight lies behind one byte, so that it is not aligned.
inline Status writeScalePackage(const std::string &path,
                                const std::string &program,
                                const Manifest &manifest) {
  auto writer = PackageWriter::create(path);
  if (!writer)
    return writer.getStatus();
  auto weights = SafetensorsWriter::create(
      writer->getWeightsPath(),
      {{"byte", DType::U8, {1}}, {"factor", DType::F32, {}}});
  if (!weights)
    return weights.getStatus();
  float factor = 2;
  Status status = weights->append("byte", "x", 1);
  if (status)
    status = weights->append("factor", &factor, sizeof(factor));
  if (!status)
    return status;
  if (auto digest = weights->commit(); !digest)
    return digest.getStatus();
  auto bytes = readTextFile(program, 1 << 24);
  if (!bytes)
    return bytes.getStatus();
  status = writer->writeProgram(bytes->data(), bytes->size());
  if (!status)
    return status;
  return writer->commit(manifest);
}

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_RUNTIME_SCALEPACKAGE_H

//===- Package.h - A package on the disk, checked and loaded ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opening a package loads native code: only open what you would run. Everything
// that can be checked is checked before that.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_PACKAGE_H
#define NVFP4_RUNTIME_PACKAGE_H

#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Support/Status.h"

#include <memory>
#include <string>

namespace nvfp4 {

/// Reads and validates the manifest of a package, and nothing else: no native
/// code runs.
Result<Manifest> readManifest(const std::string &packagePath);

/// How to open a package.
struct PackageOptions {
  /// Read every file once and compare checksums. Sizes are always compared.
  bool verifyChecksums = true;
};

/// A package whose program is loaded. Immutable, so safe to share.
class Package {
public:
  /// Opens the package at `path` for `device`. In this order: manifest, device,
  /// CPU features, presence and sizes of the files, checksums, the dtype and
  /// shape of every weight, program.so and its entries.
  static Result<std::unique_ptr<Package>> open(const std::string &path,
                                               const Device &device,
                                               const PackageOptions &options);
  ~Package();

  const std::string &getPath() const { return path; }
  const Manifest &getManifest() const { return manifest; }
  /// The code of the entry `manifest.entries[index]`.
  const nvfp4_entry &getEntry(size_t index) const { return *entries[index]; }
  /// What program.so exports; fields that its ABI version lacks are 0.
  const nvfp4_program_descriptor &getProgram() const { return program; }
  /// The bytes of a weight, in the mapped file: aligned to nothing in
  /// particular. The manifest's weights all exist.
  const void *getWeightData(const std::string &name) const;

private:
  struct Library;
  Package();
  Status checkFiles(const PackageOptions &options);
  Status openWeights();
  Status loadProgram();
  Status readProgram(const nvfp4_program_descriptor &exported);
  Status checkEntries();
  Status checkKernels() const;

  std::string path;
  Manifest manifest;
  SafetensorsHeader weights;
  std::unique_ptr<MappedFile> weightsView;
  std::unique_ptr<Library> library;
  nvfp4_program_descriptor program = {};
  std::vector<const nvfp4_entry *> entries;
};

} // namespace nvfp4

#endif // NVFP4_RUNTIME_PACKAGE_H

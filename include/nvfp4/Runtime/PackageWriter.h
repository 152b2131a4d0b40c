//===- PackageWriter.h - Write a package, whole or not at all --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A package is built in a temporary folder beside its destination and takes its
// name only when it is complete and on the disk, so a crash or a full disk
// leaves no half package.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_PACKAGEWRITER_H
#define NVFP4_RUNTIME_PACKAGEWRITER_H

#include "nvfp4/Runtime/FileIO.h"
#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Support/Status.h"

#include <string>

namespace nvfp4 {

/// A package under construction. Destroyed without `commit`, it leaves nothing.
class PackageWriter {
public:
  /// Starts a package that will be at `path`, where there is nothing yet, or a
  /// package, which `commit` replaces.
  ///
  /// Errors: something that is no package is in the way; the folder cannot be
  /// created.
  static Result<PackageWriter> create(const std::string &path);
  PackageWriter(PackageWriter &&other) noexcept;
  PackageWriter &operator=(PackageWriter &&other) noexcept;
  ~PackageWriter();

  /// Where to write the weights, with `SafetensorsWriter`.
  std::string getWeightsPath() const;
  /// Saves reading the weights again on `commit`: what
  /// `SafetensorsWriter::commit` returned.
  void setWeightsDigest(FileDigest digest);

  /// Where to write program.so, for a linker; or use `writeProgram`.
  std::string getProgramPath() const;
  /// Writes program.so from memory.
  Status writeProgram(const void *data, size_t bytes);

  /// Fills in `manifest.files`, writes the manifest, flushes everything to the
  /// disk and gives the package its name. Weights that were not written become
  /// a file without tensors.
  ///
  /// Errors: no program was written; the manifest is invalid; the system's.
  Status commit(Manifest manifest);

private:
  PackageWriter() = default;
  void discard();
  Result<FileDigest> finishFile(const char *name);
  Status takeName();

  std::string path;
  std::string temporary;
  FileDigest weightsDigest;
  FileDigest programDigest;
};

} // namespace nvfp4

#endif // NVFP4_RUNTIME_PACKAGEWRITER_H

//===- Manifest.h - What a package says of itself --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// manifest.json as a struct, written by the compiler and read by the runtime
// through the same validation. docs/Package.md describes the file.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_MANIFEST_H
#define NVFP4_RUNTIME_MANIFEST_H

#include "nvfp4/Runtime/DType.h"
#include "nvfp4/Runtime/FileIO.h"
#include "nvfp4/Support/Status.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nvfp4 {

/// The version of the package format that this code writes and reads.
inline constexpr int64_t kPackageVersion = 1;

/// The files of a package.
inline constexpr const char *kManifestFileName = "manifest.json";
inline constexpr const char *kWeightsFileName = "weights.safetensors";
inline constexpr const char *kProgramFileName = "program.so";

/// The machine for which a package was compiled.
struct ManifestTarget {
  /// The `--target` of the compiler, such as "cpu" or "sm_120a".
  std::string name = "cpu";
  /// The runtime's device that runs it, such as "cpu".
  std::string device = "cpu";
  /// LLVM's triple of program.so.
  std::string triple;
  /// LLVM's name of the CPU: a level such as "x86-64-v3", or a model.
  std::string cpu;
  /// LLVM's names of the CPU features that program.so uses beyond `cpu`, or all
  /// of them if `cpu` is a model. No leading '+'.
  std::vector<std::string> features;
};

/// A named dynamic dimension.
struct ManifestDimension {
  std::string name;
  /// Inclusive bounds; no `max` means none.
  int64_t min = 0;
  std::optional<int64_t> max;
};

/// One extent of a shape: a number, a named dimension, or (in results only)
/// unknown until `plan` has computed it.
class ManifestExtent {
public:
  static ManifestExtent constant(int64_t value) {
    ManifestExtent extent;
    extent.value = value;
    return extent;
  }
  static ManifestExtent named(std::string name) {
    ManifestExtent extent;
    extent.name = std::move(name);
    return extent;
  }
  static ManifestExtent unknown() { return ManifestExtent(); }

  bool isConstant() const { return value >= 0; }
  bool isNamed() const { return !name.empty(); }
  bool isUnknown() const { return !isConstant() && !isNamed(); }
  int64_t getValue() const { return value; }
  const std::string &getName() const { return name; }

private:
  int64_t value = -1;
  std::string name;
};

/// "[batch, 32]"; an unknown extent prints as "?".
std::string formatShape(const std::vector<ManifestExtent> &shape);

/// An input or a result.
struct ManifestTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<ManifestExtent> shape;
};

/// One argument of the program: an input of the entry, or a weight.
struct ManifestArgument {
  static ManifestArgument input(size_t index) {
    ManifestArgument argument;
    argument.inputIndex = index;
    return argument;
  }
  static ManifestArgument weight(std::string name, DType dtype,
                                 std::vector<int64_t> shape) {
    ManifestArgument argument;
    argument.weightName = std::move(name);
    argument.dtype = dtype;
    argument.shape = std::move(shape);
    return argument;
  }

  bool isInput() const { return inputIndex.has_value(); }

  /// Position in `inputs`; empty for a weight.
  std::optional<size_t> inputIndex;
  /// Name, dtype and shape in weights.safetensors; unused for an input.
  std::string weightName;
  DType dtype = DType::U8;
  std::vector<int64_t> shape;
};

/// An entry point of the program.
struct ManifestEntry {
  std::string name;
  /// In the order of the program's `dims`.
  std::vector<ManifestDimension> dimensions;
  std::vector<ManifestTensor> inputs;
  std::vector<ManifestTensor> results;
  /// In the order of the program's `args`.
  std::vector<ManifestArgument> arguments;
  /// What the error word n > 0 means: the message `checks[n - 1]`.
  std::vector<std::string> checks;
};

/// The contents of manifest.json.
struct Manifest {
  /// The program that wrote the package, with its version.
  std::string producer;
  ManifestTarget target;
  std::vector<ManifestEntry> entries;
  /// The precision report: the text of a JSON array of objects.
  std::string report = "[]";
  /// Size and checksum of each file but the manifest. `PackageWriter::commit`
  /// fills it in.
  std::map<std::string, FileDigest> files;

  /// Parses and validates the text of a manifest. `place` names the file in
  /// errors.
  ///
  /// Errors: not JSON; a key missing, twice, unknown or of the wrong type; an
  /// unknown version; whatever `validate` finds.
  static Result<Manifest> parse(std::string_view text,
                                const std::string &place);
  /// The text of manifest.json. Errors: whatever `validate` finds, a report
  /// that is no JSON array of objects, names that are not UTF-8.
  Result<std::string> toJson(const std::string &place) const;
  /// Checks that names are unique and not empty, shapes name known dimensions,
  /// every dimension occurs in an input, bounds are ordered, and every input is
  /// an argument exactly once.
  Status validate(const std::string &place) const;

  /// The position of the entry with this name, or an error that lists the
  /// entries. An empty name means the only entry.
  Result<size_t> findEntry(std::string_view name,
                           const std::string &place) const;
};

} // namespace nvfp4

#endif // NVFP4_RUNTIME_MANIFEST_H

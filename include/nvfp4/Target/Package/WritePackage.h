//===- WritePackage.h - From plans and a program to a package ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Carries out all packing plans, one tensor at a time, and writes the package
// around them. Nothing that grows with the model is held in memory. Weights
// need no program: they can be packed while it is made.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_WRITEPACKAGE_H
#define NVFP4_TARGET_PACKAGE_WRITEPACKAGE_H

#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Target/Package/Packer.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nvfp4 {

/// What a package consists of, besides the bytes of weights.
struct PackageContents {
  /// The program that writes the package, with its version.
  std::string producer;
  ManifestTarget target;
  /// Entries as they are after expansion: one weight argument per component.
  std::vector<ManifestEntry> entries;
  /// How packed tensors are made. A weight argument that no plan makes is
  /// carried as it is.
  std::vector<PackingPlan> plans;
  /// The bytes of program.so.
  std::string program;
  /// Makes the precision report (a JSON array of objects) once all weights are
  /// packed; default: an empty one.
  std::function<std::string(const std::vector<PackingStats> &)> makeReport;
};

struct WritePackageOptions {
  /// Draw a progress bar on stderr, if that is a terminal.
  bool showProgress = true;
  /// Elements of a panel; several are worked on at once.
  int64_t panelElements = int64_t(1) << 18;
  /// Threads; 0 means one per hardware thread. The package does not depend on
  /// it.
  unsigned numThreads = 0;
  /// Receives what a user may want to know: float weights that were widened,
  /// NaN and infinity in tensors that are not quantized. Called by the thread
  /// that finishes the package.
  std::function<void(const std::string &)> note;
};

/// A package whose weights are packed, on threads of their own, while the
/// caller makes the program.
class PackageJob {
public:
  /// Checks all weights, then starts to pack them. `contents` needs neither
  /// `target` nor `program` yet; `weights` outlives the job.
  ///
  /// Errors: a weight is missing or has another dtype or shape than the graph
  /// declares; a weight argument whose plan makes another dtype or shape;
  /// those of `PackageWriter::create`.
  static Result<PackageJob> start(const std::string &path,
                                  PackageContents contents,
                                  const WeightSource &weights,
                                  const WritePackageOptions &options = {});
  PackageJob(PackageJob &&) noexcept;
  PackageJob &operator=(PackageJob &&) noexcept;
  /// Without `finish`, packing stops and nothing is left behind.
  ~PackageJob();

  /// All may change until `finish`, but neither plans nor weight arguments.
  PackageContents &getContents();

  /// Waits for the weights and writes the package around them. Returns what
  /// became of each tensor, in the order of the weights file. Once only.
  ///
  /// Errors: NaN or infinity in a tensor that is quantized; those of
  /// `PackageWriter` and of reading and writing files.
  Result<std::vector<PackingStats>> finish();

private:
  struct State;
  explicit PackageJob(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// Writes the package `path`, whole or not at all, where the program exists
/// already. Returns what became of each tensor, in the order of the weights
/// file. Errors: those of `PackageJob`.
Result<std::vector<PackingStats>>
writePackage(const std::string &path, const PackageContents &contents,
             const WeightSource &weights,
             const WritePackageOptions &options = {});

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_WRITEPACKAGE_H

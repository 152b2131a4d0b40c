//===- ProgressBar.h - How far a long step is, on a terminal ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TARGET_PACKAGE_PROGRESSBAR_H
#define NVFP4_LIB_TARGET_PACKAGE_PROGRESSBAR_H

#include <chrono>
#include <cstdint>
#include <string>

namespace nvfp4 {

/// One line on stderr that is redrawn at most ten times a second and erased at
/// the end. Draws nothing if stderr is no terminal.
class ProgressBar {
public:
  /// `total` is in bytes.
  ProgressBar(bool enabled, uint64_t total);
  ~ProgressBar();
  ProgressBar(const ProgressBar &) = delete;
  ProgressBar &operator=(const ProgressBar &) = delete;

  /// Moves on by `bytes`, in the tensor `name`; `draw` lets it be seen.
  void advance(uint64_t bytes, const std::string &name, bool draw = true);

  /// The text for a terminal of `columns` columns, without control characters.
  static std::string format(uint64_t done, uint64_t total,
                            const std::string &name, unsigned columns);

private:
  bool enabled;
  bool drawn = false;
  uint64_t done = 0, total;
  std::chrono::steady_clock::time_point last;
};

} // namespace nvfp4

#endif // NVFP4_LIB_TARGET_PACKAGE_PROGRESSBAR_H

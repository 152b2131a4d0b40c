//===- WarpKernel.h - Runs a few PTX lines in one warp ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A test writes the middle of a kernel. It finds its lane in %lane, the words
// of its lane in %in0 …, leaves results in %out0 …, and may use %r, %f, %d, %h,
// %w and %p registers, a shared array `tile` and labels.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_SIMULATOR_MACHINE_WARPKERNEL_H
#define NVFP4_TEST_UNIT_SIMULATOR_MACHINE_WARPKERNEL_H

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nvfp4::ptx {

struct WarpKernel {
  std::string body;
  /// [lane][word].
  std::vector<std::vector<uint32_t>> inputs;
  unsigned numOutputs = 1;
  unsigned numLanes = 32;
  std::string target = "sm_120a";
  Options options;

  struct Outcome {
    /// Why the program did not load; empty if it did.
    std::string loadError;
    Report report;
    /// [lane][word], and whether any bit of it is undefined.
    std::vector<std::vector<uint32_t>> outputs;
    std::vector<std::vector<uint32_t>> undefined;

    std::vector<uint32_t> getColumn(unsigned word) const {
      std::vector<uint32_t> column;
      for (const auto &row : outputs)
        column.push_back(row[word]);
      return column;
    }
    /// Lanes whose word has undefined bits.
    uint32_t getUndefinedLanes(unsigned word) const {
      uint32_t lanes = 0;
      for (size_t lane = 0; lane < undefined.size(); ++lane)
        lanes |= uint32_t(undefined[lane][word] != 0) << lane;
      return lanes;
    }
    /// The rule of the first finding; "load" if the program did not load.
    std::string getRule() const {
      if (!loadError.empty())
        return "load";
      return report.findings.empty() ? "" : report.findings.front().rule;
    }
  };
  Outcome run() const;
};

/// One word for each lane.
template <typename F>
std::vector<std::vector<uint32_t>> makeInputs(F f, unsigned words = 1) {
  std::vector<std::vector<uint32_t>> inputs(32);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned word = 0; word < words; ++word)
      inputs[lane].push_back(f(lane, word));
  return inputs;
}

} // namespace nvfp4::ptx

#endif // NVFP4_TEST_UNIT_SIMULATOR_MACHINE_WARPKERNEL_H

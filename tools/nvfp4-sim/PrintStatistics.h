//===- PrintStatistics.h - What a launch counted, as tables ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TOOLS_SIM_PRINTSTATISTICS_H
#define NVFP4_TOOLS_SIM_PRINTSTATISTICS_H

#include "nvfp4/Simulator/PTX/Simulator.h"

namespace nvfp4::sim {

/// Prints to standard output. `text` is the PTX, whose lines are quoted.
void printStatistics(const ptx::Statistics &statistics, std::string_view text);

} // namespace nvfp4::sim

#endif // NVFP4_TOOLS_SIM_PRINTSTATISTICS_H

//===- OptionText.h - Options of the simulator as text ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `--async` and `--accumulate` take, in every tool that simulates.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_OPTIONTEXT_H
#define NVFP4_SIMULATOR_PTX_OPTIONTEXT_H

#include "nvfp4/Simulator/PTX/Simulator.h"
#include "nvfp4/Support/Status.h"

#include <string>

namespace nvfp4::ptx {

/// `late`, `early` or `random:SEED`. The error begins with `--async`.
Status parseAsynchrony(const std::string &text, Options &options);

/// `exact` or `hardware`. The error begins with `--accumulate`.
Status parseAccumulation(const std::string &text, Options &options);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_OPTIONTEXT_H

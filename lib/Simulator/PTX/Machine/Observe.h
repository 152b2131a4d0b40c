//===- Observe.h - Statistics and traces -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_OBSERVE_H
#define NVFP4_SIMULATOR_PTX_MACHINE_OBSERVE_H

#include "Machine.h"

namespace nvfp4::ptx {

/// Makes the counters of a launch with statistics.
void prepareStatistics(LaunchState &launch);

/// Reads the registers of an instruction off the PTX.
RegisterUses findRegisterUses(const Module &module, const Function &function,
                              const Instruction &instruction);

/// Counts an instruction that is about to run, and prints it if it is traced.
void observe(Warp &warp, const Inst &inst, uint32_t mask);
/// Takes the count back: the instruction waits and will execute again.
void unobserve(Warp &warp, const Inst &inst, uint32_t mask);

/// Counts the `bytes` bytes per lane of an access, and what it costs in 32-byte
/// sectors of global memory or wavefronts of shared memory. Call only with
/// statistics on.
void countAccess(Warp &warp, const Inst &inst, Region::Kind kind,
                 const uint64_t offsets[kLanes], uint32_t bytes, uint32_t mask);

/// Counts bytes that an operation moves or multiplies, if statistics are on.
void countBytes(Warp &warp, const Inst &inst, Region::Kind kind,
                uint64_t bytes);

/// Collects the counters of a finished launch.
Statistics gatherStatistics(const LaunchState &launch);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_OBSERVE_H

//===- SimDevice.h - Run packages in the PTX simulator ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The device "sim": host code of the package runs here, its kernels in the
// simulator. What the simulator finds wrong is an error of the run.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_SIMDEVICE_H
#define NVFP4_RUNTIME_SIMDEVICE_H

#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Simulator/PTX/Simulator.h"

namespace nvfp4 {

/// Makes the device "sim". It also opens packages that were written for "cuda",
/// if they hold PTX. Threads in `options` win over those in `simulation`.
std::shared_ptr<Device> createSimDevice(const DeviceOptions &options,
                                        const ptx::Options &simulation = {});

/// Adds "sim" to a registry, simulating as `simulation` says.
void addSimDevice(DeviceRegistry &registry,
                  const ptx::Options &simulation = {});

} // namespace nvfp4

#endif // NVFP4_RUNTIME_SIMDEVICE_H

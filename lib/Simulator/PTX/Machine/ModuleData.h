//===- ModuleData.h - Variables of a module in device memory ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_MODULEDATA_H
#define NVFP4_SIMULATOR_PTX_MACHINE_MODULEDATA_H

#include "Code.h"
#include "Memory.h"

namespace nvfp4::ptx {

/// The `.global` and `.const` variables of a program in `memory`. The first
/// call maps and initializes them; they live as long as the memory.
const DeviceMemory::Impl::ModuleData &
getModuleData(const Program::Impl &program, DeviceMemory &memory);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_MODULEDATA_H

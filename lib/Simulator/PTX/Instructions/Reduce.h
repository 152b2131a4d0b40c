//===- Reduce.h - The operations of atom and red ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.13.5 (atom), 9.7.13.7 (red).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_REDUCE_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_REDUCE_H

#include "nvfp4/Simulator/PTX/Syntax.h"

#include <cstdint>
#include <string_view>

namespace nvfp4::ptx {

/// Combines the value in memory with an operand, in place. Neither needs to be
/// aligned.
using ReduceFn = void (*)(uint8_t *memory, const uint8_t *operand);

/// The reduction that `operation` ("add", "min", "exch", …) means for a type;
/// null when PTX has none.
ReduceFn selectReduction(std::string_view operation, Type type);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_REDUCE_H

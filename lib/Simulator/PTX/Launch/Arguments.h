//===- Arguments.h - The arguments of a launch file ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_SIMULATOR_PTX_LAUNCH_ARGUMENTS_H
#define NVFP4_LIB_SIMULATOR_PTX_LAUNCH_ARGUMENTS_H

#include "../../../Runtime/JsonNode.h"
#include "nvfp4/Simulator/PTX/LaunchFile.h"

namespace nvfp4::ptx {

/// Reads the array `args` into `file.buffers` and `file.arguments`. Throws
/// `FormError`.
void readArguments(const JsonNode &node, LaunchFile &file);

/// Reads the keys of a tensor map but for `tensor` and `offset`. Throws
/// `FormError`.
TensorMap readTensorMap(const JsonNode &node);

} // namespace nvfp4::ptx

#endif // NVFP4_LIB_SIMULATOR_PTX_LAUNCH_ARGUMENTS_H

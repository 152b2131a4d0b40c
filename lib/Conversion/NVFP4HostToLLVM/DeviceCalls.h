//===- DeviceCalls.h - What host code asks of a device ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_DEVICECALLS_H
#define NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_DEVICECALLS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

#include <array>
#include <string>
#include <vector>

namespace nvfp4 {

/// A kernel, as the program's descriptor names it.
struct ProgramKernel {
  std::string name;
  /// Of each parameter.
  std::vector<uint32_t> argumentBytes;
  /// Blocks of a cluster; 0: none.
  std::array<uint32_t, 3> cluster = {0, 0, 0};
  /// NVFP4_KERNEL_*
  uint32_t flags = 0;
};

/// The kernels that a program launches, in the order of its descriptor.
class KernelList {
public:
  /// The number of a kernel; adds it.
  uint32_t insert(ProgramKernel kernel);
  llvm::ArrayRef<ProgramKernel> getKernels() const { return kernels; }

private:
  std::vector<ProgramKernel> kernels;
  llvm::StringMap<uint32_t> numbers;
};

/// Turns `gpu.launch_func`, `memref.copy` and `linalg.fill` of an entry
/// function into calls of its context, its first argument. The function returns
/// the first status that is not 0. Control flow becomes branches.
mlir::LogicalResult lowerDeviceCalls(mlir::func::FuncOp func,
                                     KernelList &kernels);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_DEVICECALLS_H

//===- TensorMapPath.h - Operands by tensor maps ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plain operand that lies in memory as the unit multiplies it, for units that
// read shared memory themselves: one thread asks for boxes of its tensor map,
// which the host makes. What lies outside the tensor arrives as zeros.
//
// The map is a parameter more of the kernel, of 128 bytes, and described by an
// attribute of its function: what DeviceImages.h says of launches, and, as
// `operand`, the number of the body's argument.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMAPPATH_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMAPPATH_H

#include "FloatOperandPath.h"

namespace nvfp4 {

/// Attribute of a body whose kernel has the parameters of another one, and none
/// of its own: how many bodies share them, and a launch.
inline constexpr llvm::StringLiteral kSharesParametersName =
    "nvfp4.shares_parameters";

/// What the host needs to know to make a map: of the body's argument `buffer`,
/// the fields of `nvfp4_tensor_map`, the innermost dimension first; extents and
/// strides (bytes) are expressions over the extents of the body's arguments.
struct TensorMapFields {
  mlir::BlockArgument buffer;
  int64_t dtype, swizzle;
  llvm::SmallVector<int64_t> box;
  llvm::SmallVector<mlir::AffineExpr> dims, strides;
};
/// A parameter more of the kernel, and its description on the function; of
/// equal descriptions there is one.
mlir::Value addTensorMap(KernelBuilder &kernel, const TensorMapFields &fields);
mlir::Value addTensorMap(mlir::gpu::GPUFuncOp function,
                         mlir::DictionaryAttr description);

/// The path of `operand`, whose elements are those of the argument `buffer`, in
/// order; null where a tensor map cannot describe it: pitches that are no
/// multiples of 16 bytes, more than five dimensions, or extents that are no
/// affine expressions of the arguments'.
std::unique_ptr<OperandPath>
createTensorMapPath(FloatContext context, UnitSide side,
                    const MatmulConfig &config, const FloatOperand &operand,
                    mlir::BlockArgument buffer, mlir::ValueRange batch);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TENSORMAPPATH_H

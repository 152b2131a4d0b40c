//===- SiblingProducts.h - Products that share a launch ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_SIBLINGPRODUCTS_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_SIBLINGPRODUCTS_H

#include "../Kernel.h"

namespace nvfp4 {

/// One kernel for a body with several products of the same left operand and
/// types, such as query, key and value: blocks with y = i compute product i.
/// `generate` makes the kernel of a body with one product.
mlir::FailureOr<KernelVariant> generateSiblingProducts(
    const KernelRequest &request, mlir::ArrayRef<mlir::Operation *> products,
    llvm::function_ref<mlir::FailureOr<KernelVariant>(const KernelRequest &)>
        generate);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_SIBLINGPRODUCTS_H

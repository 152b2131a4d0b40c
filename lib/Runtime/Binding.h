//===- Binding.h - Inputs against the manifest -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_BINDING_H
#define NVFP4_LIB_RUNTIME_BINDING_H

#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Runtime/Session.h"

namespace nvfp4 {

/// The values of an entry's dimensions, from the shapes of its inputs; or what
/// is wrong with an input.
Result<std::vector<int64_t>>
bindDimensions(const ManifestEntry &entry,
               const std::vector<TensorView> &inputs);

/// The shapes of the results from what `plan` computed, checked against the
/// manifest: a mistake of the compiler, not of the caller.
Result<std::vector<std::vector<int64_t>>>
bindResultShapes(const ManifestEntry &entry, const std::vector<int64_t> &dims,
                 const std::vector<int64_t> &extents);

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_BINDING_H

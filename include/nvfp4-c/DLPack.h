/*===- nvfp4-c/DLPack.h - Exchange tensors with frameworks -----*- C -*-===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The functions of Runtime.h that pass tensors, for DLPack. Needs dlpack.h.
 *
 * dtypes map by code and width: Bool, UInt, Int, Float, BFloat, Complex (64
 * bits), and the codes of float8_e4m3fn, float8_e5m2, float8_e8m0fnu,
 * float6_e2m3fn, float6_e3m2fn, float4_e2m1fn, which later versions of DLPack
 * name. One lane, memory of the host.
 *
 *===----------------------------------------------------------------------===*/

#ifndef NVFP4_C_DLPACK_H
#define NVFP4_C_DLPACK_H

#include "nvfp4-c/Runtime.h"

#include <dlpack/dlpack.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C has no namespaces: NOLINTBEGIN(readability-identifier-naming) */

/** As `nvfp4_run`. Strides and offset are honoured; the tensors stay the
 * caller's, and are read during the call only. Fails also for a tensor that is
 * not in the host's memory, or whose dtype no safetensors file could hold. */
nvfp4_status nvfp4_run_dlpack(const nvfp4_package *package, size_t entry,
                              const DLTensor *const *inputs, size_t num_inputs,
                              nvfp4_results **results);

/** Takes a result out of `results`, without a copy: it stays valid until its
 * `deleter` is called, also after `nvfp4_results_free`. Fails if `index` is out
 * of range, or the tensor was taken. */
nvfp4_status nvfp4_results_take_dlpack(nvfp4_results *results, size_t index,
                                       DLManagedTensor **tensor);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NVFP4_C_DLPACK_H */

/*===- nvfp4-c/DLPack.h - Exchange tensors with frameworks -----*- C -*-===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The functions of Runtime.h that pass tensors, for DLPack. Needs dlpack.h.
 *
 * dtypes map by code and width: Bool, UInt, Int, Float, BFloat, Complex (64
 * bits), and the codes of float8_e4m3fn, float8_e5m2, float8_e8m0fnu,
 * float6_e2m3fn, float6_e3m2fn, float4_e2m1fn, which later versions of DLPack
 * name. One lane.
 *
 * Memory is the host's, or that of the package's GPU (kDLCUDA with its id), of
 * which nothing is copied. It must hold its values when a stream gets there:
 * ordering streams is the caller's business.
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
 * caller's, and are read during the call only. Fails also for a tensor in other
 * memory than the host's or the device's, or whose dtype no safetensors file
 * could hold. */
nvfp4_status nvfp4_run_dlpack(const nvfp4_package *package, size_t entry,
                              const DLTensor *const *inputs, size_t num_inputs,
                              nvfp4_results **results);

/** Takes a result out of `results`, without a copy: it stays valid until its
 * `deleter` is called, also after `nvfp4_results_free`. Fails if `index` is out
 * of range, or the tensor was taken. */
nvfp4_status nvfp4_results_take_dlpack(nvfp4_results *results, size_t index,
                                       DLManagedTensor **tensor);

/** Binds an entry to tensors and stores the execution, to be freed with
 * `nvfp4_execution_free`. On a GPU, inputs of the host are read now and inputs
 * of the GPU by every run; on "cpu" and "sim" inputs are of the host and, on
 * "cpu", are read by every run. What a run reads must stay until it is done.
 *
 * `results` may be NULL: the execution has tensors of its own then. Otherwise
 * there is one for each result, in the device's memory, contiguous, at a
 * multiple of 64 bytes, with the right dtype and extents. */
nvfp4_status nvfp4_execution_create(const nvfp4_package *package, size_t entry,
                                    const DLTensor *const *inputs,
                                    size_t num_inputs,
                                    const DLTensor *const *results,
                                    size_t num_results,
                                    nvfp4_execution **execution);

/** A result of an execution, without a copy, where the device writes it; it
 * keeps the execution's memory until its `deleter` is called. Fails if `index`
 * is out of range, or on a device whose memory DLPack does not know ("sim"). */
nvfp4_status nvfp4_execution_result(const nvfp4_execution *execution,
                                    size_t index, DLManagedTensor **tensor);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NVFP4_C_DLPACK_H */

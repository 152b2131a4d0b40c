/*===- nvfp4-c/Runtime.h - Run packages from C -----------------*- C -*-===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Opens packages, tells what they take and give, and runs them. Link with
 * libNVFP4Runtime. C99; no exception leaves, nothing prints, nothing exits.
 *
 * Functions that can fail return NVFP4_OK or NVFP4_ERROR; the reason is then in
 * `nvfp4_last_error`. Pointers that a function returns belong to the object it
 * was asked about and live as long as that.
 *
 * Opening a package loads and runs its native code: open only what you would
 * also execute.
 *
 *===----------------------------------------------------------------------===*/

#ifndef NVFP4_C_RUNTIME_H
#define NVFP4_C_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C has no namespaces: NOLINTBEGIN(readability-identifier-naming) */

/** Grows when functions, struct fields or dtypes are added. What exists stays.
 */
#define NVFP4_RUNTIME_API_VERSION 3

/** What a function that can fail returns. */
typedef int32_t nvfp4_status;
#define NVFP4_OK 0
#define NVFP4_ERROR 1

/** An element type, named as in safetensors files. BOOL is one byte, 0 or 1;
 * F4 packs two elements to a byte, low nibble first. */
typedef int32_t nvfp4_dtype;
#define NVFP4_BOOL 0
#define NVFP4_U8 1
#define NVFP4_I8 2
#define NVFP4_U16 3
#define NVFP4_I16 4
#define NVFP4_U32 5
#define NVFP4_I32 6
#define NVFP4_U64 7
#define NVFP4_I64 8
#define NVFP4_F16 9
#define NVFP4_BF16 10
#define NVFP4_F32 11
#define NVFP4_F64 12
#define NVFP4_F8_E4M3 13
#define NVFP4_F8_E5M2 14
#define NVFP4_F8_E8M0 15
#define NVFP4_F6_E2M3 16
#define NVFP4_F6_E3M2 17
#define NVFP4_F4 18
#define NVFP4_C64 19

/** An opened package on a device. Any number of threads may use one at once,
 * but none while or after it is closed. */
typedef struct nvfp4_package nvfp4_package;

/** The tensors that one run produced. */
typedef struct nvfp4_results nvfp4_results;

/** An entry bound to its inputs, results and workspace, to be run any number of
 * times, by one thread at a time. See nvfp4-c/DLPack.h. */
typedef struct nvfp4_execution nvfp4_execution;

/** How to open a package. Zero-initialise it and set `struct_size`. */
typedef struct nvfp4_open_options {
  /** sizeof(nvfp4_open_options) of the caller. */
  uint32_t struct_size;
  /** Threads of the CPU for this package, the caller's included; 0: all. */
  uint32_t num_threads;
  /** The device: "cpu", "sim", "cuda" or "cuda:1"; NULL: "cpu". */
  const char *device;
  /** Not 0: trust the files and compare only their sizes. */
  uint32_t skip_checksums;
  uint32_t reserved;
} nvfp4_open_options;

/** A tensor in the host's memory. */
typedef struct nvfp4_tensor {
  /** The first element; may be NULL if the tensor is empty. */
  const void *data;
  nvfp4_dtype dtype;
  int32_t rank;
  /** `rank` extents. */
  const int64_t *shape;
  /** `rank` strides in elements, of any sign; NULL: contiguous, row-major.
   * Contiguous data at a multiple of 64 bytes are not copied. */
  const int64_t *strides;
} nvfp4_tensor;

/** A named dynamic dimension: equal names have equal extents in one run. */
typedef struct nvfp4_dimension_info {
  const char *name;
  /** Inclusive bounds; `max` is -1 if there is none. */
  int64_t min;
  int64_t max;
} nvfp4_dimension_info;

/** An input or a result of an entry. */
typedef struct nvfp4_tensor_info {
  const char *name;
  nvfp4_dtype dtype;
  int32_t rank;
} nvfp4_tensor_info;

/** One extent of an input or a result: a number, else -1 and the name of a
 * dimension, else -1 and NULL, which a run decides. */
typedef struct nvfp4_extent_info {
  int64_t value;
  const char *name;
} nvfp4_extent_info;

/** NVFP4_RUNTIME_API_VERSION of the library. */
uint32_t nvfp4_runtime_api_version(void);

/** The error of the last function that failed in this thread, as text in UTF-8;
 * empty if none has. Valid until the next failure in this thread. */
const char *nvfp4_last_error(void);

/** The name of a dtype, such as "BF16"; NULL if there is no such dtype. */
const char *nvfp4_dtype_name(nvfp4_dtype dtype);

/*===----------------------------------------------------------------------===*
 * Packages
 *===----------------------------------------------------------------------===*/

/** Opens the package folder at `path` and stores it in `*package`, to be closed
 * with `nvfp4_package_close`. `options` may be NULL.
 *
 * Fails if a file is missing, torn or foreign, if the package is for another
 * device or CPU, or if memory runs out; `*package` is NULL then. */
nvfp4_status nvfp4_package_open(const char *path,
                                const nvfp4_open_options *options,
                                nvfp4_package **package);

/** Closes a package; NULL is ignored. Results that it gave stay valid. */
void nvfp4_package_close(nvfp4_package *package);

/** The precision report: the text of a JSON array of objects. */
const char *nvfp4_package_report(const nvfp4_package *package);

/** The compiler that wrote the package, with its version. */
const char *nvfp4_package_producer(const nvfp4_package *package);

/** How many entries a package has; at least 1. */
size_t nvfp4_package_num_entries(const nvfp4_package *package);

/** The name of an entry; NULL if `entry` is out of range. */
const char *nvfp4_package_entry_name(const nvfp4_package *package,
                                     size_t entry);

/** Stores the index of the entry with this name. Fails if there is none. */
nvfp4_status nvfp4_package_find_entry(const nvfp4_package *package,
                                      const char *name, size_t *entry);

/*===----------------------------------------------------------------------===*
 * Entries
 *===----------------------------------------------------------------------===*/

/** How many of each an entry has; 0 if `entry` is out of range. */
size_t nvfp4_entry_num_dimensions(const nvfp4_package *package, size_t entry);
size_t nvfp4_entry_num_inputs(const nvfp4_package *package, size_t entry);
size_t nvfp4_entry_num_results(const nvfp4_package *package, size_t entry);

/** Describes a dimension. Fails if an index is out of range. */
nvfp4_status nvfp4_entry_dimension(const nvfp4_package *package, size_t entry,
                                   size_t index, nvfp4_dimension_info *info);

/** Describes an input. Fails if an index is out of range. */
nvfp4_status nvfp4_entry_input(const nvfp4_package *package, size_t entry,
                               size_t index, nvfp4_tensor_info *info);

/** Describes extent `axis` of an input. Fails if an index is out of range. */
nvfp4_status nvfp4_entry_input_extent(const nvfp4_package *package,
                                      size_t entry, size_t index, size_t axis,
                                      nvfp4_extent_info *info);

/** As `nvfp4_entry_input`, for a result. */
nvfp4_status nvfp4_entry_result(const nvfp4_package *package, size_t entry,
                                size_t index, nvfp4_tensor_info *info);

/** As `nvfp4_entry_input_extent`, for a result. */
nvfp4_status nvfp4_entry_result_extent(const nvfp4_package *package,
                                       size_t entry, size_t index, size_t axis,
                                       nvfp4_extent_info *info);

/*===----------------------------------------------------------------------===*
 * Running
 *===----------------------------------------------------------------------===*/

/** Runs an entry. `inputs` are in the order of `nvfp4_entry_input`; they are
 * read during the call only. Stores the results, to be freed with
 * `nvfp4_results_free`.
 *
 * Fails if an input does not have the dtype, rank or extents of the entry, if
 * the program found bad data, or if memory runs out; `*results` is NULL then.
 */
nvfp4_status nvfp4_run(const nvfp4_package *package, size_t entry,
                       const nvfp4_tensor *inputs, size_t num_inputs,
                       nvfp4_results **results);

/** How many results a run gave. */
size_t nvfp4_results_count(const nvfp4_results *results);

/** Describes a result: contiguous, aligned to 64 bytes, valid until
 * `nvfp4_results_free`. Fails if `index` is out of range, or the tensor was
 * taken. */
nvfp4_status nvfp4_results_get(const nvfp4_results *results, size_t index,
                               nvfp4_tensor *tensor);

/** Frees results; NULL is ignored. */
void nvfp4_results_free(nvfp4_results *results);

/*===----------------------------------------------------------------------===*
 * Executions
 *
 * `stream` is a CUstream or cudaStream_t of the device "cuda"; NULL is the
 * package's own, which waits for no other. CUDA's default stream, whose handle
 * is NULL there, is passed as (void *)1 (CU_STREAM_LEGACY) or (void *)2
 * (CU_STREAM_PER_THREAD). Other devices ignore it: their work is done when
 * `nvfp4_execution_enqueue` returns.
 *===----------------------------------------------------------------------===*/

/** Enqueues one run and waits for nothing. The stream may be in capture: the
 * graph is then valid as long as the execution, for its tensors alone. Runs
 * share a workspace, so that two must not overlap. */
nvfp4_status nvfp4_execution_enqueue(nvfp4_execution *execution, void *stream);

/** Waits for the stream. Fails if a kernel failed, or if the last run found bad
 * data. */
nvfp4_status nvfp4_execution_wait(nvfp4_execution *execution, void *stream);

/** Records a run as a graph of the execution, which `nvfp4_execution_replay`
 * enqueues at less cost than `nvfp4_execution_enqueue`. */
nvfp4_status nvfp4_execution_record(nvfp4_execution *execution);
nvfp4_status nvfp4_execution_replay(nvfp4_execution *execution, void *stream);

/** How many results an execution has; 0 for NULL. */
size_t nvfp4_execution_num_results(const nvfp4_execution *execution);

/** Frees an execution, after waiting for what it has enqueued; NULL is ignored.
 * It may outlive its package. */
void nvfp4_execution_free(nvfp4_execution *execution);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NVFP4_C_RUNTIME_H */

/*===- ProgramABI.h - What program.so exports and what it may call -*- C -*-===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The border between a package's native code and the runtime. `program.so`
 * exports one symbol, `nvfp4_program`, and imports nothing but memcpy, memset
 * and memmove. Everything else reaches it through the context that comes in as
 * the first argument of `run`: there are no globals, so several packages,
 * devices and threads live in one process. Both structs are append-only: a
 * reader looks at `struct_size` before it reads a later field.
 *
 *===----------------------------------------------------------------------===*/

#ifndef NVFP4_RUNTIME_PROGRAMABI_H
#define NVFP4_RUNTIME_PROGRAMABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C has no namespaces: NOLINTBEGIN(readability-identifier-naming) */

/** What a program without device code says. */
#define NVFP4_PROGRAM_ABI_VERSION 1

/** What a program with device code says, so that a runtime that knows nothing
 * of it refuses the program: the descriptor has the fields from `num_images`
 * on, and the context those from `launch` on. */
#define NVFP4_PROGRAM_ABI_VERSION_DEVICE 2

/** What a program says that asks for tensor maps: all of version 2, and the
 * context has `tensor_map`. */
#define NVFP4_PROGRAM_ABI_VERSION_TENSOR_MAPS 3

/** What a program without device code says that calls functions of the context
 * from `gemm_f32` on: its descriptor is that of version 1. */
#define NVFP4_PROGRAM_ABI_VERSION_KERNELS 4

/** The exported symbol: a constant `nvfp4_program_descriptor`. */
#define NVFP4_PROGRAM_SYMBOL "nvfp4_program"

/** Buffers passed to `run` start at multiples of this many bytes. */
#define NVFP4_BUFFER_ALIGNMENT 64

/** Bytes at the start of every workspace that belong to the runtime: an int32
 * error word at offset 0 (0: no error; n > 0: check n-1 of the entry's
 * `checks` in the manifest was violated first), the rest reserved. `run`
 * clears the word before any other work. */
#define NVFP4_WORKSPACE_HEADER_BYTES 64

/** Extents that a tensor map can have, and the bytes of an encoded one, which
 * a kernel takes by value at a multiple of 64. */
#define NVFP4_TENSOR_MAP_MAX_RANK 5
#define NVFP4_TENSOR_MAP_BYTES 128

/** A tiled tensor map: which box of a tensor a tensor copy moves. Arrays begin
 * with the innermost dimension. The numbers of `dtype`, `swizzle`,
 * `interleave`, `l2_promotion` and `fill` are those of CUDA's driver
 * (CUtensorMapDataType and so on). */
typedef struct nvfp4_tensor_map {
  uint32_t struct_size;
  uint32_t dtype;
  /** Of the device, a multiple of 16 bytes. */
  const void *address;
  uint32_t rank;
  uint32_t swizzle;
  /** In elements. A map with an extent of 0 is encoded with 1 in its place: no
   * kernel reads it. */
  uint64_t dims[NVFP4_TENSOR_MAP_MAX_RANK];
  /** In bytes, multiples of 16; `strides[0]`, that of an element, is not read.
   */
  uint64_t strides[NVFP4_TENSOR_MAP_MAX_RANK];
  /** In elements. */
  uint32_t box[NVFP4_TENSOR_MAP_MAX_RANK];
  uint32_t element_strides[NVFP4_TENSOR_MAP_MAX_RANK];
  uint32_t interleave;
  uint32_t l2_promotion;
  /** What out-of-bounds elements are: 0: zero; 1: NaN. */
  uint32_t fill;
  uint32_t reserved;
} nvfp4_tensor_map;

#define NVFP4_TENSOR_MAP_U8 0
#define NVFP4_TENSOR_MAP_U16 1
#define NVFP4_TENSOR_MAP_U32 2
#define NVFP4_TENSOR_MAP_I32 3
#define NVFP4_TENSOR_MAP_U64 4
#define NVFP4_TENSOR_MAP_I64 5
#define NVFP4_TENSOR_MAP_F16 6
#define NVFP4_TENSOR_MAP_F32 7
#define NVFP4_TENSOR_MAP_F64 8
#define NVFP4_TENSOR_MAP_BF16 9

#define NVFP4_TENSOR_MAP_SWIZZLE_NONE 0
#define NVFP4_TENSOR_MAP_SWIZZLE_32B 1
#define NVFP4_TENSOR_MAP_SWIZZLE_64B 2
#define NVFP4_TENSOR_MAP_SWIZZLE_128B 3

/** Element types of matrices. */
#define NVFP4_ELEMENT_F32 1
#define NVFP4_ELEMENT_BF16 2
#define NVFP4_ELEMENT_F16 3

/** Dimensions of a batch of matrices; those that are not needed have extent 1.
 */
#define NVFP4_MAX_BATCH_DIMS 4

/** A batch of matrices. Strides count elements, and are 0 or more; those of the
 * batch may be 0, which repeats a matrix. */
typedef struct nvfp4_matrix {
  void *data;
  int64_t row_stride;
  int64_t column_stride;
  int64_t batch_strides[NVFP4_MAX_BATCH_DIMS];
  uint32_t element; /* NVFP4_ELEMENT_* */
  uint32_t reserved;
} nvfp4_matrix;

/** C keeps what it holds: C += A B. */
#define NVFP4_GEMM_ACCUMULATE 1

/** C = A B for each index of the batch: A is [rows, depth], B [depth, columns],
 * C [rows, columns] and overlaps neither. Extents are 0 or more. Sums are one
 * chain of multiply-adds in f32 in the order of the depth; a C that is bf16 or
 * f16 is rounded once, at the end. */
typedef struct nvfp4_gemm {
  uint32_t struct_size;
  uint32_t flags; /* NVFP4_GEMM_* */
  int64_t rows;
  int64_t columns;
  int64_t depth;
  int64_t batch[NVFP4_MAX_BATCH_DIMS];
  nvfp4_matrix a;
  nvfp4_matrix b;
  nvfp4_matrix c;
} nvfp4_gemm;

/** Encodings of block scales. */
#define NVFP4_SCALES_E4M3 1
#define NVFP4_SCALES_E8M0 2
#define NVFP4_SCALES_UE5M3 3

/** What a stored global scale g means (docs/Format.md): a format has none, the
 * largest magnitude, what codes times scales are multiplied by, or divided by.
 */
#define NVFP4_GLOBAL_SCALE_NONE 0
#define NVFP4_GLOBAL_SCALE_AMAX 1
#define NVFP4_GLOBAL_SCALE_MULTIPLY 2
#define NVFP4_GLOBAL_SCALE_DIVIDE 3

/** A batch of block-scaled matrices in the linear layout: codes two to a byte,
 * and scales, side by side in each row. Other strides count bytes of codes and
 * of scales, and global scales; they are 0 or more, and 0 repeats. */
typedef struct nvfp4_blocks {
  void *codes;
  void *scales;
  float *global_scales;
  int64_t code_row_stride;
  int64_t scale_row_stride; /* from one row of blocks to the next */
  int64_t global_scale_row_stride;
  int64_t code_batch_strides[NVFP4_MAX_BATCH_DIMS];
  int64_t scale_batch_strides[NVFP4_MAX_BATCH_DIMS];
  int64_t global_scale_batch_strides[NVFP4_MAX_BATCH_DIMS];
  uint32_t block_rows;
  uint32_t block_columns;
  uint32_t scale_encoding; /* NVFP4_SCALES_* */
  uint32_t global_scale;   /* NVFP4_GLOBAL_SCALE_* */
  float scale_bound;       /* the block scale of the largest block */
  uint32_t reserved;
} nvfp4_blocks;

/** Which operand of a scaled product is in blocks. */
#define NVFP4_SCALED_LHS_BLOCKS 1
#define NVFP4_SCALED_RHS_BLOCKS 2

/** result = lhs rhs^T for each index of the batch: lhs is [rows, depth], rhs
 * [columns, depth], result [rows, columns] and overlaps neither. An operand is
 * in blocks or a plain matrix. Codes times block scales are multiplied in f32,
 * and the factor of the global scales applies once, to the sum. */
typedef struct nvfp4_scaled_product {
  uint32_t struct_size;
  uint32_t flags; /* NVFP4_SCALED_* */
  int64_t rows;
  int64_t columns;
  int64_t depth;
  int64_t batch[NVFP4_MAX_BATCH_DIMS];
  nvfp4_matrix lhs;
  nvfp4_matrix rhs;
  nvfp4_matrix result;
  nvfp4_blocks lhs_blocks;
  nvfp4_blocks rhs_blocks;
} nvfp4_scaled_product;

/** Global scales are not read but computed from the matrix: one for all
 * elements whose stride is 0, that is per row, matrix or batch. */
#define NVFP4_CONVERT_FIND_GLOBAL_SCALES 1
/** Global scales only: there are no codes and scales. */
#define NVFP4_CONVERT_GLOBAL_SCALES_ONLY 2

/** A batch of matrices [rows, columns] and its form in blocks. Rounding is to
 * nearest even, by the golden chain of docs/Format.md. */
typedef struct nvfp4_conversion {
  uint32_t struct_size;
  uint32_t flags; /* NVFP4_CONVERT_*; to blocks only */
  int64_t rows;
  int64_t columns;
  int64_t batch[NVFP4_MAX_BATCH_DIMS];
  nvfp4_matrix matrix;
  nvfp4_blocks blocks;
} nvfp4_conversion;

/** What a program may ask of the runtime. */
typedef struct nvfp4_context {
  uint32_t struct_size;
  uint32_t reserved;
  /** The runtime's own; first argument of every function below. */
  void *user;
  /** Records an error (`message` is copied) and returns the status that `run`
   * shall return at once. */
  int32_t (*fail)(void *user, const char *message);
  /** Calls body(state, begin, end) on disjoint ranges that cover [0, count),
   * possibly from several threads at once, and returns when all are done. */
  void (*parallel_for)(void *user, int64_t count,
                       void (*body)(void *state, int64_t begin, int64_t end),
                       void *state);

  /* ABI version 2. Arguments, results and workspace are addresses of the
   * device, which need not be the host's: a program that launches touches
   * them through kernels and the two functions below only. All three enqueue,
   * in order, and return 0, or a status that `run` shall return at once. */

  /** Launches kernel `kernel` of the descriptor; `args` points to one value
   * per parameter, copied before the call returns. */
  int32_t (*launch)(void *user, uint32_t kernel, const uint32_t grid[3],
                    const uint32_t block[3], uint32_t dynamic_shared_bytes,
                    const void *const *args);
  /** Copies within the device. The ranges do not overlap. */
  int32_t (*copy)(void *user, void *target, const void *source, uint64_t bytes);
  /** Writes `count` times the `value_bytes` (1, 2 or 4) bytes at `value`. */
  int32_t (*fill)(void *user, void *target, const void *value,
                  uint32_t value_bytes, uint64_t count);

  /* ABI version 3. */

  /** Writes NVFP4_TENSOR_MAP_BYTES at `target`, memory of the host at a
   * multiple of 64: the argument of a kernel. Returns as the functions above
   * do. */
  int32_t (*tensor_map)(void *user, const nvfp4_tensor_map *map, void *target);

  /* ABI version 4, in the memory of the host. All are done when they return,
   * use the threads of `parallel_for`, and return 0, or a status that `run`
   * shall return at once. Not to be called from a body of `parallel_for`. */

  /** Multiplies matrices. */
  int32_t (*gemm_f32)(void *user, const nvfp4_gemm *gemm);
  /** Multiplies matrices of which one or both are in blocks. */
  int32_t (*scaled_product)(void *user, const nvfp4_scaled_product *product);
  /** Matrix to blocks. Rows of codes and of scales follow each other without
   * gaps, or with gaps that are written as zero. */
  int32_t (*quantize)(void *user, const nvfp4_conversion *conversion);
  /** Blocks to matrix. */
  int32_t (*dequantize)(void *user, const nvfp4_conversion *conversion);
} nvfp4_context;

/** One entry point. Dimensions, arguments and results are in the order of the
 * manifest. All tensors are contiguous and row-major. */
typedef struct nvfp4_entry {
  const char *name;
  uint32_t num_dims; /* named dynamic dimensions */
  uint32_t num_args; /* inputs and weights */
  uint32_t num_results;
  uint32_t reserved;
  /** Computes from the values of the dimensions the extents of all results
   * (one after the other, rank by rank) and the bytes of workspace, header
   * included. Touches no tensor. Returns 0. */
  int32_t (*plan)(const int64_t *dims, int64_t *result_extents,
                  int64_t *workspace_bytes);
  /** Enqueues the computation. Returns 0, or what `fail` returned. Arguments
   * are not written; results and workspace do not overlap anything. */
  int32_t (*run)(const nvfp4_context *context, const int64_t *dims,
                 const void *const *args, void *const *results,
                 void *workspace);
} nvfp4_entry;

/** How an image is encoded. */
#define NVFP4_IMAGE_PTX 1
#define NVFP4_IMAGE_CUBIN 2

/** The device code of a program for one chip: all of its kernels. */
typedef struct nvfp4_image {
  uint32_t kind; /* NVFP4_IMAGE_*; a reader skips what it does not know */
  uint32_t reserved;
  const char *chip; /* "sm_120a" */
  const void *data;
  uint64_t bytes;
} nvfp4_image;

/** The kernel may start before the one before it has ended. It waits itself
 * (`griddepcontrol.wait`) before it touches what others write. */
#define NVFP4_KERNEL_PROGRAMMATIC_LAUNCH 1u

/** A kernel, which every image holds under the same name. */
typedef struct nvfp4_kernel {
  const char *name;
  uint32_t num_args;
  uint32_t reserved;
  const uint32_t *arg_bytes; /* one size per parameter */
  uint32_t cluster[3];       /* blocks of a cluster; 0, 0, 0: none */
  uint32_t flags;            /* NVFP4_KERNEL_*; a reader may ignore them */
} nvfp4_kernel;

typedef struct nvfp4_program_descriptor {
  uint32_t abi_version; /* NVFP4_PROGRAM_ABI_VERSION, or that with DEVICE */
  uint32_t struct_size;
  uint32_t num_entries;
  uint32_t reserved;
  const nvfp4_entry *entries;
  /* ABI version 2. A device takes the first image that it can run. */
  uint32_t num_images;
  uint32_t num_kernels;
  const nvfp4_image *images;
  const nvfp4_kernel *kernels;
} nvfp4_program_descriptor;

/** The size of a descriptor of ABI version 1. */
#define NVFP4_PROGRAM_DESCRIPTOR_BYTES_1 (16 + sizeof(void *))

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NVFP4_RUNTIME_PROGRAMABI_H */

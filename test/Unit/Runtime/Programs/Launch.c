/*===- Launch.c - A program.so with a kernel ------------------------------===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * main(x: f32 [n], factor: f32 []) -> f32 [n + 4] is factor * x, then x[0] and
 * three times 3: the first by a kernel, the second by `copy`, the third by
 * `fill`. n > 0. Macros break one thing each.
 *
 *===----------------------------------------------------------------------===*/

#include "nvfp4/Runtime/ProgramABI.h"

#ifndef KERNEL_NAME
#define KERNEL_NAME "scale"
#endif
#ifndef KERNEL_INDEX
#define KERNEL_INDEX 0
#endif
#define ARG_BYTES_TWO 8, 8
#define ARG_BYTES_WIDE 8, 8, 8, 8
#ifndef ARG_BYTES
#define ARG_BYTES 8, 8, 8, 4
#endif
#ifndef IMAGE_KIND
#define IMAGE_KIND NVFP4_IMAGE_PTX
#endif
#ifndef ABI_VERSION
#define ABI_VERSION NVFP4_PROGRAM_ABI_VERSION_DEVICE
#endif
#ifndef EXTRA_ELEMENTS /* that the kernel writes beyond its result */
#define EXTRA_ELEMENTS 0
#endif
#ifndef NUM_FILLED /* of the last three */
#define NUM_FILLED 3
#endif

#define CLUSTER_TWO 2, 1, 1
#define CLUSTER_NINE 9, 1, 1
#ifndef CLUSTER
#define CLUSTER 0, 0, 0
#endif
#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef SHARED_BYTES
#define SHARED_BYTES 0
#endif
#ifndef GRID_MULTIPLE
#define GRID_MULTIPLE 1
#endif

#define THREADS 64

#ifdef IMAGE_DATA
static const char ptx[] = IMAGE_DATA;
#else
static const char ptx[] =
    ".version 8.7\n"
    ".target sm_120a\n"
    ".address_size 64\n"
    ".visible .entry scale(.param .u64 x, .param .u64 factor, .param .u64 y,\n"
    "                      .param .u32 count)\n"
    "{\n"
    "  .reg .pred %p;\n"
    "  .reg .b32 %r<6>;\n"
    "  .reg .b64 %d<6>;\n"
    "  .reg .f32 %f<4>;\n"
    "  mov.u32 %r0, %ctaid.x;\n"
    "  mov.u32 %r1, %ntid.x;\n"
    "  mov.u32 %r2, %tid.x;\n"
    "  mad.lo.s32 %r3, %r0, %r1, %r2;\n"
    "  ld.param.u32 %r4, [count];\n"
    "  setp.ge.s32 %p, %r3, %r4;\n"
    "  @%p bra DONE;\n"
    "  ld.param.u64 %d0, [x];\n"
    "  ld.param.u64 %d1, [factor];\n"
    "  ld.param.u64 %d2, [y];\n"
    "  mul.wide.s32 %d3, %r3, 4;\n"
    "  add.s64 %d4, %d0, %d3;\n"
    "  ld.global.f32 %f0, [%d4];\n"
    "  ld.global.f32 %f1, [%d1];\n"
    "  mul.rn.f32 %f2, %f0, %f1;\n"
    "  add.s64 %d5, %d2, %d3;\n"
    "  st.global.f32 [%d5], %f2;\n"
    "DONE:\n"
    "  ret;\n"
    "}\n";
#endif

static int32_t plan(const int64_t *dims, int64_t *extents, int64_t *bytes) {
  extents[0] = dims[0] + 4;
  *bytes = NVFP4_WORKSPACE_HEADER_BYTES;
  return 0;
}

static int32_t run(const nvfp4_context *context, const int64_t *dims,
                   const void *const *args, void *const *results,
                   void *workspace) {
  const uint32_t zero = 0, block[3] = {THREADS, 1, 1};
  const float three = 3;
  uint32_t count = (uint32_t)dims[0] + EXTRA_ELEMENTS;
  const uint32_t rows = THREADS * GRID_MULTIPLE;
  const uint32_t grid[3] = {(count + rows - 1) / rows * GRID_MULTIPLE, 1, 1};
  const void *const arguments[] = {&args[0], &args[1], &results[0], &count};
  char *tail = (char *)results[0] + 4 * dims[0];
  int32_t status =
      context->fill(context->user, workspace, &zero, sizeof(zero), 1);
  if (!status)
    status = context->launch(context->user, KERNEL_INDEX, grid, block,
                             SHARED_BYTES, arguments);
  if (!status)
    status = context->copy(context->user, tail, args[0], 4);
  if (!status)
    status = context->fill(context->user, tail + 4, &three, sizeof(three),
                           NUM_FILLED);
  return status;
}

static const nvfp4_entry entries[] = {{"main", 1, 2, 1, 0, plan, run}};

static const nvfp4_image images[] = {
    {IMAGE_KIND, 0, "sm_120a", ptx, sizeof(ptx) - 1}};

static const uint32_t argumentBytes[] = {ARG_BYTES};

static const nvfp4_kernel kernels[] = {
    {KERNEL_NAME,
     sizeof(argumentBytes) / sizeof(*argumentBytes),
     0,
     argumentBytes,
     {CLUSTER},
     FLAGS}};

const nvfp4_program_descriptor nvfp4_program = {
    ABI_VERSION, sizeof(nvfp4_program_descriptor), 1, 0, entries, 1, 1, images,
    kernels};

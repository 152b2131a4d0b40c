/*===- Scale.c - A program.so written by hand -----------------------------===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * main(x: f32 [batch, 4], mask: u8 [batch], factor: f32 []) -> f32 [batch, 4]
 * multiplies the rows whose mask is not 0. An element above 1000 violates check
 * 1, element -1 calls `fail`, element -2 asks for a check that does not exist.
 * Macros break one thing each.
 *
 *===----------------------------------------------------------------------===*/

#include "nvfp4/Runtime/ProgramABI.h"

#ifndef ABI_VERSION
#define ABI_VERSION NVFP4_PROGRAM_ABI_VERSION
#endif
#ifndef STRUCT_SIZE
#define STRUCT_SIZE sizeof(nvfp4_program_descriptor)
#endif
#ifndef ENTRY_NAME
#define ENTRY_NAME "main"
#endif
#ifndef NUM_ARGS
#define NUM_ARGS 3
#endif
#ifndef RESULT_COLUMNS
#define RESULT_COLUMNS 4
#endif
#ifndef WORKSPACE_BYTES
#define WORKSPACE_BYTES (NVFP4_WORKSPACE_HEADER_BYTES + 4 * dims[0])
#endif
#ifndef SYMBOL
#define SYMBOL nvfp4_program
#endif

struct state {
  const float *x;
  const uint8_t *mask;
  float factor;
  float *y;
  int32_t *error;
  int32_t failed;
};

static int32_t plan(const int64_t *dims, int64_t *extents, int64_t *bytes) {
  extents[0] = dims[0];
  extents[1] = RESULT_COLUMNS;
  *bytes = WORKSPACE_BYTES;
#ifdef PLAN_STATUS
  return PLAN_STATUS;
#else
  return 0;
#endif
}

static void scaleRows(void *opaque, int64_t begin, int64_t end) {
  struct state *state = opaque;
  for (int64_t i = begin * 4; i < end * 4; ++i) {
    float value = state->x[i];
    if (value > 1000)
      __atomic_store_n(state->error, 1, __ATOMIC_RELAXED);
    if (value == -1)
      __atomic_store_n(&state->failed, 1, __ATOMIC_RELAXED);
    if (value == -2)
      __atomic_store_n(state->error, 9, __ATOMIC_RELAXED);
    state->y[i] = state->mask[i / 4] ? value * state->factor : value;
  }
}

static int32_t run(const nvfp4_context *context, const int64_t *dims,
                   const void *const *args, void *const *results,
                   void *workspace) {
  const void *pointers[] = {args[0], args[1], args[2], results[0], workspace};
  *(int32_t *)workspace = 0;
  for (int i = 0; i < 5; ++i)
    if ((uintptr_t)pointers[i] % NVFP4_BUFFER_ALIGNMENT != 0)
      return context->fail(context->user, "a pointer is not aligned");
  if (context->struct_size < sizeof(nvfp4_context))
    return context->fail(context->user, "the context is too small");
  /* The order of the arguments is not that of the inputs. */
  struct state state = {args[1],    args[2],   *(const float *)args[0],
                        results[0], workspace, 0};
  context->parallel_for(context->user, dims[0], scaleRows, &state);
  if (state.failed)
    return context->fail(context->user, "an element is -1");
  /* The workspace is ours alone until we return. */
  for (int64_t i = 0; i < dims[0]; ++i)
    ((float *)workspace)[16 + i] = state.y[4 * i];
  for (int64_t i = 0; i < dims[0]; ++i)
    if (__builtin_memcmp((float *)workspace + 16 + i, state.y + 4 * i, 4) != 0)
      return context->fail(context->user, "the workspace is shared");
  return 0;
}

static const nvfp4_entry entries[] = {
    {ENTRY_NAME, 1, NUM_ARGS, 1, 0, plan, run},
};

const nvfp4_program_descriptor SYMBOL = {ABI_VERSION, STRUCT_SIZE, 1, 0,
                                         entries};

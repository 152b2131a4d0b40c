/*===- RuntimeTest.c - The runtime from C99 -------------------------------===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Usage: runtime-test PACKAGE, where PACKAGE holds Programs/Scale.c.
 *
 *===----------------------------------------------------------------------===*/

#include "nvfp4-c/Runtime.h"
#include "nvfp4-c/DLPack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int numFailures = 0;

static void check(int condition, const char *text, int line) {
  if (condition)
    return;
  fprintf(stderr, "RuntimeTest.c:%d: expected %s; last error: %s\n", line, text,
          nvfp4_last_error());
  ++numFailures;
}

static void checkError(nvfp4_status status, const char *part, int line) {
  if (status == NVFP4_ERROR && strstr(nvfp4_last_error(), part))
    return;
  fprintf(stderr, "RuntimeTest.c:%d: expected the error '%s', but got '%s'\n",
          line, part, status == NVFP4_OK ? "success" : nvfp4_last_error());
  ++numFailures;
}

#define CHECK(condition) check(condition, #condition, __LINE__)
#define CHECK_ERROR(status, part) checkError(status, part, __LINE__)

static void testOpenErrors(const char *path) {
  nvfp4_package *package = (nvfp4_package *)1;
  nvfp4_open_options options;
  CHECK(nvfp4_last_error()[0] == 0);
  CHECK_ERROR(nvfp4_package_open("no-such-package", NULL, &package),
              "'no-such-package': expected a package");
  CHECK(package == NULL);
  CHECK_ERROR(nvfp4_package_open(NULL, NULL, &package), "nvfp4_package_open");
  CHECK_ERROR(nvfp4_package_open(path, NULL, NULL), "nvfp4_package_open");
  memset(&options, 0, sizeof(options));
  CHECK_ERROR(nvfp4_package_open(path, &options, &package), "struct_size 0");
  options.struct_size = sizeof(options);
  options.device = "abacus";
  CHECK_ERROR(nvfp4_package_open(path, &options, &package),
              "expected one of 'cpu', 'cuda', 'sim', but got 'abacus'");
  nvfp4_package_close(NULL);
}

static void testInspect(const nvfp4_package *package) {
  nvfp4_dimension_info dimension;
  nvfp4_tensor_info tensor;
  nvfp4_extent_info extent;
  size_t entry = 99;
  CHECK(strcmp(nvfp4_package_producer(package), "test") == 0);
  CHECK(strstr(nvfp4_package_report(package), "\"site\":\"scale\"") != NULL);
  CHECK(nvfp4_package_num_entries(package) == 1);
  CHECK(strcmp(nvfp4_package_entry_name(package, 0), "main") == 0);
  CHECK(nvfp4_package_entry_name(package, 1) == NULL);
  CHECK(nvfp4_package_find_entry(package, "main", &entry) == NVFP4_OK);
  CHECK(entry == 0);
  CHECK_ERROR(nvfp4_package_find_entry(package, "mian", &entry), "'main'");

  CHECK(nvfp4_entry_num_dimensions(package, 0) == 1);
  CHECK(nvfp4_entry_num_inputs(package, 0) == 2);
  CHECK(nvfp4_entry_num_results(package, 0) == 1);
  CHECK(nvfp4_entry_num_inputs(package, 1) == 0);
  CHECK(nvfp4_entry_dimension(package, 0, 0, &dimension) == NVFP4_OK);
  CHECK(strcmp(dimension.name, "batch") == 0);
  CHECK(dimension.min == 0 && dimension.max == 1 << 20);
  CHECK_ERROR(nvfp4_entry_dimension(package, 0, 1, &dimension), "below 1");

  CHECK(nvfp4_entry_input(package, 0, 0, &tensor) == NVFP4_OK);
  CHECK(strcmp(tensor.name, "x") == 0);
  CHECK(tensor.dtype == NVFP4_F32 && tensor.rank == 2);
  CHECK(strcmp(nvfp4_dtype_name(tensor.dtype), "F32") == 0);
  CHECK(nvfp4_dtype_name(1000) == NULL);
  CHECK(nvfp4_entry_input_extent(package, 0, 0, 0, &extent) == NVFP4_OK);
  CHECK(extent.value == -1 && strcmp(extent.name, "batch") == 0);
  CHECK(nvfp4_entry_input_extent(package, 0, 0, 1, &extent) == NVFP4_OK);
  CHECK(extent.value == 4 && extent.name == NULL);
  CHECK_ERROR(nvfp4_entry_input_extent(package, 0, 0, 2, &extent), "axis");
  CHECK_ERROR(nvfp4_entry_input(package, 0, 2, &tensor), "below 2");
  CHECK(nvfp4_entry_result(package, 0, 0, &tensor) == NVFP4_OK);
  CHECK(strcmp(tensor.name, "y") == 0);
  CHECK(nvfp4_entry_result_extent(package, 0, 0, 1, &extent) == NVFP4_OK);
  CHECK(extent.value == 4);
}

static void testRun(const nvfp4_package *package) {
  const float x[12] = {0, 1, 2, 3, -1, -1, -1, -1, 4, 5, 6, 7};
  const uint8_t mask[2] = {1, 1};
  const int64_t xShape[2] = {2, 4}, xStrides[2] = {8, 1}, maskShape[1] = {2};
  nvfp4_tensor inputs[2] = {{x, NVFP4_F32, 2, xShape, xStrides},
                            {mask, NVFP4_U8, 1, maskShape, NULL}};
  nvfp4_tensor result;
  nvfp4_results *results = NULL;
  size_t i;
  CHECK(nvfp4_run(package, 0, inputs, 2, &results) == NVFP4_OK);
  CHECK(nvfp4_results_count(results) == 1);
  CHECK(nvfp4_results_get(results, 0, &result) == NVFP4_OK);
  CHECK(result.dtype == NVFP4_F32 && result.rank == 2);
  CHECK(result.shape[0] == 2 && result.shape[1] == 4);
  for (i = 0; i < 8; ++i)
    CHECK(((const float *)result.data)[i] == 2 * (float)i);
  CHECK_ERROR(nvfp4_results_get(results, 1, &result), "result index below 1");
  nvfp4_results_free(results);
  nvfp4_results_free(NULL);

  CHECK_ERROR(nvfp4_run(package, 0, inputs, 1, &results), "expected 2 inputs");
  CHECK(results == NULL);
  CHECK_ERROR(nvfp4_run(package, 7, inputs, 2, &results), "entry below 1");
  CHECK_ERROR(nvfp4_run(package, 0, NULL, 2, &results), "nvfp4_run");
  inputs[0].dtype = 1000;
  CHECK_ERROR(nvfp4_run(package, 0, inputs, 2, &results), "but got 1000");
  inputs[0].dtype = NVFP4_F32;
  inputs[0].rank = -1;
  CHECK_ERROR(nvfp4_run(package, 0, inputs, 2, &results), "but got rank -1");
  inputs[0].rank = 2;
  inputs[0].strides = NULL;
  CHECK_ERROR(nvfp4_run(package, 0, inputs, 2, &results), "an element is -1");
}

/** A tensor of the host; the caller sets the dtype. */
static DLTensor makeTensor(void *data, int ndim, int64_t *shape) {
  DLTensor tensor;
  memset(&tensor, 0, sizeof(tensor));
  tensor.data = data;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = ndim;
  tensor.dtype.code = kDLFloat;
  tensor.dtype.bits = 32;
  tensor.dtype.lanes = 1;
  tensor.shape = shape;
  return tensor;
}

/** One execution, run again with other values in the same tensors. */
static void testExecution(const nvfp4_package *package) {
  /* C99 has no word for alignment: 64 of these bytes are aligned. */
  char memory[128], *aligned = memory + (64 - (size_t)memory % 64) % 64;
  float x[8] = {0, 1, 2, 3, 4, 5, 6, 7}, *y = (float *)(void *)aligned;
  uint8_t mask[2] = {1, 0};
  int64_t shape[2] = {2, 4};
  DLTensor xTensor = makeTensor(x, 2, shape), yTensor = makeTensor(y, 2, shape);
  DLTensor maskTensor = makeTensor(mask, 1, shape);
  const DLTensor *inputs[2], *outputs[1];
  nvfp4_execution *execution = NULL;
  DLManagedTensor *result = NULL;
  size_t i;
  maskTensor.dtype.code = kDLUInt;
  maskTensor.dtype.bits = 8;
  inputs[0] = &xTensor;
  inputs[1] = &maskTensor;
  outputs[0] = &yTensor;
  CHECK(nvfp4_execution_create(package, 0, inputs, 2, outputs, 1, &execution) ==
        NVFP4_OK);
  CHECK(nvfp4_execution_num_results(execution) == 1);
  CHECK_ERROR(nvfp4_execution_replay(execution, NULL), "without a graph");
  CHECK(nvfp4_execution_enqueue(execution, NULL) == NVFP4_OK);
  CHECK(nvfp4_execution_wait(execution, NULL) == NVFP4_OK);
  for (i = 0; i < 8; ++i)
    CHECK(y[i] == (i < 4 ? 2 : 1) * (float)i);
  CHECK(nvfp4_execution_record(execution) == NVFP4_OK);
  x[1] = 50;
  CHECK(nvfp4_execution_replay(execution, NULL) == NVFP4_OK);
  CHECK(nvfp4_execution_wait(execution, NULL) == NVFP4_OK && y[1] == 100);
  x[2] = 5000; /* a check of the program */
  CHECK(nvfp4_execution_enqueue(execution, NULL) == NVFP4_OK);
  CHECK_ERROR(nvfp4_execution_wait(execution, NULL), "at most 1000");
  CHECK_ERROR(nvfp4_execution_result(execution, 1, &result), "index below 1");
  CHECK(nvfp4_execution_result(execution, 0, &result) == NVFP4_OK);
  CHECK(result->dl_tensor.data == (void *)y);
  nvfp4_execution_free(execution);
  result->deleter(result);
  nvfp4_execution_free(NULL);

  x[2] = 2;
  CHECK(nvfp4_execution_create(package, 0, inputs, 2, NULL, 0, &execution) ==
        NVFP4_OK);
  CHECK(nvfp4_execution_enqueue(execution, NULL) == NVFP4_OK);
  CHECK(nvfp4_execution_result(execution, 0, &result) == NVFP4_OK);
  nvfp4_execution_free(execution);
  CHECK(((float *)result->dl_tensor.data)[1] == 100);
  result->deleter(result);

  shape[0] = 1;
  yTensor.ndim = 1;
  CHECK_ERROR(
      nvfp4_execution_create(package, 0, inputs, 2, outputs, 1, &execution),
      "result 'y': expected F32 [1, 4], but got F32 [1]");
  CHECK(execution == NULL);
}

static void testDLPack(const nvfp4_package *package) {
  float x[9] = {100, 0, 1, 2, 3, 4, 5, 6, 7};
  uint8_t mask[2] = {1, 0};
  int64_t xShape[2] = {2, 4}, maskShape[1] = {2};
  DLTensor xTensor, maskTensor;
  const DLTensor *inputs[2];
  nvfp4_results *results = NULL;
  nvfp4_tensor result;
  DLManagedTensor *taken = NULL;
  size_t i;
  xTensor = makeTensor(x, 2, xShape);
  xTensor.byte_offset = sizeof(float);
  maskTensor = xTensor;
  maskTensor.data = mask;
  maskTensor.byte_offset = 0;
  maskTensor.ndim = 1;
  maskTensor.dtype.code = kDLUInt;
  maskTensor.dtype.bits = 8;
  maskTensor.shape = maskShape;
  inputs[0] = &xTensor;
  inputs[1] = &maskTensor;
  CHECK(nvfp4_run_dlpack(package, 0, inputs, 2, &results) == NVFP4_OK);
  CHECK(nvfp4_results_take_dlpack(results, 0, &taken) == NVFP4_OK);
  CHECK_ERROR(nvfp4_results_get(results, 0, &result), "which was taken");
  nvfp4_results_free(results);
  CHECK(taken->dl_tensor.ndim == 2);
  CHECK(taken->dl_tensor.shape[0] == 2 && taken->dl_tensor.strides[0] == 4);
  CHECK(taken->dl_tensor.dtype.code == kDLFloat);
  CHECK(taken->dl_tensor.dtype.bits == 32);
  for (i = 0; i < 8; ++i)
    CHECK(((float *)taken->dl_tensor.data)[i] == (i < 4 ? 2 : 1) * (float)i);
  taken->deleter(taken);

  xTensor.dtype.lanes = 2;
  CHECK_ERROR(nvfp4_run_dlpack(package, 0, inputs, 2, &results), "2 lanes");
  xTensor.dtype.lanes = 1;
  xTensor.device.device_type = kDLCUDA;
  CHECK_ERROR(nvfp4_run_dlpack(package, 0, inputs, 2, &results),
              "expected memory of the host");
  inputs[0] = NULL;
  CHECK_ERROR(nvfp4_run_dlpack(package, 0, inputs, 2, &results), "got null");
}

int main(int argc, char **argv) {
  nvfp4_package *package = NULL;
  nvfp4_open_options options;
  if (argc != 2) {
    fprintf(stderr, "usage: %s PACKAGE\n", argv[0]);
    return 2;
  }
  CHECK(nvfp4_runtime_api_version() == NVFP4_RUNTIME_API_VERSION);
  testOpenErrors(argv[1]);
  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.num_threads = 2;
  CHECK(nvfp4_package_open(argv[1], &options, &package) == NVFP4_OK);
  if (!package)
    return 1;
  testInspect(package);
  testRun(package);
  testExecution(package);
  testDLPack(package);
  nvfp4_package_close(package);
  if (numFailures == 0)
    printf("all checks passed\n");
  return numFailures == 0 ? 0 : 1;
}

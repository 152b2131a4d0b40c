/*===- run-package.c - The runtime from another project's C ---------------===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Usage: run-package [PACKAGE], made of package.mlir.
 * Without a package it checks that a missing one is an error with a reason.
 *
 *===----------------------------------------------------------------------===*/

#include "nvfp4-c/Runtime.h"

#include <stdio.h>
#include <string.h>

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, nvfp4_last_error());
  return 1;
}

/* Prints the bytes of a result in hexadecimal, after its name. */
static void print(const nvfp4_package *package, const nvfp4_results *results,
                  size_t index, size_t numBytes) {
  nvfp4_tensor_info info;
  nvfp4_tensor tensor;
  nvfp4_entry_result(package, 0, index, &info);
  nvfp4_results_get(results, index, &tensor);
  printf("%s ", info.name);
  for (size_t i = 0; i < numBytes; ++i)
    printf("%02x", ((const unsigned char *)tensor.data)[i]);
  printf("\n");
}

static int runPackage(const char *path) {
  nvfp4_package *package;
  nvfp4_results *results;
  float row[64];
  int64_t shape[2] = {1, 64};
  nvfp4_tensor input = {row, NVFP4_F32, 2, shape, NULL};
  for (int i = 0; i < 64; ++i)
    row[i] = (float)(i - 32) / 8;
  if (nvfp4_package_open(path, NULL, &package) != NVFP4_OK)
    return fail("open");
  if (nvfp4_run(package, 0, &input, 1, &results) != NVFP4_OK)
    return fail("run");
  print(package, results, 0, 32);
  print(package, results, 1, 4);
  nvfp4_results_free(results);
  nvfp4_package_close(package);
  return 0;
}

int main(int argc, char **argv) {
  nvfp4_package *package;
  if (nvfp4_runtime_api_version() < NVFP4_RUNTIME_API_VERSION)
    return fail("expected the library to be as new as its header");
  if (argc > 1)
    return runPackage(argv[1]);
  if (nvfp4_package_open("no-such-package", NULL, &package) == NVFP4_OK)
    return fail("expected an error");
  return strstr(nvfp4_last_error(), "no-such-package")
             ? 0
             : fail("expected the name");
}

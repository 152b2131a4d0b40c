/*===- run-package.c - The runtime from another project's C ---------------===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Usage: run-package [PACKAGE], where PACKAGE quantizes one row of 64 floats.
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
  printf("%zu results\n", nvfp4_results_count(results));
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

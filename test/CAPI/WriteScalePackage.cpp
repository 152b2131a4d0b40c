//===- WriteScalePackage.cpp - The package of the C API's test ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Usage: write-scale-package PACKAGE PROGRAM
//
//===----------------------------------------------------------------------===//

#include "../Unit/Runtime/ScalePackage.h"

#include <cstdio>

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PACKAGE PROGRAM\n", argv[0]);
    return 2;
  }
  nvfp4::Status status = nvfp4::test::writeScalePackage(
      argv[1], argv[2], nvfp4::test::makeScaleManifest());
  if (!status)
    std::fprintf(stderr, "error: %s\n", status.getMessage().c_str());
  return status ? 0 : 1;
}

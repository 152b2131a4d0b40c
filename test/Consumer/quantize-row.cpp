//===- quantize-row.cpp - The quantizer without MLIR ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantizes one block by hand: with 6 as the largest magnitude the block scale
// is 448, and each element of the e2m1 grid comes back as it was.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Package.h"
#include "nvfp4/Support/Quantize.h"

#include <cstdio>

int main() {
  const float values[16] = {0, .5,  1,  1.5,  2,  3,  4,  6,
                            0, -.5, -1, -1.5, -2, -3, -4, -6};
  const float amax = 6;
  uint8_t codes[8], scales[1];
  float back[16];

  nvfp4::QuantizeOptions options =
      nvfp4::getDefaultOptions(nvfp4::getNVFP4Format());
  nvfp4::MatrixRef source = {values, nvfp4::FloatType::F32, 1, 16, 16};
  nvfp4::quantize(options, source, &amax, {codes, 8, scales, 1});
  nvfp4::MutableMatrixRef target = {back, nvfp4::FloatType::F32, 1, 16, 16};
  nvfp4::dequantize(options, {codes, 8, scales, 1}, &amax, target);
  for (int i = 0; i < 16; ++i) {
    if (back[i] == values[i])
      continue;
    std::fprintf(stderr, "element %d: expected %g, but got %g\n", i, values[i],
                 back[i]);
    return 1;
  }
  return 0;
}

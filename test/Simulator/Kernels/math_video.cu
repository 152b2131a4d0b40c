//===- math_video.cu - Instructions on the bytes of a word ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The differences of bytes, which nvcc leaves to an instruction of their own.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

extern "C" __global__ void
byte_differences(const unsigned *as, const unsigned *bs, unsigned *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  out[i] = __vabsdiffu4(as[i], bs[i]);
  out[n + i] = __vsadu4(as[i], bs[i]);
}

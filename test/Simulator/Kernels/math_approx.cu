//===- math_approx.cu - Fast functions and the library's ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions whose results the manual bounds but does not fix, and what nvcc
// links for the ordinary functions, the slow path of large arguments included.
// Each row of the output is one function.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

__device__ float tanhApprox(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ float sqrtApprox(float x) {
  float y;
  asm("sqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// x in [-8, 8], p in [2^-10, 2^10].
extern "C" __global__ void approximations(const float *xs, const float *ps,
                                          float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float x = xs[i], p = ps[i];
  auto put = [&](float value) {
    out[i] = value;
    out += n;
  };
  put(__expf(x));
  put(__exp10f(x));
  put(__logf(p));
  put(__log2f(p));
  put(__log10f(p));
  put(__sinf(x * 0.375f));
  put(__cosf(x * 0.375f));
  put(__fdividef(x, p));
  put(__frsqrt_rn(p));
  put(rsqrtf(p));
  put(sqrtApprox(p));
  put(tanhApprox(x));
  put(__powf(p, x * 0.25f));
  put(fmodf(x * 100.0f, p));
  put(floorf(x) + truncf(x) * 16 + ceilf(x) * 256 + rintf(x) * 4096);
  put(copysignf(p, x) + fabsf(x) + fminf(x, p) + fmaxf(x, -p));
}

extern "C" __global__ void library_f32(const float *xs, const float *ps,
                                       float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float x = xs[i], p = ps[i];
  auto put = [&](float value) {
    out[i] = value;
    out += n;
  };
  put(expf(x));
  put(exp2f(x));
  put(expm1f(x));
  put(logf(p));
  put(log1pf(p));
  put(sinf(x));
  put(cosf(x));
  // Far beyond where few bits of pi would do.
  put(sinf(x * 1e9f));
  put(tanhf(x));
  put(erff(x));
  put(powf(p, x));
  put(cbrtf(x));
  put(atan2f(x, p));
  put(hypotf(x, p));
}

extern "C" __global__ void library_f64(const double *xs, const double *ps,
                                       double *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  double x = xs[i], p = ps[i];
  auto put = [&](double value) {
    out[i] = value;
    out += n;
  };
  put(exp(x));
  put(log(p));
  put(sin(x));
  put(cos(x * 1e12));
  put(tanh(x));
  put(erf(x));
  put(pow(p, x));
  put(rsqrt(p));
  put(cbrt(x));
}

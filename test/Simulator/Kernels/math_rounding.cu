//===- math_rounding.cu - Arithmetic in every rounding --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each row of the output is one operation on all triples (a, b, c).
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#define EACH_MODE(operation, ...)                                              \
  put(operation##_rn(__VA_ARGS__));                                            \
  put(operation##_rz(__VA_ARGS__));                                            \
  put(operation##_ru(__VA_ARGS__));                                            \
  put(operation##_rd(__VA_ARGS__));

extern "C" __global__ void rounding_f32(const float *as, const float *bs,
                                        const float *cs, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float a = as[i], b = bs[i], c = cs[i];
  auto put = [&](float value) {
    out[i] = value;
    out += n;
  };
  EACH_MODE(__fadd, a, b)
  EACH_MODE(__fmul, a, b)
  EACH_MODE(__fmaf, a, b, c)
  EACH_MODE(__fdiv, a, b)
  EACH_MODE(__frcp, a)
  EACH_MODE(__fsqrt, a)
  put(__fsub_rn(a, b));
  // The sign of a saturated -0 is left open.
  put(__saturatef(__fadd_rn(a, b)) + 0.0f);
}

extern "C" __global__ void rounding_f64(const double *as, const double *bs,
                                        const double *cs, double *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  double a = as[i], b = bs[i], c = cs[i];
  auto put = [&](double value) {
    out[i] = value;
    out += n;
  };
  EACH_MODE(__dadd, a, b)
  EACH_MODE(__dmul, a, b)
  EACH_MODE(__fma, a, b, c)
  EACH_MODE(__ddiv, a, b)
  EACH_MODE(__drcp, a)
  EACH_MODE(__dsqrt, a)
  put(__dsub_rn(a, b));
}

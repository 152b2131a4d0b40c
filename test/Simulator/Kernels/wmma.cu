//===- wmma.cu - Matrix products with nvcuda::wmma ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The warp-level C++ interface, whose fragments nobody sees: loads, stores and
// products of the wmma instructions, for f16, bf16, tf32, int8 and f64.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

/// D[16 rows, 16 columns] per warp of D[M, N] = A[M, K] B[K, N] + C, A by rows,
/// B by columns or by rows.
template <class T, class Sum, int M, int N, int K, class LayoutB,
          class Load = T>
__device__ void product(const Load *a, const Load *b, const Sum *c, Sum *d,
                        int m, int n, int k) {
  int row = blockIdx.y * M, column = blockIdx.x * N;
  wmma::fragment<wmma::matrix_a, M, N, K, T, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, M, N, K, T, LayoutB> fb;
  wmma::fragment<wmma::accumulator, M, N, K, Sum> sum;
  wmma::load_matrix_sync(sum, c + row * n + column, n, wmma::mem_row_major);
  constexpr bool kByRows = std::is_same<LayoutB, wmma::row_major>::value;
  for (int inner = 0; inner < k; inner += K) {
    wmma::load_matrix_sync(fa, a + row * k + inner, k);
    if (kByRows)
      wmma::load_matrix_sync(fb, b + inner * n + column, n);
    else
      wmma::load_matrix_sync(fb, b + column * k + inner, k);
    wmma::mma_sync(sum, fa, fb, sum);
  }
  for (int i = 0; i < sum.num_elements; ++i)
    sum.x[i] = sum.x[i] + sum.x[i];
  wmma::store_matrix_sync(d + row * n + column, sum, n, wmma::mem_row_major);
}

extern "C" __global__ void wmma_f16(const __half *a, const __half *b,
                                    const float *c, float *d, int m, int n,
                                    int k) {
  product<__half, float, 16, 16, 16, wmma::row_major>(a, b, c, d, m, n, k);
}

extern "C" __global__ void wmma_f16_sums(const __half *a, const __half *b,
                                         const __half *c, __half *d, int m,
                                         int n, int k) {
  product<__half, __half, 32, 8, 16, wmma::col_major>(a, b, c, d, m, n, k);
}

extern "C" __global__ void wmma_bf16(const __nv_bfloat16 *a,
                                     const __nv_bfloat16 *b, const float *c,
                                     float *d, int m, int n, int k) {
  product<__nv_bfloat16, float, 8, 32, 16, wmma::col_major>(a, b, c, d, m, n,
                                                            k);
}

extern "C" __global__ void wmma_tf32(const float *a, const float *b,
                                     const float *c, float *d, int m, int n,
                                     int k) {
  product<wmma::precision::tf32, float, 16, 16, 8, wmma::row_major, float>(
      a, b, c, d, m, n, k);
}

extern "C" __global__ void wmma_int8(const signed char *a, const signed char *b,
                                     const int *c, int *d, int m, int n,
                                     int k) {
  product<signed char, int, 16, 16, 16, wmma::col_major>(a, b, c, d, m, n, k);
}

extern "C" __global__ void wmma_f64(const double *a, const double *b,
                                    const double *c, double *d, int m, int n,
                                    int k) {
  product<double, double, 8, 8, 4, wmma::row_major>(a, b, c, d, m, n, k);
}

//===- transpose.cu - Transposition through shared memory -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of 32 by 32 whose rows are padded by one element, so that rows and
// columns both lie in different banks.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

template <class T>
__device__ void transposeTile(const T *__restrict__ x, T *__restrict__ y,
                              int rows, int columns) {
  __shared__ T tile[32][33];
  int column = blockIdx.x * 32 + threadIdx.x;
  int row = blockIdx.y * 32 + threadIdx.y;
#pragma unroll
  for (int i = 0; i < 32; i += 8)
    if (row + i < rows && column < columns)
      tile[threadIdx.y + i][threadIdx.x] = x[(row + i) * columns + column];
  __syncthreads();
  column = blockIdx.y * 32 + threadIdx.x;
  row = blockIdx.x * 32 + threadIdx.y;
#pragma unroll
  for (int i = 0; i < 32; i += 8)
    if (row + i < columns && column < rows)
      y[(row + i) * rows + column] = tile[threadIdx.x][threadIdx.y + i];
}

extern "C" __global__ void __launch_bounds__(256)
    transpose_f32(const float *x, float *y, int rows, int columns) {
  transposeTile(x, y, rows, columns);
}

extern "C" __global__ void __launch_bounds__(256)
    transpose_u8(const unsigned char *x, unsigned char *y, int rows,
                 int columns) {
  transposeTile(x, y, rows, columns);
}

//===- calls.cu - Calls, recursion, function pointers, local arrays -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What needs a stack and an ABI: recursion to a depth that depends on the data,
// calls through tables in global and constant memory, virtual functions,
// structs by value and by reference, arrays in local memory.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

/// Recursion twice over; every lane at its own depth.
__device__ __noinline__ int ackermann(int m, int n) {
  if (m == 0)
    return n + 1;
  if (n == 0)
    return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

extern "C" __global__ void ackermann_table(int *out, int columns) {
  int i = threadIdx.x;
  out[i] = ackermann(i / columns, i % columns);
}

/// Quicksort of a thread's own numbers, in local memory.
__device__ __noinline__ void quicksort(int *values, int low, int high) {
  if (low >= high)
    return;
  int pivot = values[(low + high) / 2], i = low, j = high;
  while (i <= j) {
    while (values[i] < pivot)
      ++i;
    while (values[j] > pivot)
      --j;
    if (i <= j) {
      int held = values[i];
      values[i++] = values[j];
      values[j--] = held;
    }
  }
  quicksort(values, low, j);
  quicksort(values, i, high);
}

extern "C" __global__ void sort_rows(const int *x, int *y, int rows) {
  constexpr int kColumns = 24;
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows)
    return;
  int values[kColumns];
  for (int i = 0; i < kColumns; ++i)
    values[i] = x[row * kColumns + i];
  quicksort(values, 0, kColumns - 1);
  for (int i = 0; i < kColumns; ++i)
    y[row * kColumns + i] = values[i];
}

using Binary = int (*)(int, int);
__device__ __noinline__ int add(int a, int b) { return a + b; }
__device__ __noinline__ int subtract(int a, int b) { return a - b; }
__device__ __noinline__ int multiply(int a, int b) { return a * b; }
__device__ __noinline__ int exclusiveOr(int a, int b) { return a ^ b; }
extern "C" __device__ Binary operations[4] = {add, subtract, multiply,
                                              exclusiveOr};

/// Lanes of one warp call different functions.
extern "C" __global__ void call_table(const int *a, const int *b,
                                      const unsigned char *which, int *out,
                                      int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    out[i] = operations[which[i]](a[i], b[i]);
}

struct Shape {
  __device__ virtual float area() const = 0;
};
struct Rectangle : Shape {
  float width, height;
  __device__ Rectangle(float w, float h) : width(w), height(h) {}
  __device__ __noinline__ float area() const override { return width * height; }
};
struct Triangle : Shape {
  float base, height;
  __device__ Triangle(float b, float h) : base(b), height(h) {}
  __device__ __noinline__ float area() const override {
    return base * height * 0.5f;
  }
};

__device__ __noinline__ float areaOf(const Shape &shape) {
  return shape.area();
}

extern "C" __global__ void virtual_areas(const float2 *extents, float *out) {
  int i = threadIdx.x;
  float2 extent = extents[i];
  Rectangle rectangle(extent.x, extent.y);
  Triangle triangle(extent.x, extent.y);
  out[i] = i % 3 == 0 ? areaOf(rectangle) : areaOf(triangle);
}

/// 24 bytes by value in, 16 out, and one by reference.
struct Six {
  int v[6];
};
struct Four {
  int v[4];
};
__device__ __noinline__ Four mix(Six six, int64_t scale, int &rest) {
  rest = six.v[4] * 3 + six.v[5];
  Four four;
  for (int i = 0; i < 4; ++i)
    four.v[i] = static_cast<int>(six.v[i] * scale) + six.v[5 - i];
  return four;
}

extern "C" __global__ void structs_by_value(const Six *in, Four *out,
                                            int *rests, Six constants) {
  int i = threadIdx.x, rest;
  Six six = in[i];
  for (int j = 0; j < 6; ++j)
    six.v[j] += constants.v[j];
  out[i] = mix(six, i - 5, rest);
  rests[i] = rest;
}

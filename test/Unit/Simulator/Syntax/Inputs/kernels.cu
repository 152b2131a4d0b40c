// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ordinary kernels: what nvcc makes of loops, switches, calls, printf, local
// arrays, atomics, shuffles, half precision, constant tables and inline PTX.
// kernels.ptx: nvcc -ptx -arch=sm_90a -rdc=true -lineinfo kernels.cu
#include <cstdio>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

struct Params {
  const float *in;
  float *out;
  int n;
  char name[3];
};

__constant__ float kTable[3][4] = {{1, 2, 3, 4}, {.5f, .25f}, {-1}};
__device__ int counters[8] = {1, -2, 3};
__device__ int *pointer = &counters[2];
__device__ const char *message = "hello";
__device__ __managed__ double managed = 2.5;
extern __shared__ float dynamicShared[];

typedef float (*Op)(float, float);
__device__ float add(float a, float b) { return a + b; }
__device__ float multiply(float a, float b) { return a * b; }
__device__ Op operations[] = {add, multiply};

__device__ __noinline__ Params change(Params params, int by) {
  params.n += by;
  params.name[1] = 'x';
  return params;
}

__device__ __noinline__ int fibonacci(int n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

extern "C" __global__ void __launch_bounds__(256, 2)
    saxpy(float a, const float *__restrict__ x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = a * x[i] + y[i];
}

extern "C" __global__ void structs(Params params) {
  Params other = change(params, threadIdx.x);
  float local[32];
  for (int i = 0; i < 32; ++i)
    local[i] = other.in[i] * kTable[i % 3][i & 3];
  other.out[other.n] = local[other.n & 31] + other.name[1];
  printf("%d %s %f\n", other.n, message, other.out[0]);
}

extern "C" __global__ void indirect(float *data, int which) {
  data[threadIdx.x] = operations[which](data[0], data[threadIdx.x]);
  data[fibonacci(which)] = *pointer;
}

extern "C" __global__ void dispatch(int *out, int kind, double x) {
  int v = threadIdx.x;
  switch (kind) {
  case 0: v += out[1]; break;
  case 1: v *= out[2]; break;
  case 2: v ^= out[3]; break;
  case 3: v = __popc(v); break;
  case 4: v = __brev(v) / out[7]; break;
  case 5: v = __clz(v); break;
  case 6: v = atomicAdd(out, v); break;
  case 7: v = int(sqrt(x) * 100); break;
  default: __trap();
  }
  out[threadIdx.x] = v;
}

template <typename T> __device__ T reduce(T value) {
  for (int offset = 16; offset; offset /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  return value;
}

extern "C" __global__ void softmax(float *out, const __half *in, int n) {
  __shared__ float partial[32];
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    sum += __expf(__half2float(in[i]));
  sum = reduce(sum);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = reduce(threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0.f);
  dynamicShared[threadIdx.x] = sum;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    out[i] = __expf(__half2float(in[i])) / dynamicShared[0];
}

extern "C" __global__ void packed(__nv_bfloat162 *out, const __nv_bfloat162 *a,
                                  const int4 *b, int4 *c, unsigned long long *d) {
  out[threadIdx.x] = __hfma2(a[threadIdx.x], a[1], a[2]);
  int4 v = b[threadIdx.x];
  v.x = __dp4a(v.y, v.z, v.w);
  c[threadIdx.x] = v;
  d[0] = __umul64hi(d[1], d[2]) + clock64();
  if (__any_sync(~0u, v.x > 3))
    d[3] = __ballot_sync(~0u, v.x > 5) + __reduce_add_sync(~0u, v.x);
}

extern "C" __global__ void __cluster_dims__(2, 1, 1)
    pipeline(const float *in, float *out, int n) {
  __shared__ alignas(128) float tile[2][128];
  __shared__ unsigned long long barrier;
  unsigned address = __cvta_generic_to_shared(&barrier);
  unsigned target = __cvta_generic_to_shared(tile);
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address), "r"(1));
    asm volatile("fence.proxy.async;");
  }
  __syncthreads();
  for (int i = 0; i < n; ++i) {
    if (threadIdx.x == 0) {
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address),
                   "r"(512));
      asm volatile(
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
          "[%1], %2, [%3];" ::"r"(target + 512 * (i & 1)),
          "l"(in + 128 * i), "r"(512), "r"(address)
          : "memory");
    }
    asm volatile("{\n\t.reg .pred p;\n"
                 "wait:\n\tmbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1, 0x989680;\n\t"
                 "@p bra.uni done;\n\tbra.uni wait;\ndone:\n\t}" ::"r"(address),
                 "r"(i & 1)
                 : "memory");
    out[128 * i + threadIdx.x] = tile[i & 1][threadIdx.x];
    __syncthreads();
  }
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;");
}

extern "C" __global__ void mma(float *out, const unsigned *a, const unsigned *b) {
  unsigned x[4];
  unsigned address = __cvta_generic_to_shared(dynamicShared) + threadIdx.x * 16;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4+64];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address));
  float d[4] = {};
#pragma unroll 1
  for (int k = 0; k < 8; ++k)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, "
        "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(x[0]), "r"(x[1]), "r"(x[2] ^ a[k]), "r"(x[3]), "r"(b[k]), "r"(b[k + 1]));
  for (int i = 0; i < 4; ++i)
    out[threadIdx.x * 4 + i] = d[i];
}

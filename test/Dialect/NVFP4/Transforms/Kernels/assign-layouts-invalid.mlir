// RUN: nvfp4-opt %s --nvfp4-assign-layouts --verify-diagnostics

func.func @dynamic_k(%a: !nvfp4.tensor<4x?, nvfp4>, %b: !nvfp4.tensor<8x?, nvfp4>) -> tensor<4x8xf32> {
  // expected-error@below {{expected a static K, on which the padding of tiled operands depends, but got '!nvfp4.tensor<4x?, nvfp4>'}}
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<4x?, nvfp4>, !nvfp4.tensor<8x?, nvfp4> -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// RUN: nvfp4-opt %s --verify-diagnostics --nvfp4-outline-constants=threshold=16

func.func private @helper() -> tensor<5xf32> {
  // expected-error@below {{expected large constants only in entry functions, but got 'tensor<5xf32>' in 'helper', which is not inlined}}
  %a = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  return %a : tensor<5xf32>
}

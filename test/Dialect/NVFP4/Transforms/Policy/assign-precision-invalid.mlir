// RUN: nvfp4-opt %s --nvfp4-assign-precision --split-input-file --verify-diagnostics

/// A precision that nothing would obey is an error, not a wish.
func.func @precision_on_no_site(%x: tensor<8x32xf32>, %d: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error@below {{expected a contraction, a convolution or an embedding gather under 'nvfp4.precision', but got 'linalg.add' of another kind}}
  %0 = linalg.add {nvfp4.precision = #nvfp4.precision<nvfp4>}
         ins(%x, %x : tensor<8x32xf32>, tensor<8x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}

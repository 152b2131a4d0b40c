// RUN: nvfp4-opt %s --nvfp4-verify-stage=stage=policy --split-input-file --verify-diagnostics

/// Every contraction has a precision, whatever it is; other ops need none.
func.func @good(%x: tensor<8x64xf32>, %w: tensor<64x32xf32>, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<keep>}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  %z = linalg.exp ins(%y : tensor<8x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %z : tensor<8x32xf32>
}

// -----

func.func @undecided(%x: tensor<8x64xf32>, %w: tensor<64x32xf32>, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error@below {{expected a precision on every contraction after Policy}}
  %y = linalg.matmul ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

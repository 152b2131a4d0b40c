// RUN: nvfp4-opt %s --nvfp4-quantize-contractions --split-input-file --verify-diagnostics

/// What the policy would not have written: attributes that a user wrote are
/// obeyed or refused, never ignored.

func.func @blocks(%x: tensor<8x40xf32>, %w: tensor<40x32xf32> {nvfp4.weight = "fc.weight"}, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error@below {{expected a contraction that has a form in #nvfp4.precision<nvfp4>, but K = 40 is not a multiple of 16}}
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4>}
      ins(%x, %w : tensor<8x40xf32>, tensor<40x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

func.func @no_weight(%x: tensor<8x64xf32>, %k: tensor<64x32xf32>, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error@below {{expected a contraction that has a form in #nvfp4.precision<nvfp4>, but neither operand is a weight}}
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4>}
      ins(%x, %k : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

func.func @two_weights(%v: tensor<8x64xf32> {nvfp4.weight = "a"}, %w: tensor<64x32xf32> {nvfp4.weight = "b"}, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error@below {{but both operands are weights}}
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<mxfp4_weight_only>}
      ins(%v, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

func.func @integers(%x: tensor<8x64xi32>, %w: tensor<64x32xi32> {nvfp4.weight = "fc.weight"}, %init: tensor<8x32xi32>) -> tensor<8x32xi32> {
  // expected-error@below {{expected a contraction of floats for 'bf16' operands, but}}
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<bf16>}
      ins(%x, %w : tensor<8x64xi32>, tensor<64x32xi32>) outs(%init : tensor<8x32xi32>) -> tensor<8x32xi32>
  return %y : tensor<8x32xi32>
}

// -----

func.func @convolution(%x: tensor<1x10x16xf16>, %w: tensor<3x16x32xf16>, %init: tensor<1x8x32xf16>) -> tensor<1x8x32xf16> {
  // expected-error@below {{expected a convolution of f32 or bf16 with sums of f32, but got f16, f16, f16}}
  %y = linalg.conv_1d_nwc_wcf {nvfp4.precision = #nvfp4.precision<bf16>}
      ins(%x, %w : tensor<1x10x16xf16>, tensor<3x16x32xf16>) outs(%init : tensor<1x8x32xf16>) -> tensor<1x8x32xf16>
  return %y : tensor<1x8x32xf16>
}

// -----

func.func @no_contraction(%x: tensor<8x64xf32>, %init: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error@below {{expected a contraction for #nvfp4.precision<nvfp4>}}
  %y = linalg.exp {nvfp4.precision = #nvfp4.precision<nvfp4>} ins(%x : tensor<8x64xf32>) outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
  return %y : tensor<8x64xf32>
}

// -----

func.func @attribute(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error@below {{expected #nvfp4.precision<…> in nvfp4.precision, but got "nvfp4"}}
  %y = linalg.matmul {nvfp4.precision = "nvfp4"}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

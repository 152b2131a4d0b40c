// RUN: nvfp4-opt %s --nvfp4-verify-stage=stage=quantize --split-input-file --verify-diagnostics

func.func @good(%x: tensor<8x64xf32>) -> tensor<8x64xf32> attributes {nvfp4.entry = {
    dimensions = [], arguments = [{kind = "input", name = "x", dtype = "F32", shape = [8, 64]}],
    results = [{name = "y", dtype = "F32", shape = [8, 64]}]}} {
  return %x : tensor<8x64xf32>
}
func.func private @pack.w(%w: tensor<8x64xf32> {nvfp4.weight = "w"}) -> tensor<8x64xf32> attributes {nvfp4.pack = "w"} {
  return %w : tensor<8x64xf32>
}

// -----

func.func private @precision(%x: tensor<8x64xf32>, %w: tensor<64x32xf32>, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // expected-error@below {{expected no nvfp4.precision after Quantize}}
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<keep>}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// expected-error@below {{expected nvfp4.entry on every entry after Quantize}}
func.func @main(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  return %x : tensor<8x64xf32>
}

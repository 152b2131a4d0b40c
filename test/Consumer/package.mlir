// Quantizes one row of 64 floats and returns its components: no weights, so that
// anybody can check our bytes.
func.func @main(%x: tensor<1x64xf32> {nvfp4.name = "x"})
    -> (tensor<1x32xi8> {nvfp4.name = "codes"}, tensor<1x4xf8E4M3FN> {nvfp4.name = "scales"},
        tensor<f32> {nvfp4.name = "global_scale"}) {
  %g = nvfp4.global_scale %x : tensor<1x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %x global_scale %g : tensor<1x64xf32>, tensor<f32> -> !nvfp4.tensor<1x64, nvfp4>
  %c, %s, %h = nvfp4.disassemble %q
      : !nvfp4.tensor<1x64, nvfp4> -> tensor<1x32xi8>, tensor<1x4xf8E4M3FN>, tensor<f32>
  return %c, %s, %h : tensor<1x32xi8>, tensor<1x4xf8E4M3FN>, tensor<f32>
}

func.func @innocent(%x: tensor<4x16xf32>) -> tensor<f32> {
  %g = nvfp4.global_scale %x : tensor<4x16xf32> -> tensor<f32>
  return %g : tensor<f32>
}

func.func @faulty(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %y = nvfp4.hadamard %x signs<0xD7E8> : tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}

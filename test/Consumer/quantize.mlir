func.func @main(%x: tensor<?x64xf32>) -> !nvfp4.tensor<?x64, nvfp4<global = row>> {
  %g = nvfp4.global_scale %x per_row : tensor<?x64xf32> -> tensor<?xf32>
  %q = nvfp4.quantize %x global_scale %g
      : tensor<?x64xf32>, tensor<?xf32> -> !nvfp4.tensor<?x64, nvfp4<global = row>>
  return %q : !nvfp4.tensor<?x64, nvfp4<global = row>>
}

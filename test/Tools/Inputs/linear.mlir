// One linear layer with a named, bounded dimension.
func.func @main(%x: tensor<?x64xf32> {nvfp4.name = "x", nvfp4.shape = ["batch", 64]},
                %w: tensor<64x32xf32> {nvfp4.weight = "w"})
    -> (tensor<?x32xf32> {nvfp4.name = "y", nvfp4.shape = ["batch", 32]})
    attributes {nvfp4.dimensions = {batch = [1, 8]}} {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %x, %c0 : tensor<?x64xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%batch) : tensor<?x32xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x32xf32>) -> tensor<?x32xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>)
      outs(%zeros : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

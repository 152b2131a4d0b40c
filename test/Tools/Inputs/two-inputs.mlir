// Two inputs that share a dimension, an embedding gather, and one more entry.
func.func @gather(%ids: tensor<?xi64> {nvfp4.name = "ids", nvfp4.shape = ["batch"]},
                  %x: tensor<?x4xf32> {nvfp4.name = "x", nvfp4.shape = ["batch", 4]})
    -> (tensor<?x4xf32> {nvfp4.name = "y", nvfp4.shape = ["batch", 4]}) {
  %table = arith.constant dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]> : tensor<2x4xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<?xi64>) outs(%x : tensor<?x4xf32>) {
  ^bb0(%id: i64, %old: f32):
    %c0 = arith.constant 0 : i64
    %c2 = arith.constant 2 : i64
    %isBelow = arith.cmpi slt, %id, %c2 : i64
    cf.assert %isBelow, "index is larger than the table"
    %isNotNegative = arith.cmpi sge, %id, %c0 : i64
    cf.assert %isNotNegative, "index is negative"
    %row = arith.index_cast %id : i64 to index
    %column = linalg.index 1 : index
    %value = tensor.extract %table[%row, %column] : tensor<2x4xf32>
    %sum = arith.addf %value, %old : f32
    linalg.yield %sum : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

func.func @negate(%x: tensor<4xf32> {nvfp4.name = "x"}) -> (tensor<4xf32> {nvfp4.name = "y"}) {
  %y = arith.negf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

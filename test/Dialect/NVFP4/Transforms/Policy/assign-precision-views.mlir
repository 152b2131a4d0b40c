// RUN: nvfp4-opt %s --nvfp4-assign-precision --split-input-file | FileCheck %s

/// A weight is found behind whatever moves, repeats or converts its elements.

// CHECK-LABEL: func.func @views(
//       CHECK:   linalg.matmul {{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "transpose"
//       CHECK:   linalg.matmul {{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "reshape"
//       CHECK:   linalg.matmul {{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "slice"
//       CHECK:   linalg.matmul {{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "half"
//       CHECK:   linalg.matmul {{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "double"
//       CHECK:   linalg.batch_matmul {{.*}}nvfp4.class = "linear"{{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "broadcast"
func.func @views(%x: tensor<8x64xf32>, %xb: tensor<2x8x64xf32>,
                 %w0: tensor<32x64xf32> {nvfp4.weight = "transpose.weight"},
                 %w1: tensor<4x8x64xf32> {nvfp4.weight = "reshape.weight"},
                 %w2: tensor<2x64x96xf32> {nvfp4.weight = "slice.weight"},
                 %w3: tensor<64x32xf16> {nvfp4.weight = "half.weight"},
                 %w4: tensor<64x32xbf16> {nvfp4.weight = "double.weight"},
                 %w5: tensor<64x32xf32> {nvfp4.weight = "broadcast.weight"},
                 %e: tensor<64x32xf32>, %eb: tensor<2x64x32xf32>,
                 %d: tensor<8x32xf32>, %db: tensor<2x8x32xf32>) -> () {
  %0 = linalg.transpose ins(%w0 : tensor<32x64xf32>) outs(%e : tensor<64x32xf32>) permutation = [1, 0]
  %y0 = linalg.matmul ins(%x, %0 : tensor<8x64xf32>, tensor<64x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>

  %1 = tensor.collapse_shape %w1 [[0, 1], [2]] : tensor<4x8x64xf32> into tensor<32x64xf32>
  %2 = linalg.transpose ins(%1 : tensor<32x64xf32>) outs(%e : tensor<64x32xf32>) permutation = [1, 0]
  %y1 = linalg.matmul ins(%x, %2 : tensor<8x64xf32>, tensor<64x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>

  %3 = tensor.extract_slice %w2[1, 0, 32] [1, 64, 32] [1, 1, 1] : tensor<2x64x96xf32> to tensor<64x32xf32>
  %y2 = linalg.matmul ins(%x, %3 : tensor<8x64xf32>, tensor<64x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>

  %4 = arith.extf %w3 : tensor<64x32xf16> to tensor<64x32xf32>
  %y3 = linalg.matmul ins(%x, %4 : tensor<8x64xf32>, tensor<64x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>

  %5 = linalg.map ins(%w4 : tensor<64x32xbf16>) outs(%e : tensor<64x32xf32>)
    (%in: bf16, %out: f32) {
      %c = arith.extf %in : bf16 to f32
      linalg.yield %c : f32
    }
  %y4 = linalg.matmul ins(%x, %5 : tensor<8x64xf32>, tensor<64x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>

  %6 = linalg.broadcast ins(%w5 : tensor<64x32xf32>) outs(%eb : tensor<2x64x32xf32>) dimensions = [0]
  %y5 = linalg.batch_matmul ins(%xb, %6 : tensor<2x8x64xf32>, tensor<2x64x32xf32>) outs(%db : tensor<2x8x32xf32>) -> tensor<2x8x32xf32>
  return
}

// -----

/// Three projections in one product: all three weights name it.
// CHECK-LABEL: func.func @concat(
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "linear"{{.*}}nvfp4.site = "q_proj+k_proj"
func.func @concat(%x: tensor<8x64xf32>,
                  %q: tensor<64x32xf32> {nvfp4.weight = "q_proj.weight"},
                  %k: tensor<64x16xf32> {nvfp4.weight = "k_proj.weight"},
                  %d: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %w = tensor.concat dim(1) %q, %k : (tensor<64x32xf32>, tensor<64x16xf32>) -> tensor<64x48xf32>
  %y = linalg.matmul ins(%x, %w : tensor<8x64xf32>, tensor<64x48xf32>) outs(%d : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
/// Arithmetic on a weight hides it: the result is an activation. So does a slice
/// at an offset that is not known.
// CHECK-LABEL: func.func @negative_arithmetic(
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "attention"
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "attention"
func.func @negative_arithmetic(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"},
                               %v: tensor<64x64xf32> {nvfp4.weight = "fd.weight"}, %i: index,
                               %e: tensor<64x32xf32>, %d: tensor<8x32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>) {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
         ins(%w : tensor<64x32xf32>) outs(%e : tensor<64x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    %n = arith.negf %a : f32
    linalg.yield %n : f32
  } -> tensor<64x32xf32>
  %y = linalg.matmul ins(%x, %0 : tensor<8x64xf32>, tensor<64x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %1 = tensor.extract_slice %v[0, %i] [64, 32] [1, 1] : tensor<64x64xf32> to tensor<64x32xf32>
  %z = linalg.matmul ins(%x, %1 : tensor<8x64xf32>, tensor<64x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y, %z : tensor<8x32xf32>, tensor<8x32xf32>
}

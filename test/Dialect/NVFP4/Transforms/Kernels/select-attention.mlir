// RUN: nvfp4-opt %s --nvfp4-select-kernels=chip=sm_120a --split-input-file --remarks-filter-missed="nvfp4.*" --remark-format=emitRemark 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not="no kernel for an attention" <%t.remarks

// One kernel computes what leaves the scores in their rows; a remark says why
// another attention is none. Other products have no such remark.

// CHECK-LABEL: func @rows(
// CHECK: linalg.contract {{.*}} {nvfp4.kernel = [#nvfp4.kernel<attention, {{.*}}>]}
func.func @rows(%q: tensor<3x2x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %zs: tensor<3x2x32xf32>, %et: tensor<3x2x32xf32>,
                  %r: tensor<3x2xf32>, %zy: tensor<3x2x16xf32>) -> tensor<3x2x16xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x2x32xf32>) outs(%r : tensor<3x2xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x2xf32>) outs(%et : tensor<3x2x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%s, %spread : tensor<3x2x32xf32>, tensor<3x2x32xf32>) outs(%et : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (h, m, c)>]
      ins(%p, %v : tensor<3x2x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<3x2x16xf32>) -> tensor<3x2x16xf32>
  return %y : tensor<3x2x16xf32>
}

// -----

// Softmax goes along rows, but of another order.

// CHECK-LABEL: func @transposed(
// CHECK-NOT: nvfp4.kernel
// REMARK: no kernel for an attention: an op does not leave the scores in their order
func.func @transposed(%q: tensor<3x2x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %zs: tensor<3x2x32xf32>, %et: tensor<2x3x32xf32>,
                  %r: tensor<2x3xf32>, %zy: tensor<2x3x16xf32>) -> tensor<2x3x16xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %t = linalg.transpose ins(%s : tensor<3x2x32xf32>) outs(%et : tensor<2x3x32xf32>) permutation = [1, 0, 2]
  %max = linalg.reduce { arith.maximumf } ins(%t : tensor<2x3x32xf32>) outs(%r : tensor<2x3xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<2x3xf32>) outs(%et : tensor<2x3x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%t, %spread : tensor<2x3x32xf32>, tensor<2x3x32xf32>) outs(%et : tensor<2x3x32xf32>) -> tensor<2x3x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (m, h, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (m, h, c)>]
      ins(%p, %v : tensor<2x3x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<2x3x16xf32>) -> tensor<2x3x16xf32>
  return %y : tensor<2x3x16xf32>
}

// -----

// CHECK-LABEL: func @permuted(
// CHECK-NOT: nvfp4.kernel
// REMARK: no kernel for an attention: an op does not leave the scores in their order
func.func @permuted(%q: tensor<3x2x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %zs: tensor<3x2x32xf32>, %et: tensor<2x3x32xf32>,
                  %r: tensor<2x3xf32>, %zy: tensor<2x3x16xf32>) -> tensor<2x3x16xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(m, h, n) -> (h, m, n)>, affine_map<(m, h, n) -> (m, h, n)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<3x2x32xf32>) outs(%et : tensor<2x3x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%t : tensor<2x3x32xf32>) outs(%r : tensor<2x3xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<2x3xf32>) outs(%et : tensor<2x3x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%t, %spread : tensor<2x3x32xf32>, tensor<2x3x32xf32>) outs(%et : tensor<2x3x32xf32>) -> tensor<2x3x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (m, h, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (m, h, c)>]
      ins(%p, %v : tensor<2x3x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<2x3x16xf32>) -> tensor<2x3x16xf32>
  return %y : tensor<2x3x16xf32>
}

// -----

// As many rows of as many keys, but other ones.

// CHECK-LABEL: func @reshaped(
// CHECK-NOT: nvfp4.kernel
// REMARK: no kernel for an attention: a reshape changes the last dimension of the scores
func.func @reshaped(%q: tensor<3x2x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %zs: tensor<3x2x32xf32>, %et: tensor<3x2x32xf32>,
                  %r: tensor<3x2xf32>, %zy: tensor<3x2x16xf32>) -> tensor<3x2x16xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %flat = tensor.collapse_shape %s [[0], [1, 2]] : tensor<3x2x32xf32> into tensor<3x64xf32>
  %split = tensor.expand_shape %flat [[0], [1, 2]] output_shape [3, 32, 2] : tensor<3x64xf32> into tensor<3x32x2xf32>
  %t = linalg.transpose ins(%split : tensor<3x32x2xf32>) outs(%et : tensor<3x2x32xf32>) permutation = [0, 2, 1]
  %max = linalg.reduce { arith.maximumf } ins(%t : tensor<3x2x32xf32>) outs(%r : tensor<3x2xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x2xf32>) outs(%et : tensor<3x2x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%t, %spread : tensor<3x2x32xf32>, tensor<3x2x32xf32>) outs(%et : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (h, m, c)>]
      ins(%p, %v : tensor<3x2x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<3x2x16xf32>) -> tensor<3x2x16xf32>
  return %y : tensor<3x2x16xf32>
}

// -----

// CHECK-LABEL: func @reordered(
// CHECK-NOT: nvfp4.kernel
// REMARK: no kernel for an attention: its result has rows in another order than the scores
func.func @reordered(%q: tensor<3x2x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %zs: tensor<3x2x32xf32>, %et: tensor<3x2x32xf32>,
                  %r: tensor<3x2xf32>, %zy: tensor<2x3x16xf32>) -> tensor<2x3x16xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x2x32xf32>) outs(%r : tensor<3x2xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x2xf32>) outs(%et : tensor<3x2x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%s, %spread : tensor<3x2x32xf32>, tensor<3x2x32xf32>) outs(%et : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (m, h, c)>]
      ins(%p, %v : tensor<3x2x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<2x3x16xf32>) -> tensor<2x3x16xf32>
  return %y : tensor<2x3x16xf32>
}

// -----

// A single row per head is in its place in any order.

// CHECK-LABEL: func @one_row(
// CHECK: linalg.contract {{.*}} {nvfp4.kernel = [#nvfp4.kernel<attention, {{.*}}>]}
func.func @one_row(%q: tensor<3x1x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %zs: tensor<3x1x32xf32>, %et: tensor<3x1x32xf32>,
                  %r: tensor<3x1xf32>, %zy: tensor<1x3x16xf32>) -> tensor<1x3x16xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x1x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x1x32xf32>) -> tensor<3x1x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x1x32xf32>) outs(%r : tensor<3x1xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x1xf32>) outs(%et : tensor<3x1x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%s, %spread : tensor<3x1x32xf32>, tensor<3x1x32xf32>) outs(%et : tensor<3x1x32xf32>) -> tensor<3x1x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (m, h, c)>]
      ins(%p, %v : tensor<3x1x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<1x3x16xf32>) -> tensor<1x3x16xf32>
  return %y : tensor<1x3x16xf32>
}

// -----

// More than eight rows are tiles of rows and keys, if what is between the
// products is softmax.

// CHECK-LABEL: func @many_rows(
// CHECK: linalg.contract {{.*}} {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 64, tile = 32x64, warps = 2x1x1>]}
#row = affine_map<(h, m, n) -> (h, m)>
#all = affine_map<(h, m, n) -> (h, m, n)>
func.func @many_rows(%q: tensor<3x20x16xbf16>, %k: tensor<3x?x16xbf16>, %v: tensor<3x?x48xbf16>, %es: tensor<3x20x?xf32>,
                     %er: tensor<3x20xf32>, %ep: tensor<3x20x?xbf16>, %ey: tensor<3x20x48xf32>) -> tensor<3x20x48xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<3x20x?xf32>) -> tensor<3x20x?xf32>
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x20x16xbf16>, tensor<3x?x16xbf16>) outs(%zs : tensor<3x20x?xf32>) -> tensor<3x20x?xf32>
  %lows = linalg.fill ins(%low : f32) outs(%er : tensor<3x20xf32>) -> tensor<3x20xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x20x?xf32>) outs(%lows : tensor<3x20xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x20xf32>) outs(%es : tensor<3x20x?xf32>) dimensions = [2]
  %d = linalg.sub ins(%s, %spread : tensor<3x20x?xf32>, tensor<3x20x?xf32>) outs(%es : tensor<3x20x?xf32>) -> tensor<3x20x?xf32>
  %e = linalg.exp ins(%d : tensor<3x20x?xf32>) outs(%es : tensor<3x20x?xf32>) -> tensor<3x20x?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<3x20xf32>) -> tensor<3x20xf32>
  %sum = linalg.reduce { arith.addf } ins(%e : tensor<3x20x?xf32>) outs(%zeros : tensor<3x20xf32>) dimensions = [2]
  %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%e, %sum : tensor<3x20x?xf32>, tensor<3x20xf32>) outs(%ep : tensor<3x20x?xbf16>) {
    ^bb0(%a: f32, %b: f32, %o: bf16):
      %quotient = arith.divf %a, %b : f32
      %narrow = arith.truncf %quotient : f32 to bf16
      linalg.yield %narrow : bf16
  } -> tensor<3x20x?xbf16>
  %zy = linalg.fill ins(%zero : f32) outs(%ey : tensor<3x20x48xf32>) -> tensor<3x20x48xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (h, m, c)>]
      ins(%p, %v : tensor<3x20x?xbf16>, tensor<3x?x48xbf16>) outs(%zy : tensor<3x20x48xf32>) -> tensor<3x20x48xf32>
  return %y : tensor<3x20x48xf32>
}

// -----

// CHECK-LABEL: func @wide_operands(
// CHECK-NOT: nvfp4.kernel
// REMARK: no kernel for an attention: its products are of f32 and f32, not of bf16 or f16
func.func @wide_operands(%q: tensor<3x9x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %zs: tensor<3x9x32xf32>, %et: tensor<3x9x32xf32>,
                  %r: tensor<3x9xf32>, %zy: tensor<3x9x16xf32>) -> tensor<3x9x16xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x9x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x9x32xf32>) -> tensor<3x9x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x9x32xf32>) outs(%r : tensor<3x9xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x9xf32>) outs(%et : tensor<3x9x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%s, %spread : tensor<3x9x32xf32>, tensor<3x9x32xf32>) outs(%et : tensor<3x9x32xf32>) -> tensor<3x9x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (h, m, c)>]
      ins(%p, %v : tensor<3x9x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<3x9x16xf32>) -> tensor<3x9x16xf32>
  return %y : tensor<3x9x16xf32>
}

// -----

// CHECK-LABEL: func @odd_heads(
// CHECK-NOT: nvfp4.kernel
// REMARK: no kernel for an attention: keys of 24 and values of 24 elements are not 8 times a power of two
func.func @odd_heads(%q: tensor<3x2x24xf32>, %k: tensor<3x32x24xf32>, %v: tensor<3x32x24xf32>, %zs: tensor<3x2x32xf32>, %et: tensor<3x2x32xf32>,
                  %r: tensor<3x2xf32>, %zy: tensor<3x2x24xf32>) -> tensor<3x2x24xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x24xf32>, tensor<3x32x24xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x2x32xf32>) outs(%r : tensor<3x2xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x2xf32>) outs(%et : tensor<3x2x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%s, %spread : tensor<3x2x32xf32>, tensor<3x2x32xf32>) outs(%et : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (h, m, c)>]
      ins(%p, %v : tensor<3x2x32xf32>, tensor<3x32x24xf32>) outs(%zy : tensor<3x2x24xf32>) -> tensor<3x2x24xf32>
  return %y : tensor<3x2x24xf32>
}

// -----

// CHECK-LABEL: func @long_values(
// CHECK-NOT: nvfp4.kernel
// REMARK: no kernel for an attention: values have 4096 elements, which are more than 2048
func.func @long_values(%q: tensor<3x2x4096xf32>, %k: tensor<3x32x4096xf32>, %v: tensor<3x32x4096xf32>, %zs: tensor<3x2x32xf32>, %et: tensor<3x2x32xf32>,
                  %r: tensor<3x2xf32>, %zy: tensor<3x2x4096xf32>) -> tensor<3x2x4096xf32> {
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x4096xf32>, tensor<3x32x4096xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x2x32xf32>) outs(%r : tensor<3x2xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x2xf32>) outs(%et : tensor<3x2x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%s, %spread : tensor<3x2x32xf32>, tensor<3x2x32xf32>) outs(%et : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (h, m, c)>]
      ins(%p, %v : tensor<3x2x32xf32>, tensor<3x32x4096xf32>) outs(%zy : tensor<3x2x4096xf32>) -> tensor<3x2x4096xf32>
  return %y : tensor<3x2x4096xf32>
}

// -----

// CHECK-LABEL: func @no_attention(
// CHECK-NOT: nvfp4.kernel
// REMARK: a thread computes each sum
func.func @no_attention(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %z: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%z : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

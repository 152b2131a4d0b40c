// RUN: nvfp4-opt %s --nvfp4-lower-device="chip=sm_120a assemble=false" --nvfp4-print-device -o /dev/null | FileCheck %s

// Attention's scores: neighbours of K lie apart in B, which a transposing load
// turns; no operand is evaluated.

// CHECK-LABEL: .entry scores
//   CHECK-NOT: st.shared.b16
//       CHECK: cp.async.cg.shared.global
//       CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
//       CHECK: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
//       CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32

#a = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#b = affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>
#d = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
module @kernels {
  func.func @scores(%a: tensor<?x32x32xbf16>, %b: tensor<?x32x32xbf16>, %d: tensor<?x32x32xf32>) -> tensor<?x32x32xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x32, warps = 2x2x1, stages = 2>]} {
    %zero = arith.constant 0.0 : f32
    %fill = linalg.fill ins(%zero : f32) outs(%d : tensor<?x32x32xf32>) -> tensor<?x32x32xf32>
    %r = linalg.generic {indexing_maps = [#a, #b, #d], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%a, %b : tensor<?x32x32xbf16>, tensor<?x32x32xbf16>) outs(%fill : tensor<?x32x32xf32>) {
    ^bb0(%x: bf16, %y: bf16, %s: f32):
      %xw = arith.extf %x : bf16 to f32
      %yw = arith.extf %y : bf16 to f32
      %p = arith.mulf %xw, %yw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    } -> tensor<?x32x32xf32>
    return %r : tensor<?x32x32xf32>
  }
}
func.func @main(%a: memref<?x32x32xbf16>, %b: memref<?x32x32xbf16>, %d: memref<?x32x32xf32>) {
  nvfp4.dispatch @kernels::@scores ins(%a, %b : memref<?x32x32xbf16>, memref<?x32x32xbf16>) outs(%d : memref<?x32x32xf32>)
  return
}

// RUN: nvfp4-opt %s --nvfp4-lower-device="chip=sm_120a assemble=false" --nvfp4-print-device -o /dev/null | FileCheck %s --check-prefixes=CHECK,WARP
// RUN: nvfp4-opt %s --nvfp4-lower-device="chip=sm_90a assemble=false" --nvfp4-print-device -o /dev/null | FileCheck %s --check-prefixes=CHECK,GROUP

// Attention of many rows whose keys a mask of positions hides: tiles that all
// rows see compare no positions, then come those that some rows see in part.
// Nothing but the result is written to memory.

// CHECK-LABEL: .entry attention
//       CHECK: cp.async.cg.shared.global
//   CHECK-NOT: st.global
//        WARP: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
//       GROUP: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
//   CHECK-NOT: {{selp|st.global}}
//       CHECK: setp.eq.f32
//       CHECK: ex2.approx.ftz.f32
//   CHECK-NOT: st.global
//        WARP: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
//        WARP: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
//       GROUP: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
//   CHECK-NOT: st.global
//       CHECK: bar.sync
//   CHECK-NOT: st.global
//        WARP: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
//       GROUP: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
//       CHECK: selp.f32
//       CHECK: setp.eq.f32
//       CHECK: ex2.approx.ftz.f32
//   CHECK-NOT: st.global
//       CHECK: bar.sync
//       CHECK: st.global

#all = affine_map<(h, m, n) -> (h, m, n)>
#row = affine_map<(h, m, n) -> (h, m)>
#late = affine_map<(h, m, n) -> (m, n)>
#place = affine_map<(m, n) -> (m, n)>
module @kernels {
  func.func @attention(%q: tensor<2x64x64xbf16>, %k: tensor<2x?x64xbf16>, %v: tensor<2x?x64xbf16>, %y: tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 64x64, warps = 4x1x1>]} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %n = tensor.dim %k, %c1 : tensor<2x?x64xbf16>
    %es = tensor.empty(%n) : tensor<2x64x?xf32>
    %er = tensor.empty() : tensor<2x64xf32>
    %ep = tensor.empty(%n) : tensor<2x64x?xbf16>
    %el = tensor.empty(%n) : tensor<64x?xi1>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                          affine_map<(h, m, n, d) -> (h, m, n)>]
        ins(%q, %k : tensor<2x64x64xbf16>, tensor<2x?x64xbf16>) outs(%zs : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %late = linalg.generic {indexing_maps = [#place], iterator_types = ["parallel", "parallel"]} outs(%el : tensor<64x?xi1>) {
      ^bb0(%o: i1):
        %row = linalg.index 0 : index
        %key = linalg.index 1 : index
        %r = arith.cmpi slt, %row, %key : index
        linalg.yield %r : i1
    } -> tensor<64x?xi1>
    %seen = linalg.generic {indexing_maps = [#late, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%late, %s : tensor<64x?xi1>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) {
      ^bb0(%w: i1, %a: f32, %o: f32):
        %r = arith.select %w, %low, %a : f32
        linalg.yield %r : f32
    } -> tensor<2x64x?xf32>
    %lows = linalg.fill ins(%low : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %max = linalg.reduce { arith.maximumf } ins(%seen : tensor<2x64x?xf32>) outs(%lows : tensor<2x64xf32>) dimensions = [2]
    %spread = linalg.broadcast ins(%max : tensor<2x64xf32>) outs(%es : tensor<2x64x?xf32>) dimensions = [2]
    %d = linalg.sub ins(%seen, %spread : tensor<2x64x?xf32>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %e = linalg.exp ins(%d : tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %sum = linalg.reduce { arith.addf } ins(%e : tensor<2x64x?xf32>) outs(%zeros : tensor<2x64xf32>) dimensions = [2]
    %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%e, %sum : tensor<2x64x?xf32>, tensor<2x64xf32>) outs(%ep : tensor<2x64x?xbf16>) {
      ^bb0(%a: f32, %b: f32, %o: bf16):
        %quotient = arith.divf %a, %b : f32
        %narrow = arith.truncf %quotient : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<2x64x?xbf16>
    %zy = linalg.fill ins(%zero : f32) outs(%y : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    %o = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                          affine_map<(h, m, c, n) -> (h, m, c)>]
        ins(%p, %v : tensor<2x64x?xbf16>, tensor<2x?x64xbf16>) outs(%zy : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    return %o : tensor<2x64x64xf32>
  }
}
func.func @main(%q: memref<2x64x64xbf16>, %k: memref<2x?x64xbf16>, %v: memref<2x?x64xbf16>, %y: memref<2x64x64xf32>) {
  nvfp4.dispatch @kernels::@attention ins(%q, %k, %v : memref<2x64x64xbf16>, memref<2x?x64xbf16>, memref<2x?x64xbf16>) outs(%y : memref<2x64x64xf32>)
  return
}

// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu --verify-diagnostics | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#flipped = affine_map<(d0, d1) -> (d1, d0)>

/// The first and the last product are equal but for their arguments: one piece of
/// code that picks its pointers. The one between writes its transposition.
module @kernels {
  func.func @qkv(%c: tensor<?x32xi8>, %s: tensor<?xi8>, %g: tensor<?xf32>,
                 %qc: tensor<64x32xi8>, %qs: tensor<512xi8>, %qg: tensor<f32>,
                 %kc: tensor<64x32xi8>, %ks: tensor<512xi8>, %kg: tensor<f32>,
                 %vc: tensor<64x32xi8>, %vs: tensor<512xi8>, %vg: tensor<f32>,
                 %q: tensor<?x64xf32>, %k: tensor<64x?xf32>, %v: tensor<?x64xf32>)
      -> (tensor<?x64xf32>, tensor<64x?xf32>, tensor<?x64xf32>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 64x64x64, warps = 2x2x1, stages = 2>]} {
    %c0 = arith.constant 0 : index
    %m = tensor.dim %c, %c0 : tensor<?x32xi8>
    %init = tensor.empty(%m) : tensor<?x64xf32>
    %0 = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>, layout = tiled> rhs !nvfp4.tensor<64x64, nvfp4, layout = tiled>
        ins(%c, %s, %g, %qc, %qs, %qg : tensor<?x32xi8>, tensor<?xi8>, tensor<?xf32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
        outs(%q : tensor<?x64xf32>) {nvfp4.site = "query"} -> tensor<?x64xf32>
    %1 = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>, layout = tiled> rhs !nvfp4.tensor<64x64, nvfp4, layout = tiled>
        ins(%c, %s, %g, %kc, %ks, %kg : tensor<?x32xi8>, tensor<?xi8>, tensor<?xf32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) {nvfp4.site = "key"} -> tensor<?x64xf32>
    %2 = linalg.generic {indexing_maps = [#flipped, #id], iterator_types = ["parallel", "parallel"]}
        ins(%1 : tensor<?x64xf32>) outs(%k : tensor<64x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<64x?xf32>
    %3 = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>, layout = tiled> rhs !nvfp4.tensor<64x64, nvfp4, layout = tiled>
        ins(%c, %s, %g, %vc, %vs, %vg : tensor<?x32xi8>, tensor<?xi8>, tensor<?xf32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
        outs(%v : tensor<?x64xf32>) {nvfp4.site = "value"} -> tensor<?x64xf32>
    return %0, %2, %3 : tensor<?x64xf32>, tensor<64x?xf32>, tensor<?x64xf32>
  }
}

// CHECK-LABEL: func.func @main
//       CHECK:   %[[THREE:.+]] = arith.constant 3 : index
//       CHECK:   gpu.launch_func @device::@qkv blocks in (%{{.+}}, %[[THREE]], %{{.+}})
// CHECK-LABEL: gpu.func @qkv
//  CHECK-SAME:     %{{[^:]+}}: !llvm.ptr<1> {llvm.readonly}, %{{[^:]+}}: !llvm.ptr<1> {llvm.readonly}, %{{[^:]+}}: !llvm.ptr<1> {llvm.readonly}, %[[QC:[^:]+]]: !llvm.ptr<1>
//       CHECK:   %[[Y:.+]] = nvvm.read.ptx.sreg.ctaid.y
//       CHECK:   %[[IS_FIRST:.+]] = arith.cmpi eq, %[[Y]], %{{.+}} : i32
//       CHECK:   scf.if
//       CHECK:     arith.select %{{.+}}, %[[QC]], %{{.+}} : !llvm.ptr<1>
//       CHECK:     nvvm.mma.block_scale
//       CHECK:   scf.if
//   CHECK-NOT:     !llvm.ptr<1>, !llvm.ptr<1>
//       CHECK:     nvvm.mma.block_scale
//   CHECK-NOT: gpu.func
func.func @main(%c: memref<?x32xi8>, %s: memref<?xi8>, %g: memref<?xf32>, %wc: memref<64x32xi8>, %ws: memref<512xi8>, %wg: memref<f32>,
                %q: memref<?x64xf32>, %k: memref<64x?xf32>, %v: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@qkv ins(%c, %s, %g, %wc, %ws, %wg, %wc, %ws, %wg, %wc, %ws, %wg : memref<?x32xi8>, memref<?xi8>, memref<?xf32>,
      memref<64x32xi8>, memref<512xi8>, memref<f32>, memref<64x32xi8>, memref<512xi8>, memref<f32>, memref<64x32xi8>, memref<512xi8>, memref<f32>)
      outs(%q, %k, %v : memref<?x64xf32>, memref<64x?xf32>, memref<?x64xf32>)
  return
}

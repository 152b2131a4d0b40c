// RUN: nvfp4-opt %s --convert-nvfp4-kernels-to-gpu=chip=sm_120a | FileCheck %s

/// What one thread does per tile of K = 128, with 4 warps of 64 x 64 each: 64
/// instructions, 16 ldmatrix, 8 words with scales, 8 copies of codes and two of
/// scales.
// CHECK-LABEL: gpu.func @large(
/// Four stages are under way when the loop begins.
// CHECK-COUNT-4: nvvm.cp.async.commit.group
//       CHECK: nvvm.cp.async.wait.group 3
//       CHECK: nvvm.barrier
//       CHECK: scf.for
//   CHECK-NOT:   scf.{{for|if}}
/// Handles of the second step, then the first step's instructions.
// CHECK-COUNT-8:   nvvm.ldmatrix
// CHECK-COUNT-32:   nvvm.mma.block_scale
/// Handles of the next stage, which has arrived.
//       CHECK:   nvvm.cp.async.wait.group 2
//       CHECK:   nvvm.barrier
// CHECK-COUNT-8:   nvvm.ldmatrix
/// All threads have read this stage: it is filled again. Then the second step.
// CHECK-COUNT-10:   nvvm.cp.async.shared.global
//       CHECK:   nvvm.cp.async.commit.group
// CHECK-COUNT-32:   nvvm.mma.block_scale
//   CHECK-NOT:   nvvm.mma.block_scale
//       CHECK:   scf.yield
/// Accumulators cross shared memory, a pair at a time.
//       CHECK: nvvm.barrier
//       CHECK: llvm.store %{{.+}} : vector<2xf32>, !llvm.ptr<3>
//       CHECK: nvvm.barrier
/// Rows of the result, four columns at a time.
//       CHECK: scf.for
//       CHECK:   llvm.store %{{.+}} : vector<4xf32>, !llvm.ptr<1>
module @kernels {
  func.func @large(%ac: tensor<?x384xi8>, %as: tensor<?xi8>, %ag: tensor<?xf32>, %bc: tensor<384x384xi8>, %bs: tensor<18432xi8>, %bg: tensor<f32>,
                   %init: tensor<?x384xf32>) -> tensor<?x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x768, nvfp4<global = row>, layout = tiled> rhs !nvfp4.tensor<384x768, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x384xi8>, tensor<?xi8>, tensor<?xf32>, tensor<384x384xi8>, tensor<18432xi8>, tensor<f32>)
        outs(%init : tensor<?x384xf32>) -> tensor<?x384xf32>
    return %d : tensor<?x384xf32>
  }
}
func.func @main(%ac: memref<?x384xi8>, %as: memref<?xi8>, %ag: memref<?xf32>, %bc: memref<384x384xi8>, %bs: memref<18432xi8>, %bg: memref<f32>,
                %init: memref<?x384xf32>) {
  nvfp4.dispatch @kernels::@large
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x384xi8>, memref<?xi8>, memref<?xf32>, memref<384x384xi8>, memref<18432xi8>, memref<f32>)
      outs(%init : memref<?x384xf32>)
  return
}

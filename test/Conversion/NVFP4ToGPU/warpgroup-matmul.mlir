// RUN: nvfp4-opt %s --nvfp4-lower-device="chip=sm_90a assemble=false" --nvfp4-print-device -o /dev/null | FileCheck %s
// RUN: nvfp4-opt %s --convert-nvfp4-kernels-to-gpu=chip=sm_90a --mlir-print-local-scope | FileCheck %s --check-prefix=LAUNCH
// RUN: not nvfp4-opt %s --convert-nvfp4-kernels-to-gpu=chip=sm_120a 2>&1 | FileCheck %s --check-prefix=CHIP

// CHIP: error: {{.*}}expected a chip that multiplies in warpgroups, but got sm_120a

// A block for each multiprocessor, which computes tile after tile. The host
// makes the tensor maps of both operands, of as many rows as there are.

// LAUNCH-LABEL: func.func @main
//    LAUNCH-DAG:   %[[BLOCKS:.+]] = arith.constant 132 : index
//    LAUNCH-DAG:   %[[THREADS:.+]] = arith.constant 384 : index
//        LAUNCH:   gpu.launch_func @device::@product blocks in (%[[BLOCKS]], {{.+}}) threads in (%[[THREADS]],
//   LAUNCH-SAME:     {box = array<i64: 64, 256>, dims = affine_map<(d0, d1) -> (256, d0)>, dtype = 9 : i64, operand = 5 : i64, strides = affine_map<(d0, d1) -> (2, 512)>, swizzle = 3 : i64}
//   LAUNCH-SAME:     {box = array<i64: 64, 128>, dims = affine_map<(d0, d1) -> (256, 512)>, dtype = 9 : i64, operand = 6 : i64, strides = affine_map<(d0, d1) -> (2, 512)>, swizzle = 3 : i64}

// One thread copies; registers of its warpgroup go to the others.

// CHECK-LABEL: .entry product(
//       CHECK: .param .align 64 .b8 product_param_5[128],
//       CHECK: .param .align 64 .b8 product_param_6[128]
//       CHECK: .minnctapersm 1
//       CHECK: setmaxnreg.dec.sync.aligned.u32 40
//   CHECK-NOT: cp.async.commit_group
//       CHECK: mbarrier.try_wait.parity.shared::cta.b64
//       CHECK: mbarrier.arrive.expect_tx.shared::cta.b64
// CHECK-COUNT-2: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes

// The others multiply: a statement for a whole tile of K, and no stage is given
// back before the multiplication that reads it is complete.

//       CHECK: setmaxnreg.inc.sync.aligned.u32 232
//       CHECK: mbarrier.try_wait.parity.shared::cta.b64
//       CHECK: wgmma.fence.sync.aligned
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16
//       CHECK: wgmma.commit_group.sync.aligned
//   CHECK-NOT: mov.b32
//       CHECK: wgmma.wait_group.sync.aligned 1
//       CHECK: mbarrier.arrive.shared::cta.b64
//       CHECK: wgmma.wait_group.sync.aligned 0
//       CHECK: bar.sync 1, 256

// Rows of 4 bytes more than a multiple of 16 have no tensor map: a warpgroup
// copies, and makes what it wrote visible to the unit.

// CHECK-LABEL: .entry uneven(
//       CHECK: setmaxnreg.dec.sync.aligned.u32 88
//       CHECK: cp.async.wait_group
//       CHECK: fence.proxy.async.shared::cta
//       CHECK: bar.warp.sync
//       CHECK: mbarrier.arrive.shared::cta.b64
//       CHECK: mbarrier.try_wait.parity.shared::cta.b64
//       CHECK: cp.async.ca.shared.global

#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#d = affine_map<(d0, d1, d2) -> (d0, d1)>
module @kernels {
  func.func @product(%a: tensor<?x256xbf16>, %b: tensor<512x256xbf16>, %d: tensor<?x512xf32>) -> tensor<?x512xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 384, tile = 256x128x64, warps = 1x8x1, stages = 4, swapped = true>]} {
    %zero = arith.constant 0.0 : f32
    %fill = linalg.fill ins(%zero : f32) outs(%d : tensor<?x512xf32>) -> tensor<?x512xf32>
    %r = linalg.generic {indexing_maps = [#a, #b, #d], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%a, %b : tensor<?x256xbf16>, tensor<512x256xbf16>) outs(%fill : tensor<?x512xf32>) {
    ^bb0(%x: bf16, %y: bf16, %s: f32):
      %xw = arith.extf %x : bf16 to f32
      %yw = arith.extf %y : bf16 to f32
      %p = arith.mulf %xw, %yw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    } -> tensor<?x512xf32>
    return %r : tensor<?x512xf32>
  }
  func.func @uneven(%a: tensor<?x250xbf16>, %b: tensor<512x250xbf16>, %d: tensor<?x512xf32>) -> tensor<?x512xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 256, tile = 64x64x64, warps = 1x4x1, stages = 4, swapped = true>]} {
    %zero = arith.constant 0.0 : f32
    %fill = linalg.fill ins(%zero : f32) outs(%d : tensor<?x512xf32>) -> tensor<?x512xf32>
    %r = linalg.generic {indexing_maps = [#a, #b, #d], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%a, %b : tensor<?x250xbf16>, tensor<512x250xbf16>) outs(%fill : tensor<?x512xf32>) {
    ^bb0(%x: bf16, %y: bf16, %s: f32):
      %xw = arith.extf %x : bf16 to f32
      %yw = arith.extf %y : bf16 to f32
      %p = arith.mulf %xw, %yw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    } -> tensor<?x512xf32>
    return %r : tensor<?x512xf32>
  }
}
func.func @main(%a: memref<?x256xbf16>, %b: memref<512x256xbf16>, %d: memref<?x512xf32>) {
  nvfp4.dispatch @kernels::@product ins(%a, %b : memref<?x256xbf16>, memref<512x256xbf16>) outs(%d : memref<?x512xf32>)
  return
}

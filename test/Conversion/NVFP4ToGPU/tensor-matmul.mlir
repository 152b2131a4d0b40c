// RUN: split-file %s %t
// RUN: nvfp4-opt %t/kernel.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a | FileCheck %t/kernel.mlir
// RUN: not nvfp4-opt %t/kernel.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_120a 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not nvfp4-opt %t/columns.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=COLUMNS
// RUN: not nvfp4-opt %t/depth.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=DEPTH
// RUN: not nvfp4-opt %t/warps.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=WARPS
// RUN: not nvfp4-opt %t/in_warps.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=INWARPS
// RUN: nvfp4-opt %t/pair.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a | FileCheck %t/pair.mlir
// RUN: nvfp4-opt %t/pair.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a | FileCheck %t/pair.mlir --check-prefix=LAUNCH
// RUN: nvfp4-opt %t/shared.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a | FileCheck %t/shared.mlir
// RUN: nvfp4-opt %t/shared.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a | FileCheck %t/shared.mlir --check-prefix=LAUNCH
// RUN: not nvfp4-opt %t/short.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=SHORT
// RUN: not nvfp4-opt %t/many_rows.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=MANYROWS
// RUN: not nvfp4-opt %t/plain_pair.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=PLAINPAIR
// RUN: not nvfp4-opt %t/decoded_pair.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=DECODEDPAIR
// RUN: not nvfp4-opt %t/plain_few.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=PLAINFEW
// RUN: not nvfp4-opt %t/rows_of_many.mlir --convert-nvfp4-kernels-to-gpu=chip=sm_100a 2>&1 | FileCheck %s --check-prefix=ROWSOFMANY

// CHIP: error: {{.*}}expected a chip that multiplies block-scaled operands in tensor memory, but got sm_120a
// COLUMNS: error: expected 64, 128, 192 or 256 of the unit's columns in tensor memory, or a power of two from 16 that holds all rows of a swapped, block-scaled product, but got 32
// DEPTH: error: expected a tile whose K is 256 in tensor memory, but got 128
// WARPS: error: expected 4 warps that share 128 of the unit's rows in tensor memory, but got 4 warps for 64 rows
// INWARPS: error: {{.*}}expected a chip that multiplies block-scaled operands in warps, but got sm_100a
// SHORT: error: {{.*}}expected a tile of K for each of 2 CTAs that share K, but got 1
// MANYROWS: error: expected block-scaled operands and tiles of up to 64 rows where CTAs share K, but got a step of 64 and 128 rows
// PLAINPAIR: error: expected 128 or 256 of the unit's columns for a pair of CTAs and 16-bit operands, but got 192
// DECODEDPAIR: error: {{.*}}expected single CTAs where weights are decoded for tensor memory, but got pairs
// PLAINFEW: error: expected 64, 128, 192 or 256 of the unit's columns in tensor memory, {{.*}}block-scaled product, but got 16
// ROWSOFMANY: error: expected 64, 128, 192 or 256 of the unit's columns in tensor memory, {{.*}}block-scaled product, but got 16

//--- kernel.mlir
/// Codes in lines of 128 bytes, four tiles of scales for each of 128 rows; both end where K and the rows do.
// CHECK-LABEL: gpu.func @mm(
//  CHECK-SAME:   nvfp4.tensor_maps = [{box = array<i64: 128, 128>, dims = #[[DIMS:.+]], dtype = 0 : i64, operand = 0
//  CHECK-SAME:     {box = array<i64: 256, 1>
//  CHECK-SAME:     {box = array<i64: 128, 256>
//  CHECK-SAME:     {box = array<i64: 256, 2>
/// The first warp that gives out results allocates for all.
//       CHECK:   tcgen05.alloc
//       CHECK:   tcgen05.fence::before_thread_sync
//       CHECK:   nvvm.barrier
//       CHECK:   tcgen05.fence::after_thread_sync
/// One thread copies.
//       CHECK:   nvvm.elect.sync
//       CHECK:   scf.for
//       CHECK:     scf.for
//       CHECK:       mbarrier.try_wait
//       CHECK:       mbarrier.arrive.expect_tx
// CHECK-COUNT-4:       cp.async.bulk.tensor
/// Four warps give out results.
//       CHECK:   scf.for
//       CHECK:     mbarrier.try_wait
//       CHECK:     tcgen05.fence::after_thread_sync
//       CHECK:     scf.for
//       CHECK:       tcgen05.ld
//       CHECK:       mbarrier.arrive
//       CHECK:   tcgen05.dealloc
/// One thread multiplies: whole stages, and two steps of the last one.
//       CHECK:   nvvm.elect.sync
//       CHECK:   scf.for
//       CHECK:     mbarrier.try_wait
//       CHECK:     %[[STAGES:.+]]:2 = scf.for
//       CHECK:       mbarrier.try_wait
//       CHECK:       tcgen05.cp{{.*}}tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.block16{{.*tcgen05.mma.*tcgen05.mma.*tcgen05.mma}}
//       CHECK:       tcgen05.commit
//       CHECK:     tcgen05.mma{{.*}}tcgen05.mma
//   CHECK-NOT:     tcgen05.mma
//       CHECK:     tcgen05.commit
//       CHECK:     tcgen05.commit
module {
module @kernels {
  func.func @mm(%ac: tensor<?x192xi8>, %as: tensor<?xi8>, %ag: tensor<?xf32>, %bc: tensor<384x192xi8>, %bs: tensor<9216xi8>, %bg: tensor<f32>,
                %init: tensor<?x384xf32>) -> tensor<?x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x256x256, warps = 4x1x1, stages = 3>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x384, nvfp4<global = row>, layout = tiled> rhs !nvfp4.tensor<384x384, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x192xi8>, tensor<?xi8>, tensor<?xf32>, tensor<384x192xi8>, tensor<9216xi8>, tensor<f32>)
        outs(%init : tensor<?x384xf32>) -> tensor<?x384xf32>
    return %d : tensor<?x384xf32>
  }
}
}

//--- pair.mlir
/// Each CTA copies half of the columns' lines, and half of their scales for both.
// CHECK-LABEL: gpu.func @mm(
//  CHECK-SAME:   nvfp4.tensor_maps = [{box = array<i64: 128, 128>, dims = #[[DIMS:.+]], dtype = 0 : i64, operand = 0
//  CHECK-SAME:     {box = array<i64: 256, 1>
//  CHECK-SAME:     {box = array<i64: 128, 128>
//  CHECK-SAME:     {box = array<i64: 256, 1>
//       CHECK:   tcgen05.alloc.cta_group::2
//       CHECK:   nvvm.cluster.arrive
//       CHECK:   nvvm.cluster.wait
/// One thread of each copies, and waits in the end until all stages are empty.
//       CHECK:   nvvm.elect.sync
//       CHECK:   scf.for
//       CHECK:     scf.for
//       CHECK:       mbarrier.try_wait
//       CHECK:       mbarrier.arrive.expect_tx
// CHECK-COUNT-3:       cp.async.bulk.tensor{{.*}}complete_tx::bytes.cta_group::2
//       CHECK:       cp.async.bulk.tensor{{.*}}.multicast::cluster.cta_group::2
//       CHECK:   scf.for
//       CHECK:     mbarrier.try_wait
/// Warps of both give their sums back to the first CTA.
//       CHECK:   scf.for
//       CHECK:     scf.for
//       CHECK:       tcgen05.ld
//       CHECK:       mapa
//       CHECK:       mbarrier.arrive.release.cluster
//       CHECK:   nvvm.cluster.arrive
//       CHECK:   nvvm.cluster.wait
//       CHECK:   tcgen05.dealloc.cta_group::2
/// One thread of the first multiplies.
//       CHECK:   nvvm.elect.sync
//       CHECK:   scf.for
//       CHECK:     mbarrier.try_wait.parity.acquire.cluster
//       CHECK:     scf.for
//       CHECK:       tcgen05.cp.cta_group::2{{.*}}tcgen05.mma.cta_group::2
//       CHECK:       tcgen05.commit.cta_group::2{{.*}}multicast::cluster
/// The host launches clusters of two.
// LAUNCH: gpu.launch_func{{.*}}clusters in
module {
module @kernels {
  func.func @mm(%ac: tensor<?x192xi8>, %as: tensor<?xi8>, %ag: tensor<?xf32>, %bc: tensor<384x192xi8>, %bs: tensor<9216xi8>, %bg: tensor<f32>,
                %init: tensor<?x384xf32>) -> tensor<?x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x256x256, warps = 4x1x1, stages = 3, clusters = 2>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x384, nvfp4<global = row>, layout = tiled> rhs !nvfp4.tensor<384x384, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x192xi8>, tensor<?xi8>, tensor<?xf32>, tensor<384x192xi8>, tensor<9216xi8>, tensor<f32>)
        outs(%init : tensor<?x384xf32>) -> tensor<?x384xf32>
    return %d : tensor<?x384xf32>
  }
}
func.func @main(%ac: memref<?x192xi8>, %as: memref<?xi8>, %ag: memref<?xf32>, %bc: memref<384x192xi8>, %bs: memref<9216xi8>, %bg: memref<f32>,
                %d: memref<?x384xf32>) {
  nvfp4.dispatch @kernels::@mm
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x192xi8>, memref<?xi8>, memref<?xf32>, memref<384x192xi8>, memref<9216xi8>, memref<f32>)
      outs(%d : memref<?x384xf32>)
  return
}
}

//--- shared.mlir
/// Each has some tiles of K, and sends its sums to the first, whose threads add up and give out results.
// CHECK-LABEL: gpu.func @mm(
//       CHECK:   %[[RANK:.+]] = arith.remui %{{.*}}, %c4_i32
//       CHECK:   nvvm.cluster.wait
//       CHECK:   cp.async.bulk.tensor{{.*}}complete_tx::bytes [
//       CHECK:   mbarrier.try_wait.parity.acquire.cluster
//       CHECK:   tcgen05.ld
// CHECK-COUNT-16: st.async.shared::cluster
//       CHECK:   scf.if
//       CHECK:     mbarrier.try_wait.parity.acquire.cluster
// CHECK-COUNT-3:   arith.addf
/// Other threads than those that arrive name a CTA of the cluster, too.
//       CHECK:     %[[PEER:.+]] = arith.minui %{{.+}}, %c3_i32
//       CHECK:     mapa{{.*}} %{{.+}}, %[[PEER]] :
//       CHECK:     mbarrier.arrive.release.cluster
//       CHECK:   nvvm.cluster.wait
//       CHECK:   tcgen05.dealloc.cta_group::1
//       CHECK:   tcgen05.mma.cta_group::1
/// There is no room for a second CTA on a multiprocessor, also where stages need less than half of its memory.
// LAUNCH: %[[BYTES:.+]] = arith.constant 115713 : i32
// LAUNCH: gpu.launch_func{{.*}}clusters in{{.*}}dynamic_shared_memory_size %[[BYTES]]
module {
module @kernels {
  func.func @mm(%ac: tensor<?x512xi8>, %as: tensor<?xi8>, %bc: tensor<256x512xi8>, %bs: tensor<8192xi8>, %init: tensor<?x256xf32>) -> tensor<?x256xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 16x128x256, warps = 1x4x1, stages = 3, swapped = true, max_rows = 16, clusters = 4>,
                                  #nvfp4.kernel<matmul, threads = 288, tile = 128x128x256, warps = 4x1x1, stages = 3>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x1024, mxfp4, layout = tiled> rhs !nvfp4.tensor<256x1024, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x512xi8>, tensor<?xi8>, tensor<256x512xi8>, tensor<8192xi8>) outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
    return %d : tensor<?x256xf32>
  }
}
func.func @main(%ac: memref<?x512xi8>, %as: memref<?xi8>, %bc: memref<256x512xi8>, %bs: memref<8192xi8>, %d: memref<?x256xf32>) {
  nvfp4.dispatch @kernels::@mm
      ins(%ac, %as, %bc, %bs : memref<?x512xi8>, memref<?xi8>, memref<256x512xi8>, memref<8192xi8>)
      outs(%d : memref<?x256xf32>)
  return
}
}

//--- short.mlir
module {
module @kernels {
  func.func @mm(%ac: tensor<?x32xi8>, %as: tensor<?xi8>, %bc: tensor<64x32xi8>, %bs: tensor<512xi8>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 16x128x256, warps = 1x4x1, stages = 3, swapped = true, max_rows = 16, clusters = 2>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, mxfp4, layout = tiled> rhs !nvfp4.tensor<64x64, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x32xi8>, tensor<?xi8>, tensor<64x32xi8>, tensor<512xi8>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
}

//--- many_rows.mlir
module {
module @kernels {
  func.func @mm(%ac: tensor<?x32xi8>, %as: tensor<?xi8>, %bc: tensor<64x32xi8>, %bs: tensor<512xi8>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x128x256, warps = 1x4x1, stages = 3, swapped = true, max_rows = 128, clusters = 2>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, mxfp4, layout = tiled> rhs !nvfp4.tensor<64x64, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x32xi8>, tensor<?xi8>, tensor<64x32xi8>, tensor<512xi8>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
}

//--- plain_pair.mlir
module {
module @kernels {
  func.func @mm(%a: tensor<?x64xbf16>, %b: tensor<64x384xbf16>, %init: tensor<?x384xf32>) -> tensor<?x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x192x64, warps = 4x1x1, stages = 3, clusters = 2>]} {
    %d = linalg.matmul ins(%a, %b : tensor<?x64xbf16>, tensor<64x384xbf16>) outs(%init : tensor<?x384xf32>) -> tensor<?x384xf32>
    return %d : tensor<?x384xf32>
  }
}
}

//--- plain_few.mlir
/// Lines of 64 neighbouring rows of A.
module {
module @kernels {
  func.func @mm(%a: tensor<64x16xbf16>, %b: tensor<64x384xbf16>, %init: tensor<16x384xf32>) -> tensor<16x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 16x128x64, warps = 1x4x1, stages = 3, swapped = true, max_rows = 16>]} {
    %d = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
        ins(%a, %b : tensor<64x16xbf16>, tensor<64x384xbf16>) outs(%init : tensor<16x384xf32>) -> tensor<16x384xf32>
    return %d : tensor<16x384xf32>
  }
}
}

//--- rows_of_many.mlir
/// Scales of the second tile would begin within a column of them.
module {
module @kernels {
  func.func @mm(%ac: tensor<?x32xi8>, %as: tensor<?xi8>, %bc: tensor<64x32xi8>, %bs: tensor<512xi8>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 16x128x256, warps = 1x4x1, stages = 3, swapped = true>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, mxfp4, layout = tiled> rhs !nvfp4.tensor<64x64, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x32xi8>, tensor<?xi8>, tensor<64x32xi8>, tensor<512xi8>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
}

//--- decoded_pair.mlir
module {
module @kernels {
  func.func @mm(%a: tensor<?x64xbf16>, %bc: tensor<256x32xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>, %init: tensor<?x256xf32>) -> tensor<?x256xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x256x64, warps = 4x1x1, stages = 2, clusters = 2>]} {
    %d = nvfp4.scaled_matmul rhs !nvfp4.tensor<256x64, nvfp4, layout = tiled>
        ins(%a, %bc, %bs, %bg : tensor<?x64xbf16>, tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>) outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
    return %d : tensor<?x256xf32>
  }
}
}

//--- columns.mlir
module {
module @kernels {
  func.func @mm(%ac: tensor<?x32xi8>, %as: tensor<?xi8>, %bc: tensor<64x32xi8>, %bs: tensor<512xi8>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x32x256, warps = 4x1x1, stages = 3>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, mxfp4, layout = tiled> rhs !nvfp4.tensor<64x64, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x32xi8>, tensor<?xi8>, tensor<64x32xi8>, tensor<512xi8>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
}

//--- depth.mlir
module {
module @kernels {
  func.func @mm(%ac: tensor<?x32xi8>, %as: tensor<?xi8>, %bc: tensor<64x32xi8>, %bs: tensor<512xi8>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x128x128, warps = 4x1x1, stages = 3>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, mxfp4, layout = tiled> rhs !nvfp4.tensor<64x64, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x32xi8>, tensor<?xi8>, tensor<64x32xi8>, tensor<512xi8>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
}

//--- warps.mlir
module {
module @kernels {
  func.func @mm(%ac: tensor<?x32xi8>, %as: tensor<?xi8>, %bc: tensor<64x32xi8>, %bs: tensor<512xi8>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 64x128x256, warps = 4x1x1, stages = 3>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, mxfp4, layout = tiled> rhs !nvfp4.tensor<64x64, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x32xi8>, tensor<?xi8>, tensor<64x32xi8>, tensor<512xi8>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
}

//--- in_warps.mlir
module {
module @kernels {
  func.func @mm(%ac: tensor<?x32xi8>, %as: tensor<?xi8>, %bc: tensor<64x32xi8>, %bs: tensor<512xi8>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 3>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, mxfp4, layout = tiled> rhs !nvfp4.tensor<64x64, mxfp4, layout = tiled>
        ins(%ac, %as, %bc, %bs : tensor<?x32xi8>, tensor<?xi8>, tensor<64x32xi8>, tensor<512xi8>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
}

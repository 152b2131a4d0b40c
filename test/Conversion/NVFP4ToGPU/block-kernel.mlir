// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu | FileCheck %s

module @kernels {
  func.func @tiled(%x: tensor<?x64xbf16>, %g: tensor<f32>, %c: tensor<?x32xi8>, %s: tensor<?xi8>) -> (tensor<?x32xi8>, tensor<?xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<block, threads = 128>]} {
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<?x64, nvfp4, layout = tiled> ins(%x, %g : tensor<?x64xbf16>, tensor<f32>)
        outs(%c, %s : tensor<?x32xi8>, tensor<?xi8>) -> tensor<?x32xi8>, tensor<?xi8>
    return %q#0, %q#1 : tensor<?x32xi8>, tensor<?xi8>
  }
}

/// Blocks cover 128 rows for each 128 that exist in part, 32 at a time.
// CHECK-LABEL: func.func @host(
//       CHECK:   arith.divsi %{{.+}}, %c128
//       CHECK:   %[[TWO:.+]] = arith.constant 2 : index
//       CHECK:   %[[BLOCKS:.+]] = arith.muli %{{.+}}, %[[TWO]]
//       CHECK:   gpu.launch_func @device::@tiled blocks in (%[[BLOCKS]],
//       CHECK: gpu.func @tiled(%[[X:.+]]: !llvm.ptr<1>
/// Two lanes share a block; rows that do not exist read the last one.
//       CHECK:   arith.minui
//       CHECK:   llvm.load {{.*}} -> vector<8xbf16>
//       CHECK:   %[[AMAX:.+]] = arith.maxnumf
//   CHECK-NOT:   nvvm.shfl
//       CHECK:   nvvm.convert.f32x2.to.f8x2
//       CHECK:   nvvm.convert.f8x2.to.f16x2
//       CHECK:   llvm.inline_asm {{.*}}cvt.rn.satfinite.e2m1x2.f32 b0, $2, $1
/// Codes of rows that exist; scales of all rows, zero where there is none.
//       CHECK:   scf.if
//       CHECK:     llvm.store {{.*}} {alignment = 8 : i64} : vector<2xi32>
//       CHECK:   arith.select {{.*}} : i8
//       CHECK:   scf.if
//       CHECK:     llvm.store {{.*}} : i8
func.func @host(%x: memref<?x64xbf16>, %g: memref<f32>, %c: memref<?x32xi8>, %s: memref<?xi8>) {
  nvfp4.dispatch @kernels::@tiled ins(%x, %g : memref<?x64xbf16>, memref<f32>) outs(%c, %s : memref<?x32xi8>, memref<?xi8>)
  return
}

// -----

module @kernels {
  func.func @square(%x: tensor<64x64xf32>, %g: tensor<f32>, %c: tensor<64x32xi8>, %s: tensor<4x4xi8>) -> (tensor<64x32xi8>, tensor<4x4xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<block, threads = 128>]} {
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<64x64, nvfp4<block = 16x16>> ins(%x, %g : tensor<64x64xf32>, tensor<f32>)
        outs(%c, %s : tensor<64x32xi8>, tensor<4x4xi8>) -> tensor<64x32xi8>, tensor<4x4xi8>
    return %q#0, %q#1 : tensor<64x32xi8>, tensor<4x4xi8>
  }
}

/// A thread has the block's columns; then lanes of the other rows. Nothing is missing, nothing is compared.
// CHECK-LABEL: gpu.func @square(
//   CHECK-NOT:   arith.cmpi ult
//       CHECK:   %[[EIGHT:.+]] = arith.constant 8 : i32
//       CHECK:   nvvm.shfl.sync bfly %{{.+}}, %{{.+}}, %[[EIGHT]]
//       CHECK:   %[[SIXTEEN:.+]] = arith.constant 16 : i32
//       CHECK:   nvvm.shfl.sync bfly %{{.+}}, %{{.+}}, %[[SIXTEEN]]
func.func @host(%x: memref<64x64xf32>, %g: memref<f32>, %c: memref<64x32xi8>, %s: memref<4x4xi8>) {
  nvfp4.dispatch @kernels::@square ins(%x, %g : memref<64x64xf32>, memref<f32>) outs(%c, %s : memref<64x32xi8>, memref<4x4xi8>)
  return
}

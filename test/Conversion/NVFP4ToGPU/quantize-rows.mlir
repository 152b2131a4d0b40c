// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu | FileCheck %s

module @kernels {
  func.func @rows(%x: tensor<?x128xf32>, %g: tensor<?xf32>, %c: tensor<?x64xi8>, %s: tensor<?xi8>) -> (tensor<?xf32>, tensor<?x64xi8>, tensor<?xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %h = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%x : tensor<?x128xf32>) outs(%g : tensor<?xf32>) -> tensor<?xf32>
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<?x128, nvfp4<global = row>, layout = tiled> ins(%x, %h : tensor<?x128xf32>, tensor<?xf32>)
        outs(%c, %s : tensor<?x64xi8>, tensor<?xi8>) -> tensor<?x64xi8>, tensor<?xi8>
    return %h, %q#0, %q#1 : tensor<?xf32>, tensor<?x64xi8>, tensor<?xi8>
  }
}

/// A warp loads its row once; all lanes find the row's magnitude, four that of a block.
// CHECK-LABEL: gpu.func @rows(
//       CHECK:   llvm.load {{.*}} -> vector<4xf32>
//   CHECK-NOT:   llvm.load
//       CHECK:   %[[SIXTEEN:.+]] = arith.constant 16 : i32
//       CHECK:   nvvm.shfl.sync bfly %{{.+}}, %{{.+}}, %[[SIXTEEN]]
//       CHECK:   %[[ONE:.+]] = arith.constant 1 : i32
//       CHECK:   nvvm.shfl.sync bfly %{{.+}}, %{{.+}}, %[[ONE]]
//       CHECK:   %[[TWO:.+]] = arith.constant 2 : i32
//       CHECK:   nvvm.shfl.sync bfly %{{.+}}, %{{.+}}, %[[TWO]]
//       CHECK:   nvvm.convert.f32x2.to.f8x2
//       CHECK:   llvm.inline_asm {{.*}}cvt.rn.satfinite.e2m1x2.f32
//       CHECK:   llvm.store {{.*}} : i16
//       CHECK:   llvm.store {{.*}} : i8
/// Scales of rows that do not exist.
//       CHECK:   scf.for
//       CHECK:     llvm.store {{.*}} : i32
//       CHECK:   llvm.store {{.*}} : f32
func.func @host(%x: memref<?x128xf32>, %g: memref<?xf32>, %c: memref<?x64xi8>, %s: memref<?xi8>) {
  nvfp4.dispatch @kernels::@rows ins(%x : memref<?x128xf32>) outs(%g, %c, %s : memref<?xf32>, memref<?x64xi8>, memref<?xi8>)
  return
}

// -----

module @kernels {
  func.func @blocks(%x: tensor<?x64xf32>, %c: tensor<?x32xi8>, %s: tensor<?x2xi8>) -> (tensor<?x32xi8>, tensor<?x2xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<?x64, mxfp4> ins(%x : tensor<?x64xf32>)
        outs(%c, %s : tensor<?x32xi8>, tensor<?x2xi8>) -> tensor<?x32xi8>, tensor<?x2xi8>
    return %q#0, %q#1 : tensor<?x32xi8>, tensor<?x2xi8>
  }
}

/// Nothing is reduced over rows: blocks are encoded apart, by threads that hold one each.
// CHECK-LABEL: gpu.func @blocks(
//       CHECK:   llvm.store {{.*}} : vector<2xi32>
func.func @host(%x: memref<?x64xf32>, %c: memref<?x32xi8>, %s: memref<?x2xi8>) {
  nvfp4.dispatch @kernels::@blocks ins(%x : memref<?x64xf32>) outs(%c, %s : memref<?x32xi8>, memref<?x2xi8>)
  return
}

// RUN: nvfp4-opt %s --pass-pipeline='builtin.module(func.func(nvfp4-copies-to-loops))' | FileCheck %s

// CHECK-LABEL: func.func @copy_strided(
//       CHECK:   %[[V:.+]] = memref.subview
//       CHECK:   linalg.generic {{.*}} ins(%[[V]] : {{.+}}) outs(%{{.+}} : memref<4x4xf32>)
//   CHECK-NOT:   memref.copy
func.func @copy_strided(%x: memref<4x8xf32>, %y: memref<4x4xf32>) {
  %v = memref.subview %x[0, 4] [4, 4] [1, 1] : memref<4x8xf32> to memref<4x4xf32, strided<[8, 1], offset: 4>>
  memref.copy %v, %y : memref<4x4xf32, strided<[8, 1], offset: 4>> to memref<4x4xf32>
  return
}

/// A memcpy is faster than a loop and needs no runtime library.
// CHECK-LABEL: func.func @negative_copy_contiguous(
//       CHECK:   memref.copy
func.func @negative_copy_contiguous(%x: memref<?x4xf32>, %y: memref<?x4xf32>) {
  memref.copy %x, %y : memref<?x4xf32> to memref<?x4xf32>
  return
}

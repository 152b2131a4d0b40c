// RUN: nvfp4-opt %s --nvfp4-lower-expand-shapes | FileCheck %s

// CHECK-LABEL: func.func @expand_dynamic(
//  CHECK-SAME:     %[[X:[^:]+]]: memref<?x8xf32>, %[[A:[^:]+]]: index, %[[B:[^:]+]]: index
//       CHECK:   %[[STRIDE:.+]] = affine.apply {{.+}}()[%[[B]]]
//       CHECK:   memref.reinterpret_cast %{{.+}} to offset: [0], sizes: [%[[A]], %[[B]], 8], strides: [%[[STRIDE]], 8, 1]
func.func @expand_dynamic(%x: memref<?x8xf32>, %a: index, %b: index) -> memref<?x?x8xf32> {
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%a, %b, 8] : memref<?x8xf32> into memref<?x?x8xf32>
  return %y : memref<?x?x8xf32>
}

/// Upstream infers one dynamic size per group.
// CHECK-LABEL: func.func @negative_expand_static(
//       CHECK:   memref.expand_shape
func.func @negative_expand_static(%x: memref<?x8xf32>, %a: index) -> memref<?x4x8xf32> {
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%a, 4, 8] : memref<?x8xf32> into memref<?x4x8xf32>
  return %y : memref<?x4x8xf32>
}

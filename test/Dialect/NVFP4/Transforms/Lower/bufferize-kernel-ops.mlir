// RUN: nvfp4-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" | FileCheck %s

/// Inits are overwritten, so an empty tensor becomes an allocation without a copy.
// CHECK-LABEL: func.func @quantize_into_dynamic(
//  CHECK-SAME:     %[[X:[^:]+]]: memref<?x384xf32>, %[[G:[^:]+]]: memref<?xf32>
//       CHECK:   %[[C:.+]] = memref.alloc(%{{.+}}) {{.*}}: memref<?x192xi8>
//       CHECK:   %[[S:.+]] = memref.alloc(%{{.+}}) {{.*}}: memref<?x24xi8>
//       CHECK:   nvfp4.quantize_into as !nvfp4.tensor<?x384, nvfp4<global = row>> ins(%[[X]], %[[G]] : memref<?x384xf32>, memref<?xf32>) outs(%[[C]], %[[S]] : memref<?x192xi8>, memref<?x24xi8>)
//   CHECK-NOT:   memref.copy
//       CHECK:   return %[[C]], %[[S]]
func.func @quantize_into_dynamic(%x: tensor<?x384xf32>, %g: tensor<?xf32>, %rows: index)
    -> (tensor<?x192xi8>, tensor<?x24xi8>) {
  %c = tensor.empty(%rows) : tensor<?x192xi8>
  %s = tensor.empty(%rows) : tensor<?x24xi8>
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<?x384, nvfp4<global = row>>
      ins(%x, %g : tensor<?x384xf32>, tensor<?xf32>)
      outs(%c, %s : tensor<?x192xi8>, tensor<?x24xi8>) -> tensor<?x192xi8>, tensor<?x24xi8>
  return %q#0, %q#1 : tensor<?x192xi8>, tensor<?x24xi8>
}

// CHECK-LABEL: func.func @scaled_matmul_static(
//       CHECK:   nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, nvfp4> ins({{.+}} : memref<4x64xf32>, memref<8x32xi8>, memref<8x4xi8>, memref<f32>) outs(%{{.+}} : memref<4x8xf32>)
func.func @scaled_matmul_static(%a: tensor<4x64xf32>, %c: tensor<8x32xi8>, %s: tensor<8x4xi8>, %g: tensor<f32>)
    -> tensor<4x8xf32> {
  %init = tensor.empty() : tensor<4x8xf32>
  %d = nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, nvfp4>
      ins(%a, %c, %s, %g : tensor<4x64xf32>, tensor<8x32xi8>, tensor<8x4xi8>, tensor<f32>)
      outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// RUN: nvfp4-opt %s --nvfp4-split-global-scales | FileCheck %s

// CHECK-LABEL: func.func @tensor(
//  CHECK-SAME:     %[[X:.+]]: tensor<?x64xbf16>,
//       CHECK:   %[[EMPTY:.+]] = tensor.empty(%{{.+}}) : tensor<?xf32>
//       CHECK:   %[[ROWS:.+]] = nvfp4.global_scale_into format <nvfp4<global = row, bound = 256>> ins(%[[X]] : tensor<?x64xbf16>) outs(%[[EMPTY]]
//       CHECK:   %[[ROW:.+]] = tensor.expand_shape %[[ROWS]] {{\[\[}}0, 1]] output_shape [1, %{{.+}}] : tensor<?xf32> into tensor<1x?xf32>
//       CHECK:   %[[ONE:.+]] = nvfp4.global_scale_into format <nvfp4<global = row, convention = divide, bound = 256>>
//  CHECK-SAME:       ins(%[[ROW]] : tensor<1x?xf32>)
//       CHECK:   %[[SCALE:.+]] = tensor.collapse_shape %[[ONE]] [] : tensor<1xf32> into tensor<f32>
//       CHECK:   return %[[SCALE]]
func.func @tensor(%x: tensor<?x64xbf16>, %init: tensor<f32>) -> tensor<f32> {
  %g = nvfp4.global_scale_into format <nvfp4<block = 16x16, convention = divide, bound = 256>>
      ins(%x : tensor<?x64xbf16>) outs(%init : tensor<f32>) -> tensor<f32>
  return %g : tensor<f32>
}

/// All rows of a batch are one row of magnitudes.
// CHECK-LABEL: func.func @batch(
//       CHECK:   tensor.collapse_shape %{{.+}} {{\[\[}}0, 1]] : tensor<3x8xf32> into tensor<24xf32>
//       CHECK:   tensor.expand_shape %{{.+}} {{\[\[}}0, 1]] output_shape [1, 24]
func.func @batch(%x: tensor<3x8x64xf32>, %init: tensor<f32>) -> tensor<f32> {
  %g = nvfp4.global_scale_into format <nvfp4> ins(%x : tensor<3x8x64xf32>) outs(%init : tensor<f32>) -> tensor<f32>
  return %g : tensor<f32>
}

/// The magnitudes of a slice are a row already.
// CHECK-LABEL: func.func @slice(
//  CHECK-SAME:     %[[INIT:[^:]+]]: tensor<?xf32>)
//       CHECK:   %[[ROWS:.+]] = nvfp4.global_scale_into {{.*}} -> tensor<?x8xf32>
//  CHECK-NEXT:   %[[SCALES:.+]] = nvfp4.global_scale_into {{.*}} ins(%[[ROWS]] : tensor<?x8xf32>) outs(%[[INIT]] : tensor<?xf32>)
//  CHECK-NEXT:   return %[[SCALES]]
func.func @slice(%x: tensor<?x8x64xf32>, %init: tensor<?xf32>) -> tensor<?xf32> {
  %g = nvfp4.global_scale_into format <nvfp4<global = slice>> ins(%x : tensor<?x8x64xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %g : tensor<?xf32>
}

// CHECK-LABEL: func.func @row(
//  CHECK-NEXT:   nvfp4.global_scale_into format <nvfp4<global = row>> ins(%{{.+}} : tensor<8x64xf32>)
//  CHECK-NEXT:   return
func.func @row(%x: tensor<8x64xf32>, %init: tensor<8xf32>) -> tensor<8xf32> {
  %g = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%x : tensor<8x64xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  return %g : tensor<8xf32>
}

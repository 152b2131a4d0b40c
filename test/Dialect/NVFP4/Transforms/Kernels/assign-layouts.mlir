// RUN: nvfp4-opt %s --nvfp4-assign-layouts --split-input-file --remarks-filter-missed="nvfp4.*" --remark-format=emitRemark 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK <%t.remarks

// A quantization writes the layout, a packing function stores it, and a second
// entry with the same packed tensor takes its type.

// CHECK-LABEL: func @linear(
// CHECK-SAME: %[[W:[a-z0-9]+]]: !nvfp4.tensor<32x64, nvfp4, layout = tiled> {nvfp4.packed = @pack.fc}
// CHECK: %[[Q:.*]] = nvfp4.quantize {{.*}} -> !nvfp4.tensor<?x64, nvfp4, layout = tiled>
// CHECK-NOT: relayout
// CHECK: nvfp4.matmul %[[Q]], %[[W]]
// CHECK: nvfp4.matmul %[[Q]], %[[W]]
func.func @linear(%x: tensor<?x64xf32>, %g: tensor<f32>, %w: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.fc})
    -> (tensor<?x32xf32>, tensor<?x32xbf16>) {
  %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<f32> -> !nvfp4.tensor<?x64, nvfp4>
  %y = nvfp4.matmul %q, %w : !nvfp4.tensor<?x64, nvfp4>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
  %z = nvfp4.matmul %q, %w : !nvfp4.tensor<?x64, nvfp4>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xbf16>
  return %y, %z : tensor<?x32xf32>, tensor<?x32xbf16>
}

// REMARK: remark: [Missed] AssignLayouts{{.*}}expected only matmuls to use it, but got 'nvfp4.dequantize'
// CHECK-LABEL: func @other_entry(
// CHECK-SAME: %[[W:[a-z0-9]+]]: !nvfp4.tensor<32x64, nvfp4, layout = tiled>
// CHECK: %[[L:.*]] = nvfp4.relayout %[[W]] : {{.*}} -> !nvfp4.tensor<32x64, nvfp4>
// CHECK: nvfp4.dequantize %[[L]]
func.func @other_entry(%w: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.fc}) -> tensor<32x64xf32> {
  %y = nvfp4.dequantize %w : !nvfp4.tensor<32x64, nvfp4> -> tensor<32x64xf32>
  return %y : tensor<32x64xf32>
}

// CHECK-LABEL: func private @pack.fc(
// CHECK-SAME: -> !nvfp4.tensor<32x64, nvfp4, layout = tiled>
// CHECK: %[[Q:.*]] = nvfp4.quantize {{.*}} -> !nvfp4.tensor<32x64, nvfp4, layout = tiled>
// CHECK: return %[[Q]]
func.func private @pack.fc(%w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"}) -> !nvfp4.tensor<32x64, nvfp4>
    attributes {nvfp4.pack = "fc.weight"} {
  %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  return %q : !nvfp4.tensor<32x64, nvfp4>
}

// -----

// Weight-only: the float operand stays. The weight is no matmul's alone.

// CHECK-LABEL: func @weight_only
// CHECK: nvfp4.matmul {{.*}} : tensor<?x32xbf16>, !nvfp4.tensor<8x32, mxfp4, layout = tiled> -> tensor<?x8xbf16>
func.func @weight_only(%x: tensor<?x32xbf16>, %w: !nvfp4.tensor<8x32, mxfp4> {nvfp4.packed = @pack.w}) -> tensor<?x8xbf16> {
  %y = nvfp4.matmul %x, %w : tensor<?x32xbf16>, !nvfp4.tensor<8x32, mxfp4> -> tensor<?x8xbf16>
  return %y : tensor<?x8xbf16>
}
func.func private @pack.w(%w: tensor<8x32xf32> {nvfp4.weight = "w"}) -> !nvfp4.tensor<8x32, mxfp4> attributes {nvfp4.pack = "w"} {
  %q = nvfp4.quantize %w : tensor<8x32xf32> -> !nvfp4.tensor<8x32, mxfp4>
  return %q : !nvfp4.tensor<8x32, mxfp4>
}

// -----

// What returns its value, or disassembles it, still gets the linear one.

// CHECK-LABEL: func @returned
// CHECK: %[[Q:.*]] = nvfp4.quantize {{.*}} layout = tiled>
// CHECK: %[[L:.*]] = nvfp4.relayout %[[Q]]
// CHECK: nvfp4.matmul %[[Q]],
// CHECK: return %{{.*}}, %[[L]]
func.func @returned(%x: tensor<4x64xf32>, %w: tensor<8x64xf32>) -> (tensor<4x8xf32>, !nvfp4.tensor<4x64, mxfp4>) {
  %q = nvfp4.quantize %x : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
  %r = nvfp4.quantize %w : tensor<8x64xf32> -> !nvfp4.tensor<8x64, mxfp4>
  %y = nvfp4.matmul %q, %r : !nvfp4.tensor<4x64, mxfp4>, !nvfp4.tensor<8x64, mxfp4> -> tensor<4x8xf32>
  return %y, %q : tensor<4x8xf32>, !nvfp4.tensor<4x64, mxfp4>
}

// -----

// Values that others make are laid out at the use, once; casts move along.

// REMARK: remark: [Missed] AssignLayouts{{.*}}expected an operand of a matmul that a quantization or a packing function makes
// CHECK-LABEL: func @carried(
// CHECK-SAME: %[[W:[a-z0-9]+]]: !nvfp4.tensor<8x64, mxfp4>,
// CHECK: %[[TW:.*]] = nvfp4.relayout %[[W]]
// CHECK: %[[Q:.*]] = nvfp4.quantize {{.*}} -> !nvfp4.tensor<4x64, mxfp4, layout = tiled>
// CHECK: %[[C:.*]] = nvfp4.cast %[[Q]] : {{.*}} to !nvfp4.tensor<?x64, mxfp4, layout = tiled>
// CHECK: %[[L:.*]] = scf.if
// CHECK: %[[TL:.*]] = nvfp4.relayout %[[L]]
// CHECK: nvfp4.matmul %[[C]], %[[TW]]
// CHECK: nvfp4.matmul %[[TL]], %[[TW]]
func.func @carried(%w: !nvfp4.tensor<8x64, mxfp4>, %c: i1, %x: tensor<4x64xf32>, %a: !nvfp4.tensor<4x64, mxfp4>)
    -> (tensor<?x8xf32>, tensor<4x8xf32>) {
  %q = nvfp4.quantize %x : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
  %d = nvfp4.cast %q : !nvfp4.tensor<4x64, mxfp4> to !nvfp4.tensor<?x64, mxfp4>
  %l = scf.if %c -> !nvfp4.tensor<4x64, mxfp4> {
    scf.yield %a : !nvfp4.tensor<4x64, mxfp4>
  } else {
    %b = nvfp4.quantize %x : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
    scf.yield %b : !nvfp4.tensor<4x64, mxfp4>
  }
  %y = nvfp4.matmul %d, %w : !nvfp4.tensor<?x64, mxfp4>, !nvfp4.tensor<8x64, mxfp4> -> tensor<?x8xf32>
  %z = nvfp4.matmul %l, %w : !nvfp4.tensor<4x64, mxfp4>, !nvfp4.tensor<8x64, mxfp4> -> tensor<4x8xf32>
  return %y, %z : tensor<?x8xf32>, tensor<4x8xf32>
}

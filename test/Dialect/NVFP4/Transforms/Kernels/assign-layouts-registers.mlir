// RUN: nvfp4-opt %s --nvfp4-assign-layouts=chip=sm_90a --split-input-file | FileCheck %s

// A unit that multiplies 16-bit operands decodes weights in registers; another
// user reads them as they were. Activations are rounded before.

// CHECK-LABEL: func @linear(
// CHECK-SAME: %[[W:[a-z0-9]+]]: !nvfp4.tensor<32x64, nvfp4, layout = registers> {nvfp4.packed = @pack.fc}
// CHECK: %[[L:.*]] = nvfp4.relayout %[[W]] : {{.*}} -> !nvfp4.tensor<32x64, nvfp4>
// CHECK: %[[X:.*]] = arith.truncf %{{.*}} : tensor<?x64xf32> to tensor<?x64xbf16>
// CHECK: nvfp4.matmul %[[X]], %[[W]] : tensor<?x64xbf16>, {{.*}} -> tensor<?x32xf32>
// CHECK: nvfp4.dequantize %[[L]]
func.func @linear(%x: tensor<?x64xf32>, %w: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.fc})
    -> (tensor<?x32xf32>, tensor<32x64xf32>) {
  %y = nvfp4.matmul %x, %w : tensor<?x64xf32>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
  %z = nvfp4.dequantize %w : !nvfp4.tensor<32x64, nvfp4> -> tensor<32x64xf32>
  return %y, %z : tensor<?x32xf32>, tensor<32x64xf32>
}

// CHECK-LABEL: func private @pack.fc
// CHECK: %[[Q:.*]] = nvfp4.quantize {{.*}} -> !nvfp4.tensor<32x64, nvfp4, layout = registers>
// CHECK: return %[[Q]]
func.func private @pack.fc(%w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"}) -> !nvfp4.tensor<32x64, nvfp4>
    attributes {nvfp4.pack = "fc.weight"} {
  %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  return %q : !nvfp4.tensor<32x64, nvfp4>
}

// -----

// CHECK-LABEL: func @halves(
// CHECK: %[[E:.*]] = arith.extf %{{.*}} : tensor<5x64xf16> to tensor<5x64xf32>
// CHECK: %[[X:.*]] = arith.truncf %[[E]] : tensor<5x64xf32> to tensor<5x64xbf16>
// CHECK: nvfp4.matmul %[[X]], %{{.*}} -> tensor<5x32xf16>
func.func @halves(%x: tensor<5x64xf16>, %w: !nvfp4.tensor<32x64, nvfp4, layout = registers>) -> tensor<5x32xf16> {
  %y = nvfp4.matmul %x, %w : tensor<5x64xf16>, !nvfp4.tensor<32x64, nvfp4, layout = registers> -> tensor<5x32xf16>
  return %y : tensor<5x32xf16>
}

// -----

// Weights that a run makes are laid out anew in it.

// CHECK-LABEL: func @made(
// CHECK: %[[Q:.*]] = nvfp4.quantize {{.*}} -> !nvfp4.tensor<32x64, mxfp4>
// CHECK: %[[R:.*]] = nvfp4.relayout %[[Q]] : {{.*}} -> !nvfp4.tensor<32x64, mxfp4, layout = registers>
// CHECK: nvfp4.matmul %{{.*}}, %[[R]]
func.func @made(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>) -> tensor<?x32xf32> {
  %q = nvfp4.quantize %w : tensor<32x64xf32> -> !nvfp4.tensor<32x64, mxfp4>
  %y = nvfp4.matmul %x, %q : tensor<?x64xf32>, !nvfp4.tensor<32x64, mxfp4> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

// What a run quantizes is decoded for such a unit: both sides of a product of
// activations. Beside plain activations it is a weight, and tiled for others
// means laid out anew.

// CHECK-LABEL: func @activations(
// CHECK: %[[A:.*]] = nvfp4.quantize %{{.*}} -> !nvfp4.tensor<?x64, mxfp4>
// CHECK: %[[B:.*]] = nvfp4.quantize %{{.*}} -> !nvfp4.tensor<?x64, mxfp4>
// CHECK: nvfp4.matmul %[[A]], %[[B]] : !nvfp4.tensor<?x64, mxfp4>, !nvfp4.tensor<?x64, mxfp4>
func.func @activations(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>) -> tensor<?x?xf32> {
  %a = nvfp4.quantize %x : tensor<?x64xf32> -> !nvfp4.tensor<?x64, mxfp4>
  %b = nvfp4.quantize %y : tensor<?x64xf32> -> !nvfp4.tensor<?x64, mxfp4>
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<?x64, mxfp4>, !nvfp4.tensor<?x64, mxfp4> -> tensor<?x?xf32>
  return %d : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func @both_ways(
// CHECK: %[[A:.*]] = nvfp4.quantize %{{.*}} -> !nvfp4.tensor<?x64, mxfp4, layout = tiled>
// CHECK: %[[L:.*]] = nvfp4.relayout %[[A]] : {{.*}} -> !nvfp4.tensor<?x64, mxfp4>
// CHECK: nvfp4.matmul %[[L]], %{{.*}} : !nvfp4.tensor<?x64, mxfp4>, !nvfp4.tensor<32x64, mxfp4, layout = registers>
// CHECK: nvfp4.matmul %{{.*}}, %[[A]] : tensor<?x64xbf16>, !nvfp4.tensor<?x64, mxfp4, layout = tiled>
func.func @both_ways(%x: tensor<?x64xf32>, %w: !nvfp4.tensor<32x64, mxfp4>) -> (tensor<?x32xf32>, tensor<?x?xf32>) {
  %a = nvfp4.quantize %x : tensor<?x64xf32> -> !nvfp4.tensor<?x64, mxfp4>
  %d = nvfp4.matmul %a, %w : !nvfp4.tensor<?x64, mxfp4>, !nvfp4.tensor<32x64, mxfp4> -> tensor<?x32xf32>
  %e = nvfp4.matmul %x, %a : tensor<?x64xf32>, !nvfp4.tensor<?x64, mxfp4> -> tensor<?x?xf32>
  return %d, %e : tensor<?x32xf32>, tensor<?x?xf32>
}

// RUN: nvfp4-opt %s --pass-pipeline='builtin.module(gpu.module(nvfp4-expand-math))' | FileCheck %s

/// GPUs have an instruction for powers of two; f64 and vectors keep the polynomials.
gpu.module @device {
  // CHECK-LABEL: func.func @exp(
  //       CHECK:   llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz"(%{{.+}}) : (f32) -> f32
  //   CHECK-NOT:   math.exp
  func.func @exp(%x: f32) -> f32 {
    %y = math.exp %x : f32
    return %y : f32
  }

  // CHECK-LABEL: func.func @erf(
  //       CHECK:   llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz"
  //       CHECK:   math.copysign
  func.func @erf(%x: f32) -> f32 {
    %y = math.erf %x : f32
    return %y : f32
  }

  // CHECK-LABEL: func.func @vector(
  //   CHECK-NOT:   llvm.call_intrinsic
  //       CHECK:   return
  func.func @vector(%x: vector<4xf32>, %z: f64) -> (vector<4xf32>, f64) {
    %y = math.exp %x : vector<4xf32>
    %w = math.exp %z : f64
    return %y, %w : vector<4xf32>, f64
  }
}

// RUN: nvfp4-opt %s --convert-nvfp4-host-to-llvm --canonicalize --cse | FileCheck %s

/// One struct on the stack serves all calls; a bad status returns at once.
// CHECK-LABEL: llvm.func internal @main.body(
//  CHECK-SAME:     %[[CONTEXT:[^:]+]]: !llvm.ptr, {{.*}} -> i32
//       CHECK:   %[[AREA:.+]] = llvm.alloca %{{.+}} x i8 {alignment = 8 : i64} : (i64) -> !llvm.ptr

/// Rows of a batch that follow each other are those of one matrix.
//       CHECK:   llvm.mul
//       CHECK:   %[[GEMM_FIELD:.+]] = llvm.getelementptr %[[CONTEXT]][0, 9]
//       CHECK:   %[[GEMM:.+]] = llvm.load %[[GEMM_FIELD]]
//       CHECK:   %[[STATUS:.+]] = llvm.call %[[GEMM]](%{{.+}}, %[[AREA]]) : !llvm.ptr, (!llvm.ptr, !llvm.ptr) -> i32
//       CHECK:   %[[GOOD:.+]] = llvm.icmp "eq" %[[STATUS]], %{{.+}} : i32
//       CHECK:   llvm.cond_br %[[GOOD]], ^{{.+}}, ^[[BAD:.+]](%[[STATUS]] : i32)

/// Global scales and quantization of the same source are one call.
//       CHECK:   %[[QUANTIZE_FIELD:.+]] = llvm.getelementptr %[[CONTEXT]][0, 11]
//       CHECK:   llvm.load %[[QUANTIZE_FIELD]]
//   CHECK-NOT:   llvm.getelementptr %[[CONTEXT]][0, 11]
//       CHECK:   %[[SCALED_FIELD:.+]] = llvm.getelementptr %[[CONTEXT]][0, 10]
//       CHECK:   llvm.load %[[SCALED_FIELD]]
//       CHECK:   %[[DEQUANTIZE_FIELD:.+]] = llvm.getelementptr %[[CONTEXT]][0, 12]
//       CHECK:   llvm.load %[[DEQUANTIZE_FIELD]]
//       CHECK: ^[[BAD]](%[[ERROR:.+]]: i32):
//       CHECK:   llvm.return %[[ERROR]] : i32

/// Version 4, with the descriptor of version 1.
// CHECK-LABEL: llvm.mlir.global external constant @nvfp4_program()
//       CHECK:   llvm.mlir.constant(4 : i32)

func.func private @main.plan(%n: index) -> (index, index, index, index) {
  %c64 = arith.constant 64 : index
  %c1024 = arith.constant 1024 : index
  return %n, %c64, %c64, %c1024 : index, index, index, index
}
func.func @main(%x: memref<?x32x64xf32>, %w: memref<64x64xf32>, %c: memref<64x32xi8>, %s: memref<64x2xi8>,
                %y: memref<?x32x64xf32> {nvfp4.result = 0}, %workspace: memref<?xi8>)
    attributes {nvfp4.entry = {
      dimensions = [{name = "n", min = 0, max = -1}],
      arguments = [{kind = "input", name = "x", dtype = "F32", shape = ["n", 32, 64]},
                   {kind = "input", name = "w", dtype = "F32", shape = [64, 64]},
                   {kind = "input", name = "c", dtype = "U8", shape = [64, 32]},
                   {kind = "input", name = "s", dtype = "U8", shape = [64, 2]}],
      results = [{name = "y", dtype = "F32", shape = ["n", 32, 64]}]}} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %n = memref.dim %x, %c0 : memref<?x32x64xf32>
  %codes = memref.view %workspace[%c64][%n] : memref<?xi8> to memref<?x32x32xi8>
  %scales = memref.view %workspace[%c64][%n] : memref<?xi8> to memref<?x32x4xi8>
  %g = memref.view %workspace[%c64][%n] : memref<?xi8> to memref<?x32xf32>
  nvfp4.gemm [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %w : memref<?x32x64xf32>, memref<64x64xf32>) outs(%y : memref<?x32x64xf32>)
  nvfp4.global_scale_into format <nvfp4<global = row>> ins(%x : memref<?x32x64xf32>) outs(%g : memref<?x32xf32>)
  nvfp4.quantize_into as !nvfp4.tensor<?x32x64, nvfp4<global = row>>
      ins(%x, %g : memref<?x32x64xf32>, memref<?x32xf32>)
      outs(%codes, %scales : memref<?x32x32xi8>, memref<?x32x4xi8>)
  nvfp4.scaled_matmul lhs !nvfp4.tensor<?x32x64, nvfp4<global = row>> rhs !nvfp4.tensor<64x64, mxfp4>
      ins(%codes, %scales, %g, %c, %s : memref<?x32x32xi8>, memref<?x32x4xi8>, memref<?x32xf32>, memref<64x32xi8>, memref<64x2xi8>)
      outs(%y : memref<?x32x64xf32>)
  nvfp4.dequantize_into from !nvfp4.tensor<?x32x64, nvfp4<global = row>>
      ins(%codes, %scales, %g : memref<?x32x32xi8>, memref<?x32x4xi8>, memref<?x32xf32>)
      outs(%y : memref<?x32x64xf32>)
  return
}

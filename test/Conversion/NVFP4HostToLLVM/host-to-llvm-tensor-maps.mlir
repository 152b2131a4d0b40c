// RUN: nvfp4-opt %s --convert-nvfp4-host-to-llvm=device=true --canonicalize | FileCheck %s

/// A tensor map: its description is written, with a row at least, and the runtime's call for the 128
/// bytes is checked before the launch that has them among its arguments.
// CHECK-LABEL: llvm.func internal @main.body(
//  CHECK-SAME:     %[[CONTEXT:.+]]: !llvm.ptr, {{.*}} -> i32
//   CHECK-DAG:   %[[BYTES:.+]] = llvm.mlir.constant(160 : i32) : i32
//   CHECK-DAG:   %[[BF16:.+]] = llvm.mlir.constant(9 : i32) : i32
//   CHECK-DAG:   %[[PITCH:.+]] = llvm.mlir.constant(512 : i64) : i64
//       CHECK:   llvm.alloca %{{.+}} x i32
//       CHECK:   llvm.alloca %{{.+}} x i32
//       CHECK:   %[[MIXED:.+]] = llvm.alloca %{{.+}} x !llvm.ptr
//       CHECK:   %[[MAPS:.+]] = llvm.alloca %{{.+}} x !llvm.array<128 x i8> {alignment = 64 : i64}
//       CHECK:   %[[MAP:.+]] = llvm.alloca %{{.+}} x !llvm.struct<(i32, i32, ptr, i32, i32, array<5 x i64>, array<5 x i64>, array<5 x i32>, array<5 x i32>, i32, i32, i32, i32)>
//       CHECK:   llvm.store %[[BYTES]], %{{.+}}
//       CHECK:   llvm.store %[[BF16]], %{{.+}}
//       CHECK:   %[[ROWS:.+]] = llvm.intr.smax(%{{.+}}, %{{.+}}) : (i64, i64) -> i64
//       CHECK:   llvm.store %[[ROWS]], %{{.+}}
//       CHECK:   llvm.store %[[PITCH]], %{{.+}}
//       CHECK:   %[[STATUS:.+]] = llvm.call %{{.+}}(%{{.+}}, %[[MAP]], %[[MAPS]]) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32
//       CHECK:   llvm.cond_br %{{.+}}, ^[[LAUNCH:.+]], ^{{.+}}(%[[STATUS]] : i32)
//       CHECK: ^[[LAUNCH]]:
//       CHECK:   llvm.store %[[MAPS]], %{{.+}}
//       CHECK:   llvm.call %{{.+}}(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %[[MIXED]])

/// An argument of 128 bytes, and the version that has them.
// CHECK-LABEL: llvm.mlir.global external constant @nvfp4_program()
//       CHECK:   llvm.mlir.constant(3 : i32)

#dims = affine_map<(d0) -> (256, d0)>
#strides = affine_map<(d0) -> (2, 512)>
module attributes {gpu.container_module} {
gpu.binary @device [#gpu.object<#nvvm.target<chip = "sm_90a">, assembly = "text">]
func.func private @main.plan(%n: index) -> (index, index) {
  %c64 = arith.constant 64 : index
  return %n, %c64 : index, index
}
func.func @main(%x: memref<?x256xbf16>, %y: memref<?xf32> {nvfp4.result = 0}, %workspace: memref<?xi8>)
    attributes {nvfp4.entry = {
      dimensions = [{name = "n", min = 0, max = -1}],
      arguments = [{kind = "input", name = "x", dtype = "BF16", shape = ["n", 256]}],
      results = [{name = "y", dtype = "F32", shape = ["n"]}]}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  %n = memref.dim %x, %c0 : memref<?x256xbf16>
  %extent = arith.index_cast %n : index to i64
  %place = memref.extract_aligned_pointer_as_index %x : memref<?x256xbf16> -> index
  %address = arith.index_cast %place : index to i64
  %pointer = llvm.inttoptr %address : i64 to !llvm.ptr
  gpu.launch_func @device::@kernel blocks in (%c1, %c1, %c1) threads in (%c128, %c1, %c1) args(%extent : i64, %pointer : !llvm.ptr)
      {nvfp4.tensor_maps = [{operand = 1 : i64, dtype = 9 : i64, swizzle = 3 : i64, box = array<i64: 64, 128>, dims = #dims, strides = #strides}]}
  return
}
}

// RUN: nvfp4-opt %s --convert-nvfp4-host-to-llvm=device=true --canonicalize | FileCheck %s

/// A launch: arguments in an area of the stack, and a status that is checked.
// CHECK-LABEL: llvm.func internal @main.body(
//  CHECK-SAME:     %[[CONTEXT:.+]]: !llvm.ptr, {{.*}} -> i32
//   CHECK-DAG:   %[[ZERO:.+]] = llvm.mlir.constant(0 : i32) : i32
//   CHECK-DAG:   %[[SHARED:.+]] = llvm.mlir.constant(1024 : i32) : i32
//       CHECK:   %[[SLOTS:.+]] = llvm.alloca %{{.+}} x i64
//       CHECK:   %[[ADDRESSES:.+]] = llvm.alloca %{{.+}} x !llvm.ptr
//       CHECK:   %[[GRID:.+]] = llvm.alloca
//       CHECK:   %[[BLOCK:.+]] = llvm.alloca
//       CHECK:   llvm.cond_br %{{.+}}, ^[[LAUNCH:.+]], ^[[AFTER:.+]]
//       CHECK: ^[[LAUNCH]]:
//       CHECK:   llvm.store %{{.+}}, %[[SLOTS]]
//       CHECK:   %[[STATUS:.+]] = llvm.call %{{.+}}(%{{.+}}, %[[ZERO]], %[[GRID]], %[[BLOCK]], %[[SHARED]], %[[ADDRESSES]])
//       CHECK:   %[[GOOD:.+]] = llvm.icmp "eq" %[[STATUS]], %[[ZERO]]
//       CHECK:   llvm.cond_br %[[GOOD]], ^{{.+}}, ^[[BAD:.+]](%[[STATUS]] : i32)
/// A fill: so many values of so many bytes. A copy: so many bytes.
//       CHECK:   llvm.call %{{.+}}(%{{.+}}, %{{.+}}, %[[SLOTS]], %{{.+}}, %{{.+}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i32, i64) -> i32
//       CHECK:   llvm.call %{{.+}} : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> i32
//       CHECK: ^[[BAD]](%[[RESULT:.+]]: i32):
//       CHECK:   llvm.return %[[RESULT]] : i32

/// The device clears the error word.
// CHECK-LABEL: llvm.func internal @main.run_abi(
//  CHECK-SAME:     %[[WORKSPACE:[^ ]+]]: !llvm.ptr) -> i32
//   CHECK-NOT:   llvm.store %{{.+}}, %[[WORKSPACE]]
//       CHECK:   llvm.call %{{.+}}(%{{.+}}, %[[WORKSPACE]], %{{.+}}, %{{.+}}, %{{.+}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i32, i64) -> i32

/// Machine code comes before PTX, which ends with a null byte.
//   CHECK-DAG: llvm.mlir.global internal constant @nvfp4.image.cubin("ELF")
//   CHECK-DAG: llvm.mlir.global internal constant @nvfp4.image.ptx("text\00")
// CHECK-LABEL: llvm.mlir.global internal constant @nvfp4.images()
//   CHECK-DAG:   %[[PTX:.+]] = llvm.mlir.addressof @nvfp4.image.ptx
//   CHECK-DAG:   %[[CUBIN:.+]] = llvm.mlir.addressof @nvfp4.image.cubin
//       CHECK:   llvm.insertvalue %[[CUBIN]], %{{.+}}[3]
//       CHECK:   llvm.insertvalue %[[PTX]], %{{.+}}[3]
/// A cluster of 4 x 2 x 1 blocks; a kernel that waits itself.
// CHECK-LABEL: llvm.mlir.global internal constant @nvfp4.kernels()
//   CHECK-DAG:   %[[X:.+]] = llvm.mlir.constant(4 : i32)
//   CHECK-DAG:   %[[Y:.+]] = llvm.mlir.constant(2 : i32)
//   CHECK-DAG:   %[[ONE:.+]] = llvm.mlir.constant(1 : i32)
//       CHECK:   llvm.insertvalue %[[X]], %{{.+}}[4]
//       CHECK:   llvm.insertvalue %[[Y]], %{{.+}}[5]
//       CHECK:   llvm.insertvalue %[[ONE]], %{{.+}}[6]
//       CHECK:   llvm.insertvalue %[[ONE]], %{{.+}}[7]
// CHECK-LABEL: llvm.mlir.global external constant @nvfp4_program()
//   CHECK-DAG:   llvm.mlir.constant(2 : i32)
//   CHECK-DAG:   llvm.mlir.constant(48 : i32)

module attributes {gpu.container_module} {
gpu.binary @device [
  #gpu.object<#nvvm.target<chip = "sm_120a">, assembly = "text">,
  #gpu.object<#nvvm.target<chip = "sm_120a">, bin = "ELF">
]
func.func private @main.plan(%n: index) -> (index, index) {
  %c64 = arith.constant 64 : index
  return %n, %c64 : index, index
}
func.func @main(%x: memref<?xf32>, %y: memref<?xf32> {nvfp4.result = 0}, %workspace: memref<?xi8>)
    attributes {nvfp4.entry = {
      dimensions = [{name = "n", min = 0, max = -1}],
      arguments = [{kind = "input", name = "x", dtype = "F32", shape = ["n"]}],
      results = [{name = "y", dtype = "F32", shape = ["n"]}]}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c128 = arith.constant 128 : index
  %bytes = arith.constant 1024 : i32
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?xf32>
  %some = arith.cmpi ne, %n, %c0 : index
  scf.if %some {
    gpu.launch_func @device::@kernel clusters in (%c4, %c2, %c1) blocks in (%n, %c1, %c1) threads in (%c128, %c1, %c1)
        dynamic_shared_memory_size %bytes args(%n : index) {nvfp4.programmatic_launch}
  }
  linalg.fill ins(%zero : f32) outs(%y : memref<?xf32>)
  memref.copy %x, %y : memref<?xf32> to memref<?xf32>
  return
}
}

// RUN: nvfp4-opt %s --convert-nvfp4-host-to-llvm --canonicalize | FileCheck %s

/// What program.so exports, field by field.
// CHECK-DAG: llvm.mlir.global internal constant @[[NAME:.+]]("main\00")
// CHECK-DAG: llvm.mlir.global internal constant @[[MESSAGE:.+]]("n must be even\00")

/// The body gets the context first; a failed assert asks it what to return.
// CHECK-LABEL: llvm.func internal @main.body(
//  CHECK-SAME:     %[[CONTEXT:.+]]: !llvm.ptr, {{.*}} -> i32
//       CHECK:   %[[TEXT:.+]] = llvm.mlir.addressof @[[MESSAGE]]
//       CHECK:   llvm.cond_br %{{.+}}, ^[[REST:.+]], ^[[FAIL:.+]]
//       CHECK: ^[[REST]]:
//       CHECK:   llvm.return %{{.+}} : i32
//       CHECK: ^[[FAIL]]:
//       CHECK:   %[[USER:.+]] = llvm.load %{{.+}} : !llvm.ptr -> !llvm.ptr
//       CHECK:   %[[FN:.+]] = llvm.load %{{.+}} : !llvm.ptr -> !llvm.ptr
//       CHECK:   %[[STATUS:.+]] = llvm.call %[[FN]](%[[USER]], %[[TEXT]])
//       CHECK:   llvm.return %[[STATUS]] : i32

// CHECK-LABEL: llvm.func internal @main.plan_abi(
//  CHECK-SAME:     %[[DIMS:.+]]: !llvm.ptr, %[[EXTENTS:.+]]: !llvm.ptr, %[[BYTES:.+]]: !llvm.ptr) -> i32
//       CHECK:   %[[N:.+]] = llvm.load %[[DIMS]] : !llvm.ptr -> i64
//       CHECK:   llvm.call @main.plan(%[[N]])
//       CHECK:   llvm.store %{{.+}}, %[[EXTENTS]] : i64, !llvm.ptr
//       CHECK:   llvm.store %{{.+}}, %[[BYTES]] : i64, !llvm.ptr

/// The error word is cleared before anything else.
// CHECK-LABEL: llvm.func internal @main.run_abi(
//  CHECK-SAME:     %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %[[WORKSPACE:.+]]: !llvm.ptr) -> i32
//       CHECK:   llvm.store %{{.+}}, %[[WORKSPACE]] : i32, !llvm.ptr
//       CHECK:   %[[RESULT:.+]] = llvm.call @main.body(
//       CHECK:   llvm.return %[[RESULT]] : i32

// CHECK-LABEL: llvm.mlir.global internal constant @nvfp4.entries()
//       CHECK:   llvm.mlir.addressof @[[NAME]]
//       CHECK:   llvm.mlir.addressof @main.plan_abi
//       CHECK:   llvm.mlir.addressof @main.run_abi
// CHECK-LABEL: llvm.mlir.global external constant @nvfp4_program()

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
  %n = memref.dim %x, %c0 : memref<?xf32>
  %rest = arith.remui %n, %c2 : index
  %even = arith.cmpi eq, %rest, %c0 : index
  cf.assert %even, "n must be even"
  scf.for %i = %c0 to %n step %c1 {
    %v = memref.load %x[%i] : memref<?xf32>
    memref.store %v, %y[%i] : memref<?xf32>
  }
  return
}

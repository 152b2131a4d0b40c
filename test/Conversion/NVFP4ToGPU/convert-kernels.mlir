// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu | FileCheck %s

module @kernels {
  func.func @"twice.it"(%x: tensor<?xf32>, %init: tensor<?xf32>) -> tensor<?xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %y = linalg.add ins(%x, %x : tensor<?xf32>, tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
    return %y : tensor<?xf32>
  }
}

// CHECK-LABEL: func.func @dynamic(
//  CHECK-SAME:     %[[X:.+]]: memref<?xf32>, %[[Y:.+]]: memref<?xf32>)
//       CHECK:   %[[ADDRESS:.+]] = memref.extract_aligned_pointer_as_index %[[X]]
//       CHECK:   %[[WIDE:.+]] = arith.index_cast %[[ADDRESS]] : index to i64
//       CHECK:   %[[PX:.+]] = llvm.inttoptr %[[WIDE]] : i64 to !llvm.ptr<1>
//       CHECK:   %[[DIM:.+]] = memref.dim %[[X]]
//       CHECK:   %[[N:.+]] = arith.index_cast %[[DIM]] : index to i64
//       CHECK:   scf.if
//       CHECK:     gpu.launch_func @device::@twice_it
//  CHECK-SAME:         args(%[[PX]] : !llvm.ptr<1>, %{{.+}} : !llvm.ptr<1>, %[[N]] : i64, %{{.+}} : i64) {nvfp4.programmatic_launch}
//       CHECK: gpu.module @device
//       CHECK:   gpu.func @twice_it
/// The kernel may start before the one before it ends: it waits itself.
//       CHECK:   llvm.inline_asm has_side_effects "griddepcontrol.launch_dependents;", "~{memory}"
//  CHECK-NEXT:     llvm.inline_asm has_side_effects "griddepcontrol.wait;", "~{memory}"
func.func @dynamic(%x: memref<?xf32>, %y: memref<?xf32>) {
  nvfp4.dispatch @kernels::@"twice.it" ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

// -----

module @kernels {
  func.func @zeros(%init: tensor<256xf32>) -> tensor<256xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %zero = arith.constant 0.0 : f32
    %y = linalg.fill ins(%zero : f32) outs(%init : tensor<256xf32>) -> tensor<256xf32>
    return %y : tensor<256xf32>
  }
}

/// A grid that is known not to be empty needs no check.
// CHECK-LABEL: func.func @static(
//   CHECK-NOT:   scf.if
//       CHECK:   gpu.launch_func @device::@zeros
func.func @static(%y: memref<256xf32>) {
  nvfp4.dispatch @kernels::@zeros outs(%y : memref<256xf32>)
  return
}

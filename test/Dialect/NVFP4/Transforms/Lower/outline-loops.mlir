// RUN: nvfp4-opt %s --nvfp4-outline-loops --split-input-file | FileCheck %s

/// Equal nests are one function; constants move along, buffers are arguments.
// CHECK-LABEL: func.func @twice(
//  CHECK-SAME:     %[[A:[^ ]+]]: memref<8xf32>, %[[B:[^ ]+]]: memref<8xf32>, %[[C:[^ ]+]]: memref<8xf32>)
//       CHECK:   call @loop(%[[A]], %[[B]])
//       CHECK:   call @loop(%[[B]], %[[C]])
//   CHECK-NOT:   scf.for
// CHECK-LABEL: func.func private @loop(
//  CHECK-SAME:     memref<8xf32> {llvm.noalias}, %{{[^:]+}}: memref<8xf32> {llvm.noalias}) attributes {no_inline}
//       CHECK:   arith.constant
//       CHECK:   scf.for
//   CHECK-NOT: func.func private
func.func @twice(%a: memref<8xf32>, %b: memref<8xf32>, %c: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %x = memref.load %a[%i] : memref<8xf32>
    memref.store %x, %b[%i] : memref<8xf32>
  }
  scf.for %i = %c0 to %c8 step %c1 {
    %x = memref.load %b[%i] : memref<8xf32>
    memref.store %x, %c[%i] : memref<8xf32>
  }
  return
}

// -----

/// Two views of one buffer may overlap.
// CHECK-LABEL: func.func private @loop(
//  CHECK-SAME:     memref<4xf32>, %{{[^:]+}}: memref<4xf32, strided<[1], offset: 2>>, %{{[^:]+}}: memref<4xf32> {llvm.noalias})
func.func @negative_overlap(%a: memref<8xf32>, %out: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %lo = memref.subview %a[0] [4] [1] : memref<8xf32> to memref<4xf32, strided<[1]>>
  %l = memref.cast %lo : memref<4xf32, strided<[1]>> to memref<4xf32>
  %h = memref.subview %a[2] [4] [1] : memref<8xf32> to memref<4xf32, strided<[1], offset: 2>>
  scf.for %i = %c0 to %c4 step %c1 {
    %x = memref.load %l[%i] : memref<4xf32>
    memref.store %x, %h[%i] : memref<4xf32, strided<[1], offset: 2>>
    memref.store %x, %out[%i] : memref<4xf32>
  }
  return
}

// -----

/// Slots of a workspace do not overlap.
// CHECK-LABEL: func.func private @loop(
//  CHECK-SAME:     memref<4xf32> {llvm.noalias}, %{{[^:]+}}: memref<4xf32> {llvm.noalias})
func.func @slots(%w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %a = memref.view %w[%c64][] : memref<?xi8> to memref<4xf32>
  %b = memref.view %w[%c128][] : memref<?xi8> to memref<4xf32>
  scf.for %i = %c0 to %c4 step %c1 {
    %x = memref.load %a[%i] : memref<4xf32>
    memref.store %x, %b[%i] : memref<4xf32>
  }
  return
}

// -----

/// A loop over rows becomes a function of a range of them.
// CHECK-LABEL: func.func @rows(
//  CHECK-SAME:     %[[A:[^ ]+]]: memref<?xf32>, %[[N:[^ ]+]]: index)
//       CHECK:   call @loop(%c0, %[[N]], %[[A]])
// CHECK-LABEL: func.func private @loop(
//  CHECK-SAME:     %[[BEGIN:[^ ]+]]: index, %[[END:[^ ]+]]: index, %[[B:[^ ]+]]: memref<?xf32> {llvm.noalias}) attributes {no_inline, nvfp4.grain = 4 : i64}
//       CHECK:   scf.for %[[I:.+]] = %[[BEGIN]] to %[[END]]
//       CHECK:     memref.load %[[B]][%[[I]]]
func.func @rows(%a: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %x = memref.load %a[%i] : memref<?xf32>
    %y = arith.negf %x : f32
    memref.store %y, %a[%i] : memref<?xf32>
  } {nvfp4.grain = 4 : i64}
  return
}

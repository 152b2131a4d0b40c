// RUN: nvfp4-opt %s --nvfp4-plan-workspace --canonicalize --cse --split-input-file | FileCheck %s
// RUN: nvfp4-opt %s --nvfp4-plan-workspace --split-input-file -o /dev/null \
// RUN:     --remarks-filter-passed="nvfp4.*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

/// %a is dead when %c is written: one slot. %b lives next to both: another.
// REMARK: remark: {{.*}}3 buffers share 2 slots: 32*n bytes, saved 16*n
// CHECK-LABEL: func.func @disjoint_lifetimes(
//  CHECK-SAME:     %[[W:[^ ]+]]: memref<?xi8>)
//       CHECK:   %[[C64:.+]] = arith.constant 64 : index
//       CHECK:   %[[A:.+]] = memref.view %[[W]][%[[C64]]]
//       CHECK:   %[[B:.+]] = memref.view %[[W]]
//       CHECK:   linalg.exp ins(%{{.+}} {{.*}} outs(%[[A]]
//       CHECK:   linalg.exp ins(%[[A]] {{.*}} outs(%[[B]]
//       CHECK:   linalg.exp ins(%[[B]] {{.*}} outs(%[[A]]
func.func @disjoint_lifetimes(%x: memref<?x4xf32>)
    attributes {nvfp4.entry = {dimensions = [{name = "n", min = 0, max = -1}],
                arguments = [{name = "x", dtype = "F32", shape = ["n", 4]}], results = []}} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  %a = memref.alloc(%n) : memref<?x4xf32>
  linalg.exp ins(%x : memref<?x4xf32>) outs(%a : memref<?x4xf32>)
  %b = memref.alloc(%n) : memref<?x4xf32>
  linalg.exp ins(%a : memref<?x4xf32>) outs(%b : memref<?x4xf32>)
  %c = memref.alloc(%n) : memref<?x4xf32>
  linalg.exp ins(%b : memref<?x4xf32>) outs(%c : memref<?x4xf32>)
  return
}

// -----

/// 8 n <= 16 n for every n: the small buffer goes where the large one was.
// REMARK: remark: {{.*}}2 buffers share 1 slots: 64*n bytes, saved 8*n
func.func @ordered_sizes(%x: memref<?x16xf32>, %y: memref<?xf64>)
    attributes {nvfp4.entry = {dimensions = [{name = "n", min = 0, max = -1}],
                arguments = [{name = "x", dtype = "F32", shape = ["n", 16]},
                             {name = "y", dtype = "F64", shape = ["n"]}], results = []}} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x16xf32>
  %a = memref.alloc(%n) : memref<?x16xf32>
  linalg.exp ins(%x : memref<?x16xf32>) outs(%a : memref<?x16xf32>)
  %b = memref.alloc(%n) : memref<?xf64>
  linalg.exp ins(%y : memref<?xf64>) outs(%b : memref<?xf64>)
  return
}

// -----

/// Nobody knows whether n is less than 100.
// REMARK: remark: {{.*}}2 buffers share 2 slots: 4*n + 400 bytes, saved 0
func.func @negative_unordered_sizes(%x: memref<?xf32>, %y: memref<100xf32>)
    attributes {nvfp4.entry = {dimensions = [{name = "n", min = 0, max = -1}],
                arguments = [{name = "x", dtype = "F32", shape = ["n"]},
                             {name = "y", dtype = "F32", shape = [100]}], results = []}} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  %b = memref.alloc() : memref<100xf32>
  linalg.exp ins(%y : memref<100xf32>) outs(%b : memref<100xf32>)
  return
}

// -----

/// The same with a minimum of 100.
// REMARK: remark: {{.*}}2 buffers share 1 slots: 4*n bytes, saved 400
func.func @ordered_by_minimum(%x: memref<?xf32>, %y: memref<100xf32>)
    attributes {nvfp4.entry = {dimensions = [{name = "n", min = 100, max = -1}],
                arguments = [{name = "x", dtype = "F32", shape = ["n"]},
                             {name = "y", dtype = "F32", shape = [100]}], results = []}} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  %b = memref.alloc() : memref<100xf32>
  linalg.exp ins(%y : memref<100xf32>) outs(%b : memref<100xf32>)
  return
}

// -----

/// A view keeps its buffer alive.
// REMARK: remark: {{.*}}2 buffers share 2 slots: 128 bytes, saved 0
func.func @negative_alive_through_view(%x: memref<16xf32>, %y: memref<16xf32>)
    attributes {nvfp4.entry = {dimensions = [],
                arguments = [{name = "x", dtype = "F32", shape = [16]},
                             {name = "y", dtype = "F32", shape = [16]}], results = []}} {
  %a = memref.alloc() : memref<16xf32>
  linalg.exp ins(%x : memref<16xf32>) outs(%a : memref<16xf32>)
  %v = memref.expand_shape %a [[0, 1]] output_shape [4, 4] : memref<16xf32> into memref<4x4xf32>
  %b = memref.alloc() : memref<4x4xf32>
  linalg.exp ins(%v : memref<4x4xf32>) outs(%b : memref<4x4xf32>)
  linalg.exp ins(%v : memref<4x4xf32>) outs(%b : memref<4x4xf32>)
  return
}

// -----

/// A buffer that a loop body allocates lives as long as the loop.
// REMARK: remark: {{.*}}2 buffers share 2 slots: 128 bytes, saved 0
// CHECK-LABEL: func.func @allocated_in_loop(
//       CHECK:   %[[A:.+]] = memref.view
//       CHECK:   %[[B:.+]] = memref.view
//       CHECK:   scf.for
func.func @allocated_in_loop(%x: memref<16xf32>)
    attributes {nvfp4.entry = {dimensions = [],
                arguments = [{name = "x", dtype = "F32", shape = [16]}], results = []}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  scf.for %i = %c0 to %c9 step %c1 {
    %a = memref.alloc() : memref<16xf32>
    linalg.exp ins(%x : memref<16xf32>) outs(%a : memref<16xf32>)
    %b = memref.alloc() : memref<16xf32>
    linalg.exp ins(%a : memref<16xf32>) outs(%b : memref<16xf32>)
    linalg.exp ins(%b : memref<16xf32>) outs(%a : memref<16xf32>)
  }
  return
}

// RUN: nvfp4-opt %s --nvfp4-plan-workspace --split-input-file --verify-diagnostics

func.func @size_from_data(%x: memref<?xf32>, %size: memref<index>)
    attributes {nvfp4.entry = {dimensions = [{name = "n", min = 0, max = -1}],
                arguments = [{name = "x", dtype = "F32", shape = ["n"]},
                             {name = "size", dtype = "I64", shape = []}], results = []}} {
  // expected-note@below {{the size depends on this}}
  %n = memref.load %size[] : memref<index>
  // expected-error@below {{expected the size of a buffer to depend on dimensions only, but got 'memref.load'}}
  %a = memref.alloc(%n) : memref<?xf32>
  linalg.exp ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  return
}

// -----

func.func @result_from_data(%size: memref<index>, %out: memref<?xf32> {nvfp4.result = 0}) -> index
    attributes {nvfp4.entry = {dimensions = [],
                arguments = [{name = "size", dtype = "I64", shape = []}],
                results = [{name = "y", dtype = "F32", shape = [-1]}]}} {
  // expected-note@below {{the size depends on this}}
  %n = memref.load %size[] : memref<index>
  // expected-error@below {{expected the extents of a result to depend on dimensions only, but got 'memref.load'}}
  return %n : index
}

// -----

// expected-error@below {{expected 2 arguments as in 'nvfp4.entry' and 0 results, but got 1 arguments}}
func.func @too_few_arguments(%x: memref<6xf32>)
    attributes {nvfp4.entry = {dimensions = [],
                arguments = [{name = "x", dtype = "F32", shape = [6]},
                             {name = "y", dtype = "F32", shape = [6]}], results = []}} {
  return
}

// -----

func.func @carried_by_a_loop(%x: memref<16xf32>)
    attributes {nvfp4.entry = {dimensions = [],
                arguments = [{name = "x", dtype = "F32", shape = [16]}], results = []}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %y = scf.for %i = %c0 to %c9 step %c1 iter_args(%t = %x) -> memref<16xf32> {
    // expected-error@below {{expected a loop that carries buffers in place, but this buffer leaves the iteration that allocates it}}
    %a = memref.alloc() : memref<16xf32>
    linalg.exp ins(%t : memref<16xf32>) outs(%a : memref<16xf32>)
    scf.yield %a : memref<16xf32>
  }
  return
}

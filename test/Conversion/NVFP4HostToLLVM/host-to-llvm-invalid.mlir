// RUN: nvfp4-opt %s --convert-nvfp4-host-to-llvm --split-input-file --verify-diagnostics

func.func private @nested.plan() -> index {
  %c64 = arith.constant 64 : index
  return %c64 : index
}
func.func @nested(%x: memref<8xi1>, %workspace: memref<?xi8>)
    attributes {nvfp4.entry = {dimensions = [],
      arguments = [{name = "x", dtype = "BOOL", shape = [8]}], results = []}} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %x[%i] : memref<8xi1>
    // expected-error@below {{expected 'cf.assert' at the level of an entry function, but got one in a nested region}}
    cf.assert %v, "no"
  }
  return
}

// -----

// expected-error@below {{expected a function '@unplanned.plan' for entry '@unplanned', but got none}}
module {
  func.func @unplanned(%workspace: memref<?xi8>)
      attributes {nvfp4.entry = {dimensions = [], arguments = [], results = []}} {
    return
  }
}

// -----

// expected-error@below {{expected 2 arguments (those in 'nvfp4.entry', results and workspace), but got 1}}
func.func @no_workspace(%x: memref<8xi1>)
    attributes {nvfp4.entry = {dimensions = [],
      arguments = [{name = "x", dtype = "BOOL", shape = [8]}], results = []}} {
  return
}

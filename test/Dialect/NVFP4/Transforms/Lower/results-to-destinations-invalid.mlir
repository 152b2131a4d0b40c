// RUN: nvfp4-opt %s --nvfp4-results-to-destinations --split-input-file --verify-diagnostics

// expected-error@below {{expected an entry function with the attribute 'nvfp4.entry', which 'nvfp4-record-entry' writes}}
func.func @no_interface(%x: tensor<6xf32>) -> tensor<6xf32> {
  return %x : tensor<6xf32>
}

// -----

// expected-error@below {{expected 'name', 'dtype' and 'shape' of each tensor in 'nvfp4.entry'}}
func.func @malformed_interface(%x: tensor<6xf32>) -> tensor<6xf32>
    attributes {nvfp4.entry = {dimensions = [], arguments = [{name = "x"}], results = []}} {
  return %x : tensor<6xf32>
}

// -----

// expected-error@below {{expected dimension 'n' of 'x' in 'nvfp4.entry'}}
func.func @unknown_dimension(%x: tensor<?xf32>)
    attributes {nvfp4.entry = {dimensions = [],
                arguments = [{name = "x", dtype = "F32", shape = ["n"]}], results = []}} {
  return
}

// -----

// expected-error@below {{expected an entry function of one block, but got 2; branches must be structured ('scf')}}
func.func @two_blocks(%x: tensor<6xf32>) -> tensor<6xf32>
    attributes {nvfp4.entry = {dimensions = [],
                arguments = [{name = "x", dtype = "F32", shape = [6]}],
                results = [{name = "y", dtype = "F32", shape = [6]}]}} {
  cf.br ^next
^next:
  return %x : tensor<6xf32>
}

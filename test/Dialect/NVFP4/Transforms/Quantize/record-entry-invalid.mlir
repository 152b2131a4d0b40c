// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: nvfp4-opt %s --nvfp4-record-entry --split-input-file --verify-diagnostics

// expected-error@below {{expected input names that are unique, but got 'x' twice}}
func.func @input_twice(%a: tensor<2xf32> {nvfp4.name = "x"}, %b: tensor<2xf32> {nvfp4.name = "x"}) {
  return
}

// -----

// expected-error@below {{expected result names that are unique, but got 'result1' twice}}
func.func @result_twice(%a: tensor<2xf32>) -> (tensor<2xf32> {nvfp4.name = "result1"}, tensor<2xf32>) {
  return %a, %a : tensor<2xf32>, tensor<2xf32>
}

// -----

// expected-error@below {{expected 'nvfp4.shape' of 'arg0' to have one integer or name per dimension of 'tensor<?x32xf32>', but got ["batch"]}}
func.func @shape_rank(%a: tensor<?x32xf32> {nvfp4.shape = ["batch"]}) {
  return
}

// -----

// expected-error@below {{expected 'nvfp4.shape' of 'arg0' to have one integer or name per dimension of 'tensor<?x32xf32>', but got ["batch", 16]}}
func.func @shape_extent(%a: tensor<?x32xf32> {nvfp4.shape = ["batch", 16]}) {
  return
}

// -----

// expected-error@below {{expected the bounds of dimension 'batch' to be [minimum, maximum] with 0 <= minimum <= maximum, or -1 for no maximum, but got [4, 1]}}
func.func @bounds(%a: tensor<?x32xf32> {nvfp4.shape = ["batch", 32]}) attributes {nvfp4.dimensions = {batch = [4, 1]}} {
  return
}

// -----

// expected-error@below {{expected dimension 'batch' in the shape of an input, but got it in no input}}
func.func @dimension_unknown(%a: tensor<2xf32>) attributes {nvfp4.dimensions = {batch = [1, 4]}} {
  return
}

// -----

// expected-error@below {{expected input 'arg0' to be a tensor of elements that a safetensors file can hold, but got 'index'}}
func.func @scalar(%a: index) {
  return
}

// -----

// expected-error@below {{expected weight 'w' to have a static shape, but got 'tensor<?xf32>'}}
func.func @dynamic_weight(%a: tensor<?xf32> {nvfp4.weight = "w"}) {
  return
}

// -----

// expected-error@below {{expected 'nvfp4.packed' of argument 0 to name a packing function, but got @missing}}
func.func @missing_pack(%a: tensor<4xf32> {nvfp4.packed = @missing}) {
  return
}

// -----

// expected-error@below {{expected argument 0 to be a weight or an input, but got both 'nvfp4.name' and a weight}}
func.func @both(%a: tensor<4xf32> {nvfp4.weight = "w", nvfp4.name = "x"}) {
  return
}

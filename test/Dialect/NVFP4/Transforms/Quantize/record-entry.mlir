// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: nvfp4-opt %s --nvfp4-record-entry --allow-unregistered-dialect --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @main(
//  CHECK-SAME: nvfp4.entry = {
//  CHECK-SAME: arguments = [{dtype = "I64", kind = "input", name = "input_ids", shape = ["batch", 32]},
//  CHECK-SAME:   {dtype = "BF16", kind = "weight", name = "norm.weight", shape = [384]},
//  CHECK-SAME:   {dtype = "nvfp4", kind = "weight", name = "query.weight", shape = [64, 384]},
//  CHECK-SAME:   {dtype = "BOOL", kind = "input", name = "arg3", shape = ["arg3.dim0"]}],
//  CHECK-SAME: dimensions = [{max = 64 : i64, min = 1 : i64, name = "batch"},
//  CHECK-SAME:   {max = -1 : i64, min = 0 : i64, name = "arg3.dim0"}],
//  CHECK-SAME: results = [{dtype = "F32", name = "hidden", shape = ["batch", 384]},
//  CHECK-SAME:   {dtype = "I8", name = "result1", shape = [-1]}]}
func.func @main(%ids: tensor<?x32xi64> {nvfp4.name = "input_ids", nvfp4.shape = ["batch", 32]},
                %n: tensor<384xbf16> {nvfp4.weight = "norm.weight"},
                %w: !nvfp4.tensor<64x384, nvfp4> {nvfp4.packed = @pack.query.weight},
                %m: tensor<?xi1>)
    -> (tensor<?x384xf32> {nvfp4.name = "hidden", nvfp4.shape = ["batch", 384]}, tensor<?xi8>)
    attributes {nvfp4.dimensions = {batch = [1, 64]}} {
  %0, %1 = "test.op"(%ids, %n, %w, %m) : (tensor<?x32xi64>, tensor<384xbf16>, !nvfp4.tensor<64x384, nvfp4>, tensor<?xi1>)
      -> (tensor<?x384xf32>, tensor<?xi8>)
  return %0, %1 : tensor<?x384xf32>, tensor<?xi8>
}
func.func private @pack.query.weight(%w: tensor<64x384xf32> {nvfp4.weight = "query.weight"})
    -> !nvfp4.tensor<64x384, nvfp4> attributes {nvfp4.pack = "query.weight"} {
  %g = nvfp4.global_scale %w : tensor<64x384xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return %q : !nvfp4.tensor<64x384, nvfp4>
}

// -----

/// A function without arguments is an entry too; a private one is none.
// CHECK-LABEL: func.func @empty()
//  CHECK-SAME: nvfp4.entry = {arguments = [], dimensions = [], results = []}
//       CHECK: func.func private @helper() {
func.func @empty() {
  return
}
func.func private @helper() {
  return
}

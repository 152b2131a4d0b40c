// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics --nvfp4-check-extents

func.func @never_equal(%a: tensor<?xf32> {nvfp4.shape = ["m"]}, %b: tensor<?xf32> {nvfp4.shape = ["n"]},
                       %init: tensor<?xf32> {nvfp4.shape = ["m"]}) -> tensor<?xf32>
    attributes {nvfp4.dimensions = {m = [1, 4], n = [8, 8]}} {
  // expected-error@below {{expected dimension 0 of argument 1 (n) to equal dimension 0 of argument 0 (m)}}
  %y = linalg.add ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

func.func @size_from_data(%a: tensor<?xf32> {nvfp4.shape = ["m"]}, %n: index) -> tensor<?xf32> {
  // expected-error@below {{which cannot be checked before the run because it does not follow from the dimensions of the entry's arguments}}
  %y = tensor.extract_slice %a[0] [%n] [1] : tensor<?xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

func.func @gather(%a: tensor<4xf32>, %ids: tensor<2x1xindex>) -> tensor<2xf32> {
  // expected-error@below {{expected gathers and scatters as linalg ops, whose indices are checked}}
  %y = tensor.gather %a[%ids] gather_dims([0]) : (tensor<4xf32>, tensor<2x1xindex>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

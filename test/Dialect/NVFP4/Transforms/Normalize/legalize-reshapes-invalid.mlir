// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics --nvfp4-legalize-reshapes

func.func @size_from_data(%x: tensor<?xf32> {nvfp4.shape = ["m"]}, %sizes: tensor<2xi64>) -> tensor<?x4xf32> {
  // expected-error@below {{expected dimension 0 of 'tensor<?x4xf32>' to be computed from dimensions of the entry's arguments}}
  %y = tensor.reshape %x(%sizes) : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @unranked(%x: tensor<*xf32>, %sizes: tensor<2xi64>) -> tensor<?x?xf32> {
  // expected-error@below {{expected ranked tensors, but got 'tensor<*xf32>' to 'tensor<?x?xf32>'}}
  %y = tensor.reshape %x(%sizes) : (tensor<*xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

func.func @other_size(%x: tensor<?xf32> {nvfp4.shape = ["m"]}) -> tensor<?x4xf32>
    attributes {nvfp4.dimensions = {m = [1, -1]}} {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %m = tensor.dim %x, %c0 : tensor<?xf32>
  %sizes = tensor.from_elements %m, %c4 : tensor<2xindex>
  // expected-error@below {{expected a reshape of m elements to have as many, but got 4 * m}}
  %y = tensor.reshape %x(%sizes) : (tensor<?xf32>, tensor<2xindex>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

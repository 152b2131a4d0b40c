// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics --nvfp4-unify-dimensions

// expected-warning@below {{expected 'nvfp4.shape' to name every dynamic dimension of an argument, but dimension 0 of 'mask' is an unnamed dynamic dimension}}
// expected-note@below {{it becomes 'mask.dim0', which is tied to no other dimension}}
func.func @unnamed(%a: tensor<?x4xf32> {nvfp4.name = "mask"}) {
  return
}

// -----

// expected-error@below {{expected 'nvfp4.shape' on a ranked tensor, but argument 0 is 'f32'}}
func.func @shape_of_number(%a: f32 {nvfp4.shape = []}) {
  return
}

// -----

// expected-error@below {{expected 'nvfp4.shape' of 'x' to be an array, but got "batch"}}
func.func @shape_no_array(%a: tensor<?xf32> {nvfp4.name = "x", nvfp4.shape = "batch"}) {
  return
}

// -----

// expected-error@below {{expected 'nvfp4.shape' of argument 0 to have 2 elements, one per dimension of 'tensor<?x4xf32>', but got ["batch"]}}
func.func @shape_rank(%a: tensor<?x4xf32> {nvfp4.shape = ["batch"]}) {
  return
}

// -----

// expected-error@below {{expected extent 4 for dimension 1 of argument 0, but got 5}}
func.func @shape_extent(%a: tensor<?x4xf32> {nvfp4.shape = ["batch", 5]}) {
  return
}

// -----

// expected-error@below {{expected a name for dynamic dimension 0 of argument 0, but got 8}}
func.func @shape_dynamic(%a: tensor<?x4xf32> {nvfp4.shape = [8, 4]}) {
  return
}

// -----

// expected-error@below {{expected dimensions of result 'y' to be dimensions of arguments, but no argument has dimension 'rows'}}
func.func @result_dimension(%a: tensor<?xf32> {nvfp4.shape = ["batch"]})
    -> (tensor<?xf32> {nvfp4.name = "y", nvfp4.shape = ["rows"]}) {
  return %a : tensor<?xf32>
}

// -----

// expected-error@below {{expected 'nvfp4.dimensions' to be a dictionary, but got "batch"}}
func.func @dimensions_no_dictionary(%a: tensor<?xf32> {nvfp4.shape = ["batch"]})
    attributes {nvfp4.dimensions = "batch"} {
  return
}

// -----

// expected-error@below {{expected [minimum, maximum] for dimension 'batch' in 'nvfp4.dimensions', but got 4}}
func.func @dimensions_no_pair(%a: tensor<?xf32> {nvfp4.shape = ["batch"]})
    attributes {nvfp4.dimensions = {batch = 4}} {
  return
}

// -----

// expected-error@below {{expected 0 <= minimum <= maximum, or maximum -1 for none, for dimension 'batch', but got [8, 4]}}
func.func @dimensions_order(%a: tensor<?xf32> {nvfp4.shape = ["batch"]})
    attributes {nvfp4.dimensions = {batch = [8, 4]}} {
  return
}

// -----

// expected-error@below {{expected 'nvfp4.dimensions' to bound dimensions of arguments, but no argument has dimension 'sequence'}}
func.func @dimensions_unknown(%a: tensor<?xf32> {nvfp4.shape = ["batch"]})
    attributes {nvfp4.dimensions = {sequence = [1, 4]}} {
  return
}

// RUN: nvfp4-opt %s --verify-diagnostics --nvfp4-unify-dimensions=strict

// expected-error@below {{dimension 0 of argument 0 is an unnamed dynamic dimension}}
func.func @unnamed(%a: tensor<?x4xf32>) {
  return
}

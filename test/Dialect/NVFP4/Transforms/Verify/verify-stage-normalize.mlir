// RUN: nvfp4-opt %s --nvfp4-verify-stage=stage=normalize --split-input-file --verify-diagnostics

/// What Normalize promises. The host can check shapes, at function level.
func.func @good(%x: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]}, %c: i1) -> tensor<?x4xf32> {
  cf.assert %c, "mismatched size"
  return %x : tensor<?x4xf32>
}
/// Only entries have an interface.
func.func private @helper(%x: tensor<?x4xf32>) {
  return
}
func.func private @declaration(%x: tensor<?x4xf32>)

// -----

/// A loop body cannot return.
func.func @assert_in_body(%x: tensor<4xi1>, %init: tensor<4xi1>) -> tensor<4xi1> {
  %y = linalg.map ins(%x : tensor<4xi1>) outs(%init : tensor<4xi1>)
    (%in: i1, %out: i1) {
      // expected-error@below {{expected no assert below function level after Normalize}}
      cf.assert %in, "index out of range"
      linalg.yield %in : i1
    }
  return %y : tensor<4xi1>
}

// -----

func.func @assert_in_if(%c: i1) {
  scf.if %c {
    // expected-error@below {{expected no assert below function level after Normalize}}
    cf.assert %c, "index out of range"
  }
  return
}

// -----

/// A function that calls itself cannot be inlined.
func.func private @recursive(%n: index) -> index {
  // expected-error@below {{expected no calls after Normalize; @recursive is recursive, external or has several blocks}}
  %m = func.call @recursive(%n) : (index) -> index
  return %m : index
}

// -----

func.func @reshape(%x: tensor<8xf32>, %s: tensor<2xindex>) -> tensor<2x4xf32> {
  // expected-error@below {{expected expand_shape or collapse_shape after Normalize}}
  %y = tensor.reshape %x(%s) : (tensor<8xf32>, tensor<2xindex>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// expected-error@below {{expected nvfp4.shape on argument 1, whose type is 'tensor<?xf32>'}}
func.func @unnamed_dimension(%a: tensor<?xf32> {nvfp4.shape = ["n"]}, %b: tensor<?xf32>) {
  return
}

// -----

/// After every stage: a generic op would tear codes from scales.
func.func @carriers(%q: !nvfp4.tensor<4x64, nvfp4>) -> !nvfp4.tensor<4x64, nvfp4> {
  // expected-error@below {{expected only ops of nvfp4, func, scf, cf, arith.select and ub.poison to carry block-scaled tensors}}
  %r = builtin.unrealized_conversion_cast %q : !nvfp4.tensor<4x64, nvfp4> to !nvfp4.tensor<4x64, nvfp4>
  return %r : !nvfp4.tensor<4x64, nvfp4>
}

// -----

func.func @carriers_good(%c: i1, %q: !nvfp4.tensor<4x64, mxfp4>) -> !nvfp4.tensor<4x64, mxfp4> {
  %p = ub.poison : !nvfp4.tensor<4x64, mxfp4>
  %s = arith.select %c, %p, %q : !nvfp4.tensor<4x64, mxfp4>
  %r = scf.if %c -> !nvfp4.tensor<4x64, mxfp4> {
    scf.yield %s : !nvfp4.tensor<4x64, mxfp4>
  } else {
    scf.yield %q : !nvfp4.tensor<4x64, mxfp4>
  }
  cf.br ^end(%r : !nvfp4.tensor<4x64, mxfp4>)
^end(%e: !nvfp4.tensor<4x64, mxfp4>):
  return %e : !nvfp4.tensor<4x64, mxfp4>
}

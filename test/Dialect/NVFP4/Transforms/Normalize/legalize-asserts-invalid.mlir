// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics --nvfp4-legalize-asserts

func.func @nested(%is_fine: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    // expected-error@below {{expected checks on data at function level or directly in a linalg.generic, but got one in 'scf.for'}}
    cf.assert %is_fine, "all must be true"
  }
  return
}

// -----

func.func @never(%a: tensor<?xf32> {nvfp4.shape = ["m"]})
    attributes {nvfp4.dimensions = {m = [1, -1]}} {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %a, %c0 : tensor<?xf32>
  %empty = arith.cmpi eq, %m, %c0 : index
  // expected-error@below {{expected inputs for which this holds, but there are none: expected m == 0 (must be empty)}}
  cf.assert %empty, "must be empty"
  return
}

// -----

func.func @reduced(%x: tensor<8xi64>, %init: tensor<i64>) -> tensor<i64> {
  %c9 = arith.constant 9 : i64
  // expected-error@below {{expected a check on data not to depend on the value that is being reduced}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>],
                       iterator_types = ["reduction"]}
      ins(%x : tensor<8xi64>) outs(%init : tensor<i64>) {
  ^bb0(%in: i64, %out: i64):
    %fits = arith.cmpi slt, %out, %c9 : i64
    cf.assert %fits, "sum too large"
    %s = arith.addi %in, %out : i64
    linalg.yield %s : i64
  } -> tensor<i64>
  return %y : tensor<i64>
}

// -----

// expected-error@below {{expected an entry function of one block, but got 2}}
func.func @blocks() {
  cf.br ^next
^next:
  return
}

//===- NormalizePasses.td - The passes of the Normalize stage *- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In pipeline order. Expects what frameworks export; leaves dimensions tied and checked.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_NORMALIZEPASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_NORMALIZEPASSES_TD

include "mlir/Pass/PassBase.td"

def OutlineConstantsPass : Pass<"nvfp4-outline-constants", "::mlir::ModuleOp"> {
  let summary = "Turns large constants into weight arguments of the entry";
  let description = [{
    A dense constant above the threshold becomes an entry argument with
    `nvfp4.weight = "constant.<name of its location, else a number>"`. Its data
    stays in the module attribute `nvfp4.constants`, a dictionary by that name,
    from which the package is written. Equal constants share one name, and one
    argument per entry. A splat is a scalar and stays.

    Needs: called functions are inlined. Leaves: no `arith.constant` above the
    threshold. Comes first in Normalize, so that no later pass folds large data.

    Before:

    ```mlir-fragment
    func.func @main(%x: tensor<2000xf32>) -> tensor<2000xf32> {
      %w = arith.constant dense_resource<bias> : tensor<2000xf32>
    ```

    After:

    ```mlir-fragment
    module attributes {nvfp4.constants = {constant.0 = dense_resource<bias> : tensor<2000xf32>}} {
      func.func @main(%x: tensor<2000xf32>, %w: tensor<2000xf32> {nvfp4.weight = "constant.0"})
          -> tensor<2000xf32> {
    ```
  }];
  let options = [
    Option<"threshold", "threshold", "int64_t", /*default=*/"4096",
           "Bytes up to which a constant stays in the graph">,
  ];
  let statistics = [
    Statistic<"numOutlined", "num-outlined", "Arguments added">,
  ];
}

def UnifyDimensionsPass : Pass<"nvfp4-unify-dimensions", "::mlir::ModuleOp"> {
  let summary = "Expresses shapes by the named dimensions of the entry";
  let description = [{
    Verifies `nvfp4.shape` and `nvfp4.dimensions` of every entry. Dynamic
    dimensions of arguments with equal names are one dimension (the runtime
    checks that before a run); one without a name gets the argument's with `.dim<d>`
    behind (`input_ids.dim0`, `arg3.dim0`), and a warning. Every integer that is a polynomial, an exact or rounded quotient, a
    minimum or a maximum of dimensions is then computed once, at the start of
    the function; comparisons and selects with only one outcome for all
    permitted dimensions fold, also in the bodies of linalg ops. Results whose
    dimensions are dimensions of arguments get their names.

    Assumes that computations on extents do not wrap around 63 bits.

    Needs: called functions are inlined. Leaves: attributes that are complete
    and consistent. Run `canonicalize` and `cse` next, for static types and dead
    arithmetic.

    Before:

    ```mlir-fragment
    func.func @main(%a: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]},
                    %b: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]}) {
      %m = tensor.dim %a, %c0 : tensor<?x4xf32>
      %n = tensor.dim %b, %c0 : tensor<?x4xf32>
      %same = arith.cmpi eq, %m, %n : index
      cf.assert %same, "mismatched size for broadcast"
    ```

    After:

    ```mlir-fragment
      %true = arith.constant true
      %batch = tensor.dim %a, %c0 : tensor<?x4xf32>
      cf.assert %true, "mismatched size for broadcast"
    ```
  }];
  let options = [
    Option<"strict", "strict", "bool", /*default=*/"false",
           "An unnamed dynamic dimension of an argument is an error">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numUnified", "num-unified", "Integer ops replaced">,
  ];
}

def NarrowF64Pass : Pass<"nvfp4-narrow-f64", "::mlir::ModuleOp"> {
  let summary = "Computes in f32 what the model computes in f64";
  let description = [{
    torch-mlir computes variances on f64 tensors and keeps eps and scaling
    factors as f64. Every f64 becomes f32; conversions between the two vanish.
    An argument or result of an entry keeps its type and is cast at the border.
    A constant beyond the range of f32 is an error; one that would become 0 or
    denormal becomes the smallest normal number of its sign, with a remark,
    because such constants guard divisions.

    Needs: called functions are inlined. Leaves: no f64 but at the border.

    Before:

    ```mlir-fragment
    %wide = arith.extf %x : f32 to f64
    %sum = arith.addf %wide, %out : f64
    ```

    After:

    ```mlir-fragment
    %sum = arith.addf %x, %out : f32
    ```
  }];
  let options = [
    Option<"keep", "keep", "bool", /*default=*/"false",
           "Leave f64 alone">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numNarrowed", "num-narrowed", "Ops with an f64 result">,
  ];
}

def SimplifyPowersPass : Pass<"nvfp4-simplify-powers"> {
  let summary = "Turns powers into products, quotients and roots";
  let description = [{
    Exports write the square of a norm as `math.fpowi` and roots as `math.powf`.
    Powers with constant exponents become products (by repeated squaring),
    quotients and roots, which fuse and vectorize.

    Needs: nothing. Leaves: no `math.fpowi` with a constant exponent. Comes after
    `nvfp4-narrow-f64`, which makes exponents f32.

    Before:

    ```mlir
    func.func @before(%x: f32) -> f32 {
      %c2 = arith.constant 2 : i64
      %y = math.fpowi %x, %c2 : f32, i64
      return %y : f32
    }
    ```

    After:

    ```mlir
    func.func @after(%x: f32) -> f32 {
      %y = arith.mulf %x, %x : f32
      return %y : f32
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def LegalizeReshapesPass : Pass<"nvfp4-legalize-reshapes", "::mlir::ModuleOp"> {
  let summary = "Turns tensor.reshape into collapse_shape and expand_shape";
  let description = [{
    Splits both shapes into the smallest groups of dimensions with equal
    products, collapses the groups of the source and expands them to those of
    the result. That the number of elements agrees is proved, or checked on the
    host by a `cf.assert`.

    Needs: unified dimensions; sizes that are computed from dimensions of
    arguments (others are an error). Leaves: no `tensor.reshape`.

    Before:

    ```mlir-fragment
    %sizes = tensor.from_elements %batch, %c32, %c12, %c32 : tensor<4xi64>
    %y = tensor.reshape %x(%sizes)
        : (tensor<?x32x384xf32>, tensor<4xi64>) -> tensor<?x32x12x32xf32>
    ```

    After:

    ```mlir-fragment
    %y = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%batch, 32, 12, 32]
        : tensor<?x32x384xf32> into tensor<?x32x12x32xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::cf::ControlFlowDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numLegalized", "num-legalized", "Reshapes replaced">,
  ];
}

def LiftExtractsPass : Pass<"nvfp4-lift-extracts", "::mlir::ModuleOp"> {
  let summary = "Turns reads at loop indices into operands of linalg.generic";
  let description = [{
    torch-mlir broadcasts, and indexes with ranges, by `tensor.extract` in linalg
    bodies. Where every index is a loop index over the whole dimension, or a
    constant, the tensor becomes an operand with an indexing map; results and
    operands that nothing uses afterwards go. Most of these ops are then copies,
    which `canonicalize` removes.

    Needs: unified dimensions. Leaves: `tensor.extract` in bodies only where the
    index depends on data or covers a part of the tensor.

    Before:

    ```mlir
    %y = linalg.generic {indexing_maps = [#id], …} outs(%empty : tensor<?x4xf32>) {
    ^bb0(%out: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %v = tensor.extract %x[%i, %j] : tensor<?x4xf32>
      linalg.yield %v : f32
    }
    ```

    After:

    ```mlir
    %y = linalg.generic {indexing_maps = [#id, #id], …} ins(%x : tensor<?x4xf32>) outs(…) {
    ^bb0(%v: f32, %out: f32):
      linalg.yield %v : f32
    }
    ```
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numLifted", "num-lifted", "Reads that became operands">,
  ];
}

def CheckExtentsPass : Pass<"nvfp4-check-extents", "::mlir::ModuleOp"> {
  let summary = "Proves or checks that operands fit each other";
  let description = [{
    What a linalg op, slice, cast, reshape, concatenation or padding requires of
    dynamic extents, and what the names of results promise, is proved from named
    dimensions. What is not proved becomes a `cf.assert` at the start of the
    function, so that no op ever reads out of bounds; what cannot hold, or cannot
    be checked from the dimensions of arguments, is an error.

    Needs: unified dimensions, no `tensor.reshape`. Leaves: every such
    requirement proved or checked.

    Before, with `nvfp4.shape` of `%ids` and `%mask` `["batch"]` and `["rows"]`:

    ```mlir
    %y = linalg.add ins(%ids, %mask : tensor<?xi64>, tensor<?xi64>) outs(…)
    ```

    After:

    ```mlir
    %fits = arith.cmpi eq, %rows, %batch : index
    cf.assert %fits, "expected dimension 0 of 'mask' (rows) to equal dimension 0 of 'ids' (batch)"
    %y = linalg.add ins(%ids, %mask : tensor<?xi64>, tensor<?xi64>) outs(…)
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::cf::ControlFlowDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numChecks", "num-checks", "Checks at run time">,
  ];
}

def LegalizeAssertsPass : Pass<"nvfp4-legalize-asserts", "::mlir::ModuleOp"> {
  let summary = "Removes every way to abort";
  let description = [{
    * An assert that always holds goes.
    * One on dimensions alone moves to the start of the function, where the host
      runs it, with a message that names the dimensions.
    * One on data, and every index of a `tensor.extract` that may be out of range
      and every integer division that may have no quotient, becomes a reduction
      over the loops that the condition depends on: a `tensor<i32>` that is 0, or
      the number of a violated check, for `nvfp4.record_error`. The body goes on
      with the index clamped, or a divisor of 1. If several checks fail, the one
      with the largest number is recorded.

    An assert elsewhere (in `scf` regions) is an error.

    Needs: unified dimensions, an entry of one block. Leaves: `cf.assert` only
    at function level and on dimensions.

    Before:

    ```mlir
    %y = linalg.generic … ins(%ids : tensor<?xi64>) outs(…) {
    ^bb0(%id: i64, %out: f32):
      %row = arith.index_cast %id : i64 to index
      %column = linalg.index 1 : index
      %fits = arith.cmpi slt, %row, %c30522 : index
      cf.assert %fits, "index must be smaller than dim size"
      %v = tensor.extract %table[%row, %column] : tensor<30522x384xf32>
    ```

    After:

    ```mlir
    %status = linalg.generic {iterator_types = ["reduction"], …} ins(%ids : tensor<?xi64>) outs(%zero : tensor<i32>) …
    nvfp4.record_error %status messages
        ["index out of range in a gather of 'embeddings.weight': expected 0 <= index < 30522"] : tensor<i32>
    %y = linalg.generic … ins(%ids : tensor<?xi64>) outs(…) {
    ^bb0(%id: i64, %out: f32):
      …
      %low = arith.maxsi %row, %c0 : index
      %clamped = arith.minsi %low, %c30521 : index
      %v = tensor.extract %table[%clamped, %column] : tensor<30522x384xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::cf::ControlFlowDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect",
                           "::nvfp4::NVFP4Dialect"];
  let statistics = [
    Statistic<"numProved", "num-proved", "Asserts that always hold">,
    Statistic<"numHoisted", "num-hoisted", "Asserts on dimensions">,
    Statistic<"numRecorded", "num-recorded", "Checks on data">,
  ];
}

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_NORMALIZEPASSES_TD

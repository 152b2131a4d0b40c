//===- Passes.td - The passes, in pipeline order -----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Normalize
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Policy
//===----------------------------------------------------------------------===//

def AssignPrecisionPass : Pass<"nvfp4-assign-precision", "::mlir::ModuleOp"> {
  let summary = "Decides the precision of every contraction by policy";
  let description = [{
    Finds every contraction, convolution and embedding gather, names it after its
    weight, and writes what a policy (docs/Policy.md) decides as attributes. It
    changes nothing else; `nvfp4-quantize-contractions` obeys.

    Needs: normalized IR, where entry arguments name their weights.
    Leaves: on each site

    | attribute | |
    | --- | --- |
    | `nvfp4.site` | its name, `#n` appended if its weight is used several times |
    | `nvfp4.class` | `linear`, `head`, `expert`, `attention`, `weight_product`, `conv` or `embedding` |
    | `nvfp4.precision` | the realised precision |
    | `nvfp4.rule` | the rule that decided; `user` if the op came with a precision |
    | `nvfp4.requested` | what was asked for, where that is not what was realised |
    | `nvfp4.reason` | why not |

    A precision that is on the op before the pass wins over every rule. A
    precision that an earlier run of this pass wrote is decided anew.

    What asks for a block-scaled format and does not fit falls back to bf16 (to
    `keep` if its elements are no f32, bf16 or f16), with a missed remark, or with
    an error if `strict` is set.

    Before:

    ```mlir
    func.func @main(%x: tensor<64x384xf32>,
                    %w: tensor<384x384xf32> {nvfp4.weight = "encoder.query.weight"}) -> … {
      %y = linalg.matmul ins(%x, %wt : …) …
    ```

    After:

    ```mlir
      %y = linalg.matmul {nvfp4.class = "linear", nvfp4.precision = #nvfp4.precision<nvfp4>,
                          nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.query"} …
    ```
  }];
  let options = [
    Option<"policy", "policy", "std::string", /*default=*/"\"inference\"",
           "A preset (none, inference, weight-only, mlp-only, nvidia-pretraining) or the path of a policy file">,
    Option<"policyText", "policy-text", "std::string", /*default=*/"\"\"",
           "A policy as JSON text, instead of `policy`">,
    Option<"strict", "strict", "bool", /*default=*/"false",
           "Make every fallback an error">,
  ];
  let dependentDialects = ["::nvfp4::NVFP4Dialect"];
  let statistics = [
    Statistic<"numSites", "num-sites", "Contractions, convolutions and embeddings">,
    Statistic<"numBlockScaled", "num-block-scaled", "Sites that get a block-scaled format">,
    Statistic<"numFallbacks", "num-fallbacks", "Sites whose requested precision does not fit">,
  ];
}

def PrintPrecisionReportPass
    : Pass<"nvfp4-print-precision-report", "::mlir::ModuleOp"> {
  let summary = "Prints what precision each site has, and why";
  let description = [{
    Prints the precision report to standard error, as a table or as JSON. Needs:
    the attributes of `nvfp4-assign-precision`. Changes nothing.
  }];
  let options = [
    Option<"json", "json", "bool", /*default=*/"false",
           "Print JSON instead of a table">,
  ];
}

//===----------------------------------------------------------------------===//
// Quantize
//===----------------------------------------------------------------------===//

def QuantizeContractionsPass
    : Pass<"nvfp4-quantize-contractions", "::mlir::ModuleOp"> {
  let summary = "Rewrites contractions to the precision written on them";
  let description = [{
    Obeys `nvfp4.precision`: a block-scaled contraction becomes `nvfp4.matmul` on
    a quantized weight and, unless it is weight-only, a quantized activation; a
    bf16 one gets bf16 operands and f32 accumulation. Operands are brought into
    the form `A[.., M, K] * B[.., N, K]`; a weight that is only repeated over a
    batch is used once.

    Needs: normalized IR with precisions. Leaves: no `nvfp4.precision` and no
    other attribute of the policy but `nvfp4.site` on `nvfp4.matmul`. Comes first
    in Quantize, before `nvfp4-hoist-packing`.

    Before:

    ```mlir
    func.func @before(%x: tensor<?x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"},
                      %init: tensor<?x32xf32>) -> tensor<?x32xf32> {
      %zero = arith.constant 0.0 : f32
      %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
      %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4_weight_only>, nvfp4.site = "fc"}
          ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<?x32xf32>) -> tensor<?x32xf32>
      return %y : tensor<?x32xf32>
    }
    ```

    After:

    ```mlir
    func.func @after(%x: tensor<?x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}) -> tensor<?x32xf32> {
      %init = tensor.empty() : tensor<32x64xf32>
      %t = linalg.transpose ins(%w : tensor<64x32xf32>) outs(%init : tensor<32x64xf32>) permutation = [1, 0]
      %g = nvfp4.global_scale %t : tensor<32x64xf32> -> tensor<f32>
      %q = nvfp4.quantize %t global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
      %y = nvfp4.matmul %x, %q {nvfp4.site = "fc"} : tensor<?x64xf32>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
      return %y : tensor<?x32xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numBlockScaled", "num-block-scaled", "Contractions in a block-scaled format">,
    Statistic<"numBF16", "num-bf16", "Contractions with bf16 operands">,
  ];
  let dependentDialects = [
    "::nvfp4::NVFP4Dialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

def HoistPackingPass : Pass<"nvfp4-hoist-packing", "::mlir::ModuleOp"> {
  let summary = "Moves what prepares a weight into one packing function each";
  let description = [{
    Needs: quantization is explicit (`nvfp4-quantize-contractions`). Leaves: no
    `nvfp4.quantize` of a weight in an entry function, except with stochastic
    rounding, whose bits are not known yet. Comes before `nvfp4-record-entry`.

    A value moves if it is made of weights by views (`linalg.transpose`,
    `linalg.broadcast`, a copying `linalg.generic`, `tensor.expand_shape`,
    `tensor.collapse_shape`, `tensor.extract_slice`, `tensor.concat`,
    `tensor.cast`), then casts between f32, bf16 and f16, then optionally
    `nvfp4.quantize` and `nvfp4.relayout`, and is not larger than its sources. A
    reshape alone stays: it moves no byte. Views move before widening casts, so that
    a bf16 weight that is read in f32 is transposed in its own size and only the cast
    stays. Equal values (same sources, view, casts,
    format and layout) share one packing function, also across entries. Weights
    that no op reads any more disappear from the entry; two arguments for one
    weight become one. Other arithmetic on weights stays, with a missed remark.

    Before:

    ```mlir
    func.func @main(%w: tensor<64x128xf32> {nvfp4.weight = "query"}) -> !nvfp4.tensor<64x128, nvfp4> {
      %g = nvfp4.global_scale %w : tensor<64x128xf32> -> tensor<f32>
      %q = nvfp4.quantize %w global_scale %g : tensor<64x128xf32>, tensor<f32> -> !nvfp4.tensor<64x128, nvfp4>
      return %q : !nvfp4.tensor<64x128, nvfp4>
    }
    ```

    After: `%q` is an argument of the entry. `@pack.query` is never compiled; when
    the package is written it is carried out on the weights file, with the codecs
    that the runtime uses, so both agree bit for bit.

    ```mlir
    func.func @main(%q: !nvfp4.tensor<64x128, nvfp4> {nvfp4.packed = @pack.query}) -> !nvfp4.tensor<64x128, nvfp4> {
      return %q : !nvfp4.tensor<64x128, nvfp4>
    }
    func.func private @pack.query(%w: tensor<64x128xf32> {nvfp4.weight = "query"})
        -> !nvfp4.tensor<64x128, nvfp4> attributes {nvfp4.pack = "query"} {
      %g = nvfp4.global_scale %w : tensor<64x128xf32> -> tensor<f32>
      %q = nvfp4.quantize %w global_scale %g : tensor<64x128xf32>, tensor<f32> -> !nvfp4.tensor<64x128, nvfp4>
      return %q : !nvfp4.tensor<64x128, nvfp4>
    }
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numPacked", "num-packed", "Packing functions made">,
    Statistic<"numStayed", "num-stayed", "Ops on weights alone that stay in an entry">
  ];
}

def RecordEntryPass : Pass<"nvfp4-record-entry", "::mlir::ModuleOp"> {
  let summary = "Writes the interface of each entry function into one attribute";
  let description = [{
    Needs: hoisted packing. Leaves: every entry function (a public function with a
    body) has the attribute `nvfp4.entry`, which later stages and the manifest read
    instead of argument attributes. Comes last in the Quantize stage.

    ```mlir-fragment
    nvfp4.entry = {
      dimensions = [{name = "batch", min = 1, max = -1} ],
      arguments = [{kind = "input", name = "input_ids", dtype = "I64", shape = ["batch", 32]},
                   {kind = "weight", name = "query", dtype = "nvfp4", shape = [64, 128]} ],
      results = [{name = "result0", dtype = "F32", shape = ["batch", 64]} ]
    }
    ```

    `arguments` has one element per argument of the function; the dtype of a packed
    tensor is the name of its format until `nvfp4-expand-tensors` replaces the
    element by one per component. Without `nvfp4.name` arguments are called `arg0`…
    and results `result0`…. A dynamic dimension without a name is called after its
    tensor, `arg0.dim1`, in an argument, and is -1 in a result. A dimension without
    bounds in `nvfp4.dimensions` has `min = 0, max = -1`; -1 is no bound.

    Errors: names that are not unique; a shape that does not fit its type; a
    dimension that only results have; a type that no tensor file can hold.
  }];
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

include "nvfp4/Dialect/NVFP4/Transforms/KernelsPasses.td"

//===----------------------------------------------------------------------===//
// Lower
//===----------------------------------------------------------------------===//

def ExpandTensorsPass : Pass<"nvfp4-expand-tensors", "::mlir::ModuleOp"> {
  let summary = "Replaces block-scaled tensors by codes, scales and global scales";
  let description = [{
    Every value of type `!nvfp4.tensor` becomes its components and every
    tensor-level op its destination-style form. `nvfp4.entry` is rewritten to
    have one element per program argument and result (`<name>.codes`,
    `<name>.scales`, `<name>.global_scale`); argument and result attributes of
    functions whose signature changes are dropped.

    Needs: quantized IR whose entries carry `nvfp4.entry`. Leaves: no value of
    type `!nvfp4.tensor`. Comes first in Lower.

    Before:

    ```mlir
    func.func @before(%x: tensor<64x384xf32>, %g: tensor<f32>) -> !nvfp4.tensor<64x384, nvfp4> {
      %q = nvfp4.quantize %x global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
      return %q : !nvfp4.tensor<64x384, nvfp4>
    }
    ```

    After:

    ```mlir
    func.func @after(%x: tensor<64x384xf32>, %g: tensor<f32>)
        -> (tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>) {
      %c = tensor.empty() : tensor<64x192xi8>
      %s = tensor.empty() : tensor<64x24xi8>
      %q:2 = nvfp4.quantize_into as !nvfp4.tensor<64x384, nvfp4>
          ins(%x, %g : tensor<64x384xf32>, tensor<f32>)
          outs(%c, %s : tensor<64x192xi8>, tensor<64x24xi8>) -> tensor<64x192xi8>, tensor<64x24xi8>
      return %q#0, %q#1, %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

def ConvertNVFP4ToLinalgPass : Pass<"convert-nvfp4-to-linalg"> {
  let summary = "Decomposes kernel-level ops into linalg: the reference lowering";
  let description = [{
    Each op becomes its definition: quantization a maximum per block, a scale per
    block and codes; a matmul the decoded operands, a product in f32 and the
    global scales. Bytes are those of the golden quantizer.

    Needs: kernel-level ops on tensors, after `nvfp4-expand-tensors`. Leaves:
    none of them. Comes after it, and before fusion and bufferization.

    Before:

    ```mlir
    func.func @before(%x: tensor<4x16xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
      %g = nvfp4.global_scale_into format <nvfp4<global = row>>
          ins(%x : tensor<4x16xf32>) outs(%init : tensor<4xf32>) -> tensor<4xf32>
      return %g : tensor<4xf32>
    }
    ```

    After: a `linalg.generic` that reduces the bits of magnitudes, and one that
    reads them as f32.

    With `runtime-kernels`, quantize, dequantize, global scales and scaled
    matmuls in entry functions stay if the runtime has a kernel for them: linear
    layouts, and a result of f32, bf16 or f16. They become calls of the context
    in `convert-nvfp4-host-to-llvm`.
  }];
  let options = [
    Option<"runtimeKernels", "runtime-kernels", "bool", /*default=*/"false",
           "Keep the ops of entry functions that the runtime has kernels for">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

def FuseElementwisePass : Pass<"nvfp4-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Fuses elementwise ops where that repeats no work";
  let description = [{
    Generalizes named linalg ops and fuses elementwise producers into consumers
    with the upstream patterns, if the producer has one use and the consumer
    reads each of its elements once, or if the producer only moves elements. A
    contraction takes over transpositions of its operands and nothing else, so
    that `nvfp4-contractions-to-loops` still recognises it.

    With `through-reshapes`, a `tensor.expand_shape` moves in front of the
    elementwise op that it follows, which may then fuse with what is behind: a
    bias and the GELU of the reshaped sum are one op.

    Needs: linalg on tensors. Leaves: `linalg.generic`. Comes before
    `nvfp4-results-to-destinations`.

    ```mlir
    func.func @fused(%x: tensor<4x8xf32>, %out: tensor<4x8xf32>) -> tensor<4x8xf32> {
      %0 = linalg.exp ins(%x : tensor<4x8xf32>) outs(%out : tensor<4x8xf32>) -> tensor<4x8xf32>
      %1 = linalg.tanh ins(%0 : tensor<4x8xf32>) outs(%out : tensor<4x8xf32>) -> tensor<4x8xf32>
      return %1 : tensor<4x8xf32>
    }
    ```
  }];
  let options = [
    Option<"throughReshapes", "through-reshapes", "bool", /*default=*/"false",
           "Move expanding reshapes in front of elementwise ops">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect",
  ];
}

def SplitGlobalScalesPass : Pass<"nvfp4-split-global-scales", "::mlir::func::FuncOp"> {
  let summary = "Reduces tensors to global scales in two steps, by rows";
  let description = [{
    For a target with a device, after `nvfp4-expand-tensors` and before
    `nvfp4-form-dispatches`. The global scale of a tensor or a slice becomes the
    largest magnitudes of its rows, and the global scale of these: each is a
    kernel of the row schedule.

    Needs: kernel-level ops on tensors. Leaves: `nvfp4.global_scale_into` with one
    global scale per row only.

    Before:

    ```mlir-fragment
    %g = nvfp4.global_scale_into format <nvfp4<convention = multiply>>
        ins(%x : tensor<8x64xf32>) outs(%init : tensor<f32>) -> tensor<f32>
    ```

    After:

    ```mlir-fragment
    %rows = nvfp4.global_scale_into format <nvfp4<global = row>>
        ins(%x : tensor<8x64xf32>) outs(%empty : tensor<8xf32>) -> tensor<8xf32>
    %row = tensor.expand_shape %rows [[0, 1]] output_shape [1, 8] : tensor<8xf32> into tensor<1x8xf32>
    %one = nvfp4.global_scale_into format <nvfp4<global = row, convention = multiply>>
        ins(%row : tensor<1x8xf32>) outs(%empty1 : tensor<1xf32>) -> tensor<1xf32>
    %g = tensor.collapse_shape %one [] : tensor<1xf32> into tensor<f32>
    ```
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def FormDispatchesPass : Pass<"nvfp4-form-dispatches", "::mlir::ModuleOp"> {
  let summary = "Moves groups of tensor ops into kernels, and dispatches these";
  let description = [{
    For a target with a device. Every op on tensors of an entry function becomes
    part of a group, and every group one function of a nested `module @kernels`
    that stays on tensors, and one `nvfp4.dispatch` of it. Ops join in program
    order; an op joins the last group that it reads from, or starts one:

    | schedule | starts with | joined by |
    | --- | --- | --- |
    | `matmul` | a block-scaled product; a contraction with `nvfp4.kernel` | products of the same left operand and types; what reads each element of one product once, in whatever order |
    | `row` | a sum, maximum, … along the last dimension, global scales of rows, quantization along rows | what reads along the rows or one value per row; the elements that rows consist of |
    | `row` | a reduction to one element, global scales of tensors | nothing |
    | `block` | quantization of blocks that span rows | nothing |
    | `element` | anything else | elements of one shape; the only reader of the results |

    Slices, pads, concatenations, transpositions and broadcasts are repeated in
    the kernels that read them. They are stored only where a product or the host
    reads the buffer: by the product that they follow, if it can. So are fills,
    constants and arithmetic on dimensions, never dispatched.

    A product's configurations, `nvfp4.kernel`, go to its function; other
    functions get one. Functions that differ in their names only are one. What
    does not join is a missed remark that says why.

    Needs: entry functions of one block after `nvfp4-expand-tensors` and
    `nvfp4-fuse-elementwise`. Leaves: entry functions of `nvfp4.dispatch`,
    `tensor.empty`, reshapes, casts, arithmetic on dimensions of arguments,
    `nvfp4.record_error` and `cf.assert`. Comes before
    `nvfp4-results-to-destinations`.

    Before:

    ```mlir-fragment
    func.func @main(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
      %sums = linalg.generic … iterator_types = ["parallel", "reduction"] ins(%x) …
      %y = linalg.generic … ins(%x, %sums) …
      return %y : tensor<?x64xf32>
    }
    ```

    After:

    ```mlir-fragment
    module @kernels {
      func.func @row_64(%x: tensor<?x64xf32>, %init: tensor<?x64xf32>) -> tensor<?x64xf32>
          attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} { … }
    }
    func.func @main(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
      %init = tensor.empty(%rows) : tensor<?x64xf32>
      %y = nvfp4.dispatch @kernels::@row_64 ins(%x : tensor<?x64xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
      return %y : tensor<?x64xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numDispatches", "num-dispatches", "Dispatches formed">,
    Statistic<"numKernels", "num-kernels", "Different kernels among them">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
    "::nvfp4::NVFP4Dialect",
  ];
}

def ResultsToDestinationsPass
    : Pass<"nvfp4-results-to-destinations", "::mlir::func::FuncOp"> {
  let summary = "Writes the results of entry functions to the caller's buffers";
  let description = [{
    Needs: entry functions (public, with a body) on tensors, one block, with
    `nvfp4.entry`. Leaves: one memref argument per result, appended after the
    arguments and marked with `nvfp4.result`; what the function still returns is
    the extents of its dynamic results; tensor arguments are not writable.

    Runs before `eliminate-empty-tensors` and `one-shot-bufferize`, which make
    the op that computes a result write straight to the destination. A result
    that is an argument, or that is returned twice, becomes a copy. Loops write
    their carried tensors in place, so that no iteration returns a new buffer.

    Before:

    ```mlir
    func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
      %y = …
      return %y : tensor<?x4xf32>
    }
    ```

    After:

    ```mlir
    func.func @main(%x: tensor<?x4xf32> {bufferization.writable = false},
                    %out: memref<?x4xf32> {nvfp4.result = 0}) -> index {
      %y = …
      %rows = tensor.dim %y, %c0 : tensor<?x4xf32>
      bufferization.materialize_in_destination %y in restrict writable %out
      return %rows : index
    }
    ```
  }];
  let statistics = [
    Statistic<"numResults", "num-results", "Results with a destination">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::memref::MemRefDialect", "::mlir::tensor::TensorDialect",
  ];
}

def LowerExpandShapesPass : Pass<"nvfp4-lower-expand-shapes"> {
  let summary = "Computes strides where a dimension splits into dynamic ones";
  let description = [{
    A `memref.expand_shape` with two or more dynamic dimensions in one group
    becomes a `memref.reinterpret_cast`; others stay.

    Needs: bufferized IR. Leaves: only `memref.expand_shape` that
    `expand-strided-metadata` takes. Comes directly before that pass.

    Before:

    ```mlir
    func.func @before(%x: memref<?x8xf32>, %a: index, %b: index) -> memref<?x?x8xf32> {
      %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%a, %b, 8] : memref<?x8xf32> into memref<?x?x8xf32>
      return %y : memref<?x?x8xf32>
    }
    ```

    After: a `memref.reinterpret_cast` to sizes `[%a, %b, 8]` and strides
    `[%b * 8, 8, 1]`.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect"
  ];
}

def CopiesToLoopsPass : Pass<"nvfp4-copies-to-loops"> {
  let summary = "Turns copies of strided views into linalg";
  let description = [{
    A `memref.copy` between contiguous buffers is a memcpy and stays. Any other
    becomes a `linalg.generic`, because upstream lowers it to a call of its own
    runtime library.

    Needs: bufferized IR. Leaves: no `memref.copy` with a layout. Comes before
    loops are made of linalg ops.

    Before:

    ```mlir
    func.func @before(%x: memref<4x8xf32>, %y: memref<4x4xf32>) {
      %v = memref.subview %x[0, 4] [4, 4] [1, 1] : memref<4x8xf32> to memref<4x4xf32, strided<[8, 1], offset: 4>>
      memref.copy %v, %y : memref<4x4xf32, strided<[8, 1], offset: 4>> to memref<4x4xf32>
      return
    }
    ```

    After: a `linalg.generic` that yields its input.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def ContractionsToCallsPass
    : Pass<"nvfp4-contractions-to-calls", "::mlir::func::FuncOp"> {
  let summary = "Lets the runtime multiply matrices";
  let description = [{
    Needs: linalg on buffers in entry functions. Leaves: `nvfp4.gemm` for every
    contraction of f32, f16 or bf16 at the level of an entry function that is a
    product of matrices, plain, transposed or batched: the contracted dimensions
    lie in memory like one, and no more than 4 others are neither rows nor
    columns. A fill with zeros of a result right before its product becomes part
    of it. Other contractions stay for `nvfp4-contractions-to-loops`.

    Before:

    ```mlir
    func.func @main(%x: memref<8x32x64xf32>, %w: memref<16x64xf32>, %y: memref<8x32x16xf32>) {
      %zero = arith.constant 0.0 : f32
      linalg.fill ins(%zero : f32) outs(%y : memref<8x32x16xf32>)
      linalg.contract
          indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (n, k)>,
                           affine_map<(b, m, n, k) -> (b, m, n)>]
          ins(%x, %w : memref<8x32x64xf32>, memref<16x64xf32>) outs(%y : memref<8x32x16xf32>)
      return
    }
    ```

    After:

    ```mlir
    func.func @main(%x: memref<8x32x64xf32>, %w: memref<16x64xf32>, %y: memref<8x32x16xf32>) {
      nvfp4.gemm [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (n, k)>,
                  affine_map<(b, m, n, k) -> (b, m, n)>]
          ins(%x, %w : memref<8x32x64xf32>, memref<16x64xf32>) outs(%y : memref<8x32x16xf32>)
      return
    }
    ```
  }];
  let statistics = [
    Statistic<"numContractions", "num-contractions", "Contractions that became calls">,
  ];
  let dependentDialects = ["::nvfp4::NVFP4Dialect"];
}

def ContractionsToLoopsPass
    : Pass<"nvfp4-contractions-to-loops", "::mlir::func::FuncOp"> {
  let summary = "Lowers contractions on buffers to vectorised loops";
  let description = [{
    Needs: linalg on buffers. Leaves: loops with vectors for every contraction
    of f32, f16 or bf16 that has one or more k dimensions and projected
    permutations as maps, however its dimensions are ordered; a copy of 16
    columns of B at a time, zero-padded, in f32.

    Sums are accumulated in f32, in the order of k, with fused multiply-adds, in
    one chain per element. A row's result is the same bits whatever other rows
    there are. Results that are f16 or bf16 are rounded once, at the end.

    Comes before `nvfp4-plan-workspace`, because it allocates.
  }];
  let statistics = [
    Statistic<"numContractions", "num-contractions", "Contractions lowered">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect",
  ];
}

def KeepRoundingPass : Pass<"nvfp4-keep-rounding"> {
  let summary = "Forbids to drop the rounding between two operations";
  let description = [{
    Needs: anything. Leaves: no fast-math flags on `arith.extf` and
    `arith.truncf`.

    `arith-emulate-unsupported-floats` and `math-extend-to-supported-types`
    permit folds to drop a rounding to f16 or bf16 whose result is extended
    again. A value would then depend on which ops happen to share a loop, which
    is not the same on a CPU and on a GPU.

    Comes after these two, before anything that folds.

    Before:

    ```mlir
    func.func @round(%sum: f32) -> f32 {
      %s = arith.truncf %sum fastmath<contract> : f32 to bf16
      %x = arith.extf %s fastmath<contract> : bf16 to f32
      return %x : f32
    }
    ```

    After:

    ```mlir
    func.func @round(%sum: f32) -> f32 {
      %s = arith.truncf %sum : f32 to bf16
      %x = arith.extf %s : bf16 to f32
      return %x : f32
    }
    ```
  }];
}

def ExpandMathPass : Pass<"nvfp4-expand-math"> {
  let summary = "Replaces functions by arithmetic and guards divisions";
  let description = [{
    Needs: `math` on f32 and f64 (see `math-extend-to-supported-types`). Leaves:
    of `math`, only ops for which LLVM has instructions; `arith.remf` expanded.
    exp, tanh and erf of f32 are computed in f32, within 1.5 units in the last
    place of the exact value; other f32 functions in f64 and rounded once, within
    0.52 units. f64 functions have relative errors near 1e-14.

    Integer divisions become total, because on x86 a zero divisor ends the
    process: x / 0 = x, x % 0 = 0, and the least integer divided by -1 is itself.

    Comes before `nvfp4-plan-workspace`, which repeats arithmetic on dimensions
    before the asserts that guard it.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
  ];
}

def UnshareFillsPass
    : Pass<"nvfp4-unshare-fills", "::mlir::func::FuncOp"> {
  let summary = "Gives every op that updates a filled tensor a fill of its own";
  let description = [{
    Equal fills are one op after CSE. Where several ops update its result,
    bufferization would copy the filled buffer for each; writing constants
    again is half the traffic, and a fill right before a reduction joins its
    loop.

    Needs: linalg on tensors. Leaves: a fill, a `linalg.fill` or a
    `linalg.generic` without inputs that yields a constant, with one use by
    every op that updates its result. Comes before bufferization, with no CSE
    between them.

    Before:

    ```mlir-fragment
    %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %1 = linalg.generic … ins(%x : tensor<4x8xf32>) outs(%0 : tensor<4xf32>) …
    %2 = linalg.generic … ins(%y : tensor<4x8xf32>) outs(%0 : tensor<4xf32>) …
    ```

    After: the second reduction updates a fill of a `tensor.empty` of its own.
  }];
  let statistics = [
    Statistic<"numFills", "num-fills", "Fills added">,
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def RowsToLoopsPass : Pass<"nvfp4-rows-to-loops", "::mlir::func::FuncOp"> {
  let summary = "Lowers what is no contraction to vectorised loops over rows";
  let description = [{
    Needs: linalg on buffers, contractions lowered. Leaves: loops. Neighbouring
    ops whose leading parallel dimensions are equal share one loop over them, if
    what one writes and another touches is of the same row; at the level of an
    entry it is an `scf.parallel` with `nvfp4.grain`, the number of rows that are
    worth a thread. The innermost dimension is computed in vectors of 16 elements, or 8
    of 64 bits, if operands are contiguous along it, or the same all along it,
    and the body has a form on vectors; what is left over in vectors of 8 and 4,
    then one element at a time, like other ops, for which a missed remark gives
    the reason.

    A reduction along the innermost dimension of f32, f64 or integers has one
    sum per lane; lanes are combined in halves, then with the initial value,
    then with the elements past the last whole vector. So the order of
    additions, and with it every bit, depends on the extent alone. Narrower
    floats are reduced one after the other.

    Comes before `nvfp4-plan-workspace`, because ops move, and before
    `nvfp4-expand-math`.

    Before:

    ```mlir-fragment
    linalg.generic {iterator_types = ["parallel", "reduction"], …}
        ins(%x : memref<?x32xf32>) outs(%sum : memref<?xf32>) {
      ^bb0(%in: f32, %out: f32):
        %0 = arith.addf %in, %out : f32
        linalg.yield %0 : f32
    }
    ```

    After:

    ```mlir-fragment
    scf.parallel (%row) = (%c0) to (%rows) step (%c1) {
      %lanes = scf.for %n = %c0 to %c32 step %c16 iter_args(%sums = %zeros) -> (vector<16xf32>) {
        %0 = vector.load %x[%row, %n] : memref<?x32xf32>, vector<16xf32>
        %1 = arith.addf %0, %sums : vector<16xf32>
        scf.yield %1 : vector<16xf32>
      }
      … the sum of the 16 lanes, added to %sum[%row]
    } {nvfp4.grain = 2083 : i64}
    ```
  }];
  let statistics = [
    Statistic<"numOps", "num-ops", "Ops lowered">,
    Statistic<"numGroups", "num-groups", "Loop nests that hold them">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect",
  ];
}

def PlanWorkspacePass : Pass<"nvfp4-plan-workspace", "::mlir::ModuleOp"> {
  let summary = "Turns allocations into views of one workspace";
  let description = [{
    Needs: bufferized entry functions in destination style, one block, structured
    control flow. Leaves: no allocation in an entry function; its last argument
    is the workspace, `memref<?xi8>`; it returns nothing;
    `func @<entry>.plan(dimensions…) -> (extents of all results…, bytes)`;
    `nvfp4.checks`, the messages of all `nvfp4.record_error`, which become
    stores to the error word in the first bytes of the workspace.

    Two buffers share a slot only if no op at function level touches both and
    the polynomials of their sizes are equal or ordered for all values that the
    entry permits for its dimensions. An allocation whose size depends on more
    than dimensions is an error.

    Before:

    ```mlir
    func.func @main(%x: memref<?x4xf32>, %out: memref<?x4xf32> {nvfp4.result = 0})
        -> index attributes {nvfp4.entry = …} {
      %rows = memref.dim %x, %c0 : memref<?x4xf32>
      %t = memref.alloc(%rows) : memref<?x4xf32>
      …
      return %rows : index
    }
    ```

    After:

    ```mlir
    func.func private @main.plan(%batch: index) -> (index, index, index) {
      …
      return %batch, %c4, %bytes : index, index, index
    }
    func.func @main(%x: …, %out: …, %workspace: memref<?xi8>) attributes {…} {
      %t = memref.view %workspace[%c64][%rows] : memref<?xi8> to memref<?x4xf32>
      …
      return
    }
    ```
  }];
  let options = [
    Option<"device", "device", "bool", /*default=*/"false",
           "Host code may not touch buffers: errors are recorded by a kernel">,
  ];
  let statistics = [
    Statistic<"numBuffers", "num-buffers", "Buffers in a workspace">,
    Statistic<"numSlots", "num-slots", "Slots that hold them">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
  ];
}

include "nvfp4/Dialect/NVFP4/Transforms/LowerGPUPasses.td"

def OutlineLoopsPass : Pass<"nvfp4-outline-loops", "::mlir::ModuleOp"> {
  let summary = "Moves loops of entry functions to functions, equal ones to one";
  let description = [{
    Needs: planned entry functions with structured loops. Leaves: entry functions
    that call private functions `@loop…` for their loop nests. Nests that are
    equal up to their operands share one. A buffer that overlaps no other operand
    is marked `llvm.noalias`. An `scf.parallel` with `nvfp4.grain` becomes a
    function with that attribute that takes the first row and the one past the
    last as further arguments; the call computes all rows, and
    `nvfp4-parallelize-loops` splits it.

    Comes after `nvfp4-plan-workspace` and before the conversion to LLVM.
  }];
  let statistics = [
    Statistic<"numLoops", "num-loops", "Loop nests outlined">,
    Statistic<"numFunctions", "num-functions", "Functions that hold them">,
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def ConvertNVFP4HostToLLVMPass
    : Pass<"convert-nvfp4-host-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Converts planned host code to the LLVM dialect and the program ABI";
  let description = [{
    Needs: entry functions as `nvfp4-plan-workspace` leaves them. Leaves: a module
    of the LLVM dialect that exports the constant `nvfp4_program`
    (`nvfp4/Runtime/ProgramABI.h`) with a `plan` and a `run` for every entry, and
    nothing else. A `cf.assert` of an entry becomes a call of the context's
    `fail` and a return; a nested one is an error, because a loop body cannot
    return.

    With `device`, a `gpu.launch_func`, `memref.copy` or `linalg.fill` of an entry
    becomes a call of the context, whose status is checked, and each object of the
    `gpu.binary` an image of the program.

    Unlike the upstream road to an executable there is no `malloc`, no `abort`
    and no global state.
  }];
  let options = [
    Option<"device", "device", "bool", /*default=*/"false",
           "Buffers are a device's: launch kernels, and let the device copy and fill">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
    "::mlir::LLVM::LLVMDialect",
  ];
}

def ParallelizeLoopsPass
    : Pass<"nvfp4-parallelize-loops", "::mlir::ModuleOp"> {
  let summary = "Hands loops over rows to the context's parallel_for";
  let description = [{
    Needs: what `convert-nvfp4-host-to-llvm` leaves, with folded aggregates.
    Leaves: no `nvfp4.grain`. A call of a function that had one becomes a call
    of the context's `parallel_for` with the number of pieces of at least that
    many rows, and with the other operands in a struct on the caller's stack; a
    function `<name>.body` with the signature of ProgramABI.h calls the loop for
    the rows of its pieces. One piece is the caller's, so a small loop wakes no
    thread. Rows are independent: results do not depend on pieces.

    ```mlir-fragment
    llvm.call @loop(%zero, %rows, %x, %y) : (i64, i64, !llvm.ptr, !llvm.ptr) -> ()
    ```

    becomes

    ```mlir-fragment
    %pieces = …  // max(%rows / grain, 1)
    …            // stores to %state
    llvm.call %parallel_for(%user, %pieces, %body, %state) : !llvm.ptr, (!llvm.ptr, i64, !llvm.ptr, !llvm.ptr) -> ()
    ```
  }];
  let statistics = [
    Statistic<"numCalls", "num-calls", "Calls split">,
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

//===----------------------------------------------------------------------===//
// Contracts between the stages
//===----------------------------------------------------------------------===//

def VerifyStagePass : Pass<"nvfp4-verify-stage", "::mlir::ModuleOp"> {
  let summary = "Checks what a stage promises to the next";
  let description = [{
    Reports an error at the first op that breaks a promise of the stage:

    | stage | promise |
    | --- | --- |
    | `normalize` | no calls, no assert below function level, no `tensor.reshape`, dynamic dimensions of arguments are named |
    | `policy` | every contraction has a precision |
    | `quantize` | no precision is left, every entry is recorded |
    | `kernels` | every `nvfp4.matmul` has tiled operands and `nvfp4.kernel` |
    | `dispatch` | host code touches no element of a buffer |
    | `lower` | no op of nvfp4 |

    After every stage, only nvfp4, func, scf, cf, `arith.select` and `ub.poison`
    carry block-scaled tensors.
  }];
  let options = [
    Option<"stage", "stage", "std::string", /*default=*/"\"\"",
           "The stage that has just run">,
  ];
}

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_TD

//===- LowerPasses.td - The passes of the Lower stage -----*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In pipeline order. From block-scaled tensors to host code, with or
// without kernels; LowerGPUPasses.td has those that only chips need.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_LOWERPASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_LOWERPASSES_TD

include "mlir/Pass/PassBase.td"

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
    | `matmul` | a block-scaled product; a contraction with `nvfp4.kernel` | products of the same left operand and types; what reads each element of one product once, in whatever order; quantization of blocks along the product's columns whose global scale, if any, is there before |
    | `attention` | all ops between the products of an attention whose last one says so in `nvfp4.kernel`, and both products | what a product is joined by; elements that are its queries and nothing else |
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
    place of the exact value, or in a `gpu.module`, by the instruction for powers
    of two, within 4; other f32 functions in f64 and rounded once, within 0.52
    units. f64 functions have relative errors near 1e-14.

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

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_LOWERPASSES_TD

//===- KernelsPasses.td - The passes of the Kernels stage --*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_KERNELSPASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_KERNELSPASSES_TD

include "mlir/Pass/PassBase.td"

def AssignLayoutsPass : Pass<"nvfp4-assign-layouts", "::mlir::ModuleOp"> {
  let summary = "Lays operands of block-scaled matmuls out as matrix units read them";
  let description = [{
    Every block-scaled operand of an `nvfp4.matmul` gets `layout = tiled`: an
    `nvfp4.quantize` writes it, and a packed weight is stored so, that is, its
    packing function ends in the layout and arguments of entries take its type.
    Weights with a static number of rows get `layout = registers` for a `chip`
    whose unit multiplies in warpgroups and has no block-scaled operands. For such a
    unit activations, and weights that a run quantizes for them, stay `linear`,
    which says that they are decoded (`nvfp4-decode-activations`).
    Plain activations of such a unit, and those of a unit with tensor memory, are
    rounded to bf16 where they are made, which is a missed remark.
    Equal packed tensors stay one. Other users of such a value read an
    `nvfp4.relayout` back to `linear`; a value made by anything else (an input,
    a result of `scf.if`) is laid out anew in every run. Both are missed remarks.

    Needs: quantized IR with packing functions. Leaves: no `linear` operand of an
    `nvfp4.matmul` but those. An operand whose K is dynamic is an error, because the padding
    of the layout depends on it. Comes first in Kernels.

    Before:

    ```mlir
    func.func @before(%x: tensor<?x64xf32>, %g: tensor<f32>, %w: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.fc})
        -> tensor<?x32xf32> {
      %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<f32> -> !nvfp4.tensor<?x64, nvfp4>
      %y = nvfp4.matmul %q, %w : !nvfp4.tensor<?x64, nvfp4>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
      return %y : tensor<?x32xf32>
    }
    func.func private @pack.fc(%w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"}) -> !nvfp4.tensor<32x64, nvfp4>
        attributes {nvfp4.pack = "fc.weight"} {
      %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
      %q = nvfp4.quantize %w global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
      return %q : !nvfp4.tensor<32x64, nvfp4>
    }
    ```

    After: all `!nvfp4.tensor` have `layout = tiled`.
  }];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"\"",
           "The chip that reads the operands, for example sm_90a; none: one "
           "whose unit multiplies block-scaled operands">,
  ];
  let dependentDialects = ["::nvfp4::NVFP4Dialect"];
  let statistics = [
    Statistic<"numWeights", "num-weights", "Packed tensors stored in the layout">,
    Statistic<"numQuantized", "num-quantized", "Quantizations that write the layout">,
    Statistic<"numRelayouts", "num-relayouts", "Values laid out anew in every run">,
  ];
}

def FoldTransposesPass : Pass<"nvfp4-fold-transposes", "::mlir::func::FuncOp"> {
  let summary = "Lets contractions read operands as they were before a transpose";
  let description = [{
    Models write q·kᵀ as a product with a transposed k. Where K is the last
    dimension but one of a bf16 or f16 operand, and a transpose, views and
    conversions that nothing else reads lead to it, their last two dimensions are
    swapped, and so are those of the contraction's indexing map. Only transposes
    that move the innermost dimension are touched: afterwards it is innermost, so
    that the result of a product is stored in its own order, query, key and value
    alike, and a matrix unit finds K last. Loops and the order of sums stay.

    Needs: contractions with rounded operands. Leaves: the same values. Comes
    before `nvfp4-select-kernels`.

    Before:

    ```mlir
    func.func @before(%q: tensor<4x32x64xbf16>, %k: tensor<4x32x64xf32>, %zeros: tensor<4x32x32xf32>) -> tensor<4x32x32xf32> {
      %0 = tensor.empty() : tensor<4x64x32xf32>
      %t = linalg.transpose ins(%k : tensor<4x32x64xf32>) outs(%0 : tensor<4x64x32xf32>) permutation = [0, 2, 1]
      %b = arith.truncf %t : tensor<4x64x32xf32> to tensor<4x64x32xbf16>
      %s = linalg.batch_matmul ins(%q, %b : tensor<4x32x64xbf16>, tensor<4x64x32xbf16>)
          outs(%zeros : tensor<4x32x32xf32>) -> tensor<4x32x32xf32>
      return %s : tensor<4x32x32xf32>
    }
    ```

    After:

    ```mlir
    func.func @after(%q: tensor<4x32x64xbf16>, %k: tensor<4x32x64xf32>, %zeros: tensor<4x32x32xf32>) -> tensor<4x32x32xf32> {
      %b = arith.truncf %k : tensor<4x32x64xf32> to tensor<4x32x64xbf16>
      %s = linalg.generic {indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>,
              affine_map<(b, m, n, k) -> (b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
          ins(%q, %b : tensor<4x32x64xbf16>, tensor<4x32x64xbf16>) outs(%zeros : tensor<4x32x32xf32>) {
      ^bb0(%x: bf16, %y: bf16, %sum: f32):
        %wide_x = arith.extf %x : bf16 to f32
        %wide_y = arith.extf %y : bf16 to f32
        %product = arith.mulf %wide_x, %wide_y : f32
        %next = arith.addf %sum, %product : f32
        linalg.yield %next : f32
      } -> tensor<4x32x32xf32>
      return %s : tensor<4x32x32xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numFolded", "num-folded", "Operands read as before a transpose">,
  ];
}

def SelectKernelsPass : Pass<"nvfp4-select-kernels", "::mlir::ModuleOp"> {
  let summary = "Chooses how each matrix product is computed on a chip";
  let description = [{
    Writes `nvfp4.kernel` on every `nvfp4.matmul` and on every contraction of bf16
    or f16 operands, and changes nothing else. Where the number of rows is dynamic
    and may be small, kernels for few rows, each with `max_rows`, come before the
    one for the rest.

    | unit of the chip | few rows | more |
    | --- | --- | --- |
    | warps | up to 16: `swapped`, the unit's M side holds columns of the result, tile of 16 x 64, or 16 x 32 where weights alone are block-scaled, up to four warps share K | 2 x 2 warps, up to 128 x 128; 4 x 2, and half as many columns, where weights alone are block-scaled, because decoding takes registers |
    | warpgroups | up to 64 of weights in `layout = registers`: `stream` for 2, 8, 16, 32 and 64 rows; other products as for warps | a warpgroup copies, one or two multiply up to 128 x 256 |
    | tensor memory | up to 64: `swapped`, with as many rows as a power of two has, from 16, and up to four CTAs share K where there are few tiles; of 16-bit activations 64 rows, and up to 16 as for warps | 128 x 256, 128 x 192 or 128 x 128, in pairs of CTAs where there is work for some rounds |

    A tile of K is 128 bytes of the wider operand's elements, up to 128 elements for
    warps, and one to four times 128 in a stream. There are as many stages as shared
    memory has room for, up to a limit. Rows whose stream has no room get the stream
    for more rows, or else the warpgroups' kernel, with a missed remark.

    An attribute that is there wins: kernels of `matmul`, and of `stream` where
    weights are packed in `layout = registers` and operands have no batch. A
    `matmul` that does not fit the chip's shared memory is an error here, a
    `stream` where it is generated. So is an operand in a layout that the chip's
    unit does not read. Other contractions (f32) get no kernel, with a missed
    remark: a thread computes each of their sums.

    The second product of an attention with up to eight rows per head, of any type,
    or with more of bf16 or f16, gets `attention`, which computes scores, what
    happens to them, and the product in one kernel; its first product gets what it
    would get alone, which nobody reads then. A missed remark says why a product
    ends no attention.

    Needs: tiled operands (`nvfp4-assign-layouts`). Leaves: `nvfp4.kernel` on every
    `nvfp4.matmul`, and on what else has a kernel of its own.

    Before:

    ```mlir
    func.func @before(%a: !nvfp4.tensor<?x384, nvfp4, layout = tiled>, %b: !nvfp4.tensor<384x384, nvfp4, layout = tiled>)
        -> tensor<?x384xf32> {
      %d = nvfp4.matmul %a, %b
          : !nvfp4.tensor<?x384, nvfp4, layout = tiled>, !nvfp4.tensor<384x384, nvfp4, layout = tiled> -> tensor<?x384xf32>
      return %d : tensor<?x384xf32>
    }
    ```

    After:

    ```mlir
    func.func @after(%a: !nvfp4.tensor<?x384, nvfp4, layout = tiled>, %b: !nvfp4.tensor<384x384, nvfp4, layout = tiled>)
        -> tensor<?x384xf32> {
      %d = nvfp4.matmul %a, %b {nvfp4.kernel = [
          #nvfp4.kernel<matmul, threads = 128, tile = 16x64x256, warps = 1x1x4, stages = 2, swapped = true, max_rows = 16>,
          #nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 3>]}
          : !nvfp4.tensor<?x384, nvfp4, layout = tiled>, !nvfp4.tensor<384x384, nvfp4, layout = tiled> -> tensor<?x384xf32>
      return %d : tensor<?x384xf32>
    }
    ```
  }];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"\"",
           "The chip that runs the kernels, for example sm_120a">,
  ];
  let dependentDialects = ["::nvfp4::NVFP4Dialect"];
  let statistics = [
    Statistic<"numProducts", "num-products", "Products that got kernels">,
    Statistic<"numFallbacks", "num-fallbacks", "Contractions without the matrix unit">,
  ];
}

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_KERNELSPASSES_TD

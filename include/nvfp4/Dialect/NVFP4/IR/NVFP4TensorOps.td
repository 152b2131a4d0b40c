//===- NVFP4TensorOps.td - Ops on whole quantized tensors --*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One SSA value of type `!nvfp4.tensor` is one quantized tensor. Formulas are in
// docs/Format.md.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_NVFP4TENSOROPS_TD
#define NVFP4_DIALECT_NVFP4_IR_NVFP4TENSOROPS_TD

include "nvfp4/Dialect/NVFP4/IR/NVFP4Types.td"
include "mlir/Interfaces/CastInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/ShapedOpInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def NVFP4_FloatTensor : RankedTensorOf<[F32, BF16, F16], [], "f32, bf16 or f16 tensor">;
def NVFP4_GlobalScaleTensor : RankedTensorOf<[F32], [], "global scale tensor">;
def NVFP4_CodesTensor : RankedTensorOf<[I8], [], "packed code tensor">;
def NVFP4_ScalesTensor : RankedTensorOf<[I8, F8E4M3FN, F8E8M0FNU], [], "block scale tensor">;
/// Seed and offset of the counter-based generator (docs/Format.md).
def NVFP4_RandomState : RankedTensorOf<[I64], [], "random state tensor">;
def NVFP4_MatmulOperand
    : AnyTypeOf<[NVFP4_BlockTensorType, NVFP4_FloatTensor],
                "block-scaled tensor or float tensor">;

class NVFP4_TensorOp<string mnemonic, list<Trait> traits = []>
    : NVFP4_Op<mnemonic, !listconcat(traits, [
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>])>;

//===----------------------------------------------------------------------===//
// Quantization
//===----------------------------------------------------------------------===//

def NVFP4_GlobalScaleOp : NVFP4_TensorOp<"global_scale", [Pure]> {
  let summary = "computes the global scale of a tensor, of each slice, or of each row";
  let description = [{
    Reduces `source` to the f32 number that `nvfp4.quantize` needs. With
    `A` the largest magnitude (NaN is skipped) and `bound` the largest block scale:

    | convention | result |
    | --- | --- |
    | `amax` | `A` |
    | `divide` | `S_enc = min(6 * bound / A, FLT_MAX)`, 1 where `A` is 0 or infinite |
    | `multiply` | `A / (6 * bound)` |

    The format's granularity decides over what is reduced: `tensor` (everything),
    `slice` (each matrix of a batch) or `row` (each row of the last dimension).
    The printed form is short for the golden format: nothing, `per_slice` or
    `per_row`; any other format follows the keyword `format`.

    Constraints:

      * (C1) the format has a global scale.
      * (C2) the result's shape is what the granularity leaves of `source`'s.

    Example:

    ```mlir
    func.func @global_scale(%x: tensor<?x384xf32>) -> (tensor<f32>, tensor<?xf32>, tensor<f32>) {
      %t = nvfp4.global_scale %x : tensor<?x384xf32> -> tensor<f32>
      %r = nvfp4.global_scale %x per_row : tensor<?x384xf32> -> tensor<?xf32>
      %m = nvfp4.global_scale %x format <nvfp4<convention = multiply>> : tensor<?x384xf32> -> tensor<f32>
      return %t, %r, %m : tensor<f32>, tensor<?xf32>, tensor<f32>
    }
    ```
  }];
  let arguments = (ins NVFP4_FloatTensor:$source, NVFP4_FormatAttr:$format);
  let results = (outs NVFP4_GlobalScaleTensor:$result);
  let assemblyFormat = [{
    $source `` custom<GlobalScaleFormat>($format) attr-dict `:` type($source) `->` type($result)
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$source, "::nvfp4::FormatAttr":$format)>
  ];
  let hasVerifier = 1;
}

def NVFP4_QuantizeOp : NVFP4_TensorOp<"quantize", [Pure, AttrSizedOperandSegments]> {
  let summary = "encodes a float tensor as a block-scaled tensor";
  let description = [{
    Splits `source` into the blocks of the result's format and computes, in f32
    and in this order (`docs/Format.md`, Transformer Engine's chain):

    ```
    m     = S_enc * fl32(1/6)
    scale = e4m3(min(amax(block) * m, FLT_MAX))
    enc   = min(1 / (scale * S_dec), FLT_MAX)
    code  = e2m1(x * enc)
    ```

    `S_enc` and `S_dec` derive from `global_scale` by the format's convention. A
    block of zeros has scale 0 and codes 0. NaN encodes as +6 and does not enter a
    maximum; larger magnitudes saturate; -0 keeps its sign. Formats without a
    global scale (MXFP4) derive a power-of-two scale from the block alone,
    rounded up.

    `rounding<stochastic>` adds 8 random bits below the code's mantissa. Which
    bits serve which element is part of the format: Philox 4x32-10 with the seed
    and offset in `state`.

    Constraints:

      * (C1) `source` and the result have the same shape.
      * (C2) `global_scale` is present exactly if the format has one, with one
        element per tensor, slice or row as the format's granularity says.
      * (C3) `state` is present exactly if the rounding is stochastic, and is
        `tensor<2xi64>`.

    Example:

    ```mlir
    func.func @quantize(%x: tensor<?x384xbf16>, %g: tensor<?xf32>)
        -> !nvfp4.tensor<?x384, nvfp4<global = row>> {
      %q = nvfp4.quantize %x global_scale %g
          : tensor<?x384xbf16>, tensor<?xf32> -> !nvfp4.tensor<?x384, nvfp4<global = row>>
      return %q : !nvfp4.tensor<?x384, nvfp4<global = row>>
    }

    func.func @quantize_stochastic(%x: tensor<64x384xf32>, %g: tensor<f32>, %s: tensor<2xi64>)
        -> !nvfp4.tensor<64x384, nvfp4> {
      %q = nvfp4.quantize %x global_scale %g rounding<stochastic> state %s
          : tensor<64x384xf32>, tensor<f32>, tensor<2xi64> -> !nvfp4.tensor<64x384, nvfp4>
      return %q : !nvfp4.tensor<64x384, nvfp4>
    }
    ```
  }];
  let arguments = (ins NVFP4_FloatTensor:$source,
      Optional<NVFP4_GlobalScaleTensor>:$global_scale,
      Optional<NVFP4_RandomState>:$state,
      DefaultValuedAttr<NVFP4_RoundingModeAttr, "RoundingMode::NearestEven">:$rounding);
  let results = (outs NVFP4_BlockTensorType:$result);
  let assemblyFormat = [{
    $source (`global_scale` $global_scale^)? (`rounding` `` $rounding^)? (`state` $state^)?
    attr-dict `:` type($source) `` custom<TrailingTypes>(
      type($global_scale), ref($global_scale), type($state), ref($state)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NVFP4_DequantizeOp : NVFP4_TensorOp<"dequantize", [Pure]> {
  let summary = "decodes a block-scaled tensor";
  let description = [{
    `value = code * decoded scale of its block`, where the decoded scale is the
    f32 product of scale and global scale in the order that the format's
    convention fixes. A bf16 or f16 result is the f32 value rounded to nearest
    even.

    `nvfp4.quantize` of the result is not the identity: it chooses new scales.

    Constraints:

      * (C1) `source` and the result have the same shape.

    Example:

    ```mlir
    func.func @dequantize(%q: !nvfp4.tensor<64x384, nvfp4>) -> tensor<64x384xbf16> {
      %x = nvfp4.dequantize %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x384xbf16>
      return %x : tensor<64x384xbf16>
    }
    ```
  }];
  let arguments = (ins NVFP4_BlockTensorType:$source);
  let results = (outs NVFP4_FloatTensor:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source)) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Computation
//===----------------------------------------------------------------------===//

def NVFP4_MatmulOp : NVFP4_TensorOp<"matmul", [Pure]> {
  let summary = "multiplies A[.., M, K] by the transpose of B[.., N, K]";
  let description = [{
    ```
    D[.., m, n] = sum over k of A[.., m, k] * B[.., n, k]
    ```

    Products and sums are f32 or better and in no fixed order; global scales are
    applied once, after the sum. An f16 or bf16 result is rounded once at the end.
    Each operand is block-scaled along K or a plain float tensor, at least one is
    block-scaled (a plain `lhs` is the weight-only form).

    `rhs` has the batch dimensions of `lhs`, or none: then all matrices of `lhs`
    are multiplied by the same `rhs`.

    Constraints:

      * (C1) at least one operand is block-scaled.
      * (C2) both operands have rank 2 or more and the same K.
      * (C3) `rhs` has no batch dimensions or those of `lhs`.
      * (C4) the result has shape `[.., M, N]`.
      * (C5) block-scaled operands have the same element and scale encoding.

    Example:

    ```mlir
    func.func @matmul(%a: !nvfp4.tensor<?x384, nvfp4<global = row>>, %b: !nvfp4.tensor<1536x384, nvfp4>)
        -> tensor<?x1536xf32> {
      %d = nvfp4.matmul %a, %b
          : !nvfp4.tensor<?x384, nvfp4<global = row>>, !nvfp4.tensor<1536x384, nvfp4> -> tensor<?x1536xf32>
      return %d : tensor<?x1536xf32>
    }
    ```
  }];
  let arguments = (ins NVFP4_MatmulOperand:$lhs, NVFP4_MatmulOperand:$rhs);
  let results = (outs NVFP4_FloatTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

def NVFP4_HadamardOp : NVFP4_TensorOp<"hadamard",
    [Pure, AllTypesMatch<["source", "result"]> /*hadamard_c1*/]> {
  let summary = "random Hadamard transform on groups of 16";
  let description = [{
    Multiplies every 16 consecutive elements of the last dimension, as a row
    vector, by `diag(s) * H16 / 4`. `H16` is the Sylvester matrix; bit `i` of
    `signs` is set where `s[i] = -1`. Products accumulate in f32 and the result is
    rounded to the element type. The matrix is orthogonal: applied to both
    operands of a matmul along K it cancels.

    Constraints:

      * (C1) `source` and the result have the same type.
      * (C2) the last dimension is a multiple of 16 or dynamic.
      * (C3) `signs` is a 16-bit mask.

    Example:

    ```mlir
    func.func @hadamard(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
      %r = nvfp4.hadamard %x signs<0xD7E8> : tensor<?x64xbf16>
      return %r : tensor<?x64xbf16>
    }
    ```
  }];
  let arguments = (ins NVFP4_FloatTensor:$source, I32Attr:$signs);
  let results = (outs NVFP4_FloatTensor:$result);
  let assemblyFormat = [{
    $source `signs` custom<SignMask>($signs) attr-dict `:` type($source)
  }];
  let hasVerifier = 1;
}

def NVFP4_TransposeOp : NVFP4_TensorOp<"transpose", [Pure]> {
  let summary = "exchanges the last two dimensions of a tensor with square blocks";
  let description = [{
    Exact: a square block keeps its scale, its codes are transposed. Formats whose
    blocks are not square have no such transpose; quantize the transposed source.

    Constraints:

      * (C1) the blocks are square and the granularity of the global scale is not `row`.
      * (C2) the result is the source with the last two dimensions exchanged.

    Example:

    ```mlir
    func.func @transpose(%q: !nvfp4.tensor<384x64, nvfp4<block = 16x16>>)
        -> !nvfp4.tensor<64x384, nvfp4<block = 16x16>> {
      %t = nvfp4.transpose %q
          : !nvfp4.tensor<384x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x384, nvfp4<block = 16x16>>
      return %t : !nvfp4.tensor<64x384, nvfp4<block = 16x16>>
    }
    ```
  }];
  let arguments = (ins NVFP4_BlockTensorType:$source);
  let results = (outs NVFP4_BlockTensorType:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source)) `->` qualified(type($result))";
  let builders = [OpBuilder<(ins "::mlir::Value":$source)>];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NVFP4_RelayoutOp : NVFP4_TensorOp<"relayout", [Pure]> {
  let summary = "changes the layout of scales and padding, not the values";
  let description = [{
    Constraints:

      * (C1) source and result differ in layout only.

    Example:

    ```mlir
    func.func @relayout(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4, layout = tiled> {
      %t = nvfp4.relayout %q : !nvfp4.tensor<64x384, nvfp4> -> !nvfp4.tensor<64x384, nvfp4, layout = tiled>
      return %t : !nvfp4.tensor<64x384, nvfp4, layout = tiled>
    }
    ```
  }];
  let arguments = (ins NVFP4_BlockTensorType:$source);
  let results = (outs NVFP4_BlockTensorType:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source)) `->` qualified(type($result))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// The border to everyone else
//===----------------------------------------------------------------------===//

def NVFP4_AssembleOp : NVFP4_TensorOp<"assemble", [Pure]> {
  let summary = "makes one quantized tensor of separate codes, scales and global scale";
  let description = [{
    `codes` holds two codes per byte, the element with the lower index in the low
    nibble. `scales` is row-major (`linear`) or in the order of the MMA units
    (`tiled`), as the result's layout says; a signless i8 is the encoded byte. The
    result's convention says what `global_scale` means, which is taken as given
    and never recomputed.

    Constraints:

      * (C1) `codes`, `scales` and `global_scale` have the shapes of the result's
        components; `scales` is i8 or has the format's scale encoding.

    Example:

    ```mlir
    func.func @assemble(%c: tensor<64x192xi8>, %s: tensor<64x24xf8E4M3FN>, %g: tensor<f32>)
        -> !nvfp4.tensor<64x384, nvfp4<convention = multiply>> {
      %q = nvfp4.assemble %c, %s global_scale %g
          : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>
          -> !nvfp4.tensor<64x384, nvfp4<convention = multiply>>
      return %q : !nvfp4.tensor<64x384, nvfp4<convention = multiply>>
    }
    ```
  }];
  let arguments = (ins NVFP4_CodesTensor:$codes, NVFP4_ScalesTensor:$scales,
      Optional<NVFP4_GlobalScaleTensor>:$global_scale);
  let results = (outs NVFP4_BlockTensorType:$result);
  let assemblyFormat = [{
    $codes `,` $scales (`global_scale` $global_scale^)? attr-dict
    `:` type($codes) `,` type($scales) (`,` type($global_scale)^)? `->` qualified(type($result))
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NVFP4_DisassembleOp : NVFP4_Op<"disassemble",
    [Pure,
     DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "separates a quantized tensor into codes, scales and global scale";
  let description = [{
    The inverse of `nvfp4.assemble`. `convention` asks for another meaning of
    the global scale than the source's: from `amax` both others follow exactly as
    in the golden chain; other conversions would round and do not exist.

    Constraints:

      * (C1) the results have the shapes of the source's components; `scales` is
        i8 or has the format's scale encoding.
      * (C2) `convention` is the source's, or the source's is `amax`.

    Example:

    ```mlir
    func.func @disassemble(%q: !nvfp4.tensor<64x384, nvfp4>)
        -> (tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>) {
      %c, %s, %g = nvfp4.disassemble %q convention multiply
          : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>
      return %c, %s, %g : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>
    }
    ```
  }];
  let arguments = (ins NVFP4_BlockTensorType:$source,
      OptionalAttr<StrAttr>:$convention);
  let results = (outs NVFP4_CodesTensor:$codes, NVFP4_ScalesTensor:$scales,
      Optional<NVFP4_GlobalScaleTensor>:$global_scale);
  let assemblyFormat = [{
    $source (`convention` custom<Keyword>($convention)^)? attr-dict
    `:` qualified(type($source)) `->` type($codes) `,` type($scales) (`,` type($global_scale)^)?
  }];
  let extraClassDeclaration = [{
    /// The convention of the `global_scale` result.
    ::nvfp4::GlobalScaleConvention getResultConvention();
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Shapes and constants
//===----------------------------------------------------------------------===//

def NVFP4_DimOp : NVFP4_Op<"dim", [Pure,
    DeclareOpInterfaceMethods<ShapedDimOpInterface>]> {
  let summary = "the extent of one dimension of a block-scaled tensor";
  let description = [{
    Constraints:

      * (C1) `dimension` is smaller than the rank.

    Example:

    ```mlir
    func.func @dim(%q: !nvfp4.tensor<?x384, nvfp4>) -> index {
      %m = nvfp4.dim %q, 0 : !nvfp4.tensor<?x384, nvfp4>
      return %m : index
    }
    ```
  }];
  let arguments = (ins NVFP4_BlockTensorType:$source, I64Attr:$position);
  let results = (outs Index:$result);
  let assemblyFormat = "$source `,` $position attr-dict `:` qualified(type($source))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NVFP4_CastOp : NVFP4_TensorOp<"cast",
    [Pure, DeclareOpInterfaceMethods<CastOpInterface>]> {
  let summary = "makes extents static or dynamic";
  let description = [{
    As `tensor.cast`: the value is unchanged; it is undefined if an extent that
    becomes static is another one at run time.

    Example:

    ```mlir
    func.func @cast(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<?x384, nvfp4> {
      %c = nvfp4.cast %q : !nvfp4.tensor<64x384, nvfp4> to !nvfp4.tensor<?x384, nvfp4>
      return %c : !nvfp4.tensor<?x384, nvfp4>
    }
    ```
  }];
  let arguments = (ins NVFP4_BlockTensorType:$source);
  let results = (outs NVFP4_BlockTensorType:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source)) `to` qualified(type($result))";
  let hasFolder = 1;
}

def NVFP4_ConstantOp : NVFP4_TensorOp<"constant", [Pure, ConstantLike]> {
  let summary = "a constant block-scaled tensor";
  let description = [{
    Constraints:

      * (C1) the components in `value` have the types of the result's components.

    Example:

    ```mlir
    func.func @constant() -> !nvfp4.tensor<2x16, nvfp4> {
      %q = nvfp4.constant <codes = dense<0x22> : tensor<2x8xi8>, scales = dense<0x38> : tensor<2x1xi8>,
                           globalScale = dense<2688.0> : tensor<f32>> : !nvfp4.tensor<2x16, nvfp4>
      return %q : !nvfp4.tensor<2x16, nvfp4>
    }
    ```
  }];
  let arguments = (ins NVFP4_BlocksAttr:$value);
  let results = (outs NVFP4_BlockTensorType:$result);
  let assemblyFormat = "$value attr-dict `:` qualified(type($result))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Errors at run time
//===----------------------------------------------------------------------===//

def NVFP4_RecordErrorOp : NVFP4_Op<"record_error",
    [MemoryEffects<[MemWrite]>]> {
  let summary = "records a violated check in the workspace's error word";
  let description = [{
    If `status` is n > 0 and the error word is still 0, the word becomes the
    number of `messages[n - 1]` among all messages of the entry. The runtime turns it into an error
    when the run has ended; nothing aborts. Works on tensors and, after
    bufferization, on memrefs.

    Constraints:

      * (C1) `status` is a 0-d i32 tensor or memref.
      * (C2) `messages` is not empty.

    Example:

    ```mlir
    func.func @record_error(%status: tensor<i32>) {
      nvfp4.record_error %status messages ["token id out of range"] : tensor<i32>
      return
    }
    ```
  }];
  let arguments = (ins AnyTypeOf<[0DTensorOf<[I32]>, MemRefRankOf<[I32], [0]>],
                                 "0-d i32 tensor or memref">:$status,
      ConfinedAttr<StrArrayAttr, [ArrayMinCount<1>]>:$messages);
  let assemblyFormat = "$status `messages` $messages attr-dict `:` type($status)";
}

#endif // NVFP4_DIALECT_NVFP4_IR_NVFP4TENSOROPS_TD

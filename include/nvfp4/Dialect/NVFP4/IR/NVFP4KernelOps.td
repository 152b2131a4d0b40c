//===- NVFP4KernelOps.td - What a kernel sees --------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Destination-style ops on the components of block-scaled tensors: packed codes
// (i8, two to a byte), scale bytes (i8) and global scales (f32). They work on
// tensors and, after bufferization, on memrefs. `nvfp4-expand-tensors` makes them
// from the ops of NVFP4TensorOps.td, which define their meaning.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_NVFP4KERNELOPS_TD
#define NVFP4_DIALECT_NVFP4_IR_NVFP4KERNELOPS_TD

include "nvfp4/Dialect/NVFP4/IR/NVFP4TensorOps.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"

/// Inputs and inits are positional lists, as in linalg; the accessors of each op
/// name them. A block-scaled operand is its codes, its scales and, in formats
/// that have one, its global scale, described by the attribute that holds its
/// tensor-level type (shape, format and layout).
class NVFP4_KernelOp<string mnemonic, list<Trait> traits = []>
    : NVFP4_Op<mnemonic, !listconcat(traits, [
        AttrSizedOperandSegments,
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>])> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  code baseDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
  }];
  let extraClassDeclaration = baseDeclaration;
  let hasVerifier = 1;
}

def NVFP4_Operand
    : AnyTypeOf<[RankedTensorOf<[F32, BF16, F16, I8, I64]>, StridedMemRefOf<[F32, BF16, F16, I8, I64]>],
                "tensor or memref of f32, bf16, f16, i8 or i64">;
def NVFP4_BlockTensorTypeAttr : TypeAttrOf<NVFP4_BlockTensorType>;

def NVFP4_GlobalScaleIntoOp : NVFP4_KernelOp<"global_scale_into"> {
  let summary = "computes global scales into a buffer";
  let description = [{
    `ins(source) outs(global_scale)`. See `nvfp4.global_scale`.

    Constraints:

      * (C1) one float input and one f32 init, shaped as the format's granularity says.

    Example:

    ```mlir
    func.func @global_scale_into(%x: tensor<?x384xf32>, %init: tensor<?xf32>) -> tensor<?xf32> {
      %g = nvfp4.global_scale_into format <nvfp4<global = row>>
          ins(%x : tensor<?x384xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
      return %g : tensor<?xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits, NVFP4_FormatAttr:$format);
  let assemblyFormat = [{
    `format` $format `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $inits `:` type($inits) `)`
    attr-dict (`->` type($results)^)?
  }];
}

def NVFP4_QuantizeIntoOp : NVFP4_KernelOp<"quantize_into"> {
  let summary = "encodes a float buffer into codes and scales";
  let description = [{
    `ins(source, [global_scale], [state]) outs(codes, scales)`. `as` is the type of
    the block-scaled tensor that the inits hold. See `nvfp4.quantize`.

    Constraints:

      * (C1) the inputs are a float source of `as`'s shape, a global scale exactly
        if the format has one, and a `2xi64` state exactly if the rounding is stochastic.
      * (C2) the inits have the types of `as`'s codes and scales.

    Example:

    ```mlir
    func.func @quantize_into(%x: tensor<?x384xf32>, %g: tensor<?xf32>, %c: tensor<?x192xi8>, %s: tensor<?x24xi8>)
        -> (tensor<?x192xi8>, tensor<?x24xi8>) {
      %q:2 = nvfp4.quantize_into as !nvfp4.tensor<?x384, nvfp4<global = row>>
          ins(%x, %g : tensor<?x384xf32>, tensor<?xf32>)
          outs(%c, %s : tensor<?x192xi8>, tensor<?x24xi8>) -> tensor<?x192xi8>, tensor<?x24xi8>
      return %q#0, %q#1 : tensor<?x192xi8>, tensor<?x24xi8>
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits, NVFP4_BlockTensorTypeAttr:$as,
      DefaultValuedAttr<NVFP4_RoundingModeAttr, "RoundingMode::NearestEven">:$rounding);
  let assemblyFormat = [{
    `as` $as (`rounding` `` $rounding^)? `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    ::nvfp4::BlockTensorType getBlockType() {
      return ::llvm::cast<::nvfp4::BlockTensorType>(getAs());
    }
    ::mlir::Value getSource() { return getInputs()[0]; }
    /// Null for formats without a global scale.
    ::mlir::Value getGlobalScale();
    /// Null unless the rounding is stochastic.
    ::mlir::Value getState();
  }];
}

def NVFP4_DequantizeIntoOp : NVFP4_KernelOp<"dequantize_into"> {
  let summary = "decodes codes and scales into a float buffer";
  let description = [{
    `ins(codes, scales, [global_scale]) outs(result)`. `from` is the type of the
    block-scaled tensor that the inputs hold. See `nvfp4.dequantize`.

    Constraints:

      * (C1) the inputs have the types of `from`'s components.
      * (C2) one float init of `from`'s shape.

    Example:

    ```mlir
    func.func @dequantize_into(%c: tensor<64x16xi8>, %s: tensor<64x1xi8>, %init: tensor<64x32xf32>) -> tensor<64x32xf32> {
      %d = nvfp4.dequantize_into from !nvfp4.tensor<64x32, mxfp4>
          ins(%c, %s : tensor<64x16xi8>, tensor<64x1xi8>) outs(%init : tensor<64x32xf32>) -> tensor<64x32xf32>
      return %d : tensor<64x32xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits, NVFP4_BlockTensorTypeAttr:$from);
  let assemblyFormat = [{
    `from` $from `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    ::nvfp4::BlockTensorType getBlockType() {
      return ::llvm::cast<::nvfp4::BlockTensorType>(getFrom());
    }
  }];
}

def NVFP4_ScaledMatmulOp : NVFP4_KernelOp<"scaled_matmul"> {
  let summary = "multiplies block-scaled matrices into a float buffer";
  let description = [{
    `ins(lhs components, rhs components) outs(result)`. `lhs` and `rhs` give the
    tensor-level types; an operand without one is a plain float buffer. In place
    of codes and scales, an operand with a type may be decoded: its values without
    the global scale, in bf16. The init is overwritten, not accumulated into. See
    `nvfp4.matmul`.

    Constraints:

      * (C1) at least one of `lhs` and `rhs` is given.
      * (C2) the inputs have the types of the operands' components, one float
        buffer for a plain operand, values in bf16 and the global scale, if there
        is one, for a decoded operand.
      * (C3) shapes fit as in `nvfp4.matmul`.

    Example:

    ```mlir
    func.func @scaled_matmul(%a: tensor<?x64xf32>, %c: tensor<8x32xi8>, %s: tensor<8x4xi8>, %g: tensor<f32>,
                             %init: tensor<?x8xf32>) -> tensor<?x8xf32> {
      %d = nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, nvfp4>
          ins(%a, %c, %s, %g : tensor<?x64xf32>, tensor<8x32xi8>, tensor<8x4xi8>, tensor<f32>)
          outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
      return %d : tensor<?x8xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits,
      OptionalAttr<NVFP4_BlockTensorTypeAttr>:$lhs,
      OptionalAttr<NVFP4_BlockTensorTypeAttr>:$rhs);
  let assemblyFormat = [{
    (`lhs` $lhs^)? (`rhs` $rhs^)? `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    /// Null for a plain float operand.
    ::nvfp4::BlockTensorType getLhsType();
    ::nvfp4::BlockTensorType getRhsType();
    /// One float buffer, or codes, scales and the global scale if there is one.
    ::mlir::ValueRange getLhsComponents();
    ::mlir::ValueRange getRhsComponents();
    ::mlir::Value getInit() { return getInits()[0]; }
  }];
}

def NVFP4_GemmOp : NVFP4_KernelOp<"gemm"> {
  let summary = "multiplies matrices by the runtime";
  let description = [{
    `ins(lhs, rhs) outs(result)`, on buffers: the contraction of `linalg.contract`
    with `indexing_maps` for lhs, rhs and result. Sums are accumulated in f32, in
    the order of the contracted dimensions. The init is overwritten, unless
    `accumulate` says that products are added to it. The result overlaps no input.

    Constraints:

      * (C1) two inputs and one init, memrefs of f32, bf16 or f16.
      * (C2) one projected permutation per operand, with a result per dimension of
        the operand.
      * (C3) every dimension occurs in two maps or in all three.

    Example:

    ```mlir
    func.func @gemm(%x: memref<?x64xf32>, %w: memref<8x64xbf16>, %y: memref<?x8xf32>) {
      nvfp4.gemm [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
          ins(%x, %w : memref<?x64xf32>, memref<8x64xbf16>) outs(%y : memref<?x8xf32>)
      return
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits, AffineMapArrayAttr:$indexing_maps,
      UnitAttr:$accumulate);
  let assemblyFormat = [{
    $indexing_maps (`accumulate` $accumulate^)? `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    ::mlir::Value getLhs() { return getInputs()[0]; }
    ::mlir::Value getRhs() { return getInputs()[1]; }
    ::mlir::Value getInit() { return getInits()[0]; }
  }];
}

def NVFP4_HadamardIntoOp : NVFP4_KernelOp<"hadamard_into"> {
  let summary = "random Hadamard transform into a buffer";
  let description = [{
    `ins(source) outs(result)`. See `nvfp4.hadamard`.

    Constraints:

      * (C1) one input and one init of one shape and float element type, the last
        dimension a multiple of 16 or dynamic.

    Example:

    ```mlir
    func.func @hadamard_into(%x: tensor<?x64xbf16>, %init: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
      %r = nvfp4.hadamard_into signs<0xD7E8> ins(%x : tensor<?x64xbf16>) outs(%init : tensor<?x64xbf16>) -> tensor<?x64xbf16>
      return %r : tensor<?x64xbf16>
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits, I32Attr:$signs);
  let assemblyFormat = [{
    `signs` custom<SignMask>($signs) `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
}

def NVFP4_RelayoutIntoOp : NVFP4_KernelOp<"relayout_into"> {
  let summary = "moves codes and scales into another layout";
  let description = [{
    `ins(codes, scales) outs(codes, scales)`. Padding of the destination is
    written as zeros. See `nvfp4.relayout`.

    Constraints:

      * (C1) inputs and inits have the types of `from`'s and `to`'s codes and scales.

    Example:

    ```mlir
    func.func @relayout_into(%c: tensor<64x32xi8>, %s: tensor<64x4xi8>, %tc: tensor<64x32xi8>, %ts: tensor<512xi8>)
        -> (tensor<64x32xi8>, tensor<512xi8>) {
      %q:2 = nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4> to !nvfp4.tensor<64x64, nvfp4, layout = tiled>
          ins(%c, %s : tensor<64x32xi8>, tensor<64x4xi8>)
          outs(%tc, %ts : tensor<64x32xi8>, tensor<512xi8>) -> tensor<64x32xi8>, tensor<512xi8>
      return %q#0, %q#1 : tensor<64x32xi8>, tensor<512xi8>
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits, NVFP4_BlockTensorTypeAttr:$from,
      NVFP4_BlockTensorTypeAttr:$to);
  let assemblyFormat = [{
    `from` $from `to` $to `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    ::nvfp4::BlockTensorType getFromType() {
      return ::llvm::cast<::nvfp4::BlockTensorType>(getFrom());
    }
    ::nvfp4::BlockTensorType getToType() {
      return ::llvm::cast<::nvfp4::BlockTensorType>(getTo());
    }
  }];
}

def NVFP4_TransposeIntoOp : NVFP4_KernelOp<"transpose_into"> {
  let summary = "transposes codes and scales of square blocks";
  let description = [{
    `ins(codes, scales) outs(codes, scales)`. `from` is the source's type. See
    `nvfp4.transpose`.

    Constraints:

      * (C1) inputs and inits have the types of codes and scales of `from` and its transpose.

    Example:

    ```mlir
    func.func @transpose_into(%c: tensor<32x32xi8>, %s: tensor<2x4xi8>, %tc: tensor<64x16xi8>, %ts: tensor<4x2xi8>)
        -> (tensor<64x16xi8>, tensor<4x2xi8>) {
      %q:2 = nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
          ins(%c, %s : tensor<32x32xi8>, tensor<2x4xi8>)
          outs(%tc, %ts : tensor<64x16xi8>, tensor<4x2xi8>) -> tensor<64x16xi8>, tensor<4x2xi8>
      return %q#0, %q#1 : tensor<64x16xi8>, tensor<4x2xi8>
    }
    ```
  }];
  let arguments = (ins Variadic<NVFP4_Operand>:$inputs,
      Variadic<NVFP4_Operand>:$inits, NVFP4_BlockTensorTypeAttr:$from);
  let assemblyFormat = [{
    `from` $from `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    ::nvfp4::BlockTensorType getFromType() {
      return ::llvm::cast<::nvfp4::BlockTensorType>(getFrom());
    }
  }];
}

def NVFP4_Buffer : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef], "ranked tensor or strided memref">;

def NVFP4_DispatchOp : NVFP4_KernelOp<"dispatch",
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel on a device";
  let description = [{
    `ins(inputs) outs(results)`. `kernel` names a function of a nested module
    that says on tensors what the kernel computes: its arguments are the inputs
    followed by the inits, its results the values of the inits afterwards, and
    `nvfp4.kernel` on it how it is generated. The function stays on tensors when
    the dispatch works on buffers. Host code sees no element: it only orders
    dispatches.

    Constraints:

      * (C1) `kernel` is a function with a body.
      * (C2) its arguments have the shapes and element types of inputs and inits,
        its results those of the inits.

    Example:

    ```mlir
    module {
      module @kernels {
        func.func @twice(%x: tensor<?xf32>, %init: tensor<?xf32>) -> tensor<?xf32>
            attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
          %y = linalg.add ins(%x, %x : tensor<?xf32>, tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
          return %y : tensor<?xf32>
        }
      }
      func.func @main(%x: tensor<?xf32>, %init: tensor<?xf32>) -> tensor<?xf32> {
        %y = nvfp4.dispatch @kernels::@twice ins(%x : tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
        return %y : tensor<?xf32>
      }
    }
    ```
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Variadic<NVFP4_Buffer>:$inputs,
      Variadic<NVFP4_Buffer>:$inits);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict (`->` type($results)^)?
  }];
  let hasVerifier = 0;
}

#endif // NVFP4_DIALECT_NVFP4_IR_NVFP4KERNELOPS_TD

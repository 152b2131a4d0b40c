//===- NVFP4Types.td - The block-scaled tensor type --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_NVFP4TYPES_TD
#define NVFP4_DIALECT_NVFP4_IR_NVFP4TYPES_TD

include "nvfp4/Dialect/NVFP4/IR/NVFP4Attrs.td"
include "mlir/IR/BuiltinTypeInterfaces.td"

def NVFP4_BlockTensorType : TypeDef<NVFP4_Dialect, "BlockTensor",
    [ShapedTypeInterface]> {
  let mnemonic = "tensor";
  let summary = "a block-scaled tensor: codes, scales and global scale";
  let description = [{
    One quantized tensor of rank 2 or more. Blocks lie along the last dimension
    (1x16, 1x32) or over the last two (16x16). The last dimension is a multiple
    of 16, or dynamic; a format whose block is longer gets a half-filled last
    block.

    `layout` fixes the order in memory and all padding: `linear` (row major,
    default), `tiled` (scales in the order in which block-scaled MMA units read
    them, rows of codes padded to 64 elements) or `registers` (codes and scales
    in tiles of 64x128 elements, in the order in which threads decode them for an
    MMA unit that multiplies 16-bit operands; `docs/Format.md`).

    The type is a `ShapedType` but no `TensorType`, so that no rewrite of
    ordinary tensors can separate codes from scales.

    Example:

    ```mlir
    !nvfp4.tensor<64x384, nvfp4>
    !nvfp4.tensor<?x384, nvfp4<global = row>, layout = tiled>
    ```
  }];
  let parameters = (ins
    ArrayRefParameter<"int64_t">:$shape,
    "::nvfp4::FormatAttr":$format,
    "::nvfp4::BlockLayout":$layout
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let skipDefaultBuilders = 1;
  let builders = [
    TypeBuilderWithInferredContext<(ins "::llvm::ArrayRef<int64_t>":$shape,
      "::nvfp4::FormatAttr":$format,
      CArg<"::nvfp4::BlockLayout", "::nvfp4::BlockLayout::Linear">:$layout), [{
      return $_get(format.getContext(), shape, format, layout);
    }]>
  ];
  let extraClassDeclaration = [{
    ::mlir::ShapedType cloneWith(::std::optional<::llvm::ArrayRef<int64_t>> shape,
                                 ::mlir::Type elementType) const;
    /// f4E2M1FN.
    ::mlir::Type getElementType() const;
    bool hasRank() const { return true; }

    /// Packed codes, i8, two to a byte, low nibble first.
    ::mlir::RankedTensorType getCodesType() const;
    /// Encoded scale bytes, i8.
    ::mlir::RankedTensorType getScalesType() const;
    /// f32 global scales, or null for formats without one.
    ::mlir::RankedTensorType getGlobalScaleType() const;
    /// The shape of the global scales for a tensor of shape `shape`.
    static ::llvm::SmallVector<int64_t>
    getGlobalScaleShape(::llvm::ArrayRef<int64_t> shape,
                        ::nvfp4::GlobalScaleGranularity granularity);
    /// Codes, scales and, if there is one, the global scale.
    ::llvm::SmallVector<::mlir::Type> getComponentTypes() const;
  }];
}

#endif // NVFP4_DIALECT_NVFP4_IR_NVFP4TYPES_TD

//===- NVFP4Attrs.td - Formats, precisions, enums ----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_NVFP4ATTRS_TD
#define NVFP4_DIALECT_NVFP4_IR_NVFP4ATTRS_TD

include "nvfp4/Dialect/NVFP4/IR/NVFP4Base.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"

class NVFP4_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<NVFP4_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Enums
//===----------------------------------------------------------------------===//

class NVFP4_Enum<string name, string doc, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, doc, cases> {
  let cppNamespace = "::nvfp4";
  let genSpecializedAttr = 0;
}

def NVFP4_RoundingMode : NVFP4_Enum<"RoundingMode", "how a value becomes a code", [
    I32EnumAttrCase<"NearestEven", 0, "nearest_even">,
    I32EnumAttrCase<"Stochastic", 1, "stochastic">
  ]>;
def NVFP4_RoundingModeAttr
    : EnumAttr<NVFP4_Dialect, NVFP4_RoundingMode, "rounding"> {
  let assemblyFormat = "`<` $value `>`";
}

def NVFP4_ActivationScale
    : NVFP4_Enum<"ActivationScale", "where an activation's global scale comes from", [
    I32EnumAttrCase<"DynamicRow", 0, "dynamic_row">,
    I32EnumAttrCase<"DynamicTensor", 1, "dynamic_tensor">,
    I32EnumAttrCase<"Static", 2, "static">
  ]>;

//===----------------------------------------------------------------------===//
// Format
//===----------------------------------------------------------------------===//

def NVFP4_FormatAttr : NVFP4_Attr<"Format", "format"> {
  let summary = "a block-scaled number format";
  let description = [{
    Names a row of the format table (`Support/Formats.h`), which fixes element
    and scale encoding, and what a tensor of that format may choose:

    | parameter | values | default |
    | --- | --- | --- |
    | `block` | `RxC` elements that share one scale | the format's |
    | `global` | `tensor`, `slice` (one per matrix of a batch), `row` | `tensor` |
    | `convention` | `amax`, `multiply`, `divide`: what the stored f32 means (`docs/Format.md`) | `amax` |
    | `bound` | largest block scale: 448, or 256 for Four Over Six | 448 |

    Formats without a global scale take only `block`.

    Example:

    ```mlir
    #nvfp4.format<nvfp4>
    #nvfp4.format<nvfp4<block = 16x16>>
    #nvfp4.format<nvfp4<global = row, convention = multiply>>
    #nvfp4.format<mxfp4>
    ```
  }];
  let parameters = (ins
    StringRefParameter<"row of the format table">:$name,
    "int64_t":$blockRows,
    "int64_t":$blockColumns,
    "::nvfp4::GlobalScaleGranularity":$granularity,
    "::nvfp4::GlobalScaleConvention":$convention,
    "int64_t":$bound
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [
    AttrBuilder<(ins "::llvm::StringRef":$name,
      CArg<"::nvfp4::GlobalScaleGranularity",
           "::nvfp4::GlobalScaleGranularity::Tensor">:$granularity), [{
      const ::nvfp4::BlockFormat *row = ::nvfp4::findFormat({name.data(), name.size()});
      assert(row && "the caller checks names");
      return $_get($_ctxt, name, row->blockRows, row->blockCols,
                   row->hasGlobalScale ? granularity : ::nvfp4::GlobalScaleGranularity::None,
                   ::nvfp4::GlobalScaleConvention::Amax,
                   row->hasGlobalScale ? static_cast<int64_t>(row->scaleBound) : 0);
    }]>
  ];
  let extraClassDeclaration = [{
    /// The row of the format table, with this format's block and bound.
    ::nvfp4::BlockFormat getFormat() const;
    bool hasGlobalScale() const;
    ::nvfp4::ScaleEncoding getScaleEncoding() const;
    /// This format with another granularity of the global scale.
    FormatAttr withGranularity(::nvfp4::GlobalScaleGranularity granularity) const;
    /// This format with blocks of `rows` x `columns` elements.
    FormatAttr withBlock(int64_t rows, int64_t columns) const;

    /// The text inside `nvfp4.tensor<…>` and `#nvfp4.format<…>`.
    static ::mlir::FailureOr<FormatAttr> parseBody(::mlir::AsmParser &parser);
    void printBody(::mlir::AsmPrinter &printer) const;
  }];
}

//===----------------------------------------------------------------------===//
// Precision
//===----------------------------------------------------------------------===//

def NVFP4_PrecisionAttr : NVFP4_Attr<"Precision", "precision"> {
  let summary = "what precision a contraction should have";
  let description = [{
    `kind` is a format's name (both operands in that format), a format's name
    followed by `_weight_only` (the weight in that format, the activation as it
    is), `bf16` (bf16 operands, f32 accumulation), `f32`, or `keep` (leave the
    op alone). `activations` says where the global scale of a block-scaled
    activation comes from: `dynamic<row>` (default: a row's result does not
    depend on its batch), `dynamic<tensor>`, or `static<"name">`, a scalar
    tensor of the weights file that holds the global scale as a multiplier.

    Example:

    ```mlir
    #nvfp4.precision<nvfp4>
    #nvfp4.precision<nvfp4, activations = dynamic<tensor>>
    #nvfp4.precision<nvfp4, activations = static<"fc1.input_scale">>
    #nvfp4.precision<mxfp4_weight_only>
    #nvfp4.precision<bf16>
    ```
  }];
  let parameters = (ins
    StringRefParameter<"bf16, f32, keep, or a format">:$kind,
    "::nvfp4::ActivationScale":$activationScale,
    StringRefParameter<"tensor of the weights file", "">:$staticTensor
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [
    AttrBuilder<(ins "::llvm::StringRef":$kind), [{
      return $_get($_ctxt, kind, ::nvfp4::ActivationScale::DynamicRow, "");
    }]>
  ];
  let extraClassDeclaration = [{
    /// Whether the weight becomes a block-scaled tensor.
    bool isBlockScaled() const { return !getFormatName().empty(); }
    /// Whether only the weight does.
    bool isWeightOnly() const { return getKind().ends_with("_weight_only"); }
    bool isBF16() const { return getKind() == "bf16"; }
    bool isF32() const { return getKind() == "f32"; }
    bool isKeep() const { return getKind() == "keep"; }
    /// The format's name without `_weight_only`; empty if not block-scaled.
    ::llvm::StringRef getFormatName() const;
    /// Whether `kind` may be written in `#nvfp4.precision<…>`.
    static bool isKnownKind(::llvm::StringRef kind);
    /// All kinds that may be written, for error messages.
    static ::llvm::SmallVector<::std::string> getKnownKinds();
  }];
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def NVFP4_KernelSchedule : NVFP4_Enum<"KernelSchedule", "how a kernel covers its results", [
    I32EnumAttrCase<"Element", 0, "element">,
    I32EnumAttrCase<"Row", 1, "row">,
    I32EnumAttrCase<"Block", 2, "block">,
    I32EnumAttrCase<"Matmul", 3, "matmul">,
    I32EnumAttrCase<"Stream", 4, "stream">,
    I32EnumAttrCase<"Attention", 5, "attention">
  ]>;

def NVFP4_KernelAttr : NVFP4_Attr<"Kernel", "kernel"> {
  let summary = "how a kernel is generated";
  let description = [{
    | schedule | who computes what |
    | --- | --- |
    | `element` | a thread computes runs of neighbouring results, and sums by itself |
    | `row` | a warp or a CTA computes a row, and reduces across its threads |
    | `block` | a warp computes a block of 16x16 elements that share one scale |
    | `matmul` | a CTA computes a tile of a matrix product with the MMA unit |
    | `stream` | as many CTAs as run at once read the weights of a product of few rows once |
    | `attention` | a cluster computes a row of attention, each CTA with a part of the keys, or a CTA many rows of a head |

    `threads` is the size of a CTA. Of a `matmul`, `tile` is MxNxK of a CTA in
    elements, `warps` how many warps share M, N and K (those along K add up in
    the end), `stages` how many tiles of operands are in flight, `swapped` that
    the unit's M side holds the columns of the result: for few rows. A kernel
    with `max_rows` serves products of up to so many rows. `warps` computes, and
    `threads` beyond it move data: on a unit of warpgroups one more warpgroup
    copies operands; on a unit with tensor memory `warps` carries sums out, and
    four warps that copy and one that multiplies come on top. There `clusters = 2`
    is a pair of CTAs that multiply together: `tile` is the part of each, which
    reads half of the unit's columns; if `swapped`, `clusters` is how many CTAs
    share K, up to eight.

    Of a `stream`, which is `swapped`, `tile` is the rows that accumulators are
    made for (8 to 64, a multiple of 8), the columns of the result that warps
    compute together (a multiple of 64), and K of a stage (a multiple of 128);
    `max_rows` is at most the tile's rows. `warps` has the groups of four that
    share K, and `clusters` is how many CTAs share K, as one cluster: 2, 4 or 8.
    Activations of few rows stay in each CTA's shared memory for its part of K;
    those of more rows come in stages, as weights do.

    Of an `attention`, `tile` is CTAs x keys: how many CTAs share the keys of a
    row, as one cluster, and of how many keys each keeps the scores at once. With
    `warps`, it is of many rows: `tile` is rows x keys of a CTA at once, and each
    of its `warps` has 16 of the rows, or a warpgroup 64.

    On a matmul, or on the function of a kernel, `nvfp4.kernel` holds an array:
    the first one that serves the rows at hand runs.

    Example:

    ```mlir
    #nvfp4.kernel<row, threads = 128>
    #nvfp4.kernel<attention, threads = 128, tile = 8x1024>
    #nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>
    #nvfp4.kernel<matmul, threads = 128, tile = 16x64x128, warps = 1x1x4, stages = 4, swapped = true, max_rows = 16>
    #nvfp4.kernel<stream, threads = 576, tile = 8x64x256, warps = 1x4x4, stages = 8, swapped = true, max_rows = 8, clusters = 2>
    ```
  }];
  let parameters = (ins
    EnumParameter<NVFP4_KernelSchedule>:$schedule,
    "int64_t":$threads,
    OptionalArrayRefParameter<"int64_t">:$tile,
    OptionalArrayRefParameter<"int64_t">:$warps,
    DefaultValuedParameter<"int64_t", "1">:$stages,
    DefaultValuedParameter<"bool", "false">:$swapped,
    DefaultValuedParameter<"int64_t", "0">:$max_rows,
    DefaultValuedParameter<"int64_t", "1">:$clusters
  );
  let assemblyFormat = [{
    `<` $schedule `,` struct($threads, custom<Extents>($tile), custom<Extents>($warps), $stages,
                             $swapped, $max_rows, $clusters) `>`
  }];
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Constant blocks
//===----------------------------------------------------------------------===//

def NVFP4_BlocksAttr : NVFP4_Attr<"Blocks", "blocks"> {
  let summary = "the components of a constant block-scaled tensor";
  let description = [{
    `codes` (i8, two codes to a byte), `scales` (i8, the encoded scale bytes) and,
    in formats that have one, `global_scale` (f32), shaped as the type's
    components.
  }];
  let parameters = (ins
    "::mlir::DenseElementsAttr":$codes,
    "::mlir::DenseElementsAttr":$scales,
    OptionalParameter<"::mlir::DenseElementsAttr">:$globalScale
  );
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif // NVFP4_DIALECT_NVFP4_IR_NVFP4ATTRS_TD

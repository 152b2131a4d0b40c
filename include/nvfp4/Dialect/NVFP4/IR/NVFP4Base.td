//===- NVFP4Base.td - The nvfp4 dialect --------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_NVFP4BASE_TD
#define NVFP4_DIALECT_NVFP4_IR_NVFP4BASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def NVFP4_Dialect : Dialect {
  let name = "nvfp4";
  let cppNamespace = "::nvfp4";
  let summary = "4-bit block-scaled tensors and the ops that make and use them";
  let description = [{
    A block-scaled tensor stores 4-bit e2m1 *codes*, one *scale* per block of
    elements and, in some formats, an f32 *global scale*. The dialect has two
    levels. On the tensor level one SSA value of type `!nvfp4.tensor` is one
    quantized tensor: codes, scales and global scale cannot be separated. On the
    kernel level (`nvfp4-expand-tensors`) they are separate tensors or memrefs,
    and ops are destination-style, as in linalg.

    Discardable attributes:

    | attribute | on | meaning |
    | --- | --- | --- |
    | `nvfp4.weight` | entry argument | name of the tensor in the weights file |
    | `nvfp4.name` | entry argument, result | the name under which users pass or get the tensor |
    | `nvfp4.shape` | entry argument, result | one string or integer per dimension; equal names are equal extents |
    | `nvfp4.dimensions` | entry function | dictionary: dimension name to `[minimum, maximum]`, maximum -1 for none |
    | `nvfp4.packed` | entry argument | symbol of the packing function that computes it from the weights file |
    | `nvfp4.pack` | function | marks a packing function |
    | `nvfp4.entry` | entry function | the interface as recorded before expansion |
    | `nvfp4.precision` | contraction | what the op should be; see `#nvfp4.precision` |
    | `nvfp4.checks` | entry function after Lower | the messages that the error word numbers |
    | `nvfp4.result` | entry argument in destination style | which result it receives |
    | `nvfp4.kernel` | matmul, kernel function | array of `#nvfp4.kernel`: how its kernels are generated |
    | `nvfp4.constants` | module | data of constants that became weights, by name |
    | `nvfp4.class`, `nvfp4.rule`, `nvfp4.requested`, `nvfp4.reason` | contraction | how the policy decided, for the report |
    | `nvfp4.site` | contraction | the layer's name, from its weight's name |
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
  private:
    void registerAttributes();
    void registerTypes();

  public:
  }];
}

class NVFP4_Op<string mnemonic, list<Trait> traits = []>
    : Op<NVFP4_Dialect, mnemonic, traits>;

#endif // NVFP4_DIALECT_NVFP4_IR_NVFP4BASE_TD

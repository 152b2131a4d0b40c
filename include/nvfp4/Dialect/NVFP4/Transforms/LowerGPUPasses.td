//===- LowerGPUPasses.td - Lower, for chips ----------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In pipeline order. What both targets share is in Passes.td.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_LOWERGPUPASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_LOWERGPUPASSES_TD

include "mlir/Pass/PassBase.td"

class NVFP4_ChipOption
    : Option<"chip", "chip", "std::string", /*default=*/"\"sm_120a\"",
             "The chip to generate code for">;

def DecodeActivationsPass : Pass<"nvfp4-decode-activations", "::mlir::func::FuncOp"> {
  let summary = "Decodes quantized operands for units that multiply bf16";
  let description = [{
    A matrix unit that multiplies no block-scaled operands reads activations as
    bf16, in which code times block scale is exact. Every `linear` operand of an
    `nvfp4.scaled_matmul` becomes its decoded values and its global scale: the
    product is that of the same operands as on a chip that has the unit, and the
    global scales are applied to its sums in the same way. An operand that several
    products read is decoded once, behind its `nvfp4.quantize_into`, whose kernel
    then stores the decoded values instead of codes and scales.

    Needs: kernel-level ops on tensors (`nvfp4-expand-tensors`). Leaves: no `linear`
    codes as an operand of an `nvfp4.scaled_matmul`. Comes before
    `nvfp4-form-dispatches`.

    Before:

    ```mlir
    func.func @before(%c: tensor<16x32xi8>, %s: tensor<16x4xi8>, %g: tensor<16xf32>, %wc: tensor<64x32xi8>,
                      %ws: tensor<512xi8>, %wg: tensor<f32>, %init: tensor<16x64xf32>) -> tensor<16x64xf32> {
      %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<16x64, nvfp4<global = row>> rhs !nvfp4.tensor<64x64, nvfp4, layout = tiled>
          ins(%c, %s, %g, %wc, %ws, %wg : tensor<16x32xi8>, tensor<16x4xi8>, tensor<16xf32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
          outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
      return %d : tensor<16x64xf32>
    }
    ```

    After:

    ```mlir
    func.func @after(%c: tensor<16x32xi8>, %s: tensor<16x4xi8>, %g: tensor<16xf32>, %wc: tensor<64x32xi8>,
                     %ws: tensor<512xi8>, %wg: tensor<f32>, %init: tensor<16x64xf32>) -> tensor<16x64xf32> {
      %one = arith.constant dense<1.0> : tensor<f32>
      %empty = tensor.empty() : tensor<16x64xbf16>
      %v = nvfp4.dequantize_into from !nvfp4.tensor<16x64, nvfp4<convention = multiply>>
          ins(%c, %s, %one : tensor<16x32xi8>, tensor<16x4xi8>, tensor<f32>) outs(%empty : tensor<16x64xbf16>) -> tensor<16x64xbf16>
      %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<16x64, nvfp4<global = row>> rhs !nvfp4.tensor<64x64, nvfp4, layout = tiled>
          ins(%v, %g, %wc, %ws, %wg : tensor<16x64xbf16>, tensor<16xf32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
          outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
      return %d : tensor<16x64xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numDecoded", "num-decoded", "Tensors decoded">,
  ];
}

def ConvertNVFP4KernelsToGPUPass
    : Pass<"convert-nvfp4-kernels-to-gpu", "::mlir::ModuleOp"> {
  let summary = "Generates kernels, and launches them where they are dispatched";
  let description = [{
    Every function of `module @kernels` becomes, for each attribute in its
    `nvfp4.kernel`, one `gpu.func` of `gpu.module @device`, by the generator of the
    attribute's schedule. A dispatch becomes one `gpu.launch_func`, or a chain of
    `scf.if` over the ranges that the variants serve; nothing is launched where a
    grid would be empty.

    Needs: dispatches on memrefs of identity layout, planned workspace. Leaves: no
    `nvfp4.dispatch`, no `module @kernels`. Comes after `nvfp4-plan-workspace`.

    Before:

    ```mlir
    module {
      module @kernels {
        func.func @twice(%x: tensor<?xf32>, %init: tensor<?xf32>) -> tensor<?xf32>
            attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
          %y = linalg.add ins(%x, %x : tensor<?xf32>, tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
          return %y : tensor<?xf32>
        }
      }
      func.func @main(%x: memref<?xf32>, %y: memref<?xf32>) {
        nvfp4.dispatch @kernels::@twice ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
        return
      }
    }
    ```

    After:

    ```mlir-fragment
    gpu.module @device {
      gpu.func @twice(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>, %rows: i64, %rows_0: i64) kernel { … }
    }
    func.func @main(%x: memref<?xf32>, %y: memref<?xf32>) {
      …
      gpu.launch_func @device::@twice blocks in (%blocks, %c1, %c1) threads in (%c128, %c1, %c1)
          dynamic_shared_memory_size %bytes args(%px : !llvm.ptr<1>, %py : !llvm.ptr<1>, %n : i64, %n : i64)
    ```
  }];
  let options = [NVFP4_ChipOption<>];
  let statistics = [
    Statistic<"numKernels", "num-kernels", "Kernels generated">,
    Statistic<"numLaunches", "num-launches", "Dispatches that became launches">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def VerifyChipPass : Pass<"nvfp4-verify-chip", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Checks that a chip has the instructions of a device module";
  let description = [{
    Reports an error at the first op, intrinsic or piece of inline assembly that the
    chip lacks. LLVM's code generator aborts on many of them, so this comes before
    it. Changes nothing.

    Needs: device code with nvvm ops. Comes before `convert-nvfp4-device-to-llvm`.
  }];
  let options = [NVFP4_ChipOption<>];
}

def ConvertNVFP4DeviceToLLVMPass
    : Pass<"convert-nvfp4-device-to-llvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Converts device code to the LLVM and NVVM dialects";
  let description = [{
    Needs: a device module of gpu, arith, math, scf, cf, vector, llvm and nvvm, whose
    functions of `math` have instructions (`nvfp4-expand-math`). Leaves: functions of
    the LLVM dialect; kernels are marked `nvvm.kernel` and carry `nvvm.reqntid`.

    No function of a library is called: square roots and divisions are the rounded
    instructions, and nothing is contracted but what is `math.fma`.
  }];
  let dependentDialects = [
    "::mlir::cf::ControlFlowDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect"
  ];
}

def SerializeDevicePass : Pass<"nvfp4-serialize-device", "::mlir::ModuleOp"> {
  let summary = "Compiles the device module to PTX";
  let description = [{
    Needs: one `gpu.module` in the LLVM dialect. Leaves: a `gpu.binary` of its name
    with an object in PTX and, if `ptxas` is asked for and in PATH, one with the
    machine code of the chip. A module without functions disappears.
  }];
  let options = [
    NVFP4_ChipOption<>,
    Option<"assemble", "assemble", "bool", /*default=*/"true",
           "Add a cubin if ptxas is in PATH">,
  ];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect"];
}

def PrintDevicePass : Pass<"nvfp4-print-device", "::mlir::ModuleOp"> {
  let summary = "Writes a device image to a file";
  let description = [{
    Needs: a `gpu.binary`, see `nvfp4-serialize-device`. Changes nothing.
  }];
  let options = [
    Option<"output", "output", "std::string", /*default=*/"\"-\"",
           "The file; - is standard output">,
    Option<"cubin", "cubin", "bool", /*default=*/"false",
           "Write machine code instead of PTX">,
  ];
}

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_LOWERGPUPASSES_TD

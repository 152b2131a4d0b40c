//===- GridWait.cpp - Kernels that start before others end ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// As assembly that clobbers memory, so that no access moves across; LLVM's
// intrinsics do not say that they touch memory.
//
//===----------------------------------------------------------------------===//

#include "GridWait.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace nvfp4 {

static constexpr StringLiteral kLetNextStart =
    "griddepcontrol.launch_dependents;";
static constexpr StringLiteral kWait = "griddepcontrol.wait;";

static void emitAssembly(ImplicitLocOpBuilder &b, StringRef text) {
  LLVM::InlineAsmOp::create(b, TypeRange(), ValueRange(), text, "~{memory}",
                            /*has_side_effects=*/true,
                            /*is_align_stack=*/false,
                            LLVM::tailcallkind::TailCallKind::None,
                            /*asm_dialect=*/LLVM::AsmDialectAttr(),
                            /*operand_attrs=*/ArrayAttr());
}

void emitLetNextStart(ImplicitLocOpBuilder &builder) {
  emitAssembly(builder, kLetNextStart);
}

void emitGridWait(ImplicitLocOpBuilder &builder) {
  emitAssembly(builder, kWait);
}

/// The first wait of a kernel, or null.
static LLVM::InlineAsmOp findWait(gpu::GPUFuncOp kernel) {
  LLVM::InlineAsmOp found;
  kernel.walk([&](LLVM::InlineAsmOp op) {
    if (op.getAsmString() != kWait)
      return WalkResult::advance();
    found = op;
    return WalkResult::interrupt();
  });
  return found;
}

void deferGridWait(gpu::GPUFuncOp kernel) {
  if (LLVM::InlineAsmOp wait = findWait(kernel))
    wait.erase();
}

bool waitsForGrid(gpu::GPUFuncOp kernel) { return bool(findWait(kernel)); }

} // namespace nvfp4

//===- VerifyChip.cpp - Instructions that a chip lacks --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A table from the forms in which an instruction may stand in a device module
// to the fact that a chip must have for it. LLVM's code generator ends the
// process on most of them, and ptxas rejects the others late.
//
// Expects: device code with nvvm ops, calls of intrinsics, inline assembly.
// Leaves:  the same.
// Source:  PTX ISA 9.0, target notes.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Target/Chips.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

namespace nvfp4 {
#define GEN_PASS_DEF_VERIFYCHIPPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

namespace {
/// What a chip must have.
struct Fact {
  StringLiteral what;
  bool (*holds)(const ChipModel &chip);
};
constexpr Fact kWarpgroup = {"asynchronous matrix instructions of warpgroups",
                             [](const ChipModel &chip) {
                               return chip.mmaUnit == MmaUnit::WarpgroupAsync;
                             }};
constexpr Fact kTensorMemory = {"tensor memory", [](const ChipModel &chip) {
                                  return chip.mmaUnit == MmaUnit::TensorMemory;
                                }};
constexpr Fact kWarpBlockScale = {
    "block-scaled matrix instructions of warps", [](const ChipModel &chip) {
      return chip.mmaUnit == MmaUnit::WarpSync && chip.hasBlockScaledMma;
    }};
constexpr Fact kNarrowConversion = {
    "conversions of e2m1 and other types below 8 bits, and of e8m0",
    [](const ChipModel &chip) { return chip.hasE2M1Conversion; }};
constexpr Fact kStochastic = {
    "conversions that round with random bits",
    [](const ChipModel &chip) { return chip.hasStochasticConversion; }};

/// An instruction: how the names of its ops and intrinsics begin, and what its
/// assembly contains. Empty: it has no such form.
struct Form {
  StringLiteral op, intrinsic, assembly;
  const Fact &fact;
};
// clang-format off
constexpr Form kForms[] = {
    {"nvvm.wgmma.",                "llvm.nvvm.wgmma.",              "wgmma.",       kWarpgroup},
    {"nvvm.tcgen05.",              "llvm.nvvm.tcgen05.",            "tcgen05.",     kTensorMemory},
    {"nvvm.mma.block_scale",       "llvm.nvvm.mma.block.scale",     "",             kWarpBlockScale},
    {"nvvm.mma.sp.block_scale",    "llvm.nvvm.mma.sp.block.scale",  "",             kWarpBlockScale},
    {"",                           "",                              "mma.sync.aligned.kind::mx",       kWarpBlockScale},
    {"",                           "",                              "row.col.kind::mx",                kWarpBlockScale},
    {"nvvm.convert.f32x2.to.f4x2", "llvm.nvvm.ff.to.e2m1x2",        "e2m1x2",       kNarrowConversion},
    {"nvvm.convert.f4x2.",         "llvm.nvvm.e2m1x2.",             "",             kNarrowConversion},
    {"nvvm.convert.f32x2.to.f6x2", "llvm.nvvm.ff.to.e2m3x2",        "e2m3x2",       kNarrowConversion},
    {"nvvm.convert.f6x2.",         "llvm.nvvm.ff.to.e3m2x2",        "e3m2x2",       kNarrowConversion},
    {"",                           "llvm.nvvm.ff.to.ue8m0x2",       "ue8m0x2",      kNarrowConversion},
    {"nvvm.convert.f32x4.",        "llvm.nvvm.f32x4.",              "cvt.rs",       kStochastic},
    {"",                           "llvm.nvvm.ff2bf16x2.rs",        "",             kStochastic},
    {"",                           "llvm.nvvm.ff2f16x2.rs",         "",             kStochastic},
};
// clang-format on

class VerifyChipPass final
    : public nvfp4::impl::VerifyChipPassBase<VerifyChipPass> {
  using VerifyChipPassBase::VerifyChipPassBase;

  void runOnOperation() override {
    const ChipModel *model = findChip(chip);
    if (!model) {
      getOperation().emitError(describeUnknownChip(chip));
      return signalPassFailure();
    }
    WalkResult walk = getOperation().walk([&](Operation *op) -> WalkResult {
      const Fact *missing = findMissing(op, *model);
      if (!missing)
        return WalkResult::advance();
      return op->emitOpError("expected a chip with ")
             << missing->what << ", but got " << model->name;
    });
    if (walk.wasInterrupted())
      return signalPassFailure();
    markAllAnalysesPreserved();
  }

  static const Fact *findMissing(Operation *op, const ChipModel &model) {
    auto call = dyn_cast<LLVM::CallIntrinsicOp>(op);
    auto assembly = dyn_cast<LLVM::InlineAsmOp>(op);
    for (const Form &form : kForms) {
      if (form.fact.holds(model))
        continue;
      StringRef name = op->getName().getStringRef();
      if ((!form.op.empty() && name.starts_with(form.op)) ||
          (call && !form.intrinsic.empty() &&
           call.getIntrin().starts_with(form.intrinsic)) ||
          (assembly && !form.assembly.empty() &&
           assembly.getAsmString().contains(form.assembly)))
        return &form.fact;
    }
    return findMissingVariant(op, model);
  }

  /// Of ops with several instructions.
  static const Fact *findMissingVariant(Operation *op, const ChipModel &model) {
    auto needs = [&](const Fact &fact) {
      return fact.holds(model) ? nullptr : &fact;
    };
    auto isRandom = [](auto convert) {
      return convert.getRnd() == NVVM::FPRoundingMode::RS;
    };
    auto isE8M0 = [](auto convert) {
      return isa<Float8E8M0FNUType>(convert.getDstTy());
    };
    return llvm::TypeSwitch<Operation *, const Fact *>(op)
        .Case<NVVM::ConvertF32x2ToF16x2Op, NVVM::ConvertF32x2ToBF16x2Op>(
            [&](auto convert) {
              return isRandom(convert) ? needs(kStochastic) : nullptr;
            })
        .Case<NVVM::ConvertF32x2ToF8x2Op, NVVM::ConvertBF16x2ToF8x2Op>(
            [&](auto convert) {
              return isE8M0(convert) ? needs(kNarrowConversion) : nullptr;
            })
        .Default(nullptr);
  }
};
} // namespace

//===- WgmmaAtom.cpp - The matrix unit of a warpgroup ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Accumulators stand as those of `mma.sync` with 16 rows per warp. LLVM 22 has
// no operation for rows in registers, so both forms are inline assembly.
//
// Source: PTX ISA 9.0, 9.7.15 (wgmma: fragments, strides, descriptors).
//
//===----------------------------------------------------------------------===//

#include "WgmmaAtom.h"

#include "Arithmetic.h"
#include "HopperPTX.h"

#include "nvfp4/Support/MatrixDescriptors.h"

using namespace mlir;
using namespace nvfp4;

/// Eight lines, the period of the swizzle.
static constexpr int64_t kAtomBytes = 8 * kWgmmaLineBytes;

Value nvfp4::emitWgmmaDescriptor(ImplicitLocOpBuilder &b, Value pointer,
                                 const WgmmaImage &image) {
  Arithmetic a(b);
  constexpr uint32_t kUnit = 1 << descriptor::kUnitShift;
  SharedMatrixDescriptor matrix;
  matrix.leadingBytes = image.isKContiguous ? kUnit : image.panelBytes;
  matrix.strideBytes = kAtomBytes;
  matrix.swizzle = MatrixSwizzle::Bytes128;
  Value address = a.div(HopperPTX(b).getAddress(pointer), kUnit);
  return a.add(a.toI64(address),
               static_cast<int64_t>(*encodeForWarpgroup(matrix)));
}

/// From one instruction of a step to the next, in a descriptor's units.
static int64_t getStepUnits(const WgmmaImage &image) {
  return getDescriptorDistance(image.isKContiguous ? kWgmmaK * 2
                                                   : kWgmmaK * kWgmmaLineBytes);
}

namespace {
class Wgmma final : public MmaAtom {
public:
  Wgmma(const WgmmaForm &form, OctetMap rows, OctetMap columns)
      : form(form), rows(rows), columns(columns) {}

  SmallVector<Value> begin(const CtaContext &cta) override {
    Value zero = arith::ConstantOp::create(cta.b, cta.b.getF32FloatAttr(0.0f));
    return SmallVector<Value>(getNumAccumulators(), zero);
  }
  SmallVector<Value> issue(ImplicitLocOpBuilder &b, ValueRange accumulators,
                           ValueRange rows, ValueRange columns,
                           int64_t step) override;
  SmallVector<Value> wait(ImplicitLocOpBuilder &b, ValueRange accumulators,
                          int64_t pending) override;
  void drain(const CtaContext &cta, ValueRange accumulators,
             function_ref<void(const AccumulatorChunk &)> visit) override {
    drainFragments(cta, rows, columns, accumulators, visit);
  }

private:
  int64_t getNumAccumulators() const { return form.columns / 2; }
  /// A statement that has the accumulators in and out, then `inputs`.
  SmallVector<Value> emit(ImplicitLocOpBuilder &b, ValueRange accumulators,
                          ValueRange inputs, StringRef inputConstraints,
                          StringRef text);
  std::string getInstruction(int64_t step, int64_t firstInput) const;

  WgmmaForm form;
  OctetMap rows, columns;
};
} // namespace

SmallVector<Value> Wgmma::emit(ImplicitLocOpBuilder &b, ValueRange accumulators,
                               ValueRange inputs, StringRef inputConstraints,
                               StringRef text) {
  std::string constraints;
  SmallVector<Type> types;
  for (Value value : accumulators) {
    constraints += constraints.empty() ? "=f" : ",=f";
    types.push_back(value.getType());
  }
  for (size_t i = 0; i < accumulators.size(); ++i)
    constraints += "," + std::to_string(i);
  constraints += inputConstraints;
  SmallVector<Value> operands(accumulators);
  llvm::append_range(operands, inputs);
  Value results =
      HopperPTX(b).emit(LLVM::LLVMStructType::getLiteral(b.getContext(), types),
                        operands, text, constraints, /*ordersMemory=*/false);
  SmallVector<Value> values;
  for (size_t i = 0; i < accumulators.size(); ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, results, i));
  return values;
}

/// `firstInput` is the number of the first operand after the accumulators.
std::string Wgmma::getInstruction(int64_t step, int64_t firstInput) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  int64_t numRows = form.rowsInRegisters ? 4 * form.steps : 1;
  StringRef type = form.isBF16 ? "bf16" : "f16";
  os << "add.s64 cols, $" << firstInput + numRows << ", "
     << step * getStepUnits(form.cols) << ";\n\t";
  if (!form.rowsInRegisters)
    os << "add.s64 rows, $" << firstInput << ", "
       << step * getStepUnits(form.rows) << ";\n\t";
  os << "wgmma.mma_async.sync.aligned.m64n" << form.columns << "k16.f32."
     << type << "." << type << " {";
  for (int64_t i = 0; i < getNumAccumulators(); ++i)
    os << (i ? ", $" : "$") << i;
  os << "}, ";
  if (form.rowsInRegisters) {
    os << "{";
    for (int64_t i = 0; i < 4; ++i)
      os << (i ? ", $" : "$") << firstInput + 4 * step + i;
    os << "}";
  } else {
    os << "rows";
  }
  os << ", cols, yes, 1, 1";
  if (!form.rowsInRegisters)
    os << (form.rows.isKContiguous ? ", 0" : ", 1");
  os << (form.cols.isKContiguous ? ", 0" : ", 1") << ";\n\t";
  return text;
}

SmallVector<Value> Wgmma::issue(ImplicitLocOpBuilder &b,
                                ValueRange accumulators, ValueRange rowHandle,
                                ValueRange columnHandle, int64_t step) {
  std::string text = "{\n\t.reg .pred yes;\n\t.reg .b64 rows, cols;\n\t"
                     "setp.eq.u32 yes, 0, 0;\n\t"
                     "wgmma.fence.sync.aligned;\n\t";
  for (int64_t i = 0; i < form.steps; ++i)
    text += getInstruction(i, 2 * accumulators.size());
  text += "wgmma.commit_group.sync.aligned;\n\t}";
  SmallVector<Value> inputs(rowHandle);
  llvm::append_range(inputs, columnHandle);
  std::string constraints;
  for (Value value : inputs)
    constraints += value.getType().isInteger(64) ? ",l" : ",r";
  return emit(b, accumulators, inputs, constraints, text);
}

SmallVector<Value> Wgmma::wait(ImplicitLocOpBuilder &b, ValueRange accumulators,
                               int64_t pending) {
  return emit(b, accumulators, {}, "",
              "wgmma.wait_group.sync.aligned " + std::to_string(pending) + ";");
}

std::unique_ptr<MmaAtom> nvfp4::createWgmma(const WgmmaForm &form,
                                            OctetMap rows, OctetMap columns) {
  return std::make_unique<Wgmma>(form, rows, columns);
}

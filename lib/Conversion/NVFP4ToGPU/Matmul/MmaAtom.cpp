//===- MmaAtom.cpp - Warp-level matrix instructions -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Accumulators: four f32 for each 16 rows and 8 columns. With g = lane / 4 and
// t = lane mod 4, they are (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
//
// A register with scales serves four octets: lane 4 g + t has those of row g of
// octet t. An instruction takes two of A's octets (thread id 0 or 1) and one of
// B's (thread id 0 … 3).
//
// Source: PTX ISA 9.0, 9.7.14.3 (block scaling), 9.7.14.5 (fragments).
//
//===----------------------------------------------------------------------===//

#include "MmaAtom.h"

#include "Arithmetic.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace nvfp4;

void MmaAtom::drainColumns(const CtaContext &cta, ValueRange accumulators,
                           Value first, int64_t count,
                           function_ref<void(const AccumulatorChunk &)> visit) {
  int64_t start = *getConstantIntValue(first);
  bool isSlice = count != cta.config.getExtent(UnitSide::Columns);
  drain(cta, accumulators, [&](AccumulatorChunk chunk) {
    chunk.columnOffset -= start;
    if (!isSlice || (chunk.columnOffset >= 0 && chunk.columnOffset < count))
      visit(chunk);
  });
}

namespace {
/// What an instruction is called.
struct WarpMmaForm {
  WarpMmaKind kind;
  int64_t k;
  NVVM::MMATypes element;
  /// Of block-scaled forms; steps of K that a register of scales serves.
  bool hasScales;
  NVVM::ScaleVecSize vec;
  NVVM::BlockScaleFormat format;
  int64_t stepsPerScale;
};
} // namespace

constexpr WarpMmaForm kForms[] = {
    {WarpMmaKind::NVFP4, 64, NVVM::MMATypes::e2m1, true, NVVM::ScaleVecSize::X4,
     NVVM::BlockScaleFormat::UE4M3, 1},
    {WarpMmaKind::MXFP4, 64, NVVM::MMATypes::e2m1, true, NVVM::ScaleVecSize::X2,
     NVVM::BlockScaleFormat::UE8M0, 2},
    {WarpMmaKind::BF16, 16, NVVM::MMATypes::bf16, false, NVVM::ScaleVecSize::X1,
     NVVM::BlockScaleFormat::UE8M0, 1},
    {WarpMmaKind::F16, 16, NVVM::MMATypes::f16, false, NVVM::ScaleVecSize::X1,
     NVVM::BlockScaleFormat::UE8M0, 1},
};

static const WarpMmaForm &getForm(WarpMmaKind kind) {
  return kForms[static_cast<size_t>(kind)];
}

int64_t nvfp4::getStepK(WarpMmaKind kind) { return getForm(kind).k; }

namespace {
class WarpMma final : public MmaAtom {
public:
  WarpMma(WarpMmaKind kind, OctetMap rows, OctetMap columns)
      : form(getForm(kind)), rows(rows), columns(columns) {}

  SmallVector<Value> begin(const CtaContext &cta) override {
    Value zero = arith::ConstantOp::create(cta.b, cta.b.getF32FloatAttr(0.0f));
    return SmallVector<Value>(4 * getNumRowTiles() * getNumColumnTiles(), zero);
  }

  SmallVector<Value> issue(ImplicitLocOpBuilder &b, ValueRange accumulators,
                           ValueRange a, ValueRange bs, int64_t step) override;
  void drain(const CtaContext &cta, ValueRange accumulators,
             function_ref<void(const AccumulatorChunk &)> visit) override {
    drainFragments(cta, rows, columns, accumulators, visit);
  }

private:
  int64_t getNumRowTiles() const { return rows.getNumOctets() / 2; }
  int64_t getNumColumnTiles() const { return columns.getNumOctets(); }
  Operation *create(ImplicitLocOpBuilder &b, ValueRange a, ValueRange bs,
                    ValueRange c, ArrayRef<Value> scales);

  const WarpMmaForm &form;
  OctetMap rows, columns;
};
} // namespace

/// `scales` is A's register and thread id, B's register and thread id, and the
/// byte id of both.
Operation *WarpMma::create(ImplicitLocOpBuilder &b, ValueRange a, ValueRange bs,
                           ValueRange c, ArrayRef<Value> scales) {
  Type f32 = b.getF32Type();
  Type type =
      LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
  std::array<NVVM::MMATypes, 2> elements = {form.element, form.element};
  int64_t shape[] = {16, 8, form.k};
  if (form.hasScales)
    return NVVM::MmaBlockScaleOp::create(
        b, type, a, bs, c, scales[0], scales[4], scales[1], scales[2],
        scales[4], scales[3], shape, elements, form.vec, form.format,
        NVVM::MMABlockScaleKind::MXF4NVF4);
  // LLVM has fragments of f16 as vectors, all others as i32.
  auto asFragment = [&](ValueRange registers) {
    SmallVector<Value> fragment(registers);
    if (form.element == NVVM::MMATypes::f16)
      for (Value &value : fragment)
        value = LLVM::BitcastOp::create(b, VectorType::get(2, b.getF16Type()),
                                        value);
    return fragment;
  };
  std::array<NVVM::MMALayout, 2> layouts = {NVVM::MMALayout::row,
                                            NVVM::MMALayout::col};
  return NVVM::MmaOp::create(b, type, asFragment(a), asFragment(bs), c, shape,
                             std::nullopt, std::nullopt, elements, layouts);
}

SmallVector<Value> WarpMma::issue(ImplicitLocOpBuilder &b,
                                  ValueRange accumulators, ValueRange a,
                                  ValueRange bs, int64_t step) {
  Arithmetic arith(b);
  Type i16 = b.getI16Type();
  SmallVector<Value> ids;
  for (int64_t id = 0; id < 4; ++id)
    ids.push_back(arith.constant(i16, id));
  // A form with two steps per register has two bytes per step.
  Value byte = ids[step % form.stepsPerScale * 2];
  int64_t numRows = getNumRowTiles(), numColumns = getNumColumnTiles();
  SmallVector<Value> results;
  for (int64_t i = 0; i < numRows; ++i)
    for (int64_t j = 0; j < numColumns; ++j) {
      SmallVector<Value> scales;
      if (form.hasScales)
        scales = {a[4 * numRows + i / 2], ids[i % 2],
                  bs[2 * numColumns + j / 4], ids[j % 4], byte};
      Operation *op = create(b, a.slice(4 * i, 4), bs.slice(2 * j, 2),
                             accumulators.slice(results.size(), 4), scales);
      for (int64_t e = 0; e < 4; ++e)
        results.push_back(LLVM::ExtractValueOp::create(b, op->getResult(0), e));
    }
  return results;
}

void nvfp4::drainFragments(const CtaContext &cta, const OctetMap &rows,
                           const OctetMap &columns, ValueRange accumulators,
                           function_ref<void(const AccumulatorChunk &)> visit) {
  Arithmetic a(cta.b);
  Value row = a.add(rows.emitWarpRow(cta.b, cta.warpRow), cta.laneGroup);
  Value column = a.add(columns.emitWarpRow(cta.b, cta.warpColumn),
                       a.mul(cta.laneInGroup, 2));
  int64_t first = 0;
  for (int64_t i = 0; i < rows.getNumOctets() / 2; ++i)
    for (int64_t j = 0; j < columns.getNumOctets(); ++j)
      for (int64_t half = 0; half < 2; ++half, first += 2)
        visit({SmallVector<Value>(accumulators.slice(first, 2)), row, column,
               rows.getRow(2 * i + half), columns.getRow(j)});
}

std::unique_ptr<MmaAtom> nvfp4::createWarpMma(WarpMmaKind kind, OctetMap rows,
                                              OctetMap columns) {
  return std::make_unique<WarpMma>(kind, rows, columns);
}

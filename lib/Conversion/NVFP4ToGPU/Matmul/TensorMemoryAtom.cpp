//===- TensorMemoryAtom.cpp - The matrix unit of tensor memory ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All instructions of a stage are one statement of assembly. It computes the
// descriptors itself, each as an earlier one plus a constant: one instruction
// of the warp's own registers for each, and nothing that LLVM could move to
// registers of threads.
//
// Scales of 128 rows are 512 bytes, 32 lines of 16, which one `tcgen05.cp` puts
// into four columns, for all four quarters of the lanes.
//
// Source: PTX ISA 9.0, 9.7.16.4 (descriptors), 9.7.16.9 (cp), 9.7.16.10 (mma).
//
//===----------------------------------------------------------------------===//

#include "TensorMemoryAtom.h"

#include "Arithmetic.h"
#include "TensorMemoryPTX.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace nvfp4;

/// Columns of 128 rows' scales, and rows whose scales share one.
static constexpr int64_t kScaleTileColumns = 4;
static constexpr int64_t kRowsOfScaleColumn =
    kScaleTileRows / kScaleTileColumns;
/// Bytes of a line in a step, lines in a period of the swizzle, and bytes of
/// eight lines of scales.
static constexpr int64_t kStepBytes = kTensorLineBytes / kTensorSteps;
static constexpr int64_t kScaleStrideBytes = 128;
static constexpr int64_t kPeriodLines = 8;
/// Rows of a product in one CTA.
static constexpr uint32_t kTensorRows = 128;
/// Values that a thread stores at once.
static constexpr int64_t kChunkColumns = 4;

namespace {
/// What differs between kinds.
struct TensorMma {
  TensorMmaKind kind;
  StringLiteral instruction;
  int64_t stepK;
  /// Of scales in a stage.
  int64_t scaleTiles;
  bool hasE8M0Scales;
};
} // namespace

constexpr TensorMma kMmas[] = {
    {TensorMmaKind::NVFP4, "mxf4nvf4.block_scale.block16", 64, kTensorSteps,
     false},
    {TensorMmaKind::MXFP4, "mxf4nvf4.block_scale.block32", 64, kTensorSteps / 2,
     true},
    {TensorMmaKind::BF16, "f16", 16, 0, false},
    {TensorMmaKind::F16, "f16", 16, 0, false},
};

static const TensorMma &getMma(TensorMmaKind kind) {
  return kMmas[static_cast<size_t>(kind)];
}

int64_t TensorForm::getStepK() const { return getMma(kind).stepK; }

int64_t TensorForm::getScaleTiles() const { return getMma(kind).scaleTiles; }

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

/// Columns of one tile of scales of A, and of B.
static int64_t getScaleColumnsOfB(const TensorForm &form) {
  return kScaleTileColumns * ceilDiv(form.columns, kScaleTileRows);
}

int64_t TensorForm::getScaleColumns() const {
  return getScaleTiles() * (kScaleTileColumns + getScaleColumnsOfB(*this));
}

int64_t TensorForm::getSecondColumn() const {
  return std::min(columns, kTensorColumns - getScaleColumns() - columns);
}

static int64_t getScaleColumnOfA(const TensorForm &form, int64_t tile) {
  return kTensorColumns - form.getScaleColumns() +
         tile * (kScaleTileColumns + getScaleColumnsOfB(form));
}

static int64_t getScaleColumnOfB(const TensorForm &form, int64_t tile) {
  return getScaleColumnOfA(form, tile) + kScaleTileColumns;
}

SmallVector<Value> TensorMemoryAtom::begin(ImplicitLocOpBuilder &b, Value base,
                                           Value table) {
  Arithmetic a(b);
  TensorMemoryPTX tensor(b);
  SmallVector<int64_t> columns;
  for (int64_t tile = 0; tile < form.getScaleTiles(); ++tile) {
    columns.push_back(getScaleColumnOfA(form, tile));
    columns.push_back(getScaleColumnOfB(form, tile));
  }
  SmallVector<Value> addresses;
  for (auto [i, column] : llvm::enumerate(columns))
    tensor.storeOpaque(a.offset(table, 4 * i), a.add(base, column));
  for (size_t i = 0; i < columns.size(); ++i)
    addresses.push_back(tensor.loadOpaque(a.offset(table, 4 * i)));
  addresses.push_back(base);
  return addresses;
}

SmallVector<Value> TensorMemoryAtom::getScalesOf(ImplicitLocOpBuilder &b,
                                                 ValueRange scales,
                                                 Value column) {
  Arithmetic a(b);
  SmallVector<Value> addresses(scales);
  if (form.columns % kScaleTileRows == 0)
    return addresses;
  Value skipped = a.div(a.rem(column, kScaleTileRows), kRowsOfScaleColumn);
  for (int64_t tile = 0; tile < form.getScaleTiles(); ++tile)
    addresses[2 * tile + 1] = a.add(addresses[2 * tile + 1], skipped);
  return addresses;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {
/// The text of a stage. Operands: the image, the sums, whether they accumulate,
/// addresses of scales, and the first column.
class StageText {
public:
  StageText(const TensorForm &form) : form(form), os(text) {}

  std::string get(int64_t steps);

private:
  void emitBases();
  void emitLines(StringRef name, const TensorImage &image);
  void emitCopies(int64_t tile);
  void emitProduct(int64_t step);
  /// `target` = `source` plus so many bytes.
  void emitDescriptor(StringRef target, StringRef source, int64_t bytes) {
    os << llvm::formatv("add.s64 {0}, {1}, {2};\n\t", target, source,
                        getDescriptorDistance(bytes));
  }
  bool hasScales() const { return form.getScaleTiles() != 0; }
  int64_t getStepsPerTile() const {
    return kTensorSteps / form.getScaleTiles();
  }
  int64_t getBaseOperand() const { return 3 + 2 * form.getScaleTiles(); }
  StringRef getGroup() const {
    return form.isPair ? ".cta_group::2" : ".cta_group::1";
  }

  const TensorForm &form;
  std::string text;
  llvm::raw_string_ostream os;
};
} // namespace

/// Between chunks of 16 bytes lies nothing; panels have a distance.
void StageText::emitLines(StringRef name, const TensorImage &image) {
  SharedMatrixDescriptor lines;
  lines.address = image.lines;
  lines.leadingBytes = image.isKContiguous
                           ? int64_t(1) << descriptor::kUnitShift
                           : image.panelBytes;
  lines.strideBytes = kPeriodLines * kTensorLineBytes;
  lines.swizzle = MatrixSwizzle::Bytes128;
  os << "add.s64 " << name << ", base, " << *encodeForTensorMemory(lines)
     << ";\n\t";
}

/// Of each operand's lines and scales. Where the columns' differ from the rows'
/// in the address alone, they are a distance away.
void StageText::emitBases() {
  os << "cvt.u64.u32 base, $0;\n\t";
  emitLines("rows", form.rows);
  if (form.rows.isKContiguous && form.cols.isKContiguous)
    emitDescriptor("cols", "rows", form.cols.lines - form.rows.lines);
  else
    emitLines("cols", form.cols);
  if (!hasScales())
    return;
  SharedMatrixDescriptor scales;
  scales.address = form.rows.scales;
  scales.strideBytes = kScaleStrideBytes;
  os << "add.s64 rowScales, base, " << *encodeForTensorMemory(scales)
     << ";\n\t";
  emitDescriptor("colScales", "rowScales", form.cols.scales - form.rows.scales);
}

/// Tile `tile` along K of the scales of both operands. In a stage, the tiles of
/// 128 rows follow each other along K.
void StageText::emitCopies(int64_t tile) {
  auto copy = [&](StringRef source, int64_t bytes, int64_t column) {
    emitDescriptor("x", source, bytes);
    os << "tcgen05.cp" << getGroup() << ".32x128b.warpx4 [$" << getBaseOperand()
       << " + " << column << "], x;\n\t";
  };
  copy("rowScales", tile * kScaleTileBytes, getScaleColumnOfA(form, tile));
  int64_t panels = ceilDiv(form.columns, kScaleTileRows);
  for (int64_t panel = 0; panel < panels; ++panel)
    copy("colScales", (panel * form.getScaleTiles() + tile) * kScaleTileBytes,
         getScaleColumnOfB(form, tile) + panel * kScaleTileColumns);
}

/// The instruction descriptor of a step.
static uint32_t getProduct(const TensorForm &form, int64_t scaleId) {
  uint32_t rows = form.isPair ? 2 * kTensorRows : kTensorRows;
  if (form.getScaleTiles() == 0) {
    HalfProductDescriptor product;
    product.rows = rows;
    product.columns = form.columns;
    product.isBF16 = form.kind == TensorMmaKind::BF16;
    product.transposesA = !form.rows.isKContiguous;
    product.transposesB = !form.cols.isKContiguous;
    return *encodeProduct(product);
  }
  ScaledProductDescriptor product;
  product.rows = rows;
  product.columns = form.columns;
  product.hasE8M0Scales = getMma(form.kind).hasE8M0Scales;
  product.scaleIdA = product.scaleIdB = scaleId;
  return *encodeProduct(product);
}

/// From one step to the next in an image: bytes of a line, or lines.
static int64_t getStepBytes(const TensorForm &form, const TensorImage &image) {
  return image.isKContiguous ? kStepBytes : form.getStepK() * kTensorLineBytes;
}

void StageText::emitProduct(int64_t step) {
  emitDescriptor("x", "rows", step * getStepBytes(form, form.rows));
  emitDescriptor("y", "cols", step * getStepBytes(form, form.cols));
  // Of two steps that share a tile of scales, each has two bytes of a cell.
  int64_t scaleId = hasScales() ? step % getStepsPerTile() * 2 : 0;
  os << llvm::formatv("tcgen05.mma{0}.kind::{1} [$1], x, y, {2}, ", getGroup(),
                      getMma(form.kind).instruction, getProduct(form, scaleId));
  if (hasScales()) {
    int64_t tile = step / getStepsPerTile();
    os << llvm::formatv("[${0}], [${1}], ", 3 + 2 * tile, 4 + 2 * tile);
  }
  os << (step == 0 ? "$2" : "yes") << ";\n\t";
}

std::string StageText::get(int64_t steps) {
  os << "{\n\t.reg .b64 base, rows, cols, rowScales, colScales, x, y;\n\t"
     << ".reg .pred yes;\n\tsetp.eq.u32 yes, 0, 0;\n\t";
  emitBases();
  for (int64_t step = 0; step < steps; ++step) {
    if (hasScales() && step % getStepsPerTile() == 0)
      emitCopies(step / getStepsPerTile());
    emitProduct(step);
  }
  os << "}";
  return text;
}

void TensorMemoryAtom::issue(ImplicitLocOpBuilder &b, Value image, Value sums,
                             Value accumulates, ValueRange scales,
                             int64_t steps) {
  SmallVector<Value> operands = {image, sums, accumulates};
  llvm::append_range(operands, scales);
  std::string constraints = "r,r,b";
  for (size_t i = 0; i < scales.size(); ++i)
    constraints += ",r";
  HopperPTX(b).emit({}, operands, StageText(form).get(steps), constraints);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void TensorMemoryAtom::drainColumns(
    const CtaContext &cta, ValueRange accumulators, Value first, int64_t count,
    function_ref<void(const AccumulatorChunk &)> visit) {
  Arithmetic a(cta.b);
  Value address = a.add(accumulators.front(), first);
  TensorMemoryPTX tensor(cta.b);
  SmallVector<Value> sums = tensor.load(address, count);
  // Whoever knows that they have been read may write the columns.
  tensor.fenceBefore();
  Value column = a.i32(0);
  for (int64_t offset = 0; offset < count; offset += kChunkColumns)
    visit({SmallVector<Value>(ArrayRef(sums).slice(offset, kChunkColumns)),
           cta.thread, column, /*rowOffset=*/0, offset});
}

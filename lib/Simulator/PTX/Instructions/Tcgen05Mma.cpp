//===- Tcgen05Mma.cpp - Products and copies into tensor memory ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tcgen05.mma of kind f16, mxf4 and mxf4nvf4 with M = 128, and tcgen05.cp, of
// one CTA. Each lane that executes one issues an operation of its own.
//
// Source: PTX ISA 9.7.16.4 (descriptors), 9.7.16.9 (cp), 9.7.16.10 (mma, scale
// layout); rules R5, R9, R11.
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"
#include "Machine/TensorMemory.h"
#include "MatrixQualifiers.h"
#include "SharedMatrices.h"

#include <algorithm>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;

constexpr int kRows = 128;
/// Columns of tensor memory that a line of A fills: 32 bytes.
constexpr uint32_t kLineColumns = kLineWords;

namespace {
struct ProductPlan final : Plan {
  bool isBlockScaled = false;
  /// Scales of 16 elements (4 for K = 64), or of 32.
  bool hasBlocksOf16 = false;
  bool isAInTensorMemory = false;
  OperandRef d, a, b, instruction, scaleA, scaleB, accumulates;
  uint64_t dOffset = 0, aOffset = 0, scaleAOffset = 0, scaleBOffset = 0;
};

/// One product, decoded.
struct Product {
  ElementType typeA = ElementType::E2M1, typeB = ElementType::E2M1;
  ScaleType scaleType = ScaleType::None;
  bool hasBlocksOf16 = false;
  int columns = 0;
  bool transposesA = false, transposesB = false;
  uint32_t negateA = 0, negateB = 0;
  /// Half-words of the scales' cells.
  unsigned scaleIdA = 0, scaleIdB = 0;
  bool isAInTensorMemory = false, accumulates = false;
  std::vector<uint32_t> chunksA, chunksB;
  uint32_t columnA = 0, columnD = 0, columnScaleA = 0, columnScaleB = 0;
};

/// Lines of A or B with what is undefined of them.
struct Lines {
  std::vector<uint32_t> values, undefined;
  /// By line: four scale codes; quarters of K with undefined elements, and
  /// those whose scale is zero.
  std::vector<uint32_t> scales;
  std::vector<uint8_t> undefinedQuarters, zeroQuarters;
};
} // namespace

//===----------------------------------------------------------------------===//
// What happens
//===----------------------------------------------------------------------===//

static Lines readShared(Cta &cta, const std::vector<uint32_t> &chunks,
                        int count, bool isTransposed) {
  std::vector<uint8_t> bytes(chunks.size() * kChunkBytes), masks(bytes.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    std::memcpy(&bytes[i * kChunkBytes], &cta.shared[chunks[i]], kChunkBytes);
    if (cta.getLaunch().options.checkDefinedness)
      cta.sharedUndefined.read(chunks[i], kChunkBytes, &masks[i * kChunkBytes]);
  }
  Lines lines;
  lines.values.resize(size_t(count) * kLineWords);
  lines.undefined.resize(lines.values.size());
  gatherLines(bytes.data(), count, isTransposed, lines.values.data());
  gatherLines(masks.data(), count, isTransposed, lines.undefined.data());
  return lines;
}

static Lines readTensorLines(const TensorMemory &memory, uint32_t column) {
  Lines lines;
  for (uint32_t row = 0; row < kRows; ++row)
    for (uint32_t i = 0; i < kLineColumns; ++i) {
      lines.values.push_back(memory.readWord(row, column + i));
      lines.undefined.push_back(memory.readUndefined(row, column + i));
    }
  return lines;
}

/// The four codes of a line's quarters of K.
static uint32_t spreadScales(const Product &product, uint32_t cell,
                             unsigned id) {
  if (product.hasBlocksOf16)
    return cell;
  cell >>= 8 * id;
  return (cell & 0xFF) * 0x0101 | (cell >> 8 & 0xFF) * 0x01010000;
}

/// Line r has its scales in lane r mod 32 of each quarter of tensor memory.
/// What differs there is as good as undefined.
static void readScales(const Product &product, const TensorMemory &memory,
                       uint32_t column, unsigned id, int count, Lines &lines) {
  lines.scales.resize(size_t(count));
  lines.undefinedQuarters.resize(size_t(count));
  lines.zeroQuarters.resize(size_t(count));
  for (int line = 0; line < count; ++line) {
    uint32_t lane = uint32_t(line) % kLanes, at = column + uint32_t(line) / 32;
    uint32_t cell = memory.readWord(lane, at), unknown = 0;
    for (uint32_t quarter = 0; quarter < 4; ++quarter) {
      uint32_t other = lane + quarter * kLanes;
      unknown |=
          memory.readUndefined(other, at) | (memory.readWord(other, at) ^ cell);
    }
    uint32_t codes = spreadScales(product, cell, id);
    unknown = spreadScales(product, unknown, id);
    lines.scales[line] = codes;
    bool isE4M3 = product.scaleType == ScaleType::UE4M3;
    for (int quarter = 0; quarter < 4; ++quarter) {
      uint32_t code = codes >> 8 * quarter & (isE4M3 ? 0x7F : 0xFF);
      bool isUnknown = (unknown >> 8 * quarter & 0xFF) != 0;
      bool isZero = isE4M3 && code == 0 && !isUnknown;
      lines.zeroQuarters[line] |= uint8_t(isZero << quarter);
      lines.undefinedQuarters[line] |= uint8_t(isUnknown << quarter);
    }
  }
}

/// Quarters of K with undefined elements. A scale of zero makes them harmless.
static void findUndefinedQuarters(int count, Lines &lines) {
  lines.undefinedQuarters.resize(size_t(count));
  lines.zeroQuarters.resize(size_t(count));
  for (int line = 0; line < count; ++line)
    for (int word = 0; word < kLineWords; ++word)
      if (lines.undefined[line * kLineWords + word])
        lines.undefinedQuarters[line] |=
            uint8_t(1 << word / 2) & ~lines.zeroQuarters[line];
}

/// C and D of one panel of eight columns.
struct PanelOfD {
  uint32_t c[kRows * kPanelLines], d[kRows * kPanelLines];
  uint32_t undefined[kRows * kPanelLines];
};

static void multiplyPanel(const Product &product, Accumulation accumulation,
                          const uint32_t *a, const uint32_t *b,
                          const Lines &linesA, const uint32_t *scalesB,
                          PanelOfD &panel) {
  constexpr int kPanels = kRows / kPanelLines;
  if (product.scaleType != ScaleType::None) {
    const BlockScaledProduct scaled = {
        product.scaleType,    kPanels, 64,      a,      b,
        linesA.scales.data(), scalesB, panel.c, panel.d};
    return accumulation == Accumulation::Exact
               ? multiplyBlockScaledExact(scaled)
               : multiplyBlockScaledFused(scaled);
  }
  for (int first = 0; first < kPanels; first += kMaxRowPanels) {
    const int place = first * kPanelLines * kPanelLines;
    const FloatProduct plain = {product.typeA,
                                product.typeB,
                                false,
                                kMaxRowPanels,
                                16,
                                a + first * kLineWords * kPanelLines,
                                b,
                                nullptr,
                                nullptr,
                                nullptr,
                                panel.c + place,
                                panel.d + place};
    if (accumulation == Accumulation::Exact)
      multiplyExact(plain);
    else
      multiplyFused(plain, {/*fractionBits=*/25, /*productsPerStep=*/16});
  }
}

static void readPanel(const Product &product, const TensorMemory &memory,
                      uint32_t column, PanelOfD &panel) {
  for (int i = 0; i < kRows * kPanelLines; ++i) {
    uint32_t row = uint32_t(i) / kPanelLines, at = column + i % kPanelLines;
    panel.c[i] = product.accumulates ? memory.readWord(row, at) : 0;
    panel.undefined[i] =
        product.accumulates ? memory.readUndefined(row, at) : 0;
  }
}

static void writePanel(const Lines &a, const Lines &b, int firstColumn,
                       uint32_t column, const PanelOfD &panel,
                       TensorMemory &memory) {
  for (int i = 0; i < kRows * kPanelLines; ++i) {
    int row = i / kPanelLines, line = firstColumn + i % kPanelLines;
    uint8_t reached =
        uint8_t((a.undefinedQuarters[row] & ~b.zeroQuarters[line]) |
                (b.undefinedQuarters[line] & ~a.zeroQuarters[row]));
    uint32_t at = column + i % kPanelLines;
    memory.writeWord(uint32_t(row), at, panel.d[i]);
    memory.writeUndefined(uint32_t(row), at,
                          panel.undefined[i] || reached ? ~0u : 0);
  }
}

static void landProduct(Cta &cta, const Product &product) {
  TensorMemory &memory = getTensorMemory(cta);
  Lines a = product.isAInTensorMemory
                ? readTensorLines(memory, product.columnA)
                : readShared(cta, product.chunksA, kRows, product.transposesA);
  Lines b =
      readShared(cta, product.chunksB, product.columns, product.transposesB);
  if (product.scaleType != ScaleType::None) {
    readScales(product, memory, product.columnScaleA, product.scaleIdA, kRows,
               a);
    readScales(product, memory, product.columnScaleB, product.scaleIdB,
               product.columns, b);
  }
  findUndefinedQuarters(kRows, a);
  findUndefinedQuarters(product.columns, b);
  for (uint32_t &word : a.values)
    word ^= product.negateA;
  for (uint32_t &word : b.values)
    word ^= product.negateB;
  std::vector<uint32_t> panelsA(a.values.size()), panelsB(b.values.size());
  makeRowPanels(a.values.data(), kRows / kPanelLines, panelsA.data());
  makeRowPanels(b.values.data(), product.columns / kPanelLines, panelsB.data());
  auto panel = std::make_unique<PanelOfD>();
  for (int first = 0; first < product.columns; first += kPanelLines) {
    uint32_t column = product.columnD + uint32_t(first);
    readPanel(product, memory, column, *panel);
    multiplyPanel(product, cta.getLaunch().options.accumulation, panelsA.data(),
                  &panelsB[first * kLineWords], a,
                  b.scales.empty() ? nullptr : &b.scales[first], *panel);
    writePanel(a, b, first, column, *panel, memory);
  }
}

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

static bool failDescriptor(Warp &warp, const Inst &inst, unsigned lane,
                           const std::string &message) {
  warp.trap(inst, "descriptor", lane, message);
  return false;
}

/// The types of kind f16: 0 and 1.
static bool decodeHalf(uint32_t code, ElementType &type) {
  type = code ? ElementType::BF16 : ElementType::F16;
  return code < 2;
}

/// The 32-bit instruction descriptor. False after a trap.
static bool decodeInstruction(Warp &warp, const Inst &inst, unsigned lane,
                              const ProductPlan &plan, uint32_t bits,
                              Product &product) {
  const auto field = [&](unsigned shift, unsigned width) {
    return bits >> shift & ((1u << width) - 1);
  };
  uint32_t reserved = plan.isBlockScaled ? 0x0700104F : 0xE080004F;
  if (bits & reserved)
    return failDescriptor(warp, inst, lane,
                          "expected zeros in the reserved bits of an "
                          "instruction descriptor, and a dense product");
  product.columns = int(field(17, 6)) * 8;
  int step = plan.isBlockScaled ? 8 : 16;
  if (field(24, 5) != 8 || product.columns < step || product.columns > 256 ||
      product.columns % step)
    return failDescriptor(warp, inst, lane,
                          "expected M = 128 and N a multiple of " +
                              std::to_string(step) +
                              " up to 256 in an instruction descriptor");
  product.transposesA = field(15, 1), product.transposesB = field(16, 1);
  if (!plan.isBlockScaled) {
    product.negateA = field(13, 1) ? 0x80008000 : 0;
    product.negateB = field(14, 1) ? 0x80008000 : 0;
    return (field(4, 2) == 1 && decodeHalf(field(7, 3), product.typeA) &&
            decodeHalf(field(10, 3), product.typeB)) ||
           failDescriptor(warp, inst, lane,
                          "expected D of f32, A and B of f16 or bf16 in an "
                          "instruction descriptor");
  }
  product.negateA = field(13, 1) ? 0x88888888 : 0;
  product.negateB = field(14, 1) ? 0x88888888 : 0;
  product.scaleType = field(23, 1) ? ScaleType::UE8M0 : ScaleType::UE4M3;
  product.hasBlocksOf16 = plan.hasBlocksOf16;
  product.scaleIdA = field(29, 2), product.scaleIdB = field(4, 2);
  unsigned ids = product.scaleIdA | product.scaleIdB;
  bool isGood = field(7, 3) == 1 && field(10, 2) == 1 && !field(31, 1) &&
                !product.transposesA && !product.transposesB &&
                !(ids & (plan.hasBlocksOf16 ? 3 : 1));
  return isGood || failDescriptor(warp, inst, lane,
                                  "expected e2m1, K = 64, no transposition "
                                  "and scale ids that the blocks have in an "
                                  "instruction descriptor");
}

/// A matrix of 32 bytes along K. False after a trap.
static bool describeMatrix(Warp &warp, const Inst &inst, unsigned lane,
                           uint64_t descriptor, SharedMatrix &matrix) {
  constexpr uint64_t kConstant = uint64_t(1) << 46;
  if (!checkReservedBits(warp, inst, lane, descriptor,
                         SharedMatrix::kTcgen05ReservedBits))
    return false;
  return ((descriptor & kConstant) &&
          SharedMatrix::decodeTcgen05(descriptor, matrix)) ||
         failDescriptor(warp, inst, lane,
                        "expected a matrix descriptor with the constant 1 in "
                        "bits 48:46 and a swizzle that the simulator knows");
}

static bool locateMatrix(Warp &warp, const Inst &inst, unsigned lane,
                         uint64_t descriptor, int lines, bool isTransposed,
                         std::vector<uint32_t> &chunks) {
  SharedMatrix matrix;
  if (!describeMatrix(warp, inst, lane, descriptor, matrix))
    return false;
  chunks = matrix.listChunks(lines, isTransposed);
  return locateChunks(warp, inst, lane, chunks);
}

//===----------------------------------------------------------------------===//
// mma
//===----------------------------------------------------------------------===//

static uint32_t readColumn(Warp &warp, const OperandRef &ref, uint64_t offset,
                           unsigned lane) {
  return TensorAddress::decode(uint32_t(warp.readLane(ref, lane)) +
                               uint32_t(offset))
      .column;
}

/// Tensor memory that a product uses, with how.
static std::vector<std::pair<TensorRange, AccessKind>>
listRanges(const Product &product) {
  std::vector<std::pair<TensorRange, AccessKind>> ranges = {
      {{0, kRows, product.columnD, uint32_t(product.columns)},
       AccessKind::Write}};
  if (product.isAInTensorMemory)
    ranges.push_back(
        {{0, kRows, product.columnA, kLineColumns}, AccessKind::Read});
  if (product.scaleType == ScaleType::None)
    return ranges;
  ranges.push_back({{0, kRows, product.columnScaleA, 4}, AccessKind::Read});
  ranges.push_back(
      {{0, kRows, product.columnScaleB, uint32_t(product.columns + 31) / 32},
       AccessKind::Read});
  return ranges;
}

static bool issueProduct(Warp &warp, const Inst &inst, const ProductPlan &plan,
                         unsigned lane) {
  auto product = std::make_shared<Product>();
  if (!decodeInstruction(warp, inst, lane, plan,
                         uint32_t(warp.readLane(plan.instruction, lane)),
                         *product))
    return false;
  product->accumulates = (warp.readPredicate(plan.accumulates) >> lane) & 1;
  product->columnD = readColumn(warp, plan.d, plan.dOffset, lane);
  product->isAInTensorMemory = plan.isAInTensorMemory;
  if (plan.isAInTensorMemory)
    product->columnA = readColumn(warp, plan.a, plan.aOffset, lane);
  else if (!locateMatrix(warp, inst, lane, warp.readLane(plan.a, lane), kRows,
                         product->transposesA, product->chunksA))
    return false;
  if (!locateMatrix(warp, inst, lane, warp.readLane(plan.b, lane),
                    product->columns, product->transposesB, product->chunksB))
    return false;
  if (plan.isBlockScaled) {
    product->columnScaleA =
        readColumn(warp, plan.scaleA, plan.scaleAOffset, lane);
    product->columnScaleB =
        readColumn(warp, plan.scaleB, plan.scaleBOffset, lane);
  }
  auto ranges = listRanges(*product);
  for (const auto &[range, kind] : ranges)
    if (!checkTensorRange(warp, inst, lane, range))
      return false;
  TensorPipe &pipe = getPipe(warp, lane);
  if (ordering::WarpOrder *order = getOrder(warp)) {
    AsyncActor shared(*order, pipe.component, pipe.issued + 1, true);
    orderChunks(warp, inst, product->chunksA, shared);
    orderChunks(warp, inst, product->chunksB, shared);
    AsyncActor tensor(*order, pipe.component, pipe.issued + 1, false);
    for (const auto &[range, kind] : ranges)
      orderTensor(warp, inst, range, lane, kind, tensor);
  }
  Cta *cta = &warp.getCta();
  return issueInPipe(warp, inst, pipe,
                     [cta, product] { landProduct(*cta, *product); });
}

static Outcome execMma(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const ProductPlan &>(*inst.plan);
  for (const OperandRef *ref : {&plan.d, &plan.a, &plan.b, &plan.instruction,
                                &plan.scaleA, &plan.scaleB, &plan.accumulates})
    if (ref->isPresent &&
        !warp.requireDefined(*ref, mask, inst, "operand of tcgen05.mma"))
      return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    isGood = isGood && issueProduct(warp, inst, plan, lane);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

//===----------------------------------------------------------------------===//
// cp
//===----------------------------------------------------------------------===//

namespace {
struct CopyPlan final : Plan {
  uint32_t rows = 0, chunksPerRow = 0;
  OperandRef target, source;
  uint64_t targetOffset = 0;
};
} // namespace

/// 32 rows go to all four quarters of the lanes.
static void landCopy(Cta &cta, const CopyPlan &plan,
                     const std::vector<uint32_t> &chunks, uint32_t column) {
  TensorMemory &memory = getTensorMemory(cta);
  for (size_t i = 0; i < chunks.size(); ++i) {
    uint32_t row = uint32_t(i) / plan.chunksPerRow;
    uint32_t first = column + uint32_t(i) % plan.chunksPerRow * 4;
    uint8_t masks[kChunkBytes] = {};
    if (cta.getLaunch().options.checkDefinedness)
      cta.sharedUndefined.read(chunks[i], kChunkBytes, masks);
    for (uint32_t lane = row; lane < kTensorLanes; lane += plan.rows)
      for (uint32_t word = 0; word < 4; ++word) {
        uint32_t value, undefined;
        std::memcpy(&value, &cta.shared[chunks[i] + word * 4], 4);
        std::memcpy(&undefined, masks + word * 4, 4);
        memory.writeWord(lane, first + word, value);
        memory.writeUndefined(lane, first + word, undefined);
      }
  }
}

static bool issueCopy(Warp &warp, const Inst &inst, const CopyPlan &plan,
                      unsigned lane) {
  SharedMatrix matrix;
  if (!describeMatrix(warp, inst, lane, warp.readLane(plan.source, lane),
                      matrix))
    return false;
  std::vector<uint32_t> all = matrix.listChunks(int(plan.rows), false), chunks;
  for (size_t i = 0; i < all.size(); ++i)
    if (i % kLineChunks < plan.chunksPerRow)
      chunks.push_back(all[i]);
  uint32_t column = readColumn(warp, plan.target, plan.targetOffset, lane);
  TensorRange range{0, kTensorLanes, column, plan.chunksPerRow * 4};
  if (!locateChunks(warp, inst, lane, chunks) ||
      !checkTensorRange(warp, inst, lane, range))
    return false;
  TensorPipe &pipe = getPipe(warp, lane);
  if (ordering::WarpOrder *order = getOrder(warp)) {
    orderChunks(warp, inst, chunks,
                AsyncActor(*order, pipe.component, pipe.issued + 1, true));
    orderTensor(warp, inst, range, lane, AccessKind::Write,
                AsyncActor(*order, pipe.component, pipe.issued + 1, false));
  }
  Cta *cta = &warp.getCta();
  const CopyPlan *what = &plan;
  return issueInPipe(warp, inst, pipe, [cta, what, chunks, column] {
    landCopy(*cta, *what, chunks, column);
  });
}

static Outcome execCopy(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const CopyPlan &>(*inst.plan);
  if (!warp.requireDefined(plan.target, mask, inst, "operand of tcgen05.cp") ||
      !warp.requireDefined(plan.source, mask, inst, "operand of tcgen05.cp"))
    return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    isGood = isGood && issueCopy(warp, inst, plan, lane);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// `[address]`.
static bool readTensorAddress(DecodeContext &context, unsigned i,
                              OperandRef &ref, uint64_t &offset) {
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(i), address))
    return false;
  ref = address.base, offset = address.offset;
  return true;
}

static bool decodeCopy(DecodeContext &context) {
  CopyPlan &plan = context.makePlan<CopyPlan>();
  bool isReplicated = context.take("warpx4");
  if (context.take("32x128b") && isReplicated)
    plan.rows = 32, plan.chunksPerRow = 1;
  else if (context.take("128x256b") && !isReplicated)
    plan.rows = 128, plan.chunksPerRow = 2;
  else if (context.take("128x128b") && !isReplicated)
    plan.rows = 128, plan.chunksPerRow = 1;
  else
    return context.error("expected .32x128b.warpx4, .128x128b or .128x256b, "
                         "the ones that the simulator knows");
  if (!context.expectOperands(2) ||
      !readTensorAddress(context, 0, plan.target, plan.targetOffset))
    return true;
  plan.source = context.readOperand(1, Type::B64);
  context.emitExec(InstClass::Async, execCopy).plan = &plan;
  return true;
}

/// Which blocks the scales of a kind have. False after an error.
static bool takeBlocks(DecodeContext &context, ProductPlan &plan, bool isMX) {
  bool isOf16 = context.take("block16") || context.take("scale_vec::4X");
  bool isOf32 = context.take("block32") || context.take("scale_vec::2X");
  plan.hasBlocksOf16 = isOf16;
  if (isOf16 != (isOf32 || isMX) && !(isOf16 && isMX))
    return true;
  context.error("expected .block16 or .block32, and .block32 with mxf4");
  return false;
}

static bool decodeProduct(DecodeContext &context) {
  ProductPlan &plan = context.makePlan<ProductPlan>();
  bool isMX = context.take("kind::mxf4");
  plan.isBlockScaled = isMX || context.take("kind::mxf4nvf4");
  if (!plan.isBlockScaled && !context.take("kind::f16"))
    return context.error("expected kind f16, mxf4 or mxf4nvf4, the ones that "
                         "the simulator knows");
  if (plan.isBlockScaled &&
      (!context.take("block_scale") || !takeBlocks(context, plan, isMX)))
    return context.error("expected .block_scale");
  // How operands are kept changes no value.
  while (!context.takePrefix("collector::").empty())
    ;
  unsigned scales = plan.isBlockScaled ? 2 : 0;
  if (!context.expectOperands(5 + scales) ||
      !readTensorAddress(context, 0, plan.d, plan.dOffset))
    return true;
  plan.isAInTensorMemory = context.getOperand(1).kind == Operand::Kind::Address;
  if (plan.isAInTensorMemory) {
    if (!readTensorAddress(context, 1, plan.a, plan.aOffset))
      return true;
  } else {
    plan.a = context.readOperand(1, Type::B64);
  }
  plan.b = context.readOperand(2, Type::B64);
  plan.instruction = context.readOperand(3, Type::B32);
  if (scales &&
      (!readTensorAddress(context, 4, plan.scaleA, plan.scaleAOffset) ||
       !readTensorAddress(context, 5, plan.scaleB, plan.scaleBOffset)))
    return true;
  plan.accumulates = context.readOperand(4 + scales, Type::Pred);
  context.emitExec(InstClass::Matrix, execMma).plan = &plan;
  return true;
}

static bool decodeTcgen05Mma(DecodeContext &context) {
  bool isCopy = context.has("cp");
  if (!isCopy && !context.has("mma"))
    return false;
  if (!requireFeature(context, ChipFeature::TensorMemory))
    return true;
  if (!context.take("cta_group::1"))
    return context.error("expected .cta_group::1, the one that the simulator "
                         "knows");
  context.takeHints({"mma", "cp"});
  return isCopy ? decodeCopy(context) : decodeProduct(context);
}

OpcodeTable getTcgen05MmaOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"tcgen05", decodeTcgen05Mma}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

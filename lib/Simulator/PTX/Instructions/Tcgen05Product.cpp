//===- Tcgen05Product.cpp - A product in tensor memory as it happens ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Brings lines of A and B, scales and D to multiplyTensor and back. A CTA of a
// pair has its rows of A and of D, half of the columns of B, and scales for its
// rows of A and for all columns of B.
//
// Source: PTX ISA 9.7.16.10 (layouts, packing, scales); A and the scales of a
// pair with M = 128: CUTLASS, mma_traits_sm100_frag.hpp; rule R11.
//
//===----------------------------------------------------------------------===//

#include "Tcgen05Product.h"

#include <cstring>

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// Reading operands
//===----------------------------------------------------------------------===//

/// Elements of less than a byte come packed, with padding, unless the kind
/// takes them packed.
static std::optional<ElementType> getPackedType(const TensorDescriptor &form,
                                                ElementType type) {
  const bool isNarrow = type == ElementType::E2M1 ||
                        type == ElementType::E2M3 || type == ElementType::E3M2;
  if (isNarrow && form.kind < TensorKind::MXF4)
    return type;
  return std::nullopt;
}

static TensorLines readShared(Cta &cta, const std::vector<uint32_t> &chunks,
                              int count, bool isTransposed,
                              const TensorDescriptor &form, ElementType type) {
  const bool checks = cta.getLaunch().options.checkDefinedness;
  const auto packed = getPackedType(form, type);
  std::vector<uint8_t> bytes(chunks.size() * kChunkBytes), masks;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const size_t at = i * kChunkBytes;
    uint8_t chunk[kChunkBytes + 1] = {};
    std::memcpy(chunk, &cta.shared[chunks[i]], kChunkBytes);
    if (packed)
      unpackChunk(*packed, chunk, &bytes[at]);
    else
      std::memcpy(&bytes[at], chunk, kChunkBytes);
    if (!checks || !cta.sharedUndefined.any(chunks[i], kChunkBytes))
      continue;
    masks.resize(bytes.size());
    cta.sharedUndefined.read(chunks[i], kChunkBytes, chunk);
    if (packed)
      unpackChunk(*packed, chunk, &masks[at]);
    else
      std::memcpy(&masks[at], chunk, kChunkBytes);
  }
  const int elementBytes = getElementBytes(type);
  TensorLines lines;
  lines.values.resize(size_t(count) * kLineWords);
  gatherLines(bytes.data(), count, isTransposed, lines.values.data(),
              elementBytes);
  if (masks.empty())
    return lines;
  lines.undefined.resize(lines.values.size());
  gatherLines(masks.data(), count, isTransposed, lines.undefined.data(),
              elementBytes);
  return lines;
}

/// A of a pair with M = 128 is there twice, 64 lanes apart, since each half of
/// D has its own copy. Where they differ nothing is defined.
TensorLines TensorOperation::readA(Cta &cta) const {
  const int rows = descriptor.getRowsPerCta();
  if (!chunksA.empty())
    return readShared(cta, chunksA, rows, descriptor.transposesA, descriptor,
                      descriptor.a);
  const TensorMemory &memory = getTensorMemory(cta);
  TensorLines lines;
  lines.values.resize(size_t(rows) * kLineWords);
  std::vector<uint32_t> masks(lines.values.size());
  bool isUndefined = false;
  for (int row = 0; row < rows; ++row) {
    const uint32_t lane = a.lane + uint32_t(descriptor.getLane(row, 0));
    uint32_t *values = &lines.values[size_t(row) * kLineWords];
    uint32_t *mask = &masks[size_t(row) * kLineWords];
    memory.read(lane, a.column, kLineColumns, values);
    isUndefined |= memory.readUndefined(lane, a.column, kLineColumns, mask);
    if (!descriptor.isSplit())
      continue;
    uint32_t others[kLineWords], otherMask[kLineWords];
    memory.read(lane + 64, a.column, kLineColumns, others);
    memory.readUndefined(lane + 64, a.column, kLineColumns, otherMask);
    for (int i = 0; i < kLineWords; ++i) {
      mask[i] |= otherMask[i] | (others[i] ^ values[i]);
      isUndefined |= mask[i] != 0;
    }
  }
  if (isUndefined)
    lines.undefined = std::move(masks);
  return lines;
}

TensorLines TensorOperation::readB() const {
  TensorLines all;
  for (Cta *cta : ctas) {
    TensorLines lines =
        readShared(*cta, chunksB, descriptor.getColumnsPerCta(),
                   descriptor.transposesB, descriptor, descriptor.b);
    if (!lines.undefined.empty())
      all.undefined.resize(all.values.size());
    all.values.insert(all.values.end(), lines.values.begin(),
                      lines.values.end());
    all.undefined.insert(all.undefined.end(), lines.undefined.begin(),
                         lines.undefined.end());
    if (!all.undefined.empty())
      all.undefined.resize(all.values.size());
  }
  return all;
}

/// Line r has its scales in lane r mod 32 of each quarter of tensor memory, in
/// column r div 32. With a split D the quarters 0 and 1 want those of the first
/// half of B's lines, 2 and 3 those of the second. What differs between
/// quarters that want the same is as good as undefined.
void TensorOperation::readScales(Cta &cta, TensorAddress place, bool isOfB,
                                 TensorLines &lines) const {
  const TensorMemory &memory = getTensorMemory(cta);
  const uint32_t count =
      uint32_t(isOfB ? descriptor.n : descriptor.getRowsPerCta());
  const bool isHalved = isOfB && descriptor.isSplit();
  const uint32_t half = isHalved ? count / 2 : count;
  lines.scales.resize(count);
  std::vector<uint32_t> masks(count);
  bool isUndefined = false;
  for (uint32_t line = 0; line < count; ++line) {
    const uint32_t first = isHalved ? line / half * 2 : 0;
    const uint32_t within = line % half, column = place.column + within / 32;
    const uint32_t quarters = isHalved ? 2 : 4;
    memory.read(first * kLanes + within % kLanes, column, 1,
                &lines.scales[line]);
    for (uint32_t i = 0; i < quarters; ++i) {
      uint32_t value, mask;
      const uint32_t lane = (first + i) * kLanes + within % kLanes;
      memory.read(lane, column, 1, &value);
      memory.readUndefined(lane, column, 1, &mask);
      masks[line] |= mask | (value ^ lines.scales[line]);
    }
    isUndefined |= masks[line] != 0;
  }
  if (isUndefined)
    lines.undefinedScales = std::move(masks);
}

//===----------------------------------------------------------------------===//
// D
//===----------------------------------------------------------------------===//

/// Columns of D that one lane holds side by side.
struct TensorOperation::Run {
  int row, first;
  uint32_t lane, column, columns;
};

template <typename Visit> void TensorOperation::forEachRun(Visit visit) const {
  const int columns = descriptor.getColumnsOfD();
  for (int row = 0; row < descriptor.getRowsPerCta(); ++row)
    for (int first = 0; first < descriptor.n; first += columns)
      visit(Run{row, first, d.lane + uint32_t(descriptor.getLane(row, first)),
                d.column, uint32_t(columns)});
}

void TensorOperation::readD(const TensorMemory &memory,
                            std::vector<uint32_t> &values,
                            std::vector<uint32_t> &undefined) const {
  const uint32_t used = descriptor.d == ElementType::F16 ? 0xFFFF : ~0u;
  forEachRun([&](const Run &run) {
    const bool isUndefined =
        memory.isUndefined(run.lane, run.column, run.columns);
    if (isUndefined)
      undefined.resize(values.size());
    for (uint32_t at = 0; at < run.columns; at += kPanelLines) {
      const auto place =
          size_t(getSlicePlace(descriptor.n, run.row, run.first + int(at)));
      memory.read(run.lane, run.column + at, kPanelLines, &values[place]);
      if (!isUndefined)
        continue;
      memory.readUndefined(run.lane, run.column + at, kPanelLines,
                           &undefined[place]);
      for (int i = 0; i < kPanelLines; ++i)
        undefined[place + size_t(i)] &= used;
    }
  });
}

/// Nothing is said of the upper halves of cells with results of f16.
void TensorOperation::writeD(TensorMemory &memory, size_t index,
                             const std::vector<uint32_t> &values,
                             const std::vector<uint32_t> &undefined) const {
  const uint32_t unused = descriptor.d == ElementType::F16 ? 0xFFFF0000 : 0;
  const bool isDefined = undefined.empty() && !unused;
  forEachRun([&](const Run &run) {
    const uint32_t word = disabledLanes[index * kLaneMaskWords + run.lane / 32];
    if (word >> run.lane % 32 & 1)
      return;
    if (isDefined)
      memory.markDefined(run.lane, run.column, run.columns);
    for (uint32_t at = 0; at < run.columns; at += kPanelLines) {
      const auto place =
          size_t(getSlicePlace(descriptor.n, run.row, run.first + int(at)));
      memory.write(run.lane, run.column + at, kPanelLines, &values[place]);
      if (isDefined)
        continue;
      uint32_t masks[kPanelLines];
      for (int i = 0; i < kPanelLines; ++i)
        masks[i] =
            undefined.empty() || !undefined[place + size_t(i)] ? unused : ~0u;
      memory.writeUndefined(run.lane, run.column + at, kPanelLines, masks);
    }
  });
}

void TensorOperation::land() const {
  const TensorLines b = readB();
  for (size_t i = 0; i < ctas.size(); ++i) {
    Cta &cta = *ctas[i];
    TensorMemory &memory = getTensorMemory(cta);
    TensorLines linesA = readA(cta), linesB = b;
    if (isBlockScaled(descriptor.kind)) {
      readScales(cta, scaleA, /*isOfB=*/false, linesA);
      readScales(cta, scaleB, /*isOfB=*/true, linesB);
    }
    const auto size = size_t(descriptor.getRowsPerCta()) * size_t(descriptor.n);
    std::vector<uint32_t> c(size), results(size), undefined;
    if (accumulates)
      readD(memory, c, undefined);
    multiplyTensor(descriptor, cta.getLaunch().options.accumulation,
                   std::move(linesA), std::move(linesB), std::move(c), results,
                   undefined);
    writeD(memory, i, results, undefined);
  }
}

} // namespace nvfp4::ptx

//===- PrecisionTable.cpp - The precision report on a terminal ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A section per precision and rule, a row per layer; the layers of a stack that
// differ in nothing but their index share a row:
//
//   nvfp4 (inference:linear-layers)
//     model.layers.{0-5}.mlp.up_proj  linear  batch*32 x 1536 x 384  14.2 MB
//     -> 2.0 MB  20.3 dB
//
// Sizes are sums over the row, an error is the row's worst.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/PrecisionReport.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace llvm;

namespace nvfp4 {

static constexpr size_t kTableWidth = 100;

namespace {
/// Entries that print as one row.
struct Row {
  const PrecisionReportEntry *first = nullptr;
  SmallVector<int64_t> indices;
  unsigned count = 0;
  int64_t bytesBefore = 0, bytesAfter = 0;
  std::optional<double> sqnr;
  std::string cells[5];
};

/// Items by key, in the order in which the keys first came.
template <typename T> class Ordered {
public:
  T &operator[](StringRef key) {
    auto [it, isNew] = index.try_emplace(key, items.size());
    if (isNew)
      items.emplace_back();
    return items[it->second];
  }
  std::vector<T> items;

private:
  StringMap<size_t> index;
};

struct Section {
  std::string title;
  std::vector<const Row *> rows;
};
} // namespace

/// 12 B, 3.4 KB, 567 KB, 8.9 MB, …: three significant digits at least.
static std::string formatBytes(int64_t bytes) {
  static constexpr StringLiteral kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  double value = double(bytes);
  unsigned unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(kUnits); ++unit)
    value /= 1000;
  bool isWhole = unit == 0 || value >= 99.95;
  return isWhole ? formatv("{0:F0} {1}", value, kUnits[unit]).str()
                 : formatv("{0:F1} {1}", value, kUnits[unit]).str();
}

/// {0-3,5}: runs of the sorted indices; a single one without braces.
static std::string formatIndices(SmallVector<int64_t> indices) {
  sort(indices);
  indices.erase(llvm::unique(indices), indices.end());
  if (indices.size() == 1)
    return std::to_string(indices[0]);
  std::string text = "{";
  for (size_t begin = 0; begin < indices.size();) {
    size_t end = begin + 1;
    while (end < indices.size() && indices[end] == indices[end - 1] + 1)
      ++end;
    text += (begin ? "," : "") + std::to_string(indices[begin]);
    if (end - begin > 1)
      text += (end - begin == 2 ? "," : "-") + std::to_string(indices[end - 1]);
    begin = end;
  }
  return text + "}";
}

/// What must be equal for two entries to share a row.
static std::string getRowKey(const PrecisionReportEntry &entry) {
  std::string site = entry.blockIndex
                         ? entry.siteBeforeIndex + "*" + entry.siteAfterIndex
                         : entry.site;
  std::string bytes =
      entry.bytesBefore ? std::to_string(*entry.bytesBefore) : "";
  return join(ArrayRef<std::string>{site, entry.siteClass,
                                    join(entry.shape, "x"), entry.requested,
                                    entry.realised, entry.rule, entry.reason,
                                    bytes},
              "|");
}

static void addToRow(Row &row, const PrecisionReportEntry &entry) {
  if (!row.first)
    row.first = &entry;
  ++row.count;
  if (entry.blockIndex)
    row.indices.push_back(*entry.blockIndex);
  row.bytesBefore += entry.bytesBefore.value_or(0);
  row.bytesAfter += entry.bytesAfter.value_or(0);
  if (entry.sqnr)
    row.sqnr = row.sqnr ? std::min(*row.sqnr, *entry.sqnr) : *entry.sqnr;
}

static void fillCells(Row &row) {
  const PrecisionReportEntry &entry = *row.first;
  row.cells[0] = entry.site;
  if (!row.indices.empty())
    row.cells[0] = entry.siteBeforeIndex + formatIndices(row.indices) +
                   entry.siteAfterIndex;
  row.cells[1] = entry.siteClass;
  row.cells[2] = join(entry.shape, " x ");
  if (entry.bytesBefore)
    row.cells[3] =
        formatBytes(row.bytesBefore) + " -> " + formatBytes(row.bytesAfter);
  if (row.sqnr)
    row.cells[4] = *row.sqnr == std::numeric_limits<double>::infinity()
                       ? "exact"
                       : formatv("{0:F1} dB", *row.sqnr).str();
}

/// The heading of a row's section.
static std::string getSection(const PrecisionReportEntry &entry) {
  std::string text = entry.realised;
  if (entry.requested != entry.realised)
    text += " instead of " + entry.requested;
  return text + " (" + entry.rule + ")";
}

/// `text` in at most `width` columns, the middle left out: beginning and end of
/// a layer's name tell most.
static std::string elide(StringRef text, size_t width) {
  if (text.size() <= width)
    return text.str();
  size_t tail = (width - 2) / 2;
  return (text.take_front(width - 2 - tail) + ".." + text.take_back(tail))
      .str();
}

static void printRow(raw_ostream &os, const Row &row, ArrayRef<size_t> widths) {
  std::string line = "  ";
  for (auto [cell, width] : zip_equal(row.cells, widths)) {
    if (width == 0)
      continue;
    std::string text = elide(cell, width);
    line += text + std::string(width - text.size() + 2, ' ');
  }
  os << StringRef(line).rtrim() << "\n";
}

/// Widths of the columns; the site gives way to the others.
static SmallVector<size_t> getWidths(ArrayRef<Row> rows) {
  SmallVector<size_t> widths(5, 0);
  for (const Row &row : rows)
    for (auto [width, cell] : zip_equal(widths, row.cells))
      width = std::max(width, cell.size());
  size_t others = 2;
  for (size_t width : drop_begin(widths))
    others += width ? width + 2 : 0;
  size_t least = 24;
  size_t available =
      others + least < kTableWidth ? kTableWidth - others : least;
  widths[0] = std::min(widths[0], available);
  // A shape of many dimensions can still be too much.
  if (widths[0] + others > kTableWidth)
    widths[2] -= std::min(widths[2] - 8, widths[0] + others - kTableWidth);
  return widths;
}

/// Prints a reason below its row, wrapped.
static void printReason(raw_ostream &os, StringRef reason) {
  std::string line = "     ";
  for (StringRef word : split(reason, ' ')) {
    if (line.size() + 1 + word.size() > kTableWidth) {
      os << line << "\n";
      line = "     ";
    }
    line += (" " + word).str();
  }
  os << line << "\n";
}

/// Sums per precision: `36 nvfp4, 12 bf16`.
static std::string summarize(ArrayRef<PrecisionReportEntry> entries) {
  MapVector<StringRef, unsigned> counts;
  for (const PrecisionReportEntry &entry : entries)
    ++counts[StringRef(entry.realised).split(',').first];
  SmallVector<std::string> parts;
  for (auto [kind, count] : counts)
    parts.push_back(std::to_string(count) + " " + kind.str());
  return join(parts, ", ");
}

void PrecisionReport::print(raw_ostream &os) const {
  Ordered<Row> rows;
  for (const PrecisionReportEntry &entry : entries)
    addToRow(rows[getRowKey(entry)], entry);
  Ordered<Section> sections;
  for (Row &row : rows.items) {
    fillCells(row);
    Section &section = sections[getSection(*row.first)];
    section.title = getSection(*row.first);
    section.rows.push_back(&row);
  }
  SmallVector<size_t> widths = getWidths(rows.items);
  for (const Section &section : sections.items) {
    os << section.title << "\n";
    for (const Row *row : section.rows) {
      printRow(os, *row, widths);
      if (!row->first->reason.empty())
        printReason(os, row->first->reason);
    }
  }
  os << entries.size() << " sites: " << summarize(entries);
  if (unsigned fallbacks = getNumFallbacks())
    os << "; " << fallbacks << " not as requested";
  os << "\n";
  if (int64_t before = getBytesBefore())
    os << "weights of these sites: " << formatBytes(before) << " -> "
       << formatBytes(getBytesAfter()) << "\n";
}

} // namespace nvfp4

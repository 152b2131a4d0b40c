//===- PrintStatistics.cpp - What a launch counted, as tables -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PrintStatistics.h"
#include "../nvfp4-run/TextTable.h"

#include <algorithm>

using namespace nvfp4;
using namespace nvfp4::ptx;
using nvfp4::run::TextTable;

/// The lines of a text without the blanks around them.
static std::vector<std::string> splitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    size_t first = line.find_first_not_of(" \t\r");
    size_t last = line.find_last_not_of(" \t\r");
    std::string shown;
    if (first != std::string_view::npos)
      shown = line.substr(first, last - first + 1);
    std::replace(shown.begin(), shown.end(), '\t', ' ');
    lines.push_back(std::move(shown));
  }
  return lines;
}

static std::string formatShare(uint64_t part, uint64_t whole) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %%",
                whole == 0 ? 0.0
                           : 100.0 * static_cast<double>(part) /
                                 static_cast<double>(whole));
  return text;
}

/// A row per name, the largest count first.
static void printCounts(const char *name, const char *count,
                        const std::map<std::string, uint64_t> &counts) {
  std::vector<std::pair<std::string, uint64_t>> rows(counts.begin(),
                                                     counts.end());
  std::sort(rows.begin(), rows.end(), [](const auto &a, const auto &b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  uint64_t total = 0;
  for (const auto &[key, value] : rows)
    total += value;
  TextTable table({name, count, "share"});
  for (const auto &[key, value] : rows)
    table.add({key, std::to_string(value), formatShare(value, total)});
  if (table.getNumRows() == 0)
    return;
  std::printf("\n");
  table.print(stdout, 0);
}

void sim::printStatistics(const Statistics &statistics, std::string_view text) {
  TextTable totals({"total", "count"});
  totals.add(
      {"warp instructions", std::to_string(statistics.warpInstructions)});
  totals.add(
      {"thread instructions", std::to_string(statistics.threadInstructions)});
  totals.add(
      {"matrix instructions", std::to_string(statistics.matrixInstructions)});
  totals.add(
      {"longest dependency", std::to_string(statistics.longestDependency)});
  totals.print(stdout, 0);
  printCounts("class", "warp instructions", statistics.instructionsByClass);
  printCounts("space", "bytes", statistics.bytesBySpace);

  std::vector<std::string> source = splitLines(text);
  TextTable lines({"line", "runs", "lanes", "sectors", "wavefronts",
                   "conflicts", "instruction"});
  for (const Statistics::Line &line : statistics.lines)
    lines.add(
        {std::to_string(line.line), std::to_string(line.executions),
         std::to_string(line.lanes), std::to_string(line.sectors),
         std::to_string(line.wavefronts), std::to_string(line.bankConflicts),
         line.line >= 1 && line.line <= source.size() ? source[line.line - 1]
                                                      : line.opcode});
  if (lines.getNumRows() == 0)
    return;
  std::printf("\n");
  lines.print(stdout, 0);
}

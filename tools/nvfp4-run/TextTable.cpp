//===- TextTable.cpp - Columns of text ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TextTable.h"

#include <algorithm>

using namespace nvfp4::run;

/// Where the character after `position` starts: bytes 10xxxxxx continue one.
static size_t skipCharacter(const std::string &text, size_t position) {
  do
    ++position;
  while (position < text.size() && (text[position] & 0xc0) == 0x80);
  return position;
}

static size_t countCharacters(const std::string &text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); i = skipCharacter(text, i))
    ++count;
  return count;
}

void TextTable::add(std::vector<std::string> row) {
  constexpr size_t kMaxCharacters = 60;
  for (std::string &cell : row) {
    if (countCharacters(cell) <= kMaxCharacters)
      continue;
    size_t end = 0;
    for (size_t i = 0; i < kMaxCharacters - 3; ++i)
      end = skipCharacter(cell, end);
    cell = cell.substr(0, end) + "...";
  }
  rows.push_back(std::move(row));
}

void TextTable::print(std::FILE *stream, unsigned indent) const {
  std::vector<size_t> widths;
  for (const auto &row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], countCharacters(row[i]));
  }
  for (const auto &row : rows) {
    std::string line(indent, ' ');
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size())
        line.append(widths[i] - countCharacters(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::fprintf(stream, "%s\n", line.c_str());
  }
}

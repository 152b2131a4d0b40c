//===- TextTable.h - Columns of text ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TOOLS_RUN_TEXTTABLE_H
#define NVFP4_TOOLS_RUN_TEXTTABLE_H

#include <cstdio>
#include <string>
#include <vector>

namespace nvfp4::run {

/// Rows of cells, printed with columns as wide as their widest cell. Cells are
/// UTF-8; long ones are cut.
class TextTable {
public:
  explicit TextTable(std::vector<std::string> header) {
    add(std::move(header));
  }

  void add(std::vector<std::string> row);
  size_t getNumRows() const { return rows.size() - 1; }
  /// Prints the header and the rows, each behind `indent` spaces.
  void print(std::FILE *stream, unsigned indent) const;

private:
  std::vector<std::vector<std::string>> rows;
};

} // namespace nvfp4::run

#endif // NVFP4_TOOLS_RUN_TEXTTABLE_H

//===- Messages.cpp - Names in errors -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Messages.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

using namespace nvfp4;

std::string nvfp4::quote(std::string_view text) {
  constexpr size_t kMaxLength = 300;
  std::string result = "'";
  for (char c : text.substr(0, kMaxLength)) {
    unsigned char byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  if (text.size() > kMaxLength)
    result += "...";
  return result + "'";
}

Status nvfp4::systemError(const std::string &path, const std::string &what) {
  int code = errno;
  return Status::error(quote(path) + ": " + what + ": " +
                       std::generic_category().message(code));
}

/// The Levenshtein distance.
static size_t getEditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1,
                         diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string nvfp4::findNearest(std::string_view name,
                               const std::vector<std::string> &candidates) {
  constexpr size_t kMaxLength = 256; // the distance is quadratic
  std::string nearest;
  // A third of the letters wrong is the most that still reads as a misspelling.
  size_t best = name.size() / 3 + 2;
  for (const std::string &candidate : candidates) {
    if (name.size() > kMaxLength || candidate.size() > kMaxLength)
      continue;
    size_t distance = getEditDistance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string nvfp4::suggestNearest(std::string_view name,
                                  const std::vector<std::string> &candidates) {
  std::string nearest = findNearest(name, candidates);
  return nearest.empty() ? "" : "; did you mean " + quote(nearest) + "?";
}

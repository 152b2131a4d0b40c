//===- Chips.cpp - Facts per chip -----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Chips.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace nvfp4 {

constexpr int64_t kKiB = 1024;

// clang-format off
constexpr ChipModel kChips[] = {
    // name     matrix unit              FP4    e2m1   cvt.rs shared     SMs  ×4   PTX
    {"sm_90a",  MmaUnit::WarpgroupAsync, false, false, false, 227 * kKiB, 132, 120, 81},
    {"sm_100a", MmaUnit::TensorMemory,   true,  true,  true,  227 * kKiB, 148, 148, 88},
    {"sm_103a", MmaUnit::TensorMemory,   true,  true,  true,  227 * kKiB, 160, 160, 88},
    {"sm_110a", MmaUnit::TensorMemory,   true,  true,  false, 227 * kKiB,  20,  20, 90},
    {"sm_120a", MmaUnit::WarpSync,       true,  true,  false,  99 * kKiB, 188, 188, 87},
    {"sm_121a", MmaUnit::WarpSync,       true,  true,  false,  99 * kKiB,  48,  48, 88},
};
// clang-format on

ArrayRef<ChipModel> getChips() { return kChips; }

const ChipModel *findChip(StringRef name) {
  const ChipModel *chip =
      find_if(kChips, [&](const ChipModel &row) { return row.name == name; });
  return chip == std::end(kChips) ? nullptr : chip;
}

/// `sm_120` of `sm_120`, `sm_120f` and `sm_120a`.
static StringRef dropSuffix(StringRef name) {
  return name.rtrim("abcdefghijklmnopqrstuvwxyz");
}

std::string describeUnknownChip(StringRef name) {
  std::string text;
  raw_string_ostream os(text);
  os << "expected one of the chips ";
  interleaveComma(kChips, os, [&](const ChipModel &row) { os << row.name; });
  os << ", but got '" << name << "'";
  for (const ChipModel &row : kChips)
    if (dropSuffix(row.name) == dropSuffix(name))
      os << "; write '" << row.name
         << "': only with that suffix does the chip offer its matrix "
            "instructions";
  return text;
}

} // namespace nvfp4

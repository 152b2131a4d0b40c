//===- OptionText.cpp - Options of the simulator as text ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/OptionText.h"

#include "nvfp4/Runtime/Messages.h"

#include <charconv>
#include <string_view>

namespace nvfp4::ptx {

Status parseAsynchrony(const std::string &text, Options &options) {
  constexpr std::string_view kRandom = "random:";
  if (text == "late" || text == "early") {
    options.asynchrony = text == "late" ? Asynchrony::Late : Asynchrony::Early;
    return Status();
  }
  if (text.compare(0, kRandom.size(), kRandom) == 0) {
    options.asynchrony = Asynchrony::Random;
    const char *begin = text.data() + kRandom.size();
    const char *end = text.data() + text.size();
    auto [rest, error] = std::from_chars(begin, end, options.seed);
    if (error == std::errc() && rest == end)
      return Status();
  }
  return Status::error("--async: expected late, early or random:SEED with an "
                       "integer SEED, but got " +
                       quote(text));
}

Status parseAccumulation(const std::string &text, Options &options) {
  if (text != "exact" && text != "hardware")
    return Status::error("--accumulate: expected exact or hardware, but got " +
                         quote(text));
  options.accumulation =
      text == "exact" ? Accumulation::Exact : Accumulation::Hardware;
  return Status();
}

} // namespace nvfp4::ptx

//===- ChipFeatures.cpp - Which chips have an instruction -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: what ptxas 13.0 accepts.
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"

#include <algorithm>

namespace nvfp4::ptx {

/// In the order of ChipFeature, separated by blanks.
static constexpr std::string_view kTargets[] = {
    "sm_120a sm_120f sm_121a sm_121f",
    "sm_120a sm_121a",
    "sm_100a sm_100f sm_101a sm_101f sm_103a sm_103f sm_110a sm_110f sm_120a "
    "sm_120f sm_121a sm_121f",
    "sm_100a sm_103a",
    "sm_100a sm_100f sm_101a sm_101f sm_103a sm_103f sm_110a sm_110f sm_120a "
    "sm_120f sm_121a sm_121f",
    "sm_100a sm_100f sm_101a sm_103a sm_103f",
    "sm_90a sm_100a sm_100f sm_101a sm_101f sm_103a sm_103f sm_110a sm_110f "
    "sm_120a sm_120f sm_121a sm_121f",
    "sm_90a",
    "sm_100a sm_100f sm_101a sm_101f sm_103a sm_103f sm_110a sm_110f",
    "sm_100 sm_100a sm_100f sm_101 sm_101a sm_101f sm_103 sm_103a sm_103f "
    "sm_110 sm_110a sm_110f sm_120 sm_120a sm_120f sm_121 sm_121a sm_121f",
    "sm_101a sm_101f sm_103a sm_103f sm_110a sm_110f",
    "sm_100a sm_101a sm_103a sm_110a",
    "sm_100a sm_101a sm_110a",
    "sm_100a sm_100f sm_103a sm_103f",
    "sm_100a sm_101a sm_103a sm_110a",
    "sm_100 sm_100a sm_100f sm_101 sm_101a sm_101f sm_103 sm_103a sm_103f "
    "sm_110 sm_110a sm_110f sm_120 sm_120a sm_120f sm_121 sm_121a sm_121f",
    "sm_100a sm_100f sm_101a sm_101f sm_103a sm_103f sm_110a sm_110f sm_120a "
    "sm_120f sm_121a sm_121f",
};

bool requireFeature(DecodeContext &context, ChipFeature feature) {
  std::string_view target = context.getModule().target;
  std::string_view list = kTargets[unsigned(feature)];
  for (std::string_view rest = list; !rest.empty();) {
    std::string_view name = rest.substr(0, rest.find(' '));
    if (name == target)
      return true;
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
  std::string names;
  for (char c : list)
    names += c == ' ' ? std::string(", ") : std::string(1, c);
  context.error("expected one of the targets " + names + ", but got " +
                std::string(target));
  return false;
}

} // namespace nvfp4::ptx

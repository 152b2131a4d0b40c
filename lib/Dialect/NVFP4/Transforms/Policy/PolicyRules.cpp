//===- PolicyRules.cpp - What a policy's rules mean -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matching of conditions and the decision for one site. Reading rules from JSON
// is in PolicyJSON.cpp; what the decision does to the IR in
// AssignPrecision.cpp.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Policy.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace nvfp4 {

/// Enough for any list somebody writes by hand, and a bound on `{a,b}{c,d}…`.
static constexpr size_t kMaxBraceExpansions = 1024;

llvm::Error GlobList::add(StringRef glob) {
  auto text = std::make_unique<std::string>(glob);
  auto pattern = llvm::GlobPattern::create(*text, kMaxBraceExpansions);
  if (!pattern)
    return pattern.takeError();
  globs.push_back({std::move(text), std::move(*pattern)});
  return llvm::Error::success();
}

std::optional<unsigned> GlobList::find(StringRef text) const {
  for (auto [index, glob] : llvm::enumerate(globs))
    if (glob.pattern.match(text))
      return index;
  return std::nullopt;
}

bool GlobList::matches(StringRef text) const { return find(text).has_value(); }

bool ExtentCondition::matches(int64_t extent) const {
  if (ShapedType::isDynamic(extent))
    return false;
  return (!min || extent >= *min) && (!max || extent <= *max) &&
         (!multipleOf || extent % *multipleOf == 0);
}

bool BlockCondition::matches(const BlockPosition &position) const {
  auto countOf = [&] { return std::llround(share * position.count); };
  switch (kind) {
  case Kind::First:
    return position.index < begin;
  case Kind::Last:
    return position.index >= position.count - begin;
  case Kind::FirstShare:
    return position.index < countOf();
  case Kind::LastShare:
    return position.index >= position.count - countOf();
  case Kind::Range:
    return position.index >= begin && position.index <= end;
  }
  llvm_unreachable("all kinds of block conditions are handled");
}

/// A condition on an extent needs a contraction to have one.
static bool matchesExtent(const std::optional<ExtentCondition> &condition,
                          const Site &site,
                          int64_t (ContractionInfo::*getExtent)() const) {
  if (!condition)
    return true;
  return site.contraction &&
         condition->matches(((*site.contraction).*getExtent)());
}

bool SiteCondition::matches(const Site &candidate,
                            StringRef currentKind) const {
  if (!site.empty() && !site.matches(candidate.name))
    return false;
  if (!weight.empty() && !weight.matches(candidate.weightName))
    return false;
  if (!classes.empty() && !llvm::is_contained(classes, candidate.siteClass))
    return false;
  if (!precisions.empty() && !llvm::is_contained(precisions, currentKind))
    return false;
  if (use && *use != candidate.use)
    return false;
  if (block && !(candidate.block && block->matches(*candidate.block)))
    return false;
  if (!matchesExtent(m, candidate, &ContractionInfo::getM) ||
      !matchesExtent(n, candidate, &ContractionInfo::getN) ||
      !matchesExtent(k, candidate, &ContractionInfo::getK))
    return false;
  return !negated || !negated->matches(candidate, currentKind);
}

void Policy::assignHeads(MutableArrayRef<Site> sites) const {
  for (Site &site : sites)
    if (site.siteClass == SiteClass::Linear && heads.matches(site.name))
      site.siteClass = SiteClass::Head;
}

PolicyDecision Policy::decide(const Site &site) const {
  PolicyDecision decision;
  for (const PolicyRule &rule : rules) {
    if (!rule.match.matches(site, decision.kind))
      continue;
    // Only a block-scaled activation has a global scale to choose.
    bool hasActivations = rule.precision.empty()
                              ? takesActivationScale(decision.kind)
                              : rule.activations.has_value();
    if (rule.precision.empty() && !hasActivations)
      continue;
    if (!rule.precision.empty()) {
      decision.kind = rule.precision;
      decision.activations = {};
    }
    if (hasActivations)
      decision.activations = *rule.activations;
    decision.rule = rule.label;
    decision.why = rule.why;
  }
  return decision;
}

/// `text` with every `placeholder` replaced.
static std::string fillIn(std::string text, StringRef placeholder,
                          StringRef value) {
  for (size_t at = text.find(placeholder.str()); at != std::string::npos;
       at = text.find(placeholder.str(), at + value.size()))
    text.replace(at, placeholder.size(), value.str());
  return text;
}

PrecisionAttr PolicyDecision::getAttr(MLIRContext *context,
                                      const Site &site) const {
  std::string tensor = fillIn(activations.staticTensor, "{site}", site.name);
  tensor = fillIn(tensor, "{weight}", site.weightName);
  return PrecisionAttr::get(context, kind, activations.scale, tensor);
}

bool takesActivationScale(StringRef kind) {
  // Not found: bf16, f32, keep, or a format followed by `_weight_only`.
  const BlockFormat *format = findFormat({kind.data(), kind.size()});
  return format && format->hasGlobalScale;
}

double getPrecisionRank(StringRef kind) {
  if (kind == "keep")
    return std::numeric_limits<double>::infinity();
  if (kind == "f32")
    return 32;
  if (kind == "bf16")
    return 16;
  StringRef formatName = kind;
  // An activation that is not quantized outweighs any difference of formats.
  double rank = formatName.consume_back("_weight_only") ? 8 : 0;
  const BlockFormat *format =
      findFormat({formatName.data(), formatName.size()});
  assert(format && "the parser and the attribute's verifier admit no other");
  // Stored bits per element: 4 for the code and its share of the scale.
  return rank + 4 + 8.0 / double(format->blockRows * format->blockCols);
}

std::string stringifyPrecision(PrecisionAttr precision) {
  std::string text;
  llvm::raw_string_ostream(text) << Attribute(precision);
  StringRef inner = text;
  inner = inner.drop_front(inner.find('<') + 1);
  inner.consume_back(">");
  return inner.str();
}

StringRef findNearest(StringRef word, ArrayRef<StringRef> candidates) {
  return *llvm::min_element(candidates, [&](StringRef a, StringRef b) {
    return word.edit_distance_insensitive(a) <
           word.edit_distance_insensitive(b);
  });
}

} // namespace nvfp4

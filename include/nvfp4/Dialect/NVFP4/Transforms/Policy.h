//===- Policy.h - Rules that give each site a precision ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A policy is an ordered list of rules, read from JSON (docs/Policy.md). Each
// rule looks at a site's name, weight, class, position and extents; the last
// one that matches decides. The presets are policies of the same kind, compiled
// into the library from share/policies.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_POLICY_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_POLICY_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/GlobPattern.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

/// Globs of which one must match: `*` (dots too), `?`, `[a-z]`, `[^a-z]`,
/// `{one,other}`, `\` before a character that stands for itself.
class GlobList {
public:
  /// Adds a glob; an error says what is wrong with it.
  llvm::Error add(llvm::StringRef glob);
  bool matches(llvm::StringRef text) const;
  /// Index of the first glob that matches.
  std::optional<unsigned> find(llvm::StringRef text) const;
  bool empty() const { return globs.empty(); }
  size_t size() const { return globs.size(); }

private:
  // The pattern refers to the text, which therefore must not move.
  struct Glob {
    std::unique_ptr<std::string> text;
    llvm::GlobPattern pattern;
  };
  std::vector<Glob> globs;
};

/// A condition on M, N or K. A dynamic extent satisfies none.
struct ExtentCondition {
  std::optional<int64_t> min, max, multipleOf;
  bool matches(int64_t extent) const;
};

/// A condition on the position of a site's block in its stack. A site outside
/// every block satisfies none.
struct BlockCondition {
  enum class Kind { First, Last, FirstShare, LastShare, Range };
  Kind kind = Kind::First;
  /// Blocks for First and Last; first index for Range.
  int64_t begin = 0;
  /// Last index for Range, inclusive.
  int64_t end = 0;
  /// Between 0 and 1, of the stack's blocks, rounded to the nearest count.
  double share = 0;

  bool matches(const BlockPosition &position) const;
};

/// All conditions that are set must hold.
struct SiteCondition {
  GlobList site, weight;
  std::vector<SiteClass> classes;
  /// Kinds that the rules before may have decided.
  std::vector<std::string> precisions;
  std::optional<unsigned> use;
  std::optional<BlockCondition> block;
  std::optional<ExtentCondition> m, n, k;
  std::unique_ptr<SiteCondition> negated;

  bool matches(const Site &site, llvm::StringRef currentKind) const;
};

//===----------------------------------------------------------------------===//
// Policies
//===----------------------------------------------------------------------===//

/// Where an activation's global scale comes from. `staticTensor` may contain
/// `{site}` and `{weight}`.
struct ActivationChoice {
  ActivationScale scale = ActivationScale::DynamicRow;
  std::string staticTensor;
};

struct PolicyRule {
  /// `policy:name`, or `policy:index`, as reports show it.
  std::string label;
  SiteCondition match;
  /// A kind of `#nvfp4.precision`; empty if the rule only sets `activations`.
  std::string precision;
  std::optional<ActivationChoice> activations;
  std::string why;
};

/// What the rules want for a site.
struct PolicyDecision {
  std::string kind = "keep";
  ActivationChoice activations;
  /// Label and explanation of the deciding rule.
  std::string rule = "default";
  std::string why;

  /// The attribute; `site` fills the placeholders of a static tensor's name.
  PrecisionAttr getAttr(mlir::MLIRContext *context, const Site &site) const;
};

struct Policy {
  std::string name;
  std::string description;
  /// Names of linear layers whose class is `head`.
  GlobList heads;
  /// In order; those of the extended policy come first.
  std::vector<PolicyRule> rules;
  /// Linear layers of the same group that read the same activation agree.
  std::vector<GlobList> groups;

  /// Gives linear layers that `heads` names the class `head`.
  void assignHeads(llvm::MutableArrayRef<Site> sites) const;
  /// What the last matching rule says; `keep` if none matches.
  PolicyDecision decide(const Site &site) const;
};

/// Parses a policy. `fileName` is for messages, and `extends` paths are
/// relative to its folder. Errors read `rules.json: rules[2].match.site:
/// expected …, but got …`, or `rules.json:3:14: …` for text that is not JSON.
llvm::Expected<Policy> parsePolicy(llvm::StringRef text,
                                   llvm::StringRef fileName);

/// Loads a preset by its name, or a file by its path.
llvm::Expected<Policy> loadPolicy(llvm::StringRef presetOrPath);

/// A policy that ships with the library.
struct PolicyPreset {
  llvm::StringRef name;
  llvm::StringRef text;
};
llvm::ArrayRef<PolicyPreset> getPolicyPresets();

/// Keys that the parser accepts, by object: "policy", "rule", "match", "block",
/// "extent", "activations". docs/policy.schema.json lists the same, which a
/// test checks.
llvm::ArrayRef<llvm::StringLiteral> getPolicyKeys(llvm::StringRef object);

/// Whether an operand of precision `kind` is an activation with a global scale.
bool takesActivationScale(llvm::StringRef kind);

/// How precise a kind is, for groups: larger is more precise.
double getPrecisionRank(llvm::StringRef kind);

/// The text within `#nvfp4.precision<…>`.
std::string stringifyPrecision(PrecisionAttr precision);

/// The candidate nearest to `word`, for messages.
llvm::StringRef findNearest(llvm::StringRef word,
                            llvm::ArrayRef<llvm::StringRef> candidates);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_POLICY_H

//===- AssignPrecision.cpp - Write the policy's decisions -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asks the policy about every site, checks that the answer fits the op, makes
// groups agree, and writes attributes.
//
// Expects: normalized IR. Leaves: a precision on every site, with its reasons.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Policy.h"
#include "nvfp4/Dialect/NVFP4/Transforms/PrecisionReport.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace nvfp4 {

#define GEN_PASS_DEF_ASSIGNPRECISIONPASS
#define GEN_PASS_DEF_PRINTPRECISIONREPORTPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"

static constexpr llvm::StringLiteral kUserRule = "user";

namespace {
/// What is decided for one site.
struct Assignment {
  PrecisionAttr requested, realised;
  std::string rule, why;
  /// Why `realised` is not `requested`.
  std::string reason;
  /// The op came with its precision.
  bool fromUser = false;
  /// The request does not fit the op. (A group may change a request that fits.)
  bool isFallback = false;
};
} // namespace

//===----------------------------------------------------------------------===//
// One site
//===----------------------------------------------------------------------===//

/// The precision that a user wrote on `op`, in contrast to this pass.
static PrecisionAttr getUserPrecision(Operation *op) {
  auto rule = op->getAttrOfType<StringAttr>(kRuleAttrName);
  if (rule && rule.getValue() != kUserRule)
    return {};
  // After an earlier run, what the user wrote is what was requested.
  if (auto requested = op->getAttrOfType<PrecisionAttr>(kRequestedAttrName))
    return requested;
  return op->getAttrOfType<PrecisionAttr>(kPrecisionAttrName);
}

static Assignment decide(const Policy &policy, const Site &site) {
  Assignment assignment;
  if (PrecisionAttr precision = getUserPrecision(site.op)) {
    assignment.requested = precision;
    assignment.rule = kUserRule;
    assignment.fromUser = true;
  } else {
    PolicyDecision decision = policy.decide(site);
    assignment.requested = decision.getAttr(site.op->getContext(), site);
    assignment.rule = decision.rule;
    assignment.why = decision.why;
  }
  assignment.realised = assignment.requested;
  return assignment;
}

/// Why the op cannot have this precision; nothing if it can.
static std::optional<std::string> whyNot(const Site &site,
                                         PrecisionAttr precision) {
  if (precision.isKeep())
    return std::nullopt;
  if (site.siteClass == SiteClass::Embedding)
    return "a gather multiplies nothing and stays as it is";
  if (!precision.isBlockScaled())
    return whyNotBF16(site.op);
  if (site.siteClass == SiteClass::Convolution)
    return "a convolution has no block-scaled form";
  return whyNotBlockScaled(*site.contraction);
}

/// Replaces a request that does not fit: bf16 is the nearest that is always
/// there for float operands, and `keep` what remains.
static void fitToOp(const Site &site, Assignment &assignment) {
  std::optional<std::string> reason = whyNot(site, assignment.requested);
  if (!reason)
    return;
  MLIRContext *context = site.op->getContext();
  auto bf16 = PrecisionAttr::get(context, "bf16");
  bool fits = assignment.requested.isBlockScaled() && !whyNot(site, bf16);
  assignment.realised = fits ? bf16 : PrecisionAttr::get(context, "keep");
  assignment.reason = std::move(*reason);
  assignment.isFallback = true;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// Orders by what is kept of a value: first the kind; between equal kinds, a
/// global scale per row over one per tensor over one that is not measured.
static std::pair<double, int> getRank(PrecisionAttr precision) {
  int granularity = 0;
  switch (precision.getActivationScale()) {
  case ActivationScale::DynamicRow:
    granularity = 2;
    break;
  case ActivationScale::DynamicTensor:
    granularity = 1;
    break;
  case ActivationScale::Static:
    break;
  }
  return {getPrecisionRank(precision.getKind()), granularity};
}

/// Gives every member of a group the most precise of their precisions, but for
/// those that a user decided.
static void agree(ArrayRef<Site> sites, MutableArrayRef<Assignment> assignments,
                  ArrayRef<unsigned> members) {
  unsigned best = *llvm::max_element(members, [&](unsigned a, unsigned b) {
    return getRank(assignments[a].realised) < getRank(assignments[b].realised);
  });
  for (unsigned member : members) {
    Assignment &assignment = assignments[member];
    PrecisionAttr precision = assignments[best].realised;
    if (assignment.fromUser ||
        getRank(assignment.realised) == getRank(precision) ||
        // A static scale has a name of its own per site; it is not copied.
        precision.getActivationScale() == ActivationScale::Static)
      continue;
    assignment.realised = precision;
    if (!assignment.reason.empty())
      assignment.reason += "; ";
    assignment.reason += "agrees with " + sites[best].getLabel();
  }
}

/// Finds the groups: linear layers that one list of globs names and that read
/// the same activation.
static void makeGroupsAgree(const Policy &policy, ArrayRef<Site> sites,
                            MutableArrayRef<Assignment> assignments) {
  llvm::MapVector<std::pair<unsigned, Value>, SmallVector<unsigned>> groups;
  for (auto [index, site] : llvm::enumerate(sites)) {
    bool isLinear = site.siteClass == SiteClass::Linear ||
                    site.siteClass == SiteClass::Expert;
    if (!isLinear)
      continue;
    for (auto [number, group] : llvm::enumerate(policy.groups))
      if (group.matches(site.name)) {
        Value activation = skipViews(site.contraction->getA());
        groups[{number, activation}].push_back(index);
        break;
      }
  }
  for (const auto &[key, members] : groups)
    agree(sites, assignments, members);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

static void setOrRemove(Operation *op, StringRef name, Attribute value) {
  if (value)
    op->setAttr(name, value);
  else
    op->removeAttr(name);
}

static void write(const Site &site, const Assignment &assignment) {
  Operation *op = site.op;
  Builder builder(op->getContext());
  bool changed = assignment.realised != assignment.requested;
  op->setAttr(kSiteAttrName, builder.getStringAttr(site.getLabel()));
  op->setAttr(kClassAttrName,
              builder.getStringAttr(stringifySiteClass(site.siteClass)));
  op->setAttr(kPrecisionAttrName, assignment.realised);
  op->setAttr(kRuleAttrName, builder.getStringAttr(assignment.rule));
  setOrRemove(op, kRequestedAttrName,
              changed ? assignment.requested : PrecisionAttr());
  setOrRemove(op, kReasonAttrName,
              changed ? builder.getStringAttr(assignment.reason)
                      : StringAttr());
}

static void remark(const Site &site, const Assignment &assignment) {
  auto function = site.op->getParentOfType<FunctionOpInterface>();
  auto options = remark::RemarkOpts::name("AssignPrecision")
                     .category("nvfp4")
                     .function(function ? function.getName() : StringRef());
  std::string text =
      site.getLabel() + " (" + stringifySiteClass(site.siteClass).str() + "): ";
  if (assignment.realised != assignment.requested) {
    text += stringifyPrecision(assignment.realised) + " instead of " +
            stringifyPrecision(assignment.requested) + " of rule " +
            assignment.rule + ": " + assignment.reason;
    remark::missed(site.op->getLoc(), options) << text;
    return;
  }
  text +=
      stringifyPrecision(assignment.realised) + " by rule " + assignment.rule;
  if (!assignment.why.empty())
    text += ": " + assignment.why;
  remark::passed(site.op->getLoc(), options) << text;
}

/// A precision on an op that is no site would be ignored: say so instead.
static LogicalResult checkStrays(ModuleOp module, ArrayRef<Site> sites) {
  llvm::SmallPtrSet<Operation *, 32> known;
  for (const Site &site : sites)
    known.insert(site.op);
  WalkResult result = module.walk([&](linalg::LinalgOp op) {
    auto precision = op->getAttrOfType<PrecisionAttr>(kPrecisionAttrName);
    if (!precision || precision.isKeep() || known.contains(op))
      return WalkResult::advance();
    op->emitError("expected a contraction, a convolution or an embedding "
                  "gather under '")
        << kPrecisionAttrName << "', but got '" << op->getName() << "' of "
        << "another kind";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

namespace {
struct AssignPrecisionPass final
    : impl::AssignPrecisionPassBase<AssignPrecisionPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<Policy> loaded =
        policyText.empty() ? loadPolicy(policy)
                           : parsePolicy(policyText, "policy-text");
    if (!loaded) {
      emitError(module.getLoc(), llvm::toString(loaded.takeError()));
      return signalPassFailure();
    }
    std::vector<Site> sites = collectSites(module);
    if (failed(checkStrays(module, sites)))
      return signalPassFailure();
    loaded->assignHeads(sites);
    std::vector<Assignment> assignments;
    for (const Site &site : sites) {
      assignments.push_back(decide(*loaded, site));
      fitToOp(site, assignments.back());
    }
    makeGroupsAgree(*loaded, sites, assignments);
    if (strict && failed(rejectFallbacks(sites, assignments)))
      return signalPassFailure();
    for (auto [site, assignment] : llvm::zip_equal(sites, assignments)) {
      write(site, assignment);
      remark(site, assignment);
      ++numSites;
      numFallbacks += assignment.isFallback;
      numBlockScaled += assignment.realised.isBlockScaled();
    }
  }

  static LogicalResult rejectFallbacks(ArrayRef<Site> sites,
                                       ArrayRef<Assignment> assignments) {
    LogicalResult result = success();
    for (auto [site, assignment] : llvm::zip_equal(sites, assignments)) {
      if (!assignment.isFallback)
        continue;
      site.op->emitError("expected '")
          << site.getLabel() << "' to fit "
          << stringifyPrecision(assignment.requested) << " (rule "
          << assignment.rule << "), but " << assignment.reason;
      result = failure();
    }
    return result;
  }
};

struct PrintPrecisionReportPass final
    : impl::PrintPrecisionReportPassBase<PrintPrecisionReportPass> {
  using Base::Base;

  void runOnOperation() override {
    PrecisionReport report = PrecisionReport::build(getOperation());
    if (json)
      llvm::errs() << llvm::formatv("{0:2}", report.toJSON()) << "\n";
    else
      report.print(llvm::errs());
    markAllAnalysesPreserved();
  }
};
} // namespace

} // namespace nvfp4

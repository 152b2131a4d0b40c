//===- Sites.cpp - Names and positions of layers --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collects every contraction, convolution and embedding of a module and names
// it: after its weight, or, without one, after what stands around it. Names
// come from the weights file and program order alone, so the same graph gets
// the same names whatever the passes before did to its SSA names.
//
// Expects: a module whose entry functions name their weights. Changes nothing.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace nvfp4 {

StringRef getSiteName(StringRef weightName) {
  StringRef name = weightName;
  name.consume_back(".weight");
  return name.empty() ? weightName : name;
}

std::string Site::getLabel() const {
  return numUses > 1 ? name + "#" + std::to_string(use) : name;
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

static bool namesBlocks(StringRef component) {
  component.consume_back("s");
  return component == "h" || component.ends_with("layer") ||
         component.ends_with("block") || component.ends_with("stage");
}

std::optional<BlockPosition> parseBlockPosition(StringRef siteName) {
  SmallVector<StringRef> components;
  siteName.split(components, '.');
  for (size_t i = 1; i < components.size(); ++i) {
    BlockPosition position;
    if (!namesBlocks(components[i - 1]) ||
        components[i].getAsInteger(10, position.index) || position.index < 0)
      continue;
    position.stack = llvm::join(ArrayRef(components).take_front(i), ".");
    return position;
  }
  return std::nullopt;
}

/// Sets positions and their counts. Every weight counts, also those of blocks
/// without a contraction.
static void placeSites(ModuleOp module, MutableArrayRef<Site> sites) {
  llvm::StringMap<int64_t> counts;
  auto count = [&](const std::optional<BlockPosition> &position) {
    if (position)
      counts[position->stack] =
          std::max(counts.lookup(position->stack), position->index + 1);
  };
  for (auto function : module.getOps<func::FuncOp>())
    for (BlockArgument argument : function.getArguments())
      count(parseBlockPosition(getWeightName(argument)));
  for (Site &site : sites)
    count(site.block = parseBlockPosition(site.name));
  for (Site &site : sites)
    if (site.block)
      site.block->count = counts.lookup(site.block->stack);
}

//===----------------------------------------------------------------------===//
// Names of activation products
//===----------------------------------------------------------------------===//

/// The components of `name` before the last one.
static StringRef getParent(StringRef name) {
  return name.contains('.') ? name.rsplit('.').first : StringRef();
}

/// `stack.index` of a name within a block, else its parent.
static std::string getSurroundings(StringRef name) {
  if (std::optional<BlockPosition> position = parseBlockPosition(name))
    return position->stack + "." + std::to_string(position->index);
  return getParent(name).str();
}

/// Leading components that the parents of two names share.
static std::string getCommonParent(StringRef first, StringRef second) {
  SmallVector<StringRef> a, b, common;
  getParent(first).split(a, '.');
  getParent(second).split(b, '.');
  for (auto [left, right] : llvm::zip(a, b)) {
    if (left != right)
      break;
    common.push_back(left);
  }
  return llvm::join(common, ".");
}

static std::string getProductPrefix(const Site *before, const Site *after) {
  if (!before && !after)
    return "";
  if (!before || !after)
    return getSurroundings((before ? before : after)->name);
  auto first = parseBlockPosition(before->name);
  auto second = parseBlockPosition(after->name);
  bool sameBlock = first && second && first->stack == second->stack &&
                   first->index == second->index;
  if (sameBlock || (!first && !second))
    return getCommonParent(before->name, after->name);
  return getSurroundings(before->name);
}

/// Names the sites of one function that have no weight.
static void nameProducts(MutableArrayRef<Site> sites,
                         llvm::StringMap<unsigned> &numbers) {
  SmallVector<const Site *> after(sites.size(), nullptr);
  const Site *named = nullptr;
  for (size_t i = sites.size(); i-- > 0;) {
    after[i] = named;
    if (!sites[i].weightName.empty())
      named = &sites[i];
  }
  const Site *before = nullptr;
  for (auto [site, next] : llvm::zip_equal(sites, after)) {
    if (!site.weightName.empty()) {
      before = &site;
      continue;
    }
    std::string prefix = getProductPrefix(before, next);
    if (prefix.empty())
      prefix = "attention";
    else if (StringRef(prefix) != "attention" &&
             !StringRef(prefix).ends_with(".attention"))
      prefix += ".attention";
    site.name = prefix + "." + std::to_string(numbers[prefix]++);
  }
}

//===----------------------------------------------------------------------===//
// Collection
//===----------------------------------------------------------------------===//

/// Several weights (behind a concat) are joined by `+`.
static void nameAfterWeights(Site &site) {
  for (BlockArgument weight : site.weight->weights) {
    StringRef separator = site.weightName.empty() ? "" : "+";
    StringRef name = getWeightName(weight);
    site.weightName += (separator + name).str();
    site.name += (separator + getSiteName(name)).str();
  }
}

/// The site that `op` is, with the weight's name if it has one.
static std::optional<Site> describe(Operation *op) {
  Site site;
  site.op = op;
  if (std::optional<ContractionInfo> info = analyzeContraction(op)) {
    site.siteClass = info->siteClass;
    site.weight = info->weight;
    site.contraction = std::move(info);
  } else if (isConvolution(op)) {
    site.siteClass = SiteClass::Convolution;
    site.weight = traceWeight(op->getOperand(1));
  } else if (std::optional<WeightView> view = analyzeEmbedding(op)) {
    site.siteClass = SiteClass::Embedding;
    site.weight = std::move(view);
  } else {
    return std::nullopt;
  }
  if (site.weight)
    nameAfterWeights(site);
  return site;
}

/// Numbers repeated uses, gathers apart from all else.
static void countUses(MutableArrayRef<Site> sites) {
  llvm::StringMap<unsigned> counts[2];
  auto getCounts = [&](const Site &site) -> llvm::StringMap<unsigned> & {
    return counts[site.siteClass == SiteClass::Embedding];
  };
  for (Site &site : sites)
    site.use = getCounts(site)[site.name]++;
  for (Site &site : sites)
    site.numUses = getCounts(site).lookup(site.name);
}

std::vector<Site> collectSites(ModuleOp module) {
  std::vector<Site> sites;
  llvm::StringMap<unsigned> numbers;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function->hasAttr(kPackAttrName))
      continue;
    size_t begin = sites.size();
    function.walk([&](Operation *op) {
      if (std::optional<Site> site = describe(op))
        sites.push_back(std::move(*site));
    });
    nameProducts(MutableArrayRef<Site>(sites).drop_front(begin), numbers);
  }
  llvm::StringSet<> gathered;
  for (const Site &site : sites)
    if (site.siteClass == SiteClass::Embedding)
      gathered.insert(site.weightName);
  for (Site &site : sites)
    if (site.siteClass == SiteClass::Linear &&
        gathered.contains(site.weightName))
      site.siteClass = SiteClass::Head;
  countUses(sites);
  placeSites(module, sites);
  return sites;
}

} // namespace nvfp4

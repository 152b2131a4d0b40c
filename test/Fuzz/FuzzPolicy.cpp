//===- FuzzPolicy.cpp - Any bytes as a policy file ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is accepted decides something for every kind of site; what is not gives
// an error with a text.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Policy.h"

#include <cstdlib>

using namespace nvfp4;

/// A site that conditions of every kind can look at.
static Site makeSite(SiteClass siteClass) {
  Site site;
  site.siteClass = siteClass;
  site.name = "model.layers.3.self_attn.q_proj";
  site.weightName = site.name + ".weight";
  site.block = parseBlockPosition(site.name);
  if (site.block)
    site.block->count = 12;
  site.numUses = 2;
  site.use = 1;
  return site;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  // A policy may extend a file by its path: not part of this test.
  if (text.contains("/"))
    return 0;
  llvm::Expected<Policy> policy = parsePolicy(text, "p.json");
  if (!policy) {
    if (llvm::toString(policy.takeError()).empty())
      std::abort();
    return 0;
  }
  for (SiteClass siteClass :
       {SiteClass::Linear, SiteClass::Head, SiteClass::Expert,
        SiteClass::Attention, SiteClass::Convolution, SiteClass::Embedding}) {
    Site site[] = {makeSite(siteClass)};
    policy->assignHeads(site);
    if (policy->decide(site[0]).kind.empty())
      std::abort();
  }
  return 0;
}

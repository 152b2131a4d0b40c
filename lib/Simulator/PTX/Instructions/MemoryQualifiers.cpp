//===- MemoryQualifiers.cpp - What ld, st, atom and red share -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemoryQualifiers.h"

namespace nvfp4::ptx {

using ordering::MemoryOrder;
using ordering::Scope;

AddressSpace takeSpace(DecodeContext &context) {
  static constexpr Choice<AddressSpace> kSpaces[] = {
      {"global", AddressSpace::Global},
      {"const", AddressSpace::Constant},
      {"shared", AddressSpace::Shared},
      {"shared::cta", AddressSpace::Shared},
      {"shared::cluster", AddressSpace::SharedCluster},
      {"local", AddressSpace::Local},
      {"param", AddressSpace::Param},
      {"param::entry", AddressSpace::Param},
      {"param::func", AddressSpace::Param},
  };
  return context.choose(kSpaces, AddressSpace::Generic);
}

Scope takeScope(DecodeContext &context, Scope otherwise) {
  static constexpr Choice<Scope> kScopes[] = {
      {"cta", Scope::Cta},
      {"cluster", Scope::Cluster},
      {"gpu", Scope::Gpu},
      {"sys", Scope::Sys},
  };
  return context.choose(kScopes, otherwise);
}

void takeOrder(DecodeContext &context, AccessQualifiers &qualifiers,
               MemoryOrder otherwise) {
  static constexpr Choice<MemoryOrder> kOrders[] = {
      {"weak", MemoryOrder::Weak},
      {"volatile", MemoryOrder::Relaxed},
      {"relaxed", MemoryOrder::Relaxed},
      {"acquire", MemoryOrder::Acquire},
      {"release", MemoryOrder::Release},
      {"acq_rel", MemoryOrder::AcquireRelease},
  };
  context.take("mmio");
  qualifiers.order = context.choose(kOrders, otherwise);
  // `volatile` has no scope and means sys; atomics default to gpu.
  qualifiers.scope = takeScope(
      context, otherwise == MemoryOrder::Weak ? Scope::Sys : Scope::Gpu);
}

unsigned takeCacheHints(DecodeContext &context) {
  context.takeHints({"ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc"});
  for (std::string_view prefix : {"L1::", "L2::", "L1::", "L2::", "L2::"}) {
    if (prefix == "L2::" && context.has("L2::cache_hint"))
      continue;
    context.takePrefix(prefix);
  }
  unsigned count = context.getNumOperands();
  if (!context.has("L2::cache_hint"))
    return count;
  while (!context.takePrefix("L2::").empty())
    ;
  return count ? count - 1 : 0;
}

} // namespace nvfp4::ptx

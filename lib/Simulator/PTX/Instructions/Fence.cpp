//===- Fence.cpp - fence and membar ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.13.6 (membar, fence); rules R2, R3, R5.
//
//===----------------------------------------------------------------------===//

#include "MemoryQualifiers.h"

namespace nvfp4::ptx {

using ordering::FenceKind;
using ordering::Scope;

namespace {
enum FenceFlags : uint32_t {
  kOrdinary = 1,
  kProxyShared = 2,
  kProxyGlobal = 4,
  kProxyTensorMap = 8,
};

struct FencePlan final : Plan {
  FenceKind kind = FenceKind::AcquireRelease;
  Scope scope = Scope::Gpu;
  uint32_t flags = kOrdinary;
};
} // namespace

static Outcome execFence(Warp &warp, const Inst &inst, uint32_t) {
  auto &plan = static_cast<const FencePlan &>(*inst.plan);
  ordering::WarpOrder *order = getOrder(warp);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!order)
    return Outcome::Next;
  if (plan.flags & kOrdinary) {
    if (auto conflict =
            order->fence(plan.kind, plan.scope, getInstructionId(warp, inst)))
      reportConflict(warp, inst, nullptr, *conflict);
  }
  if (plan.flags & ~kOrdinary)
    order->fenceProxy(plan.flags & kProxyShared, plan.flags & kProxyGlobal,
                      plan.flags & kProxyTensorMap);
  return Outcome::Next;
}

static bool decodeMemoryBarrier(DecodeContext &context) {
  FencePlan &plan = context.makePlan<FencePlan>();
  if (context.has("proxy"))
    return context.error("expected fence.proxy");
  static constexpr Choice<Scope> kScopes[] = {
      {"cta", Scope::Cta}, {"gl", Scope::Gpu}, {"sys", Scope::Sys}};
  plan.kind = FenceKind::Sc;
  plan.scope = context.choose(kScopes, Scope::Gpu);
  context.emitExec(InstClass::Fence, execFence).plan = &plan;
  return true;
}

/// `.proxy::async` and the like, after `fence.proxy`.
static bool takeProxy(DecodeContext &context, FencePlan &plan) {
  static constexpr Choice<uint32_t> kProxies[] = {
      {"alias", 0},
      {"async", kProxyShared | kProxyGlobal},
      {"async::generic", kProxyShared | kProxyGlobal},
      {"tensormap::generic", kProxyTensorMap},
  };
  plan.flags = context.choose(kProxies, ~0u);
  if (plan.flags == ~0u)
    return false;
  if (context.take("global"))
    plan.flags &= ~uint32_t(kProxyShared);
  if (context.take("shared::cta") || context.take("shared::cluster") ||
      context.take("sync_restrict::shared::cta") ||
      context.take("sync_restrict::shared::cluster"))
    plan.flags &= ~uint32_t(kProxyGlobal);
  return true;
}

static bool decodeFence(DecodeContext &context) {
  FencePlan &plan = context.makePlan<FencePlan>();
  static constexpr Choice<FenceKind> kKinds[] = {
      {"sc", FenceKind::Sc},
      {"acq_rel", FenceKind::AcquireRelease},
      {"acquire", FenceKind::Acquire},
      {"release", FenceKind::Release},
  };
  if (context.take("mbarrier_init")) {
    // Makes mbarrier.init visible to the cluster and to asynchronous copies.
    plan.flags = kOrdinary | kProxyShared;
    plan.kind = FenceKind::Release;
    context.take("release");
    plan.scope = takeScope(context, Scope::Cluster);
    context.emitExec(InstClass::Fence, execFence).plan = &plan;
    return true;
  }
  if (context.has("proxy")) {
    context.take("proxy");
    if (!takeProxy(context, plan))
      return context.error("expected .alias, .async or .tensormap::generic");
    plan.kind = context.choose(kKinds, FenceKind::AcquireRelease);
    takeScope(context, Scope::Sys);
    context.emitExec(InstClass::Fence, execFence).plan = &plan;
    return true;
  }
  for (std::string_view prefix : {"proxy::"}) {
    std::string_view whole = context.takePrefix(prefix);
    if (whole.empty())
      continue;
    // fence.proxy::async.… spelled as one qualifier.
    plan.flags = whole.find("tensormap") != std::string_view::npos
                     ? uint32_t(kProxyTensorMap)
                     : kProxyShared | kProxyGlobal;
  }
  plan.kind = context.choose(kKinds, FenceKind::AcquireRelease);
  if (!context.takePrefix("sync_restrict").empty())
    plan.flags = kOrdinary;
  plan.scope = takeScope(context, Scope::Sys);
  context.emitExec(InstClass::Fence, execFence).plan = &plan;
  return true;
}

OpcodeTable getFenceOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"membar", decodeMemoryBarrier},
                                        {"fence", decodeFence}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

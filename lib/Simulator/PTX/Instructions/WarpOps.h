//===- WarpOps.h - What instructions across lanes share --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_WARPOPS_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_WARPOPS_H

#include "Decoder.h"

namespace nvfp4::ptx {

/// What an instruction does for lanes that execute it together.
using GroupFn = void (*)(Warp &warp, const Inst &inst, uint32_t lanes);

/// With `.sync`: lanes that the membermask `inst.f` names.
template <GroupFn act>
Outcome execSync(Warp &warp, const Inst &inst, uint32_t mask) {
  return warp.convergeMembers(inst, mask, inst.f,
                              [&](uint32_t lanes) { act(warp, inst, lanes); });
}

/// Without: the lanes that happen to be together.
template <GroupFn act>
Outcome execTogether(Warp &warp, const Inst &inst, uint32_t mask) {
  act(warp, inst, mask);
  return Outcome::Next;
}

struct SyncForms {
  ExecFn sync = nullptr, legacy = nullptr;
};
template <GroupFn act> constexpr SyncForms getForms() {
  return {execSync<act>, execTogether<act>};
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_WARPOPS_H

//===- CtaBarriers.cpp - The 16 barriers of a CTA -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.13.1 (bar, barrier).
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

namespace nvfp4::ptx {

void Cta::noteExit(Warp &) { --numLiveWarps; }

} // namespace nvfp4::ptx

//===- SharedMatrices.h - Matrices that instructions describe --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What instructions that read matrices from shared memory share.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_SHAREDMATRICES_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_SHAREDMATRICES_H

#include "Machine/Ordering.h"
#include "Matrix/Warpgroup.h"

namespace nvfp4::ptx {

/// From addresses of chunks to offsets in shared memory. False after a trap.
bool locateChunks(Warp &warp, const Inst &inst, unsigned lane,
                  std::vector<uint32_t> &chunks);
/// A trap if one of `reserved` is set.
bool checkReservedBits(Warp &warp, const Inst &inst, unsigned lane,
                       uint64_t descriptor, uint64_t reserved);
/// Tells the ordering checks that an operation reads the chunks of a CTA.
void orderChunks(Warp &warp, const Inst &inst, Cta &cta,
                 const std::vector<uint32_t> &chunks,
                 const ordering::AsyncActor &actor);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_SHAREDMATRICES_H

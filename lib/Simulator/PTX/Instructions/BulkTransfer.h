//===- BulkTransfer.h - How bulk copies complete ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one-dimensional bulk copies and those through tensor maps share: they
// complete on an mbarrier, or in a bulk group of the thread.
//
// Source: PTX ISA 9.7.9.25.4; rules R5, R7, R13.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_BULKTRANSFER_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_BULKTRANSFER_H

#include "Machine/Async.h"
#include "Machine/Mbarrier.h"

namespace nvfp4::ptx {

/// One copy of one lane, its places known.
struct BulkTransfer {
  Warp &warp;
  const Inst &inst;
  unsigned lane;
  /// What it counts on an mbarrier.
  uint32_t bytes;
  /// Tells the ordering checks about both sides.
  std::function<void(const ordering::AsyncActor &reader,
                     const ordering::AsyncActor &writer)>
      order;
  /// Moves the bytes.
  std::function<bool()> move;

  /// Issues it, to complete on the object at this shared address of `cta`, or
  /// in the current bulk group. False after a trap.
  bool completeOn(Cta &cta, uint64_t barrierAddress) const;
  bool completeInGroup() const;
};

/// The CTAs of a multicast. False after a trap.
bool readMulticast(Warp &warp, const Inst &inst, const OperandRef &ref,
                   unsigned lane, uint32_t &ctas);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_BULKTRANSFER_H

//===- Chips.h - Facts per chip ---------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row per chip that code can be generated for. Passes ask a row what a chip
// has; none compares names, because a larger number does not mean more: sm_120a
// and sm_100a share no matrix instruction for 4-bit operands.
//
// Sources: PTX ISA 9.0, target notes of mma, tcgen05, cvt and setmaxnreg; CUDA
// programming guide, compute capabilities; tried with ptxas 13.0.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_CHIPS_H
#define NVFP4_TARGET_CHIPS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace nvfp4 {

/// Who issues matrix instructions, and where their operands live.
enum class MmaUnit {
  WarpSync,       ///< `mma.sync`: a warp, all operands in registers.
  WarpgroupAsync, ///< `wgmma`: four warps, B in shared memory.
  TensorMemory,   ///< `tcgen05.mma`: one thread, D and scales in tensor memory.
};

/// One chip.
struct ChipModel {
  /// What ptxas calls it, e.g. `sm_120a`.
  llvm::StringLiteral name;
  MmaUnit mmaUnit;
  /// Whether `mmaUnit` multiplies block-scaled 4-bit operands.
  bool hasBlockScaledMma;
  /// `cvt` between e2m1x2 and f32.
  bool hasE2M1Conversion;
  /// `cvt.rs`: rounding with random bits.
  bool hasStochasticConversion;
  /// Bytes of shared memory that one CTA may use.
  int64_t sharedBytes;
  /// Streaming multiprocessors of the largest part, a guide for grids.
  int64_t multiprocessors;
  /// Of these, those that clusters of four CTAs and more reach when each CTA
  /// has one to itself: parts of a chip may have a number of multiprocessors
  /// that no such cluster fills (cuOccupancyMaxActiveClusters). All where
  /// nobody has asked a device.
  int64_t clusterMultiprocessors;
  /// Smallest PTX version, times ten, that knows all the chip's instructions
  /// that we emit.
  unsigned ptxVersion;
};

/// All rows.
llvm::ArrayRef<ChipModel> getChips();

/// The row of that name, or null.
const ChipModel *findChip(llvm::StringRef name);

/// What to say of a name that is no chip's: `expected one of …, but got 'x'`,
/// and, where only the suffix is wrong, which name to write.
std::string describeUnknownChip(llvm::StringRef name);

} // namespace nvfp4

#endif // NVFP4_TARGET_CHIPS_H

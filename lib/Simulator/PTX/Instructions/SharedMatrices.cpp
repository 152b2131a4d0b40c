//===- SharedMatrices.cpp - Matrices that instructions describe -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedMatrices.h"

#include <algorithm>
#include <cstdio>

namespace nvfp4::ptx {

static std::string toHex(uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
  return text;
}

bool checkReservedBits(Warp &warp, const Inst &inst, unsigned lane,
                       uint64_t descriptor, uint64_t reserved) {
  uint64_t bits = descriptor & reserved;
  if (!bits)
    return true;
  warp.trap(inst, "descriptor", lane,
            "expected zeros in the reserved bits of a matrix descriptor, but "
            "got " +
                toHex(bits));
  return false;
}

bool locateChunks(Warp &warp, const Inst &inst, unsigned lane,
                  std::vector<uint32_t> &chunks) {
  uint64_t size = warp.getCta().shared.size();
  for (uint32_t &chunk : chunks) {
    if (chunk < kSharedBase || chunk - kSharedBase + kChunkBytes > size) {
      warp.trap(inst, "bounds", lane,
                "expected a matrix within the " + std::to_string(size) +
                    " bytes of shared memory from address " +
                    toHex(kSharedBase) + ", but it reaches address " +
                    toHex(chunk));
      return false;
    }
    chunk -= kSharedBase;
  }
  return true;
}

void orderChunks(Warp &warp, const Inst &inst, Cta &cta,
                 const std::vector<uint32_t> &chunks,
                 const ordering::AsyncActor &actor) {
  Region region;
  region.kind = Region::Kind::Shared;
  region.cta = &cta;
  region.base =
      (uint64_t(region.cta->getRank()) << kSharedRankShift) + kSharedBase;
  region.size = region.cta->shared.size();
  for (size_t first = 0; first < chunks.size(); first += kLanes) {
    uint64_t offsets[kLanes];
    size_t count = std::min<size_t>(kLanes, chunks.size() - first);
    std::copy_n(chunks.begin() + ptrdiff_t(first), count, offsets);
    uint32_t lanes = count == kLanes ? kAllLanes : (1u << count) - 1;
    orderAsyncAccess(warp, inst, region, offsets, kChunkBytes, lanes,
                     ordering::AccessKind::Read, actor);
  }
}

} // namespace nvfp4::ptx

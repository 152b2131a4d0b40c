//===- Access.cpp - From addresses to memory ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaneAddresses.h"
#include "Machine.h"

#include <cstdio>

namespace nvfp4::ptx {

static std::string toHex(uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
  return text;
}

static const char *getSpaceName(AddressSpace space) {
  switch (space) {
  case AddressSpace::Generic:
    return "generic";
  case AddressSpace::Global:
    return "global";
  case AddressSpace::Constant:
    return "constant";
  case AddressSpace::Shared:
    return "shared";
  case AddressSpace::SharedCluster:
    return "shared::cluster";
  case AddressSpace::Local:
    return "local";
  case AddressSpace::Param:
    return "parameter";
  }
  return "";
}

/// The shared memory that a shared address names: by its rank bits. `base` is
/// the address of offset 0 in the caller's address space.
static Region findShared(Cluster &cluster, uint64_t address, uint64_t window) {
  Region region;
  uint64_t inWindow = address - window;
  uint64_t rank = inWindow >> kSharedRankShift;
  if (inWindow >= kWindowBytes || rank >= cluster.getCtas().size())
    return region;
  Cta &cta = *cluster.getCtas()[rank];
  region.kind = Region::Kind::Shared;
  region.base = window + (rank << kSharedRankShift) + kSharedBase;
  region.size = cta.shared.size();
  region.data = cta.shared.data();
  region.undefined = &cta.sharedUndefined;
  region.cta = &cta;
  return region;
}

Region Warp::findRegion(AddressSpace space, uint64_t address) {
  if (space == AddressSpace::Generic) {
    if (address >= kGlobalBase)
      space = AddressSpace::Global;
    else if (address - kSharedWindow < kWindowBytes)
      return findShared(getCluster(), address, kSharedWindow);
    else if (address - kLocalWindow < kWindowBytes)
      space = AddressSpace::Local;
    else if (address - kParamWindow < kWindowBytes)
      space = AddressSpace::Param;
    else
      return Region();
  }
  Region region;
  switch (space) {
  case AddressSpace::Shared:
  case AddressSpace::SharedCluster:
    return findShared(getCluster(), address, 0);
  case AddressSpace::Global:
  case AddressSpace::Constant: {
    if (!lastBuffer || address - lastBuffer->address >= lastBuffer->size)
      lastBuffer = getLaunch().memory.findBuffer(address);
    if (!lastBuffer)
      return region;
    region.kind = Region::Kind::Global;
    region.base = lastBuffer->address;
    region.size = lastBuffer->size;
    region.data = lastBuffer->data;
    region.undefined = &lastBuffer->undefined;
    region.buffer = lastBuffer;
    return region;
  }
  case AddressSpace::Local:
    if (!growLocal(localTop))
      return region;
    region.kind = Region::Kind::Local;
    // Both views of local memory use the same offsets.
    region.base = address >= kLocalWindow ? kLocalWindow : 0;
    region.size = localTop;
    region.data = local.data();
    region.undefined = checksDefinedness ? &localUndefined : nullptr;
    region.laneStride = localStride;
    return region;
  case AddressSpace::Param: {
    LaunchState &launch = getLaunch();
    region.kind = Region::Kind::Param;
    region.base = address >= kParamWindow ? kParamWindow : 0;
    region.size = launch.parameters.size();
    region.data = launch.parameters.data();
    return region;
  }
  case AddressSpace::Generic:
    break;
  }
  return region;
}

bool Warp::growLocal(uint64_t bytes) {
  if (bytes <= localStride)
    return true;
  uint64_t stride = std::max<uint64_t>(bytes, 2 * localStride);
  stride = (stride + 63) & ~uint64_t(63);
  uint64_t added = (stride - localStride) * kLanes;
  LaunchState &launch = getLaunch();
  if (launch.numLocalBytes.fetch_add(added) + added >
          launch.options.maxMemory ||
      stride >= kWindowBytes)
    return false;
  std::vector<uint8_t> grown(stride * kLanes);
  std::vector<uint8_t> masks(localStride);
  auto old = std::make_unique<uint8_t[]>(localStride * kLanes);
  if (checksDefinedness && localStride)
    localUndefined.read(0, localStride * kLanes, old.get());
  for (unsigned lane = 0; lane < kLanes && localStride; ++lane)
    std::memcpy(grown.data() + lane * stride, local.data() + lane * localStride,
                localStride);
  if (checksDefinedness) {
    localUndefined.reset(stride * kLanes, true);
    for (unsigned lane = 0; lane < kLanes && localStride; ++lane)
      localUndefined.write(lane * stride, localStride,
                           old.get() + lane * localStride);
  }
  local = std::move(grown);
  localStride = stride;
  return true;
}

bool Warp::readAddresses(const Inst &inst, const OperandRef &base,
                         uint64_t offset, uint32_t mask,
                         uint64_t addresses[kLanes]) {
  if (getTainted(base, mask) && !requireDefined(base, mask, inst, "address"))
    return false;
  if (base.bytes == 8) {
    addToAddresses(read<uint64_t>(base), offset, addresses);
    return true;
  }
  // 32-bit addresses are of windows of 4 GiB and wrap within them.
  readUnsigned(base, addresses);
  for (unsigned i = 0; i < kLanes; ++i)
    addresses[i] = uint32_t(addresses[i] + offset);
  return true;
}

uint32_t Warp::gatherRegion(const Inst &inst, AddressSpace space,
                            const uint64_t addresses[kLanes], uint32_t bytes,
                            uint32_t alignment, uint32_t mask, Region &region,
                            uint64_t offsets[kLanes]) {
  unsigned first = unsigned(__builtin_ctz(mask));
  region = findRegion(space, addresses[first]);
  uint64_t limit = region.size - bytes;
  if (region.kind == Region::Kind::None || region.size < bytes ||
      addresses[first] - region.base > limit) {
    std::string where = std::string(getSpaceName(space)) + " address " +
                        toHex(addresses[first]);
    std::string message = "expected an access of " + std::to_string(bytes) +
                          " bytes within a buffer, but got " + where;
    if (region.kind == Region::Kind::Global)
      message += ", which is at offset " +
                 std::to_string(int64_t(addresses[first] - region.base)) +
                 " of '" + region.buffer->name + "' with " +
                 std::to_string(region.size) + " bytes";
    else if (region.kind != Region::Kind::None)
      message += ", where " + std::to_string(region.size) + " bytes start at " +
                 toHex(region.base);
    else if (GlobalBuffer *below =
                 getLaunch().memory.findBelow(addresses[first]))
      message +=
          ", " +
          std::to_string(addresses[first] - below->address - below->size) +
          " bytes behind the end of '" + below->name + "'";
    trap(inst, "bounds", first, message);
    return 0;
  }
  AddressFaults faults =
      subtractBase(addresses, region.base, limit, alignment, mask, offsets);
  uint32_t outside = 0;
  if (faults.mayBeOutside)
    for (unsigned i = 0; i < kLanes; ++i)
      outside |= uint32_t(offsets[i] > limit) << i;
  if (faults.isMisaligned) [[unlikely]] {
    forEachLane(mask, [&](unsigned lane) {
      if (!(addresses[lane] & (alignment - 1)) || getLaunch().isStopped)
        return;
      trap(inst, "alignment", lane,
           "expected an address that is a multiple of " +
               std::to_string(alignment) + ", but got " + getSpaceName(space) +
               " address " + toHex(addresses[lane]));
    });
    return 0;
  }
  return mask & ~outside;
}

} // namespace nvfp4::ptx

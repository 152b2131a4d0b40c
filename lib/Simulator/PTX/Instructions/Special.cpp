//===- Special.cpp - Special registers ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA, chapter 10.
//
//===----------------------------------------------------------------------===//

#include "Alu.h"
#include "Decoder.h"

#include <algorithm>
#include <chrono>

namespace nvfp4::ptx {

namespace {
enum class Special : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  LaneId,
  WarpId,
  NwarpId,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  SmId,
  NsmId,
  GridId,
  IsExplicitCluster,
  ClusterIdX,
  ClusterIdY,
  ClusterIdZ,
  NclusterIdX,
  NclusterIdY,
  NclusterIdZ,
  ClusterCtaidX,
  ClusterCtaidY,
  ClusterCtaidZ,
  ClusterNctaidX,
  ClusterNctaidY,
  ClusterNctaidZ,
  ClusterCtarank,
  ClusterNctarank,
  LanemaskEq,
  LanemaskLe,
  LanemaskLt,
  LanemaskGe,
  LanemaskGt,
  Clock,
  ClockHi,
  Clock64,
  Globaltimer,
  GlobaltimerLo,
  GlobaltimerHi,
  TotalSmemSize,
  AggrSmemSize,
  DynamicSmemSize,
  CurrentGraphExec,
};
} // namespace

/// In the order of the enumeration.
static constexpr SpecialRegister kSpecialRegisters[] = {
    {"%tid.x", Type::U32},
    {"%tid.y", Type::U32},
    {"%tid.z", Type::U32},
    {"%ntid.x", Type::U32},
    {"%ntid.y", Type::U32},
    {"%ntid.z", Type::U32},
    {"%laneid", Type::U32},
    {"%warpid", Type::U32},
    {"%nwarpid", Type::U32},
    {"%ctaid.x", Type::U32},
    {"%ctaid.y", Type::U32},
    {"%ctaid.z", Type::U32},
    {"%nctaid.x", Type::U32},
    {"%nctaid.y", Type::U32},
    {"%nctaid.z", Type::U32},
    {"%smid", Type::U32},
    {"%nsmid", Type::U32},
    {"%gridid", Type::U64},
    {"%is_explicit_cluster", Type::Pred},
    {"%clusterid.x", Type::U32},
    {"%clusterid.y", Type::U32},
    {"%clusterid.z", Type::U32},
    {"%nclusterid.x", Type::U32},
    {"%nclusterid.y", Type::U32},
    {"%nclusterid.z", Type::U32},
    {"%cluster_ctaid.x", Type::U32},
    {"%cluster_ctaid.y", Type::U32},
    {"%cluster_ctaid.z", Type::U32},
    {"%cluster_nctaid.x", Type::U32},
    {"%cluster_nctaid.y", Type::U32},
    {"%cluster_nctaid.z", Type::U32},
    {"%cluster_ctarank", Type::U32},
    {"%cluster_nctarank", Type::U32},
    {"%lanemask_eq", Type::U32},
    {"%lanemask_le", Type::U32},
    {"%lanemask_lt", Type::U32},
    {"%lanemask_ge", Type::U32},
    {"%lanemask_gt", Type::U32},
    {"%clock", Type::U32},
    {"%clock_hi", Type::U32},
    {"%clock64", Type::U64},
    {"%globaltimer", Type::U64},
    {"%globaltimer_lo", Type::U32},
    {"%globaltimer_hi", Type::U32},
    {"%total_smem_size", Type::U32},
    {"%aggr_smem_size", Type::U32},
    {"%dynamic_smem_size", Type::U32},
    {"%current_graph_exec", Type::U64},
};

int findSpecialRegister(std::string_view name) {
  int index = 0;
  for (const SpecialRegister &special : kSpecialRegisters) {
    if (special.name == name)
      return index;
    ++index;
  }
  return -1;
}

const SpecialRegister &getSpecialRegister(unsigned index) {
  return kSpecialRegisters[index];
}

static uint64_t readGlobalTimer() {
  return uint64_t(std::chrono::duration_cast<std::chrono::nanoseconds>(
                      std::chrono::steady_clock::now().time_since_epoch())
                      .count());
}

uint64_t Warp::readSpecial(unsigned special, unsigned lane) const {
  const LaunchState &launch = getLaunch();
  const auto &block = launch.launch.block;
  const auto &grid = launch.launch.grid;
  const auto &cluster = launch.launch.cluster;
  const auto &ctaId = cta.getId();
  const auto &clusterId = cta.getCluster().getId();
  uint32_t thread = index * kLanes + lane;
  uint32_t rank = cta.getRank();
  uint32_t threads = block[0] * block[1] * block[2];
  // Time that grows with the work done, and differs from run to run no more
  // than the program does.
  uint64_t clock = numInstructions * 8;
  switch (Special(special)) {
  case Special::TidX:
    return thread % block[0];
  case Special::TidY:
    return thread / block[0] % block[1];
  case Special::TidZ:
    return thread / block[0] / block[1];
  case Special::NtidX:
  case Special::NtidY:
  case Special::NtidZ:
    return block[special - unsigned(Special::NtidX)];
  case Special::LaneId:
    return lane;
  case Special::WarpId:
    return index;
  case Special::NwarpId:
    return (threads + kLanes - 1) / kLanes;
  case Special::CtaidX:
  case Special::CtaidY:
  case Special::CtaidZ:
    return ctaId[special - unsigned(Special::CtaidX)];
  case Special::NctaidX:
  case Special::NctaidY:
  case Special::NctaidZ:
    return grid[special - unsigned(Special::NctaidX)];
  case Special::SmId:
  case Special::GridId:
  case Special::CurrentGraphExec:
    return 0;
  case Special::NsmId:
    return 1;
  case Special::IsExplicitCluster:
    return cluster[0] * cluster[1] * cluster[2] > 1;
  case Special::ClusterIdX:
  case Special::ClusterIdY:
  case Special::ClusterIdZ:
    return clusterId[special - unsigned(Special::ClusterIdX)];
  case Special::NclusterIdX:
  case Special::NclusterIdY:
  case Special::NclusterIdZ:
    return launch.clusterGrid[special - unsigned(Special::NclusterIdX)];
  case Special::ClusterCtaidX:
  case Special::ClusterCtaidY:
  case Special::ClusterCtaidZ: {
    unsigned axis = special - unsigned(Special::ClusterCtaidX);
    return ctaId[axis] - clusterId[axis] * cluster[axis];
  }
  case Special::ClusterNctaidX:
  case Special::ClusterNctaidY:
  case Special::ClusterNctaidZ:
    return cluster[special - unsigned(Special::ClusterNctaidX)];
  case Special::ClusterCtarank:
    return rank;
  case Special::ClusterNctarank:
    return cluster[0] * cluster[1] * cluster[2];
  case Special::LanemaskEq:
    return 1u << lane;
  case Special::LanemaskLe:
    return (2u << lane) - 1;
  case Special::LanemaskLt:
    return (1u << lane) - 1;
  case Special::LanemaskGe:
    return ~((1u << lane) - 1);
  case Special::LanemaskGt:
    return ~((2u << lane) - 1);
  case Special::Clock:
  case Special::Clock64:
    return clock;
  case Special::ClockHi:
    return clock >> 32;
  case Special::Globaltimer:
  case Special::GlobaltimerLo:
    return readGlobalTimer();
  case Special::GlobaltimerHi:
    return readGlobalTimer() >> 32;
  case Special::TotalSmemSize:
  case Special::AggrSmemSize:
    return launch.sharedBytes;
  case Special::DynamicSmemSize:
    return launch.launch.dynamicSharedBytes;
  }
  return 0;
}

/// `%tid`: counted up from lane 0.
static void fillThreadIndex(Warp &warp, Special special, uint32_t *values) {
  const auto &block = warp.getLaunch().launch.block;
  uint32_t index[3];
  for (unsigned axis = 0; axis < 3; ++axis)
    index[axis] = uint32_t(warp.readSpecial(axis, 0));
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    values[lane] = index[unsigned(special)];
    if (++index[0] < block[0])
      continue;
    index[0] = 0;
    if (++index[1] < block[1])
      continue;
    index[1] = 0;
    ++index[2];
  }
}

template <typename T>
static void storeSpecial(Warp &warp, const Inst &inst, uint32_t mask,
                         const T *values) {
  AluArgs args{};
  args.d = warp.write<T>(inst.d);
  args.a = values;
  args.mask = mask;
  lanes1<T, T>(args, [](T value) { return value; });
}

Outcome execReadSpecial(Warp &warp, const Inst &inst, uint32_t) {
  uint32_t mask = warp.getPath().mask;
  Special special = Special(inst.aux);
  warp.markDefined(inst.d, mask);
  if (special <= Special::TidZ) {
    uint32_t values[kLanes];
    fillThreadIndex(warp, special, values);
    storeSpecial(warp, inst, mask, values);
    return Outcome::Next;
  }
  bool isPerLane =
      special == Special::LaneId ||
      (special >= Special::LanemaskEq && special <= Special::LanemaskGt);
  if (isPerLane || inst.d.bytes != 4) {
    forEachLane(mask, [&](unsigned lane) {
      warp.writeLane(inst.d, lane, warp.readSpecial(inst.aux, lane));
    });
    return Outcome::Next;
  }
  uint32_t values[kLanes];
  std::fill_n(values, kLanes, uint32_t(warp.readSpecial(inst.aux, 0)));
  storeSpecial(warp, inst, mask, values);
  return Outcome::Next;
}

} // namespace nvfp4::ptx

//===- Cluster.cpp - CTAs, turns and late effects -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Async.h"
#include "ClusterBarrier.h"
#include "Machine.h"
#include "Mbarrier.h"
#include "Ordering.h"
#include "TensorMemory.h"
#include "Warpgroup.h"

#include <algorithm>

namespace nvfp4::ptx {

/// Instructions of a warp's turn.
constexpr uint32_t kTurn = 4096;

//===----------------------------------------------------------------------===//
// CTA
//===----------------------------------------------------------------------===//

Cta::Cta(Cluster &cluster, uint32_t rank, std::array<uint32_t, 3> id)
    : cluster(cluster), rank(rank), id(id) {
  LaunchState &launch = cluster.getLaunch();
  shared.resize(launch.sharedBytes);
  sharedUndefined.reset(launch.sharedBytes, launch.options.checkDefinedness);
  const auto &block = launch.launch.block;
  uint32_t threads = block[0] * block[1] * block[2];
  for (uint32_t first = 0; first < threads; first += kLanes) {
    uint32_t count = std::min(kLanes, threads - first);
    uint32_t lanes = count == kLanes ? kAllLanes : (1u << count) - 1;
    warps.push_back(std::make_unique<Warp>(*this, first / kLanes, lanes));
  }
  numLiveWarps = uint32_t(warps.size());
}

Cta::~Cta() = default;

//===----------------------------------------------------------------------===//
// Cluster
//===----------------------------------------------------------------------===//

Cluster::Cluster(LaunchState &launch, Worker &worker, uint64_t linearId,
                 std::array<uint32_t, 3> id)
    : launch(launch), worker(worker), linearId(linearId), id(id) {
  if (launch.options.asynchrony == Asynchrony::Random)
    random.emplace(launch.options.seed * 0x9E3779B97F4A7C15u + linearId);
  const auto &shape = launch.launch.cluster;
  uint32_t rank = 0;
  for (uint32_t z = 0; z < shape[2]; ++z)
    for (uint32_t y = 0; y < shape[1]; ++y)
      for (uint32_t x = 0; x < shape[0]; ++x)
        ctas.push_back(std::make_unique<Cta>(
            *this, rank++,
            std::array<uint32_t, 3>{id[0] * shape[0] + x, id[1] * shape[1] + y,
                                    id[2] * shape[2] + z}));
  barrier = std::make_unique<ClusterBarrier>();
  startOrdering();
}

Cluster::~Cluster() { finishOrdering(); }

Cluster::RunResult Cluster::run() {
  bool hasProgress = false, isAlive = false;
  for (auto &cta : ctas) {
    for (auto &warp : cta->getWarps()) {
      if (warp->hasExited())
        continue;
      uint64_t before = warp->getInstructionCount();
      Warp::RunResult result = warp->run(kTurn);
      launch.numInstructions.fetch_add(warp->getInstructionCount() - before,
                                       std::memory_order_relaxed);
      if (result == Warp::RunResult::Stopped || launch.isStopped)
        return RunResult::Stopped;
      isAlive |= !warp->hasExited();
      hasProgress |= result != Warp::RunResult::Blocked;
      if (launch.options.asynchrony == Asynchrony::Random && hasPending() &&
          (*random)() % 4 == 0 && !landOne())
        return RunResult::Stopped;
    }
  }
  if (!isAlive) {
    // What is still pending becomes visible after the end.
    while (hasPending())
      if (!landOne())
        return RunResult::Stopped;
    checkClusterExit(*this);
    return RunResult::Exited;
  }
  if (hasProgress)
    return RunResult::Progress;
  if (hasPending())
    return landOne() ? RunResult::Progress : RunResult::Stopped;
  return RunResult::Waiting;
}

uint64_t Cluster::issue(Effect effect) {
  effect.sequence = nextSequence++;
  uint64_t sequence = effect.sequence;
  if (launch.options.asynchrony == Asynchrony::Early)
    return effect.land() ? sequence : 0;
  effects.push_back(std::move(effect));
  return sequence;
}

bool Cluster::isPending(uint64_t sequence) const {
  return std::any_of(effects.begin(), effects.end(), [&](const Effect &effect) {
    return effect.sequence == sequence;
  });
}

bool Cluster::land(uint64_t sequence) {
  auto it =
      std::find_if(effects.begin(), effects.end(), [&](const Effect &effect) {
        return effect.sequence == sequence;
      });
  if (it == effects.end())
    return true;
  Effect effect = std::move(*it);
  effects.erase(it);
  return effect.land();
}

bool Cluster::landOne() {
  size_t chosen = launch.options.asynchrony == Asynchrony::Random
                      ? (*random)() % effects.size()
                      : 0;
  return land(effects[chosen].sequence);
}

std::string Cluster::describeWaiters() const {
  std::string text;
  unsigned shown = 0;
  for (auto &cta : ctas) {
    const auto &id = cta->getId();
    for (auto &warp : cta->getWarps()) {
      for (const Path &path : warp->getPaths()) {
        if (++shown > 8)
          return text + "; and more";
        text += text.empty() ? "" : "; ";
        text += "CTA " + std::to_string(id[0]) + "," + std::to_string(id[1]) +
                "," + std::to_string(id[2]) + " warp " +
                std::to_string(warp->getIndex()) + " " +
                warp->describePath(path);
      }
    }
  }
  return text;
}

bool Cluster::isWaitingAligned() const {
  for (auto &cta : ctas)
    for (auto &warp : cta->getWarps())
      if (warp->isWaitingAligned())
        return true;
  return false;
}

} // namespace nvfp4::ptx

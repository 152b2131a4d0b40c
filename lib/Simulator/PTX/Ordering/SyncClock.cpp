//===- SyncClock.cpp - What a synchronisation object hands over -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ordering/SyncClock.h"

#include "Ordering/Actors.h"

using namespace nvfp4::ptx::ordering;

void SyncClock::publishView(const Snapshot &snapshot, unsigned v) {
  const Knowledge &theirs = snapshot.views[v];
  if (!snapshot.own[v] && theirs.empty())
    return;
  Knowledge &ours = views[v];
  if (snapshot.cluster != home) {
    ours.foreign.join(theirs.foreign);
    Clock whole = theirs.local;
    whole.raise(snapshot.component, snapshot.own[v]);
    ours.foreign.join(snapshot.cluster, whole);
    return;
  }
  if (!theirs.local.sameStorage(joined[v])) {
    ours.local.join(theirs.local);
    joined[v] = theirs.local;
  }
  ours.foreign.join(theirs.foreign);
  ours.local.raise(snapshot.component, snapshot.own[v]);
}

void SyncClock::publish(const Snapshot &snapshot) {
  for (unsigned v = 0; v < kNumViews; ++v)
    publishView(snapshot, v);
}

void SyncClock::publishRelaxed(const WarpOrder &warp) {
  if (const Snapshot *fenced = warp.getFenced())
    publish(*fenced);
  publishTensorMemory(warp.getNow());
}

void SyncClock::publishTensorMemory(const Snapshot &snapshot) {
  publishView(snapshot, unsigned(View::TensorMemory));
}

void SyncClock::acquireTensorMemory(WarpOrder &warp) const {
  constexpr auto v = unsigned(View::TensorMemory);
  Snapshot &now = warp.getNow();
  if (!views[v].empty())
    ordering::join(now.views[v], now.cluster, views[v], home);
}

void SyncClock::release(WarpOrder &warp) {
  warp.closeEpoch();
  publish(warp.getNow());
}

void SyncClock::acquire(WarpOrder &warp, uint32_t lanes) const {
  Snapshot &now = warp.getNow();
  if (home == now.cluster) {
    for (unsigned v = 0; v < kNumViews; ++v) {
      const Knowledge &ours = views[v];
      Knowledge &theirs = now.views[v];
      if (theirs.local.sameStorage(joined[v]) && !ours.local.empty())
        theirs.local = ours.local;
      else
        theirs.local.join(ours.local);
      theirs.foreign.join(ours.foreign);
    }
  } else {
    joinInto(now.views, now.cluster);
  }
  warp.acquireOwn(lanes, get(now.cluster, now.component));
}

void SyncClock::include(uint32_t component, uint32_t clock, bool isFenced) {
  views[unsigned(View::Ordinary)].local.raise(component, clock);
  if (isFenced)
    views[unsigned(View::TensorMemory)].local.raise(component, clock);
}

void SyncClock::join(const SyncClock &other) { other.joinInto(views, home); }

void SyncClock::joinInto(Views &into, uint32_t intoHome) const {
  for (unsigned v = 0; v < kNumViews; ++v)
    if (!views[v].empty())
      ordering::join(into[v], intoHome, views[v], home);
}

void SyncClock::clear() {
  views = {};
  joined = {};
}

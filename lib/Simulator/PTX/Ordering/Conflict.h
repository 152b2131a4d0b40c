//===- Conflict.h - The verdict on one access ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_CONFLICT_H
#define NVFP4_SIMULATOR_PTX_ORDERING_CONFLICT_H

#include "Ordering/Records.h"

namespace nvfp4::ptx::ordering {

/// In the order of severity; those before `Race` are warnings.
enum class ConflictKind : uint8_t {
  IntraWarp,          ///< R4: lanes of one warp, no `bar.warp.sync` in between.
  EqualWrites,        ///< R4: unordered writes of the same bytes.
  ScopeTooNarrow,     ///< R3: synchronised, but not within the stated scope.
  MissingTensorFence, ///< R9: an edge, but no `tcgen05.fence`.
  PipeOrder,          ///< R9: one thread's, in an order that the manual lacks.
  Race,               ///< R4: no edge, not both strong.
  MissingProxyFence,  ///< R5: an edge, but no fence to the asynchronous proxy.
  MissingMapFence,    ///< R5: the same for a tensor map.
  InFlight            ///< R6, R7, R9, R10: the completion was not observed.
};

inline bool isWarning(ConflictKind kind) { return kind < ConflictKind::Race; }

/// The access on the other side of a conflict.
struct OtherAccess {
  uint32_t cluster = 0;
  uint32_t component = 0; ///< A warp of the cluster, or asynchronous.
  uint32_t lane = kUnknownLane;
  uint32_t instruction = 0; ///< As the event gave it.
  bool write = false;
  bool strong = false;
  bool async = false; ///< An asynchronous operation, of either proxy.
};

struct Conflict {
  ConflictKind kind;
  const char *rule; ///< "R4"
  uint64_t offset;  ///< The first byte in conflict, in its space.
  uint32_t lane;    ///< The lane of this access.
  OtherAccess other;
  /// For `ScopeTooNarrow`: the two scopes.
  Scope scope = Scope::Sys, otherScope = Scope::Sys;
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_CONFLICT_H

//===- Alu.h - Loops over the lanes of a warp ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An AluFn out of a function on single values. The loops are plain, so that the
// compiler vectorizes them for the instruction set that the including file is
// compiled for (Highway's foreach_target). A result may be its own source: lane
// i only ever touches element i.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_ALU_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_ALU_H

#include "Machine/Code.h"

namespace nvfp4::ptx {

/// d[i] = f(i) in the lanes of the mask.
template <typename D, typename F>
inline __attribute__((always_inline)) void storeLanes(const AluArgs &args,
                                                      F f) {
  D *d = static_cast<D *>(args.d);
  if (args.mask == kAllLanes) {
#pragma clang loop vectorize(assume_safety) interleave(enable)
    for (unsigned i = 0; i < kLanes; ++i)
      d[i] = f(i);
    return;
  }
  uint32_t mask = args.mask;
#pragma clang loop vectorize(assume_safety) interleave(enable)
  for (unsigned i = 0; i < kLanes; ++i) {
    D value = f(i);
    d[i] = (mask >> i) & 1 ? value : d[i];
  }
}

template <typename D, typename A, typename F>
inline __attribute__((always_inline)) void lanes1(const AluArgs &args, F f) {
  const A *a = static_cast<const A *>(args.a);
  storeLanes<D>(args, [=](unsigned i) { return f(a[i]); });
}

template <typename D, typename A, typename B = A, typename F>
inline __attribute__((always_inline)) void lanes2(const AluArgs &args, F f) {
  const A *a = static_cast<const A *>(args.a);
  const B *b = static_cast<const B *>(args.b);
  storeLanes<D>(args, [=](unsigned i) { return f(a[i], b[i]); });
}

template <typename D, typename A, typename B = A, typename C = A, typename F>
inline __attribute__((always_inline)) void lanes3(const AluArgs &args, F f) {
  const A *a = static_cast<const A *>(args.a);
  const B *b = static_cast<const B *>(args.b);
  const C *c = static_cast<const C *>(args.c);
  storeLanes<D>(args, [=](unsigned i) { return f(a[i], b[i], c[i]); });
}

/// Bit i of the result is f(a[i], b[i]); all 32 lanes.
template <typename A, typename B = A, typename F>
inline __attribute__((always_inline)) uint32_t compareLanes(const AluArgs &args,
                                                            F f) {
  const A *a = static_cast<const A *>(args.a);
  const B *b = static_cast<const B *>(args.b);
  uint32_t parts[kLanes];
  for (unsigned i = 0; i < kLanes; ++i)
    parts[i] = uint32_t(f(a[i], b[i])) << i;
  uint32_t bits = 0;
  for (unsigned i = 0; i < kLanes; ++i)
    bits |= parts[i];
  return bits;
}

/// Replaces the bits of a predicate in the lanes of the mask.
inline void storePredicate(void *predicate, uint32_t bits, uint32_t mask) {
  uint32_t &word = *static_cast<uint32_t *>(predicate);
  word = (word & ~mask) | (bits & mask);
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_ALU_H

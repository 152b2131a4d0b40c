//===- Taint.cpp - Exact rules for undefined bits -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Taint.h"

#include <cstring>

namespace nvfp4::ptx {

static size_t getBytes(const OperandRef &ref) {
  return ref.bytes ? size_t(ref.bytes) * kLanes : 4;
}

static AluArgs makeArgs(const TaintArgs &args) {
  return {args.d,    args.inst.e.isPresent ? args.e : nullptr,
          args.ua,   args.ub,
          args.uc,   args.uf,
          kAllLanes, args.inst.aux};
}

void taintMoved(const TaintArgs &args) { args.inst.alu(makeArgs(args)); }

void taintKept(const TaintArgs &args) {
  std::memcpy(args.d, args.ua, getBytes(args.inst.d));
}

/// All bits of `d` in the lanes where `bits` of `ref` are not all zero.
static void spread(const TaintArgs &args, const OperandRef &ref,
                   const void *bits) {
  if (!ref.isPresent)
    return;
  const OperandRef &d = args.inst.d;
  auto *from = static_cast<const uint8_t *>(bits);
  auto *to = static_cast<uint8_t *>(args.d);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    bool any = false;
    if (ref.bytes == 0)
      any = (from[lane / 8] >> (lane % 8)) & 1;
    for (unsigned i = 0; i < ref.bytes; ++i)
      any |= from[lane * ref.bytes + i] != 0;
    if (!any)
      continue;
    if (d.bytes == 0)
      to[lane / 8] |= uint8_t(1u << (lane % 8));
    else
      std::memset(to + size_t(lane) * d.bytes, 0xFF, d.bytes);
  }
}

void taintMovedBy(const TaintArgs &args) {
  AluArgs moved = makeArgs(args);
  moved.b = args.vb, moved.c = args.vc;
  args.inst.alu(moved);
  spread(args, args.inst.b, args.ub);
  spread(args, args.inst.c, args.uc);
}

void taintMovedBy2(const TaintArgs &args) {
  AluArgs moved = makeArgs(args);
  moved.c = args.vc, moved.f = args.vf;
  args.inst.alu(moved);
  spread(args, args.inst.c, args.uc);
  spread(args, args.inst.f, args.uf);
}

void taintHalves(const TaintArgs &args) {
  const Inst &inst = args.inst;
  size_t bytes = inst.d.bytes / 2;
  auto spreadHalves = [&](const OperandRef &ref, const void *bits) {
    if (!ref.isPresent)
      return;
    auto *from = static_cast<const uint8_t *>(bits);
    auto *to = static_cast<uint8_t *>(args.d);
    for (size_t i = 0; i < 2 * kLanes * bytes; ++i)
      if (from[i])
        std::memset(to + i / bytes * bytes, 0xFF, bytes);
  };
  spreadHalves(inst.a, args.ua);
  spreadHalves(inst.b, args.ub);
  spreadHalves(inst.c, args.uc);
}

/// A result bit is undefined when a source bit is and the other side does not
/// decide: for `and` an undefined bit beside a defined 0 is 0.
template <typename F> static void combine(const TaintArgs &args, F f) {
  auto *va = static_cast<const uint8_t *>(args.va);
  auto *vb = static_cast<const uint8_t *>(args.vb);
  auto *ua = static_cast<const uint8_t *>(args.ua);
  auto *ub = static_cast<const uint8_t *>(args.ub);
  auto *d = static_cast<uint8_t *>(args.d);
  size_t bytes = getBytes(args.inst.d);
  for (size_t i = 0; i < bytes; ++i)
    d[i] = uint8_t(f(va[i], vb[i], ua[i], ub[i]));
}

void taintAnd(const TaintArgs &args) {
  combine(args, [](unsigned va, unsigned vb, unsigned ua, unsigned ub) {
    return (ua & ub) | (ua & vb) | (ub & va);
  });
}

void taintOr(const TaintArgs &args) {
  combine(args, [](unsigned va, unsigned vb, unsigned ua, unsigned ub) {
    return (ua & ub) | (ua & ~vb) | (ub & ~va);
  });
}

void taintXor(const TaintArgs &args) {
  combine(args,
          [](unsigned, unsigned, unsigned ua, unsigned ub) { return ua | ub; });
}

void taintSelect(const TaintArgs &args) {
  AluArgs moved = makeArgs(args);
  moved.c = args.vc;
  args.inst.alu(moved);
  spread(args, args.inst.c, args.uc);
}

} // namespace nvfp4::ptx

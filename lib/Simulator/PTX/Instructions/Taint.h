//===- Taint.h - Exact rules for undefined bits ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rule R11 follows undefined bits exactly through instructions that move bits.
// An instruction without one of these makes its whole result undefined as soon
// as one source bit is.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TAINT_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TAINT_H

#include "Machine/Code.h"

namespace nvfp4::ptx {

/// Undefined bits move as the instruction moves values: `mov`, packing,
/// unpacking, bit reversal, truncation, zero and sign extension.
void taintMoved(const TaintArgs &args);
/// Every bit of the result comes from the same bit of `a`: `not`.
void taintKept(const TaintArgs &args);
/// `a` is moved under control of the values of `b` and `c` (shift amounts,
/// positions, lengths): those must be defined, or all bits are undefined.
void taintMovedBy(const TaintArgs &args);
/// `a` and `b` are moved under control of `c` and `f` (prmt, shf, bfi).
void taintMovedBy2(const TaintArgs &args);
/// Each half of the result comes from the same half of the sources, all of the
/// size of the result: f16x2, f32x2.
void taintHalves(const TaintArgs &args);
/// and, or, xor of any width, predicates included.
void taintAnd(const TaintArgs &args);
void taintOr(const TaintArgs &args);
void taintXor(const TaintArgs &args);
/// selp: `c` is the predicate.
void taintSelect(const TaintArgs &args);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TAINT_H

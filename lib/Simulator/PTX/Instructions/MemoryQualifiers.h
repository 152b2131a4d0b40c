//===- MemoryQualifiers.h - What ld, st, atom and red share ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.9.8 (ld), 9.7.9.12 (st), 8.5 (strong operations).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_MEMORYQUALIFIERS_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_MEMORYQUALIFIERS_H

#include "Decoder.h"
#include "Machine/Ordering.h"

namespace nvfp4::ptx {

/// Semantics of a memory access, as its qualifiers say.
struct AccessQualifiers {
  AddressSpace space = AddressSpace::Generic;
  ordering::MemoryOrder order = ordering::MemoryOrder::Weak;
  ordering::Scope scope = ordering::Scope::Sys;
};

/// Takes `.global`, `.shared::cta` and so on; Generic if there is none.
AddressSpace takeSpace(DecodeContext &context);
/// Takes `.weak`, `.volatile`, `.relaxed`, `.acquire`, `.release`, `.acq_rel`,
/// `.mmio` and the scope.
void takeOrder(DecodeContext &context, AccessQualifiers &qualifiers,
               ordering::MemoryOrder otherwise);
ordering::Scope takeScope(DecodeContext &context, ordering::Scope otherwise);
/// Takes cache operators, eviction priorities, prefetch sizes and the cache
/// hint with its policy operand, which is the last one: none changes values.
/// Returns the number of operands that remain.
unsigned takeCacheHints(DecodeContext &context);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_MEMORYQUALIFIERS_H

//===- Targets.h - Which instruction sets to compile for -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Include before anything of Highway. Every arithmetic instruction is compiled
// once per target, so there are few: x86-64 as it is, AVX2 and AVX-512; NEON.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TARGETS_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TARGETS_H

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TARGETS_H

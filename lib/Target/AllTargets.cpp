//===- AllTargets.cpp - The targets of this project -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The only file that knows them all: one line each.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Chips.h"
#include "nvfp4/Target/Target.h"

void nvfp4::registerBuiltinTargets(TargetRegistry &registry) {
  (void)registry.add(createCPUTarget());
  for (const ChipModel &chip : getChips())
    (void)registry.add(createGPUTarget(chip.name));
}

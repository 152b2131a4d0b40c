//===- Families.cpp - All instruction families ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

namespace nvfp4::ptx {

std::vector<OpcodeTable> getFamilies() {
  return {
      getControlOpcodes(),  getMoveOpcodes(),      getMemoryOpcodes(),
      getAtomicOpcodes(),   getFenceOpcodes(),     getBarrierOpcodes(),
      getMbarrierOpcodes(), getAsyncCopyOpcodes(), getBulkCopyOpcodes(),
  };
}

} // namespace nvfp4::ptx

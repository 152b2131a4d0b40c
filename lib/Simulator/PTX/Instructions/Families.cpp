//===- Families.cpp - All instruction families ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arithmetic.h"
#include "Decoder.h"

namespace nvfp4::ptx {

std::vector<OpcodeTable> getFamilies() {
  std::vector<OpcodeTable> families = {
      getControlOpcodes(),    getMoveOpcodes(),      getMemoryOpcodes(),
      getAtomicOpcodes(),     getFenceOpcodes(),     getBarrierOpcodes(),
      getMbarrierOpcodes(),   getAsyncCopyOpcodes(), getBulkCopyOpcodes(),
      getWarpOpcodes(),       getWarpDataOpcodes(),  getMatrixMoveOpcodes(),
      getMatrixOpcodes(),     getHintOpcodes(),      getWmmaOpcodes(),
      getAsyncStoreOpcodes(), getVideoOpcodes(),     getWgmmaOpcodes(),
      getTensorCopyOpcodes(), getTcgen05Opcodes(),   getClusterLaunchOpcodes(),
  };
  for (OpcodeTable table : getArithmeticFamilies())
    families.push_back(table);
  return families;
}

} // namespace nvfp4::ptx

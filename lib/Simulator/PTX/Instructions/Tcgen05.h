//===- Tcgen05.h - What instructions on tensor memory share -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TCGEN05_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TCGEN05_H

#include "ChipFeatures.h"
#include "Machine/TensorMemory.h"
#include "Matrix/TensorProduct.h"

namespace nvfp4::ptx {

/// The same defined value in all lanes. False after a trap.
bool readUniform(Warp &warp, const Inst &inst, const OperandRef &ref,
                 const char *what, uint32_t &value);

/// `[base + offset]` of an operand that names tensor memory.
struct TensorOperand {
  OperandRef base;
  uint64_t offset = 0;

  TensorAddress read(const Warp &warp, unsigned lane) const {
    return TensorAddress::decode(uint32_t(warp.readLane(base, lane)) +
                                 uint32_t(offset));
  }
};
/// False after an error.
bool readTensorOperand(DecodeContext &context, unsigned i,
                       TensorOperand &operand);

/// Takes `.cta_group::1` or `.cta_group::2`. False after an error.
bool takeGroup(DecodeContext &context, uint32_t &size);

/// The chunks of a matrix without transposition: `rows` rows of `perRow` chunks
/// of 16 bytes. False after a trap.
bool locateRows(Warp &warp, const Inst &inst, unsigned lane,
                uint64_t descriptor, uint32_t rows, uint32_t perRow,
                std::vector<uint32_t> &chunks);
/// Lines of A or B, whose elements have `elementBytes` bytes.
bool locateMatrix(Warp &warp, const Inst &inst, unsigned lane,
                  uint64_t descriptor, int lines, bool isTransposed,
                  int elementBytes, std::vector<uint32_t> &chunks);

/// By instruction. Each takes the qualifiers that are left.
bool decodeTensorAlloc(DecodeContext &context);
bool decodeTensorDealloc(DecodeContext &context);
bool decodeTensorRelinquish(DecodeContext &context);
bool decodeTensorLoad(DecodeContext &context);
bool decodeTensorStore(DecodeContext &context);
bool decodeTensorWait(DecodeContext &context);
bool decodeTensorCopy(DecodeContext &context);
bool decodeTensorShift(DecodeContext &context);
bool decodeTensorProduct(DecodeContext &context);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TCGEN05_H

//===- Gather.h - From registers to panels and back -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fragments of a warp (Fragments.h) as panels (Cores.h). B's columns go in
// the order of getColumnOfLine, so that four lanes of a C register are four
// neighbours of a row of the product.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_GATHER_H
#define NVFP4_SIMULATOR_PTX_MATRIX_GATHER_H

#include "Mma.h"

#include "nvfp4/Support/Codecs.h"

#include <cstring>

namespace nvfp4::ptx {

template <typename Word>
inline void gatherA(const Word *const *registers, int numRegisters, int panels,
                    Word *target) {
  const int words = numRegisters / panels * 4;
  for (int r = 0; r < numRegisters; ++r) {
    Word *lines = target + (r % panels * words + r / panels * 4) * kPanelLines;
    for (int lane = 0; lane < kWarpLanes; ++lane)
      lines[lane % 4 * kPanelLines + lane / 4] = registers[r][lane];
  }
}

template <typename Word>
inline void gatherB(const Word *const *registers, int numRegisters,
                    Word *target) {
  for (int r = 0; r < numRegisters; ++r)
    for (int word = 0; word < 4; ++word)
      for (int line = 0; line < kPanelLines; ++line)
        *target++ = registers[r][getColumnOfLine(line) * 4 + word];
}

/// Rows of C: four neighbours of each of two registers.
template <typename Word>
inline void gatherC(const Word *const *registers, int numRegisters,
                    Word *target) {
  for (int r = 0; r < numRegisters; ++r)
    for (int line = 0; line < 8; ++line)
      std::memcpy(target + (r / 2 * 8 + line) * kPanelLines + r % 2 * 4,
                  registers[r] + line * 4, 4 * sizeof(Word));
}

template <typename Word>
inline void scatterD(const Word *source, int numRegisters,
                     Word *const *registers) {
  for (int r = 0; r < numRegisters; ++r)
    for (int line = 0; line < 8; ++line)
      std::memcpy(registers[r] + line * 4,
                  source + (r / 2 * 8 + line) * kPanelLines + r % 2 * 4,
                  4 * sizeof(Word));
}

/// f32 bits of f16 bits; the payload of a NaN is lost later.
inline uint32_t widenHalf(uint32_t half) {
  const uint32_t code = half & 0x7FFF;
  const uint32_t magnitude =
      code >= 0x7C00 ? 0x7F800000 | (code & 0x3FF) << 13
                     : bitsOfFloat(floatOfBits(code << 13) * 0x1p112f);
  return magnitude | (half & 0x8000) << 16;
}

inline void gatherHalfC(const uint32_t *const *registers, int numRegisters,
                        uint32_t *target) {
  for (int r = 0; r < numRegisters; ++r)
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      uint32_t *row = target + (r * 8 + lane / 4) * kPanelLines + lane % 4;
      row[0] = widenHalf(registers[r][lane] & 0xFFFF);
      row[4] = widenHalf(registers[r][lane] >> 16);
    }
}

inline void scatterHalfD(const uint32_t *source, int numRegisters,
                         uint32_t *const *registers) {
  for (int r = 0; r < numRegisters; ++r)
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      const uint32_t *row =
          source + (r * 8 + lane / 4) * kPanelLines + lane % 4;
      registers[r][lane] = row[0] | row[4] << 16;
    }
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_GATHER_H

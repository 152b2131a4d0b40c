//===- RegisterLayout.h - Weights in the order of registers -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile of 64 rows x 128 columns is what the four warps of a warpgroup decode
// into the registers of eight matrix instructions m64nNk16 (PTX ISA, register
// fragments of wgmma: a thread holds columns 2q, 2q+1, 2q+8, 2q+9 of the rows
// 16w + g and 16w + g + 8, with w its warp, g = lane / 4 and q = lane mod 4).
// Tiles follow one another along columns, then rows.
//
//   codes   4096 bytes: of each 64 columns, for each thread 16 bytes, four
//           words: columns 0-31 and 32-63 of the first row, then of the second
//   scales  512 bytes: for each thread 4 bytes: of the first 64 columns the
//           scales of its two rows and of columns 16q to 16q + 15, then of the
//           others
//
// A word has eight codes `s e1 e0 m` in four pairs of neighbouring columns;
// pair p has columns 8p + 2q and 8p + 2q + 1 of its 32. Shifts bring pair after
// pair to the place where it is two bf16, of 2^-126 times the values:
//
//   bits 31  24 23 22  15  8 7 6     s, e1, e0 and m of the second and the
//                                    first code
//   pair 0   there
//   pair 1   there after a shift to the left by 3
//   pair 2   there after a rotation to the left by 6
//   pair 3   after that rotation e1, e0, s and m are bits 1, 0, 3 and 4, of the
//            first code in the low half: a multiplication by 2^2 + 2^7 + 2^12
//            copies all four to three places each, none twice
//
// Twelve bits of a half belong to pairs 0 to 2; no fourth shift would find its
// four among those that are left.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_REGISTERLAYOUT_H
#define NVFP4_SUPPORT_REGISTERLAYOUT_H

#include <cstdint>

namespace nvfp4 {

constexpr int64_t kRegisterTileRows = 64;
constexpr int64_t kRegisterTileCols = 128;
constexpr int64_t kRegisterTileCodeBytes = 4096;
constexpr int64_t kRegisterTileScaleBytes = 512;
/// Columns that share a stored scale. A block that is longer repeats its own.
constexpr int64_t kRegisterScaleCols = 16;

/// Where a pair stands when its codes are bf16.
constexpr uint32_t kRegisterPairMask = 0x81C081C0;
/// Left shift of pair 1, left rotation of pairs 2 and 3.
constexpr uint32_t kRegisterShift1 = 3;
constexpr uint32_t kRegisterRotation = 6;
/// Bits of pair 3 after the rotation, and what brings them to their places.
constexpr uint32_t kRegisterPair3Mask = 0x001B001B;
constexpr uint32_t kRegisterPair3Factor = 0x1084;

/// Pairs of a word as bf16 times 2^-126, from pair 0 on, and back.
constexpr void unpackRegisterWord(uint32_t word, uint32_t (&pairs)[4]) {
  uint32_t rotated =
      word << kRegisterRotation | word >> (32 - kRegisterRotation);
  pairs[0] = word & kRegisterPairMask;
  pairs[1] = (word << kRegisterShift1) & kRegisterPairMask;
  pairs[2] = rotated & kRegisterPairMask;
  pairs[3] = ((rotated & kRegisterPair3Mask) * kRegisterPair3Factor) &
             kRegisterPairMask;
}
constexpr uint32_t packRegisterWord(const uint32_t (&pairs)[4]) {
  uint32_t third = (pairs[3] >> 7 & 0x00030003) | (pairs[3] >> 2 & 0x00100010) |
                   (pairs[3] >> 12 & 0x00080008);
  uint32_t rotated = pairs[2] | third;
  return pairs[0] | pairs[1] >> kRegisterShift1 | rotated >> kRegisterRotation |
         rotated << (32 - kRegisterRotation);
}

/// Two codes of a byte (the first in the low nibble) as a pair, and back.
constexpr uint32_t spreadCodes(uint32_t byte) {
  return (byte & 0x07) << 6 | (byte & 0x08) << 12 | (byte & 0x70) << 18 |
         (byte & 0x80) << 24;
}
constexpr uint32_t gatherCodes(uint32_t pair) {
  return (pair >> 6 & 0x07) | (pair >> 12 & 0x08) | (pair >> 18 & 0x70) |
         (pair >> 24 & 0x80);
}

/// Places, for integers and for affine expressions. `div` divides and rounds
/// down, `tiles` is the number of tiles along columns.
template <typename T, typename Div>
T getRegisterThread(T row, T quarter, Div div) {
  return div(row % 64, 16) * 32 + row % 8 * 4 + quarter;
}

/// Byte offset of the word with the code of (row, col), which is in its pair
/// col mod 32 / 8.
template <typename T, typename Div>
T getRegisterWordOffset(T row, T col, int64_t tiles, Div div) {
  T tile = div(row, kRegisterTileRows) * tiles + div(col, kRegisterTileCols);
  return tile * kRegisterTileCodeBytes + div(col % 128, 64) * 2048 +
         getRegisterThread(row, T(div(col % 8, 2)), div) * 16 +
         div(row % 16, 8) * 8 + div(col % 64, 32) * 4;
}
/// Row, and first column of pair 0, of the word at `offset`.
template <typename T, typename Div>
T getRegisterWordRow(T offset, int64_t tiles, Div div) {
  T thread = div(offset % 2048, 16);
  return div(div(offset, kRegisterTileCodeBytes), tiles) * kRegisterTileRows +
         div(thread, 32) * 16 + div(offset % 16, 8) * 8 + div(thread % 32, 4);
}
template <typename T, typename Div>
T getRegisterWordCol(T offset, int64_t tiles, Div div) {
  return div(offset, kRegisterTileCodeBytes) % tiles * kRegisterTileCols +
         div(offset % kRegisterTileCodeBytes, 2048) * 64 +
         div(offset % 8, 4) * 32 + div(offset % 64, 16) * 2;
}

/// Byte offset of the scale of (row, 16 * block).
template <typename T, typename Div>
T getRegisterScaleOffset(T row, T block, int64_t tiles, Div div) {
  T tile = div(row, kRegisterTileRows) * tiles + div(block, 8);
  return tile * kRegisterTileScaleBytes +
         getRegisterThread(row, T(block % 4), div) * 4 + div(block % 8, 4) * 2 +
         div(row % 16, 8);
}
template <typename T, typename Div>
T getRegisterScaleRow(T offset, int64_t tiles, Div div) {
  T thread = div(offset % kRegisterTileScaleBytes, 4);
  return div(div(offset, kRegisterTileScaleBytes), tiles) * kRegisterTileRows +
         div(thread, 32) * 16 + offset % 2 * 8 + div(thread % 32, 4);
}
template <typename T, typename Div>
T getRegisterScaleBlock(T offset, int64_t tiles, Div div) {
  return div(offset, kRegisterTileScaleBytes) % tiles * 8 +
         div(offset % 4, 2) * 4 + div(offset % 16, 4);
}

} // namespace nvfp4

#endif // NVFP4_SUPPORT_REGISTERLAYOUT_H

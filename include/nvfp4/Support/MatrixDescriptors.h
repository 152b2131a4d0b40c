//===- MatrixDescriptors.h - How matrix units are told ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words that describe an operand in shared memory (64 bits) and a product (32
// bits) to `wgmma` and `tcgen05.mma`. A word is made from a struct with a named
// field for each of its fields; what does not fit gives no word.
//
// Source: PTX ISA 9.0, 9.7.15.5 (wgmma, matrix descriptor), 9.7.16.4 (tcgen05,
//         shared memory and instruction descriptors).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_MATRIXDESCRIPTORS_H
#define NVFP4_SUPPORT_MATRIXDESCRIPTORS_H

#include <cstdint>
#include <optional>

namespace nvfp4 {

/// Bits `first` to `first + width - 1` of a word.
struct BitField {
  unsigned first, width;

  constexpr uint64_t getMax() const { return (uint64_t(1) << width) - 1; }
  constexpr uint64_t encode(uint64_t value) const { return value << first; }
};

//===----------------------------------------------------------------------===//
// Operands in shared memory
//===----------------------------------------------------------------------===//

/// Which 16 bytes of a line are exchanged with which, by the line's place in a
/// period. The values are those of `tcgen05`.
enum class MatrixSwizzle : uint8_t {
  None = 0,
  Bytes128Atom32 = 1, ///< 128 bytes, by 32; not of wgmma.
  Bytes128 = 2,
  Bytes64 = 4,
  Bytes32 = 6,
};

/// Addresses and distances are bytes, multiples of 16.
struct SharedMatrixDescriptor {
  /// In the CTA's shared memory; bits from 18 on, a CTA's rank, are ignored.
  uint32_t address = 0;
  /// Without swizzle: from a chunk of 16 bytes to the next along K. With
  /// swizzle: between panels of lines where lines do not run along K.
  uint32_t leadingBytes = 0;
  /// From eight lines to the next eight.
  uint32_t strideBytes = 0;
  /// Where the swizzle's period begins, in lines; 0 for aligned images.
  uint32_t baseOffset = 0;
  MatrixSwizzle swizzle = MatrixSwizzle::None;
};

namespace descriptor {
inline constexpr unsigned kUnitShift = 4;
inline constexpr uint32_t kAddressMask = 0x3FFFF;
inline constexpr BitField kAddress = {0, 14};
inline constexpr BitField kLeading = {16, 14};
inline constexpr BitField kStride = {32, 14};
inline constexpr BitField kVersion = {46, 3};
inline constexpr BitField kBaseOffset = {49, 3};
inline constexpr BitField kSwizzle = {61, 3};
/// In `kVersion`, of tcgen05.
inline constexpr uint64_t kTensorMemoryVersion = 1;
} // namespace descriptor

/// From the address of one part of an image to another's: what to add to a
/// descriptor.
constexpr int64_t getDescriptorDistance(int64_t bytes) {
  return bytes >> descriptor::kUnitShift;
}

namespace descriptor {
constexpr std::optional<uint64_t> encode(const SharedMatrixDescriptor &matrix,
                                         uint64_t version) {
  uint64_t address = (matrix.address & kAddressMask) >> kUnitShift;
  uint64_t leading = matrix.leadingBytes >> kUnitShift;
  uint64_t stride = matrix.strideBytes >> kUnitShift;
  uint32_t all = matrix.address | matrix.leadingBytes | matrix.strideBytes;
  if ((all & ((1u << kUnitShift) - 1)) != 0 || leading > kLeading.getMax() ||
      stride > kStride.getMax() || matrix.baseOffset > kBaseOffset.getMax())
    return std::nullopt;
  return kAddress.encode(address) | kLeading.encode(leading) |
         kStride.encode(stride) | kVersion.encode(version) |
         kBaseOffset.encode(matrix.baseOffset) |
         kSwizzle.encode(uint64_t(matrix.swizzle));
}
} // namespace descriptor

/// For `tcgen05.mma` and `tcgen05.cp`.
constexpr std::optional<uint64_t>
encodeForTensorMemory(const SharedMatrixDescriptor &matrix) {
  return descriptor::encode(matrix, descriptor::kTensorMemoryVersion);
}

/// For `wgmma`.
constexpr std::optional<uint64_t>
encodeForWarpgroup(const SharedMatrixDescriptor &matrix) {
  if (matrix.swizzle == MatrixSwizzle::Bytes128Atom32)
    return std::nullopt;
  return descriptor::encode(matrix, /*version=*/0);
}

//===----------------------------------------------------------------------===//
// Products of tcgen05.mma
//===----------------------------------------------------------------------===//

/// Kinds mxf4 and mxf4nvf4: e2m1, both operands along K, f32 sums.
struct ScaledProductDescriptor {
  uint32_t rows = 128, columns = 0;
  /// Scales of e8m0; otherwise of e4m3.
  bool hasE8M0Scales = false;
  /// The first byte of a cell of scales: 0, or 2 where a cell has the scales of
  /// two steps.
  uint32_t scaleIdA = 0, scaleIdB = 0;
  bool negatesA = false, negatesB = false;
};

/// Kind f16: f16 or bf16, f32 sums.
struct HalfProductDescriptor {
  uint32_t rows = 128, columns = 0;
  bool isBF16 = true;
  bool negatesA = false, negatesB = false;
  /// Lines of the operand run along its rows, not along K.
  bool transposesA = false, transposesB = false;
};

namespace descriptor {
inline constexpr BitField kScaleIdB = {4, 2};
inline constexpr BitField kSumType = {4, 2};
inline constexpr BitField kTypeA = {7, 3};
inline constexpr BitField kTypeB = {10, 3};
inline constexpr BitField kNegatesA = {13, 1};
inline constexpr BitField kNegatesB = {14, 1};
inline constexpr BitField kTransposesA = {15, 1};
inline constexpr BitField kTransposesB = {16, 1};
inline constexpr BitField kColumns = {17, 6};
inline constexpr BitField kHasE8M0 = {23, 1};
inline constexpr BitField kRows = {24, 5};
inline constexpr BitField kScaleIdA = {29, 2};
inline constexpr uint64_t kTypeE2M1 = 1, kTypeBF16 = 1, kSumF32 = 1;

/// The fields that all kinds have; nothing for what no product has.
constexpr std::optional<uint64_t> encodeProduct(uint32_t rows, uint32_t columns,
                                                uint32_t columnStep,
                                                bool negatesA, bool negatesB) {
  if ((rows != 128 && rows != 256) || columns == 0 || columns > 256 ||
      columns % columnStep != 0)
    return std::nullopt;
  return kNegatesA.encode(negatesA) | kNegatesB.encode(negatesB) |
         kColumns.encode(columns / 8) | kRows.encode(rows / 16);
}
} // namespace descriptor

constexpr std::optional<uint32_t>
encodeProduct(const ScaledProductDescriptor &product) {
  std::optional<uint64_t> word = descriptor::encodeProduct(
      product.rows, product.columns, /*columnStep=*/product.rows / 16,
      product.negatesA, product.negatesB);
  // Scales of 16 elements fill a cell, so that e4m3 has no second step in it.
  uint32_t mostId = product.hasE8M0Scales ? 2 : 0;
  if (!word || product.scaleIdA > mostId || product.scaleIdB > mostId ||
      (product.scaleIdA | product.scaleIdB) & 1)
    return std::nullopt;
  using namespace descriptor;
  return uint32_t(*word | kScaleIdA.encode(product.scaleIdA) |
                  kScaleIdB.encode(product.scaleIdB) |
                  kTypeA.encode(kTypeE2M1) | kTypeB.encode(kTypeE2M1) |
                  kHasE8M0.encode(product.hasE8M0Scales));
}

constexpr std::optional<uint32_t>
encodeProduct(const HalfProductDescriptor &product) {
  std::optional<uint64_t> word = descriptor::encodeProduct(
      product.rows, product.columns, /*columnStep=*/product.rows / 8,
      product.negatesA, product.negatesB);
  if (!word)
    return std::nullopt;
  using namespace descriptor;
  uint64_t type = product.isBF16 ? kTypeBF16 : 0;
  return uint32_t(*word | kSumType.encode(kSumF32) | kTypeA.encode(type) |
                  kTypeB.encode(type) |
                  kTransposesA.encode(product.transposesA) |
                  kTransposesB.encode(product.transposesB));
}

} // namespace nvfp4

#endif // NVFP4_SUPPORT_MATRIXDESCRIPTORS_H

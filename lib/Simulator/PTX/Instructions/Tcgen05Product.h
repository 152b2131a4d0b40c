//===- Tcgen05Product.h - A product in tensor memory as it happens -*- C++ -*-//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TCGEN05PRODUCT_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TCGEN05PRODUCT_H

#include "Tcgen05.h"

#include <array>

namespace nvfp4::ptx {

/// Lanes of tensor memory as words of a mask.
constexpr uint32_t kLaneMaskWords = kTensorLanes / 32;
/// Columns of tensor memory that a line of A fills.
constexpr uint32_t kLineColumns = kLineWords;

/// One tcgen05.mma, its operands located.
struct TensorOperation {
  TensorDescriptor descriptor;
  std::vector<Cta *> ctas;
  bool accumulates = false;
  std::array<uint32_t, 2 * kLaneMaskWords> disabledLanes = {};
  /// Empty where A is in tensor memory.
  std::vector<uint32_t> chunksA;
  std::vector<uint32_t> chunksB;
  TensorAddress a, d, scaleA, scaleB;

  TensorLines readA(Cta &cta) const;
  TensorLines readB() const;
  void readScales(Cta &cta, TensorAddress place, bool isOfB,
                  TensorLines &lines) const;
  void readD(const TensorMemory &memory, std::vector<uint32_t> &values,
             std::vector<uint32_t> &undefined) const;
  void writeD(TensorMemory &memory, size_t index,
              const std::vector<uint32_t> &values,
              const std::vector<uint32_t> &undefined) const;
  void land() const;

private:
  struct Run;
  template <typename Visit> void forEachRun(Visit visit) const;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_TCGEN05PRODUCT_H

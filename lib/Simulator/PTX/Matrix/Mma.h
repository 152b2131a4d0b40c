//===- Mma.h - Warp-level matrix multiply-accumulate ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `mma.sync` and `mma.sp` as functions of registers. A program decodes an
// instruction once:
//
//   Result<MmaPlan> plan = MmaPlan::create(descriptor);
//
// and executes it many times, on arrays of 32 lanes. Nothing here knows the
// parser or the machine.
//
// Sources: PTX ISA 9.7.14.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_MMA_H
#define NVFP4_SIMULATOR_PTX_MATRIX_MMA_H

#include "Cores.h"
#include "Fragments.h"

#include "nvfp4/Simulator/PTX/Simulator.h"
#include "nvfp4/Support/Status.h"

#include <array>

namespace nvfp4::ptx {

enum class MmaKind : uint8_t { Plain, F8F6F4, MXF8F6F4, MXF4, MXF4NVF4 };
enum class Sparsity : uint8_t { Dense, Plain, Ordered };
/// The operation of b1 elements, before popc.
enum class BitOperation : uint8_t { None, Xor, And };
enum class MatrixLayout : uint8_t { Row, Col };

/// An instruction's qualifiers.
struct MmaDescriptor {
  MatrixShape shape;
  ElementType a, b, c, d;
  MmaKind kind = MmaKind::Plain;
  Sparsity sparsity = Sparsity::Dense;
  ScaleType scaleType = ScaleType::None;
  uint8_t scaleVec = 0; ///< 1, 2 or 4; 0 without block scales.
  BitOperation bitOperation = BitOperation::None;
  bool satfinite = false;
  MatrixLayout layoutA = MatrixLayout::Row;
  MatrixLayout layoutB = MatrixLayout::Col;
};

/// Generations of tensor cores whose sums differ.
enum class TensorCore : uint8_t {
  Ampere,    ///< sm_80, sm_86, sm_87
  Ada,       ///< sm_89
  Hopper,    ///< sm_90
  Blackwell, ///< sm_100 and later, sm_120
};

struct MmaMode {
  Accumulation accumulation = Accumulation::Exact;
  TensorCore tensorCore = TensorCore::Blackwell;
};

/// The registers of an operand, each an array of 32 lanes. With f64 the 64-bit
/// ones, with everything else the others.
struct Fragment {
  std::array<const uint32_t *, kMaxFragmentRegisters> words = {};
  std::array<const uint64_t *, kMaxFragmentRegisters> doubles = {};
};
struct MutableFragment {
  std::array<uint32_t *, kMaxFragmentRegisters> words = {};
  std::array<uint64_t *, kMaxFragmentRegisters> doubles = {};
};

/// A register with scales and what selects the bytes in it.
struct ScaleOperand {
  const uint32_t *words = nullptr;
  unsigned byteId = 0, threadId = 0;
};

struct MmaInputs {
  Fragment a, b, c;
  ScaleOperand scaleA, scaleB;
  /// Of mma.sp: the metadata register and its selector.
  const uint32_t *metadata = nullptr;
  unsigned sparsitySelector = 0;
};

/// What is undefined of the inputs: registers of the same shape whose ones mark
/// undefined bits, null where all bits are defined.
struct MmaUndefined {
  Fragment a, b, c;
  const uint32_t *scaleA = nullptr;
  const uint32_t *scaleB = nullptr;
  const uint32_t *metadata = nullptr;
};

/// An instruction that is known to exist, ready to execute.
class MmaPlan {
public:
  /// Fails, naming what is legal, if no such instruction exists in PTX.
  static Result<MmaPlan> create(const MmaDescriptor &descriptor);

  const MmaDescriptor &getDescriptor() const { return descriptor; }
  int getNumRegistersA() const { return numA; }
  int getNumRegistersB() const { return numB; }
  int getNumRegistersC() const { return numC; }
  int getNumRegistersD() const { return numD; }
  /// Whether registers are 64 bits wide.
  bool isDouble() const { return descriptor.a == ElementType::F64; }
  /// The shape that A's fragment has: with half the K if it is sparse.
  MatrixShape getStoredShape() const {
    MatrixShape shape = descriptor.shape;
    if (descriptor.sparsity != Sparsity::Dense)
      shape.k /= 2;
    return shape;
  }
  /// Bits of an element of A and B in its register.
  int getElementBitsA() const { return elementBitsA; }
  int getElementBitsB() const { return elementBitsB; }

  /// Computes D. `d` may name the registers of any input. Fails on a selector
  /// that is out of range and on metadata that is none, and then writes
  /// nothing.
  Status execute(const MmaInputs &inputs, MmaMode mode,
                 const MutableFragment &d) const;

  /// Writes the undefined bits of D: an element is undefined as a whole if an
  /// undefined bit reaches it. An element that cannot be a NaN does no harm
  /// where its partner or its block's scale is a zero. Call only if something
  /// is undefined, and before `execute` if D overwrites an input.
  void taint(const MmaInputs &inputs, const MmaUndefined &undefined,
             const MutableFragment &d) const;

private:
  MmaDescriptor descriptor;
  int numA = 0, numB = 0, numC = 0, numD = 0;
  int elementBitsA = 0, elementBitsB = 0;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_MMA_H

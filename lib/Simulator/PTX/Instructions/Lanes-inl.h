//===- Lanes-inl.h - From one lane to 32 -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `lanes<F>` is the AluFn that applies F to every lane of the mask: the result
// and the sources have the types of F's result and parameters, bool standing
// for a predicate. It is compiled once per instruction set of the host, and F
// is inlined into it, so that the loop becomes vector instructions.
//
//===----------------------------------------------------------------------===//

// Toggled: Highway includes this file once per instruction set.
#if defined(NVFP4_SIMULATOR_PTX_INSTRUCTIONS_LANES_INL_H) ==                   \
    defined(HWY_TARGET_TOGGLE)
#ifdef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_LANES_INL_H
#undef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_LANES_INL_H
#else
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_LANES_INL_H
#endif

#include "Alu.h"
#include "Arithmetic.h"
#include "Rounding.h"
#include "Taint.h"

#include <hwy/highway.h>

#include <type_traits>
#include <utility>

// Loops over what is no vector operation stay scalar.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpass-failed"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

/// Whether this code is compiled for a fused multiply-add.
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
inline constexpr bool kHasFma = true;
#else
inline constexpr bool kHasFma = kBaselineHasFma;
#endif

//===----------------------------------------------------------------------===//
// Loads and stores of one lane
//===----------------------------------------------------------------------===//

template <typename T> HWY_INLINE T loadLane(const void *values, unsigned lane) {
  if constexpr (std::is_same_v<T, bool>)
    return (*static_cast<const uint32_t *>(values) >> lane) & 1;
  else
    return static_cast<const T *>(values)[lane];
}

/// Bit i of the result is whether flags[i] is nonzero.
HWY_INLINE uint32_t collectBits(const uint8_t (&flags)[kLanes]) {
  using Bytes [[gnu::vector_size(kLanes)]] = uint8_t;
  using Bits = bool __attribute__((ext_vector_type(kLanes)));
  Bytes bytes;
  __builtin_memcpy(&bytes, flags, kLanes);
  return __builtin_bit_cast(uint32_t,
                            __builtin_convertvector(bytes != 0, Bits));
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// `kElements` of them in a lane, side by side.
template <auto F, unsigned kElements, typename D, typename... S, size_t... I>
HWY_INLINE void runLanes(D (*)(S...), const AluArgs &args,
                         std::index_sequence<I...>) {
  const void *const sources[] = {args.a, args.b, args.c, args.f};
  D *d = static_cast<D *>(args.d);
  if (args.mask == kAllLanes) {
#pragma clang loop vectorize(assume_safety)
    for (unsigned i = 0; i < kElements * kLanes; ++i)
      d[i] = F(loadLane<S>(sources[I], i)...);
    return;
  }
  uint32_t mask = args.mask;
#pragma clang loop vectorize(assume_safety)
  for (unsigned i = 0; i < kElements * kLanes; ++i) {
    D value = F(loadLane<S>(sources[I], i)...);
    d[i] = (mask >> (i / kElements)) & 1 ? value : d[i];
  }
}

template <auto F, unsigned kElements, typename... S, size_t... I>
HWY_INLINE void runLanes(bool (*)(S...), const AluArgs &args,
                         std::index_sequence<I...>) {
  const void *const sources[] = {args.a, args.b, args.c, args.f};
  uint8_t flags[kLanes];
#pragma clang loop vectorize(assume_safety)
  for (unsigned i = 0; i < kLanes; ++i)
    flags[i] = F(loadLane<S>(sources[I], i)...) ? 0xFF : 0;
  storePredicate(args.d, collectBits(flags), args.mask);
}

template <typename D, typename... S>
constexpr std::index_sequence_for<S...> getIndices(D (*)(S...)) {
  return {};
}

template <auto F> static void lanes(const AluArgs &args) {
  runLanes<F, 1>(F, args, getIndices(F));
}
/// The same for packed types: F applies to each half.
template <auto F> static void lanesOfPairs(const AluArgs &args) {
  runLanes<F, 2>(F, args, getIndices(F));
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

template <typename T> constexpr Type getTypeOf() {
  if (std::is_same_v<T, bool>)
    return Type::Pred;
  if (std::is_same_v<T, float>)
    return Type::F32;
  if (std::is_same_v<T, double>)
    return Type::F64;
  constexpr Type kTypes[] = {Type::B8, Type::B16, Type::B32, Type::B64};
  return kTypes[sizeof(T) / 2 - (sizeof(T) == 8)];
}

template <typename D, typename... S>
constexpr OperandTypes getOperandTypes(D (*)(S...)) {
  return {getTypeOf<D>(), {getTypeOf<S>()...}, sizeof...(S)};
}

/// `opcode.modifiers.types` computes F in every lane.
template <auto F>
constexpr AluRow row(std::string_view opcode, std::string_view types,
                     Modifiers modifiers = 0, TaintFn taint = nullptr) {
  return {opcode, types, modifiers, lanes<F>, getOperandTypes(F), taint};
}

/// The same for packed types such as f16x2: F computes one half.
template <auto F>
constexpr AluRow pairRow(std::string_view opcode, std::string_view types,
                         Modifiers modifiers = 0) {
  OperandTypes operands = getOperandTypes(F);
  Type whole = operands.result == Type::B16 ? Type::B32 : Type::B64;
  operands.result = whole;
  for (unsigned i = 0; i < operands.numSources; ++i)
    operands.sources[i] = whole;
  return {opcode, types, modifiers, lanesOfPairs<F>, operands, taintHalves};
}

/// The rows of several tables as one.
template <size_t... N>
constexpr std::array<AluRow, (N + ...)>
joinRows(const std::array<AluRow, N> &...tables) {
  std::array<AluRow, (N + ...)> result{};
  size_t next = 0;
  auto append = [&](const AluRow *rows, size_t size) {
    for (size_t i = 0; i < size; ++i)
      result[next++] = rows[i];
  };
  (append(tables.data(), N), ...);
  return result;
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#pragma clang diagnostic pop

#endif // include guard

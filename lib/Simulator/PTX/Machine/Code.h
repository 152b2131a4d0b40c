//===- Code.h - Decoded PTX ------------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the decoder makes of parsed PTX and the interpreter runs. A virtual
// register of a warp is a vector of 32 values; its place in the frame of its
// function is fixed here, so that an instruction is a function pointer and a
// few offsets.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_CODE_H
#define NVFP4_SIMULATOR_PTX_MACHINE_CODE_H

#include "nvfp4/Simulator/PTX/Simulator.h"
#include "nvfp4/Simulator/PTX/Syntax.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nvfp4::ptx {

constexpr unsigned kLanes = 32;
constexpr uint32_t kAllLanes = ~uint32_t(0);

class Warp;
struct Inst;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// Where an operand's 32 values lie: at `offset` in the frame, or for a
/// negative offset at `~offset` in the constants of the launch. A predicate is
/// one word with a bit per lane. `slot` indexes the frame's `tainted` words;
/// slot 0 belongs to constants and is never tainted.
struct OperandRef {
  int32_t offset = 0;
  uint32_t slot = 0;
  /// Bytes of one lane's value; 0: a predicate, or no operand.
  uint8_t bytes = 0;
  /// `!p`: the instruction sees the complement.
  bool isNegated = false;
  bool isPresent = false;
};

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

/// Operands of an arithmetic instruction. Values are arrays of 32, predicates
/// single words. Lanes outside `mask` keep what `d` and `e` hold.
struct AluArgs {
  void *d;       ///< first result
  void *e;       ///< second result, or null
  const void *a; ///< sources; absent ones point anywhere
  const void *b;
  const void *c;
  const void *f;
  uint32_t mask;
  /// What the family's decoder put there.
  uint32_t aux;
};
/// Computes; has no other effect, and no traps.
using AluFn = void (*)(const AluArgs &);

/// The same for undefined bits (1: the bit is undefined). `v…` are the values
/// before the instruction ran, `u…` the undefined bits of the sources, already
/// zero in clean lanes. Writes the bits of the results to `d` and `e`. Sizes
/// are those of the instruction's OperandRefs.
struct TaintArgs {
  const Inst &inst;
  void *d;
  void *e;
  const void *va, *vb, *vc, *vf;
  const void *ua, *ub, *uc, *uf;
};
using TaintFn = void (*)(const TaintArgs &);

/// What the interpreter does after an instruction with an effect.
enum class Outcome : uint8_t {
  Next,    ///< go on with the next instruction
  Jump,    ///< the path's pc is already set
  Resched, ///< paths changed (branch, exit, convergence): choose one anew
  Block,   ///< the path waits; it executes this instruction again when woken
  Polled,  ///< the instruction looked and did not see what it waits for: others
           ///< run before the path goes on
  Stop,    ///< a trap: the launch ends
};
using ExecFn = Outcome (*)(Warp &, const Inst &, uint32_t mask);

/// Classes that statistics count by.
enum class InstClass : uint8_t {
  Integer,
  Float,
  Half,
  Double,
  Convert,
  Special,
  Move,
  Predicate,
  Control,
  Load,
  Store,
  Atomic,
  Barrier,
  Async,
  Warp,
  Matrix,
  Fence,
};
constexpr unsigned kNumInstClasses = 17;
const char *getInstClassName(InstClass instClass);

/// Family data too large for an Inst. Owned by Code.
struct Plan {
  virtual ~Plan() = default;
};

/// A register that a `wgmma` names, as an instruction uses it (R10).
struct WatchedUse {
  /// Its place in Frame::watched.
  uint32_t watch;
  bool isWrite;
};

struct Inst {
  /// One of the two is set.
  AluFn alu = nullptr;
  ExecFn exec = nullptr;
  /// How `alu` treats undefined bits; null: any undefined source bit makes the
  /// whole result of that lane undefined.
  TaintFn taint = nullptr;
  OperandRef d, e, a, b, c, f;
  OperandRef guard;
  /// More operands (vectors): consecutive in Code::refs.
  uint32_t firstRef = 0;
  uint16_t numRefs = 0;
  InstClass instClass = InstClass::Integer;
  /// `wgmma.mma_async`; `mov`, in functions with such.
  bool isMultiply = false, isCopy = false;
  /// Consecutive in Code::watches: sources, then results.
  uint16_t numWatches = 0;
  uint32_t firstWatch = 0;
  uint32_t aux = 0;
  uint64_t imm = 0;
  const Plan *plan = nullptr;
  uint32_t line = 0;
  /// Index in Function::instructions, for messages and traces.
  uint32_t source = 0;
};

/// Bytes at `offset` in the constants that depend on where a variable is put
/// at launch, `bytes` wide, in all 32 lanes: the variable's address plus
/// `addend`; for a shared variable in addition the rank of the CTA.
struct Relocation {
  uint32_t offset = 0;
  uint8_t bytes = 8;
  bool isShared = false;
  /// Program::Impl::variables; none: `addend` is the address.
  std::optional<uint32_t> variable;
  int64_t addend = 0;
};

/// A decoded function.
struct Code {
  const Function *function = nullptr;
  uint32_t index = 0;
  /// Instructions of the functions before this one: names instructions in the
  /// whole program.
  uint32_t firstInstruction = 0;
  std::vector<Inst> insts;
  std::vector<OperandRef> refs;
  std::vector<WatchedUse> watches;
  /// Registers that are watched.
  uint32_t numWatches = 0;
  std::vector<std::unique_ptr<Plan>> plans;
  /// Vectors of 32, patched per launch by `relocations`.
  std::vector<uint8_t> constants;
  std::vector<Relocation> relocations;
  uint32_t frameBytes = 0;
  uint32_t numSlots = 1;
  /// Per-thread memory of a call: .local and .param variables, then formal
  /// parameters and results (functions only).
  uint64_t localBytes = 0;
  std::vector<uint64_t> variableOffsets; ///< by Function::variables
  std::vector<uint64_t>
      parameterOffsets; ///< in local memory, or in the launch's
                        ///< parameter bytes for an entry
  std::vector<uint64_t> resultOffsets;
  std::vector<OperandRef> parameterRegisters, resultRegisters;
  /// Entries only: bytes of all parameters.
  uint64_t parameterBytes = 0;
};

/// Everything about a module that does not depend on a launch.
struct Program::Impl {
  std::unique_ptr<Module> module;
  std::vector<std::unique_ptr<Code>>
      codes; ///< by Module::functions; null: no body
  std::vector<Entry> entries;
  std::vector<uint32_t> entryFunctions;
  /// Variables that have one address for the whole launch: those of the module,
  /// then `.global`, `.const` and `extern .shared` ones of function bodies.
  std::vector<const Variable *> variables;
  /// Numbers in `variables` of the latter, by Module::functions and
  /// Function::variables.
  std::vector<std::vector<uint32_t>> localVariables;
  /// Addresses of static shared memory, by `variables`, and by
  /// Module::functions and Function::variables.
  std::vector<uint64_t> variableOffsets;
  std::vector<std::vector<uint64_t>> localSharedOffsets;
  /// Where static shared memory ends, by Module::functions.
  std::vector<uint64_t> staticSharedEnds;
  /// Distinguishes programs in DeviceMemory, by ownership.
  std::shared_ptr<const int> identity = std::make_shared<const int>(0);
};

/// The address of function i is kCodeBase + i.
constexpr uint64_t kCodeBase = uint64_t(0x60) << 40;

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_CODE_H

//===- Syntax.h - PTX text as a tree ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parser makes of PTX text. Names are resolved: a register, variable
// or label operand is an index, whatever `{ }` scope it was declared in. What
// an instruction *means* is not known here: opcodes and qualifiers stay text.
//
// Source: PTX ISA, chapters 4 (syntax), 5 (state spaces), 7 (ABI), 11
// (directives).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_SYNTAX_H
#define NVFP4_SIMULATOR_PTX_SYNTAX_H

#include "nvfp4/Support/Status.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nvfp4::ptx {

/// Fundamental and packed types that a declaration or a qualifier can name.
enum class Type : uint8_t {
  None,
  Pred,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  F16x2,
  BF16,
  BF16x2,
  F32,
  F64,
};

/// Bytes of one value of `type`; 0 for None, 1 for Pred.
unsigned getByteSize(Type type);
/// The type that ".f32" and the like name, without the dot; None if none.
Type parseType(std::string_view name);
/// The spelling without the dot.
std::string_view getTypeName(Type type);

/// Where a variable lives.
enum class Space : uint8_t { Register, Global, Constant, Shared, Local, Param };

/// A place in the PTX text. Lines and columns count from 1.
struct Location {
  uint32_t line = 0;
  uint32_t column = 0;
};

/// A virtual register of a function. `.reg .b32 %r<4>` declares four; a `.v2`
/// or `.v4` register declares one per component.
struct Register {
  std::string_view name;
  Type type = Type::None;
};

/// One part of an initializer: up to 8 bytes, or the address of a symbol. Bytes
/// that no part covers are 0.
struct Initializer {
  /// Offset in bytes from the start of the variable, and bytes written.
  uint64_t offset = 0;
  uint32_t size = 0;
  /// The value's low `size` bytes, or what is added to the symbol's address.
  uint64_t value = 0;
  /// Index into Module::variables or Module::functions, or none.
  std::optional<uint32_t> variable;
  std::optional<uint32_t> function;
  /// `generic(symbol)`: the generic address, not that in the symbol's space.
  bool isGeneric = false;
  /// `mask(symbol)`: (address & mask) >> shift; 0 when absent.
  uint64_t mask = 0;
};

/// A variable of any space but registers; also a formal parameter.
struct Variable {
  std::string_view name;
  Space space = Space::Global;
  /// Element type, and elements of `.v2`/`.v4` (else 1).
  Type type = Type::None;
  uint8_t vectorSize = 1;
  /// Bytes; 0 for `extern .shared x[]`, whose size is known at launch.
  uint64_t size = 0;
  uint32_t alignment = 1;
  bool isArray = false;
  bool isExtern = false;
  std::vector<Initializer> initializers;
  Location location;
};

struct Operand {
  enum class Kind : uint8_t {
    Register, ///< `index` into Function::registers; `component` for .b0 and so
              ///< on
    Integer,  ///< `integer`
    Float32,  ///< `integer` holds the bits of `0f` literals
    Float64,  ///< `integer` holds the bits of `0d` or of a decimal literal
    Variable, ///< the address of Module::variables[index] or, when
              ///< `isLocalVariable`, Function::variables[index]; plus `integer`
    Function, ///< Module::functions[index]
    Label,    ///< Function::labels[index]
    Special,  ///< `name`: "%tid.x", "%laneid", "%clock64", "WARP_SZ"
    Address,  ///< `[base + integer]`: children[0] is the base (Register,
              ///< Variable, Special or Integer). Further children: tensor
              ///< coordinates or `{…}` lists inside the brackets
    Vector,   ///< `{a, b, …}`: the children
    Pair,     ///< `a|b`: two children (shfl, setp, match)
    Sink,     ///< `_`
    Name,     ///< a list of targets or a prototype, with its `name`: `index`
              ///< into Function::targetLists, or Function::prototypes when
              ///< `isPrototype`
  };

  Kind kind = Kind::Sink;
  /// `!p`, and `-x` before a register.
  bool isNegated = false;
  bool isLocalVariable = false;
  bool isPrototype = false;
  uint32_t index = 0;
  int64_t integer = 0;
  /// The spelling where kinds above say so; selector text (".b2") of registers.
  std::string_view name;
  /// Children are consecutive in Function::operands.
  uint32_t firstChild = 0;
  uint32_t numChildren = 0;
};

/// `@%p add.rn.f32 %f1, %f2, %f3;`
///
/// `call (results), callee, (arguments), targets;` has the same operands in all
/// its forms: 0 is a Vector of results (maybe empty), 1 the callee (Function,
/// or Register), 2 a Vector of arguments (maybe empty), and 3, only where
/// written, the Name of a prototype or of a list of targets.
struct Instruction {
  /// "add", without qualifiers.
  std::string_view opcode;
  /// "rn", "f32": consecutive in Module::qualifiers, without their dots.
  /// `kind::f16`, `shared::cta`, `L2::128B` are one qualifier each.
  uint32_t firstQualifier = 0;
  uint16_t numQualifiers = 0;
  bool hasGuard = false;
  bool isGuardNegated = false;
  /// Register of the guard.
  uint32_t guard = 0;
  /// Top-level operands: indices firstOperand… in Function::operands.
  uint32_t firstOperand = 0;
  uint32_t numOperands = 0;
  Location location;
};

struct Label {
  std::string_view name;
  /// Index of the instruction that follows; the number of instructions at the
  /// end of a body.
  uint32_t instruction = 0;
  Location location;
};

/// `.branchtargets` or `.calltargets` list under a label: indices into
/// Function::labels, or into Module::functions.
struct TargetList {
  std::string_view name;
  std::vector<uint32_t> labels;
  std::vector<uint32_t> functions;
};

/// `.callprototype` under a label.
struct Prototype {
  std::string_view name;
  std::vector<Variable> results;
  std::vector<Variable> parameters;
};

struct Function {
  std::string_view name;
  bool isEntry = false;
  /// Declared without a body (`.extern .func` or a forward declaration that
  /// no definition followed).
  bool isDeclaration = false;
  bool isNoReturn = false;
  /// Formal parameters: Space::Param variables, or for `.func` possibly
  /// registers (then `space` is Register and the name is in `registers`).
  std::vector<Variable> results;
  std::vector<Variable> parameters;
  /// Index into `registers` of each register parameter, else ~0u.
  std::vector<uint32_t> resultRegisters;
  std::vector<uint32_t> parameterRegisters;
  std::vector<Register> registers;
  /// `.local`, `.shared`, `.param` (and static `.global`/`.const`) variables
  /// declared in the body, in any scope.
  std::vector<Variable> variables;
  std::vector<Label> labels;
  std::vector<TargetList> targetLists;
  std::vector<Prototype> prototypes;
  std::vector<Instruction> instructions;
  std::vector<Operand> operands;
  /// `.maxntid`, `.reqntid`, `.reqnctapercluster` with missing dimensions 1;
  /// all 0 when absent.
  uint32_t maxThreads[3] = {0, 0, 0};
  uint32_t requiredThreads[3] = {0, 0, 0};
  uint32_t requiredCluster[3] = {0, 0, 0};
  bool hasExplicitCluster = false;
  Location location;
};

/// An operand that is the address of a formal parameter has kind Variable,
/// isLocalVariable, and an index with this bit set: the low bits index
/// `parameters`, or `results` when kResultBit is set as well.
constexpr uint32_t kParameterBit = 1u << 31;
constexpr uint32_t kResultBit = 1u << 30;

/// A whole PTX file. All string_views point into `text`.
struct Module {
  /// Moved only together with its address: the parser allocates it once.
  std::string text;
  /// For messages.
  std::string fileName;
  uint32_t versionMajor = 0, versionMinor = 0;
  /// "sm_120a"; further `.target` words ("texmode_independent", "debug").
  std::string_view target;
  std::vector<std::string_view> targetOptions;
  unsigned addressSize = 64;
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::vector<std::string_view> qualifiers;
  /// Storage for names that do not occur in `text`, such as "%r3" of `%r<8>`.
  std::deque<std::string> names;
};

/// Something wrong in a PTX file.
struct Diagnostic {
  Location location;
  std::string message;
};

/// Parses PTX text. Errors: every syntax error found (the parser resumes at the
/// next `;`, up to 50 errors), each "FILE:LINE:COLUMN: expected …, but got …",
/// joined by newlines. Never reads outside `text`; nesting and declared sizes
/// are bounded, so that hostile text ends in an error.
Result<std::unique_ptr<Module>> parseModule(std::string text,
                                            std::string fileName);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_SYNTAX_H

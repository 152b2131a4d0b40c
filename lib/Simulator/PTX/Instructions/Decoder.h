//===- Decoder.h - From parsed instructions to decoded ones ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An instruction family is a table of opcodes, each with a function that looks
// at qualifiers and operands through a DecodeContext and emits decoded
// instructions. Several families may list the same opcode ("add"): a function
// returns false, without having emitted or reported anything, when the
// instruction is not its own.
//
// Every qualifier must be taken by somebody: what is left over is reported as
// not supported. So an instruction never runs with a qualifier ignored.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_DECODER_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_DECODER_H

#include "Machine/Code.h"
#include "Machine/Machine.h"

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nvfp4::ptx {

class DecodeContext;
/// False: not this family's.
using DecodeFn = bool (*)(DecodeContext &);
struct OpcodeRow {
  std::string_view opcode;
  DecodeFn decode;
};
struct OpcodeTable {
  const OpcodeRow *rows;
  size_t size;
};

/// The families, one per file.
OpcodeTable getControlOpcodes();
OpcodeTable getMoveOpcodes();
OpcodeTable getMemoryOpcodes();
OpcodeTable getAtomicOpcodes();
OpcodeTable getVideoOpcodes();
OpcodeTable getAsyncStoreOpcodes();
OpcodeTable getFenceOpcodes();
OpcodeTable getBarrierOpcodes();
OpcodeTable getMbarrierOpcodes();
OpcodeTable getAsyncCopyOpcodes();
OpcodeTable getBulkCopyOpcodes();
OpcodeTable getTensorCopyOpcodes();
OpcodeTable getWarpOpcodes();
OpcodeTable getWarpDataOpcodes();
OpcodeTable getMatrixMoveOpcodes();
OpcodeTable getMatrixOpcodes();
OpcodeTable getHintOpcodes();
OpcodeTable getWmmaOpcodes();
OpcodeTable getWgmmaOpcodes();
OpcodeTable getTcgen05Opcodes();
OpcodeTable getClusterLaunchOpcodes();

/// All of them.
std::vector<OpcodeTable> getFamilies();

/// A spelling and what it stands for, for DecodeContext::choose.
template <typename T> struct Choice {
  std::string_view name;
  T value;
};

/// Decodes one function. Holds the instruction at hand while a family looks
/// at it.
class DecodeContext {
public:
  DecodeContext(const Program::Impl &program, Code &code,
                std::vector<Diagnostic> &errors);

  /// Decodes the whole body.
  void run(const std::unordered_multimap<std::string_view, DecodeFn> &table);

  const Module &getModule() const { return module; }
  const Function &getFunction() const { return function; }
  const Program::Impl &getProgram() const { return program; }
  Code &getCode() { return code; }

  //--- Qualifiers -------------------------------------------------------===//

  std::string_view getOpcode() const { return source->opcode; }
  unsigned getNumQualifiers() const { return source->numQualifiers; }
  std::string_view getQualifier(unsigned i) const {
    return module.qualifiers[source->firstQualifier + i];
  }
  /// Takes the qualifier if it is there and not taken yet.
  bool take(std::string_view name);
  /// Takes qualifier `i` unless it is taken already.
  bool takeAt(unsigned i);
  /// Whether it is there, taken or not.
  bool has(std::string_view name) const;
  /// Takes the first untaken qualifier that names a type; None if none.
  Type takeType();
  /// The same without taking; `skip` many types are passed over.
  Type peekType(unsigned skip = 0) const;
  /// Takes the first qualifier that is one of the choices; `otherwise` if none.
  template <typename T, size_t N>
  T choose(const Choice<T> (&choices)[N], T otherwise) {
    for (unsigned i = 0; i < getNumQualifiers(); ++i)
      for (const Choice<T> &choice : choices)
        if (getQualifier(i) == choice.name && takeAt(i))
          return choice.value;
    return otherwise;
  }
  /// Takes every qualifier that only affects performance.
  void takeHints(std::initializer_list<std::string_view> names);
  /// The first untaken qualifier that starts with `prefix`, taken; or empty.
  std::string_view takePrefix(std::string_view prefix);

  //--- Operands ---------------------------------------------------------===//

  unsigned getNumOperands() const { return source->numOperands; }
  const Operand &getOperand(unsigned i) const {
    return function.operands[source->firstOperand + i];
  }
  const Operand &getChild(const Operand &operand, unsigned i) const {
    return function.operands[operand.firstChild + i];
  }
  /// Reports an error unless the instruction has `count` operands.
  bool expectOperands(unsigned least, unsigned most);
  bool expectOperands(unsigned count) { return expectOperands(count, count); }

  /// A source operand of a type: a register of that size, or a constant. With
  /// `isAnySize` a register of another size is taken as it is (ld, st, cvt and
  /// mov allow it). Not present after an error.
  OperandRef readOperand(const Operand &operand, Type type,
                         bool isAnySize = false);
  OperandRef readOperand(unsigned i, Type type, bool isAnySize = false) {
    return readOperand(getOperand(i), type, isAnySize);
  }
  /// A result operand. A sink gets a register nobody reads.
  OperandRef writeOperand(const Operand &operand, Type type,
                          bool isAnySize = false);
  OperandRef writeOperand(unsigned i, Type type, bool isAnySize = false) {
    return writeOperand(getOperand(i), type, isAnySize);
  }
  /// The elements of `{a, b}`, or the operand itself.
  std::vector<OperandRef> readVector(const Operand &operand, Type type,
                                     bool isAnySize = false);
  std::vector<OperandRef> writeVector(const Operand &operand, Type type,
                                      bool isAnySize = false);
  /// `[base + offset]`: the base and the constant part.
  struct Address {
    OperandRef base;
    uint64_t offset = 0;
    /// The variable that is the base, if one is.
    const Operand *variable = nullptr;
  };
  bool readAddress(const Operand &operand, Address &address);
  /// A value that is the same in all lanes and known now.
  bool readImmediate(const Operand &operand, int64_t &value);

  /// `bits` in all 32 lanes.
  OperandRef makeConstant(uint64_t bits, unsigned bytes);
  /// A predicate that is true or false in all lanes.
  OperandRef makePredicateConstant(bool value);
  /// A register that the program does not see.
  OperandRef makeRegister(Type type);
  /// The condition code CC.CF.
  OperandRef getCarryFlag();
  /// Appends operands to Code::refs and points `inst` at them.
  void setRefs(Inst &inst, const std::vector<OperandRef> &refs);

  //--- Results ----------------------------------------------------------===//

  /// Appends a decoded instruction, with guard and place filled in.
  Inst &emit(InstClass instClass);
  Inst &emitAlu(InstClass instClass, AluFn fn, OperandRef d,
                OperandRef a = OperandRef(), OperandRef b = OperandRef(),
                OperandRef c = OperandRef(), OperandRef f = OperandRef());
  Inst &emitExec(InstClass instClass, ExecFn fn);
  /// A plan that lives as long as the code.
  template <typename T> T &makePlan() {
    code.plans.push_back(std::make_unique<T>());
    return static_cast<T &>(*code.plans.back());
  }
  /// After decoding, `inst.imm` of this instruction is the pc of a label.
  void patchLabel(uint32_t label);
  /// The pc of a label, once `run` has returned.
  uint32_t getLabelPc(uint32_t label) const;

  /// Reports an error at the instruction. Always returns true: "mine".
  bool error(const std::string &message);
  /// `.opcode.with.qualifiers`, for messages.
  std::string getSpelling() const;

  bool hasError() const { return hasFailed; }

private:
  OperandRef makeSlot(unsigned bytes);
  OperandRef readSpecial(const Operand &operand, Type type, bool isAnySize);
  OperandRef readVariable(const Operand &operand, unsigned bytes);
  OperandRef makeRelocated(Relocation relocation);
  OperandRef makeLocalAddress(uint64_t offset, unsigned bytes);
  void decode(const Instruction &instruction,
              const std::unordered_multimap<std::string_view, DecodeFn> &table);
  void placeVariables();

  const Program::Impl &program;
  const Module &module;
  const Function &function;
  Code &code;
  std::vector<Diagnostic> &errors;
  std::vector<OperandRef> registers;
  std::map<std::pair<uint64_t, unsigned>, OperandRef> constantRefs;
  std::map<unsigned, OperandRef> sinks;
  OperandRef carryFlag;
  std::vector<std::pair<size_t, uint32_t>> labelPatches;
  std::vector<uint32_t> pcOfInstruction;

  const Instruction *source = nullptr;
  uint64_t taken = 0;
  bool hasFailed = false;
};

/// Special registers that an instruction can read.
struct SpecialRegister {
  std::string_view name;
  Type type;
};
/// Index of a special register, or -1.
int findSpecialRegister(std::string_view name);
const SpecialRegister &getSpecialRegister(unsigned index);
/// Writes special register `inst.aux` to `inst.d` in all lanes of the path.
Outcome execReadSpecial(Warp &warp, const Inst &inst, uint32_t mask);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_DECODER_H

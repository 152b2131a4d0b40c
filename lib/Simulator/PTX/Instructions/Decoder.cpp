//===- Decoder.cpp - From parsed instructions to decoded ones -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Machine/Warpgroup.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

/// Registers start at multiples of this, for vector loads.
constexpr unsigned kSlotAlignment = 64;

DecodeContext::DecodeContext(const Program::Impl &program, Code &code,
                             std::vector<Diagnostic> &errors)
    : program(program), module(*program.module), function(*code.function),
      code(code), errors(errors) {
  for (const Register &reg : function.registers)
    registers.push_back(
        makeSlot(reg.type == Type::Pred ? 0 : getByteSize(reg.type)));
  auto place = [&](const std::vector<uint32_t> &indices,
                   std::vector<OperandRef> &refs) {
    for (uint32_t index : indices)
      refs.push_back(index == ~0u ? OperandRef() : registers[index]);
  };
  place(function.parameterRegisters, code.parameterRegisters);
  place(function.resultRegisters, code.resultRegisters);
  placeVariables();
}

OperandRef DecodeContext::makeSlot(unsigned bytes) {
  OperandRef ref;
  ref.offset = int32_t(code.frameBytes);
  ref.slot = code.numSlots++;
  ref.bytes = uint8_t(bytes);
  ref.isPresent = true;
  unsigned size = bytes ? bytes * kLanes : 4;
  code.frameBytes += (size + kSlotAlignment - 1) & ~(kSlotAlignment - 1);
  return ref;
}

void DecodeContext::placeVariables() {
  auto align = [](uint64_t offset, uint64_t alignment) {
    alignment = std::max<uint64_t>(alignment, 1);
    return (offset + alignment - 1) / alignment * alignment;
  };
  code.variableOffsets.resize(function.variables.size());
  for (size_t i = 0; i < function.variables.size(); ++i) {
    const Variable &variable = function.variables[i];
    if (variable.space != Space::Local && variable.space != Space::Param)
      continue;
    code.localBytes = align(code.localBytes, variable.alignment);
    code.variableOffsets[i] = code.localBytes;
    code.localBytes += variable.size;
  }
  if (function.isEntry) {
    uint64_t offset = 0;
    for (const Variable &parameter : function.parameters) {
      offset = align(offset, parameter.alignment);
      code.parameterOffsets.push_back(offset);
      offset += parameter.size;
    }
    code.parameterBytes = offset;
    return;
  }
  auto place = [&](const std::vector<Variable> &variables,
                   std::vector<uint64_t> &offsets) {
    for (const Variable &variable : variables) {
      code.localBytes = align(code.localBytes, variable.alignment);
      offsets.push_back(code.localBytes);
      code.localBytes += variable.size;
    }
  };
  place(function.parameters, code.parameterOffsets);
  place(function.results, code.resultOffsets);
}

//===----------------------------------------------------------------------===//
// Qualifiers
//===----------------------------------------------------------------------===//

bool DecodeContext::take(std::string_view name) {
  for (unsigned i = 0; i < getNumQualifiers(); ++i) {
    if ((taken >> i) & 1 || getQualifier(i) != name)
      continue;
    taken |= uint64_t(1) << i;
    return true;
  }
  return false;
}

bool DecodeContext::takeAt(unsigned i) {
  bool isFree = !((taken >> i) & 1);
  taken |= uint64_t(1) << i;
  return isFree;
}

bool DecodeContext::has(std::string_view name) const {
  for (unsigned i = 0; i < getNumQualifiers(); ++i)
    if (getQualifier(i) == name)
      return true;
  return false;
}

Type DecodeContext::takeType() {
  for (unsigned i = 0; i < getNumQualifiers(); ++i) {
    Type type = (taken >> i) & 1 ? Type::None : parseType(getQualifier(i));
    if (type == Type::None)
      continue;
    taken |= uint64_t(1) << i;
    return type;
  }
  return Type::None;
}

Type DecodeContext::peekType(unsigned skip) const {
  for (unsigned i = 0; i < getNumQualifiers(); ++i) {
    Type type = (taken >> i) & 1 ? Type::None : parseType(getQualifier(i));
    if (type != Type::None && skip-- == 0)
      return type;
  }
  return Type::None;
}

void DecodeContext::takeHints(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names)
    take(name);
}

std::string_view DecodeContext::takePrefix(std::string_view prefix) {
  for (unsigned i = 0; i < getNumQualifiers(); ++i) {
    if ((taken >> i) & 1 || getQualifier(i).substr(0, prefix.size()) != prefix)
      continue;
    taken |= uint64_t(1) << i;
    return getQualifier(i);
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

static const char *getKindName(Operand::Kind kind) {
  switch (kind) {
  case Operand::Kind::Register:
    return "a register";
  case Operand::Kind::Integer:
    return "an integer";
  case Operand::Kind::Float32:
  case Operand::Kind::Float64:
    return "a floating-point constant";
  case Operand::Kind::Variable:
    return "a variable";
  case Operand::Kind::Function:
    return "a function";
  case Operand::Kind::Label:
    return "a label";
  case Operand::Kind::Special:
    return "a special register";
  case Operand::Kind::Address:
    return "an address";
  case Operand::Kind::Vector:
    return "a vector";
  case Operand::Kind::Pair:
    return "a pair";
  case Operand::Kind::Sink:
    return "'_'";
  case Operand::Kind::Name:
    return "a name";
  }
  return "";
}

bool DecodeContext::expectOperands(unsigned least, unsigned most) {
  if (getNumOperands() >= least && getNumOperands() <= most)
    return true;
  error("expected " + std::to_string(least) +
        (most > least ? " to " + std::to_string(most) : std::string()) +
        " operands, but got " + std::to_string(getNumOperands()));
  return false;
}

OperandRef DecodeContext::makeConstant(uint64_t bits, unsigned bytes) {
  if (bytes < 8)
    bits &= (uint64_t(1) << (8 * bytes)) - 1;
  OperandRef &ref = constantRefs[{bits, bytes}];
  if (ref.isPresent)
    return ref;
  size_t start = (code.constants.size() + kSlotAlignment - 1) / kSlotAlignment *
                 kSlotAlignment;
  code.constants.resize(start + size_t(bytes) * kLanes);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    std::memcpy(code.constants.data() + start + lane * bytes, &bits,
                std::min(bytes, 8u));
  ref.offset = ~int32_t(start);
  ref.bytes = uint8_t(bytes);
  ref.isPresent = true;
  return ref;
}

OperandRef DecodeContext::makePredicateConstant(bool value) {
  OperandRef ref = makeConstant(value ? ~uint64_t(0) : 0, 4);
  ref.bytes = 0;
  return ref;
}

OperandRef DecodeContext::makeRegister(Type type) {
  return makeSlot(type == Type::Pred ? 0 : getByteSize(type));
}

OperandRef DecodeContext::getCarryFlag() {
  if (!carryFlag.isPresent)
    carryFlag = makeSlot(0);
  return carryFlag;
}

/// Bits of a constant as a value of `type`.
static uint64_t convertConstant(const Operand &operand, Type type) {
  bool isDouble = operand.kind == Operand::Kind::Float64;
  if (isDouble && type == Type::F32) {
    double wide;
    std::memcpy(&wide, &operand.integer, 8);
    float narrow = float(wide);
    uint32_t bits;
    std::memcpy(&bits, &narrow, 4);
    return bits;
  }
  if (operand.kind == Operand::Kind::Float32 && type == Type::F64) {
    float narrow;
    std::memcpy(&narrow, &operand.integer, 4);
    double wide = narrow;
    uint64_t bits;
    std::memcpy(&bits, &wide, 8);
    return bits;
  }
  return uint64_t(operand.integer);
}

/// `offset` from the start of the call's variables in local memory. An entry's
/// start at 0; a function's where its caller's end.
OperandRef DecodeContext::makeLocalAddress(uint64_t offset, unsigned bytes) {
  if (function.isEntry)
    return makeConstant(offset, bytes);
  OperandRef ref = makeRegister(bytes == 8 ? Type::B64 : Type::B32);
  Inst &inst =
      emitExec(InstClass::Move, [](Warp &warp, const Inst &inst, uint32_t) {
        uint64_t address = warp.getFrame().localBase + inst.imm;
        forEachLane(warp.getPath().mask, [&](unsigned lane) {
          warp.writeLane(inst.d, lane, address);
        });
        warp.markDefined(inst.d, warp.getPath().mask);
        return Outcome::Next;
      });
  inst.guard = OperandRef();
  inst.d = ref;
  inst.imm = offset;
  return ref;
}

OperandRef DecodeContext::makeRelocated(Relocation relocation) {
  size_t start = (code.constants.size() + kSlotAlignment - 1) / kSlotAlignment *
                 kSlotAlignment;
  code.constants.resize(start + size_t(relocation.bytes) * kLanes);
  OperandRef ref;
  ref.offset = ~int32_t(start);
  ref.bytes = relocation.bytes;
  ref.isPresent = true;
  relocation.offset = uint32_t(start);
  code.relocations.push_back(relocation);
  return ref;
}

OperandRef DecodeContext::readVariable(const Operand &operand, unsigned bytes) {
  uint64_t offset = uint64_t(operand.integer);
  Relocation relocation;
  relocation.bytes = uint8_t(bytes);
  relocation.addend = operand.integer;
  if (!operand.isLocalVariable) {
    const Variable &variable = module.variables[operand.index];
    relocation.isShared = variable.space == Space::Shared;
    relocation.variable = operand.index;
    return makeRelocated(relocation);
  }
  if (operand.index & kParameterBit) {
    bool isResult = operand.index & kResultBit;
    uint32_t index = operand.index & ~(kParameterBit | kResultBit);
    uint64_t place =
        isResult ? code.resultOffsets[index] : code.parameterOffsets[index];
    return function.isEntry ? makeConstant(place + offset, bytes)
                            : makeLocalAddress(place + offset, bytes);
  }
  const Variable &variable = function.variables[operand.index];
  if (variable.space == Space::Shared && !variable.isExtern) {
    relocation.isShared = true;
    relocation.addend +=
        int64_t(program.localSharedOffsets[code.index][operand.index]);
    return makeRelocated(relocation);
  }
  if (variable.space == Space::Local || variable.space == Space::Param)
    return makeLocalAddress(code.variableOffsets[operand.index] + offset,
                            bytes);
  relocation.isShared = variable.space == Space::Shared;
  relocation.variable = program.localVariables[code.index][operand.index];
  return makeRelocated(relocation);
}

OperandRef DecodeContext::readSpecial(const Operand &operand, Type type,
                                      bool isAnySize) {
  if (operand.name == "WARP_SZ")
    return makeConstant(kLanes, getByteSize(type));
  int index = findSpecialRegister(operand.name);
  if (index < 0) {
    error("expected a special register that the simulator knows, but got '" +
          std::string(operand.name) + "'");
    return OperandRef();
  }
  OperandRef ref = makeRegister(getSpecialRegister(unsigned(index)).type);
  Inst &inst = emitExec(InstClass::Move, execReadSpecial);
  inst.guard = OperandRef();
  inst.d = ref;
  inst.aux = unsigned(index);
  if (!isAnySize && ref.bytes != getByteSize(type)) {
    error("expected a special register of type " +
          std::string(getTypeName(type)) + ", but got '" +
          std::string(operand.name) + "'");
    return OperandRef();
  }
  return ref;
}

OperandRef DecodeContext::readOperand(const Operand &operand, Type type,
                                      bool isAnySize) {
  unsigned bytes = type == Type::Pred ? 0 : getByteSize(type);
  switch (operand.kind) {
  case Operand::Kind::Register: {
    OperandRef ref = registers[operand.index];
    const Register &reg = function.registers[operand.index];
    bool isPredicate = reg.type == Type::Pred;
    if (isPredicate != (type == Type::Pred) ||
        (!isAnySize && ref.bytes != bytes) || !operand.name.empty()) {
      error("expected a register of type ." + std::string(getTypeName(type)) +
            ", but got '" + std::string(reg.name) + "' of type ." +
            std::string(getTypeName(reg.type)));
      return OperandRef();
    }
    if (operand.isNegated) {
      OperandRef negated = makeRegister(Type::Pred);
      AluFn fn = [](const AluArgs &args) {
        *static_cast<uint32_t *>(args.d) =
            ~*static_cast<const uint32_t *>(args.a);
      };
      Inst &inst = emitAlu(InstClass::Predicate, fn, negated, ref);
      inst.guard = OperandRef();
      inst.taint = [](const TaintArgs &args) {
        std::memcpy(args.d, args.ua, 4);
      };
      return negated;
    }
    return ref;
  }
  case Operand::Kind::Integer:
    if (type == Type::Pred)
      return makePredicateConstant(operand.integer != 0);
    return makeConstant(uint64_t(operand.integer), bytes);
  case Operand::Kind::Float32:
  case Operand::Kind::Float64:
    return makeConstant(convertConstant(operand, type), bytes);
  case Operand::Kind::Variable:
    return readVariable(operand, bytes);
  case Operand::Kind::Function:
    return makeConstant(kCodeBase + operand.index, bytes);
  case Operand::Kind::Special:
    return readSpecial(operand, type, isAnySize);
  default:
    break;
  }
  error("expected a register or a constant, but got " +
        std::string(getKindName(operand.kind)));
  return OperandRef();
}

OperandRef DecodeContext::writeOperand(const Operand &operand, Type type,
                                       bool isAnySize) {
  unsigned bytes = type == Type::Pred ? 0 : getByteSize(type);
  if (operand.kind == Operand::Kind::Sink) {
    OperandRef &sink = sinks[bytes];
    if (!sink.isPresent)
      sink = makeSlot(bytes);
    return sink;
  }
  if (operand.kind != Operand::Kind::Register) {
    error("expected a register as result, but got " +
          std::string(getKindName(operand.kind)));
    return OperandRef();
  }
  OperandRef ref = registers[operand.index];
  const Register &reg = function.registers[operand.index];
  if ((reg.type == Type::Pred) != (type == Type::Pred) ||
      (!isAnySize && ref.bytes != bytes)) {
    error("expected a result register of type ." +
          std::string(getTypeName(type)) + ", but got '" +
          std::string(reg.name) + "' of type ." +
          std::string(getTypeName(reg.type)));
    return OperandRef();
  }
  return ref;
}

std::vector<OperandRef> DecodeContext::readVector(const Operand &operand,
                                                  Type type, bool isAnySize) {
  if (operand.kind != Operand::Kind::Vector)
    return {readOperand(operand, type, isAnySize)};
  std::vector<OperandRef> refs;
  for (unsigned i = 0; i < operand.numChildren; ++i)
    refs.push_back(readOperand(getChild(operand, i), type, isAnySize));
  return refs;
}

std::vector<OperandRef> DecodeContext::writeVector(const Operand &operand,
                                                   Type type, bool isAnySize) {
  if (operand.kind != Operand::Kind::Vector)
    return {writeOperand(operand, type, isAnySize)};
  std::vector<OperandRef> refs;
  for (unsigned i = 0; i < operand.numChildren; ++i)
    refs.push_back(writeOperand(getChild(operand, i), type, isAnySize));
  return refs;
}

bool DecodeContext::readAddress(const Operand &operand, Address &address) {
  if (operand.kind != Operand::Kind::Address || operand.numChildren == 0) {
    error("expected an address in brackets, but got " +
          std::string(getKindName(operand.kind)));
    return false;
  }
  const Operand &base = getChild(operand, 0);
  address.offset = uint64_t(operand.integer);
  if (base.kind == Operand::Kind::Variable)
    address.variable = &base;
  if (base.kind == Operand::Kind::Register) {
    address.base = registers[base.index];
    if (address.base.bytes != 4 && address.base.bytes != 8) {
      error("expected an address register of 32 or 64 bits, but got '" +
            std::string(function.registers[base.index].name) + "'");
      return false;
    }
    return true;
  }
  address.base = readOperand(base, Type::U64);
  return address.base.isPresent;
}

bool DecodeContext::readImmediate(const Operand &operand, int64_t &value) {
  if (operand.kind != Operand::Kind::Integer) {
    error("expected an integer constant, but got " +
          std::string(getKindName(operand.kind)));
    return false;
  }
  value = operand.integer;
  return true;
}

void DecodeContext::setRefs(Inst &inst, const std::vector<OperandRef> &refs) {
  inst.firstRef = uint32_t(code.refs.size());
  inst.numRefs = uint16_t(refs.size());
  code.refs.insert(code.refs.end(), refs.begin(), refs.end());
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Inst &DecodeContext::emit(InstClass instClass) {
  Inst inst;
  inst.instClass = instClass;
  inst.line = source->location.line;
  inst.source = uint32_t(source - function.instructions.data());
  if (source->hasGuard) {
    inst.guard = registers[source->guard];
    inst.guard.isNegated = source->isGuardNegated;
  }
  code.insts.push_back(inst);
  return code.insts.back();
}

Inst &DecodeContext::emitAlu(InstClass instClass, AluFn fn, OperandRef d,
                             OperandRef a, OperandRef b, OperandRef c,
                             OperandRef f) {
  Inst &inst = emit(instClass);
  inst.alu = fn;
  inst.d = d, inst.a = a, inst.b = b, inst.c = c, inst.f = f;
  return inst;
}

Inst &DecodeContext::emitExec(InstClass instClass, ExecFn fn) {
  Inst &inst = emit(instClass);
  inst.exec = fn;
  return inst;
}

void DecodeContext::patchLabel(uint32_t label) {
  labelPatches.emplace_back(code.insts.size() - 1, label);
}

uint32_t DecodeContext::getLabelPc(uint32_t label) const {
  return pcOfInstruction[function.labels[label].instruction];
}

std::string DecodeContext::getSpelling() const {
  std::string text(source->opcode);
  for (unsigned i = 0; i < getNumQualifiers(); ++i)
    text += "." + std::string(getQualifier(i));
  return text;
}

bool DecodeContext::error(const std::string &message) {
  // One message an instruction: the first is the cause.
  if (!hasFailed)
    errors.push_back({source->location, "'" + getSpelling() + "': " + message});
  hasFailed = true;
  return true;
}

void DecodeContext::decode(
    const Instruction &instruction,
    const std::unordered_multimap<std::string_view, DecodeFn> &table) {
  source = &instruction;
  hasFailed = false;
  if (instruction.numQualifiers > 64) {
    error("expected at most 64 qualifiers");
    return;
  }
  if (instruction.hasGuard &&
      function.registers[instruction.guard].type != Type::Pred) {
    error("expected a predicate as guard");
    return;
  }
  auto [first, last] = table.equal_range(instruction.opcode);
  for (auto it = first; it != last; ++it) {
    taken = 0;
    size_t start = code.insts.size();
    if (!it->second(*this))
      continue;
    for (unsigned i = 0; i < getNumQualifiers() && !hasFailed; ++i)
      if (!((taken >> i) & 1))
        error("expected an instruction that the simulator knows, but got the "
              "qualifier '." +
              std::string(getQualifier(i)) + "'");
    // Registers that readOperand filled may follow code.insts reallocation;
    // nothing of a failed instruction stays.
    if (hasFailed)
      code.insts.resize(start);
    return;
  }
  error("expected an instruction that the simulator knows, but got " +
        std::string(first == last ? "the opcode '" : "this form of '") +
        std::string(instruction.opcode) + "'");
}

void DecodeContext::run(
    const std::unordered_multimap<std::string_view, DecodeFn> &table) {
  pcOfInstruction.reserve(function.instructions.size() + 1);
  code.insts.reserve(function.instructions.size() + 16);
  for (const Instruction &instruction : function.instructions) {
    pcOfInstruction.push_back(uint32_t(code.insts.size()));
    decode(instruction, table);
  }
  pcOfInstruction.push_back(uint32_t(code.insts.size()));
  // A body may end without ret or exit, or with a label.
  Instruction end;
  end.opcode = "ret";
  end.location = function.location;
  if (!function.instructions.empty())
    end.location = function.instructions.back().location;
  source = &end;
  Inst inst;
  inst.instClass = InstClass::Control;
  inst.line = end.location.line;
  inst.source = function.instructions.empty()
                    ? 0
                    : uint32_t(function.instructions.size() - 1);
  inst.exec = [](Warp &warp, const Inst &inst, uint32_t mask) {
    return warp.ret(inst, mask);
  };
  code.insts.push_back(inst);
  source = nullptr;
  for (auto [inst, label] : labelPatches)
    code.insts[inst].imm = getLabelPc(label);
  watchRegisters(module, code);
}

} // namespace nvfp4::ptx

//===- ParserInstructions.cpp - Instructions and their operands -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands are drafted on a stack, children above their parent's place, and
// moved to the function list by list, so that the members of each list are
// consecutive.
//
// Source: PTX ISA, chapter 6 (instruction operands), section 9.7 (call, brx).
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace nvfp4;
using namespace nvfp4::ptx;

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

/// `@p` or `@!p`
bool Parser::parseGuard(Instruction &instruction) {
  advance();
  instruction.hasGuard = true;
  instruction.isGuardNegated = consume('!');
  Token name;
  if (!expectIdentifier("a predicate after '@'", name))
    return false;
  Symbol symbol = names.lookup(names.intern(name.text));
  if (symbol.kind != SymbolKind::Register ||
      function.registers[symbol.index].type != Type::Pred) {
    error(name.location, "expected a predicate register, but got '" +
                             std::string(name.text) + "'");
    return true;
  }
  function.registers[symbol.index].name = name.text;
  instruction.guard = symbol.index;
  return true;
}

bool Parser::parseInstruction() {
  Instruction instruction;
  instruction.location = token.location;
  if (token.is('@') && !parseGuard(instruction))
    return false;
  Token opcode;
  if (!expectIdentifier("an instruction", opcode))
    return false;
  instruction.opcode = opcode.text;
  instruction.firstQualifier = uint32_t(module.qualifiers.size());
  for (; token.kind == TokenKind::DotWord; advance())
    module.qualifiers.push_back(token.text.substr(1));
  size_t numQualifiers = module.qualifiers.size() - instruction.firstQualifier;
  if (numQualifiers > 0xFFFF)
    return failExpected("at most 65535 qualifiers before this");
  instruction.numQualifiers = uint16_t(numQualifiers);

  drafts.clear();
  listDepth = 0;
  if (!(opcode.is("call") ? parseCall() : parseOperands()))
    return false;
  if (!expect(';', "after the operands"))
    return false;
  instruction.numOperands = uint32_t(drafts.size());
  instruction.firstOperand = commit(0);
  function.instructions.push_back(instruction);
  return true;
}

bool Parser::parseOperands() {
  if (token.is(';'))
    return true;
  do {
    if (!parseOperand())
      return false;
  } while (consume(','));
  return true;
}

/// `(results), callee, (arguments), targets`: lists and targets may be missing.
bool Parser::parseCall() {
  if (token.is('(')) {
    if (!parseList(')', "after the results") ||
        !expect(',', "after the results"))
      return false;
  } else {
    drafts.emplace_back().kind = Operand::Kind::Vector;
  }
  if (!parseCallee())
    return false;
  bool hasMore = consume(',');
  if (hasMore && token.is('(')) {
    if (!parseList(')', "after the arguments"))
      return false;
    hasMore = consume(',');
  } else {
    drafts.emplace_back().kind = Operand::Kind::Vector;
  }
  if (!hasMore)
    return true;
  Token name;
  if (!expectIdentifier("a prototype or a list of targets", name))
    return false;
  drafts.push_back(makeAwaited(name, Awaited::CallTargets));
  return true;
}

bool Parser::parseCallee() {
  Token name;
  if (!expectIdentifier("the function to call", name))
    return false;
  Symbol symbol = names.lookup(names.intern(name.text));
  if (symbol.kind == SymbolKind::Register) {
    Operand operand;
    bool isParsed = parseRegisterOperand(name, symbol, operand);
    drafts.push_back(operand);
    return isParsed;
  }
  drafts.push_back(makeAwaited(name, Awaited::Function));
  return true;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

bool Parser::parseOperand() {
  if (token.kind == TokenKind::Identifier)
    return parseNameOperand();
  if (token.is('['))
    return parseAddress();
  if (token.is('{'))
    return parseList('}', "after the elements");
  if (token.is('!') || token.is('-'))
    return parseNegated();
  if (token.kind != TokenKind::Number && !token.is('(') && !token.is('~') &&
      !token.is('+'))
    return failExpected("an operand");
  Constant value;
  if (!parseConstant(value))
    return false;
  Operand operand;
  operand.kind = value.kind == Constant::Kind::Float32 ? Operand::Kind::Float32
                 : value.isInteger()                   ? Operand::Kind::Integer
                                                       : Operand::Kind::Float64;
  operand.integer = int64_t(value.bits);
  drafts.push_back(operand);
  return true;
}

/// `!p`, `-r`, or a constant expression that starts so.
bool Parser::parseNegated() {
  Lexer start = before;
  Token sign = token;
  advance();
  if (token.kind == TokenKind::Identifier && !token.is("WARP_SZ")) {
    if (!parseNameOperand())
      return false;
    if (drafts.back().kind != Operand::Kind::Register) {
      error(sign.location, "expected a register after '" +
                               std::string(sign.text) +
                               "', but got something else");
      return true;
    }
    drafts.back().isNegated = true;
    return true;
  }
  lexer = start;
  advance();
  Constant value;
  if (!parseConstant(value))
    return false;
  Operand operand;
  operand.kind =
      value.isInteger() ? Operand::Kind::Integer : Operand::Kind::Float64;
  operand.integer = int64_t(value.bits);
  drafts.push_back(operand);
  return true;
}

/// `{a, b}` or `(a, b)`: one operand of kind Vector.
bool Parser::parseList(char close, std::string_view where) {
  if (++listDepth > kMaxListDepth)
    return failExpected("fewer lists inside of lists");
  size_t first = drafts.size();
  advance();
  while (!token.is(close)) {
    if (!parseOperand())
      return false;
    if (!consume(','))
      break;
  }
  if (!expect(close, where))
    return false;
  Operand list;
  list.kind = Operand::Kind::Vector;
  list.numChildren = uint32_t(drafts.size() - first);
  list.firstChild = commit(first);
  drafts.push_back(list);
  --listDepth;
  return true;
}

/// `[base + offset]`, `[map, {x, y}]`
bool Parser::parseAddress() {
  if (++listDepth > kMaxListDepth)
    return failExpected("fewer lists inside of lists");
  size_t first = drafts.size();
  advance();
  Operand address, base;
  address.kind = Operand::Kind::Address;
  if (!parseAddressBase(base, address))
    return false;
  drafts.push_back(base);
  while (consume(','))
    if (!parseOperand())
      return false;
  if (!expect(']', "after the address"))
    return false;
  address.numChildren = uint32_t(drafts.size() - first);
  address.firstChild = commit(first);
  drafts.push_back(address);
  --listDepth;
  return true;
}

bool Parser::parseAddressBase(Operand &base, Operand &address) {
  if (token.kind != TokenKind::Identifier || token.is("WARP_SZ")) {
    Token place = token;
    Constant value;
    if (!parseConstant(value))
      return false;
    if (!value.isInteger())
      error(place.location, "expected an integer as address, but got '" +
                                std::string(place.text) + "'");
    base.kind = Operand::Kind::Integer;
    base.integer = int64_t(value.bits);
    return true;
  }
  Token name = token;
  if (!parseSingleName(base))
    return false;
  bool isBase = base.kind == Operand::Kind::Register ||
                base.kind == Operand::Kind::Variable ||
                base.kind == Operand::Kind::Special;
  if (!isBase) {
    error(name.location, "expected a register or a variable as address, but "
                         "got '" +
                             std::string(name.text) + "'");
    base = Operand();
  }
  // The offset belongs to the address, whatever its base is.
  address.integer = base.integer;
  base.integer = 0;
  return parseOffset(address.integer);
}

/// A name, or a pair `p|q`.
bool Parser::parseNameOperand() {
  Operand operand;
  if (!parseSingleName(operand))
    return false;
  if (!token.is('|')) {
    drafts.push_back(operand);
    return true;
  }
  advance();
  size_t first = drafts.size();
  drafts.push_back(operand);
  Operand second;
  if (token.kind != TokenKind::Identifier)
    return failExpected("a register after '|'");
  if (!parseSingleName(second))
    return false;
  drafts.push_back(second);
  Operand pair;
  pair.kind = Operand::Kind::Pair;
  pair.numChildren = 2;
  pair.firstChild = commit(first);
  drafts.push_back(pair);
  return true;
}

bool Parser::parseSingleName(Operand &operand) {
  Token name = token;
  advance();
  if (name.is("_"))
    return true;
  Symbol symbol = names.lookup(names.intern(name.text));
  switch (symbol.kind) {
  case SymbolKind::Register:
    return parseRegisterOperand(name, symbol, operand);
  case SymbolKind::ModuleVariable:
  case SymbolKind::LocalVariable:
    return parseVariableOperand(symbol, operand);
  case SymbolKind::Special:
    return parseSpecial(name, symbol, operand);
  case SymbolKind::Function:
    operand.kind = Operand::Kind::Function;
    operand.index = symbol.index;
    return true;
  case SymbolKind::None:
    if (name.text[0] == '%') {
      error(name.location, "expected a declared register, but got '" +
                               std::string(name.text) + "'");
      return true;
    }
    break;
  case SymbolKind::Label:
  case SymbolKind::TargetList:
  case SymbolKind::Prototype:
    break;
  }
  // An inner scope may still declare a label of this name.
  operand = makeAwaited(name, Awaited::Any);
  return true;
}

/// The text from the start of `name` to the end of the token before this one.
static std::string_view join(const Token &name, const Token &last) {
  return {name.text.data(), size_t(last.end() - name.text.data())};
}

/// `%r1`, `v.x`, `%r1.b0`; a vector register as a whole is a Vector.
bool Parser::parseRegisterOperand(const Token &name, const Symbol &symbol,
                                  Operand &operand) {
  static constexpr std::string_view kSelectors[] = {".b0", ".b1", ".b2",
                                                    ".b3", ".h0", ".h1"};
  operand.kind = Operand::Kind::Register;
  operand.index = symbol.index;
  bool hasSuffix = token.kind == TokenKind::DotWord;
  if (symbol.components == 1) {
    function.registers[symbol.index].name = name.text;
    if (!hasSuffix)
      return true;
    bool isKnown = false;
    for (std::string_view selector : kSelectors)
      isKnown |= token.is(selector);
    if (!isKnown)
      return failExpected("a selector such as '.b0' or '.h1'");
    operand.name = token.text;
    advance();
    return true;
  }
  static constexpr std::string_view kComponents = "xyzwrgba";
  if (hasSuffix) {
    size_t position = token.text.size() == 2 ? kComponents.find(token.text[1])
                                             : std::string_view::npos;
    if (position == std::string_view::npos || position % 4 >= symbol.components)
      return failExpected("a component of the vector register");
    advance();
    operand.index += uint32_t(position % 4);
    function.registers[operand.index].name = join(name, previous);
    return true;
  }
  std::vector<Operand> elements(symbol.components, operand);
  for (uint32_t i = 0; i < symbol.components; ++i)
    elements[i].index += i;
  size_t first = drafts.size();
  drafts.insert(drafts.end(), elements.begin(), elements.end());
  operand = Operand();
  operand.kind = Operand::Kind::Vector;
  operand.numChildren = symbol.components;
  operand.firstChild = commit(first);
  return true;
}

/// `%tid.x`, `%laneid`
bool Parser::parseSpecial(const Token &name, const Symbol &symbol,
                          Operand &operand) {
  operand.kind = Operand::Kind::Special;
  operand.name = name.text;
  if (token.kind != TokenKind::DotWord)
    return true;
  static constexpr std::string_view kComponents = ".x.y.z.w";
  size_t position = token.text.size() == 2 ? kComponents.find(token.text)
                                           : std::string_view::npos;
  if (position / 2 >= symbol.components || symbol.components == 1)
    return failExpected("a component of '" + std::string(name.text) + "'");
  advance();
  operand.name = join(name, previous);
  return true;
}

/// `var`, `var+4`
bool Parser::parseVariableOperand(const Symbol &symbol, Operand &operand) {
  operand.kind = Operand::Kind::Variable;
  operand.isLocalVariable = symbol.kind == SymbolKind::LocalVariable;
  operand.index = symbol.index;
  return parseOffset(operand.integer);
}

//===----------------------------------------------------------------------===//
// Names that may be declared later
//===----------------------------------------------------------------------===//

/// Until `commit` the draft keeps what is awaited in `integer`.
Operand Parser::makeAwaited(const Token &name, Awaited awaited) const {
  Operand operand;
  operand.kind = Operand::Kind::Name;
  operand.name = name.text;
  operand.integer = int64_t(awaited);
  return operand;
}

uint32_t Parser::commit(size_t firstDraft) {
  uint32_t first = uint32_t(function.operands.size());
  for (size_t i = firstDraft; i < drafts.size(); ++i) {
    Operand &draft = drafts[i];
    uint32_t index = uint32_t(function.operands.size());
    Awaited awaited = Awaited(draft.integer);
    bool isAwaited = draft.kind == Operand::Kind::Name;
    if (isAwaited)
      draft.integer = 0;
    function.operands.push_back(draft);
    if (isAwaited)
      addFixup({awaited, index, kNone, functionIndex, names.intern(draft.name),
                draft.name.data()});
  }
  drafts.resize(firstDraft);
  return first;
}

void Parser::addFixup(const Fixup &fixup) {
  Symbol symbol = names.lookup(fixup.name);
  // Only the innermost scope can have the last word already.
  bool isFinal =
      symbol.kind == SymbolKind::Function || symbol.depth == names.getDepth();
  if (!isFinal || !settle(fixup, symbol))
    fixups.push_back(fixup);
}

bool Parser::settle(const Fixup &fixup, const Symbol &symbol) {
  static constexpr struct {
    SymbolKind kind;
    bool isAny, isLabel, isFunction, isCallTargets;
    Operand::Kind operand;
  } kRows[] = {
      {SymbolKind::Label, true, true, false, false, Operand::Kind::Label},
      {SymbolKind::Function, true, false, true, false, Operand::Kind::Function},
      {SymbolKind::TargetList, true, false, false, true, Operand::Kind::Name},
      {SymbolKind::Prototype, true, false, false, true, Operand::Kind::Name},
  };
  for (const auto &row : kRows) {
    bool isAwaited = fixup.awaited == Awaited::Any        ? row.isAny
                     : fixup.awaited == Awaited::Label    ? row.isLabel
                     : fixup.awaited == Awaited::Function ? row.isFunction
                                                          : row.isCallTargets;
    if (row.kind != symbol.kind || !isAwaited)
      continue;
    // Functions may become known only when their user is in the module.
    Function &user = isInFunction ? function : module.functions[fixup.function];
    if (fixup.list != kNone) {
      TargetList &list = user.targetLists[fixup.list];
      (fixup.awaited == Awaited::Label ? list.labels
                                       : list.functions)[fixup.operand] =
          symbol.index;
      return true;
    }
    Operand &operand = user.operands[fixup.operand];
    operand.kind = row.operand;
    operand.index = symbol.index;
    operand.isPrototype = symbol.kind == SymbolKind::Prototype;
    return true;
  }
  return false;
}

/// Settles what the innermost scope declares, and leaves the rest to the scope
/// around it; behind the outermost one only functions are left.
void Parser::settleScope() {
  size_t kept = scopeFixups.back();
  for (size_t i = kept; i < fixups.size(); ++i) {
    Symbol symbol = names.lookup(fixups[i].name);
    if (symbol.depth == names.getDepth() && settle(fixups[i], symbol))
      continue;
    fixups[kept++] = fixups[i];
  }
  fixups.resize(kept);
  if (scopeFixups.size() > 1)
    return;
  for (const Fixup &fixup : fixups) {
    bool mayFollow =
        (fixup.awaited == Awaited::Any || fixup.awaited == Awaited::Function) &&
        names.lookup(fixup.name).kind == SymbolKind::None &&
        fixup.function != kNone;
    if (mayFollow)
      functionFixups.push_back(fixup);
    else
      reportUnknown(fixup);
  }
  fixups.clear();
}

void Parser::settleFunctions() {
  for (const Fixup &fixup : functionFixups) {
    Symbol symbol = names.lookup(fixup.name);
    if (symbol.kind != SymbolKind::Function || !settle(fixup, symbol))
      reportUnknown(fixup);
  }
}

void Parser::reportUnknown(const Fixup &fixup) {
  static constexpr std::string_view kAwaited[] = {
      "a declared register, variable, label or function", "a label",
      "a declared function", "a prototype or a list of call targets"};
  error(fixup.place,
        "expected " + std::string(kAwaited[unsigned(fixup.awaited)]) +
            ", but got '" + std::string(names.getText(fixup.name)) + "'");
}

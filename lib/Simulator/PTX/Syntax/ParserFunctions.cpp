//===- ParserFunctions.cpp - Headers, bodies, scopes, labels --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A function is built in `Parser::function` and moved into the module when its
// body ends; its index is known as soon as its header is read, so that it can
// call itself.
//
// Source: PTX ISA, chapters 7 (functions) and 11 (directives).
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace nvfp4;
using namespace nvfp4::ptx;

//===----------------------------------------------------------------------===//
// Headers
//===----------------------------------------------------------------------===//

namespace {

/// A directive between the parameters and the body.
struct PerformanceRow {
  std::string_view name;
  unsigned minArguments;
  unsigned maxArguments;
  /// Where three arguments go, missing ones as 1.
  uint32_t (Function::*values)[3];
  bool Function::*flag;
};

constexpr PerformanceRow kPerformanceDirectives[] = {
    {".maxntid", 1, 3, &Function::maxThreads, nullptr},
    {".reqntid", 1, 3, &Function::requiredThreads, nullptr},
    {".reqnctapercluster", 1, 3, &Function::requiredCluster, nullptr},
    {".explicitcluster", 0, 0, nullptr, &Function::hasExplicitCluster},
    {".noreturn", 0, 0, nullptr, &Function::isNoReturn},
    {".maxnreg", 1, 1, nullptr, nullptr},
    {".minnctapersm", 1, 1, nullptr, nullptr},
    {".maxnctapersm", 1, 1, nullptr, nullptr},
    {".maxclusterrank", 1, 1, nullptr, nullptr},
    {".blocksareclusters", 0, 0, nullptr, nullptr},
    {".abi_preserve", 1, 1, nullptr, nullptr},
    {".abi_preserve_control", 1, 1, nullptr, nullptr},
};

} // namespace

bool Parser::parsePerformanceDirective(bool &isKnown) {
  const PerformanceRow *row = nullptr;
  for (const PerformanceRow &candidate : kPerformanceDirectives)
    if (token.is(candidate.name))
      row = &candidate;
  isKnown = row != nullptr;
  if (!row)
    return true;
  advance();
  uint32_t values[3] = {1, 1, 1};
  for (unsigned i = 0; i < row->maxArguments; ++i) {
    uint64_t value = 0;
    if (i && !consume(','))
      break;
    if (!parseCount("a number", ~0u, value))
      return false;
    values[i] = uint32_t(value);
  }
  if (row->values)
    for (unsigned i = 0; i < 3; ++i)
      (function.*row->values)[i] = values[i];
  if (row->flag)
    function.*row->flag = true;
  return true;
}

bool Parser::parsePerformanceDirectives() {
  while (token.kind == TokenKind::DotWord) {
    bool isKnown = false;
    if (!parsePerformanceDirective(isKnown))
      return false;
    if (isKnown)
      continue;
    if (token.is(".attribute")) {
      advance();
      if (!skipParenthesized())
        return false;
    } else if (token.is(".pragma")) {
      advance();
      if (!parsePragma())
        return false;
    } else {
      // Likely the ';' of a declaration is missing.
      isSemicolonMissing = true;
      return failExpected("'{' or a directive of the function");
    }
  }
  return true;
}

/// One formal parameter: `.param .align 8 .b8 p[24]` or `.reg .b32 r`.
bool Parser::parseParameter(std::vector<Variable> &list) {
  Specifier specifier;
  bool isRegister = token.is(".reg");
  if (!isRegister && !token.is(".param"))
    return failExpected("'.param' or '.reg'");
  specifier.space = isRegister ? Space::Register : Space::Param;
  advance();
  Variable variable;
  std::vector<uint64_t> dimensions;
  if (!parseSpecifier(specifier) ||
      !parseDeclarator(specifier, variable, dimensions))
    return false;
  list.push_back(std::move(variable));
  return true;
}

bool Parser::parseParameters(std::vector<Variable> &list) {
  if (!expect('(', "before the parameters"))
    return false;
  if (consume(')'))
    return true;
  do {
    if (!parseParameter(list))
      return false;
  } while (consume(','));
  return expect(')', "after the parameters");
}

/// Makes parameters visible to the body. `bits` tell parameters from results.
void Parser::declareParameters(const std::vector<Variable> &list,
                               std::vector<uint32_t> &registers,
                               uint32_t bits) {
  for (uint32_t i = 0; i < list.size(); ++i) {
    const Variable &variable = list[i];
    Token name{TokenKind::Identifier, variable.name, variable.location};
    if (variable.space == Space::Register) {
      registers.push_back(uint32_t(function.registers.size()));
      addRegisters(name, variable.type, variable.vectorSize, std::nullopt);
      continue;
    }
    registers.push_back(kNone);
    // A declaration may leave its parameters without names.
    if (variable.name != "_" &&
        !names.declare(names.intern(variable.name),
                       {SymbolKind::LocalVariable, 1, 0, i | bits}))
      reportTaken(name);
  }
}

/// `(results) name (parameters) directives`
bool Parser::parseFunctionHeader(Token &name) {
  if (!parsePerformanceDirectives())
    return false;
  if (token.is('(') && !function.isEntry && !parseParameters(function.results))
    return false;
  if (!parsePerformanceDirectives() ||
      !expectIdentifier("the name of a function", name))
    return false;
  function.name = name.text;
  function.location = name.location;
  if (token.is('(') && !parseParameters(function.parameters))
    return false;
  return parsePerformanceDirectives();
}

/// Whether the function that is being parsed can be what `declaration` says.
bool Parser::matchesDeclaration(const Function &declaration) const {
  auto match = [](const std::vector<Variable> &lhs,
                  const std::vector<Variable> &rhs) {
    if (lhs.size() != rhs.size())
      return false;
    for (size_t i = 0; i < lhs.size(); ++i)
      if (lhs[i].size != rhs[i].size || lhs[i].space != rhs[i].space)
        return false;
    return true;
  };
  return declaration.isEntry == function.isEntry &&
         match(declaration.results, function.results) &&
         match(declaration.parameters, function.parameters);
}

std::optional<uint32_t> Parser::addFunction(const Token &name) {
  NameId id = names.intern(name.text);
  Symbol known = names.lookup(id);
  if (known.kind == SymbolKind::Function) {
    Function &other = module.functions[known.index];
    if (!matchesDeclaration(other)) {
      error(name.location, "expected the parameters that '" +
                               std::string(name.text) +
                               "' was declared with, but got others");
      return std::nullopt;
    }
    if (other.isDeclaration || function.isDeclaration)
      return known.index;
  }
  Symbol symbol;
  symbol.kind = SymbolKind::Function;
  symbol.index = uint32_t(module.functions.size());
  if (!names.declare(id, symbol)) {
    reportTaken(name);
    return std::nullopt;
  }
  module.functions.emplace_back();
  module.functions.back().isDeclaration = true;
  return symbol.index;
}

bool Parser::parseFunction(bool isEntry) {
  function = Function();
  function.isEntry = isEntry;
  functionIndex = kNone;
  Token name;
  if (!parseFunctionHeader(name))
    return false;
  function.isDeclaration = token.is(';');
  if (!function.isDeclaration && !token.is('{'))
    return failExpected("'{' or ';' after the header of the function");
  std::optional<uint32_t> index = addFunction(name);
  functionIndex = index.value_or(kNone);

  // Parameters have a scope of their own, which holds the body.
  names.openScope();
  declareParameters(function.results, function.resultRegisters,
                    kParameterBit | kResultBit);
  declareParameters(function.parameters, function.parameterRegisters,
                    kParameterBit);
  if (function.isDeclaration)
    advance();
  else
    parseBody();
  names.closeScope();
  bool isBetter = index && (!function.isDeclaration ||
                            module.functions[*index].name.empty());
  if (isBetter)
    module.functions[*index] = std::move(function);
  return true;
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

void Parser::openScope() {
  names.openScope();
  scopeFixups.push_back(fixups.size());
}

void Parser::closeScope() {
  settleScope();
  scopeFixups.pop_back();
  names.closeScope();
}

void Parser::parseBody() {
  isInFunction = true;
  advance();
  openScope();
  while (!scopeFixups.empty()) {
    if (token.kind == TokenKind::End) {
      failExpected("'}' at the end of '" + std::string(function.name) + "'");
      while (!scopeFixups.empty())
        closeScope();
    } else if (token.is('}')) {
      closeScope();
      // The token behind the body belongs to the module.
      isInFunction = !scopeFixups.empty();
      advance();
    } else {
      parseStatement();
    }
  }
  isInFunction = false;
}

void Parser::parseStatement() {
  Lexer start = before;
  Token first = token;
  bool isParsed;
  isSemicolonMissing = false;
  if (token.kind == TokenKind::Identifier) {
    isParsed = lexer.isColonNext() ? parseLabel() : parseInstruction();
  } else if (token.is('@')) {
    isParsed = parseInstruction();
  } else if (token.kind == TokenKind::DotWord) {
    isParsed = parseBodyDirective();
  } else if (token.is('{')) {
    isParsed = scopeFixups.size() < kMaxScopes ||
               failExpected("at most " + std::to_string(kMaxScopes) +
                            " nested scopes");
    if (isParsed) {
      advance();
      openScope();
    }
  } else {
    isParsed = failExpected("an instruction, a label or a directive");
  }
  if (!isParsed)
    recoverFrom(first, start);
}

bool Parser::parseBodyDirective() {
  struct Row {
    std::string_view name;
    std::optional<Space> space;
    bool (Parser::*parse)();
  };
  static constexpr Row kDirectives[] = {
      {".loc", std::nullopt, &Parser::parseLoc},
      {".reg", std::nullopt, &Parser::parseRegisters},
      {".param", Space::Param, nullptr},
      {".local", Space::Local, nullptr},
      {".shared", Space::Shared, nullptr},
      {".global", Space::Global, nullptr},
      {".const", Space::Constant, nullptr},
      {".pragma", std::nullopt, &Parser::parsePragma},
      {".file", std::nullopt, &Parser::parseFile},
      {".section", std::nullopt, &Parser::parseSection},
  };
  bool isExternal = token.is(".extern");
  if (isExternal)
    advance();
  for (const Row &row : kDirectives) {
    if (!token.is(row.name))
      continue;
    advance();
    return row.space ? parseVariables(*row.space, isExternal)
                     : (this->*row.parse)();
  }
  return failExpected("an instruction, a label or a directive");
}

//===----------------------------------------------------------------------===//
// Labels
//===----------------------------------------------------------------------===//

void Parser::declareLabel(const Token &name, Symbol symbol) {
  if (!names.declare(names.intern(name.text), symbol))
    reportTaken(name);
}

/// `name:`, and a list or a prototype that the label may name.
bool Parser::parseLabel() {
  Token name = token;
  advance(); // the name
  advance(); // the colon
  if (token.is(".callprototype"))
    return parsePrototype(name);
  if (token.is(".branchtargets") || token.is(".calltargets"))
    return parseTargetList(name, token.is(".calltargets"));
  declareLabel(name,
               {SymbolKind::Label, 1, 0, uint32_t(function.labels.size())});
  function.labels.push_back(
      {name.text, uint32_t(function.instructions.size()), name.location});
  return true;
}

/// `.callprototype (results) _ (parameters) .noreturn;`
bool Parser::parsePrototype(const Token &name) {
  advance();
  Prototype prototype;
  prototype.name = name.text;
  Token ignored;
  if ((token.is('(') && !parseParameters(prototype.results)) ||
      !expectIdentifier("'_' between results and parameters", ignored) ||
      (token.is('(') && !parseParameters(prototype.parameters)))
    return false;
  bool isKnown = true;
  while (token.kind == TokenKind::DotWord && isKnown) {
    // What a directive says here is about the callee, not this function.
    bool isNoReturn = function.isNoReturn;
    if (!parsePerformanceDirective(isKnown))
      return false;
    function.isNoReturn = isNoReturn;
  }
  declareLabel(name, {SymbolKind::Prototype, 1, 0,
                      uint32_t(function.prototypes.size())});
  function.prototypes.push_back(std::move(prototype));
  return expect(';', "after the prototype");
}

/// `.branchtargets L1, L2;` or `.calltargets f, g;`
bool Parser::parseTargetList(const Token &name, bool ofFunctions) {
  advance();
  uint32_t index = uint32_t(function.targetLists.size());
  declareLabel(name, {SymbolKind::TargetList, 1, 0, index});
  function.targetLists.emplace_back();
  function.targetLists[index].name = name.text;
  do {
    Token target;
    if (!expectIdentifier(ofFunctions ? "a function" : "a label", target))
      return false;
    TargetList &list = function.targetLists[index];
    std::vector<uint32_t> &targets = ofFunctions ? list.functions : list.labels;
    targets.push_back(0);
    addFixup({ofFunctions ? Awaited::Function : Awaited::Label,
              uint32_t(targets.size()) - 1, index, functionIndex,
              names.intern(target.text), target.text.data()});
  } while (consume(','));
  return expect(';', "after the targets");
}

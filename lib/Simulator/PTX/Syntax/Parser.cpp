//===- Parser.cpp - Module directives, errors, recovery -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands outside of functions, and how errors are reported. After an error
// the parser goes on behind the next `;`, so that one run shows all of them.
//
// Source: PTX ISA, chapter 11 (directives).
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <algorithm>
#include <charconv>

using namespace nvfp4;
using namespace nvfp4::ptx;

/// How a token looks in a message.
static std::string quote(const Token &token) {
  constexpr size_t kMaxShown = 40;
  if (token.kind == TokenKind::End)
    return "the end of the file";
  std::string shown = "'";
  for (char c : token.text.substr(0, kMaxShown))
    shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (token.text.size() > kMaxShown ? "...'" : "'");
}

Parser::Parser(Module &module) : module(module), lexer(module.text) {
  declareSpecialRegisters(names);
}

//===----------------------------------------------------------------------===//
// Tokens and errors
//===----------------------------------------------------------------------===//

void Parser::advance() {
  previous = token;
  before = lexer;
  // After too many errors the file is over, wherever the lexer is.
  token = hasStopped ? Token() : lexer.next();
  if (token.kind != TokenKind::Unterminated)
    return;
  bool isComment = token.text[0] == '/';
  error(token.location,
        isComment ? "expected '*/' at the end of the comment, but got the end "
                    "of the file"
                  : "expected '\"' at the end of the string, but got the end "
                    "of the line");
  if (!hasStopped)
    token.kind = isComment ? TokenKind::End : TokenKind::Unknown;
}

bool Parser::consume(char punctuator) {
  if (!token.is(punctuator))
    return false;
  advance();
  return true;
}

bool Parser::expect(char punctuator, std::string_view where) {
  if (consume(punctuator))
    return true;
  isSemicolonMissing = punctuator == ';';
  return failExpected("'" + std::string(1, punctuator) + "' " +
                      std::string(where));
}

bool Parser::expectIdentifier(std::string_view what, Token &name) {
  if (token.kind != TokenKind::Identifier)
    return failExpected(what);
  name = token;
  advance();
  return true;
}

bool Parser::failExpected(std::string_view what) {
  error(token.location,
        "expected " + std::string(what) + ", but got " + quote(token));
  return false;
}

void Parser::error(Location location, std::string message) {
  if (hasStopped)
    return;
  for (const Diagnostic &known : diagnostics)
    if (known.location.line == location.line &&
        known.location.column == location.column)
      return;
  diagnostics.push_back({location, std::move(message)});
  if (diagnostics.size() < kMaxErrors)
    return;
  hasStopped = true;
  token = Token();
}

void Parser::error(const char *place, std::string message) {
  // Finding the line reads the whole text: not for errors that nobody sees.
  if (!hasStopped)
    error(locate(place), std::move(message));
}

void Parser::reportTaken(const Token &name) {
  error(name.location, "expected a new name, but got " + quote(name) +
                           ", which is declared already");
}

Location Parser::locate(const char *place) const {
  const char *start = module.text.data();
  Location location{1, 1};
  for (const char *at = start; at < place; ++at) {
    ++location.column;
    if (*at == '\n')
      location = {location.line + 1, 1};
  }
  return location;
}

void Parser::recover(const Lexer &start) {
  if (hasStopped)
    return;
  // Behind a missing ';' at the end of a line, the next line is intact.
  if (isSemicolonMissing && token.location.line > previous.location.line)
    return;
  lexer = start;
  advance();
  unsigned depth = 0;
  for (; token.kind != TokenKind::End; advance()) {
    if (token.is('{')) {
      ++depth;
    } else if (token.is('}')) {
      if (depth == 0)
        return;
      if (--depth == 0 && !isInFunction) {
        advance();
        consume(';');
        return;
      }
    } else if (token.is(';') && (depth == 0 || isInFunction)) {
      advance();
      return;
    }
  }
}

std::string Parser::formatErrors() const {
  std::vector<Diagnostic> sorted = diagnostics;
  // No two errors are at the same place.
  std::sort(sorted.begin(), sorted.end(),
            [](const Diagnostic &lhs, const Diagnostic &rhs) {
              return std::pair(lhs.location.line, lhs.location.column) <
                     std::pair(rhs.location.line, rhs.location.column);
            });
  std::string text;
  for (const Diagnostic &diagnostic : sorted) {
    if (!text.empty())
      text += '\n';
    text += module.fileName + ':' + std::to_string(diagnostic.location.line) +
            ':' + std::to_string(diagnostic.location.column) + ": " +
            diagnostic.message;
  }
  return text;
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

bool Parser::parse() {
  advance();
  parseHeader();
  while (token.kind != TokenKind::End)
    parseModuleStatement();
  settleFunctions();
  resolveAliases();
  return diagnostics.empty();
}

void Parser::parseHeader() {
  // Debug information may come first.
  while (token.is(".file") || token.is(".loc") || token.is(".section"))
    parseModuleStatement();
  if (!token.is(".version"))
    failExpected("'.version' at the start of the module");
  else
    parseModuleStatement();
  if (!token.is(".target"))
    failExpected("'.target' after '.version'");
}

namespace {

/// Directives that end with their line, not with a ';'.
constexpr std::string_view kLineDirectives[] = {
    ".version", ".target", ".address_size", ".file", ".loc"};

bool isLineDirective(std::string_view name) {
  return std::find(std::begin(kLineDirectives), std::end(kLineDirectives),
                   name) != std::end(kLineDirectives);
}

} // namespace

void Parser::recoverFrom(const Token &directive, const Lexer &start) {
  if (!isLineDirective(directive.text))
    return recover(start);
  while (token.kind != TokenKind::End &&
         token.location.line == directive.location.line)
    advance();
}

void Parser::parseModuleStatement() {
  struct Row {
    std::string_view name;
    bool (Parser::*parse)();
  };
  // These know by which name they were called.
  static constexpr Row kDeclarations[] = {
      {".global", &Parser::parseModuleVariable},
      {".const", &Parser::parseModuleVariable},
      {".shared", &Parser::parseModuleVariable},
      {".func", &Parser::parseFunctionDirective},
      {".entry", &Parser::parseFunctionDirective},
      {".extern", &Parser::parseLinkage},
      {".visible", &Parser::parseLinkage},
      {".weak", &Parser::parseLinkage},
      {".common", &Parser::parseLinkage},
  };
  static constexpr Row kDirectives[] = {
      {".version", &Parser::parseVersion},
      {".target", &Parser::parseTarget},
      {".address_size", &Parser::parseAddressSize},
      {".file", &Parser::parseFile},
      {".loc", &Parser::parseLoc},
      {".pragma", &Parser::parsePragma},
      {".section", &Parser::parseSection},
      {".alias", &Parser::parseAlias},
  };
  Lexer start = before;
  Token directive = token;
  isExtern = false;
  isSemicolonMissing = false;
  for (const Row &row : kDeclarations) {
    if (!directive.is(row.name))
      continue;
    if (!(this->*row.parse)())
      recover(start);
    return;
  }
  for (const Row &row : kDirectives) {
    if (!directive.is(row.name))
      continue;
    advance();
    if (!(this->*row.parse)())
      recoverFrom(directive, start);
    return;
  }
  failExpected("a directive of the module");
  recover(start);
  consume('}');
}

/// `.version 8.7`
bool Parser::parseVersion() {
  const char *data = token.text.data();
  const char *end = token.end();
  auto major = std::from_chars(data, end, module.versionMajor);
  bool isVersion = token.kind == TokenKind::Number && major.ec == std::errc() &&
                   major.ptr != end && *major.ptr == '.';
  if (isVersion) {
    auto minor = std::from_chars(major.ptr + 1, end, module.versionMinor);
    isVersion = minor.ec == std::errc() && minor.ptr == end;
  }
  if (!isVersion || module.versionMajor < 1 || module.versionMajor > 9)
    return failExpected("a PTX version from 1.0 to 9.x");
  advance();
  return true;
}

/// `.target sm_120a, debug`
bool Parser::parseTarget() {
  do {
    Token name;
    if (!expectIdentifier("a target such as 'sm_120a'", name))
      return false;
    bool isChip = name.text.substr(0, 3) == "sm_";
    if (isChip)
      module.target = name.text;
    else
      module.targetOptions.push_back(name.text);
  } while (consume(','));
  return true;
}

bool Parser::parseAddressSize() {
  if (!token.is("64") && !token.is("32"))
    return failExpected("an address size of 32 or 64");
  module.addressSize = token.is("64") ? 64 : 32;
  advance();
  return true;
}

/// `.file 1 "name", TIMESTAMP, SIZE`
bool Parser::parseFile() {
  if (token.kind != TokenKind::Number)
    return failExpected("the number of a file");
  advance();
  if (token.kind != TokenKind::String)
    return failExpected("the name of a file in quotes");
  while (token.kind == TokenKind::String)
    advance();
  while (consume(',')) {
    if (token.kind != TokenKind::Number)
      return failExpected("a timestamp or a size of the file");
    advance();
  }
  return true;
}

/// `.loc 1 12 3, function_name $L__info_string0+4, inlined_at 1 20 4`
bool Parser::parseLoc() {
  auto parsePlace = [&] {
    for (const char *what : {"file", "line", "column"}) {
      if (token.kind != TokenKind::Number)
        return failExpected("the number of a " + std::string(what));
      advance();
    }
    return true;
  };
  if (!parsePlace())
    return false;
  while (consume(',')) {
    if (token.is("function_name")) {
      advance();
      Token label;
      int64_t offset = 0;
      if (!expectIdentifier("the label of a function name", label) ||
          !parseOffset(offset))
        return false;
    } else if (token.is("inlined_at")) {
      advance();
      if (!parsePlace())
        return false;
    } else {
      return failExpected("'function_name' or 'inlined_at'");
    }
  }
  return true;
}

/// `.pragma "nounroll", "another";` says nothing about values.
bool Parser::parsePragma() {
  do {
    if (token.kind != TokenKind::String)
      return failExpected("a pragma in quotes");
    advance();
  } while (consume(','));
  return expect(';', "after '.pragma'");
}

/// `.section .debug_info { … }`: debug information, skipped.
bool Parser::parseSection() {
  if (token.kind != TokenKind::DotWord && token.kind != TokenKind::Identifier &&
      token.kind != TokenKind::String)
    return failExpected("the name of a section");
  advance();
  if (!expect('{', "before the contents of the section"))
    return false;
  unsigned depth = 1;
  for (; depth; advance()) {
    if (token.kind == TokenKind::End)
      return failExpected("'}' at the end of the section");
    if (token.is('{'))
      ++depth;
    else if (token.is('}'))
      --depth;
  }
  return true;
}

/// `.alias name, aliasee;`
bool Parser::parseAlias() {
  uint32_t functions[2] = {0, 0};
  for (uint32_t &index : functions) {
    Token name;
    if (!expectIdentifier("the name of a function", name))
      return false;
    Symbol symbol = names.lookup(names.intern(name.text));
    if (symbol.kind != SymbolKind::Function) {
      error(name.location,
            "expected a declared function, but got " + quote(name));
      return skipToSemicolon();
    }
    index = symbol.index;
    if (&index == functions && !expect(',', "between alias and aliasee"))
      return false;
  }
  aliases.push_back({functions[0], functions[1]});
  return expect(';', "after '.alias'");
}

/// Every use of an alias becomes a use of what it stands for.
void Parser::resolveAliases() {
  if (aliases.empty())
    return;
  std::vector<uint32_t> targets(module.functions.size());
  for (uint32_t i = 0; i < targets.size(); ++i)
    targets[i] = i;
  for (auto [alias, aliasee] : aliases)
    targets[alias] = targets[aliasee];
  auto rename = [&](std::vector<Variable> &variables) {
    for (Variable &variable : variables)
      for (Initializer &initializer : variable.initializers)
        if (initializer.function)
          initializer.function = targets[*initializer.function];
  };
  rename(module.variables);
  for (Function &user : module.functions) {
    rename(user.variables);
    for (Operand &operand : user.operands)
      if (operand.kind == Operand::Kind::Function)
        operand.index = targets[operand.index];
    for (TargetList &list : user.targetLists)
      for (uint32_t &index : list.functions)
        index = targets[index];
  }
}

/// `.extern .func …`, `.visible .global …`
bool Parser::parseLinkage() {
  isExtern = token.is(".extern");
  advance();
  if (token.is(".func") || token.is(".entry"))
    return parseFunctionDirective();
  if (token.is(".global") || token.is(".const") || token.is(".shared"))
    return parseModuleVariable();
  return failExpected("a variable or a function after the linkage directive");
}

bool Parser::parseModuleVariable() {
  Space space = token.is(".global")  ? Space::Global
                : token.is(".const") ? Space::Constant
                                     : Space::Shared;
  advance();
  return parseVariables(space, isExtern);
}

bool Parser::parseFunctionDirective() {
  bool isEntry = token.is(".entry");
  advance();
  return parseFunction(isEntry);
}

/// The arguments of an attribute.
bool Parser::skipParenthesized() {
  if (!expect('(', "before the attribute"))
    return false;
  for (unsigned depth = 1; depth; advance()) {
    if (token.kind == TokenKind::End || token.is(';') || token.is('{'))
      return failExpected("')' after the attribute");
    if (token.is('('))
      ++depth;
    else if (token.is(')'))
      --depth;
  }
  return true;
}

bool Parser::skipToSemicolon() {
  while (token.kind != TokenKind::End && !token.is(';') && !token.is('}'))
    advance();
  return expect(';', "at the end of the statement");
}

//===----------------------------------------------------------------------===//
// Entry point
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<Module>> ptx::parseModule(std::string text,
                                                 std::string fileName) {
  if (text.size() > kMaxTextBytes)
    return Status::error(
        fileName + ": expected at most " + std::to_string(kMaxTextBytes) +
        " bytes of PTX, but got " + std::to_string(text.size()));
  auto module = std::make_unique<Module>();
  module->text = std::move(text);
  module->fileName = std::move(fileName);
  Parser parser(*module);
  if (!parser.parse())
    return Status::error(parser.formatErrors());
  return module;
}

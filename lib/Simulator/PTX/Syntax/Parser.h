//===- Parser.h - PTX text as a Module -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One pass of recursive descent over the tokens; what nests (scopes, lists,
// constant expressions) has a limit. Names are resolved on the spot, except
// those that may be declared later: labels and functions. They become `Fixup`s,
// which the end of a scope (labels) and of the file (functions) settles.
//
// Every parse function returns false after reporting an error that leaves the
// position unclear; the caller then skips to the end of the statement. Errors
// of meaning (an unknown name, say) are reported and parsing goes on.
//
//   Parser.cpp              module directives, errors, recovery
//   ParserFunctions.cpp     headers, bodies, scopes, labels
//   ParserVariables.cpp     registers, variables, initializers, prototypes
//   ParserInstructions.cpp  instructions and their operands
//   ParserConstants.cpp     literals and constant expressions
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_SYNTAX_PARSER_H
#define NVFP4_SIMULATOR_PTX_SYNTAX_PARSER_H

#include "Lexer.h"
#include "Names.h"

namespace nvfp4::ptx {

/// Limits that hostile text meets before memory or the stack does.
constexpr size_t kMaxErrors = 50;
constexpr size_t kMaxTextBytes = size_t(1) << 26;
constexpr unsigned kMaxScopes = 64;
constexpr unsigned kMaxExpressionDepth = 64;
constexpr unsigned kMaxDimensions = 16;
constexpr unsigned kMaxListDepth = 4;
constexpr uint64_t kMaxRegistersPerFunction = uint64_t(1) << 20;
constexpr uint64_t kMaxRegistersPerModule = uint64_t(1) << 23;
constexpr uint64_t kMaxVariableBytes = uint64_t(1) << 40;
constexpr uint64_t kMaxInitializerBytes = uint64_t(64) << 20;
constexpr uint32_t kMaxVariableRange = 1u << 16; ///< of a module

/// The value of a constant expression.
struct Constant {
  enum class Kind : uint8_t { Signed, Unsigned, Float32, Float64 };
  Kind kind = Kind::Signed;
  uint64_t bits = 0;

  bool isInteger() const {
    return kind == Kind::Signed || kind == Kind::Unsigned;
  }
};

class Parser {
public:
  explicit Parser(Module &module);

  /// Fills the module. False when there were errors.
  bool parse();
  /// All errors, one per line.
  std::string formatErrors() const;

private:
  //===- Parser.cpp -------------------------------------------------------===//

  void advance();
  /// Consumes the punctuator if it is next.
  bool consume(char punctuator);
  bool expect(char punctuator, std::string_view where);
  bool expectIdentifier(std::string_view what, Token &name);
  /// Reports "expected WHAT, but got <the current token>"; returns false.
  bool failExpected(std::string_view what);
  /// Reports an error of meaning at a place.
  void error(Location location, std::string message);
  void error(const char *place, std::string message);
  /// Reports that a name is declared already.
  void reportTaken(const Token &name);
  Location locate(const char *place) const;
  /// Goes to where the statement that began at `start` ends.
  void recover(const Lexer &start);
  /// The same behind a directive, which may end with its line.
  void recoverFrom(const Token &directive, const Lexer &start);

  void parseModuleStatement();
  void parseHeader();
  bool parseVersion();
  bool parseTarget();
  bool parseAddressSize();
  bool parseFile();
  bool parseLoc();
  bool parsePragma();
  bool parseSection();
  bool parseAlias();
  bool parseLinkage();
  bool parseModuleVariable();
  bool parseFunctionDirective();
  bool skipParenthesized();
  bool skipToSemicolon();
  void resolveAliases();

  //===- ParserConstants.cpp ----------------------------------------------===//

  bool parseConstant(Constant &value);
  bool parseLiteral(Constant &value);
  bool parsePrimary(Constant &value);
  bool parseUnary(Constant &value);
  bool parseBinary(Constant &value, unsigned minPrecedence);
  bool parseTernary(Constant &value);
  /// `+ 8`, `-8`, `+ -8`, and so on; 0 when there is none.
  bool parseOffset(int64_t &offset);
  /// A constant expression that is an integer of at most `limit`.
  bool parseCount(std::string_view what, uint64_t limit, uint64_t &count,
                  bool isInAngles = false);
  bool applyBinary(const Token &op, Constant &lhs, const Constant &rhs);

  //===- ParserVariables.cpp ----------------------------------------------===//

  /// What stands before the names of a declaration.
  struct Specifier {
    Space space = Space::Global;
    Type type = Type::None;
    uint8_t vectorSize = 1;
    uint32_t alignment = 0;
    bool isExtern = false;
  };

  bool parseSpecifier(Specifier &specifier);
  bool parseAlignment(uint32_t &alignment);
  bool parsePointerAttribute();
  bool parseDeclarator(const Specifier &specifier, Variable &variable,
                       std::vector<uint64_t> &dimensions);
  bool parseDimensions(Variable &variable, std::vector<uint64_t> &dimensions);
  bool parseVariables(Space space, bool isExtern);
  bool parseVariableRange(const Variable &variable);
  /// Adds to the module or the function that is being parsed, and declares.
  Variable *addVariable(Variable variable);
  bool parseRegisters();
  bool addRegisters(const Token &name, Type type, uint8_t components,
                    std::optional<uint64_t> count);

  bool parseInitializer(Variable &variable, std::vector<uint64_t> dimensions);
  bool parseInitializerList(Variable &variable,
                            const std::vector<uint64_t> &dimensions,
                            unsigned level, uint64_t offset, uint64_t &count);
  bool parseInitializerScalar(Variable &variable, uint64_t offset);
  bool parseInitializerSymbol(Initializer &initializer);
  void addInitializer(Variable &variable, const Initializer &initializer);
  bool encodeInitializer(const Constant &value, Type type, const Token &place,
                         Initializer &initializer);

  //===- ParserFunctions.cpp ----------------------------------------------===//

  bool parseFunction(bool isEntry);
  bool parseFunctionHeader(Token &name);
  bool parseParameters(std::vector<Variable> &list);
  bool parseParameter(std::vector<Variable> &list);
  void declareParameters(const std::vector<Variable> &list,
                         std::vector<uint32_t> &registers, uint32_t bits);
  bool parsePerformanceDirectives();
  bool parsePerformanceDirective(bool &isKnown);
  /// Index of the function that is being parsed, or none after an error.
  std::optional<uint32_t> addFunction(const Token &name);
  bool matchesDeclaration(const Function &declaration) const;

  void parseBody();
  void parseStatement();
  bool parseBodyDirective();
  bool parseLabel();
  bool parsePrototype(const Token &name);
  bool parseTargetList(const Token &name, bool ofFunctions);
  void declareLabel(const Token &name, Symbol symbol);
  void openScope();
  void closeScope();

  //===- ParserInstructions.cpp -------------------------------------------===//

  /// What may take the place of a name that is not declared yet.
  enum class Awaited : uint8_t { Any, Label, Function, CallTargets };

  /// Where the index of such a name goes.
  struct Fixup {
    Awaited awaited;
    /// Index into Function::operands; or, if not kNone, a list and the place in
    /// it.
    uint32_t operand;
    uint32_t list;
    uint32_t function;
    /// The name, and where it is.
    NameId name;
    const char *place;
  };

  bool parseGuard(Instruction &instruction);
  bool parseInstruction();
  bool parseOperands();
  bool parseCall();
  bool parseCallee();
  bool parseOperand();
  bool parseAddress();
  bool parseAddressBase(Operand &base, Operand &address);
  bool parseList(char close, std::string_view what);
  bool parseNameOperand();
  bool parseSingleName(Operand &operand);
  bool parseRegisterOperand(const Token &name, const Symbol &symbol,
                            Operand &operand);
  bool parseSpecial(const Token &name, const Symbol &symbol, Operand &operand);
  bool parseVariableOperand(const Symbol &symbol, Operand &operand);
  bool parseNegated();
  Operand makeAwaited(const Token &name, Awaited awaited) const;
  /// Moves the last operands of `drafts` to the function; returns the index of
  /// the first.
  uint32_t commit(size_t firstDraft);
  void addFixup(const Fixup &fixup);
  /// Whether `symbol` settles the fixup; then it is settled.
  bool settle(const Fixup &fixup, const Symbol &symbol);
  void settleScope();
  void settleFunctions();
  void reportUnknown(const Fixup &fixup);

  static constexpr uint32_t kNone = ~0u;

  Module &module;
  Lexer lexer;
  Token token;
  /// The token before, for errors about what is missing behind it.
  Token previous;
  /// Position before `token`.
  Lexer before;
  std::vector<Diagnostic> diagnostics;
  bool hasStopped = false;
  /// The error of the statement at hand may be a missing ';'.
  bool isSemicolonMissing = false;

  NameTable names;
  unsigned expressionDepth = 0;
  unsigned listDepth = 0;
  uint64_t numModuleRegisters = 0;
  /// `.extern` stands before the declaration that is being parsed.
  bool isExtern = false;

  /// The function whose header or body is being parsed.
  Function function;
  bool isInFunction = false;
  uint32_t functionIndex = kNone;
  /// Operands of the instruction that is being parsed.
  std::vector<Operand> drafts;
  /// Unsettled names of the open scopes, and where each scope's begin.
  std::vector<Fixup> fixups;
  std::vector<size_t> scopeFixups;
  /// Functions that were used before they were declared.
  std::vector<Fixup> functionFixups;
  /// Pairs of alias and aliasee, as indices of functions.
  std::vector<std::pair<uint32_t, uint32_t>> aliases;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_SYNTAX_PARSER_H

//===- ParserVariables.cpp - Registers, variables, initializers -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Declarations share one form: a specifier (space, alignment, vector, type) and
// declarators (name, dimensions, initializer).
//
// Source: PTX ISA, chapter 5 (state spaces, types, variables).
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <algorithm>
#include <cstring>

using namespace nvfp4;
using namespace nvfp4::ptx;

//===----------------------------------------------------------------------===//
// Specifiers
//===----------------------------------------------------------------------===//

static uint8_t parseVectorSize(std::string_view word) {
  return word == ".v2" ? 2 : word == ".v4" ? 4 : word == ".v8" ? 8 : 0;
}

/// References to textures and surfaces are opaque handles.
static bool isOpaqueType(std::string_view word) {
  return word == ".texref" || word == ".samplerref" || word == ".surfref";
}

bool Parser::parseAlignment(uint32_t &alignment) {
  Token place = token;
  uint64_t value = 0;
  if (!parseCount("an alignment", 1u << 20, value))
    return false;
  if (value == 0 || (value & (value - 1)) != 0)
    error(place.location, "expected a power of two as alignment, but got " +
                              std::to_string(value));
  else
    alignment = uint32_t(value);
  return true;
}

/// Behind `.ptr`: what a pointer parameter points at, which binds nobody.
bool Parser::parsePointerAttribute() {
  for (std::string_view space : {".global", ".const", ".shared", ".local"}) {
    if (token.is(space)) {
      advance();
      break;
    }
  }
  uint32_t ignored = 0;
  if (!token.is(".align"))
    return true;
  advance();
  return parseAlignment(ignored);
}

bool Parser::parseSpecifier(Specifier &specifier) {
  while (token.kind == TokenKind::DotWord) {
    std::string_view word = token.text;
    Type type = parseType(word.substr(1));
    if (type != Type::None || isOpaqueType(word)) {
      if (specifier.type != Type::None)
        return failExpected("one type");
      specifier.type = type != Type::None ? type : Type::B64;
      advance();
    } else if (uint8_t size = parseVectorSize(word)) {
      specifier.vectorSize = size;
      advance();
    } else if (word == ".align") {
      advance();
      if (!parseAlignment(specifier.alignment))
        return false;
    } else if (word == ".ptr") {
      advance();
      if (!parsePointerAttribute())
        return false;
    } else if (word == ".attribute") {
      advance();
      if (!skipParenthesized())
        return false;
    } else {
      return failExpected("a type");
    }
  }
  if (specifier.type == Type::None)
    return failExpected("a type");
  if (specifier.type == Type::Pred && specifier.space != Space::Register)
    return failExpected("a type that memory can hold before this");
  return true;
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// `.reg .b32 %r<100>, %s;`
bool Parser::parseRegisters() {
  Specifier specifier;
  specifier.space = Space::Register;
  if (!parseSpecifier(specifier))
    return false;
  do {
    Token name;
    if (!expectIdentifier("the name of a register", name))
      return false;
    std::optional<uint64_t> count;
    if (consume('<')) {
      count = 0;
      if (!parseCount("a number of registers", kMaxRegistersPerFunction, *count,
                      /*isInAngles=*/true) ||
          !expect('>', "after the number of registers"))
        return false;
    }
    if (!addRegisters(name, specifier.type, specifier.vectorSize, count))
      return false;
  } while (consume(','));
  return expect(';', "after the registers");
}

bool Parser::addRegisters(const Token &name, Type type, uint8_t components,
                          std::optional<uint64_t> count) {
  uint64_t number = count.value_or(1) * components;
  if (function.registers.size() + number > kMaxRegistersPerFunction ||
      numModuleRegisters + number > kMaxRegistersPerModule) {
    error(name.location, "expected at most " +
                             std::to_string(kMaxRegistersPerFunction) +
                             " registers in a function and " +
                             std::to_string(kMaxRegistersPerModule) +
                             " in a module, but got " + std::to_string(number) +
                             " more with '" + std::string(name.text) + "'");
    return true;
  }
  if (number == 0)
    return true;
  Symbol symbol{SymbolKind::Register, components, 0,
                uint32_t(function.registers.size())};
  NameId id = names.intern(name.text);
  bool isNew = count ? names.declareRange(id, uint32_t(*count), symbol)
                     : names.declare(id, symbol);
  if (!isNew) {
    reportTaken(name);
    return true;
  }
  numModuleRegisters += number;
  function.registers.resize(function.registers.size() + number,
                            {name.text, type});
  return true;
}

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

bool Parser::parseDimensions(Variable &variable,
                             std::vector<uint64_t> &dimensions) {
  while (token.is('[')) {
    if (dimensions.size() == kMaxDimensions)
      return failExpected("at most " + std::to_string(kMaxDimensions) +
                          " dimensions");
    advance();
    variable.isArray = true;
    // Only the first dimension may be left out.
    uint64_t extent = 0;
    bool isOpen = dimensions.empty() && token.is(']');
    if (!isOpen && !parseCount("an extent", kMaxVariableBytes, extent))
      return false;
    if (!expect(']', "after the extent"))
      return false;
    dimensions.push_back(extent);
  }
  return true;
}

/// NAME and dimensions. A `[]` counts as extent 0 until an initializer says
/// more.
bool Parser::parseDeclarator(const Specifier &specifier, Variable &variable,
                             std::vector<uint64_t> &dimensions) {
  Token name;
  if (!expectIdentifier("the name of a variable", name))
    return false;
  variable.name = name.text;
  variable.location = name.location;
  variable.space = specifier.space;
  variable.type = specifier.type;
  variable.vectorSize = specifier.vectorSize;
  variable.isExtern = specifier.isExtern;
  uint64_t element = getByteSize(specifier.type) * specifier.vectorSize;
  variable.alignment =
      specifier.alignment ? specifier.alignment : uint32_t(element);
  if (!parseDimensions(variable, dimensions))
    return false;
  variable.size = element;
  for (uint64_t extent : dimensions) {
    if (extent && variable.size > kMaxVariableBytes / extent) {
      error(name.location, "expected a variable of at most " +
                               std::to_string(kMaxVariableBytes) +
                               " bytes, but got more");
      extent = 0;
    }
    variable.size *= extent;
  }
  return true;
}

Variable *Parser::addVariable(Variable variable) {
  NameId id = names.intern(variable.name);
  if (!isInFunction) {
    // A declaration may follow or precede a definition.
    Symbol known = names.lookup(id);
    if (known.kind == SymbolKind::ModuleVariable) {
      Variable &other = module.variables[known.index];
      bool isAgain = other.space == variable.space &&
                     other.type == variable.type &&
                     (other.isExtern || variable.isExtern);
      if (isAgain) {
        if (other.isExtern)
          other = std::move(variable);
        return &other;
      }
    }
  }
  std::vector<Variable> &list =
      isInFunction ? function.variables : module.variables;
  Symbol symbol;
  symbol.kind =
      isInFunction ? SymbolKind::LocalVariable : SymbolKind::ModuleVariable;
  symbol.index = uint32_t(list.size());
  if (!names.declare(id, symbol)) {
    Token name{TokenKind::Identifier, variable.name, variable.location};
    reportTaken(name);
    return nullptr;
  }
  list.push_back(std::move(variable));
  return &list.back();
}

/// `.shared .b32 x<4>;` declares x0 … x3.
bool Parser::parseVariableRange(const Variable &variable) {
  uint64_t count = 0;
  if (!parseCount("a number of variables", kMaxVariableRange, count,
                  /*isInAngles=*/true) ||
      !expect('>', "after the number of variables"))
    return false;
  if (module.names.size() + count > kMaxVariableRange)
    return failExpected("at most " + std::to_string(kMaxVariableRange) +
                        " variables from such ranges before this");
  for (uint64_t i = 0; i < count && !hasStopped; ++i) {
    module.names.push_back(std::string(variable.name) + std::to_string(i));
    Variable member = variable;
    member.name = module.names.back();
    addVariable(std::move(member));
  }
  return true;
}

bool Parser::parseVariables(Space space, bool isExtern) {
  Specifier specifier;
  specifier.space = space;
  specifier.isExtern = isExtern;
  if (!parseSpecifier(specifier))
    return false;
  do {
    Variable variable;
    std::vector<uint64_t> dimensions;
    if (!parseDeclarator(specifier, variable, dimensions))
      return false;
    if (consume('<')) {
      if (!parseVariableRange(variable))
        return false;
      continue;
    }
    // Declared before the initializer, which may hold its own address.
    Variable scratch = variable;
    Variable *added = addVariable(std::move(variable));
    bool hasInitializer = consume('=');
    if (hasInitializer &&
        !parseInitializer(added ? *added : scratch, dimensions))
      return false;
    bool isOpen = !dimensions.empty() && dimensions[0] == 0;
    if (isOpen && !hasInitializer && !isExtern && space != Space::Param)
      return failExpected("an extent, an initializer or '.extern' for '" +
                          std::string(scratch.name) + "'");
  } while (consume(','));
  return expect(';', "after the variable");
}

//===----------------------------------------------------------------------===//
// Initializers
//===----------------------------------------------------------------------===//

bool Parser::parseInitializer(Variable &variable,
                              std::vector<uint64_t> dimensions) {
  if (variable.space != Space::Global && variable.space != Space::Constant)
    return failExpected("no initializer outside of .global and .const");
  if (variable.isExtern)
    return failExpected("no initializer after '.extern'");
  if (variable.vectorSize > 1)
    dimensions.push_back(variable.vectorSize);
  variable.initializers.clear();
  if (dimensions.empty())
    return parseInitializerScalar(variable, 0);
  bool isOpen = variable.isArray && dimensions[0] == 0;
  uint64_t stride = getByteSize(variable.type);
  for (size_t i = 1; i < dimensions.size(); ++i)
    stride *= dimensions[i];
  if (isOpen)
    dimensions[0] = kMaxInitializerBytes / std::max<uint64_t>(stride, 1);
  uint64_t count = 0;
  if (!parseInitializerList(variable, dimensions, 0, 0, count))
    return false;
  if (isOpen)
    variable.size = count * stride;
  return true;
}

/// `{ … }` at a level of the dimensions; the innermost level holds scalars.
/// Missing elements are zero. `count` becomes the number of elements.
bool Parser::parseInitializerList(Variable &variable,
                                  const std::vector<uint64_t> &dimensions,
                                  unsigned level, uint64_t offset,
                                  uint64_t &count) {
  if (!expect('{', "before the elements of the array"))
    return false;
  uint64_t stride = getByteSize(variable.type);
  for (size_t i = level + 1; i < dimensions.size(); ++i)
    stride *= dimensions[i];
  bool isInnermost = level + 1 == dimensions.size();
  for (count = 0; !token.is('}'); ++count) {
    if (count == dimensions[level])
      return failExpected("'}' after " + std::to_string(count) + " elements");
    uint64_t position = offset + count * stride;
    if (position >= kMaxInitializerBytes)
      return failExpected("at most " + std::to_string(kMaxInitializerBytes) +
                          " bytes of initial values");
    uint64_t inner = 0;
    bool isParsed = isInnermost
                        ? parseInitializerScalar(variable, position)
                        : parseInitializerList(variable, dimensions, level + 1,
                                               position, inner);
    if (!isParsed)
      return false;
    if (!consume(',')) {
      ++count;
      break;
    }
  }
  return expect('}', "after the elements of the array");
}

bool Parser::parseInitializerScalar(Variable &variable, uint64_t offset) {
  Initializer initializer;
  initializer.offset = offset;
  initializer.size = getByteSize(variable.type);
  Token place = token;
  bool isSymbol = token.kind == TokenKind::Identifier && !token.is("WARP_SZ");
  Constant value;
  if (!isSymbol) {
    if (!parseConstant(value))
      return false;
    // `0xFF00(symbol)` takes bits of an address, `0xFF00(5)` those of a number.
    if (token.is('(') && value.isInteger()) {
      advance();
      initializer.mask = value.bits;
      isSymbol = token.kind == TokenKind::Identifier;
      if ((!isSymbol && !parseConstant(value)) ||
          (isSymbol && !parseInitializerSymbol(initializer)) ||
          !expect(')', "after what is masked"))
        return false;
      bool isByte = false;
      for (unsigned shift = 0; shift < 64; shift += 8)
        isByte |= initializer.mask == uint64_t(0xFF) << shift;
      if (!isByte) {
        error(place.location, "expected a mask of one byte, such as 0xFF00, "
                              "but got '" +
                                  std::string(place.text) + "'");
        return true;
      }
      if (!isSymbol) {
        value.bits &= initializer.mask;
        value.bits /= initializer.mask & (0 - initializer.mask);
        initializer.mask = 0;
      }
    }
  } else if (!parseInitializerSymbol(initializer)) {
    return false;
  }
  if (!isSymbol && !encodeInitializer(value, variable.type, place, initializer))
    return true;
  bool isAddress = initializer.variable || initializer.function;
  if (isAddress && !initializer.mask && initializer.size != 4 &&
      initializer.size != 8)
    error(place.location, "expected a variable of 4 or 8 bytes for an address, "
                          "but got type '." +
                              std::string(getTypeName(variable.type)) + "'");
  addInitializer(variable, initializer);
  return true;
}

/// Constants that share an aligned word become one, since compilers write
/// tables as lists of bytes.
void Parser::addInitializer(Variable &variable,
                            const Initializer &initializer) {
  auto isNumber = [](const Initializer &value) {
    return !value.variable && !value.function;
  };
  if (!variable.initializers.empty()) {
    Initializer &last = variable.initializers.back();
    bool isSameWord = last.offset / 8 == initializer.offset / 8 &&
                      last.offset + last.size == initializer.offset;
    if (isSameWord && isNumber(last) && isNumber(initializer)) {
      last.value |= initializer.value << (last.size * 8);
      last.size += initializer.size;
      return;
    }
  }
  variable.initializers.push_back(initializer);
}

/// `symbol`, `symbol+8`, `generic(symbol)+8`
bool Parser::parseInitializerSymbol(Initializer &initializer) {
  initializer.isGeneric = token.is("generic");
  if (initializer.isGeneric) {
    advance();
    if (!expect('(', "after 'generic'"))
      return false;
  }
  Token name;
  int64_t offset = 0;
  if (!expectIdentifier("a variable or a function", name) ||
      !parseOffset(offset) ||
      (initializer.isGeneric &&
       (!expect(')', "after the symbol") || !parseOffset(offset))))
    return false;
  initializer.value = uint64_t(offset);
  Symbol symbol = names.lookup(names.intern(name.text));
  if (symbol.kind == SymbolKind::ModuleVariable)
    initializer.variable = symbol.index;
  else if (symbol.kind == SymbolKind::Function)
    initializer.function = symbol.index;
  else
    error(name.location, "expected a variable of the module or a function that "
                         "is declared before, but got '" +
                             std::string(name.text) + "'");
  return true;
}

static bool isFloatType(Type type) {
  return type == Type::F32 || type == Type::F64;
}

static bool isHalfType(Type type) {
  return type == Type::F16 || type == Type::F16x2 || type == Type::BF16 ||
         type == Type::BF16x2;
}

template <typename From, typename To>
static uint64_t convertBits(uint64_t from) {
  From value;
  std::memcpy(&value, &from, sizeof(value)); // little-endian, as PTX is
  To converted = To(value);
  uint64_t bits = 0;
  std::memcpy(&bits, &converted, sizeof(converted));
  return bits;
}

bool Parser::encodeInitializer(const Constant &value, Type type,
                               const Token &place, Initializer &initializer) {
  using Kind = Constant::Kind;
  initializer.value = value.bits;
  unsigned size = initializer.size;
  bool isBits = type == Type::B32 || type == Type::B64;
  bool fits = value.isInteger() ? !isFloatType(type) && !isHalfType(type)
                                : isFloatType(type) || isBits;
  if (isBits && !value.isInteger())
    fits = size == (value.kind == Kind::Float32 ? 4 : 8);
  if (type == Type::B128)
    fits &= value.kind == Kind::Unsigned || int64_t(value.bits) >= 0;
  if (!fits) {
    error(place.location, "expected an initial value of type '." +
                              std::string(getTypeName(type)) + "', but got '" +
                              std::string(place.text) + "'");
    return false;
  }
  if (value.kind == Kind::Float64 && size == 4)
    initializer.value = convertBits<double, float>(value.bits);
  if (value.kind == Kind::Float32 && size == 8)
    initializer.value = convertBits<float, double>(value.bits);
  if (type == Type::B128) // the upper half stays zero
    initializer.size = 8;
  if (size < 8)
    initializer.value &= (uint64_t(1) << (size * 8)) - 1;
  return true;
}

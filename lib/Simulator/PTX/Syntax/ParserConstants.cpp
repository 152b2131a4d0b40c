//===- ParserConstants.cpp - Literals and constant expressions ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integers are 64 bits wide and signed, unless a literal has the suffix U or
// does not fit; arithmetic wraps. Decimal fractions are f64. The literal forms
// 0f… stand for exact bits and take part in no arithmetic.
//
// Source: PTX ISA, chapter 4 (constants, constant expressions).
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <charconv>
#include <cstring>

using namespace nvfp4;
using namespace nvfp4::ptx;

using Kind = Constant::Kind;

static double asDouble(const Constant &value) {
  if (value.kind == Kind::Signed)
    return double(int64_t(value.bits));
  if (value.kind == Kind::Unsigned)
    return double(value.bits);
  double result;
  std::memcpy(&result, &value.bits, sizeof(result));
  return result;
}

static Constant makeDouble(double value) {
  Constant constant;
  constant.kind = Kind::Float64;
  std::memcpy(&constant.bits, &value, sizeof(value));
  return constant;
}

static bool isTrue(const Constant &value) {
  return value.isInteger() ? value.bits != 0 : asDouble(value) != 0;
}

//===----------------------------------------------------------------------===//
// Literals
//===----------------------------------------------------------------------===//

static bool parseDigits(std::string_view digits, int base, uint64_t &value) {
  const char *end = digits.data() + digits.size();
  auto result = std::from_chars(digits.data(), end, value, base);
  return result.ec == std::errc() && result.ptr == end;
}

/// 0f and 0d: exactly as many digits as the format has.
static bool parseBits(std::string_view text, Constant &value) {
  bool isFloat = text[1] == 'f' || text[1] == 'F';
  value.kind = isFloat ? Kind::Float32 : Kind::Float64;
  std::string_view digits = text.substr(2);
  return digits.size() == (isFloat ? 8 : 16) &&
         parseDigits(digits, 16, value.bits);
}

static bool parseDecimalFraction(std::string_view text, Constant &value) {
  double result = 0;
  const char *end = text.data() + text.size();
  auto [position, status] = std::from_chars(text.data(), end, result);
  // A literal beyond the range has no value here.
  if (status != std::errc() || position != end)
    return false;
  value = makeDouble(result);
  return true;
}

static bool parseInteger(std::string_view text, Constant &value) {
  bool hasSuffix = text.back() == 'U' || text.back() == 'u';
  if (hasSuffix)
    text.remove_suffix(1);
  int base = 10;
  char second = text.size() > 1 && text[0] == '0' ? text[1] : '\0';
  if (second == 'x' || second == 'X')
    base = 16;
  else if (second == 'b' || second == 'B')
    base = 2;
  else if (second)
    base = 8;
  text.remove_prefix(base == 16 || base == 2 ? 2 : 0);
  if (!parseDigits(text, base, value.bits))
    return false;
  value.kind = hasSuffix || value.bits >> 63 ? Kind::Unsigned : Kind::Signed;
  return true;
}

bool Parser::parseLiteral(Constant &value) {
  std::string_view text = token.text;
  char second = text.size() > 1 && text[0] == '0' ? text[1] : '\0';
  bool isValid;
  if (second == 'f' || second == 'F' || second == 'd' || second == 'D')
    isValid = parseBits(text, value);
  else if (second != 'x' && second != 'X' &&
           text.find_first_of(".eE") != std::string_view::npos)
    isValid = parseDecimalFraction(text, value);
  else
    isValid = parseInteger(text, value);
  if (!isValid)
    return failExpected("a number of at most 64 bits");
  advance();
  return true;
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

namespace {

enum class BinaryOp : uint8_t {
  Mul,
  Div,
  Rem,
  Add,
  Sub,
  Shl,
  Shr,
  Lt,
  Gt,
  Le,
  Ge,
  Eq,
  Ne,
  And,
  Xor,
  Or,
  LogicalAnd,
  LogicalOr,
};

struct BinaryRow {
  std::string_view spelling;
  BinaryOp op;
  unsigned precedence;
  bool hasFloatForm;
};

constexpr BinaryRow kBinaryOps[] = {
    {"*", BinaryOp::Mul, 10, true},        {"/", BinaryOp::Div, 10, true},
    {"%", BinaryOp::Rem, 10, false},       {"+", BinaryOp::Add, 9, true},
    {"-", BinaryOp::Sub, 9, true},         {"<<", BinaryOp::Shl, 8, false},
    {">>", BinaryOp::Shr, 8, false},       {"<", BinaryOp::Lt, 7, true},
    {">", BinaryOp::Gt, 7, true},          {"<=", BinaryOp::Le, 7, true},
    {">=", BinaryOp::Ge, 7, true},         {"==", BinaryOp::Eq, 6, true},
    {"!=", BinaryOp::Ne, 6, true},         {"&", BinaryOp::And, 5, false},
    {"^", BinaryOp::Xor, 4, false},        {"|", BinaryOp::Or, 3, false},
    {"&&", BinaryOp::LogicalAnd, 2, true}, {"||", BinaryOp::LogicalOr, 1, true},
};
constexpr unsigned kMultiplicative = 10;

const BinaryRow *findBinary(const Token &token) {
  if (token.kind != TokenKind::Punctuator)
    return nullptr;
  for (const BinaryRow &row : kBinaryOps)
    if (row.spelling == token.text)
      return &row;
  return nullptr;
}

} // namespace

/// Comparison and logic of any type; none when `op` is neither.
template <typename T>
static std::optional<bool> compare(BinaryOp op, T lhs, T rhs) {
  switch (op) {
  case BinaryOp::Lt:
    return lhs < rhs;
  case BinaryOp::Gt:
    return lhs > rhs;
  case BinaryOp::Le:
    return lhs <= rhs;
  case BinaryOp::Ge:
    return lhs >= rhs;
  case BinaryOp::Eq:
    return lhs == rhs;
  case BinaryOp::Ne:
    return lhs != rhs;
  case BinaryOp::LogicalAnd:
    return lhs != 0 && rhs != 0;
  case BinaryOp::LogicalOr:
    return lhs != 0 || rhs != 0;
  default:
    return std::nullopt;
  }
}

static double applyFloat(BinaryOp op, double lhs, double rhs) {
  return op == BinaryOp::Mul   ? lhs * rhs
         : op == BinaryOp::Div ? lhs / rhs
         : op == BinaryOp::Add ? lhs + rhs
                               : lhs - rhs;
}

/// `isSigned` is that of the operands; the divisor is not 0.
static uint64_t applyInteger(BinaryOp op, uint64_t lhs, uint64_t rhs,
                             bool isSigned) {
  switch (op) {
  case BinaryOp::Mul:
    return lhs * rhs;
  case BinaryOp::Div:
    // -2^63 / -1 does not fit: it wraps, like negation.
    if (isSigned)
      return rhs == ~uint64_t(0) ? 0 - lhs
                                 : uint64_t(int64_t(lhs) / int64_t(rhs));
    return lhs / rhs;
  case BinaryOp::Rem:
    if (isSigned)
      return rhs == ~uint64_t(0) ? 0 : uint64_t(int64_t(lhs) % int64_t(rhs));
    return lhs % rhs;
  case BinaryOp::Add:
    return lhs + rhs;
  case BinaryOp::Sub:
    return lhs - rhs;
  case BinaryOp::Shl:
    return rhs > 63 ? 0 : lhs << rhs;
  case BinaryOp::Shr:
    if (isSigned)
      return uint64_t(int64_t(lhs) >> (rhs > 63 ? 63 : rhs));
    return rhs > 63 ? 0 : lhs >> rhs;
  case BinaryOp::And:
    return lhs & rhs;
  case BinaryOp::Xor:
    return lhs ^ rhs;
  default:
    return lhs | rhs;
  }
}

bool Parser::applyBinary(const Token &spelling, Constant &lhs,
                         const Constant &rhs) {
  const BinaryRow &row = *findBinary(spelling);
  bool isFloat = !lhs.isInteger() || !rhs.isInteger();
  if (lhs.kind == Kind::Float32 || rhs.kind == Kind::Float32 ||
      (isFloat && !row.hasFloatForm)) {
    error(spelling.location, "expected integers around '" +
                                 std::string(row.spelling) +
                                 "', but got a floating-point literal");
    return false;
  }
  std::optional<bool> truth;
  bool isShift = row.op == BinaryOp::Shl || row.op == BinaryOp::Shr;
  bool isSigned =
      lhs.kind == Kind::Signed && (isShift || rhs.kind == Kind::Signed);
  if (isFloat)
    truth = compare(row.op, asDouble(lhs), asDouble(rhs));
  else if (isSigned)
    truth = compare(row.op, int64_t(lhs.bits), int64_t(rhs.bits));
  else
    truth = compare(row.op, lhs.bits, rhs.bits);
  if (truth) {
    lhs = {Kind::Signed, *truth};
    return true;
  }
  if (isFloat) {
    lhs = makeDouble(applyFloat(row.op, asDouble(lhs), asDouble(rhs)));
    return true;
  }
  if ((row.op == BinaryOp::Div || row.op == BinaryOp::Rem) && rhs.bits == 0) {
    error(spelling.location, "expected a divisor other than 0, but got 0");
    return false;
  }
  lhs.bits = applyInteger(row.op, lhs.bits, rhs.bits, isSigned);
  lhs.kind = isSigned ? Kind::Signed : Kind::Unsigned;
  return true;
}

bool Parser::parsePrimary(Constant &value) {
  if (token.kind == TokenKind::Number)
    return parseLiteral(value);
  if (token.is("WARP_SZ")) {
    value = {Kind::Signed, 32};
    advance();
    return true;
  }
  if (!token.is('('))
    return failExpected("a constant");
  if (++expressionDepth > kMaxExpressionDepth)
    return failExpected("a simpler expression");
  advance();
  bool isSigned = token.is(".s64");
  if (isSigned || token.is(".u64")) {
    advance();
    if (!expect(')', "after the type of the cast") || !parseUnary(value))
      return false;
    --expressionDepth;
    if (!value.isInteger())
      return failExpected("an integer before this, to cast it");
    value.kind = isSigned ? Kind::Signed : Kind::Unsigned;
    return true;
  }
  if (!parseTernary(value) || !expect(')', "after the expression"))
    return false;
  --expressionDepth;
  return true;
}

bool Parser::parseUnary(Constant &value) {
  bool isSign = token.is('-') || token.is('+');
  if (!isSign && !token.is('~') && !token.is('!'))
    return parsePrimary(value);
  if (++expressionDepth > kMaxExpressionDepth)
    return failExpected("a simpler expression");
  Token op = token;
  advance();
  if (!parseUnary(value))
    return false;
  --expressionDepth;
  if (value.kind == Kind::Float32 ||
      (!value.isInteger() && !isSign && !op.is('!'))) {
    error(op.location, "expected an integer after '" + std::string(op.text) +
                           "', but got a floating-point literal");
    return false;
  }
  if (op.is('!'))
    value = {Kind::Signed, !isTrue(value)};
  else if (op.is('~'))
    value.bits = ~value.bits;
  else if (op.is('-'))
    value = value.isInteger() ? Constant{value.kind, 0 - value.bits}
                              : makeDouble(-asDouble(value));
  return true;
}

bool Parser::parseBinary(Constant &value, unsigned minPrecedence) {
  if (!parseUnary(value))
    return false;
  while (const BinaryRow *row = findBinary(token)) {
    if (row->precedence < minPrecedence)
      break;
    Token op = token;
    advance();
    Constant rhs;
    if (!parseBinary(rhs, row->precedence + 1) || !applyBinary(op, value, rhs))
      return false;
  }
  return true;
}

bool Parser::parseTernary(Constant &value) {
  if (++expressionDepth > kMaxExpressionDepth)
    return failExpected("a simpler expression");
  if (!parseBinary(value, 1))
    return false;
  if (consume('?')) {
    Constant whenTrue, whenFalse;
    if (!parseTernary(whenTrue) || !expect(':', "in the expression") ||
        !parseTernary(whenFalse))
      return false;
    value = isTrue(value) ? whenTrue : whenFalse;
  }
  --expressionDepth;
  return true;
}

bool Parser::parseConstant(Constant &value) {
  expressionDepth = 0;
  return parseTernary(value);
}

bool Parser::parseOffset(int64_t &offset) {
  while (token.is('+') || token.is('-')) {
    bool isMinus = token.is('-');
    advance();
    Constant value;
    Token place = token;
    expressionDepth = 0;
    if (!parseBinary(value, kMultiplicative))
      return false;
    if (!value.isInteger()) {
      error(place.location, "expected an integer as offset, but got '" +
                                std::string(place.text) + "'");
      return false;
    }
    offset = int64_t(isMinus ? uint64_t(offset) - value.bits
                             : uint64_t(offset) + value.bits);
  }
  return true;
}

bool Parser::parseCount(std::string_view what, uint64_t limit, uint64_t &count,
                        bool isInAngles) {
  Token place = token;
  Constant value;
  expressionDepth = 0;
  // In `%r<8>` the '>' is no operator.
  if (!(isInAngles ? parsePrimary(value) : parseTernary(value)))
    return false;
  bool isNegative = value.kind == Kind::Signed && int64_t(value.bits) < 0;
  if (!value.isInteger() || isNegative || value.bits > limit) {
    std::string got = !value.isInteger() ? "a floating-point number"
                      : isNegative       ? std::to_string(int64_t(value.bits))
                                         : std::to_string(value.bits);
    error(place.location, "expected " + std::string(what) + " of at most " +
                              std::to_string(limit) + ", but got " + got);
    return false;
  }
  count = value.bits;
  return true;
}

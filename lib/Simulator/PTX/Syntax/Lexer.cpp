//===- Lexer.cpp - PTX text as tokens -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dot begins a word (".f32", ".2d") unless a number can begin where it
// stands: behind a word or a number, ".5" is never a decimal.
//
// Source: PTX ISA, chapter 4 (syntax).
//
//===----------------------------------------------------------------------===//

#include "Lexer.h"

#include <array>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

// What a character can be part of.
constexpr uint8_t kBlank = 1;
constexpr uint8_t kLetter = 2;
constexpr uint8_t kDigit = 4;
constexpr uint8_t kWordSign = 8;   // '_' and '$'
constexpr uint8_t kStartSign = 16; // also '%': begin a name of two or more
constexpr uint8_t kWord = kLetter | kDigit | kWordSign;

constexpr std::array<uint8_t, 256> makeClasses() {
  std::array<uint8_t, 256> classes{};
  for (char c : {' ', '\t', '\r', '\n', '\f', '\v'})
    classes[uint8_t(c)] = kBlank;
  for (unsigned c = 'a'; c <= 'z'; ++c)
    classes[c] = classes[c - 'a' + 'A'] = kLetter;
  for (unsigned c = '0'; c <= '9'; ++c)
    classes[c] = kDigit;
  classes['_'] = classes['$'] = kWordSign | kStartSign;
  classes['%'] = kStartSign;
  return classes;
}
constexpr std::array<uint8_t, 256> kClasses = makeClasses();

bool isIn(char c, uint8_t classes) { return kClasses[uint8_t(c)] & classes; }

constexpr std::string_view kPairs[] = {
    "<<", ">>", "<=", ">=", "==", "!=", "&&", "||"};
constexpr std::string_view kPunctuators = "()[]{}<>,;:=+-*/%!~&^|?@";

} // namespace

bool Lexer::skipBlockComment() {
  const char *start = position, *startOfLine = lineStart;
  uint32_t startLine = line;
  for (position += 2; end - position >= 2; ++position) {
    if (position[0] == '*' && position[1] == '/') {
      position += 2;
      return true;
    }
    if (*position == '\n') {
      ++line;
      lineStart = position + 1;
    }
  }
  position = start;
  lineStart = startOfLine;
  line = startLine;
  return false;
}

bool Lexer::skipBlanks() {
  while (position != end) {
    if (isIn(*position, kBlank)) {
      if (*position++ == '\n') {
        ++line;
        lineStart = position;
      }
    } else if (*position != '/' || end - position < 2) {
      return true;
    } else if (position[1] == '/') {
      while (position != end && *position != '\n')
        ++position;
    } else if (position[1] != '*') {
      return true;
    } else if (!skipBlockComment()) {
      return false;
    }
  }
  return true;
}

Token Lexer::makeToken(TokenKind kind, const char *start) const {
  Token token;
  token.kind = kind;
  token.text = std::string_view(start, size_t(position - start));
  token.location = {line, uint32_t(start - lineStart) + 1};
  return token;
}

void Lexer::scanDotWord() {
  ++position;
  while (position != end) {
    if (isIn(*position, kWord))
      ++position;
    else if (*position == ':' && end - position > 2 && position[1] == ':' &&
             isIn(position[2], kWord))
      position += 3;
    else
      return;
  }
}

void Lexer::scanNumber() {
  const char *start = position;
  // 'e' is a digit of hexadecimal numbers and of 0f/0d literals.
  bool isHex =
      end - position > 1 && *position == '0' && isIn(position[1], kLetter);
  while (position != end && (isIn(*position, kWord) || *position == '.')) {
    bool isExponent =
        !isHex && position != start && (*position == 'e' || *position == 'E');
    ++position;
    if (isExponent && end - position > 1 &&
        (*position == '+' || *position == '-') && isIn(position[1], kDigit))
      ++position;
  }
}

TokenKind Lexer::scanString() {
  const char *start = position;
  for (++position; position != end && *position != '\n'; ++position) {
    if (*position == '"') {
      ++position;
      return TokenKind::String;
    }
    if (*position == '\\' && end - position > 1 && position[1] != '\n')
      ++position;
  }
  position = start + 1;
  return TokenKind::Unterminated;
}

TokenKind Lexer::scanPunctuator() {
  std::string_view pair(position, end - position > 1 ? 2 : 1);
  for (std::string_view known : kPairs) {
    if (pair == known) {
      position += 2;
      return TokenKind::Punctuator;
    }
  }
  return kPunctuators.find(*position++) != std::string_view::npos
             ? TokenKind::Punctuator
             : TokenKind::Unknown;
}

Token Lexer::next() {
  const char *previous = position;
  if (!skipBlanks()) {
    const char *start = position;
    position += 2;
    return makeToken(TokenKind::Unterminated, start);
  }
  const char *start = position;
  if (position == end)
    return makeToken(TokenKind::End, start);

  char c = *position;
  char following = end - position > 1 ? position[1] : '\0';
  if (isIn(c, kLetter) || (isIn(c, kStartSign) && isIn(following, kWord)) ||
      c == '_') {
    for (++position; position != end && isIn(*position, kWord);)
      ++position;
    return makeToken(TokenKind::Identifier, start);
  }
  if (isIn(c, kDigit)) {
    scanNumber();
    return makeToken(TokenKind::Number, start);
  }
  if (c == '.' && isIn(following, kDigit) && start != previous) {
    scanNumber();
    return makeToken(TokenKind::Number, start);
  }
  if (c == '.' && isIn(following, kWord)) {
    scanDotWord();
    return makeToken(TokenKind::DotWord, start);
  }
  TokenKind kind = c == '"' ? scanString() : scanPunctuator();
  return makeToken(kind, start);
}

bool Lexer::isColonNext() const {
  const char *ahead = position;
  while (ahead != end && isIn(*ahead, kBlank))
    ++ahead;
  if (ahead == end || (*ahead != ':' && *ahead != '/'))
    return false;
  return Lexer(*this).next().is(':');
}

//===- Lexer.h - PTX text as tokens ----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A lexer is a small value: copying one marks a place to come back to.
//
// Source: PTX ISA, chapter 4 (syntax).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_SYNTAX_LEXER_H
#define NVFP4_SIMULATOR_PTX_SYNTAX_LEXER_H

#include "nvfp4/Simulator/PTX/Syntax.h"

namespace nvfp4::ptx {

enum class TokenKind : uint8_t {
  End,
  Identifier,   ///< "add", "%r1", "$L__BB0_2", "_"
  DotWord,      ///< ".reg", ".f32", ".shared::cta", ".2d"; with the dot
  Number,       ///< "12", "0x1FU", "0f3F800000", "1.5e-3": not yet checked
  String,       ///< with the quotes
  Punctuator,   ///< one or two characters
  Unknown,      ///< a character that PTX does not have
  Unterminated, ///< a comment or a string without an end; the text is its start
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::string_view text;
  Location location;

  bool is(char character) const {
    return kind == TokenKind::Punctuator && text.size() == 1 &&
           text[0] == character;
  }
  bool is(std::string_view spelling) const { return text == spelling; }
  const char *end() const { return text.data() + text.size(); }
};

class Lexer {
public:
  Lexer() = default;
  /// `text` outlives the lexer.
  explicit Lexer(std::string_view text)
      : position(text.data()), end(text.data() + text.size()),
        lineStart(text.data()) {}

  Token next();

  /// Whether the next token is a ':', as behind a label.
  bool isColonNext() const;

private:
  /// Skips blanks and comments. False when a comment does not end: then
  /// `position` is where it starts.
  bool skipBlanks();
  bool skipBlockComment();
  void scanDotWord();
  void scanNumber();
  TokenKind scanString();
  TokenKind scanPunctuator();
  Token makeToken(TokenKind kind, const char *start) const;

  const char *position = nullptr;
  const char *end = nullptr;
  const char *lineStart = nullptr;
  uint32_t line = 1;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_SYNTAX_LEXER_H

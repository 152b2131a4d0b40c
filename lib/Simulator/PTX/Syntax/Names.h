//===- Names.h - Which declaration a name means ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One table for all scopes: each distinct spelling is interned once and knows
// its innermost visible declaration, so that a lookup costs one hash, however
// deep the scope. Closing a scope undoes its declarations.
//
// `.reg .b32 %r<100>` is one declaration of the *prefix* "%r": an interned name
// that ends in a number knows its prefix, so `%r7` needs no declaration of its
// own.
//
// Source: PTX ISA, chapter 5 (state spaces, parameterized variable names).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_SYNTAX_NAMES_H
#define NVFP4_SIMULATOR_PTX_SYNTAX_NAMES_H

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace nvfp4::ptx {

enum class SymbolKind : uint8_t {
  None,
  Register,
  ModuleVariable,
  LocalVariable, ///< also parameters, with the bits of Syntax.h
  Function,
  Label,
  TargetList,
  Prototype,
  Special, ///< a special register; `components` of it have names
};

/// A declaration.
struct Symbol {
  SymbolKind kind = SymbolKind::None;
  /// Elements of a vector register, or named parts of a special one.
  uint8_t components = 1;
  /// Nesting of the scope: 0 outside of every scope.
  uint32_t depth = 0;
  /// Index in the list that `kind` names; for a range, that of its first.
  uint32_t index = 0;
};

/// Index of an interned spelling.
using NameId = uint32_t;

class NameTable {
public:
  NameTable();

  NameId intern(std::string_view text);
  std::string_view getText(NameId name) const { return names[name].text; }

  /// The innermost visible declaration; kind None when there is none. Of a
  /// member of a range, `index` is that of the member.
  Symbol lookup(NameId name) const;

  /// Declares in the innermost open scope. False when it already has the name.
  bool declare(NameId name, Symbol symbol);
  /// Declares NAME0 … NAME(count-1). False when one of them is taken, or when
  /// the prefix ends in a digit, which would make names ambiguous.
  bool declareRange(NameId prefix, uint32_t count, Symbol symbol);

  void openScope();
  void closeScope();
  uint32_t getDepth() const { return uint32_t(scopes.size()); }

private:
  struct Name {
    std::string_view text;
    uint64_t hash = 0;
    /// Of "%r17": the name "%r", and 17.
    NameId prefix = kNone;
    uint32_t suffix = 0;
    /// Innermost declaration of this name, and of a range with this prefix.
    uint32_t declaration = kNone;
    uint32_t range = kNone;
    /// Latest declaration of a single name that has this one as its prefix.
    uint32_t member = kNone;
  };
  /// A declaration on the stack of open scopes, with what it hides.
  struct Declaration {
    Symbol symbol;
    NameId name;
    /// 0: not a range.
    uint32_t count;
    uint32_t hidden;
    uint32_t hiddenMember;
  };

  static constexpr uint32_t kNone = ~0u;

  uint64_t hash(std::string_view text) const;
  void splitSuffix(Name &name);
  void grow();
  bool isTaken(NameId name) const;

  std::vector<Name> names;
  /// Open addressing: indices into `names`; the size is a power of two.
  std::vector<uint32_t> slots;
  std::vector<Declaration> declarations;
  /// Number of declarations when each open scope began.
  std::vector<uint32_t> scopes;
};

/// Declares `%tid` and the like outside of every scope, so that any other
/// declaration hides them.
void declareSpecialRegisters(NameTable &names);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_SYNTAX_NAMES_H

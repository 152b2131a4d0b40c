//===- Names.cpp - Which declaration a name means -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A hash table with open addressing, and a stack of declarations.
//
//===----------------------------------------------------------------------===//

#include "Names.h"

#include <cstring>

using namespace nvfp4;
using namespace nvfp4::ptx;

/// Longest number behind a prefix: registers of a function are at most 2^20.
static constexpr size_t kMaxSuffixDigits = 7;

NameTable::NameTable() : slots(4096, kNone) { names.reserve(1024); }

uint64_t NameTable::hash(std::string_view text) const {
  // The address makes collisions unpredictable, so that no file can be written
  // to be slow. Nothing depends on the order of the slots.
  uint64_t state = uint64_t(uintptr_t(this)) ^ text.size();
  const char *data = text.data();
  size_t left = text.size();
  for (; left >= 8; left -= 8, data += 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    state = (state ^ word) * 0x9E3779B97F4A7C15u;
    state ^= state >> 32;
  }
  uint64_t word = 0;
  std::memcpy(&word, data, left);
  state = (state ^ word) * 0x9E3779B97F4A7C15u;
  state ^= state >> 29;
  state *= 0xBF58476D1CE4E5B9u;
  return state ^ (state >> 32);
}

void NameTable::grow() {
  slots.assign(slots.size() * 2, kNone);
  for (uint32_t i = 0; i < names.size(); ++i) {
    size_t slot = names[i].hash & (slots.size() - 1);
    while (slots[slot] != kNone)
      slot = (slot + 1) & (slots.size() - 1);
    slots[slot] = i;
  }
}

void NameTable::splitSuffix(Name &name) {
  std::string_view text = name.text;
  size_t start = text.size();
  while (start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9')
    --start;
  size_t digits = text.size() - start;
  if (start == 0 || digits == 0 || digits > kMaxSuffixDigits ||
      (text[start] == '0' && digits > 1))
    return;
  for (char digit : text.substr(start))
    name.suffix = name.suffix * 10 + uint32_t(digit - '0');
  name.prefix = intern(text.substr(0, start));
}

NameId NameTable::intern(std::string_view text) {
  uint64_t code = hash(text);
  size_t slot = code & (slots.size() - 1);
  for (; slots[slot] != kNone; slot = (slot + 1) & (slots.size() - 1)) {
    const Name &known = names[slots[slot]];
    if (known.hash == code && known.text == text)
      return slots[slot];
  }
  NameId id = NameId(names.size());
  slots[slot] = id;
  Name name;
  name.text = text;
  name.hash = code;
  names.push_back(name);
  if (names.size() * 2 > slots.size())
    grow();
  // A prefix does not end in a digit: this nests once.
  splitSuffix(name);
  names[id] = name;
  return id;
}

Symbol NameTable::lookup(NameId id) const {
  const Name &name = names[id];
  Symbol symbol;
  bool isKnown = name.declaration != kNone;
  if (isKnown)
    symbol = declarations[name.declaration].symbol;
  if (name.prefix == kNone)
    return symbol;
  // An inner single name hides an outer range, and the other way round. The
  // same scope cannot have both.
  uint32_t range = names[name.prefix].range;
  while (range != kNone && name.suffix >= declarations[range].count)
    range = declarations[range].hidden;
  if (range == kNone ||
      (isKnown && declarations[range].symbol.depth <= symbol.depth))
    return symbol;
  symbol = declarations[range].symbol;
  symbol.index += name.suffix * symbol.components;
  return symbol;
}

bool NameTable::isTaken(NameId id) const {
  const Name &name = names[id];
  auto isHere = [&](uint32_t declaration) {
    return declaration != kNone &&
           declarations[declaration].symbol.depth == getDepth();
  };
  if (isHere(name.declaration))
    return true;
  if (name.prefix == kNone)
    return false;
  uint32_t range = names[name.prefix].range;
  return isHere(range) && name.suffix < declarations[range].count;
}

bool NameTable::declare(NameId id, Symbol symbol) {
  if (isTaken(id))
    return false;
  symbol.depth = getDepth();
  Name &name = names[id];
  uint32_t declaration = uint32_t(declarations.size());
  declarations.push_back({symbol, id, 0, name.declaration, kNone});
  name.declaration = declaration;
  if (name.prefix != kNone) {
    declarations.back().hiddenMember = names[name.prefix].member;
    names[name.prefix].member = declaration;
  }
  return true;
}

bool NameTable::declareRange(NameId id, uint32_t count, Symbol symbol) {
  Name &prefix = names[id];
  char last = prefix.text.back();
  if (last >= '0' && last <= '9')
    return false;
  symbol.depth = getDepth();
  if (prefix.range != kNone &&
      declarations[prefix.range].symbol.depth == symbol.depth)
    return false;
  for (uint32_t member = prefix.member;
       member != kNone && declarations[member].symbol.depth == symbol.depth;
       member = declarations[member].hiddenMember)
    if (names[declarations[member].name].suffix < count)
      return false;
  declarations.push_back({symbol, id, count, prefix.range, kNone});
  prefix.range = uint32_t(declarations.size()) - 1;
  return true;
}

void NameTable::openScope() { scopes.push_back(uint32_t(declarations.size())); }

void NameTable::closeScope() {
  while (declarations.size() > scopes.back()) {
    const Declaration &last = declarations.back();
    Name &name = names[last.name];
    if (last.count) {
      name.range = last.hidden;
    } else {
      name.declaration = last.hidden;
      if (name.prefix != kNone)
        names[name.prefix].member = last.hiddenMember;
    }
    declarations.pop_back();
  }
  scopes.pop_back();
}

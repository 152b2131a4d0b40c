//===- Types.cpp - The types that PTX declares ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names and sizes of the types that registers and variables can have. Source:
// PTX ISA, chapter 5 (types).
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Syntax.h"

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

struct TypeRow {
  Type type;
  std::string_view name;
  unsigned bytes;
};

// One row per enumerator, in its order. A predicate takes a byte wherever
// something counts bytes.
constexpr TypeRow kTypes[] = {
    {Type::None, "", 0},         {Type::Pred, "pred", 1},
    {Type::B8, "b8", 1},         {Type::B16, "b16", 2},
    {Type::B32, "b32", 4},       {Type::B64, "b64", 8},
    {Type::B128, "b128", 16},    {Type::U8, "u8", 1},
    {Type::U16, "u16", 2},       {Type::U32, "u32", 4},
    {Type::U64, "u64", 8},       {Type::S8, "s8", 1},
    {Type::S16, "s16", 2},       {Type::S32, "s32", 4},
    {Type::S64, "s64", 8},       {Type::F16, "f16", 2},
    {Type::F16x2, "f16x2", 4},   {Type::BF16, "bf16", 2},
    {Type::BF16x2, "bf16x2", 4}, {Type::F32, "f32", 4},
    {Type::F64, "f64", 8},
};

constexpr bool rowsAreInOrder() {
  unsigned index = 0;
  for (const TypeRow &row : kTypes)
    if (unsigned(row.type) != index++)
      return false;
  return index == unsigned(Type::F64) + 1;
}
static_assert(rowsAreInOrder(), "kTypes needs one row per type, in order");

} // namespace

unsigned ptx::getByteSize(Type type) { return kTypes[unsigned(type)].bytes; }

std::string_view ptx::getTypeName(Type type) {
  return kTypes[unsigned(type)].name;
}

Type ptx::parseType(std::string_view name) {
  for (const TypeRow &row : kTypes)
    if (row.name == name)
      return row.type;
  return Type::None;
}

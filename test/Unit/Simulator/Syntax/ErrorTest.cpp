//===- ErrorTest.cpp - What is wrong in PTX, and where --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row per error: text, and all messages. Line 4 is the first line of a
// row's text behind the header of the module, line 6 that of a body.
//
//===----------------------------------------------------------------------===//

#include "Printing.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

struct Row {
  const char *text;
  const char *messages;
};

constexpr const char *kHeader =
    ".version 8.7\n.target sm_120a\n.address_size 64\n";

std::string getErrors(const std::string &text) {
  Result<std::unique_ptr<Module>> module = parseModule(text, "t");
  return module ? "no error" : module.getMessage();
}

TEST(Error, Module) {
  constexpr Row kRows[] = {
      {"", "t:1:1: expected '.version' at the start of the module, but got the "
           "end of the file"},
      {".target sm_90",
       "t:1:1: expected '.version' at the start of the module, but got "
       "'.target'"},
      {".version x\n.target sm_90",
       "t:1:10: expected a PTX version from 1.0 to 9.x, but got 'x'"},
      {".version 10.0\n.target sm_90",
       "t:1:10: expected a PTX version from 1.0 to 9.x, but got '10.0'"},
      {".version 8.0\n",
       "t:2:1: expected '.target' after '.version', but got the end of the "
       "file"},
      {".version 8.0\n.target 90\n.address_size 16",
       "t:2:9: expected a target such as 'sm_120a', but got '90'\n"
       "t:3:15: expected an address size of 32 or 64, but got '16'"},
  };
  for (const Row &row : kRows)
    EXPECT_EQ(getErrors(row.text), row.messages);
}

TEST(Error, Declarations) {
  constexpr Row kRows[] = {
      {"mov.u32 a, b;",
       "t:4:1: expected a directive of the module, but got 'mov'"},
      {".reg .b32 r;",
       "t:4:1: expected a directive of the module, but got '.reg'"},
      {".global .b32 a; .global .b64 a;",
       "t:4:30: expected a new name, but got 'a', which is declared already"},
      {".global .b32 a\n.global .b32 b, b;",
       "t:5:1: expected ';' after the variable, but got '.global'\n"
       "t:5:17: expected a new name, but got 'b', which is declared already"},
      {".global .b33 a;", "t:4:9: expected a type, but got '.b33'"},
      {".global .pred a;",
       "t:4:15: expected a type that memory can hold before this, but got 'a'"},
      {".global .align 3 .b32 a;",
       "t:4:16: expected a power of two as alignment, but got 3"},
      {".global .b32 a[];",
       "t:4:17: expected an extent, an initializer or '.extern' for 'a', but "
       "got ';'"},
      {".global .b8 a[1099511627777];",
       "t:4:15: expected an extent of at most 1099511627776, but got "
       "1099511627777"},
      {".global .b8 a[1048576][1048577];",
       "t:4:13: expected a variable of at most 1099511627776 bytes, but got "
       "more"},
      {".global .b8 a[-1];",
       "t:4:15: expected an extent of at most 1099511627776, but got -1"},
      {".global .b32 a[2] = {1, 2, 3};",
       "t:4:28: expected '}' after 2 elements, but got '3'"},
      {".global .b32 a[2][2] = {1, 2};",
       "t:4:25: expected '{' before the elements of the array, but got '1'"},
      {".global .b32 a = 1.5;",
       "t:4:18: expected an initial value of type '.b32', but got '1.5'"},
      {".global .f32 a = 1;",
       "t:4:18: expected an initial value of type '.f32', but got '1'"},
      {".shared .b32 a = 1;",
       "t:4:18: expected no initializer outside of .global and .const, but got "
       "'1'"},
      {".extern .global .b32 a = 1;",
       "t:4:26: expected no initializer after '.extern', but got '1'"},
      {".global .u64 a = b;",
       "t:4:18: expected a variable of the module or a function that is "
       "declared before, but got 'b'"},
      {".global .u16 a; .global .u16 b = a;",
       "t:4:34: expected a variable of 4 or 8 bytes for an address, but got "
       "type '.u16'"},
      {".global .u8 a; .global .u8 b = 0x3FC(a);",
       "t:4:32: expected a mask of one byte, such as 0xFF00, but got '0x3FC'"},
      {".global .u64 a = 1 / 0;",
       "t:4:20: expected a divisor other than 0, but got 0"},
      {".global .f64 a = 1.5 & 2;",
       "t:4:22: expected integers around '&', but got a floating-point "
       "literal"},
      {".global .u64 a = 18446744073709551616;",
       "t:4:18: expected a number of at most 64 bits, but got "
       "'18446744073709551616'"},
      {".global .f32 a = 0f3F8;",
       "t:4:18: expected a number of at most 64 bits, but got '0f3F8'"},
      {".func f(.param .b32 a); .func f(.param .b64 a) { ret; }",
       "t:4:31: expected the parameters that 'f' was declared with, but got "
       "others"},
      {".func f { ret; } .func f { ret; }",
       "t:4:24: expected a new name, but got 'f', which is declared already"},
      {".func f(.b32 a) { ret; }",
       "t:4:9: expected '.param' or '.reg', but got '.b32'"},
      {".entry k .maxntid { ret; }",
       "t:4:19: expected a constant, but got '{'"},
      {".entry k .foo { ret; }",
       "t:4:10: expected '{' or a directive of the function, but got '.foo'"},
      {".entry k = 1;",
       "t:4:10: expected '{' or ';' after the header of the function, but got "
       "'='"},
      {".entry k { ret;",
       "t:4:16: expected '}' at the end of 'k', but got the end of the file"},
      {".entry k { ret; } }",
       "t:4:19: expected a directive of the module, but got '}'"},
      {".alias f, g;", "t:4:8: expected a declared function, but got 'f'"},
      {".section .debug { .b8 1",
       "t:4:24: expected '}' at the end of the section, but got the end of the "
       "file"},
      {".global .b32 a; /* x",
       "t:4:17: expected '*/' at the end of the comment, but got the end of "
       "the file"},
      {".pragma \"x;\n.global .b32 a;",
       "t:4:9: expected '\"' at the end of the string, but got the end of the "
       "line"},
  };
  for (const Row &row : kRows)
    EXPECT_EQ(getErrors(std::string(kHeader) + row.text), row.messages)
        << row.text;
}

TEST(Error, Bodies) {
  constexpr Row kRows[] = {
      {"add.s32 %r1, %r9, %r4;",
       "t:6:14: expected a declared register, but got '%r9'\n"
       "t:6:19: expected a declared register, but got '%r4'"},
      {"mov.u32 %r1, 1\nmov.u32 %r2, x;\nret;",
       "t:7:1: expected ';' after the operands, but got 'mov'\n"
       "t:7:14: expected a declared register, variable, label or function, but "
       "got 'x'"},
      {"mov.u32 %r1 %r2; mov.u32 %r1, y;",
       "t:6:13: expected ';' after the operands, but got '%r2'\n"
       "t:6:31: expected a declared register, variable, label or function, but "
       "got 'y'"},
      {"bra L; { L: }",
       "t:6:5: expected a declared register, variable, label or function, but "
       "got 'L'"},
      {"L: L:", "t:6:4: expected a new name, but got 'L', which is declared "
                "already"},
      {"call f;", "t:6:6: expected a declared function, but got 'f'"},
      {"call %rd1, (), P;",
       "t:6:16: expected a prototype or a list of call targets, but got 'P'"},
      {"L: call %rd1, (), L;",
       "t:6:19: expected a prototype or a list of call targets, but got 'L'"},
      {"T: .branchtargets A;", "t:6:19: expected a label, but got 'A'"},
      {"T: .calltargets A; A: ret;",
       "t:6:17: expected a declared function, but got 'A'"},
      {"@%r1 ret;", "t:6:2: expected a predicate register, but got '%r1'"},
      {"@ ret", "t:6:3: expected a predicate register, but got 'ret'\n"
                "t:7:1: expected an instruction, but got '}'"},
      {".reg .b32 %r2;",
       "t:6:11: expected a new name, but got '%r2', which is declared already"},
      {".reg .b32 a1; .reg .b32 a<4>;",
       "t:6:25: expected a new name, but got 'a', which is declared already"},
      {".reg .b32 a<4>; .reg .b32 a<8>;",
       "t:6:27: expected a new name, but got 'a', which is declared already"},
      {".reg .b32 a<1048577>;",
       "t:6:13: expected a number of registers of at most 1048576, but got "
       "1048577"},
      {".reg .b32 a<1048570>;",
       "t:6:11: expected at most 1048576 registers in a function and 8388608 "
       "in a module, but got 1048570 more with 'a'"},
      {"ld.u32 %r1, [%r1",
       "t:7:1: expected ']' after the address, but got '}'"},
      {"ld.u32 %r1, [x+4];",
       "t:6:14: expected a register or a variable as address, but got 'x'"},
      {"ld.u32 %r1, [%rd1+1.5];",
       "t:6:19: expected an integer as offset, but got '1.5'"},
      {"mov.b64 {%r1, {%r2, {%r3, {%r1, {%r2}}}}}, 0;",
       "t:6:33: expected fewer lists inside of lists, but got '{'"},
      {"mov.u32 %r1.b4, 0;",
       "t:6:12: expected a selector such as '.b0' or '.h1', but got '.b4'"},
      {".reg .v2 .f32 v; mov.f32 v.z, 0f00000000;",
       "t:6:27: expected a component of the vector register, but got '.z'"},
      {"mov.u32 %r1, %tid.a;",
       "t:6:18: expected a component of '%tid', but got '.a'"},
      {"mov.u32 %r1, %laneid.x;",
       "t:6:21: expected a component of '%laneid', but got '.x'"},
      {"mov.u32 %r1, #;", "t:6:14: expected an operand, but got '#'"},
      {"setp.eq.s32 %p1|, %r1, 0;",
       "t:6:17: expected a register after '|', but got ','"},
      {"mov.f32 %r1, -0f3F800000;",
       "t:6:14: expected an integer after '-', but got a floating-point "
       "literal"},
      {";", "t:6:1: expected an instruction, a label or a directive, but got "
            "';'"},
      {".loc 1 2\nmov.u32 %r1, 1;",
       "t:7:1: expected the number of a column, but got 'mov'"},
      {"foo..x;", "t:6:4: expected an operand, but got '.'"},
  };
  for (const Row &row : kRows)
    EXPECT_EQ(
        getErrors(std::string(kHeader) +
                  ".entry k() { .reg .b32 %r<4>;\n.reg .b64 %rd<2>; .reg .pred "
                  "%p<2>;\n" +
                  row.text + "\n}"),
        row.messages)
        << row.text;
}

/// Text that nests without end meets a limit, not the end of the stack.
TEST(Error, Nesting) {
  auto repeat = [](const char *text, unsigned count) {
    std::string result;
    for (unsigned i = 0; i < count; ++i)
      result += text;
    return result;
  };
  constexpr unsigned kMany = 100000;
  EXPECT_EQ(getErrors(wrapBody("", repeat("{", kMany))).substr(0, 55),
            "t:7:64: expected at most 64 nested scopes, but got '{'\n");
  for (const char *prefix : {"(", "-", "~", "!", "(.s64)", "1?", "1?1:", "1+("})
    EXPECT_NE(getErrors(wrapBody("", "mov.u32 _, " + repeat(prefix, kMany)))
                  .find("expected a simpler expression"),
              std::string::npos)
        << prefix;
  for (const char *prefix : {"{", "["})
    EXPECT_NE(getErrors(wrapBody("", "mov.u32 " + repeat(prefix, kMany)))
                  .find(": expected "),
              std::string::npos);
  EXPECT_NE(getErrors(kHeader + (".global .b8 a" + repeat("[1]", 17)) + ";")
                .find("expected at most 16 dimensions"),
            std::string::npos);
}

/// After 50 errors, nobody reads on.
TEST(Error, Limit) {
  std::string body;
  for (int i = 0; i < 1000; ++i)
    body += "mov.u32 %x, %y;\n";
  std::string messages = getErrors(wrapBody("", body));
  EXPECT_EQ(std::count(messages.begin(), messages.end(), '\n'), 49);
}

/// The last error that counts may come while an operand is read twice.
TEST(Error, LimitInOperand) {
  std::string body;
  for (int i = 0; i < 49; ++i)
    body += "mov.u32 %x, 0;\n";
  for (const char *last : {"mov.u32 %x, -), ), );", "mov.u32 %x, -%y) ) )",
                           "foo %x, -(%y, ) ) ;", "\"", "%x %y ) ) /*"}) {
    std::string messages = getErrors(wrapBody("", body + last));
    EXPECT_EQ(std::count(messages.begin(), messages.end(), '\n'), 49) << last;
  }
}

} // namespace

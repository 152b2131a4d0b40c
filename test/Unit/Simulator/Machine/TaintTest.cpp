//===- TaintTest.cpp - Undefined bits through arithmetic ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// %r0 is never written. Of instructions that move bits, exactly those bits of
// the result are undefined that depend on it; of those that compute, all.
//
//===----------------------------------------------------------------------===//

#include "WarpKernel.h"

#include <gtest/gtest.h>

using namespace nvfp4::ptx;

namespace {

/// Undefined bits of %out0, the same in every lane.
uint32_t getUndefined(const std::string &body) {
  WarpKernel kernel;
  kernel.body = body;
  WarpKernel::Outcome outcome = kernel.run();
  EXPECT_EQ(outcome.loadError, "") << body;
  if (!outcome.loadError.empty())
    return 0xDEAD;
  EXPECT_FALSE(outcome.report.hasErrors()) << outcome.report.toString();
  EXPECT_FALSE(outcome.undefined.empty());
  uint32_t bits = outcome.undefined[0][0];
  for (const auto &row : outcome.undefined)
    EXPECT_EQ(row[0], bits) << body;
  return bits;
}

struct Row {
  const char *body;
  uint32_t undefined;
};

void check(std::initializer_list<Row> rows) {
  for (const Row &row : rows)
    EXPECT_EQ(getUndefined(row.body), row.undefined)
        << row.body << std::hex << " " << row.undefined;
}

} // namespace

TEST(Taint, Logic) {
  check({
      {"and.b32 %out0, %r0, 0xFF0;", 0xFF0},
      {"or.b32 %out0, %r0, 0xFF0;", 0xFFFFF00F},
      {"xor.b32 %out0, %r0, %r0;", 0xFFFFFFFF},
      {"and.b32 %r1, %r0, 0xF0; not.b32 %out0, %r1;", 0xF0},
      {"lop3.b32 %out0, %r0, 0xFF, 0xF0, 0x80;", 0xF0},
      // a ? c : b is undefined only where they differ.
      {"lop3.b32 %out0, %r0, 0x1234, 0xF0, 0xAC;", 0x1234 ^ 0xF0},
      {"mov.b32 %out0, 7;", 0},
      {"and.b32 %r1, %r0, 0; add.u32 %out0, %r1, 5;", 0},
  });
}

TEST(Taint, ShiftsAndFields) {
  check({
      {"and.b32 %r1, %r0, 0xF; shl.b32 %out0, %r1, 8;", 0xF00},
      {"shr.u32 %out0, %r0, 8;", 0x00FFFFFF},
      {"and.b32 %r1, %r0, 0x80000000; shr.s32 %out0, %r1, 8;", 0xFF800000},
      {"shl.b32 %out0, 1, %r0;", 0xFFFFFFFF},
      {"shf.l.wrap.b32 %out0, %r0, 0, 4;", 0xF},
      {"shf.r.clamp.b32 %out0, 0, %r0, 4;", 0xF0000000},
      {"bfe.u32 %out0, %r0, 4, 8;", 0xFF},
      {"bfe.s32 %out0, %r0, 4, 8;", 0xFFFFFFFF},
      {"bfi.b32 %out0, %r0, 0x12345678, 4, 8;", 0xFF0},
      {"bfi.b32 %out0, 0, %r0, 4, 8;", 0xFFFFF00F},
      {"brev.b32 %out0, %r0;", 0xFFFFFFFF},
      {"and.b32 %r1, %r0, 1; brev.b32 %out0, %r1;", 0x80000000},
      {"prmt.b32 %out0, %r0, 0, 0x4140;", 0x00FF00FF},
      {"szext.wrap.u32 %out0, %r0, 8;", 0xFF},
  });
}

TEST(Taint, MovesAndConversions) {
  check({
      {"cvt.u16.u32 %h0, %r0; cvt.u32.u16 %out0, %h0;", 0xFFFF},
      {"cvt.u16.u32 %h0, %r0; cvt.s32.s16 %out0, %h0;", 0xFFFFFFFF},
      {"and.b32 %r1, %r0, 0x7F; cvt.s32.s8 %out0, %r1;", 0x7F},
      {"cvt.u32.u8 %out0, %r0;", 0xFF},
      {"mov.b16 %h0, 0; cvt.u16.u32 %h1, %r0; mov.b32 %out0, {%h0, %h1};",
       0xFFFF0000},
      {"mov.b64 %w0, {%r0, 0}; mov.b64 {_, %out0}, %w0;", 0},
      {"cvt.rn.f32.s32 %f0, %r0; mov.b32 %out0, %f0;", 0xFFFFFFFF},
      {"cvt.u16.u32 %h0, %r0; cvt.f32.f16 %f0, %h0; mov.b32 %out0, %f0;",
       0xFFFFFFFF},
  });
}

TEST(Taint, Selection) {
  check({
      {"setp.eq.u32 %p0, %lane, 99; selp.b32 %out0, %r0, 1, %p0;", 0},
      {"setp.ne.u32 %p0, %lane, 99; selp.b32 %out0, %r0, 1, %p0;", 0xFFFFFFFF},
      {"setp.eq.u32 %p0, %r0, 0; selp.b32 %out0, 1, 1, %p0;", 0xFFFFFFFF},
      // A defined false decides.
      {"setp.eq.u32 %p0, %r0, 0; setp.eq.u32 %p1, %lane, 99;"
       "and.pred %p2, %p0, %p1; selp.b32 %out0, 1, 2, %p2;",
       0},
      {"setp.eq.u32 %p0, %r0, 0; setp.eq.and.u32 %p1, %lane, 99, %p0;"
       "selp.b32 %out0, 1, 2, %p1;",
       0},
      {"setp.eq.u32 %p0, %r0, 0; setp.ne.or.u32 %p1, %lane, 99, !%p0;"
       "selp.b32 %out0, 1, 2, %p1;",
       0},
      {"setp.eq.u32 %p0, %r0, 0; setp.ne.and.u32 %p1, %lane, 99, %p0;"
       "selp.b32 %out0, 1, 2, %p1;",
       0xFFFFFFFF},
      {"setp.eq.u32 %p0|%p1, %r0, 0; selp.b32 %out0, 1, 2, %p1;", 0xFFFFFFFF},
  });
}

TEST(Taint, Arithmetic) {
  check({
      {"and.b32 %r1, %r0, 1; add.u32 %out0, %r1, 1;", 0xFFFFFFFF},
      {"mul.lo.u32 %out0, %r0, 0;", 0xFFFFFFFF},
      {"add.cc.u32 %r1, %r0, 1; addc.u32 %out0, 0, 0;", 0xFFFFFFFF},
      {"add.cc.u32 %r1, 1, 1; addc.u32 %out0, 0, 0;", 0},
      {"popc.b32 %out0, %r0;", 0xFFFFFFFF},
      {"mov.b32 %f0, %r0; fma.rn.f32 %f1, %f0, 0f00000000, 0f3F800000;"
       "mov.b32 %out0, %f1;",
       0xFFFFFFFF},
      {"set.eq.u32.u32 %out0, %r0, 0;", 0xFFFFFFFF},
      // One half of a pair is defined.
      {"and.b32 %r1, %r0, 0xFF; add.f16x2 %out0, %r1, %r1;", 0xFFFF},
      {"and.b32 %r1, %r0, 0xFF; add.u16x2 %out0, %r1, %r1;", 0xFFFF},
  });
}

TEST(Taint, GuardsThatNobodyKnows) {
  // Whether the lane wrote is unknown: so is the value.
  check({
      {"mov.b32 %out0, 1; setp.eq.u32 %p0, %r0, 0; @%p0 mov.b32 %out0, 2;",
       0xFFFFFFFF},
      {"mov.b32 %out0, %r0; mov.b32 %out0, 2;", 0},
  });
}

//===- ParserTest.cpp - What PTX parses to --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row per construct: the body of a kernel, and its instructions with every
// name resolved, in the notation of Printing.h.
//
//===----------------------------------------------------------------------===//

#include "Printing.h"

#include <gtest/gtest.h>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

constexpr const char *kDeclarations =
    ".global .align 4 .b32 g[4];\n"
    ".extern .shared .align 16 .b8 dyn[];\n"
    ".func (.param .b32 r) f(.param .b32 a, .param .b32 b);\n"
    ".func h;\n";

constexpr const char *kRegisters =
    ".reg .b32 %r<20>;\n.reg .b64 %rd<8>;\n.reg .f32 %f<9>, x;\n"
    ".reg .pred %p<4>, p, q;\n.reg .b16 %rs<4>;\n.reg .v4 .f32 v;\n";

struct Row {
  const char *body;
  const char *printed;
};

constexpr Row kRows[] = {
    // Instructions, qualifiers, guards.
    {"ret;", "ret;"},
    {"add.s32 %r1, %r2, 5;", "add.s32 %r1, %r2, 5;"},
    {"add .s32 %r1,%r2 , -5 ;", "add.s32 %r1, %r2, -5;"},
    {"@%p1 bra.uni L; exit; L: ret;", "@%p1 bra.uni ->2; exit; ret;"},
    {"@!p ret;", "@!p ret;"},
    {"bar.sync 0;", "bar.sync 0;"},
    {"mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::"
     "4X.f32.e2m1.e2m1.f32.ue4m3 {%f1,%f2}, {%r1}, {%r2}, {x,x}, {%r3},"
     "{%rs1, 0}, %r4, {%rs2, 1};",
     "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::"
     "4X.f32.e2m1.e2m1.f32.ue4m3 {%f1, %f2}, {%r1}, {%r2}, {x, x}, {%r3}, "
     "{%rs1, 0}, %r4, {%rs2, 1};"},
    {"ld.shared::cta.L2::128B.b32 %r1, [%r2];",
     "ld.shared::cta.L2::128B.b32 %r1, [%r2];"},
    {"cp.async.bulk.tensor.2d.shared::cluster.global [%r1], [%rd1, {%r2, 0}], "
     "[dyn+8];",
     "cp.async.bulk.tensor.2d.shared::cluster.global [%r1], "
     "[%rd1, {%r2, 0}], [global dyn+8];"},
    // Literals.
    {"mov.b64 %rd1, 0xFFFFFFFFFFFFFFFF;", "mov.b64 %rd1, -1;"},
    {"mov.b32 %r1, 0x1FU; mov.b32 %r1, 017; mov.b32 %r1, 0b101U;",
     "mov.b32 %r1, 31; mov.b32 %r1, 15; mov.b32 %r1, 5;"},
    {"mov.f32 x, 0f3F800000;", "mov.f32 x, f32:3f800000;"},
    {"mov.f32 x, 0F3f80000a;", "mov.f32 x, f32:3f80000a;"},
    {"mov.f64 x, 0d3FF0000000000000; mov.f64 x, 1.5e-1; mov.f64 x, -2.;",
     "mov.f64 x, f64:3ff0000000000000; mov.f64 x, f64:3fc3333333333333; "
     "mov.f64 x, f64:c000000000000000;"},
    {"mov.u32 %r1, WARP_SZ;", "mov.u32 %r1, special WARP_SZ;"},
    // Constant expressions.
    {"mov.s64 %rd1, (4*8+1); mov.s64 %rd1, 1+2*3<<1;",
     "mov.s64 %rd1, 33; mov.s64 %rd1, 14;"},
    {"mov.s64 %rd1, ~0; mov.s64 %rd1, !5; mov.s64 %rd1, - - 3;",
     "mov.s64 %rd1, -1; mov.s64 %rd1, 0; mov.s64 %rd1, 3;"},
    {"mov.s64 %rd1, 7/2; mov.s64 %rd1, -7/2; mov.s64 %rd1, -7 % 3;",
     "mov.s64 %rd1, 3; mov.s64 %rd1, -3; mov.s64 %rd1, -1;"},
    {"mov.s64 %rd1, (-8)>>1; mov.s64 %rd1, (.u64)(-8)>>60; "
     "mov.s64 %rd1, (.s64)0xFFFFFFFFFFFFFFFF / 2;",
     "mov.s64 %rd1, -4; mov.s64 %rd1, 15; mov.s64 %rd1, 0;"},
    {"mov.s64 %rd1, 3 > 2 ? 10 : 20; mov.s64 %rd1, 0 ? 1 : 0 ? 2 : 3;",
     "mov.s64 %rd1, 10; mov.s64 %rd1, 3;"},
    {"mov.s64 %rd1, 6 & 3 | 8 ^ 1; mov.s64 %rd1, 1 && 0 || 1;",
     "mov.s64 %rd1, 11; mov.s64 %rd1, 1;"},
    {"mov.s64 %rd1, -1 < 0; mov.s64 %rd1, -1 < 0U;",
     "mov.s64 %rd1, 1; mov.s64 %rd1, 0;"},
    {"mov.s64 %rd1, (0-9223372036854775807-1)/-1; mov.s64 %rd1, 1<<64;",
     "mov.s64 %rd1, -9223372036854775808; mov.s64 %rd1, 0;"},
    {"mov.f64 x, 1.5+2.0*2; mov.s64 %rd1, 1.5 < 2;",
     "mov.f64 x, f64:4016000000000000; mov.s64 %rd1, 1;"},
    {"mov.s64 %rd1, 4*WARP_SZ;", "mov.s64 %rd1, 128;"},
    // Addresses.
    {"ld.u32 %r1, [%rd1+-8]; ld.u32 %r1, [ %rd1 + 0 ]; ld.u32 %r1, [%rd1-4];",
     "ld.u32 %r1, [%rd1-8]; ld.u32 %r1, [%rd1]; ld.u32 %r1, [%rd1-4];"},
    {"ld.u32 %r1, [g+4]; ld.u32 %r1, [g+(2*4)-4+1]; ld.u32 %r1, [0x10];",
     "ld.u32 %r1, [global g+4]; ld.u32 %r1, [global g+5]; ld.u32 %r1, [16];"},
    {"ld.param.u64 %rd1, [in]; ld.param.b8 %rs1, [box+23];",
     "ld.param.u64 %rd1, [param in]; ld.param.b8 %rs1, [param box+23];"},
    {"ld.global.L2::cache_hint.b32 %r1, [%rd1], %rd2;",
     "ld.global.L2::cache_hint.b32 %r1, [%rd1], %rd2;"},
    {"mov.u64 %rd1, g; mov.u64 %rd1, g+8; mov.u64 %rd1, f;",
     "mov.u64 %rd1, global g; mov.u64 %rd1, global g+8; mov.u64 %rd1, @f;"},
    // Vectors, pairs, sinks, selectors.
    {"ld.v4.u32 {%r1, _, %r2, %r3}, [%rd1];",
     "ld.v4.u32 {%r1, _, %r2, %r3}, [%rd1];"},
    {"mov.b32 %r1, {%rs1, %rs2}; mov.b32 {_, %rs1}, %r1;",
     "mov.b32 %r1, {%rs1, %rs2}; mov.b32 {_, %rs1}, %r1;"},
    {"mov.f32 v.x, v.y; mov.f32 v.b, v.w;",
     "mov.f32 v.x, v.y; mov.f32 v.b, v.w;"},
    {"st.v4.f32 [%rd1], v;", "st.v4.f32 [%rd1], {v, v, v, v};"},
    {"setp.lt.and.s32 p|q, %r1, 0, !%p3; shfl.sync.up.b32 %r1|p, %r2, 1, 0, "
     "-1;",
     "setp.lt.and.s32 p|q, %r1, 0, not %p3; "
     "shfl.sync.up.b32 %r1|p, %r2, 1, 0, -1;"},
    {"elect.sync _|p, 0xFFFFFFFF;", "elect.sync _|p, 4294967295;"},
    {"vadd.u32.u32.u32 %r1.b0, %r2.h1, -%r3, %r4;",
     "vadd.u32.u32.u32 %r1.b0, %r2.h1, not %r3, %r4;"},
    // Special registers.
    {"mov.u32 %r1, %tid.x; mov.u32 %r1, %clusterid.z; mov.u32 %r1, %laneid;",
     "mov.u32 %r1, special %tid.x; mov.u32 %r1, special %clusterid.z; "
     "mov.u32 %r1, special %laneid;"},
    {"mov.u32 %r1, %envreg3; mov.u32 %r1, %lanemask_lt; mov.u32 %r1, %pm7;",
     "mov.u32 %r1, special %envreg3; mov.u32 %r1, special %lanemask_lt; "
     "mov.u32 %r1, special %pm7;"},
    {"mov.u32 %r1, %clock_hi; mov.u32 %r1, %dynamic_smem_size; "
     "mov.pred p, %is_explicit_cluster; mov.u32 %r1, %cluster_ctarank;",
     "mov.u32 %r1, special %clock_hi; mov.u32 %r1, special %dynamic_smem_size; "
     "mov.pred p, special %is_explicit_cluster; "
     "mov.u32 %r1, special %cluster_ctarank;"},
    {".reg .b32 %laneid; mov.u32 %laneid, 1;", "mov.u32 %laneid, 1;"},
    // Scopes and labels.
    {"{ .reg .f32 %r1; mov.f32 %r1, %r2; }", "mov.f32 %r1, %r2;"},
    {"L: bra L; { bra L; L: bra L; } { L: bra L; } bra L;",
     "bra ->0; bra ->2; bra ->2; bra ->3; bra ->0;"},
    {"{ { bra L; } } ret; L:", "bra ->2; ret;"},
    {"A: B: { C: bra A; bra B; bra C; }", "bra ->0; bra ->0; bra ->0;"},
    {"$L__1 : /* x */ bra $L__1;", "bra ->0;"},
    {"t: .branchtargets A, B; @p brx.idx %r1, t; A: ret; B: exit;",
     "@p brx.idx %r1, targets t; ret; exit;"},
    // Calls.
    {"call h;", "call {}, @h, {};"},
    {"call.uni h, ();", "call.uni {}, @h, {};"},
    {".param .b32 s; call (s), f, (%r1, 2);", "call {local s}, @f, {%r1, 2};"},
    {"call (%r1), f, (%r2, %r3);", "call {%r1}, @f, {%r2, %r3};"},
    {"{ .param .b32 a; .param .b32 s; st.param.b32 [a+0], %r1;\n"
     "P : .callprototype (.param .b32 _) _ (.param .b32 _, .param .align 8 .b8 "
     "_[16]) .noreturn;\ncall.uni (s), %rd1, (a, a), P; }",
     "st.param.b32 [local a], %r1; "
     "call.uni {local s}, %rd1, {local a, local a}, prototype P;"},
    {"P: .callprototype ()_ (); call %rd1, P;",
     "call {}, %rd1, {}, prototype P;"},
    {"T: .calltargets h, later; call %rd1, (), T; call later;",
     "call {}, %rd1, {}, targets T; call {}, @later, {};"},
    // Directives in between.
    {".loc 1 2 3\n.loc 1 2 3, function_name $L__s+4, inlined_at 1 5 6\n"
     ".pragma \"nounroll\";\nret;",
     "ret;"},
};

TEST(Parser, Instructions) {
  for (const Row &row : kRows) {
    std::string text =
        wrapBody(kDeclarations, std::string(kRegisters) + row.body) +
        ".func later { ret; }\n";
    Result<std::unique_ptr<Module>> module = parseModule(text, "t");
    ASSERT_TRUE(module.ok()) << row.body << "\n" << module.getMessage();
    for (const Function &function : (*module)->functions)
      if (function.isEntry)
        EXPECT_EQ(printInstructions(**module, function), row.printed);
  }
}

} // namespace

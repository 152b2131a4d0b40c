//===- Tcgen05Test.cpp - Spellings of tcgen05, by chip --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What loads for a chip is what ptxas 13.0 assembles for it. What the
// instructions do is compared with NumPy: test/Simulator/Blackwell.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <gtest/gtest.h>

#include <string>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {
constexpr const char *kTargets[] = {"sm_100a", "sm_100f", "sm_103a",
                                    "sm_103f", "sm_110a", "sm_110f"};

struct Spelling {
  /// `{@f+n}` stands for n registers from %rf on.
  const char *text;
  /// By target: Y, ptxas assembles it.
  const char *verdicts;
};

constexpr Spelling kSpellings[] = {
    {"tcgen05.ld.sync.aligned.16x64b.x2.b32 {%r0,%r1},[%r99];", "YYYYYY"},
    {"tcgen05.ld.sync.aligned.16x128b.x2.b32 {%r0,%r1,%r2,%r3},[%r99];",
     "YYYYYY"},
    {"tcgen05.ld.sync.aligned.16x256b.x1.b32 {%r0,%r1,%r2,%r3},[%r99];",
     "YYYYYY"},
    {"tcgen05.ld.sync.aligned.16x32bx2.x2.b32 {%r0,%r1},[%r99],16;", "YYYYYY"},
    {"tcgen05.ld.sync.aligned.32x32b.x2.pack::16b.b32 {%r0,%r1},[%r99];",
     "YYYYYY"},
    {"tcgen05.st.sync.aligned.32x32b.x2.unpack::16b.b32 [%r99],{%r0,%r1};",
     "YYYYYY"},
    {"tcgen05.st.sync.aligned.16x32bx2.x2.b32 [%r99],16,{%r0,%r1};", "YYYYYY"},
    {"tcgen05.ld.sync.aligned.32x32b.x1.b32 {%r1},[%r99];", "YYYYYY"},
    {"tcgen05.ld.sync.aligned.32x32b.x1.b32 %r1,[%r99];", "......"},
    {"tcgen05.ld.red.sync.aligned.32x32b.x2.max.f32 {%r0,%r1},%r50,[%r99];",
     "..YYYY"},
    {"tcgen05.ld.red.sync.aligned.32x32b.x2.max.abs.NaN.f32 "
     "{%r0,%r1},%r50,[%r99];",
     "..YYYY"},
    {"tcgen05.ld.red.sync.aligned.32x32b.x2.min.u32 {%r0,%r1},%r50,[%r99];",
     "..YYYY"},
    {"tcgen05.ld.red.sync.aligned.32x32b.x2.u32.min {%r0,%r1},%r50,[%r99];",
     "..YYYY"},
    {"tcgen05.cp.cta_group::1.4x256b [%r1],%rd1;", "YYYYYY"},
    {"tcgen05.cp.cta_group::1.64x128b.warpx2::02_13 [%r1],%rd1;", "YYYYYY"},
    {"tcgen05.cp.cta_group::2.64x128b.warpx2::01_23.b8x16.b6x16_p32 "
     "[%r1],%rd1;",
     "YYYYYY"},
    {"tcgen05.cp.cta_group::1.warpx4.32x128b [%r1],%rd1;", "YYYYYY"},
    {"tcgen05.cp.cta_group::1.64x128b [%r1],%rd1;", "......"},
    {"tcgen05.shift.cta_group::1.down [%r1];", "Y.Y.Y."},
    {"tcgen05.shift.down.cta_group::1 [%r1];", "Y.Y.Y."},
    {"tcgen05.commit.cta_group::2.mbarrier::arrive::one.shared::cluster."
     "multicast::cluster.b64 [%r1],%h1;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::tf32 [%r1],%rd1,%rd2,%r2,%p;", "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::i8 [%r1],%rd1,%rd2,%r2,%p;", "Y...Y."},
    {"tcgen05.mma.cta_group::1.kind::f8f6f4 "
     "[%r1],[%r3],%rd2,%r2,{%r4,%r5,%r6,%r7},%p;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::f16 [%r1],%rd1,%rd2,%r2,%p,3;", "YYYY.."},
    {"tcgen05.mma.cta_group::1.kind::f8f6f4 [%r1],%rd1,%rd2,%r2,%p,3;",
     "......"},
    {"tcgen05.mma.cta_group::2.kind::f16 "
     "[%r1],%rd1,%rd2,%r2,{%r4,%r5,%r6,%r7,%r8,%r9,%r10,%r11},%p;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::mxf8f6f4.block_scale "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::mxf8f6f4.block_scale.block32 "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::mxf8f6f4.block_scale.scale_vec::1X "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "Y.Y.Y."},
    {"tcgen05.mma.cta_group::1.kind::mxf8f6f4.block_scale.scale_vec::2X "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "......"},
    {"tcgen05.mma.cta_group::1.kind::mxf4.block_scale.block16 "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "......"},
    {"tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.scale_vec::2X "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "Y.Y.Y."},
    {"tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.scale_vec::4X "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "Y.Y.Y."},
    {"tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.block16 "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "......"},
    {"tcgen05.mma.cta_group::1.kind::mxf4.block_scale "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "YYYYYY"},
    {"clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::"
     "bytes.b128 [%r1],[%r2];",
     "YYYYYY"},
    {"clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::"
     "bytes.multicast::cluster::all.b128 [%r1],[%r2];",
     "YYYYYY"},
    {"ld.shared.b128 %z1,[%r1]; "
     "clusterlaunchcontrol.query_cancel.is_canceled.pred.b128 %p,%z1;",
     "YYYYYY"},
    {"ld.shared.b128 %z1,[%r1]; "
     "clusterlaunchcontrol.query_cancel.get_first_ctaid.v4.b32.b128 "
     "{%r5,%r6,%r7,%r8},%z1;",
     "YYYYYY"},
    {"ld.shared.b128 %z1,[%r1]; "
     "clusterlaunchcontrol.query_cancel.get_first_ctaid::x.b32.b128 %r5,%z1;",
     "YYYYYY"},
    {"cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_"
     "tx::bytes.multicast::cluster.cta_group::2 "
     "[%r1],[%rd1,{%r2,%r3}],[%r4],%h1;",
     "YYYYYY"},
    {"cp.async.bulk.tensor.2d.cta_group::1.shared::cta.global.tile.mbarrier::"
     "complete_tx::bytes [%r1],[%rd1,{%r2,%r3}],[%r4];",
     "YYYYYY"},
    {"cvt.rs.satfinite.e2m1x4.f32 %h1,{%r1,%r2,%r3,%r4},%r1;", "Y.Y..."},
    {"tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%r1],32;",
     "YYYYYY"},
    {"tcgen05.alloc.cta_group::2.sync.aligned.b32 [%rd1],%r2;", "YYYYYY"},
    {"tcgen05.dealloc.cta_group::1.sync.aligned.b32 %r1,%r2;", "YYYYYY"},
    {"tcgen05.relinquish_alloc_permit.cta_group::2.sync.aligned;", "YYYYYY"},
    {"tcgen05.alloc.sync.aligned.shared::cta.b32 [%r1],32;", "......"},
    {"tcgen05.ld.sync.aligned.32x32b.x128.b32 {@100+128},[%r99];", "YYYYYY"},
    {"tcgen05.ld.sync.aligned.16x256b.x64.b32 {@0+256},[%r99];", "......"},
    {"tcgen05.ld.sync.aligned.32x32b.x3.b32 {%r0,%r1,%r2},[%r99];", "......"},
    {"tcgen05.ld.sync.aligned.16x128b.x2.b32 {%r0,%r1},[%r99];", "......"},
    {"tcgen05.wait::ld.sync.aligned; tcgen05.wait::st.sync.aligned;", "YYYYYY"},
    {"tcgen05.fence::before_thread_sync; tcgen05.fence::after_thread_sync;",
     "YYYYYY"},
    {"tcgen05.commit.cta_group::1.mbarrier::arrive::one.b64 [%rd1];", "YYYYYY"},
    {"tcgen05.cp.cta_group::2.128x256b.b8x16.b4x16_p64 [%r1],%rd1;", "YYYYYY"},
    {"tcgen05.mma.cta_group::2.kind::f16.collector::a::lastuse "
     "[%r1],[%r2],%rd2,%r2,%p;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::f16 "
     "[%r1],%rd1,%rd2,%r2,{%r4,%r5,%r6,%r7,%r8,%r9,%r10,%r11},%p;",
     "......"},
    {"tcgen05.mma.cta_group::1.kind::tf32 [%r1],%rd1,%rd2,%r2,%p,16;",
     "......"},
    {"tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.block16.collector::a:"
     ":discard [%r1],%rd1,%rd2,%r2,[%r3],[%r4],%p;",
     "YYYYYY"},
    {"tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.block16 "
     "[%r1],%rd1,%rd2,%r2,[%r3],[%r4],{%r4,%r5,%r6,%r7},%p;",
     "......"},
    {"tcgen05.mma.cta_group::1 [%r1],%rd1,%rd2,%r2,%p;", "......"},
    {"tcgen05.mma.kind::f16 [%r1],%rd1,%rd2,%r2,%p;", "......"},
};

/// Refused on every chip, although ptxas knows it.
constexpr const char *kUnknown[] = {
    "tcgen05.mma.ws.cta_group::1.kind::f16 [%r1],%rd1,%rd2,%r2,%p;",
    "tcgen05.mma.sp.cta_group::1.kind::f16 [%r1],%rd1,%rd2,[%r5],%r2,%p;",
    "tcgen05.mma.cta_group::1.kind::f16.ashift [%r1],[%r3],%rd2,%r2,%p;",
    "tcgen05.ld.red.sync.aligned.16x32bx2.x2.min.s32 {%r0,%r1},%r50,[%r99],16;",
};
} // namespace

/// Writes lists of registers out.
static std::string expand(std::string text) {
  for (size_t at; (at = text.find("{@")) != std::string::npos;) {
    size_t plus = text.find('+', at), end = text.find('}', at);
    int first = std::stoi(text.substr(at + 2)), list = 0;
    int count = std::stoi(text.substr(plus + 1));
    std::string registers;
    for (; list < count; ++list)
      registers += (list ? ",%r" : "%r") + std::to_string(first + list);
    text.replace(at + 1, end - at - 1, registers);
  }
  return text;
}

static std::string load(const std::string &text, const std::string &target) {
  auto program = Program::load(
      ".version 9.0\n.target " + target +
          "\n.address_size 64\n.visible .entry k(.param .u64 p) {\n"
          ".reg .pred %p, %q; .reg .b32 %r<300>; .reg .b64 %rd<20>;\n"
          ".reg .b16 %h<4>; .reg .b128 %z<3>;\n" +
          expand(text) + "\nret;\n}\n",
      "k.ptx");
  return program.ok() ? "" : program.getMessage();
}

TEST(Tcgen05, LoadsWhatAssembles) {
  for (const Spelling &spelling : kSpellings)
    for (size_t i = 0; i < std::size(kTargets); ++i) {
      std::string error = load(spelling.text, kTargets[i]);
      EXPECT_EQ(error.empty(), spelling.verdicts[i] == 'Y')
          << kTargets[i] << ": " << spelling.text << "\n"
          << error;
    }
}

TEST(Tcgen05, RefusesWhatItDoesNotKnow) {
  for (const char *text : kUnknown)
    for (const char *target : kTargets)
      EXPECT_NE(load(text, target).find("expected"), std::string::npos) << text;
}

TEST(Tcgen05, NamesTheChips) {
  EXPECT_NE(load("tcgen05.shift.cta_group::1.down [%r1];", "sm_103f")
                .find("expected one of the targets sm_100a, sm_101a, sm_103a, "
                      "sm_110a, but got sm_103f"),
            std::string::npos);
  EXPECT_NE(load("tcgen05.wait::ld.sync.aligned;", "sm_120a"), "");
  EXPECT_NE(load("tcgen05.wait::ld.sync.aligned;", "sm_90a"), "");
}

//===- math_integer.cu - Integer operations -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits, bytes, high halves of products, dot products, and arithmetic of 64 and
// 128 bits. Each row of the output is one operation on all triples (a, b, c).
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

extern "C" __global__ void words(const unsigned *as, const unsigned *bs,
                                 const unsigned *cs, unsigned *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned a = as[i], b = bs[i], c = cs[i];
  int sa = a, sb = b, sc = c;
  auto put = [&](unsigned value) {
    out[i] = value;
    out += n;
  };
  put(__brev(a));
  put(__clz(a));
  put(__popc(a));
  put(__ffs(a));
  put(__byte_perm(a, b, c));
  put(__funnelshift_l(a, b, c));
  put(__funnelshift_r(a, b, c));
  put(__funnelshift_lc(a, b, c % 64));
  put(__funnelshift_rc(a, b, c % 64));
  put(__dp4a(sa, sb, sc));
  put(__dp4a(a, b, c));
  put(__dp2a_lo(sa, sb, sc));
  put(__dp2a_hi(a, b, c));
  put(__mulhi(sa, sb));
  put(__umulhi(a, b));
  put(__mul24(sa, sb));
  put(__umul24(a, b));
  put(__sad(sa, sb, c));
  put(__usad(a, b, c));
  put(__hadd(sa, sb));
  put(__rhadd(sa, sb));
  put(__uhadd(a, b));
  put(__urhadd(a, b));
  put(min(sa, sb));
  put(max(a, b));
  put(abs(sa));
  put(a << (b % 32));
  put(sa >> (b % 32));
  put(b ? a / b : c);
  put(b ? a % b : c);
  put(sb && sb != -1 ? sa / sb : sc);
  put(sb && sb != -1 ? sa % sb : sc);
  put(a * b + c);
  put((a & b) | (~a & c));
  put(a ^ b ^ c);
  put(__viaddmax_s32(sa, sb, sc));
  put(__vimin3_u32(a, b, c));
  put(__vadd4(a, b));
  put(__vmaxs2(a, b));
  put(__vcmpgtu4(a, b));
}

/// What has no function: bit fields, shifts beyond the width, carries.
extern "C" __global__ void instructions(const unsigned *as, const unsigned *bs,
                                        const unsigned *cs, unsigned *out,
                                        int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned a = as[i], b = bs[i], c = cs[i], r, high;
  auto put = [&](unsigned value) {
    out[i] = value;
    out += n;
  };
  asm("bfe.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b % 40), "r"(c % 40));
  put(r);
  asm("bfe.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b % 40), "r"(c % 40));
  put(r);
  asm("bfi.b32 %0, %1, %2, %3, %4;"
      : "=r"(r)
      : "r"(a), "r"(b), "r"(c % 40), "r"(c / 64 % 40));
  put(r);
  asm("shl.b32 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b % 70));
  put(r);
  asm("shr.u32 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b % 70));
  put(r);
  asm("shr.s32 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b % 70));
  put(r);
  asm("bfind.u32 %0, %1;" : "=r"(r) : "r"(a));
  put(r);
  asm("bfind.s32 %0, %1;" : "=r"(r) : "r"(a));
  put(r);
  asm("bfind.shiftamt.u32 %0, %1;" : "=r"(r) : "r"(a));
  put(r);
  asm("lop3.b32 %0, %1, %2, %3, 0x6b;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
  put(r);
  asm("prmt.b32.f4e %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
  put(r);
  asm("prmt.b32.rc16 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
  put(r);
  asm("add.sat.s32 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
  put(r);
  asm("sub.sat.s32 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
  put(r);
  asm("mad.hi.sat.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
  put(r);
  asm("{add.cc.u32 %0, %2, %3; addc.u32 %1, %4, %2;}"
      : "=r"(r), "=r"(high)
      : "r"(a), "r"(b), "r"(c));
  put(r);
  put(high);
  asm("{sub.cc.u32 %0, %2, %3; subc.u32 %1, %4, %2;}"
      : "=r"(r), "=r"(high)
      : "r"(a), "r"(b), "r"(c));
  put(r);
  put(high);
  asm("{mad.lo.cc.u32 %0, %2, %3, %4; madc.hi.u32 %1, %2, %3, %4;}"
      : "=r"(r), "=r"(high)
      : "r"(a), "r"(b), "r"(c));
  put(r);
  put(high);
  asm("bmsk.clamp.b32 %0, %1, %2;" : "=r"(r) : "r"(b % 40), "r"(c % 40));
  put(r);
  asm("szext.clamp.s32 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(c % 40));
  put(r);
  asm("fns.b32 %0, %1, %2, %3;"
      : "=r"(r)
      : "r"(a), "r"(b % 32), "r"(int(c % 9) - 4));
  put(r);
}

extern "C" __global__ void longs(const uint64_t *as, const uint64_t *bs,
                                 uint64_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  uint64_t a = as[i], b = bs[i];
  int64_t sa = a, sb = b;
  using u128 = unsigned __int128;
  using i128 = __int128;
  auto put = [&](uint64_t value) {
    out[i] = value;
    out += n;
  };
  put(__brevll(a));
  put(__clzll(a));
  put(__popcll(a));
  put(__ffsll(a));
  put(__mul64hi(sa, sb));
  put(__umul64hi(a, b));
  put(a * b);
  put(b ? a / b : 0);
  put(b ? a % b : 0);
  put(sb && sb != -1 ? sa / sb : 0);
  put(sb && sb != -1 ? sa % sb : 0);
  put(a << (b % 64));
  put(sa >> (b % 64));
  put(min(sa, sb));
  put(static_cast<uint64_t>(static_cast<uint32_t>(a)) *
      static_cast<uint32_t>(b));
  // 128 bits: sums, products, quotients, shifts.
  u128 wide = static_cast<u128>(a) << 64 | b, other = static_cast<u128>(b) * a;
  put(static_cast<uint64_t>(other >> 64));
  put(static_cast<uint64_t>((wide + other) >> 64));
  put(static_cast<uint64_t>((wide - other) >> 64));
  put(static_cast<uint64_t>(wide * other >> 64));
  u128 divisor = (other >> (a % 100)) | 1;
  put(static_cast<uint64_t>(wide / divisor));
  put(static_cast<uint64_t>(wide % divisor));
  put(static_cast<uint64_t>(static_cast<i128>(wide) /
                            static_cast<i128>(sb | 1)));
  put(static_cast<uint64_t>(wide >> (a % 128)));
  put(static_cast<uint64_t>(wide << (a % 128) >> 64));
}

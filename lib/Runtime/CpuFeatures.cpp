//===- CpuFeatures.cpp - What this CPU can run ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One table per architecture from LLVM's feature names to the bit that reports
// the feature, and one from CPU levels to features.
// Sources: x86-64 psABI, "micro-architecture levels"; Intel SDM volume 2,
// CPUID, and volume 1 section 13 (XCR0); AMD APM volume 3 appendix E; Linux,
// Documentation/arm64/elf_hwcaps.rst.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/CpuFeatures.h"
#include "nvfp4/Runtime/Messages.h"

#include <cstdint>
#include <sys/auxv.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

using namespace nvfp4;

//===----------------------------------------------------------------------===//
// x86-64
//===----------------------------------------------------------------------===//

namespace {

/// Registers that the operating system must save for a feature to be usable, as
/// bits of XCR0.
constexpr uint32_t kNoState = 0;
constexpr uint32_t kAvxState = 0x6;     // xmm, ymm
constexpr uint32_t kAvx512State = 0xe6; // and masks, zmm
constexpr uint32_t kAmxState = 0x60000; // tile configuration and data
constexpr uint32_t kApxState = 0x80000; // r16 to r31

enum Register { EAX, EBX, ECX, EDX };

struct X86Feature {
  const char *name;
  uint32_t leaf, subleaf;
  Register reg;
  unsigned bit;
  uint32_t state;
};

struct CpuLevel {
  const char *architecture;
  const char *name;
  std::vector<const char *> features;
};

} // namespace

static constexpr X86Feature kX86Features[] = {
    {"x87", 1, 0, EDX, 0, kNoState},
    {"cx8", 1, 0, EDX, 8, kNoState},
    {"cmov", 1, 0, EDX, 15, kNoState},
    {"mmx", 1, 0, EDX, 23, kNoState},
    {"fxsr", 1, 0, EDX, 24, kNoState},
    {"sse", 1, 0, EDX, 25, kNoState},
    {"sse2", 1, 0, EDX, 26, kNoState},
    {"sse3", 1, 0, ECX, 0, kNoState},
    {"pclmul", 1, 0, ECX, 1, kNoState},
    {"ssse3", 1, 0, ECX, 9, kNoState},
    {"fma", 1, 0, ECX, 12, kAvxState},
    {"cx16", 1, 0, ECX, 13, kNoState},
    {"sse4.1", 1, 0, ECX, 19, kNoState},
    {"sse4.2", 1, 0, ECX, 20, kNoState},
    {"crc32", 1, 0, ECX, 20, kNoState},
    {"movbe", 1, 0, ECX, 22, kNoState},
    {"popcnt", 1, 0, ECX, 23, kNoState},
    {"aes", 1, 0, ECX, 25, kNoState},
    {"xsave", 1, 0, ECX, 27, kNoState}, // OSXSAVE: enabled, not only there
    {"avx", 1, 0, ECX, 28, kAvxState},
    {"f16c", 1, 0, ECX, 29, kAvxState},
    {"rdrnd", 1, 0, ECX, 30, kNoState},
    {"fsgsbase", 7, 0, EBX, 0, kNoState},
    {"sgx", 7, 0, EBX, 2, kNoState},
    {"bmi", 7, 0, EBX, 3, kNoState},
    {"avx2", 7, 0, EBX, 5, kAvxState},
    {"bmi2", 7, 0, EBX, 8, kNoState},
    {"invpcid", 7, 0, EBX, 10, kNoState},
    {"rtm", 7, 0, EBX, 11, kNoState},
    {"avx512f", 7, 0, EBX, 16, kAvx512State},
    {"evex512", 7, 0, EBX, 16, kAvx512State},
    {"avx512dq", 7, 0, EBX, 17, kAvx512State},
    {"rdseed", 7, 0, EBX, 18, kNoState},
    {"adx", 7, 0, EBX, 19, kNoState},
    {"avx512ifma", 7, 0, EBX, 21, kAvx512State},
    {"clflushopt", 7, 0, EBX, 23, kNoState},
    {"clwb", 7, 0, EBX, 24, kNoState},
    {"avx512cd", 7, 0, EBX, 28, kAvx512State},
    {"sha", 7, 0, EBX, 29, kNoState},
    {"avx512bw", 7, 0, EBX, 30, kAvx512State},
    {"avx512vl", 7, 0, EBX, 31, kAvx512State},
    {"avx512vbmi", 7, 0, ECX, 1, kAvx512State},
    {"pku", 7, 0, ECX, 4, kNoState},
    {"waitpkg", 7, 0, ECX, 5, kNoState},
    {"avx512vbmi2", 7, 0, ECX, 6, kAvx512State},
    {"shstk", 7, 0, ECX, 7, kNoState},
    {"gfni", 7, 0, ECX, 8, kNoState},
    {"vaes", 7, 0, ECX, 9, kAvxState},
    {"vpclmulqdq", 7, 0, ECX, 10, kAvxState},
    {"avx512vnni", 7, 0, ECX, 11, kAvx512State},
    {"avx512bitalg", 7, 0, ECX, 12, kAvx512State},
    {"avx512vpopcntdq", 7, 0, ECX, 14, kAvx512State},
    {"rdpid", 7, 0, ECX, 22, kNoState},
    {"kl", 7, 0, ECX, 23, kNoState},
    {"cldemote", 7, 0, ECX, 25, kNoState},
    {"movdiri", 7, 0, ECX, 27, kNoState},
    {"movdir64b", 7, 0, ECX, 28, kNoState},
    {"enqcmd", 7, 0, ECX, 29, kNoState},
    {"uintr", 7, 0, EDX, 5, kNoState},
    {"avx512vp2intersect", 7, 0, EDX, 8, kAvx512State},
    {"serialize", 7, 0, EDX, 14, kNoState},
    {"tsxldtrk", 7, 0, EDX, 16, kNoState},
    {"pconfig", 7, 0, EDX, 18, kNoState},
    {"amx-bf16", 7, 0, EDX, 22, kAmxState},
    {"avx512fp16", 7, 0, EDX, 23, kAvx512State},
    {"amx-tile", 7, 0, EDX, 24, kAmxState},
    {"amx-int8", 7, 0, EDX, 25, kAmxState},
    {"sha512", 7, 1, EAX, 0, kAvxState},
    {"sm3", 7, 1, EAX, 1, kAvxState},
    {"sm4", 7, 1, EAX, 2, kAvxState},
    {"raoint", 7, 1, EAX, 3, kNoState},
    {"avxvnni", 7, 1, EAX, 4, kAvxState},
    {"avx512bf16", 7, 1, EAX, 5, kAvx512State},
    {"cmpccxadd", 7, 1, EAX, 7, kNoState},
    {"amx-fp16", 7, 1, EAX, 21, kAmxState},
    {"hreset", 7, 1, EAX, 22, kNoState},
    {"avxifma", 7, 1, EAX, 23, kAvxState},
    {"movrs", 7, 1, EAX, 31, kNoState},
    {"avxvnniint8", 7, 1, EDX, 4, kAvxState},
    {"avxneconvert", 7, 1, EDX, 5, kAvxState},
    {"amx-complex", 7, 1, EDX, 8, kAmxState},
    {"avxvnniint16", 7, 1, EDX, 10, kAvxState},
    {"prefetchi", 7, 1, EDX, 14, kNoState},
    {"usermsr", 7, 1, EDX, 15, kNoState},
    {"egpr", 7, 1, EDX, 21, kApxState},
    {"push2pop2", 7, 1, EDX, 21, kApxState},
    {"ppx", 7, 1, EDX, 21, kApxState},
    {"ndd", 7, 1, EDX, 21, kApxState},
    {"ccmp", 7, 1, EDX, 21, kApxState},
    {"nf", 7, 1, EDX, 21, kApxState},
    {"cf", 7, 1, EDX, 21, kApxState},
    {"zu", 7, 1, EDX, 21, kApxState},
    {"xsaveopt", 0xd, 1, EAX, 0, kNoState},
    {"xsavec", 0xd, 1, EAX, 1, kNoState},
    {"xsaves", 0xd, 1, EAX, 3, kNoState},
    {"ptwrite", 0x14, 0, EBX, 4, kNoState},
    {"widekl", 0x19, 0, EBX, 2, kNoState},
    {"amx-fp8", 0x1e, 1, EAX, 4, kAmxState},
    {"amx-tf32", 0x1e, 1, EAX, 6, kAmxState},
    {"amx-avx512", 0x1e, 1, EAX, 7, kAmxState},
    {"amx-movrs", 0x1e, 1, EAX, 8, kAmxState},
    {"sahf", 0x80000001, 0, ECX, 0, kNoState},
    {"lzcnt", 0x80000001, 0, ECX, 5, kNoState},
    {"sse4a", 0x80000001, 0, ECX, 6, kNoState},
    {"prfchw", 0x80000001, 0, ECX, 8, kNoState},
    {"xop", 0x80000001, 0, ECX, 11, kAvxState},
    {"lwp", 0x80000001, 0, ECX, 15, kNoState},
    {"fma4", 0x80000001, 0, ECX, 16, kAvxState},
    {"tbm", 0x80000001, 0, ECX, 21, kNoState},
    {"mwaitx", 0x80000001, 0, ECX, 29, kNoState},
    {"64bit", 0x80000001, 0, EDX, 29, kNoState},
    {"clzero", 0x80000008, 0, EBX, 0, kNoState},
    {"rdpru", 0x80000008, 0, EBX, 4, kNoState},
    {"wbnoinvd", 0x80000008, 0, EBX, 9, kNoState},
};

//===----------------------------------------------------------------------===//
// AArch64
//===----------------------------------------------------------------------===//

namespace {
struct Arm64Feature {
  const char *name;
  unsigned long vector; // AT_HWCAP or AT_HWCAP2
  unsigned bit;
};
} // namespace

static constexpr Arm64Feature kArm64Features[] = {
    {"fp-armv8", AT_HWCAP, 0},     {"neon", AT_HWCAP, 1},
    {"aes", AT_HWCAP, 3},          {"sha2", AT_HWCAP, 6},
    {"crc", AT_HWCAP, 7},          {"lse", AT_HWCAP, 8},
    {"fullfp16", AT_HWCAP, 10},    {"rdm", AT_HWCAP, 12},
    {"jsconv", AT_HWCAP, 13},      {"complxnum", AT_HWCAP, 14},
    {"rcpc", AT_HWCAP, 15},        {"ccpp", AT_HWCAP, 16},
    {"sha3", AT_HWCAP, 17},        {"sm4", AT_HWCAP, 19},
    {"dotprod", AT_HWCAP, 20},     {"sve", AT_HWCAP, 22},
    {"fp16fml", AT_HWCAP, 23},     {"lse2", AT_HWCAP, 25},
    {"rcpc-immo", AT_HWCAP, 26},   {"dit", AT_HWCAP, 24},
    {"flagm", AT_HWCAP, 27},       {"ssbs", AT_HWCAP, 28},
    {"sb", AT_HWCAP, 29},          {"pauth", AT_HWCAP, 30},
    {"sve2", AT_HWCAP2, 1},        {"sve-aes", AT_HWCAP2, 2},
    {"sve-bitperm", AT_HWCAP2, 4}, {"sve-sha3", AT_HWCAP2, 5},
    {"sve-sm4", AT_HWCAP2, 6},     {"altnzcv", AT_HWCAP2, 7},
    {"fptoint", AT_HWCAP2, 8},     {"f32mm", AT_HWCAP2, 11},
    {"f64mm", AT_HWCAP2, 12},      {"i8mm", AT_HWCAP2, 13},
    {"bf16", AT_HWCAP2, 14},       {"rand", AT_HWCAP2, 16},
    {"bti", AT_HWCAP2, 17},        {"mte", AT_HWCAP2, 18},
    {"sme", AT_HWCAP2, 23},
};

//===----------------------------------------------------------------------===//
// Detection
//===----------------------------------------------------------------------===//

#if defined(__x86_64__)

/// XCR0: which registers the operating system saves.
static uint32_t readEnabledState() {
  unsigned eax, ebx, ecx, edx;
  constexpr unsigned kOsXsaveBit = 27;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !((ecx >> kOsXsaveBit) & 1))
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// AVX10 is a version number, not bits; 0 if there is none.
static unsigned readAvx10Version(uint32_t enabledState) {
  unsigned eax, ebx, ecx, edx;
  constexpr unsigned kAvx10Bit = 19;
  if ((enabledState & kAvx512State) != kAvx512State ||
      !__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) ||
      !((edx >> kAvx10Bit) & 1) ||
      !__get_cpuid_count(0x24, 0, &eax, &ebx, &ecx, &edx))
    return 0;
  return ebx & 0xff;
}

CpuFeatures CpuFeatures::detect() {
  CpuFeatures cpu{"x86_64", {}};
  uint32_t enabled = readEnabledState();
  for (const X86Feature &feature : kX86Features) {
    unsigned regs[4];
    if (!__get_cpuid_count(feature.leaf, feature.subleaf, &regs[EAX],
                           &regs[EBX], &regs[ECX], &regs[EDX]))
      continue;
    bool isUsable = (enabled & feature.state) == feature.state;
    if (isUsable && ((regs[feature.reg] >> feature.bit) & 1))
      cpu.features.insert(feature.name);
  }
  for (unsigned i = 1, version = readAvx10Version(enabled); i <= version; ++i)
    cpu.features.insert("avx10." + std::to_string(i));
  return cpu;
}

#elif defined(__aarch64__)

CpuFeatures CpuFeatures::detect() {
  CpuFeatures cpu{"aarch64", {}};
  for (const Arm64Feature &feature : kArm64Features)
    if ((getauxval(feature.vector) >> feature.bit) & 1)
      cpu.features.insert(feature.name);
  return cpu;
}

#else
#error "Add the features of this architecture"
#endif

bool nvfp4::isCheckedCpuFeature(std::string_view architecture,
                                std::string_view feature) {
  if (architecture == "x86_64") {
    for (const X86Feature &row : kX86Features)
      if (row.name == feature)
        return true;
    return feature == "avx10.1" || feature == "avx10.2";
  }
  if (architecture == "aarch64")
    for (const Arm64Feature &row : kArm64Features)
      if (row.name == feature)
        return true;
  return false;
}

//===----------------------------------------------------------------------===//
// Levels
//===----------------------------------------------------------------------===//

/// Each level with all of its features; a CPU of the architecture has those of
/// the first.
static std::vector<CpuLevel> getCpuLevels() {
  std::vector<const char *> v2 = {"cx16",  "sahf",   "popcnt", "sse3",
                                  "ssse3", "sse4.1", "sse4.2"};
  std::vector<const char *> v3 = v2;
  v3.insert(v3.end(), {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt",
                       "movbe", "xsave"});
  std::vector<const char *> v4 = v3;
  v4.insert(v4.end(),
            {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
  return {{"x86_64", "x86-64", {}},
          {"x86_64", "generic", {}},
          {"x86_64", "x86-64-v2", v2},
          {"x86_64", "x86-64-v3", v3},
          {"x86_64", "x86-64-v4", v4},
          {"aarch64", "generic", {"fp-armv8", "neon"}}};
}

/// The part of a triple before the first dash, in its usual spelling.
static std::string getArchitecture(const std::string &triple) {
  std::string architecture = triple.substr(0, triple.find('-'));
  if (architecture == "amd64")
    return "x86_64";
  if (architecture == "arm64")
    return "aarch64";
  return architecture;
}

Status nvfp4::checkCpu(const ManifestTarget &target, const CpuFeatures &cpu,
                       const std::string &place) {
  std::string architecture = getArchitecture(target.triple);
  if (architecture != cpu.architecture)
    return Status::error(place + ": expected code for " + cpu.architecture +
                         ", this machine, but got code for " +
                         quote(target.triple));
  std::vector<std::string> missing;
  bool isLevel = false;
  for (const CpuLevel &level : getCpuLevels()) {
    if (level.architecture != architecture || level.name != target.cpu)
      continue;
    isLevel = true;
    for (const char *feature : level.features)
      if (!cpu.features.count(feature))
        missing.push_back(feature);
  }
  if (!isLevel && target.features.empty())
    return Status::error(place +
                         ": expected a CPU level, or a CPU with its "
                         "features, but got " +
                         quote(target.cpu) + " without features");
  for (const std::string &feature : target.features)
    if (!cpu.features.count(feature))
      missing.push_back(feature);
  if (missing.empty())
    return Status();
  std::string list;
  for (const std::string &feature : missing)
    list += (list.empty() ? "" : ", ") + feature;
  return Status::error(place + ": expected a CPU that can run code for " +
                       quote(target.cpu) + ", but got one without " + list);
}

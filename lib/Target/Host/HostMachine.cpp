//===- HostMachine.cpp - Which CPU host code is made for ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostMachine.h"

#include "nvfp4/Runtime/CpuFeatures.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

#include <mutex>

using namespace mlir;

namespace nvfp4 {

namespace {
/// The CPU that is assumed unless the user names one.
struct DefaultCpu {
  llvm::Triple::ArchType arch;
  llvm::StringLiteral cpu;
};
constexpr DefaultCpu kDefaultCpus[] = {
    // Every server and desktop CPU since about 2015: AVX2, FMA, F16C.
    {llvm::Triple::x86_64, "x86-64-v3"},
    {llvm::Triple::aarch64, "generic"},
};
} // namespace

/// LLVM's registries are process-wide and their initialization is not
/// synchronised.
static void initializeLLVMTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    llvm::InitializeAllAsmParsers();
  });
}

/// `+avx2,-sse4a,…`: what this machine has, which may be less than its CPU name
/// promises (virtual machines mask features).
static std::string getHostFeatureString() {
  std::vector<std::string> features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    features.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(features);
  return llvm::join(features, ",");
}

/// The extensions that `info` may use. LLVM mixes them with tuning flags
/// (`fast-…`, `slow-…`), which the runtime does not know.
static std::vector<std::string>
getExtensions(const llvm::Triple &triple, StringRef cpu, bool isNative,
              const llvm::MCSubtargetInfo &info) {
  std::vector<std::string> names;
  if (isNative) {
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      if (feature.second)
        names.push_back(feature.first().str());
  } else if (triple.getArch() == llvm::Triple::x86_64) {
    SmallVector<StringRef> features;
    llvm::X86::getFeaturesForCPU(cpu, features);
    llvm::StringMap<bool> implied;
    for (StringRef feature : features) {
      implied[feature] = true;
      llvm::X86::updateImpliedFeatures(feature, /*Enabled=*/true, implied);
    }
    for (const auto &feature : implied)
      if (feature.second)
        names.push_back(feature.first().str());
  } else {
    for (const llvm::SubtargetFeatureKV &feature :
         info.getEnabledProcessorFeatures())
      names.push_back(feature.Key);
  }
  // The runtime must be able to look for each of them in the machine.
  llvm::erase_if(names, [&](const std::string &name) {
    return !isCheckedCpuFeature(triple.getArchName().str(), name);
  });
  llvm::sort(names);
  return names;
}

static FailureOr<std::string> resolveCpu(ModuleOp module,
                                         const llvm::Triple &triple,
                                         const EmitOptions &options) {
  if (options.cpu == "native") {
    llvm::Triple host(llvm::sys::getProcessTriple());
    if (host.getArch() != triple.getArch())
      return module.emitError("expected a CPU of '")
             << triple.getArchName() << "', but got 'native', which is '"
             << host.getArchName() << "'";
    return llvm::sys::getHostCPUName().str();
  }
  if (!options.cpu.empty())
    return options.cpu;
  for (const DefaultCpu &entry : kDefaultCpus)
    if (entry.arch == triple.getArch())
      return entry.cpu.str();
  return std::string("generic");
}

FailureOr<HostMachine> createHostMachine(ModuleOp module,
                                         const EmitOptions &options) {
  initializeLLVMTargets();
  HostMachine host;
  llvm::Triple triple(llvm::Triple::normalize(
      options.triple.empty() ? llvm::sys::getProcessTriple() : options.triple));
  host.triple = triple.str();
  if (!triple.isOSBinFormatELF() || !triple.isLittleEndian() ||
      !triple.isArch64Bit())
    return module.emitError("expected a 64-bit little-endian ELF triple, but "
                            "got '")
           << host.triple << "'";
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return module.emitError("expected a triple with a code generator in this "
                            "LLVM, but got '")
           << host.triple << "': " << message;

  FailureOr<std::string> cpu = resolveCpu(module, triple, options);
  if (failed(cpu))
    return failure();
  host.cpu = *cpu;
  bool isNative = options.cpu == "native";

  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!info || !info->isCPUStringValid(host.cpu))
    return module.emitError("expected a CPU that LLVM knows for '")
           << triple.getArchName() << "', but got '" << host.cpu << "'";
  std::string features = isNative ? getHostFeatureString() : "";
  info.reset(target->createMCSubtargetInfo(triple, host.cpu, features));
  host.features = getExtensions(triple, host.cpu, isNative, *info);

  llvm::TargetOptions targetOptions;
  // Results must not depend on how the vectoriser cuts a loop.
  targetOptions.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  host.machine.reset(target->createTargetMachine(
      triple, host.cpu, features, targetOptions, llvm::Reloc::PIC_,
      /*CM=*/std::nullopt, llvm::CodeGenOptLevel::Default));
  if (!host.machine)
    return module.emitError("expected a code generator for '")
           << host.triple << "', but got none";
  return std::move(host);
}

} // namespace nvfp4

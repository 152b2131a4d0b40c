//===- CudaModule.cpp - The kernels of a program on a GPU -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaModule.h"
#include "nvfp4/Runtime/Messages.h"

#include <algorithm>

using namespace nvfp4;
using namespace nvfp4::cuda;

/// Clusters of more blocks run on some chips only, and must be permitted.
static constexpr uint32_t kMaxPortableCluster = 8;
/// The first version whose graphs hold programmatic launches.
static constexpr int kProgrammaticGraphsVersion = 12030;
/// Bytes for what the driver's assembler says of PTX.
static constexpr size_t kLogBytes = 16384;

namespace {
/// What can be done with a kind of image.
struct ImageKind {
  uint32_t kind;
  const char *name;
  bool (ChipName::*runsOn)(int capability) const;
};
} // namespace

static constexpr ImageKind kImageKinds[] = {
    {NVFP4_IMAGE_CUBIN, "machine code", &ChipName::runsMachineCodeOn},
    {NVFP4_IMAGE_PTX, "PTX", &ChipName::assemblesOn},
};

static const ImageKind *findKind(uint32_t kind) {
  for (const ImageKind &row : kImageKinds)
    if (row.kind == kind)
      return &row;
  return nullptr;
}

Result<std::unique_ptr<DeviceModule>>
CudaModule::load(std::shared_ptr<const CudaContext> context,
                 const nvfp4_program_descriptor &program,
                 const std::string &place) {
  if (program.num_kernels == 0)
    return std::unique_ptr<DeviceModule>();
  std::unique_ptr<CudaModule> module(new CudaModule());
  module->context = std::move(context);
  module->place = place;
  CudaContext::Current current(*module->context);
  if (!current.getStatus())
    return current.getStatus();
  std::string refused;
  for (uint32_t i = 0; i < program.num_images && !module->handle; ++i) {
    const nvfp4_image &image = program.images[i];
    const ImageKind *kind = findKind(image.kind);
    if (!kind)
      continue;
    std::string what = std::string(kind->name) + " for " + image.chip;
    ChipName chip;
    if (!ChipName::parse(image.chip, chip) ||
        !(chip.*kind->runsOn)(module->context->getCapability())) {
      refused += "\n  " + what;
      continue;
    }
    if (Status status = module->loadImage(image); !status)
      refused += "\n  " + what + ": " + status.getMessage();
  }
  if (!module->handle)
    return Status::error(place + ": expected an image that runs on " +
                         module->context->describe() + ", but got" +
                         (refused.empty() ? " none" : ":" + refused));
  for (uint32_t i = 0; i < program.num_kernels; ++i)
    if (Status status = module->loadKernel(program.kernels[i]); !status)
      return status;
  return std::unique_ptr<DeviceModule>(std::move(module));
}

Status CudaModule::loadImage(const nvfp4_image &image) {
  std::vector<char> log(kLogBytes, 0);
  int options[] = {kJitErrorLogBuffer, kJitErrorLogBufferSizeBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(kLogBytes - 1)};
  // The driver finds the end of PTX by a null byte, which not all images have.
  std::string text;
  const void *data = image.data;
  if (image.kind == NVFP4_IMAGE_PTX) {
    text.assign(static_cast<const char *>(image.data), image.bytes);
    data = text.c_str();
  }
  Code code =
      context->getDriver().moduleLoad(&handle, data, 2, options, values);
  if (code == 0)
    return Status();
  handle = nullptr;
  std::string said(log.data());
  said.erase(said.find_last_not_of(" \n") + 1);
  return Status::error(
      context->getDriver().check(code, "cuModuleLoadDataEx").getMessage() +
      (said.empty() ? "" : "\n" + said));
}

Status CudaModule::loadKernel(const nvfp4_kernel &row) {
  const Driver &driver = context->getDriver();
  Kernel kernel;
  kernel.name = row.name;
  std::copy(row.cluster, row.cluster + 3, kernel.cluster);
  kernel.isProgrammatic = (row.flags & NVFP4_KERNEL_PROGRAMMATIC_LAUNCH) != 0 &&
                          driver.getVersion() >= kProgrammaticGraphsVersion;
  auto check = [&](Code code, const char *what) {
    Status status = context->check(code, what);
    return status ? status
                  : Status::error(place + ": kernel " + quote(kernel.name) +
                                  ": " + status.getMessage());
  };
  int declared = 0;
  Status status =
      check(driver.moduleGetFunction(&kernel.function, handle, row.name),
            "cuModuleGetFunction");
  if (status)
    status = check(
        driver.funcGetAttribute(&declared, kSharedSizeBytes, kernel.function),
        "cuFuncGetAttribute");
  kernel.maxDynamicSharedBytes =
      std::max(context->getMaxSharedBytes() - declared, 0);
  // Without this a kernel gets 48 KiB at most.
  if (status)
    status = check(driver.funcSetAttribute(kernel.function,
                                           kMaxDynamicSharedSizeBytes,
                                           kernel.maxDynamicSharedBytes),
                   "cuFuncSetAttribute");
  const uint32_t *cluster = kernel.cluster;
  if (status &&
      uint64_t(cluster[0]) * cluster[1] * cluster[2] > kMaxPortableCluster)
    status = check(driver.funcSetAttribute(kernel.function,
                                           kNonPortableClusterSizeAllowed, 1),
                   "cuFuncSetAttribute");
  kernels.push_back(std::move(kernel));
  return status;
}

CudaModule::~CudaModule() {
  if (!handle)
    return;
  CudaContext::Current current(*context);
  if (current.getStatus())
    (void)context->getDriver().moduleUnload(handle);
}

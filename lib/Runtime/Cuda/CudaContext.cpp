//===- CudaContext.cpp - A GPU and its primary context --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: CUDA programming guide, application compatibility (which code runs
// on which compute capability); PTX ISA, `.target`.
//
//===----------------------------------------------------------------------===//

#include "CudaContext.h"
#include "nvfp4/Runtime/Messages.h"

#include <charconv>

using namespace nvfp4;
using namespace nvfp4::cuda;

//===----------------------------------------------------------------------===//
// Chips
//===----------------------------------------------------------------------===//

bool ChipName::parse(std::string_view text, ChipName &chip) {
  constexpr std::string_view kPrefix = "sm_";
  if (text.substr(0, kPrefix.size()) != kPrefix)
    return false;
  const char *end = text.data() + text.size();
  auto [rest, error] =
      std::from_chars(text.data() + kPrefix.size(), end, chip.number);
  if (error != std::errc() || end - rest > 1)
    return false;
  chip.suffix = rest == end ? '\0' : *rest;
  return chip.suffix == 0 || chip.suffix == 'a' || chip.suffix == 'f';
}

bool ChipName::runsMachineCodeOn(int capability) const {
  bool isSameMajor = number / 10 == capability / 10;
  return suffix == 'a' ? number == capability
                       : isSameMajor && number <= capability;
}

bool ChipName::assemblesOn(int capability) const {
  return suffix == 0 ? number <= capability : runsMachineCodeOn(capability);
}

//===----------------------------------------------------------------------===//
// CudaContext
//===----------------------------------------------------------------------===//

Result<std::shared_ptr<const CudaContext>>
CudaContext::create(const std::string &library, int32_t ordinal) {
  Result<std::shared_ptr<const Driver>> driver = Driver::load(library);
  if (!driver)
    return driver.getStatus();
  std::shared_ptr<CudaContext> context(new CudaContext());
  context->driver = std::move(*driver);
  context->ordinal = ordinal;
  if (Status status = context->open(ordinal); !status)
    return status;
  return std::shared_ptr<const CudaContext>(std::move(context));
}

Status CudaContext::open(int32_t wanted) {
  int count = 0;
  if (Status status = check(driver->deviceGetCount(&count), "cuDeviceGetCount");
      !status)
    return status;
  if (wanted < 0 || wanted >= count)
    return Status::error("device 'cuda:" + std::to_string(wanted) +
                         "': expected one of " + std::to_string(count) +
                         " GPUs, counted from 0, but got " +
                         std::to_string(wanted));
  char text[256] = "";
  int major = 0, minor = 0;
  Status status = check(driver->deviceGet(&device, wanted), "cuDeviceGet");
  if (status)
    status = check(driver->deviceGetName(text, sizeof(text) - 1, device),
                   "cuDeviceGetName");
  if (!status)
    return status;
  struct {
    int *value;
    int attribute;
  } const rows[] = {{&major, kComputeCapabilityMajor},
                    {&minor, kComputeCapabilityMinor},
                    {&maxSharedBytes, kMaxSharedMemoryPerBlockOptin}};
  for (const auto &row : rows)
    if (status =
            check(driver->deviceGetAttribute(row.value, row.attribute, device),
                  "cuDeviceGetAttribute");
        !status)
      return status;
  name = text;
  capability = 10 * major + minor;
  return check(driver->primaryCtxRetain(&context, device),
               "cuDevicePrimaryCtxRetain");
}

CudaContext::~CudaContext() {
  if (context)
    (void)driver->primaryCtxRelease(device);
}

std::string CudaContext::describe() const {
  std::string text = "device 'cuda:" + std::to_string(ordinal) + "'";
  if (!name.empty())
    text += " (" + name + ", compute capability " +
            std::to_string(capability / 10) + "." +
            std::to_string(capability % 10) + ")";
  return text;
}

Status CudaContext::check(Code code, const char *what) const {
  if (code == 0)
    return Status();
  return Status::error(describe() + ": " +
                       driver->check(code, what).getMessage());
}

CudaContext::Current::Current(const CudaContext &context)
    : context(context),
      status(context.check(context.driver->ctxPush(context.context),
                           "cuCtxPushCurrent")) {}

CudaContext::Current::~Current() {
  Context old = nullptr;
  if (status)
    (void)context.driver->ctxPop(&old);
}

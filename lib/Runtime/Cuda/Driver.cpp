//===- Driver.cpp - CUDA's driver, loaded at run time ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include "nvfp4/Runtime/Messages.h"

#include <dlfcn.h>

using namespace nvfp4;
using namespace nvfp4::cuda;

/// Fills one field of the table; false when the library has no such symbol.
template <typename Pointer>
static bool loadSymbol(void *library, const char *symbol, Pointer &field) {
  field = reinterpret_cast<Pointer>(::dlsym(library, symbol));
  return field != nullptr;
}

Result<std::shared_ptr<const Driver>> Driver::load(const std::string &library) {
  std::shared_ptr<Driver> driver(new Driver());
  // Never closed: the driver's threads end with the process.
  void *handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = ::dlerror();
    return Status::error(
        "device 'cuda': expected the driver of an NVIDIA GPU, " +
        quote(library) +
        ", but got: " + (reason ? reason : "an unknown error"));
  }
#define NVFP4_CUDA_LOAD(field, symbol, parameters)                             \
  if (!loadSymbol(handle, symbol, driver->field))                              \
    return Status::error("device 'cuda': expected a driver of CUDA 12.0 or "   \
                         "later, but " +                                       \
                         quote(library) + " has no " symbol);
  NVFP4_CUDA_FUNCTIONS(NVFP4_CUDA_LOAD)
#undef NVFP4_CUDA_LOAD
  Status status = driver->check(driver->init(0), "cuInit");
  if (status)
    status = driver->check(driver->driverGetVersion(&driver->version),
                           "cuDriverGetVersion");
  if (!status)
    return Status::error("device 'cuda': " + status.getMessage());
  return std::shared_ptr<const Driver>(std::move(driver));
}

std::string Driver::describe(Code code) const {
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(code, &name) != 0 || !name)
    return "error " + std::to_string(code);
  if (getErrorString(code, &text) != 0 || !text)
    return name;
  return std::string(name) + ": " + text;
}

Status Driver::check(Code code, const char *what) const {
  if (code == 0)
    return Status();
  return Status::error("expected " + quote(what) + " to succeed, but got " +
                       describe(code));
}

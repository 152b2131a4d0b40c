//===- Handles.h - What stands behind the C API's pointers -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CAPI_HANDLES_H
#define NVFP4_LIB_CAPI_HANDLES_H

#include "nvfp4-c/Runtime.h"
#include "nvfp4/Runtime/Session.h"

#include <exception>
#include <memory>
#include <string>
#include <vector>

struct nvfp4_package {
  std::unique_ptr<nvfp4::Session> session;
};

struct nvfp4_results {
  /// A tensor that was taken has no data.
  std::vector<nvfp4::HostTensor> tensors;
};

struct nvfp4_execution {
  /// Shared with the results that others hold.
  std::shared_ptr<nvfp4::Execution> execution;
  /// Gone before what it uses.
  std::unique_ptr<nvfp4::DeviceGraph> graph;
};

namespace nvfp4::capi {

/// The message of `nvfp4_last_error` of this thread.
std::string &getLastError();

/// Runs the body of a C function: keeps the error, lets no exception out.
template <typename Body> nvfp4_status guard(Body body) noexcept {
  try {
    Status status = body();
    if (status)
      return NVFP4_OK;
    getLastError() = status.getMessage();
  } catch (const std::exception &error) {
    // What is left: the system is out of memory, and may be so again here.
    try {
      getLastError() = error.what();
    } catch (...) {
      getLastError().clear();
    }
  }
  return NVFP4_ERROR;
}

inline Status nullArgument(const char *function) {
  return Status::error(std::string(function) +
                       ": expected pointers and entries that exist, but got "
                       "null or an entry out of range");
}

inline Status outOfRange(const char *what, size_t index, size_t count) {
  return Status::error("expected " + std::string(what) + " index below " +
                       std::to_string(count) + ", but got " +
                       std::to_string(index));
}

/// The entry with this index, or null.
inline const ManifestEntry *findEntry(const nvfp4_package *package,
                                      size_t entry) {
  if (!package || entry >= package->session->getManifest().entries.size())
    return nullptr;
  return &package->session->getManifest().entries[entry];
}

/// Checks that a result is there and was not taken.
inline Result<size_t> findResult(const nvfp4_results *results, size_t index) {
  if (index >= results->tensors.size())
    return outOfRange("result", index, results->tensors.size());
  if (!results->tensors[index].data())
    return Status::error("expected a result that is still here, but got "
                         "result " +
                         std::to_string(index) + ", which was taken");
  return index;
}

/// Runs, and stores the results.
inline Status runViews(const nvfp4_package *package, size_t entry,
                       const std::vector<TensorView> &views,
                       nvfp4_results **results) {
  Result<std::vector<HostTensor>> tensors = package->session->run(entry, views);
  if (!tensors)
    return tensors.getStatus();
  *results = new nvfp4_results{std::move(*tensors)};
  return Status();
}

} // namespace nvfp4::capi

#endif // NVFP4_LIB_CAPI_HANDLES_H

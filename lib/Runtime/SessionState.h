//===- SessionState.h - What a session and its runs share -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_SESSIONSTATE_H
#define NVFP4_LIB_RUNTIME_SESSIONSTATE_H

#include "nvfp4/Runtime/Session.h"

#include <iterator>
#include <map>
#include <mutex>

namespace nvfp4 {

inline bool isBufferAligned(const void *data) {
  return reinterpret_cast<uintptr_t>(data) % NVFP4_BUFFER_ALIGNMENT == 0;
}

/// Workspaces that no run uses at the moment. There are never more than runs
/// were active at once.
class WorkspacePool {
public:
  /// The smallest workspace that suffices, else a new one, for which the
  /// largest that does not is given up.
  Result<DeviceBuffer> borrow(const std::shared_ptr<Device> &device,
                              uint64_t bytes) {
    DeviceBuffer tooSmall;
    {
      std::lock_guard<std::mutex> lock(mutex);
      auto it = idle.lower_bound(bytes);
      if (it == idle.end() && !idle.empty())
        it = std::prev(it);
      if (it != idle.end()) {
        DeviceBuffer buffer = std::move(it->second);
        idle.erase(it);
        if (buffer.size() >= bytes)
          return buffer;
        tooSmall = std::move(buffer);
      }
    }
    tooSmall = DeviceBuffer();
    Result<DeviceBuffer> buffer = DeviceBuffer::allocate(device, bytes);
    if (!buffer)
      return buffer.getStatus();
    // The error word is read even if a program forgets to clear it.
    if (Status status =
            device->zero(buffer->data(), NVFP4_WORKSPACE_HEADER_BYTES);
        !status)
      return status;
    return buffer;
  }

  void giveBack(DeviceBuffer buffer) {
    std::lock_guard<std::mutex> lock(mutex);
    uint64_t bytes = buffer.size();
    idle.emplace(bytes, std::move(buffer));
  }

private:
  std::mutex mutex;
  std::multimap<uint64_t, DeviceBuffer> idle;
};

struct Session::State {
  std::shared_ptr<Device> device;
  std::unique_ptr<Package> package;
  /// The program's kernels on the device; null if it has none. Gone before the
  /// package that holds their images.
  std::unique_ptr<DeviceModule> module;
  /// Weights that could not stay in the mapped file.
  std::map<std::string, DeviceBuffer> copiedWeights;
  uint64_t copiedWeightBytes = 0;
  /// Per entry, the arguments with the weights filled in and inputs null.
  std::vector<std::vector<const void *>> arguments;
  WorkspacePool workspaces;

  Result<const void *> placeWeight(const ManifestArgument &argument);
  Status placeWeights();
};

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_SESSIONSTATE_H

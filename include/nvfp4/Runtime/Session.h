//===- Session.h - Run a package on a device -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binds named dimensions from the inputs, checks every shape and dtype, lends a
// workspace, and turns what the program reports into an error.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_SESSION_H
#define NVFP4_RUNTIME_SESSION_H

#include "nvfp4/Runtime/DType.h"
#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Runtime/Package.h"
#include "nvfp4/Support/Status.h"

#include <memory>
#include <string>
#include <vector>

namespace nvfp4 {

/// A tensor that someone else owns.
struct TensorView {
  /// The first element; may be null if the tensor is empty.
  const void *data = nullptr;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  /// In elements, one per extent, of any sign; empty means contiguous and
  /// row-major.
  std::vector<int64_t> strides;
  /// Whose memory it is: the host's, or that of the session's device.
  MemorySpace space = {};
};

/// A tensor in the host's memory: contiguous, row-major, aligned to
/// NVFP4_BUFFER_ALIGNMENT.
class HostTensor {
public:
  /// Errors: not enough memory; a size that does not fit.
  static Result<HostTensor> allocate(DType dtype, std::vector<int64_t> shape);

  DType getDType() const { return dtype; }
  const std::vector<int64_t> &getShape() const { return shape; }
  void *data() const { return memory.get(); }
  uint64_t getBytes() const { return bytes; }
  TensorView getView() const { return {data(), dtype, shape, {}, {}}; }

private:
  struct Free {
    void operator()(void *memory) const;
  };
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
  std::unique_ptr<void, Free> memory;
};

/// What one run cost beyond the computation.
struct RunStats {
  /// Inputs that were copied because of their strides or alignment, and their
  /// bytes. Copies to a device with memory of its own do not count.
  unsigned numCopiedInputs = 0;
  uint64_t copiedInputBytes = 0;
  uint64_t workspaceBytes = 0;
};

/// A result of an execution, where the device has written it: contiguous,
/// row-major, aligned to NVFP4_BUFFER_ALIGNMENT.
struct ResultTensor {
  void *data = nullptr;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  MemorySpace space;
};

/// An entry bound to its inputs, results and workspace, to be run any number of
/// times, by one thread at a time. Keeps the session's package open.
class Execution {
public:
  /// Waits for what it, or a graph of `record`, has enqueued, but not for
  /// graphs that others captured.
  ~Execution();

  /// Enqueues one run on a stream and waits for nothing. A caller may capture
  /// the stream; the graph is valid as long as this, and for its tensors alone.
  /// Runs share the workspace: a stream may run one only after the other.
  Status enqueue(DeviceStream stream = nullptr);
  /// Waits for a stream; returns what kernels did wrong, or which check of the
  /// program the last run violated.
  Status wait(DeviceStream stream = nullptr);
  /// Records a run, which lives no longer than this.
  Result<std::unique_ptr<DeviceGraph>> record();

  const std::vector<ResultTensor> &getResults() const;
  /// Copies the results to the host, after `wait`. May be called once.
  Result<std::vector<HostTensor>> takeResults();
  const RunStats &getStats() const;

private:
  friend class Session;
  struct State;
  struct MarkedGraph;
  explicit Execution(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// How to open a session.
struct SessionOptions {
  std::string device = "cpu";
  DeviceOptions deviceOptions;
  PackageOptions packageOptions;
};

/// An opened package on a device. `run` may be called from several threads at
/// once: workspaces are lent to one run at a time and kept for the next.
class Session {
public:
  /// Opens a package; see `Package::open` for the errors. Opening runs native
  /// code of the package.
  static Result<std::unique_ptr<Session>> open(const std::string &path,
                                               const DeviceRegistry &devices,
                                               const SessionOptions &options);
  ~Session();

  const Manifest &getManifest() const;
  /// Weights that had to be copied because the file does not align them, or
  /// because the device has memory of its own, in bytes.
  uint64_t getCopiedWeightBytes() const;

  /// Runs `manifest.entries[entry]`. Inputs and results are in the order of the
  /// manifest.
  ///
  /// Errors: too few or many inputs; a dtype, rank or extent that is not the
  /// manifest's; equal names with different extents; an extent out of bounds;
  /// not enough memory; a violated check of the program; `fail`.
  Result<std::vector<HostTensor>> run(size_t entry,
                                      const std::vector<TensorView> &inputs,
                                      RunStats *stats = nullptr) const;

  /// Binds `manifest.entries[entry]`. Inputs of the host are read now if the
  /// device has memory of its own; others by every run, and stay where they
  /// are. `results`, if not empty, says where all results go: memory of the
  /// device, contiguous and aligned to NVFP4_BUFFER_ALIGNMENT. The errors are
  /// those of `run`.
  Result<std::unique_ptr<Execution>>
  bind(size_t entry, const std::vector<TensorView> &inputs,
       const std::vector<ResultTensor> &results = {}) const;

  const Device &getDevice() const;

private:
  friend class Execution;
  struct State;
  explicit Session(std::shared_ptr<State> state);
  std::shared_ptr<State> state;
};

} // namespace nvfp4

#endif // NVFP4_RUNTIME_SESSION_H

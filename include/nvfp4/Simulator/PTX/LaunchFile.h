//===- LaunchFile.h - One launch of a kernel, as JSON ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What nvfp4-sim reads: which kernel of which PTX file to launch, how large,
// and on which arguments. docs/Simulator.md describes the file. Three steps:
//
//   LaunchFile::read        the JSON, every field checked; touches nothing else
//   LaunchBuffers::create   memory for the arguments, with their contents
//   LaunchBuffers::bind     addresses of a simulated device, as a Launch
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_LAUNCHFILE_H
#define NVFP4_SIMULATOR_PTX_LAUNCHFILE_H

#include "nvfp4/Runtime/DType.h"
#include "nvfp4/Simulator/PTX/Simulator.h"
#include "nvfp4/Support/Status.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nvfp4::ptx {

/// A buffer of global memory that a launch file asks for. Two arguments that
/// name the same tensor share one.
struct LaunchBuffer {
  enum class Source {
    Tensor,    ///< a tensor of the `inputs` file
    Zeros,     ///< bytes 0
    Undefined, ///< bytes that a kernel must not use before it writes them
  };
  Source source = Source::Tensor;
  /// Empty for zeros and undefined bytes without a name.
  std::string name;
  /// Those of the file for a tensor; unknown until `LaunchBuffers::create`.
  DType dtype = DType::U8;
  std::vector<int64_t> shape;
  /// Path of the JSON value that asked first, for errors.
  std::string place;
};

/// A tiled tensor map over a buffer: the 128-byte parameter of
/// `cp.async.bulk.tensor`. Dimension 0 is the innermost.
struct TensorMap {
  enum class Swizzle { None, Bytes32, Bytes64, Bytes128 };
  enum class OutOfBounds { Zero, NaN };

  DType dtype = DType::U8;
  /// In elements, 1 to 5.
  std::vector<uint64_t> dims;
  /// In bytes, of dimensions 1 and up.
  std::vector<uint64_t> strides;
  /// In elements; steps in elements, 1 when not given.
  std::vector<uint32_t> box, elementStrides;
  Swizzle swizzle = Swizzle::None;
  OutOfBounds outOfBounds = OutOfBounds::Zero;

  /// Bytes from the first element to behind the last one.
  uint64_t getSpanBytes() const;
};

/// What fills one kernel parameter.
struct LaunchArgument {
  enum class Kind { Pointer, Value, TensorMap };
  Kind kind = Kind::Value;
  /// "args[2]", and the key that says what it is: "i32".
  std::string place, form;
  /// Index into `LaunchFile::buffers`, and bytes from its start.
  size_t buffer = 0;
  uint64_t offset = 0;
  /// The bytes of a value.
  std::vector<uint8_t> value;
  TensorMap tensorMap;
};

struct LaunchFile {
  /// As given; for errors.
  std::string path;
  /// Relative paths are resolved: they start at the folder of the file.
  std::string ptxPath, inputsPath;
  /// Empty: the only entry of the PTX.
  std::string entry;
  std::array<uint32_t, 3> grid = {1, 1, 1}, block = {1, 1, 1},
                          cluster = {1, 1, 1};
  uint32_t dynamicSharedBytes = 0;
  std::vector<LaunchBuffer> buffers;
  std::vector<LaunchArgument> arguments;
  /// Indices into `buffers`, each of which has a name.
  std::vector<size_t> outputs;

  /// Parses the text of a launch file. Opens no other file. Errors: text that
  /// is not JSON, nests deeply or repeats a key; an unknown or a missing key; a
  /// value of another type or out of range; a name that two buffers want; an
  /// output that is no buffer.
  static Result<LaunchFile> parse(std::string_view text,
                                  const std::string &path);
  static Result<LaunchFile> read(const std::string &path);
};

/// Reads a PTX file. Errors: the system's; more than 256 MiB.
Result<std::string> readPTX(const std::string &path);

/// The buffers of a launch file in the host's memory.
class LaunchBuffers {
public:
  /// Allocates all buffers and reads the tensors of `inputs`. Errors: a tensor
  /// that is not in the file; an offset or a tensor map that exceeds its
  /// buffer; more than `maxBytes` bytes in all; no memory.
  static Result<LaunchBuffers> create(LaunchFile file, uint64_t maxBytes);
  LaunchBuffers(LaunchBuffers &&) noexcept;
  LaunchBuffers &operator=(LaunchBuffers &&) noexcept;
  ~LaunchBuffers();

  const LaunchFile &getFile() const;

  /// Maps every buffer into `memory` and makes the arguments for an entry of
  /// `program`. The buffers stay mapped: `memory` must not be used after this
  /// object is gone. Errors: no such entry; arguments that are not as many or
  /// as large as its parameters; tensor maps, which the simulator does not
  /// know yet.
  Result<Launch> bind(const Program &program, DeviceMemory &memory);
  /// After a run: adds an error of rule R11 for each output with an undefined
  /// byte. Needs `bind`.
  void checkOutputs(const DeviceMemory &memory, Report &report) const;
  /// Writes the outputs to a safetensors file, whole or not at all.
  Status writeOutputs(const std::string &path) const;

  /// The bytes of a buffer of `getFile().buffers`.
  void *getData(size_t buffer) const;
  uint64_t getBytes(size_t buffer) const;

private:
  struct State;
  explicit LaunchBuffers(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_LAUNCHFILE_H

//===- CompiledProgram.h - Compiles a few lines of IR and runs them -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For tests that check numbers: IR text in, the target `cpu` or a chip, a
// loaded program.so out. Plays the runtime's part of ProgramABI.h in its
// simplest form.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_TARGET_COMPILEDPROGRAM_H
#define NVFP4_TEST_UNIT_TARGET_COMPILEDPROGRAM_H

#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Target/Target.h"

#include "mlir/IR/MLIRContext.h"

#include <string>
#include <vector>

namespace nvfp4::test {

/// A module for the context of the tests: all dialects that the target needs.
std::unique_ptr<mlir::MLIRContext> createContext();

/// Parses `text`, runs the Lower stage of a target and emits. On failure
/// returns an empty image and the first error in `error`.
Program compile(mlir::MLIRContext &context, llvm::StringRef text,
                std::string &error, const EmitOptions &options = {},
                llvm::StringRef target = "cpu");

/// What a run has left behind.
struct RunResult {
  /// What `run` returned.
  int32_t status = 0;
  /// The message of `fail`; empty if it was not called.
  std::string message;
  /// The error word.
  int32_t check = 0;
  /// The bytes of each result.
  std::vector<std::vector<char>> results;
  /// All extents of all results, one after the other.
  std::vector<int64_t> extents;
  int64_t workspaceBytes = 0;

  template <typename T> std::vector<T> get(size_t i) const {
    const T *data = reinterpret_cast<const T *>(results[i].data());
    return std::vector<T>(data, data + results[i].size() / sizeof(T));
  }
};

/// A loaded program.
class CompiledProgram {
public:
  /// Compiles and loads; a test failure is recorded if that fails.
  explicit CompiledProgram(llvm::StringRef text,
                           const EmitOptions &options = {},
                           llvm::StringRef target = "cpu");
  ~CompiledProgram();
  CompiledProgram(const CompiledProgram &) = delete;

  bool isLoaded() const { return descriptor != nullptr; }
  const nvfp4_program_descriptor &getDescriptor() const { return *descriptor; }
  const Program &getProgram() const { return program; }

  /// Runs entry `index`. `resultRanks` and `elementBytes` describe the results.
  /// Memory before and after each result and the workspace is checked.
  RunResult run(unsigned index, const std::vector<int64_t> &dims,
                const std::vector<const void *> &args,
                const std::vector<unsigned> &resultRanks,
                const std::vector<unsigned> &elementBytes);

private:
  std::unique_ptr<mlir::MLIRContext> context;
  Program program;
  void *handle = nullptr;
  const nvfp4_program_descriptor *descriptor = nullptr;
};

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_TARGET_COMPILEDPROGRAM_H

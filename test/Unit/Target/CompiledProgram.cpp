//===- CompiledProgram.cpp - Compiles a few lines of IR and runs them -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompiledProgram.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Register.h"
#include "nvfp4/Runtime/Device.h"

#include "mlir/InitAllDialects.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

using namespace mlir;
using namespace nvfp4;
using namespace nvfp4::test;

std::unique_ptr<MLIRContext> test::createContext() {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerNVFP4Dialects(registry);
  TargetRegistry targets;
  registerBuiltinTargets(targets);
  targets.registerDialects(registry);
  return std::make_unique<MLIRContext>(registry,
                                       MLIRContext::Threading::DISABLED);
}

Program test::compile(MLIRContext &context, StringRef text, std::string &error,
                      const EmitOptions &options, StringRef targetName) {
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (error.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
      error = diagnostic.str();
  });
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return {};
  TargetRegistry targets;
  registerBuiltinTargets(targets);
  const Target *target =
      targets.lookup(targetName, [&] { return emitError(module->getLoc()); });
  if (!target)
    return {};
  PassManager pm(&context);
  pm.addPass(createRecordEntryPass());
  target->addLowerPasses(pm);
  if (failed(pm.run(*module)))
    return {};
  FailureOr<Program> program = target->emit(*module, options);
  return succeeded(program) ? std::move(*program) : Program();
}

CompiledProgram::CompiledProgram(StringRef text, const EmitOptions &options,
                                 StringRef target)
    : context(createContext()) {
  std::string error;
  program = compile(*context, text, error, options, target);
  EXPECT_EQ(error, "");
  if (program.image.empty())
    return;
  SmallString<128> path;
  if (llvm::sys::fs::createTemporaryFile("nvfp4-test", "so", path))
    return;
  std::error_code code;
  {
    llvm::raw_fd_ostream stream(path, code);
    stream << program.image;
  }
  handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    ADD_FAILURE() << dlerror();
  } else {
    descriptor = static_cast<const nvfp4_program_descriptor *>(
        dlsym(handle, NVFP4_PROGRAM_SYMBOL));
    EXPECT_NE(descriptor, nullptr);
  }
  llvm::sys::fs::remove(path);
}

CompiledProgram::~CompiledProgram() {
  if (handle)
    dlclose(handle);
}

namespace {
/// Aligned memory between two guards. Starts full of NaN patterns, as memory
/// that somebody else has used may be.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes) : bytes(bytes) {
    size_t capacity = bytes + 3 * kGuard;
    storage.assign(capacity, char(0xff));
    auto address = reinterpret_cast<uintptr_t>(storage.data()) + kGuard;
    address = (address + NVFP4_BUFFER_ALIGNMENT - 1) / NVFP4_BUFFER_ALIGNMENT *
              NVFP4_BUFFER_ALIGNMENT;
    data = reinterpret_cast<char *>(address);
  }

  bool isIntact() const {
    for (const char *p = storage.data(); p != data; ++p)
      if (*p != char(0xff))
        return false;
    for (const char *p = data + bytes; p != storage.data() + storage.size();
         ++p)
      if (*p != char(0xff))
        return false;
    return true;
  }

  char *data;
  size_t bytes;

private:
  static constexpr size_t kGuard = 256;
  std::vector<char> storage;
};
} // namespace

RunResult CompiledProgram::run(unsigned index, const std::vector<int64_t> &dims,
                               const std::vector<const void *> &args,
                               const std::vector<unsigned> &resultRanks,
                               const std::vector<unsigned> &elementBytes) {
  const nvfp4_entry &entry = descriptor->entries[index];
  EXPECT_EQ(entry.num_dims, dims.size());
  EXPECT_EQ(entry.num_args, args.size());
  EXPECT_EQ(entry.num_results, resultRanks.size());

  RunResult out;
  size_t ranks = 0;
  for (unsigned rank : resultRanks)
    ranks += rank;
  out.extents.resize(ranks, -1);
  EXPECT_EQ(entry.plan(dims.data(), out.extents.data(), &out.workspaceBytes),
            0);
  EXPECT_GE(out.workspaceBytes, NVFP4_WORKSPACE_HEADER_BYTES);

  std::vector<GuardedBuffer> buffers;
  std::vector<void *> results;
  const int64_t *extent = out.extents.data();
  for (size_t i = 0; i < resultRanks.size(); ++i) {
    size_t bytes = elementBytes[i];
    for (unsigned j = 0; j < resultRanks[i]; ++j)
      bytes *= *extent++;
    buffers.emplace_back(bytes);
  }
  for (GuardedBuffer &buffer : buffers)
    results.push_back(buffer.data);
  GuardedBuffer workspace(out.workspaceBytes);

  DeviceOptions options;
  options.numThreads = 1;
  Status status = createCpuDevice(options)->run(
      entry, /*module=*/nullptr, dims.data(), args.data(), results.data(),
      workspace.data, DeviceStream());
  out.status = status ? 0 : 1;
  out.message = status.getMessage();
  out.check = *reinterpret_cast<int32_t *>(workspace.data);
  EXPECT_TRUE(workspace.isIntact()) << "wrote outside the workspace";
  for (GuardedBuffer &buffer : buffers) {
    EXPECT_TRUE(buffer.isIntact()) << "wrote outside a result";
    out.results.emplace_back(buffer.data, buffer.data + buffer.bytes);
  }
  return out;
}

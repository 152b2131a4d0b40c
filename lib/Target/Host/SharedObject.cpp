//===- SharedObject.cpp - From LLVM IR to program.so ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The last steps: optimize, generate code, check what the object imports, link.
// Only the linker is a program of its own. The same module gives the same
// bytes.
//
//===----------------------------------------------------------------------===//

#include "SharedObject.h"

#include "../OptimizeLLVM.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nvfp4 {

/// Names under which distributions install the linker; the versioned one is
/// the one that belongs to this LLVM.
static constexpr StringLiteral kLinkerNames[] = {"ld.lld-22", "ld.lld"};

/// What program.so may take from the process that loads it. LLVM itself makes
/// calls of these from loops and copies.
static constexpr StringLiteral kPermittedImports[] = {"memcpy", "memset",
                                                      "memmove"};

FailureOr<SmallVector<char, 0>> compileToObject(ModuleOp module,
                                                llvm::Module &llvmModule,
                                                llvm::TargetMachine &machine) {
  optimizeLLVM(llvmModule, machine);

  SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, /*DwoOut=*/nullptr,
                                  llvm::CodeGenFileType::ObjectFile))
    return module.emitError("expected a code generator that writes objects "
                            "for '")
           << machine.getTargetTriple().str() << "', but got none";
  passes.run(llvmModule);
  return std::move(object);
}

LogicalResult checkImports(ModuleOp module, ArrayRef<char> object) {
  llvm::MemoryBufferRef buffer(StringRef(object.data(), object.size()),
                               "program.o");
  llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> file =
      llvm::object::ObjectFile::createObjectFile(buffer);
  if (!file)
    return module.emitError("expected a readable object, but got: ")
           << llvm::toString(file.takeError());

  std::vector<std::string> foreign;
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    llvm::Expected<StringRef> name = symbol.getName();
    if (!flags || !name) {
      llvm::consumeError(flags.takeError());
      llvm::consumeError(name.takeError());
      return module.emitError("expected a readable symbol table in the object");
    }
    if ((*flags & llvm::object::SymbolRef::SF_Undefined) && !name->empty() &&
        *name != "_GLOBAL_OFFSET_TABLE_" &&
        !llvm::is_contained(kPermittedImports, *name))
      foreign.push_back(name->str());
  }
  if (foreign.empty())
    return success();
  llvm::sort(foreign);
  return module.emitError("expected a program that imports nothing but ")
         << llvm::join(ArrayRef(kPermittedImports), ", ")
         << ", but got calls of " << llvm::join(foreign, ", ");
}

/// A file that goes away with the object.
namespace {
class TemporaryFile {
public:
  static FailureOr<TemporaryFile> create(ModuleOp module, StringRef suffix) {
    SmallString<128> path;
    if (std::error_code error =
            llvm::sys::fs::createTemporaryFile("nvfp4-program", suffix, path))
      return module.emitError("expected a writable temporary directory, but "
                              "got: ")
             << error.message();
    return TemporaryFile(path);
  }

  StringRef getPath() const { return remover->getPath(); }

private:
  /// Owns the path that the remover refers to.
  struct Owner {
    explicit Owner(StringRef path) : path(path), remover(this->path) {}
    StringRef getPath() const { return path; }
    std::string path;
    llvm::FileRemover remover;
  };

  explicit TemporaryFile(StringRef path)
      : remover(std::make_unique<Owner>(path)) {}

  std::unique_ptr<Owner> remover;
};
} // namespace

static FailureOr<std::string> findLinker(ModuleOp module, StringRef linker) {
  if (!linker.empty()) {
    if (!llvm::sys::fs::can_execute(linker))
      return module.emitError("expected an executable linker, but got '")
             << linker << "'";
    return linker.str();
  }
  for (StringRef name : kLinkerNames)
    if (llvm::ErrorOr<std::string> path = llvm::sys::findProgramByName(name))
      return *path;
  return module.emitError("expected the linker ")
         << llvm::join(ArrayRef(kLinkerNames), " or ")
         << " in PATH, but found neither (Debian package lld-22)";
}

/// The text of a file; empty if it cannot be read.
static std::string readText(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().rtrim().str() : "";
}

FailureOr<std::string> linkSharedObject(ModuleOp module, ArrayRef<char> object,
                                        StringRef linker) {
  FailureOr<std::string> program = findLinker(module, linker);
  FailureOr<TemporaryFile> input = TemporaryFile::create(module, "o");
  FailureOr<TemporaryFile> output = TemporaryFile::create(module, "so");
  FailureOr<TemporaryFile> log = TemporaryFile::create(module, "log");
  if (failed(program) || failed(input) || failed(output) || failed(log))
    return failure();

  std::error_code error;
  {
    llvm::raw_fd_ostream stream(input->getPath(), error);
    stream << StringRef(object.data(), object.size());
    stream.close();
    if (!error)
      error = stream.error();
    stream.clear_error();
  }
  if (error)
    return module.emitError("expected to write '")
           << input->getPath() << "', but got: " << error.message();

  // No build id and no path: the bytes depend on the object only.
  StringRef arguments[] = {*program,
                           "-shared",
                           "-z",
                           "noexecstack",
                           "-z",
                           "relro",
                           "-z",
                           "now",
                           "--build-id=none",
                           "--hash-style=gnu",
                           "--soname=program.so",
                           "-o",
                           output->getPath(),
                           input->getPath()};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(
      *program, arguments, /*Env=*/std::nullopt,
      {StringRef(""), log->getPath(), log->getPath()},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &message);
  if (status != 0)
    return module.emitError("expected '")
           << *program << "' to link the program, but it failed: "
           << (message.empty() ? readText(log->getPath()) : message);

  auto image = llvm::MemoryBuffer::getFile(output->getPath());
  if (!image)
    return module.emitError("expected to read '")
           << output->getPath() << "', but got: " << image.getError().message();
  return (*image)->getBuffer().str();
}

} // namespace nvfp4

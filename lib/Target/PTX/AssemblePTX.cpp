//===- AssemblePTX.cpp - Machine code by ptxas ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmitPTX.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nvfp4 {

std::optional<std::string> findPtxas() {
  if (llvm::ErrorOr<std::string> path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  return std::nullopt;
}

static std::string readFile(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : "";
}

static LogicalResult writeFile(Operation *module, StringRef path,
                               StringRef text) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << text;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return emitError(module->getLoc(), "expected to write '")
           << path << "', but got: " << error.message();
  return success();
}

FailureOr<std::string> assemblePTX(Operation *module, StringRef ptx,
                                   const ChipModel &chip, StringRef ptxas) {
  // Of input, output and messages; removed when this returns.
  constexpr StringLiteral kSuffixes[] = {"ptx", "cubin", "log"};
  SmallVector<std::string, 3> paths;
  llvm::FileRemover removers[3];
  for (auto [suffix, remover] : llvm::zip_equal(kSuffixes, removers)) {
    SmallString<128> path;
    if (std::error_code error =
            llvm::sys::fs::createTemporaryFile("nvfp4-device", suffix, path))
      return emitError(module->getLoc(), "expected a temporary file, but got: ")
             << error.message();
    remover.setFile(path);
    paths.push_back(path.str().str());
  }
  if (failed(writeFile(module, paths[0], ptx)))
    return failure();

  StringRef arguments[] = {ptxas, "-arch", chip.name, "-o", paths[1], paths[0]};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(
      ptxas, arguments, /*Env=*/std::nullopt,
      {StringRef(""), StringRef(paths[2]), StringRef(paths[2])},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &message);
  if (status != 0)
    return emitError(module->getLoc(), "expected '")
           << ptxas << "' to assemble the device module, but it failed: "
           << (message.empty() ? StringRef(readFile(paths[2])).rtrim().str()
                               : message);
  std::string image = readFile(paths[1]);
  if (image.empty())
    return emitError(module->getLoc(), "expected machine code from '")
           << ptxas << "', but got an empty file";
  return image;
}

} // namespace nvfp4

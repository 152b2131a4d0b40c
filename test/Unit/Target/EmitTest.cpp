//===- EmitTest.cpp - program.so: machines, imports, errors ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompiledProgram.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace nvfp4;
using namespace nvfp4::test;

namespace {

constexpr char kExp[] = R"mlir(
func.func @main(%x: tensor<?xf32> {nvfp4.shape = ["n"]}) -> tensor<?xf32> {
  %y = math.exp %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
)mlir";

std::string getError(StringRef text, const EmitOptions &options) {
  std::unique_ptr<MLIRContext> context = createContext();
  std::string error;
  Program program = compile(*context, text, error, options);
  EXPECT_TRUE(program.image.empty());
  return error;
}

bool contains(StringRef text, StringRef part) {
  if (text.contains(part))
    return true;
  ADD_FAILURE() << "expected '" << part.str() << "' in: " << text.str();
  return false;
}

TEST(EmitTest, TheSameModuleGivesTheSameBytes) {
  std::unique_ptr<MLIRContext> context = createContext();
  std::string error;
  Program first = compile(*context, kExp, error);
  Program second = compile(*context, kExp, error);
  EXPECT_EQ(error, "");
  EXPECT_FALSE(first.image.empty());
  EXPECT_EQ(first.image, second.image);
}

TEST(EmitTest, ExportsOneSymbolAndImportsOnlyMemoryFunctions) {
  std::unique_ptr<MLIRContext> context = createContext();
  std::string error;
  Program program = compile(*context, kExp, error);
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(program.image, "program.so"));
  ASSERT_TRUE(bool(file));
  auto *elf = llvm::dyn_cast<llvm::object::ELFObjectFileBase>(file->get());
  ASSERT_NE(elf, nullptr);
  std::vector<std::string> defined;
  for (const llvm::object::SymbolRef &symbol :
       elf->getDynamicSymbolIterators()) {
    StringRef name = llvm::cantFail(symbol.getName());
    if (llvm::cantFail(symbol.getFlags()) &
        llvm::object::SymbolRef::SF_Undefined)
      EXPECT_TRUE(llvm::is_contained(
          ArrayRef<StringRef>{"", "memcpy", "memset", "memmove"}, name))
          << name.str();
    else
      defined.push_back(name.str());
  }
  EXPECT_EQ(defined, std::vector<std::string>{NVFP4_PROGRAM_SYMBOL});
}

TEST(EmitTest, ListsTheExtensionsOfTheCpu) {
  std::unique_ptr<MLIRContext> context = createContext();
  std::string error;
  EmitOptions options;
  options.triple = "x86_64-unknown-linux-gnu";
  Program program = compile(*context, kExp, error, options);
  EXPECT_EQ(error, "");
  EXPECT_EQ(program.cpu, "x86-64-v3");
  for (const char *feature : {"avx2", "fma", "f16c", "sse4.2"})
    EXPECT_TRUE(llvm::is_contained(program.features, feature)) << feature;
  EXPECT_FALSE(llvm::is_contained(program.features, "avx512f"));
  EXPECT_TRUE(llvm::is_sorted(program.features));

  options.cpu = "x86-64-v4";
  program = compile(*context, kExp, error, options);
  EXPECT_EQ(error, "");
  EXPECT_TRUE(llvm::is_contained(program.features, "avx512f"))
      << llvm::join(program.features, " ");
  options.cpu = "x86-64-v2";
  program = compile(*context, kExp, error, options);
  EXPECT_EQ(error, "");
  EXPECT_FALSE(llvm::is_contained(program.features, "avx2"));
}

TEST(EmitTest, NativeIsThisMachineByName) {
  EmitOptions options;
  options.cpu = "native";
  CompiledProgram program(kExp, options);
  ASSERT_TRUE(program.isLoaded());
  EXPECT_NE(program.getProgram().cpu, "native");
  float x = 0;
  EXPECT_EQ(program.run(0, {1}, {&x}, {1}, {4}).get<float>(0).front(), 1.0f);
}

TEST(EmitTest, CompilesForAArch64) {
  std::unique_ptr<MLIRContext> context = createContext();
  std::string error;
  EmitOptions options;
  options.triple = "aarch64-unknown-linux-gnu";
  Program program = compile(*context, kExp, error, options);
  EXPECT_EQ(error, "");
  EXPECT_EQ(program.triple, "aarch64-unknown-linux-gnu");
  EXPECT_EQ(program.cpu, "generic");
  EXPECT_TRUE(llvm::is_contained(program.features, "neon"));
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(program.image, "program.so"));
  ASSERT_TRUE(bool(file));
  EXPECT_EQ((*file)->getArch(), llvm::Triple::aarch64);
}

TEST(EmitTest, UnknownCpuTripleAndLinkerAreErrors) {
  EmitOptions options;
  options.cpu = "z80";
  contains(getError(kExp, options),
           "expected a CPU that LLVM knows for 'x86_64', but got 'z80'");
  options = {};
  options.triple = "pdp11-unknown-linux-gnu";
  contains(getError(kExp, options), "pdp11");
  options = {};
  options.triple = "x86_64-pc-windows-msvc";
  contains(getError(kExp, options),
           "expected a 64-bit little-endian ELF triple, but got");
  options = {};
  options.linker = "/nonexistent/ld";
  contains(getError(kExp, options),
           "expected an executable linker, but got '/nonexistent/ld'");
  options = {};
  options.triple = "aarch64-unknown-linux-gnu";
  options.cpu = "native";
  contains(getError(kExp, options),
           "expected a CPU of 'aarch64', but got 'native', which is 'x86_64'");
}

TEST(EmitTest, AForeignImportIsAnErrorThatNamesIt) {
  contains(getError(R"mlir(
func.func private @tea(f32) -> f32
func.func @main(%x: tensor<f32>) -> tensor<f32> {
  %v = tensor.extract %x[] : tensor<f32>
  %w = func.call @tea(%v) : (f32) -> f32
  %y = tensor.from_elements %w : tensor<f32>
  return %y : tensor<f32>
}
)mlir",
                    {}),
           "expected a program that imports nothing but memcpy, memset, "
           "memmove, but got calls of tea");
}

TEST(EmitTest, WritesLLVMIRAsText) {
  std::unique_ptr<MLIRContext> context = createContext();
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(kExp, context.get());
  std::unique_ptr<Target> target = createCPUTarget();
  PassManager pm(context.get());
  pm.addPass(createRecordEntryPass());
  target->addLowerPasses(pm);
  ASSERT_TRUE(succeeded(pm.run(*module)));
  FailureOr<std::string> text = target->emitText(*module, "llvm", {});
  ASSERT_TRUE(succeeded(text));
  contains(*text, "@nvfp4_program = ");
  // The loop became vectors.
  contains(*text, "x float>");

  std::string error;
  ScopedDiagnosticHandler handler(
      context.get(), [&](Diagnostic &diagnostic) { error = diagnostic.str(); });
  EXPECT_TRUE(failed(target->emitText(*module, "ptx", {})));
  EXPECT_EQ(error, "expected one of the text forms llvm of target 'cpu', but "
                   "got 'ptx'");
}

} // namespace

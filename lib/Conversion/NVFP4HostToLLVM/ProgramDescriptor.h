//===- ProgramDescriptor.h - The symbol that program.so exports -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the functions and constants of `nvfp4/Runtime/ProgramABI.h` in the
// LLVM dialect.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_PROGRAMDESCRIPTOR_H
#define NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_PROGRAMDESCRIPTOR_H

#include "DeviceCalls.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

#include <string>
#include <vector>

namespace nvfp4 {

/// Null-terminated strings of a module, one global per text.
class StringTable {
public:
  explicit StringTable(mlir::ModuleOp module) : module(module) {}

  /// The address of `text`.
  mlir::Value getAddress(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::StringRef text);

private:
  mlir::ModuleOp module;
  llvm::StringMap<mlir::LLVM::GlobalOp> globals;
};

/// The code of all kernels for one chip.
struct ProgramImage {
  /// NVFP4_IMAGE_*
  uint32_t kind;
  std::string chip;
  /// Of the constant that holds the bytes.
  std::string symbol;
  std::string data;
};

/// What a program with a device has.
struct DeviceCode {
  std::vector<ProgramImage> images;
  KernelList kernels;
};

/// The function that holds the body of an entry.
std::string getBodyName(llvm::StringRef entry);
/// The function that `nvfp4-plan-workspace` has written for an entry.
std::string getPlanName(llvm::StringRef entry);

/// Builds the `nvfp4_program` of a module whose bodies are in the LLVM dialect.
class ProgramDescriptorBuilder {
public:
  /// `device` is null for a program that runs on the host; `usesKernels` says
  /// whether that calls the runtime's kernels.
  ProgramDescriptorBuilder(mlir::ModuleOp module, StringTable &strings,
                           const DeviceCode *device, bool usesKernels);

  /// Adds one entry. `buffers` are the types of its arguments, results and
  /// workspace, before the conversion. Fails, with an error, when its body or
  /// plan is missing.
  mlir::LogicalResult addEntry(llvm::StringRef name,
                               const EntryInterface &interface,
                               llvm::ArrayRef<mlir::MemRefType> buffers);

  /// Writes the exported constant.
  void finish();

private:
  uint32_t getVersion() const;
  struct Entry {
    std::string name;
    uint32_t numDims, numArgs, numResults;
    mlir::LLVM::LLVMFuncOp plan, run;
  };

  mlir::LLVM::LLVMFuncOp createFunction(llvm::StringRef name,
                                        unsigned numPointers);
  mlir::Value loadElement(mlir::Value array, mlir::Type type, unsigned index);
  llvm::SmallVector<mlir::Value> loadDimensions(mlir::Value dims,
                                                unsigned count);
  llvm::SmallVector<mlir::Value> callPlan(mlir::LLVM::LLVMFuncOp plan,
                                          mlir::ValueRange dims);
  void appendDescriptor(mlir::Value pointer, mlir::ValueRange sizes,
                        llvm::SmallVectorImpl<mlir::Value> &operands);
  void emitPlan(mlir::LLVM::LLVMFuncOp function, mlir::LLVM::LLVMFuncOp plan,
                const EntryInterface &interface);
  void emitRun(mlir::LLVM::LLVMFuncOp function, mlir::LLVM::LLVMFuncOp body,
               mlir::LLVM::LLVMFuncOp plan, const EntryInterface &interface,
               llvm::ArrayRef<mlir::MemRefType> buffers);
  mlir::Value constant(mlir::Type type, int64_t value);
  void createConstant(llvm::StringRef name, mlir::Type type,
                      mlir::LLVM::Linkage linkage,
                      llvm::function_ref<mlir::Value()> value);

  void emitClearErrorWord(mlir::Value context, mlir::Value workspace);
  mlir::Value buildStruct(mlir::Type type, llvm::ArrayRef<mlir::Value> fields);
  mlir::Value addressOf(llvm::StringRef global);
  void createTable(llvm::StringRef name, mlir::Type type, size_t count,
                   llvm::function_ref<mlir::Value(size_t)> element);
  void createEntries();
  void createImages();
  void createKernels();

  mlir::ModuleOp module;
  StringTable &strings;
  const DeviceCode *device;
  bool usesKernels;
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::Type i32, i64, pointer;
  std::vector<Entry> entries;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_PROGRAMDESCRIPTOR_H

//===- own-opt.cpp - A tool of another project with our dialect -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Register.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect>();
  nvfp4::registerNVFP4Dialects(registry);
  nvfp4::registerNVFP4Passes();
  mlir::registerTransformsPasses();
  return failed(
      mlir::MlirOptMain(argc, argv, "A tool of another project\n", registry));
}

//===- nvfp4-opt.cpp - Runs passes on IR ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pass and pipeline of this project and of upstream, for tests and for
// driving the pipeline by hand.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Register.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  nvfp4::registerNVFP4Dialects(registry);
  mlir::registerAllPasses();
  nvfp4::registerNVFP4Passes();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "NVFP4 optimizer driver\n", registry));
}

//===- NVFP4.h - The nvfp4 dialect ------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_NVFP4_H
#define NVFP4_DIALECT_NVFP4_IR_NVFP4_H

#include "nvfp4/Support/Formats.h"
#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CastInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/ShapedOpInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4Dialect.h.inc"
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Enums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Attrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Types.h.inc"

#define GET_OP_CLASSES
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Ops.h.inc"

namespace nvfp4 {

/// Names of the discardable attributes; their meaning is in the dialect's
/// description.
inline constexpr llvm::StringLiteral kWeightAttrName = "nvfp4.weight";
inline constexpr llvm::StringLiteral kNameAttrName = "nvfp4.name";
inline constexpr llvm::StringLiteral kShapeAttrName = "nvfp4.shape";
inline constexpr llvm::StringLiteral kDimensionsAttrName = "nvfp4.dimensions";
inline constexpr llvm::StringLiteral kPackedAttrName = "nvfp4.packed";
inline constexpr llvm::StringLiteral kPackAttrName = "nvfp4.pack";
inline constexpr llvm::StringLiteral kEntryAttrName = "nvfp4.entry";
inline constexpr llvm::StringLiteral kPrecisionAttrName = "nvfp4.precision";
inline constexpr llvm::StringLiteral kSiteAttrName = "nvfp4.site";
inline constexpr llvm::StringLiteral kClassAttrName = "nvfp4.class";
inline constexpr llvm::StringLiteral kRuleAttrName = "nvfp4.rule";
inline constexpr llvm::StringLiteral kRequestedAttrName = "nvfp4.requested";
inline constexpr llvm::StringLiteral kReasonAttrName = "nvfp4.reason";
/// Of an entry after Lower: the messages that the error word numbers.
inline constexpr llvm::StringLiteral kChecksAttrName = "nvfp4.checks";
/// Of an entry's argument in destination style: which result it receives.
inline constexpr llvm::StringLiteral kResultAttrName = "nvfp4.result";
/// Of a matmul or the function of a kernel: an array of KernelAttr.
inline constexpr llvm::StringLiteral kKernelAttrName = "nvfp4.kernel";
inline constexpr llvm::StringLiteral kConstantsAttrName = "nvfp4.constants";

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_IR_NVFP4_H

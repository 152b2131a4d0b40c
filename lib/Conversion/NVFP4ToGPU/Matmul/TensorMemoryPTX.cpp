//===- TensorMemoryPTX.cpp - Instructions of tensor memory ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.0, 9.7.16 (tcgen05).
//
//===----------------------------------------------------------------------===//

#include "TensorMemoryPTX.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nvfp4;

/// Most columns that one instruction loads here.
static constexpr int64_t kMaxLoadColumns = 32;

std::string TensorMemoryPTX::getGroup() const {
  return isPair ? ".cta_group::2" : ".cta_group::1";
}

void TensorMemoryPTX::allocateAll(Value slot) {
  ptx.emit({}, {ptx.getAddress(slot)},
           "tcgen05.alloc" + getGroup() +
               ".sync.aligned.shared::cta.b32 [$0], " +
               std::to_string(kTensorColumns) +
               ";\n\ttcgen05.relinquish_alloc_permit" + getGroup() +
               ".sync.aligned;",
           "r");
}

void TensorMemoryPTX::freeAll(Value address) {
  ptx.emit({}, {address},
           "tcgen05.dealloc" + getGroup() + ".sync.aligned.b32 $0, " +
               std::to_string(kTensorColumns) + ";",
           "r");
}

void TensorMemoryPTX::fenceBefore() {
  ptx.emit({}, {}, "tcgen05.fence::before_thread_sync;", "");
}

void TensorMemoryPTX::fenceAfter() {
  ptx.emit({}, {}, "tcgen05.fence::after_thread_sync;", "");
}

void TensorMemoryPTX::commit(Value barrier) {
  std::string commit =
      "tcgen05.commit" + getGroup() + ".mbarrier::arrive::one.shared::cluster";
  ptx.emit({}, {ptx.getAddress(barrier)},
           isPair ? "{\n\t.reg .b16 both;\n\tmov.b16 both, 3;\n\t" + commit +
                        ".multicast::cluster.b64 [$0], both;\n\t}"
                  : commit + ".b64 [$0];",
           "r");
}

/// The loads and the wait for them are one statement: nobody can use a register
/// in between.
SmallVector<Value> TensorMemoryPTX::load(Value address, int64_t columns) {
  std::string text, constraints;
  int64_t atOnce = std::min(columns, kMaxLoadColumns);
  for (int64_t first = 0; first < columns; first += atOnce) {
    text +=
        "tcgen05.ld.sync.aligned.32x32b.x" + std::to_string(atOnce) + ".b32 {";
    for (int64_t i = 0; i < atOnce; ++i)
      text += (i == 0 ? "$" : ", $") + std::to_string(first + i);
    text += "}, [$" + std::to_string(columns) + " + " + std::to_string(first) +
            "];\n\t";
  }
  text += "tcgen05.wait::ld.sync.aligned;";
  for (int64_t i = 0; i < columns; ++i)
    constraints += "=f,";
  SmallVector<Type> types(columns, b.getF32Type());
  Value results =
      ptx.emit(LLVM::LLVMStructType::getLiteral(b.getContext(), types),
               {address}, text, constraints + "r");
  SmallVector<Value> values;
  for (int64_t i = 0; i < columns; ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, results, i));
  return values;
}

void TensorMemoryPTX::storeOpaque(Value pointer, Value value) {
  ptx.emit({}, {ptx.getAddress(pointer), value},
           "st.volatile.shared.b32 [$0], $1;", "r,r");
}

Value TensorMemoryPTX::loadOpaque(Value pointer) {
  return ptx.emit(b.getI32Type(), {ptx.getAddress(pointer)},
                  "ld.volatile.shared.b32 $0, [$1];", "=r,r");
}

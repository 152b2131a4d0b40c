//===- HopperPTX.cpp - Instructions that LLVM has no op for ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.0, mbarrier, cp.async.bulk, cp.async.bulk.tensor,
// setmaxnreg, fence.proxy.
//
//===----------------------------------------------------------------------===//

#include "HopperPTX.h"

#include "Arithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace nvfp4;

Value HopperPTX::emit(Type result, ValueRange operands, StringRef text,
                      StringRef constraints, bool ordersMemory) {
  std::string all = constraints.str();
  if (ordersMemory)
    all += all.empty() ? "~{memory}" : ",~{memory}";
  if (!result)
    result = LLVM::LLVMVoidType::get(b.getContext());
  auto op = LLVM::InlineAsmOp::create(
      b, result, operands, text, all, /*has_side_effects=*/true,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr(), ArrayAttr());
  return op->getNumResults() == 0 ? Value() : op.getResult(0);
}

Value HopperPTX::getAddress(Value shared) {
  return LLVM::PtrToIntOp::create(b, b.getI32Type(), shared);
}

void HopperPTX::initBarrier(Value barrier, int64_t count) {
  emit({}, {getAddress(barrier)},
       "mbarrier.init.shared::cta.b64 [$0], " + std::to_string(count) + ";",
       "r");
}

void HopperPTX::fenceBarrierInit() {
  emit({}, {}, "fence.mbarrier_init.release.cluster;", "");
}

/// Waits at a barrier with instructions of that order and scope.
static void emitWait(HopperPTX &ptx, Value barrier, Value parity,
                     StringRef order) {
  ptx.emit({}, {ptx.getAddress(barrier), parity},
           ("{\n\t.reg .pred done;\n"
            "wait_${:uid}:\n\t"
            "mbarrier.try_wait.parity" +
            order +
            ".shared::cta.b64 done, [$0], $1;\n\t"
            "@!done bra wait_${:uid};\n\t}")
               .str(),
           "r,r");
}

void HopperPTX::waitForParity(Value barrier, Value parity) {
  emitWait(*this, barrier, parity, "");
}

void HopperPTX::waitForCluster(Value barrier, Value parity) {
  emitWait(*this, barrier, parity, ".acquire.cluster");
}

void HopperPTX::arriveIf(Value barrier, Value condition) {
  emit({}, {getAddress(barrier), condition},
       "@$1 mbarrier.arrive.shared::cta.b64 _, [$0];", "r,b");
}

void HopperPTX::arriveAndExpect(Value barrier, Value bytes) {
  emit({}, {getAddress(barrier), bytes},
       "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "r,r");
}

void HopperPTX::arriveAndExpectIf(Value condition, Value barrier, Value bytes) {
  emit({}, {condition, getAddress(barrier), bytes},
       "@$0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [$1], $2;", "b,r,r");
}

void HopperPTX::fenceAsyncProxy() {
  emit({}, {}, "fence.proxy.async.shared::cta;", "");
}

void HopperPTX::takeRegisters(int64_t count) {
  NVVM::SetMaxRegisterOp::create(b, count,
                                 NVVM::SetMaxRegisterAction::increase);
}

void HopperPTX::giveRegisters(int64_t count) {
  NVVM::SetMaxRegisterOp::create(b, count,
                                 NVVM::SetMaxRegisterAction::decrease);
}

void HopperPTX::syncThreads(int64_t id, int64_t threads) {
  emit({}, {},
       "bar.sync " + std::to_string(id) + ", " + std::to_string(threads) + ";",
       "");
}

void HopperPTX::syncWarp() { emit({}, {}, "bar.warp.sync 0xffffffff;", ""); }

void HopperPTX::copyBulk(Value target, Value source, Value bytes,
                         Value barrier) {
  emit({}, {getAddress(target), source, bytes, getAddress(barrier)},
       "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
       "[$0], [$1], $2, [$3];",
       "r,l,r,r");
}

/// The bit of an address in a cluster that tells the CTAs of a pair apart.
static constexpr StringLiteral kFirstOfPairMask = "0xFEFFFFFF";

void HopperPTX::copyTensor(Value target, Value map, ValueRange coordinates,
                           Value barrier, Receiver receiver) {
  SmallVector<Value> operands = {getAddress(target), map, getAddress(barrier)};
  std::string place, constraints = "r,l,r";
  for (Value coordinate : coordinates) {
    place += (place.empty() ? "$" : ", $") + std::to_string(operands.size());
    operands.push_back(coordinate);
    constraints += ",r";
  }
  bool isPair = receiver != Receiver::Alone;
  bool isForBoth = receiver == Receiver::BothOfPair;
  std::string text =
      "cp.async.bulk.tensor." + std::to_string(coordinates.size()) +
      "d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes" +
      (isForBoth ? ".multicast::cluster" : "") +
      (isPair ? ".cta_group::2" : "") + " [$0], [$1, {" + place + "}], [" +
      (isPair ? "first" : "$2") + "]" + (isForBoth ? ", both;" : ";");
  if (isForBoth)
    text = "mov.b16 both, 3;\n\t" + text;
  if (isPair)
    text = (Twine("{\n\t.reg .b32 first;\n\t") +
            (isForBoth ? ".reg .b16 both;\n\t" : "") + "and.b32 first, $2, " +
            kFirstOfPairMask + ";\n\t" + text + "\n\t}")
               .str();
  emit({}, operands, text, constraints);
}

void HopperPTX::copyBulkOnce(Value target, Value source, Value bytes,
                             Value barrier) {
  emit({}, {getAddress(target), source, bytes, getAddress(barrier)},
       "{\n\t.reg .b64 once;\n\t"
       "createpolicy.fractional.L2::evict_first.b64 once, 1.0;\n\t"
       "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"
       ".L2::cache_hint [$0], [$1], $2, [$3], once;\n\t}",
       "r,l,r,r");
}

Value HopperPTX::getUniform(Value value) {
  Arithmetic a(b);
  return NVVM::ShflOp::create(b, value.getType(), a.i32(-1), value, a.i32(0),
                              a.i32(31), NVVM::ShflKind::idx, UnitAttr());
}

Value HopperPTX::electThread() {
  return NVVM::ElectSyncOp::create(b, b.getI1Type(), /*membermask=*/Value());
}

void HopperPTX::beginClusterSync() {
  emit({}, {}, "barrier.cluster.arrive.relaxed.aligned;", "");
}

void HopperPTX::endClusterSync() {
  emit({}, {}, "barrier.cluster.wait.acquire.aligned;", "");
}

Value HopperPTX::mapToRank(Value shared, Value rank) {
  return emit(b.getI32Type(), {getAddress(shared), rank},
              "mapa.shared::cluster.u32 $0, $1, $2;", "=r,r,r",
              /*ordersMemory=*/false);
}

void HopperPTX::storeAsyncIf(Value condition, Value target, Value value,
                             Value barrier) {
  emit({}, {condition, target, value, barrier},
       "@$0 st.async.shared::cluster.mbarrier::complete_tx::bytes.f32 [$1], "
       "$2, [$3];",
       "b,r,f,r");
}

void HopperPTX::arriveRemoteIf(Value condition, Value barrier) {
  emit({}, {condition, barrier},
       "@$0 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [$1];",
       "b,r");
}

void HopperPTX::arriveRemote(Value barrier) {
  emit({}, {barrier},
       "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [$0];", "r");
}

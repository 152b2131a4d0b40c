//===- Wgmma.cpp - wgmma instructions -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Issue, commit and wait; what happens in between is in Machine/Warpgroup.
//
// Source: PTX ISA 9.7.15; rules R10, R14.
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"
#include "Machine/Ordering.h"
#include "Machine/Warpgroup.h"
#include "MatrixQualifiers.h"
#include "SharedMatrices.h"

#include <algorithm>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;

//===----------------------------------------------------------------------===//
// Issue
//===----------------------------------------------------------------------===//

/// The same value in all lanes. False after a trap.
static bool readUniform(Warp &warp, const Inst &inst, const OperandRef &ref,
                        const char *what, uint64_t &value) {
  if (!warp.requireDefined(ref, kAllLanes, inst, what))
    return false;
  value = warp.readLane(ref, 0);
  for (unsigned lane = 1; lane < kLanes; ++lane)
    if (warp.readLane(ref, lane) != value) {
      warp.trap(inst, "uniform", lane,
                std::string("expected the same ") + what +
                    " in all lanes, but lane 0 has another");
      return false;
    }
  return true;
}

/// The offsets of a matrix's chunks. False after a trap.
static bool locate(Warp &warp, const Inst &inst, uint64_t descriptor, int lines,
                   bool isTransposed, std::vector<uint32_t> &chunks) {
  if (!checkReservedBits(warp, inst, 0, descriptor,
                         SharedMatrix::kReservedBits))
    return false;
  chunks = SharedMatrix::decode(descriptor).listChunks(lines, isTransposed);
  return locateChunks(warp, inst, 0, chunks);
}

/// Begins an operation, or joins what another warp has begun. Null after a
/// trap.
static WarpgroupOp *joinOp(Warp &warp, const Inst &inst, Warpgroup &group,
                           uint32_t number, const WarpgroupOp &asked) {
  auto &plan = static_cast<const WarpgroupPlan &>(*inst.plan);
  if (WarpgroupOp *op = group.find(number)) {
    if (op->inst != &inst) {
      warp.trap(inst, "R14", 0,
                "expected all warps of the warpgroup to execute the same "
                "wgmma.mma_async, but another one executes that of line " +
                    std::to_string(op->inst->line));
      return nullptr;
    }
    if (op->descriptorA != asked.descriptorA ||
        op->descriptorB != asked.descriptorB ||
        op->accumulates != asked.accumulates) {
      warp.trap(inst, "uniform", 0,
                "expected the same matrix descriptors and scale-d in all warps "
                "of the warpgroup, but another one has others");
      return nullptr;
    }
    return op;
  }
  group.ops.push_back(asked);
  WarpgroupOp &op = group.ops.back();
  const WarpgroupDescriptor &descriptor = plan.descriptor;
  if ((plan.a.empty() && !locate(warp, inst, op.descriptorA, descriptor.shape.m,
                                 descriptor.transposesA, op.chunksA)) ||
      !locate(warp, inst, op.descriptorB, descriptor.shape.n,
              descriptor.transposesB, op.chunksB))
    return nullptr;
  return &op;
}

/// The chunks of A that a member of the warpgroup needs.
static std::vector<uint32_t>
selectRows(const WarpgroupPlan &plan, const WarpgroupOp &op, unsigned member) {
  std::vector<uint32_t> chunks;
  const size_t total = op.chunksA.size();
  // By line; or, transposed, eight lines a chunk.
  const size_t period =
      plan.descriptor.transposesA ? plan.descriptor.shape.m / 8 : total;
  const size_t count = period / kWarpsPerGroup;
  for (size_t first = member * count; first < total; first += period)
    chunks.insert(chunks.end(), op.chunksA.begin() + ptrdiff_t(first),
                  op.chunksA.begin() + ptrdiff_t(first + count));
  return chunks;
}

static void orderReads(Warp &warp, const Inst &inst, Warpgroup &group,
                       const WarpgroupOp &op, uint32_t number) {
  ordering::WarpOrder *order = getOrder(warp);
  if (!order)
    return;
  if (group.component == ~0u)
    group.component =
        getOrder(warp.getCluster())->addComponent(ordering::AsyncKind::Wgmma);
  AsyncActor actor(*order, group.component, number, true);
  orderChunks(warp, inst, warp.getCta(), op.chunksB, actor);
  if (!op.chunksA.empty())
    orderChunks(warp, inst, warp.getCta(),
                selectRows(static_cast<const WarpgroupPlan &>(*inst.plan), op,
                           getMemberIndex(warp)),
                actor);
}

/// What the warp brings to the operation.
static void fillPart(Warp &warp, const WarpgroupPlan &plan,
                     WarpgroupOp::Part &part) {
  part.frame = &warp.getFrame();
  for (size_t i = 0; i < plan.a.size(); ++i) {
    std::copy_n(warp.read<uint32_t>(plan.a[i]), kLanes, part.a[i].data());
    warp.readUndefined(plan.a[i], kAllLanes, part.undefinedA[i].data());
  }
}

/// Executes an instruction of a warpgroup when all lanes of the warp are there.
template <Outcome (*Execute)(Warp &, const Inst &, Warpgroup &)>
static Outcome execTogether(Warp &warp, const Inst &inst, uint32_t mask) {
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  if (Warpgroup *group = findWarpgroup(warp))
    return Execute(warp, inst, *group);
  warp.trap(inst, "R14", 0,
            "expected a warpgroup of four whole warps, but the CTA has only "
            "part of it");
  return Outcome::Stop;
}

static Outcome execMultiply(Warp &warp, const Inst &inst, Warpgroup &group) {
  auto &plan = static_cast<const WarpgroupPlan &>(*inst.plan);
  WarpgroupOp asked;
  asked.inst = &inst;
  uint64_t scale = 0;
  if ((plan.a.empty() &&
       !readUniform(warp, inst, plan.descriptorA, "matrix descriptor",
                    asked.descriptorA)) ||
      !readUniform(warp, inst, plan.descriptorB, "matrix descriptor",
                   asked.descriptorB) ||
      !readUniform(warp, inst, plan.scaleD, "scale-d", scale))
    return Outcome::Stop;
  asked.accumulates = scale != 0;
  unsigned index = getMemberIndex(warp);
  Warpgroup::Member &member = group.members[index];
  uint32_t number = member.issued + 1;
  WarpgroupOp *op = joinOp(warp, inst, group, number, asked);
  if (!op)
    return Outcome::Stop;
  const WarpgroupDescriptor &descriptor = plan.descriptor;
  issueWatched(warp, inst, member, number,
               uint32_t(descriptor.shape.n) << 16 |
                   uint32_t(descriptor.shape.k) << 4 | uint32_t(descriptor.d));
  member.issued = number;
  fillPart(warp, plan, op->parts[index]);
  orderReads(warp, inst, group, *op, number);
  op->issued |= 1u << index;
  warp.noteEffect();
  constexpr uint32_t kAll = (1u << kWarpsPerGroup) - 1;
  if (op->issued != kAll)
    return Outcome::Next;
  Effect effect;
  effect.line = inst.line;
  effect.land = [group = &group, number] {
    landOps(*group, kAll, number);
    return true;
  };
  uint64_t sequence = warp.getCluster().issue(std::move(effect));
  // Landed early, the operation is gone.
  if (WarpgroupOp *pending = group.find(number))
    pending->effect = sequence;
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Fence, commit, wait
//===----------------------------------------------------------------------===//

static Outcome execFence(Warp &warp, const Inst &inst, Warpgroup &group) {
  ++group.members[getMemberIndex(warp)].fences;
  return Outcome::Next;
}

static Outcome execCommit(Warp &warp, const Inst &inst, Warpgroup &group) {
  Warpgroup::Member &member = group.members[getMemberIndex(warp)];
  member.groups.push_back(member.issued);
  return Outcome::Next;
}

/// `imm` groups may stay pending.
static Outcome execWait(Warp &warp, const Inst &inst, Warpgroup &group) {
  Warpgroup::Member &member = group.members[getMemberIndex(warp)];
  if (member.groups.size() <= inst.imm)
    return Outcome::Next;
  uint32_t number = member.groups[member.groups.size() - inst.imm - 1];
  // An operation takes all four warps.
  for (const Warpgroup::Member &other : group.members)
    if (other.issued < number) {
      warp.getPath().state = Path::State::Polling;
      return Outcome::Block;
    }
  std::vector<uint64_t> effects;
  for (uint32_t i = group.firstNumber; i <= number; ++i)
    if (WarpgroupOp *op = group.find(i))
      effects.push_back(op->effect);
  for (uint64_t effect : effects)
    if (!warp.getCluster().land(effect))
      return Outcome::Stop;
  while (member.groups.size() > inst.imm)
    member.groups.pop_front();
  member.waited = std::max(member.waited, number);
  if (ordering::WarpOrder *order = getOrder(warp);
      order && group.component != ~0u)
    order->observe(group.component, number);
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static bool readScale(DecodeContext &context, unsigned i, bool &negates) {
  int64_t value = 0;
  if (!context.readImmediate(context.getOperand(i), value))
    return false;
  if (value != 1 && value != -1) {
    context.error("expected 1 or -1 to scale a matrix, but got " +
                  std::to_string(value));
    return false;
  }
  negates = value < 0;
  return true;
}

static bool readTransposition(DecodeContext &context, unsigned i,
                              bool &transposes) {
  int64_t value = 0;
  if (!context.readImmediate(context.getOperand(i), value))
    return false;
  if (value != 0 && value != 1) {
    context.error("expected 0 or 1 to transpose a matrix, but got " +
                  std::to_string(value));
    return false;
  }
  transposes = value != 0;
  return true;
}

/// What follows the matrices: scale-d; with floats the scales of A and B; with
/// 16-bit elements the transpositions of those in shared memory.
static bool readImmediates(DecodeContext &context, WarpgroupPlan &plan) {
  WarpgroupDescriptor &descriptor = plan.descriptor;
  bool isFloat = isFloatOperand(descriptor.a);
  bool isHalf = isFloat && getFloatFormat(descriptor.a).containerBits == 16;
  unsigned transpositions = isHalf ? 1 + plan.a.empty() : 0;
  if (!context.expectOperands(4 + 2 * isFloat + transpositions))
    return false;
  const Operand &scale = context.getOperand(3);
  if (scale.kind == Operand::Kind::Integer)
    plan.scaleD = context.makePredicateConstant(scale.integer != 0);
  else
    plan.scaleD = context.readOperand(scale, Type::Pred);
  if (!plan.scaleD.isPresent ||
      (isFloat && (!readScale(context, 4, descriptor.negatesA) ||
                   !readScale(context, 5, descriptor.negatesB))))
    return false;
  if (!transpositions)
    return true;
  return readTransposition(context, 5 + transpositions,
                           descriptor.transposesB) &&
         (!plan.a.empty() ||
          readTransposition(context, 6, descriptor.transposesA));
}

static bool readMatrices(DecodeContext &context, WarpgroupPlan &plan) {
  const WarpgroupDescriptor &descriptor = plan.descriptor;
  if (!context.expectOperands(4, 8))
    return false;
  plan.d =
      context.writeVector(context.getOperand(0), getRegisterType(descriptor.d));
  if (!expectRegisters(context, "D", plan.d, descriptor.getNumRegistersD()))
    return false;
  const Operand &a = context.getOperand(1);
  if (a.kind == Operand::Kind::Vector) {
    plan.a = context.readVector(a, Type::B32);
    if (!expectRegisters(context, "A", plan.a, kFragmentRegisters))
      return false;
  } else {
    plan.descriptorA = context.readOperand(a, Type::B64);
    if (!plan.descriptorA.isPresent)
      return false;
  }
  plan.descriptorB = context.readOperand(2, Type::B64);
  return plan.descriptorB.isPresent;
}

static bool decodeMultiply(DecodeContext &context) {
  WarpgroupPlan &plan = context.makePlan<WarpgroupPlan>();
  WarpgroupDescriptor &descriptor = plan.descriptor;
  plan.tensorCore = getTensorCore(context.getModule().target);
  if (!takeShape(context, descriptor.shape))
    return true;
  descriptor.satfinite = context.take("satfinite");
  bool hasPopc = context.take("popc") && context.take("and");
  std::vector<ElementType> types;
  if (!takeElementTypes(context, types))
    return true;
  if (types.size() != 3)
    return context.error("expected the types of D, A and B, but got " +
                         std::to_string(types.size()) + " types");
  descriptor.d = types[0], descriptor.a = types[1], descriptor.b = types[2];
  if (Status status = checkWarpgroupDescriptor(descriptor); !status)
    return context.error(status.getMessage());
  bool isInt8 =
      descriptor.d == ElementType::S32 && descriptor.a != ElementType::B1;
  if (descriptor.satfinite && !isInt8)
    return context.error("expected .satfinite with s8 and u8 only");
  if (hasPopc != (descriptor.a == ElementType::B1))
    return context.error("expected .and.popc with b1, and only there");
  if (!readMatrices(context, plan) || !readImmediates(context, plan))
    return true;
  context.emitExec(InstClass::Matrix, execTogether<execMultiply>).plan = &plan;
  return true;
}

static bool decodeWait(DecodeContext &context) {
  int64_t count = 0;
  if (!context.expectOperands(1) ||
      !context.readImmediate(context.getOperand(0), count))
    return true;
  if (count < 0 || count > 7)
    return context.error("expected a count of groups from 0 to 7, but got " +
                         std::to_string(count));
  context.emitExec(InstClass::Async, execTogether<execWait>).imm =
      uint64_t(count);
  return true;
}

static bool decodeWgmma(DecodeContext &context) {
  context.takeHints({"sync", "aligned"});
  if (!requireFeature(context, ChipFeature::Warpgroups))
    return true;
  if (context.take("mma_async"))
    return decodeMultiply(context);
  if (context.take("wait_group"))
    return decodeWait(context);
  if (!context.expectOperands(0))
    return true;
  if (context.take("fence"))
    context.emitExec(InstClass::Fence, execTogether<execFence>);
  else if (context.take("commit_group"))
    context.emitExec(InstClass::Async, execTogether<execCommit>);
  else
    return context.error(
        "expected .mma_async, .fence, .commit_group or .wait_group");
  return true;
}

OpcodeTable getWgmmaOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"wgmma", decodeWgmma}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

//===- Tcgen05.cpp - Tensor memory: commit, and what all share ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tcgen05.commit and fence, operands and matrix descriptors; the table of the
// instructions, which are in the other files of this name.
//
// Source: PTX ISA 9.7.16; rules R9, R13, R14.
//
//===----------------------------------------------------------------------===//

#include "Tcgen05.h"
#include "BulkTransfer.h"
#include "MemoryQualifiers.h"
#include "SharedMatrices.h"

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

bool readUniform(Warp &warp, const Inst &inst, const OperandRef &ref,
                 const char *what, uint32_t &value) {
  if (!warp.requireDefined(ref, kAllLanes, inst, what))
    return false;
  value = uint32_t(warp.readLane(ref, 0));
  for (unsigned lane = 1; lane < kLanes; ++lane)
    if (uint32_t(warp.readLane(ref, lane)) != value) {
      warp.trap(inst, "uniform", lane,
                std::string("expected the same ") + what +
                    " in all lanes, but lane 0 has another");
      return false;
    }
  return true;
}

bool readTensorOperand(DecodeContext &context, unsigned i,
                       TensorOperand &operand) {
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(i), address))
    return false;
  operand = {address.base, address.offset};
  return true;
}

bool takeGroup(DecodeContext &context, uint32_t &size) {
  static constexpr Choice<uint32_t> kSizes[] = {{"cta_group::1", 1},
                                                {"cta_group::2", 2}};
  size = context.choose(kSizes, 0u);
  if (!size)
    context.error("expected .cta_group::1 or .cta_group::2");
  return size != 0;
}

//===----------------------------------------------------------------------===//
// Matrix descriptors
//===----------------------------------------------------------------------===//

static bool fail(Warp &warp, const Inst &inst, unsigned lane,
                 const std::string &message) {
  warp.trap(inst, "descriptor", lane, message);
  return false;
}

static bool describeMatrix(Warp &warp, const Inst &inst, unsigned lane,
                           uint64_t descriptor, SharedMatrix &matrix) {
  constexpr uint64_t kConstant = uint64_t(1) << 46;
  constexpr uint64_t kAbsolute = uint64_t(1) << 52;
  if (descriptor & kAbsolute)
    return fail(warp, inst, lane,
                "expected a leading dimension as an offset (bit 52 of a matrix "
                "descriptor is 0), the mode that the simulator knows");
  if (!checkReservedBits(warp, inst, lane, descriptor,
                         SharedMatrix::kTcgen05ReservedBits))
    return false;
  return ((descriptor & kConstant) &&
          SharedMatrix::decodeTcgen05(descriptor, matrix)) ||
         fail(warp, inst, lane,
              "expected a matrix descriptor with the constant 1 in bits 48:46 "
              "and swizzle 0, 1, 2, 4 or 6 in bits 63:61");
}

/// Which layouts go with the swizzle of 32 bytes at a time.
static bool checkSwizzle(Warp &warp, const Inst &inst, unsigned lane,
                         const SharedMatrix &matrix, bool isTransposed,
                         int elementBytes) {
  bool needsCoarse = isTransposed && elementBytes == 4;
  if (matrix.isCoarse == needsCoarse)
    return true;
  return fail(warp, inst, lane,
              needsCoarse
                  ? "expected the swizzle of 128 bytes with atoms of 32 in the "
                    "descriptor of a transposed matrix of tf32"
                  : "expected a swizzle with atoms of 16 bytes in a matrix "
                    "descriptor: those of 32 are for transposed tf32");
}

bool locateMatrix(Warp &warp, const Inst &inst, unsigned lane,
                  uint64_t descriptor, int lines, bool isTransposed,
                  int elementBytes, std::vector<uint32_t> &chunks) {
  SharedMatrix matrix;
  if (!describeMatrix(warp, inst, lane, descriptor, matrix) ||
      !checkSwizzle(warp, inst, lane, matrix, isTransposed, elementBytes))
    return false;
  chunks = matrix.listChunks(lines, isTransposed, elementBytes);
  return locateChunks(warp, inst, lane, chunks);
}

bool locateRows(Warp &warp, const Inst &inst, unsigned lane,
                uint64_t descriptor, uint32_t rows, uint32_t perRow,
                std::vector<uint32_t> &chunks) {
  std::vector<uint32_t> all;
  SharedMatrix matrix;
  if (!describeMatrix(warp, inst, lane, descriptor, matrix) ||
      !checkSwizzle(warp, inst, lane, matrix, /*isTransposed=*/false, 1))
    return false;
  all = matrix.listChunks(int(rows), false);
  chunks.clear();
  for (size_t i = 0; i < all.size(); ++i)
    if (i % kLineChunks < perRow)
      chunks.push_back(all[i]);
  return locateChunks(warp, inst, lane, chunks);
}

//===----------------------------------------------------------------------===//
// commit
//===----------------------------------------------------------------------===//

namespace {
struct CommitPlan final : Plan {
  uint32_t groupSize = 1;
  AddressSpace space = AddressSpace::Generic;
  OperandRef base, ctaMask;
  uint64_t offset = 0;
};

/// Arrives on an mbarrier when the thread's operations have happened.
struct Commit {
  Warp &warp;
  const Inst &inst;
  unsigned lane;
  TensorPipe &pipe;

  bool run(Mbarrier &barrier) const;
  bool runAt(Cta &cta, uint64_t offset) const;
};
} // namespace

bool Commit::run(Mbarrier &barrier) const {
  checkInit(warp, inst, barrier, lane);
  ++barrier.numInFlight;
  const uint32_t number = pipe.issued;
  Cta *cta = barrier.cta;
  // The owner of the object must not exit before it knows of the arrival.
  if (cta != &warp.getCta() && number && pipe.component != ~0u)
    warp.getCluster().remoteAccesses[{cta->getRank(), pipe.component}] = {
        number, lane, inst.line, &warp};
  TensorQueue &queue = getTensorQueue(warp.getCta());
  ordering::ClusterOrdering::PipeClocks done;
  // Operations happen after what their thread knew when it issued them: whoever
  // waits for them knows it, too.
  std::optional<ordering::Snapshot> known;
  if (ordering::WarpOrder *order = getOrder(warp)) {
    if (number)
      known = order->getNow();
    done = order->getHome().getEarlierPipes(pipe.component);
    done[pipe.component] = number;
  }
  Effect effect;
  effect.line = inst.line;
  effect.land = [commit = *this, cta, &queue, done, known, last = queue.issued,
                 offset = barrier.offset] {
    landTensorQueue(queue, last);
    Mbarrier *barrier = findMbarrierAt(*cta, offset);
    if (!barrier)
      return true;
    --barrier->numInFlight;
    for (auto [component, clock] : done)
      if (clock)
        barrier->current->include(component, clock, /*isFenced=*/true);
    if (known)
      barrier->current->publish(*known);
    commit.warp.noteEffect();
    return arriveOn(commit.warp, commit.inst, *barrier, commit.lane, 1);
  };
  return warp.getCluster().issue(std::move(effect)) != 0;
}

bool Commit::runAt(Cta &cta, uint64_t offset) const {
  if (Mbarrier *barrier = findMbarrierAt(cta, offset))
    return run(*barrier);
  warp.trap(inst, "R8", lane,
            "expected an initialized mbarrier at shared offset " +
                std::to_string(offset + kSharedBase) + " of CTA " +
                std::to_string(cta.getRank()) +
                " of the cluster, but there is no object");
  return false;
}

static Outcome execCommit(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const CommitPlan &>(*inst.plan);
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, plan.base, plan.offset, mask, addresses) ||
      (plan.ctaMask.isPresent &&
       !warp.requireDefined(plan.ctaMask, mask, inst, "CTA mask")))
    return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    std::vector<Cta *> group;
    uint32_t ctas = 0;
    isGood = isGood && findTensorGroup(warp, inst, lane, plan.groupSize, group);
    Mbarrier *barrier =
        isGood ? findMbarrier(warp, inst, plan.space, addresses[lane], lane)
               : nullptr;
    isGood = barrier && (!plan.ctaMask.isPresent ||
                         readMulticast(warp, inst, plan.ctaMask, lane, ctas));
    if (!isGood)
      return;
    const Commit commit = {warp, inst, lane, getPipe(warp, lane)};
    if (!plan.ctaMask.isPresent) {
      isGood = commit.run(*barrier);
      return;
    }
    const uint64_t offset = barrier->offset;
    forEachLane(ctas, [&](unsigned rank) {
      isGood =
          isGood && commit.runAt(*warp.getCluster().getCtas()[rank], offset);
    });
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

static bool decodeCommit(DecodeContext &context) {
  CommitPlan &plan = context.makePlan<CommitPlan>();
  if (!takeGroup(context, plan.groupSize))
    return true;
  if (!context.take("mbarrier::arrive::one"))
    return context.error("expected .mbarrier::arrive::one");
  plan.space = takeSpace(context);
  const bool isMulticast = context.take("multicast::cluster");
  context.take("b64");
  DecodeContext::Address address;
  if (!context.expectOperands(isMulticast ? 2 : 1) ||
      !context.readAddress(context.getOperand(0), address))
    return true;
  plan.base = address.base, plan.offset = address.offset;
  if (isMulticast)
    plan.ctaMask = context.readOperand(1, Type::B16);
  context.emitExec(InstClass::Async, execCommit).plan = &plan;
  return true;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// aux: before_thread_sync.
static Outcome execFence(Warp &warp, const Inst &inst, uint32_t) {
  if (ordering::WarpOrder *order = getOrder(warp))
    order->fenceTensorMemory(inst.aux);
  return Outcome::Next;
}

static bool decodeFence(DecodeContext &context) {
  if (context.expectOperands(0))
    context.emitExec(InstClass::Fence, execFence).aux =
        context.has("fence::before_thread_sync");
  return true;
}

static bool decodeTcgen05(DecodeContext &context) {
  static constexpr Choice<DecodeFn> kInstructions[] = {
      {"alloc", decodeTensorAlloc},
      {"dealloc", decodeTensorDealloc},
      {"relinquish_alloc_permit", decodeTensorRelinquish},
      {"ld", decodeTensorLoad},
      {"st", decodeTensorStore},
      {"wait::ld", decodeTensorWait},
      {"wait::st", decodeTensorWait},
      {"cp", decodeTensorCopy},
      {"shift", decodeTensorShift},
      {"mma", decodeTensorProduct},
      {"commit", decodeCommit},
      {"fence::before_thread_sync", decodeFence},
      {"fence::after_thread_sync", decodeFence},
  };
  if (!requireFeature(context, ChipFeature::TensorMemory))
    return true;
  DecodeFn decode = context.choose(kInstructions, DecodeFn(nullptr));
  if (!decode)
    return context.error("expected an operation on tensor memory that the "
                         "simulator knows");
  return decode(context);
}

OpcodeTable getTcgen05Opcodes() {
  static constexpr OpcodeRow kRows[] = {{"tcgen05", decodeTcgen05}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

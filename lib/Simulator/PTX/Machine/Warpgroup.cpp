//===- Warpgroup.cpp - wgmma operations happen ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Warpgroup.h"
#include "Matrix/Gather.h"

#include <algorithm>

namespace nvfp4::ptx {

constexpr uint32_t kPanelWords = kLineWords * kPanelLines;
constexpr uint32_t kPanelElements = kPanelLines * kPanelLines;

Warpgroup *findWarpgroup(Warp &warp) {
  Cta &cta = warp.getCta();
  uint32_t index = warp.getIndex() / kWarpsPerGroup;
  uint32_t first = index * kWarpsPerGroup;
  auto &warps = cta.getWarps();
  if (first + kWarpsPerGroup > warps.size() ||
      warps[first + kWarpsPerGroup - 1]->getAllLanes() != kAllLanes)
    return nullptr;
  cta.warpgroups.resize(std::max<size_t>(cta.warpgroups.size(), index + 1));
  auto &group = cta.warpgroups[index];
  if (!group) {
    group = std::make_unique<Warpgroup>();
    group->cta = &cta;
    group->firstWarp = first;
  }
  return group.get();
}

namespace {
/// One operation that happens for some warps.
struct Landing {
  Warpgroup &group;
  WarpgroupOp &op;
  const WarpgroupPlan &plan;
  /// Warps of the group.
  std::vector<unsigned> members;
  bool checksDefinedness;
  WarpgroupOperands &operands;

  void run();

private:
  int getRowPanels() const { return int(members.size()) * kRowPanelsPerWarp; }
  void gatherShared(const std::vector<uint32_t> &chunks, int lines,
                    bool isTransposed);
  void readA();
  void readB();
  void readC();
  void readRegisterC(unsigned member, size_t reg, uint32_t *values,
                     uint32_t *undefined);
  void writeD();
};
} // namespace

//===----------------------------------------------------------------------===//
// A and B
//===----------------------------------------------------------------------===//

/// Lines of a matrix in shared memory.
void Landing::gatherShared(const std::vector<uint32_t> &chunks, int lines,
                           bool isTransposed) {
  Cta &cta = *group.cta;
  std::vector<uint8_t> &bytes = operands.bytes, &masks = operands.masks;
  bytes.resize(chunks.size() * kChunkBytes);
  masks.resize(bytes.size());
  bool isUndefined = false;
  for (size_t i = 0; i < chunks.size(); ++i) {
    std::memcpy(&bytes[i * kChunkBytes], &cta.shared[chunks[i]], kChunkBytes);
    if (checksDefinedness)
      isUndefined |= cta.sharedUndefined.read(chunks[i], kChunkBytes,
                                              &masks[i * kChunkBytes]);
  }
  operands.lines.resize(size_t(lines) * kLineWords);
  gatherLines(bytes.data(), lines, isTransposed, operands.lines.data());
  operands.undefinedLines.assign(operands.lines.size(), 0);
  if (isUndefined)
    gatherLines(masks.data(), lines, isTransposed,
                operands.undefinedLines.data());
  operands.isTainted |= isUndefined;
}

/// The sign bits of a word.
static uint32_t getSignBits(ElementType type) {
  switch (getFloatFormat(type).containerBits) {
  case 32:
    return 0x80000000;
  case 16:
    return 0x80008000;
  default:
    return 0x80808080;
  }
}

static void negate(ElementType type, std::vector<uint32_t> &words) {
  for (uint32_t &word : words)
    word ^= getSignBits(type);
}

void Landing::readA() {
  const size_t words = size_t(kRowPanelsPerWarp) * kPanelWords;
  operands.a.resize(members.size() * words);
  operands.undefinedA.resize(operands.a.size());
  if (plan.a.empty())
    gatherShared(op.chunksA, plan.descriptor.shape.m,
                 plan.descriptor.transposesA);
  for (size_t i = 0; i < members.size(); ++i) {
    unsigned member = members[i];
    uint32_t *values = &operands.a[i * words];
    uint32_t *undefined = &operands.undefinedA[i * words];
    if (plan.a.empty()) {
      size_t first = size_t(member) * kRowsPerWarp * kLineWords;
      makeRowPanels(&operands.lines[first], kRowPanelsPerWarp, values);
      makeRowPanels(&operands.undefinedLines[first], kRowPanelsPerWarp,
                    undefined);
      continue;
    }
    const WarpgroupOp::Part &part = op.parts[member];
    const uint32_t *registers[kFragmentRegisters], *bits[kFragmentRegisters];
    for (unsigned r = 0; r < kFragmentRegisters; ++r) {
      registers[r] = part.a[r].data();
      bits[r] = part.undefinedA[r].data();
    }
    gatherA(registers, kFragmentRegisters, kRowPanelsPerWarp, values);
    gatherA(bits, kFragmentRegisters, kRowPanelsPerWarp, undefined);
    operands.isTainted |= std::any_of(undefined, undefined + words,
                                      [](uint32_t word) { return word != 0; });
  }
  if (plan.descriptor.negatesA)
    negate(plan.descriptor.a, operands.a);
}

void Landing::readB() {
  const WarpgroupDescriptor &descriptor = plan.descriptor;
  const int panels = descriptor.getColPanels();
  gatherShared(op.chunksB, descriptor.shape.n, descriptor.transposesB);
  operands.b.resize(operands.lines.size());
  makeColumnPanels(operands.lines.data(), panels, operands.b.data());
  operands.undefinedB.resize(operands.lines.size());
  makeColumnPanels(operands.undefinedLines.data(), panels,
                   operands.undefinedB.data());
  if (descriptor.negatesB)
    negate(descriptor.b, operands.b);
}

//===----------------------------------------------------------------------===//
// C and D
//===----------------------------------------------------------------------===//

/// A register of D before the operation, with its undefined bits.
void Landing::readRegisterC(unsigned member, size_t reg, uint32_t *values,
                            uint32_t *undefined) {
  const Frame &frame = *op.parts[member].frame;
  const OperandRef &ref = plan.d[reg];
  std::memcpy(values, frame.values + ref.offset, sizeof(uint32_t) * kLanes);
  uint32_t tainted = checksDefinedness ? frame.tainted[ref.slot] : 0;
  std::memset(undefined, 0, sizeof(uint32_t) * kLanes);
  forEachLane(tainted, [&](unsigned lane) {
    std::memcpy(undefined + lane,
                frame.undefined + ref.offset + sizeof(uint32_t) * lane,
                sizeof(uint32_t));
  });
  operands.isTainted |= tainted != 0;
}

void Landing::readC() {
  const int panels = plan.descriptor.getColPanels();
  operands.c.resize(size_t(panels) * getRowPanels() * kPanelElements);
  operands.undefinedC.resize(operands.c.size());
  operands.d.resize(operands.c.size());
  if (!op.accumulates) {
    std::fill(operands.c.begin(), operands.c.end(), 0);
    std::fill(operands.undefinedC.begin(), operands.undefinedC.end(), 0);
    return;
  }
  const size_t perPanel = plan.d.size() / panels;
  uint32_t values[4][kLanes], undefined[4][kLanes];
  const uint32_t *registers[4] = {values[0], values[1], values[2], values[3]};
  const uint32_t *bits[4] = {undefined[0], undefined[1], undefined[2],
                             undefined[3]};
  for (int panel = 0; panel < panels; ++panel)
    for (size_t i = 0; i < members.size(); ++i) {
      for (size_t r = 0; r < perPanel; ++r)
        readRegisterC(members[i], panel * perPanel + r, values[r],
                      undefined[r]);
      const size_t place =
          (size_t(panel) * getRowPanels() + i * kRowPanelsPerWarp) *
          kPanelElements;
      const auto gather =
          plan.descriptor.isF16() ? gatherHalfC : gatherC<uint32_t>;
      gather(registers, int(perPanel), &operands.c[place]);
      gather(bits, int(perPanel), &operands.undefinedC[place]);
    }
}

void Landing::writeD() {
  const int panels = plan.descriptor.getColPanels();
  const size_t perPanel = plan.d.size() / panels;
  for (int panel = 0; panel < panels; ++panel)
    for (size_t i = 0; i < members.size(); ++i) {
      Frame &frame = *op.parts[members[i]].frame;
      const size_t place =
          (size_t(panel) * getRowPanels() + i * kRowPanelsPerWarp) *
          kPanelElements;
      uint32_t *registers[4];
      uint32_t bits[4][kLanes],
          *undefined[4] = {bits[0], bits[1], bits[2], bits[3]};
      const OperandRef *refs = &plan.d[panel * perPanel];
      for (size_t r = 0; r < perPanel; ++r)
        registers[r] =
            reinterpret_cast<uint32_t *>(frame.values + refs[r].offset);
      const auto scatter =
          plan.descriptor.isF16() ? scatterHalfD : scatterD<uint32_t>;
      scatter(&operands.d[place], int(perPanel), registers);
      if (!checksDefinedness)
        continue;
      if (operands.isTainted)
        scatter(&operands.undefinedD[place], int(perPanel), undefined);
      for (size_t r = 0; r < perPanel; ++r)
        if (operands.isTainted)
          group.getWarp(members[i])
              .writeUndefinedIn(frame, refs[r], kAllLanes, undefined[r]);
        else
          frame.tainted[refs[r].slot] = 0;
    }
}

//===----------------------------------------------------------------------===//
// Landing
//===----------------------------------------------------------------------===//

void Landing::run() {
  operands.isTainted = false;
  readA();
  readB();
  readC();
  const WarpgroupPanels panels = {getRowPanels(), operands.a.data(),
                                  operands.b.data(), operands.c.data(),
                                  operands.d.data()};
  if (operands.isTainted) [[unlikely]] {
    operands.undefinedD.resize(operands.d.size());
    taintWarpgroup(plan.descriptor, panels,
                   {operands.undefinedA.data(), operands.undefinedB.data(),
                    operands.undefinedC.data(), operands.undefinedD.data()});
    if (plan.descriptor.isF16())
      for (uint32_t &word : operands.undefinedD)
        word &= 0xFFFF;
  }
  const Options &options = group.cta->getLaunch().options;
  multiplyWarpgroup(plan.descriptor, {options.accumulation, plan.tensorCore},
                    panels);
  writeD();
}

void landOps(Warpgroup &group, uint32_t members, uint32_t number) {
  uint32_t current = group.firstNumber;
  for (WarpgroupOp &op : group.ops) {
    if (current++ > number)
      break;
    uint32_t now = op.issued & ~op.landed & members;
    if (!now)
      continue;
    op.landed |= now;
    Landing landing{group,
                    op,
                    static_cast<const WarpgroupPlan &>(*op.inst->plan),
                    {},
                    group.cta->getLaunch().options.checkDefinedness,
                    group.operands};
    forEachLane(now,
                [&](unsigned member) { landing.members.push_back(member); });
    landing.run();
  }
  constexpr uint32_t kAll = (1u << kWarpsPerGroup) - 1;
  while (!group.ops.empty() && group.ops.front().landed == kAll) {
    group.ops.pop_front();
    ++group.firstNumber;
  }
}

void landOwnOps(Warp &warp) {
  if (Warpgroup *group = findWarpgroup(warp))
    landOps(*group, 1u << getMemberIndex(warp), ~0u);
}

} // namespace nvfp4::ptx

//===- Elementwise.cpp - Applies one instruction to many operands ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace nvfp4::ptx {

/// What a result register holds that the instruction does not write.
static constexpr uint64_t kUntouched = 0x5A5A5A5A5A5A5A5A;
/// Results of a row: plain, guarded, in place.
static constexpr unsigned kVariants = 3;

static unsigned getBytes(char size) {
  return size == 'b' ? 1 : size == 'h' ? 2 : size == 'w' ? 4 : 8;
}
static std::string getBits(char size) {
  return ".b" + std::to_string(8 * getBytes(size));
}
/// Operand i: %h3, say.
static std::string getRegister(char size, unsigned i) {
  return std::string("%") + size + std::to_string(i);
}

/// `body` with its operands: $0 is `result`, $1 the first source.
static std::string fillIn(const std::string &body, const std::string &sizes,
                          const std::string &result) {
  std::string text;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '$') {
      text += body[i];
      continue;
    }
    unsigned operand = unsigned(body[++i] - '0');
    text += operand == 0 ? result : getRegister(sizes[operand], operand);
  }
  return text;
}

/// A spelling alone stands for the instruction with all operands.
static std::string makeBody(const std::string &spelling,
                            const std::string &sizes) {
  if (spelling.find('$') != std::string::npos)
    return spelling;
  std::string body = spelling + " $0";
  for (unsigned i = 1; i < sizes.size(); ++i)
    body += ", $" + std::to_string(i);
  return body + ";";
}

static std::string makeText(const std::string &spelling,
                            const std::string &sizes,
                            const std::string &target) {
  size_t numSources = sizes.size() - 1;
  std::string body = makeBody(spelling, sizes);
  bool isOne = body.find(';') + 1 == body.size();
  std::string loads, stores;
  for (unsigned i = 1; i <= numSources; ++i) {
    loads += "  ld.global" + getBits(sizes[i]) + " " +
             getRegister(sizes[i], i) + ", [%in+" +
             std::to_string(8 * (i - 1)) + "];\n";
  }
  char size = sizes[0];
  std::string plain = getRegister(size, 0), guarded = getRegister(size, 10),
              inPlace = getRegister(size, size == sizes[1] ? 1 : 11);
  unsigned offset = 0;
  for (const std::string &result : {plain, guarded, inPlace}) {
    stores += "  st.global" + getBits(size) + " [%out+" +
              std::to_string(offset) + "], " + result + ";\n";
    offset += 8;
  }
  std::string untouched = std::to_string(
      size == 'd' ? kUntouched
                  : kUntouched & ((1ull << 8 * getBytes(size)) - 1));
  // There is no mov of 8 bits.
  std::string initial = size == 'b' ? "  cvt.u8.u16 " + guarded + ", 0x5A;\n"
                                    : "  mov" + getBits(size) + " " + guarded +
                                          ", " + untouched + ";\n";
  // One instruction takes a guard, several a branch around them.
  std::string guardedBody = fillIn(body, sizes, guarded);
  guardedBody = isOne ? "  @%p " + guardedBody + "\n"
                      : "  @!%p bra SKIP;\n" + guardedBody + "\nSKIP:\n";
  return ".version 8.8\n.target " + target +
         "\n.address_size 64\n"
         ".visible .entry k(.param .u64 in, .param .u64 out,\n"
         "                  .param .u32 count) {\n"
         "  .reg .b8 %b<12>;\n"
         "  .reg .b16 %h<12>;\n  .reg .b32 %w<12>;\n  .reg .b64 %d<12>;\n"
         "  .reg .b8 %sb<8>;\n  .reg .b16 %sh<8>;\n  .reg .b32 %sw<8>;\n"
         "  .reg .b64 %sd<8>;\n  .reg .pred %sp<8>;\n"
         "  .reg .b32 %i, %n, %parity;\n  .reg .b64 %in, %out, %step;\n"
         "  .reg .pred %outside, %p;\n"
         "  mov.u32 %i, %tid.x;\n  mov.u32 %n, %ctaid.x;\n"
         "  mad.lo.u32 %i, %n, 128, %i;\n"
         "  ld.param.u32 %n, [count];\n"
         "  setp.ge.u32 %outside, %i, %n;\n  @%outside bra END;\n"
         "  and.b32 %parity, %i, 1;\n  setp.eq.u32 %p, %parity, 0;\n"
         "  ld.param.u64 %in, [in];\n  ld.param.u64 %out, [out];\n"
         "  mul.wide.u32 %step, %i, " +
         std::to_string(8 * numSources) +
         ";\n  add.s64 %in, %in, %step;\n"
         "  mul.wide.u32 %step, %i, " +
         std::to_string(8 * kVariants) + ";\n  add.s64 %out, %out, %step;\n" +
         loads + initial + fillIn(body, sizes, plain) + "\n" + guardedBody +
         fillIn(body, sizes, inPlace) + "\n" + stores + "END:\n  ret;\n}\n";
}

bool canLoad(const std::string &spelling, const std::string &sizes,
             const std::string &target) {
  return Program::load(makeText(spelling, sizes, target), "elementwise.ptx")
      .ok();
}

/// On the instruction set that Highway believes the host to have.
static std::vector<uint64_t> applyOnce(const std::string &spelling,
                                       const std::string &sizes,
                                       const std::vector<OperandRow> &rows,
                                       bool isChecked) {
  // Stochastic rounding is in few chips.
  bool isStochastic = spelling.rfind("cvt.rs", 0) == 0;
  auto program = Program::load(
      makeText(spelling, sizes, isStochastic ? "sm_100a" : "sm_120a"),
      "elementwise.ptx");
  if (!program.ok()) {
    ADD_FAILURE() << program.getMessage();
    return {};
  }
  std::vector<uint64_t> in, out(rows.size() * kVariants), results;
  for (const OperandRow &row : rows)
    in.insert(in.end(), row.begin(), row.end());
  DeviceMemory memory;
  Launch launch;
  launch.entry = "k";
  launch.block[0] = 128;
  launch.grid[0] = uint32_t((rows.size() + 127) / 128);
  launch.addArgument(memory.map(in.data(), 8 * in.size(), "in"));
  launch.addArgument(memory.map(out.data(), 8 * out.size(), "out"));
  launch.addArgument(uint32_t(rows.size()));
  Options options;
  options.numThreads = 1;
  options.checkOrdering = options.checkDefinedness = isChecked;
  Report report = (*program)->run(launch, memory, options);
  if (!report.findings.empty()) {
    ADD_FAILURE() << spelling << "\n" << report.toString();
    return {};
  }
  uint64_t mask = ~uint64_t(0) >> (64 - 8 * getBytes(sizes[0]));
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint64_t *variants = &out[i * kVariants];
    uint64_t guarded = i % 2 == 0 ? variants[0] : kUntouched & mask;
    if (variants[1] != guarded || variants[2] != variants[0]) {
      ADD_FAILURE() << spelling << " of row " << i << ": expected "
                    << variants[0] << " in place and " << guarded
                    << " under a guard, but got " << variants[2] << " and "
                    << variants[1];
      return {};
    }
    results.push_back(variants[0]);
  }
  return results;
}

std::vector<uint64_t> applyToAll(const std::string &spelling,
                                 const std::string &sizes,
                                 const std::vector<OperandRow> &rows) {
  std::vector<uint64_t> first = applyOnce(spelling, sizes, rows, true);
  int64_t targets = hwy::SupportedTargets();
  // The lowest bit is the best target, which was first.
  for (int64_t rest = targets & (targets - 1); rest; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    EXPECT_EQ(applyOnce(spelling, sizes, rows, false), first)
        << spelling << " on " << hwy::TargetName(rest & -rest);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return first;
}

void checkAll(
    const std::string &spelling, const std::string &sizes,
    const std::vector<OperandRow> &rows,
    const std::function<bool(const OperandRow &, uint64_t)> &isRight) {
  std::vector<uint64_t> results = applyToAll(spelling, sizes, rows);
  for (size_t i = 0; i < results.size(); ++i) {
    if (isRight(rows[i], results[i]))
      continue;
    auto failure = ::testing::Message() << spelling << std::hex << " of";
    for (uint64_t operand : rows[i])
      failure << " " << operand;
    ADD_FAILURE() << failure << " gives " << results[i];
    return;
  }
}

std::vector<OperandRow> makeRows(unsigned count,
                                 const std::vector<uint64_t> &edges,
                                 const std::function<uint64_t()> &random,
                                 unsigned numRandom) {
  std::vector<OperandRow> rows;
  size_t numPairs = count == 1 ? edges.size() : edges.size() * edges.size();
  for (size_t i = 0; i < numPairs; ++i) {
    OperandRow row = {edges[i % edges.size()]};
    if (count > 1)
      row.push_back(edges[i / edges.size()]);
    if (count > 2)
      row.push_back(i % 3 == 0 ? random() : edges[i % 7 * 5 % edges.size()]);
    rows.push_back(row);
  }
  for (unsigned i = 0; i < numRandom; ++i) {
    OperandRow row;
    for (unsigned k = 0; k < count; ++k)
      row.push_back(random());
    rows.push_back(row);
  }
  return rows;
}

} // namespace nvfp4::ptx

//===- Elementwise.h - Applies one instruction to many operands -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A test names an instruction and the sizes of its operands and gives rows of
// operands; every row is a thread of a kernel around that instruction. Values
// are bit patterns. Besides its results the instruction must leave the result
// alone where its guard is false, and must not mind when the result is its
// first source.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_SIMULATOR_MACHINE_ELEMENTWISE_H
#define NVFP4_TEST_UNIT_SIMULATOR_MACHINE_ELEMENTWISE_H

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nvfp4::ptx {

using OperandRow = std::vector<uint64_t>;

/// "fma.rn.f64" of sizes "dddd": result and sources have 1 (b), 2 (h), 4 (w) or
/// 8 (d) bytes. Or several instructions, with operands $0 (the result), $1 and
/// so on, and registers %sb, %sh, %sw, %sd and %sp for what lies in between;
/// they write the result last. Failures are reported, and give no results.
std::vector<uint64_t> applyToAll(const std::string &spelling,
                                 const std::string &sizes,
                                 const std::vector<OperandRow> &rows);

/// Whether a program with this instruction loads.
bool canLoad(const std::string &spelling, const std::string &sizes,
             const std::string &target = "sm_120a");

/// Applies and compares: `isRight(row, result)`.
void checkAll(const std::string &spelling, const std::string &sizes,
              const std::vector<OperandRow> &rows,
              const std::function<bool(const OperandRow &, uint64_t)> &isRight);

/// Rows of `count` operands: all pairs of the edges in turn, then what
/// `random` makes.
std::vector<OperandRow> makeRows(unsigned count,
                                 const std::vector<uint64_t> &edges,
                                 const std::function<uint64_t()> &random,
                                 unsigned numRandom = 2000);

} // namespace nvfp4::ptx

#endif // NVFP4_TEST_UNIT_SIMULATOR_MACHINE_ELEMENTWISE_H

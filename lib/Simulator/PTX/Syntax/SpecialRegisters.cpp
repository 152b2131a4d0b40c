//===- SpecialRegisters.cpp - Names that PTX predeclares ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA, chapter 10 (special registers), WARP_SZ in chapter 4.
//
//===----------------------------------------------------------------------===//

#include "Names.h"

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

struct SpecialRow {
  std::string_view name;
  /// 4 for those with .x .y .z .w.
  uint8_t components;
  /// More than 0: NAME0 … NAME(count-1).
  uint32_t count;
};

constexpr SpecialRow kSpecials[] = {
    {"%tid", 4, 0},
    {"%ntid", 4, 0},
    {"%ctaid", 4, 0},
    {"%nctaid", 4, 0},
    {"%clusterid", 4, 0},
    {"%nclusterid", 4, 0},
    {"%cluster_ctaid", 4, 0},
    {"%cluster_nctaid", 4, 0},
    {"%cluster_ctarank", 1, 0},
    {"%cluster_nctarank", 1, 0},
    {"%is_explicit_cluster", 1, 0},
    {"%laneid", 1, 0},
    {"%warpid", 1, 0},
    {"%nwarpid", 1, 0},
    {"%smid", 1, 0},
    {"%nsmid", 1, 0},
    {"%gridid", 1, 0},
    {"%lanemask_eq", 1, 0},
    {"%lanemask_le", 1, 0},
    {"%lanemask_lt", 1, 0},
    {"%lanemask_ge", 1, 0},
    {"%lanemask_gt", 1, 0},
    {"%clock", 1, 0},
    {"%clock_hi", 1, 0},
    {"%clock64", 1, 0},
    {"%globaltimer", 1, 0},
    {"%globaltimer_lo", 1, 0},
    {"%globaltimer_hi", 1, 0},
    {"%reserved_smem_offset_begin", 1, 0},
    {"%reserved_smem_offset_end", 1, 0},
    {"%reserved_smem_offset_cap", 1, 0},
    {"%reserved_smem_offset_", 1, 2},
    {"%total_smem_size", 1, 0},
    {"%aggr_smem_size", 1, 0},
    {"%dynamic_smem_size", 1, 0},
    {"%current_graph_exec", 1, 0},
    {"%envreg", 1, 32},
    {"%pm", 1, 8},
    {"%pm0_64", 1, 0},
    {"%pm1_64", 1, 0},
    {"%pm2_64", 1, 0},
    {"%pm3_64", 1, 0},
    {"%pm4_64", 1, 0},
    {"%pm5_64", 1, 0},
    {"%pm6_64", 1, 0},
    {"%pm7_64", 1, 0},
    {"WARP_SZ", 1, 0},
};

} // namespace

void ptx::declareSpecialRegisters(NameTable &names) {
  for (const SpecialRow &row : kSpecials) {
    Symbol symbol;
    symbol.kind = SymbolKind::Special;
    symbol.components = row.components;
    NameId name = names.intern(row.name);
    if (row.count)
      names.declareRange(name, row.count, symbol);
    else
      names.declare(name, symbol);
  }
}

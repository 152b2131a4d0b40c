//===- ReportJson.h - Findings and statistics as JSON ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For programs that read what a launch found and counted. docs/Simulator.md
// describes both documents; keys are added, never changed.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_REPORTJSON_H
#define NVFP4_SIMULATOR_PTX_REPORTJSON_H

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <string>

namespace nvfp4::ptx {

/// The version of both documents.
constexpr int kReportVersion = 1;

/// All findings, in the order of the report.
std::string formatFindingsAsJson(const Report &report);

std::string formatStatisticsAsJson(const Statistics &statistics);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_REPORTJSON_H

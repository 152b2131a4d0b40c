//===- ReportJson.cpp - Findings and statistics as JSON -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/ReportJson.h"

#include <nlohmann/json.hpp>

using namespace nvfp4;
using namespace nvfp4::ptx;
using Json = nlohmann::ordered_json;

/// Names in messages come from PTX text, which may hold any bytes.
static std::string dump(const Json &json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

static Json toJson(const Finding &finding) {
  bool isError = finding.severity == Finding::Severity::Error;
  return {{"severity", isError ? "error" : "warning"},
          {"rule", finding.rule},
          {"message", finding.message},
          {"line", finding.line},
          {"cta", finding.cta},
          {"warp", finding.warp},
          {"lane", finding.lane},
          {"other_line", finding.otherLine},
          {"count", finding.count}};
}

std::string ptx::formatFindingsAsJson(const Report &report) {
  Json findings = Json::array();
  size_t numErrors = 0;
  for (const Finding &finding : report.findings) {
    numErrors += finding.severity == Finding::Severity::Error;
    findings.push_back(toJson(finding));
  }
  return dump({{"version", kReportVersion},
               {"errors", numErrors},
               {"warnings", report.findings.size() - numErrors},
               {"findings", findings}});
}

std::string ptx::formatStatisticsAsJson(const Statistics &statistics) {
  Json lines = Json::array();
  for (const Statistics::Line &line : statistics.lines)
    lines.push_back({{"line", line.line},
                     {"opcode", line.opcode},
                     {"executions", line.executions},
                     {"lanes", line.lanes},
                     {"sectors", line.sectors},
                     {"wavefronts", line.wavefronts},
                     {"bank_conflicts", line.bankConflicts}});
  return dump({{"version", kReportVersion},
               {"warp_instructions", statistics.warpInstructions},
               {"thread_instructions", statistics.threadInstructions},
               {"matrix_instructions", statistics.matrixInstructions},
               {"longest_dependency", statistics.longestDependency},
               {"instructions_by_class", statistics.instructionsByClass},
               {"bytes_by_space", statistics.bytesBySpace},
               {"lines", lines}});
}

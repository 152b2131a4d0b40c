//===- Program.cpp - From PTX text to decoded functions -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Instructions/Decoder.h"
#include "Machine.h"

#include <algorithm>

namespace nvfp4::ptx {

Program::Program(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Program::~Program() = default;

const std::vector<Program::Entry> &Program::getEntries() const {
  return impl->entries;
}
std::string_view Program::getTarget() const { return impl->module->target; }

/// Numbers the variables that have one address for the whole launch.
static Status collectVariables(Program::Impl &program) {
  const Module &module = *program.module;
  for (const Variable &variable : module.variables)
    program.variables.push_back(&variable);
  program.localVariables.resize(module.functions.size());
  for (size_t i = 0; i < module.functions.size(); ++i) {
    for (const Variable &variable : module.functions[i].variables) {
      bool isGlobal = variable.space == Space::Global ||
                      variable.space == Space::Constant ||
                      (variable.space == Space::Shared && variable.isExtern);
      program.localVariables[i].push_back(
          isGlobal ? uint32_t(program.variables.size()) : ~0u);
      if (isGlobal)
        program.variables.push_back(&variable);
    }
  }
  constexpr uint64_t kMaxBytes = uint64_t(1) << 34;
  uint64_t bytes = 0;
  for (const Variable *variable : program.variables) {
    bytes += variable->size;
    if (bytes > kMaxBytes)
      return Status::error(module.fileName + ":" +
                           std::to_string(variable->location.line) +
                           ": expected module variables of at most 16 GiB, "
                           "but got more with '" +
                           std::string(variable->name) + "'");
  }
  return Status();
}

/// Gives every static shared variable its address. Variables inside entries
/// overlap: only one entry runs at a time.
static void placeShared(Program::Impl &program) {
  const Module &module = *program.module;
  uint64_t end = kSharedBase;
  auto place = [](uint64_t &offset, const Variable &variable) {
    uint64_t alignment = std::max(1u, variable.alignment);
    offset = (offset + alignment - 1) / alignment * alignment;
    uint64_t start = offset;
    offset += variable.size;
    return start;
  };
  program.variableOffsets.resize(program.variables.size());
  for (size_t i = 0; i < module.variables.size(); ++i)
    if (module.variables[i].space == Space::Shared &&
        !module.variables[i].isExtern)
      program.variableOffsets[i] = place(end, module.variables[i]);
  program.localSharedOffsets.resize(module.functions.size());
  auto placeBody = [&](size_t i, uint64_t &offset) {
    const Function &function = module.functions[i];
    program.localSharedOffsets[i].resize(function.variables.size());
    for (size_t v = 0; v < function.variables.size(); ++v)
      if (function.variables[v].space == Space::Shared &&
          !function.variables[v].isExtern)
        program.localSharedOffsets[i][v] = place(offset, function.variables[v]);
  };
  for (size_t i = 0; i < module.functions.size(); ++i)
    if (!module.functions[i].isEntry)
      placeBody(i, end);
  program.staticSharedEnds.assign(module.functions.size(), end);
  for (size_t i = 0; i < module.functions.size(); ++i)
    if (module.functions[i].isEntry)
      placeBody(i, program.staticSharedEnds[i]);
}

static std::unordered_multimap<std::string_view, DecodeFn> collectOpcodes() {
  std::unordered_multimap<std::string_view, DecodeFn> table;
  for (OpcodeTable family : getFamilies())
    for (size_t i = 0; i < family.size; ++i)
      table.emplace(family.rows[i].opcode, family.rows[i].decode);
  return table;
}

static void addEntry(Program::Impl &program, uint32_t index) {
  const Function &function = program.module->functions[index];
  Program::Entry entry;
  entry.name = std::string(function.name);
  for (const Variable &parameter : function.parameters)
    entry.parameters.push_back({std::string(parameter.name), parameter.size,
                                std::max(1u, parameter.alignment)});
  program.entries.push_back(std::move(entry));
  program.entryFunctions.push_back(index);
}

Result<std::shared_ptr<const Program>> Program::load(std::string text,
                                                     std::string fileName) {
  Result<std::unique_ptr<Module>> module =
      parseModule(std::move(text), std::move(fileName));
  if (!module.ok())
    return module.getStatus();
  auto impl = std::make_unique<Impl>();
  impl->module = std::move(*module);
  const Module &parsed = *impl->module;
  Status status = collectVariables(*impl);
  if (!status.ok())
    return status;
  placeShared(*impl);
  std::vector<Diagnostic> errors;
  auto table = collectOpcodes();
  impl->codes.resize(parsed.functions.size());
  uint32_t numInstructions = 0;
  for (uint32_t i = 0; i < parsed.functions.size(); ++i) {
    const Function &function = parsed.functions[i];
    if (function.isDeclaration)
      continue;
    impl->codes[i] = std::make_unique<Code>();
    impl->codes[i]->function = &function;
    impl->codes[i]->index = i;
    DecodeContext(*impl, *impl->codes[i], errors).run(table);
    impl->codes[i]->firstInstruction = numInstructions;
    numInstructions += uint32_t(impl->codes[i]->insts.size());
    if (function.isEntry)
      addEntry(*impl, i);
  }
  if (!errors.empty()) {
    std::string message;
    for (const Diagnostic &error : errors)
      message += (message.empty() ? "" : "\n") + parsed.fileName + ":" +
                 std::to_string(error.location.line) + ":" +
                 std::to_string(error.location.column) + ": " + error.message;
    return Result<std::shared_ptr<const Program>>::error(std::move(message));
  }
  return std::shared_ptr<const Program>(
      std::make_shared<Program>(std::move(impl)));
}

} // namespace nvfp4::ptx

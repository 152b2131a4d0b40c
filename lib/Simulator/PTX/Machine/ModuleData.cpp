//===- ModuleData.cpp - Variables of a module in device memory ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 5.4 (initializers).
//
//===----------------------------------------------------------------------===//

#include "ModuleData.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

static bool isMapped(const Variable &variable) {
  return variable.space == Space::Global || variable.space == Space::Constant;
}

/// The bytes that an initializer stands for, as one word.
static uint64_t evaluate(const Program::Impl &program,
                         const DeviceMemory::Impl::ModuleData &data,
                         const Initializer &init) {
  uint64_t value = init.value;
  if (init.function)
    value += kCodeBase + *init.function;
  if (init.variable) {
    bool isShared = program.variables[*init.variable]->space == Space::Shared;
    value += isShared ? program.variableOffsets[*init.variable]
                      : data.addresses[*init.variable];
    if (isShared && init.isGeneric)
      value += kSharedWindow;
  }
  if (init.mask)
    value = (value & init.mask) >> __builtin_ctzll(init.mask);
  return value;
}

const DeviceMemory::Impl::ModuleData &
getModuleData(const Program::Impl &program, DeviceMemory &memory) {
  auto [it, isNew] = memory.getImpl().modules.try_emplace(program.identity);
  DeviceMemory::Impl::ModuleData &data = it->second;
  if (!isNew)
    return data;
  size_t count = program.variables.size();
  data.addresses.resize(count);
  data.storage.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const Variable &variable = *program.variables[i];
    if (!isMapped(variable))
      continue;
    // calloc: pages of large arrays exist once they are used.
    data.storage[i].reset(static_cast<uint8_t *>(
        std::calloc(std::max<uint64_t>(variable.size, 1), 1)));
    if (data.storage[i])
      data.addresses[i] = memory.map(data.storage[i].get(), variable.size,
                                     std::string(variable.name));
  }
  for (size_t i = 0; i < count; ++i) {
    if (!data.addresses[i])
      continue;
    for (const Initializer &init : program.variables[i]->initializers) {
      uint64_t value = evaluate(program, data, init);
      std::memcpy(data.storage[i].get() + init.offset, &value,
                  std::min<size_t>(init.size, 8));
    }
  }
  return data;
}

} // namespace nvfp4::ptx

//===- FuzzSafetensors.cpp - Any bytes as a safetensors file --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A header is accepted only if its tensors tile the data; everything else is an
// error with a message.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Safetensors.h"

#include <cstdlib>

using namespace nvfp4;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view file(reinterpret_cast<const char *>(data), size);
  Result<SafetensorsHeader> header = SafetensorsHeader::parse(file, size, "f");
  if (!header) {
    if (header.getMessage().empty())
      std::abort();
    return 0;
  }
  uint64_t total = 0;
  for (const TensorInfo &info : header->getTensors()) {
    if (info.offset > size || info.bytes > size - info.offset ||
        getTensorBytes(info.dtype, info.shape) != info.bytes ||
        header->find(info.name) != &info)
      std::abort();
    total += info.bytes;
  }
  if (total > size - 8)
    std::abort();
  return 0;
}

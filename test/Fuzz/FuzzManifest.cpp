//===- FuzzManifest.cpp - Any bytes as manifest.json ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is accepted can be written, and reads back as the same text.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/CpuFeatures.h"
#include "nvfp4/Runtime/Manifest.h"

#include <cstdlib>

using namespace nvfp4;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  Result<Manifest> manifest = Manifest::parse(text, "m");
  if (!manifest) {
    if (manifest.getMessage().empty())
      std::abort();
    return 0;
  }
  Result<std::string> written = manifest->toJson("m");
  if (!written)
    std::abort();
  Result<Manifest> again = Manifest::parse(*written, "m");
  if (!again)
    std::abort();
  Result<std::string> rewritten = again->toJson("m");
  if (!rewritten || *rewritten != *written)
    std::abort();
  // Whatever target it names, looking at it is safe.
  (void)checkCpu(manifest->target, CpuFeatures::detect(), "m").ok();
  return 0;
}

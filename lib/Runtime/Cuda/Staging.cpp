//===- Staging.cpp - Copies through pinned memory -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Staging.h"

#include <algorithm>
#include <cstring>

using namespace nvfp4;
using namespace nvfp4::cuda;

/// Of one pinned buffer: long enough to hide the cost of a call.
static constexpr uint64_t kSlotBytes = uint64_t(4) << 20;

void Staging::release() {
  for (Slot &slot : slots) {
    if (slot.event)
      (void)context->getDriver().eventDestroy(slot.event);
    if (slot.memory)
      (void)context->getDriver().memFreeHost(slot.memory);
  }
}

/// Makes sure that a slot exists and that no copy uses it any more.
Status Staging::prepare(Slot &slot) {
  const Driver &driver = context->getDriver();
  if (!slot.memory)
    if (Status status = context->check(
            driver.memHostAlloc(&slot.memory, kSlotBytes, /*flags=*/0),
            "cuMemHostAlloc");
        !status)
      return status;
  if (!slot.event)
    return context->check(driver.eventCreate(&slot.event, kEventDisableTiming),
                          "cuEventCreate");
  return context->check(driver.eventSynchronize(slot.event),
                        "cuEventSynchronize");
}

Status Staging::copyIn(DevicePtr target, const void *source, uint64_t bytes,
                       Stream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  const Driver &driver = context->getDriver();
  for (uint64_t begin = 0; begin < bytes; begin += kSlotBytes) {
    uint64_t count = std::min(kSlotBytes, bytes - begin);
    Slot &slot = slots[begin / kSlotBytes % slots.size()];
    if (Status status = prepare(slot); !status)
      return status;
    std::memcpy(slot.memory, static_cast<const char *>(source) + begin, count);
    Status status = context->check(
        driver.copyToDevice(target + begin, slot.memory, count, stream),
        "cuMemcpyHtoDAsync");
    if (status)
      status = context->check(driver.eventRecord(slot.event, stream),
                              "cuEventRecord");
    if (!status)
      return status;
  }
  return Status();
}

Status Staging::copyOut(void *target, DevicePtr source, uint64_t bytes,
                        Stream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  const Driver &driver = context->getDriver();
  uint64_t numChunks = (bytes + kSlotBytes - 1) / kSlotBytes;
  // Chunk i is on its way while chunk i - 1 is emptied.
  for (uint64_t i = 0; i <= numChunks; ++i) {
    if (i < numChunks) {
      uint64_t begin = i * kSlotBytes;
      Slot &slot = slots[i % slots.size()];
      Status status = prepare(slot);
      if (status)
        status = context->check(
            driver.copyToHost(slot.memory, source + begin,
                              std::min(kSlotBytes, bytes - begin), stream),
            "cuMemcpyDtoHAsync");
      if (status)
        status = context->check(driver.eventRecord(slot.event, stream),
                                "cuEventRecord");
      if (!status)
        return status;
    }
    if (i == 0)
      continue;
    uint64_t begin = (i - 1) * kSlotBytes;
    Slot &slot = slots[(i - 1) % slots.size()];
    if (Status status = context->check(driver.eventSynchronize(slot.event),
                                       "cuEventSynchronize");
        !status)
      return status;
    std::memcpy(static_cast<char *>(target) + begin, slot.memory,
                std::min(kSlotBytes, bytes - begin));
  }
  return Status();
}

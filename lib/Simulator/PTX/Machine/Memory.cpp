//===- Memory.cpp - The address spaces of the machine ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// UndefinedBits
//===----------------------------------------------------------------------===//

template <typename Visit>
void UndefinedBits::forEachPage(uint64_t offset, uint64_t bytes, Visit visit) {
  while (bytes) {
    uint64_t within = offset & (kPageBytes - 1);
    uint64_t count = std::min(bytes, kPageBytes - within);
    visit(offset >> kPageShift, within, count);
    offset += count, bytes -= count;
  }
}

void UndefinedBits::clear() {
  uint64_t numPages = (size + kPageBytes - 1) >> kPageShift;
  for (uint64_t i = 0; i < numPages && pages; ++i)
    delete[] pages[i].load();
  pages.reset();
}

void UndefinedBits::reset(uint64_t bytes, bool isUndefined) {
  clear();
  size = bytes;
  isDirty = false;
  uint64_t numPages = (size + kPageBytes - 1) >> kPageShift;
  pages = std::make_unique<std::atomic<uint8_t *>[]>(numPages);
  if (isUndefined && bytes)
    markUndefined(0, bytes);
}

uint8_t *UndefinedBits::makePage(uint64_t page) {
  if (uint8_t *existing = findPage(page))
    return existing;
  std::lock_guard<std::mutex> lock(mutex);
  if (uint8_t *existing = findPage(page))
    return existing;
  uint8_t *created = new uint8_t[kPageBytes]();
  pages[page].store(created, std::memory_order_release);
  isDirty = true;
  return created;
}

/// Whether a bit of these bytes is set. Pieces are short: eight at a time.
static bool isAnySet(const uint8_t *bytes, uint64_t count) {
  uint64_t all = 0;
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    all |= word;
  }
  for (uint64_t i = 0; i < count; ++i)
    all |= bytes[i];
  return all != 0;
}

bool UndefinedBits::read(uint64_t offset, uint64_t bytes, uint8_t *mask) const {
  if (isClean()) {
    std::memset(mask, 0, bytes);
    return false;
  }
  bool isAny = false;
  forEachPage(offset, bytes, [&](uint64_t index, uint64_t first, uint64_t n) {
    if (const uint8_t *page = findPage(index)) {
      std::memcpy(mask, page + first, n);
      isAny |= isAnySet(page + first, n);
    } else {
      std::memset(mask, 0, n);
    }
    mask += n;
  });
  return isAny;
}

bool UndefinedBits::any(uint64_t offset, uint64_t bytes) const {
  if (isClean())
    return false;
  bool isAny = false;
  forEachPage(offset, bytes, [&](uint64_t index, uint64_t first, uint64_t n) {
    const uint8_t *page = findPage(index);
    isAny |= page && isAnySet(page + first, n);
  });
  return isAny;
}

void UndefinedBits::write(uint64_t offset, uint64_t bytes,
                          const uint8_t *mask) {
  if (std::all_of(mask, mask + bytes, [](uint8_t bits) { return bits == 0; }))
    return markDefined(offset, bytes);
  forEachPage(offset, bytes, [&](uint64_t index, uint64_t first, uint64_t n) {
    std::memcpy(makePage(index) + first, mask, n);
    mask += n;
  });
}

void UndefinedBits::markDefined(uint64_t offset, uint64_t bytes) {
  if (isClean())
    return;
  forEachPage(offset, bytes, [&](uint64_t index, uint64_t first, uint64_t n) {
    if (uint8_t *page = findPage(index))
      std::memset(page + first, 0, n);
  });
}

void UndefinedBits::markUndefined(uint64_t offset, uint64_t bytes) {
  forEachPage(offset, bytes, [&](uint64_t index, uint64_t first, uint64_t n) {
    std::memset(makePage(index) + first, 0xFF, n);
  });
}

int64_t UndefinedBits::findFirst(uint64_t begin, uint64_t end) const {
  while (!isClean() && begin < end) {
    uint64_t index = begin >> kPageShift;
    uint64_t next = std::min(end, (index + 1) << kPageShift);
    if (const uint8_t *page = findPage(index)) {
      const uint8_t *last = page + (next - (index << kPageShift));
      const uint8_t *found =
          std::find_if(page + (begin - (index << kPageShift)), last,
                       [](uint8_t bits) { return bits != 0; });
      if (found != last)
        return int64_t((index << kPageShift) + (found - page));
    }
    begin = next;
  }
  return -1;
}

//===----------------------------------------------------------------------===//
// DeviceMemory
//===----------------------------------------------------------------------===//

DeviceMemory::DeviceMemory() : impl(std::make_unique<Impl>()) {}
DeviceMemory::~DeviceMemory() = default;
DeviceMemory::DeviceMemory(DeviceMemory &&) noexcept = default;
DeviceMemory &DeviceMemory::operator=(DeviceMemory &&) noexcept = default;

GlobalBuffer *DeviceMemory::Impl::findBelow(uint64_t address) const {
  auto it = buffers.upper_bound(address);
  return it == buffers.begin() ? nullptr : std::prev(it)->second.get();
}

GlobalBuffer *DeviceMemory::Impl::findBuffer(uint64_t address) const {
  GlobalBuffer *buffer = findBelow(address);
  return buffer && address - buffer->address < buffer->size ? buffer : nullptr;
}

uint64_t DeviceMemory::map(void *data, uint64_t bytes, std::string name,
                           Contents contents) {
  // Room between buffers: an index that is off by a row still lands in none.
  constexpr uint64_t kGap = uint64_t(1) << 20;
  auto buffer = std::make_unique<GlobalBuffer>();
  buffer->address = impl->nextAddress;
  buffer->size = bytes;
  buffer->data = static_cast<uint8_t *>(data);
  buffer->name = std::move(name);
  buffer->index = impl->nextIndex++;
  buffer->undefined.reset(bytes, contents == Contents::Undefined);
  impl->nextAddress = (buffer->address + bytes + 2 * kGap - 1) & ~(kGap - 1);
  uint64_t address = buffer->address;
  impl->buffers.emplace(address, std::move(buffer));
  return address;
}

bool DeviceMemory::unmap(uint64_t address) {
  return impl->buffers.erase(address) != 0;
}

void *DeviceMemory::find(uint64_t address, uint64_t bytes) const {
  // The end of a buffer is a place in it, for ranges of no bytes.
  auto it = impl->buffers.upper_bound(address);
  if (it == impl->buffers.begin())
    return nullptr;
  const GlobalBuffer &buffer = *std::prev(it)->second;
  uint64_t offset = address - buffer.address;
  if (offset > buffer.size || bytes > buffer.size - offset)
    return nullptr;
  return buffer.data + offset;
}

void DeviceMemory::markDefined(uint64_t address, uint64_t bytes) {
  if (GlobalBuffer *buffer = impl->findBuffer(address)) {
    uint64_t offset = address - buffer->address;
    buffer->undefined.markDefined(offset,
                                  std::min(bytes, buffer->size - offset));
  }
}

int64_t DeviceMemory::findUndefined(uint64_t address) const {
  const GlobalBuffer *buffer = impl->findBuffer(address);
  return buffer ? buffer->undefined.findFirst(0, buffer->size) : -1;
}

int64_t DeviceMemory::findUndefined(uint64_t address, uint64_t bytes) const {
  const GlobalBuffer *buffer = impl->findBuffer(address);
  if (!buffer)
    return -1;
  uint64_t offset = address - buffer->address;
  int64_t found = buffer->undefined.findFirst(
      offset, offset + std::min(bytes, buffer->size - offset));
  return found < 0 ? found : found - int64_t(offset);
}

void DeviceMemory::copyDefinedness(uint64_t target, uint64_t source,
                                   uint64_t bytes) {
  GlobalBuffer *to = impl->findBuffer(target);
  const GlobalBuffer *from = impl->findBuffer(source);
  if (!to || !from)
    return;
  std::vector<uint8_t> mask(bytes);
  if (from->undefined.read(source - from->address, bytes, mask.data()))
    to->undefined.write(target - to->address, bytes, mask.data());
  else
    to->undefined.markDefined(target - to->address, bytes);
}

} // namespace nvfp4::ptx

//===- Shadow.cpp - Pages of shadow memory --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ordering/Page.h"

using namespace nvfp4::ptx::ordering;

Shadow::Shadow(Space space, uint64_t size)
    : space(space), size(size), numPages((size + kPageBytes - 1) / kPageBytes) {
  pages = std::make_unique<std::atomic<Page *>[]>(numPages);
}

Shadow::~Shadow() {
  for (uint64_t p = 0; p < numPages; ++p)
    delete pages[p].load(std::memory_order_relaxed);
}

void Shadow::reset() { ++generation; }

Shadow::Page &Shadow::makePage(uint64_t number) {
  auto fresh = std::make_unique<Page>();
  Page *expected = nullptr;
  if (!pages[number].compare_exchange_strong(expected, fresh.get(),
                                             std::memory_order_acq_rel))
    return *expected;
  bytes.fetch_add(sizeof(Page), std::memory_order_relaxed);
  return *fresh.release();
}

void Shadow::Page::forget(uint32_t newGeneration) {
  chunks.fill({});
  variables.reset();
  generation = newGeneration;
}

void Shadow::Page::splitChunk(uint32_t chunk, std::atomic<uint64_t> &bytes) {
  Cell &cell = chunks[chunk];
  if (!words) {
    words = std::make_unique<Cell[]>(kPageBytes / kWordBytes);
    bytes.fetch_add(kPageBytes / kWordBytes * sizeof(Cell),
                    std::memory_order_relaxed);
  }
  cell.split(&words[chunk * 4], kWordBytes);
}

void Shadow::Page::splitWord(uint32_t word, std::atomic<uint64_t> &bytes) {
  Cell &cell = words[word];
  if (!singles) {
    singles = std::make_unique<Cell[]>(kPageBytes);
    bytes.fetch_add(kPageBytes * sizeof(Cell), std::memory_order_relaxed);
  }
  cell.split(&singles[word * 4], 1);
}

void Shadow::renameSets(const std::function<Record(uint64_t)> &rename) {
  auto renameRecord = [&](Record &record) {
    if (record.is(Record::Set))
      record = rename(record.id());
  };
  auto renameCell = [&](Cell &cell) {
    renameRecord(cell.write);
    renameRecord(cell.read);
    return cell.write.is(Record::Expanded);
  };
  for (uint64_t p = 0; p < numPages; ++p) {
    Page *page = pages[p].load(std::memory_order_relaxed);
    if (!page || page->generation != generation)
      continue;
    for (uint32_t chunk = 0; chunk < page->chunks.size(); ++chunk) {
      if (!renameCell(page->chunks[chunk]))
        continue;
      for (uint32_t word = chunk * 4; word < chunk * 4 + 4; ++word)
        if (renameCell(page->words[word]))
          for (uint32_t byte = word * 4; byte < word * 4 + 4; ++byte)
            renameCell(page->singles[byte]);
    }
  }
}

//===- ProgressBar.cpp - How far a long step is, on a terminal ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProgressBar.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace nvfp4;

ProgressBar::ProgressBar(bool enabled, uint64_t total)
    : enabled(enabled && isatty(STDERR_FILENO)), total(total) {}

ProgressBar::~ProgressBar() {
  if (drawn)
    std::fputs("\r\033[K", stderr);
}

void ProgressBar::advance(uint64_t bytes, const std::string &name, bool draw) {
  done += bytes;
  auto now = std::chrono::steady_clock::now();
  if (!enabled || !draw ||
      (drawn && now - last < std::chrono::milliseconds(100)))
    return;
  last = now;
  drawn = true;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    size.ws_col = 80;
  std::fprintf(stderr, "\r%s\033[K",
               format(done, total, name, size.ws_col).c_str());
  std::fflush(stderr);
}

std::string ProgressBar::format(uint64_t done, uint64_t total,
                                const std::string &name, unsigned columns) {
  constexpr unsigned kBarColumns = 24;
  double part = total ? std::min(1.0, double(done) / double(total)) : 1.0;
  unsigned filled = static_cast<unsigned>(part * kBarColumns);
  char numbers[64];
  std::snprintf(numbers, sizeof(numbers), "] %3d %%  %.0f of %.0f MB  ",
                static_cast<int>(part * 100), done / 1e6, total / 1e6);
  std::string text = "packing [" + std::string(filled, '=') +
                     std::string(kBarColumns - filled, ' ') + numbers + name;
  // The last column stays free: a full line would wrap.
  if (columns > 0 && text.size() >= columns)
    text.resize(columns - 1);
  return text;
}

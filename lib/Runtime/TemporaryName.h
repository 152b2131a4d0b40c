//===- TemporaryName.h - Names for unfinished files ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_TEMPORARYNAME_H
#define NVFP4_LIB_RUNTIME_TEMPORARYNAME_H

#include <string>

namespace nvfp4 {

/// A hidden name beside `path`, so on the same file system. Random: the caller
/// creates it exclusively and comes back with the next attempt if it is taken.
std::string makeTemporaryName(const std::string &path, unsigned attempt);

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_TEMPORARYNAME_H

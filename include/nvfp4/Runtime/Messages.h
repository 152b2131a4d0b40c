//===- Messages.h - Names in errors ----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What error messages are made of: quoted names, the system's reasons, and
// suggestions for names that are misspelled.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_MESSAGES_H
#define NVFP4_RUNTIME_MESSAGES_H

#include "nvfp4/Support/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace nvfp4 {

/// 'text', with what would garble a terminal replaced and long text cut.
std::string quote(std::string_view text);

/// "'path': what: the text of errno".
Status systemError(const std::string &path, const std::string &what);

/// The candidate with the smallest edit distance to `name`, if it is near
/// enough to be what was meant; empty otherwise.
std::string findNearest(std::string_view name,
                        const std::vector<std::string> &candidates);

/// "; did you mean 'x'?", or nothing.
std::string suggestNearest(std::string_view name,
                           const std::vector<std::string> &candidates);

} // namespace nvfp4

#endif // NVFP4_RUNTIME_MESSAGES_H

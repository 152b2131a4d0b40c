//===- Json.h - JSON parsing that rejects what hides mistakes --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nlohmann-json keeps one of two equal keys without a word and nests without a
// limit. Here both are errors, and no exception leaves.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_JSON_H
#define NVFP4_LIB_RUNTIME_JSON_H

#include "nvfp4/Runtime/Messages.h"

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace nvfp4 {

/// Deeper JSON is rejected: printing a value recurses.
inline constexpr int kMaxJsonDepth = 64;

/// Parses JSON text. `Json` is nlohmann::json or nlohmann::ordered_json.
template <typename Json>
Result<Json> parseJson(std::string_view text, const std::string &place) {
  using Event = typename Json::parse_event_t;
  std::vector<std::set<std::string>> keys;
  auto check = [&](int depth, Event event, Json &parsed) {
    if (depth > kMaxJsonDepth)
      throw std::runtime_error("expected at most " +
                               std::to_string(kMaxJsonDepth) +
                               " nested levels, but got more");
    if (event == Event::object_start)
      keys.emplace_back();
    if (event == Event::object_end)
      keys.pop_back();
    if (event == Event::key) {
      const auto &key = parsed.template get_ref<const std::string &>();
      if (!keys.back().insert(key).second)
        throw std::runtime_error("expected every key once, but got " +
                                 quote(key) + " twice");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const nlohmann::json::exception &error) {
    return Status::error(place + ": expected JSON, but got " + error.what());
  } catch (const std::exception &error) {
    return Status::error(place + ": " + error.what());
  }
}

/// A short form of a value, for errors.
template <typename Json> std::string describeJson(const Json &value) {
  constexpr size_t kMaxLength = 80;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > kMaxLength ? text.substr(0, kMaxLength) + "..." : text;
}

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_JSON_H

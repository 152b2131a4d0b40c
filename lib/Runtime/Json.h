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
#include <string>
#include <unordered_set>
#include <vector>

namespace nvfp4 {

/// Deeper JSON is rejected: printing a value recurses.
inline constexpr size_t kMaxJsonDepth = 64;

/// Reads events, keeps nothing but the keys of the open objects, and stops at
/// the first offence. A pass of its own: the parse callback of nlohmann-json
/// looks through the parent at the end of every object, which is quadratic.
template <typename Json>
class JsonChecker final : public nlohmann::json_sax<Json> {
public:
  /// Why the text was rejected.
  std::string error;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(typename Json::number_integer_t) override { return true; }
  bool number_unsigned(typename Json::number_unsigned_t) override {
    return true;
  }
  bool number_float(typename Json::number_float_t,
                    const typename Json::string_t &) override {
    return true;
  }
  bool string(typename Json::string_t &) override { return true; }
  bool binary(typename Json::binary_t &) override { return true; }
  bool start_object(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(); }
  bool end_array() override { return close(); }

  bool key(typename Json::string_t &key) override {
    if (keys.back().insert(key).second)
      return true;
    error = "expected every key once, but got " + quote(key) + " twice";
    return false;
  }
  bool parse_error(size_t, const std::string &,
                   const nlohmann::detail::exception &exception) override {
    error = std::string("expected JSON, but got ") + exception.what();
    return false;
  }

private:
  bool open() {
    keys.emplace_back();
    if (keys.size() <= kMaxJsonDepth)
      return true;
    error = "expected at most " + std::to_string(kMaxJsonDepth) +
            " nested levels, but got more";
    return false;
  }
  bool close() {
    keys.pop_back();
    return true;
  }

  /// One set per open object or array.
  std::vector<std::unordered_set<std::string>> keys;
};

/// Parses JSON text. `Json` is nlohmann::json or nlohmann::ordered_json.
template <typename Json>
Result<Json> parseJson(std::string_view text, const std::string &place) {
  try {
    JsonChecker<Json> checker;
    if (!Json::sax_parse(text.begin(), text.end(), &checker))
      return Status::error(place + ": " + checker.error);
    return Json::parse(text.begin(), text.end());
  } catch (const std::exception &error) {
    return Status::error(place + ": expected JSON, but got " + error.what());
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

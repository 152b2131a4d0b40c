//===- JsonNode.h - JSON values with their paths ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading a JSON file whose every key is known: accessors check the form of a
// value and throw an error that gives its path, as in
// `entries[0].inputs[1].dtype`. The parse function of the file catches it.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_JSONNODE_H
#define NVFP4_LIB_RUNTIME_JSONNODE_H

#include "Json.h"
#include "nvfp4/Runtime/DType.h"

#include <algorithm>
#include <optional>

namespace nvfp4 {

/// A value of the wrong form. Caught where the file is parsed.
struct FormError {
  /// "PATH: expected …"; starts with the colon at the top level.
  std::string message;

  Status toStatus(const std::string &place) const {
    bool isTopLevel = message.rfind(": ", 0) == 0;
    return Status::error(place + (isTopLevel ? "" : ": ") + message);
  }
};

/// A JSON value and its path, with accessors that throw `FormError`.
class JsonNode {
public:
  using Json = nlohmann::ordered_json;

  JsonNode(const Json &value, std::string path)
      : value(value), path(std::move(path)) {}

  [[noreturn]] void fail(const std::string &expected) const {
    throw FormError{path + ": expected " + expected + ", but got " +
                    describeJson(value)};
  }

  /// Checks that this is an object with no other keys than these.
  const JsonNode &checkKeys(const std::vector<std::string> &known) const {
    if (!value.is_object())
      fail("an object");
    for (const auto &[key, ignored] : value.items())
      if (std::find(known.begin(), known.end(), key) == known.end())
        throw FormError{path + ": expected no other keys, but got " +
                        quote(key) + suggestNearest(key, known)};
    return *this;
  }

  bool has(const char *key) const {
    return value.is_object() && value.contains(key);
  }
  JsonNode get(const char *key) const {
    if (!has(key))
      fail("an object with the key '" + std::string(key) + "'");
    return JsonNode(value.at(key), path.empty() ? key : path + "." + key);
  }
  std::vector<JsonNode> getElements() const {
    if (!value.is_array())
      fail("an array");
    std::vector<JsonNode> nodes;
    nodes.reserve(value.size());
    for (size_t i = 0; i < value.size(); ++i)
      nodes.emplace_back(value[i], path + "[" + std::to_string(i) + "]");
    return nodes;
  }
  std::string getString() const {
    if (!value.is_string())
      fail("a string");
    return value.get<std::string>();
  }
  int64_t getInteger() const {
    if (!value.is_number_integer() ||
        (value.is_number_unsigned() &&
         value.get<uint64_t>() > uint64_t(INT64_MAX)))
      fail("an integer");
    return value.get<int64_t>();
  }
  int64_t getSize() const {
    int64_t size = getInteger();
    if (size < 0)
      fail("an integer that is not negative");
    return size;
  }
  /// An integer from 0 to `max`.
  uint64_t getUnsigned(uint64_t max) const {
    if (!value.is_number_integer() ||
        (!value.is_number_unsigned() && value.get<int64_t>() < 0) ||
        value.get<uint64_t>() > max)
      fail("an integer from 0 to " + std::to_string(max));
    return value.get<uint64_t>();
  }
  DType getDType() const {
    std::optional<DType> dtype;
    if (value.is_string())
      dtype = parseDType(value.get_ref<const std::string &>());
    if (!dtype)
      fail("a dtype");
    return *dtype;
  }

  const Json &value;
  std::string path;
};

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_JSONNODE_H

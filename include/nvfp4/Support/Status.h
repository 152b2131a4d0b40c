//===- Status.h - Errors as values, for code without LLVM ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `Status` and `Result<T>` carry an error message from where a file, a package
// or a shape is found wrong to where a person reads it. Messages are complete
// sentences of the form "PLACE: expected X, but got Y"; they need no context
// from the caller. No exception crosses a library border.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_STATUS_H
#define NVFP4_SUPPORT_STATUS_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace nvfp4 {

/// Success, or an error with its message.
class [[nodiscard]] Status {
public:
  /// Success.
  Status() = default;
  static Status error(std::string message) {
    Status status;
    status.message = std::move(message);
    return status;
  }

  bool ok() const { return !message; }
  explicit operator bool() const { return ok(); }
  /// The error; empty on success.
  const std::string &getMessage() const {
    static const std::string empty;
    return message ? *message : empty;
  }

private:
  std::optional<std::string> message;
};

/// A value, or an error with its message.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value(std::move(value)) {}
  Result(Status status) : status(std::move(status)) {
    assert(!this->status.ok() && "a success needs a value");
  }
  static Result error(std::string message) {
    return Result(Status::error(std::move(message)));
  }

  bool ok() const { return status.ok(); }
  explicit operator bool() const { return ok(); }
  const std::string &getMessage() const { return status.getMessage(); }
  const Status &getStatus() const { return status; }

  T &operator*() { return *value; }
  const T &operator*() const { return *value; }
  T *operator->() { return &*value; }
  const T *operator->() const { return &*value; }

private:
  std::optional<T> value;
  Status status;
};

} // namespace nvfp4

#endif // NVFP4_SUPPORT_STATUS_H

//===- TestSupport.h - Folders and files for the runtime's tests -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_RUNTIME_TESTSUPPORT_H
#define NVFP4_TEST_UNIT_RUNTIME_TESTSUPPORT_H

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

namespace nvfp4::test {

/// A folder that lives as long as the object.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "nvfp4-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data()))
      std::abort();
    path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  const std::string &getPath() const { return path; }
  /// The path of a file in the folder.
  std::string operator/(const std::string &name) const {
    return path + "/" + name;
  }
  std::string write(const std::string &name, const std::string &text) const {
    std::ofstream(*this / name, std::ios::binary) << text;
    return *this / name;
  }
  std::string read(const std::string &name) const {
    std::ostringstream text;
    text << std::ifstream(*this / name, std::ios::binary).rdbuf();
    return text.str();
  }
  size_t countFiles() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto &entry :
         std::filesystem::directory_iterator(path))
      ++count;
    return count;
  }

private:
  std::string path;
};

/// The bytes of a safetensors file with this header and data.
inline std::string makeSafetensors(const std::string &header,
                                   const std::string &data) {
  std::string bytes(8, '\0');
  for (unsigned i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(uint64_t(header.size()) >> (8 * i));
  return bytes + header + data;
}

/// `value` failed with a message that contains `part`.
template <typename T>
testing::AssertionResult failsWith(const T &value, const std::string &part) {
  if (value.ok())
    return testing::AssertionFailure() << "succeeded; expected: " << part;
  if (value.getMessage().find(part) == std::string::npos)
    return testing::AssertionFailure() << value.getMessage();
  return testing::AssertionSuccess();
}

/// `value` succeeded.
template <typename T> testing::AssertionResult succeeds(const T &value) {
  if (value.ok())
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << value.getMessage();
}

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_RUNTIME_TESTSUPPORT_H

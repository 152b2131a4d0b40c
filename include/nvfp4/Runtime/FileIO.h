//===- FileIO.h - Reading and writing files, with errors -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Positioned reads, checksums, and files that appear under their name only when
// they are complete. Every error names the file and the system's reason.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_FILEIO_H
#define NVFP4_RUNTIME_FILEIO_H

#include "nvfp4/Support/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace nvfp4 {

/// An open file descriptor, closed on destruction.
class UniqueFd {
public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd(fd) {}
  UniqueFd(UniqueFd &&other) noexcept : fd(other.release()) {}
  UniqueFd &operator=(UniqueFd &&other) noexcept;
  ~UniqueFd();

  int get() const { return fd; }
  bool isValid() const { return fd >= 0; }
  int release() {
    int result = fd;
    fd = -1;
    return result;
  }

private:
  int fd = -1;
};

/// Size and XXH3-128 checksum of a file.
struct FileDigest {
  uint64_t bytes = 0;
  /// 32 lower-case hexadecimal digits, most significant first.
  std::string xxh3;

  bool operator==(const FileDigest &other) const {
    return bytes == other.bytes && xxh3 == other.xxh3;
  }
};

/// A running XXH3-128 checksum.
class Hasher {
public:
  Hasher();
  Hasher(Hasher &&) noexcept;
  Hasher &operator=(Hasher &&) noexcept;
  ~Hasher();

  void update(const void *data, size_t bytes);
  /// The digest of all bytes so far.
  FileDigest getDigest() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

/// The digest of `bytes` bytes in memory.
FileDigest computeDigest(const void *data, size_t bytes);

/// The digest of a file, read in pieces: memory does not grow with the file.
Result<FileDigest> computeFileDigest(const std::string &path);

/// Opens a regular file for reading.
Result<UniqueFd> openForReading(const std::string &path);

/// The size of an open file in bytes.
Result<uint64_t> getFileSize(const UniqueFd &fd, const std::string &path);

/// Reads exactly `bytes` bytes at `offset`. `path` is for the error only.
Status readExactly(const UniqueFd &fd, void *buffer, uint64_t offset,
                   size_t bytes, const std::string &path);

/// The whole of a text file of at most `maxBytes` bytes.
Result<std::string> readTextFile(const std::string &path, uint64_t maxBytes);

/// A file under construction. Bytes go to a temporary name in the same folder;
/// `commit` renames it to `path`. Destroyed without `commit`, it leaves
/// nothing. A `path` that exists and is no regular file (a device, a pipe) is
/// written in place, since it cannot be replaced.
class OutputFile {
public:
  static Result<OutputFile> create(const std::string &path);
  OutputFile(OutputFile &&) noexcept;
  OutputFile &operator=(OutputFile &&) noexcept;
  ~OutputFile();

  const std::string &getPath() const;
  /// Appends bytes. Errors: the disk is full, the device failed.
  Status append(const void *data, size_t bytes);
  /// Flushes to the disk and gives the file its name. Returns the digest of
  /// what was written. Once only.
  Result<FileDigest> commit();

private:
  struct State;
  explicit OutputFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// Writes a complete file as `OutputFile` does.
Result<FileDigest> writeFile(const std::string &path, const void *data,
                             size_t bytes);

} // namespace nvfp4

#endif // NVFP4_RUNTIME_FILEIO_H

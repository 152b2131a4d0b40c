//===- FileIO.cpp - Reading and writing files, with errors ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// POSIX only. Short reads and writes are continued, interrupted calls repeated.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/FileIO.h"
#include "TemporaryName.h"
#include "nvfp4/Runtime/Messages.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace nvfp4;

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

UniqueFd &UniqueFd::operator=(UniqueFd &&other) noexcept {
  if (this != &other) {
    if (fd >= 0)
      ::close(fd);
    fd = other.release();
  }
  return *this;
}

UniqueFd::~UniqueFd() {
  if (fd >= 0)
    ::close(fd);
}

Result<UniqueFd> nvfp4::openForReading(const std::string &path) {
  // Without O_NONBLOCK the open of a pipe waits for a writer, perhaps for ever.
  int fd;
  do
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  while (fd < 0 && errno == EINTR);
  if (fd < 0)
    return systemError(path, "cannot open for reading");
  UniqueFd result(fd);
  struct stat info;
  if (::fstat(fd, &info) != 0)
    return systemError(path, "cannot stat");
  if (!S_ISREG(info.st_mode))
    return Status::error(quote(path) + ": expected a regular file, but got " +
                         (S_ISDIR(info.st_mode) ? "a folder" : "a device"));
  return result;
}

Result<uint64_t> nvfp4::getFileSize(const UniqueFd &fd,
                                    const std::string &path) {
  struct stat info;
  if (::fstat(fd.get(), &info) != 0)
    return systemError(path, "cannot stat");
  return static_cast<uint64_t>(info.st_size);
}

Status nvfp4::readExactly(const UniqueFd &fd, void *buffer, uint64_t offset,
                          size_t bytes, const std::string &path) {
  char *out = static_cast<char *>(buffer);
  size_t done = 0;
  while (done < bytes) {
    ssize_t got = ::pread(fd.get(), out + done, bytes - done,
                          static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return systemError(path, "cannot read");
    if (got == 0)
      return Status::error(quote(path) + ": expected " + std::to_string(bytes) +
                           " bytes at offset " + std::to_string(offset) +
                           ", but got " + std::to_string(done) +
                           " before the end of the file");
    done += static_cast<size_t>(got);
  }
  return Status();
}

Result<std::string> nvfp4::readTextFile(const std::string &path,
                                        uint64_t maxBytes) {
  Result<UniqueFd> fd = openForReading(path);
  if (!fd)
    return fd.getStatus();
  Result<uint64_t> bytes = getFileSize(*fd, path);
  if (!bytes)
    return bytes.getStatus();
  if (*bytes > maxBytes)
    return Status::error(quote(path) + ": expected at most " +
                         std::to_string(maxBytes) + " bytes, but got " +
                         std::to_string(*bytes));
  std::string text(*bytes, '\0');
  if (Status status = readExactly(*fd, text.data(), 0, text.size(), path);
      !status)
    return status;
  return text;
}

//===----------------------------------------------------------------------===//
// Checksums
//===----------------------------------------------------------------------===//

struct Hasher::State {
  // XXH3 wants 64-byte alignment; a plain `new` of an over-aligned type gives
  // it.
  XXH3_state_t hash;
  uint64_t bytes = 0;
};

Hasher::Hasher() : state(std::make_unique<State>()) {
  XXH3_128bits_reset(&state->hash);
}
Hasher::Hasher(Hasher &&) noexcept = default;
Hasher &Hasher::operator=(Hasher &&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(const void *data, size_t bytes) {
  if (bytes == 0)
    return;
  XXH3_128bits_update(&state->hash, data, bytes);
  state->bytes += bytes;
}

FileDigest Hasher::getDigest() const {
  XXH128_hash_t hash = XXH3_128bits_digest(&state->hash);
  char text[33];
  std::snprintf(text, sizeof(text), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return {state->bytes, text};
}

FileDigest nvfp4::computeDigest(const void *data, size_t bytes) {
  Hasher hasher;
  hasher.update(data, bytes);
  return hasher.getDigest();
}

Result<FileDigest> nvfp4::computeFileDigest(const std::string &path) {
  constexpr size_t kPieceBytes = size_t(1) << 20;
  Result<UniqueFd> fd = openForReading(path);
  if (!fd)
    return fd.getStatus();
  std::vector<char> piece(kPieceBytes);
  Hasher hasher;
  for (uint64_t offset = 0;;) {
    ssize_t got = ::pread(fd->get(), piece.data(), piece.size(),
                          static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return systemError(path, "cannot read");
    if (got == 0)
      return hasher.getDigest();
    hasher.update(piece.data(), static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

std::string nvfp4::makeTemporaryName(const std::string &path,
                                     unsigned attempt) {
  size_t end = path.find_last_not_of('/');
  std::string trimmed =
      end == std::string::npos ? path : path.substr(0, end + 1);
  size_t slash = trimmed.rfind('/');
  size_t start = slash == std::string::npos ? 0 : slash + 1;
  std::random_device random;
  char suffix[32];
  std::snprintf(suffix, sizeof(suffix), ".tmp-%08x%u", random(), attempt);
  return trimmed.substr(0, start) + "." + trimmed.substr(start) + suffix;
}

struct OutputFile::State {
  std::string path;
  /// Where the bytes go; empty if `path` is written in place.
  std::string temporary;
  UniqueFd fd;
  Hasher hasher;

  ~State() {
    if (!temporary.empty())
      ::unlink(temporary.c_str());
  }
};

OutputFile::OutputFile(std::unique_ptr<State> state)
    : state(std::move(state)) {}
OutputFile::OutputFile(OutputFile &&) noexcept = default;
OutputFile &OutputFile::operator=(OutputFile &&) noexcept = default;
OutputFile::~OutputFile() = default;

Result<OutputFile> OutputFile::create(const std::string &path) {
  auto state = std::make_unique<State>();
  state->path = path;
  struct stat info;
  bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return Status::error(quote(path) +
                         ": expected a file to write, but got a folder");
  if (exists && !S_ISREG(info.st_mode)) {
    state->fd = UniqueFd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!state->fd.isValid())
      return systemError(path, "cannot open for writing");
    return OutputFile(std::move(state));
  }
  // Not mkstemp: its mode 0600 would stay after the rename, whatever the umask.
  for (unsigned attempt = 0;; ++attempt) {
    std::string name = makeTemporaryName(path, attempt);
    int fd =
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) {
      state->fd = UniqueFd(fd);
      state->temporary = name;
      return OutputFile(std::move(state));
    }
    if (errno != EEXIST)
      return systemError(path, "cannot create");
  }
}

const std::string &OutputFile::getPath() const { return state->path; }

Status OutputFile::append(const void *data, size_t bytes) {
  const char *in = static_cast<const char *>(data);
  for (size_t done = 0; done < bytes;) {
    ssize_t count = ::write(state->fd.get(), in + done, bytes - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return systemError(state->path, "cannot write");
    done += static_cast<size_t>(count);
  }
  state->hasher.update(data, bytes);
  return Status();
}

Result<FileDigest> OutputFile::commit() {
  // Some file systems report a full disk only now. A pipe cannot be synced.
  if (::fsync(state->fd.get()) != 0 && errno != EINVAL && errno != EROFS &&
      errno != ENOTSUP)
    return systemError(state->path, "cannot flush to the disk");
  if (::close(state->fd.release()) != 0)
    return systemError(state->path, "cannot close");
  if (!state->temporary.empty()) {
    if (::rename(state->temporary.c_str(), state->path.c_str()) != 0)
      return systemError(state->path, "cannot give the written file its name");
    state->temporary.clear();
  }
  return state->hasher.getDigest();
}

Result<FileDigest> nvfp4::writeFile(const std::string &path, const void *data,
                                    size_t bytes) {
  Result<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.getStatus();
  if (Status status = file->append(data, bytes); !status)
    return status;
  return file->commit();
}

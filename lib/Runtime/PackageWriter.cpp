//===- PackageWriter.cpp - Write a package, whole or not at all -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder that is not empty cannot be renamed over another, so an existing
// package is exchanged with the new one in one step where the system can do
// that, and moved aside otherwise.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/PackageWriter.h"
#include "TemporaryName.h"
#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Runtime/Safetensors.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

using namespace nvfp4;
namespace fs = std::filesystem;

/// Succeeds if `path` is free, or a package and nothing more: what else lies in
/// the folder would be lost with it.
static Status checkReplaceable(const std::string &path) {
  std::error_code error;
  fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found)
    return Status();
  if (status.type() != fs::file_type::directory)
    return Status::error(quote(path) + ": expected a package or nothing to "
                                       "replace, but got a file");
  std::set<std::string> known = {kManifestFileName, kWeightsFileName,
                                 kProgramFileName};
  bool hasManifest = false;
  fs::directory_iterator end;
  for (fs::directory_iterator it(path, error); !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    hasManifest |= name == kManifestFileName;
    if (!known.count(name))
      return Status::error(quote(path) +
                           ": expected a package to replace, but "
                           "got a folder that holds " +
                           quote(name));
  }
  if (error)
    return Status::error(quote(path) +
                         ": cannot list the folder: " + error.message());
  if (!hasManifest)
    return Status::error(quote(path) +
                         ": expected a package to replace, but "
                         "got a folder without " +
                         kManifestFileName);
  return Status();
}

/// Flushes a file or folder that others wrote.
static Status flush(const std::string &path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.isValid())
    return systemError(path, "cannot open");
  if (::fsync(fd.get()) != 0 && errno != EINVAL)
    return systemError(path, "cannot flush to the disk");
  return Status();
}

Result<PackageWriter> PackageWriter::create(const std::string &destination) {
  PackageWriter writer;
  size_t end = destination.find_last_not_of('/');
  if (end == std::string::npos)
    return Status::error(quote(destination) +
                         ": expected the name of a package, but got none");
  writer.path = destination.substr(0, end + 1);
  if (Status status = checkReplaceable(writer.path); !status)
    return status;
  for (unsigned attempt = 0;; ++attempt) {
    std::string name = makeTemporaryName(writer.path, attempt);
    if (::mkdir(name.c_str(), 0777) == 0) {
      writer.temporary = name;
      return writer;
    }
    if (errno != EEXIST)
      return systemError(writer.path, "cannot create");
  }
}

PackageWriter::PackageWriter(PackageWriter &&other) noexcept {
  *this = std::move(other);
}

PackageWriter &PackageWriter::operator=(PackageWriter &&other) noexcept {
  std::swap(path, other.path);
  std::swap(temporary, other.temporary);
  std::swap(weightsDigest, other.weightsDigest);
  std::swap(programDigest, other.programDigest);
  return *this;
}

PackageWriter::~PackageWriter() { discard(); }

void PackageWriter::discard() {
  if (temporary.empty())
    return;
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  temporary.clear();
}

std::string PackageWriter::getWeightsPath() const {
  return temporary + "/" + kWeightsFileName;
}

std::string PackageWriter::getProgramPath() const {
  return temporary + "/" + kProgramFileName;
}

void PackageWriter::setWeightsDigest(FileDigest digest) {
  weightsDigest = std::move(digest);
}

Status PackageWriter::writeProgram(const void *data, size_t bytes) {
  Result<FileDigest> digest = writeFile(getProgramPath(), data, bytes);
  if (!digest)
    return digest.getStatus();
  programDigest = *digest;
  return Status();
}

Result<FileDigest> PackageWriter::finishFile(const char *name) {
  std::string file = temporary + "/" + name;
  if (Status status = flush(file); !status)
    return status;
  return computeFileDigest(file);
}

Status PackageWriter::commit(Manifest manifest) {
  if (!fs::exists(getWeightsPath())) {
    Result<SafetensorsWriter> empty =
        SafetensorsWriter::create(getWeightsPath(), {});
    if (!empty)
      return empty.getStatus();
    Result<FileDigest> digest = empty->commit();
    if (!digest)
      return digest.getStatus();
    weightsDigest = *digest;
  }
  // Digests that came from a writer were flushed by it.
  for (auto [name, digest] :
       {std::make_pair(kWeightsFileName, &weightsDigest),
        std::make_pair(kProgramFileName, &programDigest)}) {
    if (digest->xxh3.empty()) {
      Result<FileDigest> computed = finishFile(name);
      if (!computed)
        return computed.getStatus();
      *digest = *computed;
    }
    manifest.files[name] = *digest;
  }
  std::string manifestPath = temporary + "/" + kManifestFileName;
  Result<std::string> text =
      manifest.toJson(quote(path + "/" + kManifestFileName));
  if (!text)
    return text.getStatus();
  Result<FileDigest> written =
      writeFile(manifestPath, text->data(), text->size());
  if (!written)
    return written.getStatus();
  if (Status status = flush(temporary); !status)
    return status;
  return takeName();
}

Status PackageWriter::takeName() {
  // Looked at again: compiling may have taken long.
  if (Status status = checkReplaceable(path); !status)
    return status;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      return systemError(path, "cannot give the written package its name");
    temporary.clear();
  } else if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(),
                         RENAME_EXCHANGE) == 0) {
    discard(); // the former package, which has the temporary name now
  } else {
    // Not every file system can exchange names: for a moment there is none.
    std::string former = makeTemporaryName(path, 0);
    if (::rename(path.c_str(), former.c_str()) != 0)
      return systemError(path, "cannot move the former package aside");
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      Status status = systemError(path, "cannot give the package its name");
      if (::rename(former.c_str(), path.c_str()) != 0)
        return Status::error(status.getMessage() +
                             "; the former package is at " + quote(former));
      return status;
    }
    temporary = former;
    discard();
  }
  fs::path parent = fs::path(path).parent_path();
  return flush(parent.empty() ? "." : parent.string());
}

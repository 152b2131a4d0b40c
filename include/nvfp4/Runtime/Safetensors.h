//===- Safetensors.h - Read and write safetensors files --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A safetensors file is 8 bytes of little-endian header length N, N bytes of
// JSON that map each name to dtype, shape and byte range, and the data, which
// the ranges cover without holes or overlaps. The reader checks all of that
// before it hands out anything, and reads tensors with pread: pages of a mapped
// file would count as memory of the process.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_SAFETENSORS_H
#define NVFP4_RUNTIME_SAFETENSORS_H

#include "nvfp4/Runtime/DType.h"
#include "nvfp4/Runtime/FileIO.h"
#include "nvfp4/Support/Status.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nvfp4 {

/// Free text about a file: the header's `__metadata__`.
using SafetensorsMetadata = std::map<std::string, std::string>;

/// What a header says of one tensor.
struct TensorInfo {
  std::string name;
  DType dtype = DType::U8;
  /// Empty for a scalar; an extent may be 0.
  std::vector<int64_t> shape;
  /// Where the tensor starts, in bytes from the start of the file.
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// The validated header of a file.
class SafetensorsHeader {
public:
  /// No header is longer than this, in bytes.
  static constexpr uint64_t kMaxHeaderBytes = 100'000'000;

  /// Validates a header. `prefix` holds the first bytes of the file, at least
  /// the length word and the header; `fileBytes` is the size of the whole file;
  /// `place` names the file in errors.
  ///
  /// Errors: a length that exceeds the file or the limit; text that is not
  /// JSON; a tensor listed twice; an unknown dtype; a shape whose size is not
  /// that of the byte range; ranges that overlap, leave a hole or exceed the
  /// file; bytes after the last tensor.
  static Result<SafetensorsHeader>
  parse(std::string_view prefix, uint64_t fileBytes, const std::string &place);

  /// All tensors, by their position in the file.
  const std::vector<TensorInfo> &getTensors() const { return tensors; }
  /// The tensor with this name, or null.
  const TensorInfo *find(std::string_view name) const;
  const SafetensorsMetadata &getMetadata() const { return metadata; }

private:
  std::vector<TensorInfo> tensors;
  std::unordered_map<std::string, size_t> indexByName;
  SafetensorsMetadata metadata;
};

/// A read-only view of a whole file in memory, unmapped on destruction.
class MappedFile {
public:
  static Result<MappedFile> map(const UniqueFd &fd, uint64_t bytes,
                                const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  const char *data() const { return static_cast<const char *>(base); }
  uint64_t size() const { return bytes; }

private:
  MappedFile(void *base, uint64_t bytes) : base(base), bytes(bytes) {}
  void *base = nullptr;
  uint64_t bytes = 0;
};

/// An open file whose header is valid. Reading is safe from several threads.
class SafetensorsFile {
public:
  /// Opens a file and validates its header; reads no tensor.
  static Result<SafetensorsFile> open(const std::string &path);

  const std::string &getPath() const { return path; }
  uint64_t getFileBytes() const { return fileBytes; }
  const SafetensorsHeader &getHeader() const { return header; }
  const std::vector<TensorInfo> &getTensors() const {
    return header.getTensors();
  }
  const TensorInfo *find(std::string_view name) const {
    return header.find(name);
  }
  const SafetensorsMetadata &getMetadata() const {
    return header.getMetadata();
  }

  /// Reads `bytes` bytes of a tensor of this file, from byte `offset` of the
  /// tensor. Errors: the range exceeds the tensor, or the read failed.
  Status readTensor(const TensorInfo &info, void *buffer, uint64_t offset,
                    uint64_t bytes) const;
  /// Maps the whole file. `TensorInfo::offset` is an offset into the view.
  Result<MappedFile> map() const;

private:
  SafetensorsFile() = default;
  std::string path;
  UniqueFd fd;
  uint64_t fileBytes = 0;
  SafetensorsHeader header;
};

/// The weights of a model: one file, or several that together are one
/// namespace.
class Checkpoint {
public:
  /// A tensor and the file that holds it.
  struct Entry {
    const SafetensorsFile *file = nullptr;
    const TensorInfo *info = nullptr;
  };

  /// `path` is a safetensors file, an index file (`*.index.json`), or a folder.
  /// In a folder, `model.safetensors.index.json` decides which file holds which
  /// tensor, else the only other `*.index.json` that lists safetensors files,
  /// else every `*.safetensors` file counts.
  ///
  /// Errors: nothing of that kind is there; an index names a missing file or
  /// a tensor that its file does not hold; two files hold the same name and no
  /// index decides; any error of `SafetensorsFile::open`.
  static Result<Checkpoint> open(const std::string &path);

  const std::string &getPath() const { return path; }
  const std::vector<std::unique_ptr<SafetensorsFile>> &getFiles() const {
    return files;
  }
  /// All names, sorted.
  std::vector<std::string> getNames() const;
  /// The tensor with this name; `info` is null if there is none.
  Entry find(std::string_view name) const;
  /// As `find`, but an absent tensor is an error that suggests the nearest
  /// name.
  Result<Entry> get(std::string_view name) const;

  /// See `SafetensorsFile::readTensor`.
  static Status read(const Entry &entry, void *buffer, uint64_t offset,
                     uint64_t bytes) {
    return entry.file->readTensor(*entry.info, buffer, offset, bytes);
  }

private:
  Checkpoint() = default;
  Status addFile(const std::string &file);
  Status addAllOf(size_t fileIndex);
  Status openIndex(const std::string &indexPath);
  Status openFolder(const std::string &folder);

  std::string path;
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::map<std::string, Entry, std::less<>> entries;
};

/// Name, dtype and shape of a tensor to be written.
struct TensorSpec {
  std::string name;
  DType dtype = DType::U8;
  std::vector<int64_t> shape;
};

/// The format has no room for padding between tensors, so a tensor starts at a
/// multiple of 64 bytes of the file only if all before it are multiples of 64
/// bytes long. Moves those to the front and keeps the order otherwise. A
/// package written in this order is run in place; other weights are copied on
/// opening.
void sortForAlignment(std::vector<TensorSpec> &specs);

/// Writes a file whose tensors are known before their bytes.
class SafetensorsWriter {
public:
  /// Starts a file. The header is written at once; the data start at a multiple
  /// of 64 bytes.
  ///
  /// Errors: a name twice, a shape with negative or too large extents, a file
  /// that cannot be created or written.
  static Result<SafetensorsWriter>
  create(const std::string &path, std::vector<TensorSpec> specs,
         const SafetensorsMetadata &metadata = {});

  /// Appends bytes of the tensor `name`, in one or many pieces. Tensors come in
  /// the order of `specs`; one that is empty needs no call.
  ///
  /// Errors: another tensor's turn, more bytes than the tensor has, a full
  /// disk.
  Status append(std::string_view name, const void *data, uint64_t bytes);

  /// Gives the finished file its name. Errors: a tensor is incomplete; the
  /// system's. Without `commit` nothing is left behind.
  Result<FileDigest> commit();

private:
  explicit SafetensorsWriter(OutputFile file) : file(std::move(file)) {}
  void skipComplete();

  OutputFile file;
  std::vector<TensorSpec> specs;
  std::vector<uint64_t> sizes;
  size_t current = 0;
  uint64_t written = 0;
};

} // namespace nvfp4

#endif // NVFP4_RUNTIME_SAFETENSORS_H

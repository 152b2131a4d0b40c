//===- Safetensors.cpp - Read safetensors files ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: the safetensors format description (layout, "no holes" rule).
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Safetensors.h"
#include "Json.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <tuple>

using namespace nvfp4;
using Json = nlohmann::json;

/// The header length that opens the file.
static constexpr uint64_t kLengthBytes = 8;

static uint64_t loadLittleEndian64(const char *bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i)
    value |= uint64_t(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

/// The header length, checked against the file and the limit.
static Result<uint64_t> readHeaderLength(std::string_view prefix,
                                         uint64_t fileBytes,
                                         const std::string &place) {
  if (fileBytes < kLengthBytes || prefix.size() < kLengthBytes)
    return Status::error(place +
                         ": expected a safetensors file of at least 8 bytes, "
                         "but got " +
                         std::to_string(fileBytes));
  uint64_t length = loadLittleEndian64(prefix.data());
  if (length > SafetensorsHeader::kMaxHeaderBytes)
    return Status::error(place + ": expected a header of at most " +
                         std::to_string(SafetensorsHeader::kMaxHeaderBytes) +
                         " bytes, but got a header length of " +
                         std::to_string(length));
  if (length > fileBytes - kLengthBytes)
    return Status::error(place + ": expected a header inside the file of " +
                         std::to_string(fileBytes) +
                         " bytes, but got a header length of " +
                         std::to_string(length));
  return length;
}

//===----------------------------------------------------------------------===//
// One tensor of the header
//===----------------------------------------------------------------------===//

static Result<std::vector<int64_t>> parseShape(const Json &value,
                                               const std::string &place) {
  std::vector<int64_t> shape;
  if (!value.is_array())
    return Status::error(place + ": expected 'shape' to be an array, but got " +
                         describeJson(value));
  for (const Json &extent : value) {
    if (!extent.is_number_unsigned() ||
        extent.get<uint64_t>() > uint64_t(INT64_MAX))
      return Status::error(place +
                           ": expected a shape of integers from 0 to "
                           "2^63 - 1, but got " +
                           describeJson(extent));
    shape.push_back(extent.get<int64_t>());
  }
  return shape;
}

/// Reads dtype, shape and range; `offset` is still relative to the data.
static Result<TensorInfo> parseTensor(const std::string &name,
                                      const Json &value, uint64_t dataBytes,
                                      const std::string &file) {
  std::string place = file + ": tensor " + quote(name);
  for (const char *key : {"dtype", "shape", "data_offsets"})
    if (!value.is_object() || !value.contains(key))
      return Status::error(place + ": expected an object with '" + key +
                           "', but got " + describeJson(value));
  TensorInfo info;
  info.name = name;

  const Json &dtype = value["dtype"];
  std::optional<DType> parsed;
  if (dtype.is_string())
    parsed = parseDType(dtype.get_ref<const std::string &>());
  if (!parsed)
    return Status::error(place + ": expected a safetensors dtype, but got " +
                         describeJson(dtype));
  info.dtype = *parsed;

  Result<std::vector<int64_t>> shape = parseShape(value["shape"], place);
  if (!shape)
    return shape.getStatus();
  info.shape = std::move(*shape);

  const Json &range = value["data_offsets"];
  if (!range.is_array() || range.size() != 2 ||
      !range[0].is_number_unsigned() || !range[1].is_number_unsigned() ||
      range[0].get<uint64_t>() > range[1].get<uint64_t>() ||
      range[1].get<uint64_t>() > dataBytes)
    return Status::error(place +
                         ": expected 'data_offsets' [begin, end] with "
                         "begin <= end <= " +
                         std::to_string(dataBytes) + ", but got " +
                         describeJson(range));
  info.offset = range[0].get<uint64_t>();
  info.bytes = range[1].get<uint64_t>() - info.offset;

  std::optional<uint64_t> bytes = getTensorBytes(info.dtype, info.shape);
  if (!bytes)
    return Status::error(place +
                         ": expected a size in whole bytes below 2^61, "
                         "but got shape " +
                         formatShape(info.shape) + " of " +
                         std::string(getDTypeName(info.dtype)));
  if (*bytes != info.bytes)
    return Status::error(place + ": expected " + std::to_string(*bytes) +
                         " bytes for shape " + formatShape(info.shape) +
                         " of " + std::string(getDTypeName(info.dtype)) +
                         ", but got data_offsets " + describeJson(range) +
                         ", that is " + std::to_string(info.bytes));
  return info;
}

static Status parseMetadata(const Json &value, const std::string &file,
                            SafetensorsMetadata &metadata) {
  if (!value.is_object())
    return Status::error(file +
                         ": expected '__metadata__' to be an object of "
                         "strings, but got " +
                         describeJson(value));
  for (const auto &[key, text] : value.items()) {
    if (!text.is_string())
      return Status::error(file +
                           ": expected '__metadata__' to be an object "
                           "of strings, but got " +
                           describeJson(text) + " for " + quote(key));
    metadata[key] = text.get<std::string>();
  }
  return Status();
}

/// Sorts by position and checks that the ranges tile [0, dataBytes).
static Status checkCoverage(std::vector<TensorInfo> &tensors,
                            uint64_t dataBytes, const std::string &file) {
  // An empty tensor comes before the one that starts at the same byte.
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorInfo &a, const TensorInfo &b) {
              return std::tie(a.offset, a.bytes, a.name) <
                     std::tie(b.offset, b.bytes, b.name);
            });
  uint64_t end = 0;
  const TensorInfo *previous = nullptr;
  for (const TensorInfo &tensor : tensors) {
    std::string before =
        previous ? "the end of tensor " + quote(previous->name) : "the start";
    if (tensor.offset != end)
      return Status::error(
          file + ": expected tensor " + quote(tensor.name) +
          " at data offset " + std::to_string(end) + ", " + before +
          ", but got " + std::to_string(tensor.offset) +
          (tensor.offset < end ? " (tensors overlap)" : " (a hole)"));
    end += tensor.bytes;
    previous = &tensor;
  }
  if (end != dataBytes)
    return Status::error(
        file + ": expected " + std::to_string(end) +
        " bytes of data, the end of the last tensor, but got " +
        std::to_string(dataBytes));
  return Status();
}

//===----------------------------------------------------------------------===//
// SafetensorsHeader
//===----------------------------------------------------------------------===//

Result<SafetensorsHeader> SafetensorsHeader::parse(std::string_view prefix,
                                                   uint64_t fileBytes,
                                                   const std::string &place) {
  Result<uint64_t> length = readHeaderLength(prefix, fileBytes, place);
  if (!length)
    return length.getStatus();
  if (prefix.size() < kLengthBytes + *length)
    return Status::error(place + ": expected a header of " +
                         std::to_string(*length) + " bytes, but got " +
                         std::to_string(prefix.size() - kLengthBytes));
  std::string_view text = prefix.substr(kLengthBytes, *length);
  if (text.empty() || text.front() != '{')
    return Status::error(place +
                         ": expected a header that starts with '{', "
                         "but got " +
                         quote(text.substr(0, 1)));
  Result<Json> json = parseJson<Json>(text, place + ": header");
  if (!json)
    return json.getStatus();

  uint64_t dataStart = kLengthBytes + *length;
  uint64_t dataBytes = fileBytes - dataStart;
  SafetensorsHeader header;
  for (const auto &[name, value] : json->items()) {
    if (name == "__metadata__") {
      if (Status status = parseMetadata(value, place, header.metadata); !status)
        return status;
      continue;
    }
    Result<TensorInfo> tensor = parseTensor(name, value, dataBytes, place);
    if (!tensor)
      return tensor.getStatus();
    header.tensors.push_back(std::move(*tensor));
  }
  if (Status status = checkCoverage(header.tensors, dataBytes, place); !status)
    return status;
  for (size_t i = 0; i < header.tensors.size(); ++i) {
    header.tensors[i].offset += dataStart;
    header.indexByName.emplace(header.tensors[i].name, i);
  }
  return header;
}

const TensorInfo *SafetensorsHeader::find(std::string_view name) const {
  auto it = indexByName.find(std::string(name));
  return it == indexByName.end() ? nullptr : &tensors[it->second];
}

//===----------------------------------------------------------------------===//
// MappedFile
//===----------------------------------------------------------------------===//

Result<MappedFile> MappedFile::map(const UniqueFd &fd, uint64_t bytes,
                                   const std::string &path) {
  if (bytes == 0)
    return MappedFile(nullptr, 0);
  void *base = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (base == MAP_FAILED)
    return systemError(path, "cannot map into memory");
  return MappedFile(base, bytes);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : base(std::exchange(other.base, nullptr)),
      bytes(std::exchange(other.bytes, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(base, other.base);
  std::swap(bytes, other.bytes);
  return *this;
}

MappedFile::~MappedFile() {
  if (base)
    ::munmap(base, bytes);
}

//===----------------------------------------------------------------------===//
// SafetensorsFile
//===----------------------------------------------------------------------===//

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  std::string place = quote(path);
  SafetensorsFile file;
  file.path = path;
  Result<UniqueFd> fd = openForReading(path);
  if (!fd)
    return fd.getStatus();
  file.fd = std::move(*fd);
  Result<uint64_t> bytes = getFileSize(file.fd, path);
  if (!bytes)
    return bytes.getStatus();
  file.fileBytes = *bytes;

  // The length is checked before so much memory is asked for.
  std::string prefix(std::min(kLengthBytes, file.fileBytes), '\0');
  Status status = readExactly(file.fd, prefix.data(), 0, prefix.size(), path);
  if (!status)
    return status;
  Result<uint64_t> length = readHeaderLength(prefix, file.fileBytes, place);
  if (!length)
    return length.getStatus();
  prefix.resize(kLengthBytes + *length);
  status = readExactly(file.fd, prefix.data(), 0, prefix.size(), path);
  if (!status)
    return status;

  Result<SafetensorsHeader> header =
      SafetensorsHeader::parse(prefix, file.fileBytes, place);
  if (!header)
    return header.getStatus();
  file.header = std::move(*header);
  return file;
}

Status SafetensorsFile::readTensor(const TensorInfo &info, void *buffer,
                                   uint64_t offset, uint64_t bytes) const {
  if (offset > info.bytes || bytes > info.bytes - offset)
    return Status::error(quote(path) + ": tensor " + quote(info.name) +
                         ": expected a range within " +
                         std::to_string(info.bytes) + " bytes, but got " +
                         std::to_string(bytes) + " bytes at offset " +
                         std::to_string(offset));
  return readExactly(fd, buffer, info.offset + offset, bytes, path);
}

Result<MappedFile> SafetensorsFile::map() const {
  return MappedFile::map(fd, fileBytes, path);
}

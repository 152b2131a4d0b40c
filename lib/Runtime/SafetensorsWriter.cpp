//===- SafetensorsWriter.cpp - Write safetensors files --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The header is complete before the first byte of data, so nothing is held in
// memory and nothing is written twice.
//
//===----------------------------------------------------------------------===//

#include "Json.h"
#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Runtime/Safetensors.h"

#include <unordered_set>

using namespace nvfp4;

static constexpr uint64_t kLengthBytes = 8;

void nvfp4::sortForAlignment(std::vector<TensorSpec> &specs) {
  std::vector<TensorSpec> aligned, others;
  for (TensorSpec &spec : specs) {
    std::optional<uint64_t> bytes = getTensorBytes(spec.dtype, spec.shape);
    bool isAligned = bytes && *bytes % NVFP4_BUFFER_ALIGNMENT == 0;
    (isAligned ? aligned : others).push_back(std::move(spec));
  }
  specs = std::move(aligned);
  for (TensorSpec &spec : others)
    specs.push_back(std::move(spec));
}

/// Length word and JSON, padded with spaces so that the data start aligned.
static Result<std::string> encodeHeader(const std::vector<TensorSpec> &specs,
                                        const std::vector<uint64_t> &sizes,
                                        const SafetensorsMetadata &metadata,
                                        const std::string &place) {
  // Built by hand: an ordered JSON object looks for equal keys one by one, and
  // a checkpoint may hold a hundred thousand tensors.
  std::string text = "{";
  try {
    if (!metadata.empty())
      text += "\"__metadata__\":" + nlohmann::json(metadata).dump();
    uint64_t offset = 0;
    for (size_t i = 0; i < specs.size(); ++i) {
      nlohmann::ordered_json value = {
          {"dtype", getDTypeName(specs[i].dtype)},
          {"shape", specs[i].shape},
          {"data_offsets", {offset, offset + sizes[i]}}};
      if (text.size() > 1)
        text += ',';
      text += nlohmann::json(specs[i].name).dump() + ":" + value.dump();
      offset += sizes[i];
    }
  } catch (const nlohmann::json::exception &error) {
    return Status::error(place + ": expected names in UTF-8, but got " +
                         error.what());
  }
  text += "}";
  uint64_t total = kLengthBytes + text.size();
  uint64_t padded = (total + NVFP4_BUFFER_ALIGNMENT - 1) /
                    NVFP4_BUFFER_ALIGNMENT * NVFP4_BUFFER_ALIGNMENT;
  text.append(padded - total, ' ');
  if (text.size() > SafetensorsHeader::kMaxHeaderBytes)
    return Status::error(place + ": expected a header of at most " +
                         std::to_string(SafetensorsHeader::kMaxHeaderBytes) +
                         " bytes, but got " + std::to_string(text.size()));
  std::string length(kLengthBytes, '\0');
  for (unsigned i = 0; i < kLengthBytes; ++i)
    length[i] = static_cast<char>(text.size() >> (8 * i));
  return length + text;
}

Result<SafetensorsWriter>
SafetensorsWriter::create(const std::string &path,
                          std::vector<TensorSpec> specs,
                          const SafetensorsMetadata &metadata) {
  std::string place = quote(path);
  std::vector<uint64_t> sizes;
  std::unordered_set<std::string> names;
  uint64_t total = 0;
  for (const TensorSpec &spec : specs) {
    std::string tensor = place + ": tensor " + quote(spec.name);
    if (spec.name == "__metadata__" || !names.insert(spec.name).second)
      return Status::error(tensor + ": expected a name of its own, but got one "
                                    "that is taken");
    std::optional<uint64_t> bytes = getTensorBytes(spec.dtype, spec.shape);
    if (!bytes || __builtin_add_overflow(total, *bytes, &total))
      return Status::error(tensor +
                           ": expected a size in whole bytes below "
                           "2^61, but got shape " +
                           formatShape(spec.shape) + " of " +
                           std::string(getDTypeName(spec.dtype)));
    sizes.push_back(*bytes);
  }
  Result<std::string> header = encodeHeader(specs, sizes, metadata, place);
  if (!header)
    return header.getStatus();
  Result<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.getStatus();
  if (Status status = file->append(header->data(), header->size()); !status)
    return status;
  SafetensorsWriter writer(std::move(*file));
  writer.specs = std::move(specs);
  writer.sizes = std::move(sizes);
  writer.skipComplete();
  return writer;
}

void SafetensorsWriter::skipComplete() {
  while (current < specs.size() && written == sizes[current]) {
    ++current;
    written = 0;
  }
}

Status SafetensorsWriter::append(std::string_view name, const void *data,
                                 uint64_t bytes) {
  if (bytes == 0)
    return Status();
  std::string place = quote(file.getPath()) + ": tensor " + quote(name);
  if (current == specs.size())
    return Status::error(place + ": expected no more data, but got " +
                         std::to_string(bytes) + " bytes");
  if (specs[current].name != name)
    return Status::error(
        place + ": expected bytes of tensor " + quote(specs[current].name) +
        " first, of which " + std::to_string(sizes[current] - written) +
        " are missing, but got " + std::to_string(bytes) + " bytes");
  if (bytes > sizes[current] - written)
    return Status::error(place + ": expected " +
                         std::to_string(sizes[current] - written) +
                         " more bytes, but got " + std::to_string(bytes));
  if (Status status = file.append(data, bytes); !status)
    return status;
  written += bytes;
  skipComplete();
  return Status();
}

Result<FileDigest> SafetensorsWriter::commit() {
  if (current != specs.size())
    return Status::error(quote(file.getPath()) + ": tensor " +
                         quote(specs[current].name) + ": expected " +
                         std::to_string(sizes[current]) + " bytes, but got " +
                         std::to_string(written));
  return file.commit();
}

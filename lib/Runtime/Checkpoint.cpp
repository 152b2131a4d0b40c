//===- Checkpoint.cpp - Weights in one file or many -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Json.h"
#include "nvfp4/Runtime/Safetensors.h"

#include <algorithm>
#include <filesystem>

using namespace nvfp4;
namespace fs = std::filesystem;

/// An index is small next to its tensors; this is the header's own limit.
static constexpr uint64_t kMaxIndexBytes = SafetensorsHeader::kMaxHeaderBytes;

static bool hasSuffix(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.substr(text.size() - suffix.size()) == suffix;
}

Result<Checkpoint> Checkpoint::open(const std::string &path) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  std::error_code ignored;
  Status status;
  if (fs::is_directory(path, ignored)) {
    status = checkpoint.openFolder(path);
  } else if (hasSuffix(path, ".index.json")) {
    status = checkpoint.openIndex(path);
  } else {
    status = checkpoint.addFile(path);
    if (status)
      status = checkpoint.addAllOf(0);
  }
  if (!status)
    return status;
  return checkpoint;
}

Status Checkpoint::addFile(const std::string &file) {
  Result<SafetensorsFile> opened = SafetensorsFile::open(file);
  if (!opened)
    return opened.getStatus();
  files.push_back(std::make_unique<SafetensorsFile>(std::move(*opened)));
  return Status();
}

Status Checkpoint::addAllOf(size_t fileIndex) {
  const SafetensorsFile &file = *files[fileIndex];
  for (const TensorInfo &info : file.getTensors()) {
    auto [it, isNew] = entries.try_emplace(info.name, Entry{&file, &info});
    if (!isNew)
      return Status::error(quote(file.getPath()) + ": tensor " +
                           quote(info.name) +
                           ": expected a name of its own, but got one that " +
                           quote(it->second.file->getPath()) + " holds too");
  }
  return Status();
}

Status Checkpoint::openIndex(const std::string &indexPath) {
  std::string place = quote(indexPath);
  Result<std::string> text = readTextFile(indexPath, kMaxIndexBytes);
  if (!text)
    return text.getStatus();
  Result<nlohmann::json> json = parseJson<nlohmann::json>(*text, place);
  if (!json)
    return json.getStatus();
  if (!json->is_object() || !json->contains("weight_map") ||
      !(*json)["weight_map"].is_object())
    return Status::error(place +
                         ": expected an object with an object "
                         "'weight_map', but got " +
                         describeJson(*json));
  fs::path folder = fs::path(indexPath).parent_path();
  std::map<std::string, size_t> indexByFile;
  for (const auto &[name, value] : (*json)["weight_map"].items()) {
    // A name only: an index must not reach out of its folder.
    if (!value.is_string() || value.get_ref<const std::string &>().empty() ||
        value.get_ref<const std::string &>().find('/') != std::string::npos)
      return Status::error(place + ": tensor " + quote(name) +
                           ": expected the name of a file in the same folder, "
                           "but got " +
                           describeJson(value));
    const auto &fileName = value.get_ref<const std::string &>();
    auto [it, isNew] = indexByFile.try_emplace(fileName, files.size());
    if (isNew)
      if (Status status = addFile((folder / fileName).string()); !status)
        return Status::error(place + ": " + status.getMessage());
    const SafetensorsFile &file = *files[it->second];
    const TensorInfo *info = file.find(name);
    if (!info)
      return Status::error(place + ": tensor " + quote(name) +
                           ": expected in " + quote(file.getPath()) +
                           ", but got no such tensor");
    entries.emplace(name, Entry{&file, info});
  }
  return Status();
}

Status Checkpoint::openFolder(const std::string &folder) {
  std::vector<std::string> indices, shards;
  std::error_code error;
  fs::directory_iterator end;
  for (fs::directory_iterator it(folder, error); !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    // Checkpoints often keep PyTorch's pickles, with an index, beside these.
    if (hasSuffix(name, ".index.json") && !hasSuffix(name, ".bin.index.json"))
      indices.push_back(name);
    else if (hasSuffix(name, ".safetensors"))
      shards.push_back(name);
  }
  if (error)
    return Status::error(quote(folder) +
                         ": cannot list the folder: " + error.message());
  std::sort(indices.begin(), indices.end());
  std::sort(shards.begin(), shards.end());

  std::string standard = "model.safetensors.index.json";
  if (std::find(indices.begin(), indices.end(), standard) != indices.end())
    indices = {standard};
  if (indices.size() > 1)
    return Status::error(quote(folder) +
                         ": expected one '*.index.json', but "
                         "got " +
                         quote(indices[0]) + " and " + quote(indices[1]));
  if (indices.size() == 1)
    return openIndex((fs::path(folder) / indices[0]).string());
  if (shards.empty())
    return Status::error(quote(folder) +
                         ": expected '*.safetensors' files or an index of "
                         "them, but got neither");
  for (const std::string &shard : shards) {
    Status status = addFile((fs::path(folder) / shard).string());
    if (status)
      status = addAllOf(files.size() - 1);
    if (!status)
      return status;
  }
  return Status();
}

std::vector<std::string> Checkpoint::getNames() const {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto &[name, entry] : entries)
    names.push_back(name);
  return names;
}

Checkpoint::Entry Checkpoint::find(std::string_view name) const {
  auto it = entries.find(name);
  return it == entries.end() ? Entry() : it->second;
}

Result<Checkpoint::Entry> Checkpoint::get(std::string_view name) const {
  Entry entry = find(name);
  if (!entry.info)
    return Status::error(quote(path) + ": expected a tensor " + quote(name) +
                         ", but got none of that name" +
                         suggestNearest(name, getNames()));
  return entry;
}

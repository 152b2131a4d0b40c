//===- PackingTestSupport.h - Made-up weights for packing tests -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_PACKAGE_PACKINGTESTSUPPORT_H
#define NVFP4_TEST_UNIT_PACKAGE_PACKINGTESTSUPPORT_H

#include "nvfp4/Runtime/ThreadPool.h"
#include "nvfp4/Support/Codecs.h"
#include "nvfp4/Support/Quantize.h"
#include "nvfp4/Target/Package/Packer.h"

#include <cstring>
#include <deque>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <random>

namespace nvfp4::test {

/// A folder that disappears with the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "nvfp4-packing-XXXXXX")
            .string();
    path = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string file(const std::string &name) const {
    return (path / name).string();
  }
  bool isEmpty() const { return std::filesystem::is_empty(path); }

private:
  std::filesystem::path path;
};

/// Named tensors in memory.
class Weights {
public:
  /// Values that no two elements share, whatever the dtype allows.
  void addRandom(const std::string &name, DType dtype, const Extents &shape,
                 uint32_t seed = 1) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, 0.5f);
    std::vector<float> values(getNumElements(shape));
    for (float &value : values)
      value = normal(random);
    add(name, dtype, shape, values);
  }
  /// Rounds f32 values to a float dtype.
  void add(const std::string &name, DType dtype, const Extents &shape,
           const std::vector<float> &values) {
    std::vector<char> bytes;
    for (float value : values) {
      uint16_t half =
          dtype == DType::BF16 ? encodeBF16(value) : encodeF16(value);
      const char *data = dtype == DType::F32
                             ? reinterpret_cast<const char *>(&value)
                             : reinterpret_cast<const char *>(&half);
      bytes.insert(bytes.end(), data, data + getDTypeBits(dtype) / 8);
    }
    addBytes(name, dtype, shape, std::move(bytes));
  }
  void addBytes(const std::string &name, DType dtype, const Extents &shape,
                std::vector<char> bytes) {
    storage.push_back(std::move(bytes));
    source.add(name, dtype, shape, storage.back().data(), "test");
    specs.push_back({name, dtype, shape});
  }

  const WeightSource &getSource() const { return source; }
  const std::vector<char> &getBytes(size_t index) const {
    return storage[index];
  }
  /// Element `index` of tensor `tensor` as f32.
  float getValue(size_t tensor, int64_t index) const {
    const char *data = storage[tensor].data();
    uint16_t half;
    float value;
    if (specs[tensor].dtype == DType::F32) {
      std::memcpy(&value, data + 4 * index, 4);
      return value;
    }
    std::memcpy(&half, data + 2 * index, 2);
    return specs[tensor].dtype == DType::BF16 ? decodeBF16(half)
                                              : decodeF16(half);
  }
  /// Writes some of the tensors as a file.
  void write(const std::string &path, const std::vector<size_t> &which) const {
    std::vector<TensorSpec> chosen;
    for (size_t i : which)
      chosen.push_back(specs[i]);
    auto writer = SafetensorsWriter::create(path, chosen);
    ASSERT_TRUE(writer.ok()) << writer.getMessage();
    for (size_t i : which)
      if (!storage[i].empty())
        ASSERT_TRUE(
            writer->append(specs[i].name, storage[i].data(), storage[i].size())
                .ok());
    ASSERT_TRUE(writer->commit().ok());
  }

private:
  std::deque<std::vector<char>> storage;
  std::vector<TensorSpec> specs;
  MemorySource source;
};

/// Components by name.
using Packed = std::map<std::string, std::string>;

inline Result<PackingStats> packInto(Packed &packed, const PackingPlan &plan,
                                     const WeightSource &source,
                                     int64_t panelElements = 1 << 20,
                                     unsigned numThreads = 1) {
  ThreadPool pool(numThreads);
  PackerOptions options;
  options.pool = &pool;
  options.panelElements = panelElements;
  return Packer(source, options)
      .pack(plan, [&](const TensorSpec &component, const void *data,
                      uint64_t bytes) {
        packed[component.name].append(static_cast<const char *>(data), bytes);
        return Status();
      });
}

/// Makes a plan quantize: fills in components as the type of the tensor has
/// them.
inline void makeQuantized(PackingPlan &plan, const PackingQuantize &how) {
  Extents shape = plan.read.view.getShape();
  int64_t slices = 1, cols = shape.back(), rows = shape[shape.size() - 2];
  for (size_t i = 0; i + 2 < shape.size(); ++i)
    slices *= shape[i];
  StorageLayout layout = getStorageLayout(how.format, how.layout, rows, cols);
  plan.quantize = how;
  plan.components = {
      {plan.name + ".codes", DType::U8, {slices * layout.codeBytes}},
      {plan.name + ".scales", DType::U8, {slices * layout.scaleBytes}}};
  int64_t scales = how.granularity == GlobalScaleGranularity::Row
                       ? slices * rows
                   : how.granularity == GlobalScaleGranularity::Slice ? slices
                                                                      : 1;
  if (how.format.hasGlobalScale)
    plan.components.push_back(
        {plan.name + ".global_scale", DType::F32, {scales}});
}

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_PACKAGE_PACKINGTESTSUPPORT_H

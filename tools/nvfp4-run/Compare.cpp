//===- Compare.cpp - Results against expected tensors ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compare.h"
#include "TextTable.h"
#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Support/Codecs.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace nvfp4;
using namespace nvfp4::run;

template <typename T> static T load(const void *data, uint64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + index * sizeof(T),
              sizeof(T));
  return value;
}

/// Element `index` as a double. F6 has no codec; `isComparable` excludes it.
static double loadElement(DType dtype, const void *data, uint64_t index) {
  switch (dtype) {
  case DType::BOOL:
  case DType::U8:
    return load<uint8_t>(data, index);
  case DType::I8:
    return load<int8_t>(data, index);
  case DType::U16:
    return load<uint16_t>(data, index);
  case DType::I16:
    return load<int16_t>(data, index);
  case DType::U32:
    return load<uint32_t>(data, index);
  case DType::I32:
    return load<int32_t>(data, index);
  case DType::U64:
    return static_cast<double>(load<uint64_t>(data, index));
  case DType::I64:
    return static_cast<double>(load<int64_t>(data, index));
  case DType::F16:
    return decodeF16(load<uint16_t>(data, index));
  case DType::BF16:
    return decodeBF16(load<uint16_t>(data, index));
  case DType::F32:
  case DType::C64: // counted as two elements
    return load<float>(data, index);
  case DType::F64:
    return load<double>(data, index);
  case DType::F8_E4M3:
    return decodeE4M3(load<uint8_t>(data, index));
  case DType::F8_E5M2: // the upper byte of an f16
    return decodeF16(static_cast<uint16_t>(load<uint8_t>(data, index) << 8));
  case DType::F8_E8M0:
    return decodeE8M0(load<uint8_t>(data, index));
  case DType::F4: // low nibble first
    return decodeE2M1(load<uint8_t>(data, index / 2) >> (index % 2 * 4));
  case DType::F6_E2M3:
  case DType::F6_E3M2:
    break;
  }
  return NAN;
}

static bool isFloat(DType dtype) {
  switch (dtype) {
  case DType::F16:
  case DType::BF16:
  case DType::F32:
  case DType::F64:
  case DType::F8_E4M3:
  case DType::F8_E5M2:
  case DType::F8_E8M0:
  case DType::F4:
    return true;
  case DType::BOOL:
  case DType::U8:
  case DType::I8:
  case DType::U16:
  case DType::I16:
  case DType::U32:
  case DType::I32:
  case DType::U64:
  case DType::I64:
  case DType::F6_E2M3:
  case DType::F6_E3M2:
  case DType::C64:
    return false;
  }
  return false;
}

static bool isComparable(DType got, DType expected) {
  if (got == expected)
    return got != DType::F6_E2M3 && got != DType::F6_E3M2;
  return isFloat(got) && isFloat(expected);
}

static uint64_t countElements(const TensorView &view) {
  uint64_t count = view.dtype == DType::C64 ? 2 : 1;
  for (int64_t extent : view.shape)
    count *= static_cast<uint64_t>(extent);
  return count;
}

Difference run::compareTensors(const TensorView &got,
                               const TensorView &expected, double tolerance) {
  Difference difference;
  double dot = 0, gotSquares = 0, expectedSquares = 0;
  bool isExact = !isFloat(got.dtype) && got.dtype != DType::C64;
  uint64_t elementBytes = getDTypeBits(got.dtype) / 8;
  for (uint64_t i = 0, end = countElements(got); i < end; ++i) {
    double a = loadElement(got.dtype, got.data, i);
    double e = loadElement(expected.dtype, expected.data, i);
    // Equal infinities have no difference that could be computed.
    double absolute = a == e ? 0 : std::fabs(a - e);
    // A double does not tell large integers apart.
    bool isOver =
        isExact
            ? std::memcmp(
                  static_cast<const char *>(got.data) + i * elementBytes,
                  static_cast<const char *>(expected.data) + i * elementBytes,
                  elementBytes) != 0
            : !(absolute <= tolerance * std::max(1.0, std::fabs(e)));
    difference.numOver += isOver;
    // A NaN stays: no comparison with it is true.
    if (!(absolute <= difference.maxAbsolute) &&
        !std::isnan(difference.maxAbsolute))
      difference.maxAbsolute = absolute;
    if (e != 0 && absolute / std::fabs(e) > difference.maxRelative)
      difference.maxRelative = absolute / std::fabs(e);
    dot += a * e;
    gotSquares += a * a;
    expectedSquares += e * e;
  }
  if (gotSquares != 0 || expectedSquares != 0)
    difference.cosine =
        dot / std::sqrt(gotSquares) / std::sqrt(expectedSquares);
  return difference;
}

static std::string format(const char *pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

Result<bool> run::compareResults(const ManifestEntry &entry,
                                 const std::vector<HostTensor> &results,
                                 const std::string &path, double tolerance) {
  Result<Checkpoint> file = Checkpoint::open(path);
  if (!file)
    return file.getStatus();
  std::vector<std::string> names;
  names.reserve(entry.results.size());
  for (const ManifestTensor &result : entry.results)
    names.push_back(result.name);
  if (file->getNames().empty())
    return Status::error(quote(path) +
                         ": expected tensors to compare, but got none");
  TextTable table({"compared", "dtype", "shape", "max abs", "max rel", "cosine",
                   "over", "verdict"});
  bool areAllWithin = true;
  for (const std::string &name : file->getNames()) {
    std::string place = quote(path) + ": tensor " + quote(name);
    auto it = std::find(names.begin(), names.end(), name);
    if (it == names.end())
      return Status::error(place + ": expected a result of entry " +
                           quote(entry.name) + ", but got none of that name" +
                           suggestNearest(name, names));
    const HostTensor &got = results[it - names.begin()];
    Checkpoint::Entry tensor = file->find(name);
    if (tensor.info->shape != got.getShape())
      return Status::error(place + ": expected the result to have shape " +
                           formatShape(tensor.info->shape) + ", but got " +
                           formatShape(got.getShape()));
    if (!isComparable(got.getDType(), tensor.info->dtype))
      return Status::error(place + ": expected the result to compare with " +
                           std::string(getDTypeName(tensor.info->dtype)) +
                           ", but got " +
                           std::string(getDTypeName(got.getDType())));
    Result<HostTensor> expected =
        HostTensor::allocate(tensor.info->dtype, tensor.info->shape);
    if (!expected)
      return Status::error(place + ": " + expected.getMessage());
    if (Status status =
            Checkpoint::read(tensor, expected->data(), 0, expected->getBytes());
        !status)
      return status;
    Difference difference =
        compareTensors(got.getView(), expected->getView(), tolerance);
    bool isWithin = difference.numOver == 0;
    areAllWithin &= isWithin;
    table.add({name, std::string(getDTypeName(got.getDType())),
               formatShape(got.getShape()),
               format("%.3e", difference.maxAbsolute),
               format("%.3e", difference.maxRelative),
               format("%.7f", difference.cosine),
               std::to_string(difference.numOver), isWithin ? "ok" : "OVER"});
  }
  table.print(stdout, 0);
  return areAllWithin;
}

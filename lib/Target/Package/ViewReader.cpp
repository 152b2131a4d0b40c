//===- ViewReader.cpp - Carry out the strided reads of a view -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/ViewReader.h"

#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Support/Codecs.h"

#include <algorithm>
#include <cassert>
#include <cstring>

using namespace nvfp4;

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static bool isInteger(DType dtype) {
  switch (dtype) {
  case DType::U8:
  case DType::I8:
  case DType::U16:
  case DType::I16:
  case DType::U32:
  case DType::I32:
  case DType::U64:
  case DType::I64:
    return true;
  case DType::BOOL:
  case DType::F16:
  case DType::BF16:
  case DType::F32:
  case DType::F64:
  case DType::F8_E4M3:
  case DType::F8_E5M2:
  case DType::F8_E8M0:
  case DType::F6_E2M3:
  case DType::F6_E3M2:
  case DType::F4:
  case DType::C64:
    return false;
  }
  return false;
}

static bool isExactWidening(DType from, DType to) {
  return to == DType::F32 && (from == DType::BF16 || from == DType::F16);
}

Status nvfp4::checkSource(const PackingSource &expected,
                          const WeightTensor &actual) {
  bool sameInteger = isInteger(expected.dtype) && isInteger(actual.dtype) &&
                     getDTypeBits(expected.dtype) == getDTypeBits(actual.dtype);
  bool sameElements = expected.dtype == actual.dtype || sameInteger ||
                      isExactWidening(actual.dtype, expected.dtype);
  // Checkpoints store scalars, such as global scales, with or without a
  // dimension.
  bool sameShape =
      expected.shape == actual.shape ||
      (expected.shape.empty() && actual.shape == std::vector<int64_t>{1});
  if (sameElements && sameShape)
    return {};
  return Status::error(
      quote(actual.place) + ": tensor " + quote(expected.name) + ": expected " +
      std::string(getDTypeName(expected.dtype)) + " " +
      formatShape(expected.shape) + ", as the graph declares it, but got " +
      std::string(getDTypeName(actual.dtype)) + " " +
      formatShape(actual.shape));
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

namespace {

/// One loop of a copy; strides in elements.
struct Loop {
  int64_t extent, sourceStride, targetStride;
};

struct Unchanged {
  template <typename T> T operator()(T value) const { return value; }
};
struct WidenBF16 {
  float operator()(uint16_t bits) const { return decodeBF16(bits); }
};
struct WidenF16 {
  float operator()(uint16_t bits) const { return decodeF16(bits); }
};

} // namespace

/// Copies the two innermost loops. Where source and target want different inner
/// loops, works in squares that fit the first cache.
template <typename From, typename To, typename Convert>
static void copyPlane(const From *source, To *target, Loop outer, Loop inner,
                      Convert convert) {
  constexpr int64_t kSide = 32;
  if (inner.sourceStride == 1 && inner.targetStride == 1) {
    for (int64_t i = 0; i < outer.extent; ++i) {
      const From *from = source + i * outer.sourceStride;
      To *to = target + i * outer.targetStride;
      for (int64_t j = 0; j < inner.extent; ++j)
        to[j] = convert(from[j]);
    }
    return;
  }
  for (int64_t i0 = 0; i0 < outer.extent; i0 += kSide)
    for (int64_t j0 = 0; j0 < inner.extent; j0 += kSide)
      for (int64_t i = i0; i < std::min(i0 + kSide, outer.extent); ++i)
        for (int64_t j = j0; j < std::min(j0 + kSide, inner.extent); ++j)
          target[i * outer.targetStride + j * inner.targetStride] =
              convert(source[i * outer.sourceStride + j * inner.sourceStride]);
}

template <typename From, typename To, typename Convert>
static void copyLoops(const From *source, To *target, std::vector<Loop> loops,
                      Convert convert) {
  loops.erase(std::remove_if(loops.begin(), loops.end(),
                             [](const Loop &loop) { return loop.extent == 1; }),
              loops.end());
  while (loops.size() < 2)
    loops.insert(loops.begin(), {1, 0, 0});
  // Innermost: contiguous in the target. Around it: contiguous in the source.
  auto nearest = std::min_element(
      loops.begin(), loops.end() - 1, [](const Loop &a, const Loop &b) {
        // A stride of 0 repeats a value and gains nothing from being inside.
        return (a.sourceStride == 0 ? INT64_MAX : a.sourceStride) <
               (b.sourceStride == 0 ? INT64_MAX : b.sourceStride);
      });
  std::rotate(nearest, nearest + 1, loops.end() - 1);

  Loop inner = loops.back(), outer = loops[loops.size() - 2];
  loops.resize(loops.size() - 2);
  Extents index(loops.size(), 0);
  while (true) {
    copyPlane(source, target, outer, inner, convert);
    size_t i = loops.size();
    for (; i-- > 0;) {
      source += loops[i].sourceStride;
      target += loops[i].targetStride;
      if (++index[i] < loops[i].extent)
        break;
      source -= loops[i].sourceStride * loops[i].extent;
      target -= loops[i].targetStride * loops[i].extent;
      index[i] = 0;
    }
    if (i == size_t(-1))
      return;
  }
}

static void copyElements(DType from, DType to, const char *source, char *target,
                         std::vector<Loop> loops) {
  auto run = [&](auto fromZero, auto toZero, auto convert) {
    using From = decltype(fromZero);
    using To = decltype(toZero);
    copyLoops(reinterpret_cast<const From *>(source),
              reinterpret_cast<To *>(target), std::move(loops), convert);
  };
  if (isExactWidening(from, to)) {
    if (from == DType::BF16)
      return run(uint16_t(), float(), WidenBF16());
    return run(uint16_t(), float(), WidenF16());
  }
  switch (getDTypeBits(from)) {
  case 8:
    return run(uint8_t(), uint8_t(), Unchanged());
  case 16:
    return run(uint16_t(), uint16_t(), Unchanged());
  case 32:
    return run(uint32_t(), uint32_t(), Unchanged());
  case 64:
    return run(uint64_t(), uint64_t(), Unchanged());
  default:
    assert(false && "views of sub-byte elements are not made");
  }
}

//===----------------------------------------------------------------------===//
// ViewReader
//===----------------------------------------------------------------------===//

ViewReader::ViewReader(const PackingRead &read,
                       const std::vector<WeightTensor> &tensors)
    : read(read), tensors(tensors),
      sourceElementBytes(getDTypeBits(read.sourceDType) / 8) {
  const Extents &factors = read.view.getFactors();
  resultStrides.assign(factors.size(), 1);
  for (int64_t i = int64_t(factors.size()) - 2; i >= 0; --i)
    resultStrides[i] = resultStrides[i + 1] * factors[i + 1];
}

unsigned ViewReader::getElementBytes() const {
  return getDTypeBits(read.getDType()) / 8;
}

Status ViewReader::readElements(int64_t begin, int64_t end, void *out,
                                Scratch &scratch) {
  char *target = static_cast<char *>(out);
  if (!read.casts.empty()) {
    scratch.uncast.resize((end - begin) * sourceElementBytes);
    target = scratch.uncast.data();
  }
  for (const IndexBox &box : splitRange(read.view.getFactors(), begin, end))
    if (Status status = readBox(box, begin, target, scratch.part); !status)
      return status;
  if (!read.casts.empty())
    applyCasts(end - begin, target, static_cast<char *>(out));
  return {};
}

/// True if the loops copy `count` neighbours in order.
static bool isPlain(const std::vector<Loop> &loops, int64_t count,
                    int64_t span) {
  return span + 1 == count &&
         std::all_of(loops.begin(), loops.end(), [](const Loop &loop) {
           return loop.extent == 1 || loop.sourceStride == loop.targetStride;
         });
}

/// True if elements [first, first + span] of a source, of which `count` are
/// needed, are worth reading: some bytes in vain beat holding the whole tensor.
static bool isClose(int64_t span, int64_t count, uint64_t elementBytes) {
  constexpr int64_t kMaxWaste = 8;
  constexpr uint64_t kMaxPartBytes = uint64_t(16) << 20;
  return (span + 1) / kMaxWaste <= count &&
         ((span + 1) * elementBytes <= kMaxPartBytes || span + 1 <= count);
}

/// Reads what each segment contributes to a box of the result. Element `begin`
/// of the result goes to `out`.
Status ViewReader::readBox(const IndexBox &box, int64_t begin, char *out,
                           std::vector<char> &part) {
  size_t rank = box.origin.size();
  for (const ViewSegment &segment : read.view.getSegments()) {
    std::vector<Loop> loops(rank);
    int64_t first = segment.offset, target = -begin, count = 1, span = 0;
    for (size_t i = 0; i < rank && count > 0; ++i) {
      int64_t low = std::max(box.origin[i], segment.origin[i]);
      int64_t high = std::min(box.origin[i] + box.extents[i],
                              segment.origin[i] + segment.extents[i]);
      loops[i] = {high - low, segment.strides[i], resultStrides[i]};
      first += (low - segment.origin[i]) * segment.strides[i];
      target += low * resultStrides[i];
      count = high > low ? count * (high - low) : 0;
      span += (high - low - 1) * segment.strides[i];
    }
    if (count == 0)
      continue;
    const WeightTensor &tensor = tensors[segment.source];
    uint64_t elementBytes = getDTypeBits(tensor.dtype) / 8;
    uint64_t offset = first * elementBytes;
    char *to = out + target * sourceElementBytes;
    if (elementBytes == sourceElementBytes && isPlain(loops, count, span)) {
      if (Status status = tensor.read(to, offset, count * elementBytes);
          !status)
        return status;
    } else if (isClose(span, count, elementBytes)) {
      part.resize((span + 1) * elementBytes);
      if (Status status = tensor.read(part.data(), offset, part.size());
          !status)
        return status;
      copyElements(tensor.dtype, read.sourceDType, part.data(), to,
                   std::move(loops));
    } else {
      std::lock_guard<std::mutex> lock(wholeMutex);
      if (Status status = loadWhole(tensor, segment.source); !status)
        return status;
      copyElements(tensor.dtype, read.sourceDType, whole.data() + offset, to,
                   std::move(loops));
    }
  }
  return {};
}

/// Makes a source the one that is kept.
Status ViewReader::loadWhole(const WeightTensor &tensor, int64_t source) {
  if (wholeSource == source)
    return {};
  wholeSource = -1;
  whole.resize(tensor.bytes);
  if (Status status = tensor.read(whole.data(), 0, tensor.bytes); !status)
    return status;
  wholeSource = source;
  return {};
}

void ViewReader::applyCasts(int64_t count, const char *data, char *out) const {
  auto load = [&](int64_t i) {
    uint16_t half;
    switch (read.sourceDType) {
    case DType::BF16:
      std::memcpy(&half, data + 2 * i, 2);
      return decodeBF16(half);
    case DType::F16:
      std::memcpy(&half, data + 2 * i, 2);
      return decodeF16(half);
    default:
      float value;
      std::memcpy(&value, data + 4 * i, 4);
      return value;
    }
  };
  if (read.sourceDType == DType::BF16 &&
      read.casts == std::vector<DType>{DType::F32}) {
    // The common cast, in a loop that vectorizes.
    const auto *from = reinterpret_cast<const uint16_t *>(data);
    auto *to = reinterpret_cast<uint32_t *>(out);
    for (int64_t i = 0; i < count; ++i)
      to[i] = uint32_t(from[i]) << 16;
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    float value = load(i);
    uint16_t half = 0;
    for (DType dtype : read.casts) {
      if (dtype == DType::BF16)
        value = decodeBF16(half = encodeBF16(value));
      else if (dtype == DType::F16)
        value = decodeF16(half = encodeF16(value));
    }
    if (read.getDType() == DType::F32)
      std::memcpy(out + 4 * i, &value, 4);
    else
      std::memcpy(out + 2 * i, &half, 2);
  }
}

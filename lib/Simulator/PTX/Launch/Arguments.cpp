//===- Arguments.cpp - The arguments of a launch file ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One function per form of argument; a table says which key names which.
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"
#include "nvfp4/Support/Codecs.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <map>

using namespace nvfp4;
using namespace nvfp4::ptx;

/// The parameters of a kernel have at most this many bytes together (PTX ISA,
/// parameter state space).
static constexpr size_t kMaxValueBytes = 32764;

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

template <typename T> static std::vector<uint8_t> getBytes(T value) {
  std::vector<uint8_t> bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

template <typename T> static std::vector<uint8_t> readSigned(JsonNode node) {
  bool isTooLarge =
      node.value.is_number_unsigned() &&
      node.value.get<uint64_t>() > uint64_t(std::numeric_limits<T>::max());
  if (!node.value.is_number_integer() || isTooLarge ||
      node.value.get<int64_t>() < std::numeric_limits<T>::min())
    node.fail("an integer from " +
              std::to_string(std::numeric_limits<T>::min()) + " to " +
              std::to_string(std::numeric_limits<T>::max()));
  return getBytes(static_cast<T>(node.value.get<int64_t>()));
}

template <typename T> static std::vector<uint8_t> readUnsigned(JsonNode node) {
  return getBytes(
      static_cast<T>(node.getUnsigned(std::numeric_limits<T>::max())));
}

/// A number, or one of the values that JSON has no number for.
static double readDouble(const JsonNode &node) {
  if (node.value.is_number())
    return node.value.get<double>();
  if (node.value == "nan")
    return std::numeric_limits<double>::quiet_NaN();
  if (node.value == "inf")
    return std::numeric_limits<double>::infinity();
  if (node.value == "-inf")
    return -std::numeric_limits<double>::infinity();
  node.fail("a number, \"nan\", \"inf\" or \"-inf\"");
}

/// Rounded to odd, so that a second rounding to half the bits or less gives
/// what a single one would.
static float roundToOdd(double value) {
  float rounded = static_cast<float>(value);
  if (std::isnan(value) || rounded == value)
    return rounded;
  if (std::fabs(rounded) > std::fabs(value))
    rounded = std::nextafter(rounded, 0.0f);
  uint32_t bits;
  std::memcpy(&bits, &rounded, sizeof(bits));
  bits |= 1;
  std::memcpy(&rounded, &bits, sizeof(bits));
  return rounded;
}

/// A finite number must stay finite: a kernel that gets an infinity for a typo
/// tells nobody why.
static void checkFinite(const JsonNode &node, double value, double got,
                        const char *type) {
  if (std::isinf(got) && !std::isinf(value))
    node.fail(std::string("a number in the range of ") + type);
}

static std::vector<uint8_t> readF64(JsonNode node) {
  return getBytes(readDouble(node));
}

static std::vector<uint8_t> readF32(JsonNode node) {
  double value = readDouble(node);
  float rounded = static_cast<float>(value);
  checkFinite(node, value, rounded, "f32");
  return getBytes(rounded);
}

static std::vector<uint8_t> readF16(JsonNode node) {
  double value = readDouble(node);
  uint16_t bits = encodeF16(roundToOdd(value));
  checkFinite(node, value, decodeF16(bits), "f16");
  return getBytes(bits);
}

static std::vector<uint8_t> readBF16(JsonNode node) {
  double value = readDouble(node);
  uint16_t bits = encodeBF16(roundToOdd(value));
  checkFinite(node, value, decodeBF16(bits), "bf16");
  return getBytes(bits);
}

/// The value of a hexadecimal digit, or -1.
static int parseDigit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static std::vector<uint8_t> readBytes(JsonNode node) {
  std::string text = node.getString();
  if (text.empty() || text.size() % 2 != 0 || text.size() / 2 > kMaxValueBytes)
    node.fail("pairs of hexadecimal digits for 1 to " +
              std::to_string(kMaxValueBytes) + " bytes");
  std::vector<uint8_t> bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    int high = parseDigit(text[2 * i]), low = parseDigit(text[2 * i + 1]);
    if (high < 0 || low < 0)
      node.fail("pairs of hexadecimal digits");
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return bytes;
}

namespace {
/// A form of argument that is one value: its key, and how it is read.
struct ValueForm {
  const char *key;
  std::vector<uint8_t> (*read)(JsonNode node);
};
} // namespace

static constexpr ValueForm kValueForms[] = {
    {"i8", readSigned<int8_t>},
    {"i16", readSigned<int16_t>},
    {"i32", readSigned<int32_t>},
    {"i64", readSigned<int64_t>},
    {"u8", readUnsigned<uint8_t>},
    {"u16", readUnsigned<uint16_t>},
    {"u32", readUnsigned<uint32_t>},
    {"u64", readUnsigned<uint64_t>},
    {"f16", readF16},
    {"bf16", readBF16},
    {"f32", readF32},
    {"f64", readF64},
    {"bytes", readBytes},
};

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

static uint64_t readOffset(const JsonNode &node) {
  return node.has("offset") ? node.get("offset").getUnsigned(INT64_MAX) : 0;
}

/// `{"zeros": shape, "dtype", "name"}`, or `undefined` in its place.
static LaunchBuffer readNewBuffer(const JsonNode &node, const char *key) {
  node.checkKeys({key, "dtype", "name"});
  LaunchBuffer buffer;
  buffer.source = std::strcmp(key, "zeros") == 0
                      ? LaunchBuffer::Source::Zeros
                      : LaunchBuffer::Source::Undefined;
  buffer.place = node.path;
  buffer.dtype = node.get("dtype").getDType();
  for (const JsonNode &extent : node.get(key).getElements())
    buffer.shape.push_back(extent.getSize());
  if (!getTensorBytes(buffer.dtype, buffer.shape))
    node.get(key).fail("a shape with a whole number of bytes below 2^63");
  if (node.has("name")) {
    buffer.name = node.get("name").getString();
    if (buffer.name.empty())
      node.get("name").fail("a name that is not empty");
  }
  return buffer;
}

namespace {

/// Names of buffers to indices.
class BufferTable {
public:
  explicit BufferTable(LaunchFile &file) : file(file) {}

  size_t addNew(LaunchBuffer buffer, const JsonNode &node) {
    if (!buffer.name.empty()) {
      auto [it, isNew] = indices.emplace(buffer.name, file.buffers.size());
      if (!isNew)
        throw FormError{node.path +
                        ": expected a name of its own for each buffer, but "
                        "got " +
                        quote(buffer.name) + ", which " +
                        file.buffers[it->second].place + " has"};
    }
    file.buffers.push_back(std::move(buffer));
    return file.buffers.size() - 1;
  }

  /// A tensor of the inputs file, or a buffer that another argument defines.
  size_t use(const JsonNode &node) {
    std::string name = node.getString();
    if (auto it = indices.find(name); it != indices.end())
      return it->second;
    if (file.inputsPath.empty())
      throw FormError{node.path +
                      ": expected a tensor of the file that 'inputs' names, or "
                      "the name of another argument, but got " +
                      quote(name) + " and no 'inputs'"};
    LaunchBuffer buffer;
    buffer.name = name;
    buffer.place = node.path;
    indices.emplace(name, file.buffers.size());
    file.buffers.push_back(std::move(buffer));
    return file.buffers.size() - 1;
  }

private:
  LaunchFile &file;
  std::map<std::string, size_t> indices;
};

} // namespace

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static constexpr const char *kNewBufferForms[] = {"zeros", "undefined"};

/// The key that says what kind of argument this is.
static std::string findForm(const JsonNode &node) {
  std::vector<std::string> forms = {"tensor", "tensor_map"};
  forms.insert(forms.end(), std::begin(kNewBufferForms),
               std::end(kNewBufferForms));
  for (const ValueForm &form : kValueForms)
    forms.emplace_back(form.key);
  if (!node.value.is_object())
    node.fail("an object such as {\"i32\": 1}");
  for (const std::string &form : forms)
    if (node.has(form.c_str()))
      return form;
  std::string list, first;
  for (const std::string &form : forms)
    list += (list.empty() ? "" : ", ") + quote(form);
  for (const auto &[key, ignored] : node.value.items())
    first = first.empty() ? key : first;
  node.fail("one of the keys " + list +
            (first.empty() ? "" : suggestNearest(first, forms)));
}

static LaunchArgument readArgument(const JsonNode &node, BufferTable &buffers) {
  LaunchArgument argument;
  argument.place = node.path;
  argument.form = findForm(node);
  if (argument.form == "tensor") {
    node.checkKeys({"tensor", "offset"});
    argument.kind = LaunchArgument::Kind::Pointer;
    argument.buffer = buffers.use(node.get("tensor"));
    argument.offset = readOffset(node);
    return argument;
  }
  if (argument.form == "tensor_map") {
    node.checkKeys({"tensor_map"});
    JsonNode map = node.get("tensor_map");
    argument.kind = LaunchArgument::Kind::TensorMap;
    argument.tensorMap = readTensorMap(map);
    argument.buffer = buffers.use(map.get("tensor"));
    argument.offset = readOffset(map);
    return argument;
  }
  for (const ValueForm &form : kValueForms)
    if (argument.form == form.key) {
      node.checkKeys({form.key});
      argument.value = form.read(node.get(form.key));
    }
  return argument;
}

void ptx::readArguments(const JsonNode &node, LaunchFile &file) {
  BufferTable buffers(file);
  std::vector<JsonNode> elements = node.getElements();
  if (elements.size() > kMaxValueBytes)
    throw FormError{node.path + ": expected at most " +
                    std::to_string(kMaxValueBytes) + " arguments, but got " +
                    std::to_string(elements.size())};
  file.arguments.resize(elements.size());
  // New buffers first: an argument may name one that a later one defines.
  std::vector<bool> isDone(elements.size());
  for (size_t i = 0; i < elements.size(); ++i)
    for (const char *form : kNewBufferForms) {
      if (!elements[i].has(form) || isDone[i])
        continue;
      LaunchArgument &argument = file.arguments[i];
      argument.kind = LaunchArgument::Kind::Pointer;
      argument.place = elements[i].path;
      argument.form = form;
      argument.buffer =
          buffers.addNew(readNewBuffer(elements[i], form), elements[i]);
      isDone[i] = true;
    }
  for (size_t i = 0; i < elements.size(); ++i)
    if (!isDone[i])
      file.arguments[i] = readArgument(elements[i], buffers);
}

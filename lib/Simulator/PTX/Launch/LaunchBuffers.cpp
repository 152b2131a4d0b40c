//===- LaunchBuffers.cpp - Memory for the arguments of a launch -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Buffers are anonymous pages: zeros that no kernel touches cost nothing, so a
// test with offsets beyond 2^32 bytes is cheap.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Simulator/PTX/LaunchFile.h"
#include "nvfp4/Simulator/PTX/TensorMap.h"

#include <algorithm>
#include <optional>
#include <sys/mman.h>

using namespace nvfp4;
using namespace nvfp4::ptx;

/// What undefined bytes hold, for runs without the check: a NaN in every float
/// format shows in results more often than zeros do.
static constexpr int kUndefinedByte = 0xff;

namespace {

/// Anonymous pages, zero until written.
class Pages {
public:
  static std::optional<Pages> allocate(uint64_t bytes) {
    Pages pages;
    pages.bytes = std::max<uint64_t>(bytes, 1);
    pages.memory = ::mmap(nullptr, pages.bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages.memory == MAP_FAILED)
      return std::nullopt;
    return pages;
  }
  Pages(Pages &&other) noexcept { *this = std::move(other); }
  Pages &operator=(Pages &&other) noexcept {
    std::swap(memory, other.memory);
    std::swap(bytes, other.bytes);
    return *this;
  }
  ~Pages() {
    if (memory != MAP_FAILED)
      ::munmap(memory, bytes);
  }

  void *data() const { return memory; }

private:
  Pages() = default;
  void *memory = MAP_FAILED;
  uint64_t bytes = 0;
};

} // namespace

struct LaunchBuffers::State {
  LaunchFile file;
  /// One per buffer.
  std::vector<uint64_t> bytes;
  std::vector<Pages> pages;
  /// Device addresses, after `bind`.
  std::vector<uint64_t> addresses;

  std::string getPlace(const std::string &path) const {
    return quote(file.path) + ": " + path;
  }
  Status findTensors(const std::optional<SafetensorsFile> &inputs);
  Status checkArguments() const;
  Status allocate(uint64_t maxBytes);
  Status readTensors(const std::optional<SafetensorsFile> &inputs);
  Result<const Program::Entry *> findEntry(const Program &program) const;
  Status checkParameters(const Program::Entry &entry) const;
};

LaunchBuffers::LaunchBuffers(std::unique_ptr<State> state)
    : state(std::move(state)) {}
LaunchBuffers::LaunchBuffers(LaunchBuffers &&) noexcept = default;
LaunchBuffers &LaunchBuffers::operator=(LaunchBuffers &&) noexcept = default;
LaunchBuffers::~LaunchBuffers() = default;

const LaunchFile &LaunchBuffers::getFile() const { return state->file; }
void *LaunchBuffers::getData(size_t buffer) const {
  return state->pages[buffer].data();
}
uint64_t LaunchBuffers::getBytes(size_t buffer) const {
  return state->bytes[buffer];
}

//===----------------------------------------------------------------------===//
// Allocation
//===----------------------------------------------------------------------===//

/// Fills in dtypes, shapes and sizes.
Status LaunchBuffers::State::findTensors(
    const std::optional<SafetensorsFile> &inputs) {
  for (LaunchBuffer &buffer : file.buffers) {
    const TensorInfo *info = inputs ? inputs->find(buffer.name) : nullptr;
    if (buffer.source != LaunchBuffer::Source::Tensor) {
      if (info && !buffer.name.empty())
        return Status::error(
            getPlace(buffer.place) + ": expected a name that no tensor of " +
            quote(file.inputsPath) + " has, but got " + quote(buffer.name));
    } else if (!info) {
      std::vector<std::string> names;
      for (const TensorInfo &tensor : inputs->getTensors())
        names.push_back(tensor.name);
      return Status::error(getPlace(buffer.place) + ": expected a tensor of " +
                           quote(file.inputsPath) + ", but got " +
                           quote(buffer.name) + ", which it does not hold" +
                           suggestNearest(buffer.name, names));
    } else {
      buffer.dtype = info->dtype;
      buffer.shape = info->shape;
    }
    // Both the reader of safetensors and the parser have checked the shape.
    bytes.push_back(getTensorBytes(buffer.dtype, buffer.shape).value_or(0));
  }
  return Status();
}

Status LaunchBuffers::State::checkArguments() const {
  for (const LaunchArgument &argument : file.arguments) {
    if (argument.kind == LaunchArgument::Kind::Value)
      continue;
    uint64_t size = bytes[argument.buffer];
    bool isMap = argument.kind == LaunchArgument::Kind::TensorMap;
    std::string place = getPlace(argument.place) + (isMap ? ".tensor_map" : "");
    if (argument.offset > size)
      return Status::error(place + ".offset: expected at most " +
                           std::to_string(size) + ", the bytes of " +
                           quote(file.buffers[argument.buffer].name) +
                           ", but got " + std::to_string(argument.offset));
    uint64_t span = isMap ? argument.tensorMap.getSpanBytes() : 0;
    if (span > size - argument.offset)
      return Status::error(place +
                           ": expected dims and strides that stay "
                           "within " +
                           std::to_string(size - argument.offset) +
                           " bytes, but got " + std::to_string(span));
  }
  return Status();
}

Status LaunchBuffers::State::allocate(uint64_t maxBytes) {
  uint64_t total = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string place = getPlace(file.buffers[i].place);
    if (bytes[i] > maxBytes - total)
      return Status::error(
          place + ": expected buffers of at most " + std::to_string(maxBytes) +
          " bytes together, but got " + std::to_string(bytes[i]) +
          " more than the " + std::to_string(total) + " before");
    total += bytes[i];
    std::optional<Pages> buffer = Pages::allocate(bytes[i]);
    if (!buffer)
      return Status::error(place + ": expected " + std::to_string(bytes[i]) +
                           " bytes of memory, but got none");
    if (file.buffers[i].source == LaunchBuffer::Source::Undefined)
      std::memset(buffer->data(), kUndefinedByte, bytes[i]);
    pages.push_back(std::move(*buffer));
  }
  return Status();
}

Status LaunchBuffers::State::readTensors(
    const std::optional<SafetensorsFile> &inputs) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (file.buffers[i].source != LaunchBuffer::Source::Tensor)
      continue;
    const TensorInfo &info = *inputs->find(file.buffers[i].name);
    if (Status status =
            inputs->readTensor(info, pages[i].data(), 0, info.bytes);
        !status)
      return status;
  }
  return Status();
}

Result<LaunchBuffers> LaunchBuffers::create(LaunchFile file,
                                            uint64_t maxBytes) {
  auto state = std::make_unique<State>();
  state->file = std::move(file);
  std::optional<SafetensorsFile> inputs;
  if (!state->file.inputsPath.empty()) {
    Result<SafetensorsFile> opened =
        SafetensorsFile::open(state->file.inputsPath);
    if (!opened)
      return opened.getStatus();
    inputs = std::move(*opened);
  }
  Status status = state->findTensors(inputs);
  if (status)
    status = state->checkArguments();
  if (status)
    status = state->allocate(maxBytes);
  if (status)
    status = state->readTensors(inputs);
  if (!status)
    return status;
  return LaunchBuffers(std::move(state));
}

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

Result<const Program::Entry *>
LaunchBuffers::State::findEntry(const Program &program) const {
  const std::vector<Program::Entry> &entries = program.getEntries();
  if (file.entry.empty() && entries.size() == 1)
    return &entries.front();
  std::vector<std::string> names;
  std::string list;
  for (const Program::Entry &entry : entries) {
    if (entry.name == file.entry)
      return &entry;
    names.push_back(entry.name);
    list += (list.empty() ? "" : ", ") + quote(entry.name);
  }
  if (entries.empty())
    return Status::error(quote(file.ptxPath) +
                         ": expected a kernel, but got no '.entry'");
  if (file.entry.empty())
    return Status::error(getPlace("entry") + ": expected one of " + list +
                         ", but got none");
  return Status::error(getPlace("entry") + ": expected an entry of " +
                       quote(file.ptxPath) + ", but got " + quote(file.entry) +
                       suggestNearest(file.entry, names));
}

/// The bytes that an argument fills.
static uint64_t getArgumentBytes(const LaunchArgument &argument) {
  switch (argument.kind) {
  case LaunchArgument::Kind::Pointer:
    return sizeof(uint64_t);
  case LaunchArgument::Kind::Value:
    return argument.value.size();
  case LaunchArgument::Kind::TensorMap:
    return kTensorMapBytes;
  }
  return 0;
}

Status
LaunchBuffers::State::checkParameters(const Program::Entry &entry) const {
  if (file.arguments.size() != entry.parameters.size())
    return Status::error(getPlace("args") + ": expected " +
                         std::to_string(entry.parameters.size()) +
                         ", the parameters of entry " + quote(entry.name) +
                         ", but got " + std::to_string(file.arguments.size()));
  for (size_t i = 0; i < file.arguments.size(); ++i) {
    const LaunchArgument &argument = file.arguments[i];
    const Program::Parameter &parameter = entry.parameters[i];
    uint64_t size = getArgumentBytes(argument);
    if (size != parameter.bytes)
      return Status::error(getPlace(argument.place) + ": expected " +
                           std::to_string(parameter.bytes) +
                           " bytes for parameter " + quote(parameter.name) +
                           " of entry " + quote(entry.name) + ", but got " +
                           std::to_string(size) + ", from " +
                           quote(argument.form));
  }
  return Status();
}

/// The number that a driver gives an element type.
static uint32_t getDriverDType(DType dtype) {
  constexpr std::pair<DType, uint32_t> kNumbers[] = {
      {DType::U16, 1}, {DType::U32, 2}, {DType::I32, 3},
      {DType::U64, 4}, {DType::I64, 5}, {DType::F16, 6},
      {DType::F32, 7}, {DType::F64, 8}, {DType::BF16, 9}};
  for (auto [known, number] : kNumbers)
    if (dtype == known)
      return number;
  // Everything that takes a byte.
  return 0;
}

/// The bytes of a tensor map over a buffer at `address`.
static Result<std::vector<uint8_t>> encodeMap(const TensorMap &map,
                                              uint64_t address) {
  TiledTensorMap tiled;
  tiled.dtype = getDriverDType(map.dtype);
  tiled.address = address;
  tiled.rank = uint32_t(map.dims.size());
  std::copy(map.dims.begin(), map.dims.end(), tiled.dims);
  std::copy(map.strides.begin(), map.strides.end(), tiled.strides + 1);
  std::copy(map.box.begin(), map.box.end(), tiled.box);
  std::copy(map.elementStrides.begin(), map.elementStrides.end(),
            tiled.elementStrides);
  tiled.swizzle = uint32_t(map.swizzle);
  tiled.fill = uint32_t(map.outOfBounds);
  uint8_t bytes[kTensorMapBytes];
  if (Status status = encodeTensorMap(tiled, bytes); !status)
    return status;
  return std::vector<uint8_t>(bytes, bytes + kTensorMapBytes);
}

Result<Launch> LaunchBuffers::bind(const Program &program,
                                   DeviceMemory &memory) {
  Result<const Program::Entry *> entry = state->findEntry(program);
  if (!entry)
    return entry.getStatus();
  if (Status status = state->checkParameters(**entry); !status)
    return status;
  const LaunchFile &file = state->file;
  for (size_t i = 0; i < file.buffers.size(); ++i) {
    const LaunchBuffer &buffer = file.buffers[i];
    bool isUndefined = buffer.source == LaunchBuffer::Source::Undefined;
    state->addresses.push_back(
        memory.map(getData(i), getBytes(i),
                   buffer.name.empty() ? buffer.place : buffer.name,
                   isUndefined ? DeviceMemory::Contents::Undefined
                               : DeviceMemory::Contents::Defined));
  }
  Launch launch;
  launch.entry = (*entry)->name;
  launch.grid = file.grid;
  launch.block = file.block;
  launch.cluster = file.cluster;
  launch.dynamicSharedBytes = file.dynamicSharedBytes;
  for (const LaunchArgument &argument : file.arguments) {
    if (argument.kind == LaunchArgument::Kind::Value) {
      launch.arguments.push_back(argument.value);
      continue;
    }
    uint64_t address = state->addresses[argument.buffer] + argument.offset;
    if (argument.kind == LaunchArgument::Kind::Pointer) {
      launch.addArgument(address);
      continue;
    }
    Result<std::vector<uint8_t>> map = encodeMap(argument.tensorMap, address);
    if (!map)
      return Status::error(state->getPlace(argument.place) + ": " +
                           map.getStatus().getMessage());
    launch.arguments.push_back(std::move(*map));
  }
  return launch;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

/// "[3, 5]": the element of a buffer that holds this byte.
static std::string describeElement(const LaunchBuffer &buffer, uint64_t byte) {
  uint64_t element = byte * 8 / getDTypeBits(buffer.dtype);
  std::vector<int64_t> index(buffer.shape.size());
  for (size_t i = index.size(); i-- > 0;) {
    uint64_t extent = static_cast<uint64_t>(buffer.shape[i]);
    index[i] = static_cast<int64_t>(element % extent);
    element /= extent;
  }
  return formatShape(index);
}

void LaunchBuffers::checkOutputs(const DeviceMemory &memory,
                                 Report &report) const {
  for (size_t output : state->file.outputs) {
    int64_t byte = memory.findUndefined(state->addresses[output]);
    if (byte < 0)
      continue;
    const LaunchBuffer &buffer = state->file.buffers[output];
    Finding finding;
    finding.rule = "R11";
    finding.message =
        state->getPlace("output ") + quote(buffer.name) +
        ": expected defined bytes at the end, but got an undefined one in "
        "element " +
        describeElement(buffer, static_cast<uint64_t>(byte)) + ", byte " +
        std::to_string(byte) + " (R11)";
    auto firstWarning =
        std::find_if(report.findings.begin(), report.findings.end(),
                     [](const Finding &other) {
                       return other.severity == Finding::Severity::Warning;
                     });
    report.findings.insert(firstWarning, std::move(finding));
  }
}

Status LaunchBuffers::writeOutputs(const std::string &path) const {
  std::vector<TensorSpec> specs;
  for (size_t output : state->file.outputs) {
    const LaunchBuffer &buffer = state->file.buffers[output];
    specs.push_back({buffer.name, buffer.dtype, buffer.shape});
  }
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, specs);
  if (!writer)
    return writer.getStatus();
  for (size_t output : state->file.outputs) {
    if (getBytes(output) == 0)
      continue;
    if (Status status = writer->append(state->file.buffers[output].name,
                                       getData(output), getBytes(output));
        !status)
      return status;
  }
  return writer->commit().getStatus();
}

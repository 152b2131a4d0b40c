//===- PackageModule.cpp - What a module says of its package --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/PackageModule.h"

#include "nvfp4/Target/Package/ExtractPlan.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <deque>

using namespace mlir;
using namespace nvfp4;

FailureOr<std::vector<PackingPlan>> nvfp4::extractPlans(ModuleOp module) {
  std::vector<PackingPlan> plans;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr(kPackAttrName))
      continue;
    FailureOr<PackingPlan> plan = extractPlan(function);
    if (failed(plan))
      return failure();
    plans.push_back(std::move(*plan));
  }
  return plans;
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

namespace {

/// Reads the attributes of one entry. The first mistake is reported.
class EntryReader {
public:
  explicit EntryReader(Operation *op) : op(op) {}
  FailureOr<ManifestEntry> read(StringRef name, DictionaryAttr record,
                                ArrayAttr checks);

private:
  LogicalResult readDimension(DictionaryAttr record);
  LogicalResult readArgument(DictionaryAttr record);
  LogicalResult readResult(DictionaryAttr record);
  LogicalResult readTensor(DictionaryAttr record, ManifestTensor &tensor);
  template <typename Fn>
  LogicalResult readList(DictionaryAttr record, StringRef key, Fn readElement);
  LogicalResult malformed(Attribute got) {
    return op->emitError("expected '")
           << kEntryAttrName << "' as nvfp4-record-entry writes it, but got "
           << got;
  }

  Operation *op;
  ManifestEntry entry;
};

} // namespace

LogicalResult EntryReader::readDimension(DictionaryAttr record) {
  auto name = record.getAs<StringAttr>("name");
  auto min = record.getAs<IntegerAttr>("min");
  auto max = record.getAs<IntegerAttr>("max");
  if (!name || !min || !max)
    return malformed(record);
  ManifestDimension dimension;
  dimension.name = name.str();
  dimension.min = min.getInt();
  if (max.getInt() >= 0)
    dimension.max = max.getInt();
  entry.dimensions.push_back(std::move(dimension));
  return success();
}

LogicalResult EntryReader::readTensor(DictionaryAttr record,
                                      ManifestTensor &tensor) {
  auto name = record.getAs<StringAttr>("name");
  auto dtypeName = record.getAs<StringAttr>("dtype");
  auto shape = record.getAs<ArrayAttr>("shape");
  if (!name || !dtypeName || !shape)
    return malformed(record);
  std::optional<DType> dtype = parseDType(dtypeName.str());
  if (!dtype)
    return malformed(record);
  tensor.name = name.str();
  tensor.dtype = *dtype;
  for (Attribute extent : shape) {
    if (auto integer = dyn_cast<IntegerAttr>(extent))
      tensor.shape.push_back(integer.getInt() < 0
                                 ? ManifestExtent::unknown()
                                 : ManifestExtent::constant(integer.getInt()));
    else if (auto label = dyn_cast<StringAttr>(extent))
      tensor.shape.push_back(label.getValue() == "?"
                                 ? ManifestExtent::unknown()
                                 : ManifestExtent::named(label.str()));
    else
      return malformed(record);
  }
  return success();
}

LogicalResult EntryReader::readArgument(DictionaryAttr record) {
  auto kind = record.getAs<StringAttr>("kind");
  ManifestTensor tensor;
  if (!kind)
    return malformed(record);
  if (failed(readTensor(record, tensor)))
    return failure();
  if (kind.getValue() == "input") {
    entry.arguments.push_back(ManifestArgument::input(entry.inputs.size()));
    entry.inputs.push_back(std::move(tensor));
    return success();
  }
  std::vector<int64_t> shape;
  for (const ManifestExtent &extent : tensor.shape) {
    if (!extent.isConstant())
      return malformed(record);
    shape.push_back(extent.getValue());
  }
  if (kind.getValue() != "weight")
    return malformed(record);
  entry.arguments.push_back(
      ManifestArgument::weight(tensor.name, tensor.dtype, std::move(shape)));
  return success();
}

LogicalResult EntryReader::readResult(DictionaryAttr record) {
  ManifestTensor tensor;
  if (failed(readTensor(record, tensor)))
    return failure();
  entry.results.push_back(std::move(tensor));
  return success();
}

template <typename Fn>
LogicalResult EntryReader::readList(DictionaryAttr record, StringRef key,
                                    Fn readElement) {
  auto list = record.getAs<ArrayAttr>(key);
  if (!list)
    return malformed(record);
  for (Attribute element : list) {
    auto dictionary = dyn_cast<DictionaryAttr>(element);
    if (!dictionary)
      return malformed(element);
    if (failed(readElement(dictionary)))
      return failure();
  }
  return success();
}

FailureOr<ManifestEntry>
EntryReader::read(StringRef name, DictionaryAttr record, ArrayAttr checks) {
  entry.name = name.str();
  if (failed(readList(record, "dimensions",
                      [&](DictionaryAttr d) { return readDimension(d); })) ||
      failed(readList(record, "arguments",
                      [&](DictionaryAttr d) { return readArgument(d); })) ||
      failed(readList(record, "results",
                      [&](DictionaryAttr d) { return readResult(d); })))
    return failure();
  if (checks)
    for (Attribute check : checks) {
      auto message = dyn_cast<StringAttr>(check);
      if (!message) {
        op->emitError("expected '")
            << kChecksAttrName << "' to be a list of messages, but got "
            << checks;
        return failure();
      }
      entry.checks.push_back(message.str());
    }
  return std::move(entry);
}

FailureOr<ManifestEntry> nvfp4::readEntry(Operation *op, StringRef name,
                                          DictionaryAttr interface,
                                          ArrayAttr checks) {
  return EntryReader(op).read(name, interface, checks);
}

FailureOr<std::vector<ManifestEntry>> nvfp4::readEntries(ModuleOp module) {
  std::vector<ManifestEntry> entries;
  for (Operation &op : *module.getBody()) {
    if (!op.hasAttr(kEntryAttrName))
      continue;
    Attribute attribute = op.getAttr(kEntryAttrName);
    auto interface = dyn_cast<DictionaryAttr>(attribute);
    auto name = op.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName());
    if (!interface || !name)
      return op.emitError("expected '")
             << kEntryAttrName << "' as nvfp4-record-entry writes it, but got "
             << attribute;
    FailureOr<ManifestEntry> entry = readEntry(
        &op, name, interface, op.getAttrOfType<ArrayAttr>(kChecksAttrName));
    if (failed(entry))
      return failure();
    entries.push_back(std::move(*entry));
  }
  return entries;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

namespace {

/// Constants of a module, and copies of those that IR does not store as a file
/// does.
class ModuleSource final : public WeightSource {
public:
  explicit ModuleSource(const WeightSource *next) : constants(next) {}

  LogicalResult add(ModuleOp module, StringRef name, Attribute attribute);
  Result<WeightTensor> get(const std::string &name) const override {
    return constants.get(name);
  }

private:
  ArrayRef<char> getBytes(DenseElementsAttr elements, DType dtype);

  MemorySource constants;
  std::deque<std::vector<char>> copies;
};

} // namespace

/// The elements, one after the other.
ArrayRef<char> ModuleSource::getBytes(DenseElementsAttr elements, DType dtype) {
  ArrayRef<char> raw = elements.getRawData();
  int64_t count = elements.getNumElements();
  size_t elementBytes = getDTypeBits(dtype) / 8;
  bool isBoolean = dtype == DType::BOOL;
  if (!elements.isSplat() && !isBoolean)
    return raw;
  copies.emplace_back();
  std::vector<char> &copy = copies.back();
  copy.reserve(count * elementBytes);
  if (isBoolean)
    for (bool value : elements.getValues<bool>())
      copy.push_back(value);
  else
    for (int64_t i = 0; i < count; ++i)
      copy.insert(copy.end(), raw.begin(), raw.begin() + elementBytes);
  return copy;
}

LogicalResult ModuleSource::add(ModuleOp module, StringRef name,
                                Attribute attribute) {
  auto elements = dyn_cast<ElementsAttr>(attribute);
  std::optional<DType> dtype =
      elements ? getDTypeOf(elements.getElementType()) : std::nullopt;
  ArrayRef<char> bytes;
  std::vector<int64_t> shape;
  bool isKnown = false;
  if (dtype && getDTypeBits(*dtype) % 8 == 0) {
    ArrayRef<int64_t> extents = elements.getShapedType().getShape();
    shape.assign(extents.begin(), extents.end());
    if (auto dense = dyn_cast<DenseElementsAttr>(attribute)) {
      bytes = getBytes(dense, *dtype);
      isKnown = true;
    } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
      if (AsmResourceBlob *blob = resource.getRawHandle().getBlob()) {
        bytes = blob->getData();
        isKnown = true;
      }
    }
  }
  if (!isKnown)
    return module.emitError("expected constant '")
           << name
           << "' to be dense, of elements that a safetensors file can hold, "
              "but "
              "got "
           << (elements ? Attribute(TypeAttr::get(elements.getType()))
                        : attribute);
  uint64_t expected = getTensorBytes(*dtype, shape).value_or(0);
  if (bytes.size() != expected)
    return module.emitError("expected constant '")
           << name << "' to have " << expected << " bytes, but got "
           << bytes.size();
  constants.add(name.str(), *dtype, shape, bytes.data(),
                "constant of the graph");
  return success();
}

FailureOr<std::unique_ptr<WeightSource>>
nvfp4::makeWeightSource(ModuleOp module, const WeightSource *next) {
  auto source = std::make_unique<ModuleSource>(next);
  if (auto constants =
          module->getAttrOfType<DictionaryAttr>(kConstantsAttrName))
    for (NamedAttribute constant : constants)
      if (failed(source->add(module, constant.getName(), constant.getValue())))
        return failure();
  return FailureOr<std::unique_ptr<WeightSource>>(std::move(source));
}

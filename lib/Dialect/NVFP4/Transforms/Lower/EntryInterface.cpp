//===- EntryInterface.cpp - What an entry function promises ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the attribute that `nvfp4-record-entry` has written.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace nvfp4 {

bool isEntryFunction(func::FuncOp func) {
  return func.isPublic() && !func.isExternal();
}

namespace {
/// Reads one `nvfp4.entry` attribute; reports what is malformed.
class InterfaceReader {
public:
  InterfaceReader(func::FuncOp func, DictionaryAttr attr)
      : func(func), attr(attr) {}

  FailureOr<EntryInterface> read();

private:
  LogicalResult readDimensions();
  LogicalResult readTensors(StringRef key,
                            SmallVectorImpl<EntryTensor> &tensors);

  InFlightDiagnostic malformed(StringRef expected) {
    return func.emitError("expected ")
           << expected << " in '" << kEntryAttrName << "'";
  }

  func::FuncOp func;
  DictionaryAttr attr;
  EntryInterface interface;
  llvm::StringMap<unsigned> positions;
};
} // namespace

LogicalResult InterfaceReader::readDimensions() {
  auto dims = attr.getAs<ArrayAttr>("dimensions");
  if (!dims)
    return malformed("an array 'dimensions'");
  for (Attribute element : dims) {
    auto dict = dyn_cast<DictionaryAttr>(element);
    auto name = dict ? dict.getAs<StringAttr>("name") : StringAttr();
    auto min = dict ? dict.getAs<IntegerAttr>("min") : IntegerAttr();
    auto max = dict ? dict.getAs<IntegerAttr>("max") : IntegerAttr();
    if (!name || !min || !max)
      return malformed("'name', 'min' and 'max' of each dimension");
    positions[name.getValue()] = interface.dimensions.size();
    interface.dimensions.push_back({name.str(), min.getInt(), max.getInt()});
  }
  return success();
}

LogicalResult
InterfaceReader::readTensors(StringRef key,
                             SmallVectorImpl<EntryTensor> &tensors) {
  auto list = attr.getAs<ArrayAttr>(key);
  if (!list)
    return malformed(("an array '" + key + "'").str());
  for (Attribute element : list) {
    auto dict = dyn_cast<DictionaryAttr>(element);
    auto name = dict ? dict.getAs<StringAttr>("name") : StringAttr();
    auto dtype = dict ? dict.getAs<StringAttr>("dtype") : StringAttr();
    auto shape = dict ? dict.getAs<ArrayAttr>("shape") : ArrayAttr();
    if (!name || !dtype || !shape)
      return malformed("'name', 'dtype' and 'shape' of each tensor");
    EntryTensor tensor;
    if (auto kind = dict.getAs<StringAttr>("kind"))
      tensor.kind = kind.str();
    tensor.name = name.str();
    tensor.dtype = dtype.str();
    for (Attribute size : shape) {
      EntryExtent extent;
      if (auto number = dyn_cast<IntegerAttr>(size)) {
        if (number.getInt() >= 0)
          extent.size = number.getInt();
      } else if (auto string = dyn_cast<StringAttr>(size)) {
        auto it = positions.find(string.getValue());
        if (it != positions.end())
          extent.dimension = it->second;
        else if (key == "arguments")
          return malformed(
              ("dimension '" + string.getValue() + "' of '" + tensor.name + "'")
                  .str());
      }
      tensor.shape.push_back(extent);
    }
    tensors.push_back(std::move(tensor));
  }
  return success();
}

FailureOr<EntryInterface> InterfaceReader::read() {
  if (failed(readDimensions()) ||
      failed(readTensors("arguments", interface.arguments)) ||
      failed(readTensors("results", interface.results)))
    return failure();
  return std::move(interface);
}

FailureOr<EntryInterface> EntryInterface::read(func::FuncOp func) {
  auto attr = func->getAttrOfType<DictionaryAttr>(kEntryAttrName);
  if (!attr)
    return func.emitError("expected an entry function with the attribute '")
           << kEntryAttrName << "', which 'nvfp4-record-entry' writes";
  return InterfaceReader(func, attr).read();
}

} // namespace nvfp4

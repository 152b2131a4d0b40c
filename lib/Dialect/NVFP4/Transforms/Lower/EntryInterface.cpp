//===- EntryInterface.cpp - What an entry function promises ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads and writes the attribute `nvfp4.entry`, and infers it from a function
// on tensors that nobody recorded.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace nvfp4 {

bool isEntryFunction(func::FuncOp func) {
  return func.isPublic() && !func.isExternal();
}

/// The name that safetensors has for an element type; empty if it has none.
static std::string getDTypeName(Type type) {
  if (type.isInteger(1))
    return "BOOL";
  if (type.isIndex())
    return "I64";
  if (auto integer = dyn_cast<IntegerType>(type))
    return ((integer.isUnsigned() ? "U" : "I") + Twine(integer.getWidth()))
        .str();
  if (type.isBF16())
    return "BF16";
  if (isa<Float8E4M3FNType>(type))
    return "F8_E4M3";
  if (isa<Float8E8M0FNUType>(type))
    return "F8_E8M0";
  if (isa<Float8E5M2Type>(type))
    return "F8_E5M2";
  if (type.isF16() || type.isF32() || type.isF64())
    return ("F" + Twine(type.getIntOrFloatBitWidth())).str();
  return "";
}

//===----------------------------------------------------------------------===//
// Inference from the signature
//===----------------------------------------------------------------------===//

namespace {
/// Collects the dimensions of one function by name.
class InterfaceBuilder {
public:
  explicit InterfaceBuilder(func::FuncOp func) : func(func) {}

  FailureOr<EntryInterface> build();

private:
  LogicalResult addTensor(Type type, DictionaryAttr attrs, StringRef place,
                          unsigned position, bool isResult);
  FailureOr<EntryExtent> getExtent(Attribute name, StringRef place,
                                   StringRef tensor, unsigned position,
                                   bool isResult);
  unsigned getDimension(StringRef name);

  func::FuncOp func;
  EntryInterface interface;
  llvm::StringMap<unsigned> positions;
};
} // namespace

unsigned InterfaceBuilder::getDimension(StringRef name) {
  auto [it, isNew] = positions.try_emplace(name, interface.dimensions.size());
  if (!isNew)
    return it->second;
  EntryDimension dimension;
  dimension.name = name.str();
  if (auto limits = func->getAttrOfType<DictionaryAttr>("nvfp4.dimensions")) {
    auto range = limits.getAs<ArrayAttr>(name);
    if (range && range.size() == 2 && isa<IntegerAttr>(range[0]) &&
        isa<IntegerAttr>(range[1])) {
      dimension.min = cast<IntegerAttr>(range[0]).getInt();
      dimension.max = cast<IntegerAttr>(range[1]).getInt();
    }
  }
  interface.dimensions.push_back(dimension);
  return it->second;
}

/// The extent of a dynamic dimension whose entry in `nvfp4.shape` is `name`,
/// which may be null.
FailureOr<EntryExtent>
InterfaceBuilder::getExtent(Attribute name, StringRef place, StringRef tensor,
                            unsigned position, bool isResult) {
  EntryExtent extent;
  if (auto string = dyn_cast_if_present<StringAttr>(name)) {
    // A name that only a result mentions is not one that a caller knows.
    if (!isResult || positions.contains(string.getValue()))
      extent.dimension = getDimension(string.getValue());
    return extent;
  }
  if (name)
    return func.emitError("expected a dimension name for dynamic dimension ")
           << position << " of " << place << ", but got " << name;
  if (!isResult)
    extent.dimension =
        getDimension((tensor + "." + Twine(position)).str());
  return extent;
}

LogicalResult InterfaceBuilder::addTensor(Type type, DictionaryAttr attrs,
                                          StringRef place, unsigned position,
                                          bool isResult) {
  std::string where = (place + " " + Twine(position)).str();
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (!tensorType)
    return func.emitError("expected a ranked tensor as ")
           << where << " of an entry function, but got " << type;

  EntryTensor tensor;
  tensor.dtype = getDTypeName(tensorType.getElementType());
  if (tensor.dtype.empty())
    return func.emitError("expected an element type that safetensors has as ")
           << where << " of an entry function, but got " << type;
  auto weight = attrs ? attrs.getAs<StringAttr>("nvfp4.weight") : StringAttr();
  auto name = attrs ? attrs.getAs<StringAttr>("nvfp4.name") : StringAttr();
  tensor.kind = isResult ? "" : weight ? "weight" : "input";
  tensor.name = weight ? weight.str()
                : name ? name.str()
                       : ((isResult ? "result" : "arg") + Twine(position)).str();

  auto names = attrs ? attrs.getAs<ArrayAttr>("nvfp4.shape") : ArrayAttr();
  if (names && int64_t(names.size()) != tensorType.getRank())
    return func.emitError("expected ")
           << tensorType.getRank() << " entries in 'nvfp4.shape' of " << where
           << ", but got " << names.size();
  for (auto [i, size] : llvm::enumerate(tensorType.getShape())) {
    if (ShapedType::isStatic(size)) {
      tensor.shape.push_back({size, std::nullopt});
      continue;
    }
    FailureOr<EntryExtent> extent = getExtent(
        names ? names[i] : Attribute(), where, tensor.name, i, isResult);
    if (failed(extent))
      return failure();
    tensor.shape.push_back(*extent);
  }
  (isResult ? interface.results : interface.arguments).push_back(tensor);
  return success();
}

FailureOr<EntryInterface> InterfaceBuilder::build() {
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
    if (failed(addTensor(type, func.getArgAttrDict(i), "argument", i,
                         /*isResult=*/false)))
      return failure();
  for (auto [i, type] : llvm::enumerate(func.getResultTypes()))
    if (failed(addTensor(type, func.getResultAttrDict(i), "result", i,
                         /*isResult=*/true)))
      return failure();
  return std::move(interface);
}

FailureOr<EntryInterface> EntryInterface::infer(func::FuncOp func) {
  return InterfaceBuilder(func).build();
}

//===----------------------------------------------------------------------===//
// The attribute
//===----------------------------------------------------------------------===//

static DictionaryAttr getTensorAttr(Builder &builder,
                                    const EntryInterface &interface,
                                    const EntryTensor &tensor) {
  SmallVector<Attribute> shape;
  for (const EntryExtent &extent : tensor.shape) {
    if (extent.size)
      shape.push_back(builder.getI64IntegerAttr(*extent.size));
    else if (extent.dimension)
      shape.push_back(
          builder.getStringAttr(interface.dimensions[*extent.dimension].name));
    else
      shape.push_back(builder.getI64IntegerAttr(-1));
  }
  NamedAttrList attrs;
  if (!tensor.kind.empty())
    attrs.append("kind", builder.getStringAttr(tensor.kind));
  attrs.append("name", builder.getStringAttr(tensor.name));
  attrs.append("dtype", builder.getStringAttr(tensor.dtype));
  attrs.append("shape", builder.getArrayAttr(shape));
  return attrs.getDictionary(builder.getContext());
}

DictionaryAttr EntryInterface::getAsAttribute(MLIRContext *context) const {
  Builder builder(context);
  SmallVector<Attribute> dims, args, outs;
  for (const EntryDimension &dimension : dimensions)
    dims.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("name", builder.getStringAttr(dimension.name)),
         builder.getNamedAttr("min", builder.getI64IntegerAttr(dimension.min)),
         builder.getNamedAttr("max",
                              builder.getI64IntegerAttr(dimension.max))}));
  for (const EntryTensor &tensor : arguments)
    args.push_back(getTensorAttr(builder, *this, tensor));
  for (const EntryTensor &tensor : results)
    outs.push_back(getTensorAttr(builder, *this, tensor));
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("dimensions", builder.getArrayAttr(dims)),
       builder.getNamedAttr("arguments", builder.getArrayAttr(args)),
       builder.getNamedAttr("results", builder.getArrayAttr(outs))});
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
           << expected << " in '" << kEntryAttr << "'";
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
  auto attr = func->getAttrOfType<DictionaryAttr>(kEntryAttr);
  if (!attr)
    return func.emitError("expected an entry function with the attribute '")
           << kEntryAttr << "'";
  return InterfaceReader(func, attr).read();
}

} // namespace nvfp4

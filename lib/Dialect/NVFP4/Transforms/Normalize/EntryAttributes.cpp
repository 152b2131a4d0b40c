//===- EntryAttributes.cpp - Names and bounds of an entry's dimensions ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EntryAttributes.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace nvfp4;

bool nvfp4::isEntry(func::FuncOp func) {
  return func.isPublic() && !func.isExternal();
}

ShapedType nvfp4::getTensorType(Type type) {
  return isa<RankedTensorType, BlockTensorType>(type) ? cast<ShapedType>(type)
                                                      : ShapedType();
}

bool nvfp4::isNamedDimension(func::FuncOp func, unsigned argument,
                             int64_t dim) {
  auto shape = func.getArgAttrOfType<ArrayAttr>(argument, kShapeAttrName);
  return shape && dim < static_cast<int64_t>(shape.size()) &&
         isa<StringAttr>(shape[dim]);
}

std::string nvfp4::getDimensionName(func::FuncOp func, unsigned argument,
                                    int64_t dim) {
  if (isNamedDimension(func, argument, dim)) {
    auto shape = func.getArgAttrOfType<ArrayAttr>(argument, kShapeAttrName);
    return cast<StringAttr>(shape[dim]).str();
  }
  if (auto name = func.getArgAttrOfType<StringAttr>(argument, kNameAttrName))
    return llvm::formatv("{0}.dim{1}", name.getValue(), dim);
  return llvm::formatv("arg{0}.dim{1}", argument, dim);
}

DimensionBounds nvfp4::getDimensionBounds(DictionaryAttr dimensions,
                                          StringRef name) {
  auto bounds = dimensions ? dimensions.getAs<ArrayAttr>(name) : ArrayAttr();
  if (!bounds)
    return {};
  return {cast<IntegerAttr>(bounds[0]).getInt(),
          cast<IntegerAttr>(bounds[1]).getInt()};
}

std::string nvfp4::describeArgument(func::FuncOp func, unsigned argument) {
  for (StringRef attribute : {kNameAttrName, kWeightAttrName})
    if (auto name = func.getArgAttrOfType<StringAttr>(argument, attribute))
      return "'" + name.str() + "'";
  return "argument " + std::to_string(argument);
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

namespace {
/// One argument or result, for checks that are the same for both.
struct EntryValue {
  std::string place;
  Type type;
  Attribute shape;
};
} // namespace

static LogicalResult verifyShape(func::FuncOp func, const EntryValue &value) {
  if (!value.shape)
    return success();
  ShapedType type = getTensorType(value.type);
  if (!type)
    return func.emitOpError("expected 'nvfp4.shape' on a ranked tensor, but ")
           << value.place << " is " << value.type;
  auto shape = dyn_cast<ArrayAttr>(value.shape);
  if (!shape)
    return func.emitOpError("expected 'nvfp4.shape' of ")
           << value.place << " to be an array, but got " << value.shape;
  if (static_cast<int64_t>(shape.size()) != type.getRank())
    return func.emitOpError("expected 'nvfp4.shape' of ")
           << value.place << " to have " << type.getRank()
           << " elements, one per dimension of " << type << ", but got "
           << shape;
  for (auto [dim, element] : llvm::enumerate(shape)) {
    if (type.isDynamicDim(dim)) {
      auto name = dyn_cast<StringAttr>(element);
      if (!name || name.empty())
        return func.emitOpError("expected a name for dynamic dimension ")
               << dim << " of " << value.place << ", but got " << element;
      continue;
    }
    auto extent = dyn_cast<IntegerAttr>(element);
    if (!extent || extent.getValue() != type.getDimSize(dim))
      return func.emitOpError("expected extent ")
             << type.getDimSize(dim) << " for dimension " << dim << " of "
             << value.place << ", but got " << element;
  }
  return success();
}

static LogicalResult verifyBounds(func::FuncOp func,
                                  const llvm::StringSet<> &names) {
  Attribute attribute = func->getAttr(kDimensionsAttrName);
  if (!attribute)
    return success();
  auto dimensions = dyn_cast<DictionaryAttr>(attribute);
  if (!dimensions)
    return func.emitOpError("expected 'nvfp4.dimensions' to be a dictionary, "
                            "but got ")
           << attribute;
  for (NamedAttribute entry : dimensions) {
    StringRef name = entry.getName();
    auto bounds = dyn_cast<ArrayAttr>(entry.getValue());
    if (!bounds || bounds.size() != 2 ||
        !llvm::all_of(bounds, llvm::IsaPred<IntegerAttr>))
      return func.emitOpError("expected [minimum, maximum] for dimension '")
             << name << "' in 'nvfp4.dimensions', but got " << entry.getValue();
    int64_t minimum = cast<IntegerAttr>(bounds[0]).getInt();
    int64_t maximum = cast<IntegerAttr>(bounds[1]).getInt();
    if (minimum < 0 || maximum < -1 || (maximum != -1 && maximum < minimum))
      return func.emitOpError("expected 0 <= minimum <= maximum, or maximum -1 "
                              "for none, for dimension '")
             << name << "', but got " << bounds;
    if (!names.contains(name))
      return func.emitOpError("expected 'nvfp4.dimensions' to bound dimensions "
                              "of arguments, but no argument has dimension '")
             << name << "'";
  }
  return success();
}

LogicalResult nvfp4::verifyEntryAttributes(func::FuncOp func) {
  llvm::StringSet<> names;
  for (BlockArgument argument : func.getArguments()) {
    unsigned number = argument.getArgNumber();
    EntryValue value{describeArgument(func, number), argument.getType(),
                     func.getArgAttr(number, kShapeAttrName)};
    if (failed(verifyShape(func, value)))
      return failure();
    if (ShapedType type = getTensorType(argument.getType()))
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          names.insert(getDimensionName(func, number, dim));
  }
  for (auto [number, type] : llvm::enumerate(func.getResultTypes())) {
    Attribute shape = func.getResultAttr(number, kShapeAttrName);
    std::string place = "result " + std::to_string(number);
    if (auto name = func.getResultAttrOfType<StringAttr>(number, kNameAttrName))
      place = "result '" + name.str() + "'";
    if (failed(verifyShape(func, {place, type, shape})))
      return failure();
    if (!shape)
      continue;
    for (Attribute element : cast<ArrayAttr>(shape))
      if (auto name = dyn_cast<StringAttr>(element);
          name && !names.contains(name.getValue()))
        return func.emitOpError("expected dimensions of ")
               << place << " to be dimensions of arguments, but no argument "
               << "has dimension '" << name.getValue() << "'";
  }
  return verifyBounds(func, names);
}

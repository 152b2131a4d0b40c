//===- RecordEntry.cpp - The interface of entries as one attribute --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: hoisted packing; argument attributes as users write them.
// Leaves:  `nvfp4.entry` on each entry function; see Passes.td.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "nvfp4/Target/Package/ExtractPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

namespace nvfp4 {
#define GEN_PASS_DEF_RECORDENTRYPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

namespace {

/// Collects the interface of one entry.
class EntryRecorder {
public:
  EntryRecorder(func::FuncOp entry, const SymbolTable &symbols)
      : entry(entry), symbols(symbols), builder(entry.getContext()) {}

  LogicalResult run();

private:
  LogicalResult readDimensions();
  LogicalResult recordArgument(unsigned index);
  LogicalResult recordWeight(unsigned index);
  LogicalResult recordInput(unsigned index);
  LogicalResult recordResult(unsigned index);
  FailureOr<StringAttr> getDTypeName(Type type, StringRef place);
  FailureOr<ArrayAttr> getShape(ShapedType type, Attribute attribute,
                                StringRef name, bool isArgument);
  DictionaryAttr makeRecord(ArrayRef<std::pair<StringRef, Attribute>> fields);

  func::FuncOp entry;
  const SymbolTable &symbols;
  Builder builder;
  /// Name to bounds, in order of first use.
  llvm::MapVector<StringAttr, std::pair<int64_t, int64_t>> dimensions;
  llvm::DenseSet<StringAttr> inputDimensions;
  llvm::StringSet<> inputNames, resultNames;
  SmallVector<Attribute> arguments, results;
};

} // namespace

DictionaryAttr
EntryRecorder::makeRecord(ArrayRef<std::pair<StringRef, Attribute>> fields) {
  SmallVector<NamedAttribute> attributes;
  for (auto [name, value] : fields)
    attributes.push_back(builder.getNamedAttr(name, value));
  return builder.getDictionaryAttr(attributes);
}

LogicalResult EntryRecorder::readDimensions() {
  auto declared = entry->getAttrOfType<DictionaryAttr>(kDimensionsAttrName);
  if (!declared)
    return success();
  for (NamedAttribute dimension : declared) {
    auto bounds = dyn_cast<ArrayAttr>(dimension.getValue());
    SmallVector<int64_t> values;
    if (bounds)
      for (Attribute bound : bounds)
        if (auto integer = dyn_cast<IntegerAttr>(bound))
          values.push_back(integer.getInt());
    bool isValid = bounds && bounds.size() == 2 && values.size() == 2 &&
                   values[0] >= 0 &&
                   (values[1] == -1 || values[1] >= values[0]);
    if (!isValid)
      return entry.emitError("expected the bounds of dimension '")
             << dimension.getName().getValue()
             << "' to be [minimum, maximum] with 0 <= minimum <= maximum, or "
                "-1 "
                "for no maximum, but got "
             << dimension.getValue();
    dimensions[dimension.getName()] = {values[0], values[1]};
  }
  return success();
}

FailureOr<StringAttr> EntryRecorder::getDTypeName(Type type, StringRef place) {
  if (auto block = dyn_cast<BlockTensorType>(type))
    return builder.getStringAttr(block.getFormat().getName());
  auto tensor = dyn_cast<RankedTensorType>(type);
  std::optional<DType> dtype =
      tensor ? getDTypeOf(tensor.getElementType()) : std::nullopt;
  if (!dtype)
    return entry.emitError("expected ")
           << place
           << " to be a tensor of elements that a safetensors file can hold, "
              "but got "
           << type;
  std::string_view name = nvfp4::getDTypeName(*dtype);
  return builder.getStringAttr(StringRef(name.data(), name.size()));
}

/// The recorded shape: extents, names of dynamic dimensions, or -1.
FailureOr<ArrayAttr> EntryRecorder::getShape(ShapedType type,
                                             Attribute attribute,
                                             StringRef name, bool isArgument) {
  auto declared = dyn_cast_or_null<ArrayAttr>(attribute);
  auto mismatch = [&]() -> LogicalResult {
    return entry.emitError("expected '")
           << kShapeAttrName << "' of '" << name
           << "' to have one integer or name per dimension of " << type
           << ", but got " << attribute;
  };
  if (attribute &&
      (!declared || static_cast<int64_t>(declared.size()) != type.getRank()))
    return mismatch();
  SmallVector<Attribute> shape;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    Attribute extent = declared ? declared[dim] : Attribute();
    auto integer = dyn_cast_or_null<IntegerAttr>(extent);
    auto label = dyn_cast_or_null<StringAttr>(extent);
    if (extent && !integer && !label)
      return mismatch();
    if (!type.isDynamicDim(dim)) {
      // A name on a static dimension is documentation.
      if (integer && integer.getInt() != type.getDimSize(dim))
        return mismatch();
      shape.push_back(builder.getI64IntegerAttr(type.getDimSize(dim)));
      continue;
    }
    if (integer && integer.getInt() != -1)
      return mismatch();
    if (!label && isArgument)
      label = builder.getStringAttr(name + ".dim" + Twine(dim));
    if (!label) {
      shape.push_back(builder.getI64IntegerAttr(-1));
      continue;
    }
    dimensions.try_emplace(label, std::make_pair(int64_t(0), int64_t(-1)));
    if (isArgument)
      inputDimensions.insert(label);
    shape.push_back(label);
  }
  return builder.getArrayAttr(shape);
}

LogicalResult EntryRecorder::recordWeight(unsigned index) {
  StringAttr name = entry.getArgAttrOfType<StringAttr>(index, kWeightAttrName);
  if (auto packed =
          entry.getArgAttrOfType<FlatSymbolRefAttr>(index, kPackedAttrName)) {
    auto function = symbols.lookup<func::FuncOp>(packed.getValue());
    name = function ? function->getAttrOfType<StringAttr>(kPackAttrName)
                    : StringAttr();
    if (!name)
      return entry.emitError("expected '")
             << kPackedAttrName << "' of argument " << index
             << " to name a packing function, but got " << packed;
  }
  auto type = dyn_cast<ShapedType>(entry.getArgumentTypes()[index]);
  if (!type || !type.hasStaticShape())
    return entry.emitError("expected weight '")
           << name.getValue() << "' to have a static shape, but got "
           << entry.getArgumentTypes()[index];
  FailureOr<StringAttr> dtype =
      getDTypeName(type, "weight '" + name.str() + "'");
  if (failed(dtype))
    return failure();
  arguments.push_back(
      makeRecord({{"kind", builder.getStringAttr("weight")},
                  {"name", name},
                  {"dtype", *dtype},
                  {"shape", builder.getI64ArrayAttr(type.getShape())}}));
  return success();
}

LogicalResult EntryRecorder::recordInput(unsigned index) {
  auto given = entry.getArgAttrOfType<StringAttr>(index, kNameAttrName);
  StringAttr name = given ? given : builder.getStringAttr("arg" + Twine(index));
  if (!inputNames.insert(name.getValue()).second)
    return entry.emitError("expected input names that are unique, but got '")
           << name.getValue() << "' twice";
  Type type = entry.getArgumentTypes()[index];
  FailureOr<StringAttr> dtype =
      getDTypeName(type, "input '" + name.str() + "'");
  if (failed(dtype))
    return failure();
  FailureOr<ArrayAttr> shape =
      getShape(cast<ShapedType>(type), entry.getArgAttr(index, kShapeAttrName),
               name.getValue(), /*isArgument=*/true);
  if (failed(shape))
    return failure();
  arguments.push_back(makeRecord({{"kind", builder.getStringAttr("input")},
                                  {"name", name},
                                  {"dtype", *dtype},
                                  {"shape", *shape}}));
  return success();
}

LogicalResult EntryRecorder::recordArgument(unsigned index) {
  bool isWeight = entry.getArgAttr(index, kWeightAttrName) ||
                  entry.getArgAttr(index, kPackedAttrName);
  if (isWeight && entry.getArgAttr(index, kNameAttrName))
    return entry.emitError("expected argument ")
           << index << " to be a weight or an input, but got both '"
           << kNameAttrName << "' and a weight";
  return isWeight ? recordWeight(index) : recordInput(index);
}

LogicalResult EntryRecorder::recordResult(unsigned index) {
  auto given = entry.getResultAttrOfType<StringAttr>(index, kNameAttrName);
  StringAttr name =
      given ? given : builder.getStringAttr("result" + Twine(index));
  if (!resultNames.insert(name.getValue()).second)
    return entry.emitError("expected result names that are unique, but got '")
           << name.getValue() << "' twice";
  Type type = entry.getResultTypes()[index];
  FailureOr<StringAttr> dtype =
      getDTypeName(type, "result '" + name.str() + "'");
  if (failed(dtype))
    return failure();
  FailureOr<ArrayAttr> shape = getShape(
      cast<ShapedType>(type), entry.getResultAttr(index, kShapeAttrName),
      name.getValue(), /*isArgument=*/false);
  if (failed(shape))
    return failure();
  results.push_back(
      makeRecord({{"name", name}, {"dtype", *dtype}, {"shape", *shape}}));
  return success();
}

LogicalResult EntryRecorder::run() {
  if (failed(readDimensions()))
    return failure();
  for (unsigned i = 0; i < entry.getNumArguments(); ++i)
    if (failed(recordArgument(i)))
      return failure();
  for (unsigned i = 0; i < entry.getNumResults(); ++i)
    if (failed(recordResult(i)))
      return failure();

  SmallVector<Attribute> records;
  for (auto &[name, bounds] : dimensions) {
    if (!inputDimensions.contains(name))
      return entry.emitError("expected dimension '")
             << name.getValue() << "' in the shape of an input, but got it in "
             << "no input";
    records.push_back(
        makeRecord({{"name", name},
                    {"min", builder.getI64IntegerAttr(bounds.first)},
                    {"max", builder.getI64IntegerAttr(bounds.second)}}));
  }
  entry->setAttr(kEntryAttrName,
                 makeRecord({{"dimensions", builder.getArrayAttr(records)},
                             {"arguments", builder.getArrayAttr(arguments)},
                             {"results", builder.getArrayAttr(results)}}));
  return success();
}

namespace {

class RecordEntry final : public nvfp4::impl::RecordEntryPassBase<RecordEntry> {
public:
  using RecordEntryPassBase::RecordEntryPassBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal() &&
          failed(EntryRecorder(function, symbols).run()))
        return signalPassFailure();
  }
};

} // namespace

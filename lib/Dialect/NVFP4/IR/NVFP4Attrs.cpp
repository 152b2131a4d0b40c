//===- NVFP4Attrs.cpp - Formats and precisions ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nvfp4;

#include "nvfp4/Dialect/NVFP4/IR/NVFP4Enums.cpp.inc"

/// `128x64x128`.
static ParseResult parseExtents(AsmParser &parser,
                                SmallVectorImpl<int64_t> &extents) {
  return parser.parseDimensionList(extents, /*allowDynamic=*/false,
                                   /*withTrailingX=*/false);
}
static void printExtents(AsmPrinter &printer, ArrayRef<int64_t> extents) {
  printer.printDimensionList(extents);
}

#define GET_ATTRDEF_CLASSES
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Attrs.cpp.inc"

namespace nvfp4 {

void NVFP4Dialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Attrs.cpp.inc"
      >();
}

namespace {

std::string_view toStringView(StringRef text) {
  return std::string_view(text.data(), text.size());
}

/// Names of all rows of the format table.
SmallVector<std::string> getFormatNames() {
  size_t count = 0;
  const BlockFormat *formats = getFormats(count);
  SmallVector<std::string> names;
  for (size_t i = 0; i < count; ++i)
    names.push_back(std::string(formats[i].name));
  return names;
}

constexpr StringLiteral kWeightOnlySuffix = "_weight_only";

} // namespace

//===----------------------------------------------------------------------===//
// FormatAttr
//===----------------------------------------------------------------------===//

BlockFormat FormatAttr::getFormat() const {
  const BlockFormat *row = findFormat(toStringView(getName()));
  BlockFormat format = row->withBlock(getBlockRows(), getBlockColumns());
  return hasGlobalScale() ? format.withScaleBound(getBound()) : format;
}

bool FormatAttr::hasGlobalScale() const {
  return getGranularity() != GlobalScaleGranularity::None;
}

ScaleEncoding FormatAttr::getScaleEncoding() const {
  return findFormat(toStringView(getName()))->scaleEncoding;
}

FormatAttr
FormatAttr::withGranularity(GlobalScaleGranularity granularity) const {
  if (!hasGlobalScale())
    return *this;
  return get(getContext(), getName(), getBlockRows(), getBlockColumns(),
             granularity, getConvention(), getBound());
}

FormatAttr FormatAttr::withBlock(int64_t rows, int64_t columns) const {
  return get(getContext(), getName(), rows, columns, getGranularity(),
             getConvention(), getBound());
}

LogicalResult FormatAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef name, int64_t blockRows,
                                 int64_t blockColumns,
                                 GlobalScaleGranularity granularity,
                                 GlobalScaleConvention convention,
                                 int64_t bound) {
  const BlockFormat *row = findFormat(toStringView(name));
  if (!row)
    return emitError() << "expected a block-scaled format ("
                       << llvm::join(getFormatNames(), ", ") << "), but got '"
                       << name << "'";
  bool isRowBlock = blockRows == 1 && blockColumns == row->blockCols;
  bool isSquare = blockRows == blockColumns && blockColumns == row->blockCols;
  if (!isRowBlock && !isSquare)
    return emitError() << "expected blocks of 1x" << row->blockCols << " or "
                       << row->blockCols << "x" << row->blockCols << " in "
                       << name << ", but got " << blockRows << "x"
                       << blockColumns;
  if (row->hasGlobalScale != (granularity != GlobalScaleGranularity::None))
    return emitError() << "expected " << (row->hasGlobalScale ? "a" : "no")
                       << " global scale in " << name;
  if (row->hasGlobalScale && bound != 256 && bound != 448 &&
      bound != static_cast<int64_t>(row->scaleBound))
    return emitError() << "expected a bound of 256 or "
                       << static_cast<int64_t>(row->scaleBound) << ", but got "
                       << bound;
  return success();
}

FailureOr<FormatAttr> FormatAttr::parseBody(AsmParser &parser) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef name;
  if (parser.parseKeyword(&name))
    return failure();
  const BlockFormat *row = findFormat(toStringView(name));
  if (!row)
    return parser.emitError(loc) << "expected a block-scaled format ("
                                 << llvm::join(getFormatNames(), ", ")
                                 << "), but got '" << name << "'";
  int64_t blockRows = row->blockRows, blockColumns = row->blockCols;
  auto granularity = row->hasGlobalScale ? GlobalScaleGranularity::Tensor
                                         : GlobalScaleGranularity::None;
  auto convention = GlobalScaleConvention::Amax;
  int64_t bound = row->hasGlobalScale ? row->scaleBound : 0;

  auto parseParameter = [&]() -> ParseResult {
    SMLoc keyLoc = parser.getCurrentLocation();
    StringRef key, value;
    if (parser.parseKeyword(&key) || parser.parseEqual())
      return failure();
    SMLoc valueLoc = parser.getCurrentLocation();
    if (key == "block") {
      SmallVector<int64_t> extents;
      if (parser.parseDimensionList(extents, /*allowDynamic=*/false,
                                    /*withTrailingX=*/false))
        return failure();
      if (extents.size() != 2)
        return parser.emitError(valueLoc, "expected a block of rows x columns");
      blockRows = extents[0];
      blockColumns = extents[1];
      return success();
    }
    if (!row->hasGlobalScale)
      return parser.emitError(keyLoc)
             << "expected only 'block' in " << name
             << ", which has no global scale, but got '" << key << "'";
    if (key == "bound")
      return parser.parseInteger(bound);
    if (key != "global" && key != "convention")
      return parser.emitError(keyLoc)
             << "expected block, global, convention or bound, but got '" << key
             << "'";
    if (parser.parseKeyword(&value))
      return failure();
    if (key == "global") {
      auto parsed = parseGranularity(toStringView(value));
      if (!parsed || *parsed == GlobalScaleGranularity::None)
        return parser.emitError(valueLoc)
               << "expected tensor, slice or row, but got '" << value << "'";
      granularity = *parsed;
      return success();
    }
    auto parsed = parseConvention(toStringView(value));
    if (!parsed)
      return parser.emitError(valueLoc)
             << "expected amax, multiply or divide, but got '" << value << "'";
    convention = *parsed;
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::OptionalLessGreater,
                                     parseParameter))
    return failure();
  FormatAttr format =
      getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                 name, blockRows, blockColumns, granularity, convention, bound);
  if (!format)
    return failure();
  return format;
}

void FormatAttr::printBody(AsmPrinter &printer) const {
  const BlockFormat *row = findFormat(toStringView(getName()));
  printer << getName();
  SmallVector<std::string> parameters;
  if (getBlockRows() != row->blockRows || getBlockColumns() != row->blockCols)
    parameters.push_back("block = " + std::to_string(getBlockRows()) + "x" +
                         std::to_string(getBlockColumns()));
  if (hasGlobalScale()) {
    if (getGranularity() != GlobalScaleGranularity::Tensor)
      parameters.push_back("global = " +
                           std::string(stringifyGranularity(getGranularity())));
    if (getConvention() != GlobalScaleConvention::Amax)
      parameters.push_back("convention = " +
                           std::string(stringifyConvention(getConvention())));
    if (getBound() != static_cast<int64_t>(row->scaleBound))
      parameters.push_back("bound = " + std::to_string(getBound()));
  }
  if (!parameters.empty())
    printer << "<" << llvm::join(parameters, ", ") << ">";
}

Attribute FormatAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<FormatAttr> format = parseBody(parser);
  if (failed(format) || parser.parseGreater())
    return {};
  return *format;
}

void FormatAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printBody(printer);
  printer << ">";
}

//===----------------------------------------------------------------------===//
// PrecisionAttr
//===----------------------------------------------------------------------===//

StringRef PrecisionAttr::getFormatName() const {
  StringRef name = getKind();
  name.consume_back(kWeightOnlySuffix);
  return findFormat(toStringView(name)) ? name : StringRef();
}

bool PrecisionAttr::isKnownKind(StringRef kind) {
  if (kind == "bf16" || kind == "f32" || kind == "keep")
    return true;
  kind.consume_back(kWeightOnlySuffix);
  return findFormat(toStringView(kind)) != nullptr;
}

SmallVector<std::string> PrecisionAttr::getKnownKinds() {
  SmallVector<std::string> kinds;
  for (const std::string &name : getFormatNames()) {
    kinds.push_back(name);
    kinds.push_back(name + kWeightOnlySuffix.str());
  }
  kinds.append({"bf16", "f32", "keep"});
  return kinds;
}

LogicalResult
PrecisionAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      StringRef kind, ActivationScale activationScale,
                      StringRef staticTensor) {
  if (!isKnownKind(kind))
    return emitError() << "expected a precision ("
                       << llvm::join(getKnownKinds(), ", ") << "), but got '"
                       << kind << "'";
  if ((activationScale == ActivationScale::Static) == staticTensor.empty())
    return emitError() << "expected the name of a tensor exactly if the "
                          "activation's global scale is static";
  return success();
}

/// `<` kind (`,` `activations` `=` (`dynamic<row>` | `dynamic<tensor>` |
/// `static<"name">`))? `>`
Attribute PrecisionAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef kind, source;
  auto scale = ActivationScale::DynamicRow;
  std::string tensor;
  if (parser.parseLess() || parser.parseKeyword(&kind))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    if (parser.parseKeyword("activations") || parser.parseEqual())
      return {};
    SMLoc sourceLoc = parser.getCurrentLocation();
    if (parser.parseKeyword(&source) || parser.parseLess())
      return {};
    if (source == "static") {
      scale = ActivationScale::Static;
      if (parser.parseString(&tensor))
        return {};
    } else if (source == "dynamic") {
      SMLoc keyLoc = parser.getCurrentLocation();
      StringRef key;
      if (parser.parseKeyword(&key))
        return {};
      if (key != "row" && key != "tensor") {
        parser.emitError(keyLoc)
            << "expected row or tensor, but got '" << key << "'";
        return {};
      }
      scale = key == "row" ? ActivationScale::DynamicRow
                           : ActivationScale::DynamicTensor;
    } else {
      parser.emitError(sourceLoc)
          << "expected dynamic<row>, dynamic<tensor> or static<\"name\">";
      return {};
    }
    if (parser.parseGreater())
      return {};
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    kind, scale, tensor);
}

void PrecisionAttr::print(AsmPrinter &printer) const {
  printer << "<" << getKind();
  switch (getActivationScale()) {
  case ActivationScale::DynamicRow:
    break;
  case ActivationScale::DynamicTensor:
    printer << ", activations = dynamic<tensor>";
    break;
  case ActivationScale::Static:
    printer << ", activations = static<";
    printer.printString(getStaticTensor());
    printer << ">";
    break;
  }
  printer << ">";
}

//===----------------------------------------------------------------------===//
// KernelAttr
//===----------------------------------------------------------------------===//

/// `hasOthers`: options that no attention has.
static LogicalResult
verifyAttention(function_ref<InFlightDiagnostic()> emitError, int64_t threads,
                ArrayRef<int64_t> tile, ArrayRef<int64_t> warps,
                bool hasOthers) {
  // Every chip with clusters runs eight CTAs.
  constexpr int64_t kMostCtas = 8;
  bool isTile = tile.size() == 2 && tile[0] >= 1 && tile[1] >= 1;
  if (warps.empty()) {
    if (!isTile || tile[0] > kMostCtas || hasOthers)
      return emitError() << "expected up to " << kMostCtas
                         << " CTAs x keys as 'tile' of an attention, and only "
                            "'threads' besides, but got "
                         << tile.size() << " extents: [" << tile << "]";
    return success();
  }
  if (!isTile || warps.size() != 3 || warps[0] < 1 || warps[1] != 1 ||
      warps[2] != 1 || threads != 32 * warps[0] || hasOthers)
    return emitError() << "expected rows x keys as 'tile' of an attention with "
                          "'warps', n x 1 x 1 of these, and 32 'threads' for "
                          "each, but got "
                       << tile.size() << " extents: [" << tile << "], ["
                       << warps << "] and " << threads << " threads";
  return success();
}

LogicalResult KernelAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 KernelSchedule schedule, int64_t threads,
                                 ArrayRef<int64_t> tile,
                                 ArrayRef<int64_t> warps, int64_t stages,
                                 bool swapped, int64_t maxRows,
                                 int64_t clusters) {
  if (threads <= 0 || threads > 1024 || threads % 32)
    return emitError() << "expected a multiple of 32 up to 1024 as 'threads', "
                          "but got "
                       << threads;
  if (stages < 1 || maxRows < 0)
    return emitError() << "expected positive 'stages' and 'max_rows', but got "
                       << stages << " and " << maxRows;
  bool isProduct =
      schedule == KernelSchedule::Matmul || schedule == KernelSchedule::Stream;
  // A pair, or CTAs that share K: every chip with clusters runs eight.
  bool isClusteredMatmul =
      schedule == KernelSchedule::Matmul && clusters <= (swapped ? 8 : 2);
  if (clusters < 1 || (clusters != 1 && !isClusteredMatmul &&
                       schedule != KernelSchedule::Stream))
    return emitError() << "expected 'clusters' of a stream, and 1 or more, or "
                          "2 of a matmul and up to 8 of a swapped one, but got "
                       << clusters << " and schedule "
                       << stringifyKernelSchedule(schedule);
  if (schedule == KernelSchedule::Attention)
    return verifyAttention(emitError, threads, tile, warps,
                           swapped || stages != 1 || maxRows != 0);
  if (!isProduct) {
    if (!tile.empty() || !warps.empty() || swapped || stages != 1)
      return emitError() << "expected 'tile', 'warps', 'stages' and 'swapped' "
                            "of a matmul or a stream only, but got schedule "
                         << stringifyKernelSchedule(schedule);
    return success();
  }
  if (tile.size() != 3 || warps.size() != 3 ||
      llvm::any_of(llvm::concat<const int64_t>(tile, warps),
                   [](int64_t extent) { return extent <= 0; }))
    return emitError() << "expected three positive extents as 'tile' and as "
                          "'warps' of a matmul or a stream";
  if (schedule == KernelSchedule::Stream)
    return success();
  int64_t workers = 32 * warps[0] * warps[1] * warps[2];
  if (threads != workers && threads != workers + 128 &&
      threads != workers + 128 + 32)
    return emitError()
           << "expected 32 threads for each of "
           << warps[0] * warps[1] * warps[2]
           << " warps, 128 more if a warpgroup copies for them, and "
              "32 more if a warp multiplies for them, but got "
           << threads;
  return success();
}

} // namespace nvfp4

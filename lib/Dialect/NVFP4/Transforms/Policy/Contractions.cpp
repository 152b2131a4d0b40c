//===- Contractions.cpp - Contractions, convolutions, gathers -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Classifies one op at a time by what its operands are, and turns the loops of
// a contraction into batch, M, N and K, seen from its weight.
//
// Expects: linalg on tensors. Changes nothing.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"
#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

// In the order of the enum.
static constexpr llvm::StringLiteral kSiteClassWords[] = {
    "linear",         "head", "expert",   "attention",
    "weight_product", "conv", "embedding"};

StringRef stringifySiteClass(SiteClass siteClass) {
  return kSiteClassWords[static_cast<unsigned>(siteClass)];
}

std::optional<SiteClass> symbolizeSiteClass(StringRef word) {
  const auto *it = llvm::find(kSiteClassWords, word);
  if (it == std::end(kSiteClassWords))
    return std::nullopt;
  return static_cast<SiteClass>(it - std::begin(kSiteClassWords));
}

ArrayRef<llvm::StringLiteral> getSiteClassWords() { return kSiteClassWords; }

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

Value ContractionInfo::getA() const {
  return linalg::LinalgOp(op).getDpsInputOperand(aIndex)->get();
}
Value ContractionInfo::getB() const {
  return linalg::LinalgOp(op).getDpsInputOperand(bIndex)->get();
}
Value ContractionInfo::getInit() const {
  return linalg::LinalgOp(op).getDpsInitOperand(0)->get();
}

int64_t ContractionInfo::getExtent(ArrayRef<unsigned> loops) const {
  int64_t product = 1;
  for (unsigned loop : loops) {
    if (ShapedType::isDynamic(extents[loop]))
      return ShapedType::kDynamic;
    product *= extents[loop];
  }
  return product;
}

bool ContractionInfo::startsFromZero() const {
  Value init = getInit();
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getInputs().front();
  return matchPattern(init, m_AnyZeroFloat()) || matchPattern(init, m_Zero());
}

/// The dimension of the weight's value that `loop` walks along, if it does.
static std::optional<unsigned> getWeightDim(const ContractionInfo &info,
                                            unsigned loop) {
  linalg::LinalgOp op = info.op;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(info.bIndex));
  return map.getResultPosition(getAffineDimExpr(loop, op.getContext()));
}

/// Whether the weight's elements do not change along `loop`.
static bool isWeightBroadcastAlong(const ContractionInfo &info, unsigned loop) {
  std::optional<unsigned> dim = getWeightDim(info, loop);
  return !dim || info.weight->broadcast[*dim];
}

/// Decides which operand is B and what class results.
static void assignOperands(ContractionInfo &info) {
  std::optional<WeightView> lhs = traceWeight(info.getA());
  std::optional<WeightView> rhs = traceWeight(info.getB());
  if (lhs && rhs) {
    info.siteClass = SiteClass::WeightProduct;
    info.weight = std::move(rhs);
    return;
  }
  if (!lhs && !rhs) {
    info.siteClass = SiteClass::Attention;
    return;
  }
  info.siteClass = SiteClass::Linear;
  info.weight = lhs ? std::move(lhs) : std::move(rhs);
  if (info.weight->value == info.getA()) {
    std::swap(info.aIndex, info.bIndex);
    std::swap(info.m, info.n);
  }
}

/// Loops over the batch in which one weight serves all are rows of M; what
/// remains of the batch has a weight matrix per index.
static void splitBatch(ContractionInfo &info) {
  SmallVector<unsigned, 2> batch;
  for (unsigned loop : info.batch)
    (isWeightBroadcastAlong(info, loop) ? info.m : batch).push_back(loop);
  llvm::sort(info.m);
  info.batch = std::move(batch);
  if (!info.batch.empty())
    info.siteClass = SiteClass::Expert;
}

std::optional<ContractionInfo> analyzeContraction(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || op->getNumResults() != 1 ||
      !linalg::isaContractionOpInterface(linalgOp))
    return std::nullopt;
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(linalgOp);
  if (failed(dims) || dims->k.empty())
    return std::nullopt;
  if (isa<linalg::GenericOp>(op) && dims->m.empty() && dims->n.empty())
    return std::nullopt;

  ContractionInfo info;
  info.op = linalgOp;
  info.batch = dims->batch;
  info.m = dims->m;
  info.n = dims->n;
  info.k = dims->k;
  info.extents = linalgOp.getStaticLoopRanges();
  for (unsigned loop = 0, e = linalgOp.getNumLoops(); loop < e; ++loop)
    if (!llvm::is_contained(info.batch, loop) &&
        !llvm::is_contained(info.m, loop) &&
        !llvm::is_contained(info.n, loop) && !llvm::is_contained(info.k, loop))
      info.other.push_back(loop);
  assignOperands(info);
  if (info.siteClass == SiteClass::Linear)
    splitBatch(info);
  return info;
}

//===----------------------------------------------------------------------===//
// What fits
//===----------------------------------------------------------------------===//

static bool isQuantizable(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isF32() || element.isBF16() || element.isF16();
}

/// The first type of an operand or result that is not f32, bf16 or f16.
static Type findForeignType(Operation *op) {
  for (Value value : op->getOperands())
    if (!isQuantizable(value.getType()))
      return getElementTypeOrSelf(value.getType());
  for (Value value : op->getResults())
    if (!isQuantizable(value.getType()))
      return getElementTypeOrSelf(value.getType());
  return {};
}

static std::string typeClause(Type type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "expected f32, bf16 or f16 elements, but got " << type;
  return text;
}

/// A convolution stays the op that it is, and so do its types.
static std::optional<std::string> whyNotRoundedInPlace(linalg::LinalgOp op) {
  auto typeOf = [](Value value) {
    return getElementTypeOrSelf(value.getType());
  };
  bool fits = typeOf(op.getDpsInits().front()).isF32() &&
              llvm::all_of(op.getDpsInputs(), [&](Value input) {
                return typeOf(input).isF32() || typeOf(input).isBF16();
              });
  if (fits)
    return std::nullopt;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "expected a convolution of f32 or bf16 with sums of f32, but got ";
  llvm::interleaveComma(op->getOperands(), os,
                        [&](Value value) { os << typeOf(value); });
  return text;
}

std::optional<std::string> whyNotBF16(Operation *op) {
  if (Type foreign = findForeignType(op))
    return typeClause(foreign);
  if (isConvolution(op))
    return whyNotRoundedInPlace(cast<linalg::LinalgOp>(op));
  return std::nullopt;
}

/// Checks the loops of a contraction with a weight, apart from the value of K.
static std::optional<std::string>
whyLoopsDoNotFit(const ContractionInfo &info) {
  if (info.n.empty() || info.m.empty())
    return std::string("a product with a vector has no ") +
           (info.n.empty() ? "N" : "M");
  if (!info.other.empty())
    return "one operand is summed over a dimension of its own";
  if (info.n.size() != 1 || info.k.size() != 1 || info.batch.size() > 1)
    return llvm::formatv("expected a weight of one N, one K and at most one "
                         "batch dimension, but got {0}, {1} and {2}",
                         info.n.size(), info.k.size(), info.batch.size())
        .str();
  for (auto [name, loop] :
       {std::pair<StringRef, unsigned>{"N", info.n[0]}, {"K", info.k[0]}}) {
    if (ShapedType::isDynamic(info.extents[loop]))
      return (name + " is dynamic").str();
    if (info.extents[loop] != 1 && isWeightBroadcastAlong(info, loop))
      return ("the weight is broadcast along " + name).str();
  }
  if (!info.batch.empty() && ShapedType::isDynamic(info.getBatch()))
    return "the number of weight matrices is dynamic";
  return std::nullopt;
}

std::optional<std::string> whyNotBlockScaled(const ContractionInfo &info) {
  if (info.siteClass == SiteClass::Attention)
    return "neither operand is a weight";
  if (info.siteClass == SiteClass::WeightProduct)
    return "both operands are weights";
  linalg::LinalgOp op = info.op;
  if (Type foreign = findForeignType(op))
    return typeClause(foreign);
  for (BlockArgument weight : info.weight->weights)
    if (!isQuantizable(weight.getType()))
      return typeClause(getElementTypeOrSelf(weight.getType()));
  if (std::optional<std::string> reason = whyLoopsDoNotFit(info))
    return reason;
  // Formats with blocks of 32 take 16 too: their last block is then half full.
  if (info.getK() % 16 != 0)
    return llvm::formatv("K = {0} is not a multiple of 16", info.getK()).str();
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Convolutions and embeddings
//===----------------------------------------------------------------------===//

bool isConvolution(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() < 2 || op->getNumResults() != 1 ||
      !linalg::isaConvolutionOpInterface(linalgOp))
    return false;
  // Pooling has the same loops; what it lacks is the product.
  return llvm::any_of(linalgOp.getBlock()->getOperations(),
                      [](Operation &inner) {
                        return isa<arith::MulFOp, arith::MulIOp>(inner);
                      });
}

/// Whether an index inside the body of a linalg op comes from data, not only
/// from the loops.
static bool isComputedFromData(Value index, Block *body) {
  SmallVector<Value> worklist{index};
  llvm::SmallPtrSet<Operation *, 8> seen;
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (argument.getOwner() == body)
        return true;
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (op->getBlock() != body || !seen.insert(op).second)
      continue;
    if (isa<tensor::ExtractOp>(op))
      return true;
    llvm::append_range(worklist, op->getOperands());
  }
  return false;
}

std::optional<WeightView> analyzeEmbedding(Operation *op) {
  auto asTable = [](Value source) -> std::optional<WeightView> {
    std::optional<WeightView> view = traceWeight(source);
    if (!view || !isa<FloatType>(getElementTypeOrSelf(source.getType())))
      return std::nullopt;
    return view;
  };
  if (auto gather = dyn_cast<tensor::GatherOp>(op))
    return asTable(gather.getSource());
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp)
    return std::nullopt;
  Block *body = linalgOp.getBlock();
  for (auto extract : body->getOps<tensor::ExtractOp>()) {
    bool fromData = llvm::any_of(extract.getIndices(), [&](Value index) {
      return isComputedFromData(index, body);
    });
    if (!fromData)
      continue;
    if (std::optional<WeightView> view = asTable(extract.getTensor()))
      return view;
  }
  return std::nullopt;
}

} // namespace nvfp4

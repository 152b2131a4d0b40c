//===- FloatMatmul.cpp - Contractions of bf16 and f16 ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The result's last two dimensions are M and N, all others the batch; the
// operand that has M is A. So any order of operands and dimensions is one case,
// and an operand without a batch dimension is broadcast along it.
//
// Two decoded operands are such a product, too, and their global scales are
// applied to its sums.
//
// Expects: a linalg contraction with one K and f32 sums, or a scaled matmul of
//          decoded operands.
// Leaves:  the body as it was.
//
//===----------------------------------------------------------------------===//

#include "FloatMatmul.h"

#include "Arithmetic.h"
#include "GlobalScales.h"
#include "StageFiller.h"
#include "WgmmaAtom.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

/// The loop that walks along a dimension, if it is one.
static std::optional<unsigned> getLoop(AffineMap map, unsigned dim) {
  auto loop = dyn_cast<AffineDimExpr>(map.getResult(dim));
  return loop ? std::optional(loop.getPosition()) : std::nullopt;
}

/// `operand` by the roles of the loops: `m` its rows, then K and the batch.
static FailureOr<FloatOperand> getOperand(linalg::LinalgOp op,
                                          OpOperand &operand, unsigned row,
                                          unsigned k,
                                          ArrayRef<unsigned> batch) {
  FloatOperand result;
  result.tensor = operand.get();
  AffineMap map = op.getMatchingIndexingMap(&operand);
  using Role = FloatOperand::Role;
  for (unsigned dim = 0; dim < map.getNumResults(); ++dim) {
    std::optional<unsigned> loop = getLoop(map, dim);
    const unsigned *place = loop ? llvm::find(batch, *loop) : batch.end();
    if (loop == row)
      result.dims.push_back({Role::Row});
    else if (loop == k)
      result.dims.push_back({Role::K});
    else if (place != batch.end())
      result.dims.push_back(
          {Role::Batch, static_cast<unsigned>(place - batch.begin())});
    else
      return op.emitError("expected operands with dimensions of the result and "
                          "one of K, but got ")
             << AffineMapAttr::get(map);
  }
  for (Role role : {Role::Row, Role::K})
    if (result.getDim(role) == result.dims.size())
      return op.emitError("expected operands with rows and K, but got ")
             << AffineMapAttr::get(map);
  if (result.dims.back().role == Role::Batch)
    return op.emitError("expected rows or K as the last dimension of an "
                        "operand, but got ")
           << AffineMapAttr::get(map);
  return result;
}

static bool isZeroFill(Value init) {
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getInputs().front();
  return matchPattern(init, m_AnyZeroFloat());
}

/// The one loop that reduces.
static FailureOr<unsigned> getReduction(linalg::LinalgOp op) {
  SmallVector<unsigned> loops;
  op.getReductionDims(loops);
  if (loops.size() != 1)
    return op.emitError("expected one dimension of K, but got ")
           << loops.size();
  return loops.front();
}

FailureOr<FloatProduct> analyzeFloatProduct(linalg::LinalgOp op) {
  if (!linalg::isaContractionOpInterface(op) || op.getNumDpsInputs() != 2)
    return op.emitError("expected a sum of products of two operands, but got ")
           << op->getName();
  FloatProduct product;
  product.op = op;
  OpOperand *lhs = op.getDpsInputOperand(0), *rhs = op.getDpsInputOperand(1);
  product.element = getElementTypeOrSelf(lhs->get().getType());
  Type other = getElementTypeOrSelf(rhs->get().getType());
  Type sum = getElementTypeOrSelf(op->getResult(0).getType());
  if (product.element != other ||
      !(product.element.isBF16() || product.element.isF16()) || !sum.isF32())
    return op.emitError("expected two operands of bf16 or of f16 and sums of "
                        "f32, but got ")
           << product.element << ", " << other << " and " << sum;

  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  FailureOr<unsigned> k = getReduction(op);
  if (failed(k))
    return failure();
  SmallVector<unsigned> loops;
  for (unsigned dim = 0; dim < map.getNumResults(); ++dim) {
    if (std::optional<unsigned> loop = getLoop(map, dim))
      loops.push_back(*loop);
  }
  if (loops.size() != map.getNumResults() || loops.size() < 2)
    return op.emitError("expected a result of rows and columns, but got ")
           << AffineMapAttr::get(map);
  unsigned n = loops.pop_back_val(), m = loops.pop_back_val();
  AffineExpr rows = getAffineDimExpr(m, op.getContext());
  if (!op.getMatchingIndexingMap(lhs).getResultPosition(rows))
    std::swap(lhs, rhs);
  FailureOr<FloatOperand> left = getOperand(op, *lhs, m, *k, loops);
  FailureOr<FloatOperand> right = getOperand(op, *rhs, n, *k, loops);
  if (failed(left) || failed(right))
    return failure();
  product.lhs = *left;
  product.rhs = *right;
  product.hasInit = !isZeroFill(op.getDpsInitOperand(0)->get());
  return product;
}

FloatOperand getRowsOfK(Value tensor) {
  FloatOperand operand;
  operand.tensor = tensor;
  unsigned rank = cast<ShapedType>(tensor.getType()).getRank();
  for (unsigned dim = 0; dim + 2 < rank; ++dim)
    operand.dims.push_back({FloatOperand::Role::Batch, dim});
  operand.dims.push_back({FloatOperand::Role::Row});
  operand.dims.push_back({FloatOperand::Role::K});
  return operand;
}

//===----------------------------------------------------------------------===//
// Extents on the host
//===----------------------------------------------------------------------===//

/// The operand of a linalg op, and its dimension, along which the loop of a
/// result's dimension walks.
static std::pair<Value, unsigned> getSource(linalg::LinalgOp op,
                                            OpResult result, unsigned dim) {
  AffineExpr loop = op.getIndexingMapMatchingResult(result).getResult(dim);
  for (OpOperand *input : op.getDpsInputOperands())
    if (isa<ShapedType>(input->get().getType()))
      if (std::optional<unsigned> position =
              op.getMatchingIndexingMap(input).getResultPosition(loop))
        return {input->get(), *position};
  return {};
}

FailureOr<AffineExpr> getExtentExpr(KernelBuilder &kernel, Value tensor,
                                    unsigned dim) {
  auto type = cast<ShapedType>(tensor.getType());
  ImplicitLocOpBuilder &b = kernel.getBuilder();
  if (!type.isDynamicDim(dim))
    return b.getAffineConstantExpr(type.getDimSize(dim));
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return kernel.getExtentExpr(argument, dim);
  Operation *op = tensor.getDefiningOp();
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    auto [source, position] = getSource(linalgOp, cast<OpResult>(tensor), dim);
    if (source)
      return getExtentExpr(kernel, source, position);
  } else if (isa<tensor::CastOp>(op)) {
    return getExtentExpr(kernel, op->getOperand(0), dim);
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    AffineExpr product = b.getAffineConstantExpr(1);
    for (int64_t part : collapse.getReassociationIndices()[dim]) {
      FailureOr<AffineExpr> extent =
          getExtentExpr(kernel, collapse.getSrc(), part);
      if (failed(extent))
        return failure();
      product = product * *extent;
    }
    return product;
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    int64_t group = expand.getCorrespondingSourceDim(dim);
    int64_t others = 1;
    for (int64_t part : expand.getReassociationIndices()[group])
      if (part != dim)
        others *= type.getDimSize(part);
    FailureOr<AffineExpr> extent =
        getExtentExpr(kernel, expand.getSrc(), group);
    if (succeeded(extent) && others > 0)
      return extent->floorDiv(others);
  }
  return op->emitError("expected extents that follow from the arguments', but "
                       "got dimension ")
         << dim << " of " << type;
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

namespace {

/// Sums are the elements; an init is added to them.
class FloatFinish final : public ProductFinish {
public:
  FloatFinish(ElementEvaluator &evaluator, Value init)
      : evaluator(evaluator), init(init) {}

  void begin(ImplicitLocOpBuilder &b, const MatmulTile &tile) override {
    index = tile.batch;
    index.resize(index.size() + 2);
  }
  void beginRow(ImplicitLocOpBuilder &b, Value m) override {
    index[index.size() - 2] = m;
  }
  Value finish(ImplicitLocOpBuilder &b, Value sum, Value n) override {
    if (!init)
      return sum;
    index.back() = n;
    // Sums are finished in several places, none of which sees the others.
    ElementEvaluator::Scope scope(evaluator);
    FailureOr<SmallVector<Value>> start = evaluator.getRun(init, index, 1);
    if (failed(start))
      return sum;
    return arith::AddFOp::create(b, start->front(), sum);
  }

private:
  ElementEvaluator &evaluator;
  /// Null for zeros.
  Value init;
  SmallVector<Value> index;
};

} // namespace

/// The extents of a product, the batch from whichever operand has it.
static FailureOr<MatmulExtents> getExtents(FloatContext context,
                                           const FloatProduct &product) {
  using Role = FloatOperand::Role;
  MatmulExtents extents;
  bool isKnown = true;
  auto getExtent = [&](const FloatOperand &operand, unsigned dim, Value &value,
                       AffineExpr &expr) {
    FailureOr<AffineExpr> known =
        getExtentExpr(context.kernel, operand.tensor, dim);
    FailureOr<Value> extent = context.evaluator.getExtent(operand.tensor, dim);
    isKnown &= succeeded(known) && succeeded(extent);
    if (failed(known) || failed(extent))
      return;
    value = *extent;
    expr = *known;
  };
  const FloatOperand &lhs = product.lhs, &rhs = product.rhs;
  getExtent(lhs, lhs.getDim(Role::Row), extents.m, extents.mExpr);
  getExtent(rhs, rhs.getDim(Role::Row), extents.n, extents.nExpr);
  AffineExpr expr;
  getExtent(lhs, lhs.getDim(Role::K), extents.k, expr);
  extents.batch.resize(product.getBatchRank());
  extents.batchExprs.resize(product.getBatchRank());
  for (const FloatOperand *operand : {&rhs, &lhs})
    for (auto [dim, role] : llvm::enumerate(operand->dims))
      if (role.role == Role::Batch)
        getExtent(*operand, dim, extents.batch[role.batch],
                  extents.batchExprs[role.batch]);
  if (!isKnown)
    return failure();
  return extents;
}

static std::unique_ptr<MmaAtom> createAtom(const FloatProduct &product,
                                           const MatmulConfig &config) {
  OctetMap rows = getOctetsOfPlain(UnitSide::Rows, config);
  OctetMap columns = getOctetsOfPlain(UnitSide::Columns, config);
  if (!config.hasCopiers())
    return createWarpMma(product.element.isF16() ? WarpMmaKind::F16
                                                 : WarpMmaKind::BF16,
                         rows, columns);
  WgmmaForm form;
  form.isBF16 = product.element.isBF16();
  form.columns = columns.extent;
  form.steps = config.tileK / kWgmmaK;
  form.rows =
      getSharedImage(config.swapped ? product.rhs : product.lhs, config);
  form.cols =
      getSharedImage(config.swapped ? product.lhs : product.rhs, config);
  return createWgmma(form, rows, columns);
}

/// Of an operand whose image begins at byte `offset` of a stage.
static TensorImage getTensorImage(const FloatOperand &operand,
                                  const MatmulConfig &config, int64_t offset) {
  WgmmaImage image = getSharedImage(operand, config);
  return {offset, /*scales=*/0, image.isKContiguous, image.panelBytes};
}

/// `parts` has the paths.
static std::unique_ptr<TensorMemoryAtom>
createTensorAtom(const FloatProduct &product, const MatmulConfig &config,
                 const MatmulParts &parts) {
  TensorForm form;
  form.kind =
      product.element.isBF16() ? TensorMmaKind::BF16 : TensorMmaKind::F16;
  form.columns = config.getExtent(UnitSide::Columns);
  form.isPair = config.isPair();
  form.rows =
      getTensorImage(config.swapped ? product.rhs : product.lhs, config, 0);
  form.cols = getTensorImage(config.swapped ? product.lhs : product.rhs, config,
                             getColumnsOffset(config, parts));
  return std::make_unique<TensorMemoryAtom>(form);
}

FailureOr<MatmulParts> getFloatParts(FloatContext context,
                                     const FloatProduct &product,
                                     const MatmulConfig &config) {
  FailureOr<MatmulExtents> extents = getExtents(context, product);
  if (failed(extents))
    return failure();
  MatmulParts parts;
  parts.extents = *extents;
  FragmentOrder order =
      config.hasCopiers() ? FragmentOrder::Shared : FragmentOrder::Natural;
  parts.stepK = getStepK(order);
  UnitSide lhsSide = config.swapped ? UnitSide::Columns : UnitSide::Rows;
  UnitSide rhsSide = config.swapped ? UnitSide::Rows : UnitSide::Columns;
  parts.lhs = createFloatPath(context, lhsSide, config, product.lhs,
                              product.element, order, parts.extents.batch);
  parts.rhs = createFloatPath(context, rhsSide, config, product.rhs,
                              product.element, order, parts.extents.batch);
  // Paths leave out the dimensions that they do not have.
  parts.rhsIsBatched = !parts.extents.batch.empty();
  if (config.hasIssuer())
    parts.tensorAtom = createTensorAtom(product, config, parts);
  else
    parts.atom = createAtom(product, config);
  parts.finish = std::make_unique<FloatFinish>(
      context.evaluator,
      product.hasInit ? linalg::LinalgOp(product.op).getDpsInitOperand(0)->get()
                      : Value());
  return parts;
}

FailureOr<KernelVariant> composeFloatMatmul(
    const KernelRequest &request, const MatmulConfig &config, Value result,
    function_ref<FailureOr<MatmulParts>(FloatContext)> getParts) {
  FailureOr<Epilogue> epilogue = Epilogue::get(request.body, result, config);
  if (failed(epilogue))
    return failure();
  KernelBuilder kernel(request);
  ElementEvaluator evaluator(kernel);
  FailureOr<MatmulParts> parts = getParts({kernel, evaluator});
  FailureOr<KernelVariant> variant;
  if (succeeded(parts) && config.hasIssuer())
    variant = composeTensorMatmul(kernel, request.chip, config, *epilogue,
                                  *parts, evaluator);
  else if (succeeded(parts))
    variant = config.hasCopiers()
                  ? composeWarpgroupMatmul(kernel, request.chip, config,
                                           *epilogue, *parts, evaluator)
                  : composeMatmul(kernel, config, *epilogue, *parts);
  if (failed(variant))
    kernel.getFunction().erase();
  return variant;
}

/// The kernel of `product`, whose sums become results as `finish` says: null,
/// as they are.
static FailureOr<KernelVariant>
generate(const KernelRequest &request, const FloatProduct &product,
         function_ref<std::unique_ptr<ProductFinish>(KernelBuilder &)> finish) {
  FailureOr<MatmulConfig> config = MatmulConfig::get(
      product.op, request.attr, getStepK(FragmentOrder::Natural));
  if (failed(config))
    return failure();
  return composeFloatMatmul(
      request, *config, product.getResult(), [&](FloatContext context) {
        FailureOr<MatmulParts> parts = getFloatParts(context, product, *config);
        if (succeeded(parts) && finish)
          parts->finish = finish(context.kernel);
        return parts;
      });
}

FailureOr<KernelVariant> generateFloatMatmul(const KernelRequest &request,
                                             linalg::LinalgOp root) {
  FailureOr<FloatProduct> product = analyzeFloatProduct(root);
  if (failed(product))
    return failure();
  return generate(request, *product, nullptr);
}

FailureOr<KernelVariant> generateDecodedMatmul(const KernelRequest &request,
                                               ScaledMatmulOp root) {
  FloatProduct product;
  product.op = root;
  product.element = BFloat16Type::get(root.getContext());
  product.lhs = getRowsOfK(root.getLhsComponents().front());
  product.rhs = getRowsOfK(root.getRhsComponents().front());
  return generate(request, product, [&](KernelBuilder &kernel) {
    return createGlobalScales(kernel, root);
  });
}

} // namespace nvfp4

//===- ExpandMath.cpp - No mathematics library, no trapping division ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Replaces every op that LLVM would turn into a call of the mathematics library
// by arithmetic (F32Math, F64Math), and guards integer divisions, which kill
// the process on x86 when the divisor is zero.
//
// Expects: f32 or f64 functions; narrower types are extended first
//          (`math-extend-to-supported-types`).
// Leaves:  of `math`, only what LLVM has instructions for.
//
//===----------------------------------------------------------------------===//

#include "F32Math.h"
#include "F64Math.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace nvfp4 {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {
/// Replaces a function of one or two floats by its F64Math counterpart; f32
/// operands are extended, and the result is rounded once.
template <typename OpTy, auto Method>
struct ExpandFunction final : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    Type element = getElementTypeOrSelf(type);
    if (!element.isF32() && !element.isF64())
      return rewriter.notifyMatchFailure(op, "expected f32 or f64");
    Type wide = rewriter.getF64Type();
    if (auto shaped = dyn_cast<ShapedType>(type))
      wide = shaped.clone(wide);

    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    F64Math math(builder, wide, /*isPrecise=*/element.isF64());
    SmallVector<Value> operands(op->getOperands());
    if (element.isF32())
      for (Value &operand : operands)
        operand = arith::ExtFOp::create(builder, wide, operand);
    Value result;
    if constexpr (std::is_invocable_v<decltype(Method), F64Math &, Value>)
      result = (math.*Method)(operands[0]);
    else
      result = (math.*Method)(operands[0], operands[1]);
    if (element.isF32())
      result = arith::TruncFOp::create(builder, type, result);
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Replaces a frequent function of an f32 by its F32Math counterpart.
template <typename OpTy, auto Method>
struct ExpandF32Function final : OpRewritePattern<OpTy> {
  ExpandF32Function(MLIRContext *context, bool isOnGPU)
      : OpRewritePattern<OpTy>(context, /*benefit=*/2), isOnGPU(isOnGPU) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "expected f32");
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    F32Math math(builder, op.getType(), isOnGPU);
    rewriter.replaceOp(op, (math.*Method)(op.getOperand()));
    return success();
  }

private:
  bool isOnGPU;
};

/// 1 / sqrt(x) in the type of x: two correctly rounded steps.
struct ExpandRsqrt final : OpRewritePattern<math::RsqrtOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::RsqrtOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    TypedAttr one = FloatAttr::get(getElementTypeOrSelf(op.getType()), 1.0);
    if (auto shaped = dyn_cast<ShapedType>(op.getType()))
      one = DenseElementsAttr::get(shaped, one);
    Value numerator = arith::ConstantOp::create(rewriter, loc, one);
    Value root = math::SqrtOp::create(rewriter, loc, op.getOperand());
    rewriter.replaceOpWithNewOp<arith::DivFOp>(op, numerator, root);
    return success();
  }
};

/// Computes a fused multiply-add of a narrow type in f32: processors without
/// one for that type would round twice, or call a library.
struct ExtendFma final : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (getElementTypeOrSelf(type).getIntOrFloatBitWidth() >= 32)
      return rewriter.notifyMatchFailure(op, "expected f16 or bf16");
    Type wide = rewriter.getF32Type();
    if (auto shaped = dyn_cast<ShapedType>(type))
      wide = shaped.clone(wide);
    SmallVector<Value, 3> operands;
    for (Value operand : op->getOperands())
      operands.push_back(
          arith::ExtFOp::create(rewriter, op.getLoc(), wide, operand));
    Value sum = math::FmaOp::create(rewriter, op.getLoc(), operands[0],
                                    operands[1], operands[2]);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, sum);
    return success();
  }
};

/// Splits a combined sine and cosine, each of which is then expanded.
struct SplitSincos final : OpRewritePattern<math::SincosOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::SincosOp op,
                                PatternRewriter &rewriter) const override {
    Value sin = math::SinOp::create(rewriter, op.getLoc(), op.getOperand());
    Value cos = math::CosOp::create(rewriter, op.getLoc(), op.getOperand());
    rewriter.replaceOp(op, {sin, cos});
    return success();
  }
};
} // namespace

static void populateFunctionPatterns(RewritePatternSet &patterns,
                                     bool isOnGPU) {
  patterns.add<ExpandF32Function<math::ExpOp, &F32Math::exp>,
               ExpandF32Function<math::TanhOp, &F32Math::tanh>,
               ExpandF32Function<math::ErfOp, &F32Math::erf>>(
      patterns.getContext(), isOnGPU);
  patterns.add<ExpandFunction<math::ExpOp, &F64Math::exp>,
               ExpandFunction<math::Exp2Op, &F64Math::exp2>,
               ExpandFunction<math::ExpM1Op, &F64Math::expm1>,
               ExpandFunction<math::LogOp, &F64Math::log>,
               ExpandFunction<math::Log2Op, &F64Math::log2>,
               ExpandFunction<math::Log10Op, &F64Math::log10>,
               ExpandFunction<math::Log1pOp, &F64Math::log1p>,
               ExpandFunction<math::PowFOp, &F64Math::pow>,
               ExpandFunction<math::CbrtOp, &F64Math::cbrt>,
               ExpandFunction<math::SinOp, &F64Math::sin>,
               ExpandFunction<math::CosOp, &F64Math::cos>,
               ExpandFunction<math::TanOp, &F64Math::tan>,
               ExpandFunction<math::AsinOp, &F64Math::asin>,
               ExpandFunction<math::AcosOp, &F64Math::acos>,
               ExpandFunction<math::AtanOp, &F64Math::atan>,
               ExpandFunction<math::Atan2Op, &F64Math::atan2>,
               ExpandFunction<math::SinhOp, &F64Math::sinh>,
               ExpandFunction<math::CoshOp, &F64Math::cosh>,
               ExpandFunction<math::TanhOp, &F64Math::tanh>,
               ExpandFunction<math::AsinhOp, &F64Math::asinh>,
               ExpandFunction<math::AcoshOp, &F64Math::acosh>,
               ExpandFunction<math::AtanhOp, &F64Math::atanh>,
               ExpandFunction<math::ErfOp, &F64Math::erf>,
               ExpandFunction<math::ErfcOp, &F64Math::erfc>,
               ExpandFunction<arith::RemFOp, &F64Math::fmod>, ExtendFma,
               ExpandRsqrt, SplitSincos>(patterns.getContext());
}

//===----------------------------------------------------------------------===//
// Divisions
//===----------------------------------------------------------------------===//

/// Makes an integer division total: x / 0 = x, x % 0 = 0, and x / -1 = -x even
/// for the least integer. Tensor dialects leave these undefined; the processor
/// ends the process.
static void guardDivision(Operation *op) {
  Value divisor = op->getOperand(1);
  Type type = divisor.getType();
  APInt number;
  if (matchPattern(divisor, m_ConstantInt(&number)) && !number.isZero() &&
      !number.isAllOnes())
    return;

  ImplicitLocOpBuilder builder(op->getLoc(), op);
  auto constant = [&](int64_t value) -> Value {
    TypedAttr attr = IntegerAttr::get(getElementTypeOrSelf(type), value);
    if (auto shaped = dyn_cast<ShapedType>(type))
      attr = DenseElementsAttr::get(shaped, attr);
    return arith::ConstantOp::create(builder, attr);
  };
  auto equals = [&](int64_t value) -> Value {
    return arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, divisor,
                                 constant(value));
  };
  Value one = constant(1);
  Value safe = arith::SelectOp::create(builder, equals(0), one, divisor);
  bool isSigned = isa<arith::DivSIOp, arith::RemSIOp>(op);
  Value isMinusOne;
  if (isSigned) {
    isMinusOne = equals(-1);
    safe = arith::SelectOp::create(builder, isMinusOne, one, safe);
  }
  op->setOperand(1, safe);
  // x % -1 = x % 1 already.
  if (!isa<arith::DivSIOp>(op))
    return;
  builder.setInsertionPointAfter(op);
  Value quotient = op->getResult(0);
  Value negated =
      arith::SubIOp::create(builder, constant(0), op->getOperand(0));
  Value result =
      arith::SelectOp::create(builder, isMinusOne, negated, quotient);
  quotient.replaceUsesWithIf(result, [&](OpOperand &use) {
    return use.getOwner() != result.getDefiningOp();
  });
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Whether LLVM has an instruction, or an inline sequence, for a math op.
static bool isNative(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::CountLeadingZerosOp, math::CountTrailingZerosOp,
             math::CtPopOp, math::FloorOp, math::FmaOp, math::IsFiniteOp,
             math::IsInfOp, math::IsNaNOp, math::IsNormalOp, math::RoundEvenOp,
             math::RoundOp, math::SqrtOp, math::TruncOp>(op);
}

namespace {
class ExpandMathPass final
    : public nvfp4::impl::ExpandMathPassBase<ExpandMathPass> {
  void getDependentDialects(DialectRegistry &registry) const override {
    ExpandMathPassBase::getDependentDialects(registry);
    // Device code calls the intrinsic of an instruction.
    registry.insert<LLVM::LLVMDialect>();
  }

  void runOnOperation() override {
    // Powers with a small constant exponent become products.
    RewritePatternSet simplifications(&getContext());
    populateMathAlgebraicSimplificationPatterns(simplifications);
    math::populateExpansionPatterns(simplifications,
                                    {"ipowi", "fpowi", "clampf"});
    RewritePatternSet functions(&getContext());
    populateFunctionPatterns(functions, isa<gpu::GPUModuleOp>(getOperation()));
    if (failed(rewriteFunctions(std::move(simplifications))) ||
        failed(rewriteFunctions(std::move(functions))))
      return signalPassFailure();

    SmallVector<Operation *> divisions;
    WalkResult walk = getOperation()->walk([&](Operation *op) {
      if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(
              op))
        divisions.push_back(op);
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
          !isNative(op)) {
        op->emitError("expected a function of f32 or f64 with an expansion, "
                      "but got '")
            << op->getName() << "' of " << op->getResult(0).getType();
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return signalPassFailure();
    for (Operation *op : divisions)
      guardDivision(op);
  }

  /// Applies patterns to functions only: a driver for all ops would fold all of
  /// them too, and look for dead blocks in the body of every loop.
  LogicalResult rewriteFunctions(FrozenRewritePatternSet patterns) {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) ||
          isa<arith::RemFOp>(op))
        ops.push_back(op);
    });
    GreedyRewriteConfig config;
    config.setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
    return applyOpPatternsGreedily(ops, patterns, config);
  }
};
} // namespace

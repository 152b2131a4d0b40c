//===- Contractions.h - What is a layer, and of what shape ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognises contractions (sums of products over linalg loops), convolutions
// and embedding gathers, finds the weights behind their operands through views,
// and names them after those weights. The policy decides with it, and the
// Quantize stage obeys with it, so that both see the same M, N and K.
//
// Everything here only looks: no op is created, no attribute is written.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_CONTRACTIONS_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_CONTRACTIONS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>
#include <vector>

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Weights behind views
//===----------------------------------------------------------------------===//

/// A tensor computed from weight arguments by views and casts alone.
struct WeightView {
  /// The weight arguments that it reads: one, or several behind a concat.
  llvm::SmallVector<mlir::BlockArgument, 1> weights;
  /// The ops between the arguments and the value, producers first.
  llvm::SmallVector<mlir::Operation *, 4> views;
  /// The value itself.
  mlir::Value value;
  /// Per dimension of `value`: whether going along it visits no further
  /// elements of the weight (a broadcast, or an extent of one).
  llvm::SmallVector<bool, 4> broadcast;
  /// Per dimension of `value`: its extent, static also where a cast forgot it.
  llvm::SmallVector<int64_t, 4> extents;

  /// The first weight's name in the weights file.
  llvm::StringRef getName() const;
  /// Elements of the weights that the view reads; `ShapedType::kDynamic` if an
  /// extent of the weight itself is unknown.
  int64_t getNumElements() const;
};

/// The name in the weights file of an entry argument; empty for anything else.
llvm::StringRef getWeightName(mlir::Value value);

/// Whether `op` only moves, repeats or converts the elements of its tensor
/// operands: linalg ops that copy, transpose or broadcast (generic ones too),
/// `tensor.cast`, `expand_shape`, `collapse_shape`, `extract_slice` with static
/// offsets, sizes and strides, `concat`, and float casts (`arith` on tensors or
/// in a linalg body).
bool isWeightViewOp(mlir::Operation *op);

/// The weights behind `value`; nothing if anything but views is in between.
std::optional<WeightView> traceWeight(mlir::Value value);

/// The value that `value` is a view of, through the same ops (the first operand
/// of a concat is not followed). Two contractions that share it read the same
/// activation.
mlir::Value skipViews(mlir::Value value);

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// What a site is; the first question that a policy asks.
enum class SiteClass {
  /// One operand is a weight.
  Linear,
  /// A linear layer that computes the model's outputs: its weight is also an
  /// embedding, or the policy lists its name as a head.
  Head,
  /// A linear layer with one weight matrix per leading index.
  Expert,
  /// No operand is a weight: attention, and any other activation product.
  Attention,
  /// Both operands are weights.
  WeightProduct,
  /// A convolution.
  Convolution,
  /// A gather of a weight's rows.
  Embedding,
};

/// The word for a class in rules, attributes and reports: `linear`, `head`,
/// `expert`, `attention`, `weight_product`, `conv`, `embedding`.
llvm::StringRef stringifySiteClass(SiteClass siteClass);
std::optional<SiteClass> symbolizeSiteClass(llvm::StringRef word);
/// All words, for error messages.
llvm::ArrayRef<llvm::StringLiteral> getSiteClassWords();

/// A contraction seen as D[batch, M, N] += A[batch, M, K] * B[batch, N, K].
/// B is the weight if exactly one operand is, whichever side it is written on;
/// loops in which the weight does not vary count as M, not as batch.
struct ContractionInfo {
  mlir::linalg::LinalgOp op;
  /// Linear, Expert, Attention or WeightProduct. `Head` needs the whole module.
  SiteClass siteClass = SiteClass::Attention;
  /// Index of A and B among the op's inputs.
  unsigned aIndex = 0, bIndex = 1;
  /// The weight behind A or B (Linear, Expert; B's for WeightProduct).
  std::optional<WeightView> weight;

  /// Loops of the op by role, in loop order.
  llvm::SmallVector<unsigned, 2> batch, m, n, k;
  /// Reduction loops that only one operand has: a sum besides the contraction.
  llvm::SmallVector<unsigned, 1> other;
  /// Extent of each loop; `ShapedType::kDynamic` if unknown.
  llvm::SmallVector<int64_t, 4> extents;

  mlir::Value getA() const;
  mlir::Value getB() const;
  mlir::Value getInit() const;
  /// Product of the extents of `loops`; `ShapedType::kDynamic` if one is
  /// unknown, 1 if there is none.
  int64_t getExtent(llvm::ArrayRef<unsigned> loops) const;
  int64_t getM() const { return getExtent(m); }
  int64_t getN() const { return getExtent(n); }
  int64_t getK() const { return getExtent(k); }
  int64_t getBatch() const { return getExtent(batch); }
  /// Whether the sum starts from zeros.
  bool startsFromZero() const;
};

/// The contraction that `op` is; nothing if it is none. A generic op without M
/// and N (the sum of squares of a norm) is a reduction, not a contraction.
std::optional<ContractionInfo> analyzeContraction(mlir::Operation *op);

/// Why a contraction has no block-scaled form with blocks of 16 along K (or of
/// 32, whose last one may be half full): a clause without period. Nothing if it
/// has one, that is: exactly one operand is a weight, M and N exist, N and K
/// are one static loop each, K is a multiple of 16, there is at most one loop
/// over weight matrices, and every element type is f32, bf16 or f16.
std::optional<std::string> whyNotBlockScaled(const ContractionInfo &info);

/// Why the operands cannot be rounded to bf16; nothing if they can.
std::optional<std::string> whyNotBF16(mlir::Operation *op);

/// Whether `op` is a convolution (pooling is none).
bool isConvolution(mlir::Operation *op);

/// The weight that `op` gathers rows of by computed indices: `tensor.gather`,
/// or a linalg op with `tensor.extract` of a float weight in its body.
std::optional<WeightView> analyzeEmbedding(mlir::Operation *op);

//===----------------------------------------------------------------------===//
// Sites
//===----------------------------------------------------------------------===//

/// Where a site is in its stack of blocks: `model.layers.3.mlp.up_proj` is in
/// block 3 of the stack `model.layers`.
struct BlockPosition {
  std::string stack;
  int64_t index = 0;
  /// Blocks of the stack in the module: the largest index plus one.
  int64_t count = 0;
};

/// A contraction, convolution or embedding with its name.
struct Site {
  mlir::Operation *op = nullptr;
  SiteClass siteClass = SiteClass::Attention;
  /// The name without use index, which rules match.
  std::string name;
  /// The weight's name in the weights file; empty if there is none.
  std::string weightName;
  /// How many sites of this class kind (gathers, or all others) came before
  /// with the same name, and how many there are.
  unsigned use = 0, numUses = 1;
  std::optional<BlockPosition> block;
  /// Filled for contractions.
  std::optional<ContractionInfo> contraction;
  /// Filled for whatever reads a weight.
  std::optional<WeightView> weight;

  /// The name as written on the op: `name`, or `name#use` if used repeatedly.
  std::string getLabel() const;
};

/// All sites of a module in program order; packing functions are not looked at.
///
/// A site is named after its weight without a trailing `.weight` (several,
/// behind a concat, are joined by `+`). An activation product is named after
/// its surroundings: the common leading components of the nearest named sites
/// before and after it in the same function, if they are in the same block,
/// else the block (or the parent) of the one before, then `attention`, then a
/// running number: `model.layers.0.self_attn.attention.1`.
std::vector<Site> collectSites(mlir::ModuleOp module);

/// The layer's name from a weight's: without a trailing `.weight`.
llvm::StringRef getSiteName(llvm::StringRef weightName);

/// The block that a site's name places it in: the first component that is a
/// number and follows one that is `h` or ends in `layer`, `block` or `stage`
/// (or their plurals). `count` is left 0.
std::optional<BlockPosition> parseBlockPosition(llvm::StringRef siteName);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_CONTRACTIONS_H

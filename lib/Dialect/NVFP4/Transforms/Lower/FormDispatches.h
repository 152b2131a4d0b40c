//===- FormDispatches.h - Which ops become one kernel -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of nvfp4-form-dispatches share:
//
//   FormDispatchesRoles.cpp    what an op is, and how it reads its operands
//   FormDispatchesGroups.cpp   which groups there are, and who joins which
//   FormDispatchesRules.cpp    the rules of joining, one per kind of group
//   FormDispatchesBlocks.cpp   that of quantizations behind products
//   FormDispatchesExtents.cpp  extents as arithmetic on those of arguments
//   FormDispatchesOutline.cpp  from a group to a function and its dispatch
//   FormDispatches.cpp         the pass
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TRANSFORMS_LOWER_FORMDISPATCHES_H
#define NVFP4_LIB_TRANSFORMS_LOWER_FORMDISPATCHES_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <map>
#include <memory>
#include <optional>

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// What becomes of an op of an entry function.
enum class Role {
  /// No tensor results: stays where it is.
  Host,
  /// A reshape or a cast: stays on the host, is repeated inside kernels.
  View,
  /// An empty tensor, a fill, a constant, a comparison of positions: repeated
  /// wherever it is used.
  Free,
  /// Moves elements and computes nothing: repeated in the kernels that read it,
  /// a kernel of its own only if somebody needs the whole buffer.
  Mover,
  /// A product of block-scaled tensors, or one for which a kernel is chosen.
  Matmul,
  /// All loops parallel.
  Elementwise,
  /// A reduction along the last loop, global scales of rows, and quantization
  /// of blocks along rows.
  Row,
  /// A reduction to one element.
  FullReduction,
  /// Any other reduction.
  Reduction,
  /// Quantization of blocks that span rows.
  Block,
  /// Decodes what a quantization has just made.
  Decode,
  /// An op that no other one joins.
  Alone,
  /// Not for a kernel.
  Unknown
};

Role getRole(mlir::Operation *op);

/// The tensors that an op reads or writes: operands, and what its body uses
/// from outside.
llvm::SmallVector<mlir::Value> getTensorOperands(mlir::Operation *op);

/// The value behind views.
mlir::Value skipReshapes(mlir::Value value);

/// The loops along which `operand` of `op` has more than one element, in the
/// operand's order. Nothing if an index is no loop.
std::optional<llvm::SmallVector<unsigned>>
getLoopOrder(mlir::linalg::LinalgOp op, mlir::OpOperand &operand);
/// The loops with more than one iteration, in order.
llvm::SmallVector<unsigned> getLongLoops(mlir::linalg::LinalgOp op);

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// Expresses extents of tensors by those of the arguments of a function.
class ExtentResolver {
public:
  explicit ExtentResolver(mlir::func::FuncOp func) : func(func) {}

  /// Learns which extents of arguments are one dimension of the entry.
  mlir::LogicalResult readEntry();

  /// Extent `dim` of `tensor`, visible wherever the tensor is.
  mlir::Value get(mlir::Value tensor, int64_t dim);
  /// The dynamic ones.
  llvm::SmallVector<mlir::Value> getDynamic(mlir::Value tensor);
  /// Replaces every tensor.dim of the block.
  void replaceDims();

private:
  mlir::Value compute(mlir::Value tensor, int64_t dim);
  mlir::Value computeOfOp(mlir::Operation *op, mlir::Value tensor, int64_t dim);
  mlir::Value getValue(mlir::OpFoldResult extent);
  mlir::Value multiply(mlir::Value lhs, mlir::Value rhs);
  template <typename OpTy>
  mlir::Value combine(mlir::Value lhs, mlir::Value rhs);

  mlir::func::FuncOp func;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> known;
  std::map<std::tuple<const void *, void *, void *>, mlir::Value> combined;
  llvm::DenseMap<int64_t, mlir::Value> constants;
};

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// How a value of a row group lies on its rows.
enum class Alignment {
  /// One element per row and column.
  Full,
  /// One element per row.
  PerRow,
};

/// Ops that become one kernel.
struct Group {
  KernelSchedule schedule = KernelSchedule::Element;
  /// Groups run in this order: each reads only what earlier ones leave.
  int64_t order = 0;
  llvm::SmallVector<mlir::Operation *> ops;
  /// Of a matmul group: one product, or several of one left operand. Of an
  /// attention: the last product.
  llvm::SmallVector<mlir::Operation *, 1> roots;
  mlir::ArrayAttr kernels;
  /// Nobody joins, and nothing moves in.
  bool sealed = false;
  /// Computes functions or sums, which should not be repeated.
  bool expensive = false;
  /// Matmul: which order of a product's elements a value has, and which product
  /// that is. Each of several has an epilogue of its own.
  struct Placement {
    unsigned root, order;
    bool operator==(const Placement &other) const {
      return root == other.root && order == other.order;
    }
  };
  llvm::DenseMap<mlir::Value, Placement> placements;
  /// Row: how values lie on rows; a value that is missing is only read where
  /// an aligned one needs it.
  llvm::DenseMap<mlir::Value, Alignment> alignments;
  /// Row: how many columns there are, an index.
  mlir::Value columns;
  /// Element: the ops whose results may leave the group, all of one shape.
  llvm::SmallPtrSet<mlir::Operation *, 4> tops;
};

/// Distributes the ops of a block to groups, in program order. An op may join
/// one group only: the last of those that it reads from, because everything
/// else that it needs is then there before the group runs.
class DispatchPlan {
public:
  DispatchPlan(mlir::Block &block, ExtentResolver &extents)
      : block(block), extents(extents) {}

  mlir::LogicalResult run();

  /// In the order in which they run.
  llvm::ArrayRef<std::unique_ptr<Group>> getGroups() const { return groups; }
  Group *getGroup(mlir::Operation *op) const { return groupOf.lookup(op); }
  /// The order of the last group that `op` depends on, -1 without one.
  int64_t getOrder(mlir::Operation *op);
  int64_t getOrder(mlir::Value value);

private:
  /// Why an op does not join a group; null if it does.
  using Reason = const char *;

  // FormDispatchesGroups.cpp
  mlir::LogicalResult visit(mlir::Operation *op);
  Group &create(mlir::Operation *op, KernelSchedule schedule);
  void add(Group &group, mlir::Operation *op);
  void startElements(mlir::Operation *op);
  bool joinReader(mlir::Operation *op);
  void startRow(mlir::Operation *op);
  bool joinOtherWay(mlir::Operation *op);
  bool joinQuantization(mlir::Operation *op);
  void startMatmul(mlir::Operation *op);
  mlir::LogicalResult findAttentions();
  void startAttention(mlir::Operation *end);
  void join(mlir::Operation *op, Role role);
  Group *findLast(mlir::Operation *op);
  void materialize(mlir::Value value);
  void materializeOperands(mlir::Operation *op);
  void limitDepth(mlir::Operation *mover);
  void pushMovers(Group &group, mlir::Operation *op);
  void sinkElements();
  Group *findOnlyReader(Group &group);
  bool makesQueries(const Group &group, const Group &attention);
  void renumber();
  void remark(mlir::Operation *op, const Group &group, Reason reason);

  // FormDispatchesBlocks.cpp
  Reason quantizeMatmul(Group &group, QuantizeIntoOp op);
  bool keepsBlocks(Group &group, mlir::Value value, int64_t columns);

  // FormDispatchesRules.cpp
  Reason joinMatmul(Group &group, mlir::Operation *op);
  Reason joinRow(Group &group, mlir::Operation *op, Role role);
  Reason joinElements(Group &group, mlir::Operation *op);
  Reason becomeRow(Group &group, mlir::Operation *op);
  Reason alignLinalg(const Group &group, mlir::linalg::LinalgOp op, Role role,
                     std::optional<Alignment> &result);
  std::optional<Alignment> getAlignment(const Group &group, mlir::Value value);
  std::optional<Group::Placement> getPlacement(Group &group, mlir::Value value);
  std::optional<Group::Placement> permute(Group::Placement placement,
                                          mlir::linalg::LinalgOp op,
                                          mlir::OpOperand &operand);
  bool isOnlyReadBy(const Group &group, mlir::Value value,
                    mlir::Operation *reader);

  /// The extent of the last loop of an op on rows, or of the last dimension.
  mlir::Value getColumns(mlir::Operation *op);

  mlir::Block &block;
  ExtentResolver &extents;
  std::vector<std::unique_ptr<Group>> groups;
  llvm::DenseMap<mlir::Operation *, Group *> groupOf;
  /// Orders of ops that are in no group.
  llvm::DenseMap<mlir::Operation *, int64_t> orders;
  /// Placements that permutations of placements have.
  std::map<std::pair<unsigned, std::vector<int64_t>>, unsigned> permutations;
  /// Products by left operand and type.
  llvm::DenseMap<size_t, llvm::SmallVector<Group *, 1>> siblings;
  /// The end of the attention that an op belongs to, and all ops by the end.
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> ends;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<mlir::Operation *>>
      attentions;
  /// The last op of a group of elements that reads a tensor of its own shape.
  llvm::DenseMap<mlir::Value, mlir::Operation *> readers;
  /// The last quantization of a matrix alone, as it is and transposed.
  llvm::DenseMap<mlir::Value, mlir::Operation *> quantized, quantizedTurned;
  /// Moves of elements between a mover and the last buffer.
  llvm::DenseMap<mlir::Operation *, unsigned> depths;
};

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// The module that the functions are in.
constexpr llvm::StringLiteral kKernelsName = "kernels";

/// Makes functions of groups and calls them.
class KernelOutliner {
public:
  explicit KernelOutliner(mlir::ModuleOp module);

  mlir::LogicalResult outline(mlir::func::FuncOp func, DispatchPlan &plan,
                              ExtentResolver &extents);

  unsigned numDispatches = 0, numKernels = 0;

private:
  mlir::FailureOr<DispatchOp> dispatch(mlir::OpBuilder &builder,
                                       DispatchPlan &plan, const Group &group,
                                       ExtentResolver &extents);
  mlir::func::FuncOp insert(mlir::func::FuncOp kernel);

  mlir::ModuleOp module;
  mlir::ModuleOp kernels;
  /// Functions by their text without the name.
  llvm::StringMap<mlir::func::FuncOp> known;
  /// How many functions have a name already.
  llvm::StringMap<unsigned> names;
  /// Dispatches, and what their results stand for.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> replacements;
};

} // namespace nvfp4

#endif // NVFP4_LIB_TRANSFORMS_LOWER_FORMDISPATCHES_H

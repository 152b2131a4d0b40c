//===- Wmma.cpp - wmma.load, wmma.store and wmma.mma ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fragments of wmma are nobody's business but the program's: PTX leaves
// open which lane holds which element. Here they are the fragments of mma.sync
// for tiles of 16 (or 8) rows and 8 columns, one after the other, and a product
// is as many mma.sync. A matrix of 8 rows uses the upper half of such a tile.
// Where PTX gives a fragment more registers than it needs, they are copies.
//
// Source: PTX ISA 9.7.14.4.
//
//===----------------------------------------------------------------------===//

#include "Machine/Observe.h"
#include "MatrixQualifiers.h"
#include "MemoryQualifiers.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;

namespace {
enum class Role : uint8_t { A, B, C };

/// A product as tiles of mma.sync.
struct Tiling {
  MmaPlan tile;
  MatrixShape shape;
  int rows = 1, columns = 1;
  /// Matrices of 8 rows in tiles of 16.
  bool isHalf = false;

  int getRegistersPerTile(Role role) const {
    int count = role == Role::A   ? tile.getNumRegistersA()
                : role == Role::B ? tile.getNumRegistersB()
                                  : tile.getNumRegistersC();
    return isHalf && role != Role::B ? count / 2 : count;
  }
  int getNumTiles(Role role) const {
    return (role == Role::B ? 1 : rows) * (role == Role::A ? 1 : columns);
  }
  /// Registers that differ.
  int getNumRegisters(Role role) const {
    return getRegistersPerTile(role) * getNumTiles(role);
  }
  /// The register of the tile that register `index` of a half one is: panels
  /// of A alternate, those of C follow each other.
  int getTileRegister(Role role, int index) const {
    return isHalf && role == Role::A ? 2 * index : index;
  }
};

struct WmmaPlan final : Plan {
  Tiling tiling;
  TensorCore tensorCore = TensorCore::Blackwell;
  std::vector<OperandRef> d, a, b, c;
};

/// Consecutive bytes in memory that are consecutive in a register.
struct Piece {
  /// Byte in the register.
  uint8_t byte;
  uint8_t reg;
  /// By lane: row and column of its first element.
  MatrixPosition positions[kLanes];
};

struct WmmaAccessPlan final : Plan {
  AddressSpace space = AddressSpace::Generic;
  bool isColumnMajor = false;
  unsigned elementBits = 0;
  unsigned pieceBytes = 0;
  std::vector<Piece> pieces;
  /// By register of the fragment.
  std::vector<OperandRef> registers;
  OperandRef stride;
};
} // namespace

/// Registers of a fragment, by PTX; f16 factors have always eight.
static int getFragmentRegisters(const Tiling &tiling, Role role,
                                ElementType type) {
  bool isFactor = role != Role::C;
  return isFactor && type == ElementType::F16 ? 8
                                              : tiling.getNumRegisters(role);
}

/// What mma.sync does the work of a wmma.mma. False after an error.
static bool makeTiling(DecodeContext &context, MmaDescriptor descriptor,
                       Tiling &tiling) {
  MatrixShape shape = descriptor.shape;
  tiling.shape = shape;
  static constexpr MatrixShape kShapes[] = {
      {16, 16, 16}, {32, 8, 16}, {8, 32, 16}, {16, 16, 8},
      {8, 8, 4},    {8, 8, 32},  {8, 8, 128}};
  if (std::find(std::begin(kShapes), std::end(kShapes), shape) ==
      std::end(kShapes)) {
    context.error("expected a shape of wmma");
    return false;
  }
  bool isSmall = shape.m == 8 && shape.n == 8;
  descriptor.shape.m = isSmall ? 8 : 16;
  descriptor.shape.n = 8;
  tiling.rows = std::max(1, shape.m / descriptor.shape.m);
  tiling.columns = shape.n / 8;
  tiling.isHalf = shape.m < descriptor.shape.m;
  Result<MmaPlan> plan = MmaPlan::create(descriptor);
  if (!plan) {
    context.error(plan.getMessage());
    return false;
  }
  tiling.tile = *plan;
  return true;
}

//===----------------------------------------------------------------------===//
// wmma.mma
//===----------------------------------------------------------------------===//

namespace {
/// One operand of all tiles: where its registers are.
struct OperandData {
  Role role;
  std::vector<const void *> registers;
};
} // namespace

static void setRegister(Fragment &fragment, int index, bool isDouble,
                        const void *data) {
  if (isDouble)
    fragment.doubles[size_t(index)] = static_cast<const uint64_t *>(data);
  else
    fragment.words[size_t(index)] = static_cast<const uint32_t *>(data);
}

/// The fragment of tile `number`; registers that a half tile lacks are
/// `missing`.
static Fragment cutFragment(const Tiling &tiling, const OperandData &operand,
                            int number, const void *missing) {
  Fragment fragment;
  bool isDouble = tiling.tile.isDouble();
  int count = tiling.getRegistersPerTile(operand.role);
  for (int i = 0; i < kMaxFragmentRegisters && tiling.isHalf; ++i)
    setRegister(fragment, i, isDouble, missing);
  for (int i = 0; i < count; ++i)
    setRegister(fragment, tiling.getTileRegister(operand.role, i), isDouble,
                operand.registers[size_t(number * count + i)]);
  return fragment;
}

static OperandData getValues(const Warp &warp, Role role, size_t count,
                             const std::vector<OperandRef> &refs) {
  OperandData data{role, {}};
  for (size_t i = 0; i < count; ++i)
    data.registers.push_back(warp.read<uint8_t>(refs[i]));
  return data;
}

/// Undefined bits of an operand; null where there are none.
static OperandData getUndefined(const Warp &warp, Role role, size_t count,
                                const std::vector<OperandRef> &refs,
                                uint32_t mask,
                                std::vector<RegisterBits> &storage) {
  OperandData data{role, {}};
  for (size_t i = 0; i < count; ++i) {
    data.registers.push_back(nullptr);
    if (!warp.getTainted(refs[i], mask))
      continue;
    storage.emplace_back();
    warp.readUndefined(refs[i], mask, storage.back().bits);
    data.registers.back() = storage.back().bits;
  }
  return data;
}

static Outcome execWmma(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const WmmaPlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  const Tiling &tiling = plan.tiling;
  const std::vector<OperandRef> *refs[] = {&plan.a, &plan.b, &plan.c};
  std::vector<OperandData> values, undefined;
  std::vector<RegisterBits> storage;
  storage.reserve(4 * kMaxFragmentRegisters);
  uint32_t tainted = 0;
  for (Role role : {Role::A, Role::B, Role::C}) {
    const std::vector<OperandRef> &operand = *refs[unsigned(role)];
    auto count = size_t(tiling.getNumRegisters(role));
    values.push_back(getValues(warp, role, count, operand));
    undefined.push_back(
        getUndefined(warp, role, count, operand, mask, storage));
    for (size_t i = 0; i < count; ++i)
      tainted |= warp.getTainted(operand[i], mask);
  }
  MmaMode mode{warp.getLaunch().options.accumulation, plan.tensorCore};
  static constexpr uint64_t kZeros[kLanes] = {};
  // D may be registers of C in another order: all tiles first.
  RegisterBits results[kMaxFragmentRegisters], marks[kMaxFragmentRegisters];
  RegisterBits unused;
  int perTile = tiling.getRegistersPerTile(Role::C);
  for (int row = 0; row < tiling.rows; ++row)
    for (int column = 0; column < tiling.columns; ++column) {
      int number = row * tiling.columns + column;
      auto cut = [&](const std::vector<OperandData> &from, const void *gap,
                     Fragment &a, Fragment &b, Fragment &c) {
        a = cutFragment(tiling, from[0], row, gap);
        b = cutFragment(tiling, from[1], column, gap);
        c = cutFragment(tiling, from[2], number, gap);
      };
      auto place = [&](RegisterBits *target) {
        MutableFragment d;
        for (int i = 0; i < kMaxFragmentRegisters; ++i) {
          RegisterBits &place =
              i < perTile ? target[number * perTile + i] : unused;
          d.words[size_t(i)] = reinterpret_cast<uint32_t *>(place.bits);
          d.doubles[size_t(i)] = place.bits;
        }
        return d;
      };
      MmaInputs inputs;
      cut(values, kZeros, inputs.a, inputs.b, inputs.c);
      if (tainted) {
        MmaUndefined bits;
        cut(undefined, nullptr, bits.a, bits.b, bits.c);
        tiling.tile.taint(inputs, bits, place(marks));
      }
      if (Status status = tiling.tile.execute(inputs, mode, place(results));
          !status)
        return warp.trap(inst, "selector", unsigned(__builtin_ctz(mask)),
                         status.getMessage());
    }
  for (size_t i = 0; i < plan.d.size(); ++i) {
    const OperandRef &ref = plan.d[i];
    std::memcpy(warp.write<uint8_t>(ref), results[i].bits,
                size_t(ref.bytes) * kLanes);
    warp.markDefined(ref, mask);
    if (tainted)
      warp.writeUndefined(ref, mask, marks[i].bits);
  }
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// wmma.load and wmma.store
//===----------------------------------------------------------------------===//

static MatrixPosition getPosition(const Tiling &tiling, Role role, int reg,
                                  int lane, int bit) {
  const MmaDescriptor &descriptor = tiling.tile.getDescriptor();
  int perTile = tiling.getRegistersPerTile(role);
  int number = reg / perTile;
  int index = tiling.getTileRegister(role, reg % perTile);
  int registerBits = tiling.tile.isDouble() ? 64 : 32;
  MatrixPosition place;
  switch (role) {
  case Role::A:
    place = getPositionA(descriptor.shape, tiling.tile.getElementBitsA(),
                         registerBits, lane, index, bit);
    place.row += number * descriptor.shape.m;
    break;
  case Role::B:
    place = getPositionB(tiling.tile.getElementBitsB(), registerBits, lane,
                         index, bit);
    place.col += number * descriptor.shape.n;
    break;
  case Role::C:
    place = getPositionC(descriptor.c == ElementType::F16, lane, index, bit);
    place.row += number / tiling.columns * descriptor.shape.m;
    place.col += number % tiling.columns * descriptor.shape.n;
    break;
  }
  return place;
}

/// Cuts the registers of a fragment into pieces that lie in memory as in the
/// register.
static void cutPieces(const Tiling &tiling, Role role, WmmaAccessPlan &plan) {
  int registerBits = tiling.tile.isDouble() ? 64 : 32;
  bool isContiguous = plan.elementBits == unsigned(registerBits) ||
                      plan.isColumnMajor == (role == Role::B);
  unsigned pieceBits = isContiguous ? unsigned(registerBits) : plan.elementBits;
  plan.pieceBytes = pieceBits / 8;
  for (int reg = 0; reg < tiling.getNumRegisters(role); ++reg)
    for (int bit = 0; bit < registerBits; bit += int(pieceBits)) {
      Piece piece;
      piece.byte = uint8_t(bit / 8);
      piece.reg = uint8_t(reg);
      for (int lane = 0; lane < kWarpLanes; ++lane)
        piece.positions[lane] = getPosition(tiling, role, reg, lane, bit);
      plan.pieces.push_back(piece);
    }
}

namespace {
/// A piece of all lanes on its way.
struct PieceAccess {
  const Region &region;
  const uint64_t *offsets;
  unsigned bytes;
  uint8_t *values;
};
} // namespace

template <bool kIsStore> static void movePiece(void *context, uint32_t lanes) {
  auto &access = *static_cast<const PieceAccess *>(context);
  forEachLane(lanes, [&](unsigned lane) {
    uint8_t *memory = access.region.data + access.offsets[lane];
    uint8_t *value = access.values + lane * access.bytes;
    std::memcpy(kIsStore ? memory : value, kIsStore ? value : memory,
                access.bytes);
  });
}

/// Moves one piece of every lane between memory and `values`, and what is
/// undefined of it.
template <bool kIsStore>
static Outcome accessPiece(Warp &warp, const Inst &inst, uint32_t mask,
                           const uint64_t addresses[kLanes], uint8_t *values,
                           uint8_t *undefined) {
  auto &plan = static_cast<const WmmaAccessPlan &>(*inst.plan);
  const Options &options = warp.getLaunch().options;
  unsigned bytes = plan.pieceBytes;
  auto visit = [&](const Region &region, uint32_t lanes,
                   const uint64_t *offsets) {
    if (region.kind != Region::Kind::Global &&
        region.kind != Region::Kind::Shared)
      return warp.trap(inst, "bounds", unsigned(__builtin_ctz(lanes)),
                       "expected a matrix in global or shared memory");
    if (options.collectStatistics)
      countAccess(warp, inst, region.kind, offsets, bytes, lanes);
    PieceAccess access{region, offsets, bytes, values};
    OrderedAccess ordered;
    ordered.kind = kIsStore ? AccessKind::Write : AccessKind::Read;
    ordered.values = kIsStore ? values : nullptr;
    orderAccess(warp, inst, region, offsets, bytes, lanes, ordered,
                {movePiece<kIsStore>, &access});
    if (!options.checkDefinedness)
      return Outcome::Next;
    forEachLane(lanes, [&](unsigned lane) {
      if (kIsStore)
        region.undefined->write(offsets[lane], bytes, undefined + lane * bytes);
      else
        region.undefined->read(offsets[lane], bytes, undefined + lane * bytes);
    });
    return Outcome::Next;
  };
  return warp.forEachRegion(inst, plan.space, addresses, bytes, bytes, mask,
                            visit);
}

/// The address of lane 0's matrix and its stride, the same in all lanes.
static bool readMatrix(Warp &warp, const Inst &inst, uint32_t mask,
                       uint64_t &base, uint64_t &stride) {
  auto &plan = static_cast<const WmmaAccessPlan &>(*inst.plan);
  uint64_t addresses[kLanes], strides[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses) ||
      !warp.requireDefined(plan.stride, mask, inst, "stride of a matrix"))
    return false;
  warp.readUnsigned(plan.stride, strides);
  auto first = unsigned(__builtin_ctz(mask));
  base = addresses[first], stride = strides[first];
  bool isUniform = true;
  forEachLane(mask, [&](unsigned lane) {
    isUniform &= addresses[lane] == base && strides[lane] == stride;
  });
  if (!isUniform)
    warp.trap(inst, "uniform", first,
              "expected the same address and stride in all lanes");
  return isUniform;
}

static void findPieces(const WmmaAccessPlan &plan, const Piece &piece,
                       uint64_t base, uint64_t stride,
                       uint64_t addresses[kLanes]) {
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    auto row = uint64_t(piece.positions[lane].row);
    auto col = uint64_t(piece.positions[lane].col);
    uint64_t index =
        plan.isColumnMajor ? col * stride + row : row * stride + col;
    addresses[lane] = base + index * plan.elementBits / 8;
  }
}

static Outcome execLoad(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const WmmaAccessPlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  uint64_t base, stride;
  if (!readMatrix(warp, inst, mask, base, stride))
    return Outcome::Stop;
  RegisterBits values[kMaxFragmentRegisters] = {};
  RegisterBits undefined[kMaxFragmentRegisters] = {};
  unsigned registerBytes = plan.registers[0].bytes;
  for (const Piece &piece : plan.pieces) {
    uint64_t addresses[kLanes];
    uint8_t bytes[8 * kLanes] = {}, bits[8 * kLanes] = {};
    findPieces(plan, piece, base, stride, addresses);
    outcome = accessPiece<false>(warp, inst, mask, addresses, bytes, bits);
    if (outcome != Outcome::Next)
      return outcome;
    auto put = [&](RegisterBits &target, const uint8_t *source) {
      auto *to = reinterpret_cast<uint8_t *>(target.bits) + piece.byte;
      for (unsigned lane = 0; lane < kLanes; ++lane)
        std::memcpy(to + lane * registerBytes, source + lane * plan.pieceBytes,
                    plan.pieceBytes);
    };
    put(values[piece.reg], bytes);
    put(undefined[piece.reg], bits);
  }
  size_t different = size_t(plan.pieces.back().reg) + 1;
  for (size_t i = 0; i < plan.registers.size(); ++i) {
    const OperandRef &ref = plan.registers[i];
    std::memcpy(warp.write<uint8_t>(ref), values[i % different].bits,
                size_t(ref.bytes) * kLanes);
    warp.writeUndefined(ref, mask, undefined[i % different].bits);
  }
  return Outcome::Next;
}

static Outcome execStore(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const WmmaAccessPlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  uint64_t base, stride;
  if (!readMatrix(warp, inst, mask, base, stride))
    return Outcome::Stop;
  for (const Piece &piece : plan.pieces) {
    const OperandRef &ref = plan.registers[piece.reg];
    uint64_t addresses[kLanes];
    RegisterBits undefined;
    uint8_t bytes[8 * kLanes], bits[8 * kLanes];
    findPieces(plan, piece, base, stride, addresses);
    warp.readUndefined(ref, mask, undefined.bits);
    auto get = [&](const uint8_t *source, uint8_t *target) {
      for (unsigned lane = 0; lane < kLanes; ++lane)
        std::memcpy(target + lane * plan.pieceBytes,
                    source + lane * ref.bytes + piece.byte, plan.pieceBytes);
    };
    get(warp.read<uint8_t>(ref), bytes);
    get(reinterpret_cast<const uint8_t *>(undefined.bits), bits);
    outcome = accessPiece<true>(warp, inst, mask, addresses, bytes, bits);
    if (outcome != Outcome::Next)
      return outcome;
  }
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// The accumulator that a factor's type is used with: which one matters to no
/// load.
static ElementType getAccumulator(ElementType factor) {
  switch (factor) {
  case ElementType::F64:
    return ElementType::F64;
  case ElementType::F16:
  case ElementType::BF16:
  case ElementType::TF32:
    return ElementType::F32;
  default:
    return ElementType::S32;
  }
}

/// A factor that an accumulator's type and shape is used with.
static ElementType getFactor(ElementType accumulator, MatrixShape shape) {
  switch (accumulator) {
  case ElementType::F64:
    return ElementType::F64;
  case ElementType::F16:
    return ElementType::F16;
  case ElementType::F32:
    return shape.k == 8 ? ElementType::TF32 : ElementType::F16;
  default:
    return shape.k == 128  ? ElementType::B1
           : shape.k == 32 ? ElementType::S4
                           : ElementType::S8;
  }
}

static MmaDescriptor makeDescriptor(MatrixShape shape, ElementType factor,
                                    ElementType accumulator) {
  MmaDescriptor descriptor{};
  descriptor.shape = shape;
  descriptor.a = descriptor.b = factor;
  descriptor.c = descriptor.d = accumulator;
  if (factor == ElementType::B1)
    descriptor.bitOperation = BitOperation::Xor;
  return descriptor;
}

/// `wmma.load.{a,b,c}` and `wmma.store.d`.
static bool decodeTransfer(DecodeContext &context, bool isStore) {
  static constexpr Choice<int> kRoles[] = {{"a", int(Role::A)},
                                           {"b", int(Role::B)},
                                           {"c", int(Role::C)},
                                           {"d", int(Role::C)}};
  static constexpr Choice<int> kLayouts[] = {{"row", 0}, {"col", 1}};
  WmmaAccessPlan &plan = context.makePlan<WmmaAccessPlan>();
  int role = context.choose(kRoles, -1);
  int layout = context.choose(kLayouts, -1);
  MatrixShape shape{};
  ElementType type;
  plan.space = takeSpace(context);
  if (role < 0 || layout < 0)
    return context.error("expected an operand, a layout, a shape and a type");
  if (!takeShape(context, shape) || !takeElementType(context, type))
    return true;
  plan.isColumnMajor = layout == 1;
  bool isFactor = Role(role) != Role::C;
  Tiling tiling;
  MmaDescriptor descriptor =
      makeDescriptor(shape, isFactor ? type : getFactor(type, shape),
                     isFactor ? getAccumulator(type) : type);
  if (!makeTiling(context, descriptor, tiling) || !context.expectOperands(2, 3))
    return true;
  plan.elementBits = !isFactor ? (type == ElementType::F64   ? 64u
                                  : type == ElementType::F16 ? 16u
                                                             : 32u)
                               : unsigned(tiling.tile.getElementBitsA());
  bool isInMemoryOrder = plan.isColumnMajor == (Role(role) == Role::B);
  if (plan.elementBits < 8 && !isInMemoryOrder)
    return context.error("expected .row for A and .col for B of elements "
                         "smaller than a byte");
  cutPieces(tiling, Role(role), plan);
  const Operand &list = context.getOperand(isStore ? 1 : 0);
  Type registerType = getRegisterType(type);
  plan.registers = isStore ? context.readVector(list, registerType)
                           : context.writeVector(list, registerType);
  if (!expectRegisters(context, "the fragment", plan.registers,
                       getFragmentRegisters(tiling, Role(role), type)))
    return true;
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(isStore ? 0 : 1), address))
    return true;
  int rows = Role(role) == Role::B ? shape.k : shape.m;
  int columns = Role(role) == Role::A ? shape.k : shape.n;
  plan.stride = context.getNumOperands() == 3
                    ? context.readOperand(2, Type::B32)
                    : context.makeConstant(
                          uint64_t(plan.isColumnMajor ? rows : columns), 4);
  Inst &inst = context.emitExec(isStore ? InstClass::Store : InstClass::Load,
                                isStore ? execStore : execLoad);
  inst.plan = &plan;
  inst.a = address.base;
  inst.imm = address.offset;
  return true;
}

static bool takeTypes(DecodeContext &context, MmaDescriptor &descriptor) {
  std::vector<ElementType> types;
  if (!takeElementTypes(context, types))
    return false;
  // Factors of f16 are not written.
  bool isShort = types.size() == 2;
  if (!isShort && types.size() != 4) {
    context.error(
        "expected the types of D and C, or of D, A, B and C, but got " +
        std::to_string(types.size()) + " types");
    return false;
  }
  descriptor.d = types.front();
  descriptor.a = isShort ? ElementType::F16 : types[1];
  descriptor.b = isShort ? ElementType::F16 : types[2];
  descriptor.c = types.back();
  return true;
}

static bool decodeProduct(DecodeContext &context) {
  static constexpr Choice<BitOperation> kOperations[] = {
      {"xor", BitOperation::Xor}, {"and", BitOperation::And}};
  MmaDescriptor descriptor{};
  // How A and B were loaded: fragments do not differ.
  for (unsigned i = 0; i < 2; ++i)
    if (!context.take("row") && !context.take("col"))
      return context.error("expected the layouts of A and B");
  descriptor.bitOperation = context.choose(kOperations, BitOperation::None);
  context.takeHints({"popc", "rn"});
  descriptor.satfinite = context.take("satfinite");
  if (!takeShape(context, descriptor.shape) || !takeTypes(context, descriptor))
    return true;
  WmmaPlan &plan = context.makePlan<WmmaPlan>();
  plan.tensorCore = getTensorCore(context.getModule().target);
  if (!makeTiling(context, descriptor, plan.tiling) ||
      !context.expectOperands(4))
    return true;
  auto read = [&](unsigned i, ElementType type) {
    return context.readVector(context.getOperand(i), getRegisterType(type));
  };
  plan.d =
      context.writeVector(context.getOperand(0), getRegisterType(descriptor.d));
  plan.a = read(1, descriptor.a);
  plan.b = read(2, descriptor.b);
  plan.c = read(3, descriptor.c);
  auto expect = [&](const char *name, const std::vector<OperandRef> &refs,
                    Role role, ElementType type) {
    return expectRegisters(context, name, refs,
                           getFragmentRegisters(plan.tiling, role, type));
  };
  if (!expect("D", plan.d, Role::C, descriptor.d) ||
      !expect("A", plan.a, Role::A, descriptor.a) ||
      !expect("B", plan.b, Role::B, descriptor.b) ||
      !expect("C", plan.c, Role::C, descriptor.c))
    return true;
  context.emitExec(InstClass::Matrix, execWmma).plan = &plan;
  return true;
}

static bool decodeWmma(DecodeContext &context) {
  context.takeHints({"sync", "aligned"});
  if (context.take("load"))
    return decodeTransfer(context, false);
  if (context.take("store"))
    return decodeTransfer(context, true);
  if (context.take("mma"))
    return decodeProduct(context);
  return context.error("expected wmma.load, wmma.store or wmma.mma");
}

OpcodeTable getWmmaOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"wmma", decodeWmma}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

//===- Video.cpp - SIMD video instructions --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// vadd2, vabsdiff4 and their kin, as the SIMD-in-a-word intrinsics compile to
// them: all elements, no selectors. What names elements or selects bytes is
// refused.
//
// Source: PTX ISA 9.7.20.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

#include <algorithm>
#include <cstdlib>

namespace nvfp4::ptx {

namespace {
enum class VideoOp : uint8_t {
  Add,
  Sub,
  Average,
  AbsDiff,
  Min,
  Max,
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
};

/// AluArgs::aux of a video instruction.
struct VideoForm {
  VideoOp op = VideoOp::Add;
  bool isA = false, isB = false, isD = false; ///< signed
  bool saturates = false;
  bool accumulates = false;
  uint8_t bits = 8;

  uint32_t pack() const {
    return uint32_t(op) | uint32_t(isA) << 8 | uint32_t(isB) << 9 |
           uint32_t(isD) << 10 | uint32_t(saturates) << 11 |
           uint32_t(accumulates) << 12 | uint32_t(bits) << 16;
  }
  static VideoForm unpack(uint32_t aux) {
    VideoForm form;
    form.op = VideoOp(aux & 0xFF);
    form.isA = aux >> 8 & 1, form.isB = aux >> 9 & 1, form.isD = aux >> 10 & 1;
    form.saturates = aux >> 11 & 1, form.accumulates = aux >> 12 & 1;
    form.bits = uint8_t(aux >> 16);
    return form;
  }
};
} // namespace

static int32_t getElement(uint32_t word, unsigned shift, unsigned bits,
                          bool isSigned) {
  uint32_t raised = word << (32 - bits - shift);
  return isSigned ? int32_t(raised) >> (32 - bits)
                  : int32_t(raised >> (32 - bits));
}

static int32_t compute(VideoOp op, int32_t a, int32_t b) {
  switch (op) {
  case VideoOp::Add:
    return a + b;
  case VideoOp::Sub:
    return a - b;
  case VideoOp::Average:
    return (a + b + (a + b >= 0)) >> 1;
  case VideoOp::AbsDiff:
    return std::abs(a - b);
  case VideoOp::Min:
    return std::min(a, b);
  case VideoOp::Max:
    return std::max(a, b);
  case VideoOp::Eq:
    return a == b;
  case VideoOp::Ne:
    return a != b;
  case VideoOp::Lt:
    return a < b;
  case VideoOp::Le:
    return a <= b;
  case VideoOp::Gt:
    return a > b;
  case VideoOp::Ge:
    return a >= b;
  }
  return 0;
}

static uint32_t computeWord(const VideoForm &form, uint32_t a, uint32_t b,
                            uint32_t c) {
  int32_t most = form.isD ? (1 << (form.bits - 1)) - 1 : (1 << form.bits) - 1;
  int32_t least = form.isD ? -(1 << (form.bits - 1)) : 0;
  uint32_t elementMask = (1u << form.bits) - 1;
  uint32_t word = 0;
  int32_t sum = 0;
  for (unsigned shift = 0; shift < 32; shift += form.bits) {
    int32_t result = compute(form.op, getElement(a, shift, form.bits, form.isA),
                             getElement(b, shift, form.bits, form.isB));
    if (form.saturates)
      result = std::clamp(result, least, most);
    sum += result;
    word |= (uint32_t(result) & elementMask) << shift;
  }
  return form.accumulates ? uint32_t(sum) + c : word;
}

static void runVideo(const AluArgs &args) {
  VideoForm form = VideoForm::unpack(args.aux);
  auto *a = static_cast<const uint32_t *>(args.a);
  auto *b = static_cast<const uint32_t *>(args.b);
  auto *c = static_cast<const uint32_t *>(args.c);
  forEachLane(args.mask, [&](unsigned lane) {
    static_cast<uint32_t *>(args.d)[lane] =
        computeWord(form, a[lane], b[lane], c[lane]);
  });
}

static bool decodeVideo(DecodeContext &context) {
  static constexpr Choice<VideoOp> kOps[] = {
      {"vadd", VideoOp::Add},      {"vsub", VideoOp::Sub},
      {"vavrg", VideoOp::Average}, {"vabsdiff", VideoOp::AbsDiff},
      {"vmin", VideoOp::Min},      {"vmax", VideoOp::Max},
      {"vset", VideoOp::Eq},
  };
  static constexpr Choice<VideoOp> kComparisons[] = {
      {"eq", VideoOp::Eq}, {"ne", VideoOp::Ne}, {"lt", VideoOp::Lt},
      {"le", VideoOp::Le}, {"gt", VideoOp::Gt}, {"ge", VideoOp::Ge},
  };
  std::string_view opcode = context.getOpcode();
  VideoForm form;
  form.bits = opcode.back() == '2' ? 16 : 8;
  opcode.remove_suffix(1);
  for (const Choice<VideoOp> &choice : kOps)
    if (choice.name == opcode)
      form.op = choice.value;
  bool isSet = opcode == "vset";
  // vset writes 0 or 1: its result has no type.
  Type d = isSet ? Type::U32 : context.takeType();
  Type a = context.takeType(), b = context.takeType();
  for (Type type : {d, a, b})
    if (type != Type::U32 && type != Type::S32)
      return context.error("expected the types .u32 or .s32");
  if (isSet)
    form.op = context.choose(kComparisons, VideoOp::Eq);
  form.isD = d == Type::S32, form.isA = a == Type::S32,
  form.isB = b == Type::S32;
  form.saturates = context.take("sat");
  form.accumulates = context.take("add");
  if (!context.expectOperands(4))
    return true;
  OperandRef first = context.readOperand(1, Type::B32);
  OperandRef second = context.readOperand(2, Type::B32);
  OperandRef third = context.readOperand(3, Type::B32);
  OperandRef result = context.writeOperand(0, Type::B32);
  // Without .add the third operand fills elements that are not written: none.
  if (!form.accumulates)
    third = context.makeConstant(0, 4);
  context.emitAlu(InstClass::Integer, runVideo, result, first, second, third)
      .aux = form.pack();
  return true;
}

OpcodeTable getVideoOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"vadd2", decodeVideo},     {"vadd4", decodeVideo},
      {"vsub2", decodeVideo},     {"vsub4", decodeVideo},
      {"vavrg2", decodeVideo},    {"vavrg4", decodeVideo},
      {"vabsdiff2", decodeVideo}, {"vabsdiff4", decodeVideo},
      {"vmin2", decodeVideo},     {"vmin4", decodeVideo},
      {"vmax2", decodeVideo},     {"vmax4", decodeVideo},
      {"vset2", decodeVideo},     {"vset4", decodeVideo},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

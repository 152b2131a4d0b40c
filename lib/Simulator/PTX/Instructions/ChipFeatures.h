//===- ChipFeatures.h - Which chips have an instruction --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_CHIPFEATURES_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_CHIPFEATURES_H

#include "Decoder.h"

namespace nvfp4::ptx {

/// Features that only some targets have, however new they are. A later chip
/// need not have what an earlier one has.
enum class ChipFeature : uint8_t {
  BlockScaledMma,       ///< mma.sync with a kind
  SparseBlockScaledMma, ///< mma.sp kind::mxf4, kind::mxf4nvf4
  NarrowConversion,     ///< cvt of e2m1, e2m3, e3m2 and ue8m0
  StochasticConversion, ///< cvt.rs
  NarrowMatrixLoad,     ///< ldmatrix and stmatrix of 8-bit matrices
  FloatRedux,           ///< redux.sync of f32
  RegisterReallocation, ///< setmaxnreg
  Warpgroups,           ///< wgmma
  TensorMemory,         ///< tcgen05
  PackedFloat,          ///< f32x2, f32 with halves, min and max of three f32
  TensorLoadReduction,  ///< tcgen05.ld.red
  TensorShift,          ///< tcgen05.shift
  TensorIntegers,       ///< tcgen05.mma kind::i8
  TensorScaledInput,    ///< tcgen05.mma with a scale of D
  TensorScaleVectors,   ///< .scale_vec::NX instead of .blockN
  ClusterLaunchControl, ///< clusterlaunchcontrol
  ClusterMulticast,     ///< clusterlaunchcontrol .multicast::cluster::all
};

/// Reports an error at the instruction, naming the targets that have the
/// feature, unless the module's target is one. False after an error.
bool requireFeature(DecodeContext &context, ChipFeature feature);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_CHIPFEATURES_H

// What LLVM makes of one warp-level block-scaled product: the NVPTX back end prints
// PTX unlike nvcc's, with names of parameters, comments and selectors in registers.
//
// arch: sm_120a
//
// One warp computes D[16x8] = alpha * (A[16x64] . SFA) (B[64x8] . SFB) with a
// single NVFP4 block-scaled warp MMA.
//
// Operand memory (all row-major, nibble 2j in bits 3:0 of byte j):
//   %A   : 16 rows x 64 e2m1           = 16 x 8 words
//   %B   : 8 columns x 64 e2m1 (K-major) = 8 x 8 words
//   %SFA : 16 rows x 4 ue4m3           = 16 words, byte k scales K-block k
//   %SFB : 8 columns x 4 ue4m3         = 8 words
//   %D   : 16 x 8 f32
//   %alpha : product of the two FP32 per-tensor scales
module {
  llvm.func @nvfp4_mma_16x8x64(%A: !llvm.ptr<1>, %B: !llvm.ptr<1>,
                               %SFA: !llvm.ptr<1>, %SFB: !llvm.ptr<1>,
                               %D: !llvm.ptr<1>, %alpha: f32)
      attributes {nvvm.kernel} {
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %c2 = llvm.mlir.constant(2 : i32) : i32
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %c4 = llvm.mlir.constant(4 : i32) : i32
    %c8 = llvm.mlir.constant(8 : i32) : i32
    %c64 = llvm.mlir.constant(64 : i32) : i32
    %f0 = llvm.mlir.constant(0.0 : f32) : f32
    // Selector immediates: 4X uses the whole register, so byte-id must be 0.
    %id0 = llvm.mlir.constant(0 : i16) : i16

    %lane = nvvm.read.ptx.sreg.tid.x range <i32, 0, 32> : i32
    %g = llvm.lshr %lane, %c2 : i32          // groupID
    %t = llvm.and %lane, %c3 : i32           // threadID_in_group
    %t4 = llvm.add %t, %c4 : i32

    // A fragments: (row g | g+8) x (K 8t.. | K 32+8t..), 8 nibbles each.
    %ra = llvm.mul %g, %c8 : i32
    %rb = llvm.add %ra, %c64 : i32           // row g+8
    %ia0 = llvm.add %ra, %t : i32
    %ia1 = llvm.add %rb, %t : i32
    %ia2 = llvm.add %ra, %t4 : i32
    %ia3 = llvm.add %rb, %t4 : i32
    %pa0 = llvm.getelementptr %A[%ia0] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %pa1 = llvm.getelementptr %A[%ia1] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %pa2 = llvm.getelementptr %A[%ia2] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %pa3 = llvm.getelementptr %A[%ia3] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %a0 = llvm.load %pa0 : !llvm.ptr<1> -> i32
    %a1 = llvm.load %pa1 : !llvm.ptr<1> -> i32
    %a2 = llvm.load %pa2 : !llvm.ptr<1> -> i32
    %a3 = llvm.load %pa3 : !llvm.ptr<1> -> i32

    // B fragments: column g x (K 8t.. | K 32+8t..).
    %pb0 = llvm.getelementptr %B[%ia0] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %pb1 = llvm.getelementptr %B[%ia2] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %b0 = llvm.load %pb0 : !llvm.ptr<1> -> i32
    %b1 = llvm.load %pb1 : !llvm.ptr<1> -> i32

    // Scales with thread-id-a = thread-id-b = 0: lane 4g supplies A row g and
    // B column g, lane 4g+1 supplies A row g+8; the other lanes are ignored.
    %tl = llvm.and %t, %c1 : i32
    %t8 = llvm.mul %tl, %c8 : i32
    %isa = llvm.add %g, %t8 : i32
    %psa = llvm.getelementptr %SFA[%isa] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %psb = llvm.getelementptr %SFB[%g] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %sa = llvm.load %psa : !llvm.ptr<1> -> i32
    %sb = llvm.load %psb : !llvm.ptr<1> -> i32

    %d = nvvm.mma.block_scale
        A[%a0, %a1, %a2, %a3]
        B[%b0, %b1]
        C[%f0, %f0, %f0, %f0]
        scaleA[%sa, %id0, %id0]
        scaleB[%sb, %id0, %id0]
        {shape = #nvvm.shape<m = 16, n = 8, k = 64>,
         multiplicandAPtxType = #nvvm.mma_type<e2m1>,
         multiplicandBPtxType = #nvvm.mma_type<e2m1>,
         scaleVecSize = #nvvm.scale_vec_size<x4>,
         blockScaleFormat = #nvvm.block_scale_format<ue4m3>,
         kind = #nvvm.block_scale_kind<mxf4nvf4>}
        : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    %d0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
    %d1 = llvm.extractvalue %d[1] : !llvm.struct<(f32, f32, f32, f32)>
    %d2 = llvm.extractvalue %d[2] : !llvm.struct<(f32, f32, f32, f32)>
    %d3 = llvm.extractvalue %d[3] : !llvm.struct<(f32, f32, f32, f32)>
    %e0 = llvm.fmul %d0, %alpha : f32
    %e1 = llvm.fmul %d1, %alpha : f32
    %e2 = llvm.fmul %d2, %alpha : f32
    %e3 = llvm.fmul %d3, %alpha : f32

    // D fragments: (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1).
    %tt = llvm.mul %t, %c2 : i32
    %io = llvm.add %ra, %tt : i32
    %io2 = llvm.add %rb, %tt : i32
    %po = llvm.getelementptr %D[%io] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %po2 = llvm.getelementptr %D[%io2] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %v = llvm.mlir.undef : vector<2xf32>
    %i0 = llvm.mlir.constant(0 : i32) : i32
    %v0 = llvm.insertelement %e0, %v[%i0 : i32] : vector<2xf32>
    %v1 = llvm.insertelement %e1, %v0[%c1 : i32] : vector<2xf32>
    %w0 = llvm.insertelement %e2, %v[%i0 : i32] : vector<2xf32>
    %w1 = llvm.insertelement %e3, %w0[%c1 : i32] : vector<2xf32>
    llvm.store %v1, %po : vector<2xf32>, !llvm.ptr<1>
    llvm.store %w1, %po2 : vector<2xf32>, !llvm.ptr<1>
    llvm.return
  }
}

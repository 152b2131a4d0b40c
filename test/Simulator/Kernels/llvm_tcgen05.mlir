// What LLVM makes of a block-scaled product in tensor memory, from ordinary loads to
// the result: scales copied by tcgen05.cp, four warps that read 128 columns each.
//
// arch: sm_100a
//
// One CTA of 128 threads computes D[128x128] = alpha * (A . SFA) (B . SFB)^T
// for one K=64 slice with a single tcgen05 NVFP4 block-scaled MMA.
//
// Global operands (row-major; nibble 2j in bits 3:0 of byte j):
//   %A   : 128 rows x 64 e2m1 = 128 x 32 bytes        (M x K)
//   %B   : 128 rows x 64 e2m1 = 128 x 32 bytes        (N x K, K-major)
//   %SFA : 128 rows x 4 ue4m3 = 128 words, byte k scales K-block k
//   %SFB : 128 rows x 4 ue4m3 = 128 words
//   %D   : 128 x 128 f32
// Thread r owns row r of every operand.
module {
  // A and B tiles: no-swizzle K-major core matrices (8 rows x 16 bytes = 128
  // contiguous bytes).  Offset(row, byte) =
  //   (row/8)*256 + (byte/16)*128 + (row%8)*16 + byte%16
  llvm.mlir.global internal @sA() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<4096 x i8> {
    %u = llvm.mlir.undef : !llvm.array<4096 x i8>
    llvm.return %u : !llvm.array<4096 x i8>
  }
  llvm.mlir.global internal @sB() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<4096 x i8> {
    %u = llvm.mlir.undef : !llvm.array<4096 x i8>
    llvm.return %u : !llvm.array<4096 x i8>
  }
  // Scale tiles: the 512-byte 128x4 atom, offset = (row%32)*16 + (row/32)*4 + k.
  llvm.mlir.global internal @sSFA() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<512 x i8> {
    %u = llvm.mlir.undef : !llvm.array<512 x i8>
    llvm.return %u : !llvm.array<512 x i8>
  }
  llvm.mlir.global internal @sSFB() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<512 x i8> {
    %u = llvm.mlir.undef : !llvm.array<512 x i8>
    llvm.return %u : !llvm.array<512 x i8>
  }
  llvm.mlir.global internal @sBar() {addr_space = 3 : i32, alignment = 8 : i64} : i64 {
    %u = llvm.mlir.undef : i64
    llvm.return %u : i64
  }
  llvm.mlir.global internal @sTaddr() {addr_space = 3 : i32, alignment = 16 : i64} : i32 {
    %u = llvm.mlir.undef : i32
    llvm.return %u : i32
  }

  llvm.func @nvfp4_tcgen05_128x128x64(%A: !llvm.ptr<1>, %B: !llvm.ptr<1>,
                                      %SFA: !llvm.ptr<1>, %SFB: !llvm.ptr<1>,
                                      %D: !llvm.ptr<1>, %alpha: f32)
      attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128, 1, 1>} {
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %c4 = llvm.mlir.constant(4 : i32) : i32
    %c5 = llvm.mlir.constant(5 : i32) : i32
    %c7 = llvm.mlir.constant(7 : i32) : i32
    %c8 = llvm.mlir.constant(8 : i32) : i32
    %c16 = llvm.mlir.constant(16 : i32) : i32
    %c31 = llvm.mlir.constant(31 : i32) : i32
    %c32 = llvm.mlir.constant(32 : i32) : i32
    %c64 = llvm.mlir.constant(64 : i32) : i32
    %c96 = llvm.mlir.constant(96 : i32) : i32
    %c128 = llvm.mlir.constant(128 : i32) : i32
    %c132 = llvm.mlir.constant(132 : i32) : i32
    %c256 = llvm.mlir.constant(256 : i32) : i32
    %i8z = llvm.mlir.constant(0 : i8) : i8
    %false = llvm.mlir.constant(false) : i1

    %sA = llvm.mlir.addressof @sA : !llvm.ptr<3>
    %sB = llvm.mlir.addressof @sB : !llvm.ptr<3>
    %sSFA = llvm.mlir.addressof @sSFA : !llvm.ptr<3>
    %sSFB = llvm.mlir.addressof @sSFB : !llvm.ptr<3>
    %sBar = llvm.mlir.addressof @sBar : !llvm.ptr<3>
    %sTaddr = llvm.mlir.addressof @sTaddr : !llvm.ptr<3>

    %tid = nvvm.read.ptx.sreg.tid.x range <i32, 0, 128> : i32
    %warp = llvm.lshr %tid, %c5 : i32
    %is_w0 = llvm.icmp "eq" %warp, %c0 : i32
    %is_t0 = llvm.icmp "eq" %tid, %c0 : i32

    // ---- Stage operands into shared memory (generic proxy). ----
    %goff = llvm.mul %tid, %c32 : i32
    %gA0 = llvm.getelementptr %A[%goff] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i8
    %gA1 = llvm.getelementptr %gA0[%c16] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i8
    %gB0 = llvm.getelementptr %B[%goff] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i8
    %gB1 = llvm.getelementptr %gB0[%c16] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i8
    %vA0 = llvm.load %gA0 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %vA1 = llvm.load %gA1 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %vB0 = llvm.load %gB0 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %vB1 = llvm.load %gB1 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %rhi = llvm.lshr %tid, %c3 : i32
    %rlo = llvm.and %tid, %c7 : i32
    %o1 = llvm.mul %rhi, %c256 : i32
    %o2 = llvm.mul %rlo, %c16 : i32
    %so0 = llvm.add %o1, %o2 : i32
    %so1 = llvm.add %so0, %c128 : i32
    %pA0 = llvm.getelementptr %sA[%so0] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    %pA1 = llvm.getelementptr %sA[%so1] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    %pB0 = llvm.getelementptr %sB[%so0] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    %pB1 = llvm.getelementptr %sB[%so1] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    llvm.store %vA0, %pA0 {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
    llvm.store %vA1, %pA1 {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
    llvm.store %vB0, %pB0 {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
    llvm.store %vB1, %pB1 {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>

    %gSA = llvm.getelementptr %SFA[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %gSB = llvm.getelementptr %SFB[%tid] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %vSA = llvm.load %gSA : !llvm.ptr<1> -> i32
    %vSB = llvm.load %gSB : !llvm.ptr<1> -> i32
    %r32 = llvm.and %tid, %c31 : i32
    %sf1 = llvm.mul %r32, %c16 : i32
    %sf2 = llvm.mul %warp, %c4 : i32
    %sfo = llvm.add %sf1, %sf2 : i32
    %pSA = llvm.getelementptr %sSFA[%sfo] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    %pSB = llvm.getelementptr %sSFB[%sfo] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    llvm.store %vSA, %pSA : i32, !llvm.ptr<3>
    llvm.store %vSB, %pSB : i32, !llvm.ptr<3>
    // tcgen05.cp and tcgen05.mma read shared memory through the async proxy.
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}

    // ---- Tensor-memory allocation (one warp) and mbarrier (one thread). ----
    // Columns: D 0..127, SFA 128..131, SFB 132..135; rounded up to 256.
    llvm.cond_br %is_w0, ^alloc, ^init
  ^alloc:
    nvvm.tcgen05.alloc %sTaddr, %c256 : !llvm.ptr<3>, i32
    nvvm.tcgen05.relinquish_alloc_permit
    llvm.br ^init
  ^init:
    llvm.cond_br %is_t0, ^bar, ^sync
  ^bar:
    nvvm.mbarrier.init %sBar, %c1 : !llvm.ptr<3>, i32
    nvvm.fence.mbarrier.init
    llvm.br ^sync
  ^sync:
    nvvm.tcgen05.fence #nvvm.tcgen05_fence<before>
    nvvm.barrier
    nvvm.tcgen05.fence #nvvm.tcgen05_fence<after>
    %taddr = llvm.load %sTaddr : !llvm.ptr<3> -> i32
    %tSFA = llvm.add %taddr, %c128 : i32
    %tSFB = llvm.add %taddr, %c132 : i32
    %dT = llvm.inttoptr %taddr : i32 to !llvm.ptr<6>
    %saT = llvm.inttoptr %tSFA : i32 to !llvm.ptr<6>
    %sbT = llvm.inttoptr %tSFB : i32 to !llvm.ptr<6>
    // cp, mma and commit are single-thread operations, issued by one elected
    // lane of warp 0 (elect.sync keeps the predicate visibly warp-uniform).
    llvm.cond_br %is_w0, ^elect, ^wait
  ^elect:
    %leader = nvvm.elect.sync -> i1
    llvm.cond_br %leader, ^issue, ^wait

  ^issue:
    // The descriptor op packs fields verbatim: addresses and byte offsets must
    // already be encoded as (x & 0x3FFFF) >> 4.
    %aI = llvm.ptrtoint %sA : !llvm.ptr<3> to i32
    %bI = llvm.ptrtoint %sB : !llvm.ptr<3> to i32
    %saI = llvm.ptrtoint %sSFA : !llvm.ptr<3> to i32
    %sbI = llvm.ptrtoint %sSFB : !llvm.ptr<3> to i32
    %aE = llvm.lshr %aI, %c4 : i32
    %bE = llvm.lshr %bI, %c4 : i32
    %saE = llvm.lshr %saI, %c4 : i32
    %sbE = llvm.lshr %sbI, %c4 : i32
    // A/B: LBO = 128 B (next 16-byte K chunk), SBO = 256 B (next 8 rows).
    %aD = nvvm.tcgen05.mma_smem_desc (%aE, %c8, %c16, %i8z, %false, %i8z) : (i32, i32, i32, i8, i1, i8) -> i64
    %bD = nvvm.tcgen05.mma_smem_desc (%bE, %c8, %c16, %i8z, %false, %i8z) : (i32, i32, i32, i8, i1, i8) -> i64
    // Scales: 32 rows x 16 bytes, SBO = 128 B (next 8 rows), LBO unused.
    %saD = nvvm.tcgen05.mma_smem_desc (%saE, %c0, %c8, %i8z, %false, %i8z) : (i32, i32, i32, i8, i1, i8) -> i64
    %sbD = nvvm.tcgen05.mma_smem_desc (%sbE, %c0, %c8, %i8z, %false, %i8z) : (i32, i32, i32, i8, i1, i8) -> i64

    nvvm.tcgen05.cp %saT, %saD {shape = #nvvm.tcgen05_cp_shape<shape_32x128b>,
                                multicast = #nvvm.tcgen05_cp_multicast<warpx4>}
    nvvm.tcgen05.cp %sbT, %sbD {shape = #nvvm.tcgen05_cp_shape<shape_32x128b>,
                                multicast = #nvvm.tcgen05_cp_multicast<warpx4>}

    // idesc 0x08200480: atype = btype = E2M1 (1), N>>3 = 16 at bit 17, scale
    // type UE4M3 (0 at bit 23), M>>7 = 1 at bit 27, dense K=64 (0 at bit 31).
    %idesc = llvm.mlir.constant(0x08200480 : i32) : i32
    nvvm.tcgen05.mma.block_scale %dT, %aD, %bD, %idesc, %false, %saT, %sbT
      {kind = #nvvm.block_scale_kind<mxf4nvf4>, ctaGroup = #nvvm.cta_group<cta_1>,
       blockScale = #nvvm.tcgen05_mma_block_scale<block16>}
      : (!llvm.ptr<6>, i64, i64, i32, i1, !llvm.ptr<6>, !llvm.ptr<6>)
    nvvm.tcgen05.commit %sBar : !llvm.ptr<3>
    llvm.br ^wait

  ^wait:
    %done = nvvm.mbarrier.try_wait %sBar, %c0 : !llvm.ptr<3>, i32 -> i1
    llvm.cond_br %done, ^epilogue, ^wait

  ^epilogue:
    nvvm.tcgen05.fence #nvvm.tcgen05_fence<after>
    // Warp w may touch only lanes 32w..32w+31; lane = row, column = n.
    %lane0 = llvm.mul %warp, %c32 : i32
    %laneoff = llvm.shl %lane0, %c16 : i32
    %tw = llvm.add %taddr, %laneoff : i32
    %tw1 = llvm.add %tw, %c32 : i32
    %tw2 = llvm.add %tw, %c64 : i32
    %tw3 = llvm.add %tw, %c96 : i32
    %q0 = llvm.inttoptr %tw : i32 to !llvm.ptr<6>
    %q1 = llvm.inttoptr %tw1 : i32 to !llvm.ptr<6>
    %q2 = llvm.inttoptr %tw2 : i32 to !llvm.ptr<6>
    %q3 = llvm.inttoptr %tw3 : i32 to !llvm.ptr<6>
    %r0 = nvvm.tcgen05.ld %q0 {shape = #nvvm.tcgen05_ldst_shape<shape_32x32b>} : vector<32xi32>
    %r1 = nvvm.tcgen05.ld %q1 {shape = #nvvm.tcgen05_ldst_shape<shape_32x32b>} : vector<32xi32>
    %r2 = nvvm.tcgen05.ld %q2 {shape = #nvvm.tcgen05_ldst_shape<shape_32x32b>} : vector<32xi32>
    %r3 = nvvm.tcgen05.ld %q3 {shape = #nvvm.tcgen05_ldst_shape<shape_32x32b>} : vector<32xi32>
    nvvm.tcgen05.wait #nvvm.tcgen05_wait<load>
    %av0 = llvm.mlir.undef : vector<32xf32>
    %av1 = llvm.insertelement %alpha, %av0[%c0 : i32] : vector<32xf32>
    %av = llvm.shufflevector %av1, %av0 [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0] : vector<32xf32>
    %f0 = llvm.bitcast %r0 : vector<32xi32> to vector<32xf32>
    %f1 = llvm.bitcast %r1 : vector<32xi32> to vector<32xf32>
    %f2 = llvm.bitcast %r2 : vector<32xi32> to vector<32xf32>
    %f3 = llvm.bitcast %r3 : vector<32xi32> to vector<32xf32>
    %g0 = llvm.fmul %f0, %av : vector<32xf32>
    %g1 = llvm.fmul %f1, %av : vector<32xf32>
    %g2 = llvm.fmul %f2, %av : vector<32xf32>
    %g3 = llvm.fmul %f3, %av : vector<32xf32>
    %dr = llvm.mul %tid, %c128 : i32
    %d0 = llvm.getelementptr %D[%dr] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %d1 = llvm.getelementptr %d0[%c32] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %d2 = llvm.getelementptr %d0[%c64] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    %d3 = llvm.getelementptr %d0[%c96] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    llvm.store %g0, %d0 {alignment = 16 : i64} : vector<32xf32>, !llvm.ptr<1>
    llvm.store %g1, %d1 {alignment = 16 : i64} : vector<32xf32>, !llvm.ptr<1>
    llvm.store %g2, %d2 {alignment = 16 : i64} : vector<32xf32>, !llvm.ptr<1>
    llvm.store %g3, %d3 {alignment = 16 : i64} : vector<32xf32>, !llvm.ptr<1>

    nvvm.tcgen05.fence #nvvm.tcgen05_fence<before>
    nvvm.barrier
    llvm.cond_br %is_w0, ^free, ^exit
  ^free:
    nvvm.tcgen05.fence #nvvm.tcgen05_fence<after>
    nvvm.tcgen05.dealloc %dT, %c256 : !llvm.ptr<6>, i32
    llvm.br ^exit
  ^exit:
    llvm.return
  }
}

// RUN: nvfp4-opt %s --split-input-file --pass-pipeline='builtin.module(gpu.module(nvfp4-verify-chip{chip=sm_120a}))' --verify-diagnostics

gpu.module @conversion {
  gpu.func @e2m1(%x: f32) {
    %c = nvvm.convert.f32x2.to.f4x2 %x, %x : i8 (f4E2M1FN)
    gpu.return
  }
}

// -----

gpu.module @stochastic {
  gpu.func @random(%x: vector<4xf32>, %bits: i32) {
    // expected-error@below {{expected a chip with conversions that round with random bits, but got sm_120a}}
    %c = nvvm.convert.f32x4.to.f4x4 %x, %bits : vector<4xf32> -> i16 (f4E2M1FN)
    gpu.return
  }
}

// -----

gpu.module @memory {
  gpu.func @tensor_memory() {
    // expected-error@below {{expected a chip with tensor memory, but got sm_120a}}
    nvvm.tcgen05.wait <load>
    gpu.return
  }
}

// -----

gpu.module @assembly {
  gpu.func @warpgroup() {
    // expected-error@below {{expected a chip with asynchronous matrix instructions of warpgroups, but got sm_120a}}
    llvm.inline_asm has_side_effects "wgmma.fence.sync.aligned;", "" : () -> ()
    gpu.return
  }
}

// -----

gpu.module @intrinsic {
  gpu.func @intrinsic() {
    // expected-error@below {{expected a chip with tensor memory, but got sm_120a}}
    llvm.call_intrinsic "llvm.nvvm.tcgen05.wait.st"() : () -> ()
    gpu.return
  }
}

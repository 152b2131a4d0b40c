// RUN: nvfp4-opt %s --nvfp4-lower-device="chip=sm_120a assemble=false" --nvfp4-print-device -o /dev/null | FileCheck %s
// RUN: nvfp4-opt %s --nvfp4-lower-device="chip=sm_121a assemble=false" --nvfp4-print-device -o /dev/null | FileCheck %s --check-prefix=OTHER

// CHECK: .version 8.7
// CHECK: .target sm_120a
// OTHER: .target sm_121a

module attributes {gpu.container_module} {
  gpu.module @device {
    // CHECK: .visible .entry arithmetic(
    // CHECK: .reqntid 128, 1, 1
    /// What the CPU does: rounded, not contracted, by no library.
    // CHECK-NOT: .extern .func
    // CHECK: sqrt.rn.f32
    // CHECK: fma.rn.f32
    // CHECK: div.rn.f32
    // CHECK: mul.rn.f32
    // CHECK: add.rn.f32
    // CHECK: cvt.rn.bf16.f32
    gpu.func @arithmetic(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>) kernel
        attributes {known_block_size = array<i32: 128, 1, 1>} {
      %a = llvm.load %x : !llvm.ptr<1> -> f32
      %b = math.sqrt %a : f32
      %c = math.exp %b : f32
      %d = arith.divf %c, %a : f32
      %e = arith.mulf %d, %d : f32
      %f = arith.addf %e, %a : f32
      %g = arith.truncf %f : f32 to bf16
      llvm.store %g, %y : bf16, !llvm.ptr<1>
      gpu.return
    }
  }
}

; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
;
; Calls, jump tables, aliases and initial values as LLVM writes them.
; calls.ptx: llc -march=nvptx64 -mcpu=sm_120a -mattr=+ptx88 calls.ll
target triple = "nvptx64-nvidia-cuda"

%pair = type { i32, double }

@table = addrspace(1) global [3 x ptr] [ptr @double, ptr null, ptr @negate]
@pointer = addrspace(1) global ptr addrspacecast (ptr addrspace(1) getelementptr (i8, ptr addrspace(1) @words, i64 8) to ptr)
@words = addrspace(1) global [4 x i32] [i32 1, i32 -2, i32 3, i32 4], align 16
@weights = addrspace(4) constant [2 x <2 x float>] [<2 x float> <float 1.0, float 2.0>, <2 x float> <float 0.5, float 0.25>]
@packed = addrspace(1) global <{ i8, ptr, i16 }> <{ i8 7, ptr addrspacecast (ptr addrspace(1) @words to ptr), i16 9 }>, align 1
@scratch = internal addrspace(3) global [64 x i64] undef, align 16
@dynamic = external addrspace(3) global [0 x i8], align 1024

@twice = alias i32 (i32), ptr @double

define i32 @double(i32 %x) noinline {
  %r = shl i32 %x, 1
  ret i32 %r
}

define i32 @negate(i32 %x) noinline {
  %r = sub i32 0, %x
  ret i32 %r
}

declare void @stop() noreturn
declare i32 @sum(i32, ...)

define %pair @swap(%pair %p, ptr byval([5 x i32]) %a) noinline {
  %i = extractvalue %pair %p, 0
  %d = extractvalue %pair %p, 1
  %v = load i32, ptr %a
  %j = fptosi double %d to i32
  %k = add i32 %j, %v
  %e = sitofp i32 %i to double
  %q = insertvalue %pair poison, i32 %k, 0
  %r = insertvalue %pair %q, double %e, 1
  ret %pair %r
}

define ptx_kernel void @kernel(ptr addrspace(1) %out, i32 %n, ptr byval([5 x i32]) align 4 %a) #0 {
entry:
  %local = alloca [5 x i32]
  %slot = getelementptr [3 x ptr], ptr addrspace(1) @table, i64 0, i32 %n
  %f = load ptr, ptr addrspace(1) %slot
  %x = call i32 %f(i32 %n)
  %y = call i32 @twice(i32 %x)
  %p0 = insertvalue %pair poison, i32 %y, 0
  %p1 = insertvalue %pair %p0, double 1.5, 1
  call void @llvm.memcpy.p0.p0.i64(ptr %local, ptr %a, i64 20, i1 false)
  %p2 = call %pair @swap(%pair %p1, ptr byval([5 x i32]) %local)
  %s = extractvalue %pair %p2, 0
  %z = call i32 (i32, ...) @sum(i32 %s, i32 1, double 2.0)
  switch i32 %z, label %default [
    i32 0, label %zero
    i32 1, label %one
    i32 2, label %two
    i32 3, label %three
    i32 4, label %four
  ]
zero:
  store i32 1, ptr addrspace(1) %out
  ret void
one:
  %w = atomicrmw add ptr addrspace(1) %out, i32 %z seq_cst
  ret void
two:
  store i32 %y, ptr addrspace(3) @dynamic
  ret void
three:
  %l = load i64, ptr addrspace(3) @scratch
  %t = trunc i64 %l to i32
  store i32 %t, ptr addrspace(1) %out
  ret void
four:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
default:
  call void @stop()
  unreachable
}

declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

attributes #0 = { "nvvm.maxntid"="128,1,1" "nvvm.cluster_dim"="2,1,1" "nvvm.minctasm"="1" }

// An encoder in W4A4: nine kernels per layer, and no buffer is touched but by
// kernels. Five kernels come before the layers, and three record errors.
// RUN: nvfp4-opt %S/../../../../Inputs/minilm.mlir --nvfp4-normalize --nvfp4-policy --nvfp4-quantize \
// RUN:     --nvfp4-kernels=chip=sm_120a --nvfp4-expand-tensors --symbol-dce --nvfp4-lower-gpu="chip=sm_120a stop-at-dispatches" \
// RUN:     --mlir-print-local-scope -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: grep -c "nvfp4.dispatch" %t.mlir | FileCheck %s --check-prefix=TOTAL
// TOTAL: {{^}}62{{$}}

//      CHECK: func.func @main
//      CHECK: nvfp4.dispatch @kernels::@matmul_3x384x384 {{.*}}"encoder.layer.1.attention.self.query"
//      CHECK: nvfp4.dispatch @kernels::@attention_dx32x32
//      CHECK: nvfp4.dispatch @kernels::@row_384_1
//      CHECK: nvfp4.dispatch @kernels::@matmul_384x384
//      CHECK: nvfp4.dispatch @kernels::@row_384_2
//      CHECK: nvfp4.dispatch @kernels::@matmul_1536x384
//      CHECK: nvfp4.dispatch @kernels::@row_1536
//      CHECK: nvfp4.dispatch @kernels::@matmul_384x1536
//      CHECK: nvfp4.dispatch @kernels::@row_384_2
//      CHECK: nvfp4.dispatch @kernels::@matmul_3x384x384 {{.*}}"encoder.layer.2.attention.self.query"

// The last kernel writes the caller's buffer.
//      CHECK: nvfp4.dispatch {{.*}}outs(%arg
//  CHECK-NOT: memref.copy
//      CHECK: return

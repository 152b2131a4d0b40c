// RUN: nvfp4-opt %s --nvfp4-normalize --dump-pass-pipeline 2>&1 >/dev/null | FileCheck %s --check-prefix=PASSES
// RUN: nvfp4-opt %s --nvfp4-normalize | FileCheck %s
// RUN: not nvfp4-opt %s --nvfp4-normalize=strict 2>&1 | FileCheck %s --check-prefix=STRICT

//      PASSES:   inline
// PASSES-NEXT:   symbol-dce,
// PASSES-NEXT:   nvfp4-outline-constants{threshold=4096},
// PASSES-NEXT:   nvfp4-unify-dimensions{strict=false},
// PASSES-NEXT:   canonicalize
// PASSES-NEXT:   nvfp4-narrow-f64{keep=false},
// PASSES-NEXT:   nvfp4-simplify-powers,
// PASSES-NEXT:   nvfp4-legalize-reshapes,
// PASSES-NEXT:   nvfp4-lift-extracts,
// PASSES-NEXT:   canonicalize
// PASSES-NEXT:   cse,
// PASSES-NEXT:   nvfp4-check-extents,
// PASSES-NEXT:   nvfp4-legalize-asserts,
// PASSES-NEXT:   canonicalize
// PASSES-NEXT:   cse

/// What an export leaves behind goes; what a private function does is inlined.
// CHECK-NOT: @global_seed
// CHECK-NOT: @scale
//     CHECK: func.func @main(
//     CHECK:   linalg.generic
// CHECK-NOT:     f64
//     CHECK:     arith.mulf %{{.+}}, %{{.+}} : f32
// STRICT: error: expected 'nvfp4.shape' to name every dynamic dimension
ml_program.global private mutable @global_seed(dense<0> : tensor<i64>) : tensor<i64>

func.func private @scale(%x: f32) -> f32 {
  %scale = arith.constant 0.17677669529663689 : f64
  %narrow = arith.truncf %scale : f64 to f32
  %y = arith.mulf %x, %narrow : f32
  return %y : f32
}

func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %empty = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%x : tensor<?xf32>) outs(%empty : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = func.call @scale(%in) : (f32) -> f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// RUN: nvfp4-opt %s --nvfp4-expand-math --split-input-file --verify-diagnostics

func.func @not_extended(%x: bf16) -> bf16 {
  // expected-error@below {{expected a function of f32 or f64 with an expansion, but got 'math.exp' of 'bf16'}}
  %y = math.exp %x : bf16
  return %y : bf16
}

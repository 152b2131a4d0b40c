// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics --nvfp4-narrow-f64

func.func @out_of_range() -> f32 {
  // expected-error@below {{expected an f64 constant in the range of f32 (magnitude up to 3.4e38), but got 1.000000e+40}}
  %c = arith.constant 1.0e40 : f64
  %n = arith.truncf %c : f64 to f32
  return %n : f32
}

// -----

func.func @bitcast(%x: f32) -> i64 {
  %w = arith.extf %x : f32 to f64
  // expected-error@below {{expected no bitcast between f64 and integers}}
  %b = arith.bitcast %w : f64 to i64
  return %b : i64
}

// -----

// expected-error@below {{expected f64 argument 0 of an entry to be a number or a ranked tensor, but got 'memref<4xf64>'}}
func.func @border(%x: memref<4xf64>) {
  return
}

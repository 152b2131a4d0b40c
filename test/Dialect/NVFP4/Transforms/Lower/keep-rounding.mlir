// RUN: nvfp4-opt %s --nvfp4-keep-rounding | FileCheck %s
// RUN: nvfp4-opt %s --math-extend-to-supported-types --arith-emulate-unsupported-floats="source-types=f16 target-type=f32" \
// RUN:   --nvfp4-keep-rounding --canonicalize | FileCheck %s --check-prefix=CHAIN

/// Flags are gone.
// CHECK-LABEL: func @flags
// CHECK:         %[[T:.*]] = arith.truncf %{{.*}} : f32 to f16
// CHECK-NEXT:    arith.extf %[[T]] : f16 to f32
func.func @flags(%x: f32) -> f32 {
  %t = arith.truncf %x fastmath<contract> : f32 to f16
  %y = arith.extf %t fastmath<contract> : f16 to f32
  return %y : f32
}

/// The difference is rounded to f16 before it is the argument.
// CHAIN-LABEL: func @chain
// CHAIN:         %[[D:.*]] = arith.subf
// CHAIN:         %[[T:.*]] = arith.truncf %[[D]] : f32 to f16
// CHAIN:         %[[X:.*]] = arith.extf %[[T]] : f16 to f32
// CHAIN:         math.tanh %[[X]] : f32
func.func @chain(%x: f16, %y: f16) -> f16 {
  %d = arith.subf %x, %y : f16
  %t = math.tanh %d : f16
  return %t : f16
}

// RUN: nvfp4-opt %s --nvfp4-lower-cpu --dump-pass-pipeline 2>&1 | FileCheck %s

/// The order of the stage, one line per pass.
//      CHECK: Pass Manager with
//      CHECK: builtin.module(
//      CHECK:   nvfp4-expand-tensors
//      CHECK:   convert-nvfp4-to-linalg{runtime-kernels=true}
//      CHECK:   nvfp4-fuse-elementwise
//      CHECK:   nvfp4-unshare-fills
//      CHECK:   nvfp4-results-to-destinations
//      CHECK:   resolve-ranked-shaped-type-result-dims
//      CHECK:   eliminate-empty-tensors
//      CHECK:   one-shot-bufferize
//      CHECK:   nvfp4-copies-to-loops
//      CHECK:   nvfp4-contractions-to-calls
//      CHECK:   nvfp4-contractions-to-loops
//      CHECK:   nvfp4-rows-to-loops
//      CHECK:   math-extend-to-supported-types
//      CHECK:   arith-emulate-unsupported-floats
//      CHECK:   nvfp4-keep-rounding
//      CHECK:   arith-expand
//      CHECK:   nvfp4-expand-math
//      CHECK:   nvfp4-plan-workspace
//      CHECK:   nvfp4-outline-loops
//      CHECK:   expand-strided-metadata
//      CHECK:   convert-nvfp4-host-to-llvm
//      CHECK:   nvfp4-parallelize-loops

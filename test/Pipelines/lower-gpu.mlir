// RUN: nvfp4-opt %s --nvfp4-lower-gpu --dump-pass-pipeline 2>&1 | FileCheck %s

/// The order of the stage, one line per pass.
//      CHECK: Pass Manager with
//      CHECK: builtin.module(
//      CHECK:   nvfp4-expand-tensors
//      CHECK:     nvfp4-split-global-scales
//      CHECK:   nvfp4-fuse-elementwise
//      CHECK:   nvfp4-form-dispatches
//      CHECK:   nvfp4-results-to-destinations
//      CHECK:   one-shot-bufferize
//      CHECK:   nvfp4-plan-workspace
//      CHECK:   nvfp4-verify-stage
//      CHECK:   convert-nvfp4-kernels-to-gpu
//      CHECK:   gpu.module(
//      CHECK:     nvfp4-verify-chip
//      CHECK:     math-extend-to-supported-types
//      CHECK:     arith-emulate-unsupported-floats
//      CHECK:     nvfp4-keep-rounding
//      CHECK:     nvfp4-expand-math
//      CHECK:     convert-nvfp4-device-to-llvm
//      CHECK:   nvfp4-serialize-device
//      CHECK:   expand-strided-metadata
//      CHECK:   convert-nvfp4-host-to-llvm

// RUN: nvfp4-opt %s --nvfp4-verify-stage=stage=finish --verify-diagnostics

// expected-error@below {{expected the stage normalize, policy, quantize, kernels, dispatch, lower, but got 'finish'}}
module {
}

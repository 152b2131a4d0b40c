// RUN: nvfp4-opt %s --nvfp4-expand-tensors --split-input-file --verify-diagnostics

// expected-error@below {{expected one element of nvfp4.entry 'arguments' for each of 1, but got 0}}
func.func @entry_arguments(%w: !nvfp4.tensor<32x64, nvfp4>) attributes {nvfp4.entry = {dimensions = [], arguments = [], results = []}} {
  return
}

// -----

// expected-error@below {{expected one element of nvfp4.entry 'results' for each of 1, but got 0}}
func.func @entry_results(%w: !nvfp4.tensor<32x64, nvfp4>) -> !nvfp4.tensor<32x64, nvfp4> attributes {nvfp4.entry = {
    dimensions = [], arguments = [{kind = "weight", name = "w", dtype = "nvfp4", shape = [32, 64]}]}} {
  return %w : !nvfp4.tensor<32x64, nvfp4>
}

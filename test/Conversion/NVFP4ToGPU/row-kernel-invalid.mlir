// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu=chip=sm_120a --verify-diagnostics

module { module @kernels {
  // expected-error@below {{expected a reduction of rows in a kernel of the schedule 'row', but got none}}
  func.func @negative_no_reduction(%x: tensor<?x8xf32>, %i: tensor<?x8xf32>) -> tensor<?x8xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %y = linalg.exp ins(%x : tensor<?x8xf32>) outs(%i : tensor<?x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}}

// -----

module { module @kernels {
  // expected-error@below {{expected results that split into the rows and columns of the kernel's reduction, but got 'tensor<4x7xf32>'}}
  func.func @negative_other_columns(%x: tensor<4x8xf32>, %w: tensor<4x7xf32>, %i: tensor<4x7xf32>) -> tensor<4x7xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %e = tensor.empty() : tensor<4xf32>
    %s = linalg.reduce { arith.addf } ins(%x : tensor<4x8xf32>) outs(%e : tensor<4xf32>) dimensions = [1]
    %y = linalg.exp ins(%w : tensor<4x7xf32>) outs(%i : tensor<4x7xf32>) -> tensor<4x7xf32>
    return %y : tensor<4x7xf32>
  }
}}

// -----

module { module @kernels {
  /// Another row's sum is another warp's.
  func.func @negative_other_row(%x: tensor<4x8xf32>, %i: tensor<4xf32>) -> tensor<4xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %e = tensor.empty() : tensor<4xf32>
    // expected-error@below {{expected all uses of a reduction in a kernel of the schedule 'row' to be in the same row}}
    %s = linalg.reduce { arith.addf } ins(%x : tensor<4x8xf32>) outs(%e : tensor<4xf32>) dimensions = [1]
    %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (3 - d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
        ins(%s : tensor<4xf32>) outs(%i : tensor<4xf32>) {
      ^bb0(%a: f32, %out: f32):
        linalg.yield %a : f32
    } -> tensor<4xf32>
    return %y : tensor<4xf32>
  }
}}

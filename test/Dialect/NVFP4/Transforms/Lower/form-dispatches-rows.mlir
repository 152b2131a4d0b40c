// RUN: nvfp4-opt %s --nvfp4-form-dispatches --split-input-file | FileCheck %s

/// A norm and the quantization of what it returns, across a reshape.
// CHECK-LABEL: func.func @row_64(
//  CHECK-SAME:     -> (tensor<?x4x64xf32>, tensor<?xf32>, tensor<?x32xi8>, tensor<?x4xi8>)
//       CHECK:   tensor.collapse_shape
//       CHECK:   nvfp4.global_scale_into
//       CHECK:   nvfp4.quantize_into
// CHECK-LABEL: func.func @norm(
//       CHECK:   %[[B:.+]] = tensor.dim
//       CHECK:   %[[ROWS:.+]] = arith.muli %[[B]], %c4
//   CHECK-DAG:   tensor.empty(%[[B]]) : tensor<?x4x64xf32>
//   CHECK-DAG:   tensor.empty(%[[ROWS]]) : tensor<?x32xi8>
//       CHECK:   nvfp4.dispatch @kernels::@row_64
//   CHECK-NOT:   nvfp4.dispatch
func.func @norm(%x: tensor<?x4x64xf32>) -> (tensor<?x4x64xf32>, tensor<?xf32>, tensor<?x32xi8>, tensor<?x4xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x4x64xf32>
  %e = tensor.empty(%b) : tensor<?x4x64xf32>
  %e1 = tensor.empty(%b) : tensor<?x4x1xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, 0)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x4x64xf32>) outs(%fill : tensor<?x4x1xf32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.mulf %a, %a : f32
    %p = arith.addf %q, %o : f32
    linalg.yield %p : f32
  } -> tensor<?x4x1xf32>
  %root = linalg.rsqrt ins(%sum : tensor<?x4x1xf32>) outs(%e1 : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, 0)>, affine_map<(i, j, k) -> (i, j, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %root : tensor<?x4x64xf32>, tensor<?x4x1xf32>) outs(%e : tensor<?x4x64xf32>) {
  ^bb0(%a: f32, %r: f32, %o: f32):
    %p = arith.mulf %a, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x4x64xf32>
  %rows = tensor.collapse_shape %y [[0, 1], [2]] : tensor<?x4x64xf32> into tensor<?x64xf32>
  %m = tensor.dim %rows, %c0 : tensor<?x64xf32>
  %eg = tensor.empty(%m) : tensor<?xf32>
  %g = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%rows : tensor<?x64xf32>) outs(%eg : tensor<?xf32>) -> tensor<?xf32>
  %ec = tensor.empty(%m) : tensor<?x32xi8>
  %es = tensor.empty(%m) : tensor<?x4xi8>
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<?x64, nvfp4<global = row>> ins(%rows, %g : tensor<?x64xf32>, tensor<?xf32>)
      outs(%ec, %es : tensor<?x32xi8>, tensor<?x4xi8>) -> tensor<?x32xi8>, tensor<?x4xi8>
  return %y, %g, %q#0, %q#1 : tensor<?x4x64xf32>, tensor<?xf32>, tensor<?x32xi8>, tensor<?x4xi8>
}

// -----

/// Two sums, along rows of different lengths, are two kernels; so is what mixes
/// rows.
// CHECK-LABEL: func.func @negative_other_rows(
//       CHECK:   nvfp4.dispatch @kernels::@row_16
//       CHECK:   nvfp4.dispatch @kernels::@row_8
//       CHECK:   nvfp4.dispatch @kernels::@element_16x8
func.func @negative_other_rows(%x: tensor<8x16xf32>, %y: tensor<8x8xf32>) -> (tensor<8xf32>, tensor<16x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<8x16xf32>) outs(%fill : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.addf %a, %o : f32
    linalg.yield %p : f32
  } -> tensor<8xf32>
  %t = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%y, %s : tensor<8x8xf32>, tensor<8xf32>) outs(%fill : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %q = arith.mulf %a, %b : f32
    %p = arith.addf %q, %o : f32
    linalg.yield %p : f32
  } -> tensor<8xf32>
  %e2 = tensor.empty() : tensor<16x8xf32>
  %u = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%t : tensor<8xf32>) outs(%e2 : tensor<16x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.negf %a : f32
    linalg.yield %p : f32
  } -> tensor<16x8xf32>
  return %t, %u : tensor<8xf32>, tensor<16x8xf32>
}

// -----

/// Reductions to one element and global scales of tensors are alone; so is
/// quantization of blocks that span rows.
// CHECK-LABEL: func.func @row_all(
// CHECK-LABEL: func.func @block_16x16(
//  CHECK-SAME:     nvfp4.kernel = [#nvfp4.kernel<block, threads = 128>]
// CHECK-LABEL: func.func @alone(
//       CHECK:   nvfp4.dispatch @kernels::@row_all
//       CHECK:   nvfp4.dispatch @kernels::@block_16x16
func.func @alone(%x: tensor<16x32xf32>) -> (tensor<16x16xi8>, tensor<1x2xi8>) {
  %eg = tensor.empty() : tensor<f32>
  %g = nvfp4.global_scale_into format <nvfp4<block = 16x16>> ins(%x : tensor<16x32xf32>) outs(%eg : tensor<f32>) -> tensor<f32>
  %ec = tensor.empty() : tensor<16x16xi8>
  %es = tensor.empty() : tensor<1x2xi8>
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<16x32, nvfp4<block = 16x16>> ins(%x, %g : tensor<16x32xf32>, tensor<f32>)
      outs(%ec, %es : tensor<16x16xi8>, tensor<1x2xi8>) -> tensor<16x16xi8>, tensor<1x2xi8>
  return %q#0, %q#1 : tensor<16x16xi8>, tensor<1x2xi8>
}

// -----

/// A matrix and its transpose are quantized by one kernel, which reads it once;
/// another matrix is not.
// CHECK-LABEL: func.func @block_64x64(
//       CHECK:   linalg.transpose
// CHECK-COUNT-2: nvfp4.quantize_into
// CHECK-LABEL: func.func @both_ways(
//       CHECK:   nvfp4.dispatch @kernels::@block_64x64
//       CHECK:   nvfp4.dispatch @kernels::@row_128
//   CHECK-NOT:   nvfp4.dispatch
func.func @both_ways(%x: tensor<64x128xbf16>, %y: tensor<64x128xbf16>, %g: tensor<f32>)
    -> (tensor<64x64xi8>, tensor<64x8xi8>, tensor<64x64xi8>, tensor<64x8xi8>, tensor<128x32xi8>, tensor<128x4xi8>) {
  %c = tensor.empty() : tensor<64x64xi8>
  %s = tensor.empty() : tensor<64x8xi8>
  %ct = tensor.empty() : tensor<128x32xi8>
  %st = tensor.empty() : tensor<128x4xi8>
  %e = tensor.empty() : tensor<128x64xbf16>
  %a:2 = nvfp4.quantize_into as !nvfp4.tensor<64x128, nvfp4> ins(%x, %g : tensor<64x128xbf16>, tensor<f32>)
      outs(%c, %s : tensor<64x64xi8>, tensor<64x8xi8>) -> tensor<64x64xi8>, tensor<64x8xi8>
  %b:2 = nvfp4.quantize_into as !nvfp4.tensor<64x128, nvfp4> ins(%y, %g : tensor<64x128xbf16>, tensor<f32>)
      outs(%c, %s : tensor<64x64xi8>, tensor<64x8xi8>) -> tensor<64x64xi8>, tensor<64x8xi8>
  %t = linalg.transpose ins(%x : tensor<64x128xbf16>) outs(%e : tensor<128x64xbf16>) permutation = [1, 0]
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<128x64, nvfp4> ins(%t, %g : tensor<128x64xbf16>, tensor<f32>)
      outs(%ct, %st : tensor<128x32xi8>, tensor<128x4xi8>) -> tensor<128x32xi8>, tensor<128x4xi8>
  return %a#0, %a#1, %b#0, %b#1, %q#0, %q#1 : tensor<64x64xi8>, tensor<64x8xi8>, tensor<64x64xi8>, tensor<64x8xi8>, tensor<128x32xi8>, tensor<128x4xi8>
}

// -----

/// One row alone is shared by more threads.
// CHECK-LABEL: func.func @row_4096(
//  CHECK-SAME:     nvfp4.kernel = [#nvfp4.kernel<row, threads = 512>]
func.func @one_row(%x: tensor<1x4096xf32>) -> tensor<1xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<1xf32>) -> tensor<1xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<1x4096xf32>) outs(%fill : tensor<1xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.addf %a, %o : f32
    linalg.yield %p : f32
  } -> tensor<1xf32>
  return %sum : tensor<1xf32>
}

// -----

/// Quantizers compute a transform that nobody else reads.
// CHECK-LABEL: func.func @row_32(
//       CHECK:   nvfp4.hadamard_into
//       CHECK:   nvfp4.global_scale_into
// CHECK-LABEL: func.func @row_32_1(
//       CHECK:   nvfp4.hadamard_into
//       CHECK:   nvfp4.quantize_into
// CHECK-LABEL: func.func @transformed(
// CHECK-COUNT-2: nvfp4.dispatch
//   CHECK-NOT:   nvfp4.dispatch
func.func @transformed(%x: tensor<16x32xbf16>) -> (tensor<16xf32>, tensor<16x16xi8>, tensor<16x2xi8>) {
  %g = arith.constant dense<1.0> : tensor<f32>
  %eh = tensor.empty() : tensor<16x32xbf16>
  %h = nvfp4.hadamard_into signs<0xD7E8> ins(%x : tensor<16x32xbf16>) outs(%eh : tensor<16x32xbf16>) -> tensor<16x32xbf16>
  %ea = tensor.empty() : tensor<16xf32>
  %a = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%h : tensor<16x32xbf16>) outs(%ea : tensor<16xf32>) -> tensor<16xf32>
  %ec = tensor.empty() : tensor<16x16xi8>
  %es = tensor.empty() : tensor<16x2xi8>
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<16x32, nvfp4> ins(%h, %g : tensor<16x32xbf16>, tensor<f32>)
      outs(%ec, %es : tensor<16x16xi8>, tensor<16x2xi8>) -> tensor<16x16xi8>, tensor<16x2xi8>
  return %a, %q#0, %q#1 : tensor<16xf32>, tensor<16x16xi8>, tensor<16x2xi8>
}

// -----

// CHECK-LABEL: func.func @read_by_others(
// CHECK-COUNT-2: nvfp4.dispatch
func.func @read_by_others(%x: tensor<16x32xbf16>) -> (tensor<16x32xbf16>, tensor<16xf32>) {
  %eh = tensor.empty() : tensor<16x32xbf16>
  %h = nvfp4.hadamard_into signs<0xD7E8> ins(%x : tensor<16x32xbf16>) outs(%eh : tensor<16x32xbf16>) -> tensor<16x32xbf16>
  %ea = tensor.empty() : tensor<16xf32>
  %a = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%h : tensor<16x32xbf16>) outs(%ea : tensor<16xf32>) -> tensor<16xf32>
  return %h, %a : tensor<16x32xbf16>, tensor<16xf32>
}

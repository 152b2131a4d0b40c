// RUN: nvfp4-opt %s --split-input-file --nvfp4-check-extents | FileCheck %s

/// What the verifiers of block-scaled ops leave to run time, where extents are
/// dynamic. Code compiled from them would read out of bounds.

/// The global scale of each row, rows that fill square blocks, columns that are
/// a multiple of 16.
// CHECK-LABEL: func.func @quantize(
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 'g' (n) to equal dimension 0 of 'x' (m)"
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 1 of 'x' (k) to be a multiple of 16"
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 'x' (m) to be a multiple of 16"
func.func @quantize(%x: tensor<?x?xf32> {nvfp4.name = "x", nvfp4.shape = ["m", "k"]},
                    %g: tensor<?xf32> {nvfp4.name = "g", nvfp4.shape = ["n"]}, %t: tensor<f32>)
    -> (!nvfp4.tensor<?x?, nvfp4<global = row>>, !nvfp4.tensor<?x?, nvfp4<block = 16x16>>) {
  %q = nvfp4.quantize %x global_scale %g : tensor<?x?xf32>, tensor<?xf32> -> !nvfp4.tensor<?x?, nvfp4<global = row>>
  %r = nvfp4.quantize %x global_scale %t : tensor<?x?xf32>, tensor<f32> -> !nvfp4.tensor<?x?, nvfp4<block = 16x16>>
  return %q, %r : !nvfp4.tensor<?x?, nvfp4<global = row>>, !nvfp4.tensor<?x?, nvfp4<block = 16x16>>
}

// -----

/// What follows from names and types needs no check.
// CHECK-LABEL: func.func @negative_quantize(
//   CHECK-NOT:   cf.assert
func.func @negative_quantize(%x: tensor<?x64xf32> {nvfp4.shape = ["m", 64]}, %b: !nvfp4.tensor<32x64, nvfp4>) -> (tensor<?x32xf32>, tensor<?x64xf32>) {
  %g = nvfp4.global_scale %x per_row : tensor<?x64xf32> -> tensor<?xf32>
  %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<?xf32> -> !nvfp4.tensor<?x64, nvfp4<global = row>>
  %c, %s, %h = nvfp4.disassemble %q : !nvfp4.tensor<?x64, nvfp4<global = row>> -> tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32>
  %r = nvfp4.assemble %c, %s global_scale %h : tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32> -> !nvfp4.tensor<?x64, nvfp4<global = row>>
  %y = nvfp4.matmul %r, %b : !nvfp4.tensor<?x64, nvfp4<global = row>>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
  %d = nvfp4.dequantize %r : !nvfp4.tensor<?x64, nvfp4<global = row>> -> tensor<?x64xf32>
  return %y, %d : tensor<?x32xf32>, tensor<?x64xf32>
}

// -----

// CHECK-LABEL: func.func @matmul(
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 2 of 'b' (l) to equal dimension 2 of 'a' (k)"
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 'b' (q) to equal dimension 0 of 'a' (p)"
func.func @matmul(%a: tensor<?x4x?xf32> {nvfp4.name = "a", nvfp4.shape = ["p", 4, "k"]},
                  %b: !nvfp4.tensor<?x8x?, mxfp4> {nvfp4.name = "b", nvfp4.shape = ["q", 8, "l"]}) -> tensor<?x4x8xf32> {
  %d = nvfp4.matmul %a, %b : tensor<?x4x?xf32>, !nvfp4.tensor<?x8x?, mxfp4> -> tensor<?x4x8xf32>
  return %d : tensor<?x4x8xf32>
}

// -----

/// Components of one tensor have one number of rows.
// CHECK-LABEL: func.func @assemble_linear(
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 's' (n) to equal m"
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 'g' (r) to equal m"
func.func @assemble_linear(%c: tensor<?x32xi8> {nvfp4.name = "c", nvfp4.shape = ["m", 32]},
                           %s: tensor<?x4xi8> {nvfp4.name = "s", nvfp4.shape = ["n", 4]},
                           %g: tensor<?xf32> {nvfp4.name = "g", nvfp4.shape = ["r"]}) -> !nvfp4.tensor<?x64, nvfp4<global = row>> {
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32> -> !nvfp4.tensor<?x64, nvfp4<global = row>>
  return %q : !nvfp4.tensor<?x64, nvfp4<global = row>>
}

// -----

/// A tile of scales serves 128 rows.
// CHECK-LABEL: func.func @assemble_tiled(
//       CHECK:   %[[TILES:.+]] = arith.ceildiv{{[su]}}i %{{.+}}, %c128
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 's' (n) to equal {{.+}}"
func.func @assemble_tiled(%c: tensor<?x32xi8> {nvfp4.name = "c", nvfp4.shape = ["m", 32]},
                          %s: tensor<?xi8> {nvfp4.name = "s", nvfp4.shape = ["n"]}) -> !nvfp4.tensor<?x64, mxfp4, layout = tiled> {
  %q = nvfp4.assemble %c, %s : tensor<?x32xi8>, tensor<?xi8> -> !nvfp4.tensor<?x64, mxfp4, layout = tiled>
  return %q : !nvfp4.tensor<?x64, mxfp4, layout = tiled>
}

// -----

// CHECK-LABEL: func.func @cast_transpose_hadamard(
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 'q' (m) to equal dimension 0 of a result of nvfp4.cast (32)"
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 1 of a result of nvfp4.transpose (m) to be a multiple of 16"
//   CHECK-DAG:   cf.assert %{{.+}}, "expected dimension 0 of 'x' (k) to be a multiple of 16"
func.func @cast_transpose_hadamard(%q: !nvfp4.tensor<?x64, nvfp4<block = 16x16>> {nvfp4.name = "q", nvfp4.shape = ["m", 64]},
                                   %x: tensor<?xf32> {nvfp4.name = "x", nvfp4.shape = ["k"]})
    -> (!nvfp4.tensor<32x64, nvfp4<block = 16x16>>, !nvfp4.tensor<64x?, nvfp4<block = 16x16>>, tensor<?xf32>) {
  %c = nvfp4.cast %q : !nvfp4.tensor<?x64, nvfp4<block = 16x16>> to !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
  %t = nvfp4.transpose %q : !nvfp4.tensor<?x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x?, nvfp4<block = 16x16>>
  %r = nvfp4.hadamard %x signs<0xD7E8> : tensor<?xf32>
  return %c, %t, %r : !nvfp4.tensor<32x64, nvfp4<block = 16x16>>, !nvfp4.tensor<64x?, nvfp4<block = 16x16>>, tensor<?xf32>
}

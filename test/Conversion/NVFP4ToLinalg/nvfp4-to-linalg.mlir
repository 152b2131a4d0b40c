// RUN: nvfp4-opt %s --convert-nvfp4-to-linalg --canonicalize --cse --split-input-file | FileCheck %s

/// The reference lowering, in structure; its numbers are in test/Integration.

/// Magnitudes are compared as integers, NaN as 0, so that no rule about the
/// maximum of NaN matters.
// CHECK-LABEL: func.func @global_scale_into_row_bf16(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x64xbf16>
//       CHECK:   %[[ZERO:.+]] = linalg.fill {{.+}} -> tensor<?xi32>
//       CHECK:   %[[AMAX:.+]] = linalg.generic {{.+}} iterator_types = ["parallel", "reduction"]} ins(%[[X]] : {{.+}} outs(%[[ZERO]] :
//       CHECK:     arith.extf %{{.+}} : bf16 to f32
//       CHECK:     %[[BITS:.+]] = arith.andi
//       CHECK:     %[[ISNAN:.+]] = arith.cmpi sgt, %[[BITS]]
//       CHECK:     %[[MAGNITUDE:.+]] = arith.select %[[ISNAN]], %{{.+}}, %[[BITS]]
//       CHECK:     arith.maxsi %[[MAGNITUDE]]
//       CHECK:   linalg.generic {{.+}} iterator_types = ["parallel"]} ins(%[[AMAX]] :
//       CHECK:     arith.divf
func.func @global_scale_into_row_bf16(%x: tensor<?x64xbf16>, %init: tensor<?xf32>) -> tensor<?xf32> {
  %g = nvfp4.global_scale_into format <nvfp4<global = row, convention = multiply>>
      ins(%x : tensor<?x64xbf16>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %g : tensor<?xf32>
}

// -----

/// A slice of a batch reduces over its rows and columns.
// CHECK-LABEL: func.func @global_scale_into_slice(
//       CHECK:   linalg.generic {{.+}} iterator_types = ["parallel", "reduction", "reduction"]}
func.func @global_scale_into_slice(%x: tensor<3x4x64xf32>, %init: tensor<3xf32>) -> tensor<3xf32> {
  %g = nvfp4.global_scale_into format <nvfp4<global = slice>> ins(%x : tensor<3x4x64xf32>) outs(%init : tensor<3xf32>) -> tensor<3xf32>
  return %g : tensor<3xf32>
}

// -----

/// A maximum per block, a scale and a factor per block, then codes: even and odd
/// elements of a row meet in a byte.
// CHECK-LABEL: func.func @quantize_into_static_f32(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<4x64xf32>, %[[G:[^:]+]]: tensor<f32>
//       CHECK:   %[[BLOCKS:.+]] = tensor.expand_shape %[[X]] {{.+}} into tensor<4x4x1x8x2xf32>
//       CHECK:   %[[AMAX:.+]] = linalg.generic {{.+}} iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%[[BLOCKS]] :
//       CHECK:     arith.maxsi
//       CHECK:   %[[FACTORS:.+]]:2 = linalg.generic {{.+}} ins(%[[G]] : tensor<f32>)
//       CHECK:   %[[SCALES:.+]]:2 = linalg.generic {{.+}} ins(%[[AMAX]], %[[FACTORS]]#0, %[[FACTORS]]#1 : {{.+}} outs(%{{.+}}, %{{.+}} : tensor<4x4xi8>, tensor<4x4xf32>)
//       CHECK:   %[[CODES:.+]] = linalg.generic {{.+}} ins(%{{.+}}, %{{.+}}, %[[SCALES]]#1 : tensor<4x4x1x8xf32>, tensor<4x4x1x8xf32>, tensor<4x4xf32>) outs(%{{.+}} : tensor<4x4x1x8xi8>)
//       CHECK:     arith.shli
//       CHECK:     arith.ori
//       CHECK:   %[[PACKED:.+]] = tensor.collapse_shape %[[CODES]] {{.+}} into tensor<4x32xi8>
//       CHECK:   return %[[PACKED]], %[[SCALES]]#0
func.func @quantize_into_static_f32(%x: tensor<4x64xf32>, %g: tensor<f32>, %c: tensor<4x32xi8>, %s: tensor<4x4xi8>) -> (tensor<4x32xi8>, tensor<4x4xi8>) {
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<4x64, nvfp4> ins(%x, %g : tensor<4x64xf32>, tensor<f32>)
      outs(%c, %s : tensor<4x32xi8>, tensor<4x4xi8>) -> tensor<4x32xi8>, tensor<4x4xi8>
  return %q#0, %q#1 : tensor<4x32xi8>, tensor<4x4xi8>
}

// -----

/// The last block of 48 is half full: the source is padded with zeros, which no
/// maximum sees, and what belongs to the padding is cut off.
// CHECK-LABEL: func.func @quantize_into_half_block(
//       CHECK:   } : tensor<4x48xf32> to tensor<4x64xf32>
//       CHECK:   tensor.extract_slice {{.+}} to tensor<4x24xi8>
func.func @quantize_into_half_block(%x: tensor<4x48xf32>, %c: tensor<4x24xi8>, %s: tensor<4x2xi8>) -> (tensor<4x24xi8>, tensor<4x2xi8>) {
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<4x48, mxfp4> ins(%x : tensor<4x48xf32>)
      outs(%c, %s : tensor<4x24xi8>, tensor<4x2xi8>) -> tensor<4x24xi8>, tensor<4x2xi8>
  return %q#0, %q#1 : tensor<4x24xi8>, tensor<4x2xi8>
}

// -----

/// Philox, whose counter is the position plus the state's offset.
// CHECK-LABEL: func.func @quantize_into_stochastic(
//  CHECK-SAME:     %[[STATE:[^:]+]]: tensor<2xi64>
//       CHECK:   tensor.extract %[[STATE]][%c0]
//       CHECK:   tensor.extract %[[STATE]][%c1]
//       CHECK:   arith.xori
func.func @quantize_into_stochastic(%x: tensor<4x64xf32>, %state: tensor<2xi64>, %c: tensor<4x32xi8>, %s: tensor<4x2xi8>) -> tensor<4x32xi8> {
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<4x64, mxfp4> rounding<stochastic> ins(%x, %state : tensor<4x64xf32>, tensor<2xi64>)
      outs(%c, %s : tensor<4x32xi8>, tensor<4x2xi8>) -> tensor<4x32xi8>, tensor<4x2xi8>
  return %q#0 : tensor<4x32xi8>
}

// -----

/// Codes and scales are looked up; a global scale enters the scale of the block.
// CHECK-LABEL: func.func @dequantize_into_bf16(
//  CHECK-SAME:     %[[C:[^:]+]]: tensor<4x32xi8>, %[[S:[^:]+]]: tensor<4x4xi8>, %[[G:[^:]+]]: tensor<4xf32>
//   CHECK-DAG:   %[[CODES:.+]] = arith.constant {{.+}} : tensor<16xf32>
//   CHECK-DAG:   %[[SCALES:.+]] = arith.constant {{.+}} : tensor<256xf32>
//       CHECK:   %[[D:.+]] = linalg.generic {{.+}} ins(%[[S]], %[[G]] :
//       CHECK:     %[[V:.+]] = tensor.extract %[[SCALES]]
//       CHECK:     arith.mulf %[[V]]
//       CHECK:   linalg.generic {{.+}} ins(%{{.+}}, %[[D]] :
//       CHECK:     %[[E:.+]] = tensor.extract %[[CODES]]
//       CHECK:     arith.mulf %[[E]]
//       CHECK:   arith.truncf %{{.+}} : f32 to bf16
func.func @dequantize_into_bf16(%c: tensor<4x32xi8>, %s: tensor<4x4xi8>, %g: tensor<4xf32>, %init: tensor<4x64xbf16>) -> tensor<4x64xbf16> {
  %x = nvfp4.dequantize_into from !nvfp4.tensor<4x64, nvfp4<global = row, convention = multiply>>
      ins(%c, %s, %g : tensor<4x32xi8>, tensor<4x4xi8>, tensor<4xf32>) outs(%init : tensor<4x64xbf16>) -> tensor<4x64xbf16>
  return %x : tensor<4x64xbf16>
}

// -----

/// Operands are decoded without their global scales, which are applied to the
/// sums, once: here a row of the result has one, and a column has one.
// CHECK-DAG: #[[$A:.+]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$B:.+]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[$D:.+]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[$MN:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$M:.+]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[$N:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @scaled_matmul_dynamic_bf16(
//  CHECK-SAME:     %[[AG:[^:]+]]: tensor<?xf32>, %{{[^:]+}}: tensor<8x32xi8>, %{{[^:]+}}: tensor<8x4xi8>, %[[BG:[^:]+]]: tensor<8xf32>
//       CHECK:   %[[SUM:.+]] = linalg.generic {indexing_maps = [#[[$A]], #[[$B]], #[[$D]]], iterator_types = ["parallel", "parallel", "reduction"]} ins(%{{.+}}, %{{.+}} : tensor<?x64xf32>, tensor<8x64xf32>) outs(%{{.+}} : tensor<?x8xf32>)
//       CHECK:   linalg.generic {indexing_maps = [#[[$MN]], #[[$M]], #[[$N]], #[[$MN]]], {{.+}} ins(%[[SUM]], %[[AG]], %[[BG]] :
//       CHECK:     arith.truncf %{{.+}} : f32 to bf16
func.func @scaled_matmul_dynamic_bf16(%ac: tensor<?x32xi8>, %as: tensor<?x4xi8>, %ag: tensor<?xf32>,
                                      %bc: tensor<8x32xi8>, %bs: tensor<8x4xi8>, %bg: tensor<8xf32>, %init: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>> rhs !nvfp4.tensor<8x64, nvfp4<global = row>>
      ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32>, tensor<8x32xi8>, tensor<8x4xi8>, tensor<8xf32>)
      outs(%init : tensor<?x8xbf16>) -> tensor<?x8xbf16>
  return %d : tensor<?x8xbf16>
}

// -----

/// One rhs for all matrices of the lhs: it has no batch loop.
// CHECK-DAG: #[[$A:.+]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[$B:.+]] = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
// CHECK-LABEL: func.func @scaled_matmul_weight_only_batch(
//       CHECK:   linalg.generic {indexing_maps = [#[[$A]], #[[$B]], #{{.+}}], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
func.func @scaled_matmul_weight_only_batch(%a: tensor<2x5x64xf32>, %c: tensor<8x32xi8>, %s: tensor<8x2xi8>, %init: tensor<2x5x8xf32>) -> tensor<2x5x8xf32> {
  %d = nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, mxfp4> ins(%a, %c, %s : tensor<2x5x64xf32>, tensor<8x32xi8>, tensor<8x2xi8>)
      outs(%init : tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  return %d : tensor<2x5x8xf32>
}

// -----

// CHECK-LABEL: func.func @hadamard_into(
//       CHECK:   %[[H:.+]] = arith.constant dense<{{.+}}> : tensor<16x16xf32>
//       CHECK:   tensor.expand_shape %{{.+}} into tensor<?x4x16xbf16>
//       CHECK:   linalg.generic {{.+}} "reduction"]} ins(%{{.+}}, %[[H]] :
func.func @hadamard_into(%x: tensor<?x64xbf16>, %init: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %r = nvfp4.hadamard_into signs<0xD7E8> ins(%x : tensor<?x64xbf16>) outs(%init : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

// -----

// CHECK-LABEL: func.func @transpose_into_relayout_into(
//   CHECK-NOT:   nvfp4.
func.func @transpose_into_relayout_into(%c: tensor<32x32xi8>, %s: tensor<2x4xi8>, %tc: tensor<64x16xi8>, %ts: tensor<4x2xi8>,
                                        %lc: tensor<64x32xi8>, %ls: tensor<512xi8>) -> (tensor<64x32xi8>, tensor<512xi8>) {
  %t:2 = nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
      ins(%c, %s : tensor<32x32xi8>, tensor<2x4xi8>) outs(%tc, %ts : tensor<64x16xi8>, tensor<4x2xi8>) -> tensor<64x16xi8>, tensor<4x2xi8>
  %l:2 = nvfp4.relayout_into from !nvfp4.tensor<64x32, nvfp4<block = 16x16>> to !nvfp4.tensor<64x32, nvfp4<block = 16x16>, layout = tiled>
      ins(%t#0, %t#1 : tensor<64x16xi8>, tensor<4x2xi8>) outs(%lc, %ls : tensor<64x32xi8>, tensor<512xi8>) -> tensor<64x32xi8>, tensor<512xi8>
  return %l#0, %l#1 : tensor<64x32xi8>, tensor<512xi8>
}

// -----

/// Buffers are another lowering's business.
// CHECK-LABEL: func.func @negative_memref(
//       CHECK:   nvfp4.hadamard_into
func.func @negative_memref(%x: memref<16xf32>, %y: memref<16xf32>) {
  nvfp4.hadamard_into signs<0> ins(%x : memref<16xf32>) outs(%y : memref<16xf32>)
  return
}

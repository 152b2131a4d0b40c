// RUN: nvfp4-opt %s --canonicalize --split-input-file | FileCheck %s

/// Folds exist only where the arithmetic proves them (docs/Rationale/FoldsThatAreNot.md).

/// Two codes to a byte, low nibble first: 0x72 is 1 and 6, 0xF8 is -0 and -6.
/// The scale 0x40 is 2 and the global scale 2688 is a factor of 1.
// CHECK-LABEL: func.func @dequantize_constant(
//       CHECK:   %[[C:.+]] = arith.constant dense<{{\[\[}}2.000000e+00, 1.200000e+01, -0.000000e+00, -1.200000e+01, 0.000000e+00
//       CHECK:   return %[[C]]
func.func @dequantize_constant() -> tensor<1x16xf32> {
  %q = nvfp4.constant <codes = dense<[[0x72, 0xF8, 0, 0, 0, 0, 0, 0]]> : tensor<1x8xi8>,
      scales = dense<0x40> : tensor<1x1xi8>, globalScale = dense<2688.0> : tensor<f32>> : !nvfp4.tensor<1x16, nvfp4>
  %x = nvfp4.dequantize %q : !nvfp4.tensor<1x16, nvfp4> -> tensor<1x16xf32>
  return %x : tensor<1x16xf32>
}

// -----

/// Each row has its global scale.
// CHECK-LABEL: func.func @dequantize_constant_row(
//       CHECK:   arith.constant dense<{{\[\[}}1.000000e+00, {{.+}}], [5.000000e-01, {{.+}}]]> : tensor<2x16xbf16>
func.func @dequantize_constant_row() -> tensor<2x16xbf16> {
  %q = nvfp4.constant <codes = dense<0x22> : tensor<2x8xi8>, scales = dense<0x38> : tensor<2x1xi8>,
      globalScale = dense<[1.0, 0.5]> : tensor<2xf32>> : !nvfp4.tensor<2x16, nvfp4<global = row, convention = multiply>>
  %x = nvfp4.dequantize %q : !nvfp4.tensor<2x16, nvfp4<global = row, convention = multiply>> -> tensor<2x16xbf16>
  return %x : tensor<2x16xbf16>
}

// -----

/// The second block of a row of 48 is half full; its scale byte 0x80 is 2.
// CHECK-LABEL: func.func @dequantize_constant_mxfp4(
//       CHECK:   arith.constant dense<{{\[\[}}1.000000e+00, {{(1.0+e[+]00, )+}}{{(2.0+e[+]00, )+}}2.000000e+00]]> : tensor<1x48xf32>
func.func @dequantize_constant_mxfp4() -> tensor<1x48xf32> {
  %q = nvfp4.constant <codes = dense<0x22> : tensor<1x24xi8>, scales = dense<[[0x7F, 0x80]]> : tensor<1x2xi8>>
      : !nvfp4.tensor<1x48, mxfp4>
  %x = nvfp4.dequantize %q : !nvfp4.tensor<1x48, mxfp4> -> tensor<1x48xf32>
  return %x : tensor<1x48xf32>
}

// -----

/// The fold would move 4112 values into an attribute.
// CHECK-LABEL: func.func @negative_dequantize_constant_large(
//       CHECK:   nvfp4.constant
//       CHECK:   nvfp4.dequantize
func.func @negative_dequantize_constant_large() -> tensor<257x16xf32> {
  %q = nvfp4.constant <codes = dense<0x22> : tensor<257x8xi8>, scales = dense<0x38> : tensor<257x1xi8>,
      globalScale = dense<2688.0> : tensor<f32>> : !nvfp4.tensor<257x16, nvfp4>
  %x = nvfp4.dequantize %q : !nvfp4.tensor<257x16, nvfp4> -> tensor<257x16xf32>
  return %x : tensor<257x16xf32>
}

// -----

/// The codecs of Support fold it, so that folding and running give the same
/// bytes: example A of the fact sheet, amax 21 and a block with every tie.
// CHECK-LABEL: func.func @quantize_constant(
//       CHECK:   nvfp4.constant <codes = dense<{{\[\[}}-9, -128, 34, 68, 102, 30, 50, 4]]> : tensor<1x8xi8>, scales = dense<104> : tensor<1x1xi8>, globalScale = dense<2.100000e+01> : tensor<f32>>
func.func @quantize_constant() -> !nvfp4.tensor<1x16, nvfp4> {
  %x = arith.constant dense<[[3.0, -3.0, 0.125, -0.125, 0.375, 0.625, 0.875, 1.25, 1.75, 2.5, -2.5, 0.25, 0.5, 0.75, 1.0, 0.0]]> : tensor<1x16xf32>
  %g = arith.constant dense<21.0> : tensor<f32>
  %q = nvfp4.quantize %x global_scale %g : tensor<1x16xf32>, tensor<f32> -> !nvfp4.tensor<1x16, nvfp4>
  return %q : !nvfp4.tensor<1x16, nvfp4>
}

// -----

/// Two rows of two matrices, each with its own global scale.
// CHECK-LABEL: func.func @quantize_constant_row(
//       CHECK:   nvfp4.constant <codes = dense<119> : tensor<2x1x8xi8>, scales = dense<126> : tensor<2x1x1xi8>, globalScale = dense<{{\[}}[1.000000e+00], [2.000000e+00]]> : tensor<2x1xf32>>
func.func @quantize_constant_row() -> !nvfp4.tensor<2x1x16, nvfp4<global = row>> {
  %x = arith.constant dense<[[[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]],
                             [[2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]]]> : tensor<2x1x16xbf16>
  %g = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %q = nvfp4.quantize %x global_scale %g : tensor<2x1x16xbf16>, tensor<2x1xf32> -> !nvfp4.tensor<2x1x16, nvfp4<global = row>>
  return %q : !nvfp4.tensor<2x1x16, nvfp4<global = row>>
}

// -----

/// 128 rows of scales share one tile; those that do not exist are zero, and so
/// are the codes behind the last of a row.
// CHECK-LABEL: func.func @quantize_constant_tiled(
//       CHECK:   nvfp4.constant <codes = dense<{{\[\[}}119, 119, 119, 119, 119, 119, 119, 119, 0, {{(0, )+}}0]]> : tensor<1x32xi8>, scales = dense<"0x7E{{0+}}"> : tensor<512xi8>
func.func @quantize_constant_tiled() -> !nvfp4.tensor<1x16, nvfp4, layout = tiled> {
  %x = arith.constant dense<1.0> : tensor<1x16xf32>
  %g = arith.constant dense<1.0> : tensor<f32>
  %q = nvfp4.quantize %x global_scale %g : tensor<1x16xf32>, tensor<f32> -> !nvfp4.tensor<1x16, nvfp4, layout = tiled>
  return %q : !nvfp4.tensor<1x16, nvfp4, layout = tiled>
}

// -----

/// Random bits are not known before the program runs.
// CHECK-LABEL: func.func @negative_quantize_constant_stochastic(
//       CHECK:   nvfp4.quantize
func.func @negative_quantize_constant_stochastic() -> !nvfp4.tensor<1x16, nvfp4> {
  %x = arith.constant dense<1.0> : tensor<1x16xf32>
  %g = arith.constant dense<1.0> : tensor<f32>
  %s = arith.constant dense<0> : tensor<2xi64>
  %q = nvfp4.quantize %x global_scale %g rounding<stochastic> state %s : tensor<1x16xf32>, tensor<f32>, tensor<2xi64> -> !nvfp4.tensor<1x16, nvfp4>
  return %q : !nvfp4.tensor<1x16, nvfp4>
}

// -----

// CHECK-LABEL: func.func @negative_quantize_constant_global_scale(
//       CHECK:   nvfp4.quantize
func.func @negative_quantize_constant_global_scale(%g: tensor<f32>) -> !nvfp4.tensor<1x16, nvfp4> {
  %x = arith.constant dense<1.0> : tensor<1x16xf32>
  %q = nvfp4.quantize %x global_scale %g : tensor<1x16xf32>, tensor<f32> -> !nvfp4.tensor<1x16, nvfp4>
  return %q : !nvfp4.tensor<1x16, nvfp4>
}

// -----

// CHECK-LABEL: func.func @negative_quantize_constant_large(
//       CHECK:   nvfp4.quantize
func.func @negative_quantize_constant_large() -> !nvfp4.tensor<257x16, mxfp4> {
  %x = arith.constant dense<1.0> : tensor<257x16xf32>
  %q = nvfp4.quantize %x : tensor<257x16xf32> -> !nvfp4.tensor<257x16, mxfp4>
  return %q : !nvfp4.tensor<257x16, mxfp4>
}

// -----

/// Requantizing chooses new scales: with scale 1, codes for 4, 3 and 1.5 come
/// back as 4.125, 3.09 and 1.54 (docs/Format.md, 4.4).
// CHECK-LABEL: func.func @negative_quantize_of_dequantize(
//       CHECK:   nvfp4.dequantize
//       CHECK:   nvfp4.quantize
func.func @negative_quantize_of_dequantize(%q: !nvfp4.tensor<64x384, nvfp4>, %g: tensor<f32>) -> !nvfp4.tensor<64x384, nvfp4> {
  %x = nvfp4.dequantize %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x384xf32>
  %r = nvfp4.quantize %x global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

/// Quantization loses what it rounds.
// CHECK-LABEL: func.func @negative_dequantize_of_quantize(
//       CHECK:   nvfp4.quantize
//       CHECK:   nvfp4.dequantize
func.func @negative_dequantize_of_quantize(%x: tensor<64x384xf32>, %g: tensor<f32>) -> tensor<64x384xf32> {
  %q = nvfp4.quantize %x global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  %r = nvfp4.dequantize %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x384xf32>
  return %r : tensor<64x384xf32>
}

// -----

// CHECK-LABEL: func.func @transpose_of_transpose(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//  CHECK-NEXT:   return %[[Q]]
func.func @transpose_of_transpose(%q: !nvfp4.tensor<?x64, nvfp4<block = 16x16>>) -> !nvfp4.tensor<?x64, nvfp4<block = 16x16>> {
  %t = nvfp4.transpose %q : !nvfp4.tensor<?x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x?, nvfp4<block = 16x16>>
  %r = nvfp4.transpose %t : !nvfp4.tensor<64x?, nvfp4<block = 16x16>> -> !nvfp4.tensor<?x64, nvfp4<block = 16x16>>
  return %r : !nvfp4.tensor<?x64, nvfp4<block = 16x16>>
}

// -----

/// The second transpose knows an extent that the source does not.
// CHECK-LABEL: func.func @negative_transpose_of_transpose_type(
// CHECK-COUNT-2: nvfp4.transpose
func.func @negative_transpose_of_transpose_type(%q: !nvfp4.tensor<?x64, nvfp4<block = 16x16>>) -> !nvfp4.tensor<32x64, nvfp4<block = 16x16>> {
  %t = nvfp4.transpose %q : !nvfp4.tensor<?x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x32, nvfp4<block = 16x16>>
  %r = nvfp4.transpose %t : !nvfp4.tensor<64x32, nvfp4<block = 16x16>> -> !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
  return %r : !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
}

// -----

// CHECK-LABEL: func.func @relayout_to_itself(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//  CHECK-NEXT:   return %[[Q]]
func.func @relayout_to_itself(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4> {
  %r = nvfp4.relayout %q : !nvfp4.tensor<64x384, nvfp4> -> !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

/// Padding carries no value, so the way there and back is the identity.
// CHECK-LABEL: func.func @relayout_of_relayout(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//  CHECK-NEXT:   return %[[Q]]
func.func @relayout_of_relayout(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4> {
  %t = nvfp4.relayout %q : !nvfp4.tensor<64x384, nvfp4> -> !nvfp4.tensor<64x384, nvfp4, layout = tiled>
  %r = nvfp4.relayout %t : !nvfp4.tensor<64x384, nvfp4, layout = tiled> -> !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

// CHECK-LABEL: func.func @negative_relayout(
//       CHECK:   nvfp4.relayout
func.func @negative_relayout(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4, layout = tiled> {
  %t = nvfp4.relayout %q : !nvfp4.tensor<64x384, nvfp4> -> !nvfp4.tensor<64x384, nvfp4, layout = tiled>
  return %t : !nvfp4.tensor<64x384, nvfp4, layout = tiled>
}

// -----

// CHECK-LABEL: func.func @cast_to_itself(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//  CHECK-NEXT:   return %[[Q]]
func.func @cast_to_itself(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4> {
  %r = nvfp4.cast %q : !nvfp4.tensor<64x384, nvfp4> to !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

// CHECK-LABEL: func.func @cast_of_cast(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//  CHECK-NEXT:   return %[[Q]]
func.func @cast_of_cast(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4> {
  %c = nvfp4.cast %q : !nvfp4.tensor<64x384, nvfp4> to !nvfp4.tensor<?x384, nvfp4>
  %r = nvfp4.cast %c : !nvfp4.tensor<?x384, nvfp4> to !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

/// Dropping the cast in the middle would drop what it knows.
// CHECK-LABEL: func.func @negative_cast_of_cast(
// CHECK-COUNT-2: nvfp4.cast
func.func @negative_cast_of_cast(%q: !nvfp4.tensor<?x384, nvfp4>) -> !nvfp4.tensor<?x?, nvfp4> {
  %c = nvfp4.cast %q : !nvfp4.tensor<?x384, nvfp4> to !nvfp4.tensor<64x384, nvfp4>
  %r = nvfp4.cast %c : !nvfp4.tensor<64x384, nvfp4> to !nvfp4.tensor<?x?, nvfp4>
  return %r : !nvfp4.tensor<?x?, nvfp4>
}

// -----

// CHECK-LABEL: func.func @dim_static(
//       CHECK:   %[[C:.+]] = arith.constant 384 : index
//       CHECK:   return %[[C]]
func.func @dim_static(%q: !nvfp4.tensor<?x384, nvfp4>) -> index {
  %k = nvfp4.dim %q, 1 : !nvfp4.tensor<?x384, nvfp4>
  return %k : index
}

// -----

// CHECK-LABEL: func.func @negative_dim_dynamic(
//       CHECK:   nvfp4.dim
func.func @negative_dim_dynamic(%q: !nvfp4.tensor<?x384, nvfp4>) -> index {
  %m = nvfp4.dim %q, 0 : !nvfp4.tensor<?x384, nvfp4>
  return %m : index
}

// -----

// CHECK-LABEL: func.func @assemble_of_disassemble(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//  CHECK-NEXT:   return %[[Q]]
func.func @assemble_of_disassemble(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4> {
  %c, %s, %g = nvfp4.disassemble %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  %r = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

/// The number means something else on the way back.
// CHECK-LABEL: func.func @negative_assemble_of_disassemble_convention(
//       CHECK:   nvfp4.disassemble %{{.+}} convention multiply
//       CHECK:   nvfp4.assemble
func.func @negative_assemble_of_disassemble_convention(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4> {
  %c, %s, %g = nvfp4.disassemble %q convention multiply : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  %r = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

/// Same shapes, other convention: the values would change.
// CHECK-LABEL: func.func @negative_assemble_of_disassemble_type(
//       CHECK:   nvfp4.assemble
func.func @negative_assemble_of_disassemble_type(%q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4<convention = divide>> {
  %c, %s, %g = nvfp4.disassemble %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  %r = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4<convention = divide>>
  return %r : !nvfp4.tensor<64x384, nvfp4<convention = divide>>
}

// -----

// CHECK-LABEL: func.func @negative_assemble_of_two_disassembles(
//       CHECK:   nvfp4.assemble
func.func @negative_assemble_of_two_disassembles(%p: !nvfp4.tensor<64x384, nvfp4>, %q: !nvfp4.tensor<64x384, nvfp4>) -> !nvfp4.tensor<64x384, nvfp4> {
  %c, %s, %g = nvfp4.disassemble %p : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  %d, %t, %h = nvfp4.disassemble %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  %r = nvfp4.assemble %c, %t global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return %r : !nvfp4.tensor<64x384, nvfp4>
}

// -----

// CHECK-LABEL: func.func @disassemble_of_assemble(
//  CHECK-SAME:     %[[C:[^:]+]]: tensor<64x192xi8>, %[[S:[^:]+]]: tensor<64x24xf8E4M3FN>, %[[G:[^:]+]]: tensor<f32>
//  CHECK-NEXT:   return %[[C]], %[[S]], %[[G]]
func.func @disassemble_of_assemble(%c: tensor<64x192xi8>, %s: tensor<64x24xf8E4M3FN>, %g: tensor<f32>)
    -> (tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>) {
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  %d, %t, %h = nvfp4.disassemble %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>
  return %d, %t, %h : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>
}

// -----

// CHECK-LABEL: func.func @negative_disassemble_of_assemble_convention(
//       CHECK:   nvfp4.assemble
//       CHECK:   nvfp4.disassemble
func.func @negative_disassemble_of_assemble_convention(%c: tensor<64x192xi8>, %s: tensor<64x24xi8>, %g: tensor<f32>)
    -> (tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>) {
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  %d, %t, %h = nvfp4.disassemble %q convention divide : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  return %d, %t, %h : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
}

// -----

/// Bytes went in, f8 comes out.
// CHECK-LABEL: func.func @negative_disassemble_of_assemble_type(
//       CHECK:   nvfp4.assemble
//       CHECK:   nvfp4.disassemble
func.func @negative_disassemble_of_assemble_type(%c: tensor<64x192xi8>, %s: tensor<64x24xi8>, %g: tensor<f32>)
    -> (tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>) {
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  %d, %t, %h = nvfp4.disassemble %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>
  return %d, %t, %h : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32>
}

// -----

/// It has no result, but whoever runs the program waits for it.
// CHECK-LABEL: func.func @negative_record_error(
//       CHECK:   nvfp4.record_error
func.func @negative_record_error(%status: tensor<i32>) {
  nvfp4.record_error %status messages ["token id out of range"] : tensor<i32>
  return
}

// -----

/// Nothing reads them, and nothing but a result comes of them.
// CHECK-LABEL: func.func @unused(
//  CHECK-NEXT:   return
func.func @unused(%x: tensor<64x384xf32>, %b: !nvfp4.tensor<64x384, nvfp4>) {
  %g = nvfp4.global_scale %x : tensor<64x384xf32> -> tensor<f32>
  %q = nvfp4.quantize %x global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  %d = nvfp4.matmul %q, %b : !nvfp4.tensor<64x384, nvfp4>, !nvfp4.tensor<64x384, nvfp4> -> tensor<64x64xf32>
  return
}

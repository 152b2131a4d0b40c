// RUN: nvfp4-opt %s --nvfp4-expand-tensors --canonicalize --split-input-file | FileCheck %s

/// Codes, scales and global scale are values of their own; what an op of the
/// tensor level means is in the attributes of its destination-style form.
// CHECK-LABEL: func.func @matmul_dynamic_f32(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x64xf32>, %[[G:[^:]+]]: tensor<f32>, %[[W:[^:]+]]: tensor<32x64xf32>
//       CHECK:   %[[M:.+]] = tensor.dim %[[X]]
//       CHECK:   %[[CODES:.+]] = tensor.empty(%[[M]]) : tensor<?x32xi8>
//       CHECK:   %[[SCALES:.+]] = tensor.empty(%[[M]]) : tensor<?x4xi8>
//       CHECK:   %[[XQ:.+]]:2 = nvfp4.quantize_into as !nvfp4.tensor<?x64, nvfp4> ins(%[[X]], %[[G]] : {{.+}}) outs(%[[CODES]], %[[SCALES]] :
//       CHECK:   %[[WG:.+]] = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%[[W]] : tensor<32x64xf32>) outs(%{{.+}} : tensor<32xf32>)
//       CHECK:   %[[WQ:.+]]:2 = nvfp4.quantize_into as !nvfp4.tensor<32x64, nvfp4<global = row>> ins(%[[W]], %[[WG]] :
//       CHECK:   %[[INIT:.+]] = tensor.empty(%[[M]]) : tensor<?x32xf32>
//       CHECK:   nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4> rhs !nvfp4.tensor<32x64, nvfp4<global = row>>
//  CHECK-SAME:     ins(%[[XQ]]#0, %[[XQ]]#1, %[[G]], %[[WQ]]#0, %[[WQ]]#1, %[[WG]] :
//  CHECK-SAME:     outs(%[[INIT]] : tensor<?x32xf32>) {nvfp4.site = "fc"} -> tensor<?x32xf32>
func.func @matmul_dynamic_f32(%x: tensor<?x64xf32>, %g: tensor<f32>, %w: tensor<32x64xf32>) -> tensor<?x32xf32> {
  %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<f32> -> !nvfp4.tensor<?x64, nvfp4>
  %wg = nvfp4.global_scale %w per_row : tensor<32x64xf32> -> tensor<32xf32>
  %wq = nvfp4.quantize %w global_scale %wg : tensor<32x64xf32>, tensor<32xf32> -> !nvfp4.tensor<32x64, nvfp4<global = row>>
  %y = nvfp4.matmul %q, %wq {nvfp4.site = "fc"} : !nvfp4.tensor<?x64, nvfp4>, !nvfp4.tensor<32x64, nvfp4<global = row>> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

/// A plain operand of a matmul is one value.
// CHECK-LABEL: func.func @matmul_weight_only(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<2x?x64xbf16>, %[[C:[^:]+]]: tensor<32x32xi8>, %[[S:[^:]+]]: tensor<32x2xi8>)
//       CHECK:   nvfp4.scaled_matmul rhs !nvfp4.tensor<32x64, mxfp4> ins(%[[X]], %[[C]], %[[S]] :
func.func @matmul_weight_only(%x: tensor<2x?x64xbf16>, %w: !nvfp4.tensor<32x64, mxfp4>) -> tensor<2x?x32xbf16> {
  %y = nvfp4.matmul %x, %w : tensor<2x?x64xbf16>, !nvfp4.tensor<32x64, mxfp4> -> tensor<2x?x32xbf16>
  return %y : tensor<2x?x32xbf16>
}

// -----

/// Tiled: rows of codes are padded to 64, scales of a matrix are one run of
/// bytes, (ceil(M / 128) * 128) * 8 of them for 5 blocks.
// CHECK-DAG: #[[$LENGTH:.+]] = affine_map<()[s0] -> ((s0 ceildiv 128) * 1024)>
// CHECK-LABEL: func.func @quantize_batched_tiled(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<3x?x80xbf16>) -> (tensor<3x?x64xi8>, tensor<3x?xi8>, tensor<3xf32>, tensor<3x?x80xbf16>)
//       CHECK:   %[[G:.+]] = nvfp4.global_scale_into format <nvfp4<global = slice>>
//       CHECK:   %[[M:.+]] = tensor.dim %[[X]]
//       CHECK:   %[[BYTES:.+]] = affine.apply #[[$LENGTH]]()[%[[M]]]
//       CHECK:   %[[CODES:.+]] = tensor.empty(%[[M]]) : tensor<3x?x64xi8>
//       CHECK:   %[[SCALES:.+]] = tensor.empty(%[[BYTES]]) : tensor<3x?xi8>
//       CHECK:   %[[Q:.+]]:2 = nvfp4.quantize_into {{.+}} outs(%[[CODES]], %[[SCALES]] :
//       CHECK:   %[[D:.+]] = nvfp4.dequantize_into {{.+}} ins(%[[Q]]#0, %[[Q]]#1, %[[G]] :
//       CHECK:   return %[[Q]]#0, %[[Q]]#1, %[[G]], %[[D]]
func.func @quantize_batched_tiled(%x: tensor<3x?x80xbf16>) -> (!nvfp4.tensor<3x?x80, nvfp4<global = slice>, layout = tiled>, tensor<3x?x80xbf16>) {
  %g = nvfp4.global_scale %x per_slice : tensor<3x?x80xbf16> -> tensor<3xf32>
  %q = nvfp4.quantize %x global_scale %g : tensor<3x?x80xbf16>, tensor<3xf32> -> !nvfp4.tensor<3x?x80, nvfp4<global = slice>, layout = tiled>
  %d = nvfp4.dequantize %q : !nvfp4.tensor<3x?x80, nvfp4<global = slice>, layout = tiled> -> tensor<3x?x80xbf16>
  return %q, %d : !nvfp4.tensor<3x?x80, nvfp4<global = slice>, layout = tiled>, tensor<3x?x80xbf16>
}

// -----

// CHECK-LABEL: func.func @quantize_stochastic(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<4x64xf32>, %[[S:[^:]+]]: tensor<2xi64>
//       CHECK:   nvfp4.quantize_into as !nvfp4.tensor<4x64, mxfp4> rounding<stochastic> ins(%[[X]], %[[S]] :
func.func @quantize_stochastic(%x: tensor<4x64xf32>, %s: tensor<2xi64>) -> !nvfp4.tensor<4x64, mxfp4> {
  %q = nvfp4.quantize %x rounding<stochastic> state %s : tensor<4x64xf32>, tensor<2xi64> -> !nvfp4.tensor<4x64, mxfp4>
  return %q : !nvfp4.tensor<4x64, mxfp4>
}

// -----

/// The global scale goes with the tensor.
// CHECK-LABEL: func.func @transpose_relayout(
//  CHECK-SAME:     %[[C:[^:]+]]: tensor<32x32xi8>, %[[S:[^:]+]]: tensor<2x4xi8>, %[[G:[^:]+]]: tensor<f32>)
//       CHECK:   %[[T:.+]]:2 = nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>> ins(%[[C]], %[[S]] :
//       CHECK:   %[[L:.+]]:2 = nvfp4.relayout_into from !nvfp4.tensor<64x32, nvfp4<block = 16x16>> to !nvfp4.tensor<64x32, nvfp4<block = 16x16>, layout = tiled> ins(%[[T]]#0, %[[T]]#1 :
//       CHECK:   return %[[L]]#0, %[[L]]#1, %[[G]]
func.func @transpose_relayout(%q: !nvfp4.tensor<32x64, nvfp4<block = 16x16>>) -> !nvfp4.tensor<64x32, nvfp4<block = 16x16>, layout = tiled> {
  %t = nvfp4.transpose %q : !nvfp4.tensor<32x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x32, nvfp4<block = 16x16>>
  %l = nvfp4.relayout %t : !nvfp4.tensor<64x32, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x32, nvfp4<block = 16x16>, layout = tiled>
  return %l : !nvfp4.tensor<64x32, nvfp4<block = 16x16>, layout = tiled>
}

// -----

/// Scales of type f8 are their bytes; from `amax` to `multiply` is a division.
// CHECK-LABEL: func.func @components(
//  CHECK-SAME:     %[[C:[^:]+]]: tensor<64x192xi8>, %[[S:[^:]+]]: tensor<64x24xf8E4M3FN>, %[[G:[^:]+]]: tensor<f32>
//       CHECK:   %[[P:.+]] = arith.constant 2.688000e+03 : f32
//       CHECK:   %[[T:.+]] = linalg.generic {{.+}} ins(%[[S]] :
//       CHECK:     arith.bitcast %{{.+}} : f8E4M3FN to i8
//       CHECK:   %[[H:.+]] = linalg.generic {{.+}} ins(%[[G]] :
//       CHECK:     arith.divf %{{.+}}, %[[P]] : f32
//       CHECK:   return %[[C]], %[[T]], %[[H]]
func.func @components(%c: tensor<64x192xi8>, %s: tensor<64x24xf8E4M3FN>, %g: tensor<f32>) -> (tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>) {
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  %d, %t, %h = nvfp4.disassemble %q convention multiply : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  return %d, %t, %h : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
}

// -----

// CHECK-LABEL: func.func @constant_cast_hadamard(
//       CHECK:   %[[C:.+]] = arith.constant dense<34> : tensor<2x8xi8>
//       CHECK:   %[[S:.+]] = arith.constant dense<127> : tensor<2x1xi8>
//   CHECK-DAG:   %[[CC:.+]] = tensor.cast %[[C]] : tensor<2x8xi8> to tensor<?x8xi8>
//   CHECK-DAG:   %[[SC:.+]] = tensor.cast %[[S]] : tensor<2x1xi8> to tensor<?x1xi8>
//       CHECK:   %[[H:.+]] = nvfp4.hadamard_into signs <0xD7E8>
//       CHECK:   return %[[CC]], %[[SC]], %[[H]]
func.func @constant_cast_hadamard(%x: tensor<?x64xbf16>) -> (!nvfp4.tensor<?x16, mxfp4>, tensor<?x64xbf16>) {
  %q = nvfp4.constant <codes = dense<0x22> : tensor<2x8xi8>, scales = dense<0x7F> : tensor<2x1xi8>> : !nvfp4.tensor<2x16, mxfp4>
  %c = nvfp4.cast %q : !nvfp4.tensor<2x16, mxfp4> to !nvfp4.tensor<?x16, mxfp4>
  %r = nvfp4.hadamard %x signs<0xD7E8> : tensor<?x64xbf16>
  return %c, %r : !nvfp4.tensor<?x16, mxfp4>, tensor<?x64xbf16>
}

// -----

/// Rows are those of the codes; columns two per byte.
// CHECK-DAG: #[[$TWICE:.+]] = affine_map<()[s0] -> (s0 * 2)>
// CHECK-LABEL: func.func @dim(
//  CHECK-SAME:     %[[C:[^:]+]]: tensor<?x?xi8>
//   CHECK-DAG:   %[[M:.+]] = tensor.dim %[[C]], %c0
//   CHECK-DAG:   %[[BYTES:.+]] = tensor.dim %[[C]], %c1
//       CHECK:   %[[K:.+]] = affine.apply #[[$TWICE]]()[%[[BYTES]]]
//       CHECK:   return %[[M]], %[[K]]
func.func @dim(%q: !nvfp4.tensor<?x?, nvfp4>) -> (index, index) {
  %m = nvfp4.dim %q, 0 : !nvfp4.tensor<?x?, nvfp4>
  %k = nvfp4.dim %q, 1 : !nvfp4.tensor<?x?, nvfp4>
  return %m, %k : index, index
}

// -----

/// Calls and returns between other values.
// CHECK-LABEL: func.func private @callee(
//  CHECK-SAME:     %[[C:[^:]+]]: tensor<4x32xi8>, %[[S:[^:]+]]: tensor<4x4xi8>, %[[G:[^:]+]]: tensor<f32>, %[[I:[^:]+]]: i1) ->
//       CHECK:   return %[[I]], %[[C]], %[[S]], %[[G]]
// CHECK-LABEL: func.func @call(
//       CHECK:   %[[R:.+]]:4 = call @callee(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}) : (tensor<4x32xi8>, tensor<4x4xi8>, tensor<f32>, i1)
//       CHECK:   return %[[R]]#1, %[[R]]#2, %[[R]]#3
func.func private @callee(%q: !nvfp4.tensor<4x64, nvfp4>, %i: i1) -> (i1, !nvfp4.tensor<4x64, nvfp4>) {
  return %i, %q : i1, !nvfp4.tensor<4x64, nvfp4>
}
func.func @call(%q: !nvfp4.tensor<4x64, nvfp4>, %i: i1) -> !nvfp4.tensor<4x64, nvfp4> {
  %r:2 = call @callee(%q, %i) : (!nvfp4.tensor<4x64, nvfp4>, i1) -> (i1, !nvfp4.tensor<4x64, nvfp4>)
  return %r#1 : !nvfp4.tensor<4x64, nvfp4>
}

// -----

// CHECK-LABEL: func.func @select_if_for_while(
//  CHECK-SAME:     %[[COND:[^:]+]]: i1, %[[AC:[^:]+]]: tensor<4x32xi8>, %[[AS:[^:]+]]: tensor<4x2xi8>, %[[BC:[^:]+]]: tensor<4x32xi8>, %[[BS:[^:]+]]: tensor<4x2xi8>
//       CHECK:   %[[C:.+]] = arith.select %[[COND]], %[[AC]], %[[BC]] : tensor<4x32xi8>
//       CHECK:   %[[S:.+]] = arith.select %[[COND]], %[[AS]], %[[BS]] : tensor<4x2xi8>
//       CHECK:   %[[IF:.+]]:2 = scf.if %{{.+}} -> (tensor<4x32xi8>, tensor<4x2xi8>) {
//       CHECK:     scf.yield %[[C]], %[[S]] : tensor<4x32xi8>, tensor<4x2xi8>
//       CHECK:     %[[T:.+]]:2 = nvfp4.quantize_into
//       CHECK:     scf.yield %[[T]]#0, %[[T]]#1
//       CHECK:   %[[FOR:.+]]:2 = scf.for {{.+}} iter_args(%[[I:.+]] = %[[IF]]#0, %[[J:.+]] = %[[IF]]#1) -> (tensor<4x32xi8>, tensor<4x2xi8>)
//       CHECK:   %[[WHILE:.+]]:2 = scf.while (%{{.+}} = %[[FOR]]#0, %{{.+}} = %[[FOR]]#1)
//       CHECK:     scf.condition(%{{.+}}) %{{.+}}, %{{.+}} : tensor<4x32xi8>, tensor<4x2xi8>
//       CHECK:   return %[[WHILE]]#0, %[[WHILE]]#1
func.func @select_if_for_while(%c: i1, %a: !nvfp4.tensor<4x64, mxfp4>, %b: !nvfp4.tensor<4x64, mxfp4>, %x: tensor<4x64xf32>,
                               %d: i1, %n: index, %bound: f32) -> !nvfp4.tensor<4x64, mxfp4> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s = arith.select %c, %a, %b : !nvfp4.tensor<4x64, mxfp4>
  %r = scf.if %d -> !nvfp4.tensor<4x64, mxfp4> {
    scf.yield %s : !nvfp4.tensor<4x64, mxfp4>
  } else {
    %q = nvfp4.quantize %x : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
    scf.yield %q : !nvfp4.tensor<4x64, mxfp4>
  }
  %f = scf.for %i = %c0 to %n step %c1 iter_args(%q = %r) -> !nvfp4.tensor<4x64, mxfp4> {
    %y = nvfp4.dequantize %q : !nvfp4.tensor<4x64, mxfp4> -> tensor<4x64xf32>
    %z = nvfp4.quantize %y : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
    scf.yield %z : !nvfp4.tensor<4x64, mxfp4>
  }
  %w = scf.while (%q = %f) : (!nvfp4.tensor<4x64, mxfp4>) -> !nvfp4.tensor<4x64, mxfp4> {
    %y = nvfp4.dequantize %q : !nvfp4.tensor<4x64, mxfp4> -> tensor<4x64xf32>
    %first = tensor.extract %y[%c0, %c0] : tensor<4x64xf32>
    %more = arith.cmpf olt, %first, %bound : f32
    scf.condition(%more) %q : !nvfp4.tensor<4x64, mxfp4>
  } do {
  ^bb0(%q: !nvfp4.tensor<4x64, mxfp4>):
    %y = nvfp4.dequantize %q : !nvfp4.tensor<4x64, mxfp4> -> tensor<4x64xf32>
    %z = nvfp4.quantize %y : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
    scf.yield %z : !nvfp4.tensor<4x64, mxfp4>
  }
  return %w : !nvfp4.tensor<4x64, mxfp4>
}

// -----

// CHECK-LABEL: func.func @branches(
//  CHECK-SAME:     %[[COND:[^:]+]]: i1, %[[C:[^:]+]]: tensor<4x32xi8>, %[[S:[^:]+]]: tensor<4x2xi8>
//       CHECK:   cf.br ^[[HEAD:.+]](%[[C]], %[[S]] : tensor<4x32xi8>, tensor<4x2xi8>)
//       CHECK: ^[[HEAD]](%[[C1:.+]]: tensor<4x32xi8>, %[[S1:.+]]: tensor<4x2xi8>):
//       CHECK:   %[[Q:.+]]:2 = nvfp4.quantize_into
//       CHECK:   cf.cond_br %[[COND]], ^[[HEAD]](%[[Q]]#0, %[[Q]]#1 : tensor<4x32xi8>, tensor<4x2xi8>), ^{{.+}}
func.func @branches(%c: i1, %a: !nvfp4.tensor<4x64, mxfp4>) -> !nvfp4.tensor<4x64, mxfp4> {
  cf.br ^head(%a : !nvfp4.tensor<4x64, mxfp4>)
^head(%q: !nvfp4.tensor<4x64, mxfp4>):
  %y = nvfp4.dequantize %q : !nvfp4.tensor<4x64, mxfp4> -> tensor<4x64xf32>
  %z = nvfp4.quantize %y : tensor<4x64xf32> -> !nvfp4.tensor<4x64, mxfp4>
  cf.cond_br %c, ^head(%z : !nvfp4.tensor<4x64, mxfp4>), ^end(%z : !nvfp4.tensor<4x64, mxfp4>)
^end(%r: !nvfp4.tensor<4x64, mxfp4>):
  return %r : !nvfp4.tensor<4x64, mxfp4>
}

// -----

// CHECK-LABEL: func.func @poison(
//       CHECK:   %[[C:.+]] = ub.poison : tensor<4x32xi8>
//       CHECK:   %[[S:.+]] = ub.poison : tensor<4x2xi8>
//       CHECK:   return %[[C]], %[[S]]
func.func @poison() -> !nvfp4.tensor<4x64, mxfp4> {
  %p = ub.poison : !nvfp4.tensor<4x64, mxfp4>
  return %p : !nvfp4.tensor<4x64, mxfp4>
}

// -----

/// The interface is in `nvfp4.entry` from here on: one element per argument and
/// result. Attributes of arguments would have moved to other arguments.
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:     tensor<?x64xf32>, %{{[^:]+}}: tensor<32x32xi8>, %{{[^:]+}}: tensor<32x4xi8>, %{{[^:]+}}: tensor<f32>, %{{[^:]+}}: tensor<32xf32>)
//  CHECK-SAME:     -> (tensor<?x32xi8>, tensor<?x2xi8>, tensor<32xf32>)
//  CHECK-SAME:     attributes {nvfp4.entry = {
//  CHECK-SAME:     arguments = [{dtype = "F32", kind = "input", name = "x", shape = ["batch", 64]},
//  CHECK-SAME:       {dtype = "U8", kind = "weight", name = "w.codes", shape = [32, 32]},
//  CHECK-SAME:       {dtype = "F8_E4M3", kind = "weight", name = "w.scales", shape = [32, 4]},
//  CHECK-SAME:       {dtype = "F32", kind = "weight", name = "w.global_scale", shape = []},
//  CHECK-SAME:       {dtype = "F32", kind = "weight", name = "bias", shape = [32]}]
//  CHECK-SAME:     dimensions = [{max = -1 : i64, min = 1 : i64, name = "batch"}]
//  CHECK-SAME:     results = [{dtype = "U8", name = "q.codes", shape = ["batch", 32]},
//  CHECK-SAME:       {dtype = "F8_E8M0", name = "q.scales", shape = ["batch", 2]},
//  CHECK-SAME:       {dtype = "F32", name = "b", shape = [32]}]
func.func @main(%x: tensor<?x64xf32> {nvfp4.name = "x"}, %w: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack},
                %b: tensor<32xf32> {nvfp4.weight = "bias"})
    -> (!nvfp4.tensor<?x64, mxfp4> {nvfp4.name = "q"}, tensor<32xf32> {nvfp4.name = "b"})
    attributes {nvfp4.entry = {
      dimensions = [{name = "batch", min = 1, max = -1}],
      arguments = [{kind = "input", name = "x", dtype = "F32", shape = ["batch", 64]},
                   {kind = "weight", name = "w", dtype = "nvfp4", shape = [32, 64]},
                   {kind = "weight", name = "bias", dtype = "F32", shape = [32]}],
      results = [{name = "q", dtype = "mxfp4", shape = ["batch", 64]}, {name = "b", dtype = "F32", shape = [32]}]}} {
  %q = nvfp4.quantize %x : tensor<?x64xf32> -> !nvfp4.tensor<?x64, mxfp4>
  return %q, %b : !nvfp4.tensor<?x64, mxfp4>, tensor<32xf32>
}

// -----

/// Nothing to expand: attributes stay.
// CHECK-LABEL: func.func @negative_main(
//  CHECK-SAME:     tensor<4xf32> {nvfp4.name = "x"}) -> (tensor<4xf32> {nvfp4.name = "y"})
func.func @negative_main(%x: tensor<4xf32> {nvfp4.name = "x"}) -> (tensor<4xf32> {nvfp4.name = "y"}) {
  return %x : tensor<4xf32>
}

// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu=chip=sm_120a --verify-diagnostics

#all = affine_map<(h, m, n) -> (h, m, n)>
#row = affine_map<(h, m, n) -> (h, m)>
#late = affine_map<(h, m, n) -> (m, n)>
#place = affine_map<(m, n) -> (m, n)>
module { module @kernels {
  // expected-error@below {{expected a tile of 16 rows for each of 4 warps and of 16 to 256 keys, but got 48 x 64}}
  func.func @negative_rows(%q: tensor<2x64x64xbf16>, %k: tensor<2x?x64xbf16>, %v: tensor<2x?x64xbf16>, %y: tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 48x64, warps = 4x1x1>]} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %n = tensor.dim %k, %c1 : tensor<2x?x64xbf16>
    %es = tensor.empty(%n) : tensor<2x64x?xf32>
    %er = tensor.empty() : tensor<2x64xf32>
    %ep = tensor.empty(%n) : tensor<2x64x?xbf16>
    %el = tensor.empty(%n) : tensor<64x?xi1>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                          affine_map<(h, m, n, d) -> (h, m, n)>]
        ins(%q, %k : tensor<2x64x64xbf16>, tensor<2x?x64xbf16>) outs(%zs : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %late = linalg.generic {indexing_maps = [#place], iterator_types = ["parallel", "parallel"]} outs(%el : tensor<64x?xi1>) {
      ^bb0(%o: i1):
        %row = linalg.index 0 : index
        %key = linalg.index 1 : index
        %r = arith.cmpi slt, %row, %key : index
        linalg.yield %r : i1
    } -> tensor<64x?xi1>
    %seen = linalg.generic {indexing_maps = [#late, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%late, %s : tensor<64x?xi1>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) {
      ^bb0(%w: i1, %a: f32, %o: f32):
        %r = arith.select %w, %low, %a : f32
        linalg.yield %r : f32
    } -> tensor<2x64x?xf32>
    %lows = linalg.fill ins(%low : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %max = linalg.reduce { arith.maximumf } ins(%seen : tensor<2x64x?xf32>) outs(%lows : tensor<2x64xf32>) dimensions = [2]
    %spread = linalg.broadcast ins(%max : tensor<2x64xf32>) outs(%es : tensor<2x64x?xf32>) dimensions = [2]
    %d = linalg.sub ins(%seen, %spread : tensor<2x64x?xf32>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %e = linalg.exp ins(%d : tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %sum = linalg.reduce { arith.addf } ins(%e : tensor<2x64x?xf32>) outs(%zeros : tensor<2x64xf32>) dimensions = [2]
    %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%e, %sum : tensor<2x64x?xf32>, tensor<2x64xf32>) outs(%ep : tensor<2x64x?xbf16>) {
      ^bb0(%a: f32, %b: f32, %o: bf16):
        %quotient = arith.divf %a, %b : f32
        %narrow = arith.truncf %quotient : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<2x64x?xbf16>
    %zy = linalg.fill ins(%zero : f32) outs(%y : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    %o = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                          affine_map<(h, m, c, n) -> (h, m, c)>]
        ins(%p, %v : tensor<2x64x?xbf16>, tensor<2x?x64xbf16>) outs(%zy : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    return %o : tensor<2x64x64xf32>
  }
}}

// -----

#all = affine_map<(h, m, n) -> (h, m, n)>
#row = affine_map<(h, m, n) -> (h, m)>
#late = affine_map<(h, m, n) -> (m, n)>
#place = affine_map<(m, n) -> (m, n)>
module { module @kernels {
  // expected-error@below {{expected an attention with softmax in a kernel of the schedule 'attention' with warps, but the largest score of a row does not start at -infinity}}
  func.func @negative_start(%q: tensor<2x64x64xbf16>, %k: tensor<2x?x64xbf16>, %v: tensor<2x?x64xbf16>, %y: tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 64x64, warps = 4x1x1>]} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %n = tensor.dim %k, %c1 : tensor<2x?x64xbf16>
    %es = tensor.empty(%n) : tensor<2x64x?xf32>
    %er = tensor.empty() : tensor<2x64xf32>
    %ep = tensor.empty(%n) : tensor<2x64x?xbf16>
    %el = tensor.empty(%n) : tensor<64x?xi1>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                          affine_map<(h, m, n, d) -> (h, m, n)>]
        ins(%q, %k : tensor<2x64x64xbf16>, tensor<2x?x64xbf16>) outs(%zs : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %late = linalg.generic {indexing_maps = [#place], iterator_types = ["parallel", "parallel"]} outs(%el : tensor<64x?xi1>) {
      ^bb0(%o: i1):
        %row = linalg.index 0 : index
        %key = linalg.index 1 : index
        %r = arith.cmpi slt, %row, %key : index
        linalg.yield %r : i1
    } -> tensor<64x?xi1>
    %seen = linalg.generic {indexing_maps = [#late, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%late, %s : tensor<64x?xi1>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) {
      ^bb0(%w: i1, %a: f32, %o: f32):
        %r = arith.select %w, %low, %a : f32
        linalg.yield %r : f32
    } -> tensor<2x64x?xf32>
    %lows = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %max = linalg.reduce { arith.maximumf } ins(%seen : tensor<2x64x?xf32>) outs(%lows : tensor<2x64xf32>) dimensions = [2]
    %spread = linalg.broadcast ins(%max : tensor<2x64xf32>) outs(%es : tensor<2x64x?xf32>) dimensions = [2]
    %d = linalg.sub ins(%seen, %spread : tensor<2x64x?xf32>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %e = linalg.exp ins(%d : tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %sum = linalg.reduce { arith.addf } ins(%e : tensor<2x64x?xf32>) outs(%zeros : tensor<2x64xf32>) dimensions = [2]
    %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%e, %sum : tensor<2x64x?xf32>, tensor<2x64xf32>) outs(%ep : tensor<2x64x?xbf16>) {
      ^bb0(%a: f32, %b: f32, %o: bf16):
        %quotient = arith.divf %a, %b : f32
        %narrow = arith.truncf %quotient : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<2x64x?xbf16>
    %zy = linalg.fill ins(%zero : f32) outs(%y : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    %o = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                          affine_map<(h, m, c, n) -> (h, m, c)>]
        ins(%p, %v : tensor<2x64x?xbf16>, tensor<2x?x64xbf16>) outs(%zy : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    return %o : tensor<2x64x64xf32>
  }
}}

// -----

#all = affine_map<(h, m, n) -> (h, m, n)>
#row = affine_map<(h, m, n) -> (h, m)>
#late = affine_map<(h, m, n) -> (m, n)>
#place = affine_map<(m, n) -> (m, n)>
module { module @kernels {
  // expected-error@below {{expected heads of 16 to 256 elements in steps of 16, but got 24 and 64}}
  func.func @negative_size(%q: tensor<2x64x24xbf16>, %k: tensor<2x?x24xbf16>, %v: tensor<2x?x64xbf16>, %y: tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 64x64, warps = 4x1x1>]} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %n = tensor.dim %k, %c1 : tensor<2x?x24xbf16>
    %es = tensor.empty(%n) : tensor<2x64x?xf32>
    %er = tensor.empty() : tensor<2x64xf32>
    %ep = tensor.empty(%n) : tensor<2x64x?xbf16>
    %el = tensor.empty(%n) : tensor<64x?xi1>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                          affine_map<(h, m, n, d) -> (h, m, n)>]
        ins(%q, %k : tensor<2x64x24xbf16>, tensor<2x?x24xbf16>) outs(%zs : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %late = linalg.generic {indexing_maps = [#place], iterator_types = ["parallel", "parallel"]} outs(%el : tensor<64x?xi1>) {
      ^bb0(%o: i1):
        %row = linalg.index 0 : index
        %key = linalg.index 1 : index
        %r = arith.cmpi slt, %row, %key : index
        linalg.yield %r : i1
    } -> tensor<64x?xi1>
    %seen = linalg.generic {indexing_maps = [#late, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%late, %s : tensor<64x?xi1>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) {
      ^bb0(%w: i1, %a: f32, %o: f32):
        %r = arith.select %w, %low, %a : f32
        linalg.yield %r : f32
    } -> tensor<2x64x?xf32>
    %lows = linalg.fill ins(%low : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %max = linalg.reduce { arith.maximumf } ins(%seen : tensor<2x64x?xf32>) outs(%lows : tensor<2x64xf32>) dimensions = [2]
    %spread = linalg.broadcast ins(%max : tensor<2x64xf32>) outs(%es : tensor<2x64x?xf32>) dimensions = [2]
    %d = linalg.sub ins(%seen, %spread : tensor<2x64x?xf32>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %e = linalg.exp ins(%d : tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %sum = linalg.reduce { arith.addf } ins(%e : tensor<2x64x?xf32>) outs(%zeros : tensor<2x64xf32>) dimensions = [2]
    %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%e, %sum : tensor<2x64x?xf32>, tensor<2x64xf32>) outs(%ep : tensor<2x64x?xbf16>) {
      ^bb0(%a: f32, %b: f32, %o: bf16):
        %quotient = arith.divf %a, %b : f32
        %narrow = arith.truncf %quotient : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<2x64x?xbf16>
    %zy = linalg.fill ins(%zero : f32) outs(%y : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    %o = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                          affine_map<(h, m, c, n) -> (h, m, c)>]
        ins(%p, %v : tensor<2x64x?xbf16>, tensor<2x?x64xbf16>) outs(%zy : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    return %o : tensor<2x64x64xf32>
  }
}}

// -----

#all = affine_map<(h, m, n) -> (h, m, n)>
#row = affine_map<(h, m, n) -> (h, m)>
module { module @kernels {
  func.func @keys_of_f16(%q: tensor<2x64x64xbf16>, %k: tensor<2x?x64xf16>, %v: tensor<2x?x64xbf16>, %y: tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 64x64, warps = 4x1x1>]} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %n = tensor.dim %k, %c1 : tensor<2x?x64xf16>
    %es = tensor.empty(%n) : tensor<2x64x?xf32>
    %er = tensor.empty() : tensor<2x64xf32>
    %ep = tensor.empty(%n) : tensor<2x64x?xbf16>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    // expected-error@below {{expected a product of two operands of bf16 or of f16, but got 'bf16' and 'f16'}}
    %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                          affine_map<(h, m, n, d) -> (h, m, n)>]
        ins(%q, %k : tensor<2x64x64xbf16>, tensor<2x?x64xf16>) outs(%zs : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %lows = linalg.fill ins(%low : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x64x?xf32>) outs(%lows : tensor<2x64xf32>) dimensions = [2]
    %spread = linalg.broadcast ins(%max : tensor<2x64xf32>) outs(%es : tensor<2x64x?xf32>) dimensions = [2]
    %d = linalg.sub ins(%s, %spread : tensor<2x64x?xf32>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %e = linalg.exp ins(%d : tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %sum = linalg.reduce { arith.addf } ins(%e : tensor<2x64x?xf32>) outs(%zeros : tensor<2x64xf32>) dimensions = [2]
    %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%e, %sum : tensor<2x64x?xf32>, tensor<2x64xf32>) outs(%ep : tensor<2x64x?xbf16>) {
      ^bb0(%a: f32, %b: f32, %o: bf16):
        %quotient = arith.divf %a, %b : f32
        %narrow = arith.truncf %quotient : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<2x64x?xbf16>
    %zy = linalg.fill ins(%zero : f32) outs(%y : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    %o = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                          affine_map<(h, m, c, n) -> (h, m, c)>]
        ins(%p, %v : tensor<2x64x?xbf16>, tensor<2x?x64xbf16>) outs(%zy : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    return %o : tensor<2x64x64xf32>
  }
}}

// -----

#all = affine_map<(h, m, n) -> (h, m, n)>
#row = affine_map<(h, m, n) -> (h, m)>
module { module @kernels {
  func.func @values_of_f32(%q: tensor<2x64x64xbf16>, %k: tensor<2x?x64xbf16>, %v: tensor<2x?x64xf32>, %y: tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 64x64, warps = 4x1x1>]} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %n = tensor.dim %k, %c1 : tensor<2x?x64xbf16>
    %es = tensor.empty(%n) : tensor<2x64x?xf32>
    %er = tensor.empty() : tensor<2x64xf32>
    %ep = tensor.empty(%n) : tensor<2x64x?xbf16>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                          affine_map<(h, m, n, d) -> (h, m, n)>]
        ins(%q, %k : tensor<2x64x64xbf16>, tensor<2x?x64xbf16>) outs(%zs : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %lows = linalg.fill ins(%low : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x64x?xf32>) outs(%lows : tensor<2x64xf32>) dimensions = [2]
    %spread = linalg.broadcast ins(%max : tensor<2x64xf32>) outs(%es : tensor<2x64x?xf32>) dimensions = [2]
    %d = linalg.sub ins(%s, %spread : tensor<2x64x?xf32>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %e = linalg.exp ins(%d : tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %sum = linalg.reduce { arith.addf } ins(%e : tensor<2x64x?xf32>) outs(%zeros : tensor<2x64xf32>) dimensions = [2]
    %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%e, %sum : tensor<2x64x?xf32>, tensor<2x64xf32>) outs(%ep : tensor<2x64x?xbf16>) {
      ^bb0(%a: f32, %b: f32, %o: bf16):
        %quotient = arith.divf %a, %b : f32
        %narrow = arith.truncf %quotient : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<2x64x?xbf16>
    %zy = linalg.fill ins(%zero : f32) outs(%y : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    // expected-error@below {{expected a product of two operands of bf16 or of f16, but got 'bf16' and 'f32'}}
    %o = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                          affine_map<(h, m, c, n) -> (h, m, c)>]
        ins(%p, %v : tensor<2x64x?xbf16>, tensor<2x?x64xf32>) outs(%zy : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    return %o : tensor<2x64x64xf32>
  }
}}

// -----

#all = affine_map<(h, m, n) -> (h, m, n)>
#row = affine_map<(h, m, n) -> (h, m)>
module { module @kernels {
  func.func @quantized(%q: tensor<2x64x64xbf16>, %k: tensor<2x?x64xbf16>, %v: tensor<2x?x64xbf16>, %y: tensor<2x64x64xf32>, %codes: tensor<128x32xi8>,
                       %scales: tensor<128x2xi8>) -> (tensor<128x32xi8>, tensor<128x2xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 64x64, warps = 4x1x1>]} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %n = tensor.dim %k, %c1 : tensor<2x?x64xbf16>
    %es = tensor.empty(%n) : tensor<2x64x?xf32>
    %er = tensor.empty() : tensor<2x64xf32>
    %ep = tensor.empty(%n) : tensor<2x64x?xbf16>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                          affine_map<(h, m, n, d) -> (h, m, n)>]
        ins(%q, %k : tensor<2x64x64xbf16>, tensor<2x?x64xbf16>) outs(%zs : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %lows = linalg.fill ins(%low : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %max = linalg.reduce { arith.maximumf } ins(%s : tensor<2x64x?xf32>) outs(%lows : tensor<2x64xf32>) dimensions = [2]
    %spread = linalg.broadcast ins(%max : tensor<2x64xf32>) outs(%es : tensor<2x64x?xf32>) dimensions = [2]
    %d = linalg.sub ins(%s, %spread : tensor<2x64x?xf32>, tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %e = linalg.exp ins(%d : tensor<2x64x?xf32>) outs(%es : tensor<2x64x?xf32>) -> tensor<2x64x?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%er : tensor<2x64xf32>) -> tensor<2x64xf32>
    %sum = linalg.reduce { arith.addf } ins(%e : tensor<2x64x?xf32>) outs(%zeros : tensor<2x64xf32>) dimensions = [2]
    %p = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%e, %sum : tensor<2x64x?xf32>, tensor<2x64xf32>) outs(%ep : tensor<2x64x?xbf16>) {
      ^bb0(%a: f32, %b: f32, %o: bf16):
        %quotient = arith.divf %a, %b : f32
        %narrow = arith.truncf %quotient : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<2x64x?xbf16>
    %zy = linalg.fill ins(%zero : f32) outs(%y : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    %o = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                          affine_map<(h, m, c, n) -> (h, m, c)>]
        ins(%p, %v : tensor<2x64x?xbf16>, tensor<2x?x64xbf16>) outs(%zy : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
    %rows = tensor.collapse_shape %o [[0, 1], [2]] : tensor<2x64x64xf32> into tensor<128x64xf32>
    // expected-error@below {{expected an attention whose results are not quantized in its kernel}}
    %quantized:2 = nvfp4.quantize_into as !nvfp4.tensor<128x64, mxfp4> ins(%rows : tensor<128x64xf32>)
        outs(%codes, %scales : tensor<128x32xi8>, tensor<128x2xi8>) -> tensor<128x32xi8>, tensor<128x2xi8>
    return %quantized#0, %quantized#1 : tensor<128x32xi8>, tensor<128x2xi8>
  }
}}

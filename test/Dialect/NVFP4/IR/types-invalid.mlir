// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics

/// What a type, a format and a precision may not be.

// expected-error@below {{expected a rank of 2 or more, but got rank 1}}
func.func private @tensor_rank(!nvfp4.tensor<64, nvfp4>)

// -----

// expected-error@below {{expected a last dimension that is a multiple of 16, but got 40}}
func.func private @tensor_columns(!nvfp4.tensor<8x40, nvfp4>)

// -----

// expected-error@below {{expected a static last dimension in the tiled layout, whose padding depends on it}}
func.func private @tensor_tiled_dynamic(!nvfp4.tensor<8x?, nvfp4, layout = tiled>)

// -----

// expected-error@below {{expected rows that are a multiple of the block's 16, but got 24}}
func.func private @tensor_rows(!nvfp4.tensor<24x64, nvfp4<block = 16x16>>)

// -----

// expected-error@below {{expected one global scale per tensor or slice where a block spans rows, but got one per row}}
func.func private @tensor_square_row(!nvfp4.tensor<32x64, nvfp4<block = 16x16, global = row>>)

// -----

// expected-error@below {{expected linear, tiled or registers, but got 'swizzled'}}
func.func private @tensor_layout(!nvfp4.tensor<8x64, nvfp4, layout = swizzled>)

// -----

// expected-error@below {{expected 'layout'}}
func.func private @tensor_parameter(!nvfp4.tensor<8x64, nvfp4, order = tiled>)

// -----

// expected-error@below {{expected a block-scaled format (nvfp4, mxfp4, nvfp4_ue5m3), but got 'int4'}}
func.func private @format_name(!nvfp4.tensor<8x64, int4>)

// -----

// expected-error@below {{expected block, global, convention or bound, but got 'blocks'}}
func.func private @format_parameter(!nvfp4.tensor<8x64, nvfp4<blocks = 1x16>>)

// -----

// expected-error@below {{expected blocks of 1x16 or 16x16 in nvfp4, but got 1x32}}
func.func private @format_block(!nvfp4.tensor<8x64, nvfp4<block = 1x32>>)

// -----

// expected-error@below {{expected a block of rows x columns}}
func.func private @format_block_rank(!nvfp4.tensor<8x64, nvfp4<block = 16>>)

// -----

// expected-error@below {{expected only 'block' in mxfp4, which has no global scale, but got 'global'}}
func.func private @format_no_global_scale(!nvfp4.tensor<8x64, mxfp4<global = row>>)

// -----

// expected-error@below {{expected tensor, slice or row, but got 'column'}}
func.func private @format_granularity(!nvfp4.tensor<8x64, nvfp4<global = column>>)

// -----

// expected-error@below {{expected tensor, slice or row, but got 'none'}}
func.func private @format_granularity_none(!nvfp4.tensor<8x64, nvfp4<global = none>>)

// -----

// expected-error@below {{expected amax, multiply or divide, but got 'scale'}}
func.func private @format_convention(!nvfp4.tensor<8x64, nvfp4<convention = scale>>)

// -----

// expected-error@below {{expected a bound of 256 or 448, but got 300}}
func.func private @format_bound(!nvfp4.tensor<8x64, nvfp4<bound = 300>>)

// -----

// expected-error@below {{expected a precision (nvfp4, nvfp4_weight_only, mxfp4, mxfp4_weight_only, nvfp4_ue5m3, nvfp4_ue5m3_weight_only, bf16, f32, keep), but got 'fp8'}}
func.func private @precision_kind() attributes {nvfp4.precision = #nvfp4.precision<fp8>}

// -----

// expected-error@below {{expected dynamic<row>, dynamic<tensor> or static<"name">}}
func.func private @precision_activations() attributes {nvfp4.precision = #nvfp4.precision<nvfp4, activations = row<batch>>}

// -----

// expected-error@below {{expected dynamic<row>, dynamic<tensor> or static<"name">}}
func.func private @precision_activations_kind() attributes {nvfp4.precision = #nvfp4.precision<nvfp4, activations = calibrated<"a">>}

// -----

// expected-error@below {{expected row or tensor, but got 'column'}}
func.func private @precision_granularity() attributes {nvfp4.precision = #nvfp4.precision<nvfp4, activations = dynamic<column>>}

// -----

// expected-error@below {{expected the name of a tensor exactly if the activation's global scale is static}}
func.func private @precision_static_name() attributes {nvfp4.precision = #nvfp4.precision<nvfp4, activations = static<"">>}

// -----

// expected-error@below {{expected 'activations'}}
func.func private @precision_parameter() attributes {nvfp4.precision = #nvfp4.precision<nvfp4, weights = static<"a">>}

// -----

// expected-error@below {{expected two static last dimensions in the registers layout, whose padding depends on them}}
func.func private @registers(!nvfp4.tensor<?x64, nvfp4, layout = registers>)

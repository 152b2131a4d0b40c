// The presets on the two real graphs of test/Inputs.
//
// RUN: nvfp4-opt %inputs/minilm.mlir --nvfp4-assign-precision | FileCheck %s --check-prefix=MINILM
// RUN: nvfp4-opt %inputs/llama_dynamic.mlir --nvfp4-assign-precision | FileCheck %s --check-prefix=LLAMA
// RUN: nvfp4-opt %inputs/minilm.mlir --nvfp4-normalize --nvfp4-policy --nvfp4-print-precision-report 2>&1 >/dev/null \
// RUN:   | FileCheck %s --check-prefix=REPORT

// MINILM-COUNT-3: nvfp4.class = "embedding", nvfp4.precision = #nvfp4.precision<keep>
//         MINILM: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.attention.self.query"
//         MINILM: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.attention.self.key"
//         MINILM: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.attention.self.value"
//         MINILM: <bf16>, nvfp4.rule = "inference:activation-products", nvfp4.site = "encoder.layer.0.attention.0"
//         MINILM: <bf16>, nvfp4.rule = "inference:activation-products", nvfp4.site = "encoder.layer.0.attention.1"
//         MINILM: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.attention.output.dense"
//         MINILM: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.intermediate.dense"
//         MINILM: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.output.dense"
// MINILM-COUNT-40: nvfp4.site
//     MINILM-NOT: nvfp4.site

//          LLAMA: nvfp4.class = "embedding", {{.*}}nvfp4.site = "model.embed_tokens"
//          LLAMA: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.self_attn.q_proj"
//          LLAMA: <bf16>, nvfp4.rule = "inference:activation-products", nvfp4.site = "model.layers.0.self_attn.attention.0"
//          LLAMA: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.mlp.gate_proj"
//          LLAMA: nvfp4.class = "head", nvfp4.precision = #nvfp4.precision<bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "model.embed_tokens"

/// Normalized, every extent has the entry's name for it.
// REPORT-NOT: ?
//     REPORT: encoder.layer.{0-5}.attention.self.query {{ *}}linear {{ *}}batch*32 x 384 x 384 {{ *}}3.5 MB -> 498 KB
// REPORT-NOT: ?
//     REPORT: encoder.layer.{0-5}.attention.0 {{ *}}attention {{ *}}batch*12 x 32 x 32 x 32
// REPORT-NOT: ?
//     REPORT: weights of these sites: 90.1 MB -> 53.6 MB

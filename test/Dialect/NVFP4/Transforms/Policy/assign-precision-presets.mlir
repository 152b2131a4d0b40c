// RUN: nvfp4-opt %s --nvfp4-assign-precision=policy=none | FileCheck %s --check-prefix=NONE
// RUN: nvfp4-opt %s --nvfp4-assign-precision=policy=inference | FileCheck %s --check-prefix=INFER
// RUN: nvfp4-opt %s --nvfp4-assign-precision=policy=weight-only | FileCheck %s --check-prefix=WEIGHT
// RUN: nvfp4-opt %s --nvfp4-assign-precision=policy=mlp-only | FileCheck %s --check-prefix=MLP

/// The presets on layer names of public checkpoints: BERT, Llama, Mixtral,
/// Qwen3-Next, Nemotron-H, GPT-2, Llama as Meta names it, diffusion and vision
/// models.

// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.attention.self.query"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "encoder.layer.0.attention.self.query"
// MLP: <bf16>, nvfp4.rule = "mlp-only:not-feed-forward", nvfp4.site = "encoder.layer.0.attention.self.query"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.attention.output.dense"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "encoder.layer.0.attention.output.dense"
// MLP: <bf16>, nvfp4.rule = "mlp-only:not-feed-forward", nvfp4.site = "encoder.layer.0.attention.output.dense"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.intermediate.dense"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "encoder.layer.0.intermediate.dense"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.intermediate.dense"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.output.dense"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "encoder.layer.0.output.dense"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.layer.0.output.dense"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.self_attn.q_proj"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "model.layers.0.self_attn.q_proj"
// MLP: <bf16>, nvfp4.rule = "mlp-only:not-feed-forward", nvfp4.site = "model.layers.0.self_attn.q_proj"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.mlp.gate_proj"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "model.layers.0.mlp.gate_proj"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.mlp.gate_proj"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.mlp.experts.3.down_proj"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "model.layers.0.mlp.experts.3.down_proj"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.mlp.experts.3.down_proj"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.mlp.shared_expert.up_proj"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "model.layers.0.mlp.shared_expert.up_proj"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.mlp.shared_expert.up_proj"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.linear_attn.in_proj_qkvz"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "model.layers.0.linear_attn.in_proj_qkvz"
// MLP: <bf16>, nvfp4.rule = "mlp-only:not-feed-forward", nvfp4.site = "model.layers.0.linear_attn.in_proj_qkvz"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "model.layers.0.linear_attn.out_proj"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "model.layers.0.linear_attn.out_proj"
// MLP: <bf16>, nvfp4.rule = "mlp-only:not-feed-forward", nvfp4.site = "model.layers.0.linear_attn.out_proj"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "backbone.layers.0.mixer.in_proj"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "backbone.layers.0.mixer.in_proj"
// MLP: <bf16>, nvfp4.rule = "mlp-only:not-feed-forward", nvfp4.site = "backbone.layers.0.mixer.in_proj"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "transformer.h.0.mlp.c_fc"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "transformer.h.0.mlp.c_fc"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "transformer.h.0.mlp.c_fc"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "layers.0.attention.wo"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "layers.0.attention.wo"
// MLP: <bf16>, nvfp4.rule = "mlp-only:not-feed-forward", nvfp4.site = "layers.0.attention.wo"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "layers.0.feed_forward.w2"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "layers.0.feed_forward.w2"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "layers.0.feed_forward.w2"
// INFER: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "language_model.model.layers.0.mlp.up_proj"
// WEIGHT: <nvfp4_weight_only>, nvfp4.rule = "weight-only:weights-only", nvfp4.site = "language_model.model.layers.0.mlp.up_proj"
// MLP: <nvfp4>, nvfp4.rule = "inference:linear-layers", nvfp4.site = "language_model.model.layers.0.mlp.up_proj"
// INFER: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.mlp.gate"
// WEIGHT: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.mlp.gate"
// MLP: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.mlp.gate"
// INFER: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.mlp.shared_expert_gate"
// WEIGHT: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.mlp.shared_expert_gate"
// MLP: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.mlp.shared_expert_gate"
// INFER: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.block_sparse_moe.gate"
// WEIGHT: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.block_sparse_moe.gate"
// MLP: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.block_sparse_moe.gate"
// INFER: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.block_sparse_moe.router.layer"
// WEIGHT: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.block_sparse_moe.router.layer"
// MLP: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.block_sparse_moe.router.layer"
// INFER: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.feed_forward.router"
// WEIGHT: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.feed_forward.router"
// MLP: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "model.layers.0.feed_forward.router"
// INFER: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "backbone.layers.1.mixer.gate"
// WEIGHT: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "backbone.layers.1.mixer.gate"
// MLP: <bf16>, nvfp4.rule = "inference:routers-and-gates", nvfp4.site = "backbone.layers.1.mixer.gate"
// INFER: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_a"
// WEIGHT: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_a"
// MLP: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_a"
// INFER: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_b"
// WEIGHT: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_b"
// MLP: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_b"
// INFER: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_ba"
// WEIGHT: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_ba"
// MLP: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "model.layers.0.linear_attn.in_proj_ba"
// INFER: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "backbone.layers.0.mixer.conv1d"
// WEIGHT: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "backbone.layers.0.mixer.conv1d"
// MLP: <bf16>, nvfp4.rule = "inference:state-space", nvfp4.site = "backbone.layers.0.mixer.conv1d"
// INFER: <bf16>, nvfp4.rule = "inference:token-prediction", nvfp4.site = "mtp.layers.0.mlp.up_proj"
// WEIGHT: <bf16>, nvfp4.rule = "inference:token-prediction", nvfp4.site = "mtp.layers.0.mlp.up_proj"
// MLP: <bf16>, nvfp4.rule = "inference:token-prediction", nvfp4.site = "mtp.layers.0.mlp.up_proj"
// INFER: <bf16>, nvfp4.rule = "inference:token-prediction", nvfp4.site = "model.mtp_layers.0.eh_proj"
// WEIGHT: <bf16>, nvfp4.rule = "inference:token-prediction", nvfp4.site = "model.mtp_layers.0.eh_proj"
// MLP: <bf16>, nvfp4.rule = "inference:token-prediction", nvfp4.site = "model.mtp_layers.0.eh_proj"
// INFER: <bf16>, nvfp4.rule = "inference:proj-out", nvfp4.site = "transformer_blocks.0.proj_out"
// WEIGHT: <bf16>, nvfp4.rule = "inference:proj-out", nvfp4.site = "transformer_blocks.0.proj_out"
// MLP: <bf16>, nvfp4.rule = "inference:proj-out", nvfp4.site = "transformer_blocks.0.proj_out"
// INFER: <bf16>, nvfp4.rule = "inference:proj-out", nvfp4.site = "proj_out"
// WEIGHT: <bf16>, nvfp4.rule = "inference:proj-out", nvfp4.site = "proj_out"
// MLP: <bf16>, nvfp4.rule = "inference:proj-out", nvfp4.site = "proj_out"
// INFER: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "vision_tower.encoder.layers.0.mlp.fc1"
// WEIGHT: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "vision_tower.encoder.layers.0.mlp.fc1"
// MLP: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "vision_tower.encoder.layers.0.mlp.fc1"
// INFER: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "visual.blocks.0.attn.qkv"
// WEIGHT: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "visual.blocks.0.attn.qkv"
// MLP: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "visual.blocks.0.attn.qkv"
// INFER: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "multi_modal_projector.linear_1"
// WEIGHT: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "multi_modal_projector.linear_1"
// MLP: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "multi_modal_projector.linear_1"
// INFER: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "model.visual.merger.mlp.0"
// WEIGHT: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "model.visual.merger.mlp.0"
// MLP: <bf16>, nvfp4.rule = "inference:vision", nvfp4.site = "model.visual.merger.mlp.0"
// INFER: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "lm_head"
// WEIGHT: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "lm_head"
// MLP: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "lm_head"
// INFER: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "language_model.lm_head"
// WEIGHT: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "language_model.lm_head"
// MLP: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "language_model.lm_head"
// INFER: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "embed_out"
// WEIGHT: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "embed_out"
// MLP: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "embed_out"
// INFER: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "output"
// WEIGHT: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "output"
// MLP: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "output"
// INFER: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "cls.predictions.decoder"
// WEIGHT: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "cls.predictions.decoder"
// MLP: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "cls.predictions.decoder"
// INFER: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "classifier"
// WEIGHT: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "classifier"
// MLP: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "classifier"

// NONE-COUNT-41: #nvfp4.precision<keep>, nvfp4.rule = "default"
// NONE-NOT: nvfp4.precision

/// An outer product (rotary angles) and whatever is called rotary stays f32.
// INFER: <keep>, nvfp4.rule = "inference:outer-products", nvfp4.site = "model.angles"
// INFER: <keep>, nvfp4.rule = "inference:rotary", nvfp4.site = "model.rotary_emb.mix"
// WEIGHT: <keep>, nvfp4.rule = "inference:outer-products", nvfp4.site = "model.angles"
// WEIGHT: <keep>, nvfp4.rule = "inference:rotary", nvfp4.site = "model.rotary_emb.mix"
// MLP: <keep>, nvfp4.rule = "inference:outer-products", nvfp4.site = "model.angles"
// MLP: <keep>, nvfp4.rule = "inference:rotary", nvfp4.site = "model.rotary_emb.mix"

func.func @main(%x: tensor<8x32xf32>, %d: tensor<8x32xf32>, %p: tensor<8x1xf32>,
    %w0: tensor<32x32xf32> {nvfp4.weight = "encoder.layer.0.attention.self.query.weight"},
    %w1: tensor<32x32xf32> {nvfp4.weight = "encoder.layer.0.attention.output.dense.weight"},
    %w2: tensor<32x32xf32> {nvfp4.weight = "encoder.layer.0.intermediate.dense.weight"},
    %w3: tensor<32x32xf32> {nvfp4.weight = "encoder.layer.0.output.dense.weight"},
    %w4: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.self_attn.q_proj.weight"},
    %w5: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.mlp.gate_proj.weight"},
    %w6: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.mlp.experts.3.down_proj.weight"},
    %w7: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.mlp.shared_expert.up_proj.weight"},
    %w8: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.linear_attn.in_proj_qkvz.weight"},
    %w9: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.linear_attn.out_proj.weight"},
    %w10: tensor<32x32xf32> {nvfp4.weight = "backbone.layers.0.mixer.in_proj.weight"},
    %w11: tensor<32x32xf32> {nvfp4.weight = "transformer.h.0.mlp.c_fc.weight"},
    %w12: tensor<32x32xf32> {nvfp4.weight = "layers.0.attention.wo.weight"},
    %w13: tensor<32x32xf32> {nvfp4.weight = "layers.0.feed_forward.w2.weight"},
    %w14: tensor<32x32xf32> {nvfp4.weight = "language_model.model.layers.0.mlp.up_proj.weight"},
    %w15: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.mlp.gate.weight"},
    %w16: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.mlp.shared_expert_gate.weight"},
    %w17: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.block_sparse_moe.gate.weight"},
    %w18: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.block_sparse_moe.router.layer.weight"},
    %w19: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.feed_forward.router.weight"},
    %w20: tensor<32x32xf32> {nvfp4.weight = "backbone.layers.1.mixer.gate.weight"},
    %w21: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.linear_attn.in_proj_a.weight"},
    %w22: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.linear_attn.in_proj_b.weight"},
    %w23: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.linear_attn.in_proj_ba.weight"},
    %w24: tensor<32x32xf32> {nvfp4.weight = "backbone.layers.0.mixer.conv1d.weight"},
    %w25: tensor<32x32xf32> {nvfp4.weight = "mtp.layers.0.mlp.up_proj.weight"},
    %w26: tensor<32x32xf32> {nvfp4.weight = "model.mtp_layers.0.eh_proj.weight"},
    %w27: tensor<32x32xf32> {nvfp4.weight = "transformer_blocks.0.proj_out.weight"},
    %w28: tensor<32x32xf32> {nvfp4.weight = "proj_out.weight"},
    %w29: tensor<32x32xf32> {nvfp4.weight = "vision_tower.encoder.layers.0.mlp.fc1.weight"},
    %w30: tensor<32x32xf32> {nvfp4.weight = "visual.blocks.0.attn.qkv.weight"},
    %w31: tensor<32x32xf32> {nvfp4.weight = "multi_modal_projector.linear_1.weight"},
    %w32: tensor<32x32xf32> {nvfp4.weight = "model.visual.merger.mlp.0.weight"},
    %w33: tensor<32x32xf32> {nvfp4.weight = "lm_head.weight"},
    %w34: tensor<32x32xf32> {nvfp4.weight = "language_model.lm_head.weight"},
    %w35: tensor<32x32xf32> {nvfp4.weight = "embed_out.weight"},
    %w36: tensor<32x32xf32> {nvfp4.weight = "output.weight"},
    %w37: tensor<32x32xf32> {nvfp4.weight = "cls.predictions.decoder.weight"},
    %w38: tensor<32x32xf32> {nvfp4.weight = "classifier.weight"},
    %a: tensor<1x32xf32> {nvfp4.weight = "model.angles"},
    %r: tensor<32x32xf32> {nvfp4.weight = "model.rotary_emb.mix"}) -> () {
  %0 = linalg.matmul ins(%x, %w0 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %1 = linalg.matmul ins(%x, %w1 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %2 = linalg.matmul ins(%x, %w2 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %3 = linalg.matmul ins(%x, %w3 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %4 = linalg.matmul ins(%x, %w4 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %5 = linalg.matmul ins(%x, %w5 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %6 = linalg.matmul ins(%x, %w6 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %7 = linalg.matmul ins(%x, %w7 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %8 = linalg.matmul ins(%x, %w8 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %9 = linalg.matmul ins(%x, %w9 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %10 = linalg.matmul ins(%x, %w10 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %11 = linalg.matmul ins(%x, %w11 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %12 = linalg.matmul ins(%x, %w12 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %13 = linalg.matmul ins(%x, %w13 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %14 = linalg.matmul ins(%x, %w14 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %15 = linalg.matmul ins(%x, %w15 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %16 = linalg.matmul ins(%x, %w16 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %17 = linalg.matmul ins(%x, %w17 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %18 = linalg.matmul ins(%x, %w18 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %19 = linalg.matmul ins(%x, %w19 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %20 = linalg.matmul ins(%x, %w20 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %21 = linalg.matmul ins(%x, %w21 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %22 = linalg.matmul ins(%x, %w22 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %23 = linalg.matmul ins(%x, %w23 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %24 = linalg.matmul ins(%x, %w24 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %25 = linalg.matmul ins(%x, %w25 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %26 = linalg.matmul ins(%x, %w26 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %27 = linalg.matmul ins(%x, %w27 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %28 = linalg.matmul ins(%x, %w28 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %29 = linalg.matmul ins(%x, %w29 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %30 = linalg.matmul ins(%x, %w30 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %31 = linalg.matmul ins(%x, %w31 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %32 = linalg.matmul ins(%x, %w32 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %33 = linalg.matmul ins(%x, %w33 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %34 = linalg.matmul ins(%x, %w34 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %35 = linalg.matmul ins(%x, %w35 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %36 = linalg.matmul ins(%x, %w36 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %37 = linalg.matmul ins(%x, %w37 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %38 = linalg.matmul ins(%x, %w38 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %39 = linalg.matmul ins(%p, %a : tensor<8x1xf32>, tensor<1x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %40 = linalg.matmul ins(%x, %r : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return
}

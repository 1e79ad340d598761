"""An architecture and a layout -> the GPTModel of this rank's pipeline stage."""

import torch
from megatron.core import parallel_state
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import (
    get_gpt_layer_local_spec,
    get_gpt_layer_with_transformer_engine_spec,
)
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_block import (
    TransformerBlockSubmodules,
    get_num_layers_to_build,
)
from torch import Tensor
from torch.nn.functional import silu

from megatron_crossic.backend import Backend
from megatron_crossic.config import ParallelConfig, PrecisionConfig, raise_problems
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.attention import SdpaAttention, SequenceParallelRMSNorm
from megatron_crossic.model.layout import layout_problems


class CrossicGPTModel(GPTModel):
    """GPTModel whose padded vocabulary columns take no probability.

    A padded row gives the logit 0 (or noise once trained), which would add to the denominator of
    the softmax: the loss would differ from that of the unpadded Hugging Face model.
    """

    real_vocab_size: int

    def compute_language_model_loss(self, labels: Tensor, logits: Tensor) -> Tensor:
        """Cross entropy of every label  # [batch, seq]; `logits` are [seq, batch, vocab / tp]."""
        first = parallel_state.get_tensor_model_parallel_rank() * logits.shape[-1]
        num_real = max(self.real_vocab_size - first, 0)
        if num_real < logits.shape[-1]:
            # Beside autograd: the gradient there is 0 anyway, and a recorded write would copy all
            # logits once more on the way back (5 % of a step at a vocabulary of 8,000).
            logits.detach()[..., num_real:] = torch.finfo(logits.dtype).min
        return super().compute_language_model_loss(labels, logits)


def build_model(
    architecture: ModelArchitecture,
    *,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    backend: Backend,
    max_sequence_length: int,
    initialize: bool = True,
) -> CrossicGPTModel:
    """Build this rank's stage on the backend's device; the process groups must be joined.

    `initialize=False` skips the random weights where a checkpoint follows. The model maps tokens
    and labels [batch, seq] to losses [batch, seq] on the last stage; other stages pass hidden
    states on.
    """
    raise_problems(layout_problems(architecture, parallel) + backend.problems(parallel, precision))
    config = transformer_config(architecture, parallel, precision, backend, initialize=initialize)
    model = CrossicGPTModel(
        config,
        _layer_spec(config, backend),
        vocab_size=architecture.padded_vocab_size,
        max_sequence_length=max_sequence_length,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=parallel_state.is_pipeline_last_stage(),
        share_embeddings_and_output_weights=architecture.tie_embeddings,
        position_embedding_type="rope",
        rotary_base=architecture.rotary_base,
        rope_scaling=architecture.rope_scaling is not None,
        rope_scaling_factor=(
            architecture.rope_scaling.factor if architecture.rope_scaling else 1.0
        ),
    )
    model.real_vocab_size = architecture.vocab_size
    return model.to(device=backend.device(), dtype=config.params_dtype)


def transformer_config(
    architecture: ModelArchitecture,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    backend: Backend,
    *,
    initialize: bool,
) -> TransformerConfig:
    """megatron-core's configuration; fused kernels only where Transformer Engine provides them."""
    fused = backend.has_transformer_engine()
    reduced = precision.compute != "fp32"
    dtype = torch.bfloat16 if reduced else torch.float32
    return TransformerConfig(
        num_layers=architecture.num_layers,
        hidden_size=architecture.hidden_size,
        ffn_hidden_size=architecture.ffn_hidden_size,
        num_attention_heads=architecture.num_attention_heads,
        num_query_groups=architecture.num_query_groups,
        kv_channels=architecture.head_dim,
        normalization="RMSNorm",
        layernorm_epsilon=architecture.norm_epsilon,
        gated_linear_unit=True,
        activation_func=silu,
        add_bias_linear=False,
        add_qkv_bias=architecture.qkv_bias,
        attention_dropout=0.0,
        hidden_dropout=0.0,
        tensor_model_parallel_size=parallel.tensor,
        pipeline_model_parallel_size=parallel.pipeline,
        context_parallel_size=parallel.context,
        sequence_parallel=parallel.sequence,
        params_dtype=dtype,
        pipeline_dtype=dtype,
        bf16=reduced,
        fp8="hybrid" if precision.compute == "fp8" else None,
        fp8_recipe="tensorwise" if precision.compute == "fp8" else "delayed",
        # The loss is a mean over the tokens of the global batch, whatever the layout.
        calculate_per_token_loss=True,
        perform_initialization=initialize,
        use_cpu_initialization=backend.NAME == "cpu",
        gradient_accumulation_fusion=backend.has_fused_gradients(),
        apply_rope_fusion=fused,
        bias_activation_fusion=fused,
        masked_softmax_fusion=False,
        bias_dropout_fusion=fused,
        persist_layer_norm=fused,
        cross_entropy_loss_fusion=fused,
    )


def _layer_spec(
    config: TransformerConfig, backend: Backend
) -> ModuleSpec | TransformerBlockSubmodules:
    if backend.has_transformer_engine():
        return get_gpt_layer_with_transformer_engine_spec()
    layer = get_gpt_layer_local_spec(normalization="RMSNorm")
    layer.submodules.input_layernorm = SequenceParallelRMSNorm
    layer.submodules.pre_mlp_layernorm = SequenceParallelRMSNorm
    layer.submodules.self_attention.submodules.core_attention = SdpaAttention
    return TransformerBlockSubmodules(
        layer_specs=[layer] * get_num_layers_to_build(config),
        layer_norm=SequenceParallelRMSNorm,
    )

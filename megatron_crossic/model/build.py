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
from megatron_crossic.config import (
    MemoryConfig,
    ParallelConfig,
    PrecisionConfig,
    raise_problems,
)
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.attention import SdpaAttention, SequenceParallelRMSNorm
from megatron_crossic.model.layout import layout_problems
from megatron_crossic.model.settings import (
    layout_settings,
    precision_settings,
    recompute_settings,
)


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
    """Build this rank's stage where it is one chunk; see `build_chunks`."""
    (model,) = build_chunks(
        architecture,
        parallel=parallel,
        precision=precision,
        memory=MemoryConfig(),
        backend=backend,
        max_sequence_length=max_sequence_length,
        initialize=initialize,
    )
    return model


def build_chunks(
    architecture: ModelArchitecture,
    *,
    parallel: ParallelConfig,
    precision: PrecisionConfig,
    memory: MemoryConfig,
    backend: Backend,
    max_sequence_length: int,
    initialize: bool = True,
) -> list[CrossicGPTModel]:
    """Build this rank's chunks of layers on the backend's device, first to last.

    The process groups must be joined. `initialize=False` skips the random weights where a
    checkpoint follows. The last chunk of the last stage maps tokens and labels [batch, seq] to
    losses [batch, seq]; the others pass hidden states on.
    """
    raise_problems(
        layout_problems(architecture, parallel) + backend.problems(parallel, precision, memory)
    )
    config = transformer_config(
        architecture, parallel, precision, backend, memory=memory, initialize=initialize
    )
    return [
        _build_chunk(architecture, config, backend, number, max_sequence_length)
        for number in (
            range(parallel.virtual_pipeline) if parallel.virtual_pipeline > 1 else [None]
        )
    ]


def _build_chunk(
    architecture: ModelArchitecture,
    config: TransformerConfig,
    backend: Backend,
    number: int | None,
    max_sequence_length: int,
) -> CrossicGPTModel:
    """One chunk; `number` is None where the stage is a single one."""
    model = CrossicGPTModel(
        config,
        _layer_spec(config, backend, number),
        vocab_size=architecture.padded_vocab_size,
        max_sequence_length=max_sequence_length,
        pre_process=parallel_state.is_pipeline_first_stage(ignore_virtual=False, vp_stage=number),
        post_process=parallel_state.is_pipeline_last_stage(ignore_virtual=False, vp_stage=number),
        vp_stage=number,
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
    memory: MemoryConfig = MemoryConfig(),  # noqa: B008, frozen
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
        params_dtype=dtype,
        pipeline_dtype=dtype,
        bf16=reduced,
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
        **layout_settings(parallel),
        **precision_settings(precision),
        **recompute_settings(memory),
    )


def _layer_spec(
    config: TransformerConfig, backend: Backend, chunk: int | None
) -> ModuleSpec | TransformerBlockSubmodules:
    if backend.has_transformer_engine():
        return get_gpt_layer_with_transformer_engine_spec()
    layer = get_gpt_layer_local_spec(normalization="RMSNorm")
    layer.submodules.input_layernorm = SequenceParallelRMSNorm
    layer.submodules.pre_mlp_layernorm = SequenceParallelRMSNorm
    layer.submodules.self_attention.submodules.core_attention = SdpaAttention
    return TransformerBlockSubmodules(
        layer_specs=[layer] * get_num_layers_to_build(config, vp_stage=chunk),
        layer_norm=SequenceParallelRMSNorm,
    )

"""Attention and norm for machines without Transformer Engine, in megatron-core's local layers.

Core attention is PyTorch's `scaled_dot_product_attention`, which never builds the [seq, seq]
matrix of scores that megatron-core's own local attention needs a fused kernel for.
"""

import math
from typing import Any

import torch
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer import TransformerConfig
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from megatron_crossic.errors import ConfigError


class SdpaAttention(nn.Module):
    """Causal grouped-query attention over the heads of this tensor-parallel rank."""

    def __init__(
        self, config: TransformerConfig, layer_number: int, *_: object, **__: object
    ) -> None:
        super().__init__()
        if config.attention_dropout:
            raise ConfigError(
                f"attention_dropout must be 0 without Transformer Engine, got "
                f"{config.attention_dropout}. Switch it off."
            )
        self.layer_number = layer_number
        self.scale = 1 / math.sqrt(config.kv_channels)

    def forward(
        self,
        query: Tensor,  # [seq, batch, heads, head_dim], or [tokens, heads, head_dim] if packed
        key: Tensor,  # [seq, batch, groups, head_dim], or [tokens, groups, head_dim]
        value: Tensor,  # the same
        attention_mask: Tensor | None = None,
        packed_seq_params: PackedSeqParams | None = None,
        **_: Any,
    ) -> Tensor:
        """Attend to the past of the window, or of the segment that `packed_seq_params` tells.

        `attention_mask` must be None: windows and segments are causal as a whole.
        """
        if attention_mask is not None:
            raise ConfigError(
                "attention_mask must be None for causal attention over a window, got a tensor. "
                "Leave it out."
            )
        if packed_seq_params is not None:
            return self._segments(query, key, value, packed_seq_params)
        return self._causal(query, key, value)

    def _segments(
        self, query: Tensor, key: Tensor, value: Tensor, packed: PackedSeqParams
    ) -> Tensor:
        """Each segment on its own: no mask, and no work for the scores a mask would throw away.

        A window of 4,096 tokens in six equal chunks costs a sixth of its whole attention.
        """
        sizes = packed.cu_seqlens_q.diff().tolist()
        parts = zip(*(side.unsqueeze(1).split(sizes) for side in (query, key, value)), strict=True)
        return torch.cat([self._causal(*part) for part in parts])  # [tokens, 1, heads * head_dim]

    def _causal(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Causal attention over all of [seq, batch, …] -> [seq, batch, heads * head_dim]."""
        query, key, value = (side.permute(1, 2, 0, 3) for side in (query, key, value))
        grouped = query.shape[1] != key.shape[1]
        context = scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=self.scale, enable_gqa=grouped
        )
        return context.permute(2, 0, 1, 3).flatten(2)


class SequenceParallelRMSNorm(nn.RMSNorm):
    """RMSNorm whose weight megatron-core reduces over tensor ranks under sequence parallelism.

    megatron-core's own wrapper refuses sequence parallelism; all it takes is the mark below.
    """

    def __init__(
        self, config: TransformerConfig, hidden_size: int, eps: float = 1e-5, **_: object
    ) -> None:
        super().__init__(hidden_size, eps=eps)
        self.weight.sequence_parallel = config.sequence_parallel  # type: ignore[attr-defined]

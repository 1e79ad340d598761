"""The weight table: which Hugging Face tensors make up which tensor of a Megatron checkpoint.

One row serves both directions. A row that names `{layer}` is one tensor per layer in Hugging Face's
files and one stacked tensor [layers, ...] in Megatron's; everything here works on one layer of it.
A new family is a new entry in `TABLES`.

Worked example of the QKV merge, 4 query heads in 2 groups: Megatron keeps each group's queries
beside its key and value, so that tensor parallelism can cut between groups:

    q0 q1 q2 q3 | k0 k1 | v0 v1   ->   q0 q1 k0 v0 | q2 q3 k1 v1
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from megatron_crossic.errors import CheckpointError
from megatron_crossic.model.architecture import Family, ModelArchitecture

Dimension = Literal["hidden", "ffn", "query", "key_value", "vocab"]
Shape = tuple[int, ...]


class Merge(Enum):
    """How the tensors of a row become one."""

    COPY = "copy"
    QKV = "qkv"
    """Query, key and value rows, interleaved by query group."""
    GATE_UP = "gate_up"
    """The gate's rows, then the up projection's."""
    VOCAB = "vocab"
    """Rows of zeros are added up to the padded vocabulary, and dropped on the way back."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """One tensor of a Megatron checkpoint and the Hugging Face tensors it is made of."""

    key: str
    """Name in the checkpoint, without the prefix `model.`."""
    merge: Merge
    tensors: Mapping[str, tuple[Dimension, ...]]
    """Hugging Face name -> shape; the order is that of the merge."""

    @property
    def has_layers(self) -> bool:
        """Whether every layer has its own tensor."""
        return all("{layer}" in name for name in self.tensors)


_LAYER = "model.layers.{layer}."
_ATTENTION = _LAYER + "self_attn."
_MLP = _LAYER + "mlp."

_COMMON = (
    Row(
        key="embedding.word_embeddings.weight",
        merge=Merge.VOCAB,
        tensors={"model.embed_tokens.weight": ("vocab", "hidden")},
    ),
    Row(
        key="decoder.layers.self_attention.linear_qkv.layer_norm_weight",
        merge=Merge.COPY,
        tensors={_LAYER + "input_layernorm.weight": ("hidden",)},
    ),
    Row(
        key="decoder.layers.self_attention.linear_qkv.weight",
        merge=Merge.QKV,
        tensors={
            _ATTENTION + "q_proj.weight": ("query", "hidden"),
            _ATTENTION + "k_proj.weight": ("key_value", "hidden"),
            _ATTENTION + "v_proj.weight": ("key_value", "hidden"),
        },
    ),
    Row(
        key="decoder.layers.self_attention.linear_proj.weight",
        merge=Merge.COPY,
        tensors={_ATTENTION + "o_proj.weight": ("hidden", "query")},
    ),
    Row(
        key="decoder.layers.mlp.linear_fc1.layer_norm_weight",
        merge=Merge.COPY,
        tensors={_LAYER + "post_attention_layernorm.weight": ("hidden",)},
    ),
    Row(
        key="decoder.layers.mlp.linear_fc1.weight",
        merge=Merge.GATE_UP,
        tensors={
            _MLP + "gate_proj.weight": ("ffn", "hidden"),
            _MLP + "up_proj.weight": ("ffn", "hidden"),
        },
    ),
    Row(
        key="decoder.layers.mlp.linear_fc2.weight",
        merge=Merge.COPY,
        tensors={_MLP + "down_proj.weight": ("hidden", "ffn")},
    ),
    Row(
        key="decoder.final_layernorm.weight",
        merge=Merge.COPY,
        tensors={"model.norm.weight": ("hidden",)},
    ),
)

_QKV_BIAS = Row(
    key="decoder.layers.self_attention.linear_qkv.bias",
    merge=Merge.QKV,
    tensors={
        _ATTENTION + "q_proj.bias": ("query",),
        _ATTENTION + "k_proj.bias": ("key_value",),
        _ATTENTION + "v_proj.bias": ("key_value",),
    },
)

_OUTPUT = Row(
    key="output_layer.weight",
    merge=Merge.VOCAB,
    tensors={"lm_head.weight": ("vocab", "hidden")},
)

TABLES: dict[Family, tuple[Row, ...]] = {
    "llama": _COMMON,
    "qwen2": (*_COMMON, _QKV_BIAS),  # the output projection has no bias
}
"""Rows of each family; a model with untied embeddings has `lm_head` as well."""

RECOMPUTED = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")
"""Tensors in old checkpoints that the configuration implies; they are left out, and reported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """One row at one layer: the unit of conversion."""

    row: Row
    layer: int | None
    """None for the tensors outside the layers."""
    architecture: ModelArchitecture

    @property
    def key(self) -> str:
        """Name in a Megatron checkpoint."""
        return f"model.{self.row.key}"

    def hf_shapes(self) -> dict[str, Shape]:
        """Hugging Face names and shapes, in the order of the merge."""
        sizes = _sizes(self.architecture)
        return {
            name.format(layer=self.layer): tuple(sizes[d] for d in dimensions)
            for name, dimensions in self.row.tensors.items()
        }

    def megatron_shape(self) -> Shape:
        """Shape of one layer in a Megatron checkpoint."""
        shapes = list(self.hf_shapes().values())
        num_rows = sum(shape[0] for shape in shapes)
        if self.row.merge is Merge.VOCAB:
            num_rows = self.architecture.padded_vocab_size
        return (num_rows, *shapes[0][1:])

    def to_megatron(self, tensors: Sequence[Tensor]) -> Tensor:
        """Merge the tensors of `hf_shapes`, given in its order."""
        match self.row.merge:
            case Merge.QKV:
                return merge_qkv(*tensors, num_groups=self.architecture.num_query_groups)
            case Merge.GATE_UP:
                return torch.cat(list(tensors))
            case Merge.VOCAB:
                return pad_rows(tensors[0], self.architecture.padded_vocab_size)
            case Merge.COPY:
                return tensors[0]

    def to_hf(self, tensor: Tensor) -> dict[str, Tensor]:
        """The inverse of `to_megatron`, with the Hugging Face names."""
        match self.row.merge:
            case Merge.QKV:
                parts: Sequence[Tensor] = split_qkv(
                    tensor,
                    num_groups=self.architecture.num_query_groups,
                    head_dim=self.architecture.head_dim,
                )
            case Merge.GATE_UP:
                parts = tensor.chunk(2)
            case Merge.VOCAB:
                parts = [tensor[: self.architecture.vocab_size]]
            case Merge.COPY:
                parts = [tensor]
        return dict(zip(self.hf_shapes(), parts, strict=True))


def _sizes(architecture: ModelArchitecture) -> dict[Dimension, int]:
    return {
        "hidden": architecture.hidden_size,
        "ffn": architecture.ffn_hidden_size,
        "query": architecture.num_attention_heads * architecture.head_dim,
        "key_value": architecture.num_query_groups * architecture.head_dim,
        "vocab": architecture.vocab_size,
    }


def merge_qkv(query: Tensor, key: Tensor, value: Tensor, *, num_groups: int) -> Tensor:
    """Interleave the rows of query, key and value by group (weights or biases)."""
    grouped = [
        t.reshape(num_groups, -1, *t.shape[1:]) for t in (query, key, value)
    ]  # [group, rows, ...]
    return torch.cat(grouped, dim=1).flatten(0, 1)


def split_qkv(merged: Tensor, *, num_groups: int, head_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """The inverse of `merge_qkv`."""
    grouped = merged.reshape(num_groups, -1, *merged.shape[1:])  # [group, rows, ...]
    num_query_rows = grouped.shape[1] - 2 * head_dim
    query, key_value = grouped[:, :num_query_rows], grouped[:, num_query_rows:]
    key, value = key_value[:, :head_dim], key_value[:, head_dim:]
    return query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1)


def pad_rows(tensor: Tensor, num_rows: int) -> Tensor:
    """Add rows of zeros at the end until there are `num_rows`."""
    missing = num_rows - tensor.shape[0]
    return pad(tensor, (0, 0, 0, missing)) if missing else tensor


def weights(architecture: ModelArchitecture) -> Iterator[Weight]:
    """Every weight of the model in the order of the forward pass, so one layer's lie together."""
    rows = TABLES[architecture.family]
    if not architecture.tie_embeddings:
        rows = (*rows, _OUTPUT)
    embedding, *rest = (
        Weight(row=row, layer=None, architecture=architecture) for row in rows if not row.has_layers
    )
    yield embedding
    for layer in range(architecture.num_layers):
        for row in rows:
            if row.has_layers:
                yield Weight(row=row, layer=layer, architecture=architecture)
    yield from rest


def check_hf_shapes(found: Mapping[str, Shape], architecture: ModelArchitecture) -> list[str]:
    """Compare a checkpoint's tensors with the table; returns the names to leave out.

    Raises one `CheckpointError` naming every missing and unexpected tensor and every wrong shape.
    """
    expected = {name: shape for w in weights(architecture) for name, shape in w.hf_shapes().items()}
    unknown = sorted(found.keys() - expected.keys())
    recomputed = [name for name in unknown if RECOMPUTED.fullmatch(name)]
    problems = [
        f"tensor {name} must be in the checkpoint, got none. "
        "Use the model's complete files and the config.json that belongs to them."
        for name in expected
        if name not in found
    ]
    problems += [
        f"tensor {name} must have shape {list(shape)} as config.json says, "
        f"got {list(found[name])}. Use the config.json that belongs to these weights."
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != shape
    ]
    problems += [
        f"tensor {name} must belong to a {architecture.family} model"
        f"{' with tied embeddings' if architecture.tie_embeddings else ''}, got a tensor the "
        "weight table does not know. Check model_type and tie_word_embeddings in config.json."
        for name in unknown
        if name not in recomputed
    ]
    if problems:
        shown = problems[:_MAX_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more tensors.")
        raise CheckpointError("\n       ".join(shown))
    return recomputed


_MAX_PROBLEMS = 8
"""Messages shown at once; a wrong config.json is wrong for every layer."""

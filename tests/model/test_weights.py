"""The weight table: merges by eye, inverses by property, refusals by message."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_architecture import TINY

from megatron_crossic.errors import CheckpointError
from megatron_crossic.model.architecture import Family, ModelArchitecture
from megatron_crossic.model.weights import (
    TABLES,
    Weight,
    check_hf_shapes,
    merge_qkv,
    pad_rows,
    split_qkv,
    weights,
)

NARROW = replace(TINY, hidden_size=6, ffn_hidden_size=5, head_dim=2, vocab_size=7)


def shapes(architecture: ModelArchitecture) -> dict[str, tuple[int, ...]]:
    return {name: shape for w in weights(architecture) for name, shape in w.hf_shapes().items()}


def named(architecture: ModelArchitecture, name: str) -> Weight:
    return next(weight for weight in weights(architecture) if name in weight.hf_shapes())


def test_qkv_is_interleaved_by_group() -> None:
    query, key, value = torch.arange(4), torch.arange(10, 12), torch.arange(20, 22)
    merged = merge_qkv(query, key, value, num_groups=2)
    assert merged.tolist() == [0, 1, 10, 20, 2, 3, 11, 21]


def test_gate_comes_before_up_and_padding_is_zero() -> None:
    weight = named(NARROW, "model.layers.1.mlp.up_proj.weight")
    gate, up = torch.full((5, 6), 1), torch.full((5, 6), 2)
    assert weight.to_megatron([gate, up])[:, 0].tolist() == [1] * 5 + [2] * 5
    assert pad_rows(torch.ones(2, 1, dtype=torch.int64), 4).flatten().tolist() == [1, 1, 0, 0]


@st.composite
def architectures(draw: st.DrawFn) -> ModelArchitecture:
    groups = draw(st.integers(1, 4))
    family: Family = draw(st.sampled_from(sorted(TABLES)))
    return replace(
        NARROW,
        family=family,
        qkv_bias=family == "qwen2",
        num_layers=draw(st.integers(1, 2)),
        hidden_size=draw(st.integers(1, 6)),
        ffn_hidden_size=draw(st.integers(1, 5)),
        num_query_groups=groups,
        num_attention_heads=groups * draw(st.integers(1, 4)),
        head_dim=draw(st.sampled_from([1, 2, 4])),
        vocab_size=draw(st.sampled_from([1, 127, 128, 129])),
        tie_embeddings=draw(st.booleans()),
    )


@settings(deadline=None)  # a busy machine stalls at times
@given(architectures())
def test_to_hf_is_the_inverse_of_to_megatron(architecture: ModelArchitecture) -> None:
    seen = 0
    for weight in weights(architecture):
        originals = {}
        for name, shape in weight.hf_shapes().items():
            size = torch.Size(shape).numel()
            originals[name] = torch.arange(seen + 1, seen + 1 + size).reshape(shape)
            seen += size
        merged = weight.to_megatron(list(originals.values()))
        assert tuple(merged.shape) == weight.megatron_shape()
        assert int((merged != 0).sum()) == sum(t.numel() for t in originals.values())
        back = weight.to_hf(merged)
        assert back.keys() == originals.keys()
        assert all(torch.equal(back[name], tensor) for name, tensor in originals.items())
    assert seen == sum(torch.Size(shape).numel() for shape in shapes(architecture).values())


@settings(deadline=None)
@given(groups=st.integers(1, 4), per_group=st.integers(1, 4), head_dim=st.integers(1, 4))
def test_tensor_parallel_ranks_get_whole_groups(groups: int, per_group: int, head_dim: int) -> None:
    """A rank's share of the merged rows is the merge of its share of heads."""
    query = torch.arange(groups * per_group * head_dim)
    key = 1000 + torch.arange(groups * head_dim)
    merged = merge_qkv(query, key, key + 1000, num_groups=groups)
    for share, q, k in zip(
        merged.chunk(groups), query.chunk(groups), key.chunk(groups), strict=True
    ):
        assert torch.equal(share, merge_qkv(q, k, k + 1000, num_groups=1))
        assert torch.equal(split_qkv(share, num_groups=1, head_dim=head_dim)[1], k)


def test_keys_are_those_of_a_megatron_checkpoint_in_layer_order() -> None:
    keys = [(weight.key, weight.layer) for weight in weights(NARROW)]
    assert keys[0] == ("model.embedding.word_embeddings.weight", None)
    assert keys[-1] == ("model.decoder.final_layernorm.weight", None)
    assert [layer for _, layer in keys[1:-1]] == [0] * 7 + [1] * 7
    untied = replace(NARROW, tie_embeddings=False)
    assert list(weights(untied))[-1].key == "model.output_layer.weight"


def test_only_qwen2_has_biases_and_only_on_qkv() -> None:
    biases = [name for name in shapes(NARROW) if name.endswith("bias")]
    assert {name.split(".")[-2] for name in biases} == {"q_proj", "k_proj", "v_proj"}
    assert not [name for name in shapes(replace(NARROW, family="llama")) if name.endswith("bias")]


def test_complete_tensors_are_accepted_and_recomputed_ones_left_out() -> None:
    frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq"
    assert check_hf_shapes(shapes(NARROW), NARROW) == []
    assert check_hf_shapes(shapes(NARROW) | {frequencies: (1,)}, NARROW) == [frequencies]


def test_missing_tensor_is_named() -> None:
    found = shapes(NARROW)
    del found["model.layers.1.self_attn.k_proj.bias"]
    with pytest.raises(
        CheckpointError, match=r"layers\.1\.self_attn\.k_proj\.bias must be in the checkpoint"
    ):
        check_hf_shapes(found, NARROW)


def test_unexpected_tensor_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"lm_head\.weight must belong .* tied embeddings"):
        check_hf_shapes(shapes(NARROW) | {"lm_head.weight": (7, 6)}, NARROW)


def test_wrong_shape_names_tensor_expected_and_found() -> None:
    found = shapes(NARROW) | {"model.norm.weight": (5,)}
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight .* \[6\] .* got \[5\]"):
        check_hf_shapes(found, NARROW)


def test_many_problems_are_cut_short() -> None:
    with pytest.raises(CheckpointError, match="and 18 more tensors"):
        check_hf_shapes({}, NARROW)

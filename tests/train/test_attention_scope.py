"""Attention that ends at chunks or pairs: each stretch is computed as if it stood alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_batches import EN, ES, NONE, window
from tiny_architecture import TINY
from tiny_runs import every_step, losses, run_ranks, run_training, tiny_config, write_windows
from torch import Tensor

from megatron_crossic.backend import select_backend
from megatron_crossic.config import AttentionScope, ParallelConfig, PrecisionConfig, RunConfig
from megatron_crossic.data.spans import Role
from megatron_crossic.model.build import CrossicGPTModel, build_model
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train.batches import packed, segment_ends, windows_to_batch
from megatron_crossic.train.dataset import Window
from megatron_crossic.train.step import segments_of

CPU = torch.device("cpu")
FIRST = [0, 11, 12, 21, 22, 1]  # BOS, two of source, two of target, SPLIT
SECOND = [13, 23, 24, 1]
THIRD = [14, 25, 1]
PADDING = [2, 2, 2]
# Chunks 0 and 1 are of pair 0, chunk 2 is of pair 1.
SPANS = [
    (1, Role.BOS, NONE, 99),
    (2, Role.SOURCE, EN, 0),
    (2, Role.TARGET, ES, 0),
    (1, Role.SPLIT, NONE, 0),
    (1, Role.SOURCE, EN, 1),
    (2, Role.TARGET, ES, 1),
    (1, Role.SPLIT, NONE, 1),
    (1, Role.SOURCE, EN, 2),
    (1, Role.TARGET, ES, 2),
    (1, Role.SPLIT, NONE, 2),
    (3, Role.PAD, NONE, 99),
]
STRETCHES: dict[AttentionScope, list[list[int]]] = {
    "window": [FIRST + SECOND + THIRD + PADDING],
    "pair": [FIRST + SECOND, THIRD, PADDING],
    "chunk": [FIRST, SECOND, THIRD, PADDING],
}
MASKS: dict[AttentionScope, list[int]] = {
    "window": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
    "pair": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0],
    "chunk": [1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0],
}


def three_chunks() -> Window:
    tokens = FIRST + SECOND + THIRD + PADDING
    return window(tokens, [span[:3] for span in SPANS], [span[3] for span in SPANS])


@pytest.fixture
def model() -> Iterator[CrossicGPTModel]:
    backend, parallel = select_backend("cpu"), ParallelConfig()
    with parallel_groups(parallel, backend, seed=3):
        yield build_model(
            TINY,
            parallel=parallel,
            precision=PrecisionConfig(compute="fp32"),
            backend=backend,
            max_sequence_length=64,
        )


def alone(model: CrossicGPTModel, tokens: list[int]) -> Tensor:
    """Losses of a stretch by itself; the last has no label within it."""
    row = torch.tensor([tokens])
    labels = row.roll(-1, dims=1)
    places = torch.arange(len(tokens))[None]
    return model(row, places, None, labels=labels)[0, :-1]


@pytest.mark.parametrize("scope", STRETCHES)
@pytest.mark.parametrize("num_windows", [1, 2])
def test_each_stretch_has_the_losses_it_has_alone(
    model: CrossicGPTModel, scope: AttentionScope, num_windows: int
) -> None:
    batch = windows_to_batch([three_chunks()] * num_windows, split_loss=True, attention_scope=scope)
    assert batch.loss_mask.tolist() == [MASKS[scope]] * num_windows
    ends = segment_ends(batch)
    sizes = [len(stretch) for stretch in STRETCHES[scope]] * num_windows
    assert ends.diff().tolist() == sizes
    row = packed(batch)
    found = model(
        row.tokens,
        row.position_ids,
        None,
        labels=row.labels,
        packed_seq_params=segments_of(batch, CPU),
    )
    assert found.shape == (1, 16 * num_windows)
    for part, stretch in zip(found[0].split(sizes), STRETCHES[scope] * num_windows, strict=True):
        assert torch.allclose(part[:-1], alone(model, stretch), rtol=1e-6, atol=1e-6)


def test_what_comes_before_a_chunk_makes_a_difference_only_where_it_is_seen(
    model: CrossicGPTModel,
) -> None:
    """So that the test above is not passed by a model that attends to nothing."""
    whole = alone(model, FIRST + SECOND)[len(FIRST) :]
    assert not torch.allclose(whole, alone(model, SECOND), rtol=1e-3)


def test_gradients_of_chunks_add_up(model: CrossicGPTModel) -> None:
    batch = windows_to_batch([three_chunks()], split_loss=True, attention_scope="chunk")
    model.zero_grad()
    values = model(
        batch.tokens,
        batch.position_ids,
        None,
        labels=batch.labels,
        packed_seq_params=segments_of(batch, CPU),
    )
    (values * batch.loss_mask).sum().backward()
    together = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    torch.cat([alone(model, chunk) for chunk in (FIRST, SECOND, THIRD)]).sum().backward()
    assert len(together) > 10
    for name, parameter in model.named_parameters():
        assert torch.allclose(together[name], parameter.grad, rtol=1e-4, atol=1e-6), name


def test_megatron_core_gets_what_transformer_engine_asks_for() -> None:
    batch = windows_to_batch([three_chunks()] * 2, split_loss=True, attention_scope="chunk")
    segments = segments_of(batch, CPU)
    assert segments.qkv_format == "thd"
    assert segments.cu_seqlens_q.dtype == segments.cu_seqlens_kv.dtype == torch.int32
    assert segments.cu_seqlens_q.tolist() == [0, 6, 10, 13, 16, 22, 26, 29, 32]
    assert segments.max_seqlen_q == segments.max_seqlen_kv == 6


LAYOUTS = {
    "TP2": ParallelConfig(tensor=2),
    "TP2+SP": ParallelConfig(tensor=2, sequence=True),
    "PP2": ParallelConfig(pipeline=2),
}


@pytest.fixture(scope="module")
def by_chunk(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run on one process over windows of three chunks."""
    folder = tmp_path_factory.mktemp("scope")
    for name, num_windows in (("train", 40), ("validation", 5)):
        write_windows(
            folder / name, num_windows=num_windows, seed=5, seq_length=48, pairs_per_window=3
        )
    config = tiny_config(inputs, run_dir=folder / "one")
    data = replace(
        config.data,
        train=(folder / "train",),
        validation=(folder / "validation",),
        attention_scope="chunk",
    )
    config = replace(config, data=data)
    run_training(config)
    return config


@pytest.mark.parametrize("name", LAYOUTS)
def test_segments_reach_every_rank_and_stage(by_chunk: RunConfig, name: str) -> None:
    run_dir = by_chunk.run_dir.with_name(name)
    config = replace(by_chunk, run_dir=run_dir, parallel=LAYOUTS[name])
    run_ranks(2, run_dir.with_suffix(".log"), run_training, config)
    for metric in ("loss", "grad_norm"):
        expected = every_step(by_chunk.run_dir, metric)
        assert every_step(run_dir, metric) == pytest.approx(expected, rel=1e-4)


def test_the_scope_changes_the_loss(by_chunk: RunConfig) -> None:
    data = replace(by_chunk.data, attention_scope="window")
    run_dir = by_chunk.run_dir.with_name("window")
    run_training(replace(by_chunk, run_dir=run_dir, data=data))
    assert losses(run_dir)[0] != pytest.approx(losses(by_chunk.run_dir)[0], rel=1e-4)

"""Every layout computes the same losses, and the first is that of `transformers`."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import torch
from tiny_hf import CONFIGS, make_hf
from tiny_layouts import LAYOUTS
from tiny_runs import every_step, losses, run_ranks, run_training, tiny_config, write_windows
from transformers import AutoModelForCausalLM

from megatron_crossic.config import (
    CheckpointConfig,
    DataConfig,
    PrecisionConfig,
    RunConfig,
)
from megatron_crossic.convert.from_hf import import_checkpoint
from megatron_crossic.errors import CrossicError
from megatron_crossic.train.batches import windows_to_batch
from megatron_crossic.train.dataset import open_data
from megatron_crossic.train.gradients import GradientNorm, GradientNorms
from megatron_crossic.train.order import WindowOrder

QWEN, LLAMA = "qwen2_tied_odd", "llama_gqa_scaled"
TWO_LAYERS = [name for name, (_, layout) in LAYOUTS.items() if layout.virtual_pipeline == 1]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunConfig]:
    """A run of 20 steps on one process for each family."""
    return {kind: train_alone(tmp_path_factory.mktemp(kind), kind) for kind in (QWEN, LLAMA)}


def train_alone(folder: Path, kind: str) -> RunConfig:
    vocab_size = CONFIGS[kind].vocab_size
    import_checkpoint(hf=make_hf(folder / "hf", kind), output=folder / "initial")
    for name, num_windows in (("train", 40), ("validation", 5)):
        write_windows(
            folder / name, num_windows=num_windows, vocab_size=vocab_size, seed=num_windows
        )
    config = tiny_config(
        folder,
        run_dir=folder / "one",
        num_steps=20,
        validation_interval=10,
        checkpoint=CheckpointConfig(initial=folder / "initial", interval=20),
    )
    run_training(config)
    return config


@pytest.fixture(scope="module")
def two_a_pass(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run of 6 steps in fp32 on one process, with passes of two windows."""
    config = tiny_config(inputs, run_dir=tmp_path_factory.mktemp("two"))
    run_training(config)
    return config


@pytest.mark.parametrize("kind", [QWEN, LLAMA])
def test_the_first_loss_is_that_of_transformers(
    references: dict[str, RunConfig], kind: str
) -> None:
    reference = references[kind]
    windows = WindowOrder(num_windows=40, seed=reference.data.seed).global_batch(step=1, size=8)
    data = open_data(reference.data).train
    batch = windows_to_batch([data[int(i)] for i in windows], split_loss=True)
    model = AutoModelForCausalLM.from_pretrained(reference.run_dir.parent / "hf")
    with torch.no_grad():
        logits = model(batch.tokens).logits
    every = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.labels.flatten(), reduction="none"
    )
    expected = (every * batch.loss_mask.flatten()).sum() / batch.loss_mask.sum()
    assert losses(reference.run_dir)[0] == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(("kind", "name"), [*((QWEN, n) for n in TWO_LAYERS), (LLAMA, "TP2*PP2")])
def test_every_step_has_the_same_loss(
    references: dict[str, RunConfig], kind: str, name: str
) -> None:
    reference = references[kind]
    num_ranks, parallel = LAYOUTS[name]
    run_dir = reference.run_dir.with_name(name)
    config = replace(reference, run_dir=run_dir, parallel=parallel)
    said = run_ranks(num_ranks, run_dir.with_suffix(".log"), run_training, config)
    assert not [line for line in said.splitlines() if "Warning" in line]
    expected = losses(reference.run_dir)
    assert len(expected) == 20
    assert min(expected) < 0.9 * expected[0]  # it learns, so a wrong gradient would show
    assert losses(run_dir) == pytest.approx(expected, rel=1e-4)
    norms = every_step(reference.run_dir, "grad_norm")
    assert every_step(run_dir, "grad_norm") == pytest.approx(norms, rel=1e-4)
    for file in ("metrics.jsonl", "validation.jsonl"):
        assert by_language(run_dir / file) == pytest.approx(
            by_language(reference.run_dir / file), rel=1e-4
        )


def by_language(path: Path) -> list[float]:
    records = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert all(list(record["loss_by_language"]) == ["en", "es"] for record in records)
    return [loss for record in records for loss in record["loss_by_language"].values()]


def test_bf16_trains_on_cpu(two_a_pass: RunConfig, tmp_path: Path) -> None:
    fp32 = losses(two_a_pass.run_dir)
    run_training(replace(two_a_pass, run_dir=tmp_path, precision=PrecisionConfig(compute="bf16")))
    assert losses(tmp_path) == pytest.approx(fp32, rel=1e-2)
    assert losses(tmp_path) != fp32


def test_without_validation_data_nothing_is_validated(inputs: Path, tmp_path: Path) -> None:
    data = DataConfig(train=(inputs / "train",))
    checkpoint = CheckpointConfig(initial=inputs / "initial")
    run_training(tiny_config(inputs, run_dir=tmp_path, data=data, checkpoint=checkpoint))
    assert (tmp_path / "validation.jsonl").read_bytes() == b""
    assert len(losses(tmp_path)) == 6


def test_a_broken_update_reaches_no_checkpoint(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss was finite, the gradient was not."""
    norm = GradientNorm(total=float("inf"), by_group={})
    monkeypatch.setattr(GradientNorms, "measure", lambda _: norm)
    with pytest.raises(CrossicError, match="gradient norm must be finite, got inf at step 1"):
        run_training(tiny_config(inputs, run_dir=tmp_path))
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("micro_batch_size", [1, 4, 8])
def test_microbatches_do_not_change_a_step(
    two_a_pass: RunConfig, tmp_path: Path, micro_batch_size: int
) -> None:
    """Windows have 10 to 14 tokens, so a mean of means would differ."""
    run_training(replace(two_a_pass, run_dir=tmp_path, micro_batch_size=micro_batch_size))
    for name in ("loss", "grad_norm"):
        expected = every_step(two_a_pass.run_dir, name)
        assert every_step(tmp_path, name) == pytest.approx(expected, rel=2e-6)
    assert by_language(tmp_path / "validation.jsonl") == pytest.approx(
        by_language(two_a_pass.run_dir / "validation.jsonl"), rel=2e-6
    )

"""What a validation reports: against `transformers`, at every layout, after a resume."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from tiny_hf import CONFIGS, make_hf
from tiny_layouts import LAYOUTS
from tiny_runs import run_ranks, run_training, tiny_config, write_windows
from transformers import AutoModelForCausalLM, PreTrainedModel

from megatron_crossic.config import CheckpointConfig, DataConfig, RunConfig
from megatron_crossic.convert.from_hf import import_checkpoint
from megatron_crossic.data.spans import Role
from megatron_crossic.data.store import open_windows
from megatron_crossic.train.held_out import TransferReport, ValidationReport, validation_line
from megatron_crossic.train.loss import LossReport

KIND = "qwen2_four_layers"
VOCAB_SIZE = CONFIGS[KIND].vocab_size


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run of two steps on one process that validates before, between and after them."""
    folder = tmp_path_factory.mktemp("held_out")
    import_checkpoint(hf=make_hf(folder / "hf", KIND), output=folder / "initial")
    for name, num_windows, roles in (
        ("train", 40, (Role.SOURCE, Role.TARGET)),
        ("validation", 7, (Role.SOURCE, Role.TARGET)),
        ("enwiki", 3, (Role.SOURCE, Role.SOURCE)),
    ):
        write_windows(
            folder / name,
            num_windows=num_windows,
            vocab_size=VOCAB_SIZE,
            seed=num_windows,
            roles=roles,
        )
    config = tiny_config(
        folder,
        run_dir=folder / "one",
        num_steps=2,
        micro_batch_size=1,
        validation_interval=1,
        data=DataConfig(
            train=(folder / "train",),
            validation=(folder / "validation",),
            retention=(folder / "enwiki",),
        ),
        checkpoint=CheckpointConfig(initial=folder / "initial", interval=1),
    )
    config = replace(config, schedule=replace(config.schedule, warmup_steps=0))
    run_training(config)
    return config


def validations(run_dir: Path) -> list[dict[str, Any]]:
    lines = (run_dir / "validation.jsonl").read_bytes().splitlines()
    records = [orjson.loads(line) for line in lines]
    assert [record["step"] for record in records] == [0, 1, 2]
    return records


def chunks(prefix: Path) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """BOS, source and target of each window."""
    store = open_windows(prefix)
    found = []
    for window in range(len(store)):
        tokens, spans = store.tokens(window), store.spans(window)
        bos, source, target = (tokens[s["start"] : s["start"] + s["length"]] for s in spans[:3])
        found.append((bos, source, target))
    return found


@torch.no_grad()
def nlls(model: PreTrainedModel, context: list[np.ndarray], target: np.ndarray) -> torch.Tensor:
    """The negative log-likelihood of each target token after `context`, without any padding."""
    tokens = torch.from_numpy(np.concatenate([*context, target]).astype(np.int64))
    logits = model(tokens[None]).logits[0].double()
    every = torch.nn.functional.cross_entropy(logits[:-1], tokens[1:], reduction="none")
    return every[-len(target) :]


def test_the_three_figures_are_those_of_transformers(reference: RunConfig) -> None:
    """7 chunks of 4 to 6 tokens a side, in windows of 16, read here without padding or batching.

    Ordered by source, each borrows the next longer one; equal lengths stand in a seeded order.
    """
    folder = reference.run_dir.parent
    model = AutoModelForCausalLM.from_pretrained(folder / "hf").eval()
    held_out = chunks(folder / "validation")
    nll = validations(reference.run_dir)[0]["target_nll"]
    paired = torch.cat([nlls(model, [bos, source], target) for bos, source, target in held_out])
    alone = torch.cat([nlls(model, [bos], target) for bos, _, target in held_out])
    assert nll["paired"] == {"es after en": pytest.approx(paired.mean().item(), abs=1e-5)}
    assert nll["alone"] == {"es after en": pytest.approx(alone.mean().item(), abs=1e-5)}
    order = np.random.default_rng(1).permutation(len(held_out))
    ordered = sorted((held_out[i] for i in order), key=lambda chunk: len(chunk[1]))
    random = torch.cat(
        [
            nlls(model, [bos, other[1]], target)
            for (bos, _, target), other in zip(ordered, [*ordered[1:], ordered[0]], strict=True)
        ]
    )
    assert nll["random"] == {"es after en": pytest.approx(random.mean().item(), abs=1e-5)}
    assert len({round(nll[case]["es after en"], 3) for case in nll}) == 3


def test_gains_are_differences_over_the_same_tokens(reference: RunConfig) -> None:
    num_tokens = sum(len(target) for _, _, target in chunks(reference.data.validation[0]))
    for record in validations(reference.run_dir):
        nll, gain = record["target_nll"], record["transfer_gain"]
        assert record["num_transfer_tokens"] == num_tokens
        for case in ("random", "alone"):
            difference = nll[case]["es after en"] - nll["paired"]["es after en"]
            assert gain[f"over_{case}"] == {"es after en": pytest.approx(difference)}


def test_a_chunk_alone_in_its_window_is_the_paired_case(reference: RunConfig) -> None:
    """Then the loss by part and the probe measure the same tokens after the same context."""
    for record in validations(reference.run_dir):
        assert set(record["loss_by_part"]) == {"en source", "es target", "split"}
        expected = pytest.approx(record["target_nll"]["paired"]["es after en"], rel=1e-6)
        assert record["loss_by_part"]["es target"] == expected
        assert record["loss_by_part"]["es target"] == record["loss_by_language"]["es"]


@pytest.mark.parametrize("name", ["TP2", "TP2+SP", "PP2", "VPP2*2", "DP2"])
def test_every_layout_reports_the_same(reference: RunConfig, name: str) -> None:
    num_ranks, parallel = LAYOUTS[name]
    run_dir = reference.run_dir.with_name(name)
    config = replace(reference, run_dir=run_dir, parallel=parallel)
    run_ranks(num_ranks, run_dir.with_suffix(".log"), run_training, config)
    for found, expected in zip(validations(run_dir), validations(reference.run_dir), strict=True):
        assert list(found) == list(expected)
        assert flat(found) == pytest.approx(flat(expected), rel=1e-5, abs=1e-5)


def flat(record: dict[str, Any], prefix: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in record.items():
        path = f"{prefix}/{name}"
        found |= flat(value, path) if isinstance(value, dict) else {path: value}
    return found


def test_attention_by_chunk_leaves_the_context_of_a_probe(
    reference: RunConfig, tmp_path: Path
) -> None:
    data = replace(reference.data, attention_scope="chunk")
    run_training(replace(reference, run_dir=tmp_path, data=data))
    expected = validations(reference.run_dir)[0]["target_nll"]
    assert flat(validations(tmp_path)[0]["target_nll"]) == pytest.approx(flat(expected), rel=1e-5)


def test_retention_is_the_loss_on_a_set_of_its_own(reference: RunConfig, tmp_path: Path) -> None:
    """Also where training counts targets alone, of which plain text has none."""
    expected = [record["retention"] for record in validations(reference.run_dir)]
    assert all(list(losses) == ["enwiki"] for losses in expected)
    data = replace(reference.data, validation=reference.data.retention, retention=())
    run_training(replace(reference, run_dir=tmp_path / "as validation", data=data))
    held_out = validations(tmp_path / "as validation")
    assert [losses["enwiki"] for losses in expected] == [record["loss"] for record in held_out]
    assert "target_nll" not in held_out[0]  # windows of one role hold no pairs
    data = replace(reference.data, loss_on="target", validation=())
    run_training(replace(reference, run_dir=tmp_path / "target", data=data))
    alone = validations(tmp_path / "target")
    assert alone[0] == {"step": 0, "retention": expected[0]}


def test_a_resumed_run_still_knows_the_start(
    reference: RunConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = replace(reference, run_dir=tmp_path)
    run_training(replace(config, stop_after_step=1))
    capfd.readouterr()
    run_training(config)
    said = capfd.readouterr().err
    start, _, end = (record["retention"]["enwiki"] for record in validations(tmp_path))
    assert f"retention enwiki {end:.3f} ({end - start:+.3f})" in said
    assert f"{end - start:+.3f}" != "+0.000"
    assert validations(tmp_path) == validations(reference.run_dir)


def test_without_a_start_no_change_is_said(
    reference: RunConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Retention was asked for when the run was under way."""
    config = replace(reference, run_dir=tmp_path)
    without = replace(config.data, retention=(), transfer_chunks=0)
    run_training(replace(config, stop_after_step=1, data=without))
    capfd.readouterr()
    run_training(config)
    said = capfd.readouterr().err
    first, _, last = validations(tmp_path)
    assert "retention" not in first
    assert "target_nll" not in first
    assert said.count("; retention") == 1
    assert f"retention enwiki {last['retention']['enwiki']:.3f}\n" in said


def test_the_line_says_it_all() -> None:
    report = ValidationReport(
        held_out=LossReport(
            loss=2.5,
            loss_by_language={"en": 2.25, "es": 2.75},
            loss_by_part={"en source": 2.25, "es target": 2.75, "split": 0.5},
            num_tokens=1234,
        ),
        transfer=TransferReport(
            target_nll={
                "paired": {"es after en": 2.5},
                "random": {"es after en": 2.625},
                "alone": {"es after en": 2.25},
            },
            num_tokens=600,
        ),
        retention={"enwiki": 2.5, "code": 1.25},
    )
    assert validation_line(report, start={"enwiki": 2.25}) == (
        "loss 2.5000 (en 2.250, es 2.750) over 1,234 tokens; "
        "transfer gain es after en +0.125 over a random source, -0.250 over none; "
        "retention enwiki 2.500 (+0.250), code 1.250"
    )

"""LoRA: nothing changes before the first step, every layout trains the same adapters."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from tiny_layouts import LAYOUTS
from tiny_lora import lora_config, lora_inputs
from tiny_runs import every_step, losses, run_ranks, run_training, tiny_config

from megatron_crossic.checkpoint.folder import find_checkpoint, read_info
from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.config import (
    CheckpointConfig,
    LoraConfig,
    MemoryConfig,
    ParallelConfig,
    RunConfig,
)
from megatron_crossic.errors import ConfigError
from megatron_crossic.train.options import parse, to_yaml

FULL = MemoryConfig(recompute="full")
VPP = ParallelConfig(pipeline=2, virtual_pipeline=2)


def validation(run_dir: Path) -> list[float]:
    lines = (run_dir / "validation.jsonl").read_bytes().splitlines()
    return [orjson.loads(line)["loss"] for line in lines]


@pytest.fixture(scope="module")
def lora_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lora_inputs(tmp_path_factory.mktemp("lora"))


@pytest.fixture(scope="module")
def references(lora_folder: Path) -> dict[float, RunConfig]:
    """Runs of 10 steps in one process, by dropout."""
    checkpoint = CheckpointConfig(initial=lora_folder / "initial", interval=10)
    configs = {
        dropout: lora_config(
            lora_folder,
            lora_folder / str(dropout) / "one",
            dropout=dropout,
            checkpoint=checkpoint,
        )
        for dropout in (0.0, 0.3)
    }
    for config in configs.values():
        run_training(config)
    return configs


@pytest.mark.parametrize(
    ("dropout", "memory"), [(0.0, MemoryConfig()), (0.3, FULL)], ids=["plain", "dropout-recompute"]
)
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_trains_the_same_adapters(
    references: dict[float, RunConfig], name: str, dropout: float, memory: MemoryConfig
) -> None:
    """With recompute the second pass must drop what the first one dropped.

    Two passes a step at every layout: tensor ranks talk in each.
    """
    reference = references[dropout]
    num_ranks, parallel = LAYOUTS[name]
    num_data_ranks = num_ranks // (parallel.tensor * parallel.pipeline)
    run_dir = reference.run_dir.with_name(name)
    config = replace(
        reference,
        run_dir=run_dir,
        micro_batch_size=reference.global_batch_size // num_data_ranks // 2,
        parallel=parallel,
        memory=memory,
    )
    run_ranks(num_ranks, run_dir.with_suffix(".log"), run_training, config)
    expected = losses(reference.run_dir)
    assert len(expected) == 10
    assert min(expected) < 0.96 * expected[0]  # it learns, so a wrong gradient would show
    assert losses(run_dir) == pytest.approx(expected, rel=1e-4)
    norms = every_step(reference.run_dir, "grad_norm")
    assert every_step(run_dir, "grad_norm") == pytest.approx(norms, rel=1e-3)
    assert validation(run_dir) == pytest.approx(validation(reference.run_dir), rel=1e-4)


def test_dropout_drops(references: dict[float, RunConfig]) -> None:
    with_dropout, without = (losses(references[rate].run_dir) for rate in (0.3, 0.0))
    assert with_dropout[0] == without[0]  # B is zero
    assert with_dropout[1:] != pytest.approx(without[1:], rel=1e-3)


def test_microbatches_do_not_change_what_dropout_drops(
    references: dict[float, RunConfig], tmp_path: Path
) -> None:
    reference = references[0.3]
    run_training(replace(reference, run_dir=tmp_path, micro_batch_size=8))
    assert losses(tmp_path) == pytest.approx(losses(reference.run_dir), rel=1e-4)


def test_before_the_first_step_the_model_is_the_base_model(
    lora_folder: Path, tmp_path: Path
) -> None:
    base = tiny_config(lora_folder, run_dir=tmp_path / "base", num_steps=2, stop_after_step=1)
    run_training(base)
    run_training(replace(base, run_dir=tmp_path / "lora", lora=LoraConfig(dropout=0.5)))
    assert losses(tmp_path / "lora") == losses(base.run_dir)
    assert validation(tmp_path / "lora")[0] == validation(base.run_dir)[0]


def test_a_checkpoint_holds_adapters_only(references: dict[float, RunConfig]) -> None:
    step = find_checkpoint(references[0.0].run_dir / "checkpoints")
    names = [name for name in read_index(step).state_dict_metadata if not name.startswith("rng")]
    assert len(names) == 8 * 3  # A and B of four matrices: weights and two moments
    assert all("model.adapters.linear_" in name for name in names)
    assert read_info(step).details["lora"]["rank"] == 4


def test_a_run_resumes_at_another_layout(
    references: dict[float, RunConfig], tmp_path: Path
) -> None:
    reference = references[0.3]
    config = replace(reference, run_dir=tmp_path / "run")
    run_training(replace(config, stop_after_step=4))
    for stop, parallel in (
        (6, ParallelConfig(tensor=2, sequence=True)),
        (8, VPP),
        (10, ParallelConfig(pipeline=2)),
    ):
        part = replace(config, parallel=parallel, stop_after_step=stop)
        said = run_ranks(2, tmp_path / "log", run_training, part)
        assert "resuming after step" in said
    assert losses(config.run_dir) == pytest.approx(losses(reference.run_dir), rel=1e-4)


def test_a_run_resumes_in_its_own_layout_bit_for_bit(
    references: dict[float, RunConfig], tmp_path: Path
) -> None:
    reference = references[0.3]
    config = replace(reference, run_dir=tmp_path)
    run_training(replace(config, stop_after_step=4))
    run_training(config)
    assert losses(tmp_path) == losses(reference.run_dir)


def test_what_cannot_be_resumed_or_started_is_refused(
    references: dict[float, RunConfig], tmp_path: Path
) -> None:
    reference = references[0.0]
    with pytest.raises(ConfigError, match="lora.rank must be as in the checkpoint"):
        run_training(replace(reference, lora=LoraConfig(rank=8)))
    with pytest.raises(ConfigError, match="lora.rank must be as in the checkpoint"):
        run_training(replace(reference, lora=None))
    with pytest.raises(ConfigError, match="must name the base model's checkpoint"):
        run_training(replace(reference, checkpoint=CheckpointConfig()))
    adapters = CheckpointConfig(initial=reference.run_dir / "checkpoints")
    with pytest.raises(ConfigError, match="must hold a whole model, got the adapters"):
        run_training(replace(reference, run_dir=tmp_path, checkpoint=adapters, lora=None))


def test_options_switch_it_on_and_are_checked(
    references: dict[float, RunConfig], tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(replace(references[0.0], lora=None)), encoding="utf-8")
    arguments = ["--config", str(file)]
    assert parse(arguments).config.lora is None
    found = parse([*arguments, "--lora.rank", "8", "--lora.targets", "[linear_qkv]"]).config
    assert found.lora == LoraConfig(rank=8, targets=("linear_qkv",))
    file.write_text(to_yaml(found), encoding="utf-8")
    assert parse(arguments).config == found
    wrong = {"rank": 0, "alpha": 0, "dropout": 1, "targets": "[]"}
    options = [text for name, value in wrong.items() for text in (f"--lora.{name}", str(value))]
    with pytest.raises(ConfigError, match="(?s)lora.rank .*.alpha .*.dropout .*.targets"):
        parse([*arguments, *options])

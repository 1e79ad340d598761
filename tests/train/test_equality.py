"""The equality table: 10 steps give one process' losses at every layout, with any recompute.

`test_layouts.py` has the layouts without recompute on imported models of two layers.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from tiny_architecture import TINY
from tiny_layouts import LAYOUTS
from tiny_runs import (
    every_step,
    losses,
    run_ranks,
    run_training,
    tiny_config,
    write_initial,
    write_windows,
)
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from megatron_crossic.checkpoint.sound import find_sound
from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.config import (
    CheckpointConfig,
    MemoryConfig,
    ParallelConfig,
    PrecisionConfig,
    RunConfig,
)
from megatron_crossic.model.attention import SdpaAttention

NONE, FULL = MemoryConfig(), MemoryConfig(recompute="full")
BLOCK = MemoryConfig(recompute="full", recompute_method="block")
PAIRS = MemoryConfig(recompute="full", recompute_num_layers=2)
MLP = MemoryConfig(recompute="selective")
ATTENTION = MemoryConfig(recompute="selective", recompute_modules=("core_attn",))

ONE = ParallelConfig()
VPP = ParallelConfig(pipeline=2, virtual_pipeline=2)
EARLY = ParallelConfig(distributed_optimizer=True, overlap_grad_reduce=True)
OVERLAPS = {
    "DP2 grad": (2, ParallelConfig(overlap_grad_reduce=True)),
    "DP2+DO grad": (2, EARLY),
    "DP2+DO grad+param": (2, replace(EARLY, overlap_param_gather=True)),
    "DP2*VPP2*2 grad+param": (
        4,
        replace(EARLY, overlap_param_gather=True, pipeline=2, virtual_pipeline=2),
    ),
}
TABLE = {
    **{f"{name} {FULL.recompute}": (*layout, FULL) for name, layout in LAYOUTS.items()},
    "VPP2*2 none": (*LAYOUTS["VPP2*2"], NONE),
    "TP2+SP mlp": (*LAYOUTS["TP2+SP"], MLP),
    "PP2 block": (*LAYOUTS["PP2"], BLOCK),
    "PP2 pairs": (*LAYOUTS["PP2"], PAIRS),
    **{name: (*layout, NONE) for name, layout in OVERLAPS.items()},
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run on one process: 4 layers, so that 2 stages can have 2 chunks."""
    folder = tmp_path_factory.mktemp("equality")
    write_windows(folder / "train", num_windows=40, seed=1)
    write_windows(folder / "validation", num_windows=5, seed=2)
    write_initial(folder / "initial", architecture=replace(TINY, num_layers=4))
    config = tiny_config(
        folder,
        run_dir=folder / "one",
        num_steps=10,
        validation_interval=5,
        checkpoint=CheckpointConfig(initial=folder / "initial", interval=5),
    )
    run_training(config)
    return config


def assert_equal_runs(run_dir: Path, reference: Path) -> None:
    expected = losses(reference)
    assert len(expected) == 10
    assert min(expected) < 0.98 * expected[0]  # it learns, so a wrong gradient would show
    assert losses(run_dir) == pytest.approx(expected, rel=1e-4)
    norms = every_step(reference, "grad_norm")
    assert every_step(run_dir, "grad_norm") == pytest.approx(norms, rel=1e-4)
    assert validated(run_dir) == pytest.approx(validated(reference), rel=1e-4)


def validated(run_dir: Path) -> list[float]:
    lines = (run_dir / "validation.jsonl").read_bytes().splitlines()
    assert len(lines) == 3
    return [orjson.loads(line)["loss"] for line in lines]


@pytest.mark.parametrize("name", TABLE)
def test_every_layout_and_recompute_has_the_same_losses(reference: RunConfig, name: str) -> None:
    """Tensor ranks, which talk in every pass, make two passes a step, stages four."""
    num_ranks, parallel, memory = TABLE[name]
    run_dir = reference.run_dir.with_name(name)
    config = replace(
        reference,
        run_dir=run_dir,
        micro_batch_size=4 if parallel.tensor == num_ranks else 2,
        parallel=parallel,
        memory=memory,
    )
    said = run_ranks(num_ranks, run_dir.with_suffix(".log"), run_training, config)
    assert not [line for line in said.splitlines() if "Warning" in line]
    assert_equal_runs(run_dir, reference.run_dir)


@pytest.mark.parametrize(
    ("memory", "calls_a_pass"),
    [(FULL, 8), (BLOCK, 5), (PAIRS, 8), (ATTENTION, 8), (MLP, 4)],
    ids=["full", "block", "pairs", "attention", "mlp"],
)
def test_recompute_computes_again_and_changes_nothing(
    reference: RunConfig,
    tmp_path: Path,
    memory: MemoryConfig,
    calls_a_pass: int,
) -> None:
    """The 4 layers' attention runs 4 times a pass, and again where the layer does."""
    calls = []

    def count(module: nn.Module, _: Any) -> None:
        if isinstance(module, SdpaAttention):
            calls.append(module)

    data = replace(reference.data, validation=())
    config = replace(reference, run_dir=tmp_path, memory=memory, data=data, stop_after_step=2)
    with register_module_forward_pre_hook(count):
        run_training(config)
    assert len(calls) == 2 * 4 * calls_a_pass  # 2 steps of 4 passes
    assert losses(tmp_path) == losses(reference.run_dir)[:2]


RESUMED = {
    "VPP to TP2": (VPP, ParallelConfig(tensor=2)),
    "VPP to PP2": (VPP, ParallelConfig(pipeline=2)),
    "TP2+SP to VPP": (ParallelConfig(tensor=2, sequence=True), VPP),
    "DO to VPP+DO": (
        ParallelConfig(distributed_optimizer=True),
        replace(VPP, distributed_optimizer=True),
    ),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_goes_on_with_other_chunks(reference: RunConfig, tmp_path: Path, name: str) -> None:
    before, after = RESUMED[name]
    first = replace(reference, run_dir=tmp_path / "run", parallel=before, stop_after_step=5)
    run_ranks(2, tmp_path / "first.log", run_training, first)
    second = replace(first, parallel=after, stop_after_step=None)
    said = run_ranks(2, tmp_path / "second.log", run_training, second)
    assert "resuming after step 5" in said
    assert_equal_runs(first.run_dir, reference.run_dir)


def test_chunks_leave_no_trace_in_a_checkpoint(reference: RunConfig, tmp_path: Path) -> None:
    config = replace(reference, run_dir=tmp_path / "vpp", parallel=VPP, stop_after_step=1)
    run_ranks(2, tmp_path / "vpp.log", run_training, config)
    assert saved_tensors(config.run_dir) == saved_tensors(reference.run_dir)


def saved_tensors(run_dir: Path) -> set[tuple[str, tuple[int, ...]]]:
    """Name and place of every part: the layers of a kind are one tensor, a row for each."""
    found = find_sound(run_dir / "checkpoints")
    assert found is not None
    places = {
        (position.fqn, tuple(position.offset or ()))
        for position in read_index(found.folder).storage_data
        if not position.fqn.startswith("rng")
    }
    assert len(places) > 60
    return places


def test_gradients_reduced_in_bf16_train_alike(reference: RunConfig, tmp_path: Path) -> None:
    runs = {}
    for grad_reduce in ("fp32", "bf16"):
        precision = PrecisionConfig(compute="bf16", grad_reduce=grad_reduce)  # type: ignore[arg-type]
        config = replace(reference, run_dir=tmp_path / grad_reduce, precision=precision)
        run_training(replace(config, checkpoint=replace(config.checkpoint, interval=100)))
        runs[grad_reduce] = losses(config.run_dir)
    assert runs["bf16"] == pytest.approx(runs["fp32"], rel=1e-2)
    assert runs["bf16"] != runs["fp32"]

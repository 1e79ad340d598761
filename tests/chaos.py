"""Kills a run again and again at random moments and compares its end with that of a quiet run.

    python tests/chaos.py --kills 30 --steps 200 --work /tmp/chaos
    python tests/chaos.py --kills 30 --steps 200 --work /tmp/chaos-beside --asynchronous

With `--asynchronous` the killed run writes its checkpoints beside the next steps, in its own
time: each write first sleeps for up to four steps. The quiet run waits for its checkpoints.

Of every three kills one hits a single random rank, one all ranks, one all ranks in the middle of
a save. The same run is then started again, until it ends. Every tensor of the last checkpoint,
weights and optimizer, and every loss must be equal bit for bit.
"""

import argparse
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import torch
from tiny_runs import every_step, run_ranks, run_training, start_ranks, tiny_config, tiny_inputs

from megatron_crossic.checkpoint.folder import find_checkpoint
from megatron_crossic.checkpoint.saving import WRITER
from megatron_crossic.checkpoint.stream import TensorReader
from megatron_crossic.checkpoint.untrusted import read_index
from megatron_crossic.checkpoint.writer import PlannedShards
from megatron_crossic.config import CheckpointConfig, ParallelConfig, RunConfig

NUM_RANKS = 2
INTERVAL = 5
_Victims = Literal["one rank", "all ranks", "all ranks in a save"]
MODES: tuple[_Victims, ...] = ("one rank", "all ranks", "all ranks in a save")


@dataclass(frozen=True, kw_only=True)
class Kill:
    """What was killed, and when."""

    victims: _Victims
    step: int
    """Steps recorded when the signal was sent."""
    partial: bool
    """Whether a checkpoint was half written afterwards."""


def chaos_config(inputs: Path, run_dir: Path, *, num_steps: int) -> RunConfig:
    """Data parallel with the distributed optimizer, so that every rank holds state of its own."""
    return tiny_config(
        inputs,
        run_dir=run_dir,
        num_steps=num_steps,
        checkpoint=CheckpointConfig(initial=inputs / "initial", interval=INTERVAL),
        parallel=ParallelConfig(distributed_optimizer=True),
    )


def killed_config(quiet: RunConfig, run_dir: Path, *, asynchronous: bool) -> RunConfig:
    """The same run in another folder."""
    checkpoint = replace(quiet.checkpoint, asynchronous=asynchronous)
    return replace(quiet, run_dir=run_dir, checkpoint=checkpoint)


def run_slowly(config: RunConfig) -> None:
    """So slowly that whoever kills it comes in time."""
    os.nice(5)
    run_training(config)


def run_slowly_beside(config: RunConfig) -> None:
    """As `run_slowly`; each background write begins late, so that steps pass and kills find it."""
    write = PlannedShards.write

    def write_late(shards: PlannedShards) -> Any:
        if threading.current_thread().name == WRITER:
            time.sleep(random.uniform(0, 0.2))
        return write(shards)

    PlannedShards.write = write_late  # type: ignore[method-assign]
    run_slowly(config)


def survive(config: RunConfig, *, num_kills: int, seed: int) -> list[Kill]:
    """Run `config` to its end through `num_kills` kills."""
    chance = random.Random(seed)
    # Never so late that the run could end before the signal.
    steps = sorted(chance.choices(range(1, config.num_steps - 3 * INTERVAL - 2), k=num_kills))
    modes = [MODES[number % len(MODES)] for number in range(num_kills)]
    chance.shuffle(modes)
    kills = [
        _start_and_kill(config, victims, step, chance)
        for victims, step in zip(modes, steps, strict=True)
    ]
    run_ranks(NUM_RANKS, config.run_dir.with_suffix(".log"), run_training, config)
    return kills


def _start_and_kill(config: RunConfig, victims: _Victims, step: int, chance: random.Random) -> Kill:
    log = config.run_dir.with_suffix(".log")
    log.unlink(missing_ok=True)
    job = run_slowly_beside if config.checkpoint.asynchronous else run_slowly
    ranks = start_ranks(NUM_RANKS, log, job, config)
    # The metrics file is cut back to the checkpoint first: wait for that, then for the step.
    # A run killed before its first checkpoint does not resume: it starts once more.
    opening = re.compile("^(starting|resuming)", re.MULTILINE)
    _wait(ranks, lambda: log.exists() and opening.search(_read(log)) is not None, log)
    _wait(ranks, lambda: _num_recorded(config) >= step, log)
    if victims == "all ranks in a save":
        # A busy machine may look away during a save; the run must not end meanwhile.
        too_late = _num_recorded(config) + 2 * INTERVAL
        _wait(ranks, lambda: bool(_partials(config)) or _num_recorded(config) >= too_late, log)
        time.sleep(chance.uniform(0, 0.03))
    else:
        time.sleep(chance.uniform(0, 0.05))
    reached = _num_recorded(config)
    chosen = [chance.choice(ranks)] if victims == "one rank" else ranks
    for process in chosen:
        process.kill()
    for process in ranks:
        process.join(timeout=30)  # a rank whose peer is gone ends by itself
        assert process.exitcode not in (None, 0), "a rank outlived its peer, or the run ended"
    assert all(process.exitcode == -signal.SIGKILL for process in chosen)
    return Kill(victims=victims, step=reached, partial=bool(_partials(config)))


def _wait(ranks: list[BaseProcess], ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        assert all(process.is_alive() for process in ranks), _read(log)
        assert time.monotonic() < deadline, "the run did not get that far"
        time.sleep(0.001)


def _num_recorded(config: RunConfig) -> int:
    path = config.run_dir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _partials(config: RunConfig) -> list[Path]:
    return list((config.run_dir / "checkpoints").glob("*.partial"))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def last_tensors(config: RunConfig) -> dict[str, torch.Tensor]:
    """Every tensor of the last checkpoint, of the weights and of the optimizer."""
    folder = find_checkpoint(config.run_dir / "checkpoints")
    assert folder.name == f"step_{config.num_steps:07d}"
    reader = TensorReader(folder)
    known = read_index(folder).state_dict_metadata
    return {
        name: reader.read(name, shape=tuple(entry.size))
        for name, entry in known.items()
        if hasattr(entry, "size")
    }


def assert_equal(one: RunConfig, other: RunConfig) -> int:
    """Both runs ended alike, bit for bit; returns the number of tensors compared."""
    tensors, others = last_tensors(one), last_tensors(other)
    assert tensors.keys() == others.keys()
    assert any(name.startswith("optimizer.") for name in tensors)
    different = [name for name in tensors if not torch.equal(tensors[name], others[name])]
    assert different == []
    assert every_step(one.run_dir, "loss") == every_step(other.run_dir, "loss")
    assert len(every_step(one.run_dir, "loss")) == one.num_steps
    validations = {(run.run_dir / "validation.jsonl").read_bytes() for run in (one, other)}
    assert len(validations) == 1
    assert not _partials(one)
    assert not _partials(other)
    return len(tensors)


def main() -> None:
    """Both runs, and what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--asynchronous", action="store_true", help="write beside the steps")
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    inputs = tiny_inputs(options.work)
    quiet = chaos_config(inputs, options.work / "quiet", num_steps=options.steps)
    started = time.monotonic()
    run_ranks(NUM_RANKS, options.work / "quiet.log", run_training, quiet)
    middle = time.monotonic()
    killed = killed_config(quiet, options.work / "killed", asynchronous=options.asynchronous)
    kills = survive(killed, num_kills=options.kills, seed=options.seed)
    ended = time.monotonic()
    num_tensors = assert_equal(quiet, killed)
    for kill in kills:
        half = ", a checkpoint half written" if kill.partial else ""
        sys.stdout.write(f"killed {kill.victims} at step {kill.step}{half}\n")
    sys.stdout.write(
        f"{len(kills)} kills in {options.steps} steps, {sum(kill.partial for kill in kills)} with "
        f"a checkpoint half written: {num_tensors} tensors and {options.steps} losses equal bit "
        f"for bit; {middle - started:.0f} s quiet, {ended - middle:.0f} s with kills\n"
    )


if __name__ == "__main__":
    main()

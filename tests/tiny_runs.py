"""Tiny data sets, checkpoints and runs that tests of training share, and several ranks at once."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from megatron.core import dist_checkpointing
from megatron.core.dist_checkpointing.mapping import ShardedStateDict
from tiny_architecture import TINY

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.folder import (
    HF_FOLDER,
    CheckpointInfo,
    new_checkpoint,
    step_folder,
    write_info,
)
from megatron_crossic.checkpoint.state import WEIGHTS_PREFIX
from megatron_crossic.checkpoint.writer import ShardPlanner
from megatron_crossic.config import (
    CheckpointConfig,
    DataConfig,
    OptimizerConfig,
    ParallelConfig,
    PrecisionConfig,
    RunConfig,
    ScheduleConfig,
)
from megatron_crossic.data.batch import BatchBuilder, GroupSide
from megatron_crossic.data.indexed import token_dtype
from megatron_crossic.data.spans import Role
from megatron_crossic.data.windows import WindowLayout, make_windows
from megatron_crossic.data.writer import WindowWriter
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.manifest import Manifest
from megatron_crossic.model.architecture import ModelArchitecture
from megatron_crossic.model.build import build_model
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train.loop import train
from megatron_crossic.train.plan import make_plan

SEQ_LENGTH = 16
VOCAB_SIZE = TINY.vocab_size
BOS, SPLIT, PAD = 0, 1, 2


class RankWriter(ShardPlanner):
    """A strategy for `megatron.core.dist_checkpointing.save`: one file a rank, written at once."""

    def save(self, sharded_state_dict: ShardedStateDict, checkpoint_dir: str | Path) -> None:
        """Write the main replica of everything this rank holds."""
        super().save(sharded_state_dict, checkpoint_dir)
        self.shards.finish(self.shards.write)


def write_windows(
    prefix: Path,
    *,
    num_windows: int,
    seed: int = 0,
    languages: Sequence[str] = ("en", "es"),
    seq_length: int = SEQ_LENGTH,
    fingerprint: str = "tokenizer",
    vocab_size: int = VOCAB_SIZE,
    pairs_per_window: int = 1,
    roles: Sequence[Role] = (Role.SOURCE, Role.TARGET),
) -> Path:
    """Windows of BOS, one chunk a pair, PAD; a chunk has 4 to 6 tokens of each side and SPLIT."""
    layout = WindowLayout(
        seq_length=seq_length,
        bos_id=BOS,
        split_id=SPLIT,
        pad_id=PAD,
        dtype=token_dtype(vocab_size),
    )
    random = np.random.default_rng(seed)
    with WindowWriter(prefix, layout=layout) as writer:
        for window in range(num_windows):
            builder = BatchBuilder(dtype=layout.dtype)
            for pair in range(window * pairs_per_window, (window + 1) * pairs_per_window):
                sides = [
                    GroupSide(tokens=_tokens(random, vocab_size), language=language, role=role)
                    for language, role in zip(("en", "es"), roles, strict=True)
                ]
                cuts = np.array([[0, 0], [len(side.tokens) for side in sides]])
                builder.begin_pair(_provenance(pair))
                writer.add_pairs(_provenance(pair), num_pairs=1)
                builder.add_group(sides, cuts=cuts, piece_rows=np.zeros(1, dtype=np.int64))
            for windows in make_windows(
                builder.build(),
                layout,
                assembly="split_aware",
                largest=layout.budget,
                first_pair=window * pairs_per_window,
            ):
                writer.add_windows(windows)
        files = writer.close_files()
        details = {
            "seq_length": seq_length,
            "vocab_size": vocab_size,
            "languages": list(languages),
            "tokenizer": {"fingerprint": fingerprint},
        }
        counts = {"windows": num_windows}
        writer.commit(
            Manifest(kind="windows", options={}, counts=counts, files=files, details=details)
        )
    return prefix


def _provenance(pair: int) -> bytes:
    return to_json_line({"id": f"pair-{pair}", "titles": [f"Title {pair}", f"Título {pair}"]})


def _tokens(random: np.random.Generator, vocab_size: int) -> np.ndarray:
    return random.integers(3, vocab_size, random.integers(4, 7))


def write_initial(root: Path, *, architecture: ModelArchitecture = TINY, seed: int = 1) -> Path:
    """A checkpoint with random weights, as an import leaves it."""
    backend = select_backend("cpu")
    parallel, precision = ParallelConfig(), PrecisionConfig(compute="fp32")
    with new_checkpoint(root, 0) as folder, parallel_groups(parallel, backend, seed=seed):
        model = build_model(
            architecture,
            parallel=parallel,
            precision=precision,
            backend=backend,
            max_sequence_length=SEQ_LENGTH,
        )
        weights = model.sharded_state_dict(prefix=WEIGHTS_PREFIX)
        dist_checkpointing.save(weights, str(folder), sharded_strategy=RankWriter())
        (folder / HF_FOLDER).mkdir()
        (folder / HF_FOLDER / "config.json").write_text("{}", encoding="utf-8")
        write_info(folder, CheckpointInfo(step=0, num_tokens=0, architecture=architecture))
    return step_folder(root, 0)


def tiny_config(folder: Path, **changes: Any) -> RunConfig:
    """A run of 6 steps of 8 windows over the data and the checkpoint that `tiny_inputs` made."""
    config = RunConfig(
        run_dir=folder / "run",
        data=DataConfig(train=(folder / "train",), validation=(folder / "validation",)),
        checkpoint=CheckpointConfig(initial=folder / "initial", interval=3),
        num_steps=6,
        global_batch_size=8,
        micro_batch_size=2,
        backend="cpu",
        precision=PrecisionConfig(compute="fp32"),
        optimizer=OptimizerConfig(),
        schedule=ScheduleConfig(peak=3e-3, minimum=3e-4, warmup_steps=2),
    )
    return replace(config, **changes)


def tiny_inputs(folder: Path) -> Path:
    """What `tiny_config` reads."""
    write_windows(folder / "train", num_windows=40, seed=1)
    write_windows(folder / "validation", num_windows=5, seed=2)
    write_initial(folder / "initial")
    return folder


def run_training(config: RunConfig) -> None:
    """What `tools/pretrain.py` does, for this rank; on one thread, as under torchrun."""
    torch.set_num_threads(1)
    backend = select_backend(config.backend)
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    train(make_plan(config, backend, world_size=world_size), backend)


def losses(run_dir: Path) -> list[float]:
    """The loss of every step."""
    return every_step(run_dir, "loss")


def every_step(run_dir: Path, name: str) -> list[float]:
    """One of the metrics, by step; fails where a step is missing or there twice."""
    records = [orjson.loads(line) for line in (run_dir / "metrics.jsonl").read_bytes().splitlines()]
    assert [record["step"] for record in records] == list(range(1, len(records) + 1))
    return [record[name] for record in records]


# Ranks are forked from a server that has imported everything once: a rank then starts in a tenth
# of a second instead of eight. The second is what the first optimizer of a process imports; the
# others are what test modules import whose functions are the ranks' jobs.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "megatron_crossic.train.loop",
        "torch._dynamo",
        "megatron_crossic.convert.from_hf",
        "transformers.models.llama.modeling_llama",
        "transformers.models.qwen2.modeling_qwen2",
        "pytest",
    ]
)


def start_forked(job: Callable[..., None], *args: Any) -> BaseProcess:
    """Start `job(*args)` in a process that has imported everything."""
    process = _SERVER.Process(target=job, args=args)
    process.start()
    return process


def start_ranks(
    world_size: int, log: Path, job: Callable[..., None], *args: Any
) -> list[BaseProcess]:
    """Start `job(*args)` on `world_size` processes that find each other as under torchrun."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks: list[BaseProcess] = []
    for rank in range(world_size):
        environment = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(world_size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        ranks.append(start_forked(_rank, environment, log, job, args))
    return ranks


def run_ranks(world_size: int, log: Path, job: Callable[..., None], *args: Any) -> str:
    """Run `job(*args)` on every rank to its end and return what rank 0 wrote to stderr."""
    ranks = start_ranks(world_size, log, job, *args)
    for process in ranks:
        process.join(timeout=120)
    output = log.read_text(encoding="utf-8")
    assert [process.exitcode for process in ranks] == [0] * world_size, output
    return output


def _rank(
    environment: dict[str, str], log: Path, job: Callable[..., None], args: tuple[Any, ...]
) -> None:
    os.environ.update(environment)
    target = log if environment["RANK"] == "0" else log.with_suffix(f".{environment['RANK']}")
    with target.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
        job(*args)

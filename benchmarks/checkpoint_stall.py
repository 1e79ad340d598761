"""Measures how long a save keeps training waiting: written at once, and beside the next steps.

Both kinds of save alternate over one run of a model with random weights, so that a slow moment of
the machine hits both. A save stalls training from the end of a step to the begin of the next, and
once more when it is completed; what the background write takes from the steps beside it is what
they last longer than quiet ones. Medians, by rank 0's clock.

    torchrun --standalone --nproc-per-node 2 benchmarks/checkpoint_stall.py --layout pipeline
    torchrun --standalone --nproc-per-node 2 benchmarks/checkpoint_stall.py --layout data

`pipeline` gives each rank half of the layers to write; `data` half of the optimizer's state, and
the weights to one of them.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from bare_step import OPTIMIZER, RATE, windows_without_spans

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.folder import CheckpointInfo
from megatron_crossic.checkpoint.saving import Progress, Surroundings
from megatron_crossic.checkpoint.state import TrainingState
from megatron_crossic.commandline import run
from megatron_crossic.config import MemoryConfig, ParallelConfig, PrecisionConfig
from megatron_crossic.model.architecture import ModelArchitecture, architecture_from_hf
from megatron_crossic.model.build import build_chunks
from megatron_crossic.parallel import parallel_groups
from megatron_crossic.train.agreement import largest
from megatron_crossic.train.metrics import SilentLog
from megatron_crossic.train.optimizer import build_optimizer, set_rate, wrap_for_training
from megatron_crossic.train.saves import Saves
from megatron_crossic.train.step import StepShape, run_microbatches

KINDS = {"waiting": False, "beside": True}
"""Whether the write is in the background."""
LAYOUTS = ("pipeline", "data")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on every rank; rank 0 writes the report."""
    options = parse(arguments)
    load = os.getloadavg()[0]
    torch.set_num_threads(1)
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    parallel = (
        ParallelConfig(pipeline=world_size)
        if options.layout == "pipeline"
        else ParallelConfig(distributed_optimizer=True)
    )
    backend = select_backend("cpu")
    with parallel_groups(parallel, backend, seed=0) as rank:
        architecture = architecture_of(options)
        state, step = trainer(architecture, parallel, options)
        shared = [tempfile.mkdtemp(dir=options.folder) if rank.is_main else None]
        dist.broadcast_object_list(shared)
        measured = measure(state, step, architecture, Path(str(shared[0])), options)
        num_weights = sum(p.numel() for chunk in state.models for p in chunk.parameters())
    if rank.is_main:
        shutil.rmtree(str(shared[0]))
        write(
            options,
            {
                "load_average_before": round(load, 2),
                "ranks": world_size,
                "weights_of_rank_0": num_weights,
                **measured,
            },
        )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layout", choices=LAYOUTS, default="pipeline")
    parser.add_argument("--saves", type=int, default=7, help="of each kind")
    parser.add_argument("--quiet-steps", type=int, default=3, help="between two saves")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--vocab-size", type=int, default=8000)
    parser.add_argument("--seq-length", type=int, default=64)
    parser.add_argument("--microbatches", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where checkpoints go; a temporary folder")
    parser.add_argument("--output", type=Path, help="add the report to this JSON file")
    return parser.parse_args(arguments)


def architecture_of(options: argparse.Namespace) -> ModelArchitecture:
    """A Qwen2 with heads of 64; 35 million weights by default."""
    heads = max(options.hidden_size // 64, 1)
    values = {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_size": options.hidden_size,
        "intermediate_size": 3 * options.hidden_size,
        "num_hidden_layers": options.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "vocab_size": options.vocab_size,
        "max_position_embeddings": options.seq_length,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
    }
    return architecture_from_hf(values)


def trainer(
    architecture: ModelArchitecture, parallel: ParallelConfig, options: argparse.Namespace
) -> tuple[TrainingState, Callable[[], None]]:
    """What is saved, and one training step on random tokens."""
    backend, precision = select_backend("cpu"), PrecisionConfig(compute="fp32")
    models = build_chunks(
        architecture,
        parallel=parallel,
        precision=precision,
        memory=MemoryConfig(),
        backend=backend,
        max_sequence_length=options.seq_length,
    )
    chunks = wrap_for_training(models, parallel, precision)
    optimizer = build_optimizer(chunks, OPTIMIZER, parallel=parallel, precision=precision)
    shape = StepShape(
        languages=("en", "es"),
        micro_batch_size=1,
        seq_length=options.seq_length,
        device=backend.device(),
    )
    windows = torch.randint(0, options.vocab_size, (options.microbatches, options.seq_length))
    batches = [windows_without_spans(part) for part in windows.split(1)]

    def step() -> None:
        chunks[0].zero_grad_buffer()
        optimizer.zero_grad()
        run_microbatches(chunks, iter(batches), shape, num_microbatches=len(batches))
        set_rate(optimizer, OPTIMIZER, rate=RATE)
        optimizer.step()

    return TrainingState(chunks=chunks, optimizer=optimizer), step


def measure(
    state: TrainingState,
    step: Callable[[], None],
    architecture: ModelArchitecture,
    root: Path,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Seconds of both kinds of save and of the steps around them."""
    saves, quiet = Saves(newest=root), [timed(step) for _ in range(options.quiet_steps)][1:]
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for number in range(1, 2 * options.saves + 1):
        kind = list(KINDS)[number % 2]
        surroundings = Surroundings(
            root=root,
            info=CheckpointInfo(step=number, num_tokens=0, architecture=architecture),
            config_yaml="",
            hf_source=root,
            keep_last=1,
        )
        found[kind].append(one_save(saves, state, surroundings, step, background=KINDS[kind]))
        quiet += [timed(step) for _ in range(options.quiet_steps)]
    usual = statistics.median(quiet)
    return {
        "checkpoint_mb": round(sum(f.stat().st_size for f in saves.newest.iterdir()) / 1e6),
        "quiet_step_seconds": round(usual, 3),
        **{kind: summary(found[kind], usual) for kind in KINDS},
    }


def one_save(
    saves: Saves,
    state: TrainingState,
    surroundings: Surroundings,
    step: Callable[[], None],
    *,
    background: bool,
) -> dict[str, float]:
    """Begin a save, go on with steps until all ranks have written, and complete it."""
    begin = timed(lambda: saves.begin(state, surroundings, background=background))
    beside: list[float] = []
    while largest([saves.progress], torch.device("cpu")) == (Progress.WRITING,):
        beside.append(timed(step))
    finish = timed(lambda: saves.finish(SilentLog(), step=surroundings.info.step))
    return {
        "begin_seconds": begin,
        "finish_seconds": finish,
        "stall_seconds": begin + finish,
        "steps_beside": len(beside),
        "seconds_beside": sum(beside),
    }


def summary(saves: list[dict[str, float]], quiet_step: float) -> dict[str, float]:
    """Medians over the saves, and how much longer the steps beside them took than quiet ones."""
    longer = [save["seconds_beside"] - save["steps_beside"] * quiet_step for save in saves]
    all_lost = [save["stall_seconds"] + more for save, more in zip(saves, longer, strict=True)]
    medians = {name: statistics.median(save[name] for save in saves) for name in saves[0]}
    medians["steps_beside_longer_by_seconds"] = statistics.median(longer)
    medians["lost_in_all_seconds"] = statistics.median(all_lost)
    return {name: round(value, 3) for name, value in medians.items()}


def timed(job: Callable[[], object]) -> float:
    """Seconds from all ranks at the start to all ranks at the end."""
    dist.barrier()
    started = time.perf_counter()
    job()
    dist.barrier()
    return time.perf_counter() - started


def write(options: argparse.Namespace, report: dict[str, Any]) -> None:
    """Print the report, and put it beside that of the other layout."""
    report |= {"saves_of_each_kind": options.saves, "cores": os.cpu_count()}
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    if options.output is not None:
        known = json.loads(options.output.read_bytes()) if options.output.exists() else {}
        known[options.layout] = report
        options.output.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)

"""What the values of a configuration alone can show."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from megatron_crossic.config import (
    CheckpointConfig,
    DataConfig,
    LoraConfig,
    MemoryConfig,
    OptimizerConfig,
    ParallelConfig,
    PrecisionConfig,
    RunConfig,
    ScheduleConfig,
)
from megatron_crossic.errors import ConfigError

RUN = RunConfig(
    run_dir=Path("run"),
    data=DataConfig(train=(Path("windows"),)),
    checkpoint=CheckpointConfig(initial=Path("model")),
    num_steps=20,
    global_batch_size=8,
)


def test_the_defaults_are_sound() -> None:
    RUN.check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"global_batch_size": -8}, "global_batch_size must be at least 1, got -8"),
        ({"micro_batch_size": 0}, "micro_batch_size must be at least 1, got 0"),
        ({"log_interval": 0}, "log_interval must be at least 1, got 0"),
        ({"validation_interval": 0}, "validation_interval must be at least 1, got 0"),
        ({"stop_after_step": 0}, "stop_after_step must be at least 1, got 0"),
        (
            {"checkpoint": CheckpointConfig(keep_every=0)},
            "checkpoint.keep_every must be at least 1",
        ),
        (
            {"checkpoint": CheckpointConfig(interval_minutes=0)},
            "checkpoint.interval_minutes must be above 0, got 0",
        ),
        (
            {
                "precision": PrecisionConfig(compute="fp8", fp8_param_gather=True),
                "parallel": ParallelConfig(distributed_optimizer=True),
                "lora": LoraConfig(),
            },
            "precision.fp8_param_gather must be false with lora, got true. Leave it out",
        ),
        ({"seed": -1}, "data.seed and seed must not be negative, got 1234 and -1"),
        ({"data": DataConfig(train=())}, "data.train must name a data set, got none"),
        (
            {"data": DataConfig(train=(Path("a"), Path("b")), weights=(1.0,))},
            "data.weights must have one weight for each of data.train, got 1 for 2",
        ),
        (
            {"data": DataConfig(train=(Path("a"), Path("b")), weights=(1.0, 0.0))},
            "data.weights must be above 0, got 1.0, 0.0",
        ),
        (
            {"data": DataConfig(train=(Path("a"),), weights=(float("nan"),))},
            "data.weights must be above 0, got nan",
        ),
        (
            {"num_epochs": 1.0},
            "num_steps must be given alone, or num_epochs or num_tokens in its place, got "
            "num_epochs and num_steps",
        ),
        ({"num_steps": 0, "num_epochs": 0.0}, "num_epochs must be above 0, got 0.0"),
        ({"num_steps": 0, "num_epochs": float("inf")}, "num_epochs must be above 0, got inf"),
        ({"num_steps": 0, "num_tokens": 0}, "num_tokens must be at least 1, got 0"),
        (
            {"checkpoint": CheckpointConfig(keep_last=0)},
            "checkpoint.keep_last must be at least 1, got 0",
        ),
        (
            {"checkpoint": CheckpointConfig(interval=0)},
            "checkpoint.interval must be at least 1, got 0",
        ),
        ({"parallel": ParallelConfig(pipeline=0)}, "parallel.pipeline must be at least 1, got 0"),
        (
            {"parallel": ParallelConfig(sequence=True)},
            "parallel.sequence must go with parallel.tensor > 1, got tensor 1",
        ),
        (
            {"optimizer": OptimizerConfig(beta2=1.0)},
            "optimizer.beta2 must be at least 0 and below 1, got 1.0",
        ),
        (
            {"optimizer": OptimizerConfig(weight_decay=-0.1)},
            "optimizer.weight_decay must not be negative, got -0.1",
        ),
        (
            {"parallel": ParallelConfig(virtual_pipeline=2)},
            "parallel.virtual_pipeline must go with parallel.pipeline > 1, got 2 with pipeline 1",
        ),
        (
            {"parallel": ParallelConfig(pipeline=2, virtual_pipeline=0)},
            "parallel.virtual_pipeline must be at least 1, got 0",
        ),
        (
            {"parallel": ParallelConfig(overlap_param_gather=True, overlap_grad_reduce=True)},
            "parallel.overlap_param_gather must go with parallel.distributed_optimizer and "
            "parallel.overlap_grad_reduce, got False and True",
        ),
        (
            {"parallel": ParallelConfig(tensor=2, tp_comm_overlap=True)},
            "parallel.tp_comm_overlap must go with parallel.sequence, got sequence false",
        ),
        (
            {"precision": PrecisionConfig(recipe="delayed")},
            "precision.recipe must go with precision.compute fp8, got delayed with bf16",
        ),
        (
            {"precision": PrecisionConfig(compute="fp32", grad_reduce="bf16")},
            "precision.grad_reduce must be fp32 with precision.compute fp32, got bf16",
        ),
        (
            {
                "precision": PrecisionConfig(fp8_param_gather=True),
                "parallel": ParallelConfig(distributed_optimizer=True),
            },
            "precision.fp8_param_gather must go with precision.compute fp8 and recipe tensorwise, "
            "got bf16 and tensorwise",
        ),
        (
            {"precision": PrecisionConfig(compute="fp8", fp8_param_gather=True)},
            "precision.fp8_param_gather must go with parallel.distributed_optimizer, got false",
        ),
        (
            {"memory": MemoryConfig(recompute="full", recompute_num_layers=0)},
            "memory.recompute_num_layers must be at least 1, got 0",
        ),
        (
            {"memory": MemoryConfig(recompute="selective", recompute_method="block")},
            "memory.recompute_method and recompute_num_layers must go with memory.recompute full, "
            "got block and 1 with selective",
        ),
        (
            {"memory": MemoryConfig(recompute_modules=("core_attn",))},
            "memory.recompute_modules must go with memory.recompute selective, got ['core_attn'] "
            "with none",
        ),
        (
            {"memory": MemoryConfig(recompute="selective", recompute_modules=())},
            "memory.recompute_modules must name a module with memory.recompute selective, got none",
        ),
        (
            {"schedule": ScheduleConfig(peak=1e-4, minimum=1e-3)},
            "schedule.peak must be above 0 and at least schedule.minimum, got peak 0.0001",
        ),
        (
            {"schedule": ScheduleConfig(warmup_steps=21)},
            "schedule.warmup_steps must be from 0 to num_steps, got 21 with 20",
        ),
        (
            {"schedule": ScheduleConfig(decay_steps=5)},
            "schedule.decay_steps must go with schedule.kind wsd, got kind cosine",
        ),
        (
            {"schedule": ScheduleConfig(kind="wsd", warmup_steps=10, decay_steps=11)},
            "schedule.decay_steps must be from 0 to num_steps - warmup_steps, got 11 with 20 - 10",
        ),
    ],
)
def test_each_value_that_cannot_work_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        replace(RUN, **changes).check()
    assert str(refusal.value).startswith(message)


def test_all_problems_come_at_once() -> None:
    bad = replace(RUN, num_steps=0, parallel=ParallelConfig(tensor=0), micro_batch_size=0)
    with pytest.raises(ConfigError, match=r"(?s)num_steps .*micro_batch_size .*parallel\.tensor"):
        bad.check()


def test_the_batch_divides_over_ranks_and_passes() -> None:
    run = replace(RUN, global_batch_size=100, micro_batch_size=5)
    assert run.num_microbatches(data_parallel_size=4) == 5
    with pytest.raises(ConfigError, match=r"got 100 with 5 \* 8 = 40. Use 80 or 120."):
        run.num_microbatches(data_parallel_size=8)
    with pytest.raises(ConfigError, match=r"got 100 with 5 \* 32 = 160. Use 160."):
        run.num_microbatches(data_parallel_size=32)


def test_a_run_may_end_before_its_schedule() -> None:
    assert RUN.last_step == 20
    assert replace(RUN, stop_after_step=7).last_step == 7
    assert replace(RUN, stop_after_step=70).last_step == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transfer_chunks": 1}, "data.transfer_chunks must be 0 or at least 2, got 1. Use 0"),
        ({"transfer_chunks": -2}, "data.transfer_chunks must be 0 or at least 2, got -2"),
        (
            {"retention": (Path("a"), Path("b"), Path("a"))},
            "data.retention must name each data set once, got a, b, a",
        ),
    ],
)
def test_what_validation_cannot_measure_is_refused(changes: dict[str, Any], message: str) -> None:
    data = DataConfig(train=(Path("x"),), **changes)
    assert [found for found in data.problems() if found.startswith(message)]


def test_no_transfer_chunks_and_two_are_allowed() -> None:
    for number in (0, 2):
        assert DataConfig(train=(Path("x"),), transfer_chunks=number).problems() == []

"""What a run writes about itself, and what a resumed one forgets first."""

import io
import resource
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from megatron_crossic.errors import DataError
from megatron_crossic.train.held_out import ValidationReport
from megatron_crossic.train.loss import LossReport
from megatron_crossic.train.metrics import StepMetrics, forget_after, open_metrics, progress_line
from megatron_crossic.train.speed import StepSpeed

HELD_OUT = LossReport(
    loss=2.0, loss_by_language={"en": 2.0}, loss_by_part={"en source": 2.0}, num_tokens=7
)


def metrics(step: int, *, seconds: float = 2.0, mfu: float | None = None) -> StepMetrics:
    return StepMetrics(
        step=step,
        loss=3.25,
        loss_by_language={"en": 3.0, "es": 3.5},
        loss_by_part={"en source": 3.0, "es target": 3.5, "split": 1.0},
        grad_norm=1.5,
        grad_norm_by_group={"attention": 1.2, "mlp": 0.9},
        learning_rate=1e-3,
        num_tokens=100,
        num_tokens_total=100 * step,
        speed=StepSpeed(
            tokens_per_second=1234.5,
            tokens_per_second_per_device=617.25,
            tflops=12.345,
            mfu=mfu,
            seconds=seconds,
            data_seconds=0.0123,
            wait_seconds=0.25,
            reduction_seconds=0.125,
            update_seconds=0.5,
            memory_bytes=1_000_000_000,
            reserved_memory_bytes=None,
            peak_memory_bytes=2_000_000_000,
        ),
        num_windows_by_set={"a": 3, "b": 1},
    )


def write(run_dir: Path, steps: range, *, log_interval: int = 1) -> str:
    progress = io.StringIO()
    with open_metrics(
        run_dir,
        resumed_step=steps.start - 1,
        num_steps=10,
        log_interval=log_interval,
        progress=progress,
    ) as log:
        for step in steps:
            log.step(metrics(step))
        log.validation(steps[-1], ValidationReport(held_out=HELD_OUT))
    return progress.getvalue()


def read(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_every_step_is_one_object(tmp_path: Path) -> None:
    write(tmp_path, range(1, 4))
    records = read(tmp_path / "metrics.jsonl")
    assert [record["step"] for record in records] == [1, 2, 3]
    assert records[0] == {
        "step": 1,
        "loss": 3.25,
        "loss_by_language": {"en": 3.0, "es": 3.5},
        "loss_by_part": {"en source": 3.0, "es target": 3.5, "split": 1.0},
        "grad_norm": 1.5,
        "grad_norm_by_group": {"attention": 1.2, "mlp": 0.9},
        "learning_rate": 1e-3,
        "num_tokens": 100,
        "num_tokens_total": 100,
        "tokens_per_second": 1234.5,
        "tokens_per_second_per_device": 617.25,
        "tflops": 12.345,
        "mfu": None,
        "seconds": 2.0,
        "data_seconds": 0.0123,
        "wait_seconds": 0.25,
        "reduction_seconds": 0.125,
        "update_seconds": 0.5,
        "memory_bytes": 1_000_000_000,
        "reserved_memory_bytes": None,
        "peak_memory_bytes": 2_000_000_000,
        "num_windows_by_set": {"a": 3, "b": 1},
        "skipped": False,
        "num_skipped": 0,
    }
    assert read(tmp_path / "validation.jsonl") == [
        {
            "step": 3,
            "loss": 2.0,
            "loss_by_language": {"en": 2.0},
            "loss_by_part": {"en source": 2.0},
            "num_tokens": 7,
        }
    ]
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_a_resumed_run_leaves_no_step_out_and_none_twice(tmp_path: Path) -> None:
    write(tmp_path, range(1, 8))
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step":8,"lo')  # killed in the middle of a line
    write(tmp_path, range(5, 7))
    assert [record["step"] for record in read(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]
    assert [record["step"] for record in read(tmp_path / "validation.jsonl")] == [6]


def test_a_line_without_its_end_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step":1}\n{"step":2}')  # the next record would go on in line 2
    forget_after(path, 2)
    assert path.read_bytes() == b'{"step":1}\n'


def test_a_new_run_forgets_everything(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step":0}\n{"step":1}\n')
    forget_after(path, 0)
    assert path.read_bytes() == b""
    forget_after(tmp_path / "nothing.jsonl", 3)
    assert not (tmp_path / "nothing.jsonl").exists()


def test_the_progress_line_says_it_all() -> None:
    line = progress_line(metrics(2), num_steps=10, eta_seconds=75.2)
    assert line == (
        "step  2/10  loss 3.2500 (en 3.000, es 3.500)  grad norm 1.500  lr 1.00e-03  "
        "1,234 tokens/s, 12.3 TFLOP/s  data 0.012 s, wait 0.250 s  1.9 GiB  ETA 0:01:16"
    )
    known = progress_line(metrics(2, mfu=0.456), num_steps=10, eta_seconds=75.2)
    assert "12.3 TFLOP/s, 45.6% MFU  data" in known


def test_a_language_in_two_parts_is_shown_by_part() -> None:
    parts = {"en source": 3.0, "en target": 3.25, "es target": 3.5, "split": 1.0}
    line = progress_line(replace(metrics(2), loss_by_part=parts), num_steps=10, eta_seconds=1)
    assert "loss 3.2500 (en source 3.000, en target 3.250, es target 3.500)  grad" in line


def test_a_start_that_is_known_is_compared_with(tmp_path: Path) -> None:
    """Whether this process measured it or one before."""
    said = io.StringIO()
    for steps in ((0, 1), (2,)):
        with open_metrics(
            tmp_path, resumed_step=steps[0] // 2, num_steps=2, log_interval=1, progress=said
        ) as log:
            for step in steps:
                log.validation(step, ValidationReport(retention={"enwiki": 2 + step / 4}))
    assert said.getvalue().splitlines() == [
        "validation after step 0: retention enwiki 2.000 (+0.000)",
        "validation after step 1: retention enwiki 2.250 (+0.250)",
        "validation after step 2: retention enwiki 2.500 (+0.500)",
    ]


def test_progress_is_said_at_intervals_and_at_the_end(tmp_path: Path) -> None:
    said = write(tmp_path, range(1, 11), log_interval=4)
    steps = [line.split()[1] for line in said.splitlines() if line.startswith("step")]
    assert steps == ["4/10", "8/10", "10/10"]
    assert "ETA 0:00:12" in said  # six steps of two seconds are left after the fourth
    assert "validation after step 10: loss 2.0000 (en 2.000) over 7 tokens" in said


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """No file may grow beyond 300 bytes: the system refuses the write as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        with pytest.raises(DataError, match="output must be writable, got .*: File too large"):
            write(tmp_path, range(1, 4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

"""Why a point gave nothing, from its own word or from its log."""

import json
from pathlib import Path

import pytest
import torch

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.profiling.failure import (
    FAILURE_VARIABLE,
    StoppedError,
    failure_of,
    status_of,
    told_failure,
)

# What torchrun says of the rank that failed first.
ROOT = """------
Root Cause (first observed failure):
[0]:
  time      : 2025-11-25_{time}
  host      : a
  rank      : 0 (local_rank: 0)
  exitcode  : {code} (pid: 7)
======
"""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("no"), "refused"),
        (torch.OutOfMemoryError("CUDA out of memory."), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "out of memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when"), "out of memory"),
        (RuntimeError("NCCL WARN Failed to CUDA calloc 6291456 bytes"), "out of memory"),
        (RuntimeError("Failed to CUDA malloc 1 bytes"), "out of memory"),
        (OSError(12, "Cannot allocate memory"), "out of memory"),
        (DataError("no"), "failed"),
        (StoppedError("no"), "stopped"),
        (RuntimeError("shapes differ"), "crashed"),
    ],
)
def test_kinds_of_failures(error: Exception, status: str) -> None:
    assert status_of(error) == status


def test_the_first_error_counts_unless_a_later_one_is_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "failure.json"
    monkeypatch.setenv(FAILURE_VARIABLE, str(path))
    told = []
    for error in (RuntimeError("peer left"), ConfigError("no"), MemoryError("full")):
        with pytest.raises(type(error), match=str(error)), told_failure():
            raise error
        told.append(json.loads(path.read_bytes()))
    assert told[0] == told[1] == {"status": "crashed", "reason": "RuntimeError: peer left"}
    assert told[2] == {"status": "out of memory", "reason": "MemoryError: full"}
    assert failure_of(path, exit_code=1, log=tmp_path / "log") == told[2]


def test_without_a_sweep_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FAILURE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no"), told_failure():
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "text", "status", "reason"),
    [
        (137, "", "out of memory", "killed by signal 9"),
        (1, ROOT.format(time="12:00:00", code=-9), "out of memory", "killed by signal 9"),
        (
            1,
            "Failures:\n  exitcode  : -9 (pid: 7)\n" + ROOT.format(time="12:00:00", code=-11),
            "crashed",
            "exit code 1: a rank was ended by SIGSEGV; see",
        ),
        (
            137,
            "srun: error: a: task 1: Exited with exit code 1\nsrun: error: b: task 0: Killed",
            "crashed",
            "exit code 137: srun: error",
        ),
        (
            137,
            "srun: error: b: task 0: Killed\nsrun: error: a: task 1: Exited with exit code 1",
            "out of memory",
            "killed by signal 9",
        ),
        (
            1,
            "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.\nValueError: lost",
            "out of memory",
            "killed by signal 9",
        ),
        (1, "1: [rank3]: ValueError: a\n0:   at b\n", "crashed", "exit code 1: ValueError: a; see"),
        (1, "RuntimeError: CUDA out of memory", "out of memory", "exit code 1: RuntimeError"),
        (1, "E.errors.ChildFailedError: \n", "crashed", "exit code 1: E.errors.ChildFailedError"),
        (143, "", "stopped", "ended by a signal, exit code 143"),
        (
            1,
            "slurmstepd: error: *** STEP 7.0 ON a CANCELLED AT 2025-11-25T12 DUE TO TIME LIMIT ***",
            "stopped",
            "the job step was cancelled due to time limit",
        ),
        (1, "ValueError: a\n  at b\nroot cause\n", "crashed", "exit code 1: ValueError: a; see"),
        (3, "first\nlast\n\n", "crashed", "exit code 3: last; see"),
        (4, "", "crashed", "exit code 4: nothing was said; see"),
    ],
)
def test_a_process_that_said_nothing_is_read_from_its_log(
    tmp_path: Path, code: int, text: str, status: str, reason: str
) -> None:
    log = tmp_path / "log"
    log.write_text(text, encoding="utf-8")
    found = failure_of(tmp_path / "none", exit_code=code, log=log)
    assert found["status"] == status
    assert found["reason"].startswith(reason)


@pytest.mark.parametrize(("codes", "status"), [((-9, 1), "out of memory"), ((1, -9), "crashed")])
def test_the_earliest_failure_of_all_nodes_is_the_cause(
    tmp_path: Path, codes: tuple[int, int], status: str
) -> None:
    # What two nodes say is mixed line by line; the rank that lost its partner told so.
    first, second = (
        [f"{task}: {line}" for line in ROOT.format(time=f"12:00:0{task}", code=code).splitlines()]
        for task, code in enumerate(codes)
    )
    log, told = tmp_path / "log", tmp_path / "failure.json"
    log.write_text("\n".join(line for pair in zip(first, second, strict=True) for line in pair))
    told.write_text(json.dumps({"status": "crashed", "reason": "RuntimeError: peer left"}))
    assert failure_of(told, exit_code=1, log=log)["status"] == status

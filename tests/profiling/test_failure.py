"""Why a point gave nothing, from its own word or from its log."""

import json
from pathlib import Path

import pytest
import torch

from megatron_crossic.errors import ConfigError
from megatron_crossic.profiling.failure import (
    FAILURE_VARIABLE,
    failure_of,
    status_of,
    told_failure,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("no"), "refused"),
        (torch.OutOfMemoryError("CUDA out of memory."), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
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
        (1, "  exitcode  : -9 (pid: 7)\n", "out of memory", "killed by signal 9"),
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

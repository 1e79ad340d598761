"""What a command leaves for the batch script that started it."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from megatron_crossic.commandline import run
from megatron_crossic.errors import DataError, SaveError
from megatron_crossic.outcome import VARIABLE, tell_outcome


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "outcome"))
    return tmp_path / "outcome"


def refuse() -> NoReturn:
    raise DataError("data set must be whole, got half\n       of it. Make it again.")


def break_down() -> NoReturn:
    raise RuntimeError("connection closed by peer")


def test_an_error_is_told_with_its_exit_code_in_one_line(file: Path) -> None:
    with pytest.raises(SystemExit, match="3"):
        run(refuse)
    assert file.read_text() == "3 error\ndata set must be whole, got half of it. Make it again.\n"


def test_a_bug_is_told_as_a_crash_and_keeps_its_traceback(file: Path) -> None:
    with pytest.raises(RuntimeError, match="closed by peer"):
        run(break_down)
    assert file.read_text() == "1 crash\nRuntimeError: connection closed by peer\n"


def test_the_first_of_several_processes_is_believed(file: Path) -> None:
    tell_outcome("left", "after step 7: SIGTERM")
    tell_outcome("crash", "connection closed by peer", exit_code=1)
    assert file.read_text() == "0 left\nafter step 7: SIGTERM\n"


def test_nothing_is_written_where_nobody_asks(tmp_path: Path) -> None:
    tell_outcome("done", "")
    assert list(tmp_path.iterdir()) == []


def lose_the_disk() -> NoReturn:
    try:
        raise OSError(errno.ESTALE, "Stale file handle")
    except OSError as error:
        raise DataError("data set must be readable, got a stale handle. Mend it.") from error


def fail_to_save() -> NoReturn:
    raise SaveError("checkpoint must be possible to save, got a full disk. Free some space.")


@pytest.mark.parametrize("job", [lose_the_disk, fail_to_save])
def test_what_may_pass_by_itself_is_worth_another_try(file: Path, job: Callable[[], None]) -> None:
    with pytest.raises(SystemExit):
        run(job)
    assert file.read_text().split()[1] == "crash"

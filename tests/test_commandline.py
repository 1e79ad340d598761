"""Errors become one line and an exit code."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from megatron_crossic.commandline import BROKEN_PIPE, ArgumentParser, run
from megatron_crossic.errors import CheckpointError, ConfigError, DataError


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ConfigError("a must be b"), 2, "error: a must be b\n"),
        (DataError("a must be b"), 3, "error: a must be b\n"),
        (CheckpointError("a must be b"), 4, "error: a must be b\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=str(code)):
        run(raising(error))
    assert capsys.readouterr().err == text


@pytest.mark.parametrize(
    ("error", "text"),
    [(ConfigError("a must be b"), ""), (DataError("a must be b"), "error: a must be b\n")],
)
def test_other_ranks_do_not_repeat_what_rank_0_refuses(
    error: Exception,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit):
        run(raising(error))
    assert capsys.readouterr().err == text


def test_success_exits_with_zero_and_bugs_keep_their_traceback() -> None:
    with pytest.raises(SystemExit, match="0"):
        run(lambda: None)
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sise=3"], "unrecognized arguments: --sise=3. See tool --help"),
        (["--siz=3"], "unrecognized arguments: --siz=3"),
        (["--size", "x"], "argument --size: invalid int value: 'x'"),
        (["sub", "--deep"], "argument --deep: expected one argument. See tool sub --help"),
    ],
)
def test_a_wrong_option_is_an_error_like_others(arguments: list[str], message: str) -> None:
    parser = ArgumentParser(prog="tool")
    parser.add_argument("--size", type=int)
    parser.add_subparsers().add_parser("sub").add_argument("--deep")
    with pytest.raises(ConfigError, match=f"command line must be valid, got: {message}"):
        parser.parse_args(arguments)


def test_a_reader_who_has_enough_is_no_error() -> None:
    """As in `tool | head -1`."""
    code = "from megatron_crossic.commandline import run; run(lambda: print('line\\n' * 10**6))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == BROKEN_PIPE

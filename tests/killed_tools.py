"""Runs a tool again and again, killed at each file that it is about to name or remove.

    python tests/killed_tools.py TOOL SIGNAL STEP NAME ARGUMENTS…

The first line printed is of an undisturbed run, each other one of a run that was killed: [what it
was killed at, its status, that of the next run, the digest of what this made]. In the arguments, {}
is a folder of each run's own, and NAME the output there. Of the points at which the tool can be
killed each STEP-th is tried. The tool runs as a user's would, as a program of its own, but in a
fork of this process, in which the first run has imported all that it needs.
"""

import hashlib
import io
import itertools
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

TOOLS = Path(__file__).parents[1] / "tools"
EVENTS = ("os.rename", "os.remove")


def killed_runs(
    tool: str, arguments: Sequence[str], *, output: str, with_signal: signal.Signals, every: int = 1
) -> list[tuple[str, int, int, str]]:
    """The lines of the program."""
    numbers = [str(int(with_signal)), str(every)]
    command = [sys.executable, __file__, tool, *numbers, output, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


class Point:
    """Sends a signal to this process at the n-th event."""

    def __init__(self, number: int, with_signal: int, told: Path) -> None:
        self._left = number
        self._signal = with_signal
        self._told = told

    def __call__(self, event: str, arguments: Any) -> None:
        if event not in EVENTS:
            return
        self._left -= 1
        if self._left == 0:
            self._told.write_text(f"{event} {arguments[1 if event == 'os.rename' else 0]}")
            os.kill(os.getpid(), self._signal)


def run_tool(command: Sequence[str], said: Path, point: Point | None = None) -> int:
    """The exit status of the tool in a fork, as the shell counts: 137 for SIGKILL."""
    child = os.fork()
    if not child:
        _be_the_tool(command, said, point)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _be_the_tool(command: Sequence[str], said: Path, point: Point | None) -> NoReturn:
    code: Any = 70
    try:
        with said.open("a", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        # What else they may be, under pytest for example.
        sys.stdout = sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        if point:
            sys.addaudithook(point)
        sys.argv = list(command)
        runpy.run_path(command[0], run_name="__main__")
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def main() -> None:
    tool, number, every, output, *arguments = sys.argv[1:]
    command = [str(TOOLS / tool), *arguments]
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as name:
        status = _undisturbed([argument.replace("{}", name) for argument in command])
        print(json.dumps(["", status, status, _digest(Path(name) / output)]), flush=True)
    for count in itertools.count(1, int(every)):
        with tempfile.TemporaryDirectory() as name:
            folder, told = Path(name), Path(name) / "told"
            own = [argument.replace("{}", name) for argument in command]
            killed = run_tool(own, folder / "said", Point(count, int(number), told))
            if not told.exists():
                return
            place = told.read_text().replace(f"{name}/", "")
            status = run_tool(own, folder / "said")
            print(json.dumps([place, killed, status, _digest(folder / output)]), flush=True)


def _undisturbed(command: list[str]) -> int:
    sys.argv = command
    try:
        with redirect_stdout(io.StringIO()):
            runpy.run_path(command[0], run_name="__main__")
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "nothing"


if __name__ == "__main__":
    main()

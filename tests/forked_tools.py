"""Runs a tool in a process that has imported torch and megatron-core already.

A tool that starts as a user starts it imports them for four seconds. Each tool has a test that
starts it so; the others, of what it says and refuses, have it in a fork of the ranks' server.
"""

import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

from tiny_runs import start_forked

TOOLS = Path(__file__).parents[1] / "tools"


def run_tool(
    folder: Path, tool: str, *arguments: str | Path, **variables: str
) -> CompletedProcess[str]:
    """What `python tools/TOOL ARGUMENTS` ends with and says; `folder` keeps the latter."""
    command = [str(TOOLS / tool), *map(str, arguments)]
    streams = (folder / "stdout.txt", folder / "stderr.txt")
    process = start_forked(_as_main, command, streams, variables)
    process.join(timeout=120)
    said = [path.read_text(encoding="utf-8") for path in streams]
    assert process.exitcode is not None, said
    return CompletedProcess(command, process.exitcode, *said)


def _as_main(command: list[str], streams: tuple[Path, Path], variables: Mapping[str, str]) -> None:
    os.environ.update(variables)
    for path, stream in zip(streams, (sys.stdout, sys.stderr), strict=True):
        with path.open("w", encoding="utf-8") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")

"""What every command line shares: errors as one line, exit codes, progress, a quiet Ctrl-C."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.outcome import Outcome, may_pass, tell_outcome

INTERRUPTED = 130
BROKEN_PIPE = 141


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose errors look like all others; options must be written out."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"command line must be valid, got: {message}. See {self.prog} --help.")


def run(main: Callable[[], None]) -> NoReturn:
    """Call `main` and exit: 0, the error's own exit code, or 130 when interrupted."""
    try:
        main()
        sys.stdout.flush()
    except CrossicError as error:
        kind: Outcome = "crash" if may_pass(error) else "error"
        tell_outcome(kind, str(error), exit_code=error.exit_code)
        # What all ranks of a launch refuse before they meet is said once.
        if os.environ.get("RANK", "0") == "0" or not isinstance(error, ConfigError):
            sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever reads our output, `head` for example, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(BROKEN_PIPE)
    except Exception as error:
        tell_outcome("crash", f"{type(error).__name__}: {error}", exit_code=1)
        raise
    sys.exit(0)


def parse_shard(text: str) -> tuple[int, int]:
    """`3/8` as the fourth of eight shards, for an array of jobs."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ConfigError(
            f"shard must be I/N with I below N, got {text!r}. Use for example 0/8 to 7/8."
        )
    return int(index), int(count)


class ProgressLine:
    """How far work is and how long it takes, on stderr: once a second or, in a log, every 30."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._interval = 1.0 if self._terminal else 30.0
        self._started = self._shown = time.monotonic()

    def __call__(self, done: float, total: float, what: str) -> None:
        """`what` says how much is done, in words."""
        now = time.monotonic()
        if now - self._shown < self._interval or not done:
            return
        self._shown = now
        seconds = (now - self._started) * max(0.0, total - done) / done
        line = f"{what}, {seconds:,.0f} s to go"
        sys.stderr.write(line + ("\033[K\r" if self._terminal else "\n"))
        sys.stderr.flush()

    def warn(self, message: str) -> None:
        """A line of its own."""
        self.end()
        sys.stderr.write(message + "\n")

    def end(self) -> None:
        """Clear the line for what comes next."""
        if self._terminal:
            sys.stderr.write("\033[K")


class StageProgress:
    """A progress line for each stage of a run, in bytes of input or, where named, in items."""

    def __init__(self, *, items: Collection[str] = ()) -> None:
        self._items = items
        self._stage = ""
        self._line = ProgressLine()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """How far a stage is: bytes, or items where the stage is one of `items`."""
        if stage != self._stage:
            self._stage, self._line = stage, ProgressLine()
        if stage in self._items:
            self._line(done, total, f"{stage}: {done:,} of {total:,}")
        else:
            self._line(done, total, f"{stage}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    def say(self, message: str) -> None:
        """A line of its own."""
        self._line.warn(message)

    def end(self) -> None:
        self._line.end()

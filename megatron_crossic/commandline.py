"""What every command line shares: errors as one line, exit codes, progress, a quiet Ctrl-C."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from megatron_crossic.errors import ConfigError, CrossicError

INTERRUPTED = 130


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
    except CrossicError as error:
        # What all ranks of a launch refuse before they meet is said once.
        if os.environ.get("RANK", "0") == "0" or not isinstance(error, ConfigError):
            sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
    sys.exit(0)


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
    """Stages of a run on stderr: a line each that a terminal sees grow, seldom lines elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._is_open = False
        self._stage = ""
        self._started = self._shown = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._shown = stage, now, now
        wait = 0.2 if self._is_terminal else 10.0
        is_over = done >= total
        if now - self._shown < wait and not is_over:
            return
        self._shown = now
        self._is_open = self._is_terminal and not is_over
        seconds = now - self._started
        left = seconds * (total - done) / done if done else 0.0
        line = (
            f"{stage}: {done / max(total, 1):4.0%} of {total / 1e6:.1f} MB, "
            f"{seconds:.0f} s, {left:.0f} s left"
        )
        if self._is_terminal:
            line = f"\r{line}\x1b[K"
        sys.stderr.write(line + ("\n" if is_over or not self._is_terminal else ""))
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line that an error cut short, so that its message has its own."""
        if self._is_open:
            sys.stderr.write("\n")

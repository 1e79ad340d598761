"""What every command line shares: errors as one line, exit codes, a quiet end on Ctrl-C."""

import argparse
import os
import sys
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

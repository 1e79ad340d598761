"""What every command line shares: errors as one line, exit codes, a quiet end on Ctrl-C."""

import sys
from collections.abc import Callable
from typing import NoReturn

from megatron_crossic.errors import CrossicError

INTERRUPTED = 130


def run(main: Callable[[], None]) -> NoReturn:
    """Call `main` and exit: 0, the error's own exit code, or 130 when interrupted."""
    try:
        main()
    except CrossicError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
    sys.exit(0)

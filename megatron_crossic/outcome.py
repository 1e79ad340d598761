"""How a command ended, for a batch script that must know whether trying again helps.

The exit code alone does not tell: torchrun ends with 1 whatever its workers ended with. Where the
environment variable CROSSIC_OUTCOME names a file, it gets two lines:

    2 error
    parallel.tensor must be at least 1, got 0. Raise it.
"""

import errno
import os
from contextlib import suppress
from typing import Literal

from megatron_crossic.errors import CrossicError

VARIABLE = "CROSSIC_OUTCOME"

Outcome = Literal["done", "left", "error", "crash"]
"""done: nothing remains to do. left: it was asked to leave, and goes on when started again.
error: the user has to mend something. crash: anything else."""

_PASSING = {
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EAGAIN,
    errno.ECONNRESET,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENODEV,
}
"""What file systems of a cluster say when a server or the network is away for a while."""


def may_pass(error: CrossicError) -> bool:
    """Whether the same command may succeed later: by its kind, or by what caused it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _PASSING:
            return True
        cause = cause.__cause__
    return error.may_pass


def tell_outcome(outcome: Outcome, message: str, *, exit_code: int = 0) -> None:
    """Write the file, if one is asked for and no other process of the launch has been faster.

    The first is the cause; what comes after it are ranks that lost a partner.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    line = " ".join(message.split())
    # A folder that is gone must not hide the message that is about to be printed.
    with suppress(OSError), open(path, "x", encoding="utf-8") as file:
        file.write(f"{exit_code} {outcome}\n{line}\n")

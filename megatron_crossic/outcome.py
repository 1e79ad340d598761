"""How a command ended, for a batch script that must know whether trying again helps.

The exit code alone does not tell: torchrun ends with 1 whatever its workers ended with. Where the
environment variable CROSSIC_OUTCOME names a file, it gets two lines:

    2 error
    parallel.tensor must be at least 1, got 0. Raise it.
"""

import os
from contextlib import suppress
from typing import Literal

VARIABLE = "CROSSIC_OUTCOME"

Outcome = Literal["done", "left", "error", "crash"]
"""done: nothing remains to do. left: it was asked to leave, and goes on when started again.
error: the user has to mend something. crash: anything else."""


def tell_outcome(outcome: Outcome, message: str, *, exit_code: int = 0) -> None:
    """Write the file, if one is asked for and no other process of the launch has been faster.

    The first is the cause; what comes after it are ranks that lost a partner.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    line = " ".join(message.split())
    with suppress(FileExistsError), open(path, "x", encoding="utf-8") as file:
        file.write(f"{exit_code} {outcome}\n{line}\n")

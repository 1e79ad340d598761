"""Trains a model on windows.

    python tools/pretrain.py --config run.yaml
    torchrun --nproc-per-node 2 tools/pretrain.py --config run.yaml --parallel.tensor 2

The same command resumes a run that was interrupted. `--dry-run` checks everything and starts
nothing.
"""

import os
import sys

from megatron_crossic.commandline import run
from megatron_crossic.train.command import pretrain


def main() -> None:
    """Run the command line; one rank prints."""
    printed = pretrain(sys.argv[1:])
    if printed is not None and os.environ.get("RANK", "0") == "0":
        print(printed)


if __name__ == "__main__":
    run(main)

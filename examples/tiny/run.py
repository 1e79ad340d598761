"""The whole stack on one machine: wiki dumps -> pairs -> windows -> training -> Hugging Face.

Every step is a command of `tools/`, printed as it runs, so that each can be copied and changed.
A step whose output is there is passed over: a second run ends in seconds, and an interrupted one
goes on where it stopped. With --retrieval pairs are mined out of a small web as well, and training
reads a blend of both.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from demo_steps import LANGUAGES, Step, steps, words
from report import write_report


def run_step(step: Step) -> None:
    """Run one step, its output passed through; end the demo where it fails."""
    launcher = [sys.executable]
    environment = dict(os.environ)
    if step.num_processes > 1:
        launcher += words("-m torch.distributed.run --standalone --nproc-per-node")
        launcher += [str(step.num_processes)]
        environment["OMP_NUM_THREADS"] = "1"
    command = [*launcher, *step.command]
    print(f"  $ {shlex.join(command)}", flush=True)
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        sys.exit(f"error: this step failed with exit code {code}; its message is above")


def main() -> None:
    """Run what is missing, then report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--retrieval", action="store_true", help="mine more pairs out of a web")
    parser.add_argument("--output", type=Path, help="default runs/tiny or runs/tiny-retrieval")
    arguments = parser.parse_args()
    default = "runs/tiny-retrieval" if arguments.retrieval else "runs/tiny"
    output = arguments.output or Path(default)
    output.mkdir(parents=True, exist_ok=True)

    started = time.monotonic()
    todo = steps(output, retrieval=arguments.retrieval)
    for number, step in enumerate(todo, start=1):
        done = step.output.exists()
        state = "already there" if done else f"{time.monotonic() - started:.0f} s so far"
        print(f"[{number}/{len(todo)}] {step.title} ({state})", flush=True)
        if not done:
            run_step(step)
    report = output / "report.md"
    if not report.exists() or report.stat().st_mtime < todo[-1].output.stat().st_mtime:
        write_report(output, languages=("en", *LANGUAGES))
    print(report.read_text(encoding="utf-8"))
    print(f"all done in {time.monotonic() - started:.0f} s; this report: {report}")


if __name__ == "__main__":
    main()

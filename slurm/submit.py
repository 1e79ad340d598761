"""Check a training job and submit it.

    python slurm/submit.py --nodes 2 --time 12:00:00 -- --config my-run.yaml --run_dir runs/my-run
    python slurm/submit.py --nodes 2 --dry-run -- --config my-run.yaml

What follows `--` are options of tools/pretrain.py. All that is wrong is said at once, before
anything is queued. `--dry-run` prints the command and the script and queues nothing. `--settings`
lists the settings of the site (slurm/env.sh) with their values.
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from megatron_crossic.cluster.duration import positive
from megatron_crossic.cluster.queue import is_of_a_job, outside_of_jobs
from megatron_crossic.cluster.script import log_file
from megatron_crossic.cluster.settings import Settings, read_settings
from megatron_crossic.cluster.submission import Request, Submission, examine
from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.config import raise_problems
from megatron_crossic.errors import ConfigError


def main() -> None:
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    arguments = parse(words[:split])
    changes = to_changes(arguments.set)
    if arguments.settings:
        print(settings_text(read_settings(changes)))
        return
    submission = examine(
        Request(
            num_nodes=arguments.nodes,
            arguments=tuple(words[split + 1 :]),
            script=arguments.script,
            time=arguments.time,
            changes=changes,
            sbatch_options=tuple(arguments.sbatch),
            tokens_per_second=arguments.tokens_per_second,
            profile=arguments.profile,
        )
    )
    for name, text in submission.rows:
        print(f"{name:8} {text}")
    raise_problems(list(submission.problems))
    if arguments.dry_run:
        print(dry_run_text(submission))
    else:
        print(submit(submission))


def submit(submission: Submission) -> str:
    """Queue the job; what to look at, and how to stop it."""
    environment = {**outside_of_jobs(os.environ), **submission.changes}
    output = submission.options.get("output", "")
    Path(output).parent.mkdir(parents=True, exist_ok=True)  # Slurm does not make it
    called = subprocess.run(
        submission.command, env=environment, capture_output=True, text=True, check=False
    )
    if called.returncode:
        raise ConfigError(
            f"sbatch must accept the job, got: {' '.join(called.stderr.split())}. "
            "Change what it complains about."
        )
    job = called.stdout.strip().partition(";")[0]
    rows = {
        "job": job,
        "log": log_file(submission.options, job),
        "status": f"python tools/status.py {shlex.quote(str(submission.run_dir))}",
        "queue": f"squeue --job {job}",
        "stop": f"touch {shlex.quote(f'{submission.run_dir}/STOP')} (saves first), scancel {job}",
    }
    return "\n".join(f"{name:8} {text}" for name, text in rows.items())


def dry_run_text(submission: Submission) -> str:
    """The exact command, what the job's environment gets, and the script."""
    changes = [f"{name}={shlex.quote(value)}" for name, value in submission.changes.items()]
    dropped = sorted(filter(is_of_a_job, os.environ))
    return "\n".join(
        [
            *(["", shlex.join(["unset", *dropped])] if dropped else []),
            "",
            " ".join([*changes, shlex.join(submission.command)]),
            "",
            settings_text(submission.settings),
            submission.script_text.rstrip(),
        ]
    )


def settings_text(settings: Settings) -> str:
    """Every setting, its value and what it is for."""
    lines = []
    for setting in settings.declared:
        lines += [f"# {setting.explanation}"] if setting.explanation else []
        lines.append(f"{setting.name}={shlex.quote(settings.values.get(setting.name, ''))}")
    return "\n".join([*lines, ""])


def to_changes(words: list[str]) -> dict[str, str]:
    """`CROSSIC_PARTITION=gpu` -> a pair."""
    changes = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"--set must be NAME=VALUE, got {word}. See slurm/env.sh for names.")
        changes[name] = value
    return changes


def parse(words: list[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--nodes", type=int, default=1, metavar="N", help="default 1")
    add("--time", metavar="LIMIT", help="time limit of a job; default that of the script")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the site")
    add("--sbatch", action="append", default=[], metavar="OPTION", help="another option of sbatch")
    add("--script", type=Path, default=Path("slurm/pretrain.sbatch"), metavar="FILE")
    add("--tokens-per-second", type=positive, metavar="X", help="what the run is known to reach")
    add("--profile", type=Path, metavar="FILE", help="or a profile by tools/profile_throughput.py")
    add("--dry-run", action="store_true", help="check, print command and script, queue nothing")
    add("--settings", action="store_true", help="print the settings of the site and stop")
    return parser.parse_args(words)


if __name__ == "__main__":
    run(main)

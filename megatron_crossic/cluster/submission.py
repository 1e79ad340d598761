"""A job before it is queued: everything that can be known about it, and all problems at once.

What is checked needs neither GPU nor Slurm; where Slurm's programs are, they are asked as well.
"""

import getpass
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from megatron_crossic.backend import DeviceRules, select_backend
from megatron_crossic.backend.elsewhere import gpu_elsewhere
from megatron_crossic.cluster.disk import disk_problems, disk_row
from megatron_crossic.cluster.duration import (
    known_speed,
    last_save_seconds,
    limit_problems,
    time_row,
)
from megatron_crossic.cluster.mounts import mount_problems, on_host, parse_mounts
from megatron_crossic.cluster.partitions import (
    account_problems,
    ask,
    partition_problems,
    read_partitions,
)
from megatron_crossic.cluster.queue import QueuedJob, job_on, run_comment
from megatron_crossic.cluster.sbatch_options import option_problems
from megatron_crossic.cluster.script import parse_time, script_options, warning_seconds
from megatron_crossic.cluster.settings import Settings, read_settings
from megatron_crossic.config import RunConfig
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.inspection.runs.status import RunStatus, read_status
from megatron_crossic.train.describe import summary
from megatron_crossic.train.options import parse
from megatron_crossic.train.plan import RunPlan, make_plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What the user wants."""

    num_nodes: int
    arguments: tuple[str, ...]
    """Options of tools/pretrain.py."""
    script: Path = Path("slurm/pretrain.sbatch")
    time: str | None = None
    """Time limit as Slurm reads it; that of the script where not given."""
    changes: Mapping[str, str]
    """Settings of the site for this job alone."""
    sbatch_options: tuple[str, ...] = ()
    """More options of sbatch, handed on as they are; none that decides about what is checked."""
    tokens_per_second: float | None = None
    profile: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A job that can be submitted, or the reasons why not."""

    command: tuple[str, ...]
    changes: Mapping[str, str]
    """What the job's environment has beside the user's."""
    script_text: str
    options: Mapping[str, str]
    """The script's own #SBATCH options."""
    settings: Settings
    run_dir: Path | None
    rows: tuple[tuple[str, str], ...]
    """Name and text of what was found out."""
    problems: tuple[str, ...]


def examine(request: Request) -> Submission:
    """Look at everything; `ConfigError` only where nothing further can be looked at."""
    settings = read_settings(request.changes)
    script = _read_script(request.script)
    options = script_options(script) | script_options_of(request.sbatch_options)
    problems = [*settings.problems, *option_problems(request.sbatch_options)]
    if request.num_nodes < 1:
        problems.append(f"--nodes must be at least 1, got {request.num_nodes}. Raise it.")
    limit = parse_time(request.time or options.get("time", "UNLIMITED"))
    config, plan, reasons = _plan(request, settings)
    problems += reasons
    rows: list[tuple[str, str]] = []
    run_dir = None if config is None else config.run_dir
    earlier = read_status(run_dir) if run_dir is not None and run_dir.is_dir() else None
    if plan is not None:
        rows += [(line[:7].strip(), line[8:]) for line in summary(plan).splitlines()]
        rows += [("disk", disk_row(plan)), ("time", _time(request, plan, earlier, options, limit))]
        problems += disk_problems(plan)
    problems += limit_problems(
        limit=limit,
        warning=warning_seconds(options),
        save_seconds=None if run_dir is None else last_save_seconds(run_dir),
    )
    found, row = _cluster(request, settings, limit)
    return Submission(
        command=sbatch_command(request, settings, run_dir),
        changes=request.changes,
        script_text=script,
        options=options,
        settings=settings,
        run_dir=run_dir,
        rows=(*rows, ("cluster", row)),
        problems=(*problems, *found, *_in_use(run_dir, earlier)),
    )


def sbatch_command(request: Request, settings: Settings, run_dir: Path | None) -> tuple[str, ...]:
    """The arguments of sbatch; nothing of it passes through a shell."""
    gpus = settings.number("GPUS_PER_NODE")
    wanted = {
        "nodes": str(request.num_nodes),
        "time": request.time or "",
        "gpus-per-node": str(gpus),
        "account": settings.get("ACCOUNT"),
        "partition": settings.get("PARTITION"),
        "qos": settings.get("QOS"),
        # Some sites hand nothing over unless they are told to.
        "export": "ALL",
        "comment": "" if run_dir is None else run_comment(run_dir),
    }
    options = [f"--{name}={value}" for name, value in wanted.items() if value]
    return (
        "sbatch",
        "--parsable",
        *options,
        *request.sbatch_options,
        str(request.script),
        *request.arguments,
    )


def script_options_of(words: Sequence[str]) -> dict[str, str]:
    """`--signal=B:USR1@900` as the same line in a script would be."""
    return script_options("\n".join(f"#SBATCH {word}" for word in words))


def processes_per_node(settings: Settings) -> int:
    """As many as said, or one a GPU."""
    return settings.number("PROCESSES_PER_NODE") or settings.number("GPUS_PER_NODE")


def _read_script(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--script must be a batch script, got {path}: {error.strerror}. Correct the path."
        ) from error


def _plan(
    request: Request, settings: Settings
) -> tuple[RunConfig | None, RunPlan | None, list[str]]:
    """The configuration and the plan on that many processes, as far as they are sound."""
    config = None
    problems: list[str] = []
    try:
        config = parse(request.arguments).config
        world_size = request.num_nodes * processes_per_node(settings)
        if world_size < 1:
            return config, None, []  # the settings have said so
        mounts = parse_mounts(settings.get("CONTAINER_MOUNTS"), project=Path.cwd())
        has_container = bool(settings.get("CONTAINER_IMAGE"))
        if has_container:
            problems += mount_problems(config, mounts, config_file=_config_file(request.arguments))
        problems += _folder_problems(config.run_dir)
        seen = on_host(config, mounts) if has_container else config
        plan = make_plan(seen, _device(config, settings), world_size=world_size)
        return config, plan, problems
    except CrossicError as error:
        return config, None, str(error).split("\n       ") + problems


def _config_file(arguments: Sequence[str]) -> Path | None:
    """The value of the last --config."""
    found = None
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == "--config":
            found = following
        elif word.startswith("--config="):
            found = word.partition("=")[2]
    return Path(found) if found else None


def _device(config: RunConfig, settings: Settings) -> DeviceRules:
    """That of the nodes, which this machine may lack."""
    has_gpus = settings.number("GPUS_PER_NODE") > 0
    if config.backend == "cuda" and not has_gpus:
        raise ConfigError(
            "backend must be one the nodes have, got cuda with CROSSIC_GPUS_PER_NODE 0. "
            "Change one of them."
        )
    if config.backend == "cpu" or not has_gpus:
        return select_backend("cpu")
    return gpu_elsewhere(same_software=not settings.get("CONTAINER_IMAGE"))


def _folder_problems(run_dir: Path) -> list[str]:
    existing = next(one for one in (run_dir, *run_dir.absolute().parents) if one.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return []
    return [
        f"run_dir must be a folder that can be written, got {run_dir} with {existing}. "
        "Choose another run_dir, or mend its permissions."
    ]


def _time(
    request: Request,
    plan: RunPlan,
    earlier: RunStatus | None,
    options: Mapping[str, str],
    limit: timedelta | None,
) -> str:
    steps = max(0, plan.config.last_step - plan.first_step + 1)
    speed = known_speed(
        given=request.tokens_per_second,
        profile=request.profile,
        earlier=earlier,
        num_devices=plan.world_size,
    )
    return time_row(
        tokens=steps * plan.config.global_batch_size * plan.data.seq_length,
        speed=speed,
        limit=limit,
        warning=warning_seconds(options),
    )


def _cluster(
    request: Request, settings: Settings, limit: timedelta | None
) -> tuple[list[str], str]:
    if shutil.which("sbatch") is None:
        return ["sbatch must be on the PATH, got none. Log in to the cluster."], "not asked"
    partitions = read_partitions()
    if partitions is None:
        return [], "scontrol does not answer: partition and limits are not checked"
    account = settings.get("ACCOUNT")
    problems = partition_problems(
        partitions,
        name=settings.get("PARTITION"),
        nodes=request.num_nodes,
        limit=limit,
        account=account,
    )
    problems += account_problems(account=account, user=getpass.getuser())
    return problems, f"{len(partitions)} partitions asked"


def _in_use(run_dir: Path | None, earlier: RunStatus | None) -> list[str]:
    """Two jobs in one run directory would overwrite each other's checkpoints."""
    job = None if run_dir is None else job_on(run_dir) or _last_job(earlier)
    if job is None:
        return []
    return [
        f"run_dir must not be that of a job in the queue, got {run_dir} with job {job.number} "
        f"({job.state.lower()}). It goes on by itself; scancel {job.number} first to replace it."
    ]


def _last_job(earlier: RunStatus | None) -> QueuedJob | None:
    """The job of the last attempt, which need not be the user's or have a comment."""
    if earlier is None or not earlier.attempts or not earlier.attempts[-1].job.isdecimal():
        return None
    number = earlier.attempts[-1].job
    state = (ask(["squeue", "--noheader", "--jobs", number, "--format", "%T"]) or "").split()
    return QueuedJob(number=number, state=state[0], comment="") if state else None

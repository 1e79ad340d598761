"""What a batch script says of itself: its #SBATCH lines."""

import re
from collections.abc import Mapping
from datetime import timedelta

from megatron_crossic.errors import ConfigError

_OPTION = re.compile(r"^#SBATCH\s+(?:--([\w-]+)(?:[=\s](\S+))?|-([toJ])\s*(\S+))", re.MULTILINE)
_SHORT = {"t": "time", "o": "output", "J": "job-name"}
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def script_options(text: str) -> dict[str, str]:
    """`#SBATCH --time=12:00:00`, or `-t 12:00:00` -> {"time": "12:00:00"}."""
    found = {}
    for long, value, short, short_value in _OPTION.findall(text):
        found[long or _SHORT[short]] = value or short_value
    return found


def warning_seconds(options: Mapping[str, str]) -> int:
    """How long before the time limit the run is asked to leave: `B:USR1@600`; 0 where it is not."""
    _, _, seconds = options.get("signal", "").partition("@")
    if options.get("signal") and not seconds:
        return 60  # Slurm's default
    return int(seconds) if seconds.isdecimal() else 0


def log_file(options: Mapping[str, str], job: str) -> str:
    """Where the job's output goes: `%x-%j.log` -> `pretrain-17.log`."""
    pattern = options.get("output", "slurm-%j.out")
    return pattern.replace("%x", options.get("job-name", "")).replace("%j", job)


def parse_time(text: str) -> timedelta | None:
    """A time limit as Slurm reads it; None for no limit.

    `90` is minutes, `90:30` minutes and seconds, `1:30:00` hours; after days come hours: `2-12` is
    two days and a half.
    """
    if text.upper() in ("UNLIMITED", "INFINITE", "NONE"):
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"--time must be a time limit of Slurm, got {text}. Use for example 12:00:00 or 2-00."
        )
    days, *parts = (None if part is None else int(part) for part in match.groups())
    given = [part for part in parts if part is not None]
    if days is not None:
        hours, minutes, seconds = [*given, 0, 0][:3]
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if len(given) == 3:
        return timedelta(hours=given[0], minutes=given[1], seconds=given[2])
    return timedelta(minutes=given[0], seconds=given[1] if len(given) == 2 else 0)

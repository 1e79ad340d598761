"""How long a run will take, from the tokens that are left and a speed that was measured before."""

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import orjson

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import unreadable
from megatron_crossic.inspection.runs.attempts import SLURM_FOLDER
from megatron_crossic.inspection.runs.status import RunStatus
from megatron_crossic.inspection.runs.tail import number_of

_SAVED = re.compile(rb"\bsaved \S+ in ([0-9.]+) s")
_END_OF_LOG = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Tokens a second of all devices, and where that is from."""

    tokens_per_second: float
    source: str


def known_speed(
    *, given: float | None, profile: Path | None, earlier: RunStatus | None, num_devices: int
) -> Speed | None:
    """The best that is known: said, profiled, or measured by an earlier attempt of the run."""
    if given is not None:
        return Speed(tokens_per_second=given, source="--tokens-per-second")
    if profile is not None:
        rate, before = read_profile(profile)
        return _in_proportion(rate, before, num_devices, source=str(profile))
    if earlier is None or earlier.tokens_per_second is None:
        return None
    return _in_proportion(
        earlier.tokens_per_second, earlier.num_devices, num_devices, source="the run so far"
    )


def _in_proportion(rate: float, before: int | None, now: int, *, source: str) -> Speed:
    """Another number of devices counts in proportion, and that is said."""
    if before is None or before == now:
        return Speed(tokens_per_second=rate, source=source)
    return Speed(
        tokens_per_second=rate * now / before, source=f"{source}, {before} devices, in proportion"
    )


def read_profile(path: Path) -> tuple[float, int | None]:
    """Tokens a second of the first point that was measured, and its devices where they are told."""
    try:
        profile = orjson.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"--profile must be a JSON file, got {path}: {error}. Give the one that "
            "tools/profile_throughput.py wrote."
        ) from error
    points = profile.get("points") if isinstance(profile, dict) else None
    for point in points if isinstance(points, list) else [profile]:
        rate = number_of(point, "tokens_per_second") if isinstance(point, dict) else None
        if rate:
            each = number_of(point, "tokens_per_second_per_device")
            return rate, round(rate / each) if each else None
    raise DataError(
        f"--profile must have tokens_per_second, got none in {path}. Give the file that "
        "tools/profile_throughput.py wrote, or --tokens-per-second."
    )


def time_row(*, tokens: int, speed: Speed | None, limit: timedelta | None, warning: int) -> str:
    """`… tokens left at … tokens/s = 30.0 h: 3 time limits of 12:00:00`."""
    left = f"{tokens:,} tokens left"
    if speed is None:
        return f"{left}; how long they take is not known: give --tokens-per-second or --profile"
    seconds = tokens / speed.tokens_per_second
    took = f"{left} at {speed.tokens_per_second:,.0f} tokens/s ({speed.source}) = "
    took += f"{seconds / 3600:.1f} h"
    if limit is None:
        return took
    usable = limit.total_seconds() - warning
    number = max(1, math.ceil(seconds / usable)) if usable > 0 else 0
    return f"{took}: {number} time limit{'' if number == 1 else 's'} of {limit}"


def limit_problems(
    *, limit: timedelta | None, warning: int, save_seconds: float | None
) -> list[str]:
    """A limit or a warning too short to do anything in."""
    found = []
    if limit is not None and limit.total_seconds() <= warning:
        found.append(
            f"--time must be longer than the warning before its end (--signal), got {limit} with "
            f"{warning} s. Raise --time: the run would leave at once."
        )
    if save_seconds is not None and warning and save_seconds > warning:
        found.append(
            f"--signal must warn earlier than a checkpoint takes, got {warning} s with "
            f"{save_seconds:.0f} s for the last one. Add --sbatch=--signal=B:USR1@"
            f"{math.ceil(2 * save_seconds)}."
        )
    return found


def last_save_seconds(run_dir: Path) -> float | None:
    """How long the last checkpoint took, from the output of an earlier attempt."""
    logs = sorted((run_dir / SLURM_FOLDER).glob("*/*.log"), key=lambda path: path.stat().st_mtime)
    for path in reversed(logs):
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _END_OF_LOG))
            found = _SAVED.findall(file.read())
        if found:
            return float(found[-1])
    return None


def positive(text: str) -> float:
    """A number of tokens a second from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(
            f"--tokens-per-second must be above 0, got {text}. Give what was measured."
        )
    return value

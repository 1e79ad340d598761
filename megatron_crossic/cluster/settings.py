"""The settings of a site: declared once, in slurm/env.sh, and resolved by the shell that reads it.

    # Partition of the jobs that train; empty for the cluster's default.
    : "${CROSSIC_PARTITION:=}"

is a declaration with its explanation. Values come from slurm/site.sh, then from the environment,
then from the default; bash itself says what comes out, so there is no second reader of these files.
"""

import difflib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.errors import ConfigError

ENV_FILE = Path("slurm/env.sh")
PREFIX = "CROSSIC_"
_WHOLE_NUMBERS = (
    "GPUS_PER_NODE",
    "PROCESSES_PER_NODE",
    "MAX_CRASHES",
    "MAX_STARTS",
    "FIRST_PORT",
    "CHECK_SECONDS",
    "SHUTDOWN_SECONDS",
)
_HIGHEST_PORT = 55_535
_DECLARATION = re.compile(r': "\$\{(CROSSIC_\w+):=(.*)\}"')
_NAME = re.compile(r"\bCROSSIC_\w+")
_RESOLVE = (
    'set -eu; source "$1" >&2; '
    'for name in "${!CROSSIC_@}"; do printf "%s=%s\\0" "$name" "${!name}"; done'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One declaration."""

    name: str
    default: str
    """As written; it may name another setting."""
    explanation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All of a site."""

    declared: tuple[Setting, ...]
    values: Mapping[str, str]
    """What a job gets."""
    problems: tuple[str, ...]

    def get(self, name: str) -> str:
        """A value without the prefix; empty where nobody set it."""
        return self.values.get(PREFIX + name, "")

    def number(self, name: str) -> int:
        """A value that is a whole number; 0 where it is not, which `problems` says."""
        return int(self.get(name)) if self.get(name).isdecimal() else 0


def read_settings(
    changes: Mapping[str, str], *, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Read the site in the current folder, with some values from the command line."""
    if not ENV_FILE.is_file():
        raise ConfigError(
            f"jobs must be submitted from the project's folder, got {Path.cwd()} without "
            f"{ENV_FILE}. Go there first."
        )
    text = ENV_FILE.read_text(encoding="utf-8")
    declared = declarations(text)
    known = {name for file in _shell_files() for name in _NAME.findall(file)}
    values = resolve({**environment, **changes})
    names = [setting.name for setting in declared]
    problems = [
        *_unknown(values, known, names, environment=environment, changes=changes),
        *(
            f"--set {name} must be left to slurm/site.sh, which sets it too, got {value} against "
            f"{values.get(name)}. Change it there."
            for name, value in changes.items()
            if name in known and values.get(name) != value
        ),
        *value_problems(values),
    ]
    return Settings(declared=declared, values=values, problems=tuple(problems))


def declarations(text: str) -> tuple[Setting, ...]:
    """Every setting of slurm/env.sh with the comment right above it; the first counts."""
    found: dict[str, Setting] = {}
    comment: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            comment.append(line.lstrip("#").strip())
            continue
        for name, default in _DECLARATION.findall(line):
            words = " ".join(part for part in comment if not part.startswith("---"))
            found.setdefault(name, Setting(name=name, default=default, explanation=words))
        comment = []
    return tuple(found.values())


def resolve(environment: Mapping[str, str]) -> dict[str, str]:
    """The CROSSIC_ variables after bash has read slurm/env.sh in this environment."""
    command = ["bash", "-c", _RESOLVE, "bash", str(ENV_FILE)]
    run = subprocess.run(command, env=dict(environment), capture_output=True, check=False)
    if run.returncode:
        said = " ".join(run.stderr.decode("utf-8", "replace").split())[-300:]
        raise ConfigError(
            f"{ENV_FILE} and slurm/site.sh must be read by bash without error, got: {said}. "
            "Mend slurm/site.sh."
        )
    pairs = (entry.partition("=") for entry in run.stdout.decode("utf-8").split("\0") if entry)
    return {name: value for name, _, value in pairs}


def _is_whole(value: str) -> bool:
    """As bash counts: 08 is no number there."""
    return re.fullmatch("0|[1-9][0-9]*", value) is not None


def value_problems(values: Mapping[str, str]) -> list[str]:
    """Every value that cannot work, as messages."""

    def get(name: str) -> str:
        return values.get(PREFIX + name, "")

    found = [
        f"CROSSIC_{name} must be {' or '.join(choices)}, got {get(name) or 'nothing'}. Choose one."
        for name, choices in (("LAUNCH", ("torchrun", "srun")), ("HEALTH_CHECK", ("on", "off")))
        if get(name) not in choices
    ]
    found += [
        f"CROSSIC_{name} must be a whole number, got {get(name)!r}. Change it."
        for name in _WHOLE_NUMBERS
        if PREFIX + name in values and not _is_whole(get(name))
        if name != "PROCESSES_PER_NODE" or get(name)
    ]
    if _is_whole(get("FIRST_PORT")) and not 1024 <= int(get("FIRST_PORT")) <= _HIGHEST_PORT:
        found.append(
            f"CROSSIC_FIRST_PORT must be in 1024 to {_HIGHEST_PORT}, got {get('FIRST_PORT')}: up "
            "to 10,000 is added to it. Change it."
        )
    if get("GPUS_PER_NODE") == "0" and get("PROCESSES_PER_NODE") in ("", "0"):
        found.append(
            "CROSSIC_PROCESSES_PER_NODE must be given where nodes have no GPUs, got nothing with "
            "CROSSIC_GPUS_PER_NODE 0. Set it."
        )
    return found + _environment_problems(get("CONTAINER_IMAGE"), get("PYTHON"), get("VENV"))


def _environment_problems(image: str, python: str, venv: str) -> list[str]:
    if image:
        return _image_problems(image)
    path = Path(python or f"{venv}/bin/python")
    if os.access(path, os.X_OK):
        return []
    return [
        f"CROSSIC_VENV must be a virtual environment, got no Python at {path}. Run make install, "
        "or set CROSSIC_VENV or CROSSIC_CONTAINER_IMAGE."
    ]


def _image_problems(image: str) -> list[str]:
    """pyxis takes what begins with `/` or `.` for a file, and all else for a registry's name.

    Of a registry's name nothing can be told from here.
    """
    must = "CROSSIC_CONTAINER_IMAGE must"
    if image.endswith(".sif"):
        return [
            f"{must} be an image that enroot reads, got {image} of Apptainer. Import the same "
            "image by enroot import, which makes a .sqsh file."
        ]
    if image.startswith(("/", ".")):
        if Path(image).is_file():
            return []
        return [f"{must} exist, got {image}. Import it first (enroot import), or correct the path."]
    if Path(image).is_file() or image.endswith(".sqsh"):
        return [
            f"{must} begin with / or . where it is a file, got {image}, which pyxis would look for "
            f"in a registry. Write ./{image}."
        ]
    return []


def _shell_files() -> list[str]:
    """The scripts beside slurm/env.sh; all names they use are known, but for the user's own."""
    return [
        path.read_text(encoding="utf-8")
        for path in sorted(ENV_FILE.parent.iterdir())
        if path.suffix in (".sh", ".sbatch") and path.name != "site.sh"
    ]


def _unknown(
    values: Mapping[str, str],
    known: set[str],
    names: Sequence[str],
    *,
    environment: Mapping[str, str],
    changes: Mapping[str, str],
) -> list[str]:
    found = []
    for name in sorted((set(values) | set(changes)) - known - {"CROSSIC_ROOT", "CROSSIC_SITE"}):
        where = "slurm/site.sh"
        if name in changes:
            where = "--set"
        elif name in environment:
            where = "the environment"
        close = difflib.get_close_matches(name, names, n=1, cutoff=0)[0] if names else ENV_FILE
        found.append(
            f"{name} in {where} must be a setting of {ENV_FILE}, got an unknown one. "
            f"Perhaps {close} is meant."
        )
    return found

"""Whose a folder is: a sweep goes on only in one of the same configuration.

`sweep.json` has what all points of a sweep have in common: their options, and the configuration
these resolve to, for a file named by `--config` may be another one now.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from megatron_crossic.errors import ConfigError
from megatron_crossic.files import remove_quietly, write_text_atomically
from megatron_crossic.profiling.document import PROFILE_FILE
from megatron_crossic.train.options import parse, to_plain

SWEEP_FILE = "sweep.json"
POINTS_FOLDER = "points"
_MISSING = object()


def resolved(options: Sequence[str]) -> Any:
    """The configuration of these options; where only a point makes them whole, what is wrong."""
    try:
        return to_plain(parse(options).config)
    except ConfigError as error:
        return str(error)


def claim(folder: Path, common: Mapping[str, Any]) -> None:
    """Take the folder, or refuse one that holds something else."""
    path = folder / SWEEP_FILE
    if path.exists():
        other = differing(json.loads(path.read_bytes()), common)
        if other:
            raise ConfigError(
                f"--output-folder must be new or that of the same sweep, got {folder} with "
                f"other {', '.join(other)}. Give another folder, or the same options."
            )
    elif (folder / PROFILE_FILE).exists():
        raise ConfigError(
            f"--output-folder must be new or that of the same sweep, got {folder} with "
            f"another {PROFILE_FILE}. Give another folder."
        )
    else:
        write_text_atomically(path, json.dumps(common, indent=1) + "\n")


def differing(before: Any, now: Any, *, name: str = "") -> list[str]:
    """Dotted names of what is not the same in two trees: `config.parallel.tensor`."""
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        return [] if before == now else [name]
    found = []
    for key in {**now, **before}:
        inner = f"{name}.{key}" if name else str(key)
        found += differing(before.get(key, _MISSING), now.get(key, _MISSING), name=inner)
    return found


def clear(folder: Path) -> None:
    """Remove the results of one point, so that they are made anew; those of a sweep are refused."""
    path = folder / SWEEP_FILE
    if path.exists():
        if json.loads(path.read_bytes()).get("name") is None:
            raise ConfigError(
                f"--overwrite must be of one point, got a sweep in {folder}. Give another folder, "
                "or delete this one."
            )
        shutil.rmtree(folder / POINTS_FOLDER, ignore_errors=True)
    remove_quietly(path, folder / PROFILE_FILE)

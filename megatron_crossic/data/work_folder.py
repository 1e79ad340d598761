"""Folders of intermediate results: each is of one run, which several processes share."""

import json
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from megatron_crossic.errors import ConfigError
from megatron_crossic.files import PARTIAL_SUFFIX, unreadable, unwritable

IDENTITY = "identity.json"


OVERWRITE = "Go on with those, remove the folder, or pass --overwrite."


def claim_folder(
    folder: Path, identity: Mapping[str, Any], *, overwrite: bool, advice: str = OVERWRITE
) -> None:
    """Make `folder`, or go on with what a run of the same identity left there.

    One of another run is emptied with `overwrite`; else `ConfigError` ends with `advice`.
    """
    mark = folder / IDENTITY
    ours = json.dumps(identity, indent=1, sort_keys=True, ensure_ascii=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = mark.read_text("utf-8", errors="replace") if mark.exists() else None
        if found is not None and found != ours and overwrite:
            _empty(folder)
            found = None
        if found is None:
            # Under a name of its own: the tasks of an array all begin at the same moment.
            own = folder / f"{uuid.uuid4().hex}{PARTIAL_SUFFIX}"
            own.write_text(ours, "utf-8")
            own.replace(mark)
    except OSError as error:
        raise unwritable(folder, error) from error
    if found is not None and found != ours:
        raise ConfigError(
            f"work folder must be of the same options and input files, got {folder} of another "
            f"run ({_difference(found, ours)}). {advice}"
        )


def _empty(folder: Path) -> None:
    """Remove what is in it, the identity last: who is killed meanwhile leaves nobody's files."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != IDENTITY:
            path.unlink()
    (folder / IDENTITY).unlink()


def file_identities(paths: Iterable[Path]) -> list[list[Any]]:
    """Files told apart by what costs nothing to know: every task would have to read them all."""
    try:
        return [
            [path.name, status.st_size, status.st_mtime_ns]
            for path in paths
            for status in [path.stat()]
        ]
    except OSError as error:
        raise unreadable(Path(str(error.filename)), error) from error


def _difference(found: str, ours: str) -> str:
    try:
        theirs, mine = json.loads(found), json.loads(ours)
        names = [key for key in mine if theirs.get(key) != mine[key]]
    except (ValueError, AttributeError):
        return "its identity is unreadable"
    return "other " + " and ".join(names)

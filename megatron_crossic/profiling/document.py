"""`profile.json`: the points of one profile, and nothing else.

    {"schema_version": 1, "kind": "throughput", "points": [point, ...]}

A point is one configuration. `profiling.point` makes those that were measured; the others have
`name`, `settings`, `status` and `reason`. Every point names versions and devices of its own, so
that results can be put together from several files.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from megatron_crossic.errors import DataError
from megatron_crossic.files import unreadable, write_text_atomically

Point = dict[str, Any]
"""One configuration: measured, or with the reason why not."""
MEASURED = "measured"
SCHEMA_VERSION = 1
PROFILE_FILE = "profile.json"
_KIND = "throughput"


def write_profile(folder: Path, points: Sequence[Point]) -> Path:
    """Write the document into `folder`, whole or not at all."""
    path = folder / PROFILE_FILE
    document = {"schema_version": SCHEMA_VERSION, "kind": _KIND, "points": list(points)}
    write_text_atomically(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


def read_profile(path: Path) -> list[Point]:
    """The points of a document; `path` may be its folder. `DataError` for any other file."""
    if path.is_dir():
        path = path / PROFILE_FILE
    try:
        document: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise DataError(
            f"profile must be JSON, got {path}: {error}. Give a {PROFILE_FILE} written by "
            "profile_throughput.py."
        ) from error
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise DataError(
            f"profile must be one of throughput, got {path}. Give a {PROFILE_FILE} written by "
            "profile_throughput.py."
        )
    if document.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"profile must have schema version {SCHEMA_VERSION}, got "
            f"{document.get('schema_version')} in {path}. Measure again with this version."
        )
    points: list[Point] = document["points"]
    return points


def measured(points: Sequence[Point]) -> list[Point]:
    """Those that have figures."""
    return [point for point in points if point["status"] == MEASURED]

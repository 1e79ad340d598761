"""The work folder of a pair file: the cleaned articles of each segment, until they are paired.

`OUTPUT.work/` holds for each segment its articles and, once they are all there, its account. So
several processes or machines can share the work, and a run that was killed goes on.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from megatron_crossic.data.wikipedia.articles import SegmentAccount
from megatron_crossic.data.wikipedia.options import SideName
from megatron_crossic.data.wikipedia.segments import Segment, dump_segments
from megatron_crossic.data.work_folder import claim_folder
from megatron_crossic.files import beside, write_text_atomically


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One segment to clean."""

    side: SideName
    number: int
    """Among all segments of that side."""
    segment: Segment

    @property
    def name(self) -> str:
        return f"{self.side}-{self.number:05d}"


def plan_tasks(dumps: Mapping[SideName, tuple[Path, ...]]) -> list[Task]:
    """The segments of both sides, in the order of the files."""
    return [
        Task(side=side, number=number, segment=segment)
        for side, paths in dumps.items()
        for number, segment in enumerate(part for path in paths for part in dump_segments(path))
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkFolder:
    """Reads and adds to a work folder."""

    path: Path

    @classmethod
    def open(cls, output: Path, identity: Mapping[str, Any], *, overwrite: bool) -> "WorkFolder":
        """The folder beside `output`, new or as an earlier run of the same identity left it.

        Raises `ConfigError` where it is of another run and `overwrite` is off.
        """
        folder = cls(path=beside(output, ".work"))
        claim_folder(folder.path, identity, overwrite=overwrite)
        return folder

    def articles(self, task: Task) -> Path:
        """Where the articles of a segment are."""
        return self.path / f"{task.name}.jsonl"

    def account(self, task: Task) -> SegmentAccount | None:
        """What came of a segment; None where it is not done."""
        path = self.path / f"{task.name}.json"
        try:
            account = SegmentAccount.from_json(orjson.loads(path.read_bytes()))
            is_whole = self.articles(task).stat().st_size == account.file.num_bytes
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return account if is_whole else None

    def finish(self, task: Task, account: SegmentAccount) -> None:
        """The segment is done."""
        record = orjson.dumps(account.to_json()).decode()
        write_text_atomically(self.path / f"{task.name}.json", record)

    def remove(self) -> None:
        """Nothing of it is needed any more."""
        shutil.rmtree(self.path)

"""The journal of a run: which segments are done, so that a killed run goes on where it was.

`PREFIX.progress.jsonl`, beside the partial files: one line that says which run this is, then one
after each segment with the state of every data set. A line is written when what it describes has
been handed to the system. After a power cut that may be on disk and the data not; then the hashes
in it do not fit and the run starts anew.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from megatron_crossic.data.account import Account
from megatron_crossic.data.writer import WindowWriter, WriterState
from megatron_crossic.files import FileFingerprint, beside, remove_quietly
from megatron_crossic.jsonl import to_json_line


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSetState:
    """One data set after a segment."""

    writer: WriterState
    account: Account
    languages: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunState:
    """Both data sets after a segment."""

    segment: int
    """The last segment that is done."""
    data_sets: Sequence[DataSetState]


class Journal:
    """Reads what an earlier run left and adds to it.

    A context manager: it stays after an error if a segment is done, and goes otherwise.
    """

    def __init__(self, prefix: Path, identity: Mapping[str, Any]) -> None:
        self.path = beside(prefix, ".progress.jsonl")
        self._identity = json.loads(json.dumps(identity))

    def last_state(self) -> RunState | None:
        """Where a run of the same identity was killed; None where there is nothing to go on with.

        The last line may be cut off.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError:
            return None
        records = [value for line in lines if (value := _parse(line)) is not None]
        if len(records) < 2 or records[0] != self._identity:
            return None
        return _state_from_json(records[-1])

    def begin(self) -> None:
        """Forget any earlier run."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(to_json_line(self._identity))

    def add(self, state: RunState) -> None:
        # A line that was cut off by a kill must not run into this one.
        line = b"\n" + to_json_line(_state_to_json(state))
        with self.path.open("ab") as file:
            file.write(line)

    def forget(self, writers: Iterable[WindowWriter]) -> None:
        """Leave nothing behind: another run with these inputs would end the same way."""
        remove_quietly(self.path)
        for writer in writers:
            writer.keep_partial = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or self.last_state() is None:
            remove_quietly(self.path)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _state_to_json(state: RunState) -> dict[str, Any]:
    return {
        "segment": state.segment,
        "data_sets": [
            {
                "writer": dataclasses.asdict(each.writer),
                "account": each.account.to_json(),
                "languages": list(each.languages),
            }
            for each in state.data_sets
        ],
    }


def _state_from_json(record: dict[str, Any]) -> RunState:
    return RunState(
        segment=record["segment"],
        data_sets=[
            DataSetState(
                writer=WriterState(
                    num_windows=each["writer"]["num_windows"],
                    num_pairs=each["writer"]["num_pairs"],
                    files={
                        role: FileFingerprint(**file)
                        for role, file in each["writer"]["files"].items()
                    },
                ),
                account=Account.from_json(each["account"]),
                languages=each["languages"],
            )
            for each in record["data_sets"]
        ],
    )

"""Writes one data set: four data files and a manifest that appear together or not at all.

Everything is written under partial names. `close_files` gives the data files their own names,
`commit` writes the manifest, and only then does the data set open. What is written before a run is
killed can be gone on with: `state` says after each segment how much of each file is good, and a
writer that is given such a state reads that much again, compares its hash and cuts off the rest.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from megatron_crossic.data.indexed import IndexSummary, index_blocks
from megatron_crossic.data.spans import (
    NO_PAIR,
    read_spans,
    write_span_header,
    write_span_table,
)
from megatron_crossic.data.windows import WindowLayout, Windows
from megatron_crossic.errors import DataError
from megatron_crossic.files import (
    PARTIAL_SUFFIX,
    FileFingerprint,
    HashingWriter,
    beside,
    refuse_existing,
    remove_quietly,
    sync_folder,
    unwritable,
)
from megatron_crossic.manifest import (
    Manifest,
    completing,
    is_incomplete,
    manifest_path,
    write_manifest,
)

SUFFIXES = {"bin": ".bin", "idx": ".idx", "spans": ".spans", "pairs": ".pairs.jsonl"}
"""Role in the manifest -> what follows the prefix in the file's name."""

GROWING = ("bin", "spans", "pairs")
"""Files that grow with every segment; the index follows from the number of windows."""

_WINDOWS_AT_ONCE = 1024


def data_set_files(prefix: Path) -> dict[str, Path]:
    """The data files of a data set by their roles in its manifest."""
    return {role: beside(prefix, suffix) for role, suffix in SUFFIXES.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class WriterState:
    """How much of a data set is written."""

    num_windows: int
    num_pairs: int
    files: dict[str, FileFingerprint]
    """Content so far of the growing files, by role."""


class WindowWriter:
    """Context manager around the files of one data set."""

    def __init__(
        self,
        prefix: Path,
        *,
        layout: WindowLayout,
        overwrite: bool = False,
        resume_from: WriterState | None = None,
    ) -> None:
        self.prefix = prefix
        self.layout = layout
        self.num_windows = self.num_pairs = 0
        self.keep_partial = False
        """Whether an error leaves the partial files for the next run to go on with."""
        self._paths = data_set_files(prefix)
        self._manifest_path = manifest_path(prefix)
        refuse_existing(
            *self._paths.values(),
            self._manifest_path,
            overwrite=overwrite or is_incomplete(self._manifest_path),
        )
        self._files = ExitStack()
        self._completion = ExitStack()
        try:
            handles = {role: self._open(path) for role, path in self._paths.items()}
            self._outputs = {role: HashingWriter(file) for role, file in handles.items()}
            if resume_from is not None:
                self._resume(resume_from)
            else:
                for output in self._outputs.values():
                    output.resume(0)
                write_span_header(self._outputs["spans"], seq_length=layout.seq_length)
        except BaseException:
            self._files.close()
            raise

    def _open(self, path: Path) -> BinaryIO:
        partial = beside(path, PARTIAL_SUFFIX)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.touch()
            return self._files.enter_context(partial.open("r+b"))
        except OSError as error:
            raise unwritable(path, error) from error

    def _resume(self, state: WriterState) -> None:
        for role, output in self._outputs.items():
            output.resume(state.files[role].num_bytes if role in GROWING else 0)
        self.num_windows, self.num_pairs = state.num_windows, state.num_pairs
        if self.state() != state:
            raise PartialFilesDiffer(self.prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._completion.__exit__(kind, error, traceback)
        try:
            self._files.close()
        except OSError as failure:  # what was buffered found no room
            error = error or failure
        if error is not None and not self.keep_partial:
            remove_quietly(*(beside(path, PARTIAL_SUFFIX) for path in self._paths.values()))
        if isinstance(error, OSError):
            raise unwritable(self.prefix, error) from error

    def add_windows(self, windows: Windows) -> None:
        """Write windows behind those before them."""
        self._outputs["bin"].write(windows.tokens.data.cast("B") if windows.tokens.size else b"")
        self._outputs["spans"].write(windows.spans.tobytes())
        self.num_windows += len(windows)

    def add_pairs(self, provenance: bytes, *, num_pairs: int) -> None:
        """Write where the next pair ordinals come from, a JSON line each."""
        self._outputs["pairs"].write(provenance)
        self.num_pairs += num_pairs
        if self.num_pairs >= NO_PAIR:
            raise DataError(
                f"a data set must have fewer than {NO_PAIR} pairs, got more for {self.prefix}. "
                "Make several data sets and blend them in training."
            )

    def state(self) -> WriterState:
        """What is written so far."""
        return WriterState(
            num_windows=self.num_windows,
            num_pairs=self.num_pairs,
            files={
                role: self._outputs[role].fingerprint(self._paths[role].name) for role in GROWING
            },
        )

    def written(self) -> Iterator[Windows]:
        """The windows written so far, from the first, some at a time."""
        self.flush()
        stop, length = self.num_windows, self.layout.seq_length
        spans = read_spans(beside(self._paths["spans"], PARTIAL_SUFFIX))
        path = beside(self._paths["bin"], PARTIAL_SUFFIX)
        tokens = np.memmap(path, dtype=self.layout.dtype, mode="r").reshape(-1, length)
        starts = np.append(np.flatnonzero(spans["start"] == 0), len(spans))
        for first in range(0, stop, _WINDOWS_AT_ONCE):
            last = min(first + _WINDOWS_AT_ONCE, stop)
            yield Windows(tokens=tokens[first:last], spans=spans[starts[first] : starts[last]])

    def flush(self) -> None:
        """Hand what is written to the system, so that it is there when this process is killed."""
        for output in self._outputs.values():
            output.flush()

    def close_files(self) -> dict[str, FileFingerprint]:
        """Finish the data files and give them their names; any older manifest goes first."""
        self.flush()
        partial = beside(self._paths["spans"], PARTIAL_SUFFIX)
        write_span_table(self._outputs["spans"], partial, num_windows=self.num_windows)
        summary = IndexSummary(
            num_windows=self.num_windows,
            seq_length=self.layout.seq_length,
            dtype=self.layout.dtype,
        )
        for block in index_blocks(summary):
            self._outputs["idx"].write(block)
        for output in self._outputs.values():
            output.sync()
        self._completion.enter_context(completing(self._manifest_path, *self._paths.values()))
        self._files.close()
        for path in self._paths.values():
            beside(path, PARTIAL_SUFFIX).replace(path)
        sync_folder(self.prefix.parent)
        return {
            role: self._outputs[role].fingerprint(path.name) for role, path in self._paths.items()
        }

    def commit(self, manifest: Manifest) -> None:
        """Write the manifest: from here on the data set opens."""
        write_manifest(self._manifest_path, manifest)


class PartialFilesDiffer(Exception):
    """Partial files are not what was written before: nothing to go on with."""

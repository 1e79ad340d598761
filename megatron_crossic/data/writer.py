"""Writes one data set: five files that appear together or not at all.

Everything is written under partial names. `close_files` gives the data files their own names,
`commit` writes the manifest, and only then does the data set open. Whatever goes wrong before
that (a full disk, Ctrl-C) removes what was written; what a killed run leaves without a manifest
is replaced by the next one.
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from megatron_crossic.data.indexed import IndexSummary, index_blocks
from megatron_crossic.data.records import Pair
from megatron_crossic.data.spans import SpanWriter
from megatron_crossic.data.windows import Window, WindowLayout
from megatron_crossic.files import (
    FileFingerprint,
    HashingWriter,
    atomic_output,
    beside,
    refuse_existing,
)
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.manifest import (
    Manifest,
    completing,
    is_incomplete,
    manifest_path,
    write_manifest,
)

SUFFIXES = {"bin": ".bin", "idx": ".idx", "spans": ".spans", "pairs": ".pairs.jsonl"}
"""Role in the manifest -> what follows the prefix in the file's name."""


def data_set_files(prefix: Path) -> dict[str, Path]:
    """The data files of a data set by their roles in its manifest."""
    return {role: beside(prefix, suffix) for role, suffix in SUFFIXES.items()}


class WindowWriter:
    """Context manager around the files of one data set."""

    def __init__(self, prefix: Path, *, layout: WindowLayout, overwrite: bool = False) -> None:
        self.prefix = prefix
        self.num_windows = 0
        self.layout = layout
        self._paths = data_set_files(prefix)
        self._manifest_path = manifest_path(prefix)
        refuse_existing(
            *self._paths.values(),
            self._manifest_path,
            overwrite=overwrite or is_incomplete(self._manifest_path),
        )
        self._completion = ExitStack()
        with ExitStack() as stack:
            files = {
                role: stack.enter_context(atomic_output(path)) for role, path in self._paths.items()
            }
            self._outputs = {role: HashingWriter(files[role]) for role in ("bin", "idx", "pairs")}
            self._spans = SpanWriter(files["spans"], seq_length=layout.seq_length)
            self._files = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._files.__exit__(kind, error, traceback)
        finally:
            self._completion.__exit__(kind, error, traceback)

    def add_pair(self, pair: Pair) -> None:
        """Write the provenance of the next pair ordinal."""
        self._outputs["pairs"].write(to_json_line(_provenance(pair)))

    def add_window(self, window: Window) -> None:
        self._outputs["bin"].write(window.tokens.tobytes())
        self._spans.add(window.spans)
        self.num_windows += 1

    def close_files(self) -> dict[str, FileFingerprint]:
        """Finish the data files and give them their names; any older manifest goes first."""
        summary = IndexSummary(
            num_windows=self.num_windows,
            seq_length=self.layout.seq_length,
            dtype=self.layout.dtype,
        )
        for block in index_blocks(summary):
            self._outputs["idx"].write(block)
        self._spans.finish()
        outputs = self._outputs | {"spans": self._spans.output}
        for output in outputs.values():
            output.sync()
        self._completion.enter_context(completing(self._manifest_path, *self._paths.values()))
        self._files.close()
        return {role: outputs[role].fingerprint(path.name) for role, path in self._paths.items()}

    def commit(self, manifest: Manifest) -> None:
        """Write the manifest: from here on the data set opens."""
        write_manifest(self._manifest_path, manifest)


def _provenance(pair: Pair) -> dict[str, Any]:
    documents = (pair.source, pair.target)
    return {
        "id": pair.id,
        "origin": pair.origin,
        "score": pair.score,
        "languages": [document.language for document in documents],
        "titles": [document.title for document in documents],
        "provenance": dict(pair.provenance),
    }

"""The files of an index, and which of them are done: several jobs may write here side by side.

    trained.faiss              centroids of lists and codes        + .manifest.json   (ivf)
    part-00003.faiss           a range of the vectors              + .manifest.json   (ivf, hnsw)
    index.manifest.json        comes last: the index is complete

Every manifest has the digest of what the index is of: its plan, the encoder, the shards. A part
also has that of the trained file it was made with.
"""

import dataclasses
import fcntl
import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from megatron_crossic.data.retrieval.index.parts import FaissIndex, write_index, write_part
from megatron_crossic.data.retrieval.index.plan import IndexPlan
from megatron_crossic.data.retrieval.index.vectors import VectorShards
from megatron_crossic.errors import ConfigError
from megatron_crossic.files import PARTIAL_SUFFIX, FileFingerprint, fingerprint_file, remove_quietly
from megatron_crossic.jsonl import to_json_line
from megatron_crossic.manifest import Manifest, manifest_path, read_manifest, write_manifest

KIND = "index"
PART_KIND = "index_part"
TRAINED = "trained"


def identity(plan: IndexPlan, shards: VectorShards, encoder: str) -> dict[str, Any]:
    """What an index is of, as JSON."""
    return {
        "plan": dataclasses.asdict(plan),
        "encoder": encoder,
        "shards": [dataclasses.asdict(shard) for shard in shards.identities()],
    }


class IndexFolder:
    """Finds and writes the files of one index; refuses those of another."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self._digest = hashlib.sha256(to_json_line(identity)).hexdigest()

    def complete(self) -> Manifest | None:
        """The manifest of the whole index, where there is one and all files are as long as said."""
        manifest = self._read(index_manifest_path(self.path), KIND)
        if manifest is None:
            return None
        for file in manifest.files.values():
            path = self.path / file.name
            if not path.is_file() or path.stat().st_size != file.num_bytes:
                return None
        return manifest

    def finish(self, manifest: Manifest) -> Manifest:
        """Write the manifest of the whole index, as returned; remove what killed runs left."""
        path = index_manifest_path(self.path)
        write_manifest(path, self._marked(manifest))
        left = [*self.path.glob(f"*{PARTIAL_SUFFIX}"), *self.path.glob(f"{TRAINED}.*.faiss*")]
        remove_quietly(*left)
        return read_manifest(path, kind=KIND)

    def trained(self) -> FileFingerprint | None:
        """The trained file, if it is there and whole."""
        return self._finished(trained_path(self.path), trained_with="")

    def write_trained(self, index: FaissIndex) -> None:
        """Of jobs that train at the same time, the first one's file stays: all then read that."""
        own = self.path / f"{TRAINED}.{uuid.uuid4().hex}.faiss"
        file = write_index(own, index)
        path = trained_path(self.path)
        self._write_account(own, dataclasses.replace(file, name=path.name), trained_with="")
        with self._alone():  # or one job's file could end up with another's account
            if self.trained():
                remove_quietly(own, manifest_path(own))
            else:
                own.replace(path)
                manifest_path(own).replace(manifest_path(path))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Other jobs wait; the lock ends with its process. Without locks there is no waiting."""
        with (self.path / f"{TRAINED}.lock").open("w") as lock:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def part(self, number: int, *, trained_with: str) -> FileFingerprint | None:
        """A part, if it is there, whole and made with this trained file."""
        return self._finished(part_path(self.path, number), trained_with=trained_with)

    def write_part(self, number: int, index: FaissIndex, *, trained_with: str) -> None:
        path = part_path(self.path, number)
        remove_quietly(manifest_path(path))
        self._write_account(path, write_part(path, index), trained_with=trained_with)

    def _write_account(self, path: Path, file: FileFingerprint, *, trained_with: str) -> None:
        details = {"trained": trained_with}
        account = Manifest(
            kind=PART_KIND, options={}, counts={}, files={PART_KIND: file}, details=details
        )
        write_manifest(manifest_path(path), self._marked(account))

    def _finished(self, path: Path, *, trained_with: str) -> FileFingerprint | None:
        account = self._read(manifest_path(path), PART_KIND)
        if account is None or account.details["trained"] != trained_with or not path.is_file():
            return None
        expected = account.files[PART_KIND]
        same_size = path.stat().st_size == expected.num_bytes
        return expected if same_size and fingerprint_file(path) == expected else None

    def _marked(self, manifest: Manifest) -> Manifest:
        return dataclasses.replace(manifest, details={**manifest.details, "digest": self._digest})

    def _read(self, path: Path, kind: str) -> Manifest | None:
        if not path.is_file():
            return None
        manifest = read_manifest(path, kind=kind)
        if manifest.details.get("digest") != self._digest:
            raise ConfigError(
                "index folder must be empty or hold an index of these vectors, encoder and "
                f"options, got {path.name} of another one in {path.parent}. Remove the folder or "
                "choose another."
            )
        return manifest


def index_manifest_path(folder: Path) -> Path:
    """Of the whole index."""
    return manifest_path(folder / KIND)


def trained_path(folder: Path) -> Path:
    """Centroids of an ivf index."""
    return folder / f"{TRAINED}.faiss"


def part_path(folder: Path, number: int) -> Path:
    """A range of the vectors."""
    return folder / f"part-{number:05d}.faiss"

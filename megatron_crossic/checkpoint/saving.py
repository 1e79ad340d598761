"""Saves the state of a training run: all at once, or beside the steps that follow.

Every rank writes its own shards into a partial folder; when all have written, rank 0 adds what
describes them, gives the folder its name and moves `latest`. A run killed anywhere in between
leaves the previous checkpoint untouched.

    begin   all ranks together: plan; a checkpoint in the background is copied to host memory
    ...     a thread of each rank writes its file; the main thread trains
    finish  all ranks together: waits for the threads, then rank 0 completes the folder
    salvage after an error, when the ranks cannot meet any more: rank 0 completes the folder if
            the store of the job says that every rank has written its file
"""

import pickle
import shutil
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from pathlib import Path

import torch.distributed as dist
from megatron.core import dist_checkpointing

from megatron_crossic.checkpoint.folder import (
    HF_FOLDER,
    CheckpointInfo,
    complete,
    partial_folder,
    remove_old,
    start,
    step_folder,
    write_info,
)
from megatron_crossic.checkpoint.state import (
    FAILURES,
    TrainingState,
    failing_to,
    sharded_state,
    state_pieces,
)
from megatron_crossic.checkpoint.writer import PlannedShards, ShardPlanner, Written
from megatron_crossic.errors import CrossicError

CONFIG_FILE = "config.yaml"
WRITER = "checkpoint writer"
"""Name of the threads that write."""
PATIENCE = timedelta(seconds=10)
"""How long a salvage waits for other ranks after its own file is written: they write as much."""


class Progress(IntEnum):
    """How far a rank is with a checkpoint; the largest over all ranks says what to do."""

    NONE = 0
    """There is none to finish."""
    WRITTEN = 1
    WRITING = 2
    FAILED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What rank 0 puts around the shards of all ranks."""

    root: Path
    """Folder of the run's checkpoints."""
    info: CheckpointInfo
    config_yaml: str
    hf_source: Path
    """The checkpoint whose `hf/` folder is handed on."""
    keep_last: int
    keep_every: int | None = None

    @property
    def partial(self) -> Path:
        """Where the checkpoint is until it is complete."""
        return partial_folder(self.root, self.info.step)

    @property
    def folder(self) -> Path:
        """Where it will be."""
        return step_folder(self.root, self.info.step)

    def complete(self) -> None:
        """Describe the shards, make the folder the latest checkpoint and remove old ones."""
        if (self.hf_source / HF_FOLDER).is_dir():
            shutil.copytree(self.hf_source / HF_FOLDER, self.partial / HF_FOLDER)
        (self.partial / CONFIG_FILE).write_text(self.config_yaml, encoding="utf-8")
        write_info(self.partial, self.info)
        newest = complete(self.root, self.info.step)
        remove_old(newest, keep_last=self.keep_last, keep_every=self.keep_every)


class PendingCheckpoint:
    """A checkpoint that is begun and not complete; see `begin`."""

    def __init__(self, shards: PlannedShards, surroundings: Surroundings) -> None:
        self.step = surroundings.info.step
        self._shards = shards
        self._surroundings = surroundings
        self._written: Future[Written] = Future()
        self._writer: threading.Thread | None = None
        # A connection of the writing thread's own, as the main one may wait for an answer.
        self._store: dist.Store = dist.distributed_c10d._get_default_store().clone()  # type: ignore[attr-defined]

    @property
    def progress(self) -> Progress:
        """How far this rank is."""
        if not self._written.done():
            return Progress.WRITING
        return Progress.FAILED if self._written.exception() else Progress.WRITTEN

    def write(self) -> None:
        """Write this rank's file now."""
        try:
            self._written.set_result(self._shards.write())
        except Exception as error:
            self._written.set_exception(error)  # `finish` raises it, on all ranks

    def write_in_background(self) -> None:
        """Copy this rank's part and let a thread write it."""
        try:
            self._shards.copy()
        except Exception as error:
            self._written.set_exception(error)
        else:
            self._writer = threading.Thread(target=self._write_and_tell, name=WRITER, daemon=True)
            self._writer.start()

    def _write_and_tell(self) -> None:
        self.write()
        if self.progress == Progress.WRITTEN:
            with suppress(RuntimeError):  # only a salvage asks, and without a store there is none
                message = pickle.dumps(self._written.result())
                self._store.set(self._key(dist.get_rank()), message)  # type: ignore[arg-type]

    def finish(self) -> Path:
        """Wait for all ranks and complete the checkpoint; every rank calls this together."""
        with failing_to("save", self._surroundings.partial):
            self._shards.finish(self._written.result, self._surroundings.complete)
        with suppress(RuntimeError):
            self._store.delete_key(self._key(dist.get_rank()))
        return self._surroundings.folder

    def salvage(self) -> str:
        """After an error, complete the checkpoint if every rank has written; returns what happened.

        No collective is called: other ranks may be gone, or wait for this one.
        """
        if self._writer is not None:
            self._writer.join()  # it tells rank 0
        try:
            self._written.result()
            if dist.get_rank() == 0:
                self._shards.write_index(self._others(), seal=self._surroundings.complete)
        except (*FAILURES, CrossicError) as error:
            if dist.get_rank() == 0:
                shutil.rmtree(self._surroundings.partial, ignore_errors=True)
            return f"left out the checkpoint of step {self.step}: {str(error).splitlines()[0]}"
        return f"saved {self._surroundings.folder}"

    def _others(self) -> list[Written]:
        keys = [self._key(rank) for rank in range(dist.get_world_size())]
        self._store.wait(keys, PATIENCE)
        return [pickle.loads(self._store.get(key)) for key in keys]

    def _key(self, rank: int) -> str:
        return f"crossic/checkpoint/{self.step}/{rank}"


def begin(
    state: TrainingState, surroundings: Surroundings, *, background: bool
) -> PendingCheckpoint:
    """Begin a checkpoint of the state as it is now; every rank calls this together.

    Without `background` it is written when this returns. Either way `finish` completes it, and no
    other may be begun before.
    """
    folder = surroundings.partial
    with failing_to("save", folder):
        if dist.get_rank() == 0:
            start(surroundings.root, surroundings.info.step)
        dist.barrier()
        planner = ShardPlanner(state_pieces(state, saving=True))
        dist_checkpointing.save(sharded_state(state), str(folder), sharded_strategy=planner)
    pending = PendingCheckpoint(planner.shards, surroundings)
    if background:
        pending.write_in_background()
    else:
        pending.write()
    return pending

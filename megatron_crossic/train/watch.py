"""Ends a run that hangs, with a message that names the rank the others wait for.

Every rank counts the places it passes (reading windows, computing, updating …). A thread beside it
tells the job's key-value store how far the rank is, and that it is alive. Where a rank stays at one
place too long, it reads what all have told: who is furthest behind is who the others wait for.

    rank 0   beats 812, place 95: step 7, update
    rank 1   beats 812, place 93: step 7, reading windows        <- this one

Saving and loading are not watched: they take what the disks take.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import torch.distributed as dist

from megatron_crossic.outcome import tell_outcome

EXIT_CODE = 1
_KEY = "crossic/watch"
_BEATS = 10
"""Signs of life within one timeout."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """What a rank last told about itself."""

    beats: int
    """Grows while the process lives."""
    number: int
    """Places passed; the same on ranks that are equally far."""
    place: str

    def encode(self) -> str:
        return f"{self.beats} {self.number} {self.place}"


def decode(text: bytes) -> Sign:
    """What `Sign.encode` made."""
    beats, number, place = text.decode("utf-8").split(" ", 2)
    return Sign(beats=int(beats), number=int(number), place=place)


class Watch:
    """Where this rank is; use `watching`."""

    def __init__(self) -> None:
        self.number = 0
        self.place = ""
        """Empty while nothing is watched."""
        self.since = time.monotonic()

    def at(self, place: str) -> None:
        """This rank has come as far as `place`."""
        self.since = time.monotonic()
        self.number += 1
        self.place = place

    def rest(self) -> None:
        """What comes next may take any time."""
        self.at("")


@contextmanager
def watching(*, minutes: float) -> Iterator[Watch]:
    """Watch until the end of the context; the process group must be joined."""
    watch = Watch()
    end = threading.Event()
    watcher = _Watcher(watch, seconds=60 * minutes)
    # Two threads, each with a connection of its own: one that waits for an answer of a broken store
    # must not keep the other from ending the job.
    threads = [threading.Thread(target=job, args=(end,), daemon=True) for job in watcher.jobs()]
    for thread in threads:
        thread.start()
    try:
        yield watch
    finally:
        end.set()


class _Watcher:
    """The side of the threads."""

    def __init__(self, watch: Watch, *, seconds: float) -> None:
        self._watch = watch
        self._seconds = seconds
        self._beat = seconds / _BEATS
        self._rank = dist.get_rank()
        self._world_size = dist.get_world_size()

    def jobs(self) -> tuple[Callable[[threading.Event], None], ...]:
        """What each thread does until the event."""
        return partial(self._tell, store=_connect()), partial(self._look, store=_connect())

    def _tell(self, end: threading.Event, *, store: dist.Store) -> None:
        beats = 0
        with suppress(RuntimeError):  # the job is ending, or its first host is gone
            while True:
                sign = Sign(beats=beats, number=self._watch.number, place=self._watch.place)
                store.set(f"{_KEY}/{self._rank}", sign.encode())
                beats += 1
                if end.wait(self._beat):
                    break

    def _look(self, end: threading.Event, *, store: dist.Store) -> None:
        while not end.wait(self._beat):
            if self._watch.place and time.monotonic() - self._watch.since > self._seconds:
                timer = threading.Timer(5 * self._beat + 5, self._end, ["rank 0 does not answer"])
                timer.start()
                with suppress(RuntimeError):
                    self._end(self._report(store))
                timer.join()

    def _report(self, store: dist.Store) -> str:
        """What two rounds of signs say; empty where another rank has had the time to say it."""
        if store.add(f"{_KEY}/reported", 1) > 1:
            time.sleep(5 * self._beat)  # if this rank ended first, the other would be ended too
            return ""
        before = self._signs(store)
        time.sleep(2.5 * self._beat)
        return who_is_waited_for(before, self._signs(store))

    def _signs(self, store: dist.Store) -> list[Sign]:
        return [decode(store.get(f"{_KEY}/{rank}")) for rank in range(self._world_size)]

    def _end(self, found: str) -> None:
        """End the process: its main thread is in a call that does not return."""
        if found:
            message = (
                f"every rank must get on within recovery.timeout_minutes, got rank "
                f"{self._rank} at {self._watch.place!r} for {self._seconds:g} s; {found}. "
                "Start the same command again: it goes on from the last checkpoint."
            )
            tell_outcome("crash", message, exit_code=EXIT_CODE)
            sys.stderr.write(f"error: {message}\n")
            sys.stderr.flush()
        os._exit(EXIT_CODE)


def _connect() -> dist.Store:
    """Another connection to the store through which the ranks have found each other."""
    store: dist.Store = dist.distributed_c10d._get_default_store().clone()  # type: ignore[attr-defined]
    return store


def who_is_waited_for(before: Sequence[Sign], after: Sequence[Sign]) -> str:
    """Name the ranks that the others wait for, from two rounds of signs of all ranks.

    A rank without a new sign is dead or stopped.
    """
    silent = [
        rank
        for rank, (old, new) in enumerate(zip(before, after, strict=True))
        if old.beats == new.beats
    ]
    if silent:
        return f"no sign of life from rank {_listed(silent)}, last {_where(after[silent[0]])}"
    furthest_behind = min(sign.number for sign in after)
    late = [rank for rank, sign in enumerate(after) if sign.number == furthest_behind]
    if len(late) == len(after):
        return "all ranks are there and the communication between them hangs"
    return f"it waits for rank {_listed(late)} {_where(after[late[0]])}"


def _where(sign: Sign) -> str:
    return f"at {sign.place!r}" if sign.place else "between steps"


def _listed(ranks: Sequence[int]) -> str:
    shown = ", ".join(map(str, ranks[:8]))
    return shown if len(ranks) <= 8 else f"{shown} and {len(ranks) - 8} more"

"""Where the ranks of a check meet: a store of keys that knows who came, before any collective.

Rank 0 gives orders, one after the other; the others carry them out and answer. Whoever does not
answer in time is known by name, which no collective could tell.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import torch.distributed as dist

_PAUSE = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Which rank this is, and where rank 0 is."""

    rank: int
    world_size: int
    host: str
    port: int
    agent: bool
    """Whether torchrun keeps the store, and not rank 0."""


def find_place(environment: Mapping[str, str] = os.environ) -> Place:
    """From the environment, as for training; alone without one."""
    return Place(
        rank=int(environment.get("RANK", "0")),
        world_size=int(environment.get("WORLD_SIZE", "1")),
        host=environment.get("MASTER_ADDR", "127.0.0.1"),
        port=int(environment.get("MASTER_PORT", "0")) if "RANK" in environment else 0,
        agent=environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
    )


class Meeting:
    """The store, seen by one rank."""

    def __init__(self, place: Place, *, seconds: float) -> None:
        """Come; `DistStoreError` or `DistNetworkError` where rank 0 is not there in time."""
        self.place = place
        timeout = timedelta(seconds=seconds)
        hosts = place.rank == 0 and not place.agent
        self._root = dist.TCPStore(
            place.host, place.port, is_master=hosts, wait_for_workers=False, timeout=timeout
        )
        # A second connection: a collective that hangs must not keep this one busy.
        second = dist.TCPStore(
            place.host, self._root.port, is_master=False, wait_for_workers=False, timeout=timeout
        )
        self._store = dist.PrefixStore("check", self._root)
        self._second = second

    def group_store(self, name: str) -> dist.Store:
        """Where the members of a process group find each other."""
        return dist.PrefixStore(f"groups/{name}", self._second)

    def tell(self, topic: str, answer: bytes) -> None:
        """Answer for this rank."""
        self._store.set(f"{topic}/{self.place.rank}", answer.decode("utf-8"))

    def hear(self, topic: str, ranks: Sequence[int], *, seconds: float) -> dict[int, bytes]:
        """The answers that are there before the time is up."""
        deadline = time.monotonic() + seconds
        found: dict[int, bytes] = {}
        while True:
            for rank in ranks:
                if rank not in found and self._store.check([f"{topic}/{rank}"]):
                    found[rank] = self._store.get(f"{topic}/{rank}")
            if len(found) == len(ranks) or time.monotonic() > deadline:
                return found
            time.sleep(_PAUSE)

    def order(self, number: int, order: Mapping[str, Any]) -> None:
        """Rank 0 says what is next."""
        self._store.set(f"order/{number}", orjson.dumps(order).decode("utf-8"))

    def next_order(self, number: int, *, seconds: float) -> dict[str, Any]:
        """What rank 0 says; an error where it says nothing any more."""
        self._store.wait([f"order/{number}"], timedelta(seconds=seconds))
        order: dict[str, Any] = orjson.loads(self._store.get(f"order/{number}"))
        return order

"""Whether the checkpoints of a run find room."""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from megatron_crossic.checkpoint.folder import complete_steps
from megatron_crossic.checkpoint.size import checkpoint_bytes
from megatron_crossic.config import RunConfig
from megatron_crossic.train.plan import RunPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Checkpoints that will be there at once, and the room for them."""

    each: int
    """Bytes of one."""
    number: int
    there: int
    """Checkpoints the run has already; their room is used again, or they stay as kept ones."""
    free: int

    @property
    def needed(self) -> int:
        """Bytes still to be found."""
        return self.each * max(0, self.number - self.there)


def num_kept(config: RunConfig) -> int:
    """The last ones, the one being written, and those that `keep_every` keeps.

    100 steps, saved every 10, with keep_last 2 and keep_every 25: 3 + those of steps 50 and 100.
    """
    checkpoint = config.checkpoint
    kept = checkpoint.keep_last + 1
    if checkpoint.keep_every is not None:
        kept += config.last_step // math.lcm(checkpoint.interval, checkpoint.keep_every)
    return kept


def room(plan: RunPlan) -> Room:
    """What the run needs and has, in the file system of its folder."""
    folder = plan.checkpoints.absolute()
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    return Room(
        each=checkpoint_bytes(plan.architecture, plan.config),
        number=num_kept(plan.config),
        there=len(complete_steps(plan.checkpoints)),
        free=shutil.disk_usage(existing).free,
    )


def disk_row(plan: RunPlan) -> str:
    """`4 checkpoints of 20.00 GiB = 80.00 GiB, …`."""
    found = room(plan)
    checkpoint = plan.config.checkpoint
    every = "" if checkpoint.keep_every is None else f", keep_every {checkpoint.keep_every}"
    there = f", {found.there} are there" if found.there else ""
    return (
        f"{found.number} checkpoints of {_gib(found.each)} = {_gib(found.number * found.each)} "
        f"(keep_last {checkpoint.keep_last}{every}, one being written{there}); "
        f"{_gib(found.free)} free, a quota not counted"
    )


def disk_problems(plan: RunPlan) -> list[str]:
    """Too little room."""
    return room_problems(room(plan), plan.config.run_dir)


def room_problems(found: Room, run_dir: Path) -> list[str]:
    """The same for any figures."""
    if found.needed <= found.free:
        return []
    return [
        f"run_dir must have room for its checkpoints, got {_gib(found.free)} free in {run_dir} for "
        f"{found.number - found.there} of {_gib(found.each)}. Free some space, lower "
        "checkpoint.keep_last, raise checkpoint.keep_every, or choose another run_dir."
    ]


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:,.2f} GiB"

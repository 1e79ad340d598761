"""Runs of the groups too large for one window, chosen so that windows come out full.

A pair of many windows is a sequence of pieces, and which of the cuts between them are used is free.
To take as much as fits leaves every window half a piece short, 1.5 % at 4,096 tokens, and far more
where paragraphs are long. So a window may hold a run of one pair and a shorter run of another:
among a dozen pairs there is one that fills it almost exactly.

Example, windows of 10, pieces of A 5 2 4 …, of B 4 5 …, of C 3 3 …, a SPLIT after each run: A alone
takes 5 + 2 and its SPLIT, 8 of 10. With one piece less it leaves 4, which C's 3 and its SPLIT fill.

The four constants are our choice. On real pairs in four languages padding comes out below the
tolerance, at 0.2 to 0.45 % for windows of 2,048 to 8,192 tokens (cutting to the fewest chunks first
left 0.5 to 8 %); the price is 1.05 to 1.5 times as many chunks a pair, 3 to 14 % smaller where the
average token is. At most 200 look-ups a window: under 0.1 ms. A segment of few windows ends in one
that is partly empty, which nothing can fill.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from megatron_crossic.data.pieces import Pieces

TOLERANCE = 200
"""A window with less room than this part of it counts as full."""

SMALLEST = 32
"""A run is not cut to less than this part of a window."""

OPTIONS = 3
"""Cuts that are tried for the run a window begins with, the furthest first."""

COMPANIONS = 48
"""Groups that are asked, for each of these cuts, for a run that fills the rest."""


@dataclass(kw_only=True, slots=True, eq=False)
class Group:
    """What is left of a group: the pieces `first` to `stop`."""

    first: int
    stop: int


@dataclass(kw_only=True, slots=True, eq=False)
class Window:
    """A window while it is filled."""

    room: int
    runs: list[tuple[int, int]] = field(default_factory=list)
    """(first piece, stop) of each run."""
    guests: list[Group] = field(default_factory=list)
    """The large groups it has a run of; never two runs of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fit:
    """A run of a group up to `stop`, and the room it leaves."""

    group: Group
    stop: int
    left: int


class Filling:
    """Fills windows with large groups until nothing is left of them."""

    def __init__(self, pieces: Pieces, *, capacity: int) -> None:
        self._pieces = pieces
        self._capacity = capacity
        self._tolerance = capacity // TOLERANCE
        self._smallest = capacity // SMALLEST
        self._waiting: deque[Group] = deque()
        self._opened: list[Window] = []

    def fill(self, windows: Sequence[Window], groups: Sequence[Group]) -> list[Window]:
        """Use `groups` up, first in the room of `windows`; returns the windows opened for them.

        The group with most left is always next to begin a window, so that until the end there are
        others to go with it.
        """
        for group in groups:
            self._take_exact(group)
        self._waiting.extend(groups)
        for window in sorted(windows, key=lambda window: -window.room):
            self._top_up(window)
        queue = [(-self._left(group), order) for order, group in enumerate(groups)]
        heapq.heapify(queue)
        while queue:
            known, order = heapq.heappop(queue)
            if known and known == -self._left(groups[order]):
                self._begin(groups[order])
            if left := self._left(groups[order]):
                heapq.heappush(queue, (-left, order))
        return self._opened

    def _left(self, group: Group) -> int:
        return self._pieces.num_tokens(group.first, group.stop)

    def _begin(self, group: Group) -> None:
        """Open a window that begins with a run of this group."""
        window = self._open()
        stop, left = self._pieces.furthest(group.first, group.stop, window.room)
        companion: _Fit | None = None
        if stop < group.stop:
            for earlier in range(stop, max(group.first, stop - OPTIONS), -1):
                room = self._pieces.furthest(group.first, earlier, window.room)[1]
                found = self._companion(room, guests=[group])
                if found and found.left < left:
                    companion, stop, left = found, earlier, found.left
                if left <= self._tolerance:
                    break
        self._put(window, group, stop)
        if companion:
            self._put(window, companion.group, companion.stop)
        self._top_up(window)

    def _open(self) -> Window:
        window = Window(room=self._capacity)
        self._opened.append(window)
        return window

    def _top_up(self, window: Window) -> None:
        """Add runs of further groups as long as there is room for one."""
        while found := self._companion(window.room, guests=window.guests):
            self._put(window, found.group, found.stop)

    def _companion(self, room: int, *, guests: Sequence[Group]) -> _Fit | None:
        """The run that fills `room` best among the next groups; the first that is good enough."""
        best: _Fit | None = None
        for _ in range(min(COMPANIONS, len(self._waiting)) if room >= self._smallest else 0):
            group = self._waiting.popleft()
            if group.first == group.stop:
                continue
            self._waiting.append(group)
            stop, left = self._pieces.furthest(group.first, group.stop, room)
            if (best and left >= best.left) or group in guests or not self._is_run(group, stop):
                continue
            best = _Fit(group=group, stop=stop, left=left)
            if left <= self._tolerance:
                break
        return best

    def _is_run(self, group: Group, stop: int) -> bool:
        """Whether neither the run nor what is left is a crumb; all that is left is always fine."""
        if stop in (group.first, group.stop):
            return stop > group.first
        run = self._pieces.num_tokens(group.first, stop)
        return min(run, self._left(group) - run) >= self._smallest

    def _put(self, window: Window, group: Group, stop: int) -> None:
        window.room = self._pieces.furthest(group.first, stop, window.room)[1]
        window.runs.append((group.first, stop))
        window.guests.append(group)
        group.first = stop
        self._take_exact(group)

    def _take_exact(self, group: Group) -> None:
        """Open windows for this group alone as long as its pieces happen to fill them."""
        while group.first < group.stop:
            stop, left = self._pieces.furthest(group.first, group.stop, self._capacity)
            if left > self._tolerance:
                return
            window = self._open()
            window.runs.append((group.first, stop))
            window.room = left
            group.first = stop

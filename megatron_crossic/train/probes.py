"""Probe windows: the same target text after its own source, after another's, and after none.

    paired   BOS own source     target PAD
    random   BOS other source   target PAD
    alone    BOS target         PAD

They are made from chunks of held-out windows. In each chunk the text that comes first is the
context and the later one is measured, so a data set in mode `reversed` measures sources after their
targets: a direction is called `es after en`, whatever the roles. A chunk of several targets makes a
probe for each. Texts laid down paragraph by paragraph are joined again.

One chunk a pair is used, the first that is seen. The chunks of a direction, ordered by the length
of their contexts, each borrow the context of the next one, and the last that of the first: another
pair's, about as long. Where it does not fit it loses its beginning.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.spans import NO_CHUNK, NO_PAIR, Role
from megatron_crossic.train.dataset import Window, WindowData

Case = Literal["paired", "random", "alone"]
CASES: tuple[Case, ...] = get_args(Case)
WINDOWS_PER_CHUNK = 16
"""Held-out windows looked at for each chunk asked for: 4,096 for 256, a second's work."""
_SEED = 1
"""Of the choice of chunks; not an option, so that runs which differ in their seeds compare."""

Tokens = NDArray[np.integer]
Direction = tuple[int, int]
"""Languages of context and measured text, by number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A chunk as context and measured text, with the context of another pair."""

    direction: int
    bos: Tokens  # [0 or 1]
    context: Tokens
    other_context: Tokens
    measured: Tokens


class ProbeWindows:
    """The windows of one case, made when they are read."""

    def __init__(
        self, probes: Sequence[Probe], case: Case, *, num_directions: int, seq_length: int
    ) -> None:
        self._probes = probes
        self._case = case
        self._num_directions = num_directions
        self._seq_length = seq_length

    def __len__(self) -> int:
        return len(self._probes)

    def __getitem__(self, index: int) -> Window:
        """The measured text has role TARGET and the direction in place of a language.

        Nothing comes before the first token of a window to predict it from. So without BOS the
        first token that is measured would have a loss in two cases of three, and has it in none.
        """
        probe = self._probes[index]
        contexts = {"paired": probe.context, "random": probe.other_context}
        context = contexts.get(self._case, probe.context[:0])
        room = self._seq_length - len(probe.bos) - len(probe.measured)
        context = context[max(0, len(context) - room) :]
        text = np.concatenate([probe.bos, context, probe.measured])
        tokens = np.zeros(self._seq_length, dtype=np.int64)
        tokens[: len(text)] = text
        seen = len(context) + 1  # BOS, or the first token that is measured
        none = self._num_directions
        return Window(
            tokens=tokens,
            lengths=np.array([seen, len(text) - seen, self._seq_length - len(text)]),
            roles=np.array([Role.SOURCE, Role.TARGET, Role.PAD]),
            languages=np.array([none, probe.direction, none], dtype=np.int32),
            chunks=np.array([0, 0, NO_CHUNK]),
            pairs=np.array([0, 0, NO_PAIR]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Probes:
    """The windows of all cases; the same chunks in the same order in each."""

    directions: tuple[str, ...]
    windows: Mapping[Case, ProbeWindows]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chunk:
    """Two texts of a chunk, the context first."""

    bos: Tokens
    context: Tokens
    measured: Tokens


def make_probes(
    data: WindowData, languages: Sequence[str], *, num_chunks: int, seq_length: int
) -> Probes | None:
    """Probes of at most `num_chunks` chunks, divided evenly among the directions.

    None where no direction has two pairs, as in data sets of single documents.
    """
    chunks = _find_chunks(data, num_chunks)
    several = (direction for direction, found in chunks.items() if len(found) > 1)
    largest = sorted(several, key=lambda direction: (-len(chunks[direction]), direction))
    directions = sorted(largest[: num_chunks // 2])
    if not directions:
        return None
    share = num_chunks // len(directions)
    probes = [
        probe
        for number, direction in enumerate(directions)
        for probe in _with_partners(_choose(chunks[direction], share), number)
    ]
    return Probes(
        directions=tuple(
            f"{languages[last]} after {languages[first]}" for first, last in directions
        ),
        windows={
            case: ProbeWindows(probes, case, num_directions=len(directions), seq_length=seq_length)
            for case in CASES
        },
    )


def _find_chunks(data: WindowData, num_chunks: int) -> dict[Direction, list[_Chunk]]:
    """The first chunk of each pair in each direction, from windows all over the data sets."""
    found: dict[Direction, dict[tuple[int, int], _Chunk]] = defaultdict(dict)
    num_windows = min(len(data), WINDOWS_PER_CHUNK * num_chunks)
    for index in np.linspace(0, len(data) - 1, num_windows).astype(np.int64).tolist():
        number, _ = data.place(index)
        for pair, direction, chunk in _chunks_of(data[index]):
            found[direction].setdefault((number, pair), chunk)
    return {direction: list(chunks.values()) for direction, chunks in found.items()}


def _chunks_of(window: Window) -> Iterator[tuple[int, Direction, _Chunk]]:
    """Every source and target of a chunk of the window, as (pair, direction, chunk)."""
    ends = np.cumsum(window.lengths)
    bos = window.tokens[: int(window.roles[0] == Role.BOS)]
    texts: dict[int, dict[tuple[int, int], list[Tokens]]] = defaultdict(dict)
    pairs: dict[int, int] = {}
    for span in np.flatnonzero(np.isin(window.roles, (Role.SOURCE, Role.TARGET))).tolist():
        side = (int(window.roles[span]), int(window.languages[span]))
        tokens = window.tokens[ends[span] - window.lengths[span] : ends[span]]
        texts[int(window.chunks[span])].setdefault(side, []).append(tokens)
        pairs[int(window.chunks[span])] = int(window.pairs[span])
    for number, sides in texts.items():
        joined = [(*side, np.concatenate(parts)) for side, parts in sides.items()]
        for i, (role, language, context) in enumerate(joined):
            for other_role, other, measured in joined[i + 1 :]:
                if role != other_role:  # two targets of one source are no pair
                    chunk = _Chunk(bos=bos, context=context, measured=measured)
                    yield pairs[number], (language, other), chunk


def _choose(chunks: Sequence[_Chunk], num_chunks: int) -> list[_Chunk]:
    """Some of the chunks, by a fixed seed."""
    order = np.random.default_rng(_SEED).permutation(len(chunks))
    return [chunks[i] for i in order[:num_chunks].tolist()]


def _with_partners(chunks: Sequence[_Chunk], direction: int) -> list[Probe]:
    """Each chunk with the context of the one whose context is next longer."""
    ordered = sorted(chunks, key=lambda chunk: len(chunk.context))
    return [
        Probe(
            direction=direction,
            bos=chunk.bos,
            context=chunk.context,
            other_context=other.context,
            measured=chunk.measured,
        )
        for chunk, other in zip(ordered, [*ordered[1:], ordered[0]], strict=True)
    ]

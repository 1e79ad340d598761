"""Encoded pairs become chunks: the sides of each group cut together, laid down in their order."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.account import Account
from megatron_crossic.data.chunk_batch import ChunkBatch, ChunkBatchBuilder
from megatron_crossic.data.chunks import Refined, aligned_cuts, cut_together, refine
from megatron_crossic.data.modes import MODES, Group
from megatron_crossic.data.records import Pair
from megatron_crossic.data.sides import EncodedPair, Side
from megatron_crossic.data.spans import Role
from megatron_crossic.jsonl import to_json_line

Granularity = Literal["chunk", "paragraph"]

Part = tuple[NDArray[np.int32], int, Role]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkRules:
    """How groups become chunks."""

    mode: str
    granularity: Granularity
    """Inside a chunk: a block of each language, or paragraphs that belong together in turn."""
    budget: int
    """Tokens a chunk may have, without its SPLIT."""
    split_id: int
    dtype: np.dtype[Any]


def pairs_to_chunks(
    pairs: Iterable[EncodedPair], account: Account, *, rules: ChunkRules
) -> ChunkBatch:
    """The chunks of some pairs; sides the mode leaves out are accounted for."""
    builder = ChunkBatchBuilder(split_id=rules.split_id, dtype=rules.dtype)
    to_groups = MODES[rules.mode]
    for pair in pairs:
        groups = to_groups(pair.sides)
        used = sum(side.num_tokens for group in groups for side in group.sides)
        account.drop_tokens("side_not_in_mode", pair.num_tokens - used)
        account.pairs_kept += 1
        builder.begin_pair(to_json_line(_provenance(pair.pair)))
        for group in groups:
            builder.begin_group(group.document)
            _add_group(builder, group, rules=rules, pair_id=pair.pair.id)
    account.chunks += builder.num_chunks
    return builder.build()


def _add_group(
    builder: ChunkBatchBuilder, group: Group, *, rules: ChunkRules, pair_id: str
) -> None:
    """Cut the sides of a group together, then lay the parts down in the group's order."""
    sides, columns = group.sides, list(group.order)
    outlines = [side.outline() for side in sides]
    cuts = cut_together(outlines, budget=rules.budget)
    pieces = Refined(cuts=cuts, bounds=np.arange(len(cuts)))
    if rules.granularity == "paragraph" and len(sides) > 1:
        pieces = refine(cuts, aligned_cuts(outlines))
    languages = [builder.language(side.language) for side in sides]
    turned = group.alternating and zlib.crc32(pair_id.encode()) % 2 == 1
    rows = pieces.cuts.tolist()
    for first, last in pairwise(pieces.bounds.tolist()):
        order = columns[::-1] if turned else columns
        turned = group.alternating and not turned
        builder.add_chunk(_parts(sides, languages, order, rows[first : last + 1]))


def _parts(
    sides: Sequence[Side], languages: Sequence[int], order: Sequence[int], cuts: list[list[int]]
) -> list[Part]:
    return [
        (sides[i].tokens[start[i] : end[i]], languages[i], sides[i].role)
        for start, end in pairwise(cuts)
        for i in order
        if end[i] > start[i]
    ]


def _provenance(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "origin": pair.origin,
        "score": pair.score,
        "languages": [document.language for document in pair.documents],
        "titles": [document.title for document in pair.documents],
        "provenance": dict(pair.provenance),
    }

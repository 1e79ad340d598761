"""Encoded pairs become groups of pieces: the sides of each cut together."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from megatron_crossic.data.account import Account
from megatron_crossic.data.batch import ALTERNATING, TURNED, Batch, BatchBuilder, GroupSide
from megatron_crossic.data.chunks import aligned_cuts, atom_cuts, min_budget, refine
from megatron_crossic.data.modes import MODES, Group
from megatron_crossic.data.records import Pair
from megatron_crossic.data.sides import EncodedPair
from megatron_crossic.errors import ConfigError
from megatron_crossic.jsonl import to_json_line

Granularity = Literal["chunk", "paragraph"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CutRules:
    """How pairs are cut."""

    mode: str
    granularity: Granularity
    """Inside a chunk: a block of each language, or paragraphs that belong together in turn."""
    budget: int
    """Tokens a chunk may have, without its SPLIT."""
    dtype: np.dtype[Any]
    """Of tokens on disk."""


def cut_pairs(pairs: Iterable[EncodedPair], account: Account, *, rules: CutRules) -> Batch:
    """The pieces of some pairs; sides the mode leaves out are accounted for."""
    builder = BatchBuilder(dtype=rules.dtype)
    to_groups = MODES[rules.mode]
    for pair in pairs:
        groups = to_groups(pair.sides)
        used = sum(side.num_tokens for group in groups for side in group.sides)
        account.drop_tokens("side_not_in_mode", pair.num_tokens - used)
        account.pairs_kept += 1
        builder.begin_pair(to_json_line(_provenance(pair.pair)))
        for group in groups:
            _add_group(builder, group, rules=rules, pair_id=pair.pair.id)
    return builder.build()


def _add_group(builder: BatchBuilder, group: Group, *, rules: CutRules, pair_id: str) -> None:
    if rules.budget < min_budget(len(group.sides)):
        raise ConfigError(
            f"chunks must have room for {min_budget(len(group.sides))} tokens where "
            f"{len(group.sides)} documents share one, got {rules.budget} for {pair_id!r}. "
            "Raise --seq-length or --max-chunk-tokens."
        )
    outlines = [side.outline() for side in group.sides]
    cuts = atom_cuts(outlines, budget=rules.budget)
    piece_rows = np.arange(len(cuts) - 1)
    if rules.granularity == "paragraph" and len(outlines) > 1:
        refined = refine(cuts, aligned_cuts(outlines))
        cuts, piece_rows = refined.cuts, refined.bounds[:-1]
    order = group.order
    if order >= ALTERNATING and zlib.crc32(pair_id.encode()) % 2:
        order += TURNED  # which direction a pair begins with is anybody's guess
    builder.add_group(
        [
            GroupSide(tokens=side.tokens, language=side.language, role=side.role)
            for side in group.sides
        ],
        cuts=cuts,
        piece_rows=piece_rows,
        order=order,
        document=group.document,
    )


def _provenance(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "origin": pair.origin,
        "score": pair.score,
        "languages": [document.language for document in pair.documents],
        "titles": [document.title for document in pair.documents],
        "provenance": dict(pair.provenance),
    }

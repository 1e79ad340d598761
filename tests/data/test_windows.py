from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_windows import joined

from megatron_crossic.data.batch import (
    Batch,
    BatchBuilder,
    GroupSide,
    LanguageTable,
    join_batches,
    ranges,
)
from megatron_crossic.data.lanes import lane_order
from megatron_crossic.data.spans import NO_CHUNK, NO_LANGUAGE, NO_PAIR, Role
from megatron_crossic.data.windows import WindowLayout, Windows, make_windows
from megatron_crossic.errors import DataError

SPLIT, PAD = 2, 3
NONE = (NO_CHUNK, NO_PAIR, NO_LANGUAGE)


def layout(*, bos_id: int | None = 1) -> WindowLayout:
    return WindowLayout(
        seq_length=12, bos_id=bos_id, split_id=SPLIT, pad_id=PAD, dtype=np.dtype(np.uint16)
    )


def batch_of(
    pairs: Sequence[Sequence[tuple[int, int]]], *, languages: str = "en es", apart: bool = False
) -> Batch:
    """Pairs of (source, target) pieces; tokens are 10, 11, … and 50, 51, … in each side.

    `apart`: a group a document.
    """
    builder = BatchBuilder(dtype=np.dtype(np.uint16))
    for number, pieces in enumerate(pairs):
        builder.begin_pair(b"%d\n" % number)
        cuts = np.cumsum([(0, 0), *pieces], axis=0)
        sides = [
            GroupSide(
                tokens=np.arange(first, first + size, dtype=np.int32), language=language, role=role
            )
            for first, size, language, role in zip(
                (10, 50),
                cuts[-1].tolist(),
                languages.split(),
                (Role.SOURCE, Role.TARGET),
                strict=True,
            )
        ]
        rows = np.arange(len(pieces))
        if not apart:
            builder.add_group(sides, cuts=cuts, piece_rows=rows)
        for i, side in enumerate(sides if apart else []):
            builder.add_group([side], cuts=cuts[:, i : i + 1], piece_rows=rows, document=i)
    return builder.build()


def windows_of(batch: Batch, chosen: WindowLayout | None = None, **options: Any) -> Windows:
    chosen = chosen or layout()
    parts = make_windows(batch, chosen, largest=chosen.budget, **options)
    return joined(parts, seq_length=chosen.seq_length)


def test_the_layout_of_a_window() -> None:
    batch = batch_of([[(2, 3)], [(1, 0)]])
    windows = windows_of(batch, assembly="split_aware", first_pair=7)
    assert windows.tokens.tolist() == [[1, 10, 11, 50, 51, 52, 2, 10, 2, 3, 3, 3]]
    assert windows.tokens.dtype == np.uint16
    assert windows.spans.tolist() == [
        (0, 1, *NONE, Role.BOS),
        (1, 2, 0, 7, 0, Role.SOURCE),
        (3, 3, 0, 7, 1, Role.TARGET),
        (6, 1, 0, 7, NO_LANGUAGE, Role.SPLIT),
        (7, 1, 1, 8, 0, Role.SOURCE),
        (8, 1, 1, 8, NO_LANGUAGE, Role.SPLIT),
        (9, 3, *NONE, Role.PAD),
    ]


def test_a_full_window_without_bos_has_neither_bos_nor_padding() -> None:
    windows = windows_of(batch_of([[(11, 0)]]), layout(bos_id=None), assembly="best_fit")
    assert windows.tokens.tolist() == [[*range(10, 21), 2]]
    assert [row[-1] for row in windows.spans.tolist()] == [Role.SOURCE, Role.SPLIT]


def test_what_fits() -> None:
    assert (layout().capacity, layout().budget) == (11, 10)
    assert (layout(bos_id=None).capacity, layout(bos_id=None).budget) == (12, 11)


def test_no_chunks_make_no_windows() -> None:
    for assembly in ("split_aware", "best_fit"):
        windows = windows_of(batch_of([]), assembly=assembly)
        assert (len(windows), windows.tokens.shape, len(windows.spans)) == (0, (0, 12), 0)


chunk_sizes = st.tuples(st.integers(0, 5), st.integers(1, 5))
pair_pieces = st.lists(st.lists(chunk_sizes, min_size=1, max_size=3), min_size=1, max_size=8)


@given(
    pairs=pair_pieces, with_bos=st.booleans(), assembly=st.sampled_from(["split_aware", "best_fit"])
)
def test_every_chunk_is_whole_and_every_token_in_one_span(
    pairs: list[list[tuple[int, int]]], with_bos: bool, assembly: str
) -> None:
    batch = batch_of(pairs)
    chosen = layout(bos_id=1 if with_bos else None)
    windows = windows_of(batch, chosen, assembly=assembly)
    starts = np.flatnonzero(windows.spans["start"] == 0)
    assert len(starts) == len(windows)
    found = []
    for tokens, spans in zip(windows.tokens, np.split(windows.spans, starts[1:]), strict=True):
        assert spans["start"].tolist() == [0, *np.cumsum(spans["length"])[:-1].tolist()]
        assert spans["length"].sum() == 12
        assert (spans["length"] > 0).all()
        for chunk in range(int((spans["role"] == Role.SPLIT).sum())):
            own = spans[spans["chunk"] == chunk]
            pair = int(own["pair"][0])
            assert set(own["pair"].tolist()) == {pair}
            assert own["role"].tolist()[-1] == Role.SPLIT
            assert tokens[int(own["start"][-1])] == SPLIT
            found.append((pair, [tokens_of(tokens, own, role) for role in SIDES]))
        padding = spans[spans["role"] == Role.PAD]
        assert (tokens[12 - int(padding["length"].sum()) :] == PAD).all()
    # Each side of each pair comes back from its chunks: cut, but whole.
    for number, pieces in enumerate(pairs):
        for side, first in enumerate((10, 50)):
            texts = sorted(text[side] for pair, text in found if pair == number)
            total = sum(piece[side] for piece in pieces)
            assert [t for text in texts for t in text] == list(range(first, first + total))


SIDES = (Role.SOURCE, Role.TARGET)


def tokens_of(tokens: Any, spans: Any, role: Role) -> list[int]:
    return [
        token
        for span in spans[spans["role"] == role]
        for token in tokens[span["start"] : span["start"] + span["length"]].tolist()
    ]


@given(pairs=pair_pieces, assembly=st.sampled_from(["split_aware", "best_fit"]))
def test_windows_made_one_at_a_time_are_the_same(
    pairs: list[list[tuple[int, int]]], assembly: str
) -> None:
    batch = batch_of(pairs)
    together = windows_of(batch, assembly=assembly, first_pair=5)
    alone = windows_of(batch, assembly=assembly, first_pair=5, tokens_at_once=1)
    assert np.array_equal(together.tokens, alone.tokens)
    assert np.array_equal(together.spans, alone.spans)


@given(pairs=st.lists(st.just([(2, 3)]), min_size=1, max_size=15))
def test_documents_that_are_apart_never_share_a_window(pairs: list[list[tuple[int, int]]]) -> None:
    batch = batch_of(pairs, apart=True)
    for assembly in ("split_aware", "best_fit"):
        windows = windows_of(batch, assembly=assembly)
        starts = np.flatnonzero(windows.spans["start"] == 0)
        for spans in np.split(windows.spans, starts[1:]):
            pairs_here = spans["pair"][spans["role"] == Role.SPLIT].tolist()
            assert len(pairs_here) == len(set(pairs_here))


def test_lanes_have_all_languages_in_turn() -> None:
    lanes = lane_order(batch_of([[(1, 1)]] * 6, apart=True))
    # Piece 2 i is the source of pair i, chunk 2 i + 1 its target: the docstring's example.
    assert [lane.tolist() for lane in lanes] == [[0, 7, 2, 9, 4, 11], [1, 6, 3, 8, 5, 10]]


def test_batches_are_joined_with_the_languages_of_the_data_set() -> None:
    languages = LanguageTable(["ja"])
    one, other = batch_of([[(1, 2)]]), batch_of([[(3, 1)], [(1, 1)]], languages="en ja")
    both = join_batches([one, other], languages)
    assert languages.names() == ["ja", "en", "es"]
    assert both.side_languages.tolist() == [1, 2, 1, 0, 1, 0]
    assert both.side_starts.tolist() == [0, 1, 3, 6, 7, 8]
    assert both.group_pairs.tolist() == both.piece_groups.tolist() == [0, 1, 2]
    assert (both.piece_rows.tolist(), both.group_rows.tolist()) == ([0, 2, 4], [1, 3, 5])
    assert both.row_cuts.tolist() == [0, 2, 4, 6, 8, 10]
    assert both.provenance == b"0\n0\n1\n"
    assert both.tokens.tolist() == [*one.tokens.tolist(), *other.tokens.tolist()]


def test_a_language_index_fits_in_a_byte() -> None:
    table = LanguageTable([str(i) for i in range(255)])
    with pytest.raises(DataError, match="must have fewer than 255 languages, got 'xx' as one more"):
        table.remap(["7", "xx"])


def test_ranges() -> None:
    assert ranges(np.array([5, 20]), np.array([2, 3])).tolist() == [5, 6, 20, 21, 22]
    assert ranges(np.array([5, 7, 20]), np.array([2, 0, 1])).tolist() == [5, 6, 20]

"""Documents are found again in windows of any assembly, and a planted difference is found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from equal_tokens import Documents, compare_tokens, first_difference, in_order_of
from hypothesis import given
from hypothesis import strategies as st
from repeated_pairs import document_text
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.errors import DataError

EOD = 256
NUM_LONG = 3
PAIRS = [
    make_pair("same id", "Two\n\nparagraphs.", "Dos\n\npárrafos."),
    *(make_pair(f"long {i}", f"{i} one\n\n" * 40, f"{i} uno\n\n" * 50) for i in range(NUM_LONG)),
    replace(make_pair("dropped", "Text.", ""), targets=make_pair("", "", "").targets),
    make_pair("same id", "Other text.", "Otro texto."),
]


def write_documents_of_bytes(prefix: Path, pairs: Path, *, upset: tuple[int, int] | None) -> None:
    """What another tool writes with the byte tokenizer; `upset` names a token to change."""
    documents = [
        [*document_text(side).encode("utf-8"), EOD]
        for pair in read_pairs(pairs)
        for side in pair.documents
    ]
    if upset is not None:
        document, place = upset
        documents[document][place] ^= 1
    lengths = [len(document) for document in documents]
    header = np.array(
        [(b"MMIDIDX\0\0", 1, 8, len(documents), len(documents) + 1)],
        dtype="V9,<u8,u1,<u8,<u8",
    )
    starts = np.concatenate([[0], 2 * np.cumsum(lengths)[:-1]])
    index = (
        header.tobytes()
        + np.array(lengths, "<i4").tobytes()
        + starts.astype("<i8").tobytes()
        + np.arange(len(documents) + 1, dtype="<i8").tobytes()
    )
    prefix.with_suffix(".idx").write_bytes(index)
    prefix.with_suffix(".bin").write_bytes(np.concatenate(documents).astype("<u2").tobytes())


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    return make_windows(tmp_path, assembly="split_aware")


def make_windows(folder: Path, *, assembly: str) -> Path:
    options = PreprocessOptions(
        pairs=(write_pairs(folder / "pairs.jsonl", PAIRS),),
        tokenizer=write_byte_tokenizer(folder / "tokenizer"),
        output_prefix=folder / "windows",
        seq_length=256,
        assembly=assembly,
        length_ratio_rule="keep",
    )
    preprocess(options)
    return folder / "windows"


@pytest.mark.parametrize("assembly", ["split_aware", "best_fit"])
def test_equal_documents_are_found_equal(tmp_path: Path, assembly: str) -> None:
    windows = make_windows(tmp_path, assembly=assembly)
    write_documents_of_bytes(tmp_path / "theirs", tmp_path / "pairs.jsonl", upset=None)
    found = compare_tokens(windows, tmp_path / "theirs", pairs=tmp_path / "pairs.jsonl")
    kept = [pair for pair in PAIRS if pair.id != "dropped"]
    texts = [document_text(side) for pair in kept for side in pair.documents]
    assert found.first_difference is None
    assert (found.num_documents, found.num_left_out) == (len(texts), 2)
    assert found.num_tokens == sum(len(text.encode("utf-8")) for text in texts)
    assert found.num_reordered == 0 or assembly == "best_fit"


def test_one_other_token_is_found(windows: Path, tmp_path: Path) -> None:
    write_documents_of_bytes(tmp_path / "theirs", tmp_path / "pairs.jsonl", upset=(3, 17))
    found = compare_tokens(windows, tmp_path / "theirs", pairs=tmp_path / "pairs.jsonl")
    assert found.first_difference is not None
    assert found.first_difference.startswith("document 3 has token ")
    assert " at 17 instead of " in found.first_difference
    assert found.num_documents == 4


def test_a_missing_document_is_found(windows: Path, tmp_path: Path) -> None:
    fewer = write_pairs(tmp_path / "fewer.jsonl", PAIRS[:-1])
    write_documents_of_bytes(tmp_path / "theirs", fewer, upset=None)
    found = compare_tokens(windows, tmp_path / "theirs", pairs=tmp_path / "pairs.jsonl")
    total = 2 * len(PAIRS)
    assert found.first_difference == f"{total - 2} documents instead of {total}"
    assert found.num_documents == 0


def test_windows_of_other_pairs_are_refused(windows: Path, tmp_path: Path) -> None:
    turned = write_pairs(tmp_path / "turned.jsonl", PAIRS[::-1])
    write_documents_of_bytes(tmp_path / "theirs", turned, upset=None)
    with pytest.raises(DataError, match="must stand in the order of their file, got 'long 1'"):
        compare_tokens(windows, tmp_path / "theirs", pairs=turned)


def test_documents_are_read_as_they_were_written(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.jsonl", PAIRS[:1])
    write_documents_of_bytes(tmp_path / "theirs", pairs, upset=None)
    documents = Documents(tmp_path / "theirs")
    assert len(documents) == 2
    assert bytes(documents[0][:-1].tolist()) == b"same id\n\nTwo\n\nparagraphs.\n\n"
    assert documents[1][-1] == EOD


@given(
    tokens=st.lists(st.integers(0, 2), min_size=1, max_size=20),
    cuts=st.sets(st.integers(1, 19)),
    order=st.randoms(use_true_random=False),
)
def test_no_order_makes_other_tokens_equal(
    tokens: list[int], cuts: set[int], order: object
) -> None:
    """Whatever the order of the parts, each is used exactly once."""
    expected = np.array(tokens)
    parts = [part for part in np.split(expected, sorted(cuts)) if len(part)]
    order.shuffle(parts)
    found = in_order_of(expected, parts)
    assert sorted(map(tuple, found)) == sorted(map(tuple, parts))


def test_parts_that_differ_from_each_other_find_their_places() -> None:
    expected = np.array([1, 2, 3, 1, 2, 4, 5])
    parts = [np.array([4, 5]), np.array([1, 2]), np.array([1, 2, 3])]
    assert np.concatenate(in_order_of(expected, parts)).tolist() == expected.tolist()
    others = [np.array([4, 5]), np.array([1, 2]), np.array([1, 2, 6])]
    assert in_order_of(expected, others) is others


def test_a_difference_is_told_in_words() -> None:
    tokens = np.array([5, 6, 7])
    assert first_difference(tokens, tokens.copy(), document=4) is None
    assert first_difference(tokens[:2], tokens, document=4) == (
        "document 4 has 2 tokens instead of 3"
    )
    assert first_difference(np.array([5, 9]), tokens, document=4) == (
        "document 4 has token 9 at 1 instead of 6, 2 tokens instead of 3"
    )

"""A window as segments: text, places, loss and sources."""

from pathlib import Path

import numpy as np
import pytest
from inspected_windows import (
    ARABIC,
    HOSTILE,
    hostile_data_set,
    record,
    write_data_set,
)

from megatron_crossic.data.spans import Role
from megatron_crossic.errors import DataError
from megatron_crossic.inspection.languages import direction
from megatron_crossic.inspection.marks import visible
from megatron_crossic.inspection.view import read_source, view_window
from megatron_crossic.train.batches import windows_to_batch
from megatron_crossic.train.dataset import WindowData

SOURCE, TARGET = Role.SOURCE, Role.TARGET


def test_segments_say_what_the_spans_hold(tmp_path: Path) -> None:
    store, tokenizer = hostile_data_set(tmp_path)
    view = view_window(store, tokenizer, 0)
    source, target, split, pad = view.segments
    assert (source.text, source.language, source.role) == ("Berlin is a city.\n\n", 0, SOURCE)
    assert (target.text, target.language, target.start) == (ARABIC, 1, 19)
    assert (split.role, split.text, split.length) == (Role.SPLIT, "<|endoftext|>", 1)
    assert (pad.role, pad.text, pad.chunk, pad.pair) == (Role.PAD, "<|padding|>", None, None)
    used = 19 + len(ARABIC.encode()) + 1
    assert view.num_tokens == 1024 == sum(segment.length for segment in view.segments)
    assert view.fill_rate == pytest.approx(used / 1024)
    assert (view.num_chunks, view.pairs, view.num_with_loss) == (1, [0], used - 1)


def test_texts_are_made_visible(tmp_path: Path) -> None:
    store, tokenizer = hostile_data_set(tmp_path)
    view = view_window(store, tokenizer, 1)
    assert view.segments[0].text == visible(HOSTILE) != HOSTILE
    assert "⟨U+001B⟩]0;title⟨U+0007⟩" in view.segments[0].text
    assert (view.num_chunks, view.pairs) == (2, [1, 0])


def test_a_character_cut_by_a_border_is_one_mark(tmp_path: Path) -> None:
    face = "🙂".encode()
    parts = [(SOURCE, "en", b"a" + face[:1]), (TARGET, "es", face[1:] + b"b")]
    store, tokenizer = write_data_set(tmp_path / "x", [[(0, parts)]], [record("a")], seq_length=16)
    texts = [segment.text for segment in view_window(store, tokenizer, 0).segments]
    assert texts[:2] == ["a\ufffd", "\ufffdb"]


def test_three_languages_and_alternating_paragraphs(tmp_path: Path) -> None:
    parts = [
        *[(SOURCE, "en", "one\n\n"), (TARGET, "es", "uno\n\n"), (TARGET, "ar", "واحد\n\n")],
        *[(SOURCE, "en", "two\n\n"), (TARGET, "es", "dos\n\n"), (TARGET, "ar", "اثنان\n\n")],
    ]
    records = [record("numbers", en="Numbers", es="Números", ar="أعداد")]
    store, tokenizer = write_data_set(tmp_path / "x", [[(0, parts)]], records, seq_length=64)
    view = view_window(store, tokenizer, 0)
    assert [(s.language, s.text) for s in view.segments[:6]] == [
        (["en", "es", "ar"].index(language), text) for _, language, text in parts
    ]
    assert {s.chunk for s in view.segments[:7]} == {0}
    titles = [title for _, title in read_source(store, 0).documents]
    assert titles == ["Numbers", "Números", "أعداد"]


@pytest.mark.parametrize("with_bos", [False, True])
@pytest.mark.parametrize("split_loss", [False, True])
def test_loss_is_what_training_masks(tmp_path: Path, with_bos: bool, split_loss: bool) -> None:
    windows = [
        [(0, [(SOURCE, "en", "abc"), (TARGET, "es", "de")]), (0, [(TARGET, "es", "f")])],
        [(0, [(SOURCE, "en", "abcdefghijkl")])],
    ]
    store, tokenizer = write_data_set(
        tmp_path / "x", windows, [record("a")], seq_length=14, with_bos=with_bos
    )
    run = WindowData([store], store.languages)
    batch = windows_to_batch([run[0], run[1]], split_loss=split_loss)
    for number in range(2):
        view = view_window(store, tokenizer, number, split_loss=split_loss)
        # Label p is token p + 1; token 0 is nobody's label.
        mask = np.concatenate([[0], batch.loss_mask[number].numpy()[:-1]])
        for segment in view.segments:
            inside = mask[segment.start : segment.start + segment.length]
            assert segment.num_with_loss == inside.sum(), segment
        assert 0 < view.num_with_loss == batch.loss_mask[number].sum() < 14


def test_sources_show_all_that_is_known(tmp_path: Path) -> None:
    store, _ = hostile_data_set(tmp_path)
    source = read_source(store, 1)
    assert source.id.startswith("<script>")
    assert "\x1b" not in source.id
    assert source.documents[0][1].endswith("⟨U+D800⟩")
    facts = {fact.name: fact for fact in source.facts}
    assert facts["provenance.source.page_id"].value == "3354"
    assert facts["origin"].value == "langlink"
    assert "score" not in facts  # there is none
    assert facts["provenance.source.url"].link == "https://en.wikipedia.org/wiki/Berlin?a=%22<b>"
    assert facts["provenance.target.url"].value == "javascript:alert(1)"
    assert facts["provenance.target.url"].link is None


@pytest.mark.parametrize(
    "address",
    ["HTTP:", "data:text/html,x", "//x.org", "http://", "http://[", "https://a b", "ftp://x"],
)
def test_only_web_addresses_are_links(tmp_path: Path, address: str) -> None:
    line = record("a", en="A") | {"url": address, "extra": [{"deep": 1}, None]}
    store, _ = write_data_set(tmp_path / "x", [[(0, [(SOURCE, "en", "a")])]], [line], seq_length=4)
    facts = {fact.name: fact for fact in read_source(store, 0).facts}
    assert facts["url"].link is None
    assert facts["extra.0.deep"].value == "1"


def test_a_document_of_its_own_has_one_title(tmp_path: Path) -> None:
    lines = [record("a", en="A"), {"id": 7}]
    store, _ = write_data_set(tmp_path / "x", [[(0, [(SOURCE, "en", "a")])]], lines, seq_length=4)
    assert read_source(store, 0).documents == (("en", "A"),)
    assert (read_source(store, 1).id, read_source(store, 1).documents) == ("7", ())


def test_tokens_beyond_the_vocabulary_are_refused(tmp_path: Path) -> None:
    store, tokenizer = hostile_data_set(tmp_path)
    path = tmp_path / "sample.bin"
    path.write_bytes(np.full(2048, 300, dtype=np.int32).tobytes())
    with pytest.raises(DataError, match=r"tokens of window 0 must be below 258, got 300 in .*The"):
        view_window(store, tokenizer, 0)


def test_directions() -> None:
    assert {direction(code) for code in "ar fa he ur ps sd yi ckb".split()} == {"rtl"}
    assert {direction(code) for code in "en ja th es".split()} == {"ltr"}
    assert direction("ku") == "auto"

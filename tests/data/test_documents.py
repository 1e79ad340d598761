"""Single documents, records of several languages, and texts of odd sizes and characters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.modes import MODES
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.packing import ASSEMBLIES
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.records import Pair
from megatron_crossic.data.spans import Role
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.data.verify import verify_data_set
from megatron_crossic.errors import DataError

PAIR_MODES = sorted(set(MODES) - {"documents"})

THREE_LANGUAGES = [
    replace(
        make_pair(f"p{i}", "Text. " * (i % 9 + 1), "Texto. " * (i % 7 + 1)),
        targets=(
            *make_pair("", "", "Texto. " * (i % 7 + 1)).targets,
            *make_pair("", "", "文。" * (i % 8 + 1), languages="en ja").targets,
        ),
    )
    for i in range(40)
]

ODD_CHARACTERS = "a\0\u202eb\u2066\u200f\u00adé\U00020bb7\U0010ffff\u3099\u0301\ufeff\u200d🇹🇭"


@pytest.fixture
def options(tmp_path: Path) -> PreprocessOptions:
    return PreprocessOptions(
        pairs=(tmp_path / "input.jsonl",),
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        output_prefix=tmp_path / "x",
        seq_length=64,
        mode="documents",
        language="en",
        overwrite=True,
    )


def write_records(options: PreprocessOptions, records: Sequence[Mapping[str, Any]]) -> None:
    lines = [json.dumps(record) + "\n" for record in records]
    options.pairs[0].write_text("".join(lines), encoding="utf-8")


def write_for_mode(options: PreprocessOptions, pairs: Sequence[Pair]) -> None:
    """The pairs, or in mode `documents` each of their documents on its own."""
    if options.mode != "documents":
        write_pairs(options.pairs[0], pairs)
        return
    documents = [document for pair in pairs for document in pair.documents]
    write_records(
        options,
        [{"text": each.text, "lang": each.language, "title": each.title} for each in documents],
    )


def document_texts(store: WindowStore) -> list[str]:
    """The text of each single document, put together again from the windows."""
    found: dict[int, bytes] = {}
    for window in range(len(store)):
        tokens = store.tokens(window)
        for span in store.spans(window):
            if span["role"] == Role.SOURCE:
                part = tokens[span["start"] : span["start"] + span["length"]].astype(np.uint8)
                found[int(span["pair"])] = found.get(int(span["pair"]), b"") + part.tobytes()
    return [found[pair].decode() for pair in sorted(found)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"lang": None, "title": None, "id": None, "url": None}, {}),
        ({"lang": "th"}, {"languages": ["th"]}),
        ({"title": "Title"}, {"titles": ["Title"]}),
        ({"id": "web:7"}, {"id": "web:7"}),
        ({"id": 7}, {"id": "7"}),
        ({"url": "u", "score": 0.5}, {"provenance": {"url": "u", "score": 0.5}}),
        ({"provenance": {"url": "u"}}, {"provenance": {"provenance": {"url": "u"}}}),
    ],
)
def test_a_document_needs_a_text_only(
    options: PreprocessOptions, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    write_records(options, [{"text": "Text.\n\nMore.", **fields}])
    preprocess(options)
    store = open_windows(options.output_prefix)
    title = fields.get("title")
    assert document_texts(store) == [f"{title}\n\n" * bool(title) + "Text.\n\nMore.\n\n"]
    assert store.provenance(0) == {
        # Of its own it has none: the file and the byte at which its line ends.
        "id": f"input.jsonl:{options.pairs[0].stat().st_size}",
        "origin": "given",
        "score": None,
        "languages": ["en"],
        "titles": [""],
        "provenance": {},
        **expected,
    }


@pytest.mark.parametrize("lang", [{}, {"lang": None}])
def test_a_document_without_a_language_is_refused(
    options: PreprocessOptions, lang: dict[str, Any]
) -> None:
    write_records(options, [{"text": "Text.", "lang": "en"}, {"text": "Text.", **lang}])
    with pytest.raises(DataError, match=r"input\.jsonl, line 2: lang must be .* --language"):
        preprocess(replace(options, language=None))


def test_a_pair_is_no_document(options: PreprocessOptions) -> None:
    write_pairs(options.pairs[0], THREE_LANGUAGES)
    message = r"line 1: record must be a single document with text, got a pair. Leave --mode doc"
    for language in ("en", None):
        with pytest.raises(DataError, match=message):
            preprocess(replace(options, language=language))


@pytest.mark.parametrize("mode", PAIR_MODES)
def test_a_document_is_no_pair(options: PreprocessOptions, mode: str) -> None:
    write_records(options, [{"id": "1", "lang": "en", "text": "Text."}])
    message = r"line 1: record must be a pair with source and target, got a single document .* --mo"
    with pytest.raises(DataError, match=message):
        preprocess(replace(options, mode=mode))


@pytest.mark.parametrize("granularity", ["chunk", "paragraph"])
@pytest.mark.parametrize("assembly", ASSEMBLIES)
@pytest.mark.parametrize("mode", MODES)
def test_three_languages_and_a_validation_share_in_every_mode(
    options: PreprocessOptions, mode: str, assembly: str, granularity: Any
) -> None:
    chosen = replace(options, mode=mode, assembly=assembly, granularity=granularity)
    write_for_mode(chosen, THREE_LANGUAGES)
    report = preprocess(replace(chosen, validation_fraction=0.3))
    assert report.validation is not None
    of_mode = {"source_only": ["en"], "target_only": ["es", "ja"]}.get(mode, ["en", "es", "ja"])
    accounts = [report.training.account, report.validation.account]
    for prefix, account in zip(
        (chosen.output_prefix, chosen.validation_prefix), accounts, strict=True
    ):
        verified = verify_data_set(prefix)
        assert verified.pairs == account.pairs_kept > 3
        store = open_windows(prefix)
        tokens = store.manifest.details["tokens_by_language"]
        assert sorted(language for language, count in tokens.items() if count) == of_mode
    records = [pair for pair in THREE_LANGUAGES for _ in range(3 if mode == "documents" else 1)]
    assert sum(account.pairs_read for account in accounts) == len(records)
    encoded = sum(
        len(f"{document.title}\n\n{document.text.strip()}\n\n".encode()) - 2 * (not document.title)
        for pair in THREE_LANGUAGES
        for document in pair.documents
    )
    assert sum(account.tokens_read for account in accounts) == encoded


@pytest.mark.parametrize("mode", ["documents", "crossic"])
@pytest.mark.parametrize("assembly", ASSEMBLIES)
@pytest.mark.parametrize(
    "text", ["Some words. " * 83_334, "x" * 1_000_000, "Word.\n\n" * 100_000], ids=len
)
def test_a_huge_document_loses_nothing(
    options: PreprocessOptions, mode: str, assembly: str, text: str
) -> None:
    """A million tokens in one paragraph with and without sentences, and 100,000 paragraphs."""
    chosen = replace(options, mode=mode, assembly=assembly, seq_length=1024)
    write_for_mode(chosen, [make_pair("", text, text)])
    account = preprocess(chosen).training.account
    assert account.tokens_in_windows == account.tokens_read == 2 * len(f"{text.strip()}\n\n")
    assert account.windows <= 1.05 * account.tokens_read / 1023
    verify_data_set(chosen.output_prefix)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.sampled_from(ODD_CHARACTERS) | st.characters(exclude_categories=["Cs"])).filter(
            str.strip
        ),
        min_size=1,
        max_size=5,
    )
)
def test_odd_characters_come_back(options: PreprocessOptions, texts: list[str]) -> None:
    texts = [ODD_CHARACTERS * 9, *texts]
    write_records(options, [{"text": text} for text in texts])
    preprocess(options)
    found = document_texts(open_windows(options.output_prefix))
    paragraphs = [make_pair("", text, "").source.paragraphs() for text in texts]
    assert found == ["".join(f"{paragraph}\n\n" for paragraph in each) for each in paragraphs]


def test_half_a_character_is_refused(options: PreprocessOptions) -> None:
    options.pairs[0].write_text('{"text": "a\\ud800b"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"input\.jsonl, line 1 "):
        preprocess(options)

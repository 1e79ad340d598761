"""Data sets written window by window, so that tests can have any spans and any provenance."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from small_pairs import EOD, PAD, write_byte_tokenizer

from megatron_crossic.data.indexed import IndexSummary, index_blocks
from megatron_crossic.data.spans import (
    NO_CHUNK,
    NO_LANGUAGE,
    NO_PAIR,
    SPAN_DTYPE,
    Role,
    SpanArray,
    write_span_header,
    write_span_table,
)
from megatron_crossic.data.store import WindowStore, open_windows
from megatron_crossic.data.tokenizer import Tokenizer, load_tokenizer
from megatron_crossic.data.writer import data_set_files
from megatron_crossic.files import HashingWriter, fingerprint_file
from megatron_crossic.manifest import Manifest, manifest_path, write_manifest

Part = tuple[Role, str, str | bytes]
"""Role, language, text: the byte tokenizer makes one token of each byte."""
Chunk = tuple[int, list[Part]]
"""Ordinal of the pair, and the parts in order."""


def write_data_set(
    prefix: Path,
    windows: Sequence[Sequence[Chunk]],
    records: Sequence[Mapping[str, Any]],
    *,
    seq_length: int,
    with_bos: bool = False,
) -> tuple[WindowStore, Tokenizer]:
    """Write `PREFIX.*` and, beside it, the tokenizer; open both."""
    folder = write_byte_tokenizer(prefix.parent / "tokenizer")
    tokenizer = load_tokenizer(folder)
    parts = [part for window in windows for _, chunk in window for part in chunk]
    languages = list(dict.fromkeys(language for _, language, _ in parts))
    files = data_set_files(prefix)
    summary = IndexSummary(
        num_windows=len(windows), seq_length=seq_length, dtype=np.dtype(np.int32)
    )
    with files["bin"].open("wb") as tokens_file, files["spans"].open("wb") as spans_file:
        output = HashingWriter(spans_file)
        write_span_header(output, seq_length=seq_length)
        for window in windows:
            tokens, spans = _window(window, languages, tokenizer, seq_length, with_bos=with_bos)
            tokens_file.write(tokens.tobytes())
            output.write(spans.tobytes())
        output.flush()
        write_span_table(output, files["spans"], num_windows=len(windows))
    files["idx"].write_bytes(b"".join(index_blocks(summary)))
    lines = [_json_line(record) for record in records]
    files["pairs"].write_text("".join(lines), encoding="utf-8")
    write_manifest(
        manifest_path(prefix),
        Manifest(
            kind="windows",
            options={"tokenizer": str(folder), "mode": "crossic"},
            counts={"pairs_read": len(records) + 2, "windows": len(windows)},
            drops={"empty_source": 2},
            files={role: fingerprint_file(path) for role, path in files.items()},
            details={
                "seq_length": seq_length,
                "vocab_size": tokenizer.vocab_size,
                "languages": languages,
                "tokenizer": {"fingerprint": tokenizer.fingerprint},
            },
        ),
    )
    return open_windows(prefix), tokenizer


def _window(
    chunks: Sequence[Chunk],
    languages: Sequence[str],
    tokenizer: Tokenizer,
    seq_length: int,
    *,
    with_bos: bool,
) -> tuple[np.ndarray, SpanArray]:
    tokens: list[int] = []
    rows: list[tuple[int, ...]] = []

    def add(ids: Sequence[int], chunk: int, pair: int, language: int, role: Role) -> None:
        rows.append((len(tokens), len(ids), chunk, pair, language, role))
        tokens.extend(ids)

    if with_bos:
        add([tokenizer.eod_id], NO_CHUNK, NO_PAIR, NO_LANGUAGE, Role.BOS)
    for ordinal, (pair, parts) in enumerate(chunks):
        for role, language, text in parts:
            content = text.encode() if isinstance(text, str) else text
            add(list(content), ordinal, pair, languages.index(language), role)
        add([tokenizer.token_id(EOD) or 0], ordinal, pair, NO_LANGUAGE, Role.SPLIT)
    if padding := seq_length - len(tokens):
        assert padding > 0, f"{-padding} tokens too many"
        pad = tokenizer.token_id(PAD) or 0
        add([pad] * padding, NO_CHUNK, NO_PAIR, NO_LANGUAGE, Role.PAD)
    return np.array(tokens, dtype=np.int32), np.array(rows, dtype=SPAN_DTYPE)


def _json_line(record: Mapping[str, Any]) -> str:
    """With escapes, so that a lone surrogate of a damaged title can be written at all."""
    return json.dumps(record) + "\n"


def record(name: str, **titles: str) -> dict[str, Any]:
    """A provenance line with one title for each language."""
    return {
        "id": name,
        "origin": "langlink",
        "score": None,
        "languages": list(titles),
        "titles": list(titles.values()),
        "provenance": {},
    }


ARABIC = "برلين هي عاصمة جمهورية ألمانيا الاتحادية.\n\n"
HOSTILE = (
    "<script>window.ran = true</script></script><!-- <img src=x onerror='window.ran=1'>"
    ' \u2028 \u202eabc \x1b]0;title\x07 \x9b31m & "quotes"\n\n'
)


def hostile_data_set(folder: Path) -> tuple[WindowStore, Tokenizer]:
    """Two windows: English and Arabic; hostile text, title, id and links, and a cut character."""
    cut = "ä".encode()
    hostile = record(HOSTILE, en=HOSTILE + "\ud800", ar="عنوان")
    hostile["provenance"] = {
        "source": {"url": "https://en.wikipedia.org/wiki/Berlin?a=%22<b>", "page_id": 3354},
        "target": {"url": "javascript:alert(1)"},
        "licence": "CC BY-SA 4.0",
    }
    windows: list[list[Chunk]] = [
        [(0, [(Role.SOURCE, "en", "Berlin is a city.\n\n"), (Role.TARGET, "ar", ARABIC)])],
        [
            (1, [(Role.SOURCE, "en", HOSTILE), (Role.TARGET, "ar", ARABIC + HOSTILE)]),
            (0, [(Role.SOURCE, "en", b"ends in " + cut[:1]), (Role.TARGET, "ar", cut[1:] + b"x")]),
        ],
    ]
    records = [record("berlin", en="Berlin", ar="برلين"), hostile]
    return write_data_set(folder / "sample", windows, records, seq_length=1024)

"""Every law has a data set that breaks it, and the check says which."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.spans import SPAN_DTYPE, Role
from megatron_crossic.data.verify import verify_data_set
from megatron_crossic.data.writer import data_set_files
from megatron_crossic.errors import DataError
from megatron_crossic.files import fingerprint_file
from megatron_crossic.manifest import manifest_path

SEQ_LENGTH = 48
EOD, PAD = 256, 257


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    pairs = [make_pair(f"p{i}", "Some text. " * (i % 5), "texto " * (i % 4 + 1)) for i in range(9)]
    preprocess(
        PreprocessOptions(
            pairs=(write_pairs(folder / "pairs.jsonl", pairs),),
            tokenizer=write_byte_tokenizer(folder / "tokenizer"),
            output_prefix=folder / "x",
            seq_length=SEQ_LENGTH,
        )
    )
    return folder


@pytest.fixture
def prefix(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    for path in made.glob("x.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "x"


def rewrite(prefix: Path, role: str, change: Callable[[bytearray], None]) -> None:
    """Change a file and its hash in the manifest: only the laws can tell."""
    path = data_set_files(prefix)[role]
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    values = json.loads(manifest_path(prefix).read_text(encoding="utf-8"))
    found = fingerprint_file(path)
    values["files"][role] |= {"sha256": found.sha256, "num_bytes": found.num_bytes}
    manifest_path(prefix).write_text(json.dumps(values), encoding="utf-8")


def test_a_sound_data_set(prefix: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = verify_data_set(prefix, on_windows=lambda *progress: seen.append(progress))
    assert found.tokens == found.windows * SEQ_LENGTH > 0
    assert found.pairs == 7
    assert found.num_bytes == sum(path.stat().st_size for path in data_set_files(prefix).values())
    assert seen[-1] == (found.windows, found.windows)


def spans_of(content: bytearray) -> np.ndarray:
    """The spans in the file's bytes, to be changed in place; windows start at 0."""
    num_spans = int(np.frombuffer(content[-16:-8], "<u8")[0])
    return np.frombuffer(memoryview(content)[16 : 16 + 18 * num_spans], SPAN_DTYPE)


SPAN_LAWS = {
    "a gap": ("start", 1, lambda old: old + 1, "spans must cover 48 tokens"),
    "another role": ("role", 0, lambda _: 9, "a span must have a known role"),
    "no language": ("language", 0, lambda _: 255, "a span must have a language"),
    "a language of SPLIT": ("language", Role.SPLIT, lambda _: 0, "a span must have a language"),
    "an unknown pair": ("pair", 0, lambda _: 7, "a span must have a pair below 7"),
    "padding of a pair": ("pair", Role.PAD, lambda _: 0, "a span must have a pair below 7"),
    "padding of a chunk": ("chunk", Role.PAD, lambda _: 0, "a chunk must own what is not an edge"),
    "a chunk left out": ("chunk", 0, lambda old: old + 1, "chunks must be numbered in order"),
    "a chunk of two pairs": ("pair", Role.SPLIT, lambda old: (old + 1) % 7, "must have one pair"),
    "a chunk without end": ("role", Role.SPLIT, lambda _: Role.SOURCE, "have a language"),
    "BOS in the middle": ("role", 0, lambda _: Role.BOS, "a span must have a language"),
    "SPLIT of a text": ("role", 0, lambda _: Role.SPLIT, "a span must have a language"),
}


@pytest.mark.parametrize("case", SPAN_LAWS)
def test_spans_that_break_a_law(prefix: Path, case: str) -> None:
    field, which, change, message = SPAN_LAWS[case]

    def damage(content: bytearray) -> None:
        spans = spans_of(content)
        at = which if which in (0, 1) else int(np.flatnonzero(spans["role"] == which)[0])
        spans[field][at] = change(int(spans[field][at]))

    rewrite(prefix, "spans", damage)
    with pytest.raises(DataError, match=rf"{message}.*, got otherwise in window \d+ of .*x\. "):
        verify_data_set(prefix)


def test_a_chunk_that_a_window_cuts(prefix: Path) -> None:
    """The last chunk of the first window goes on to its end: SPLIT and padding become text."""

    def damage(content: bytearray) -> None:
        spans = spans_of(content)
        split = int(np.flatnonzero(spans["role"] == Role.SPLIT)[0])
        second = int(np.flatnonzero(spans["start"] == 0)[1])
        for at in range(split, second):
            for name in ("chunk", "pair", "language"):
                spans[name][at] = spans[name][0]
            spans["role"][at] = Role.SOURCE

    rewrite(prefix, "spans", damage)
    with pytest.raises(DataError, match="a chunk must end in its window, got otherwise in window"):
        verify_data_set(prefix)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (ord("e"), 258, "a token id must be below 258"),
        (EOD, 7, "SPLIT must have its id"),
        (PAD, EOD, "PAD must have its id"),
    ],
)
def test_tokens_that_break_a_law(prefix: Path, old: int, new: int, message: str) -> None:
    def damage(content: bytearray) -> None:
        tokens = np.frombuffer(content, np.uint16)
        tokens[np.flatnonzero(tokens == old)[0]] = new

    rewrite(prefix, "bin", damage)
    with pytest.raises(DataError, match=f"{message}, got otherwise in window"):
        verify_data_set(prefix)


def test_text_that_changed_is_found_by_its_hash(prefix: Path) -> None:
    path = data_set_files(prefix)["bin"]
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="bin file must have the content its manifest says"):
        verify_data_set(prefix)


@pytest.mark.parametrize(
    ("where", "key", "message"),
    [
        ("counts", "tokens_in_windows", "tokens in windows must be"),
        ("counts", "tokens_read", "tokens kept or dropped must be"),
        ("counts", "pairs_kept", "provenance lines must be"),
        ("counts", "chunks", "chunks must be"),
        ("details", "tokens_by_role", "tokens by role must be"),
        ("details", "tokens_by_language", "tokens by language must be"),
    ],
)
def test_an_account_that_is_wrong(prefix: Path, where: str, key: str, message: str) -> None:
    values = json.loads(manifest_path(prefix).read_text(encoding="utf-8"))
    found = values[where][key]
    values[where][key] = (
        found + 1 if isinstance(found, int) else found | {max(found, key=found.get): 0}
    )
    manifest_path(prefix).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(DataError, match=f"{message} .* as the manifest of .* says, got"):
        verify_data_set(prefix)

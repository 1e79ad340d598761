"""A data set opens only as it was written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.store import open_windows
from megatron_crossic.errors import DataError
from megatron_crossic.manifest import manifest_path

SUFFIXES = [".bin", ".idx", ".spans", ".pairs.jsonl"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets: `x` with six pairs and `other` with ten."""
    folder = tmp_path_factory.mktemp("made")
    tokenizer = write_byte_tokenizer(folder / "tokenizer")
    for name, num_pairs in (("x", 6), ("other", 10)):
        pairs = [make_pair(f"pair {i}", "Some text. " * 4, "texto") for i in range(num_pairs)]
        preprocess(
            PreprocessOptions(
                pairs=(write_pairs(folder / f"{name}.jsonl", pairs),),
                tokenizer=tokenizer,
                output_prefix=folder / name,
                seq_length=64,
                max_length_ratio=9.0,
            )
        )
    return folder


@pytest.fixture
def prefix(made: Path, tmp_path: Path) -> Path:
    """A copy of `x` that a test may damage; it also shows that a data set can be moved."""
    for path in made.glob("x.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "x"


def test_what_a_store_offers(prefix: Path) -> None:
    store = open_windows(prefix, deep=True)
    assert (store.seq_length, store.vocab_size, store.languages) == (64, 258, ("en", "es"))
    assert len(store) == store.manifest.counts["windows"] > 1
    tokens, spans = store.tokens(0), store.spans(0)
    assert (tokens.shape, tokens.dtype) == ((64,), np.dtype(np.uint16))
    assert bytes(tokens[: spans["length"][0]].astype(np.uint8)) == b"pair 0\n\n"
    assert set(spans.dtype.names or ()) == {"start", "length", "chunk", "pair", "language", "role"}
    assert store.provenance(5)["id"] == "pair 5"
    with pytest.raises(DataError, match="pair must be an ordinal below 6, got 4294967295"):
        store.provenance(int(store.spans(0)["pair"][-1]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_files_are_refused(prefix: Path, suffix: str) -> None:
    path = Path(f"{prefix}{suffix}")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match=rf"file must have \d+ bytes .*x\{suffix}.*make the artif"):
        open_windows(prefix)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_another_run_are_refused(made: Path, prefix: Path, suffix: str) -> None:
    shutil.copy(made / f"other{suffix}", f"{prefix}{suffix}")
    with pytest.raises(DataError, match=rf"x\{suffix}\. It was truncated, replaced or belongs to"):
        open_windows(prefix)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_files_are_named(prefix: Path, suffix: str) -> None:
    Path(f"{prefix}{suffix}").unlink()
    with pytest.raises(DataError, match=rf"got no file at .*x\{suffix}"):
        open_windows(prefix)


@pytest.mark.parametrize("suffix", [".bin", ".pairs.jsonl"])
def test_a_changed_byte_is_found_by_a_deep_look(prefix: Path, suffix: str) -> None:
    path = Path(f"{prefix}{suffix}")
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)
    open_windows(prefix)
    with pytest.raises(DataError, match=rf"content its manifest says.*x\{suffix}"):
        open_windows(prefix, deep=True)


@pytest.mark.parametrize(
    ("suffix", "message"),
    [(".idx", "index file must describe"), (".spans", "spans file must be complete")],
)
def test_damaged_headers_are_found_at_once(prefix: Path, suffix: str, message: str) -> None:
    path = Path(f"{prefix}{suffix}")
    path.write_bytes(b"nonsense" + path.read_bytes()[8:])
    with pytest.raises(DataError, match=message):
        open_windows(prefix)


@pytest.mark.parametrize("key", ["counts", "details"])
def test_a_manifest_that_disagrees_with_its_files(prefix: Path, key: str) -> None:
    path = manifest_path(prefix)
    values = json.loads(path.read_text(encoding="utf-8"))
    values[key][{"counts": "windows", "details": "seq_length"}[key]] += 1
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.idx must hold .* as the manifest says.*another run"):
        open_windows(prefix)


def test_without_its_manifest_a_data_set_does_not_open(prefix: Path) -> None:
    manifest_path(prefix).unlink()
    with pytest.raises(DataError, match="windows manifest must exist"):
        open_windows(prefix)

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megatron_crossic.data.pairs import read_pairs, write_pairs
from megatron_crossic.data.records import Document, Pair
from megatron_crossic.errors import DataError
from megatron_crossic.files import FileFingerprint, fingerprint_file
from megatron_crossic.manifest import Manifest, manifest_path, read_manifest, write_manifest

TEXT = st.text(st.characters(codec="utf-8"))


def pair_of(title: str, text: str, *, number: int = 0) -> Pair:
    return Pair(
        id=f"p{number}",
        source=Document(language="en", title=title, text=text, id="enwiki:1"),
        targets=(Document(language="es", title=title, text=text),),
        score=0.5,
        provenance={"licence": "CC0"},
    )


GOOD = [pair_of("Bee", "A bee.", number=n) for n in range(3)]


def to_manifest(described: FileFingerprint) -> Manifest:
    return Manifest(kind="pairs", options={}, counts={}, files={"pairs": described})


@given(st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    pairs = [pair_of(*text, number=number) for number, text in enumerate(texts)]
    manifest = write_pairs(path, pairs, to_manifest)
    assert manifest.files == {"pairs": fingerprint_file(path)}
    assert read_manifest(manifest_path(path), kind="pairs").files == manifest.files
    assert list(read_pairs(path)) == pairs


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "x", ', r"pairs\.jsonl, line 2 must be one JSON object"),
        (b"[1]", r"pairs\.jsonl, line 2 must be a JSON object"),
        (b'{"id": "x"}', r"pairs\.jsonl, line 2: source must be an object"),
        (b'{"id":"x","source":{"lang":"xx","title":"","text":""}}', r"line 2: source\.lang must"),
        (b'{"id":"x","origin":"luck"}', r"pairs\.jsonl, line 2: origin must be one of"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "pairs.jsonl"
    write_pairs(tmp_path / "good.jsonl", GOOD, to_manifest)
    lines = (tmp_path / "good.jsonl").read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, lines[2]]))
    with pytest.raises(DataError, match=message):
        list(read_pairs(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be readable, got .*none\.jsonl"):
        list(read_pairs(tmp_path / "none.jsonl"))


def test_a_file_that_lost_lines_is_refused_before_the_first_pair(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, GOOD, to_manifest)
    assert len(list(read_pairs(path))) == 3
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(DataError, match=r"pairs file must have \d+ bytes as its manifest says"):
        read_pairs(path)


def test_a_manifest_of_another_file_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "pairs.jsonl", tmp_path / "other.jsonl"
    write_pairs(path, GOOD, to_manifest)
    write_manifest(manifest_path(path), write_pairs(other, GOOD, to_manifest))
    with pytest.raises(DataError, match=r"must describe pairs\.jsonl, got one .* other\.jsonl"):
        read_pairs(path)


def test_an_error_on_the_way_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    with pytest.raises(ZeroDivisionError, match="division"):
        write_pairs(
            path, (pair_of("x", str(1 // (1 - n)), number=n) for n in range(3)), to_manifest
        )
    assert not list(tmp_path.iterdir())

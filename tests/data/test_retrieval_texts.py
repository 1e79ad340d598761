"""Texts that are encoded, where they are, and how they are read again."""

import bz2
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from mined_corpus import target_pairs, write_records
from small_pairs import write_pairs

from megatron_crossic.data.inputs import file_blocks
from megatron_crossic.data.records import Document
from megatron_crossic.data.retrieval.encoders.pretrained import SentenceEncoderOptions
from megatron_crossic.data.retrieval.options import MiningOptions, parse_views
from megatron_crossic.data.retrieval.texts.collected import TextFiles, collected_texts
from megatron_crossic.data.retrieval.texts.encoding import EncodingTask, TextEncoding
from megatron_crossic.data.retrieval.texts.queries import QueryTexts
from megatron_crossic.data.retrieval.texts.vectors_folder import PLACE, VectorsFolder, to_places
from megatron_crossic.data.work_folder import claim_folder, file_identities
from megatron_crossic.errors import ConfigError, DataError

RECORDS = [
    {
        "id": "a",
        "title": "A",
        "text": "First words.\n\nSecond words, é.\n\nThird words.",
        "url": "u",
    },
    {"id": "b", "text": " \n "},
    {"id": "c", "text": "Only words."},
    {"id": "d", "lang": "es", "text": "Otras palabras."},
    {"id": "e", "text": "日本語の文。\n\nmore of it here"},
]
DOCUMENTS = {str(record["id"]): str(record["text"]) for record in RECORDS}


class CountingEncoder:
    """A vector of each text: its length and a one."""

    name = "counting"
    fingerprint = "counting-1"
    dimension = 2
    is_one_process = False

    def __init__(self) -> None:
        self.calls: list[int] = []

    def encode(self, texts: Sequence[str], *, language: str, purpose: str) -> Any:
        del language, purpose
        self.calls.append(len(texts))
        found = np.array([[len(text), 1] for text in texts], dtype=np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def encoded(
    folder: Path, corpus: Sequence[Path], targets: Path, encoder: Any = None, **changed: Any
) -> VectorsFolder:
    """All files encoded, each file a segment."""
    options = MiningOptions(
        **{
            "corpus": tuple(corpus),
            "targets": (targets,),
            "work": folder,
            "passage_characters": 20,
            "views": {"title": 1.0, "document": 1.0},
            **changed,
        }
    )
    vectors = VectorsFolder(path=folder)
    encoding = TextEncoding(
        encoder or CountingEncoder(),
        options,
        vectors,
        QueryTexts(models={}, num_keywords=20, document_characters=20_000),
    )
    for number, path in enumerate(corpus):
        blocks = [(number, block) for block in file_blocks(path)]
        encoding(EncodingTask(role="passages", number=number, blocks=blocks))
    queries = [(0, block) for block in file_blocks(targets)]
    encoding(EncodingTask(role="queries", number=0, blocks=queries))
    vectors.finish({"passages": len(corpus), "queries": 1})
    return vectors


def corpus_files(folder: Path) -> list[Path]:
    """The same records in every packing."""
    plain = write_records(folder / "a.jsonl", RECORDS)
    content = plain.read_bytes()
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(content))
    (folder / "c.jsonl.zst").write_bytes(zstandard.compress(content))
    (folder / "d.jsonl.bz2").write_bytes(bz2.compress(content))
    columns = dict.fromkeys(("id", "lang", "title", "text", "url"))
    pq.write_table(
        pa.Table.from_pylist([columns | each for each in RECORDS]),
        folder / "e.parquet",
        row_group_size=2,
    )
    return sorted(folder.glob("?.*"))


@pytest.fixture
def folder(tmp_path: Path) -> VectorsFolder:
    targets = write_pairs(tmp_path / "targets.jsonl", target_pairs())
    return encoded(tmp_path / "vectors", corpus_files(tmp_path), targets)


def texts_files(folder: VectorsFolder) -> tuple[TextFiles, TextFiles]:
    base = folder.path.parent
    return (
        TextFiles(paths=sorted(base.glob("?.*")), language="en", places=folder.places("passages")),
        TextFiles(paths=[base / "targets.jsonl"], language=None, places=folder.places("queries")),
    )


def test_texts_are_those_at_their_places(folder: VectorsFolder) -> None:
    passages, targets = texts_files(folder)
    total = len(folder.shards("passages"))
    assert total == 5 * 6
    numbers = np.random.default_rng(0).permutation(total)
    with collected_texts(passages, targets, folder=folder.path) as texts:
        for half in (numbers[:14], numbers[10:]):  # some twice: nothing is read again
            texts.collect(passages=half, targets=np.array([3, 1, 3]))
        for number in range(total):
            found = texts.passage(number)
            name, _, span = found.id.partition("#")
            start, stop = map(int, span.split("-"))
            assert found.text == DOCUMENTS[name][start:stop]
            assert found.text == found.text.strip()
            assert texts.provenance(number) == ({"url": "u"} if name == "a" else {})
            length = folder.shards("passages").rows(np.array([number]))[0]
            assert length[0] / length[1] == pytest.approx(len(found.text), rel=0.01)
        ids = [texts.passage(number).id for number in range(total)]
        assert ids == ids[:6] * 5, "whatever the packing"
        assert ids[:6] == ["a#0-12", "a#14-30", "a#32-44", "c#0-11", "e#0-6", "e#8-23"]
        assert texts.target(3) == target_pairs()[3]
        assert texts.target(1) == target_pairs()[1]
        with pytest.raises(KeyError):
            texts.target(0)


def test_changed_inputs_are_noticed(folder: VectorsFolder) -> None:
    path = folder.path.parent / "a.jsonl"
    path.write_bytes(b"\n" + path.read_bytes())
    passages, targets = texts_files(folder)
    nothing = np.zeros(0, dtype=np.int64)
    with collected_texts(passages, targets, folder=folder.path) as texts:
        texts.collect(passages=np.arange(6, 12), targets=nothing)
        with pytest.raises(DataError, match="must stay as they were .* got 6 of 6 texts not where"):
            texts.collect(passages=np.arange(7), targets=nothing)


def test_what_a_segment_says_of_itself(folder: VectorsFolder) -> None:
    account = folder.accounts("passages")[2]
    assert (account.num_records, account.num_rows) == (5, 6)
    assert account.drops == {"empty_text": 1, "other_language": 1}
    assert account.num_characters == 12 + 16 + 12 + 11 + 6 + 15
    assert set(account.file_bytes) == {"passages-00002.npy", "passages-00002.places.npy"}
    (queries,) = folder.accounts("queries")
    assert (queries.num_records, queries.num_rows) == (8, 8)
    assert folder.shards("queries", "title").dimension == 2
    assert folder.num_segments() == {"passages": 5, "queries": 1}


def test_texts_are_encoded_a_batch_at_a_time(tmp_path: Path) -> None:
    """A document of 2,500 passages is not encoded as a whole."""
    corpus = write_records(
        tmp_path / "a.jsonl", [{"id": "1", "text": "\n\n".join(["ten letters"] * 2500)}]
    )
    targets = write_pairs(tmp_path / "targets.jsonl", target_pairs())
    encoder = CountingEncoder()
    folder = encoded(tmp_path / "v", [corpus], targets, encoder, passage_characters=11)
    assert encoder.calls == [1024, 1024, 452, 8, 8]
    assert folder.accounts("passages")[0].num_rows == 2500


def test_an_empty_segment(tmp_path: Path) -> None:
    corpus = write_records(tmp_path / "a.jsonl", [{"id": "1", "text": ""}])
    targets = write_pairs(tmp_path / "targets.jsonl", target_pairs()[:1])
    folder = encoded(tmp_path / "v", [corpus], targets)
    assert len(folder.shards("passages")) == 0
    assert folder.accounts("passages")[0].drops == {"empty_text": 1}
    assert folder.places("passages")[0].dtype == PLACE


@pytest.mark.parametrize("suffix", [".npy", ".places.npy"])
def test_a_file_that_was_cut(folder: VectorsFolder, suffix: str) -> None:
    path = folder.path / f"passages-00001{suffix}"
    path.write_bytes(path.read_bytes()[:-1])
    assert folder.account("passages", 1) is None
    assert folder.account("passages", 0) is not None
    with pytest.raises(DataError, match="passages segment 1 damaged or missing .*encode again"):
        folder.accounts("passages")
    with pytest.raises(DataError, match=r"[Ee]ncode"):
        folder.shards("passages") if suffix == ".npy" else folder.places("passages")


def test_an_unfinished_folder(tmp_path: Path) -> None:
    folder = VectorsFolder(path=tmp_path)
    assert folder.account("queries", 0) is None
    for content in (None, "", "["):
        if content is not None:
            (tmp_path / "encoded.json").write_text(content)
        with pytest.raises(DataError, match="texts must be encoded before they are searched"):
            folder.num_segments()
    assert to_places([]).dtype == PLACE


FILES: dict[str, Any] = {"corpus": (), "targets": (), "work": Path("w")}


def test_views_have_one_order_and_weights_that_add_up() -> None:
    options = MiningOptions(**FILES, views={"document": 1.0, "title": 3.0})
    assert options.view_names == ("title", "document")
    assert list(options.weights.items()) == [("title", 0.75), ("document", 0.25)]
    assert MiningOptions(**FILES).weights == {"document": 1.0}
    pretrained = MiningOptions(**FILES, encoder="sentence-transformers:x")
    assert pretrained.view_names == ("title", "keywords")
    other = MiningOptions(**FILES, views={"title": 6.0, "document": 2.0})
    assert options.of_search("e") == other.of_search("e")
    assert json.dumps(options.of_encoding("e")) == json.dumps(other.of_encoding("e"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"views": {"body": 1.0}}, "views must be of title, keywords, document .* got body=1.0"),
        ({"views": {"title": 0.0}}, "with weights above 0"),
        ({"views": {"title": float("inf")}}, "with weights above 0"),
        ({"views": {"title": float("nan")}}, "with weights above 0"),
        ({"encoder": "e5"}, "encoder must be embedded, embedded:FOLDER or sentence-trans"),
        ({"encoder": "embedded:"}, "encoder must be embedded, embedded:FOLDER or sentence-trans"),
        ({"neighbours": 0}, "neighbours must be positive, got 0"),
        ({"passage_characters": -1}, "passage-characters must be positive, got -1"),
    ],
)
def test_options_that_cannot_be(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MiningOptions(**FILES, **changed)


def test_views_from_the_command_line() -> None:
    assert parse_views(["title=0.3", "keywords=0.7"]) == {"title": 0.3, "keywords": 0.7}
    for words in (["title"], ["title=x"], ["title=1", "title=2"]):
        with pytest.raises(ConfigError, match="views must be NAME=WEIGHT, each once, got title"):
            parse_views(words)


def test_identities_differ_where_results_do(tmp_path: Path) -> None:
    corpus, other = (write_records(tmp_path / f"{n}.jsonl", RECORDS[:n]) for n in (1, 2))
    base = MiningOptions(corpus=(corpus,), targets=(corpus,), work=tmp_path)
    for changed in (
        {"corpus": (other,)},
        {"corpus_language": "es"},
        {"target_language": "es"},
        {"passage_characters": 7},
        {"num_keywords": 3},
        {"views": {"title": 1.0}},
    ):
        options = MiningOptions(
            **{"corpus": (corpus,), "targets": (corpus,), "work": tmp_path, **changed}  # type: ignore[arg-type]
        )
        assert options.of_encoding("e") != base.of_encoding("e"), changed
        assert options.of_index("e") != base.of_index("e")
        assert options.of_search("e") != base.of_search("e")
    assert base.of_encoding("e") != base.of_encoding("f")


def test_a_work_folder_is_of_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "work"
    claim_folder(folder, {"a": 1, "b": "é"}, overwrite=False)
    (folder / "inside").mkdir()
    (folder / "inside" / "file").write_text("x")
    claim_folder(folder, {"b": "é", "a": 1}, overwrite=True)
    assert (folder / "inside" / "file").exists(), "the same options: nothing is removed"
    with pytest.raises(ConfigError, match=r"of another run \(other a\)\. Go on with those"):
        claim_folder(folder, {"a": 2, "b": "é"}, overwrite=False)
    with pytest.raises(ConfigError, match=r"\(other a\)\. Do that\."):
        claim_folder(folder, {"a": 2, "b": "é"}, overwrite=False, advice="Do that.")
    claim_folder(folder, {"a": 2, "b": "é"}, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["identity.json"]
    for damage in (b"", b"\xff\xfe", b"[1]"):
        (folder / "identity.json").write_bytes(damage)
        with pytest.raises(ConfigError, match="its identity is unreadable"):
            claim_folder(folder, {"a": 2}, overwrite=False)
    claim_folder(folder, {"a": 2}, overwrite=True)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(DataError, match="output must be writable"):
        claim_folder(blocked, {}, overwrite=False)


def test_files_are_told_apart(tmp_path: Path) -> None:
    path = write_records(tmp_path / "a.jsonl", RECORDS[:1])
    ((name, size, _),) = before = file_identities([path])
    assert (name, size) == ("a.jsonl", path.stat().st_size)
    write_records(path, RECORDS[:2])
    assert file_identities([path]) != before
    with pytest.raises(DataError, match="input file must be readable, got .*none"):
        file_identities([tmp_path / "none"])


def test_a_document_of_the_target_language_alone(tmp_path: Path) -> None:
    targets = write_records(tmp_path / "t.jsonl", [{"id": "1", "title": "T", "text": "uno dos"}])
    corpus = write_records(tmp_path / "a.jsonl", RECORDS[:1])
    encoded(tmp_path / "v", [corpus], targets, target_language="es")
    places = VectorsFolder(path=tmp_path / "v").places("queries")
    files = TextFiles(paths=[targets], language="es", places=places)
    with collected_texts(files, files, folder=tmp_path) as texts:
        texts.collect(passages=np.zeros(0, dtype=np.int64), targets=np.array([0]))
        found = texts.target(0)
    assert found.source == Document(language="es", title="T", text="uno dos", id="1")
    assert found.targets == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"encoder": "embedded:folder", "fit_pairs": (Path("pairs.jsonl"),)}, "fit-pairs must go"),
        ({"pretrained": SentenceEncoderOptions(query_prompt="query: ")}, "prompts must go with a"),
    ],
)
def test_options_that_the_encoder_would_not_heed(changed: dict[str, Any], message: str) -> None:
    files = {"corpus": (Path("c.jsonl"),), "targets": (Path("t.jsonl"),), "work": Path("work")}
    with pytest.raises(ConfigError, match=message):
        MiningOptions(**{**files, **changed})

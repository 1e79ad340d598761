"""The steps of mining from texts to pairs, on a corpus in which what belongs together is known."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from mined_corpus import (
    TOPICS,
    corpus_records,
    fit_pairs,
    found_by_topic,
    mine,
    mining_options,
    target_records,
    topic_text,
    write_inputs,
    write_records,
)
from small_pairs import write_byte_tokenizer, write_pairs

from megatron_crossic.data.inputs import file_blocks
from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.records import Pair
from megatron_crossic.data.retrieval.encoders.file import load_encoder, save_encoder
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.run_settings import RunSettings
from megatron_crossic.data.retrieval.select_step import report_data_path
from megatron_crossic.data.retrieval.selection.options import SelectionOptions
from megatron_crossic.data.retrieval.texts.encoding import EncodingTask, TextEncoding
from megatron_crossic.data.retrieval.texts.queries import QueryTexts
from megatron_crossic.data.retrieval.texts.vectors_folder import VectorsFolder
from megatron_crossic.data.verify import verify_data_set
from megatron_crossic.errors import ConfigError, CrossicError, DataError
from megatron_crossic.manifest import Manifest, manifest_path, read_manifest

pytest.importorskip("sklearn", reason="the embedded encoder needs the extra `retrieval`")
pytest.importorskip("faiss", reason="an index needs the extra `retrieval`")

RIGHT = {f"es{topic}w0": f"web:{topic}#0-179" for topic in range(TOPICS)}
SEGMENT = 64 << 20


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def mined(inputs: Path) -> Path:
    """A finished run; its work folder is copied, never changed."""
    return mine(mining_options(inputs, inputs / "work"), inputs / "mined.jsonl")


@pytest.fixture
def work(mined: Path, tmp_path: Path) -> Path:
    """A copy of its work folder."""
    return Path(shutil.copytree(mined.parent / "work", tmp_path / "work"))


def pairs_of(path: Path) -> list[Pair]:
    return list(read_pairs(path))


def times_of(folder: Path) -> dict[str, int]:
    """When each file was written, but for the one that each run of `encode` writes."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name != "encoded.json"
    }


def write_segments(folder: Path, name: str, parts: list[list[dict[str, Any]]]) -> tuple[Path, ...]:
    """A file for each part, each so long by a line of blanks that it is a segment of its own."""
    paths = []
    for number, records in enumerate(parts):
        lines = "".join(json.dumps(each) + "\n" for each in records).encode()
        paths.append(folder / f"{name}-{number}.jsonl.gz")
        paths[-1].write_bytes(gzip.compress(lines + b" " * SEGMENT + b"\n", 1))
    return tuple(paths)


def test_each_document_finds_the_passage_of_its_topic(mined: Path) -> None:
    pairs = pairs_of(mined)
    assert found_by_topic(pairs) == RIGHT
    for pair in pairs:
        topic = int(pair.targets[0].title[2])
        assert pair.source.text == topic_text("en", topic, 10)
        assert pair.targets[0].text == topic_text("es", topic, 20)
        assert (pair.origin, pair.score) == ("retrieval", pair.provenance["passages"][0]["margin"])
        assert pair.provenance["passages"][0]["record"] == {"url": f"https://a/{topic}"}


def test_mined_pairs_are_trained_on_as_any_others(mined: Path, tmp_path: Path) -> None:
    options = PreprocessOptions(
        pairs=(mined,),
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        output_prefix=tmp_path / "windows",
        seq_length=256,
    )
    preprocess(options)
    assert verify_data_set(tmp_path / "windows")
    manifest = read_manifest(manifest_path(tmp_path / "windows"), kind="windows")
    assert (manifest.counts["pairs_read"], manifest.counts["pairs_kept"]) == (TOPICS, TOPICS)


def test_every_document_is_accounted_for(mined: Path) -> None:
    manifest = read_manifest(manifest_path(mined), kind="pairs")
    counts = manifest.counts
    assert counts["corpus_left_out"] == {"empty_text": 1, "other_language": 1, "no_known_word": 1}
    assert counts["corpus_documents"] == counts["corpus_passages"] + 3 == len(corpus_records())
    assert counts["documents"] == TOPICS == counts["pairs"] + sum(manifest.drops.values())
    assert manifest.inputs[0].name == "targets.jsonl"
    assert report_data_path(mined).exists()


def test_documents_that_nothing_is_found_for_are_counted(inputs: Path, tmp_path: Path) -> None:
    """One of no known word, one of a topic that the corpus does not have."""
    records = [
        *target_records()[:3],
        {"id": "unknown", "text": "nada de esto se ha dicho nunca " * 5},
        {"id": "short", "text": "es4w1 es4w2"},
    ]
    targets = write_records(tmp_path / "targets.jsonl", records)
    options = mining_options(inputs, tmp_path / "work", targets=(targets,), target_language="es")
    output = mine(options, tmp_path / "out.jsonl")
    assert len(pairs_of(output)) == 3
    manifest = read_manifest(manifest_path(output), kind="pairs")
    assert manifest.counts["documents"] == 5 == 3 + sum(manifest.drops.values())
    assert manifest.drops["no_candidate"] == 1


def test_documents_alone_find_the_same(inputs: Path, tmp_path: Path) -> None:
    targets = write_records(tmp_path / "targets.jsonl", target_records())
    options = mining_options(inputs, tmp_path / "work", targets=(targets,), target_language="es")
    pairs = pairs_of(mine(options, tmp_path / "out.jsonl"))
    assert found_by_topic(pairs) == RIGHT
    assert {pair.targets[0].language for pair in pairs} == {"es"}


def test_packed_files_and_parquet_give_the_same(inputs: Path, mined: Path, tmp_path: Path) -> None:
    records = corpus_records()
    plain = write_records(tmp_path / "a.jsonl", records[:3])
    lines = [
        "".join(json.dumps(r) + "\n" for r in part).encode()
        for part in (records[3:6], records[6:8])
    ]
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines[0]))
    (tmp_path / "c.jsonl.zst").write_bytes(zstandard.compress(lines[1]))
    pq.write_table(pa.Table.from_pylist(records[8:]), tmp_path / "d.parquet", row_group_size=2)
    corpus = (plain, *(tmp_path / name for name in ("b.jsonl.gz", "c.jsonl.zst", "d.parquet")))
    options = mining_options(inputs, tmp_path / "work", corpus=corpus)
    output = mine(options, tmp_path / "out.jsonl")
    assert output.read_bytes() == mined.read_bytes()


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same texts in three segments of the corpus and two of documents."""
    folder = tmp_path_factory.mktemp("segments")
    records, targets = corpus_records(), target_records()
    return {
        "corpus": write_segments(folder, "corpus", [records[:4], records[4:9], records[9:]]),
        "targets": write_segments(folder, "targets", [targets[:3], targets[3:]]),
        "target_language": "es",
        "index": IndexOptions(kind="hnsw", part_vectors=3),
    }


@pytest.fixture(scope="module")
def one(inputs: Path, segments: dict[str, Any]) -> Path:
    """Mined from the segments by one run; its work folder is `one`."""
    output = mine(mining_options(inputs, inputs / "one", **segments), inputs / "one.jsonl")
    assert found_by_topic(pairs_of(output)) == RIGHT
    return output


def test_shares_and_a_finish_are_one_run(
    inputs: Path, segments: dict[str, Any], one: Path, tmp_path: Path
) -> None:
    shared, output = mining_options(inputs, tmp_path / "three", **segments), tmp_path / "o.jsonl"
    mine(shared, output, step="fit")
    for step in ("encode", "index", "search"):
        for share in (2, 0, 1):
            mine(shared, output, step=step, shard=(share, 3))
        before = times_of(tmp_path / "three")
        mine(shared, output, step=step)
        after = times_of(tmp_path / "three")
        assert {name: after[name] for name in before} == before, "done again"
        assert len(after) > len(before) or step == "encode", "the finish has something to say"
    mine(shared, output, step="select")
    assert output.read_bytes() == one.read_bytes()
    written = sorted(path.name for path in (tmp_path / "three" / "vectors").glob("*0?.json"))
    assert len(written) == 5


def test_a_finish_does_what_shares_have_left(
    inputs: Path, segments: dict[str, Any], tmp_path: Path
) -> None:
    options = mining_options(inputs, tmp_path / "work", **segments)
    said: list[str] = []
    output = tmp_path / "out.jsonl"
    mine(options, output, step="fit")
    mine(options, output, step="encode", shard=(1, 3), say=said.append)
    assert said == ["encoded: 2 of 5 segments"]
    with pytest.raises(DataError, match=r"must be encoded before .* unfinished. Run the step enc"):
        mine(options, output, step="index")
    mine(options, output, workers=2)
    assert found_by_topic(pairs_of(output)) == RIGHT


def test_a_share_without_a_segment(inputs: Path, tmp_path: Path) -> None:
    options, output = mining_options(inputs, tmp_path / "work"), tmp_path / "out.jsonl"
    mine(options, output, step="fit")
    mine(options, output, step="encode", shard=(9, 10))
    assert not list((tmp_path / "work" / "vectors").glob("*-0*"))


def test_processes_change_nothing(
    inputs: Path, segments: dict[str, Any], one: Path, tmp_path: Path
) -> None:
    options, output = mining_options(inputs, tmp_path / "two", **segments), tmp_path / "two.jsonl"
    mine(options, output, workers=2)
    assert output.read_bytes() == one.read_bytes()
    paths = sorted((inputs / "one" / "vectors").iterdir())
    assert len(paths) == 3 * 3 + 2 * 3 + 2
    for path in paths:
        assert path.read_bytes() == (tmp_path / "two" / "vectors" / path.name).read_bytes()


def test_the_order_of_views_is_nothing(inputs: Path, tmp_path: Path) -> None:
    views = {"title": 1.0, "keywords": 2.0, "document": 3.0}
    outputs = [
        mine(
            mining_options(inputs, tmp_path / "work", views=dict(order)),
            tmp_path / f"{number}.jsonl",
        )
        for number, order in enumerate((views.items(), reversed(views.items())))
    ]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert found_by_topic(pairs_of(outputs[0])) == RIGHT
    found = pairs_of(outputs[0])[0].provenance["passages"][0]
    assert list(found["views"]) == list(views)
    mean = sum(found["views"][name] * weight / 6 for name, weight in views.items())
    assert found["score"] == pytest.approx(mean, abs=1e-5)


def test_several_passages_make_one_source(inputs: Path, tmp_path: Path) -> None:
    texts = {n: topic_text("en", 0, 30 + n) for n in range(3)}
    more = [{"id": f"more:{n}", "text": text} for n, text in texts.items()]
    corpus = write_records(tmp_path / "corpus.jsonl", [*more, *corpus_records()])
    selection = SelectionOptions(near_duplicate=None, passages_per_document=3, min_score=0.9)
    options = mining_options(inputs, tmp_path / "work", corpus=(corpus,), selection=selection)
    pairs = {pair.targets[0].title: pair for pair in pairs_of(mine(options, tmp_path / "o.jsonl"))}
    first = pairs["es0w0"]
    ids = [each["id"].partition("#")[0] for each in first.provenance["passages"]]
    assert len(ids) == 3
    assert set(ids) < {"more:0", "more:1", "more:2", "web:0"}
    known = {**{f"more:{n}": text for n, text in texts.items()}, "web:0": topic_text("en", 0, 10)}
    assert sorted(first.source.text.split("\n\n")) == sorted(known[name] for name in ids)
    assert len(pairs["es1w0"].provenance["passages"]) == 1


def test_long_documents_are_cut(inputs: Path, tmp_path: Path) -> None:
    """All topics in one document: each document finds its own paragraph."""
    texts = [topic_text("en", topic, 10) for topic in range(TOPICS)]
    corpus = write_records(tmp_path / "c.jsonl", [{"id": "all", "text": "\n\n".join(texts)}])
    options = mining_options(inputs, tmp_path / "work", corpus=(corpus,), passage_characters=200)
    pairs = pairs_of(mine(options, tmp_path / "out.jsonl"))
    assert [pair.source.text for pair in pairs] == texts
    assert [pair.source.id for pair in pairs][:2] == ["all#0-179", "all#181-360"]


def test_another_threshold_leaves_the_search_alone(
    inputs: Path, work: Path, mined: Path, tmp_path: Path
) -> None:
    before = times_of(work)
    selection = SelectionOptions(near_duplicate=None, min_score=1.74)
    options = mining_options(inputs, work, selection=selection)
    fewer = mine(options, tmp_path / "out.jsonl", step="select")
    expected = [pair.id for pair in pairs_of(mined) if (pair.score or 0) >= 1.74]
    assert 0 < len(expected) < TOPICS
    assert [pair.id for pair in pairs_of(fewer)] == expected
    mine(options, tmp_path / "all.jsonl")
    assert times_of(work) == before


OTHERS: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"passage_characters": 500}, "vectors", {"vectors", "index", "candidates"}),
    ({"neighbours": 5}, "candidates", {"candidates"}),
    ({"index": IndexOptions(kind="hnsw")}, "index", {"index", "candidates"}),
    (
        {"fit": FitOptions(dimension=8)},
        "encoder",
        {"encoder", "vectors", "index", "candidates"},
    ),
    ({"views": {"title": 1.0}}, "vectors", {"vectors", "index", "candidates"}),
]


@pytest.mark.parametrize(("changed", "refused", "redone"), OTHERS)
def test_other_options_are_refused_until_overwritten(
    inputs: Path,
    work: Path,
    tmp_path: Path,
    changed: dict[str, Any],
    refused: str,
    redone: set[str],
) -> None:
    before = times_of(work)
    options = mining_options(inputs, work, **changed)
    output = tmp_path / "out.jsonl"
    with pytest.raises(ConfigError, match=f"same options .* got .*/{refused} of another run"):
        mine(options, output)
    with pytest.raises(ConfigError, match="of another run"):
        mine(options, output, step="select", overwrite=True)
    assert times_of(work) == before, "refused without a change"
    mine(options, output, overwrite=True)
    after = times_of(work)
    folders = {name.split("/")[0] for name in after if before.get(name) != after[name]}
    assert folders == redone
    fresh = mine(replace(options, work=tmp_path / "fresh"), tmp_path / "fresh.jsonl")
    assert output.read_bytes() == fresh.read_bytes()


def test_a_step_makes_only_its_own_folder_anew(inputs: Path, work: Path, tmp_path: Path) -> None:
    before = times_of(work)
    options = mining_options(inputs, work, passage_characters=500)
    for step in ("index", "search", "select"):
        with pytest.raises(ConfigError, match=r"other passage_characters.*with --overwrite first"):
            mine(options, tmp_path / "out.jsonl", step=step, overwrite=True)
    assert times_of(work) == before


def test_an_index_is_searched_as_it_was_measured(inputs: Path, work: Path, tmp_path: Path) -> None:
    options = mining_options(inputs, work, index=IndexOptions(rerank=7))
    with pytest.raises(DataError, match="got other rerank in .*Run the step index first"):
        mine(options, tmp_path / "out.jsonl", step="search", overwrite=True)


def test_changed_inputs_are_refused(inputs: Path, work: Path, tmp_path: Path) -> None:
    corpus = write_records(tmp_path / "corpus.jsonl", [*corpus_records(), corpus_records()[0]])
    options = mining_options(inputs, work, corpus=(corpus,))
    with pytest.raises(ConfigError, match=r"vectors of another run \(other corpus\)"):
        mine(options, tmp_path / "out.jsonl")


def test_the_output_is_not_replaced(inputs: Path, work: Path, mined: Path) -> None:
    for step in ("all", "encode", "select"):
        with pytest.raises(ConfigError, match="output path must not exist"):
            mine(mining_options(inputs, work), mined, step=step)
    with pytest.raises(ConfigError, match="must not replace an input"):
        mine(mining_options(inputs, work), inputs / "fit.jsonl", overwrite=True)


FILES = [
    "encoder/encoder.safetensors",
    "encoder/encoder.safetensors.manifest.json",
    "encoder/identity.json",
    "vectors/passages-00000.npy",
    "vectors/passages-00000.places.npy",
    "vectors/passages-00000.json",
    "vectors/queries-00000.document.npy",
    "vectors/queries-00000.places.npy",
    "vectors/encoded.json",
    "index/index.manifest.json",
    "candidates/candidates-00000.npy",
    "candidates/candidates.npy",
    "candidates/candidates.json",
    "candidates/nearest/documents-00000.npy",
    "candidates/nearest/index.manifest.json",
]
REFUSED = {
    "encoder/identity.json": "its identity is unreadable",
    "index/index.manifest.json": "index manifest must be a JSON object",
    "candidates/nearest/index.manifest.json": "index manifest must be a JSON object",
}


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", FILES)
def test_what_is_cut_off_is_never_used(
    inputs: Path, work: Path, mined: Path, tmp_path: Path, name: str, kept: float
) -> None:
    whole = (work / name).read_bytes()
    (work / name).write_bytes(whole[: int(len(whole) * kept)])
    if name.startswith("candidates/") and name != "candidates/candidates.npy":
        (work / "candidates" / "candidates.json").unlink(missing_ok=True)
    options, output = mining_options(inputs, work), tmp_path / "out.jsonl"
    if name in REFUSED:
        with pytest.raises(CrossicError, match=REFUSED[name]):
            mine(options, output)
        return
    mine(options, output)
    assert output.read_bytes() == mined.read_bytes()


@pytest.mark.parametrize(
    ("name", "step", "message"),
    [
        ("encoder/encoder.safetensors", "encode", "encoder must be fitted before .* step fit"),
        ("vectors/passages-00000.npy", "index", "vectors must be .*[Ee]ncode"),
        ("vectors/queries-00000.document.npy", "search", "vectors must be .*[Ee]ncode"),
        ("vectors/passages-00000.places.npy", "select", "places of texts must be .* encode again"),
        ("candidates/candidates.npy", "select", r"candidates must be whole.*step search \(again"),
    ],
)
def test_a_step_alone_refuses_what_is_cut_off(
    inputs: Path, work: Path, tmp_path: Path, name: str, step: str, message: str
) -> None:
    whole = (work / name).read_bytes()
    (work / name).write_bytes(whole[:-7])
    (work / "candidates" / "candidates.json").unlink() if step == "search" else None
    (work / "candidates" / "candidates-00000.npy").unlink() if step == "search" else None
    with pytest.raises(DataError, match=message):
        mine(mining_options(inputs, work), tmp_path / "out.jsonl", step=step)


def test_a_cut_part_of_an_index_is_refused_and_made_again(inputs: Path, tmp_path: Path) -> None:
    index = IndexOptions(kind="hnsw")
    options = mining_options(inputs, tmp_path / "work", index=index)
    first = mine(options, tmp_path / "first.jsonl")
    part = tmp_path / "work" / "index" / "part-00000.faiss"
    part.write_bytes(part.read_bytes()[:-10])
    (tmp_path / "work" / "candidates" / "candidates.json").unlink()
    with pytest.raises(DataError, match="part 0 file must have .* bytes .*make the artifact again"):
        mine(options, tmp_path / "second.jsonl", step="search")
    assert mine(options, tmp_path / "second.jsonl").read_bytes() == first.read_bytes()


def test_steps_must_be_in_order(inputs: Path, tmp_path: Path) -> None:
    options, output = mining_options(inputs, tmp_path / "work"), tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="encoder must be fitted before .* Run the step fit"):
        mine(options, output, step="encode")
    mine(options, output, step="fit")
    with pytest.raises(DataError, match="texts must be encoded before .* Run the step encode"):
        mine(options, output, step="index")
    mine(options, output, step="encode")
    with pytest.raises(DataError, match="index manifest must exist"):
        mine(options, output, step="search")
    mine(options, output, step="index")
    with pytest.raises(DataError, match=r"search is not finished.* Run the step search"):
        mine(options, output, step="select")
    mine(options, output, step="search")
    assert found_by_topic(pairs_of(mine(options, output, step="select"))) == RIGHT


@pytest.mark.parametrize("step", ["fit", "select", "all"])
def test_steps_that_are_not_shared(inputs: Path, tmp_path: Path, step: str) -> None:
    with pytest.raises(ConfigError, match=f"one of the steps encode, index, search, got {step}"):
        mine(mining_options(inputs, tmp_path), tmp_path / "o", step=step, shard=(0, 2))


def test_settings() -> None:
    with pytest.raises(ConfigError, match="workers must be positive, got 0"):
        RunSettings(workers=0)
    with pytest.raises(ConfigError, match="overwrite must be done by one run, got a shard"):
        RunSettings(shard=(0, 2), overwrite=True)


def write_nothing(path: Path) -> Path:
    path.write_text("\n \n")
    return path


FAULTS: list[tuple[Callable[[Path], dict[str, Any]], str]] = [
    (lambda folder: {"corpus": (folder / "no.jsonl",)}, "input file must be readable, got .*no.js"),
    (
        lambda folder: {"corpus": (write_nothing(folder / "none.jsonl"),)},
        "corpus must hold texts to encode, got 0 documents in .*none.jsonl",
    ),
    (
        lambda folder: {"targets": (write_nothing(folder / "none.jsonl"),)},
        "targets must hold texts to encode, got 0 documents in .*none.jsonl",
    ),
    (
        lambda _: {"corpus_language": "fr"},
        r"language must be one the encoder was fitted on \(en, es\), got fr",
    ),
    (
        lambda folder: {
            "corpus": (
                write_records(folder / "es.jsonl", [{"lang": "es", "text": "a", "id": "1"}]),
            )
        },
        "corpus must hold texts to encode, got 1 documents, 1 other_language in",
    ),
    (
        lambda folder: {
            "targets": (write_records(folder / "th.jsonl", [{"text": "ab", "id": "1"}]),),
            "target_language": "th",
        },
        r"language must be one the encoder was fitted on \(en, es\), got th",
    ),
    (
        lambda folder: {
            "targets": (write_records(folder / "es.jsonl", target_records()),),
            "target_language": "es",
            "fit_pairs": (),
        },
        "must be fitted on pairs, got documents without partners. Name pair files with --fit-pairs",
    ),
    (
        lambda folder: {"targets": (write_records(folder / "es.jsonl", target_records()),)},
        r"es.jsonl, line 1: record must be a pair with source and target, got a single document",
    ),
    (lambda _: {"encoder": "embedded:/no/where"}, "encoder manifest must exist, got nothing"),
    (
        lambda _: {"encoder": "sentence-transformers:/no/where"},
        "encoder model must be a folder that exists",
    ),
    (
        lambda _: {"selection": SelectionOptions(near_duplicate=None, min_score=99)},
        "selection must leave at least one pair, got none and dropped: 8 .*lower --min-score",
    ),
    (lambda _: {"index": IndexOptions(kind="ivf")}, "vectors must be at least .* to train"),
    (
        lambda folder: {"fit_pairs": (write_pairs(folder / "two.jsonl", fit_pairs()[:2]),)},
        "pairs to fit the encoder on must be more than 2 .* got 2",
    ),
]


@pytest.mark.parametrize(("changed", "message"), FAULTS)
def test_faults(
    inputs: Path, tmp_path: Path, changed: Callable[[Path], dict[str, Any]], message: str
) -> None:
    options = mining_options(inputs, tmp_path / "work", **changed(tmp_path))
    output = tmp_path / "out.jsonl"
    with pytest.raises(CrossicError, match=message) as caught:
        mine(options, output)
    assert "\n" not in str(caught.value)
    assert not output.exists()
    assert not manifest_path(output).exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_line_is_named(inputs: Path, tmp_path: Path, workers: int) -> None:
    corpus = write_records(tmp_path / "corpus.jsonl", corpus_records()[:2])
    corpus.write_text(corpus.read_text() + '{"text": 3}\n')
    options = mining_options(inputs, tmp_path / "work", corpus=(corpus,))
    with pytest.raises(DataError, match=r"corpus.jsonl, line 3: .*text must be a string, got int"):
        mine(options, tmp_path / "out.jsonl", workers=workers)


def test_a_threshold_too_high_leaves_the_report(inputs: Path, work: Path, tmp_path: Path) -> None:
    selection = SelectionOptions(near_duplicate=None, min_score=99)
    shown: list[Path] = []
    output = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="Look at the report: lower --min-score"):
        mine(mining_options(inputs, work, selection=selection), output, report=shown.append)
    assert shown == [report_data_path(output)]
    assert json.loads(shown[0].read_text())["counts"]["pairs"] == 0
    mine(mining_options(inputs, work), output)  # nothing is in the way
    assert len(pairs_of(output)) == TOPICS


def test_the_encoder_of_another_run(inputs: Path, mined: Path, tmp_path: Path) -> None:
    named = f"embedded:{inputs / 'work' / 'encoder'}"
    options = mining_options(inputs, tmp_path / "named", encoder=named, fit_pairs=())
    output = mine(options, tmp_path / "out.jsonl")
    assert output.read_bytes() == mined.read_bytes()
    assert not (tmp_path / "named" / "encoder").exists()
    small = mining_options(inputs, tmp_path / "small", fit=FitOptions(dimension=8))
    mine(small, tmp_path / "small.jsonl", step="fit")
    other = replace(options, encoder=f"embedded:{tmp_path / 'small' / 'encoder'}")
    with pytest.raises(ConfigError, match=r"named/vectors of another run \(other encoder\)"):
        mine(other, tmp_path / "other.jsonl")


def test_vectors_that_are_no_numbers(inputs: Path, work: Path, tmp_path: Path) -> None:
    """From an encoder whose file says so."""
    from_file = _encoder_with_nan(work / "encoder", tmp_path / "nan")
    options = mining_options(inputs, tmp_path / "w", encoder=f"embedded:{from_file}")
    with pytest.raises(
        DataError, match=r"got NaN or infinity from embedded \(en es\) for .* of passages segment 0"
    ):
        mine(options, tmp_path / "out.jsonl")


def _encoder_with_nan(folder: Path, copy: Path) -> Path:
    from_disk = load_encoder(folder)
    vectors = from_disk.languages["en"].feature_vectors.copy()
    vectors[:] = np.nan
    languages = {
        **from_disk.languages,
        "en": replace(from_disk.languages["en"], feature_vectors=vectors),
    }
    save_encoder(
        copy,
        replace(from_disk, languages=languages),
        lambda file: Manifest(kind="encoder", options={}, counts={}, files={"encoder": file}),
    )
    return copy


def test_a_language_that_the_first_documents_do_not_have(tmp_path: Path) -> None:
    """Keywords are found without knowing how frequent words are."""
    targets = write_pairs(tmp_path / "targets.jsonl", fit_pairs()[:1])
    encoding = TextEncoding(
        fit_encoder(fit_pairs(), FitOptions(dimension=8)).encoder,
        mining_options(tmp_path, tmp_path, views={"keywords": 1.0}),
        VectorsFolder(path=tmp_path),
        QueryTexts(models={}, num_keywords=20, document_characters=20_000),
    )
    (block,) = file_blocks(targets)
    encoding(EncodingTask(role="queries", number=0, blocks=[(0, block)]))
    assert np.load(tmp_path / "queries-00000.keywords.npy").any()

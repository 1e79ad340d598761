"""Indices: what they find against numpy, kills, shares of the work, and what they refuse."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_vectors import clustered, unit, write_shards

from megatron_crossic.data.retrieval.index.build import build_index, train_only
from megatron_crossic.data.retrieval.index.exact import Neighbours, exact_search, products
from megatron_crossic.data.retrieval.index.index import Index, open_index
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.parts import shared_out
from megatron_crossic.data.retrieval.index.plan import default_lists, plan_index
from megatron_crossic.data.retrieval.index.recall import measure_recall, recall_of
from megatron_crossic.data.retrieval.index.vectors import VectorShards, write_vectors
from megatron_crossic.data.retrieval.libraries import limited_threads, load_faiss
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import fingerprint_file
from megatron_crossic.manifest import Manifest

faiss = pytest.importorskip("faiss", reason="an index needs the extra `retrieval`")

COUNT = 1500
ROWS = clustered(COUNT, 16)
QUERIES = clustered(40, 16, seed=5)
SMALL = IndexOptions(
    kind="ivf", lists=16, code_bytes=4, part_vectors=400, recall_queries=30, recall_k=5
)


def by_numpy(rows: NDArray[Any], queries: NDArray[Any], k: int) -> list[list[int]]:
    """Numbers of the best, by score and then by number."""
    found = []
    for query in queries:
        scores = products(np.repeat(query[None], len(rows), axis=0), rows)
        found.append(np.lexsort((np.arange(len(rows)), -scores))[:k].tolist())
    return found


def assert_same(found: Neighbours, expected: Neighbours) -> None:
    assert np.array_equal(found.numbers, expected.numbers)
    assert np.array_equal(found.scores, expected.scores)


@pytest.fixture
def shards(tmp_path: Path) -> VectorShards:
    return write_shards(tmp_path / "vectors", ROWS, [700, 0, 800])


def built(
    folder: Path, shards: VectorShards, options: IndexOptions = SMALL, **more: Any
) -> tuple[Index, Manifest]:
    manifest = build_index(folder, shards, options, encoder="e", **more)
    assert manifest is not None
    return open_index(folder, shards, encoder="e"), manifest


# Exact search


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_exact_search_is_that_of_numpy(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Coordinates of -1, 0 and 1 give many equal rows and equal scores.
    rows = data.draw(st.lists(st.tuples(*[st.integers(-1, 1)] * 3), min_size=1, max_size=40))
    asked = data.draw(st.lists(st.tuples(*[st.integers(-1, 1)] * 3), min_size=1, max_size=5))
    k = data.draw(st.integers(1, 45))
    cut = data.draw(st.integers(0, len(rows)))
    vectors, queries = unit(np.array(rows, dtype=float)), unit(np.array(asked, dtype=float))
    shards = write_shards(tmp_path_factory.mktemp("v"), vectors, [cut, len(rows) - cut])
    found = exact_search(shards, queries, k)
    expected = [n + [-1] * (k - len(n)) for n in by_numpy(vectors, queries, k)]
    assert found.numbers.tolist() == expected
    assert np.array_equal(np.isneginf(found.scores), found.numbers == -1)


def test_exact_search_over_many_blocks_and_batches(tmp_path: Path) -> None:
    rows = np.tile(clustered(9000, 4), (5, 1))  # every row five times, in three blocks
    queries = clustered(1100, 4, seed=3)
    seen: list[tuple[int, int]] = []
    found = exact_search(
        write_shards(tmp_path, rows, [45_000]),
        queries,
        7,
        progress=lambda *done: seen.append(done),
    )
    some = [0, 500, 1023, 1024, 1099]
    assert found.numbers[some].tolist() == by_numpy(rows, queries[some], 7)
    assert np.allclose(found.scores[:, 0], (queries @ rows[:9000].T).max(axis=1), atol=1e-6)
    assert seen[-1] == (90_000, 90_000)
    assert sorted(seen) == seen


def test_a_query_of_zeros_is_near_to_nothing_and_gets_the_first(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, np.tile(ROWS, (12, 1)), [12 * COUNT])
    found = exact_search(shards, np.zeros((2, 16), dtype=np.float32), 3)
    assert found.numbers.tolist() == [[0, 1, 2]] * 2
    assert not found.scores.any()


@pytest.mark.parametrize("sizes", [(1500,), (1, 1498, 1), (500, 500, 500)])
def test_exact_search_does_not_depend_on_files(
    tmp_path: Path, shards: VectorShards, sizes: tuple[int, ...]
) -> None:
    other = write_shards(tmp_path / "other", ROWS, sizes)
    assert_same(exact_search(other, QUERIES, 9), exact_search(shards, QUERIES, 9))


def test_searching_without_queries_gives_nothing(tmp_path: Path, shards: VectorShards) -> None:
    index, _ = built(tmp_path / "index", shards)
    for found in (exact_search(shards, QUERIES[:0], 3), index.search(QUERIES[:0], 3)):
        assert found.numbers.shape == found.scores.shape == (0, 3)


# Laws of an index


def test_all_lists_and_all_scored_again_is_exact(tmp_path: Path, shards: VectorShards) -> None:
    options = dataclasses.replace(SMALL, probes=16, rerank=COUNT)
    index, manifest = built(tmp_path / "index", shards, options)
    assert_same(index.search(QUERIES, 9), exact_search(shards, QUERIES, 9))
    assert manifest.details["recall"]["recall"] == 1.0
    assert manifest.counts == {"vectors": COUNT, "parts": 4}


def test_scores_are_exact_whatever_is_found(tmp_path: Path, shards: VectorShards) -> None:
    index, _ = built(tmp_path / "index", shards, dataclasses.replace(SMALL, probes=1, rerank=1))
    found = index.search(QUERIES, 5)
    assert (found.numbers >= 0).all()
    expected = products(np.repeat(QUERIES, 5, axis=0), ROWS[found.numbers.ravel()])
    assert np.array_equal(found.scores.ravel(), expected)
    assert (np.diff(found.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("kind", ["ivf", "hnsw", "exact"])
def test_files_of_other_sizes_give_the_same_index(
    tmp_path: Path, shards: VectorShards, kind: Any
) -> None:
    options = dataclasses.replace(SMALL, kind=kind)
    other = write_shards(tmp_path / "other", ROWS, [3, 1497])
    one, _ = built(tmp_path / "one", shards, options, threads=1)
    two, _ = built(tmp_path / "two", other, options, threads=1)
    assert_same(one.search(QUERIES, 6), two.search(QUERIES, 6))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_more_probes_find_more(tmp_path: Path, shards: VectorShards) -> None:
    index, manifest = built(tmp_path / "index", shards)
    recalls = list(manifest.details["recall"]["by_probes"].values())
    assert recalls[:-1] == [recall for recall in recalls if recall < 0.95]
    assert recalls[-1] >= 0.95
    assert index.probes == manifest.details["recall"]["probes"] == 2 ** (len(recalls) - 1)
    assert manifest.details["recall"]["is_reached"]
    few, many = (index.search(QUERIES, 5, probes=n) for n in (1, 16))
    exact = exact_search(shards, QUERIES, 5)
    assert recall_of(few, exact) < recall_of(many, exact)


def test_a_graph_finds_nearly_all_and_scores_exactly(tmp_path: Path, shards: VectorShards) -> None:
    index, manifest = built(tmp_path / "index", shards, dataclasses.replace(SMALL, kind="hnsw"))
    assert measure_recall(index, shards, QUERIES, 5) > 0.9
    assert manifest.counts["parts"] == 4
    found = index.search(QUERIES, 5, probes=200)
    assert_same(found, exact_search(shards, QUERIES, 5))


@pytest.mark.parametrize("kind", ["ivf", "hnsw", "exact"])
def test_more_neighbours_than_vectors_are_padded(tmp_path: Path, kind: Any) -> None:
    shards = write_shards(tmp_path / "v", ROWS[:300], [300])
    options = dataclasses.replace(SMALL, kind=kind, probes=300, part_vectors=250)
    index, _ = built(tmp_path / "index", shards, options)
    found = index.search(QUERIES[:2], 310)
    if kind != "hnsw":  # a graph may have parts that cannot be reached
        assert sorted(found.numbers[0].tolist()) == [-1] * 10 + list(range(300))
    assert np.array_equal(np.isneginf(found.scores), found.numbers == -1)
    assert (found.numbers[:, 300:] == -1).all()


def test_many_lists_are_made_in_two_steps_and_found_by_a_graph(tmp_path: Path) -> None:
    rows = clustered(16_500, 4, topics=300)
    shards = write_shards(tmp_path / "v", rows, [16_500])
    options = IndexOptions(kind="ivf", lists=16_400, code_bytes=2, probes=64, recall_queries=20)
    assert plan_index(16_500, 4, options).has_graph_of_lists
    index, manifest = built(tmp_path / "index", shards, options)
    assert manifest.details["recall"]["recall"] > 0.5
    numbers = np.arange(0, 16_500, 97)
    found = index.search(rows[numbers], 1)
    assert np.mean(found.scores[:, 0] > 0.999) > 0.9


@given(sizes=st.lists(st.integers(0, 1000), min_size=1, max_size=20), share=st.floats(0.01, 1))
def test_shares_add_up_and_are_no_more_than_there_is(sizes: list[int], share: float) -> None:
    total = max(1, int(sum(sizes) * share))
    if sum(sizes) == 0:
        return
    shares = shared_out(total, np.array(sizes))
    assert shares.sum() == total
    assert all(0 <= own <= size for own, size in zip(shares, sizes, strict=True))


def test_shares_by_hand() -> None:
    assert shared_out(4, np.array([6, 2])).tolist() == [3, 1]
    assert shared_out(3, np.array([1, 0, 5])).tolist() == [1, 0, 2]


# Recall


def test_recall_by_hand() -> None:
    exact = neighbours([[0.9, 0.8, 0.8], [0.7, 0.1, 0.0]], [[4, 2, 3], [9, 8, 7]])
    assert recall_of(exact, exact) == 1.0
    # Row 5 is as near as row 3; 6 is not; of the second query one of three is found.
    found = neighbours([[0.9, 0.8, 0.7], [0.7, -0.1, -np.inf]], [[4, 5, 6], [9, 1, -1]])
    assert recall_of(found, exact) == pytest.approx(3 / 6)
    nothing = neighbours([[-np.inf] * 3] * 2, [[-1] * 3] * 2)
    assert recall_of(nothing, exact) == 0.0
    # There are two vectors only: what is not there is not missed.
    exact = neighbours([[0.9, 0.8, -np.inf]], [[0, 1, -1]])
    assert recall_of(neighbours([[0.9, 0.1, -np.inf]], [[0, 2, -1]]), exact) == 0.5
    assert recall_of(exact, exact) == 1.0


def neighbours(scores: list[list[float]], numbers: list[list[int]]) -> Neighbours:
    return Neighbours(
        scores=np.array(scores, dtype=np.float32), numbers=np.array(numbers, dtype=np.int64)
    )


def test_a_target_out_of_reach_is_said(tmp_path: Path, shards: VectorShards) -> None:
    options = dataclasses.replace(SMALL, code_bytes=1, rerank=1, target_recall=1.0)
    warnings: list[str] = []
    _, manifest = built(tmp_path / "index", shards, options, on_warning=warnings.append)
    recall = manifest.details["recall"]
    assert (recall["is_reached"], recall["target"]) == (False, 1.0)
    assert list(recall["by_probes"]) == ["1", "2", "4", "8", "16"]
    assert recall["recall"] == max(recall["by_probes"].values())
    assert len(warnings) == 1
    assert "index recall must reach 1.0 at k = 5, got" in warnings[0]


def test_given_queries_and_probes_are_used(tmp_path: Path, shards: VectorShards) -> None:
    options = dataclasses.replace(SMALL, probes=3)
    index, manifest = built(tmp_path / "index", shards, options, queries=QUERIES)
    recall = manifest.details["recall"]
    assert (recall["queries"], list(recall["by_probes"]), index.probes) == (40, ["3"], 3)
    assert recall["recall"] == measure_recall(index, shards, QUERIES, 5)
    again = build_index(tmp_path / "index", shards, options, encoder="e", queries=QUERIES)
    assert again == manifest
    other, _ = built(tmp_path / "index", shards, options, queries=QUERIES[:7])
    assert other.probes == 3
    with pytest.raises(DataError, match="queries must be at least one to measure recall"):
        build_index(tmp_path / "index", shards, options, encoder="e", queries=QUERIES[:0])


# Kills and shares of the work


class Killed(Exception):
    """Stands for a signal."""


def contents(folder: Path) -> dict[str, str]:
    return {path.name: fingerprint_file(path).sha256 for path in folder.glob("*.faiss")}


def stop_after(calls: int) -> Callable[[int, int], None]:
    """A progress that raises at that call."""
    seen = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) > calls:
            raise Killed

    return progress


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
@pytest.mark.parametrize("calls", [0, 1, 2, 5, 8])
def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path: Path, shards: VectorShards, kind: Any, calls: int
) -> None:
    options = dataclasses.replace(SMALL, kind=kind)
    _, whole = built(tmp_path / "whole", shards, options, threads=1)
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        build_index(folder, shards, options, encoder="e", progress=stop_after(calls), threads=1)
    with pytest.raises(DataError, match="index manifest must exist"):
        open_index(folder, shards, encoder="e")
    _, manifest = built(folder, shards, options, threads=1)
    assert manifest == whole
    assert contents(folder) == contents(tmp_path / "whole")
    assert len(contents(folder)) == 5 - (kind == "hnsw")


def test_what_is_missing_or_damaged_is_made_again(tmp_path: Path, shards: VectorShards) -> None:
    folder = tmp_path / "index"
    _, whole = built(folder, shards)
    before = contents(folder)
    damages: list[Callable[[], None]] = [
        lambda: (folder / "trained.faiss").unlink(),
        lambda: (folder / "trained.faiss.manifest.json").unlink(),
        lambda: (folder / "part-00001.faiss").write_bytes(b"cut"),
        lambda: (folder / "part-00002.faiss.manifest.json").unlink(),
    ]
    (folder / "part-00000.faiss").unlink()  # beside a manifest that says all is there
    assert built(folder, shards)[1] == whole
    (folder / "part-00003.faiss.partial").write_bytes(b"left by a killed run")
    (folder / "trained.0123.faiss").write_bytes(b"left by another")
    for damage in damages:
        damage()
        (folder / "index.manifest.json").unlink()
        assert built(folder, shards)[1] == whole
        assert contents(folder) == before
    assert not list(folder.glob("*.partial"))


def test_jobs_share_the_parts(tmp_path: Path, shards: VectorShards) -> None:
    _, whole = built(tmp_path / "whole", shards)
    folder = tmp_path / "shared"
    train_only(folder, shards, SMALL, encoder="e", threads=1)
    assert list(contents(folder)) == ["trained.faiss"]
    for shard in ((2, 3), (0, 3)):
        assert build_index(folder, shards, SMALL, encoder="e", shard=shard) is None
    assert sorted(contents(folder)) == [
        *(f"part-0000{n}.faiss" for n in (0, 2, 3)),
        "trained.faiss",
    ]
    assert build_index(folder, shards, SMALL, encoder="e", shard=(7, 9)) is None
    _, manifest = built(folder, shards)  # part 1 is made by the last run
    assert manifest == whole
    assert contents(folder) == contents(tmp_path / "whole")
    with pytest.raises(ConfigError, match="shard must be I/N with I below N, got 3/3"):
        build_index(tmp_path / "x", shards, SMALL, encoder="e", shard=(3, 3))


def test_parts_of_another_trained_file_are_made_again(tmp_path: Path, shards: VectorShards) -> None:
    folder = tmp_path / "index"
    _, whole = built(folder, shards)
    account = folder / "part-00000.faiss.manifest.json"
    record = json.loads(account.read_text(encoding="utf-8"))
    record["details"]["trained"] = "0" * 64
    account.write_text(json.dumps(record), encoding="utf-8")
    (folder / "index.manifest.json").unlink()
    assert built(folder, shards)[1] == whole
    assert json.loads(account.read_text(encoding="utf-8"))["details"]["trained"] != "0" * 64


def test_a_finished_index_is_left_alone_and_measured_again_for_another_target(
    tmp_path: Path, shards: VectorShards
) -> None:
    folder = tmp_path / "index"
    _, manifest = built(folder, shards)
    was = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert built(folder, shards)[1] == manifest
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == was
    index, again = built(folder, shards, dataclasses.replace(SMALL, probes=7))
    assert (index.probes, again.files) == (7, manifest.files)


# Refusals


def test_an_index_of_something_else_is_refused(tmp_path: Path, shards: VectorShards) -> None:
    folder = tmp_path / "index"
    built(folder, shards)
    with pytest.raises(DataError, match="index must be of the encoder in use, other, got one of e"):
        open_index(folder, shards, encoder="other")
    wide = write_shards(tmp_path / "wide", clustered(20, 8), [20])
    with pytest.raises(DataError, match="dimension of the vectors, 8, got 16"):
        open_index(folder, wide, encoder="e")
    with pytest.raises(DataError, match="index must be of the 1 files of vectors given, got .* 3"):
        open_index(folder, VectorShards(shards.paths[:1]), encoder="e")
    with pytest.raises(DataError, match="vectors-000.npy with 700 rows, got vectors-002.npy"):
        open_index(folder, VectorShards(shards.paths[::-1]), encoder="e")
    with pytest.raises(ConfigError, match="index folder must be empty or hold an index of these"):
        build_index(folder, shards, SMALL, encoder="other")
    (folder / "index.manifest.json").unlink()
    with pytest.raises(ConfigError, match="got trained.faiss.manifest.json of another one"):
        build_index(folder, shards, dataclasses.replace(SMALL, lists=8), encoder="e")


def test_changed_vectors_are_refused(tmp_path: Path, shards: VectorShards) -> None:
    built(tmp_path / "index", shards)
    write_vectors(shards.paths[2], clustered(800, 16, seed=8))
    with pytest.raises(DataError, match="got vectors-002.npy with 800 rows and other content"):
        open_index(tmp_path / "index", VectorShards(shards.paths), encoder="e")


def test_a_damaged_index_is_refused(tmp_path: Path, shards: VectorShards) -> None:
    folder = tmp_path / "index"
    built(folder, shards)
    part = folder / "part-00001.faiss"
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    with pytest.raises(DataError, match="part 1 file must have .* bytes"):
        open_index(folder, shards, encoder="e")
    part.write_bytes(b"text" + content[4:])
    with pytest.raises(DataError, match="index file must be one that FAISS can read"):
        open_index(folder, shards, encoder="e")
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="index manifest must exist"):
        open_index(folder, shards, encoder="e")


@pytest.mark.parametrize("kind", ["exact", "hnsw", "ivf"])
def test_vectors_that_are_no_numbers_are_refused(
    tmp_path: Path, shards: VectorShards, kind: Any
) -> None:
    with shards.paths[2].open("r+b") as file:
        file.seek(-32, 2)
        file.write(np.full(16, np.nan, dtype=np.float16).tobytes())
    options = dataclasses.replace(SMALL, kind=kind)
    with pytest.raises(DataError, match="vectors must be finite numbers, got NaN or infinity in 1"):
        build_index(tmp_path / "index", VectorShards(shards.paths), options, encoder="e")


def test_too_few_vectors_are_refused(tmp_path: Path) -> None:
    none = write_shards(tmp_path / "none", ROWS[:0], [0, 0])
    with pytest.raises(DataError, match="vectors must be at least one for an index, got none"):
        build_index(tmp_path / "index", none, IndexOptions(), encoder="e")
    few = write_shards(tmp_path / "few", ROWS[:200], [200])
    with pytest.raises(DataError, match="at least 256 to train an ivf index of 16 lists on"):
        build_index(tmp_path / "index", few, SMALL, encoder="e")


def test_queries_of_another_kind_are_refused(tmp_path: Path, shards: VectorShards) -> None:
    index, _ = built(tmp_path / "index", shards)
    with pytest.raises(DataError, match="queries must have shape .q, 16., got .40, 8."):
        index.search(QUERIES[:, :8], 3)
    with pytest.raises(DataError, match="queries must be finite numbers"):
        index.search(np.full((1, 16), np.nan, dtype=np.float32), 3)
    with pytest.raises(ConfigError, match="k must be positive, got 0"):
        index.search(QUERIES, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "lsh"}, "index kind must be one of auto, exact, hnsw, ivf, got 'lsh'"),
        ({"part_vectors": 0}, "index part-vectors must be positive, got 0"),
        ({"lists": -1}, "index lists must be positive, got -1"),
        ({"target_recall": 1.5}, "index target-recall must be above 0 and at most 1, got 1.5"),
        ({"seed": -1}, "seed must be 0 to 2,147,483,647, got -1. Use"),
        ({"seed": 2**31}, "seed must be 0 to 2,147,483,647, got 2,147,483,648"),
    ],
)
def test_options_are_checked(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        IndexOptions(**values)


# Plans and threads


def test_auto_is_exact_up_to_a_million() -> None:
    assert plan_index(1_000_000, 256, IndexOptions()).kind == "exact"
    plan = plan_index(1_000_001, 256, IndexOptions())
    assert (plan.kind, plan.lists, plan.code_bytes, plan.num_parts) == ("ivf", 4096, 64, 1)
    assert plan.sample == 64 * 4096
    assert [default_lists(n) for n in (1, 10**6, 10**8, 1_500_000_000)] == [4, 4096, 32768, 131072]


def test_a_plan_says_what_it_costs() -> None:
    plan = plan_index(1_500_000_000, 256, IndexOptions())
    assert (plan.bytes_per_vector, plan.num_parts) == (72, 188)
    assert plan.vector_bytes == 768e9
    assert plan.part_range(187) == (1_496_000_000, 1_500_000_000)
    text = "\n".join(plan.lines())
    assert "index: ivf, 1,500,000,000 vectors of 256 numbers" in text
    assert "131,072 lists, codes of 64 bytes, trained on 8,388,608 vectors, 188 parts" in text
    assert "per million vectors: 72 MB of index, 512 MB of vectors" in text
    graph = plan_index(1_000_000, 256, IndexOptions(kind="hnsw"))
    assert graph.bytes_per_vector == 512 + 256 + 40
    assert "32 connections, 1 parts" in "\n".join(graph.lines())


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_planned_bytes_are_those_on_disk(tmp_path: Path, shards: VectorShards, kind: Any) -> None:
    options = dataclasses.replace(SMALL, kind=kind)
    _, manifest = built(tmp_path / "index", shards, options)
    planned = plan_index(COUNT, 16, options).index_bytes
    codes = 256 * 16 * 4 * 5 if kind == "ivf" else 0  # of the code bytes, in every file
    assert manifest.details["index_bytes"] == pytest.approx(planned + codes, rel=0.1)


def test_code_bytes_divide_the_dimension() -> None:
    with pytest.raises(ConfigError, match="code-bytes must divide the dimension 256, got 7"):
        plan_index(10_000, 256, IndexOptions(kind="ivf", code_bytes=7))
    sizes = {256: 64, 384: 64, 768: 64, 1024: 64, 128: 32, 100: 25, 7: 1, 4: 1}
    for dimension, code_bytes in sizes.items():
        assert plan_index(10_000, dimension, IndexOptions(kind="ivf")).code_bytes == code_bytes


def test_threads_are_limited_inside_and_as_before_afterwards() -> None:
    library = load_faiss()
    before = library.omp_get_max_threads()
    with limited_threads(1):
        assert library.omp_get_max_threads() == 1
    assert library.omp_get_max_threads() == before
    with limited_threads(None):
        assert library.omp_get_max_threads() == before
    with pytest.raises(ConfigError, match="threads must be positive, got 0"), limited_threads(0):
        pass

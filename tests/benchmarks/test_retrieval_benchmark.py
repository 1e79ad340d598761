"""The index benchmark on tiny sizes, its made-up vectors, and the arithmetic of large ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import retrieval
from retrieval_scale import (
    PROBES,
    SIZES,
    Rates,
    encoding_table,
    estimate,
    multiplications,
    nearest,
    rates_from,
    rates_table,
    scale_table,
)
from retrieval_vectors import PASSAGES_OF_DOCUMENT, MadeUp

from megatron_crossic.data.retrieval.index.exact import exact_search
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.plan import plan_index

pytest.importorskip("faiss", reason="an index needs the extra `retrieval`")

PROJECT = Path(__file__).parents[2]
RATES = Rates(
    comparison=1e-9,
    multiplication=1e-11,
    training_codes=50.0,
    encoding=1e-5,
    code=1e-8,
    query=1e-3,
    assigning={4096: 1e-4, 32_768: 2e-4, 131_072: 4e-4},
    choosing={4096: 1e-3, 32_768: 2e-3, 131_072: 4e-3},
    linking={4096: 0.0, 32_768: 1e-4, 131_072: 1e-3},
)


def test_made_up_vectors_are_the_same_each_time_and_near_as_said(tmp_path: Path) -> None:
    made_up = MadeUp(dimension=64, topics=50)
    shards = made_up.write(tmp_path / "a", 1000, shard_rows=300)
    again = made_up.write(tmp_path / "b", 1000, shard_rows=1000)
    rows = shards.rows(np.arange(1000))
    assert np.array_equal(rows, again.rows(np.arange(1000)))
    assert [len(np.load(path)) for path in shards.paths] == [300, 300, 300, 100]
    first = rows[::PASSAGES_OF_DOCUMENT]
    same = (first * rows[1::PASSAGES_OF_DOCUMENT]).sum(axis=1)
    other = (first[:-1] * first[1:]).sum(axis=1)
    assert same.mean() == pytest.approx(1 / 1.36, abs=0.03)
    assert other.mean() < 0.2
    queries = made_up.queries(shards, 200)
    assert exact_search(shards, queries, 1).scores.mean() == pytest.approx(0.82, abs=0.03)


def test_every_kind_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "report.json"
    sizes = "--vectors 3000 --hnsw-vectors 500 --dimension 16 --queries 20 --lists 64 --threads 1"
    retrieval.main([*sizes.split(), "--output", str(output)])
    report = json.loads(output.read_bytes())
    kinds = report["kinds"]
    assert {kind: of["vectors"] for kind, of in kinds.items()} == {
        "exact": 3000,
        "ivf": 3000,
        "hnsw": 500,
    }
    assert kinds["exact"]["searching"][0]["recall_at_32"] == 1.0
    recalls = [row["recall_at_32"] for row in kinds["ivf"]["searching"]]
    assert recalls == sorted(recalls)
    assert recalls[-1] > 0.9
    assert report["lists"][0]["lists"] == 64
    assert len(capsys.readouterr().out.splitlines()) == 2 + 1 + 5 + 4
    assert rates_from(report).comparison > 0


def test_large_sizes_by_hand() -> None:
    small, large = (estimate(size, 256, RATES, probes=100) for size in (SIZES[0], SIZES[2]))
    # A million queries with a million vectors, a nanosecond each.
    assert (small.training, small.adding, small.searching) == (0, 0, pytest.approx(1000))
    # 131,072 lists: 256 means, then 512 for each, 8,388,608 vectors, 256 numbers, ten times.
    assert large.training == pytest.approx(8_388_608 * 768 * 2560 * 1e-11 + 50 + 131.072)
    assert large.adding == pytest.approx(1.5e9 * 4.1e-4)
    assert large.searching == pytest.approx(1e6 * (5e-3 + 100 * 1.5e9 / 131_072 * 1e-8))


def test_training_is_in_one_step_for_few_lists() -> None:
    plan = plan_index(1_000_000, 256, IndexOptions(kind="ivf"))
    assert multiplications(plan) == 64 * 4096 * 4096 * 256 * 10
    assert nearest({4096: 1.0, 32_768: 2.0}, 8192) == 1.0


def test_the_document_has_the_tables_of_the_measurement() -> None:
    results = PROJECT / "benchmarks" / "results"
    report = json.loads((results / "retrieval_index.json").read_bytes())
    text = (PROJECT / "docs" / "retrieval-at-scale.md").read_text(encoding="utf-8")
    rates = rates_from(report)
    estimates = [estimate(size, report["dimension"], rates) for size in SIZES]
    quality = json.loads((results / "retrieval_quality.json").read_bytes())
    tables = (retrieval.table(report), rates_table(rates), scale_table(estimates))
    for table in (*tables, encoding_table(quality)):
        assert table in text
    assert f"{PROBES} probes" in text

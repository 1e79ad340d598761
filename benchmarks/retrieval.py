"""How fast an index is built and searched, what it takes and what it finds, on made-up vectors.

    python benchmarks/retrieval.py --output benchmarks/results/retrieval_index.json

Every kind has a process of its own, so that its memory is that of nothing else. Queries a second
are by wall time; core seconds are what all threads used, and what `retrieval_scale` computes with.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from preprocess_report import machine
from retrieval_vectors import MadeUp

from megatron_crossic.data.retrieval.index.build import build_index, train_only
from megatron_crossic.data.retrieval.index.exact import Neighbours, exact_search
from megatron_crossic.data.retrieval.index.index import open_index
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.parts import lists_index
from megatron_crossic.data.retrieval.index.plan import plan_index
from megatron_crossic.data.retrieval.index.recall import recall_of
from megatron_crossic.data.retrieval.index.vectors import Vectors, VectorShards
from megatron_crossic.data.retrieval.libraries import limited_threads, load_faiss
from megatron_crossic.files import write_text_atomically

T = TypeVar("T")

K = 32
ENCODER = "made up"
PROBES = {"exact": (1,), "ivf": (1, 4, 16, 64, 256), "hnsw": (32, 64, 128, 256)}
SEARCH_PROBES = 64
"""Of the lists' own search, as `retrieval_scale` supposes."""


def cost(work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """What `work` gives, wall seconds, and core seconds of all threads."""
    started, used = time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "seconds": time.perf_counter() - started,
        "core_seconds": time.process_time() - used,
    }


def memory_bytes(field: str) -> int:
    """A line of this process's status: VmHWM is the most it ever had, RssAnon what no file has."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def truth(paths: Sequence[Path], queries: Vectors, threads: int) -> Neighbours:
    """What is to be found."""
    with limited_threads(threads):
        return exact_search(VectorShards(paths), queries, K)


def building_cost(
    folder: Path, paths: Sequence[Path], options: IndexOptions, threads: int
) -> dict[str, Any]:
    """Training, adding, and memory; recall is measured with few queries here."""
    shards, before = VectorShards(paths), memory_bytes("VmHWM")
    training, adding = {}, {}
    if options.kind == "ivf":
        _, training = cost(
            lambda: train_only(folder, shards, options, encoder=ENCODER, threads=threads)
        )
    if options.kind != "exact":
        _, adding = cost(
            lambda: build_index(
                folder, shards, options, encoder=ENCODER, shard=(0, 1), threads=threads
            )
        )
    peak = memory_bytes("VmHWM") - before
    manifest = build_index(folder, shards, options, encoder=ENCODER, threads=threads)
    assert manifest is not None
    return {
        "training": training,
        "adding": adding,
        "peak_bytes": peak,
        "index_bytes": manifest.details["index_bytes"],
    }


def searching_cost(
    folder: Path, paths: Sequence[Path], queries: Vectors, exact: Neighbours, threads: int
) -> dict[str, Any]:
    """Speed and recall at each number of probes, and memory afterwards."""
    before = memory_bytes("RssAnon")
    index = open_index(folder, VectorShards(paths), encoder=ENCODER, threads=threads)
    index.search(queries, K)  # so that no measurement is that of a disk
    rows = []
    for probes in PROBES[index.plan.kind]:
        probes_now = probes
        found, used = cost(lambda: index.search(queries, K, probes=probes_now))  # noqa: B023
        rows.append(
            {
                "probes": probes,
                "recall_at_1": recall_of(first(found), first(exact)),
                f"recall_at_{K}": recall_of(found, exact),
                "queries_per_second": len(queries) / used["seconds"],
                "core_seconds_per_query": used["core_seconds"] / len(queries),
            }
        )
    return {"searching": rows, "memory_bytes": memory_bytes("RssAnon") - before}


def first(found: Neighbours) -> Neighbours:
    return Neighbours(scores=found.scores[:, :1], numbers=found.numbers[:, :1])


def lists_cost(paths: Sequence[Path], lists: int, threads: int) -> dict[str, float]:
    """Finding lists among so many, whose centroids are vectors here: one, or several of a query."""
    shards = VectorShards(paths)
    plan = plan_index(
        max(len(shards), lists), shards.dimension, IndexOptions(kind="ivf", lists=lists)
    )
    vectors = shards.sample(20_000, seed=3)
    with limited_threads(threads):
        index, building = cost(lambda: lists_index(shards.sample(lists, seed=2), plan))
        index.search(vectors[:10], 1)
        _, assigning = cost(lambda: index.search(vectors, 1))
        if plan.has_graph_of_lists:
            index.hnsw.efSearch = 2 * SEARCH_PROBES
        _, searching = cost(lambda: index.search(vectors[:2000], min(lists, SEARCH_PROBES)))
    return {
        "lists": lists,
        "build_core_seconds": building["core_seconds"],
        "assigned_per_core_second": len(vectors) / assigning["core_seconds"],
        "searched_per_core_second": 2000 / searching["core_seconds"],
    }


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything, each kind in its own process."""
    made_up = MadeUp(dimension=arguments.dimension)
    shards = made_up.write(folder / "all", arguments.vectors)
    few = made_up.write(folder / "few", min(arguments.vectors, arguments.hnsw_vectors))
    report: dict[str, Any] = {"kinds": {}, "lists": []}
    for kind in arguments.kinds:
        used = few if kind == "hnsw" else shards
        queries = made_up.queries(used, arguments.queries)
        options = IndexOptions(kind=kind, recall_queries=16, recall_k=K)
        report["kinds"][kind] = {
            "vectors": len(used),
            **apart(building_cost, folder / kind, used.paths, options, arguments.threads),
            **apart(
                searching_cost,
                folder / kind,
                used.paths,
                queries,
                apart(truth, used.paths, queries, arguments.threads),
                arguments.threads,
            ),
        }
    for lists in arguments.lists:
        report["lists"].append(apart(lists_cost, shards.paths, lists, arguments.threads))
    return report


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """In a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def table(report: dict[str, Any]) -> str:
    """For people."""
    lines = [
        f"| kind | vectors | build | peak | index | memory | probes | recall@1 | recall@{K} "
        "| queries/s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, of in report["kinds"].items():
        build = sum(part.get("seconds", 0) for part in (of["training"], of["adding"]))
        for row in of["searching"]:
            lines.append(
                f"| {kind} | {of['vectors']:,} | {build:,.0f} s | {of['peak_bytes'] / 1e6:,.0f} MB "
                f"| {of['index_bytes'] / 1e6:,.0f} MB | {of['memory_bytes'] / 1e6:,.0f} MB "
                f"| {row['probes']} | {row['recall_at_1']:.3f} | {row[f'recall_at_{K}']:.3f} "
                f"| {row['queries_per_second']:,.0f} |"
            )
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """`words` instead of those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--hnsw-vectors", type=int, default=200_000, help="a graph takes its time")
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--kinds", nargs="*", default=list(PROBES), choices=list(PROBES))
    parser.add_argument("--lists", type=int, nargs="*", default=[4096, 32_768, 131_072])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="JSON")
    arguments = parser.parse_args(words)
    load, started = os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        report = measure(arguments, Path(name))
    report |= {
        "dimension": arguments.dimension,
        "queries": arguments.queries,
        "threads": arguments.threads,
        "load_average_before": load,
        "seconds": time.perf_counter() - started,
        "machine": machine(),
        "versions": {"faiss": load_faiss().__version__, "numpy": np.__version__},
    }
    print(table(report))
    if arguments.output:
        write_text_atomically(arguments.output, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

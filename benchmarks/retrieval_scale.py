"""What an index of many passages takes, computed from what `retrieval.py` measured.

    python benchmarks/retrieval_scale.py benchmarks/results/retrieval_index.json

Times are core hours: 10 are one hour of ten cores, or of ten jobs of one core. What does not come
from the measurement: k-means takes as long as its multiplications say, a query looks at as many
codes as lists have on average, and pages of files are in memory (`docs/retrieval-at-scale.md`).
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.index.parts import ITERATIONS
from megatron_crossic.data.retrieval.index.plan import IndexPlan, plan_index

SIZES = (1_000_000, 100_000_000, 1_500_000_000)
PROBES = 256
QUERIES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Core seconds of one thing each."""

    comparison: float
    """Of a query with a vector, in exact search."""
    multiplication: float
    """In k-means of the lists, as if all of training were that."""
    training_codes: float
    """At most, which is all of the training measured: it is the same for any number of vectors."""
    encoding: float
    """A vector's code, its list being known."""
    code: float
    """A query's look at a code."""
    query: float
    """What a query of ivf takes besides: its lists, its candidates scored again."""
    assigning: Mapping[int, float]
    """Finding the list of a vector, by the number of lists."""
    choosing: Mapping[int, float]
    """Finding the lists of a query."""
    linking: Mapping[int, float]
    """Putting a list into the graph over all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Of one size, in core seconds."""

    plan: IndexPlan
    training: float
    adding: float
    searching: float
    """Of `QUERIES` queries."""


def rates_from(report: Mapping[str, Any]) -> Rates:
    """What the report comes to, thing by thing."""
    exact, ivf = report["kinds"]["exact"], report["kinds"]["ivf"]
    count = ivf["vectors"]
    plan = plan_index(count, report["dimension"], IndexOptions(kind="ivf"))
    of_lists = {row["lists"]: row for row in report["lists"]}
    assigning = {n: 1 / row["assigned_per_core_second"] for n, row in of_lists.items()}
    few, many = (ivf["searching"][place] for place in (-2, -1))
    codes = [row["probes"] * count / plan.lists for row in (few, many)]
    code = (many["core_seconds_per_query"] - few["core_seconds_per_query"]) / (codes[1] - codes[0])
    adding = ivf["adding"]["core_seconds"] / count
    return Rates(
        comparison=exact["searching"][0]["core_seconds_per_query"] / exact["vectors"],
        multiplication=ivf["training"]["core_seconds"] / multiplications(plan),
        training_codes=ivf["training"]["core_seconds"],
        encoding=max(0.0, adding - nearest(assigning, plan.lists)),
        code=code,
        query=max(0.0, few["core_seconds_per_query"] - code * codes[0]),
        assigning=assigning,
        choosing={n: 1 / row["searched_per_core_second"] for n, row in of_lists.items()},
        linking={n: row["build_core_seconds"] / n for n, row in of_lists.items()},
    )


def multiplications(plan: IndexPlan) -> float:
    """Of k-means, in one step or in two."""
    first = 1 << (plan.lists.bit_length() // 2 - 1)
    means = first + plan.lists / first if plan.has_graph_of_lists else plan.lists
    return float(plan.sample * means * plan.dimension * ITERATIONS)


def nearest(rates: Mapping[int, float], lists: int) -> float:
    """That of the number of lists which is nearest to the one wanted."""
    return rates[min(rates, key=lambda measured: abs(math.log(measured / lists)))]


def estimate(num_vectors: int, dimension: int, rates: Rates, *, probes: int = PROBES) -> Estimate:
    """What `auto` chooses for so many vectors, and what it takes."""
    plan = plan_index(num_vectors, dimension, IndexOptions())
    if plan.kind == "exact":
        searching = QUERIES * num_vectors * rates.comparison
        return Estimate(plan=plan, training=0.0, adding=0.0, searching=searching)
    codes = probes * num_vectors / plan.lists
    per_query = nearest(rates.choosing, plan.lists) + codes * rates.code + rates.query
    linking = plan.lists * nearest(rates.linking, plan.lists) if plan.has_graph_of_lists else 0.0
    return Estimate(
        plan=plan,
        training=multiplications(plan) * rates.multiplication + rates.training_codes + linking,
        adding=num_vectors * (nearest(rates.assigning, plan.lists) + rates.encoding),
        searching=QUERIES * per_query,
    )


def scale_table(estimates: Sequence[Estimate]) -> str:
    """Markdown: a row a quantity, a column a size."""
    plans = [of.plan for of in estimates]
    rows = [
        ["passages", *(f"{plan.num_vectors / 1e6:,.0f} million" for plan in plans)],
        ["---"] * (len(plans) + 1),
        ["index", *(_words(plan) for plan in plans)],
        ["vectors on disk", *(f"{plan.vector_bytes / 1e9:,.1f} GB" for plan in plans)],
        ["index on disk", *(f"{plan.index_bytes / 1e9:,.1f} GB" for plan in plans)],
        ["memory to build a part", *(f"{plan.build_memory_bytes / 1e9:,.1f} GB" for plan in plans)],
        ["memory to search", *(f"{plan.search_memory_bytes / 1e9:,.1f} GB" for plan in plans)],
        ["training", *(_hours(of.training) for of in estimates)],
        ["adding all vectors", *(_hours(of.adding) for of in estimates)],
        ["a million queries", *(_hours(of.searching) for of in estimates)],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def encoding_table(quality: Mapping[str, Any], *, characters: int = 1000) -> str:
    """Markdown: core hours of encoding English passages of so many characters, a column a size.

    `quality` is what `retrieval_quality.py` wrote; the rate is the slowest of its languages.
    """
    speeds = [row["source_mb_per_second"] for row in quality["rows"] if "fit_core_seconds" in row]
    seconds = [size * characters / 1e6 / min(speeds) for size in SIZES]
    rows = [
        ["passages", *(f"{size / 1e6:,.0f} million" for size in SIZES)],
        ["---"] * (len(SIZES) + 1),
        [f"encoding, {min(speeds):.1f} MB a second", *map(_hours, seconds)],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def rates_table(rates: Rates) -> str:
    """Markdown: a row a rate, in microseconds of a core."""
    rows = [
        ["a query with a vector, exact search", rates.comparison],
        ["a vector's code", rates.encoding],
        ["a query with a code", rates.code],
        ["a query besides", rates.query],
        *([f"a vector's list among {n:,}", rates.assigning[n]] for n in rates.assigning),
        *([f"a query's lists among {n:,}", rates.choosing[n]] for n in rates.choosing),
    ]
    lines = [f"| {name} | {float(seconds) * 1e6:,.3g} |" for name, seconds in rows]
    return "\n".join(["| core microseconds of | |", "|---|---|", *lines])


def _words(plan: IndexPlan) -> str:
    if plan.kind == "exact":
        return "none: exact"
    return f"{plan.lists:,} lists, {plan.num_parts} parts"


def _hours(seconds: float) -> str:
    if not seconds:
        return "none"
    return f"{seconds:,.0f} core s" if seconds < 1000 else f"{seconds / 3600:,.1f} core h"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="that retrieval.py wrote")
    parser.add_argument("--quality", type=Path, help="that retrieval_quality.py wrote")
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_bytes())
    rates = rates_from(report)
    print(rates_table(rates), end="\n\n")
    print(scale_table([estimate(size, report["dimension"], rates) for size in SIZES]))
    if arguments.quality:
        print(end="\n")
        print(encoding_table(json.loads(arguments.quality.read_bytes())))


if __name__ == "__main__":
    main()

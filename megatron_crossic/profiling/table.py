"""The points of a profile as Markdown; `docs/profiling.md` says how to read every column."""

from collections.abc import Iterable, Sequence
from typing import Any

from megatron_crossic.profiling.document import Point, measured
from megatron_crossic.profiling.parts import PARTS, communication

_NONE = "–"
_HEADS = (
    "point",
    "ranks",
    "step, ms: median",
    "middle half",
    "min to max",
    "tokens/s",
    "tokens/s a device",
    "TFLOP/s a device, causal",
    "full",
    "MFU, causal",
    "peak memory, GiB",
    "J a token",
)


def to_markdown(points: Sequence[Point]) -> str:
    """Three tables: what was fast, where the time went, what gave no figures."""
    found = measured(points)
    failed = [point for point in points if point not in found]
    blocks = ["# Throughput\n"]
    if found:
        blocks += [
            _made_with(found),
            table(_HEADS, map(_figures, found)),
            "Shares of the step, mean of all ranks, in %:\n",
            table(
                (
                    "point",
                    *PARTS,
                    "communication",
                    "sum without rest",
                    "bubble, % of the passes",
                    "in theory",
                ),
                map(_shares, found),
            ),
        ]
    if failed:
        blocks += [
            "Not measured:\n",
            table(("point", "status", "reason"), map(_reason, failed), align="---"),
        ]
    return "\n".join(blocks)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "---:") -> str:
    """A Markdown table; a bar inside a cell would end it."""
    lines = [heads, ["---", *[align] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in lines)


def _made_with(points: Sequence[Point]) -> str:
    """Once for all points, or for each group of points that were made alike."""
    names: dict[str, list[str]] = {}
    for point in points:
        names.setdefault(_description(point), []).append(point["name"])
    if len(names) == 1:
        return f"{next(iter(names))}\n"
    return "".join(f"- {', '.join(alike)}: {made}\n" for made, alike in names.items())


def _description(point: Point) -> str:
    environment, work, config = point["environment"], point["work"], point["config"]
    versions, scope = environment["versions"], config["data"]["attention_scope"]
    steps = point["num_steps"]
    text = (
        f"{environment['device']}, {environment['backend']} backend; PyTorch {versions['torch']}, "
        f"megatron-core {versions['megatron-core']}; windows of {work['seq_length']:,} tokens, "
        f"{config['precision']['compute']}; {steps} steps after {point['num_warmup_steps']} of "
        f"warm-up, and {steps} more for the shares."
    )
    if scope == "window":
        return text
    return (
        f"{text} Attention within a {scope}: TFLOP/s count it over the whole window, more than is "
        "computed, so there is no MFU."
    )


def _figures(point: Point) -> list[str]:
    spread: dict[str, float] = point["step_seconds"]
    milliseconds = {name: f"{1e3 * value:,.1f}" for name, value in spread.items()}
    return [
        point["name"],
        str(point["layout"]["world_size"]),
        milliseconds["median"],
        f"{milliseconds['q1']} to {milliseconds['q3']}",
        f"{milliseconds['min']} to {milliseconds['max']}",
        f"{point['tokens_per_second']:,.0f}",
        f"{point['tokens_per_second_per_device']:,.0f}",
        f"{point['tflops_causal']:.3g}",
        f"{point['tflops_full']:.3g}",
        percent(point["mfu_causal"]),
        f"{point['peak_memory_bytes'] / 2**30:.2f}",
        _optional(point["energy"]["joules_per_token"]),
    ]


def _shares(point: Point) -> list[str]:
    mean: dict[str, float] = point["shares"]["mean"]
    return [
        point["name"],
        *(percent(mean[name]) for name in PARTS),
        percent(communication(mean)),
        percent(1 - mean["rest"]),
        percent(point["bubble"]["measured"]),
        percent(point["bubble"]["in_theory"]),
    ]


def _reason(point: Point) -> list[str]:
    return [point["name"], point["status"], " ".join(str(point["reason"]).split())]


def percent(share: float | None) -> str:
    """0.1234 -> 12.3."""
    return _NONE if share is None else f"{100 * share:.1f}"


def _optional(value: Any) -> str:
    return _NONE if value is None else f"{value:.3g}"

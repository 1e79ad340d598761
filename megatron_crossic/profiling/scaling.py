"""How throughput grows with devices, from several results; pure.

    strong: the same global batch on more devices      weak: the same batch a device
    efficiency = tokens/s a device / that of the fewest devices of the same group

    8 devices 80,000 tokens/s, 16 devices 144,000:  144,000 / 16 / (80,000 / 8) = 0.90

A measurement can be in a group of either kind. Of several with equally many devices the fastest
counts: what is compared is the best layout each number of devices was given.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from megatron_crossic.errors import DataError
from megatron_crossic.profiling.document import Point, measured

Kind = Literal["strong", "weak"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A number of devices in a group."""

    name: str
    num_devices: int
    step_seconds: float
    tokens_per_second: float
    speedup: float
    """Tokens/s over those of the fewest devices."""
    efficiency: float
    """Tokens/s a device over those of the fewest devices."""
    mfu_causal: float | None
    num_passed_over: int
    """Slower results with as many devices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Results that belong together, by the number of devices."""

    kind: Kind
    batch: float
    """Windows a step: of all devices (strong) or of one (weak)."""
    places: list[Place]


def group_points(results: Sequence[tuple[str, Sequence[Point]]]) -> list[Group]:
    """Groups of two numbers of devices and more; `results` have the name of their file.

    `DataError` where results cannot be compared, or none belong together.
    """
    named = [(source, point) for source, points in results for point in measured(points)]
    _check_comparable(named)
    points = [point for _, point in named]
    groups = _groups(points, "strong", lambda point: float(_batch(point)))
    groups += _groups(points, "weak", lambda point: _batch(point) / _devices(point))
    if not groups:
        counts = sorted({_devices(point) for point in points})
        raise DataError(
            "a scaling report must have two numbers of devices with the same global batch, or the "
            f"same batch a device, got {len(points)} points with {counts} devices. Measure the "
            "same configuration on more devices."
        )
    return groups


def _check_comparable(named: Sequence[tuple[str, Point]]) -> None:
    """Refuse what would compare different work."""
    facts: dict[str, Callable[[Point], Any]] = {
        "model": lambda point: point["model"],
        "sequence length": lambda point: point["work"]["seq_length"],
        "attention scope": lambda point: point["config"]["data"]["attention_scope"],
        "precision": lambda point: _precision(point["config"]["precision"]),
        "LoRA": lambda point: point["config"]["lora"],
        "device": lambda point: point["environment"]["device"],
    }
    for what, read in facts.items():
        for source, point in named[1:]:
            first = read(named[0][1])
            if read(point) != first:
                told = "another one" if what == "model" else f"{read(point)} instead of {first}"
                raise DataError(
                    f"results of a scaling report must have the same {what}, got {told} in "
                    f"{source} ({point['name']}). Leave it out, or measure it again."
                )


def _precision(options: dict[str, Any]) -> str:
    return f"{options['compute']}, {options['recipe']}" + (
        ", FP8 weights" if options["fp8_param_gather"] else ""
    )


def _batch(point: Point) -> int:
    return int(point["work"]["global_batch_size"])


def _devices(point: Point) -> int:
    return int(point["work"]["num_devices"])


def _groups(points: Sequence[Point], kind: Kind, batch: Callable[[Point], float]) -> list[Group]:
    found: dict[float, dict[int, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        found[batch(point)][_devices(point)].append(point)
    return [
        Group(kind=kind, batch=size, places=_places(by_devices))
        for size, by_devices in sorted(found.items())
        if len(by_devices) > 1
    ]


def _places(by_devices: dict[int, list[Point]]) -> list[Place]:
    best = {
        devices: max(points, key=lambda point: float(point["tokens_per_second"]))
        for devices, points in sorted(by_devices.items())
    }
    first = next(iter(best.values()))
    return [
        Place(
            name=point["name"],
            num_devices=devices,
            step_seconds=point["step_seconds"]["median"],
            tokens_per_second=point["tokens_per_second"],
            speedup=point["tokens_per_second"] / first["tokens_per_second"],
            efficiency=point["tokens_per_second_per_device"]
            / first["tokens_per_second_per_device"],
            mfu_causal=point["mfu_causal"],
            num_passed_over=len(by_devices[devices]) - 1,
        )
        for devices, point in best.items()
    ]

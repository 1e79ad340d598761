"""The JSON report of the GPU check as one readable table."""

from collections.abc import Iterable, Sequence
from typing import Any

FORMULAS = (
    "TFLOP/s and MFU by the causal formula (6 * weights + 6 * layers * width * seq a token),\n"
    "in brackets by the full one (12 * layers * width * seq), which others often give.\n"
    "MFU is against the dense peak of the format: FP8 against the FP8 peak."
)


def table(report: dict[str, Any]) -> str:
    """All parts, one block each."""
    parts: dict[str, Any] = report["parts"]
    timed = {name: part for name, part in parts.items() if "tokens_per_second" in part}
    blocks = [
        _machine(report),
        _parity(parts.get("parity", {})),
        _gap(parts.get("loss gap", {})),
        _grid(_SPEED_HEADER, [_speed_row(name, part) for name, part in timed.items()]),
        FORMULAS,
        _grid(_PROFILE_HEADER, [_profile_row(name, part) for name, part in timed.items()]),
        "busy: time in kernels over the time of a step without the profiler",
        *_without_figures(parts),
    ]
    return "\n\n".join(block for block in blocks if block)


def _machine(report: dict[str, Any]) -> str:
    machine = report["machine"]
    engine = machine["transformer-engine"] if machine["transformer_engine_used"] else "none"
    kind = "dry run on " if report["dry"] else ""
    return (
        f"{kind}{machine['device']}: torch {machine['torch']}, CUDA {machine['cuda'] or 'none'}, "
        f"megatron-core {machine['megatron-core']}, Transformer Engine {engine}"
    )


def _parity(part: dict[str, Any]) -> str:
    if "agrees" not in part:
        return ""
    return (
        f"CPU against device, fp32, {len(part['losses']['cpu'])} steps: losses differ by at most "
        f"{part['largest_relative_difference']:.1e} (relative; bound {part['bound']:.0e}): "
        f"{'agrees' if part['agrees'] else 'DOES NOT AGREE'}"
    )


def _gap(part: dict[str, Any]) -> str:
    if "formats" not in part:
        return ""
    reference, other = part["formats"]
    losses = part["losses"][reference]
    return (
        f"{other} against {reference} over {part['num_steps']} steps (loss {losses[0]:.2f} to "
        f"{losses[-1]:.2f}): {part['last_10_steps']:+.4f} in the last 10, {part['largest']:+.4f} "
        "at most"
    )


_SPEED_HEADER = (
    "step", "layers", "seq", "windows a pass", "tokens a step", "seconds", "tokens/s",
    "TFLOP/s (full)", "MFU (full)", "peak GB",
)  # fmt: skip


def _speed_row(name: str, part: dict[str, Any]) -> tuple[str, ...]:
    mfu = (
        "unknown"
        if part["mfu_causal"] is None
        else f"{part['mfu_causal']:.1%} ({part['mfu_full']:.1%})"
    )
    return (
        name,
        f"{part['num_layers']}",
        f"{part['seq_length']:,}",
        f"{part['micro_batch_size']}",
        f"{part['tokens_per_step']:,}",
        f"{part['seconds_median']:.3f}",
        f"{part['tokens_per_second']:,.0f}",
        f"{part['tflops_causal']:.4g} ({part['tflops_full']:.4g})",
        mfu,
        f"{part['peak_memory_bytes'] / 1e9:.1f}",
    )


_PROFILE_HEADER = ("profile", "gemm", "attention", "optimizer", "communication", "other", "busy")


def _profile_row(name: str, part: dict[str, Any]) -> tuple[str, ...]:
    profile = part["profile"]
    kinds = (f"{profile['shares'][kind]:.1%}" for kind in _PROFILE_HEADER[1:-1])
    return (name, *kinds, f"{profile['busy']:.0%}")


def _without_figures(parts: dict[str, Any]) -> Iterable[str]:
    for name, part in parts.items():
        if "left_out" in part:
            yield f"left out: {name}: {part['left_out']}"
        if "error" in part:
            yield f"FAILED: {name}: {part['error']}"
        if part.get("did_not_fit"):
            yield f"did not fit: {name}: {'; '.join(part['did_not_fit'])}"


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first to the left, numbers to the right."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )

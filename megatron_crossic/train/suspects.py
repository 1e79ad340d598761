"""Which windows a bad step read, and whose texts they are.

The loss of each forward pass is known on its rank: the passes whose loss is no number are to blame,
or else the one with the highest loss. Their windows are printed and written to `bad_steps.jsonl`.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch.distributed as dist
from megatron.core import parallel_state
from numpy.typing import NDArray
from torch import Tensor

from megatron_crossic.jsonl import to_json_line
from megatron_crossic.train.dataset import WindowData, WindowSources
from megatron_crossic.train.loss import COUNT, SUM
from megatron_crossic.train.order import BatchShare

BAD_STEPS_FILE = "bad_steps.jsonl"
_SHOWN = 8
"""Windows that are printed; the file has all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """A window that a bad forward pass read."""

    step: int
    complaint: str
    pass_loss: float
    """Mean loss of the pass the window was in."""
    sources: WindowSources


def find_windows(
    passes: Sequence[Tensor], windows: NDArray, share: BatchShare
) -> list[tuple[int, float]]:
    """The suspected windows of a global batch with the loss of their pass; ranks call it together.

    `passes` are the reports of this rank's passes, empty but on the last pipeline stage.
    """
    numbers = share.microbatches(windows) if _speaks() else []
    mine = [
        (_mean(report), [int(number) for number in batch])
        for report, batch in zip(passes, numbers, strict=False)
    ]
    gathered: list[list[tuple[float, list[int]]]] = [[]] * dist.get_world_size()
    dist.all_gather_object(gathered, mine)
    found = [one for ranks in gathered for one in ranks]
    bad = [one for one in found if not math.isfinite(one[0])] or sorted(found)[-1:]
    return [(number, loss) for loss, batch in bad for number in batch]


def _speaks() -> bool:
    """Whether this rank reports its passes: tensor and context ranks share theirs."""
    return (
        parallel_state.is_pipeline_last_stage()
        and parallel_state.get_tensor_model_parallel_rank() == 0
        and parallel_state.get_context_parallel_rank() == 0
    )


def _mean(report: Tensor) -> float:
    """Of [2, parts] sums and counts; a pass without loss has nothing to answer for."""
    num_tokens = float(report[COUNT].sum())
    return float(report[SUM].sum()) / num_tokens if num_tokens else 0.0


def describe(
    data: WindowData, found: Sequence[tuple[int, float]], *, step: int, complaint: str
) -> list[Suspect]:
    """Look up where the suspected windows came from."""
    return [
        Suspect(step=step, complaint=complaint, pass_loss=loss, sources=data.sources(number))
        for number, loss in found
    ]


def record(run_dir: Path, suspects: Sequence[Suspect]) -> list[str]:
    """Add the suspects to `bad_steps.jsonl` and return the lines to print."""
    with (run_dir / BAD_STEPS_FILE).open("ab") as file:
        file.writelines(to_json_line(asdict(suspect)) for suspect in suspects)
    lines = [_line(suspect) for suspect in suspects[:_SHOWN]]
    if len(suspects) > _SHOWN:
        lines.append(f"  and {len(suspects) - _SHOWN} more in {run_dir / BAD_STEPS_FILE}")
    return lines


def _line(suspect: Suspect) -> str:
    sources = suspect.sources
    pairs = "; ".join(
        f"pair {pair.pair} {pair.id!r} ({' | '.join(pair.titles)})" for pair in sources.pairs
    )
    return (
        f"  window {sources.window} of {sources.prefix}, in a pass of loss "
        f"{suspect.pass_loss:.4f}: {pairs or 'no pairs'}"
    )

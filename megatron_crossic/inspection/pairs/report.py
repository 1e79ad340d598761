"""From a pair file to everything the report shows, in one pass of bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from megatron_crossic.data.inputs import file_blocks, input_bytes
from megatron_crossic.data.languages import require_identifier
from megatron_crossic.data.pairs import block_pairs, pair_file_manifest
from megatron_crossic.data.records import Pair
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.inspection.pairs.identify import (
    Candidate,
    Confusion,
    candidates,
    confuse,
)
from megatron_crossic.inspection.pairs.sample import Reservoir, ShownPair, show_pair
from megatron_crossic.inspection.pairs.statistics import PairStatistics
from megatron_crossic.manifest import Manifest

Progress = Callable[[int, int], None]
"""Called with the bytes of the file that are done and all of them."""


def no_progress(_done: int, _total: int) -> None:
    """For callers without a display."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportOptions:
    """What the user decides."""

    sample: int = 12
    """Pairs shown side by side."""
    seed: int = 0
    """Of all samples."""
    detect: int = 0
    """Pairs whose languages are told; 0 for none."""
    short_characters: int = 200
    """Shorter texts count as very short."""
    shown_paragraphs: int = 4
    """Of each shown text."""
    shown_characters: int = 1500
    """Of each shown text, at most."""

    def __post_init__(self) -> None:
        least = {"sample": 0, "detect": 0, "short_characters": 1, "shown_paragraphs": 1}
        for name, bound in least.items():
            if (value := getattr(self, name)) < bound:
                raise ConfigError(
                    f"{name} must be at least {bound}, got {value}. Use a larger number."
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class PairReport:
    """Everything there is to show about one pair file."""

    path: Path
    num_bytes: int
    seed: int
    manifest: Manifest | None
    """What lies beside the file; None where nothing does."""
    statistics: PairStatistics
    sample: list[tuple[int, ShownPair]]
    """Number in the file, from 0, and pair; in order."""
    confusion: Confusion | None
    """None where languages were not looked for."""


def report_pairs(
    path: Path, options: ReportOptions, *, on_progress: Progress = no_progress
) -> PairReport:
    """Read a pair file once; the same file and options give the same report."""
    if options.detect:
        require_identifier()
    manifest = pair_file_manifest(path)
    statistics = PairStatistics(short_characters=options.short_characters)
    shown: Reservoir[ShownPair] = Reservoir(options.sample, seed=f"shown {options.seed}")
    told: Reservoir[list[Candidate]] = Reservoir(options.detect, seed=f"told {options.seed}")
    for pair in _pairs(path, on_progress):
        statistics.add(pair)
        shown.offer(partial(_shown, pair, options))
        told.offer(partial(candidates, pair))
    if not statistics.num_pairs:
        raise DataError(f"pair file must hold pairs, got none in {path}. Name another file.")
    return PairReport(
        path=path,
        num_bytes=path.stat().st_size,
        seed=options.seed,
        manifest=manifest,
        statistics=statistics,
        sample=shown.items(),
        confusion=confuse(told.items()) if options.detect else None,
    )


def _pairs(path: Path, on_progress: Progress) -> Iterator[Pair]:
    done, total = 0, input_bytes(path)
    for block in file_blocks(path):
        yield from block_pairs(block)
        done += block.disk_bytes
        on_progress(done, total)


def _shown(pair: Pair, options: ReportOptions) -> ShownPair:
    return show_pair(pair, paragraphs=options.shown_paragraphs, characters=options.shown_characters)

"""Prints how full windows get, by assembly, on pairs of your own, as a Markdown table.

    python benchmarks/windows_table.py --tokenizer DIR --pairs en-ar.jsonl en-ja.jsonl

All tokens of a file are packed at once, like one segment of the input; nothing is written.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.account import Account
from megatron_crossic.data.bulk import make_encoder
from megatron_crossic.data.chunks import Outline, atom_cuts
from megatron_crossic.data.packing import ASSEMBLIES, Integers, Packing
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.pieces import SPLIT_TOKENS
from megatron_crossic.data.selection import drop_empty, limit_length_ratio
from megatron_crossic.data.sides import encode_pairs
from megatron_crossic.data.tokenizer import Tokenizer, load_tokenizer

HEADINGS = (
    "pairs",
    "seq-length",
    "largest chunk",
    "assembly",
    "windows",
    "text",
    "padding",
    "chunks per window",
    "mean chunk",
    "windows of one pair",
    "pairs in one window",
    "chunks per pair",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What one packing of one file looks like."""

    num_windows: int
    text: float
    """Share of all places that hold text; the rest is BOS, SPLIT and padding."""
    padding: float
    """Share of all places."""
    chunks_per_window: float
    mean_chunk: float
    """Tokens of the chunk that the average token is in: what it can learn from."""
    windows_of_one_pair: float
    pairs_in_one_window: float
    chunks_per_pair: float

    def cells(self) -> list[str]:
        return [
            f"{self.num_windows:,}",
            f"{self.text:.2%}",
            f"{self.padding:.2%}",
            f"{self.chunks_per_window:.2f}",
            f"{self.mean_chunk:,.0f}",
            f"{self.windows_of_one_pair:.1%}",
            f"{self.pairs_in_one_window:.1%}",
            f"{self.chunks_per_pair:.2f}",
        ]


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", nargs="+", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--seq-lengths", nargs="+", type=int, default=[2048, 4096, 8192])
    parser.add_argument(
        "--chunk-shares",
        nargs="+",
        type=int,
        default=[1, 4],
        help="largest chunks: 1 is a whole window, 4 a quarter",
    )
    arguments = parser.parse_args()
    tokenizer = load_tokenizer(arguments.tokenizer)
    print_row(HEADINGS)
    print_row(["---"] * len(HEADINGS))
    for path in arguments.pairs:
        outlines = read_outlines(path, tokenizer)
        for seq_length, share in itertools.product(arguments.seq_lengths, arguments.chunk_shares):
            capacity = seq_length - (tokenizer.bos_id is not None)
            largest = min(seq_length // share, capacity - SPLIT_TOKENS)
            sizes, groups = to_pieces(outlines, largest=largest)
            for name, assemble in ASSEMBLIES.items():
                packing = assemble(sizes, groups, capacity=capacity, largest=largest)
                figures = measure(packing, sizes, groups, seq_length, capacity)
                print_row([path.stem, f"{seq_length:,}", f"{largest:,}", name, *figures.cells()])


def print_row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def read_outlines(path: Path, tokenizer: Tokenizer) -> list[list[Outline]]:
    """The outlines of both sides of all pairs that preprocessing would use by default."""
    account = Account()
    pairs = drop_empty(encode_pairs(read_pairs(path), tokenizer, make_encoder(tokenizer)), account)
    kept = limit_length_ratio(pairs, account, ratio=4.0, rule="truncate")
    return [[side.outline() for side in pair.sides] for pair in kept]


def to_pieces(outlines: Sequence[Sequence[Outline]], *, largest: int) -> tuple[Integers, Integers]:
    """Sizes of pieces, and of which pair each is."""
    pieces = [np.diff(atom_cuts(sides, budget=largest).sum(axis=1)) for sides in outlines]
    counts = [len(sizes) for sizes in pieces]
    return np.concatenate(pieces), np.repeat(np.arange(len(pieces)), counts)


def measure(
    packing: Packing, sizes: Integers, groups: Integers, seq_length: int, capacity: int
) -> Figures:
    chunks = np.add.reduceat(sizes, packing.chunks[:-1])[packing.order]
    pairs = groups[packing.chunks[:-1]][packing.order]
    window_of = np.repeat(np.arange(packing.num_windows), np.diff(packing.bounds))
    homes = np.unique(np.stack([pairs, window_of]), axis=1)  # each pair with each of its windows
    places = packing.num_windows * seq_length
    used = int(chunks.sum()) + SPLIT_TOKENS * len(chunks)
    return Figures(
        num_windows=packing.num_windows,
        text=int(chunks.sum()) / places,
        padding=(packing.num_windows * capacity - used) / places,
        chunks_per_window=len(chunks) / packing.num_windows,
        mean_chunk=float((chunks.astype(float) ** 2).sum() / chunks.sum()),
        windows_of_one_pair=float((np.bincount(homes[1]) == 1).mean()),
        pairs_in_one_window=float((np.unique(homes[0], return_counts=True)[1] == 1).mean()),
        chunks_per_pair=len(chunks) / len(np.unique(pairs)),
    )


if __name__ == "__main__":
    run(main)

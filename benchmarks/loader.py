"""Measures our loader against megatron-core's `GPTDataset` on the same windows.

Both read the same token file in shuffled order, one process, and make microbatches of tokens,
labels, loss masks and positions [batch, seq]; ours also knows the language of each label, and masks
by spans instead of by token ids. Rounds alternate, medians are compared; above 1.0 ours is faster.
The clock is CPU time of the process: set OMP_NUM_THREADS=1, or its threads add up.

    python benchmarks/loader.py --windows 4000 --seq-length 4096
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.indexed_dataset import IndexedDataset
from megatron.core.datasets.utils import Split
from torch.utils.data import default_collate

from megatron_crossic.commandline import run
from megatron_crossic.config import AttentionScope, DataConfig
from megatron_crossic.data.batch import BatchBuilder, GroupSide
from megatron_crossic.data.indexed import token_dtype
from megatron_crossic.data.spans import Role
from megatron_crossic.data.windows import WindowLayout, make_windows
from megatron_crossic.data.writer import WindowWriter
from megatron_crossic.manifest import Manifest
from megatron_crossic.train.batches import windows_to_batch
from megatron_crossic.train.dataset import open_data
from megatron_crossic.train.order import make_order

PAD, SPLIT, BOS = 0, 1, 2  # `GPTDataset` turns padding into 0
Read = Callable[[int], Any]
"""Makes the n-th microbatch of an epoch."""


def main() -> None:
    """Measure and print."""
    options = parse()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        prefix = write_data_set(Path(folder) / "windows", options)
        readers = {
            "ours": ours(prefix, options, scope="window"),
            "ours_scope_chunk": ours(prefix, options, scope="chunk"),
            "ours_blend_of_3": ours(prefix, options, scope="window", num_sets=3),
            "gpt_dataset": theirs(prefix, options),
        }
        check_equal_tokens(readers, options)
        rates = measure(readers, options)
    report = {
        "windows": options.windows,
        "seq_length": options.seq_length,
        "micro_batch_size": options.micro_batch_size,
        "chunks_per_window": options.chunks,
        "samples_per_cpu_second": {name: round(rate) for name, rate in rates.items()},
        "ratio": {
            name: round(rate / rates["gpt_dataset"], 2)
            for name, rate in rates.items()
            if name != "gpt_dataset"
        },
    }
    print(json.dumps(report, indent=2))
    if options.output is not None:
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--windows", type=int, default=4000)
    parser.add_argument("--seq-length", type=int, default=4096)
    parser.add_argument("--micro-batch-size", type=int, default=2)
    parser.add_argument("--chunks", type=int, default=6, help="chunks a window")
    parser.add_argument("--vocab-size", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="also write the report to this JSON file")
    return parser.parse_args()


def write_data_set(prefix: Path, options: argparse.Namespace) -> Path:
    """Windows of random tokens, each of so many chunks of both languages."""
    layout = WindowLayout(
        seq_length=options.seq_length,
        bos_id=BOS,
        split_id=SPLIT,
        pad_id=PAD,
        dtype=token_dtype(options.vocab_size),
    )
    with WindowWriter(prefix, layout=layout) as writer:
        for window in range(options.windows):
            for windows in one_window(window, layout, options):
                writer.add_windows(windows)
        details = {
            "seq_length": options.seq_length,
            "vocab_size": options.vocab_size,
            "languages": ["en", "es"],
            "tokenizer": {"fingerprint": "random"},
        }
        files, counts = writer.close_files(), {"windows": options.windows}
        writer.commit(
            Manifest(kind="windows", options={}, counts=counts, files=files, details=details)
        )
    return prefix


def one_window(number: int, layout: WindowLayout, options: argparse.Namespace) -> Iterator[Any]:
    random = np.random.default_rng(number)
    length = (options.seq_length - 1) // options.chunks // 2 - 1
    builder = BatchBuilder(dtype=layout.dtype)
    for _ in range(options.chunks):
        sides = [
            GroupSide(
                tokens=random.integers(3, options.vocab_size, length), language=name, role=role
            )
            for name, role in (("en", Role.SOURCE), ("es", Role.TARGET))
        ]
        builder.begin_pair(b"")
        builder.add_group(
            sides,
            cuts=np.array([[0, 0], [length, length]]),
            piece_rows=np.zeros(1, dtype=np.int64),
        )
    return make_windows(
        builder.build(),
        layout,
        assembly="split_aware",
        largest=layout.budget,
        first_pair=number * options.chunks,
    )


def ours(
    prefix: Path, options: argparse.Namespace, *, scope: AttentionScope, num_sets: int = 1
) -> Read:
    """What the training loop does for a rank that is alone."""
    config = DataConfig(
        train=(prefix,) * num_sets, weights=(5.0, 3.0, 2.0)[:num_sets] if num_sets > 1 else ()
    )
    train = open_data(config).train
    order = make_order(sizes=train.sizes, weights=config.weights, seed=config.seed)

    def read(number: int) -> Any:
        numbers = order.global_batch(step=number + 1, size=options.micro_batch_size)
        windows = [train[int(window)] for window in numbers]
        return windows_to_batch(windows, split_loss=True, attention_scope=scope).tokens

    return read


def theirs(prefix: Path, options: argparse.Namespace) -> Read:
    """`GPTDataset` with the collation its users have, PyTorch's."""
    config = GPTDatasetConfig(
        random_seed=7,
        sequence_length=options.seq_length,
        blend=([str(prefix)], None),
        split="1,0,0",
        tokenizer=SimpleNamespace(eod=SPLIT, pad=PAD, vocab_size=100, unique_identifiers={}),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
        add_extra_token_to_sequence=False,
    )
    tokens = IndexedDataset(str(prefix))
    documents = np.arange(len(tokens), dtype=np.int32)
    data = GPTDataset(tokens, str(prefix), documents, None, Split.train, config)
    size = options.micro_batch_size

    def read(number: int) -> Any:
        samples = [data[i] for i in range(number * size, (number + 1) * size)]
        return default_collate(samples)["tokens"]

    return read


def check_equal_tokens(readers: dict[str, Read], options: argparse.Namespace) -> None:
    """Over an epoch both read the same windows, whatever the order."""
    sums = {
        name: sum(int(readers[name](n).sum()) for n in range(num_batches(options)))
        for name in ("ours", "ours_scope_chunk", "gpt_dataset")
    }
    if len(set(sums.values())) != 1:
        raise SystemExit(f"the loaders read different tokens: {sums}")


def measure(readers: dict[str, Read], options: argparse.Namespace) -> dict[str, float]:
    """Samples a CPU second of each, medians over rounds of an epoch; all is in memory by now."""
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(options.rounds):
        for name, read in readers.items():
            started = time.process_time()
            for number in range(num_batches(options)):
                read(number)
            seconds = time.process_time() - started
            rates[name].append(num_batches(options) * options.micro_batch_size / seconds)
    return {name: statistics.median(values) for name, values in rates.items()}


def num_batches(options: argparse.Namespace) -> int:
    return int(options.windows // options.micro_batch_size)


if __name__ == "__main__":
    run(main)

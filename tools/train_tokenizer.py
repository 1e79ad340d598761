"""Train a byte-level BPE or SentencePiece tokenizer on the texts of pair records.

python tools/train_tokenizer.py --pairs pairs.jsonl --vocab-size 4096 --type bpe --output DIR
"""

import argparse
import sys
from itertools import chain
from pathlib import Path
from typing import get_args

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.tokenizer import load_tokenizer
from megatron_crossic.data.tokenizer_training import TokenizerType, train_tokenizer


def main() -> None:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", type=Path, nargs="+", required=True, help="files of pair records")
    add("--vocab-size", type=int, required=True, help="number of tokens, special ones included")
    add("--type", choices=get_args(TokenizerType), default="bpe", help="kind of tokenizer")
    add("--output", type=Path, required=True, help="folder to write")
    add("--overwrite", action="store_true", help="replace an existing tokenizer")
    options = parser.parse_args(sys.argv[1:])
    path = train_tokenizer(
        chain.from_iterable(map(read_pairs, options.pairs)),
        tokenizer_type=options.type,
        vocab_size=options.vocab_size,
        output=options.output,
        overwrite=options.overwrite,
    )
    tokenizer = load_tokenizer(path)
    print(f"{path}: {tokenizer.vocab_size:,} tokens, fingerprint {tokenizer.fingerprint[:12]}")


if __name__ == "__main__":
    run(main)

"""Tokenizes pair files with gigatoken and with the reference and counts where they differ.

    python benchmarks/encoder_equality.py --tokenizer DIR OTHER.model --pairs en-ar.jsonl …

Every paragraph is encoded as `preprocess_data.py` does it; none is a sample. Ends with exit code 1
where a paragraph differs and shows the first ones.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.bulk import Encoder, GigatokenEncoder, Ragged, TokenizersEncoder
from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Pair, batches_of_text
from megatron_crossic.data.sides import BATCH_CHARACTERS, PARAGRAPH_BREAK
from megatron_crossic.data.tokenizer import load_tokenizer

NUM_SHOWN = 20


@dataclass(kw_only=True, slots=True)
class Comparison:
    """What one tokenizer gave for one file."""

    tokenizer: str
    pairs: str
    encoders: tuple[str, str]
    documents: int = 0
    paragraphs: int = 0
    tokens: int = 0
    differences: list[str] = field(default_factory=list)
    """The paragraphs."""

    def add(self, batch: Sequence[Pair], fast: GigatokenEncoder, reference: Encoder) -> None:
        """Encode a batch both ways."""
        documents = [document for pair in batch for document in pair.documents]
        texts = [
            text + PARAGRAPH_BREAK
            for document in documents
            for text in [document.title.strip(), *document.paragraphs()]
            if text
        ]
        one, other = fast.encode_unchecked(texts), reference.encode(texts)
        self.documents += len(documents)
        self.paragraphs += len(texts)
        self.tokens += len(other.ids)
        if np.array_equal(one.offsets, other.offsets) and np.array_equal(one.ids, other.ids):
            return
        for text, a, b in zip(texts, _split(one), _split(other), strict=True):
            if not np.array_equal(a, b):
                self.differences.append(text)

    def row(self) -> str:
        """A line of the table."""
        numbers = (self.documents, self.paragraphs, self.tokens, len(self.differences))
        return " | ".join([self.tokenizer, self.pairs, *(f"{n:,}" for n in numbers)])


def _split(batch: Ragged) -> list[NDArray[np.int32]]:
    return np.split(batch.ids, batch.offsets[1:-1])


def compare(tokenizer_path: Path, pairs: Path) -> Comparison:
    """One tokenizer on one file."""
    tokenizer = load_tokenizer(tokenizer_path)
    reference = TokenizersEncoder(tokenizer)
    fast = GigatokenEncoder(tokenizer, reference)
    found = Comparison(
        tokenizer=tokenizer_path.name,
        pairs=f"{pairs.parent.name}/{pairs.name}",
        encoders=(fast.name, reference.name),
    )
    for batch in batches_of_text(read_pairs(pairs), characters=BATCH_CHARACTERS):
        found.add(batch, fast, reference)
    return found


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, nargs="+", required=True)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--json", type=Path, help="where the figures go as well")
    arguments = parser.parse_args()
    print("tokenizer | pairs | documents | paragraphs | tokens | differing paragraphs")
    found = []
    for tokenizer in arguments.tokenizer:
        for pairs in arguments.pairs:
            found.append(compare(tokenizer, pairs))
            print(found[-1].row(), flush=True)
    if arguments.json is not None:
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        arguments.json.write_bytes(orjson.dumps(found, option=options))
    differences = [text for each in found for text in each.differences]
    for text in differences[:NUM_SHOWN]:
        print(f"differs: {text!r}", file=sys.stderr)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    run(main)

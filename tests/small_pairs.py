"""Small tokenizers and pairs for the tests of data preparation."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from megatron_crossic.data.records import Document, Pair, pair_to_json
from megatron_crossic.data.sides import Side
from megatron_crossic.data.spans import Role
from megatron_crossic.data.tokenizer import load_tokenizer

EOD = "<|endoftext|>"
PAD = "<|padding|>"


def write_byte_tokenizer(folder: Path, *, config: dict[str, object] | None = None) -> Path:
    """A Hugging Face directory in which every byte is one token: ids 0 to 255 in byte order."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    by_byte = sorted(alphabet, key=_byte_of)
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(by_byte)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([EOD, PAD])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    values = {"eos_token": EOD, "pad_token": PAD} if config is None else config
    (folder / "tokenizer_config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def _byte_of(character: str) -> int:
    """The byte a character of the byte-level alphabet stands for."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return ord(character) if ord(character) in plain else others[ord(character) - 256]


def make_pair(name: str, source: str, target: str, *, languages: str = "en es") -> Pair:
    first, second = languages.split()
    return Pair(
        id=name,
        source=Document(language=first, title=name, text=source),
        targets=(Document(language=second, title=name.upper(), text=target),),
    )


def write_pairs(path: Path, pairs: Sequence[Pair]) -> Path:
    lines = [json.dumps(pair_to_json(pair), ensure_ascii=False) + "\n" for pair in pairs]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def side_factory(folder: Path) -> Callable[..., Side]:
    """Sides of counting tokens: `make(role, [3, 4])` has two paragraphs of three and four."""
    tokenizer = load_tokenizer(write_byte_tokenizer(folder))

    def make(role: Role, sizes: Sequence[int], *, first: int = 0, language: str = "") -> Side:
        ends = np.cumsum(sizes, dtype=np.int64)
        return Side(
            language=language or {Role.SOURCE: "en", Role.TARGET: "es"}[role],
            role=role,
            tokens=np.arange(first, first + sum(sizes), dtype=np.int32),
            paragraphs=tuple("x" * size for size in sizes),
            paragraph_ends=ends,
            tokenizer=tokenizer,
        )

    return make

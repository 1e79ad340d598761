"""Train a small tokenizer on the texts of pairs, for demos and for models made from scratch.

Both kinds give every text back: bytes stand in for unknown characters, nothing is normalized and
white space stays, so paragraphs survive. (SentencePiece takes "▁", U+2581, for a space.)
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import sentencepiece
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as RustTokenizer

from megatron_crossic.data.records import Pair
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import atomic_output, refuse_existing
from megatron_crossic.manifest import is_incomplete

TokenizerType = Literal["bpe", "sentencepiece"]

END_OF_DOCUMENT = "<|endoftext|>"
PADDING = "<|padding|>"

SMALLEST_VOCABULARY = {"bpe": 256 + 2, "sentencepiece": 256 + 5}
"""Bytes and special tokens; SentencePiece also has <unk> and the two kinds of line break."""

# How GPT-4 and Qwen2.5 cut a text before merging: words with the space before them, digits one by
# one, punctuation together with the line breaks after it.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(
    pairs: Iterable[Pair],
    *,
    tokenizer_type: TokenizerType,
    vocab_size: int,
    output: Path,
    overwrite: bool = False,
) -> Path:
    """Train on titles and texts of both sides; returns what `load_tokenizer` takes.

    `bpe` makes a Hugging Face directory that `transformers` loads too, `sentencepiece` a folder
    with one `tokenizer.model`.
    """
    if tokenizer_type not in get_args(TokenizerType):
        raise ConfigError(
            f"type must be one of {', '.join(get_args(TokenizerType))}, got {tokenizer_type!r}. "
            "Choose one of them."
        )
    smallest = SMALLEST_VOCABULARY[tokenizer_type]
    if vocab_size <= smallest:
        raise ConfigError(
            f"vocab-size must be above {smallest}, got {vocab_size}. Use for example 2048."
        )
    if tokenizer_type == "bpe":
        _train_bpe(_texts(pairs), vocab_size=vocab_size, folder=output, overwrite=overwrite)
        return output
    path = output / "tokenizer.model"
    _train_sentencepiece(_texts(pairs), vocab_size=vocab_size, path=path, overwrite=overwrite)
    return path


def _texts(pairs: Iterable[Pair]) -> Iterator[str]:
    for pair in pairs:
        for document in pair.documents:
            yield from (document.title, document.text)


def _train_bpe(texts: Iterator[str], *, vocab_size: int, folder: Path, overwrite: bool) -> None:
    paths = folder / "tokenizer.json", folder / "tokenizer_config.json"
    refuse_existing(*paths, overwrite=overwrite or is_incomplete(paths[0]))
    tokenizer = RustTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_DOCUMENT, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    with _suitable_text(vocab_size):
        tokenizer.train_from_iterator(texts, trainer=trainer)
        if tokenizer.get_vocab_size() < vocab_size:
            raise RuntimeError(f"the texts give {tokenizer.get_vocab_size()} tokens")
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_DOCUMENT,
        "pad_token": PADDING,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
    }
    with atomic_output(paths[0]) as model_file, atomic_output(paths[1]) as config_file:
        model_file.write(tokenizer.to_str(pretty=True).encode("utf-8"))
        config_file.write((json.dumps(config, indent=2) + "\n").encode("utf-8"))


def _train_sentencepiece(
    texts: Iterator[str], *, vocab_size: int, path: Path, overwrite: bool
) -> None:
    refuse_existing(path, overwrite=overwrite)
    lines = (line for text in texts for line in text.split("\n") if line)
    with atomic_output(path) as file, _suitable_text(vocab_size):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines,
            model_writer=file,
            model_type="bpe",
            vocab_size=vocab_size,
            byte_fallback=True,
            character_coverage=0.9995,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            split_digits=True,
            user_defined_symbols=["\n\n", "\n"],
            unk_id=0,
            bos_id=-1,
            eos_id=1,
            pad_id=2,
            eos_piece=END_OF_DOCUMENT,
            pad_piece=PADDING,
            minloglevel=2,
        )


@contextmanager
def _suitable_text(vocab_size: int) -> Iterator[None]:
    """Trainers say in their own ways that the texts give fewer tokens or need more."""
    try:
        yield
    except RuntimeError as error:
        raise DataError(
            f"texts must suit a vocabulary of {vocab_size} tokens, got: {error}. "
            "Give a --vocab-size above their number of different characters, but a smaller one "
            "or more pairs where they have too few words."
        ) from error

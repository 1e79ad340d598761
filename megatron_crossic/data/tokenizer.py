"""Tokenizers behind one interface: Hugging Face directories and SentencePiece `.model` files.

Every text that reaches a tokenizer here is a paragraph in the middle of a window, so three
habits of tokenizers that suit a single prompt are switched off:

- No special token is added. BOS, SPLIT and PAD are placed by `windows`.
- No space is put in front of the text. Llama 2 style tokenizers turn a text "Berlin" into
  "▁Berlin"; done at every paragraph, it would put a space after every blank line. It is switched
  off for the first paragraph too: it follows BOS, SPLIT or the other language's blank line.
- Text that spells a special token is text. An article about tokenizers that mentions
  "<|endoftext|>" must not end its document.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray
from tokenizers import Tokenizer as RustTokenizer

from megatron_crossic.data.sentencepiece_tokenizer import SentencePieceTokenizer
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import unreadable

# Chat releases name the end of a turn as their `eos_token` (Qwen2.5: "<|im_end|>"); the end of a
# document, which pre-training used, keeps one of these names beside it.
END_OF_DOCUMENT_NAMES = ("<|endoftext|>", "<|end_of_text|>")


class Tokenizer(Protocol):
    """What data preparation asks of a tokenizer."""

    vocab_size: int
    """Largest id + 1, added tokens included."""
    bos_id: int | None
    """The token that opens a window; None where the tokenizer does not add one by itself."""
    eod_id: int
    """End of document."""
    pad_id: int
    """Its own padding token, else `eod_id`."""
    fingerprint: str
    """Hash of what decides the ids: vocabulary, merges, normalization, special tokens."""

    def encode_batch(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Token ids of each text, nothing added."""

    @property
    def byte_lengths(self) -> NDArray[np.int32] | None:
        """UTF-8 bytes each id stands for; None where tokens are not runs of bytes."""
        # [vocab_size]

    def token_starts(self, text: str) -> NDArray[np.int64]:
        """Index of the character at which each token of `text` starts; slow."""  # [num_tokens]

    def bulk_spec(self) -> bytes | str:
        """The same tokenizer for `bulk`: content of a tokenizer.json or a SentencePiece model."""

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """The text of some tokens; special tokens show by their names."""

    def token_id(self, name: str) -> int | None:
        """The id of one token by its name, None where there is no such token."""


def load_tokenizer(path: Path, *, eod_token: str | None = None) -> Tokenizer:
    """Load a directory with `tokenizer.json` or a SentencePiece model.

    `eod_token` names the end-of-document token where the files do not, or name another one.
    """
    if path.is_dir() and not (path / "tokenizer.json").is_file():
        models = sorted(path.glob("*.model"))
        if len(models) != 1:
            raise ConfigError(
                "tokenizer folder must hold a tokenizer.json or one SentencePiece .model, got "
                f"{len(models)} of the latter in {path}. Point --tokenizer to the file itself."
            )
        path = models[0]
    tokenizer: Tokenizer = (
        HuggingFaceTokenizer(path, eod_token=eod_token)
        if path.is_dir()
        else SentencePieceTokenizer(path, eod_token=eod_token)
    )
    _check_blank_lines(tokenizer, path)
    return tokenizer


class HuggingFaceTokenizer:
    """The `tokenizers` package over a Hugging Face directory."""

    def __init__(self, folder: Path, *, eod_token: str | None = None) -> None:
        spec = _read_json(folder / "tokenizer.json")
        config_path = folder / "tokenizer_config.json"
        config = _read_json(config_path) if config_path.is_file() else {}
        with _refuse_unusable(folder / "tokenizer.json"):
            self._spec = _prefixless(spec)
            self._backend = _build_backend(self._spec)
            self.bos_id = self._bos(config)
        self.fingerprint = _fingerprint(spec)
        self.vocab_size = max(self._vocabulary().values(), default=-1) + 1
        self.eod_id = self._eod(config, eod_token, folder)
        pad = self.token_id(_name(config.get("pad_token")))
        self.pad_id = self.eod_id if pad is None else pad

    @cached_property
    def byte_lengths(self) -> NDArray[np.int32] | None:
        if b"ByteLevel" not in orjson.dumps(self._spec.get("pre_tokenizer")):
            return None
        return _byte_length_table(
            self._spec.get("added_tokens", []), self._vocabulary(), vocab_size=self.vocab_size
        )

    def encode_batch(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def bulk_spec(self) -> str:
        # Special tokens are text here; others that were added stay tokens.
        added = [token for token in self._spec.get("added_tokens", []) if not token["special"]]
        return orjson.dumps(self._spec | {"added_tokens": added}).decode("utf-8")

    def token_starts(self, text: str) -> NDArray[np.int64]:
        offsets = self._backend.encode(text, add_special_tokens=False).offsets
        return np.array(offsets, dtype=np.int64).reshape(-1, 2)[:, 0]

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        return str(self._backend.decode([int(i) for i in ids], skip_special_tokens=False))

    def token_id(self, name: str) -> int | None:
        found: int | None = self._backend.token_to_id(name)
        return found

    def _vocabulary(self) -> dict[str, int]:
        """Every token and its id."""
        vocabulary = self._spec.get("model", {}).get("vocab")
        if not isinstance(vocabulary, dict):
            return dict(self._backend.get_vocab(with_added_tokens=True))
        # As it stands in the file: asking the backend takes a quarter of a second.
        added = {token["content"]: token["id"] for token in self._spec.get("added_tokens", [])}
        return vocabulary | added

    def _bos(self, config: dict[str, Any]) -> int | None:
        """What the tokenizer puts first, asked of it rather than of names.

        Qwen2.5 adds nothing; Llama 3's template adds <|begin_of_text|>. An explicit
        `add_bos_token` in the configuration wins over the template.
        """
        wanted = config.get("add_bos_token")
        if wanted is not None:
            return self.token_id(_name(config.get("bos_token"))) if wanted else None
        bare, dressed = (self._backend.encode("a", add_special_tokens=b).ids for b in (False, True))
        return dressed[0] if dressed and dressed[:1] != bare[:1] else None

    def _eod(self, config: dict[str, Any], eod_token: str | None, folder: Path) -> int:
        eos = _name(config.get("eos_token"))
        names = (eod_token,) if eod_token else (*END_OF_DOCUMENT_NAMES, eos)
        for name in names:
            if (found := self.token_id(name)) is not None:
                return found
        raise ConfigError(
            "tokenizer must have an end-of-document token, got "
            f"{eod_token or eos or 'no eos_token'!r} in {folder}. "
            "Name one of its tokens with --eod-token (and the separator with --split-token)."
        )


@contextmanager
def _refuse_unusable(path: Path) -> Iterator[None]:
    """The tokenizers package raises bare `Exception` for everything it does not like."""
    try:
        yield
    except Exception as error:
        raise DataError(
            f"tokenizer.json must be usable by the tokenizers package, got {path}: {error}. "
            "Save the tokenizer again or install a newer tokenizers."
        ) from error


def _prefixless(spec: dict[str, Any]) -> dict[str, Any]:
    stages = ("normalizer", "pre_tokenizer", "decoder")
    return spec | {key: _without_prefix(spec.get(key)) for key in stages}


def _build_backend(spec: dict[str, Any]) -> RustTokenizer:
    backend = RustTokenizer.from_str(orjson.dumps(spec).decode("utf-8"))
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    return backend


def _without_prefix(stage: Any) -> Any:
    """The same normalizer, pre-tokenizer or decoder, without the space in front of each text."""
    if not isinstance(stage, dict):
        return stage
    kind = stage.get("type")
    if kind == "Prepend" or (kind == "Strip" and "content" in stage):
        return None  # a Strip with "content" is the decoder's way back from Prepend
    if kind == "Metaspace":
        kept = {key: value for key, value in stage.items() if key != "add_prefix_space"}
        return kept | {"prepend_scheme": "never"}
    if kind == "ByteLevel":
        return stage | {"add_prefix_space": False}
    for key in ("normalizers", "pretokenizers", "decoders"):
        if key in stage:
            inner = [kept for part in stage[key] if (kept := _without_prefix(part)) is not None]
            return stage | {key: inner}
    return stage


def _byte_length_table(
    added_tokens: Sequence[dict[str, Any]], vocabulary: dict[str, int], *, vocab_size: int
) -> NDArray[np.int32]:
    """Bytes of each id of a byte-level vocabulary: there a byte is written as one character."""
    lengths = np.zeros(vocab_size, dtype=np.int32)
    lengths[list(vocabulary.values())] = list(map(len, vocabulary))
    for token in added_tokens:
        lengths[token["id"]] = len(token["content"].encode())
    return lengths


def _fingerprint(spec: dict[str, Any]) -> str:
    """Hash of the parts of tokenizer.json that decide ids, however the file was formatted."""
    model = dict(spec.get("model", {}))
    merges = model.get("merges", [])
    model["merges"] = [m if isinstance(m, str) else " ".join(m) for m in merges]
    parts = {key: spec.get(key) for key in ("added_tokens", "normalizer", "pre_tokenizer")}
    canonical = orjson.dumps(parts | {"model": model}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def _check_blank_lines(tokenizer: Tokenizer, path: Path) -> None:
    """Paragraphs are joined by blank lines, so a tokenizer that loses them is of no use here."""
    text = "a\n\nb\n\n"
    found = tokenizer.decode(tokenizer.encode_batch([text])[0])
    if found != text:
        raise ConfigError(
            f"tokenizer must keep blank lines between paragraphs, got {found!r} for {text!r} from "
            f"{path}. Use one trained without white space removal (tools/train_tokenizer.py)."
        )


def _name(value: Any) -> str:
    """A special token's name as configurations write it: a string, an object or nothing."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"tokenizer file must be JSON, got {path}: {error}. Download or save it again."
        ) from error
    if not isinstance(value, dict):
        raise DataError(f"tokenizer file must be a JSON object, got {path}. Save it again.")
    return value

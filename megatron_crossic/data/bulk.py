"""Tokenizing in bulk: many texts in, one array of ids out.

`gigatoken` gives the ids of `tokenizers` five to a hundred times faster. It is young, so it is
trusted only as far as it is seen to agree: on a probe when it is loaded, and on a sample of every
batch. Where it cannot load a tokenizer or fails the probe, `tokenizers` does the work; where it
differs in the middle of a run, `EncodersDisagree` ends that run and the pipeline starts it again
with `tokenizers`.
"""

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from megatron_crossic.data.tokenizer import Tokenizer
from megatron_crossic.errors import ConfigError

EncoderChoice = Literal["auto", "gigatoken", "tokenizers"]

SAMPLE_TEXTS = 24
"""Texts of each batch of about 4 MB that are encoded twice."""
SAMPLE_CHARACTERS = 500
"""Longer texts are no sample: 24 of these cost 2 % of the time of a batch."""

PROBE = (
    "The 1st of 12,345 words: it's naïve, isn't it?\n\n",
    "  Two spaces\tand a tab\r\n\r\n",
    "العربية: هل هذا صحيح؟ ١٢٣\n\n",
    "日本語の文章。「はい」と言った。か\u3099\n\n",
    "한국어 문장입니다.\n\n",
    "ภาษาไทยไม่มีช่องว่าง\n\n",
    "¿Qué tal? Ação e coração.\n\n",
    "<|endoftext|> </s> <unk> [PAD] <tool_call>\n\n",
    "\u200f\u202e\u00ad\u200d👩‍👩‍👧\U0001f1f9\U0001f1ed\ufeff\0\n\n",
    "x" * 300 + "\n\n",
)


class EncodersDisagree(Exception):
    """gigatoken and tokenizers gave different ids for a text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ragged:
    """Texts as ids: text i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: NDArray[np.int32]  # [tokens]
    offsets: NDArray[np.int64]  # [texts + 1]


class Encoder(Protocol):
    """Turns a batch of texts into ids."""

    name: str
    """Package and version, for the manifest."""

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The ids of every text, nothing added."""


def make_encoder(tokenizer: Tokenizer, choice: EncoderChoice = "auto") -> Encoder:
    """`auto` takes gigatoken where it is installed and agrees on the probe."""
    reference = TokenizersEncoder(tokenizer)
    if choice == "tokenizers":
        return reference
    obstacle = "gigatoken is not installed (pip install gigatoken)"
    if importlib.util.find_spec("gigatoken") is not None:
        try:
            encoder = GigatokenEncoder(tokenizer, reference)
            _compare(encoder, reference, PROBE)
            return encoder
        except EncodersDisagree as error:
            obstacle = str(error)
        # It refuses a tokenizer with whatever its parsers raise; none of it concerns the user.
        except Exception as error:
            # The lines after the first say where in its source it happened.
            reason = str(error).partition("\n")[0]
            obstacle = f"it does not know this tokenizer ({type(error).__name__}: {reason})"
    if choice == "gigatoken":
        raise ConfigError(
            f"encoder must be usable with this tokenizer, got gigatoken: {obstacle}. "
            "Use --encoder auto or tokenizers."
        )
    return reference


class TokenizersEncoder:
    """`tokenizers` or SentencePiece: the reference."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        package = type(tokenizer).__module__.rpartition(".")[2].removesuffix("_tokenizer")
        package = "sentencepiece" if package == "sentencepiece" else "tokenizers"
        self.name = f"{package} {importlib.metadata.version(package)}"

    def encode(self, texts: Sequence[str]) -> Ragged:
        arrays = self._tokenizer.encode_batch(texts)
        lengths = np.fromiter(map(len, arrays), dtype=np.int64, count=len(arrays))
        return Ragged(
            ids=np.concatenate([np.empty(0, dtype=np.int32), *arrays]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]),
        )


class GigatokenEncoder:
    """`gigatoken`, compared with the reference on a sample of every batch."""

    def __init__(self, tokenizer: Tokenizer, reference: Encoder) -> None:
        import gigatoken

        spec = tokenizer.bulk_spec()
        if isinstance(spec, str) and _has_whole_word_tokens(spec):
            raise EncodersDisagree("it finds whole-word tokens inside words")
        make: Any = gigatoken.Tokenizer
        self._backend = (
            make.from_sentencepiece(spec) if isinstance(spec, bytes) else make.from_json(spec)
        )
        self._reference = reference
        self.name = f"gigatoken {importlib.metadata.version('gigatoken')}"

    def encode(self, texts: Sequence[str]) -> Ragged:
        batch = self.encode_unchecked(texts)
        _check_sample(texts, batch, self._reference)
        return batch

    def encode_unchecked(self, texts: Sequence[str]) -> Ragged:
        if not texts:
            return Ragged(ids=np.empty(0, dtype=np.int32), offsets=np.zeros(1, dtype=np.int64))
        # On this thread only: workers are processes, and a thread pool does not survive a fork.
        layout = self._backend.encode_batch(list(texts), parallel=False).layout
        offsets = np.asarray(layout.offsets)
        ids = np.asarray(layout.content.data)[offsets[0] : offsets[-1]]
        return Ragged(ids=ids.view(np.int32), offsets=offsets - offsets[0])


def _has_whole_word_tokens(spec: str) -> bool:
    """Whether a tokenizer.json has an added token that counts only as a whole word.

    gigatoken 0.10 takes "zebra" out of "zebras" too; texts that show it are too rare for a sample.
    """
    return any(token.get("single_word") for token in orjson.loads(spec).get("added_tokens", []))


def _check_sample(texts: Sequence[str], batch: Ragged, reference: Encoder) -> None:
    """Encode some evenly spaced short texts again; long ones are too slow to be a sample."""
    stride = max(1, len(texts) // SAMPLE_TEXTS)
    chosen = [
        i for i in range(stride // 2, len(texts), stride) if len(texts[i]) <= SAMPLE_CHARACTERS
    ]
    expected = reference.encode([texts[i] for i in chosen])
    for i, index in enumerate(chosen):
        found = batch.ids[batch.offsets[index] : batch.offsets[index + 1]]
        wanted = expected.ids[expected.offsets[i] : expected.offsets[i + 1]]
        if not np.array_equal(found, wanted):
            raise EncodersDisagree(f"the ids differ for {texts[index][:60]!r}")


def _compare(encoder: GigatokenEncoder, reference: Encoder, texts: Sequence[str]) -> None:
    one, other = encoder.encode_unchecked(texts), reference.encode(texts)
    if not (np.array_equal(one.ids, other.ids) and np.array_equal(one.offsets, other.offsets)):
        raise EncodersDisagree("it gives other ids than tokenizers for a probe text")

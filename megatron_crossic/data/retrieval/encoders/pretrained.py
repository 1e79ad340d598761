"""Pre-trained sentence encoders, run by sentence-transformers (multilingual E5, BGE-M3, LaBSE, …).

Models trained for search put words before a text that say what it is: "query: ", "passage: ". They
come from the model's own configuration, under names that differ from model to model, or from the
user. Texts are batched by length, so that little of a batch is padding, and come back in order.

On one GPU, the first there is, unless devices are named. Several named devices are a process each,
started once; they take the texts of each call in turn. On a cluster a job for each GPU with its own
share of the texts does the same without passing texts around.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from megatron_crossic.data.retrieval.encoders.encoder import Purpose, unit_rows
from megatron_crossic.data.retrieval.encoders.model_folder import find_model, model_digest
from megatron_crossic.data.retrieval.index.vectors import Vectors
from megatron_crossic.data.retrieval.libraries import load_sentence_transformers
from megatron_crossic.errors import ConfigError, DataError

SCHEME = "sentence-transformers:"
DTYPES = ("float32", "float16", "bfloat16")

PROMPT_NAMES: dict[Purpose, tuple[str, ...]] = {
    "query": ("query", "search_query", "retrieval.query", "retrieval_query"),
    "passage": ("passage", "document", "search_document", "retrieval.passage", "corpus"),
}
"""What models call the words before a text of each purpose; the first that is not empty counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentenceEncoderOptions:
    """How a pre-trained encoder is run. All but devices and batch size changes its vectors."""

    devices: tuple[str, ...] = ()
    """For example cpu or cuda:0 cuda:1, a process each; none: a GPU if there is one, else cpu."""
    batch_size: int = 32
    """Texts at once."""
    dtype: str = "float32"
    """Of weights and arithmetic; float16 and bfloat16 halve memory and are for GPUs."""
    query_prompt: str | None = None
    """Put before queries; None: what the model says. Empty: nothing."""
    passage_prompt: str | None = None
    """Put before passages."""
    revision: str | None = None
    """Of a model on the Hub: branch, tag or commit."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch-size must be positive, got {self.batch_size}. Use 32.")
        if self.dtype not in DTYPES:
            raise ConfigError(
                f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}. Use float32."
            )


class SentenceEncoder:
    """A pre-trained encoder of whatever languages it was trained on."""

    is_one_process = True

    def __init__(self, name: str, options: SentenceEncoderOptions | None = None) -> None:
        """`name` is a path or an id, with or without `sentence-transformers:` before it."""
        self._options = options or SentenceEncoderOptions()
        name = name.removeprefix(SCHEME)
        self.name = f"{SCHEME}{name}"
        folder = find_model(name, revision=self._options.revision)
        self._model = _load(folder, name, self._options)
        self.prompts = _prompts(self._model.prompts, self._options)
        """Words before the texts of each purpose, empty where there are none."""
        self.fingerprint = self._fingerprint(folder)
        self.dimension = _dimension(self._model, name)
        self._pool: Any = None

    def encode(self, texts: Sequence[str], *, language: str, purpose: Purpose) -> Vectors:
        """Vectors of unit length, zeros for a text that is blank. [len(texts), dimension]

        Raises `DataError` where the model gives a vector that is not of numbers.
        """
        del language  # these models find out for themselves
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        filled = [number for number, text in enumerate(texts) if text.strip()]
        if filled:
            vectors[filled] = self._run([texts[number] for number in filled], purpose)
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(wrong):
            number = int(wrong[0])
            raise DataError(
                f"vectors must be finite, got NaN or infinity for text {number} of {len(texts)} "
                f"({texts[number][:40]!r}) from {self.name} in {self._options.dtype}. "
                "Use dtype float32, or another model."
            )
        return unit_rows(vectors)

    def close(self) -> None:
        """End the processes of several devices."""
        if self._pool is not None:
            self._model.stop_multi_process_pool(self._pool)
            self._pool = None

    def _run(self, texts: list[str], purpose: Purpose) -> NDArray[np.float32]:
        if len(self._options.devices) > 1 and self._pool is None:
            self._pool = self._model.start_multi_process_pool(list(self._options.devices))
        # Models with an own part for queries need to be told as well.
        run = self._model.encode_query if purpose == "query" else self._model.encode_document
        found = run(
            [_encodable(text) for text in texts],
            prompt=self.prompts[purpose],
            batch_size=self._options.batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            pool=self._pool,
        )
        return np.asarray(found, dtype=np.float32)

    def _fingerprint(self, folder: Path) -> str:
        facts = {
            "model": model_digest(folder),
            "prompts": self.prompts,
            "dtype": self._options.dtype,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return f"sentence-transformers-{digest[:16]}"


def _load(folder: Path, name: str, options: SentenceEncoderOptions) -> Any:
    library = load_sentence_transformers()
    try:
        return library.SentenceTransformer(
            str(folder),
            device=options.devices[0] if options.devices else None,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": options.dtype},
        )
    except (
        *(OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError, ImportError),
        SafetensorError,
    ) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"encoder model must be one that sentence-transformers can load from safetensors, "
            f"without code of its own, got {name!r}: {type(error).__name__}: {reason} "
            "Choose another model, or another device."
        ) from error


def _prompts(own: Mapping[str, str], options: SentenceEncoderOptions) -> dict[Purpose, str]:
    asked = {"query": options.query_prompt, "passage": options.passage_prompt}
    prompts: dict[Purpose, str] = {}
    for purpose in get_args(Purpose):
        said = next((own[name] for name in PROMPT_NAMES[purpose] if own.get(name)), "")
        wanted = asked[purpose]
        prompts[purpose] = said if wanted is None else wanted
    return prompts


def _dimension(model: Any, name: str) -> int:
    dimension = model.get_embedding_dimension()
    if not dimension:
        raise ConfigError(
            f"encoder model must make vectors of a known dimension, got none for {name!r}. "
            "Choose a model that was made for sentences."
        )
    return int(dimension)


def _encodable(text: str) -> str:
    """Half a surrogate pair has no form in UTF-8, which tokenizers want."""
    return text.encode("utf-8", "replace").decode()

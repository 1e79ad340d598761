"""What the user decides about mining, checked once; what each step is made from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from megatron_crossic.data.records import check_language
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions
from megatron_crossic.data.retrieval.encoders.pretrained import SCHEME, SentenceEncoderOptions
from megatron_crossic.data.retrieval.index.options import IndexOptions
from megatron_crossic.data.retrieval.selection.options import SelectionOptions
from megatron_crossic.data.retrieval.texts.queries import View
from megatron_crossic.data.work_folder import file_identities
from megatron_crossic.errors import ConfigError

TWO_STEPS: Mapping[View, float] = {"title": 0.3, "keywords": 0.7}
"""The paper's two steps, with weights of ours (it gives none): default of pre-trained encoders."""

WHOLE: Mapping[View, float] = {"document": 1.0}
"""Default of the embedded encoder, which few words tell little: of the pairs chosen from 10,450
passages 88 of 98 were of the right document in Japanese and 93 of 106 in Thai, with `TWO_STEPS` 41
of 90 and 64 of 99."""

EMBEDDED = "embedded"


def parse_views(words: Sequence[str]) -> dict[Any, float]:
    """`title=0.3 keywords=0.7` -> {"title": 0.3, "keywords": 0.7}; names are checked later."""
    try:
        given = [
            (name, float(weight)) for name, _, weight in (word.partition("=") for word in words)
        ]
        views = dict(given)
        if len(views) < len(given):
            raise ValueError("a view twice")
        return views
    except ValueError as error:
        raise ConfigError(
            f"views must be NAME=WEIGHT, each once, got {' '.join(words)}. "
            "Use for example title=0.3 keywords=0.7, or document=1."
        ) from error


def check_encoder(
    name: str, *, fit_pairs: Sequence[Path], pretrained: SentenceEncoderOptions
) -> None:
    """Raises `ConfigError` for what is no encoder, and for options that it would not heed."""
    kind, _, what = name.partition(":")
    if name != EMBEDDED and not (kind in (EMBEDDED, SCHEME[:-1]) and what):
        raise ConfigError(
            "encoder must be embedded, embedded:FOLDER or sentence-transformers:MODEL, got "
            f"{name!r}. Use for example sentence-transformers:intfloat/multilingual-e5-small."
        )
    if fit_pairs and name != EMBEDDED:
        raise ConfigError(
            f"fit-pairs must go with the encoder {EMBEDDED}, got {name}, which is not fitted. "
            "Leave one of them out."
        )
    if pretrained != SentenceEncoderOptions() and not name.startswith(SCHEME):
        raise ConfigError(
            "devices, batch-size, dtype and prompts must go with a pre-trained encoder, got "
            f"{name}. Leave them out."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MiningOptions:
    """Everything that shapes the mined pairs."""

    corpus: tuple[Path, ...]
    """Documents that passages are taken from."""
    targets: tuple[Path, ...]
    """Pair files, whose last side is looked for, or documents where `target_language` is set."""
    work: Path
    """Folder of everything in between."""
    corpus_language: str = "en"
    target_language: str | None = None
    """Language of `targets` that are documents; None: they are pairs."""
    encoder: str = EMBEDDED
    """`embedded`, `embedded:FOLDER` or `sentence-transformers:MODEL`."""
    pretrained: SentenceEncoderOptions = field(default_factory=SentenceEncoderOptions)
    """How `sentence-transformers:MODEL` is run."""
    fit_pairs: tuple[Path, ...] = ()
    """Pairs the embedded encoder is fitted on; none: `targets`."""
    fit: FitOptions = field(default_factory=FitOptions)
    passage_characters: int = 1000
    """Length of a passage at most."""
    views: Mapping[View, float] | None = None
    """View -> weight of its similarity; None: `WHOLE` or `TWO_STEPS`, as suits the encoder."""
    num_keywords: int = 20
    """Of the view `keywords`."""
    document_characters: int = 20_000
    """So much of a document is read for `keywords` and `document`."""
    neighbours: int = 32
    """Passages found for each view of a document."""
    candidates: int = 16
    """Of those of all views together so many are kept, the best by weighted sum."""
    index: IndexOptions = field(default_factory=IndexOptions)
    selection: SelectionOptions = field(default_factory=SelectionOptions)

    def __post_init__(self) -> None:
        check_language(self.corpus_language, thing="corpus-lang")
        if self.target_language is not None:
            check_language(self.target_language, thing="target-lang")
        positive = ("passage_characters", "num_keywords", "document_characters", "neighbours")
        for name in (*positive, "candidates"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name.replace('_', '-')} must be positive, got {getattr(self, name)}. "
                    "Leave it out for the default."
                )
        self._check_views()
        check_encoder(self.encoder, fit_pairs=self.fit_pairs, pretrained=self.pretrained)

    def _check_views(self) -> None:
        given = self._given_views
        if set(given) - set(get_args(View)) or not all(0 < w < math.inf for w in given.values()):
            words = " ".join(f"{name}={weight}" for name, weight in given.items())
            raise ConfigError(
                f"views must be of {', '.join(get_args(View))} with weights above 0, got {words}. "
                "Use for example title=0.3 keywords=0.7, or document=1."
            )

    @property
    def _given_views(self) -> Mapping[View, float]:
        return self.views or (TWO_STEPS if self.encoder.startswith(SCHEME) else WHOLE)

    @property
    def view_names(self) -> tuple[str, ...]:
        """The views in the order in which candidates have their scores, however they were given."""
        return tuple(name for name in get_args(View) if name in self._given_views)

    @property
    def weights(self) -> dict[str, float]:
        """View -> weight; they add up to 1."""
        given = {str(name): weight for name, weight in self._given_views.items()}
        return {name: given[name] / sum(given.values()) for name in self.view_names}

    @property
    def pairs_to_fit_on(self) -> tuple[Path, ...]:
        return self.fit_pairs or (() if self.target_language else self.targets)

    def of_fit(self) -> dict[str, Any]:
        """What a fitted encoder is made from."""
        return {"fit": asdict(self.fit), "pairs": file_identities(self.pairs_to_fit_on)}

    def of_encoding(self, encoder: str) -> dict[str, Any]:
        """What vectors are made from; `encoder` is its fingerprint."""
        return {
            "encoder": encoder,
            "corpus": file_identities(self.corpus),
            "targets": file_identities(self.targets),
            "languages": [self.corpus_language, self.target_language],
            "passage_characters": self.passage_characters,
            "views": list(self.view_names),
            "num_keywords": self.num_keywords,
            "document_characters": self.document_characters,
        }

    def of_index(self, encoder: str) -> dict[str, Any]:
        """What an index is made from, but for how it is searched."""
        names = ("kind", "lists", "code_bytes", "connections", "part_vectors", "seed")
        shape = {name: getattr(self.index, name) for name in names}
        return {**self.of_encoding(encoder), "index": shape}

    def of_search(self, encoder: str) -> dict[str, Any]:
        """What candidates are made from; the order of corpus and index included."""
        return {
            **self.of_encoding(encoder),
            "weights": self.weights,
            "neighbours": self.neighbours,
            "candidates": self.candidates,
            "index": asdict(self.index),
        }

"""Pair files in, the quality of an encoder out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.records import Pair
from megatron_crossic.data.retrieval.encoders.file import load_encoder
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions, fit_encoder
from megatron_crossic.data.retrieval.encoders.pretrained import (
    SCHEME,
    SentenceEncoder,
    SentenceEncoderOptions,
)
from megatron_crossic.data.retrieval.options import EMBEDDED, check_encoder
from megatron_crossic.data.retrieval.quality import Quality, measure_by_folds, measure_encoder
from megatron_crossic.data.retrieval.texts.queries import QueryTexts, View
from megatron_crossic.errors import ConfigError, DataError

DOCUMENT_CHARACTERS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """What is measured, with what."""

    pairs: tuple[Path, ...]
    """Of one source and one target language."""
    encoder: str = EMBEDDED
    fit_pairs: tuple[Path, ...] = ()
    """For `embedded` alone; none: it is fitted by folds."""
    fit: FitOptions = field(default_factory=FitOptions)
    pretrained: SentenceEncoderOptions = field(default_factory=SentenceEncoderOptions)
    num_keywords: int = 20

    def __post_init__(self) -> None:
        check_encoder(self.encoder, fit_pairs=self.fit_pairs, pretrained=self.pretrained)
        if self.num_keywords < 1:
            raise ConfigError(
                f"num-keywords must be positive, got {self.num_keywords}. "
                "Leave it out for the default."
            )


def evaluate_encoder(
    options: EvaluationOptions,
    *,
    show: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> dict[str, Quality]:
    """Quality by view."""
    pairs = _all_pairs(options.pairs)
    _check(pairs)
    texts = QueryTexts.of(
        (pair.documents[-1] for pair in pairs),
        num_keywords=options.num_keywords,
        document_characters=DOCUMENT_CHARACTERS,
    )
    views = get_args(View)
    if options.encoder == EMBEDDED and not options.fit_pairs:
        stage = "fit and measure"
        return measure_by_folds(
            pairs,
            texts,
            options.fit,
            views=views,
            on_fold=lambda done, total: show(stage, done, total),
        )
    if options.encoder.startswith(SCHEME):
        pretrained = SentenceEncoder(options.encoder, options.pretrained)
        return measure_encoder(pretrained, pairs, texts, views=views)
    if options.encoder == EMBEDDED:
        fitted = fit_encoder(_all_pairs(options.fit_pairs), options.fit).encoder
    else:
        fitted = load_encoder(Path(options.encoder.removeprefix(f"{EMBEDDED}:")))
    return measure_encoder(fitted, pairs, texts, views=views)


def _check(pairs: Sequence[Pair]) -> None:
    languages = {(pair.source.language, pair.documents[-1].language) for pair in pairs}
    if len(languages) > 1:
        found = ", ".join("-".join(codes) for codes in sorted(languages))
        raise DataError(
            f"pairs to measure an encoder with must be of one pair of languages, got {found}. "
            "Measure each on its own."
        )


def _all_pairs(files: tuple[Path, ...]) -> list[Pair]:
    return [pair for path in files for pair in read_pairs(path)]

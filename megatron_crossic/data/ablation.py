"""The comparison corpora of an ablation, from the same pairs, and the proof that they compare.

Each mode becomes a data set `FOLDER/MODE`. Where a mode has fewer document tokens than `crossic`
(it leaves a side out), its windows are written again until it has as many, unless that is switched
off. Then every data set is read back, and what must be equal is compared: tokens by side, and the
texts themselves.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from megatron_crossic.data.options import PreprocessOptions
from megatron_crossic.data.pairs import fingerprint_pairs
from megatron_crossic.data.pipeline import preprocess
from megatron_crossic.data.run import Listener
from megatron_crossic.data.text_digest import TextDigest, digest_texts
from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.manifest import Manifest, manifest_path, read_manifest

PAIR_MODES = (
    "crossic",
    "reversed",
    "alternate",
    "random_pair",
    "mix",
    "source_only",
    "target_only",
)
"""In the order they are made; crossic gives the budget."""

SIDES_OF = {"source_only": ("source",), "target_only": ("target",)}
"""Sides a mode has where it does not have both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AblationOptions:
    """From which pairs to make which corpora, and where to."""

    base: PreprocessOptions
    """What all corpora have in common; its mode and output prefix are not used."""
    folder: Path
    """Where the data sets and the report go."""
    modes: tuple[str, ...] = PAIR_MODES
    documents: Path | None = None
    """A file of single documents for one more corpus, in the language `base.language`."""
    match_tokens: bool = True
    """Whether every corpus has as many document tokens as crossic."""

    def __post_init__(self) -> None:
        unknown = set(self.modes) - set(PAIR_MODES)
        if unknown or "crossic" not in self.modes:
            raise ConfigError(
                f"modes must be among {', '.join(PAIR_MODES)} and have crossic, which gives the "
                f"budget, got {', '.join(self.modes) or 'none'}. Choose from these."
            )

    def corpora(self) -> dict[str, PreprocessOptions]:
        """The options of each data set by its mode, crossic first."""
        chosen = [mode for mode in PAIR_MODES if mode in self.modes]
        corpora = {mode: self._corpus(mode) for mode in chosen}
        if self.documents is not None:
            documents = replace(self._corpus("documents"), pairs=(self.documents,))
            corpora["documents"] = documents
        return corpora

    def _corpus(self, mode: str) -> PreprocessOptions:
        budget = self.folder / "crossic" if self.match_tokens and mode != "crossic" else None
        return replace(self.base, mode=mode, output_prefix=self.folder / mode, match_tokens=budget)


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """One finished data set."""

    mode: str
    manifest: Manifest
    texts: TextDigest
    """Of the first pass over the data."""

    @property
    def without_partner(self) -> int:
        """Pairs that random_pair left out because no other had their languages."""
        return int(self.manifest.drops.get("no_other_partner", 0))

    @property
    def passes(self) -> float:
        """How often the data is in it."""
        counts = self.manifest.counts
        whole = counts["tokens_in_windows"] - counts["tokens_repeated"]
        return float(counts["tokens_in_windows"] / whole)

    def to_json(self) -> dict[str, Any]:
        """What the report says of it."""
        counts, details = self.manifest.counts, self.manifest.details
        return {
            "mode": self.mode,
            "windows": counts["windows"],
            "chunks": counts["chunks"],
            "tokens": counts["tokens_in_windows"],
            "tokens_by_language": details["tokens_by_language"],
            "fill_rate": details["fill_rate"],
            "passes": self.passes,
            "source_tokens": self.texts.tokens["source"],
            "target_tokens": self.texts.tokens["target"],
            "source_digest": self.texts.digests["source"],
            "target_digest": self.texts.digests["target"],
            "pairs_dropped": dict(self.manifest.drops),
        }


def make_ablation(
    options: AblationOptions,
    *,
    listener: Listener | None = None,
    on_corpus: Callable[[str], None] = lambda _mode: None,
) -> list[Corpus]:
    """Make all corpora, write `FOLDER/ablation.md` and `.json`, and compare.

    Complete data sets of the same options are left as they are, so a run that was killed goes on.
    Raises `DataError`, after writing the report, where something that must be equal is not.
    """
    made, held_out = [], []
    for mode, corpus in options.corpora().items():
        on_corpus(mode)
        if not _is_complete(corpus):
            preprocess(corpus, listener)
        made.append(_read_back(corpus, corpus.prefix))
        if corpus.validation_fraction:
            held_out.append(_read_back(corpus, corpus.validation_prefix))
    values = [corpus.to_json() for corpus in made]
    text = json.dumps(values, ensure_ascii=False, indent=2) + "\n"
    write_text_atomically(options.folder / "ablation.json", text)
    write_text_atomically(options.folder / "ablation.md", ablation_table(made))
    check_corpora(made)
    if options.match_tokens:
        check_budgets(made, seq_length=options.base.seq_length)
    if held_out:
        check_corpora(held_out, what="validation windows of ")
    return made


def _read_back(options: PreprocessOptions, prefix: Path) -> Corpus:
    manifest = read_manifest(manifest_path(prefix), kind="windows")
    first_pass = manifest.counts["tokens_in_windows"] - manifest.counts["tokens_repeated"]
    in_order = options.assembly == "split_aware"
    texts = digest_texts(prefix, in_order=in_order, num_tokens=first_pass)
    return Corpus(mode=options.mode, manifest=manifest, texts=texts)


def _is_complete(options: PreprocessOptions) -> bool:
    path = manifest_path(options.prefix)
    if options.overwrite or not path.exists():
        return False
    manifest = read_manifest(path, kind="windows")
    wanted = json.loads(json.dumps(options.to_json()))
    same_inputs = list(manifest.inputs) == [fingerprint_pairs(each) for each in options.pairs]
    if manifest.options == wanted and same_inputs:
        return True
    raise ConfigError(
        f"data sets of an ablation must be made with the same options and inputs, got others in "
        f"{path}. Choose another folder or pass --overwrite."
    )


def check_corpora(made: Sequence[Corpus], *, what: str = "") -> None:
    """Compare every corpus with crossic, side by side; raises `DataError` at the first difference.

    Documents of another file are not compared. Of a random_pair that had to leave pairs out because
    no other had their languages only the tokens are, those left out included: the table says so.
    """
    wanted = made[0].texts
    for corpus in made:
        if corpus.mode == "documents":
            continue
        if corpus.without_partner:
            _check_left_out(corpus, num_tokens=sum(wanted.tokens.values()), what=what)
            continue
        for side in SIDES_OF.get(corpus.mode, ("source", "target")):
            found = (corpus.texts.tokens[side], corpus.texts.digests[side])
            if found != (wanted.tokens[side], wanted.digests[side]):
                raise DataError(
                    f"{what}{corpus.mode} must have the {side} texts of crossic, got "
                    f"{found[0]:,} tokens with digest {found[1][:12]} for "
                    f"{wanted.tokens[side]:,} with {wanted.digests[side][:12]}. "
                    "A data set was changed or made by other code: make it again."
                )


def check_budgets(made: Sequence[Corpus], *, seq_length: int) -> None:
    """Every corpus has the document tokens of crossic but for less than one chunk."""
    budget = made[0].manifest.counts["tokens_in_windows"]
    for corpus in made:
        found = corpus.manifest.counts["tokens_in_windows"]
        if not 0 <= budget - found < seq_length:
            raise DataError(
                f"{corpus.mode} must have the {budget:,} document tokens of crossic, less than "
                f"{seq_length:,} missing, got {found:,}. It was made for another budget: make it "
                "again."
            )


def _check_left_out(corpus: Corpus, *, num_tokens: int, what: str) -> None:
    left_out = corpus.manifest.counts["tokens_dropped"]["no_other_partner"]
    found = sum(corpus.texts.tokens.values())
    if found + left_out != num_tokens:
        raise DataError(
            f"{what}{corpus.mode} must have the {num_tokens:,} tokens of crossic but those of "
            f"pairs without another partner, got {found:,} and {left_out:,} left out. "
            "A data set was changed or made by other code: make it again."
        )


def ablation_table(made: Sequence[Corpus]) -> str:
    """The report as Markdown."""
    in_order = made[0].texts.in_order
    headings = (
        "mode|windows|tokens|passes|fill|source tokens|source texts|target tokens|target texts"
    )
    rows = [headings.split("|"), ["---"] * 9]
    for corpus in made:
        value = corpus.to_json()
        rows.append(
            [
                corpus.mode + ("*" if corpus.without_partner else ""),
                f"{value['windows']:,}",
                f"{value['tokens']:,}",
                f"{value['passes']:.2f}",
                f"{value['fill_rate']:.2%}",
                f"{value['source_tokens']:,}",
                value["source_digest"][:12] or "-",
                f"{value['target_tokens']:,}",
                value["target_digest"][:12] or "-",
            ]
        )
    lines = [f"| {' | '.join(row)} |" for row in rows]
    what = "its tokens in order" if in_order else "its tokens, sorted"
    notes = [
        "",
        "Tokens are document tokens of all passes; what is to the right of `fill` is the first",
        "pass, read back from the windows. `texts` is a digest over all documents of a side, in",
        f"any order, each by {what}: equal digests, equal texts.",
    ]
    if left_out := sum(corpus.without_partner for corpus in made):
        notes += [
            f"* {left_out:,} pairs were left out because no other pair has their languages:",
            "fewer tokens, other digests; the tokens left out account for the difference.",
        ]
    return "\n".join(["# Comparison corpora", "", *lines, *notes]) + "\n"

"""What all pairs of a file are like: sums and histograms, filled pair by pair."""

from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.inspection.pairs.log_histogram import LogHistogram
from megatron_crossic.inspection.pairs.scripts import NO_SCRIPT, main_script


class Repeats:
    """Finds equal values by 8 bytes each, whatever their size.

    Python's hash of text is keyed by chance and 64 bits wide: ten million texts look more equal
    than they are once in 370,000 files.
    """

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, value: object) -> None:
        self._hashes.append(hash(value))

    def count(self) -> int:
        """Values that equal an earlier one."""
        return len(self._hashes) - len(np.unique(np.asarray(self._hashes)))


@dataclass(kw_only=True, slots=True)
class LanguageStatistics:
    """The documents of one language; lengths are in characters."""

    language: str
    num_documents: int = 0
    num_characters: int = 0
    num_empty: int = 0
    num_short: int = 0
    """Shorter than the report's limit, the empty ones among them."""
    longest: int = 0
    lengths: LogHistogram = field(default_factory=LogHistogram)
    """Of the documents that are not empty."""
    scripts: Counter[str] = field(default_factory=Counter)
    texts: Repeats = field(default_factory=Repeats)
    """Of the documents that are not empty."""

    def add(self, document: Document, script: str, *, short_characters: int) -> None:
        length = len(document.text)
        self.num_documents += 1
        self.num_characters += length
        self.num_short += length < short_characters
        self.longest = max(self.longest, length)
        self.scripts[script] += 1
        if length:
            self.lengths.add(length)
            self.texts.add(document.text)
        else:
            self.num_empty += 1


@dataclass(kw_only=True, slots=True)
class SidesStatistics:
    """The pairs of one source language with one target language."""

    source: str
    target: str
    num_pairs: int = 0
    num_one_empty: int = 0
    """One text or both empty: no ratio."""
    num_same_title: int = 0
    num_same_text: int = 0
    num_same_script: int = 0
    ratios: LogHistogram = field(default_factory=LogHistogram)
    """Target characters per source character."""

    def add(self, source: Document, target: Document, *, same_script: bool) -> None:
        self.num_pairs += 1
        title = source.title.strip()
        self.num_same_title += bool(title) and title == target.title.strip()
        self.num_same_script += same_script
        if source.text and target.text:
            self.num_same_text += source.text == target.text
            self.ratios.add(len(target.text) / len(source.text))
        else:
            self.num_one_empty += 1


@dataclass(kw_only=True, slots=True)
class PairStatistics:
    """Everything that is counted about a pair file."""

    short_characters: int
    """Shorter documents count as very short."""
    num_pairs: int = 0
    origins: Counter[str] = field(default_factory=Counter)
    languages: dict[str, LanguageStatistics] = field(default_factory=dict)
    """In order of first appearance."""
    sides: dict[tuple[str, str], SidesStatistics] = field(default_factory=dict)
    """By source and target language."""
    pairs: Repeats = field(default_factory=Repeats)
    """The texts of each pair together."""

    @property
    def num_documents(self) -> int:
        return sum(found.num_documents for found in self.languages.values())

    def add(self, pair: Pair) -> None:
        self.num_pairs += 1
        self.origins[pair.origin] += 1
        self.pairs.add(tuple(document.text for document in pair.documents))
        scripts = [main_script(document.text) for document in pair.documents]
        for document, script in zip(pair.documents, scripts, strict=True):
            code = document.language
            if code not in self.languages:
                self.languages[code] = LanguageStatistics(language=code)
            self.languages[code].add(document, script, short_characters=self.short_characters)
        for target, script in zip(pair.targets, scripts[1:], strict=True):
            codes = pair.source.language, target.language
            if codes not in self.sides:
                self.sides[codes] = SidesStatistics(source=codes[0], target=codes[1])
            same_script = script == scripts[0] != NO_SCRIPT
            self.sides[codes].add(pair.source, target, same_script=same_script)

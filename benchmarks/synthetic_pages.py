"""The pages of a made-up wiki: what page 17 is, where in the dump it stands, its id and title.

Nothing is stored a page, all of it is arithmetic. A wiki numbers its articles first, then its
redirects, then all other pages; a step that has no factor in common with their number mixes them,
so that in the dump articles and redirects stand anywhere.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from random import Random

from synthetic_texts import Letters, is_plain

# Namespace, share of the pages that are neither article nor redirect, content model and format.
WIKITEXT = ("wikitext", "text/x-wiki")
OTHER_PAGES = (
    (14, 0.46, *WIKITEXT),
    (10, 0.22, *WIKITEXT),
    (4, 0.2, *WIKITEXT),
    (118, 0.1, *WIKITEXT),
    (828, 0.015, "Scribunto", "text/plain"),
    (0, 0.005, "json", "application/json"),
)
ENGLISH = {4: "Wikipedia", 10: "Template", 14: "Category", 118: "Draft", 828: "Module"}
NAMESPACES: Mapping[str, Mapping[int, str]] = {
    "ar": {4: "ويكيبيديا", 10: "قالب", 14: "تصنيف", 118: "مسودة", 828: "وحدة"},
    "es": {10: "Plantilla", 14: "Categoría", 828: "Módulo"},
    "ko": {4: "위키백과", 10: "틀", 14: "분류", 118: "초안", 828: "모듈"},
    "pt": {4: "Wikipédia", 10: "Predefinição", 14: "Categoria", 828: "Módulo"},
    "th": {4: "วิกิพีเดีย", 10: "แม่แบบ", 14: "หมวดหมู่", 118: "ฉบับร่าง", 828: "มอดูล"},
}
TITLES = (
    "{0}", "{0} {1}", "{1} {0}", "{0} ({1})", "{1}'s {0}", '"{0}" {1}', "{0}, {1}",
    "{0} & {1}", "{1}–{0}", "{0}/{1}", "{0} {1} 1984", "{0}! {1}: é",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Wiki:
    """The pages of one wiki by number."""

    language: str
    seed: int
    num_articles: int
    num_redirects: int
    num_others: int
    letters: Letters
    words: tuple[str, ...]
    """For titles."""

    @property
    def num_pages(self) -> int:
        return self.num_articles + self.num_redirects + self.num_others

    @cached_property
    def _step(self) -> int:
        step = int(self.num_pages * 0.618) + 1
        while gcd(step, self.num_pages) > 1:
            step += 1
        return step

    def number_at(self, place: int) -> int:
        """The page that stands at `place` in the dump."""
        return (place * self._step + self.seed) % self.num_pages

    def place_of(self, number: int) -> int:
        inverse = pow(self._step, -1, self.num_pages)
        return (number - self.seed) * inverse % self.num_pages

    def id_at(self, place: int) -> int:
        """Ids grow along the dump, with gaps where pages were deleted."""
        return 12 + 3 * place + place * 7919 % 3

    def title(self, number: int) -> str:
        """Its title with blanks; a number beyond the wiki's gives one that is not in it."""
        serial = self.letters.word(number)
        pattern = TITLES[number * 31 % len(TITLES)]
        title = pattern.format(serial.capitalize(), self.words[number * 17 % len(self.words)])
        title = title[0].upper() + title[1:]
        namespace = self.namespace(number)
        return f"{self.namespace_name(namespace)}:{title}" if namespace else title

    def random(self, number: int) -> Random:
        """The page's own source of chance."""
        return Random(f"{self.seed}/{self.language}/{number}")

    def namespace(self, number: int) -> int:
        return self._other(number)[0] if self.is_other(number) else 0

    def model(self, number: int) -> tuple[str, str]:
        return self._other(number)[2:] if self.is_other(number) else WIKITEXT

    def is_other(self, number: int) -> bool:
        return self.num_articles + self.num_redirects <= number < self.num_pages

    def is_redirect(self, number: int) -> bool:
        return self.num_articles <= number < self.num_articles + self.num_redirects

    def namespace_name(self, namespace: int) -> str:
        return NAMESPACES.get(self.language, {}).get(namespace, ENGLISH[namespace])

    def _other(self, number: int) -> tuple[int, float, str, str]:
        position = (number - self.num_articles - self.num_redirects + 0.5) / self.num_others
        for kind in OTHER_PAGES:
            if position < kind[1]:
                return kind
            position -= kind[1]
        return OTHER_PAGES[-1]

    def kinds(self) -> dict[str, int]:
        """The pages of the XML dump by kind."""
        first = self.num_articles + self.num_redirects
        models = sum(not self.namespace(number) for number in range(first, self.num_pages))
        return {
            "pages": self.num_pages,
            "articles": self.num_articles,
            "redirects": self.num_redirects,
            "other_namespaces": self.num_others - models,
            "other_models": models,
        }


def title_words(words: Sequence[str]) -> tuple[str, ...]:
    """The words that may stand in any title: short, NFC, their first letter with two cases or one.

    Sorted, so that the result hangs on the set alone.
    """
    composed = {unicodedata.normalize("NFC", word) for word in words}
    marks = ("L", "M")  # letters and what stands on them
    return tuple(
        sorted(
            word
            for word in composed
            if 3 <= len(word) <= 20
            and is_plain(word[0])
            and all(unicodedata.category(letter)[0] in marks for letter in word)
        )
    )

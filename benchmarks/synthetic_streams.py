"""Runs of pages of a made-up wiki as the dump has them, with their rows of the SQL tables.

A run (100 pages, one bz2 stream of a multistream dump) depends on its number alone, so several
processes make them at once.
"""

import bz2
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from synthetic_pages import Wiki
from synthetic_plan import EMPTY, NOT_LINKED, SCENARIOS, Plan
from synthetic_sql import database_key, quoted
from synthetic_texts import Texts, escape

PAGES_PER_STREAM = 100
LONGEST_ARTICLE = 400_000
"""Bytes; the longest pages of real wikis have about as many."""
OTHER_LANGUAGES = ("ar", "de", "es", "fr", "ja", "ko", "pt", "ru", "th", "zh")
SHARE_LISTED_ELSEWHERE = 0.3
SHARE_OF_DISAMBIGUATIONS = 0.03
"""Of the articles that are not linked; of the linked ones, one scenario is."""
DISAMBIGUATION = {
    "ar": "{{توضيح}}",
    "es": "{{desambiguación}}",
    "ja": "{{aimai}}",
    "ko": "{{동음이의}}",
    "pt": "{{desambiguação}}",
    "th": "{{แก้ความกำกวม}}",
}
BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """One run of pages."""

    xml: bytes
    """Empty where only the packed form is asked for."""
    packed: bytes
    """Empty where it is not asked for."""
    index: tuple[tuple[int, str], ...]
    """Page id and title."""
    rows: Mapping[str, list[str]]
    """Table -> rows."""
    num_xml_bytes: int
    num_article_bytes: int
    """Wikitext of articles, unescaped."""


@dataclass(kw_only=True, slots=True)
class _Page:
    """One page in the making."""

    id: int
    number: int
    title: str
    random: Random
    redirect: str = ""
    text: bytes = b""
    num_bytes: int = 0
    is_deleted: bool = False
    rows: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamMaker:
    """Makes any run of one wiki's pages."""

    wiki: Wiki
    plan: Plan
    texts: Texts
    median_bytes: float
    """Of an article's wikitext."""
    sigma: float
    """Of the logarithm of an article's bytes."""
    compresslevel: int
    """0: not packed."""
    keep_xml: bool

    @property
    def num_streams(self) -> int:
        return -(-self.wiki.num_pages // PAGES_PER_STREAM)

    def stream(self, index: int) -> Stream:
        """The run `index`."""
        first = index * PAGES_PER_STREAM
        places = range(first, min(first + PAGES_PER_STREAM, self.wiki.num_pages))
        pages = [self._page(place) for place in places]
        xml = b"".join(map(self._xml, pages))
        return Stream(
            xml=xml if self.keep_xml else b"",
            packed=bz2.compress(xml, self.compresslevel) if self.compresslevel else b"",
            index=tuple((page.id, page.title) for page in pages),
            rows={
                table: [row for page in pages for row in page.rows.get(table, ())]
                for table in ("page", "redirect", "langlinks")
            },
            num_xml_bytes=len(xml),
            num_article_bytes=sum(p.num_bytes for p in pages if p.number < self.wiki.num_articles),
        )

    def _page(self, place: int) -> _Page:
        wiki, number = self.wiki, self.wiki.number_at(place)
        page = _Page(
            id=wiki.id_at(place),
            number=number,
            title=wiki.title(number),
            random=wiki.random(number),
        )
        if wiki.is_redirect(number):
            self._fill_redirect(page)
        elif wiki.is_other(number):
            self._fill_other(page)
        else:
            self._fill_article(page)
        page.rows["langlinks"] = self._langlinks(page)
        page.rows["page"] = [self._page_row(page)]
        return page

    def _set_text(self, page: _Page, text: str) -> None:
        page.text, page.num_bytes = escape(text), len(text.encode())

    def _fill_redirect(self, page: _Page) -> None:
        to = self.plan.redirect(self.wiki, page.number)
        page.redirect = to.title
        link = f"{to.title}#{to.fragment}" if to.fragment else to.title
        self._set_text(page, f"#REDIRECT [[{link}]]\n\n{{{{R from other name}}}}")
        row = f"({page.id},0,{database_key(to.title)},'',{quoted(to.fragment)})"
        page.rows["redirect"] = [row]

    def _fill_other(self, page: _Page) -> None:
        namespace = self.wiki.namespace(page.number)
        model, _ = self.wiki.model(page.number)
        words = " ".join(page.random.choices(self.wiki.words, k=8))
        if model != "wikitext":
            is_json = model == "json"
            self._set_text(page, f'{{"name": "{words}"}}' if is_json else f'return "{words}"')
        elif namespace == 14:
            category = self.wiki.namespace_name(14)
            self._set_text(page, f"{{{{Commons category}}}}\n[[{category}:{words}]]")
        elif namespace == 10:
            self._set_text(
                page, f"<noinclude>{words}</noinclude>{{{{#if:{{{{{{1|}}}}}}|{words}}}}}"
            )
        else:
            self._fill_with_prose(page, median=self.median_bytes / 2)

    def _fill_article(self, page: _Page) -> None:
        scenario = self.scenario(page.number)
        reason = ""
        if scenario in SCENARIOS:
            of_side = SCENARIOS[scenario]
            is_source = self.wiki is self.plan.source
            reason = of_side.source_reason if is_source else of_side.target_reason
        if reason == EMPTY:
            page.is_deleted = page.number % 2 == 0
            self._set_text(page, "" if page.is_deleted else "{{Infobox person\n| name = X\n}}")
        elif self.is_disambiguation(page):
            self._fill_disambiguation(page)
        else:
            self._fill_with_prose(page, median=self.median_bytes)

    def scenario(self, article: int) -> str:
        """How an article of this wiki is linked."""
        if self.wiki is self.plan.source:
            return self.plan.source_scenario(article)
        return self.plan.scenario(article)[0]

    def is_disambiguation(self, page: _Page) -> bool:
        scenario = self.scenario(page.number)
        by_chance = page.random.random() < SHARE_OF_DISAMBIGUATIONS
        return scenario == "disambiguation" or (scenario == NOT_LINKED and by_chance)

    def _fill_disambiguation(self, page: _Page) -> None:
        template = DISAMBIGUATION.get(self.wiki.language, "{{disambiguation}}")
        words = page.random.choices(self.wiki.words, k=6)
        lines = "\n".join(f"* [[{word} ({page.title})]], {words[0]}" for word in words)
        self._set_text(page, f"'''{page.title}''' {words[1]}:\n\n{lines}\n\n{template}")

    def _fill_with_prose(self, page: _Page, *, median: float) -> None:
        num_bytes = int(median * page.random.lognormvariate(0, self.sigma))
        made = self.texts.article(
            page.random,
            title=page.title,
            num_bytes=min(num_bytes, LONGEST_ARTICLE),
            serial=page.number,
        )
        page.text, page.num_bytes = made.escaped(), made.num_bytes_unescaped()

    def _langlinks(self, page: _Page) -> list[str]:
        """The page's links, by language as the table's key orders them."""
        titles: dict[str, str] = {}
        random, plan = page.random, self.plan
        is_source = self.wiki is plan.source
        partner = plan.target if is_source else plan.source
        is_article = page.number < self.wiki.num_articles
        if is_article and is_source and page.number < plan.num_consumed:
            titles[partner.language] = partner.title(page.number)
        elif is_article and not is_source and (title := plan.linked_title(page.number)):
            titles[partner.language] = title
        elif not is_article and not page.redirect and random.random() < SHARE_LISTED_ELSEWHERE:
            titles[partner.language] = partner.title(partner.num_pages - partner.num_others)
        elif page.redirect and random.random() < 0.003:
            titles[partner.language] = partner.title(0)  # moved, and the row is still the old one
        if titles or (is_article and random.random() < SHARE_LISTED_ELSEWHERE):
            own = (self.wiki.language, partner.language)
            others = [code for code in OTHER_LANGUAGES if code not in own]
            for code in random.sample(others, random.randrange(len(others))):
                titles[code] = f"{page.title} ({code})"
        return [f"({page.id},{quoted(code)},{quoted(titles[code])})" for code in sorted(titles)]

    def _page_row(self, page: _Page) -> str:
        namespace = self.wiki.namespace(page.number)
        title = page.title.partition(":")[2] if namespace else page.title
        model, _ = self.wiki.model(page.number)
        touched = "20250601000000"
        return (
            f"({page.id},{namespace},{database_key(title)},{int(bool(page.redirect))},0,"
            f"{page.random.random():.15f},'{touched}','{touched}',{_revision(page)},"
            f"{page.num_bytes},'{model}',NULL)"
        )

    def _xml(self, page: _Page) -> bytes:
        random = page.random
        redirect = f'    <redirect title="{_escape(page.redirect)}" />\n' if page.redirect else ""
        revision = _revision(page)
        sha1 = "".join(random.choices(BASE_36, k=31))
        model, text_format = self.wiki.model(page.number)
        state = 'deleted="deleted"' if page.is_deleted else f'sha1="{sha1}" xml:space="preserve"'
        user = self.texts.letters.word(random.randrange(100_000))
        year, month, day = random.randrange(2005, 2025), random.randrange(1, 13), 1
        date = f"{year}-{month:02}-{day + random.randrange(28):02}"
        head = f"""  <page>
    <title>{_escape(page.title)}</title>
    <ns>{self.wiki.namespace(page.number)}</ns>
    <id>{page.id}</id>
{redirect}    <revision>
      <id>{revision}</id>
      <parentid>{revision - random.randrange(1, 100_000)}</parentid>
      <timestamp>{date}T12:00:{random.randrange(60):02}Z</timestamp>
      <contributor>
        <username>{user}</username>
        <id>{random.randrange(1, 50_000_000)}</id>
      </contributor>
      <minor />
      <comment>/* {user} */ {_escape(page.title)}</comment>
      <origin>{revision}</origin>
      <model>{model}</model>
      <format>{text_format}</format>
      <text bytes="{page.num_bytes}" {state}"""
        return head.encode() + (
            (b">" + page.text + b"</text>" if page.text else b" />")
            + f"\n      <sha1>{sha1}</sha1>\n    </revision>\n  </page>\n".encode()
        )


def _escape(text: str) -> str:
    return escape(text).decode()


def _revision(page: _Page) -> int:
    """Newer where the id's last digits say so; above 100,000 and never the same twice."""
    return 100_000_000 + (page.id * 7_368_787) % 1_000_000_007

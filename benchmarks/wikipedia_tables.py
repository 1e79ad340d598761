"""Made-up page, redirect and langlinks tables of two wikis, as `mysqldump` writes them.

They have what makes a join hard: chains of redirects of every length, loops, redirects into the
void, to sections, namespaces and other wikis, many links to one article, links that start at
redirects, and titles spelled in every way MediaWiki takes for the same.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SYLLABLES = tuple(a + b for a in "bdfgklmnprst" for b in "aeiou")
TAILS = (
    "",
    "",
    "",
    "",
    "_(band)",
    ",_Ohio",
    "'s_Law",
    '_"Q"',
    "_é東",
    "),(1,2",
    ";_x",
    "\\y",
    ":_II",
)
PAGE_COLUMNS = tuple(
    f"page_{name}"
    for name in "id namespace title is_redirect is_new random touched links_updated latest len "
    "content_model lang".split()
)
REDIRECT_COLUMNS = ("rd_from", "rd_namespace", "rd_title", "rd_interwiki", "rd_fragment")
LINK_COLUMNS = ("ll_from", "ll_lang", "ll_title")
OTHER_LANGUAGES = "ar de es fr ja ko pt ru th zh-yue".split()

Value = int | float | str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WikiTables:
    """The SQL files of one wiki."""

    language: str
    page: Path
    redirect: Path
    langlinks: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class MadePage:
    """A row of the page table in the article namespace."""

    id: int
    title: str
    is_redirect: bool


def make_tables(
    folder: Path, *, source: str, target: str, num_pages: int, seed: int = 0
) -> tuple[WikiTables, WikiTables]:
    """Write the tables of both wikis; the target wiki's langlinks lead to the source wiki."""
    made = {}
    for number, language in enumerate((source, target)):
        random_numbers = random.Random(f"{seed} {number}")
        made[language] = list(_pages(random_numbers, num_pages))
    tables = []
    for language, other in ((source, target), (target, source)):
        random_numbers = random.Random(f"{seed} {language}")
        paths = [
            folder / f"{language}wiki-{name}.sql" for name in ("page", "redirect", "langlinks")
        ]
        page_rows = _page_rows(random_numbers, made[language])
        write_table(paths[0], "page", PAGE_COLUMNS, page_rows)
        redirect_rows = _redirect_rows(random_numbers, made[language])
        write_table(paths[1], "redirect", REDIRECT_COLUMNS, redirect_rows)
        link_rows = _link_rows(random_numbers, made[language], made[other], other)
        write_table(paths[2], "langlinks", LINK_COLUMNS, link_rows)
        tables.append(
            WikiTables(language=language, page=paths[0], redirect=paths[1], langlinks=paths[2])
        )
    return tables[0], tables[1]


def _pages(random_numbers: random.Random, num_pages: int) -> Iterator[MadePage]:
    seen = set()
    page_id = 0
    while len(seen) < num_pages:
        page_id += random_numbers.randint(1, 9)
        words = ["".join(random_numbers.choices(SYLLABLES, k=3)) for _ in range(2)]
        title = "_".join(words).capitalize() + random_numbers.choice(TAILS)
        if title not in seen:
            seen.add(title)
            is_redirect = random_numbers.random() < 0.55
            yield MadePage(id=page_id, title=title, is_redirect=is_redirect)


def _page_rows(
    random_numbers: random.Random, pages: Sequence[MadePage]
) -> Iterator[Sequence[Value]]:
    for page in pages:
        model = random_numbers.choices(["wikitext", None, "json"], [90, 5, 5])[0]
        yield _page_row(random_numbers, page, 0, "wikitext" if page.is_redirect else model)
        if random_numbers.random() < 0.5:
            other = MadePage(id=page.id + 10**7, title=page.title, is_redirect=page.is_redirect)
            yield _page_row(
                random_numbers, other, random_numbers.choice([1, 4, 10, 14]), "wikitext"
            )


def _page_row(
    random_numbers: random.Random, page: MadePage, namespace: int, model: str | None
) -> Sequence[Value]:
    length = random_numbers.randint(10, 90_000)
    moment = f"20240501{random_numbers.randint(100_000, 235_959)}"
    return (
        page.id,
        namespace,
        page.title,
        int(page.is_redirect),
        0,
        random_numbers.random(),
        moment,
        random_numbers.choice([moment, None]),
        page.id * 7,
        length,
        model,
        None,
    )


def _redirect_rows(
    random_numbers: random.Random, pages: Sequence[MadePage]
) -> Iterator[Sequence[Value]]:
    """A third of the redirects lead to the redirect before them: chains of any length."""
    last = pages[-1].title
    for page in pages:
        if not page.is_redirect:
            continue
        title = random_numbers.choice(
            [last, popular(random_numbers, pages), popular(random_numbers, pages)]
        )
        last = page.title
        kind = random_numbers.choices(
            ["plain", "section", "namespace", "wiki", "void", "self", "none"],
            [84, 5, 2, 2, 3, 2, 2],
        )[0]
        row: list[Value] = [page.id, 0, title, random_numbers.choice(["", "", None]), ""]
        if kind == "section":
            row[4] = "Some_part"
        elif kind == "namespace":
            row[1] = 14
        elif kind == "wiki":
            row[3] = "m"
        elif kind in ("void", "self"):
            row[2] = f"{title}_that_never_was" if kind == "void" else page.title
        if kind != "none":
            yield row


def _link_rows(
    random_numbers: random.Random,
    pages: Sequence[MadePage],
    others: Sequence[MadePage],
    other_language: str,
) -> Iterator[Sequence[Value]]:
    for page in pages:
        for language in OTHER_LANGUAGES[: random_numbers.randint(0, 3)]:
            if language != other_language:
                yield page.id, language, page.title.replace("_", " ")
        if random_numbers.random() < (0.4 if page.is_redirect else 0.75):
            title = respelled(random_numbers, popular(random_numbers, others))
            page_id = page.id + random_numbers.choices([0, 10**7], [97, 3])[0]
            yield page_id, other_language, title
            if random_numbers.random() < 0.02:
                yield page_id, other_language, random_numbers.choice(others).title


def popular(random_numbers: random.Random, pages: Sequence[MadePage]) -> str:
    """The title of one of the pages, every other time of the first tenth of them."""
    num_pages = len(pages) // 10 if random_numbers.random() < 0.5 else len(pages)
    return pages[random_numbers.randrange(num_pages)].title


def respelled(random_numbers: random.Random, title: str) -> str:
    """A title in one of the spellings that are the same page, or in one that is none."""
    spaced = title.replace("_", " ")
    return random_numbers.choices(
        [
            spaced,
            title,
            spaced[:1].lower() + spaced[1:],
            f" :{title}_",
            title.replace("_", " _"),
            f"{spaced}#Part",
            f"{spaced}#",
            f"Category:{spaced}",
            f"{spaced} that never was",
            "",
        ],
        [50, 10, 10, 5, 5, 5, 2, 4, 7, 2],
    )[0]


def write_table(
    path: Path,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Value]],
    *,
    statement_bytes: int = 1 << 20,
) -> None:
    """Write rows as `mysqldump` does: many to an INSERT, which is one line of about a megabyte."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        lines = ",\n".join(f"  `{column}` varbinary(255) DEFAULT NULL" for column in columns)
        file.write(f"-- MariaDB dump\n/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE `{table}` (\n")
        file.write(f"{lines},\n  PRIMARY KEY (`{columns[0]}`)\n) ENGINE=InnoDB;\n")
        size = 0
        for row in rows:
            text = f"({','.join(map(sql_literal, row))})"
            is_full = size > statement_bytes
            file.write(";\n" if is_full else "")
            size = 0 if is_full else size
            file.write("," if size else f"INSERT INTO `{table}` VALUES ")
            size += file.write(text)
        file.write(";\n-- Dump completed\n")


def sql_literal(value: Value) -> str:
    """A value as `mysqldump` writes it."""
    if value is None:
        return "NULL"
    if not isinstance(value, str):
        return str(value)
    for character, escaped in (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"'), ("\n", "\\n")):
        value = value.replace(character, escaped)
    return f"'{value}'"

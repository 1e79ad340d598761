"""Our cleaning beside wikiextractor's, on the same articles of given dumps.

    python benchmarks/wikipedia_cleaning.py en=enwiki.xml.bz2 ja=jawiki.xml.bz2 \
        --wikiextractor CHECKOUT --output results/wikipedia_cleaning.json

Wikiextractor (AGPL) is never imported: it runs as a program of its own, with templates expanded as
far as the dump holds them. Counted for both: articles whose text has residue of markup, by kind;
articles without text; numbers of the running text that are gone. What the running text is, is found
here without either cleaner, by deleting from the wikitext, innermost first, what no reader would
miss: comments, notes, formulas, galleries, templates, tables, files, categories, addresses,
headings (one with nothing below it goes) and sections that list sources. A number found there and
not in the text, as often, is lost.
"""

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from megatron_crossic.data.wikipedia.clean import APPENDICES, clean_wikitext
from megatron_crossic.data.wikipedia.dump import Page, read_pages
from megatron_crossic.data.wikipedia.namespaces import CATEGORY, FILE

CATEGORIES, FILES = ("|".join(" ".join(names.values()).split()) for names in (CATEGORY, FILE))
RESIDUE = {name: re.compile(re.escape(name), re.IGNORECASE) for name in (
    "[[", "]]", "{{", "}}", "{|", "|}", "''", "|thumb", "<ref", "</ref", "<!--",
)} | {
    "entity": re.compile(r"&(?:nbsp|ndash|mdash|lt|gt|amp|quot|#x?[0-9A-Fa-f]+);"),
    "tag": re.compile(r"</?(?:br|div|span|small|sub|sup|gallery|math|center|blockquote)\b[^<>]*>"),
    "switch": re.compile(r"__[A-Z]{3,}__"),
    "category": re.compile(rf"\b(?:{CATEGORIES}):\w", re.IGNORECASE),
    "file": re.compile(rf"\b(?:{FILES}):\S[^\n]*\.(?:jpe?g|png|svg)", re.IGNORECASE),
}  # fmt: skip
# Each is deleted again and again until nothing is left of it: the innermost goes first.
NO_TEXT = [re.compile(pattern, re.DOTALL | re.IGNORECASE | re.MULTILINE) for pattern in (
    r"<!--.*?-->",
    r"<ref\b[^<>]*/>|<ref\b[^<>]*>.*?</ref\s*>",
    r"<(math|chem|gallery|timeline|source|syntaxhighlight|score|imagemap)\b[^<>]*>.*?</\1\s*>",
    r"\{\{(?:(?!\{\{|\}\}).)*\}\}",
    r"^[:*\s]*\{\|(?:(?!\{\||\|\}).)*\|\}",
    rf"\[\[\s*(?:{FILES}|{CATEGORIES})\s*:(?:\[\[[^\[\]]*\]\]|(?!\[\[|\]\]).)*\]\]",
)]  # fmt: skip
HEADING = re.compile(r"^==[^=\n].*?==\s*$", re.MULTILINE)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def running_text(wikitext: str) -> str:
    """What is left of the wikitext for a reader, still with marks of style."""
    for pattern in NO_TEXT:
        before = ""
        while before != wikitext:
            before, wikitext = wikitext, pattern.sub(" ", wikitext)
    wikitext = re.sub(r"^=.*=\s*$", "", without_appendices(wikitext), flags=re.MULTILINE)
    wikitext = re.sub(r"\[\[[^\[\]|]*\|([^\[\]]*)\]\]", r"\1", wikitext)
    wikitext = re.sub(r"\[\[[a-z-]{2,12}:[^\[\]]*\]\]", "", wikitext)
    wikitext = re.sub(r"\[?(?:\w+:)?//[^\s\[\]<>|]+|<[^<>]*>", " ", wikitext)
    return html.unescape(wikitext)


def without_appendices(wikitext: str) -> str:
    """Without the last sections where all of them list sources and links."""
    end = len(wikitext)
    for found in reversed(list(HEADING.finditer(wikitext))):
        if found[0].strip("= \n'").casefold() not in APPENDICES:
            break
        end = found.start()
    return wikitext[:end]


def numbers(text: str) -> Counter[str]:
    """How often each number stands in a text; `10⁶` is 10 and 6."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", r" \g<0> ", text)
    return Counter(NUMBER.findall(unicodedata.normalize("NFKC", text)))


def lost_numbers(wikitext: str, text: str) -> int:
    """Numbers of the running text that the clean text has not, or not as often."""
    return (numbers(running_text(wikitext)) - numbers(text)).total()


def count(pages: Sequence[Page], texts: Mapping[int, str]) -> dict[str, int]:
    """The counts over all pages."""
    counts: Counter[str] = Counter(articles=len(pages))
    for page in pages:
        text = texts.get(page.id, "").strip()
        found = [kind for kind, pattern in RESIDUE.items() if pattern.search(text)]
        counts.update(f"residue {kind}" for kind in found)
        lost = lost_numbers(page.text, text)
        counts.update({
            "with residue": bool(found), "empty": not text, "lost numbers": lost,
            "articles that lost a number": lost > 0, "characters": len(text),
            "numbers": numbers(running_text(page.text)).total(),
        })  # fmt: skip
    return dict(counts)


def wikiextractor_texts(dump: Path, *, checkout: Path, python: str) -> dict[int, str]:
    """Page id -> text as wikiextractor gives it, a program run in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "wikiextractor.WikiExtractor", str(dump.resolve()), "--json"]
        command += ["-o", "out", "--quiet", "--processes", "1", "--html-safe", ""]
        subprocess.run(
            command, cwd=folder, env={"PYTHONPATH": str(checkout.resolve())}, check=True,
            capture_output=True,
        )  # fmt: skip
        files = sorted(path for path in Path(folder, "out").rglob("*") if path.is_file())
        records = [json.loads(line) for path in files for line in path.open(encoding="utf-8")]
    return {int(record["id"]): record["text"] for record in records}


def compare(
    dumps: Sequence[tuple[str, Path]], *, checkout: Path, python: str
) -> dict[str, dict[str, int]]:
    """Cleaner -> counts over the articles of all dumps."""
    totals = {"ours": Counter[str](), "wikiextractor": Counter[str]()}
    for language, dump in dumps:
        pages = [
            page for page in read_pages(dump, with_text=True)
            if page.redirect is None and page.namespace in {0, None}
        ]  # fmt: skip
        ours = {page.id: clean_wikitext(page.text, language=language) for page in pages}
        theirs = wikiextractor_texts(dump, checkout=checkout, python=python)
        for name, texts in (("ours", ours), ("wikiextractor", theirs)):
            totals[name].update(count(pages, texts))
    return {name: dict(counts) for name, counts in totals.items()}


def table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The counts as lines: what, ours, theirs."""
    rows = dict.fromkeys(key for column in counts.values() for key in column)
    lines = [f"{'':32}" + "".join(f"{name:>16}" for name in counts)]
    for row in rows:
        lines.append(
            f"{row:32}" + "".join(f"{column.get(row, 0):16,}" for column in counts.values())
        )
    return "\n".join(lines)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dumps", nargs="+", metavar="LANGUAGE=DUMP")
    parser.add_argument("--wikiextractor", type=Path, required=True, metavar="DIR")
    parser.add_argument("--wikiextractor-python", default=sys.executable)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    pairs = [dump.split("=", 1) for dump in options.dumps]
    counts = compare(
        [(language, Path(path)) for language, path in pairs],
        checkout=options.wikiextractor, python=options.wikiextractor_python,
    )  # fmt: skip
    print(table(counts))
    if options.output:
        options.output.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

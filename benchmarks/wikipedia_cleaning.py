"""Our cleaning beside wikiextractor's, on the same articles of given dumps.

    python benchmarks/wikipedia_cleaning.py en=enwiki.xml.bz2 ja=jawiki.xml.bz2 \
        --wikiextractor CHECKOUT --output results/wikipedia_cleaning.json

Wikiextractor (AGPL) is never imported: it runs as a program of its own, with templates expanded as
far as the dump holds them. Counted for both: articles whose text has residue of markup, by kind;
articles without text; numbers of the running text that are gone (see `wikipedia_residue`).
Wikiextractor leaves list items out of plain text, so the numbers lost elsewhere are counted by
themselves. Articles that it did not write at all (it reads not every dump) are told apart as
`not read` and compared in nothing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from wikipedia_residue import lost_numbers, lost_outside_lists, numbers, residue, running_text

from megatron_crossic.data.wikipedia.cleaning.clean import clean_wikitext
from megatron_crossic.data.wikipedia.dump import Page, read_pages


def count(pages: Sequence[Page], texts: Mapping[int, str]) -> dict[str, int]:
    """The counts over all pages."""
    counts: Counter[str] = Counter(articles=len(pages))
    for page in pages:
        text = texts.get(page.id, "").strip()
        found = residue(text)
        counts.update(f"residue {kind}" for kind in found)
        lost = lost_numbers(page.text, text)
        counts.update({
            "with residue": bool(found), "empty": not text, "lost numbers": lost,
            "lost numbers outside lists": lost_outside_lists(page.text, text),
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
        theirs = wikiextractor_texts(dump, checkout=checkout, python=python)
        read = [page for page in pages if page.id in theirs]
        totals["wikiextractor"]["not read"] += len(pages) - len(read)
        pages = read
        ours = {page.id: clean_wikitext(page.text, language=language) for page in pages}
        for name, texts in (("ours", ours), ("wikiextractor", theirs)):
            totals[name].update(count(pages, texts))
    return {name: dict(counts) for name, counts in totals.items()}


def table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The counts as lines: what, ours, theirs."""
    rows = dict.fromkeys(key for column in counts.values() for key in column)
    lines = [f"{'':32}" + "".join(f"{name:>16}" for name in counts)]
    for row in rows:
        lines.append(f"{row:32}" + "".join(f"{c.get(row, 0):16,}" for c in counts.values()))
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

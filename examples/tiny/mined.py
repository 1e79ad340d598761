"""What mining found: pairs, how many are of the right topic, and where to look."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from demo_steps import mined_files
from tables import table


@dataclass(frozen=True, kw_only=True, slots=True)
class Mined:
    """The mined pairs of one language."""

    documents: int
    """That a page was looked for."""
    pairs: int
    right: int
    """Pairs whose page was written on the topic of the article."""
    least_margin: float


def read_mined(path: Path) -> Mined:
    """Read a pair file that `mine_pairs.py` made of the demo's web.

    Each page names the English article it was written about as its topic; mining does not read it.
    """
    manifest = json.loads(path.with_name(f"{path.name}.manifest.json").read_text("utf-8"))
    pairs = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    found = [pair["provenance"] for pair in pairs]
    return Mined(
        documents=manifest["counts"]["documents"],
        pairs=len(pairs),
        right=sum(p["passages"][0]["record"]["topic"] == p["linked"]["title"] for p in found),
        least_margin=min(pair["score"] for pair in pairs),
    )


def mined_sections(output: Path, languages: Iterable[str]) -> list[str]:
    """The section on mined pairs, where there are any."""
    files = mined_files(output)
    found = [(lang, read_mined(files[lang])) for lang in languages if files[lang].exists()]
    if not found:
        return []
    rows = [
        (f"mined {lang}", each.documents, each.pairs, each.right, f"{each.least_margin:.2f}")
        for lang, each in found
    ]
    header = ("pairs", "articles looked for", "pairs", "of the right topic", "least margin")
    note = (
        "The encoder was fitted on these very articles and knows their words alone: on articles "
        "it has not seen it is near to guessing (README.md beside the demo)."
    )
    return [f"## Mined pairs\n\n{table(header, rows)}\n\n{note}"]


def mined_artifacts(output: Path) -> list[tuple[str, str]]:
    """Where the mined pairs lie, if there are any."""
    if not any(path.exists() for path in mined_files(output).values()):
        return []
    return [
        ("mined pairs", "mined-*.jsonl, their manifests, and a report of each: mined-*.jsonl.html"),
        ("mined windows, shown", "windows-mined.html"),
    ]

"""A pair file with everything in it that must not act on a page, and its manifest."""

import json
from pathlib import Path
from typing import Any

from inspected_windows import ARABIC, HOSTILE

from megatron_crossic.files import fingerprint_file
from megatron_crossic.manifest import Manifest, manifest_path, write_manifest

ENGLISH = "Berlin is the capital and largest city of Germany by area and population. " * 3


def hostile_records() -> list[dict[str, Any]]:
    """English with Arabic: one honest pair, one hostile one, one with nothing in it."""
    url = "https://en.wikipedia.org/w/index.php?oldid=7&a=%22<b>"
    return [
        {
            "id": "berlin",
            "source": {"lang": "en", "title": "Berlin", "text": ENGLISH},
            "target": {"lang": "ar", "title": "برلين", "text": ARABIC * 4},
            "origin": "langlink",
            "provenance": {
                "source": {"url": "https://en.wikipedia.org/wiki/Berlin", "revision_url": url},
                "target": {"url": "javascript:alert(1)", "page_id": 3354},
                "licence": "CC BY-SA 4.0",
            },
        },
        {
            "id": HOSTILE,
            "source": {"lang": "en", "title": HOSTILE, "text": f"{HOSTILE}\n\n{ENGLISH}"},
            "target": {"lang": "ar", "title": HOSTILE, "text": f"{HOSTILE}\n\n{ENGLISH}"},
            "provenance": {
                "source": {"url": "http://example.org/plain", HOSTILE: HOSTILE},
                "target": {"url": 'https://example.org/"><script>window.ran=1</script>'},
                "licence": HOSTILE,
            },
        },
        {
            "id": "nothing",
            "source": {"lang": "en", "title": "", "text": ""},
            "target": {"lang": "ar", "title": "", "text": "ا"},
        },
    ]


def write_hostile_pairs(folder: Path, *, with_manifest: bool = True) -> Path:
    path = folder / "pairs.jsonl"
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in hostile_records()]
    path.write_text("".join(lines), encoding="utf-8")
    if with_manifest:
        write_manifest(
            manifest_path(path),
            Manifest(
                kind="pairs",
                options={"source_language": "en", "target_language": "ar<b>", "licence": HOSTILE},
                counts={
                    "pairs": 3,
                    "source": {"pages": 9, "articles": 7, "redirects": 2, "repeated": 0},
                    "target": {"pages": 4, "articles": 4, HOSTILE: 1, "characters_in_pairs": 99},
                },
                drops={"source.no_partner": 4, f"target.{HOSTILE}": 1, "target.$x$": 0},
                files={"pairs": fingerprint_file(path)},
            ),
        )
    return path

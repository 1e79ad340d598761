"""A small corpus, documents to look for, and what must be found, for the tests of mining.

Each topic has ten words in English and ten in Spanish that no other has. A text is some of them, so
whoever knows which words belong together finds the passage of each document's topic.
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from small_pairs import write_pairs

from megatron_crossic.data.records import Document, Pair
from megatron_crossic.data.retrieval.encoders.fitting import FitOptions
from megatron_crossic.data.retrieval.mining import Mining
from megatron_crossic.data.retrieval.options import MiningOptions
from megatron_crossic.data.retrieval.run_settings import RunSettings
from megatron_crossic.data.retrieval.selection.options import SelectionOptions

TOPICS = 8


def topic_text(language: str, topic: int, variant: int, *, count: int = 30) -> str:
    """Words of a topic; 30 are about 200 characters."""
    chance = random.Random(f"{topic} {variant}")
    return " ".join(f"{language}{topic}w{chance.randrange(10)}" for _ in range(count))


def topic_pair(topic: int, variant: int) -> Pair:
    sides = [
        Document(language=code, title=f"{code}{topic}w0", text=topic_text(code, topic, variant))
        for code in ("en", "es")
    ]
    return Pair(id=f"pair:{topic}-{variant}", source=sides[0], targets=(sides[1],))


def fit_pairs() -> list[Pair]:
    """Three pairs of each topic."""
    return [topic_pair(topic, variant) for topic in range(TOPICS) for variant in range(3)]


def target_pairs() -> list[Pair]:
    """A pair of each topic, of which the Spanish document is looked for."""
    return [topic_pair(topic, 20) for topic in range(TOPICS)]


def target_records() -> list[dict[str, Any]]:
    """The same documents alone."""
    return [
        {"id": f"doc:{n}", "title": pair.targets[0].title, "text": pair.targets[0].text}
        for n, pair in enumerate(target_pairs())
    ]


def corpus_records() -> list[dict[str, Any]]:
    """A document of each topic and three of which none can be found."""
    known = [
        {"id": f"web:{topic}", "text": topic_text("en", topic, 10), "url": f"https://a/{topic}"}
        for topic in reversed(range(TOPICS))
    ]
    return [
        *known[:3],
        {"id": "other", "lang": "es", "text": topic_text("es", 0, 10)},
        {"id": "empty", "text": " \n\n "},
        {"id": "unknown", "text": "nothing of what is said here was ever read before " * 4},
        *known[3:],
    ]


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return path


def write_inputs(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Corpus, targets and the pairs to fit on, as `MiningOptions` names them."""
    return {
        "corpus": (write_records(folder / "corpus.jsonl", corpus_records()),),
        "targets": (write_pairs(folder / "targets.jsonl", target_pairs()),),
        "fit_pairs": (write_pairs(folder / "fit.jsonl", fit_pairs()),),
    }


def mining_options(inputs: Path, work: Path, **changed: Any) -> MiningOptions:
    """Of inputs that `write_inputs` wrote."""
    files = {
        "corpus": (inputs / "corpus.jsonl",),
        "targets": (inputs / "targets.jsonl",),
        "fit_pairs": () if "encoder" in changed else (inputs / "fit.jsonl",),
    }
    return MiningOptions(
        **{
            **files,
            "work": work,
            "fit": FitOptions(dimension=16),
            "selection": SelectionOptions(near_duplicate=None),
            **changed,
        }
    )


def mine(options: MiningOptions, output: Path, *, step: str = "all", **settings: Any) -> Path:
    """Run a step in this process; the output."""
    Mining(options=options, settings=RunSettings(**settings)).run(step, output)
    return output


def found_by_topic(pairs: Sequence[Pair]) -> dict[str, str]:
    """Title of the document -> ids of its passages."""
    return {
        pair.targets[-1].title: " ".join(passage["id"] for passage in pair.provenance["passages"])
        for pair in pairs
    }

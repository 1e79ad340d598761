"""The account of a pair file: what became of every article of both wikis."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from megatron_crossic.data.pairs import KIND
from megatron_crossic.data.wikipedia.articles import SegmentAccount
from megatron_crossic.data.wikipedia.options import SideName, WikipediaPairsOptions
from megatron_crossic.data.wikipedia.pairing import Pairing
from megatron_crossic.data.wikipedia.tables.join import WikiJoin
from megatron_crossic.data.wikipedia.work import Task
from megatron_crossic.files import FileFingerprint, fingerprint_file
from megatron_crossic.manifest import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class WikipediaAccount:
    """Complete once the last pair is made."""

    options: WikipediaPairsOptions
    join: WikiJoin
    pairing: Pairing
    segments: Mapping[Task, SegmentAccount]

    def drops(self) -> dict[str, int]:
        """`side.reason` -> articles."""
        join, pairing = self.join, self.pairing
        found = {
            "source": Counter(join.source.drops()) + pairing.source.drops,
            "target": Counter(join.target.drops()) + pairing.target.drops,
        }
        return {
            f"{side}.{reason}": n
            for side, drops in found.items()
            for reason, n in drops.items()
            if n
        }

    def manifest(self, pair_file: FileFingerprint) -> Manifest:
        """The account as it is written beside the pairs."""
        details = {"damage": self._damage(), "malformed_rows": self.join.skipped_rows()}
        return Manifest(
            kind=KIND,
            options=self.options.for_manifest(),
            counts={
                "pairs": self.pairing.num_pairs,
                "source": self._counts("source"),
                "target": self._counts("target"),
                "langlinks": dict(self.join.links),
                "dumps": {"source": self._reading("source"), "target": self._reading("target")},
            },
            drops=self.drops(),
            files={KIND: pair_file},
            inputs=list(map(fingerprint_file, self.options.inputs())),
            parents=[],
            details={name: value for name, value in details.items() if value},
        )

    def _counts(self, side: SideName) -> dict[str, int]:
        is_source = side == "source"
        joined = self.join.source if is_source else self.join.target
        articles = self.pairing.source if is_source else self.pairing.target
        dropped = sum(n for reason, n in self.drops().items() if reason.startswith(f"{side}."))
        left = len(joined.article_ids) - self.pairing.num_pairs - dropped
        assert left == 0, f"{left} {side} articles are neither paired nor dropped"
        return {**joined.counts, "characters_in_pairs": articles.characters}

    def _reading(self, side: SideName) -> dict[str, int]:
        articles = self.pairing.source if side == "source" else self.pairing.target
        segments = [account for task, account in self.segments.items() if task.side == side]
        return {
            "pages": sum(each.pages for each in segments),
            "repeated": articles.repeated,
            "characters_cleaned": sum(each.wikitext_characters for each in segments),
        }

    def _damage(self) -> list[dict[str, Any]]:
        """Of the dump files, in bytes from their beginning."""
        return [
            {
                "file": task.segment.path.name,
                "streams_at": account.damaged_streams,
                "pages_at": account.damaged_pages,
            }
            for task, account in self.segments.items()
            if account.is_damaged
        ]

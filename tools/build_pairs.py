"""Make article pairs: two Wikipedia dumps and the links between them in, a pair file out."""

import argparse
import sys
import time
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.wikipedia.build import build_wikipedia_pairs
from megatron_crossic.data.wikipedia.options import WikipediaPairsOptions
from megatron_crossic.manifest import Manifest, manifest_path

SECONDS_BETWEEN_LINES = 10.0


class ProgressLines:
    """Progress on stderr: one line a stage that a terminal sees grow, seldom lines elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._is_open = False
        self._stage = ""
        self._started = self._shown = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._shown = stage, now, now
        wait = 0.2 if self._is_terminal else SECONDS_BETWEEN_LINES
        is_over = done >= total
        if now - self._shown < wait and not is_over:
            return
        self._shown = now
        self._is_open = self._is_terminal and not is_over
        seconds = now - self._started
        left = seconds * (total - done) / done if done else 0.0
        line = (
            f"{stage}: {done / max(total, 1):4.0%} of {total / 1e6:.1f} MB, "
            f"{seconds:.0f} s, {left:.0f} s left"
        )
        if self._is_terminal:
            line = f"\r{line}\x1b[K"
        sys.stderr.write(line + ("\n" if is_over or not self._is_terminal else ""))
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line that an error cut short, so that its message has its own."""
        if self._is_open:
            sys.stderr.write("\n")


def parse() -> argparse.Namespace:
    parser = ArgumentParser(description=__doc__)
    wikipedia = parser.add_subparsers(dest="kind", required=True).add_parser(
        "wikipedia",
        help="pairs from MediaWiki dumps",
        description="Dumps and SQL may be plain, .gz or .bz2. Every page is accounted for in "
        "OUTPUT.manifest.json. Each dump is read twice.",
    )
    add = wikipedia.add_argument
    add("--source-dump", type=Path, nargs="+", required=True, metavar="XML", help="all parts")
    add("--target-dump", type=Path, nargs="+", required=True, metavar="XML", help="all parts")
    add("--langlinks", type=Path, required=True, metavar="SQL", help="dump of that table")
    add("--langlinks-of", choices=("source", "target"), default="target", help="whose dump it is")
    add("--source-lang", default="en", metavar="CODE", help="ISO 639-1; default %(default)s")
    add("--target-lang", required=True, metavar="CODE", help="ISO 639-1")
    add("--output", type=Path, required=True, metavar="JSONL", help="pair file to write")
    add("--overwrite", action="store_true", help="replace an output that exists")
    add("--min-characters", type=int, default=1, metavar="N", help="drop shorter articles")
    add("--drop-headings", action="store_true", help="leave section headings out of the text")
    add("--licence", default="CC BY-SA 4.0", help="of the texts; default %(default)s")
    return parser.parse_args()


def report(manifest: Manifest, output: Path) -> str:
    """What was paired and what was dropped, for the screen."""
    counts = manifest.counts
    lines = [f"{counts['pairs']} pairs in {output}"]
    for side in ("source", "target"):
        kinds = ", ".join(f"{n} {kind}" for kind, n in counts[side].items() if n)
        lines.append(f"{side}: {kinds}")
        reasons = [
            f"{n} {reason.removeprefix(side + '.')}"
            for reason, n in manifest.drops.items()
            if reason.startswith(side + ".")
        ]
        lines.append(f"{side} articles dropped: {', '.join(reasons) or 'none'}")
    return "\n".join([*lines, f"account of every page: {manifest_path(output)}"])


def main() -> None:
    arguments = parse()
    options = WikipediaPairsOptions(
        source_dumps=tuple(arguments.source_dump),
        target_dumps=tuple(arguments.target_dump),
        langlinks=arguments.langlinks,
        source_language=arguments.source_lang,
        target_language=arguments.target_lang,
        langlinks_of=arguments.langlinks_of,
        min_characters=arguments.min_characters,
        keep_headings=not arguments.drop_headings,
        licence=arguments.licence,
    )
    progress = ProgressLines()
    try:
        manifest = build_wikipedia_pairs(
            options, output=arguments.output, overwrite=arguments.overwrite, progress=progress
        )
    finally:
        progress.end()
    print(report(manifest, arguments.output))


if __name__ == "__main__":
    run(main)

"""Join documents of two languages by a key that both have, a Wikidata id for example.

python tools/join_documents.py --source data/en/*.parquet --source-lang en \\
    --target data/th.jsonl.gz --target-lang th --key wikidata_id --output data/en-th.jsonl
"""

import argparse
from pathlib import Path

from megatron_crossic.commandline import ArgumentParser, ProgressLine, run
from megatron_crossic.data.inputs import expand_inputs
from megatron_crossic.data.key_join import KeyedFiles, KeyJoinOptions, join_by_key
from megatron_crossic.manifest import manifest_path


def parse() -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    files = "JSON lines (.gz, .bz2, .zst too) or Parquet; globs"
    add("--source", nargs="+", required=True, metavar="FILE", help=files)
    add("--target", nargs="+", required=True, metavar="FILE", help=files)
    add("--source-lang", required=True, metavar="CODE", help="ISO 639-1")
    add("--target-lang", required=True, metavar="CODE", help="ISO 639-1")
    add("--key", required=True, metavar="FIELD", help="field that is equal in both of a pair")
    add("--target-key", metavar="FIELD", help="where it has another name in the target's records")
    add("--text", default="text", metavar="FIELD", help="default %(default)s")
    add("--title", default="title", metavar="FIELD", help="default %(default)s")
    add("--id", default="", metavar="FIELD", help="names a document; default language and key")
    add("--output", type=Path, required=True, metavar="JSONL", help="pair file to write")
    add("--min-characters", type=int, default=1, metavar="N", help="drop shorter texts")
    add("--licence", default="", help="of the texts")
    add("--overwrite", action="store_true", help="replace an existing output")
    return parser.parse_args()


def side(arguments: argparse.Namespace, name: str, key: str) -> KeyedFiles:
    return KeyedFiles(
        files=expand_inputs(getattr(arguments, name)),
        language=getattr(arguments, f"{name}_lang"),
        key=key,
        text=arguments.text,
        title=arguments.title,
        id=arguments.id,
    )


def main() -> None:
    arguments = parse()
    options = KeyJoinOptions(
        source=side(arguments, "source", arguments.key),
        target=side(arguments, "target", arguments.target_key or arguments.key),
        output=arguments.output,
        min_characters=arguments.min_characters,
        licence=arguments.licence,
        overwrite=arguments.overwrite,
    )
    line = ProgressLine()

    def show(done: int, total: int) -> None:
        line(done, total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    try:
        manifest = join_by_key(options, on_progress=show)
    finally:
        line.end()
    print(f"{manifest.counts['pairs']:,} pairs in {options.output}")
    for reason, count in manifest.drops.items():
        print(f"  dropped: {reason} {count:,}")
    print(f"account of every record: {manifest_path(options.output)}")


if __name__ == "__main__":
    run(main)

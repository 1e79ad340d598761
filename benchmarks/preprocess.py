"""Measures preprocessing beside Megatron-LM's two tools on the same texts, as ratios.

The texts are those of pair files. Ours makes chunks and windows of them; Megatron-LM's tools get
the same paragraphs as one document a side. MB/s is always over the bytes of the pair file. Runs
alternate, so that a slow moment of the machine hits all, and medians are compared. Afterwards every
document's tokens are compared one by one: a difference ends the benchmark with exit code 3.

    python benchmarks/preprocess.py --pairs data/*.jsonl --tokenizer models/Qwen2.5-1.5B \\
        --megatron-v016 trees/core_v0.16 --megatron-main trees/main --json result.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from compared_tools import Inputs, Measurement, Tool, megatron_main, megatron_v016, our_tool
from equal_tokens import Comparison, compare_tokens
from preprocess_report import MAIN, OURS, V016, equality_to_json, figures, machine, table, versions
from repeated_pairs import RepeatedPairs, write_documents, write_repeated

from megatron_crossic.commandline import ArgumentParser, run
from megatron_crossic.data.packing import ASSEMBLIES
from megatron_crossic.errors import ConfigError, DataError


def main() -> None:
    """Measure, compare, print."""
    options = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="preprocess-") as name:
        inputs, written = make_inputs(options, Path(name))
        tools = tools_to_measure(options, inputs)
        measured = alternate(tools, repeats=options.repeats, repeats_v016=options.repeats_v016)
        equality = {
            name: compare_tokens(tools[OURS].output, tool.output, pairs=inputs.pairs)
            for name, tool in tools.items()
            if name != OURS
        }
        report = {
            "machine": machine(),
            "versions": versions({V016: options.megatron_v016, MAIN: options.megatron_main}),
            "input": input_sizes(inputs, written, scale=options.scale),
            "workers": options.workers,
            "seq_length": options.seq_length,
            "assembly": options.assembly,
            **figures(measured, num_bytes=written.num_bytes),
            "equality": {name: equality_to_json(found) for name, found in equality.items()},
        }
    print("\n".join(table(report)))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    refuse_differences(equality)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", type=Path, nargs="+", required=True, help="files of pair records")
    add("--tokenizer", type=Path, required=True, help="Hugging Face folder")
    add("--megatron-v016", type=Path, help="Megatron-LM tree of core_v0.16")
    add("--megatron-main", type=Path, help="Megatron-LM tree of the main branch")
    add("--megatron-python", type=Path, default=Path(sys.executable), help="runs their tools")
    add("--workers", type=int, default=2, help="processes or threads of every tool")
    add("--seq-length", type=int, default=4096, help="tokens of our windows")
    add("--assembly", choices=tuple(ASSEMBLIES), default="split_aware", help="window filling")
    add("--scale", type=int, default=1, help="times the input is repeated, with changes")
    add("--repeats", type=int, default=3, help="runs of every tool")
    add("--repeats-v016", type=int, help="runs of the slow one (default: as the others)")
    add("--folder", type=Path, help="where the temporary folder goes (default: the system's)")
    add("--json", type=Path, help="also write the report to this JSON file")
    options = parser.parse_args(arguments)
    for name in ("workers", "scale", "repeats", "repeats_v016"):
        value = getattr(options, name)
        if value is not None and value < 1:
            flag = name.replace("_", "-")
            raise ConfigError(f"--{flag} must be at least 1, got {value}. Use for example 2.")
    return options


def make_inputs(options: argparse.Namespace, folder: Path) -> tuple[Inputs, RepeatedPairs]:
    pairs, documents = folder / "pairs.jsonl", folder / "documents.jsonl"
    written = write_repeated(pairs, options.pairs, copies=options.scale)
    write_documents(documents, pairs)
    inputs = Inputs(
        pairs=pairs,
        documents=documents,
        num_documents=2 * written.num_pairs,
        tokenizer=options.tokenizer.absolute(),
        folder=folder,
        workers=options.workers,
        seq_length=options.seq_length,
        assembly=options.assembly,
    )
    return inputs, written


def tools_to_measure(options: argparse.Namespace, inputs: Inputs) -> dict[str, Tool]:
    """Ours, and those whose trees were given."""
    tools = {OURS: our_tool(inputs)}
    for name, tree, build in (
        (V016, options.megatron_v016, megatron_v016),
        (MAIN, options.megatron_main, megatron_main),
    ):
        if tree is None:
            flag = "--" + name.replace("_", "-")
            sys.stderr.write(f"{name} is left out: give its tree with {flag} DIR\n")
        else:
            tools[name] = build(tree.absolute(), options.megatron_python, inputs)
    return tools


def alternate(
    tools: dict[str, Tool], *, repeats: int, repeats_v016: int | None
) -> dict[str, list[Measurement]]:
    """Run the tools in turn, every other round backwards: none always follows the same one."""
    measured: dict[str, list[Measurement]] = {name: [] for name in tools}
    for number in range(repeats):
        names = [n for n in tools if n != V016 or number < (repeats_v016 or repeats)]
        for name in names if number % 2 == 0 else reversed(names):
            found = tools[name].measure()
            measured[name].append(found)
            sys.stderr.write(f"run {number + 1}/{repeats}  {name}  {found.wall_seconds:.2f} s\n")
    return measured


def input_sizes(inputs: Inputs, written: RepeatedPairs, *, scale: int) -> dict[str, int]:
    return {
        "pair_bytes": written.num_bytes,
        "document_bytes": inputs.documents.stat().st_size,
        "pairs": written.num_pairs,
        "documents": inputs.num_documents,
        "scale": scale,
    }


def refuse_differences(equality: Mapping[str, Comparison]) -> None:
    """Raise `DataError` for the first tool whose tokens are not ours."""
    for name, found in equality.items():
        if found.first_difference is not None:
            raise DataError(
                f"tokens must equal those of {name}, got: {found.first_difference}. "
                "It is a defect of one of the tools: find out which."
            )
        if not found.num_tokens:
            raise DataError(
                f"tokens of {name} must be compared, got none. Give pair files with text."
            )


if __name__ == "__main__":
    run(main)

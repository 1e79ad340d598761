"""Gather what the demo's manifests and metrics say into one page and one plot.

Everything is read from the artifacts, nothing is kept by the demo itself, so the report can be
made again at any time: python examples/tiny/report.py --output runs/tiny
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from mined import mined_artifacts, mined_sections
from tables import table
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from megatron_crossic.data.store import open_windows
from megatron_crossic.inspection.runs.curves import read_runs
from megatron_crossic.inspection.runs.page import write_plot

LANGUAGE_NAMES = {"en": "English", "es": "Spanish", "ja": "Japanese", "ar": "Arabic"}
NUM_PROMPT_TOKENS = 24
NUM_GENERATED_TOKENS = 24


def write_report(output: Path, *, languages: Sequence[str]) -> str:
    """Write `report.md` and `report.png` below `output`; return the text."""
    steps = read_lines(output / "run" / "metrics.jsonl")
    validations = read_lines(output / "run" / "validation.jsonl")
    write_plot(output / "report.png", read_runs([output / "run"]), x="step")
    sections = [
        "# Demo report",
        pairs_section(output, languages[1:]),
        *mined_sections(output, languages[1:]),
        windows_section(output, languages),
        losses_section(steps, validations, languages),
        parity_section(output),
        generation_section(output, languages),
        artifacts_section(output),
    ]
    text = "\n\n".join(sections) + "\n"
    (output / "report.md").write_text(text, encoding="utf-8")
    return text


def pairs_section(output: Path, languages: Iterable[str]) -> str:
    """Pairs built and articles dropped, by reason."""
    rows = []
    for language in languages:
        manifest = read_json(output / f"en-{language}.jsonl.manifest.json")
        counts = manifest["counts"]
        drops = ", ".join(f"{reason} {number}" for reason, number in manifest["drops"].items())
        articles = f"{counts['source']['articles']} / {counts['target']['articles']}"
        redirects = f"{counts['source']['redirects']} / {counts['target']['redirects']}"
        rows.append((f"en-{language}", counts["pairs"], articles, redirects, drops or "none"))
    header = ("pairs of", "pairs", "articles", "redirects", "articles dropped, by reason")
    return "## Pairs\n\n" + table(header, rows)


def windows_section(output: Path, languages: Iterable[str]) -> str:
    """Windows, tokens per language, fill rate."""
    rows = []
    for name in data_sets(output):
        manifest = read_json(output / f"{name}.manifest.json")
        counts, details = manifest["counts"], manifest["details"]
        rows.append(
            (
                name,
                counts["pairs_kept"],
                counts["chunks"],
                counts["windows"],
                *(f"{details['tokens_by_language'].get(lang, 0):,}" for lang in languages),
                f"{details['fill_rate']:.1%}",
                sum(counts["tokens_dropped"].values()),
            )
        )
    tokens = (f"tokens {language}" for language in languages)
    header = ("data set", "pairs", "chunks", "windows", *tokens, "fill rate", "tokens dropped")
    return "## Windows\n\n" + table(header, rows)


def data_sets(output: Path) -> list[str]:
    """Those that were made; that of held-out mined pairs is not used."""
    names = ("windows", "windows-mined", "windows-validation")
    return [name for name in names if (output / f"{name}.manifest.json").exists()]


def losses_section(
    steps: Sequence[dict[str, Any]],
    validations: Sequence[dict[str, Any]],
    languages: Iterable[str],
) -> str:
    """Held-out loss per language before and after training."""
    before, after = validations[0], validations[-1]
    rows = [
        (LANGUAGE_NAMES[lang], *(f"{v['loss_by_language'][lang]:.3f}" for v in (before, after)))
        for lang in languages
    ]
    rows.append(("all", f"{before['loss']:.3f}", f"{after['loss']:.3f}"))
    header = ("held-out loss", f"step {before['step']}", f"step {after['step']}")
    seconds = sum(step["seconds"] for step in steps)
    rate = sum(step["num_tokens"] for step in steps) / seconds
    note = f"{len(steps)} steps in {seconds:.0f} s, {rate:,.0f} tokens with loss per second."
    return "## Training\n\n" + table(header, rows) + f"\n\n{note}\n\n![losses](report.png)"


def parity_section(output: Path) -> str:
    """How far the exported model is from the trained one."""
    parity = read_json(output / "hf-trained.parity.json")
    rows = [
        ("tensors that differ", len(parity["different_tensors"])),
        ("largest logit difference", f"{parity['max_absolute']:.2g}"),
        ("same most likely token", f"{parity['top1_agreement']:.2%}"),
        ("loss in transformers", f"{parity['hf_loss']:.6f}"),
        ("loss in megatron-core", f"{parity['megatron_loss']:.6f}"),
    ]
    return "## Export: transformers against megatron-core\n\n" + table(("", ""), rows)


def generation_section(output: Path, languages: Iterable[str]) -> str:
    """A few greedy tokens after the beginning of a held-out article in each language."""
    transformers_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(output / "hf-trained")
    tokenizer = AutoTokenizer.from_pretrained(output / "hf-trained")
    rows = []
    for language in languages:
        ids = held_out_tokens(output, tokenizer, language)[:NUM_PROMPT_TOKENS]
        prompt = torch.tensor([ids])
        full = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=NUM_GENERATED_TOKENS,
            do_sample=False,
            repetition_penalty=1.3,
        )
        texts = (tokenizer.decode(part) for part in (ids, full[0, len(ids) :]))
        rows.append((LANGUAGE_NAMES[language], *(cell(text) for text in texts)))
    header = ("language", "beginning (held out)", "the model goes on")
    return "## Generated after training\n\n" + table(header, rows)


def held_out_tokens(output: Path, tokenizer: Any, language: str) -> list[int]:
    """The tokens with which the first held-out article in a language begins."""
    windows = open_windows(output / "windows-validation")
    index = windows.languages.index(language)
    for i in range(len(windows)):
        for span in windows.spans(i)[windows.spans(i)["language"] == index]:
            start, length = int(span["start"]), int(span["length"])
            ids = windows.tokens(i)[start : start + length].tolist()
            titles = windows.provenance(int(span["pair"]))["titles"]
            if tokenizer.decode(ids).startswith(tuple(f"{title}\n\n" for title in titles)):
                return ids
    raise ValueError(f"no held-out window begins an article in {language}")


def artifacts_section(output: Path) -> str:
    """Where everything lies."""
    rows = [
        ("pairs", "en-*.jsonl and their manifests"),
        *mined_artifacts(output),
        ("tokenizer", "tokenizer/"),
        ("data sets", ", ".join(f"{name}.*" for name in data_sets(output))),
        ("base model", "hf-base/ (Hugging Face), megatron-base/ (Megatron)"),
        ("run", "run/: checkpoints/, metrics.jsonl, validation.jsonl, tensorboard/, config.yaml"),
        ("trained model", "hf-trained/ (Hugging Face), hf-trained.parity.json"),
    ]
    return f"## Artifacts below `{output}`\n\n" + table(("what", "where"), rows)


def cell(text: str) -> str:
    """Text that cannot break out of a table cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Write the report of an output folder again and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/tiny"))
    print(write_report(parser.parse_args().output, languages=tuple(LANGUAGE_NAMES)))


if __name__ == "__main__":
    main()

"""The steps of the demo, in order; with retrieval those that mine more pairs are among them."""

from dataclasses import dataclass
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
TOOLS = EXAMPLE.parent.parent / "tools"
DUMPS = EXAMPLE / "dumps"
WEB = EXAMPLE / "web" / "en-web.jsonl"
CONFIG = EXAMPLE / "pretrain.yaml"

LANGUAGES = ("es", "ja", "ar")
NUM_STEPS = 300
STEP_OF_CHANGE = 150
"""Up to this step two ranks share every layer (tensor); from here on each has half the layers."""

MIN_MARGIN = 1.7
"""Read off the reports of mining: the right pages of all three languages have margins of 1.77 and
more, the best wrong candidate 1.61."""
WEIGHTS = (0.7, 0.3)
"""Shares of language links and of mined pairs in what is trained on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One command of the demo and the file that shows it has been done."""

    title: str
    command: list[str]
    output: Path
    num_processes: int = 1


def words(*parts: str | Path) -> list[str]:
    """A command line: texts are split at spaces, paths stay whole."""
    return [
        word for part in parts for word in ([str(part)] if isinstance(part, Path) else part.split())
    ]


def steps(output: Path, *, retrieval: bool) -> list[Step]:
    """The demo as a list; paths below `output`."""
    pairs = pair_files(output)
    mined = mined_files(output)
    tokenizer, windows = output / "tokenizer", output / "windows"
    blend = [windows, output / "windows-mined"] if retrieval else [windows]
    return [
        *(pair_with(language, output=path) for language, path in pairs.items()),
        *(mining_steps(pairs, mined) if retrieval else []),
        Step(
            title="train a tokenizer on all four languages",
            command=words(
                TOOLS / "train_tokenizer.py", "--vocab-size 4096 --type bpe",
                "--pairs", *pairs.values(), "--output", tokenizer,
            ),
            output=tokenizer / "tokenizer_config.json",
        ),
        interleave("the pairs", [*pairs.values()], tokenizer, windows),
        *(mined_window_steps([*mined.values()], tokenizer, blend[-1]) if retrieval else []),
        *base_steps(output, tokenizer),
        *training_steps(output, blend),
        Step(
            title="export it: Megatron -> Hugging Face, and compare the logits of both",
            command=words(
                TOOLS / "convert_checkpoint.py", "to-hf --check",
                "--checkpoint", output / "run" / "checkpoints", "--output", output / "hf-trained",
            ),
            output=output / "hf-trained.parity.json",
        ),
    ]  # fmt: skip


def pair_files(output: Path) -> dict[str, Path]:
    """Language -> pairs by language links."""
    return {language: output / f"en-{language}.jsonl" for language in LANGUAGES}


def mined_files(output: Path) -> dict[str, Path]:
    """Language -> pairs with pages of the web."""
    return {language: output / f"mined-{language}.jsonl" for language in LANGUAGES}


def pair_with(language: str, *, output: Path) -> Step:
    """Pair the English sample dump with that of another language."""
    return Step(
        title=f"pair English and {language} articles by their language links",
        command=words(
            TOOLS / "build_pairs.py", f"wikipedia --source-lang en --target-lang {language}",
            "--licence CC0-1.0 --min-characters 100",
            "--source-dump", DUMPS / "enwiki-pages-articles.xml",
            "--target-dump", DUMPS / f"{language}wiki-pages-articles.xml",
            "--langlinks", DUMPS / f"{language}wiki-langlinks.sql", "--output", output,
        ),
        output=manifest_of(output),
    )  # fmt: skip


def mining_steps(pairs: dict[str, Path], mined: dict[str, Path]) -> list[Step]:
    """Look for an English web page for each article; the encoder knows the words of all pairs."""
    return [
        Step(
            title=f"mine web pages on the same things as the {language} articles",
            command=words(
                TOOLS / "mine_pairs.py", "all --corpus", WEB, "--targets", pairs[language],
                "--fit-pairs", *pairs.values(), f"--min-score {MIN_MARGIN} --workers 1",
                "--output", output,
            ),
            output=manifest_of(output),
        )
        for language, output in mined.items()
    ]  # fmt: skip


def interleave(what: str, pairs: list[Path], tokenizer: Path, prefix: Path) -> Step:
    """Pairs to windows. The same articles are held out of both data sets."""
    return Step(
        title=f"interleave {what} in windows of 256 tokens",
        command=words(
            TOOLS / "preprocess_data.py", "--mode crossic --seq-length 256",
            "--assembly best_fit --validation-fraction 0.15", "--pairs", *pairs,
            "--tokenizer", tokenizer, "--output-prefix", prefix,
        ),
        output=prefix.with_name(f"{prefix.name}-validation.manifest.json"),
    )  # fmt: skip


def mined_window_steps(mined: list[Path], tokenizer: Path, prefix: Path) -> list[Step]:
    """A data set of the mined pairs, and a page to look at it."""
    page = prefix.with_name(f"{prefix.name}.html")
    return [
        interleave("the mined pairs", mined, tokenizer, prefix),
        Step(
            title="show the windows of the mined pairs as a page",
            command=words(TOOLS / "inspect_windows.py", prefix, "--html", page),
            output=page,
        ),
    ]


def base_steps(output: Path, tokenizer: Path) -> list[Step]:
    """The model that training starts from."""
    base, megatron = output / "hf-base", output / "megatron-base"
    return [
        Step(
            title="make a small random base model in Hugging Face format",
            command=words(EXAMPLE / "make_model.py", "--tokenizer", tokenizer, "--output", base),
            output=base / "tokenizer_config.json",
        ),
        Step(
            title="import it: Hugging Face -> Megatron",
            command=words(
                TOOLS / "convert_checkpoint.py", "from-hf --hf", base, "--output", megatron
            ),
            output=megatron / "latest",
        ),
    ]


def training_steps(output: Path, blend: list[Path]) -> list[Step]:
    """Two layouts one after the other; held-out loss is that of the language links."""
    checkpoints = output / "run" / "checkpoints"
    train = ",".join(f'"{prefix}"' for prefix in blend)
    pretrain = [
        *words(
            TOOLS / "pretrain.py", "--config", CONFIG, "--run_dir", output / "run",
            "--checkpoint.initial", output / "megatron-base",
        ),
        f"--data.train=[{train}]",
        f'--data.validation=["{blend[0]}-validation"]',
        *([f"--data.weights=[{','.join(map(str, WEIGHTS))}]"] if len(blend) > 1 else []),
    ]  # fmt: skip
    return [
        Step(
            title=f"train steps 1 to {STEP_OF_CHANGE} with tensor parallelism over two processes",
            command=[*pretrain, *words(f"--parallel.tensor 2 --stop_after_step {STEP_OF_CHANGE}")],
            output=checkpoints / f"step_{STEP_OF_CHANGE:07d}" / "checkpoint.json",
            num_processes=2,
        ),
        Step(
            title=f"resume to step {NUM_STEPS} with pipeline parallelism over two processes",
            command=[*pretrain, *words("--parallel.pipeline 2")],
            output=checkpoints / f"step_{NUM_STEPS:07d}" / "checkpoint.json",
            num_processes=2,
        ),
    ]


def manifest_of(path: Path) -> Path:
    """It is written last."""
    return path.with_name(path.name + ".manifest.json")

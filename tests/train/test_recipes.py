"""Every configuration in `examples/`: its arithmetic is right, and its run could start.

A data set and a checkpoint of a few bytes stand in for the real ones; they say that they are of the
model's vocabulary, window length and architecture, which is all that a dry run asks.
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from gpu_check_cases import LLAMA_8B, QWEN_1_5B
from tiny_runs import write_windows

from megatron_crossic.backend import select_backend
from megatron_crossic.checkpoint.folder import HF_FOLDER, CheckpointInfo, write_info
from megatron_crossic.config import CheckpointConfig, DataConfig, RunConfig
from megatron_crossic.model.architecture import architecture_from_hf
from megatron_crossic.train.describe import describe
from megatron_crossic.train.options import parse
from megatron_crossic.train.plan import make_plan

EXAMPLES = Path(__file__).parents[2] / "examples"
QWEN_7B = QWEN_1_5B | {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
MODELS = {"qwen2.5-1.5b": QWEN_1_5B, "qwen2.5-7b": QWEN_7B, "llama-3.1-8b": LLAMA_8B}
RANKS = {"1gpu": 1, "1node": 8, "8nodes": 64}
RECIPES = sorted(path for model in MODELS for path in (EXAMPLES / model).glob("*.yaml"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in RECIPES]


def opening(recipe: Path) -> str:
    """The comment before the first key, as one line without its commas between digits."""
    lines = recipe.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in lines)
    return re.sub(r"(?<=\d),(?=\d{3})", "", " ".join(line.lstrip("# ") for line in lines))


def read(recipe: Path) -> RunConfig:
    return parse(["--config", str(recipe)]).config


def ranks(recipe: Path) -> int:
    return RANKS[recipe.stem.partition("-")[2]]


def numbers(pattern: str, text: str) -> list[int]:
    found = re.search(pattern, text)
    assert found, f"{pattern} in {text}"
    return [int(group) for group in found.groups()]


def test_every_model_has_its_recipes() -> None:
    for model in MODELS:
        names = {path.stem for path in RECIPES if path.parent.name == model}
        wanted = {f"lora-{place}" for place in RANKS} | {"full-1node", "full-8nodes"}
        assert names - {"full-1gpu"} == wanted
        readme = (EXAMPLES / model / "README.md").read_text(encoding="utf-8")
        assert [name for name in names if f"{name}.yaml" not in readme] == []
    assert (EXAMPLES / "qwen2.5-1.5b" / "full-1gpu.yaml").is_file()


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_the_opening_counts_right(recipe: Path) -> None:
    values = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    told = opening(recipe)
    batch, steps = values["global_batch_size"], values["num_steps"]
    windows, seq_length, tokens = numbers(r"(\d+) windows \* (\d+) tokens = (\d+) tokens", told)
    assert (windows, windows * seq_length) == (batch, tokens)
    assert f"-{seq_length}" in values["data"]["train"][0]
    windows, passes, size, data_size = numbers(
        r"(\d+) windows = (\d+) microbatches \* (\d+) windows \* (\d+) data ranks", told
    )
    assert windows == batch == passes * size * data_size
    assert size == values["micro_batch_size"]
    assert data_size == ranks(recipe) // values.get("parallel", {}).get("tensor", 1)
    corpus, told_steps, windows, read_tokens = numbers(
        r"corpus of (\d+) tokens: (\d+) steps read (\d+) windows = (\d+) tokens", told
    )
    assert (told_steps, windows, read_tokens) == (steps, steps * batch, steps * tokens)
    assert corpus - tokens < read_tokens <= corpus
    assert f"N / {tokens}" in told
    assert values["schedule"]["warmup_steps"] == pytest.approx(steps / 50, abs=3)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_a_dry_run_accepts_it(recipe: Path, inputs: Path, tmp_path: Path) -> None:
    config = read(recipe)
    architecture = architecture_from_hf(MODELS[recipe.parent.name])
    (seq_length,) = numbers(r"windows \* (\d+) tokens", opening(recipe))
    initial = tmp_path / "step_0000000"
    shutil.copytree(inputs / "initial" / "step_0000000", initial)
    assert (initial / HF_FOLDER).is_dir()
    write_info(initial, CheckpointInfo(step=0, num_tokens=0, architecture=architecture))
    train = write_windows(
        tmp_path / "train",
        num_windows=2,
        seq_length=seq_length,
        vocab_size=architecture.vocab_size,
    )
    stand_in = replace(
        config,
        run_dir=tmp_path / "run",
        data=DataConfig(train=(train,)),
        checkpoint=CheckpointConfig(initial=initial),
    )
    backend = select_backend("cpu")
    plan = make_plan(stand_in, backend, world_size=ranks(recipe))
    told = describe(plan)
    assert f"= {config.global_batch_size * seq_length:,} tokens a step" in told
    assert f"= {ranks(recipe)} processes" in told
    assert f"{plan.num_microbatches} microbatches" in told
    assert f"{plan.num_microbatches} microbatches" in opening(recipe)


@pytest.mark.parametrize("model", MODELS)
def test_files_that_the_commands_name_exist(model: str) -> None:
    readme = (EXAMPLES / model / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:examples|tools)/[\w./-]+\.(?:yaml|py)", readme))
    assert len(named) >= 5
    assert [path for path in named if not (EXAMPLES.parent / path).is_file()] == []
    for recipe in (path for path in RECIPES if path.parent.name == model):
        values = yaml.safe_load(recipe.read_text(encoding="utf-8"))
        for path in (values["data"]["train"][0], values["checkpoint"]["initial"]):
            assert path in readme, "what a recipe reads must be what a command makes"

"""The whole chain on two nodes, from dumps to a model; and what is refused before it starts."""

import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from slurm_jobs import PROJECT, SITE, Slurm, text
from small_pairs import make_pair, write_byte_tokenizer, write_pairs
from tiny_hf import SIZES, randomize
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
from wikipedia_samples import (
    dump_xml,
    langlinks_sql,
    page_sql,
    page_xml,
    redirect_sql,
    write_packed,
)

SIMULATED = {
    "CROSSIC_CPUS_PER_JOB": "2",
    "CROSSIC_MEMORY_PER_CPU": "500M",
    "CROSSIC_GPUS_PER_NODE": "0",
    "CROSSIC_LAUNCH": "srun",
}
STEPS = 3
CONFIG = f"""
num_steps: {STEPS}
global_batch_size: 4
micro_batch_size: 2
validation_interval: {STEPS}
precision: {{compute: fp32}}
schedule: {{peak: 1.0e-3}}
"""
# Stands in for pyxis, which adds these options to srun: notes them and runs without them.
SRUN = """#!/bin/bash
own=() container=()
for word in "$@"; do
    case $word in
        --container-* | --no-container-*) container+=("$word") ;;
        *) own+=("$word") ;;
    esac
done
printf '%s\\n' "$SLURM_JOB_NAME ${container[*]}" >>"$CONTAINER_CALLS"
exec "$REAL_SRUN" "${own[@]}"
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Dumps with all tables, a model and a configuration, as options of pipeline.sh."""
    folder = tmp_path_factory.mktemp("in puts")
    numbers = range(1, 41)
    pages = [(i, 0, f"Page {i}", 0, None) for i in numbers]
    files = {
        "source-dump": dump_xml(
            [page_xml(i, f"Page {i}", f"Bees live in hive {i}. " * 9) for i in numbers]
        ),
        "target-dump": dump_xml(
            [page_xml(i, f"Hoja {i}", f"Hay abejas en la colmena {i}. " * 9) for i in numbers]
        ),
        "langlinks": langlinks_sql([(i, "en", f"Page {i}") for i in numbers]),
        "source-page": page_sql(pages),
        "source-redirect": redirect_sql([(99, 0, "Bee", None, None)]),
        "target-page": page_sql([(i, 0, f"Hoja {i}", 0, None) for i in numbers]),
        "target-redirect": redirect_sql([(99, 0, "Abeja", None, None)]),
    }
    paths = {name: write_packed(folder / name, content) for name, content in files.items()}
    model = write_byte_tokenizer(folder / "model")
    torch.manual_seed(0)
    made = Qwen2ForCausalLM(Qwen2Config(**SIZES, vocab_size=258, tie_word_embeddings=True))
    randomize(made)
    made.save_pretrained(model)
    config = folder / "run.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    others = {"hf": model, "config": config, "target-lang": "es", "seq-length": 64}
    fixed = {"validation-fraction": 0.2, "shards": 2, "nodes": 2, "time": 20}
    return {name: str(value) for name, value in {**paths, **others, **fixed}.items()}


def options(inputs: Mapping[str, str], *left_out: str) -> list[str]:
    return [
        word
        for name, value in inputs.items()
        if name not in left_out
        for word in (f"--{name}", value)
    ]


def pipeline(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call it where there is no Slurm."""
    return subprocess.run(
        ["bash", str(PROJECT / "slurm" / "pipeline.sh"), *arguments],
        env={"PATH": "/usr/bin:/bin", **SITE, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def submitted(slurm: Slurm, *arguments: str, **variables: str) -> tuple[str, dict[str, str]]:
    """Call it on the cluster: what it prints, and the number of each stage's job."""
    script = str(PROJECT / "slurm" / "pipeline.sh")
    shown = slurm.cluster.run(
        "bash", script, *arguments, variables={**SITE, **SIMULATED, **variables}
    )
    rows = re.findall(r"^(\w+) +(\d+) +([\d:-]+) +/", shown, re.M)
    return shown, {stage: job for stage, job, _ in rows}


def test_from_dumps_to_a_model_on_two_nodes(
    slurm: Slurm, inputs: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "the out put"
    calls = tmp_path / "calls"
    fake = tmp_path / "bin" / "srun"
    fake.parent.mkdir()
    fake.write_text(SRUN, encoding="utf-8")
    fake.chmod(0o755)
    real = slurm.cluster.run("which", "srun").strip()
    variables = {
        "CROSSIC_CONTAINER_IMAGE": "registry/image:1",
        "CROSSIC_CONTAINER_MOUNTS": f"/data:/data,{tmp_path.parent}:{tmp_path.parent}",
        "CONTAINER_CALLS": str(calls),
        "REAL_SRUN": real,
        "PATH": f"{fake.parent}:{slurm.cluster.env['PATH']}",
    }
    arguments = ["--output", str(output), *options(inputs)]
    shown, jobs = submitted(slurm, *arguments, **variables)
    stages = ["clean", "pairs", "windows", "merge", "import", "train", "export"]
    assert list(jobs) == stages
    assert f"scancel {' '.join(jobs.values())}" in shown
    assert f"squeue --jobs={','.join(jobs.values())}" in shown

    # Two chains must not write the same files.
    with pytest.raises(AssertionError, match="jobs of an earlier call must have ended, got"):
        submitted(slurm, *arguments, **variables)

    assert slurm.end_of(int(jobs["export"])) == "COMPLETED", logs(output)
    assert Path(f"{output}/logs/windows-{jobs['windows']}-1.log").exists()
    model = AutoModelForCausalLM.from_pretrained(output / "hf")
    assert model.config.vocab_size == 258
    assert len(AutoTokenizer.from_pretrained(output / "hf")) == 258
    original = AutoModelForCausalLM.from_pretrained(inputs["hf"])
    change = model.lm_head.weight - original.lm_head.weight
    assert 0 < change.abs().max() < 0.1
    metrics = (output / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(metrics) == STEPS
    for name in ("base", "hf"):
        parity = json.loads((output / f"{name}.parity.json").read_text())
        assert parity["different_tensors"] == []

    noted = calls.read_text().splitlines()
    assert {line.split()[0] for line in noted} == set(stages)
    wanted = (
        f"--container-image=registry/image:1 --container-mounts={PROJECT}:{PROJECT},"
        f"{variables['CROSSIC_CONTAINER_MOUNTS']} "
        f"--container-workdir={PROJECT} --no-container-mount-home "
        "--container-env=TORCH_NCCL_ASYNC_ERROR_HANDLING"
    )
    assert {line.split(" ", 1)[1] for line in noted} == {wanted}

    shown, jobs = submitted(slurm, *arguments, **variables)
    assert jobs == {}
    assert "everything is complete; nothing is submitted." in shown
    done = pipeline(*["--output", str(output), *options({**inputs, "seq-length": "32"})])
    assert done.returncode == 2
    assert (
        f"must be those {output} was made with, got seq-length: 64; seq-length: 32" in done.stderr
    )


def logs(output: Path) -> str:
    return "\n".join(f"{path.name}\n{text(path)}" for path in sorted((output / "logs").iterdir()))


def test_a_stage_that_fails_cancels_the_rest_and_the_next_call_goes_on_there(
    slurm: Slurm, inputs: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    (output / "base").mkdir(parents=True)
    (output / "base" / "latest").write_text("step_0000000", encoding="utf-8")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("no JSON\n", encoding="utf-8")
    kept = {name: inputs[name] for name in ("hf", "config", "seq-length", "validation-fraction")}
    arguments = [*options(kept), "--output", str(output), "--pairs", str(pairs), "--shards", "1"]
    _, jobs = submitted(slurm, *arguments)
    assert list(jobs) == ["windows", "train", "export"]
    assert slurm.end_of(jobs["export"]) == "CANCELLED"
    assert slurm.end_of(jobs["train"]) == "CANCELLED"
    assert slurm.end_of(jobs["windows"]) == "FAILED"
    assert slurm.field(jobs["windows"], "ExitCode") == "3:0"

    write_pairs(pairs, [make_pair(f"p{i}", "Text. " * 9, "Texto. " * 9) for i in range(40)])
    _, jobs = submitted(slurm, *arguments)
    assert list(jobs) == ["windows", "train", "export"]
    slurm.cluster.run("scancel", jobs["train"])
    assert slurm.end_of(jobs["windows"]) == "COMPLETED", logs(output)
    assert slurm.end_of(jobs["export"]) == "CANCELLED"
    shown = pipeline(*arguments, "--dry-run").stdout
    assert re.findall(r"^(\w+)=", shown, re.M) == ["train", "export"]


def test_a_dry_run_prints_a_script_and_submits_nothing(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "the out put"
    site = {"CROSSIC_PARTITION": "gpu", "CROSSIC_CPU_PARTITION": "cpu", "CROSSIC_ACCOUNT": "me"}
    extra = ["--", "--parallel.tensor", "2"]
    done = pipeline("--dry-run", "--output", str(output), *options(inputs), *extra, **site)
    assert (done.returncode, done.stderr) == (0, "")
    assert not output.exists()
    commands = [shlex.split(line) for line in done.stdout.splitlines()]
    assert commands[0] == ["mkdir", "-p", f"{output}/logs"]
    by_stage = {command[0].split("=")[0]: command for command in commands[1:]}
    waits = {
        stage: "".join(re.findall(r"afterok:(\S+)", " ".join(command)))
        for stage, command in by_stage.items()
    }
    assert waits == {
        "clean": "",
        "pairs": "$clean",
        "windows": "$pairs",
        "merge": "$windows",
        "import": "",
        "train": "$merge:$import",
        "export": "$train",
    }
    for stage, command in by_stage.items():
        assert "--account=me" in command
        assert f"--partition={'gpu' if stage == 'train' else 'cpu'}" in command
        assert ("--kill-on-invalid-dep=yes" in command) == bool(waits[stage])
        assert ("--array=0-1" in command) == (stage in ("clean", "windows"))
    train = by_stage["train"]
    assert train[train.index("--data.train") + 1] == f'["{output}/windows"]'
    assert train[-2:] == ["--parallel.tensor", "2)"]
    assert {"--nodes=2", "--gpus-per-node=8", "--time=20"} < set(train)


def test_each_job_is_known_by_number_and_comment_as_soon_as_it_is_queued(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    """A call that is ended half-way leaves no job behind that the next one does not see."""
    output, folder = tmp_path / "the out put", tmp_path / "bin"
    folder.mkdir()
    queue = tmp_path / "queue"
    programs = {
        "sbatch": f'printf "%s\\n" "$@" >>{tmp_path}/words; env >>{tmp_path}/environment\n'
        f'echo "1$(wc -l <{tmp_path}/ended)"; echo >>{tmp_path}/ended\n'
        f'[ "$(wc -l <{tmp_path}/ended)" -lt 3 ]',
        "scancel": "exit 1",
        "squeue": f'case "$*" in *--me*) cat {queue} ;; *) exit 1 ;; esac',
    }
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    (tmp_path / "ended").touch()
    queue.touch()
    variables = {"PATH": f"{folder}:/usr/bin:/bin", "SLURM_NTASKS": "4", "SLURM_CONF": "/conf"}
    arguments = ["--output", str(output), *options(inputs)]
    ended = pipeline(*arguments, **variables)
    assert ended.returncode == 2
    assert text(output / "pipeline.jobs").split() == ["10", "11"]
    assert (output / "pipeline.options").exists()
    words = text(tmp_path / "words").splitlines()
    assert words.count("--export=ALL") == 3
    assert words.count(f"--comment=output={output}") == 3
    environment = text(tmp_path / "environment")
    assert "SLURM_CONF=/conf" in environment
    assert "SLURM_NTASKS" not in environment

    waiting = f"12|output={output}\n13|(null)\n14|run_dir={output}/run\n"
    queue.write_text(waiting, encoding="utf-8")
    again = pipeline(*arguments, **variables)
    assert again.returncode == 2
    assert "jobs of an earlier call must have ended, got 12 14 in the queue" in again.stderr


def test_a_model_that_was_not_compared_is_imported_again(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "out" / "base").mkdir(parents=True)
    (tmp_path / "out" / "base" / "latest").touch()
    arguments = ["--dry-run", "--output", str(tmp_path / "out"), *options(inputs)]
    assert "import=" not in pipeline(*arguments).stdout
    (tmp_path / "out" / "base.unchecked").touch()
    assert "import=" in pipeline(*arguments).stdout


def test_ready_windows_need_neither_tokenizer_nor_length(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    for name in ("a", "a-validation", "b"):
        (tmp_path / f"{name}.manifest.json").touch()
    places = [str(tmp_path / "a"), str(tmp_path / "b")]
    kept = {name: inputs[name] for name in ("hf", "config")}
    done = pipeline(
        "--dry-run", "--output", str(tmp_path / "out"), *options(kept), "--windows", *places
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+)=", done.stdout, re.M) == ["import", "train", "export"]
    assert f"""--data.train '["{places[0]}", "{places[1]}"]'""" in done.stdout
    assert f"""--data.validation '["{places[0]}-validation"]'""" in done.stdout


def test_all_that_is_missing_is_named_at_once(inputs: dict[str, str], tmp_path: Path) -> None:
    wrong = {**inputs, "target-dump": "no where", "source-page": "not/here", "hf": str(tmp_path)}
    output = tmp_path / "out"
    done = pipeline("--output", str(output), *options(wrong, "langlinks", "seq-length", "config"))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --target-dump must be a path that exists, got no where.",
        "error: --langlinks must be given, got none.",
        "error: --source-page must be a path that exists, got not/here.",
        "error: --seq-length must be a whole number above 0, got ''.",
        f"error: --hf must be a path that exists, got {tmp_path}/config.json.",
        "error: --config must be given, got none.",
        "error: nothing is submitted. See slurm/pipeline.sh --help.",
    ]
    assert not output.exists()


def test_what_a_container_does_not_see_is_named(inputs: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(inputs["hf"])
    arguments = ["--output", str(tmp_path / "out"), *options(inputs), "--hf", f"{tmp_path}/model"]
    container = {"CROSSIC_CONTAINER_IMAGE": "registry/image:1"}
    mounts = f"{tmp_path}:{tmp_path},{tmp_path.parent}:/elsewhere"
    linked = pipeline("--dry-run", *arguments, **container, CROSSIC_CONTAINER_MOUNTS=mounts)
    told = linked.stderr.splitlines()[:-1]
    assert all("CROSSIC_CONTAINER_MOUNTS mounts under its own name, got /" in one for one in told)
    assert {one.split()[1] for one in told} > {"--source-dump", "--langlinks", "--config"}
    assert "--output" not in linked.stderr
    assert "--hf" not in linked.stderr, "its link leads to what is mounted, if by another name"
    mounts = f"{tmp_path}:{tmp_path}"
    linked = pipeline("--dry-run", *arguments, **container, CROSSIC_CONTAINER_MOUNTS=mounts)
    assert "error: --hf must lie in the project's folder or in" in linked.stderr
    mounts = f"{tmp_path.parent}:{tmp_path.parent}:ro"
    assert pipeline("--dry-run", *arguments, **container, CROSSIC_CONTAINER_MOUNTS=mounts).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--shards 2", "--output must be given, got none."),
        ("--output x --shards 0", "--shards must be a whole number above 0, got 0."),
        ("--output x --nodes a[0]", "--nodes must be a whole number above 0, got a[0]."),
        ("--output x --tensor 2", "options must be those of --help, got --tensor."),
        ("--output x --hf --config y", "--hf must have a value, got none."),
        ("--output x --pairs", "--pairs must have a value, got none."),
        ("--output x", "one of dumps, --pairs and --windows must be given, got 0."),
    ],
)
def test_wrong_options_are_refused(arguments: str, message: str) -> None:
    done = pipeline(*arguments.split())
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")


def test_help_names_every_option() -> None:
    shown = pipeline("--help").stdout
    source = (PROJECT / "slurm" / "pipeline.sh").read_text(encoding="utf-8")
    parsed = source.split("parse() {")[1].split("\n}")[0]
    known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r'fail ".*', "", parsed)))
    assert len(known) > 20
    assert known <= set(re.findall(r"--[a-z][a-z-]+", shown))

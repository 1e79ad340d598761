"""Killed, interrupted, out of room: a clear error, nothing that opens, and a way to go on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.data.store import open_windows
from megatron_crossic.errors import DataError

PROJECT = Path(__file__).parents[2]
SUFFIXES = (".bin", ".idx", ".spans", ".pairs.jsonl", ".manifest.json")
WAIT = 60
TRIES = 5


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of 11 MB: three segments of 4 MiB, the last one shorter."""
    folder = tmp_path_factory.mktemp("inputs")
    text = "Some words of a sentence. " * 40
    pairs = [make_pair(f"pair {i}", f"{i} {text}", f"{i} {text}") for i in range(5000)]
    write_pairs(folder / "pairs.jsonl", pairs)
    write_byte_tokenizer(folder / "tokenizer")
    return folder


def command(inputs: Path, prefix: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "tools/preprocess_data.py"),
        *("--pairs", str(inputs / "pairs.jsonl"), "--tokenizer", str(inputs / "tokenizer")),
        *("--seq-length", "1024", "--segment-mib", "4", "--workers", "2"),
        *("--output-prefix", str(prefix), *options),
    ]


def run(inputs: Path, prefix: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(inputs, prefix, *options), cwd=PROJECT, capture_output=True, text=True, check=False
    )


def start(inputs: Path, prefix: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(inputs, prefix, *options),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < end, "what was waited for never came"
        time.sleep(0.002)


def kill_after(segments: int, inputs: Path, prefix: Path) -> list[psutil.Process]:
    """Kill a run that has so many segments done and is not through; return its workers."""
    for _ in range(TRIES):
        process = start(inputs, prefix)
        wait_until(lambda p=process: p.poll() is not None or bool(children(p)))
        workers = children(process)
        wait_until(lambda p=process: p.poll() is not None or segments_done(prefix) >= segments)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == -signal.SIGKILL and segments_done(prefix) >= segments:
            return workers
        # On a busy machine it may be through before this process sees its last segments.
        for path in prefix.parent.glob(f"{prefix.name}.*"):
            path.unlink(missing_ok=True)
    pytest.fail(f"{TRIES} runs were through before they could be killed")


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


def segments_done(prefix: Path) -> int:
    journal = Path(f"{prefix}.progress.jsonl")
    try:
        return journal.read_bytes().count(b'"segment"')
    except FileNotFoundError:
        return 0


def content(prefix: Path) -> dict[str, bytes]:
    """The files of a data set; the manifest without the paths of this run."""
    found = {suffix: Path(f"{prefix}{suffix}").read_bytes() for suffix in SUFFIXES}
    manifest = json.loads(found[".manifest.json"])
    del manifest["options"]["output_prefix"]
    for file in manifest["files"].values():
        file["name"] = file["name"].removeprefix(prefix.name)
    found[".manifest.json"] = json.dumps(manifest).encode()
    return found


@pytest.fixture(scope="module")
def expected(inputs: Path) -> dict[str, bytes]:
    """What a run makes that nobody disturbs."""
    done = run(inputs, inputs / "whole")
    assert (done.returncode, done.stderr) == (0, "")
    return content(inputs / "whole")


def nothing_opens(prefix: Path) -> bool:
    with pytest.raises(DataError, match="windows manifest must exist"):
        open_windows(prefix)
    return True


@pytest.mark.parametrize("segments", [0, 1, 2])
def test_a_killed_run_goes_on(
    inputs: Path, tmp_path: Path, expected: dict[str, bytes], segments: int
) -> None:
    prefix = tmp_path / "x"
    workers = kill_after(segments, inputs, prefix)
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert nothing_opens(prefix)
    done = run(inputs, prefix)
    assert (done.returncode, done.stderr) == (0, "")
    assert content(prefix) == expected
    assert not list(tmp_path.glob("*.partial"))
    assert not list(tmp_path.glob("*.progress.jsonl"))


def test_a_second_run_repeats_nothing(
    inputs: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """Its journal and files only grow, whatever its workers, even after a line that was cut off."""
    prefix = tmp_path / "x"
    kill_after(1, inputs, prefix)
    journal = tmp_path / "x.progress.jsonl"
    before = journal.read_bytes()
    torn = b'{"segment": 9, "data_'
    journal.write_bytes(before + torn)
    # A second name for each file: it shows what became of it after the run took the first away.
    os.link(journal, tmp_path / "journal")
    os.link(tmp_path / "x.bin.partial", tmp_path / "bin")
    done = run(inputs, prefix, "--workers", "3")
    assert (done.returncode, done.stderr) == (0, "")
    after = (tmp_path / "journal").read_bytes()
    assert after.startswith(before + torn)
    lines = after.replace(torn, b"").splitlines()
    found = [json.loads(line)["segment"] for line in lines if b'"segment"' in line]
    assert found == [0, 1, 2]
    assert (tmp_path / "bin").samefile(tmp_path / "x.bin")
    assert content(prefix) == expected


@pytest.mark.parametrize("damage", ["shorter", "changed"])
def test_damaged_partial_files_are_made_anew(
    inputs: Path, tmp_path: Path, expected: dict[str, bytes], damage: str
) -> None:
    prefix = tmp_path / "x"
    kill_after(1, inputs, prefix)
    partial = tmp_path / "x.bin.partial"
    found = bytearray(partial.read_bytes())
    found[10] ^= 1
    partial.write_bytes(found[:1000] if damage == "shorter" else found)
    done = run(inputs, prefix)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "are not what their journal says; starting anew" in done.stderr
    assert content(prefix) == expected


def test_other_options_start_anew(inputs: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "x"
    kill_after(1, inputs, prefix)
    assert run(inputs, prefix, "--mode", "reversed").returncode == 0
    assert run(inputs, tmp_path / "fresh", "--mode", "reversed").returncode == 0
    assert content(prefix) == content(tmp_path / "fresh")


def test_a_killed_worker_is_an_error_and_a_way_to_go_on(
    inputs: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    prefix = tmp_path / "x"
    process = start(inputs, prefix)
    wait_until(lambda: segments_done(prefix) >= 1)
    psutil.Process(process.pid).children()[0].send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 3
    *progress, last = errors.splitlines()  # a slow machine says how far it was before
    assert all(line.endswith(" s to go") for line in progress)
    assert last.startswith("error: worker processes must live until their work is done")
    assert "memory ran out: use fewer --workers" in errors
    assert nothing_opens(prefix)
    assert segments_done(prefix) >= 1
    assert run(inputs, prefix).returncode == 0
    assert content(prefix) == expected


def test_an_interruption_is_quiet(inputs: Path, tmp_path: Path, expected: dict[str, bytes]) -> None:
    prefix = tmp_path / "x"
    process = start(inputs, prefix)
    wait_until(lambda: segments_done(prefix) >= 1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=WAIT)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert nothing_opens(prefix)
    assert run(inputs, prefix).returncode == 0
    assert content(prefix) == expected


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=14m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a full disk is tested where this user may mount a small tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_in_a_later_segment(
    inputs: Path, small_disk: Path, expected: dict[str, bytes]
) -> None:
    prefix = small_disk / "x"
    done = run(inputs, prefix)
    assert done.returncode == 3
    assert done.stderr.startswith("error: output must be writable, got ")
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1
    assert nothing_opens(prefix)
    assert segments_done(prefix) == 1
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert run(inputs, prefix).returncode == 0
    assert content(prefix) == expected


@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_number_of_workers_changes_nothing(
    inputs: Path, tmp_path: Path, expected: dict[str, bytes], workers: str
) -> None:
    assert run(inputs, tmp_path / "x", "--workers", workers).returncode == 0
    assert content(tmp_path / "x") == expected


def test_the_reference_encoder_makes_the_same(
    inputs: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    assert run(inputs, tmp_path / "x", "--encoder", "tokenizers").returncode == 0
    found = content(tmp_path / "x")
    manifests = [json.loads(each.pop(".manifest.json")) for each in (found, dict(expected))]
    assert found == {name: value for name, value in expected.items() if name in found}
    encoders = [manifest["details"].pop("tokenized_by")["encoder"] for manifest in manifests]
    assert encoders[0].startswith("tokenizers")
    assert manifests[0] == manifests[1]

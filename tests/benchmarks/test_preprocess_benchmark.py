"""What the benchmark of preprocessing reads from its tools and says about them."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from compared_tools import (
    OUR_TOOL,
    PROJECT,
    Inputs,
    Measurement,
    Tool,
    last_words,
    our_tool,
    seconds_of_main,
    seconds_of_v016,
    times_of_file,
)
from equal_tokens import Comparison
from preprocess import OURS, V016, alternate, parse, refuse_differences
from preprocess_memory import MIB, Peak, refuse_above, sample, watch
from preprocess_report import figures, stage_shares, table, tree_version
from small_pairs import make_pair, write_byte_tokenizer, write_pairs

from megatron_crossic.errors import ConfigError, DataError

EQUAL = Comparison(
    num_documents=2, num_tokens=9, num_left_out=0, num_reordered=0, first_difference=None
)


def measurement(wall: float, inner: float | None, **stages: float) -> Measurement:
    return Measurement(wall_seconds=wall, cpu_seconds=2 * wall, inner_seconds=inner, stages=stages)


def python_tool(code: str, output: Path) -> Tool:
    """A tool that runs a line of Python."""
    return Tool(
        command=(sys.executable, "-c", code),
        environment={},
        output=output,
        read_times=lambda printed: (seconds_of_main(printed), {}),
    )


def test_ratios_are_of_medians_and_above_one_where_ours_is_faster() -> None:
    measured = {
        OURS: [measurement(1, 0.5, read=1, tokenize=3), measurement(9, 8), measurement(2, 1)],
        V016: [measurement(40, None), measurement(20, 3)],
    }
    found = figures(measured, num_bytes=10_000_000)
    assert found["tools"][OURS]["wall_seconds"] == {"median": 2, "min": 1, "max": 9}
    assert found["tools"][OURS]["mb_per_second_wall"] == 5
    assert found["tools"][OURS]["mb_per_second_inner"] == 10
    assert "inner_seconds" not in found["tools"][V016]
    assert found["ratios"] == {V016: {"wall": 15, "cpu": 15}}
    assert found["stage_shares"] == {"read": 0.25, "tokenize": 0.75}
    assert stage_shares([{}, {}]) == {}


def test_the_table_has_a_row_a_tool_and_says_what_was_compared() -> None:
    report = {
        "machine": {"cores": 2, "cpu": "CPU"},
        "input": {"pair_bytes": 2_000_000, "document_bytes": 1_000_000, "pairs": 3},
        "workers": 2,
        **figures({OURS: [measurement(2, None)], V016: [measurement(3, 1)]}, num_bytes=2_000_000),
        "equality": {
            V016: {"documents": 6, "tokens": 1234, "left_out": 0, "first_difference": None}
        },
    }
    lines = list(table(report))
    assert lines[0] == "3 pairs, 2.0 MB (documents file 1.0 MB), 2 workers, 2 cores of CPU"
    assert lines[2].split() == [OURS, "1", "1.00", "-", "2.00", "-", "4.00"]
    assert lines[3].split() == [V016, "1", "0.67", "2.00", "3.00", "1.00", "6.00"]
    assert lines[4] == f"ours is faster than {V016}: 1.50 x by wall, 1.50 x by cpu"
    assert lines[-1].startswith(f"tokens equal to {V016}: all (6 documents, 1,234 tokens")


def test_differences_end_the_benchmark() -> None:
    refuse_differences({V016: EQUAL})
    other = Comparison(
        num_documents=1,
        num_tokens=9,
        num_left_out=0,
        num_reordered=0,
        first_difference="document 0",
    )
    with pytest.raises(DataError, match="tokens must equal those of megatron_v016, got: document"):
        refuse_differences({V016: other})
    nothing = Comparison(
        num_documents=0, num_tokens=0, num_left_out=4, num_reordered=0, first_difference=None
    )
    with pytest.raises(DataError, match="must be compared, got none"):
        refuse_differences({V016: nothing})


def test_times_are_read_from_what_tools_print() -> None:
    printed = "Time to startup: 9\nProcessed 4 documents (1.0 docs/s, 1 MB/s).\n"
    assert seconds_of_v016(printed + "Processed 8 documents (16.0 docs/s, 1 MB/s).") == 0.5
    assert seconds_of_main("x\nfinished. Elapsed time: 3.81 seconds") == 3.81
    assert (seconds_of_v016("nothing"), seconds_of_main("nothing")) == (None, None)


def test_times_are_read_from_the_file_of_our_tool(tmp_path: Path) -> None:
    path = tmp_path / "timings.json"
    assert times_of_file(path) == (None, {})
    path.write_text(json.dumps({"total": 2, "stages": {"read": 1.5}, "workers": 2}))
    assert times_of_file(path) == (2.0, {"read": 1.5})


def test_tools_run_in_turn_and_back(tmp_path: Path) -> None:
    order = tmp_path / "order"
    tools = {
        name: python_tool(
            f"open({str(order)!r}, 'a').write('{name} ');"
            f"open({str(tmp_path / name) + '.idx'!r}, 'w');"
            "print('Elapsed time: 1.25 seconds')",
            tmp_path / name,
        )
        for name in (OURS, V016, "third")
    }
    measured = alternate(tools, repeats=3, repeats_v016=1)
    assert order.read_text().split() == [OURS, V016, "third", "third", OURS, OURS, "third"]
    assert [len(runs) for runs in measured.values()] == [3, 1, 3]
    assert all(run.inner_seconds == 1.25 for runs in measured.values() for run in runs)


@pytest.mark.parametrize("code", ["print('what happened'); exit(4)", "print('what happened')"])
def test_a_tool_that_fails_or_writes_nothing_is_told(tmp_path: Path, code: str) -> None:
    (tmp_path / "x.idx").write_text("of an earlier run")
    with pytest.raises(DataError, match="must end well and write x.idx, got .*: what happened"):
        python_tool(code, tmp_path / "x").measure()


def test_our_tool_is_called_with_options_it_has(tmp_path: Path) -> None:
    pairs = [make_pair(f"{i}", "Text. " * 9, "Texto. " * 9) for i in range(5)]
    inputs = Inputs(
        pairs=write_pairs(tmp_path / "pairs.jsonl", pairs),
        documents=tmp_path / "none",
        num_documents=10,
        tokenizer=write_byte_tokenizer(tmp_path / "tokenizer"),
        folder=tmp_path,
        workers=1,
        seq_length=256,
        assembly="split_aware",
    )
    found = our_tool(inputs).measure()
    assert found.cpu_seconds > 0
    assert found.wall_seconds > 0
    assert (found.inner_seconds is None) == (found.stages == {})
    assert (tmp_path / "ours.bin").stat().st_size > 0


def test_last_words_are_one_line() -> None:
    assert last_words("a\n b\nc\nd\n") == "b / c / d"
    assert last_words("\n") == "nothing said"


def test_the_version_of_a_tree_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tree must hold megatron/core/package_info.py, got"):
        tree_version(tmp_path)
    path = tmp_path / "megatron" / "core" / "package_info.py"
    path.parent.mkdir(parents=True)
    path.write_text("MAJOR = 0\nMINOR = 16\nPATCH = 1\nPRE_RELEASE = ''\n")
    assert tree_version(tmp_path) == "0.16.1"


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="--repeats-v016 must be at least 1, got 0"):
        parse(["--pairs", "p", "--tokenizer", "t", "--repeats-v016", "0"])


def test_peaks_only_grow() -> None:
    peak = Peak().with_sample(rss=5, pss=4).with_sample(rss=3, pss=9)
    assert (peak.rss, peak.pss, peak.samples) == (5, 9, 2)


def test_a_process_and_what_it_started_are_sampled() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        names, peaks = {process.pid: "main process"}, dict[str, Peak]()
        # A process just forked has no memory of its own yet.
        while len(peaks) < 2 or min(peak.rss for peak in peaks.values()) < MIB:
            sample(psutil.Process(process.pid), names, peaks)
        process.communicate(b"\n")
    assert set(peaks) == {"main process", "process 1"}
    assert all(MIB < peak.rss < 200 * MIB for peak in peaks.values())


def test_a_watched_tool_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must end well, got exit code 3: out of luck"):
        watch(python_tool("print('out of luck'); exit(3)", tmp_path / "x"), interval=0.01)


def test_memory_above_the_limit_is_refused() -> None:
    peaks = {"main process": Peak(rss=5 * MIB), "process 1": Peak(rss=9 * MIB)}
    refuse_above(peaks, limit=9 * MIB)
    with pytest.raises(DataError, match="within 8 MiB, got 9 MiB for the process 1"):
        refuse_above(peaks, limit=8 * MIB)
    with pytest.raises(DataError, match="got no sample"):
        refuse_above({}, limit=1)


def test_scripts_start_from_any_folder() -> None:
    for script in ("preprocess", "preprocess_memory"):
        command = [sys.executable, str(PROJECT / "benchmarks" / f"{script}.py"), "--help"]
        done = subprocess.run(command, cwd=OUR_TOOL.parent, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert {"--pairs", "--tokenizer"} <= set(done.stdout.split())

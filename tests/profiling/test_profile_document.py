"""`profile.json`, its table and its picture."""

from pathlib import Path

import pytest
from small_profiles import failed, point

from megatron_crossic.errors import DataError
from megatron_crossic.profiling.document import PROFILE_FILE, read_profile, write_profile
from megatron_crossic.profiling.environment import describe_environment
from megatron_crossic.profiling.picture import short_names, to_png
from megatron_crossic.profiling.table import to_markdown


def test_what_is_written_is_read(tmp_path: Path) -> None:
    points = [point("a"), failed("b")]
    path = write_profile(tmp_path, points)
    assert read_profile(path) == read_profile(tmp_path) == points


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be JSON, got"),
        ("[]", "must be one of throughput"),
        ('{"kind": "windows"}', "must be one of throughput"),
        ('{"kind": "throughput", "schema_version": 9}', "schema version 1, got 9 in"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / PROFILE_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_profile(tmp_path)
    with pytest.raises(DataError, match="must be readable"):
        read_profile(tmp_path / "none")


def test_the_table_shows_figures_shares_and_reasons() -> None:
    points = [point("a", [1.0, 2.0, 3.0], devices=2, peak=1e6), failed("b|c", reason="too\nlarge")]
    text = to_markdown(points)
    assert "3 steps after 1 of warm-up" in text
    # 800 tokens in 2 s on 2 devices, 10 and 20 FLOPs a token, a peak of 1e6 FLOP/s.
    figures = "| a | 2 | 2,000.0 | 1,500.0 to 2,500.0 | 1,000.0 to 3,000.0 | 400 | 200 | 2e-09 |"
    assert figures + " 4e-09 | 0.2 | 1.00 | – |" in text
    assert "| a | 0.0 | 25.0 | 50.0 |" in text
    assert "| 25.0 | 0.0 | 75.0 | – | – |" in text
    assert "| b/c | refused | too large |" in text


def test_the_head_is_of_every_point() -> None:
    alike = to_markdown([point("a"), point("b")])
    assert alike.count("backend; PyTorch") == 1
    text = to_markdown(
        [point("a"), point("b", compute="fp8"), point("c"), point("d", scope="pair")]
    )
    assert "- a, c: x86_64 CPU, cpu backend" in text
    assert "- b: x86_64 CPU" in text
    (line,) = (line for line in text.splitlines() if line.startswith("- d: "))
    assert line.endswith("Attention within a pair: TFLOP/s count it over the whole window, more "
                         "than is computed, so there is no MFU.")  # fmt: skip


def test_a_picture_needs_figures() -> None:
    assert to_png([failed("a")]) is None
    picture = to_png([point("a"), point("b" * 200, [1.0, 3.0])])
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_points_of_a_sweep_are_named_by_what_differs() -> None:
    points = [
        point(f"parallel.tensor={size} seed=1")
        | {"settings": {"parallel.tensor": size, "seed": "1"}}
        for size in ("1", "2")
    ]
    assert short_names(points) == ["tensor=1", "tensor=2"]
    assert short_names([point("a"), point("b")]) == ["a", "b"]


def test_versions_are_told() -> None:
    environment = describe_environment()
    assert environment["versions"]["torch"]
    assert "transformer-engine" in environment["versions"]

"""Strong and weak scaling by hand, and what does not compare."""

import json
from pathlib import Path
from typing import Any

import pytest
from small_profiles import failed, point

from megatron_crossic.errors import ConfigError, DataError
from megatron_crossic.profiling.document import write_profile
from megatron_crossic.profiling.scaling import group_points
from megatron_crossic.profiling.scaling_report import report_scaling

ONE = point("one", [8.0, 8.0], devices=1, batch=8)


def test_groups_by_hand() -> None:
    # Strong: 8 windows on 2 devices in 5 s instead of 4. Weak: 16 on 2 devices in 10 s.
    strong = point("two", [5.0, 5.0], devices=2, batch=8)
    slower = point("two, slower", [6.0, 6.0], devices=2, batch=8)
    weak = point("two, more", [10.0, 10.0], devices=2, batch=16)
    groups = group_points([("a", [ONE, failed("x")]), ("b", [slower, strong, weak])])
    assert [(group.kind, group.batch) for group in groups] == [("strong", 8), ("weak", 8)]
    first, second = groups[0].places
    assert (first.speedup, first.efficiency, first.num_passed_over) == (1, 1, 0)
    assert (second.name, second.num_devices, second.num_passed_over) == ("two", 2, 1)
    assert second.speedup == pytest.approx(1.6)
    assert second.efficiency == pytest.approx(0.8)
    assert groups[1].places[1].speedup == pytest.approx(1.6)
    assert groups[1].places[1].efficiency == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"num_layers": 3}, "the same model, got another one in b (other)"),
        ({"seq_length": 200}, "the same sequence length, got 200 instead of 100 in b (other)"),
        ({"scope": "pair"}, "the same attention scope, got pair instead of window in b (other)"),
        ({"compute": "fp8"}, "the same precision, got fp8, tensorwise instead of bf16, tensorwise"),
        ({"devices": 1}, "two numbers of devices .* got 2 points with [1] devices"),
    ],
)
def test_what_does_not_compare_is_refused_by_name(other: dict[str, Any], message: str) -> None:
    second = point("other", **{"devices": 2, **other})
    pattern = message.replace("(", r"\(").replace(")", r"\)").replace("[1]", r"\[1\]")
    with pytest.raises(DataError, match=pattern):
        group_points([("a", [ONE]), ("b", [second])])


def test_other_devices_do_not_compare() -> None:
    second = point("other", devices=2)
    second["environment"]["device"] = "NVIDIA H100"
    with pytest.raises(DataError, match="same device, got NVIDIA H100 instead of x86_64 CPU in b"):
        group_points([("a", [ONE]), ("b", [second])])


def test_the_report_is_three_files(tmp_path: Path) -> None:
    folders = [tmp_path / "1", tmp_path / "2"]
    write_profile(folders[0], [ONE])
    write_profile(folders[1], [point("two", [5.0, 5.0], devices=2, batch=8)])
    report = tmp_path / "report"
    text = report_scaling(folders, report)
    assert "Strong scaling, 8 windows a step:" in text
    assert "| 2 | 5,000.0 | 160 | 80 | 1.60 | 80.0 | – | 1 | two |" in text
    document = json.loads((report / "scaling.json").read_bytes())
    assert document["groups"][0]["places"][1]["efficiency"] == pytest.approx(0.8)
    assert (report / "scaling.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match="output path must not exist"):
        report_scaling(folders, report)
    report_scaling(folders, report, overwrite=True)

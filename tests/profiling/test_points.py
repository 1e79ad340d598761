"""The points of a sweep."""

import pytest

from megatron_crossic.errors import ConfigError
from megatron_crossic.profiling.points import sweep_points


def test_the_product_in_order() -> None:
    points = sweep_points(["parallel.tensor=1,2", "micro_batch_size=1,4"])
    assert [point.settings for point in points] == [
        {"parallel.tensor": "1", "micro_batch_size": "1"},
        {"parallel.tensor": "1", "micro_batch_size": "4"},
        {"parallel.tensor": "2", "micro_batch_size": "1"},
        {"parallel.tensor": "2", "micro_batch_size": "4"},
    ]
    assert points[1].name == "parallel.tensor=1 micro_batch_size=4"
    assert points[1].folder == "parallel.tensor=1_micro_batch_size=4"
    assert points[1].options == ["--parallel.tensor", "1", "--micro_batch_size", "4"]


def test_a_comma_inside_brackets_belongs_to_the_value() -> None:
    points = sweep_points(["memory.recompute_modules=[core_attn,mlp],[mlp]"])
    values = [point.settings["memory.recompute_modules"] for point in points]
    assert values == ["[core_attn,mlp]", "[mlp]"]


def test_folders_of_values_that_are_no_file_names_differ() -> None:
    points = sweep_points(["data.train=[a/b],[a_b],[a b]," + "x" * 300 + "," + "x" * 301])
    folders = [point.folder for point in points]
    assert len(set(folders)) == 5
    assert all("/" not in folder and len(folder) < 120 for folder in folders)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["tensor"], "must be OPTION=VALUE,VALUE, got 'tensor'"),
        (["=1"], "got '=1'"),
        (["parallel.tensor="], "got 'parallel.tensor='"),
        (["parallel.tensor=1,,2"], "Use for example parallel.tensor=1,2,4"),
        (["--parallel.tensor=1"], "got '--parallel.tensor=1'"),
        (["parallel.tensor=1,1"], "must give each value once"),
        (["seed=1", "seed=2"], "must name each option once, got seed=1, seed=2"),
    ],
)
def test_what_is_no_sweep_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep_points(texts)

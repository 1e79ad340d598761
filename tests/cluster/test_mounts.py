"""What a container sees: the project's folder and what is mounted, by the names inside."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import tiny_config

from megatron_crossic.cluster.mounts import (
    Mount,
    find_outside,
    mount_problems,
    on_host,
    parse_mounts,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def mounts(project: Path, text: str = "") -> tuple[Mount, ...]:
    return parse_mounts(text, project=project, environment={"PWD": str(project)})


def test_the_innermost_mount_counts(project: Path) -> None:
    found = mounts(project, "/scratch:/data:ro,/archive/x:/data/x,/models")
    for inside, outside in (
        ("/data/a", "/scratch/a"),
        ("/data/x/b", "/archive/x/b"),
        ("/models/m", "/models/m"),
        ("runs/a", f"{project}/runs/a"),
    ):
        assert find_outside(Path(inside), found) == Path(outside)
    for unseen in ("/scratch/a", "/database", "../beside"):
        assert find_outside(Path(unseen), found) is None


def test_a_link_out_of_the_project_is_not_seen(project: Path, tmp_path: Path) -> None:
    (project / "data").symlink_to(tmp_path / "disk")
    assert find_outside(Path("data/x"), mounts(project)) is None
    seen = mounts(project, f"{tmp_path}/disk:{tmp_path}/disk")
    assert find_outside(Path("data/x"), seen) == project / "data" / "x"


def test_paths_of_a_run(project: Path, tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "in", run_dir=Path("runs/a"))
    told = mount_problems(config, mounts(project), config_file=tmp_path / "run.yaml")
    names = {one.split(" must lie in what the container sees")[0] for one in told}
    assert {"data.train", "checkpoint.initial", "--config"} <= names
    assert "run_dir" not in names

    inside = mounts(project, f"{tmp_path}:/data")
    moved = tiny_config(Path("/data/in"), run_dir=Path("/data/runs/a"))
    (run_dir,) = mount_problems(moved, inside, config_file=Path("run.yaml"))
    assert run_dir.startswith("run_dir must have one path inside and outside of the container")
    assert on_host(moved, inside) == replace(config, run_dir=moved.run_dir)
    assert on_host(config, mounts(project)) == config

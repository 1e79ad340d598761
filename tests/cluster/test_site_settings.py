"""Settings are those that bash finds in slurm/env.sh; what is wrong with them is said."""

import sys
from pathlib import Path

import pytest
from small_site import CPU_NODES, ENV, make_site

from megatron_crossic.cluster.settings import (
    Settings,
    declarations,
    read_settings,
    value_problems,
)
from megatron_crossic.errors import ConfigError

PROJECT = Path(__file__).parents[2]
SHELL = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(changes: dict[str, str] | None = None, **environment: str) -> Settings:
    return read_settings({**CPU_NODES, **(changes or {})}, environment={**SHELL, **environment})


def test_declarations_come_with_their_comments() -> None:
    found = {setting.name: setting for setting in declarations(ENV)}
    account = found["CROSSIC_ACCOUNT"]
    assert account.explanation == (
        "Account that is charged; empty where the cluster does not ask for one."
    )
    assert found["CROSSIC_CPU_PARTITION"].default == "$CROSSIC_PARTITION"
    assert (found["CROSSIC_QOS"].explanation, found["CROSSIC_GPUS_PER_NODE"].default) == ("", "8")
    assert len(found) == 13


def test_the_settings_of_the_project_are_declared_and_explained() -> None:
    text = (PROJECT / "slurm" / "env.sh").read_text(encoding="utf-8")
    found = declarations(text)
    assert len(found) >= 14
    assert [s.name for s in found if not s.explanation and s.name != "CROSSIC_PYTHON"] == []


def test_site_counts_before_environment_before_default(folder: Path) -> None:
    make_site(folder, site='CROSSIC_ACCOUNT=from-site\nCROSSIC_QOS="two words"\n')
    settings = read(CROSSIC_ACCOUNT="from-shell", CROSSIC_PARTITION="gpu")
    assert settings.problems == ()
    names = ("ACCOUNT", "QOS", "PARTITION", "CPU_PARTITION", "MAX_CRASHES", "NO_SUCH")
    values = [settings.get(name) for name in names]
    assert values == ["from-site", "two words", "gpu", "gpu", "3", ""]


def test_an_unknown_name_is_told_with_its_place_and_the_closest(folder: Path) -> None:
    make_site(folder, site="CROSSIC_PARTITON=gpu\n")
    problems = read({"CROSSIC_LUNCH": "srun"}, CROSSIC_ACOUNT="me", CROSSIC_ROOT="/x").problems
    assert [problem.split(" must")[0] for problem in problems] == [
        "CROSSIC_ACOUNT in the environment",
        "CROSSIC_LUNCH in --set",
        "CROSSIC_PARTITON in slurm/site.sh",
    ]
    assert [problem.split()[-3] for problem in problems] == [
        "CROSSIC_ACCOUNT",
        "CROSSIC_LAUNCH",
        "CROSSIC_PARTITION",
    ]


def test_names_that_the_scripts_use_are_known(folder: Path) -> None:
    make_site(folder)
    assert read(CROSSIC_OUTCOME="somewhere").problems == ()


def test_a_value_that_the_site_overrides_is_told(folder: Path) -> None:
    make_site(folder, site="CROSSIC_PARTITION=gpu\n")
    (problem,) = read({"CROSSIC_PARTITION": "debug"}).problems
    assert problem.startswith("--set CROSSIC_PARTITION must be left to slurm/site.sh")
    assert read({"CROSSIC_PARTITION": "gpu"}).problems == ()


def test_values_that_cannot_work(tmp_path: Path) -> None:
    good = {
        "CROSSIC_LAUNCH": "srun",
        "CROSSIC_HEALTH_CHECK": "on",
        "CROSSIC_GPUS_PER_NODE": "8",
        "CROSSIC_MAX_CRASHES": "3",
        "CROSSIC_PYTHON": sys.executable,
    }
    assert value_problems(good) == []
    image = str(tmp_path / "image.sqsh")
    for name, value, told in (
        ("LAUNCH", "mpi", "CROSSIC_LAUNCH must be torchrun or srun, got mpi"),
        ("HEALTH_CHECK", "", "CROSSIC_HEALTH_CHECK must be on or off, got nothing"),
        ("GPUS_PER_NODE", "eight", "CROSSIC_GPUS_PER_NODE must be a whole number, got 'eight'"),
        ("GPUS_PER_NODE", "0", "CROSSIC_PROCESSES_PER_NODE must be given where nodes have no GPUs"),
        ("PYTHON", "none/bin/python", "CROSSIC_VENV must be a virtual environment, got no Python"),
        ("MAX_STARTS", "08", "CROSSIC_MAX_STARTS must be a whole number, got '08'"),
        ("FIRST_PORT", "60000", "CROSSIC_FIRST_PORT must be in 1024 to 55535, got 60000"),
        ("CHECK_SECONDS", "5m", "CROSSIC_CHECK_SECONDS must be a whole number, got '5m'"),
        ("SHUTDOWN_SECONDS", "", "CROSSIC_SHUTDOWN_SECONDS must be a whole number, got ''"),
        ("CONTAINER_IMAGE", image, f"CROSSIC_CONTAINER_IMAGE must exist, got {image}"),
        ("CONTAINER_IMAGE", "x.sif", "CROSSIC_CONTAINER_IMAGE must be an image that enroot reads"),
    ):
        (problem,) = value_problems({**good, f"CROSSIC_{name}": value})
        assert problem.startswith(told)
    Path(image).touch()
    assert value_problems({**good, "CROSSIC_CONTAINER_IMAGE": image}) == []
    in_registry = {**good, "CROSSIC_CONTAINER_IMAGE": "nvcr.io#nvidia/pytorch:25.10-py3"}
    assert value_problems({**in_registry, "CROSSIC_PYTHON": "python"}) == []


def test_an_image_file_must_look_like_one_to_pyxis(folder: Path) -> None:
    (folder / "image").touch()
    values = {"CROSSIC_LAUNCH": "srun", "CROSSIC_HEALTH_CHECK": "on"}
    for name in ("image", "images/other.sqsh"):
        (problem,) = value_problems({**values, "CROSSIC_CONTAINER_IMAGE": name})
        assert problem.endswith(f"Write ./{name}.")
    assert value_problems({**values, "CROSSIC_CONTAINER_IMAGE": "./image"}) == []


def test_a_broken_site_file_is_an_error_of_the_user(folder: Path) -> None:
    make_site(folder, site="if then\n")
    with pytest.raises(ConfigError, match="must be read by bash without error, got: .*syntax"):
        read()


def test_another_folder_is_refused(folder: Path) -> None:
    assert folder.exists()
    with pytest.raises(ConfigError, match="jobs must be submitted from the project's folder"):
        read()

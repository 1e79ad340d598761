"""Puts `tests/` on the path, so that test folders share its modules, and makes inputs once.

Properties are checked without a time limit per example: discs and machines are slow at times.
"""

import gc
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


class OneSlurm(LoadFileScheduling):
    """Gives a worker whole files, and one of them all files of jobs.

    Jobs wait for Slurm much of their time. Then tests that compute run beside them, not other jobs
    on a second cluster.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(super()._split_scope(nodeid))
        return str(file.parent if file.parent.name == "slurm" else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneSlurm | None:
    """For `--dist loadfile`, as in the Makefile."""
    return OneSlurm(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The jobs go first: they are what takes longest in one worker."""
    items.sort(key=lambda item: item.path.parent.name != "slurm")


@pytest.fixture(scope="session")
def _threads_left() -> list[int]:
    """How many threads there were after the last collection."""
    return [0]


@pytest.fixture(autouse=True)
def _few_threads(_threads_left: list[int]) -> Iterator[None]:
    """Collect the process groups that are left in reference cycles with models and optimizers.

    gloo has a thread for each group that wakes up a hundred times a second: hundreds of them would
    take a quarter of a core from the tests that follow.
    """
    yield
    if len(os.listdir("/proc/self/task")) > _threads_left[0] + 100:
        gc.collect()
        _threads_left[0] = len(os.listdir("/proc/self/task"))


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data sets and the checkpoint that `tiny_config` reads; never written to."""
    tiny_runs = importlib.import_module("tiny_runs")  # late: it imports megatron-core
    folder: Path = tiny_runs.tiny_inputs(tmp_path_factory.mktemp("inputs"))
    return folder

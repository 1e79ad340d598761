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

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Jobs wait for Slurm most of their time: they go first, beside tests that compute."""
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
